"""What a sentence affirms, and whether it is as sure of it as criterion and encoder are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.stated import stated
from ecg_llm.ground.known import Known
from ecg_llm.vocabulary import canonical_code, label, members


def affirmed(checked: Sequence[CheckedClaim]) -> dict[str, None]:
    """Give the findings that claims affirm of this ECG.

    Returns
    -------
    dict of str to None
        Codes and families as they were named, in reading order.
    """
    return {
        one.claim.subject: None
        for one in checked
        if one.claim.kind == "finding" and one.claim.role == "measured" and not one.claim.negated
    }


def less_sure(text: str, checked: Sequence[CheckedClaim], known: Known) -> str | None:
    """Say why a sentence is surer, or less sure, of a finding than criterion and encoder are.

    Returns
    -------
    str or None
        None if it is as sure as they are.
    """
    checked = [one for one in checked if not _in_brackets(text, one)]
    sure = stated(text)
    definite = {
        canonical_code(one.claim.subject) for one in checked if one.claim.certainty == "definite"
    }
    whole = {canonical_code(one.claim.subject) for one in checked if not one.claim.leads}
    for code in map(canonical_code, affirmed(checked)):
        finding = known.facts.findings.get(code)
        if finding is None or finding.status == "absent":
            continue
        if finding.status == "unknown":
            if finding.doubt and code in sure & whole:  # single leads show what they show
                return f"{finding.label} is only possible: {finding.doubt}"
            continue
        if finding.doubt and (code in definite or code not in sure):
            return f"{finding.label} is uncertain: {finding.doubt}"
        if not finding.doubt and code not in definite:
            return f"{finding.label} is present"
    return None


def _in_brackets(text: str, one: CheckedClaim) -> bool:
    """Whether a claim stands in brackets, as a fact of another: ``LVH: R 0.04 mV (QS complex)``."""
    before = text[: one.claim.start]
    return before.count("(") > before.count(")")


def unfit(text: str, checked: Sequence[CheckedClaim], known: Known) -> str | None:
    """Say why a sentence whose claims all hold may not ship as it stands.

    Returns
    -------
    str or None
        It is surer or less sure than criterion and encoder, sets out to give a fact and does not
        (``LVH: R in V5 of the shape``), or gives another finding's (``Lateral infarction: R
        duration 12 ms in V1``), or a value that breaks the rule beside it. None if it may ship.
    """
    return (
        less_sure(text, checked, known)
        or _without_facts(text, checked, known)
        or _foreign_facts(text, checked, known)
        or breaks_rule(text)
    )


def _without_facts(text: str, checked: Sequence[CheckedClaim], known: Known) -> str | None:
    """Say that a sentence gives no fact of a present finding where it sets out to."""
    head = _without_number(text)
    if head is None:
        return None
    before = [one for one in checked if one.claim.start < len(head)]
    found = [known.facts.findings.get(canonical_code(code)) for code in affirmed(before)]
    if len(found) == 1 and found[0] is not None and found[0].status == "present":
        return f"no fact stands behind {head!r}"
    return None


def _foreign_facts(text: str, checked: Sequence[CheckedClaim], known: Known) -> str | None:
    """Say that a number behind the colon is told of a finding that does not rest on it."""
    colon = text.find(": ")
    codes = [one for one in checked if one.claim.kind == "finding" and one.claim.start < colon]
    if len(codes) != 1 or len(affirmed(checked)) != 1 or codes[0].claim.negated:
        return None
    subject = codes[0].claim.subject
    judged = [known.facts.findings.get(code) for code in members(subject)]
    own = {item for finding in judged if finding is not None for item in finding.evidence}
    for one in checked:
        fact = one.claim.kind == "number" and one.claim.role == "measured"
        if fact and one.claim.start > colon and own and own.isdisjoint(one.evidence):
            return f"{one.claim.text!r} is no fact of {label(subject)}"
    return None


_RULE = re.compile(
    r"(?P<value>[−-]?\d+(?:\.\d+)?) ?(?P<unit>ms|mV|bpm|°|s)(?: in [\w, –]+?)? "
    r"\((?P<rule>[<>≤≥]) (?P<limit>[−-]?\d+(?:\.\d+)?) ?(?P=unit)\b"
)


def breaks_rule(text: str) -> str | None:
    """Say that a value does not keep the rule that is told beside it: ``T 0.08 mV (< 0.05 mV)``.

    Returns
    -------
    str or None
        None if all do.

    Examples
    --------
    >>> breaks_rule("Low T waves: T 0.08 mV in I and 0.07 mV in V5 (< 0.05 mV).")
    '0.07 mV is not < 0.05 mV'
    """
    for found in _RULE.finditer(text):
        value, limit = (float(found[name].replace("−", "-")) for name in ("value", "limit"))
        keeps = {
            "<": value < limit,
            ">": value > limit,
            "≤": value <= limit,
            "≥": value >= limit,
        }
        if not keeps[found["rule"]]:
            unit = found["unit"]
            return f"{found['value']} {unit} is not {found['rule']} {found['limit']} {unit}"
    return None


def denied_without_facts(text: str, checked: Sequence[CheckedClaim]) -> str | None:
    """Give what a sentence denies, without words behind it that set out to say why and do not.

    Returns
    -------
    str or None
        None if it gives a fact, claims something behind the colon, or denies nothing.
    """
    head = _without_number(text)
    if head is None:
        return None
    denies = bool(checked) and all(
        one.claim.kind == "finding" and one.claim.negated and one.claim.start < len(head)
        for one in checked
    )
    return f"{head}." if denies else None


def _without_number(text: str) -> str | None:
    """Give what stands before a colon behind which no number does; None without such a colon."""
    head, _, facts = text.partition(": ")
    if not facts or re.search(r"\d(?!\d*[\w])", _LEAD_NAMES.sub("", facts)):
        return None
    return head


_LEAD_NAMES = re.compile(r"\b(V[1-9]R?|I{1,3}|aV[RLF])\b")
