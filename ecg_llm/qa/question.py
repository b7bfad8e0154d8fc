"""Read questions in the form of ECG-QA: what is asked, of which lead, of one ECG or of two.

The questions are templates and paraphrases of templates (Oh et al. 2023). What they ask about
stands in them in the words of the answer vocabulary; how they ask decides the form of the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ecg_llm.leads import STANDARD_12

Form = Literal["verify", "choose", "query"]
About = Literal["noise", "extra", "axis", "stage", "numeric", "statement", "category", "any"]
Change = Literal["new", "gone", "still"]

CATEGORIES = ("conduction disturbance", "hypertrophy", "myocardial infarction", "st/t change")
DIAGNOSES = {
    "complete left bundle branch block": "CLBBB",
    "complete right bundle branch block": "CRBBB",
    "digitalis effect": "DIG",
    "first degree av block": "1AVB",
    "second degree av block": "2AVB",
    "third degree av block": "3AVB",
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
    "right ventricular hypertrophy": "RVH",
    "septal hypertrophy": "SEHYP",
    "long qt-interval": "LNGQT",
    "myocardial infarction in anterior leads": "AMI",
    "myocardial infarction in anterolateral leads": "ALMI",
    "myocardial infarction in anteroseptal leads": "ASMI",
    "myocardial infarction in inferior leads": "IMI",
    "myocardial infarction in inferolateral leads": "ILMI",
    "myocardial infarction in inferoposterior leads": "IPMI",
    "myocardial infarction in inferoposterolateral leads": "IPLMI",
    "myocardial infarction in lateral leads": "LMI",
    "myocardial infarction in posterior leads": "PMI",
    "non-diagnostic t abnormalities": "NDT",
    "non-specific intraventricular conduction disturbance (block)": "IVCD",
    "non-specific ischemic": "ISC_",
    "non-specific st changes": "NST_",
    "right atrial overload/enlargement": "RAO/RAE",
    "st-t changes compatible with ventricular aneurysm": "ANEUR",
    "electrolytic disturbance or drug (former edis)": "EL",
    "subendocardial injury in anterolateral leads": "INJAL",
    "subendocardial injury in anteroseptal leads": "INJAS",
    "subendocardial injury in inferior leads": "INJIN",
    "subendocardial injury in inferolateral leads": "INJIL",
    "subendocardial injury in lateral leads": "INJLA",
    "wolff-parkinson-white syndrome": "WPW",
    "normal ecg": "NORM",
}
FORMS = {
    "abnormal qrs": "ABQRS",
    "atrial premature complex": "PAC",
    "digitalis effect": "DIG",
    "high qrs voltage": "HVOLT",
    "inverted t-waves": "INVT",
    "long qt-interval": "LNGQT",
    "low amplitude t-wave": "LOWT",
    "low qrs voltages in the frontal and horizontal leads": "LVOLT",
    "non-diagnostic t abnormalities": "NDT",
    "non-specific st changes": "NST_",
    "non-specific st depression": "STD_",
    "non-specific st elevation": "STE_",
    "non-specific t-wave changes": "NT_",
    "prolonged pr interval": "LPR",
    "q waves present": "QWAVE",
    "t-wave abnormality": "TAB_",
    "ventricular premature complex": "PVC",
    "voltage criteria (qrs) for left ventricular hypertrophy": "VCLVH",
}
RHYTHMS = {
    "atrial fibrillation": "AFIB",
    "atrial flutter": "AFLT",
    "bigeminal pattern (unknown origin, supraventricular, or ventricular)": "BIGU",
    "trigeminal pattern (unknown origin, supraventricular, or ventricular)": "TRIGU",
    "normal functioning artificial pacemaker": "PACE",
    "paroxysmal supraventricular tachycardia": "PSVT",
    "sinus arrhythmia": "SARRH",
    "supraventricular arrhythmia": "SVARR",
    "sinus bradycardia": "SBRAD",
    "sinus rhythm": "SR",
    "sinus tachycardia": "STACH",
    "supraventricular tachycardia": "SVTAC",
}
STATEMENTS = {**DIAGNOSES, **FORMS, **RHYTHMS}
"""ECG-QA's names of statements, with the codes of SCP-ECG."""
AXES = {
    "extreme axis deviation": "extreme_axis",
    "left axis deviation": "left_axis",
    "normal heart axis": "normal_axis",
    "right axis deviation": "right_axis",
}
STAGES = tuple(f"{w} stage of myocardial infarction" for w in ("early", "middle", "old", "unknown"))
NOISES = ("baseline drift", "static noise", "burst noise", "electrodes problems")
EXTRAS = ("supraventricular extrasystoles", "ventricular extrasystoles", "extrasystoles")
FEATURES = (
    "rr interval",
    "p duration",
    "pr interval",
    "qrs duration",
    "qt interval",
    "qt corrected",
)
PLACES = ("below the normal range", "within the normal range", "above the normal range")


