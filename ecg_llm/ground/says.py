"""Say what was measured and found, in the sentences of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.findings.case import LABELS
from ecg_llm.findings.finding import Finding
from ecg_llm.ground.known import Known
from ecg_llm.phrases import amount, brief_reason, measured
from ecg_llm.references import REFERENCES
from ecg_llm.report import Claim
from ecg_llm.statements import (
    ALERTING,
    finding_claims,
    is_grave_doubt,
    said_by_another,
    stated_claim,
    value_claim,
)
from ecg_llm.vocabulary import GROUPS, NOT_DENIED_BESIDE, canonical_code, label, members


def measured_claims(checked: CheckedClaim, known: Known) -> Iterator[Claim]:
    """Say what was measured and found on the subject of a claim.

    Parameters
    ----------
    checked : CheckedClaim
        That does not hold.
    """
    claim = checked.claim
    if claim.role == "earlier" or known.facts.refused is not None:
        return
    if claim.kind == "finding":
        yield from finding_says(claim.subject, known)
        return
    subject = claim.subject
    if subject not in MEASURED:
        return
    if claim.leads and MEASURED[subject].per_lead:
        yield from lead_values(subject, claim.leads, known)
    else:
        yield from value_says(subject, known)


def value_says(subject: str, known: Known) -> Iterator[Claim]:
    """Say a record-level value, or why there is none.

    Yields
    ------
    Claim
        At most one.
    """
    if subject == "p_wave":
        yield from finding_says("AFIB", known)
        return
    for name in (*MEASURED[subject].names, *_ELSE.get(subject, ())):
        if name in REFERENCES and name in known.facts.values:
            yield value_claim(known.record, name, known.facts.values[name])
            return
    if not known.facts.values and subject in MEASURED and not MEASURED[subject].per_lead:
        text = f"{MEASURED[subject].label} is not measured on a page image"
        yield Claim.unknown(text)


_ELSE = {"rr_cv": ("heart_rate_bpm",), "qtc": ("qtc_fridericia_ms", "qtc_bazett_ms")}


def lead_values(subject: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say a value in each lead that was named."""
    word = MEASURED[subject]
    for lead in leads:
        quantity = known.facts.value(word.names[0], lead)
        if quantity.value is not None:
            name = LABELS.get(word.names[0], word.label)
            fact = measured(name, quantity.value, quantity.unit, lead=lead)
            shown = amount(quantity.value, quantity.unit)
            yield Claim.of(f"{name} {shown} in {lead}", (fact,), kind="value")


def judged_of(code: str, known: Known) -> list[Finding]:
    """Give the judged findings that decide a finding or family.

    Returns
    -------
    list of Finding
        Its members; in place of absent ones what must not be denied beside it; of what was not
        judged itself, the broader finding that rules it out or may be it.
    """
    found = known.facts.findings
    judged = [found[one] for one in members(code) if one in found]
    if judged and not any(finding.status == "present" for finding in judged):
        beside = [found[one] for one in NOT_DENIED_BESIDE.get(code, ()) if one in found]
        judged = [f for f in beside if f.status == "present" or is_grave_doubt(f)] or judged
    if judged:
        return judged
    broader = [f for name, f in found.items() if canonical_code(code) in members(name)]
    return [finding for finding in broader if finding.status != "unknown"]


MOST_TOLD = 3
"""Members of a family that are told."""


def finding_says(code: str, known: Known) -> Iterator[Claim]:
    """Say whether a finding, or one of a family, is present, absent or unknown.

    Yields
    ------
    Claim
        Nothing if it was not judged at all.
    """
    judged = judged_of(code, known)
    present = {finding.code: finding for finding in judged if finding.status == "present"}
    if present:
        itself = present.get(canonical_code(code))
        told = [f for f in present.values() if f.urgency in ALERTING and f is not itself]
        told += [itself] if itself else []
        told = told or [f for f in present.values() if not said_by_another(f, present)]
        yield from map(stated_claim, told[:MOST_TOLD])
        return
    unknown = [finding for finding in judged if finding.status == "unknown"]
    own = known.facts.findings.get(canonical_code(code))
    if own is not None and own.status == "absent":
        unknown = []
    if unknown and code == "NORM":
        why = brief_reason(unknown[0].reason).removeprefix("uncertain: ")
        yield Claim.unknown(f"whether this is a normal ECG could not be judged: {why}")
    elif code in GROUPS and len(unknown) == len(judged):
        reasons = "; ".join(dict.fromkeys(brief_reason(finding.reason) for finding in unknown))
        yield Claim.unknown(f"not judged ({reasons}): {label(code)}")
    elif unknown:
        yield from finding_claims(unknown[:1])
    elif judged:
        facts = tuple(item for finding in judged for item in finding.evidence[:1])[:2]
        name = "a normal ECG" if code == "NORM" else label(code)
        yield Claim.of(f"not {name}" if code == "NORM" else f"no {name}", facts, kind="absent")
