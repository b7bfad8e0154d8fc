"""Read what a question is about, and what it wants said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.lexicon import scan
from ecg_llm.ground.known import Known


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a question is about.

    Attributes
    ----------
    findings : tuple of str
        Codes and families it names.
    quantities : tuple of str
        Names of `ecg_llm.claims.measured_words.MEASURED`.
    leads : tuple of str
        Leads it names.
    about : str or None
        ``rhythm``, ``quality``, ``normal``, ``report``, ``why``, ``urgent``, ``open`` (what was not
        judged) or ``courtesy`` (a greeting, thanks); None if none of these.
    closed : bool
        Whether yes or no would answer it.
    turned : bool
        Whether yes means that what it names is absent: ``Is LBBB excluded?``, and an abnormal ECG
        is none that is normal.
    excludes : bool
        Whether it asks that something be excluded, which no absent finding does.
    """

    findings: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    about: str | None = None
    closed: bool = False
    turned: bool = False
    excludes: bool = False

    @property
    def named(self) -> bool:
        """Whether it names something that can be looked up."""
        return bool(self.findings or self.quantities)


_ABOUT = (
    (
        "open",
        r"\b(not|n't|never|un|without being)[ -]?(be(en)? )?"
        r"(judged?|assess\w*|measured?|determined?|evaluated?|interpreted|known|answered|decided?)\b",
    ),
    (
        "courtesy",
        r"^\W*((many )?thanks|thank you|ok(ay)?|great|hi|hello|hey|(good)?bye|"
        r"good (morning|afternoon|evening|day))( (you|very much|a lot|so much|there))*\W*$",
    ),
    (
        "why",
        r"\b(why|how do you know|what makes you|what speaks for|based on|which criterion|"
        r"explain)\b",
    ),
    (
        "urgent",
        r"\b(emergency|urgen\w+|dangerous|serious|life[- ]threatening|worr(y|ied|ying)|alarming|"
        r"alerts?)\b",
    ),
    (
        "quality",
        r"\b(quality|nois[ey]\w*|artefacts?|artifacts?|readable|baseline (drift|wander))\b",
    ),
    ("rhythm", r"\brhythm\b"),
    ("normal", r"\b(normal|abnormal|wrong|okay|ok|prolonged|shortened|too (long|short|wide))\b"),
    ("report", r"\b(report|interpret|read|summar\w+|describe|findings?|show|see|conclusion)\b"),
)


_TURNED = re.compile(r"\b(abnormal\w*|wrong|not (quite )?(a )?(normal|ok(ay)?))\b", re.IGNORECASE)
_WELL = re.compile(r"\b(normal|abnormal\w*|wrong|ok(ay)?)\b", re.IGNORECASE)
_WHOLE = re.compile(r"\b(ecgs?|ekg|tracing|electrocardiogram|everything|recording|heart)\b", re.I)
_CLOSED = re.compile(
    r"(is|are|does|do|did|can|could|has|have|any|was|were|would|will)\b", re.IGNORECASE
)
_GOES_ON = re.compile(r"(and|what about|how about)\b", re.IGNORECASE)


def read_question(text: str) -> Asked:
    """Read what a question is about.

    Parameters
    ----------
    text : str
        As asked.

    Returns
    -------
    Asked

    Examples
    --------
    >>> asked = read_question("Is there LBBB, and what is the QTc?")
    >>> asked.findings, asked.quantities, asked.closed
    (('CLBBB',), ('qtc',), True)
    >>> read_question("Is LBBB absent?").turned
    True
    """
    items = scan(text)
    findings = [item.data for item in items if item.kind == "finding"]
    findings += ["SR" for item in items if item.kind == "nsr"]
    quantities = [item.data for item in items if item.kind == "quantity"]
    for item in items:
        if item.kind == "state":
            quantities.append("heart_rate")
        elif item.kind == "intervals":
            quantities += ["pr", "qrs", "qtc"]
    leads = [lead for item in items if item.kind == "lead" for lead in _leads(item.data)]
    about = next((name for name, words in _ABOUT if re.search(words, text, re.I)), None)
    if not findings and not quantities and about == "normal" and _WHOLE.search(text):
        findings = ["NORM"]
    turned = _denies(text, findings)
    return Asked(
        findings=tuple(dict.fromkeys(findings)),
        quantities=tuple(dict.fromkeys(quantities)),
        leads=tuple(dict.fromkeys(leads)),
        about=about,
        closed=_CLOSED.match(text.strip()) is not None,
        turned=turned,
        excludes=turned and _EXCLUDES.search(text) is not None,
    )


