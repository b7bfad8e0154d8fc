"""What a sentence says beside its claims: shares, counts, ages, types, what it excludes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.extract import TextClaim, extract_claims
from ecg_llm.claims.number_check import check_number
from ecg_llm.findings.finding import Finding
from ecg_llm.ground.known import Known
from ecg_llm.ground.sentence import NUMBER, shown_value
from ecg_llm.vocabulary import EXCLUDES_NOT, label, members

_ORDINAL = re.compile(r"^[-*#\s]*(step |stage )?$", re.IGNORECASE)
_PAPER = {("mm/s", 25.0), ("mm/s", 50.0), ("mm/mV", 10.0), ("mm/mV", 5.0), ("mm/mV", 20.0)}


_OF_SEX = re.compile(r"\bin (men|women)\b", re.IGNORECASE)
_GROUP = {"male": {"men"}, "female": {"women"}}


def stray(text: str, checked: Sequence[CheckedClaim], known: Known) -> str | None:
    """Find what a sentence says beside its claims and nothing bears out.

    Returns
    -------
    str or None
        What is wrong; None if it is whole, excludes no disease, names no syndrome, type or stage,
        quotes no limit of the other sex, and every number in passing is the patient's age, the
        paper's speed or gain, a place in a list, or stands in the evidence of a finding.
    """
    return _broken(text) or _stray_number(text, known) or _overclaims(text, checked)


def _stray_number(text: str, known: Known) -> str | None:
    """Find a number that measures nothing of this heart and that nothing bears out."""
    named = {word.lower() for word in _OF_SEX.findall(text)}
    if len(named) == 1 and named != _GROUP.get(known.record.sex or ""):
        return f"the limit in {named.pop()} need not be this patient's"
    for share in _SHARE.finditer(text):
        if not _is_share(share, known):
            return f"nothing that was measured bears out {share[0].strip()!r}"
    if (every := _EVERY.search(text)) and not any(
        f.code in ("BIGU", "TRIGU") and f.status == "present" for f in _told(known)
    ):
        return f"nothing that was measured bears out {every[0]!r}"
    for claim in extract_claims(text):
        if claim.kind != "number" or claim.role not in ("context", "general"):
            continue
        if _ORDINAL.match(text[: claim.start]) or claim.value is None:
            continue
        unit = claim.text.lstrip("0123456789.,-− ")
        if unit.startswith("lead") or (unit, claim.value) in _PAPER:
            continue
        age = known.record.age_years
        if unit.lstrip("-").startswith("year") and age is not None and abs(age - claim.value) <= 1:
            continue
        if _counted(claim.text, known) or (claim.role == "general" and _is_limit(claim, known)):
            continue
        return f"nothing that was measured bears out {claim.text!r}"
    return None


_EVERY = re.compile(r"\bevery (other|second|third|fourth|2nd|3rd|4th)\b", re.IGNORECASE)
_SHARE = re.compile(r"(?:P waves? before )?\b(\d+) of (?:the )?(\d+)\b[^.;:()]*", re.IGNORECASE)
_OF_WHAT = tuple(
    (re.compile(words, re.IGNORECASE), quantity)
    for words, quantity in (
        (r"^P waves? before", "P wave before the QRS"),
        (r"after a spike", "beats right after a spike"),
        (r"\bwide\b|another shape", "wide beats of another shape"),
        (r"usual shape", "early beats of the usual shape"),
    )
)
"""What counts are told of, by the words about them."""


def _is_share(share: re.Match[str], known: Known) -> bool:
    """Whether so many of so many were counted for a finding that may be told, and as told."""
    said = {quantity for words, quantity in _OF_WHAT if words.search(share[0])}
    return any(
        item.value == float(share[1])
        and item.unit.split()[:2] == ["of", share[2]]
        and (not said or item.quantity in said)
        for finding in _told(known)
        for item in finding.evidence
    )


def _counted(shown: str, known: Known) -> bool:
    """Whether a number stands in the evidence of a finding that may be told, as value or time."""
    digits, unit = NUMBER.findall(shown), shown.lstrip("0123456789.,-−– ")
    for finding in _told(known):
        for item in finding.evidence:
            told = [float(n) for n in NUMBER.findall(item.unit)]
            if unit in ("", "s"):
                told += [t for t in (item.from_s, item.to_s) if t is not None]
            if isinstance(item.value, int | float) and unit in ("", "%", item.unit):
                told.append((100 if unit == "%" else 1) * float(item.value))
            if digits and all(any(_rounds_to(value, n) for value in told) for n in digits):
                return True
    return False


def _told(known: Known) -> list[Finding]:
    """Give the findings that are present, and those that are open and may be called possible."""
    every = known.facts.findings.values()
    return [found for found in every if found.status == "present" or found.doubt]


def _rounds_to(value: float, shown: str) -> bool:
    """Whether a value is what a number shows, at its precision."""
    wanted, decimals = shown_value(shown)
    return abs(value - wanted) <= 0.5 * 10.0**-decimals + 1e-9


def _is_limit(claim: TextClaim, known: Known) -> bool:
    """Whether a number of a general statement is a limit that the criteria use."""
    return check_number(replace(claim, role="criterion"), known.facts, 1.0).verdict == "supported"


def _overclaims(text: str, checked: Sequence[CheckedClaim]) -> str | None:
    """Say that a sentence takes more from the tracing than any tells."""
    named = [one.claim for one in checked if one.claim.kind == "finding"]
    for claim in named:
        if claim.negated and _EXCLUDES.search(text):
            for code in (claim.subject, *members(claim.subject)):
                if code in EXCLUDES_NOT:
                    return f"an ECG without its signs does not exclude {EXCLUDES_NOT[code]}"
        if not claim.negated and claim.text.lower().endswith("syndrome"):
            return f"a syndrome is more than the signs of {label(claim.subject)}"
    for kind in _KIND.finditer(text):
        if not any(one.start <= kind.start() < one.end for one in named):
            return f"nothing here bears out {kind[0]!r}"
    return None


_EXCLUDES = re.compile(r"\b(exclud(es?|ed|ing)|rul(es?|ed|ing) (\w+ ){0,3}out)\b", re.IGNORECASE)
_KIND = re.compile(r"\b([Tt]ype|[Cc]lass|[Gg]rade|[Ss]tage) ([A-Z]|[IVX]{1,4}|\d)\b")


_TWICE = re.compile(
    r"\b([A-Za-z][^,.:;()]*?)(,| and| or|, and|, or) (the )?\1(?![\w-])", re.IGNORECASE
)


def _broken(text: str) -> str | None:
    """Say that a sentence breaks off in a bracket, or names one thing twice in a list."""
    if text.count("(") > text.count(")"):
        return "a bracket is left open"
    return "it names one thing twice" if _TWICE.search(text) else None
