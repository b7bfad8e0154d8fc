"""How clinicians write findings: names, abbreviations and families of statement codes.

The same table is used to write sentences and to read them, so that what one part of the project
says another part understands.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ecg_llm.findings.codes import STATEMENTS


class Row(NamedTuple):
    """What a table of words says of one code.

    Attributes
    ----------
    words : str
        How it is written, the plainest first: a pattern as for `expand`.
    label : str
        Name of a family; empty for a single finding.
    talk : str
        How it is called in talk: such words are read, and never written.
    narrower : tuple of str
        Codes any of which makes it true; for a family its members.
    """

    words: str
    label: str = ""
    talk: str = ""
    narrower: tuple[str, ...] = ()


def read_table(text: str) -> dict[str, Row]:
    """Read a table of words.

    Parameters
    ----------
    text : str
        Rows ``code: words``; below, each indented, what goes on, or ``= label``, ``~ talk`` and
        ``> narrower codes``. Lines that begin with ``#`` are headings.

    Examples
    --------
    >>> read_table("pause: pause | sinus arrest\\n    > long_pause")["pause"]
    Row(words='pause | sinus arrest', label='', talk='', narrower=('long_pause',))
    """
    rows: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        begun = line.strip()
        if line[:1].strip() and not line.startswith("#"):
            code, _, begun = line.partition(": ")
            row = rows[code] = dict.fromkeys(("words", *_PARTS.values()), "")
            part = "words"
        elif begun[:2] in _PARTS:
            part, begun = _PARTS[begun[:2]], begun[2:]
        if begun and not begun.startswith("#"):
            row[part] = f"{row[part]} {begun}".strip()
    return {
        code: Row(row["words"], row["label"], row["talk"], tuple(row["narrower"].split()))
        for code, row in rows.items()
    }


_PARTS = {"= ": "label", "~ ": "talk", "> ": "narrower"}
_MI = "[myocardial infarction|infarction|MI|infarct]"
_WALLS = (
    "anterior |anteroseptal |septal |anterolateral |lateral |inferior |inferolateral |posterior |"
    "inferoposterior "
)
_ISCHEMIA = "[ischaemic ST-T changes|ischaemic changes|ischaemia]"
_INJURY = "[ST depression of injury|subendocardial injury|injury pattern]"
_TABLE = read_table(
    f"""\
# rhythm
SR: sinus rhythm | regular sinus rhythm | sinus mechanism | SR
    > STACH SBRAD SARRH
STACH: sinus tachycardia | sinus tach
SBRAD: sinus bradycardia | sinus brady
SARRH: [|respiratory ]sinus arrhythmia
AFIB: atrial fibrillation | [AF|AFib|A-fib|Afib] | atrial fib | fibrillation of the atria |
    auricular fibrillation
    ~ fib | a fibrillation
AFLT: [|typical |atypical ]atrial flutter | AFL | flutter waves | AFlutter | flutter
    ~ A-flutter
SVTAC: supraventricular tachycardia | SVT
    > PSVT
PSVT: paroxysmal supraventricular tachycardia | PSVT | paroxysmal SVT
SVARR: supraventricular arrhythmia
PACE: pacemaker rhythm | [|electronic ][paced rhythm|pacing] |
    [|normally |normal ]functioning [|artificial ]pacemaker | pacemaker [spikes|stimuli] |
    pacing spikes
    ~ [pacemaker|pacer|paced] | [pacemaker|pacer|pacing|paced] [spike|rhythm|beat] | spike
    > atrial_pacing ventricular_pacing dual_pacing
atrial_pacing: atrial pacing | atrial paced rhythm | atrially paced rhythm
ventricular_pacing: ventricular pacing | ventricular paced rhythm | ventricularly paced rhythm
dual_pacing: [dual-chamber|AV sequential|atrioventricular sequential] [pacing|paced rhythm]
junctional_rhythm: [junctional|nodal|AV junctional] [|escape ]rhythm | junctional escape
idioventricular_rhythm: [|accelerated ]idioventricular rhythm | ventricular escape[| rhythm] | AIVR
wide_qrs_tachycardia: [wide|broad][-QRS| QRS complex|-complex] tachycardia
ventricular_tachycardia: [ventricular tachycardia|VT]
    ~ V-tach
    > ventricular_run