@dataclass(frozen=True, kw_only=True)
class QAQuestion:
    """What a question asks.

    Attributes
    ----------
    form : {"verify", "choose", "query"}
        Yes or no; which of those named; what there is.
    about : str
        Kind of what is asked for; ``any`` stands for statements of a kind, ``terms`` names them.
    terms : tuple of str
        What is named, in the words of the answer vocabulary; for ``query`` what may be answered.
    lead : str or None
        The lead it is confined to.
    leads_wanted : bool
        Whether the leads are asked for.
    change : {"new", "gone", "still"} or None
        For two ECGs.
    normal : bool or None
        Of numeric features: whether the normal or the abnormal ones are meant.
    """

    form: Form
    about: About
    terms: tuple[str, ...] = ()
    lead: str | None = None
    leads_wanted: bool = False
    change: Change | None = None
    normal: bool | None = None


_YES_NO = re.compile(
    r"^\W*(is|are|does|do|did|can|could|has|have|was|were|will|would|any)\b", re.IGNORECASE
)


def read_qa(question: str, n_ecgs: int = 1) -> QAQuestion:
    """Read a question in the form of ECG-QA.

    ``question``: a template or a paraphrase, in English. ``n_ecgs``: how many ECGs it is about: 1
    or 2.

    Examples
    --------
    >>> read_qa("Is burst noise present in lead V1 based on the ECG?").lead
    'V1'
    >>> read_qa("What numeric features are still abnormal?", 2).change
    'still'
    """
    text = " ".join(question.lower().replace("–", "-").split())
    lead = _lead(question)
    form: Form = "verify" if _YES_NO.match(question) else "query"
    change = _change(text) if n_ecgs > 1 else None
    terms = _named(text)
    wanted = bool(re.search(r"\b(what|which) leads?\b|\bleads? (is|are|do|does)\b", text))
    if wanted and form == "query":
        about: About = "noise" if set(terms) & set(NOISES) or "nois" in text else "statement"
        return QAQuestion(form="query", about=about, terms=terms, leads_wanted=True)
    if len(terms) > 1 and form == "query" and " or " in text:
        form = "choose"
    about = _about(text, terms)
    if about == "any" and form == "verify" and _normal(text):
        about, terms = "statement", ("normal ecg",)
    if not terms:
        terms = _all_of(about, text)
    normal = _normal(text) if about == "numeric" else None
    return QAQuestion(form=form, about=about, terms=terms, lead=lead, change=change, normal=normal)


_ASKS_FOR_FINDINGS = re.compile(
    r"symptom|finding|diagnos|disorder|disease|condition|\bsigns?\b|\bforms?\b|rhythm|normal|anomal"
    r"|irregular|statement|feature|pattern|chang|differ|show|display|detect|identif|present|observ"
    r"|reveal|indicat|eviden|describe|see[n]?\b|notice|discern|suggest|interpret"
    r"|\bnew|\bgone|still|emerg|appear|remain|resolv|persist"
)


def is_understood(question: str) -> bool:
    """Tell whether a question asks for something that sets in the form of ECG-QA ask for.

    Examples
    --------
    >>> is_understood("What symptoms does this ECG show?"), is_understood("What is the heart rate?")
    (True, False)
    """
    asked = read_qa(question)
    return asked.about != "any" or _ASKS_FOR_FINDINGS.search(question.lower()) is not None


