"""Which findings a text states, and which it leaves out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecg_llm.claims.extract import TextClaim, extract_claims
from ecg_llm.claims.measured_words import without_formula
from ecg_llm.vocabulary import GROUPS, canonical_code, members

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecg_llm.findings.finding import Finding

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


_PROBABLE = re.compile(r"\bprobabl[ey][\s:,]{1,3}((in|an?|the) )?$", re.IGNORECASE)
_BEHIND = re.compile(r"^\W*(is|are) probable\b", re.IGNORECASE)


def _is_probable(text: str, claim: TextClaim) -> bool:
    """Whether a finding is called probable, as reports call what is stated in spite of a doubt."""
    before, behind = text[max(0, claim.start - 18) : claim.start], text[claim.end :]
    return claim.certainty == "possible" and bool(_PROBABLE.search(before) or _BEHIND.match(behind))


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
            said.update(_SAID_BY_STATE.get((without_formula(claim.subject), claim.state), ()))
        elif (
            claim.value is not None
            and without_formula(claim.subject) == "qtc"
            and claim.value >= 500
        ):
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


_SAME_FINDING: dict[str, set[str]] = {"LPR": {"1AVB"}, "1AVB": {"LPR"}}