ventricular_fibrillation: [ventricular fibrillation|VF]
    ~ V-fib
asystole: asystole | ventricular standstill | cardiac standstill
asystole_or_vf: asystole or ventricular fibrillation
    > asystole ventricular_fibrillation
extreme_tachycardia: ventricular rate above 150/min | extreme tachycardia
extreme_bradycardia: ventricular rate below 40/min |
    [extreme|severe|profound|marked] [|sinus ]bradycardia
pause: pause of more than 2 s | [|sinus |ventricular ]pause | sinus arrest
    > long_pause
long_pause: pause of more than 3 s | long pause | prolonged pause
# ectopy
PAC: [atrial|supraventricular] premature [complex|beat|contraction] |
    [atrial|supraventricular] [extrasystole|ectopic beat|extra beat] |
    premature atrial [complex|beat|contraction] | [PAC|APC|APB|SVES|PSVC] |
    [atrial|supraventricular] ectopy | [atrial|supraventricular] ectopics
PVC: ventricular [premature [complex|beat|contraction]|extrasystole|ectopic beat|extra beat] |
    premature ventricular [complex|beat|contraction] | [PVC|VPC|VPB|VES] | ventricular ectopy |
    ventricular ectopics
    > pvc_couplet ventricular_run
BIGU: [|ventricular |atrial ]bigeminy | bigeminal [pattern|rhythm]
TRIGU: [|ventricular |atrial ]trigeminy | trigeminal [pattern|rhythm]
pvc_couplet: paired ventricular premature complexes | [|ventricular |PVC ]couplet | ventricular pair
ventricular_run: run of ventricular beats |
    [non-sustained|nonsustained] [VT|ventricular tachycardia] | NSVT |
    ventricular [run|salvo|triplet]
blocked_pac: [blocked|non-conducted] [PAC|atrial premature [complex|beat]]
# AV conduction
1AVB: [first-degree|1st-degree|first degree|1°|first-grade] [AV|A-V|atrioventricular] block |
    [first-degree|1st-degree] heart block |
    [AV|atrioventricular] block [I|1|first degree|of [the |]first degree] | 1AVB
    ~ [first|1st]-degree[| block]
LPR: prolonged [PR|PQ][| interval] | [PR|PQ][| interval] prolongation | long PR interval
    > 1AVB
short_pr: short [PR|PQ][| interval] | PR shortening
2AVB: [second-degree|2nd-degree|2°|second-grade] [AV|A-V|atrioventricular] block |
    [second-degree|2nd-degree] heart block |
    [AV|atrioventricular] block [II|of [the |]second degree] | 2AVB
    ~ [second|2nd]-degree[| block] | dropped beat | Mobitz
    > mobitz_1 mobitz_2 av_block_2_1
mobitz_1: second-degree AV block, Wenckebach |
    [Mobitz[| type] [I|1]|Wenckebach][| block| AV block| periodicity| conduction| phenomenon] |
    second-degree AV block[|,] [type I|type 1|Mobitz[| type] [I|1]]
mobitz_2: second-degree AV block, Mobitz II | Mobitz[| type] [II|2][| block| AV block] |
    second-degree AV block[|,] [type II|type 2|Mobitz[| type] [II|2]]
av_block_2_1: second-degree AV block, 2:1 | 2:1 [AV|atrioventricular] block
3AVB: complete [AV|heart|atrioventricular] block |
    [third-degree|3rd-degree|3°] [AV|atrioventricular|heart] block |
    [AV|atrioventricular] block [III|of [the |]third degree] | CHB |
    AV dissociation with complete block | 3AVB
    ~ [third|3rd]-degree[| block] | [[AV|A-V|atrioventricular] |]dissociation