def _lead(question: str) -> str | None:
    """Find the lead that is named: after the word lead, or by a name that nothing else has."""
    found = re.search(
        r"\blead (aVR|aVL|aVF|V[1-6]|III|II|I)\b|\b(aVR|aVL|aVF|V[1-6])\b", question, re.IGNORECASE
    )
    if found is None:
        return None
    named = (found[1] or found[2]).lower()
    return next(lead for lead in STANDARD_12 if lead.lower() == named)


_VOCABULARY = sorted(
    (*STATEMENTS, *AXES, *STAGES, *NOISES, *EXTRAS, *FEATURES, *CATEGORIES), key=len, reverse=True
)
_SAME = {
    "electrode problems": "electrodes problems",
    "electrode problem": "electrodes problems",
    "rr-interval": "rr interval",
    "pr-interval": "pr interval",
    "qt-interval": "qt interval",
    "p-duration": "p duration",
    "corrected qt interval": "qt corrected",
    "corrected qt": "qt corrected",
    "qrs-duration": "qrs duration",
}


def _named(text: str) -> tuple[str, ...]:
    """Find the names of the vocabulary, the longest first, in the order of the text."""
    for other, name in _SAME.items():
        text = re.sub(rf"(?<!long ){re.escape(other)}", name, text)
    found: list[tuple[int, str]] = []
    for name in _VOCABULARY:
        at = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w])", text)
        if at:
            found.append((at.start(), name))
            text = text[: at.start()] + " " * len(name) + text[at.end() :]
    return tuple(name for _, name in sorted(found))


_KINDS: tuple[tuple[About, tuple[str, ...], str], ...] = (
    ("numeric", FEATURES, r"\bnumer|\bmeasurement"),
    ("noise", NOISES, r"nois|interference|distortion|artefact|artifact|disturbance"),
    ("extra", EXTRAS, r"extra ?-?systol|extra beats"),
    ("axis", tuple(AXES), r"\baxis\b|deviat"),
    ("stage", STAGES, r"\bstage"),
    ("category", CATEGORIES, r"categor"),
)
"""Kinds of what is asked for: their terms, and words that ask for all of them."""


def _about(text: str, terms: tuple[str, ...]) -> About:
    """Tell the kind of what is asked for."""
    for kind, names, words in _KINDS:
        whole = not terms or kind == "numeric"
        if (terms and terms[0] in names) or (whole and re.search(words, text)):
            return kind
    return "statement" if terms else "any"


def _all_of(about: About, text: str) -> tuple[str, ...]:
    """Give what a question that names nothing may be answered with."""
    for kind, names, _ in _KINDS:
        if kind == about:
            return names
    for word, of in (("form", FORMS), ("rhythm", RHYTHMS), ("diagnos", DIAGNOSES)):
        if word in text:
            return tuple(name for name in of if name != "normal ecg")
    return tuple(name for name, code in STATEMENTS.items() if code not in ("SR", "NORM"))


def _change(text: str) -> Change:
    """Tell which way of changing is meant."""
    if re.search(r"\b(still|remain\w*|continu\w*|persist\w*|both|unchanged)\b", text):
        return "still"
    if re.search(
        r"no longer|disappear|resolved|\bgone\b|not (detected|seen|present|shown|found|observed) "
        r"(any ?more|now|in the second)|absent|anymore|vanish|lost",
        text,
    ):
        return "gone"
    return "new"


_ABNORMAL = re.compile(
    r"\b(abnormal|irregular|unusual|atypical|deviat\w*|not (still )?(considered )?"
    r"(normal|typical|regular|standard)|outside|nonstandard|non-standard)\b"
)


def _normal(text: str) -> bool | None:
    """Tell whether normal or abnormal features are meant, or None if ranges are asked for."""
    turned = re.sub(
        r"(from|previously|once|formerly) (abnormal|irregular|atypical|unusual)", "", text
    )
    if any(place in text for place in PLACES):
        return None
    if _ABNORMAL.search(turned):
        return False
    return True if re.search(r"\b(normal|typical|standard|stable|regular)\b", turned) else None
