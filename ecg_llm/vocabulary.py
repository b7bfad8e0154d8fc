"""How clinicians write findings: names, abbreviations and families of statement codes.

The same table is used to write sentences and to read them, so that what one part of the project
says another part understands.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import pairwise, product

from ecg_llm.findings.codes import STATEMENTS

_MI = "[myocardial infarction|infarction|MI|infarct]"
_WALLS = (
    "anterior |anteroseptal |septal |anterolateral |lateral |inferior |inferolateral |posterior |"
    "inferoposterior "
)
_ISCHEMIA = "[ischaemic ST-T changes|ischaemic changes|ischaemia]"
_INJURY = "[ST depression of injury|subendocardial injury|injury pattern]"

_WORDS: dict[str, tuple[str, ...]] = {
    # rhythm
    "SR": ("sinus rhythm", "regular sinus rhythm", "sinus mechanism", "SR"),
    "STACH": ("sinus tachycardia", "sinus tach"),
    "SBRAD": ("sinus bradycardia", "sinus brady"),
    "SARRH": ("[|respiratory ]sinus arrhythmia",),
    "AFIB": (
        "atrial fibrillation",
        "[AF|AFib|A-fib|Afib]",
        "atrial fib",
        "fibrillation of the atria",
        "auricular fibrillation",
    ),
    "AFLT": ("[|typical |atypical ]atrial flutter", "AFL", "flutter waves", "AFlutter", "flutter"),
    "SVTAC": ("supraventricular tachycardia", "SVT"),
    "PSVT": ("paroxysmal supraventricular tachycardia", "PSVT", "paroxysmal SVT"),
    "SVARR": ("supraventricular arrhythmia",),
    "PACE": (
        "pacemaker rhythm",
        "[|electronic ][paced rhythm|pacing]",
        "[|normally |normal ]functioning [|artificial ]pacemaker",
        "pacemaker [spikes|stimuli]",
        "pacing spikes",
    ),
    "atrial_pacing": ("atrial pacing", "atrial paced rhythm", "atrially paced rhythm"),
    "ventricular_pacing": (
        "ventricular pacing",
        "ventricular paced rhythm",
        "ventricularly paced rhythm",
    ),
    "dual_pacing": (
        "[dual-chamber|AV sequential|atrioventricular sequential] [pacing|paced rhythm]",
    ),
    "junctional_rhythm": (
        "[junctional|nodal|AV junctional] [|escape ]rhythm",
        "junctional escape",
    ),
    "idioventricular_rhythm": (
        "[|accelerated ]idioventricular rhythm",
        "ventricular escape[| rhythm]",
        "AIVR",
    ),
    "wide_qrs_tachycardia": ("[wide|broad][-QRS| QRS complex|-complex] tachycardia",),
    "ventricular_tachycardia": ("[ventricular tachycardia|VT]",),
    "ventricular_fibrillation": ("[ventricular fibrillation|VF]",),
    "asystole": ("asystole", "ventricular standstill", "cardiac standstill"),
    "asystole_or_vf": ("asystole or ventricular fibrillation",),
    "extreme_tachycardia": ("ventricular rate above 150/min", "extreme tachycardia"),
    "extreme_bradycardia": (
        "ventricular rate below 40/min",
        "[extreme|severe|profound|marked] [|sinus ]bradycardia",
    ),
    "pause": ("pause of more than 2 s", "[|sinus |ventricular ]pause", "sinus arrest"),
    "long_pause": ("pause of more than 3 s", "long pause", "prolonged pause"),
    # ectopy
    "PAC": (
        "[atrial|supraventricular] premature [complex|beat|contraction]",
        "[atrial|supraventricular] [extrasystole|ectopic beat|extra beat]",
        "premature atrial [complex|beat|contraction]",
        "[PAC|APC|APB|SVES|PSVC]",
        "[atrial|supraventricular] ectopy",
        "[atrial|supraventricular] ectopics",
    ),
    "PVC": (
        "ventricular [premature [complex|beat|contraction]|extrasystole|ectopic beat|extra beat]",
        "premature ventricular [complex|beat|contraction]",
        "[PVC|VPC|VPB|VES]",
        "ventricular ectopy",
        "ventricular ectopics",
    ),
    "BIGU": ("[|ventricular |atrial ]bigeminy", "bigeminal [pattern|rhythm]"),
    "TRIGU": ("[|ventricular |atrial ]trigeminy", "trigeminal [pattern|rhythm]"),
    "pvc_couplet": (
        "paired ventricular premature complexes",
        "[|ventricular |PVC ]couplet",
        "ventricular pair",
    ),
    "ventricular_run": (
        "run of ventricular beats",
        "[non-sustained|nonsustained] [VT|ventricular tachycardia]",
        "NSVT",
        "ventricular [run|salvo|triplet]",
    ),
    "blocked_pac": ("[blocked|non-conducted] [PAC|atrial premature [complex|beat]]",),
    # AV conduction
    "1AVB": (
        "[first-degree|1st-degree|first degree|1°|first-grade] [AV|A-V|atrioventricular] block",
        "[first-degree|1st-degree] heart block",
        "[AV|atrioventricular] block [I|1|first degree|of [the |]first degree]",
        "1AVB",
    ),
    "LPR": (
        "prolonged [PR|PQ][| interval]",
        "[PR|PQ][| interval] prolongation",
        "long PR interval",
    ),
    "short_pr": ("short [PR|PQ][| interval]", "PR shortening"),
    "2AVB": (
        "[second-degree|2nd-degree|2°|second-grade] [AV|A-V|atrioventricular] block",
        "[second-degree|2nd-degree] heart block",
        "[AV|atrioventricular] block [II|of [the |]second degree]",
        "2AVB",
    ),
    "mobitz_1": (
        "second-degree AV block, Wenckebach",
        "[Mobitz[| type] [I|1]|Wenckebach][| block| AV block| periodicity| conduction| phenomenon]",
        "second-degree AV block[|,] [type I|type 1|Mobitz[| type] [I|1]]",
    ),
    "mobitz_2": (
        "second-degree AV block, Mobitz II",
        "Mobitz[| type] [II|2][| block| AV block]",
        "second-degree AV block[|,] [type II|type 2|Mobitz[| type] [II|2]]",
    ),
    "av_block_2_1": ("second-degree AV block, 2:1", "2:1 [AV|atrioventricular] block"),
    "3AVB": (
        "complete [AV|heart|atrioventricular] block",
        "[third-degree|3rd-degree|3°] [AV|atrioventricular|heart] block",
        "[AV|atrioventricular] block [III|of [the |]third degree]",
        "CHB",
        "AV dissociation with complete block",
        "3AVB",
    ),
    # ventricular conduction
    "CLBBB": (
        "[|complete ]left bundle[-| ]branch block",
        "[LBBB|CLBBB|complete LBBB]",
        "left bundle block",
        "block of the left bundle branch",
    ),
    "CRBBB": (
        "[|complete ]right bundle[-| ]branch block",
        "[RBBB|CRBBB|complete RBBB]",
        "right bundle block",
        "block of the right bundle branch",
    ),
    "ILBBB": (
        "[incomplete|partial] [left bundle-branch block|LBBB]",
        "ILBBB",
        "[incomplete|partial] block of the left bundle branch",
    ),
    "IRBBB": (
        "[incomplete|partial] [right bundle-branch block|RBBB]",
        "IRBBB",
        "[incomplete|partial] block of the right bundle branch",
    ),
    "IVCD": (
        "[|nonspecific |non-specific ]intraventricular conduction [delay|defect|disturbance|block]",
        "IV conduction [delay|defect]",
        "IVCD",
        "[nonspecific|non-specific] [IVCD|conduction delay]",
    ),
    "LAFB": ("left anterior [fascicular block|hemiblock|hemi-block]", "LAFB", "LAHB"),
    "LPFB": ("left posterior [fascicular block|hemiblock|hemi-block]", "LPFB", "LPHB"),
    "WPW": (
        "ventricular pre-excitation (WPW pattern)",
        "[|ventricular ][pre-excitation|preexcitation]",
        "[WPW|Wolff-Parkinson-White|Wolf-Parkinson-White][| pattern| syndrome]",
        "delta wave",
    ),
    # axis
    "left_axis": (
        "[left[-| |ward ]axis|leftward axis][| deviation| shift]",
        "LAD",
        "axis [deviated|shifted] to the left",
        "left deviation of the axis",
    ),
    "right_axis": (
        "[right[-| |ward ]axis|rightward axis][| deviation| shift]",
        "RAD",
        "axis [deviated|shifted] to the right",
        "right deviation of the axis",
    ),
    "extreme_axis": (
        "extreme axis[| deviation]",
        "[northwest|north-west|superior] axis",
        "extreme right axis deviation",
    ),
    # chambers
    "LAO/LAE": (
        "left atrial [enlargement|abnormality|overload|hypertrophy|dilatation]",
        "enlarged left atrium",
        "P mitrale",
        "LAE",
    ),
    "RAO/RAE": (
        "right atrial [enlargement|abnormality|overload|hypertrophy|dilatation]",
        "enlarged right atrium",
        "P pulmonale",
        "RAE",
    ),
    "LVH": (
        "left ventricular hypertrophy",
        "LVH",
        "hypertrophy of the left ventricle",
        "LV hypertrophy",
    ),
    "VCLVH": (
        "voltage criteria for [LVH|left ventricular hypertrophy]",
        "[LVH|left ventricular hypertrophy] by voltage[| criteria]",
        "[|left ventricular ]voltage criteria",
    ),
    "RVH": ("right ventricular hypertrophy", "RVH", "hypertrophy of the right ventricle"),
    "SEHYP": ("septal hypertrophy",),
    "lv_strain": (
        "left ventricular strain[| pattern]",
        "LV strain[| pattern]",
        "strain pattern",
        "repolarization changes of strain",
    ),
    "LVOLT": ("low [QRS voltage|voltage|limb-lead voltage]", "low-voltage QRS", "microvoltage"),
    "HVOLT": ("high [|QRS ]voltage",),
    # QRS
    "QWAVE": (
        "[pathological|pathologic|abnormal|significant] Q wave",
        "Q wave",
        "[QS complex|QS wave|QS pattern]",
    ),
    "ABQRS": ("abnormal QRS",),
    "poor_r_progression": (
        "[poor|reduced|delayed|diminished] [R-wave|R|precordial R-wave] progression",
        "loss of R-wave progression",
        "PRWP",
    ),
    "IMI": (
        "inferior infarction, age undetermined",
        f"inferior[| wall] {_MI}",
        f"{_MI} of the inferior wall",
        "diaphragmatic infarction",
    ),
    "ILMI": ("inferolateral infarction, age undetermined", f"inferolateral[| wall] {_MI}"),
    "IPMI": ("inferoposterior infarction, age undetermined", f"inferoposterior[| wall] {_MI}"),
    "IPLMI": (
        "inferoposterolateral infarction, age undetermined",
        f"inferoposterolateral[| wall] {_MI}",
    ),
    "PMI": (
        "posterior infarction, age undetermined",
        f"posterior[| wall] {_MI}",
        f"{_MI} of the posterior wall",
    ),
    "LMI": (
        "lateral infarction, age undetermined",
        f"lateral[| wall] {_MI}",
        f"{_MI} of the lateral wall",
    ),
    "ASMI": (
        "anteroseptal infarction, age undetermined",
        f"[anteroseptal|septal][| wall] {_MI}",
    ),
    "AMI": (
        "anterior infarction, age undetermined",
        f"anterior[| wall] {_MI}",
        f"{_MI} of the anterior wall",
    ),
    "ALMI": ("anterolateral infarction, age undetermined", f"anterolateral[| wall] {_MI}"),
    # ST-T
    "stemi": (
        "ST elevation as in acute coronary occlusion",
        "STEMI[| pattern]",
        "[ST-elevation|ST-segment elevation] myocardial infarction",
        "acute coronary occlusion",
        "[acute|hyperacute] [|ST-elevation |transmural ][myocardial infarction|infarction|MI]",
        "current of injury",
    ),
    "de_winter": (
        "ST depression with tall T waves, de Winter pattern",
        "de Winter[|'s] [pattern|sign|complex|T wave]",
    ),
    "sgarbossa": (
        "Sgarbossa criteria in left bundle branch block",
        "[|positive |modified ]Sgarbossa criteri[a|on]",
    ),
    "STE_": (
        "ST[| segment|-segment] [elevation|elevations]",
        "elevation of the ST segment",
        "elevated ST segment",
        "STE",
    ),
    "STD_": (
        "[|reciprocal |horizontal |downsloping ]ST[| segment|-segment] [depression|depressions]",
        "depression of the ST segment",
        "depressed ST segment",
        "reciprocal depression",
    ),
    "INJAS": ("ST depression of injury, anteroseptal", f"anteroseptal {_INJURY}"),
    "INJAL": ("ST depression of injury, anterolateral", f"anterolateral {_INJURY}"),
    "INJLA": ("ST depression of injury, lateral", f"lateral {_INJURY}"),
    "INJIN": ("ST depression of injury, inferior", f"inferior {_INJURY}"),
    "INJIL": ("ST depression of injury, inferolateral", f"inferolateral {_INJURY}"),
    "ISC_": (
        "ischaemic ST-T [changes|abnormalities]",
        "[|myocardial |subendocardial |acute ]ischaemia",
        "ischaemic changes",
    ),
    "ISCAS": ("ischaemic ST-T changes, anteroseptal", f"anteroseptal {_ISCHEMIA}"),
    "ISCAN": ("ischaemic ST-T changes, anterior", f"anterior {_ISCHEMIA}"),
    "ISCAL": ("ischaemic ST-T changes, anterolateral", f"anterolateral {_ISCHEMIA}"),
    "ISCLA": ("ischaemic ST-T changes, lateral", f"lateral {_ISCHEMIA}"),
    "ISCIN": ("ischaemic ST-T changes, inferior", f"inferior {_ISCHEMIA}"),
    "ISCIL": ("ischaemic ST-T changes, inferolateral", f"inferolateral {_ISCHEMIA}"),
    "INVT": (
        "[inverted|negative] T[| ]wave",
        "T[|-wave| wave] [inversion|inversions]",
        "inversion of the T wave",
        "TWI",
    ),
    "LOWT": (
        "[low|flat|flattened|low-amplitude] T[| ]wave",
        "T-wave flattening",
        "flattening of the T wave",
    ),
    "NDT": (
        "nondiagnostic T-wave abnormality",
        "[non-diagnostic|nondiagnostic] T[| wave|-wave] [abnormality|abnormalities|changes]",
    ),
    "NT_": ("[nonspecific|non-specific] T[| wave|-wave] [abnormality|abnormalities|changes]",),
    "TAB_": ("T[|-wave| wave] [abnormality|abnormalities|changes]",),
    "NST_": (
        "[nonspecific|non-specific] ST[| segment|-segment] [changes|abnormality|abnormalities]",
        "nonspecific ST depression",
    ),
    "ANEUR": (
        "ST elevation over Q waves, as with an aneurysm",
        "[ventricular|left ventricular|LV] aneurysm",
    ),
    "early_repolarization": (
        "early repolarization pattern",
        "[|benign ]early [repolarization|repolarisation]",
    ),
    "pericarditis": ("ST elevation as in pericarditis", "[|acute ]pericarditis"),
    "brugada_1": (
        "Brugada type 1 pattern",
        "[|type 1 |type I ]Brugada [|type 1 |type I ][pattern|sign|syndrome|ECG]",
    ),
    "tall_t": (
        "tall peaked T waves, as in hyperkalaemia",
        "[tall|peaked|tented|tall peaked|hyperacute] T[| ]wave",
        "hyperkalaemia",
    ),
    "EL": ("electrolyte [disturbance|abnormality|abnormalities]", "hypokalaemia"),
    "DIG": (
        "ST-T shape as with digitalis",
        "[digitalis|digoxin] [effect|effects]",
    ),
    # QT
    "LNGQT": (
        "prolonged [QT|QTc][| interval]",
        "[QT|QTc][| interval] prolongation",
        "long QT[| interval| syndrome]",
        "prolongation of [the |][QT|QTc][| interval]",
    ),
    "very_long_qt": (
        "QTc of 500 ms or more",
        "[severely|markedly|very] [prolonged|long] [QT|QTc][| interval]",
        "[severe|marked] [QT|QTc][| interval] prolongation",
    ),
    "short_qt": ("short [QT|QTc][| interval| syndrome]", "shortened QT interval"),
    # technical
    "lead_reversal": (
        "suspected reversal of electrodes",
        "[lead|electrode|arm electrode|limb lead|limb electrode] [reversal|misplacement|swap]",
        "[reversed|misplaced|swapped] [leads|electrodes|limb leads|arm electrodes]",
        "reversal of [the |][arm |limb |][electrodes|leads]",
    ),
    "NORM": (
        "normal [ECG|EKG|electrocardiogram|tracing]",
        "[ECG|EKG|tracing|electrocardiogram] within normal limits",
        "unremarkable [ECG|EKG|tracing]",
    ),
}

_SAID: dict[str, tuple[str, ...]] = {
    "AFIB": ("fib", "a fibrillation"),
    "AFLT": ("A-flutter",),
    "PACE": (
        "[pacemaker|pacer|paced]",
        "[pacemaker|pacer|pacing|paced] [spike|rhythm|beat]",
        "spike",
    ),
    "ventricular_tachycardia": ("V-tach",),
    "ventricular_fibrillation": ("V-fib",),
    "1AVB": ("[first|1st]-degree[| block]",),
    "2AVB": ("[second|2nd]-degree[| block]", "dropped beat", "Mobitz"),
    "3AVB": (
        "[third|3rd]-degree[| block]",
        "[[AV|A-V|atrioventricular] |]dissociation",
    ),
    "LAFB": ("[|left ]anterior fascicle",),
    "LPFB": ("[|left ]posterior fascicle",),
    "LAO/LAE": ("left atrium [|is ][enlarged|dilated|big]", "biatrial enlargement"),
    "RAO/RAE": ("right atrium [|is ][enlarged|dilated|big]",),
    "IMI": ("IMI",),
    "ASMI": ("ASMI",),
    "ALMI": ("ALMI",),
    "LVH": ("left ventricle [|is ][hypertrophied|thick|thickened|enlarged]",),
    "RVH": ("right ventricle [|is ][hypertrophied|thick|thickened|enlarged]",),
    "lv_strain": ("strain",),
    "QWAVE": ("[pathological|pathologic|pathol|abnormal] [Q|Qs]",),
    "stemi": (
        f"[acute|hyperacute|subacute|recent|fresh|evolving|ongoing] [|{_WALLS}][|wall ]{_MI}",
        "OMI",
        "occlusion MI",
        "[|acute ][|coronary ]occlusion",
    ),
    "de_winter": ("de Winter[|'s]", "dewinter"),
    "sgarbossa": ("Sgarbossa", "[|modified ]Sgarbossa's[| criteri[a|on]]"),
    "STE_": ("ST elev",),
    "STD_": ("ST [dep|depr|depress]", "reciprocal [change|changes]"),
    "INVT": ("[inverted|negative|flipped] [T|Ts|T wave|T's]", "flipped"),
    "tall_t": ("[tall|peaked|tented|hyperacute] [T|Ts|T's]",),
    "ANEUR": ("aneurysm",),
    "early_repolarization": ("early repol",),
    "brugada_1": ("Brugada[|'s][| syndrome| pattern| sign]",),
    "EL": ("electrolyte [problem|imbalance|issue|derangement]",),
    "DIG": ("[digitalis|digoxin|dig] [effect|changes]",),
    "lead_reversal": (
        "[lead|electrode] [|are |were ][reversed|swapped|switched|misplaced]",
        "[swapped|interchanged|transposed]",
    ),
    "poor_r_progression": ("[R|R-wave] progression is poor",),
    "mi": ("heart attack", "scar"),
    "high_degree_av_block": ("[high|higher|advanced][-| ][degree|grade] block",),
    "ectopy": (
        "[skipped|missed|premature|extra|ectopic] [|heart ]beat",
        "premature",
    ),
    "axis_deviation": ("axis [deviated|off]",),
}
"""How findings are called in talk: these words are read, and never written."""

_GROUPS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "bundle_branch_block": (
        "bundle branch block",
        ("CLBBB", "CRBBB", "ILBBB", "IRBBB"),
        ("bundle[-| ]branch block", "BBB"),
    ),
    "fascicular_block": (
        "fascicular block",
        ("LAFB", "LPFB"),
        ("fascicular block", "hemiblock"),
    ),
    "conduction_disturbance": (
        "ventricular conduction disturbance",
        ("CLBBB", "CRBBB", "ILBBB", "IRBBB", "IVCD", "LAFB", "LPFB", "WPW"),
        ("[ventricular |]conduction [disturbance|abnormality|disorder]",),
    ),
    "av_block": (
        "AV block",
        ("1AVB", "2AVB", "3AVB", "mobitz_1", "mobitz_2", "av_block_2_1"),
        ("[AV|A-V|atrioventricular|heart] block",),
    ),
    "high_degree_av_block": (
        "high-degree AV block",
        ("mobitz_2", "av_block_2_1", "3AVB"),
        ("[high|higher|advanced][-| ][degree|grade] [AV|atrioventricular|heart] block",),
    ),
    "mi": (
        "myocardial infarction",
        ("IMI", "ILMI", "IPMI", "IPLMI", "PMI", "LMI", "ASMI", "AMI", "ALMI"),
        (f"[|old |prior |previous |remote |established ]{_MI}",),
    ),
    "st_t_changes": (
        "ST-T changes",
        ("STE_", "STD_", "INVT", "LOWT", "NDT", "NST_", "NT_", "TAB_", "ISC_", "stemi", "tall_t"),
        (
            "[|nonspecific |non-specific |significant |acute ][ST-T|ST/T|ST-T wave|ST and T wave] "
            "[changes|abnormality|abnormalities]",
            "[repolarization|repolarisation] [abnormality|abnormalities|changes|disturbance]",
        ),
    ),
    "st_changes": (
        "ST changes",
        ("STE_", "STD_", "NST_", "stemi"),
        (
            "[|significant |acute |relevant ]ST[| segment|-segment] "
            "[deviation|deviations|change|changes|abnormality|abnormalities]",
        ),
    ),
    "injury": (
        "subendocardial injury",
        ("INJAS", "INJAL", "INJLA", "INJIN", "INJIL"),
        (_INJURY,),
    ),
    "ectopy": (
        "premature complexes",
        ("PAC", "PVC", "BIGU", "TRIGU", "pvc_couplet", "ventricular_run"),
        (
            "[ectopy|ectopics|ectopic beat|extrasystole|extra beat]",
            "premature [beat|complex|contraction]",
            "PRC(S)",
        ),
    ),
    "hypertrophy": (
        "ventricular hypertrophy",
        ("LVH", "RVH"),
        ("[|ventricular ]hypertrophy",),
    ),
    "atrial_enlargement": (
        "atrial enlargement",
        ("LAO/LAE", "RAO/RAE"),
        ("[atrial [enlargement|abnormality|overload]|enlarged atria]",),
    ),
    "axis_deviation": (
        "axis deviation",
        ("left_axis", "right_axis", "extreme_axis"),
        ("axis deviation", "abnormal axis"),
    ),
    "aberrant_rhythm": (
        "atrial fibrillation or flutter",
        ("AFIB", "AFLT"),
        ("atrial fibrillation or flutter", "atrial fibrillation/flutter", "AF/flutter"),
    ),
}

_CHILDREN: dict[str, tuple[str, ...]] = {
    "SR": ("STACH", "SBRAD", "SARRH"),
    "SVTAC": ("PSVT",),
    "PACE": ("atrial_pacing", "ventricular_pacing", "dual_pacing"),
    "asystole_or_vf": ("asystole", "ventricular_fibrillation"),
    "ventricular_tachycardia": ("ventricular_run",),
    "pause": ("long_pause",),
    "PVC": ("pvc_couplet", "ventricular_run"),
    "LPR": ("1AVB",),
    "2AVB": ("mobitz_1", "mobitz_2", "av_block_2_1"),
    "IMI": ("ILMI", "IPMI", "IPLMI"),
    "LMI": ("ILMI", "IPLMI", "ALMI"),
    "PMI": ("IPMI", "IPLMI"),
    "AMI": ("ASMI", "ALMI"),
    "QWAVE": ("IMI", "ILMI", "LMI", "ALMI", "AMI", "ASMI"),
    "STE_": ("stemi", "early_repolarization", "pericarditis", "ANEUR"),
    "STD_": ("INJAS", "INJAL", "INJLA", "INJIN", "INJIL", "de_winter"),
    "ISC_": ("ISCAS", "ISCAN", "ISCAL", "ISCLA", "ISCIN", "ISCIL"),
    "ISCLA": ("ISCAL", "ISCIL"),
    "ISCAN": ("ISCAS", "ISCAL"),
    "ISCIN": ("ISCIL",),
    "INJLA": ("INJAL", "INJIL"),
    "INJIN": ("INJIL",),
    "TAB_": ("INVT", "LOWT", "NDT", "NT_"),
    "NT_": ("NDT",),
    "LNGQT": ("very_long_qt",),
}
"""Codes whose presence makes the broader statement true."""

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

CODES = tuple(_WORDS)
"""All finding codes with words."""
GROUPS = tuple(_GROUPS)
"""Names of families that a text may mention without saying which member it means."""


def canonical_code(code: str) -> str:
    """Give the code that the criteria use for a statement.

    Parameters
    ----------
    code : str
        Code or one of its other names.

    Returns
    -------
    str

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
    if code in _GROUPS:
        return _GROUPS[code][0]
    words = phrases(code)
    return words[0] if words else code