# ventricular conduction
CLBBB: [|complete ]left bundle[-| ]branch block | [LBBB|CLBBB|complete LBBB] | left bundle block |
    block of the left bundle branch
CRBBB: [|complete ]right bundle[-| ]branch block | [RBBB|CRBBB|complete RBBB] | right bundle block |
    block of the right bundle branch
ILBBB: [incomplete|partial] [left bundle-branch block|LBBB] | ILBBB |
    [incomplete|partial] block of the left bundle branch
IRBBB: [incomplete|partial] [right bundle-branch block|RBBB] | IRBBB |
    [incomplete|partial] block of the right bundle branch
IVCD: [|nonspecific |non-specific ]intraventricular conduction [delay|defect|disturbance|block] |
    IV conduction [delay|defect] | IVCD | [nonspecific|non-specific] [IVCD|conduction delay]
LAFB: left anterior [fascicular block|hemiblock|hemi-block] | LAFB | LAHB
    ~ [|left ]anterior fascicle
LPFB: left posterior [fascicular block|hemiblock|hemi-block] | LPFB | LPHB
    ~ [|left ]posterior fascicle
WPW: ventricular pre-excitation (WPW pattern) | [|ventricular ][pre-excitation|preexcitation] |
    [WPW|Wolff-Parkinson-White|Wolf-Parkinson-White][| pattern| syndrome] | delta wave
# axis
left_axis: [left[-| |ward ]axis|leftward axis][| deviation| shift] | LAD |
    axis [deviated|shifted] to the left | left deviation of the axis
right_axis: [right[-| |ward ]axis|rightward axis][| deviation| shift] | RAD |
    axis [deviated|shifted] to the right | right deviation of the axis
extreme_axis: extreme axis[| deviation] | [northwest|north-west|superior] axis |
    extreme right axis deviation
# chambers
LAO/LAE: left atrial [enlargement|abnormality|overload|hypertrophy|dilatation] |
    enlarged left atrium | P mitrale | LAE
    ~ left atrium [|is ][enlarged|dilated|big] | biatrial enlargement
RAO/RAE: right atrial [enlargement|abnormality|overload|hypertrophy|dilatation] |
    enlarged right atrium | P pulmonale | RAE
    ~ right atrium [|is ][enlarged|dilated|big]
LVH: left ventricular hypertrophy | LVH | hypertrophy of the left ventricle | LV hypertrophy
    ~ left ventricle [|is ][hypertrophied|thick|thickened|enlarged]
VCLVH: voltage criteria for [LVH|left ventricular hypertrophy] |
    [LVH|left ventricular hypertrophy] by voltage[| criteria] | [|left ventricular ]voltage criteria
RVH: right ventricular hypertrophy | RVH | hypertrophy of the right ventricle
    ~ right ventricle [|is ][hypertrophied|thick|thickened|enlarged]
SEHYP: septal hypertrophy
lv_strain: left ventricular strain[| pattern] | LV strain[| pattern] | strain pattern |
    repolarization changes of strain
    ~ strain
LVOLT: low [QRS voltage|voltage|limb-lead voltage] | low-voltage QRS | microvoltage
HVOLT: high [|QRS ]voltage
# QRS
QWAVE: [pathological|pathologic|abnormal|significant] Q wave | Q wave |
    [QS complex|QS wave|QS pattern]
    ~ [pathological|pathologic|pathol|abnormal] [Q|Qs]
    > IMI ILMI LMI ALMI AMI ASMI
ABQRS: abnormal QRS
poor_r_progression: [poor|reduced|delayed|diminished] [R-wave|R|precordial R-wave] progression |
    loss of R-wave progression | PRWP
    ~ [R|R-wave] progression is poor
IMI: inferior infarction, age undetermined | inferior[| wall] {_MI} | {_MI} of the inferior wall |
    diaphragmatic infarction
    ~ IMI
    > ILMI IPMI IPLMI