_EXCLUDES = re.compile(r"\b(exclud\w+|rul(e|es|ed|ing) \w* ?out|against)\b", re.IGNORECASE)


def _denies(text: str, findings: Sequence[str]) -> bool:
    """Whether a question asks if its one finding is absent: ``Can STEMI be ruled out?``."""
    if len(set(findings)) != 1:
        return False
    if findings[0] == "NORM" and _TURNED.search(text):
        return True
    # A question denies nothing; the same words as a statement do.
    claims = extract_claims(text.replace("?", "."))
    denied = any(claim.negated for claim in claims if claim.kind == "finding")
    return denied or _EXCLUDES.search(text) is not None


def _leads(data: object) -> tuple[str, ...]:
    """Give the leads of a scanned item."""
    return (data,) if isinstance(data, str) else tuple(data[0]) if isinstance(data, tuple) else ()


def in_context(asked: Asked, history: Sequence[tuple[str, str]]) -> Asked:
    """Let ``Is that normal?`` and ``Why?`` ask of what was asked before.

    Parameters
    ----------
    asked : Asked
        What the last message is about.
    history : sequence of (role, text)
        The conversation.

    Returns
    -------
    Asked
    """
    question = history[-1][1].strip()
    goes_on = asked.about in ("why", "normal") or _GOES_ON.match(question)
    if asked.named or not goes_on:
        return asked
    whole = asked
    if asked.about == "normal" and _WELL.search(question):
        # Only a value can be normal: beside a finding, or alone, "it" is the ECG.
        turned = _TURNED.search(question) is not None
        whole = replace(asked, findings=("NORM",), turned=turned)
    for role, text in reversed(history[:-1]):
        if role == "user":
            earlier = read_question(text)
            if asked.about == "normal" and not earlier.quantities:
                return whole
            if earlier.named or earlier.about != asked.about:
                return replace(earlier, about=asked.about or earlier.about, closed=False)
    return whole


_ASSERTS = re.compile(
    r"\b(say|write|confirm|state|admit|agree|tell (me|them)|report|answer|call it|pretend|assume|"
    r"you are wrong|that is wrong|there is no|is normal|change)\b",
    re.IGNORECASE,
)


_TAG = re.compile(
    r",?\s*\b(is it not|isn't it|is it|isn't that so|is that (right|correct)|right|correct|yes|no|"
    r"or not|don't you (think|agree)|do you agree|agreed)\s*\?\s*$",
    re.IGNORECASE,
)
COMPARES = re.compile(
    r"\b((what|anything|something)( has|'s)? (changed|new)|any changes?|"
    r"(compared? (it )?(to|with)|since|than|from) (the |his |her |an? )?"
    r"(last|previous|prior|earlier|old(er)?|former) (ecg|ekg|tracing|recording|one|time|year|month|"
    r"week|visit|admission)|"
    r"(previous|prior|earlier|last) (ecg|ekg|tracing|recording))\b",
    re.IGNORECASE,
)
"""Words that ask what has changed since an earlier ECG."""


def pleaded(question: str, known: Known) -> list[CheckedClaim]:
    """Find what a user wants said, or has confirmed, although the record contradicts it.

    Parameters
    ----------
    question : str
        As asked.
    known : Known
        Of the ECG.

    Returns
    -------
    list of CheckedClaim
        The contradicted claims; empty where a question is only asked.
    """
    tag = _TAG.search(question)
    if tag is not None and not _CLOSED.match(question.strip()):
        question = question[: tag.start()] + "."
    elif question.strip().endswith("?") or not _ASSERTS.search(question):
        return []
    return [one for one in known.check(question) if one.status == "contradicted"]
