"""The attributes that ECG-QA asks about, in its words, and what they are here."""

from __future__ import annotations

from ecg_llm.claims.measured_words import BY_SEX_QTC
from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.data_builders.instruct_facts import widened
from ecg_llm.qa import question


def _in_words(of: dict[str, str], codes: str) -> dict[str, str]:
    """Give ECG-QA's name of each of some codes, in their order."""
    names = {code: name for name, code in of.items()}
    return {names[code]: code for code in codes.split()}


DIAGNOSES = _in_words(
    question.DIAGNOSES,
    "CLBBB CRBBB DIG 1AVB ILBBB IRBBB ISCAN ISCAL ISCAS ISCIN ISCIL ISCLA LAFB LAO/LAE LPFB LVH "
    "LNGQT AMI ALMI ASMI IMI ILMI LMI PMI NDT IVCD NST_ RAO/RAE INJAL INJAS INJIN INJIL INJLA",
)
FORMS = _in_words(question.FORMS, "PAC INVT LOWT LVOLT LPR QWAVE PVC VCLVH")
RHYTHMS = _in_words(question.RHYTHMS, "AFIB AFLT PACE SARRH SBRAD SR STACH SVTAC")
AXES = _in_words(question.AXES, "left_axis right_axis extreme_axis")
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
PLACES = question.PLACES
NOISES = {"wander": "baseline drift", "muscle noise": "static noise"}


def place(case: ECGCase, name: str) -> str | None:
    """Tell where a value of `NORMAL_RANGE` lies, in ECG-QA's words.

    None if the value is unknown or has no range here.
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
    """List the terms whose statement is present."""
    return [term for term, code in terms.items() if case.holds(code) == "present"]