ILMI: inferolateral infarction, age undetermined | inferolateral[| wall] {_MI}
IPMI: inferoposterior infarction, age undetermined | inferoposterior[| wall] {_MI}
IPLMI: inferoposterolateral infarction, age undetermined | inferoposterolateral[| wall] {_MI}
PMI: posterior infarction, age undetermined | posterior[| wall] {_MI} | {_MI} of the posterior wall
    > IPMI IPLMI
LMI: lateral infarction, age undetermined | lateral[| wall] {_MI} | {_MI} of the lateral wall
    > ILMI IPLMI ALMI
ASMI: anteroseptal infarction, age undetermined | [anteroseptal|septal][| wall] {_MI}
    ~ ASMI
AMI: anterior infarction, age undetermined | anterior[| wall] {_MI} | {_MI} of the anterior wall
    > ASMI ALMI
ALMI: anterolateral infarction, age undetermined | anterolateral[| wall] {_MI}
    ~ ALMI
# ST-T
stemi: ST elevation as in acute coronary occlusion | STEMI[| pattern] |
    [ST-elevation|ST-segment elevation] myocardial infarction | acute coronary occlusion |
    [acute|hyperacute] [|ST-elevation |transmural ][myocardial infarction|infarction|MI] |
    current of injury
    ~ [acute|hyperacute|subacute|recent|fresh|evolving|ongoing] [|{_WALLS}][|wall ]{_MI} | OMI |
      occlusion MI | [|acute ][|coronary ]occlusion
