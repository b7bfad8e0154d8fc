"""The statements that criteria decide, with their codes in SCP-ECG and SNOMED CT.

Names follow SCP-ECG as PTB-XL writes them; a lower-case name is this project's own, where SCP-ECG
has no statement. SNOMED CT concepts are those that the PhysioNet/CinC challenges 2020 and 2021 used
for the same statement; None where they had none that means the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecg_llm.findings.finding import Section, Urgency


@dataclass(frozen=True)
class Statement:
    """One statement that can be made about an ECG.

    Attributes
    ----------
    code : str
        SCP-ECG code, or a project code in lower case.
    label : str
        Plain clinical English.
    snomed : str or None
        SNOMED CT concept id.
    section : str
        Part of the report.
    urgency : str
        How soon somebody must look at it when it is present.
    """

    code: str
    label: str
    snomed: str | None
    section: Section
    urgency: Urgency


_ROWS: tuple[tuple[str, str, str | None, Section, Urgency], ...] = (
    # rhythm
    ("SR", "sinus rhythm", "426783006", "rhythm", "normal"),
    ("STACH", "sinus tachycardia", "427084000", "rhythm", "abnormal"),
    ("SBRAD", "sinus bradycardia", "426177001", "rhythm", "borderline"),
    ("SARRH", "sinus arrhythmia", "427393009", "rhythm", "normal"),
    ("AFIB", "atrial fibrillation", "164889003", "rhythm", "abnormal"),
    ("AFLT", "atrial flutter", "164890007", "rhythm", "abnormal"),
    ("SVTAC", "supraventricular tachycardia", "426761007", "rhythm", "urgent"),
    ("PACE", "pacemaker rhythm", "10370003", "rhythm", "abnormal"),
    ("atrial_pacing", "atrial pacing", "251268003", "rhythm", "abnormal"),
    ("ventricular_pacing", "ventricular pacing", "251266004", "rhythm", "abnormal"),
    ("junctional_rhythm", "junctional rhythm", "29320008", "rhythm", "abnormal"),
    ("idioventricular_rhythm", "idioventricular rhythm", "49260003", "rhythm", "urgent"),
    ("wide_qrs_tachycardia", "wide-QRS tachycardia", None, "rhythm", "critical"),
    ("asystole_or_vf", "asystole or ventricular fibrillation", None, "rhythm", "critical"),
    ("extreme_tachycardia", "ventricular rate above 150/min", None, "rhythm", "urgent"),
    ("extreme_bradycardia", "ventricular rate below 40/min", None, "rhythm", "urgent"),
    ("pause", "pause of more than 2 s", None, "rhythm", "abnormal"),
    ("long_pause", "pause of more than 3 s", None, "rhythm", "urgent"),
    # ectopy
    ("PAC", "atrial premature complexes", "284470004", "ectopy", "borderline"),
    ("PVC", "ventricular premature complexes", "427172004", "ectopy", "abnormal"),
    ("BIGU", "bigeminy", None, "ectopy", "abnormal"),
    ("TRIGU", "trigeminy", None, "ectopy", "abnormal"),
    ("pvc_couplet", "paired ventricular premature complexes", "251182009", "ectopy", "abnormal"),
    ("ventricular_run", "run of ventricular beats", "425856008", "ectopy", "urgent"),
    # AV conduction
    ("1AVB", "first-degree AV block", "270492004", "conduction", "abnormal"),
    ("LPR", "prolonged PR interval", "164947007", "conduction", "borderline"),
    ("short_pr", "short PR interval", "49578007", "conduction", "borderline"),
    ("2AVB", "second-degree AV block", "195042002", "conduction", "abnormal"),
    ("mobitz_1", "second-degree AV block, Wenckebach", "54016002", "conduction", "abnormal"),
    ("mobitz_2", "second-degree AV block, Mobitz II", "426183003", "conduction", "urgent"),
    ("av_block_2_1", "second-degree AV block, 2:1", None, "conduction", "urgent"),
    ("3AVB", "complete AV block", "27885002", "conduction", "critical"),
    # ventricular conduction
    ("CLBBB", "complete left bundle branch block", "733534002", "conduction", "abnormal"),
    ("CRBBB", "complete right bundle branch block", "713427006", "conduction", "abnormal"),
    ("ILBBB", "incomplete left bundle branch block", "251120003", "conduction", "borderline"),
    ("IRBBB", "incomplete right bundle branch block", "713426002", "conduction", "borderline"),
    (
        "IVCD",
        "nonspecific intraventricular conduction delay",
        "698252002",
        "conduction",
        "abnormal",
    ),
    ("LAFB", "left anterior fascicular block", "445118002", "conduction", "abnormal"),
    ("LPFB", "left posterior fascicular block", "445211001", "conduction", "abnormal"),
    ("WPW", "ventricular pre-excitation (WPW pattern)", "74390002", "conduction", "abnormal"),
    # axis
    ("left_axis", "left axis deviation", "39732003", "axis", "borderline"),
    ("right_axis", "right axis deviation", "47665007", "axis", "borderline"),
    ("extreme_axis", "extreme axis deviation", None, "axis", "abnormal"),
    # chambers
    ("LAO/LAE", "left atrial enlargement", "67741000119109", "p wave", "abnormal"),
    ("RAO/RAE", "right atrial enlargement", "446358003", "p wave", "abnormal"),
    ("LVH", "left ventricular hypertrophy", "164873001", "chambers", "abnormal"),
    ("VCLVH", "voltage criteria for LVH", "55827005", "chambers", "borderline"),
    ("RVH", "right ventricular hypertrophy", "89792004", "chambers", "abnormal"),
    ("lv_strain", "left ventricular strain pattern", "370365005", "chambers", "abnormal"),
    ("LVOLT", "low QRS voltages", "251146004", "qrs", "borderline"),
    # QRS
    ("QWAVE", "pathological Q waves", "164917005", "qrs", "abnormal"),
    ("poor_r_progression", "poor R-wave progression", "365413008", "qrs", "borderline"),
    ("IMI", "inferior infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("ILMI", "inferolateral infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("IPMI", "inferoposterior infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("IPLMI", "inferoposterolateral infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("PMI", "posterior infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("LMI", "lateral infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("ASMI", "anteroseptal infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("AMI", "anterior infarction, age undetermined", "164865005", "qrs", "abnormal"),
    ("ALMI", "anterolateral infarction, age undetermined", "164865005", "qrs", "abnormal"),
    # ST-T
    ("stemi", "ST elevation as in acute coronary occlusion", None, "st-t", "critical"),
    ("de_winter", "ST depression with tall T waves, de Winter pattern", None, "st-t", "critical"),
    ("sgarbossa", "Sgarbossa criteria in left bundle branch block", None, "st-t", "critical"),
    ("STE_", "ST elevation", "164931005", "st-t", "abnormal"),
    ("STD_", "ST depression", "429622005", "st-t", "abnormal"),
    ("INJAS", "ST depression of injury, anteroseptal", "429622005", "st-t", "urgent"),
    ("INJAL", "ST depression of injury, anterolateral", "429622005", "st-t", "urgent"),
    ("INJLA", "ST depression of injury, lateral", "429622005", "st-t", "urgent"),
    ("INJIN", "ST depression of injury, inferior", "429622005", "st-t", "urgent"),
    ("INJIL", "ST depression of injury, inferolateral", "429622005", "st-t", "urgent"),
    ("ISC_", "ischaemic ST-T changes", "164861001", "st-t", "abnormal"),
    ("ISCAS", "ischaemic ST-T changes, anteroseptal", "164861001", "st-t", "abnormal"),
    ("ISCAN", "ischaemic ST-T changes, anterior", "426434006", "st-t", "abnormal"),
    ("ISCAL", "ischaemic ST-T changes, anterolateral", "164861001", "st-t", "abnormal"),
    ("ISCLA", "ischaemic ST-T changes, lateral", "425623009", "st-t", "abnormal"),
    ("ISCIN", "ischaemic ST-T changes, inferior", "425419005", "st-t", "abnormal"),
    ("ISCIL", "ischaemic ST-T changes, inferolateral", "164861001", "st-t", "abnormal"),
    ("INVT", "inverted T waves", "59931005", "st-t", "abnormal"),
    ("LOWT", "low T waves", "164934002", "st-t", "borderline"),
    ("NDT", "nondiagnostic T-wave abnormality", "164934002", "st-t", "borderline"),
    ("ANEUR", "ST elevation over Q waves, as with an aneurysm", None, "st-t", "abnormal"),
    ("NST_", "nonspecific ST changes", "55930002", "st-t", "borderline"),
    ("early_repolarization", "early repolarization pattern", "428417006", "st-t", "borderline"),
    ("pericarditis", "ST elevation as in pericarditis", None, "st-t", "urgent"),
    ("brugada_1", "Brugada type 1 pattern", "418818005", "st-t", "urgent"),
    ("tall_t", "tall peaked T waves, as in hyperkalaemia", None, "st-t", "urgent"),
    ("DIG", "ST-T shape as with digitalis", None, "st-t", "borderline"),
    # QT
    ("LNGQT", "prolonged QT interval", "111975006", "qt", "abnormal"),
    ("very_long_qt", "QTc of 500 ms or more", "111975006", "qt", "urgent"),
    ("short_qt", "short QT interval", "77867006", "qt", "borderline"),
    # technical
    ("lead_reversal", "suspected reversal of electrodes", None, "technical", "urgent"),
    ("NORM", "normal ECG", "164854000", "rhythm", "normal"),
)

STATEMENTS = {row[0]: Statement(*row) for row in _ROWS}
"""All statements by code, in the order of the report."""

_BY_ENCODER: tuple[tuple[str, str, str | None, Section, Urgency], ...] = (
    ("PSVT", "paroxysmal supraventricular tachycardia", "67198005", "rhythm", "urgent"),
    ("SVARR", "supraventricular arrhythmia", None, "rhythm", "abnormal"),
    ("PRC(S)", "premature complexes", None, "ectopy", "borderline"),
    ("ABQRS", "abnormal QRS", None, "qrs", "abnormal"),
    ("HVOLT", "high QRS voltage", None, "qrs", "borderline"),
    ("SEHYP", "septal hypertrophy", None, "chambers", "abnormal"),
    ("NT_", "nonspecific T-wave changes", "164934002", "st-t", "borderline"),
    ("TAB_", "T-wave abnormality", "164934002", "st-t", "borderline"),
    ("EL", "electrolyte disturbance or drug effect", None, "st-t", "borderline"),
)

ENCODER_STATEMENTS = {row[0]: Statement(*row) for row in _BY_ENCODER}
"""Statements of PTB-XL that no criterion decides: the encoder alone can see them."""
