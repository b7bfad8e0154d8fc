"""Hold every claim of a text against what was measured and found.

`check_text` reads free prose; `check_claims` holds the numbers of a composed report against the
evidence that stands beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ecg_llm.claim_leads import lead_groups
from ecg_llm.claims import TextClaim, extract_claims
from ecg_llm.facts import Facts
from ecg_llm.finding_check import check_finding
from ecg_llm.lexicon import scan
from ecg_llm.number_check import Result, check_number, check_quoted, check_state
from ecg_llm.phrases import tidy
from ecg_llm.vocabulary import GROUPS, canonical_code, label, members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ecg_llm.findings.finding import Evidence, Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.report import Report

_NUMBER = re.compile(r"(?<![\w.])−?\d+(?:\.\d+)?")
_UP_TO = re.compile(r"to (?=−?\d)")
"""Between the ends of a range, which share the unit."""
_UNIT = re.compile(r"(ms|mV|bpm|/min|°|s|Hz|%)(?!\w)")


def check_claims(report: Report) -> tuple[str, ...]:
    """Find every number of a report's text that its evidence does not hold.

    A number is held by an evidence item if it is the item's value rounded as shown and of the same
    unit, one of its times, or part of its criterion or unit (2 of 11 beats). Names may contain
    digits: leads (V1), labels of findings, quantities (ST at J+60 ms), and the reasons why
    something could not be judged.

    Parameters
    ----------
    report : Report
        To check: its claims, alerts, impression and narrative.

    Returns
    -------
    tuple of str
        One complaint a fault; empty if everything is held.
    """
    names = _names(report)
    complaints = [
        f"{text!r}: {number} is not in its evidence"
        for text, evidence in (
            # A model's sentences are held by `check_text`, in the units that they use.
            *((claim.text, claim.evidence) for claim in report.claims if claim.kind != "told"),
            *((alert.text, alert.evidence) for alert in report.alerts),
        )
        for number in unheld(text, evidence, names)
    ]
    said = {claim.text for claim in report.claims}
    complaints += [
        f"{text!r}: in the impression but not among the claims"
        for text in report.impression
        if text not in said
    ]
    rest = report.narrative
    for text in sorted(said, key=len, reverse=True):
        rest = rest.replace(text, "")
    titles = {"", "Impression", *(section.title for section in report.sections)}
    complaints += [
        f"{part.strip()!r}: in the narrative but not among the claims"
        for part in rest.split("\n\n")
        if part.strip().rstrip(".") not in titles
    ]
    return tuple(complaints)


def _names(report: Report) -> list[str]:
    """Collect the words that may hold digits which are no measurement, longest first."""
    evidence = [item for claim in report.claims for item in claim.evidence]
    words = {
        *report.record.leads,
        *(finding.label for finding in report.findings),
        *(finding.reason or "" for finding in report.findings),
        *(item.quantity for item in evidence),
        *(abstention.reason for abstention in report.abstentions),
        *report.quality.reasons,
    }
    every = {form for word in words for form in (word, word[:1].upper() + word[1:])}
    every |= {word[:1].lower() + word[1:] for word in words}
    return sorted((word for word in every if re.search(r"\d", word)), key=len, reverse=True)


def unheld(text: str, evidence: Iterable[Evidence], names: Iterable[str]) -> Iterator[str]:
    """Find the numbers of a sentence that its evidence does not hold.

    Parameters
    ----------
    text : str
        The sentence.
    evidence : iterable of Evidence
        What stands beside it.
    names : iterable of str
        Words with digits that are no measurement.

    Yields
    ------
    str
        The number with its unit.
    """
    for name in filter(None, names):
        text = re.sub(rf"(?<!\w){re.escape(name.rstrip('.'))}(?!\w)", " ", text)
    items = tuple(evidence)
    for match in _NUMBER.finditer(text):
        rest = text[match.end() :].lstrip()
        if (joint := _UP_TO.match(rest)) and (top := _NUMBER.match(rest, joint.end())):
            rest = rest[top.end() :].lstrip()
        if not any(_holds(item, match[0], rest) for item in items):
            unit = _UNIT.match(rest)
            yield f"{match[0]} {unit[0] if unit else ''}".rstrip()


def _holds(item: Evidence, shown: str, rest: str) -> bool:
    """Whether an item holds a number that is followed by ``rest``."""
    decimals = len(shown.partition(".")[2])
    value = float(shown.replace("−", "-"))

    def rounds_to(known: float | None) -> bool:
        return known is not None and float(f"{known:.{decimals}f}") == value

    if isinstance(item.value, str):
        if shown in _NUMBER.findall(item.value):
            return True
    elif rounds_to(item.value) and _has_unit(rest, item.unit):
        return True
    if _has_unit(rest, "s") and (rounds_to(item.from_s) or rounds_to(item.to_s)):
        return True
    return shown in _NUMBER.findall(tidy(f"{item.criterion} {item.unit}"))


def _has_unit(rest: str, unit: str) -> bool:
    """Whether a text goes on with a unit, or with none if there is none."""
    if unit == "":
        return _UNIT.match(rest) is None
    return re.match(rf"{'°' if unit == 'deg' else re.escape(unit)}(?!\w)", rest) is not None


@dataclass(frozen=True, kw_only=True)
class CheckedClaim:
    """One claim of a text, and whether the record bears it out.

    Attributes
    ----------
    claim : TextClaim
        What the text says, and where.
    status : {"supported", "contradicted", "unverifiable"}
        The verdict.
    evidence : tuple of Evidence
        What it was held against.
    reason : str
        Why, in one line.
    """

    claim: TextClaim
    status: Literal["supported", "contradicted", "unverifiable"]
    evidence: tuple[Evidence, ...]
    reason: str


def check_text(
    text: str,
    *,
    measurements: Measurements | None = None,
    findings: Iterable[Finding] = (),
    quality: Quality | None = None,
    facts: Facts | None = None,
    earlier: Facts | None = None,
    tolerance_scale: float = 1.0,
) -> tuple[CheckedClaim, ...]:
    """Read a text and hold each of its claims against the record.

    Parameters
    ----------
    text : str
        English prose or the phrases of a machine report.
    measurements : Measurements, optional
        Of the record; needed without ``facts``.
    findings : iterable of Finding
        Of the record.
    quality : Quality, optional
        Of the record.
    facts : Facts, optional
        In place of the three above, as `Facts.from_json` gives them for stored records; also to
        tell sex and age, which decide some limits.
    earlier : Facts, optional
        Of an earlier ECG of the same patient; what the text says of an earlier ECG is held against
        it, and is unverifiable without it.
    tolerance_scale : float
        Factor on the tolerances of numbers; 0 accepts nothing but the rounding of the digits shown.

    Returns
    -------
    tuple of CheckedClaim
        One for each number, finding and judgement of normality, in the order of the text. Numbers
        that measure nothing of this heart (age, paper speed, moments), questions and general
        statements on a disease are not claims and are left out.

    Raises
    ------
    ValueError
        If neither measurements nor facts are given.

    Examples
    --------
    >>> facts = Facts.from_json({"qrs_ms": {"value": 141.6, "unit": "ms"}})
    >>> [c.status for c in check_text("QRS 142 ms; QRS 98 ms; QT 400 ms.", facts=facts)]
    ['supported', 'contradicted', 'unverifiable']
    """
    if facts is None:
        if measurements is None:
            raise ValueError("check_text needs measurements or facts.")
        facts = Facts.from_measurements(measurements, findings, quality)
    claims = [claim for claim in extract_claims(text) if claim.role not in ("context", "general")]
    ends = [0, *(item.end for item in scan(text) if item.kind in ("end", "question"))]
    checked = []
    for claim in claims:
        first = max(end for end in ends if end <= claim.start)
        last = min((end for end in ends if end > claim.start), default=len(text))
        beside = _beside(claim, claims, first)
        one = _check(text, claim, beside, facts, earlier, tolerance_scale)
        other = _of_two(text[first:last], claim, facts, earlier)
        if other is not None and one.status == "supported":
            one = replace(one, status=other.verdict, reason=other.reason)
        checked.append(one)
    return tuple(checked)


def _beside(claim: TextClaim, claims: Sequence[TextClaim], first: int) -> tuple[str, ...]:
    """Give the findings that are affirmed before a number in its sentence."""
    if claim.kind != "number":
        return ()
    return tuple(
        code
        for other in claims
        if other.kind == "finding" and not other.negated and first <= other.start < claim.start
        for code in members(other.subject)
    )


_ECGS = r"(ECG|EKG|tracing|recording|electrocardiogram)s?"
_TWO = re.compile(
    rf"\b(second|third|other|another|both|two|latest|newer|later|present and \w+) {_ECGS}\b", re.I
)
_CHANGES = (
    ("same", re.compile(rf"\b(unchanged|both {_ECGS}|persist(s|ent|ing)|as before)\b", re.I)),
    ("gone", re.compile(r"\b(no longer|has (resolved|disappeared|gone)|resolved since)\b", re.I)),
    ("new", re.compile(r"\b(new|newly|has (appeared|developed))\b(?! recording)", re.I)),
)


def _of_two(sentence: str, claim: TextClaim, facts: Facts, earlier: Facts | None) -> Result | None:
    """Hold what a sentence says of a second ECG, or of a change; None if it says no such thing."""
    kind = next((name for name, words in _CHANGES if words.search(sentence)), None)
    if earlier is None:
        if _TWO.search(sentence):
            return Result("contradicted", (), "only one ECG was given")
        if kind is not None and claim.kind == "finding":
            return Result("unverifiable", (), "the earlier ECG is not at hand")
        return None
    if kind is None or claim.kind != "finding" or claim.role != "measured":
        return None
    now, before = (
        check_finding(replace(claim, negated=denied), about)
        for denied, about in (
            (kind == "gone", facts),
            (kind == "new", earlier),
        )
    )
    return next((one for one in (now, before) if one.verdict != "supported"), None)


def _check(
    text: str,
    claim: TextClaim,
    beside: Sequence[str],
    facts: Facts,
    earlier: Facts | None,
    scale: float,
) -> CheckedClaim:
    """Hold one claim against the record it is about."""
    result: Result
    if claim.role == "history":
        result = Result("unverifiable", (), "an ECG does not show the history")
    elif claim.role == "earlier" and earlier is None:
        result = Result("unverifiable", (), "the earlier ECG is not at hand")
    else:
        about = earlier if claim.role == "earlier" and earlier is not None else facts
        result = _judge(claim, about, scale)
        if claim.kind == "number" and about.refused is None:
            quoted = check_quoted(text, claim, about, beside) if beside else None
            if quoted is None and result.verdict != "supported":
                quoted = check_quoted(text, claim, about)
            result = quoted or result
    return CheckedClaim(
        claim=claim, status=result.verdict, evidence=result.evidence, reason=result.reason
    )


def _judge(claim: TextClaim, facts: Facts, scale: float) -> Result:
    """Choose the check by the kind of claim."""
    if facts.refused is not None and claim.role != "criterion":
        if claim.certainty == "unjudged" or claim.state == "unknown":
            return Result("supported", (), facts.refused)
        return Result("unverifiable", (), facts.refused)
    match claim.kind:
        case "number":
            return check_number(claim, facts, scale)
        case "state":
            return check_state(claim, facts)
        case _:
            return check_finding(claim, facts)


def supported_share(checked: Sequence[CheckedClaim]) -> float | None:
    """Give the share of claims that the record supports.

    Parameters
    ----------
    checked : sequence of CheckedClaim
        From `check_text`.

    Returns
    -------
    float or None
        From 0 to 1; None if the text claims nothing.
    """
    if not checked:
        return None
    return sum(claim.status == "supported" for claim in checked) / len(checked)


def contradicted(checked: Iterable[CheckedClaim]) -> tuple[CheckedClaim, ...]:
    """Give the claims that the record contradicts.

    Parameters
    ----------
    checked : iterable of CheckedClaim
        From `check_text`.

    Returns
    -------
    tuple of CheckedClaim
    """
    return tuple(claim for claim in checked if claim.status == "contradicted")


_SAID_BY_STATE = {
    ("qtc", "high"): ("LNGQT",),
    ("qtc", "low"): ("short_qt",),
    ("pr", "high"): ("LPR", "1AVB"),
    ("pr", "low"): ("short_pr",),
    ("heart_rate", "high"): ("extreme_tachycardia",),
    ("heart_rate", "low"): ("extreme_bradycardia",),
}


def stated(text: str) -> set[str]:
    """Give the findings that a text states as present, for sure or as probable.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    set of str
        Codes and families; what is only possible is not stated.

    Examples
    --------
    >>> sorted(stated("Probable LBBB; possible LVH; no AF; sinus rhythm."))
    ['CLBBB', 'SR']
    """
    return {
        canonical_code(claim.subject)
        for claim in extract_claims(text)
        if claim.kind == "finding"
        and claim.role == "measured"
        and not claim.negated
        and (claim.certainty == "definite" or _is_probable(text, claim))
    }


_PROBABLE = re.compile(r"\bprobabl[ey][\s:,]{1,3}$", re.IGNORECASE)


def _is_probable(text: str, claim: TextClaim) -> bool:
    """Whether a finding is called probable, as reports call what is stated in spite of a doubt."""
    before = text[max(0, claim.start - 14) : claim.start]
    return claim.certainty == "possible" and _PROBABLE.search(before) is not None


def missing(text: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give the present findings that a text leaves out.

    Parameters
    ----------
    text : str
        The text.
    findings : iterable of Finding
        Of the record.

    Returns
    -------
    tuple of Finding
        Those of more than normal urgency. A finding counts as said if the text affirms it or a more
        specific one; a critical or urgent one is not said by naming its family alone.
    """
    said = stated(text)
    families = {one for code in said & set(GROUPS) for one in members(code)}
    for claim in extract_claims(text):
        if claim.negated or claim.certainty == "unjudged" or claim.role != "measured":
            continue
        if claim.kind == "state":
            said.update(_SAID_BY_STATE.get((_base(claim.subject), claim.state), ()))
        elif claim.value is not None and _base(claim.subject) == "qtc" and claim.value >= 500:
            said.add("very_long_qt")
    left_out = []
    for finding in findings:
        if finding.status != "present" or finding.urgency == "normal":
            continue
        code = canonical_code(finding.code)
        named = bool(said & set(members(code))) or bool(said & _SAME_FINDING.get(code, set()))
        grave = finding.urgency in ("critical", "urgent")
        if not named and (grave or code not in families):
            left_out.append(finding)
    return tuple(left_out)


