"""Hold every claim of a text against what was measured and found."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ecg_llm.claims.extract import TextClaim, extract_claims
from ecg_llm.claims.facts import Facts
from ecg_llm.claims.finding_check import check_finding, lead_shows
from ecg_llm.claims.lexicon import scan
from ecg_llm.claims.number_check import Result, check_number, check_quoted, check_state
from ecg_llm.leads import PRECORDIAL_LEADS
from ecg_llm.vocabulary import ECG, members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecg_llm.findings.finding import Evidence


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
    facts: Facts,
    earlier: Facts | None = None,
    tolerance_scale: float = 1.0,
) -> tuple[CheckedClaim, ...]:
    """Read a text and hold each of its claims against the record.

    Parameters
    ----------
    text : str
        English prose or the phrases of a machine report.
    facts : Facts
        Of the record (`Facts.from_measurements`, `Facts.from_json`).
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

    Examples
    --------
    >>> facts = Facts.from_json({"qrs_ms": {"value": 141.6, "unit": "ms"}})
    >>> [c.status for c in check_text("QRS 142 ms; QRS 98 ms; QT 400 ms.", facts=facts)]
    ['supported', 'contradicted', 'unverifiable']
    """
    claims = [claim for claim in extract_claims(text) if claim.role not in ("context", "general")]
    ends = [0, *(item.end for item in scan(text) if item.kind in ("end", "question"))]
    checked = []
    for claim in claims:
        first = max(end for end in ends if end <= claim.start)
        last = min((end for end in ends if end > claim.start), default=len(text))
        beside = _beside(claim, claims, first)
        one = _check(text, claim, beside, facts, earlier, tolerance_scale)
        if one.status == "supported":
            for reads in (_of_two, _elsewhere, _not_before, _swapped):
                other = reads(text[first:last], claim, facts, earlier)
                if other is not None:
                    one = replace(one, status=other.verdict, reason=other.reason)
                    break
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


_ONLY = re.compile(r"\b((confined|limited|restricted|locali[sz]ed) to|only in)\b", re.IGNORECASE)


def _elsewhere(sentence: str, claim: TextClaim, facts: Facts, _: Facts | None) -> Result | None:
    """Contradict that a finding shows in some leads only where its evidence names others."""
    finding = facts.findings.get(claim.subject)
    if finding is None or not claim.leads or claim.negated or not _ONLY.search(sentence):
        return None
    others = [e.lead for e in finding.evidence if e.lead and e.lead not in claim.leads]
    says = f"{finding.label} shows in {', '.join(others)}, too"
    return Result("contradicted", finding.evidence, says) if others else None


_FROM_ON = re.compile(r"\bfrom V\d on(wards?)?\b|\bovertakes\b", re.IGNORECASE)


def _not_before(sentence: str, claim: TextClaim, facts: Facts, _: Facts | None) -> Result | None:
    """Contradict that a sign shows from a lead on where it shows in the one before, too."""
    first = next((k for k, lead in enumerate(PRECORDIAL_LEADS) if lead in claim.leads[:1]), 0)
    if claim.negated or not first or not _FROM_ON.search(sentence):
        return None
    before = PRECORDIAL_LEADS[first - 1]
    shows = lead_shows(claim.subject, before, facts)
    return Result("contradicted", (), f"{before} shows it, too") if shows else None


def _swapped(sentence: str, claim: TextClaim, facts: Facts, _: Facts | None) -> Result | None:
    """Contradict that other electrodes are swapped than those that are suspected."""
    finding = facts.findings.get(claim.subject)
    if claim.subject != "lead_reversal" or claim.negated or finding is None:
        return None
    said, known = (
        {lead for item in scan(text) if item.kind == "lead" for lead in item.data[0]}
        for text in (sentence, " ".join(e.quantity for e in finding.evidence))
    )
    if said <= known or not known:
        return None
    return Result("contradicted", finding.evidence, finding.evidence[0].quantity)


_ECGS = rf"{ECG}s?"
_TWO = re.compile(
    rf"\b(second|third|other|another|both|two|latest|newer|later|present and \w+) {_ECGS}\b", re.I
)
_CHANGES = (
    ("same", re.compile(rf"\b(unchanged|both {_ECGS}|persist(s|ent|ing)|as before)\b", re.I)),
    ("gone", re.compile(r"\b(no longer|has (resolved|disappeared|gone)|resolved since)\b", re.I)),
    ("new", re.compile(r"\b(new|newly|has (appeared|developed))\b(?! recording)", re.I)),
    (
        "moved",
        re.compile(
            r"\b(rose|risen|fell|fallen|doubled|halved|converted to|(up|down) from|"
            r"(in|de)creased (by|from|to)|dropped (by|from|to)|"
            r"(has|have) ((in|de)creased|(length|short|wid|wors)ened|narrowed|improved))\b",
            re.I,
        ),
    ),
)


def _of_two(sentence: str, claim: TextClaim, facts: Facts, earlier: Facts | None) -> Result | None:
    """Hold what a sentence says of a second ECG, or of a change; None if it says no such thing."""
    kind = next((name for name, words in _CHANGES if words.search(sentence)), None)
    if earlier is None:
        if _TWO.search(sentence):
            return Result("contradicted", (), "only one ECG was given")
        if kind == "moved" or (kind is not None and claim.kind == "finding"):
            return Result("unverifiable", (), "the earlier ECG is not at hand")
        return None
    if kind in (None, "moved") or claim.role != "measured":
        return None
    if claim.kind != "finding":
        same = kind == "same" and claim.kind == "number"
        return _judge(claim, earlier, 1.0) if same else None
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
