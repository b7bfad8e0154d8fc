"""Whether two texts claim the same, to guard a rewriting."""

from __future__ import annotations

from ecg_llm.claims.extract import TextClaim, extract_claims
from ecg_llm.claims.leads import lead_groups
from ecg_llm.claims.lexicon import scan
from ecg_llm.claims.measured_words import without_formula
from ecg_llm.vocabulary import canonical_code, label


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
        return without_formula(claim.subject), claim.state
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