_SAME_FINDING: dict[str, set[str]] = {"LPR": {"1AVB"}, "1AVB": {"LPR"}, "LVH": set()}


def _base(subject: str) -> str:
    """Give the quantity without its formula."""
    return "qtc" if subject.startswith("qtc") else subject


def same_claims(original: str, rewritten: str) -> list[str]:
    """Compare what two texts claim, to guard a rewriting.

    Parameters
    ----------
    original, rewritten : str
        The texts.

    Returns
    -------
    list of str
        Each difference in numbers, findings, negations, certainty or leads, in plain words; empty
        if the two say the same.

    Examples
    --------
    >>> same_claims("QRS 142 ms, no LBBB.", "There is no LBBB; the QRS lasts 0.142 s.")
    []
    >>> same_claims("PR 162 ms, no LBBB.", "PR 162 ms and LBBB.")
    ['changed: no complete left bundle branch block', 'new: complete left bundle branch block']
    """
    before, after = extract_claims(original), extract_claims(rewritten)
    out: list[str] = []
    lost = [claim for claim in before if not any(_alike(claim, other) for other in after)]
    new = [claim for claim in after if not any(_alike(claim, other) for other in before)]
    out += [f"changed: {_words(claim)}" for claim in lost]
    out += [f"new: {_words(claim)}" for claim in new]
    leads, others = _leads_in(original), _leads_in(rewritten)
    if leads != others and not out:
        shown = ", ".join(sorted(leads ^ others))
        out.append(f"leads differ: {shown}")
    return out


