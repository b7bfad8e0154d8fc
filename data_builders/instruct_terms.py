"""The attributes that ECG-QA asks about, in its words, and what they are here."""

from __future__ import annotations

from ecg_llm.claims.measured_words import BY_SEX_QTC
from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.data_builders.instruct_say import widened

DIAGNOSES = {
    "complete left bundle branch block": "CLBBB",
    "complete right bundle branch block": "CRBBB",
    "digitalis effect": "DIG",
    "first degree av block": "1AVB",
    "incomplete left bundle branch block": "ILBBB",
    "incomplete right bundle branch block": "IRBBB",
    "ischemic in anterior leads": "ISCAN",
    "ischemic in anterolateral leads": "ISCAL",
    "ischemic in anteroseptal leads": "ISCAS",
    "ischemic in inferior leads": "ISCIN",
    "ischemic in inferolateral leads": "ISCIL",
    "ischemic in lateral leads": "ISCLA",
    "left anterior fascicular block": "LAFB",
    "left atrial overload/enlargement": "LAO/LAE",
    "left posterior fascicular block": "LPFB",
    "left ventricular hypertrophy": "LVH",
    "long qt-interval": "LNGQT",
    "myocardial infarction in anterior leads": "AMI",
    "myocardial infarction in anterolateral leads": "ALMI",
    "myocardial infarction in anteroseptal leads": "ASMI",
    "myocardial infarction in inferior leads": "IMI",
    "myocardial infarction in inferolateral leads": "ILMI",
    "myocardial infarction in lateral leads": "LMI",
    "myocardial infarction in posterior leads": "PMI",
    "non-diagnostic t abnormalities": "NDT",
    "non-specific intraventricular conduction disturbance (block)": "IVCD",
    "non-specific st changes": "NST_",
    "right atrial overload/enlargement": "RAO/RAE",
    "subendocardial injury in anterolateral leads": "INJAL",
    "subendocardial injury in anteroseptal leads": "INJAS",
    "subendocardial injury in inferior leads": "INJIN",
    "subendocardial injury in inferolateral leads": "INJIL",
    "subendocardial injury in lateral leads": "INJLA",
}
FORMS = {
    "atrial premature complex": "PAC",
    "inverted t-waves": "INVT",
    "low amplitude t-wave": "LOWT",
    "low qrs voltages in the frontal and horizontal leads": "LVOLT",
    "prolonged pr interval": "LPR",
    "q waves present": "QWAVE",
    "ventricular premature complex": "PVC",
    "voltage criteria (qrs) for left ventricular hypertrophy": "VCLVH",
}
RHYTHMS = {
    "atrial fibrillation": "AFIB",
    "atrial flutter": "AFLT",
    "normal functioning artificial pacemaker": "PACE",
    "sinus arrhythmia": "SARRH",
    "sinus bradycardia": "SBRAD",
    "sinus rhythm": "SR",
    "sinus tachycardia": "STACH",
    "supraventricular tachycardia": "SVTAC",
}
AXES = {
    "left axis deviation": "left_axis",
    "right axis deviation": "right_axis",
    "extreme axis deviation": "extreme_axis",
}
CODES = {**DIAGNOSES, **FORMS, **RHYTHMS}
"""ECG-QA's name of a statement to its code here."""
TERM_OF = {code: term for term, code in {**CODES, **AXES}.items()}

FEATURES = {
    "rr interval": "rr_ms",
    "p duration": "p_ms",
    "pr interval": "pr_ms",
    "qrs duration": "qrs_ms",
    "qt interval": "qt_ms",
    "qt corrected": "qtc_fridericia_ms",
}
NORMAL_RANGE = {
    "rr_ms": (600.0, 1200.0),
    "pr_ms": (120.0, 200.0),
    "qrs_ms": (60.0, 120.0),
    "qtc_fridericia_ms": (350.0, 450.0),
}
"""Limits of the features that are asked for, ms; that of QTc depends on sex."""
PLACES = ("below the normal range", "within the normal range", "above the normal range")
NOISES = {"wander": "baseline drift", "muscle noise": "static noise"}


def place(case: ECGCase, name: str) -> str | None:
    """Tell where a value lies: below, within or above the normal range.

    Parameters
    ----------
    case : ECGCase
        The record.
    name : str
        A name of `NORMAL_RANGE`.

    Returns
    -------
    str or None
        In ECG-QA's words; None if the value is unknown or has no range here.
    """
    value = case.value(name)
    if value is None or name not in NORMAL_RANGE:
        return None
    low, high = NORMAL_RANGE[name]
    if name == "qrs_ms" and value <= high and widened(case):
        return None
    if name == "qtc_fridericia_ms":
        high = BY_SEX_QTC.get(case.sex or "", max(BY_SEX_QTC.values()))
    return PLACES[0] if value < low else PLACES[2] if value > high else PLACES[1]


def asked_of(case: ECGCase, terms: dict[str, str]) -> list[str]:
    """List the terms whose statement is present.

    Parameters
    ----------
    case : ECGCase
        The record.
    terms : dict of str to str
        Statement codes by term.

    Returns
    -------
    list of str
    """
    return [term for term, code in terms.items() if case.holds(code) == "present"]