de_winter: ST depression with tall T waves, de Winter pattern |
    de Winter[|'s] [pattern|sign|complex|T wave]
    ~ de Winter[|'s] | dewinter
sgarbossa: Sgarbossa criteria in left bundle branch block |
    [|positive |modified ]Sgarbossa criteri[a|on]
    ~ Sgarbossa | [|modified ]Sgarbossa's[| criteri[a|on]]
STE_: ST[| segment|-segment] [elevation|elevations] | elevation of the ST segment |
    elevated ST segment | STE
    ~ ST elev
    > stemi early_repolarization pericarditis ANEUR
STD_: [|reciprocal |horizontal |downsloping ]ST[| segment|-segment] [depression|depressions] |
    depression of the ST segment | depressed ST segment | reciprocal depression
    ~ ST [dep|depr|depress] | reciprocal [change|changes]
    > INJAS INJAL INJLA INJIN INJIL de_winter
INJAS: ST depression of injury, anteroseptal | anteroseptal {_INJURY}
INJAL: ST depression of injury, anterolateral | anterolateral {_INJURY}
INJLA: ST depression of injury, lateral | lateral {_INJURY}
    > INJAL INJIL
INJIN: ST depression of injury, inferior | inferior {_INJURY}
    > INJIL
INJIL: ST depression of injury, inferolateral | inferolateral {_INJURY}
ISC_: ischaemic ST-T [changes|abnormalities] | [|myocardial |subendocardial |acute ]ischaemia |
    ischaemic changes
    > ISCAS ISCAN ISCAL ISCLA ISCIN ISCIL
ISCAS: ischaemic ST-T changes, anteroseptal | anteroseptal {_ISCHEMIA}
ISCAN: ischaemic ST-T changes, anterior | anterior {_ISCHEMIA}
    > ISCAS ISCAL
ISCAL: ischaemic ST-T changes, anterolateral | anterolateral {_ISCHEMIA}
ISCLA: ischaemic ST-T changes, lateral | lateral {_ISCHEMIA}
    > ISCAL ISCIL
ISCIN: ischaemic ST-T changes, inferior | inferior {_ISCHEMIA}
    > ISCIL
ISCIL: ischaemic ST-T changes, inferolateral | inferolateral {_ISCHEMIA}
INVT: [inverted|negative] T[| ]wave | T[|-wave| wave] [inversion|inversions] |
    inversion of the T wave | TWI
    ~ [inverted|negative|flipped] [T|Ts|T wave|T's] | flipped
LOWT: [low|flat|flattened|low-amplitude] T[| ]wave | T-wave flattening | flattening of the T wave
NDT: nondiagnostic T-wave abnormality |
    [non-diagnostic|nondiagnostic] T[| wave|-wave] [abnormality|abnormalities|changes]
NT_: [nonspecific|non-specific] T[| wave|-wave] [abnormality|abnormalities|changes]
    > NDT
TAB_: T[|-wave| wave] [abnormality|abnormalities|changes]
    > INVT LOWT NDT NT_
NST_: [nonspecific|non-specific] ST[| segment|-segment] [changes|abnormality|abnormalities] |
    nonspecific ST depression
ANEUR: ST elevation over Q waves, as with an aneurysm | [ventricular|left ventricular|LV] aneurysm
    ~ aneurysm
early_repolarization: early repolarization pattern | [|benign ]early [repolarization|repolarisation]
    ~ early repol
pericarditis: ST elevation as in pericarditis | [|acute ]pericarditis
brugada_1: Brugada type 1 pattern |
    [|type 1 |type I ]Brugada [|type 1 |type I ][pattern|sign|syndrome|ECG]
    ~ Brugada[|'s][| syndrome| pattern| sign]
tall_t: tall peaked T waves, as in hyperkalaemia |
    [tall|peaked|tented|tall peaked|hyperacute] T[| ]wave | hyperkalaemia
    ~ [tall|peaked|tented|hyperacute] [T|Ts|T's]
EL: electrolyte [disturbance|abnormality|abnormalities] | hypokalaemia
    ~ electrolyte [problem|imbalance|issue|derangement]
DIG: ST-T shape as with digitalis | [digitalis|digoxin] [effect|effects]
    ~ [digitalis|digoxin|dig] [effect|changes]
# QT
LNGQT: prolonged [QT|QTc][| interval] | [QT|QTc][| interval] prolongation |
    long QT[| interval| syndrome] | prolongation of [the |][QT|QTc][| interval]
    > very_long_qt
very_long_qt: QTc of 500 ms or more |
    [severely|markedly|very] [prolonged|long] [QT|QTc][| interval] |
    [severe|marked] [QT|QTc][| interval] prolongation
short_qt: short [QT|QTc][| interval| syndrome] | shortened QT interval
# technical
lead_reversal: suspected reversal of electrodes |
    [lead|electrode|arm electrode|limb lead|limb electrode] [reversal|misplacement|swap] |
    [reversed|misplaced|swapped] [leads|electrodes|limb leads|arm electrodes] |
    reversal of [the |][arm |limb |][electrodes|leads]
    ~ [lead|electrode] [|are |were ][reversed|swapped|switched|misplaced] |
      [swapped|interchanged|transposed]
NORM: normal [ECG|EKG|electrocardiogram|tracing] |
    [ECG|EKG|tracing|electrocardiogram] within normal limits | unremarkable [ECG|EKG|tracing]
# families
bundle_branch_block: bundle[-| ]branch block | BBB
    = bundle branch block
    > CLBBB CRBBB ILBBB IRBBB
fascicular_block: fascicular block | hemiblock
    = fascicular block
    > LAFB LPFB
conduction_disturbance: [ventricular |]conduction [disturbance|abnormality|disorder]
    = ventricular conduction disturbance
    > CLBBB CRBBB ILBBB IRBBB IVCD LAFB LPFB WPW
av_block: [AV|A-V|atrioventricular|heart] block
    = AV block
    > 1AVB 2AVB 3AVB mobitz_1 mobitz_2 av_block_2_1
high_degree_av_block: [high|higher|advanced][-| ][degree|grade] [AV|atrioventricular|heart] block
    = high-degree AV block
    ~ [high|higher|advanced][-| ][degree|grade] block
    > mobitz_2 av_block_2_1 3AVB
mi: [|old |prior |previous |remote |established ]{_MI}
    = myocardial infarction
    ~ heart attack | scar
    > IMI ILMI IPMI IPLMI PMI LMI ASMI AMI ALMI
st_t_changes: [|nonspecific |non-specific |significant |acute ][ST-T|ST/T|ST-T wave|ST and T wave]
    [changes|abnormality|abnormalities] |
    [repolarization|repolarisation] [abnormality|abnormalities|changes|disturbance]
    = ST-T changes
    > STE_ STD_ INVT LOWT NDT NST_ NT_ TAB_ ISC_ stemi tall_t
st_changes: [|significant |acute |relevant ]ST[| segment|-segment]
    [deviation|deviations|change|changes|abnormality|abnormalities]
    = ST changes
    > STE_ STD_ NST_ stemi
injury: {_INJURY}
    = subendocardial injury
    > INJAS INJAL INJLA INJIN INJIL
ectopy: [ectopy|ectopics|ectopic beat|extrasystole|extra beat] |
    premature [beat|complex|contraction] | PRC(S)
    = premature complexes
    ~ [skipped|missed|premature|extra|ectopic] [|heart ]beat | premature
    > PAC PVC BIGU TRIGU pvc_couplet ventricular_run
hypertrophy: [|ventricular ]hypertrophy
    = ventricular hypertrophy
    > LVH RVH
atrial_enlargement: [atrial [enlargement|abnormality|overload]|enlarged atria]
    = atrial enlargement
    > LAO/LAE RAO/RAE
axis_deviation: axis deviation | abnormal axis
    = axis deviation
    ~ axis [deviated|off]
    > left_axis right_axis extreme_axis
aberrant_rhythm: atrial fibrillation or flutter | atrial fibrillation/flutter | AF/flutter
    = atrial fibrillation or flutter
    > AFIB AFLT
"""
)
"""Findings, and families that a text may mention without saying which member it means."""

_SAME = {
    "mobitz1": "mobitz_1",
    "mobitz2": "mobitz_2",
    "av_block_2to1": "av_block_2_1",
    "paced_atrial": "atrial_pacing",
    "paced_ventricular": "ventricular_pacing",
    "paced_dual": "dual_pacing",
    "ventricular_escape": "idioventricular_rhythm",
    "junctional_escape": "junctional_rhythm",
    "sinus_pause": "pause",
    "couplets": "pvc_couplet",
    "PRC(S)": "ectopy",
}
"""Other names that parts of the project, or the simulator, give to a code."""

CODES = tuple(code for code, row in _TABLE.items() if not row.label)
"""All finding codes with words."""
GROUPS = tuple(code for code, row in _TABLE.items() if row.label)
"""Names of families that a text may mention without saying which member it means."""


def canonical_code(code: str) -> str:
    """Give the code that the criteria use for a statement.

    Parameters
    ----------
    code : str
        Code or one of its other names.

    Examples
    --------
    >>> canonical_code("mobitz1"), canonical_code("CLBBB")
    ('mobitz_1', 'CLBBB')
    """
    return _SAME.get(code, code)


def label(code: str) -> str:
    """Name a finding or family in plain clinical English.

    Parameters
    ----------
    code : str
        Finding code, or one of `GROUPS`.

    Returns
    -------
    str
        The code itself if it has no name.

    Examples
    --------
    >>> label("1AVB"), label("mi")
    ('first-degree AV block', 'myocardial infarction')
    """
    code = canonical_code(code)
    if code in STATEMENTS:
        return STATEMENTS[code].label
    return _row(code).label or next(iter(phrases(code)), code)


@cache
def phrases(code: str, *, talk: bool = False) -> tuple[str, ...]:
    """List the ways in which clinicians write a finding, each of which is read back as it.

    Parameters
    ----------
    code : str
        Finding code, or one of `GROUPS`.
    talk : bool
        Add what it is called in talk: words that are read and never written.

    Returns
    -------
    tuple of str
        Longer names and abbreviations, in the singular; empty for an unknown code.

    Examples
    --------
    >>> "LBBB" in phrases("CLBBB"), "first-degree AV block" in phrases("1AVB")
    (True, True)
    >>> "heart attack" in phrases("mi"), "heart attack" in phrases("mi", talk=True)
    (False, True)
    """
    row = _row(code)
    written = (*expand(row.words), *(expand(row.talk) if talk else ()))
    return tuple(dict.fromkeys(" ".join(text.split()) for text in written if text))


def _row(code: str) -> Row:
    """Give the row of a code; one without words where there is none."""
    return _TABLE.get(canonical_code(code), Row(""))


def members(code: str) -> tuple[str, ...]:
    """List the codes any of which makes a statement true.

    Parameters
    ----------
    code : str
        Finding code, or one of `GROUPS`.

    Returns
    -------
    tuple of str
        The code itself first (not for a group), then more specific ones.

    Examples
    --------
    >>> members("LNGQT")
    ('LNGQT', 'very_long_qt')
    """
    code = canonical_code(code)
    found = list(_row(code).narrower) if code in GROUPS else [code]
    for one in found:
        found.extend(child for child in _row(one).narrower if child not in found)
    return tuple(found)


RHYTHMS = (
    *("SR", "STACH", "SBRAD", "SARRH", "AFIB", "AFLT", "SVTAC", "PSVT", "SVARR", "PACE"),
    *("atrial_pacing", "ventricular_pacing", "junctional_rhythm", "idioventricular_rhythm"),
    *("wide_qrs_tachycardia", "asystole_or_vf"),
)
"""One of these an impression names, or says that it could not."""
EXCLUDES_NOT = {
    "stemi": "an acute infarction",
    **dict.fromkeys(members("mi"), "an infarction"),
    "mi": "an infarction",
    **dict.fromkeys(members("ISC_"), "ischaemia"),
    "tall_t": "hyperkalaemia",
    "EL": "an electrolyte disturbance",
    "pericarditis": "pericarditis",
    "brugada_1": "Brugada syndrome",
    **dict.fromkeys(("sgarbossa", "de_winter"), "an acute infarction"),
    "lead_reversal": "swapped electrodes",
    **dict.fromkeys(members("PACE"), "pacing with spikes too small to be seen"),
}
"""Diseases that an ECG without their signs leaves possible."""
ECG = r"(ECG|EKG|tracing|recording|electrocardiogram)"
"""Pattern of what a text calls the whole."""
ACUTE = ("stemi", "de_winter", "sgarbossa", "injury")
"""What no answer on infarction or ischaemia must leave out."""
NOT_DENIED_BESIDE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ventricular_tachycardia", "ventricular_run"), ("wide_qrs_tachycardia",)),
    "SVTAC": ("wide_qrs_tachycardia", "AFLT"),
    "STE_": ("brugada_1",),
    "ABQRS": (
        *("CLBBB", "CRBBB", "IRBBB", "ILBBB", "IVCD", "LAFB", "LPFB", "WPW", "LVH", "RVH", "LVOLT"),
        *("VCLVH", "poor_r_progression", *members("mi"), *members("QWAVE"), "PVC", "PACE"),
    ),
    **dict.fromkeys(("ISC_", "mi"), tuple(one for code in ACUTE for one in members(code))),
}
"""What may be the same, or graver: beside it nobody says that the first is absent."""


def expand(pattern: str) -> list[str]:
    """Write out all alternatives of a pattern.

    Parameters
    ----------
    pattern : str
        Alternatives with ``|`` between them, within brackets or outside; brackets may be nested.

    Examples
    --------
    >>> expand("[complete |]left [a|b]|c")
    ['complete left a', 'complete left b', 'left a', 'left b', 'c']
    """
    depth, at, out = 0, 0, []
    for k, letter in enumerate(f"{pattern}|"):
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and depth == 0:
            out += _without_brackets(pattern[at:k])
            at = k + 1
    return out


def _without_brackets(text: str) -> list[str]:
    """Write out the alternatives within the brackets of a text."""
    start = text.find("[")
    if start < 0:
        return [text]
    depth = 0
    for stop in range(start, len(text)):
        depth += (text[stop] == "[") - (text[stop] == "]")
        if depth == 0:
            break
    inner, rest = expand(text[start + 1 : stop]), _without_brackets(text[stop + 1 :])
    return [text[:start] + a + b for a in inner for b in rest]