_AS_STATE = {
    "LNGQT": ("qtc", "high"),
    "short_qt": ("qtc", "low"),
    "LPR": ("pr", "high"),
    "short_pr": ("pr", "low"),
}


def _said(claim: TextClaim) -> tuple[str, str]:
    """Give what a claim is about, the same for different words."""
    if claim.kind == "finding" and claim.subject in _AS_STATE:
        return _AS_STATE[claim.subject]
    if claim.kind == "state":
        return _base(claim.subject), claim.state
    subject = canonical_code(claim.subject) if claim.kind == "finding" else claim.subject
    return subject, claim.kind


def _alike(one: TextClaim, other: TextClaim) -> bool:
    """Whether two claims say the same."""
    if _said(one) != _said(other) or one.role != other.role:
        return False
    if (one.negated, one.certainty, one.relation) != (
        other.negated,
        other.certainty,
        other.relation,
    ):
        return False
    if set(one.leads) != set(other.leads) or (one.value is None) != (other.value is None):
        return False
    if one.value is None or other.value is None:
        return True
    if one.unit != other.unit:
        return False
    room = max(one.step, other.step) / 2 + 1e-9
    ends = (one.high if one.high is not None else one.value) - (
        other.high if other.high is not None else other.value
    )
    return abs(one.value - other.value) <= room and abs(ends) <= room


def _words(claim: TextClaim) -> str:
    """Name a claim in plain words."""
    leads = f" in {', '.join(claim.leads)}" if claim.leads else ""
    sure = {"definite": "", "possible": "possible ", "unjudged": "unjudged "}[claim.certainty]
    denied = "no " if claim.negated else ""
    if claim.kind == "number":
        subject = claim.subject or claim.role
        return f"{denied}{subject} {claim.text}{leads}"
    if claim.kind == "state":
        return f"{denied}{sure}{claim.state} {claim.subject}{leads}"
    return f"{denied}{sure}{label(claim.subject)}{leads}"


def _leads_in(text: str) -> set[str]:
    """Collect the leads that a text names."""
    return {
        lead
        for item in lead_groups(scan(text))
        if item.kind == "lead" and item.data[1]
        for lead in item.data[0]
    }
