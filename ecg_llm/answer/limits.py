"""Hold values against their limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ecg_llm.answer.question import JUDGES, Asked
from ecg_llm.answer.waves import stated_if_so
from ecg_llm.claims.extract import TextClaim
from ecg_llm.claims.measured_words import (
    BRADYCARDIA_BPM,
    BY_SEX_QTC,
    LIMITS,
    MEASURED,
    UNIT_OF,
    without_formula,
)
from ecg_llm.claims.number_check import SLACK
from ecg_llm.ground.known import Known
from ecg_llm.phrases import amount, listing, measured
from ecg_llm.references import reference
from ecg_llm.report import Claim


def holds(statement: str, known: Known) -> bool | None:
    """Tell whether the values that are told are as a question proposes: ``PR over 200 ms?``.

    Returns
    -------
    bool or None
        None if a value is unknown, or nothing is proposed of one.

    Notes
    -----
    A text that says *PR over 200 ms* may err by the error of measuring; a question may not: what
    is told beside yes or no decides.
    """
    states = {one.claim: one.status for one in known.check(statement)}
    proposed = [claim for claim in states if claim.kind == "number"]
    found = [
        _SAID[states[claim]]  # one value is proposed, which rounding decides
        if claim.relation == "=" and claim.high is None
        else _fits(claim, lead, known)
        for claim in proposed
        for lead in claim.leads or (None,)
    ]
    if False in found:
        return False
    return True if found and None not in found else None


_SAID = {"supported": True, "contradicted": False, "unverifiable": None}


def _fits(claim: TextClaim, lead: str | None, known: Known) -> bool | None:
    """Hold a proposed number against the value that is told."""
    word = MEASURED.get(claim.subject)
    if word is None or claim.value is None or claim.relation not in _RELATIONS:
        return None
    values = [known.facts.value(name, lead).value for name in word.names]
    measured_as = [value for value in values if value is not None]
    if claim.subject != "qrs":  # within leads and over all leads: criteria go by the latter
        measured_as = measured_as[:1]
    low, high = sorted((claim.value, claim.value if claim.high is None else claim.high))
    fits = set()
    for value in measured_as:
        told = abs(value) if word.sign == "size" else -value if word.sign == "down" else value
        told = round(told, 2 if word.kind in ("voltage", "ratio") else 0)
        fits.add(_RELATIONS[claim.relation](told, low, high) != claim.negated)
    return fits.pop() if len(fits) == 1 else None


_RELATIONS: dict[str, Callable[[float, float, float], bool]] = {
    ">": lambda value, low, _: value > low,
    ">=": lambda value, low, _: value >= low,
    "<": lambda value, low, _: value < low,
    "<=": lambda value, low, _: value <= low,
    "=": lambda value, low, high: low <= value <= high,
}


def judged(asked: Asked, known: Known) -> Iterator[Claim]:
    """Say whether the values that a question names lie within their limits, if it asks for that.

    Yields
    ------
    Claim
        None for a value that is unknown or has no limits.
    """
    if asked.about in JUDGES:
        formulas = [name for name in asked.quantities if name.startswith("qtc_")]
        for subject in asked.quantities:
            if subject == "qtc" and formulas:
                continue
            if asked.leads or not MEASURED[subject].per_lead:
                yield from _judged(subject, known)


def _judged(subject: str, known: Known) -> Iterator[Claim]:
    """Say whether a value lies within its limits, and where sex is not given, within whose."""
    if subject.startswith("qt") and known.facts.sex is None:
        claim, settled = _by_sex(subject, known)
        if claim is not None:
            yield claim
        if not settled:
            return
    name = MEASURED[subject].label
    fits = [
        claim
        for word in ("normal", "not normal")
        for claim in stated_if_so([f"The {name} is {word}."], known)
    ]
    if len(fits) == 2 or (
        subject == "qrs" and fits and _beyond_reference(known)
    ):  # other readings fit too, or the error of measuring: the told value decides
        text = f"The {name} is {_beside_limits(subject, known)}."
        fits = [fits[0].model_copy(update={"text": text})]
    yield from fits


def _beyond_reference(known: Known) -> bool:
    """Whether the QRS lies between its reference and the limit of a wide one."""
    value, (*_, reference_ms, wide_ms) = known.facts.value("qrs_ms").value, MEASURED["qrs"].quoted
    return value is not None and reference_ms < value < wide_ms


def _beside_limits(subject: str, known: Known) -> str:
    """Say where the value that is told lies."""
    word = MEASURED[subject]
    found = [known.facts.value(one).value for one in word.names]
    value = next(one for one in found if one is not None)
    low, high = LIMITS[without_formula(subject)]
    slow, fast = BRADYCARDIA_BPM
    if subject == "heart_rate" and value < fast:
        return "slow" if value < slow else f"slow, but no bradycardia (< {slow:g} bpm)"
    overall = known.facts.value("qrs_global_ms").value
    if subject == "qrs" and high is not None and value < high:  # a criterion takes that of all
        if overall is not None and overall >= high:
            return f"{amount(value, 'ms')} within leads, but wide over all leads ({overall:.0f} ms)"
        return f"above the reference, but not wide (< {high:g} ms)"
    if any(abs(value - end) <= SLACK[UNIT_OF[word.kind]] for end in (low, high) if end is not None):
        return "at its limit"
    outside = (low is not None and value < low) or (high is not None and value > high)
    return "not normal" if outside else "normal"


def _by_sex(subject: str, known: Known) -> tuple[Claim | None, bool]:
    """Hold a QTc against the limits in men and in women, and say whether they agree."""
    values, age = known.facts.values, known.record.age_years
    for name in (*MEASURED[subject].names, *MEASURED["qtc"].names):
        entry, value = reference(name, age, None), values[name].value if name in values else None
        if value is not None and entry.limits:
            break
    else:
        return None, True
    limits = {"in men": BY_SEX_QTC["male"], "in women": BY_SEX_QTC["female"]}
    reached = [f"{group} ({limit:g} ms)" for group, limit in limits.items() if value >= limit]
    below = [f"{group} ({limit:g} ms)" for group, limit in limits.items() if value < limit]
    shown = f"{entry.name} {amount(value, 'ms', entry.limits)}"
    if reached and below:
        rest = (
            f"reaches the limit {reached[0]} and lies below the limit {below[0]}; "
            "the sex is not given"
        )
    elif reached:
        rest = f"reaches the limits {listing(reached)}"
    else:
        rest = f"lies below the limits {listing(below)}"
    fact = measured(entry.name, value, "ms", criterion=entry.limits, source=entry.source)
    claim = Claim.of(f"{shown} {rest}", (fact,), kind="value")
    return claim, not (reached and below)