@cache
def phrases(code: str) -> tuple[str, ...]:
    """List the ways in which clinicians write a finding, each of which is read back as it.

    Parameters
    ----------
    code : str
        Finding code, or one of `GROUPS`.

    Returns
    -------
    tuple of str
        Longer names and abbreviations, in the singular; empty for an unknown code.

    Examples
    --------
    >>> "LBBB" in phrases("CLBBB"), "first-degree AV block" in phrases("1AVB")
    (True, True)
    """
    code = canonical_code(code)
    return _written_out(_GROUPS[code][2] if code in _GROUPS else _WORDS.get(code, ()))


@cache
def said(code: str) -> tuple[str, ...]:
    """List what a finding is called in talk, beside what `phrases` gives.

    Parameters
    ----------
    code : str
        Finding code, or one of `GROUPS`.

    Returns
    -------
    tuple of str
        Words that are read and never written.

    Examples
    --------
    >>> "heart attack" in said("mi"), "heart attack" in phrases("mi")
    (True, False)
    """
    return _written_out(_SAID.get(canonical_code(code), ()))


def _written_out(patterns: Iterable[str]) -> tuple[str, ...]:
    """Write out all alternatives of some patterns."""
    expanded = (text for pattern in patterns for text in expand(pattern))
    return tuple(dict.fromkeys(" ".join(text.split()) for text in expanded))


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
    first = _GROUPS[code][1] if code in _GROUPS else (code,)
    found = list(first)
    for one in found:
        found.extend(child for child in _CHILDREN.get(one, ()) if child not in found)
    return tuple(found)


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
        With alternatives in brackets, which may be nested.

    Returns
    -------
    list of str

    Examples
    --------
    >>> expand("[complete |]left [a|b]")
    ['complete left a', 'complete left b', 'left a', 'left b']
    """
    parts = _split(pattern)
    return ["".join(choice) for choice in product(*parts)]


def _split(pattern: str) -> list[list[str]]:
    """Cut a pattern into fixed parts and lists of alternatives."""
    parts: list[list[str]] = []
    at = 0
    while at < len(pattern):
        if pattern[at] != "[":
            stop = pattern.find("[", at)
            stop = len(pattern) if stop < 0 else stop
            parts.append([pattern[at:stop]])
            at = stop
            continue
        depth, stop = 0, at
        cuts = [at]
        for stop in range(at, len(pattern)):
            depth += (pattern[stop] == "[") - (pattern[stop] == "]")
            if pattern[stop] == "|" and depth == 1:
                cuts.append(stop)
            if depth == 0:
                break
        cuts.append(stop)
        options = [pattern[a + 1 : b] for a, b in pairwise(cuts)]
        parts.append([text for option in options for text in expand(option)])
        at = stop + 1
    return parts
