"""Three-valued logic over measured facts: holds, does not hold, cannot be judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ecg_llm.findings.case import Case
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.findings.finding import Evidence, Finding, Status, Urgency

_MAX_EVIDENCE = 8
_OPPOSITE = {"≥": "<", "<": "≥", ">": "≤", "≤": ">"}
_SIMPLE = re.compile(r"[≥<>≤] [^,;:]*")


@dataclass(frozen=True)
class Check:
    """One fact held against one rule.

    Attributes
    ----------
    holds : bool or None
        None if it could not be judged.
    evidence : tuple of Evidence
        The measured values.
    reason : str or None
        Why it could not be judged.
    """

    holds: bool | None
    evidence: tuple[Evidence, ...] = ()
    reason: str | None = None


def unknown(reason: str) -> Check:
    """Give a check that could not be judged."""
    return Check(None, (), reason)


def fact(
    holds: bool,
    quantity: str,
    value: float | str | None,
    unit: str,
    criterion: str,
    source: str,
    *,
    lead: str | None = None,
    span_s: tuple[float | None, float | None] = (None, None),
) -> Check:
    """Give a check that was judged elsewhere.

    The rest is as in `Evidence`; ``span_s`` tells where on the tracing, in s.
    """
    number = round(value, 3) if isinstance(value, float) else value
    item = Evidence(
        lead=lead,
        from_s=span_s[0],
        to_s=span_s[1],
        quantity=quantity,
        value=number,
        unit=unit,
        criterion=criterion,
        source=source,
    )
    return Check(bool(holds), (item,))


def compare(
    case: Case,
    name: str,
    rule: Callable[[float], bool],
    criterion: str,
    source: str,
    lead: str | None = None,
) -> Check:
    """Hold one measured value against a rule.

    ``criterion`` is the rule in words.
    """
    value = case.value(name, lead)
    if value is None:
        return unknown(case.reason(name, lead))
    quantity, unit = case.describe(name, lead)
    return fact(
        rule(value),
        quantity,
        value,
        unit,
        criterion,
        source,
        lead=lead,
        span_s=case.span(name, lead),
    )


def at_least(case: Case, name: str, limit: float, source: str, lead: str | None = None) -> Check:
    """Check that a value is at least a limit."""
    unit = case.describe(name, lead)[1]
    return compare(case, name, lambda v: v >= limit - 1e-9, f"≥ {limit:g} {unit}", source, lead)


def at_most(case: Case, name: str, limit: float, source: str, lead: str | None = None) -> Check:
    """Check that a value is at most a limit."""
    unit = case.describe(name, lead)[1]
    return compare(case, name, lambda v: v <= limit + 1e-9, f"≤ {limit:g} {unit}", source, lead)


def below(case: Case, name: str, limit: float, source: str, lead: str | None = None) -> Check:
    """Check that a value is below a limit."""
    unit = case.describe(name, lead)[1]
    return compare(case, name, lambda v: v < limit - 1e-9, f"< {limit:g} {unit}", source, lead)


def outweighs(
    case: Case, name: str, other: str, source: str, lead: str, factor: float = 1.0
) -> Check:
    """Check that one deflection is larger than another one of the same lead.

    An unknown one counts as none; ``factor`` tells how many times it is to be exceeded.
    """
    limit = factor * abs(case.value(other, lead) or 0.0)
    times = "" if factor == 1 else f"{factor:g} × "
    words = (
        f"> {times}{case.describe(other, lead)[0]} ({limit:.2f} {case.describe(other, lead)[1]})"
    )
    return compare(case, name, lambda v: abs(v) > limit, words, source, lead)


def all_of(*checks: Check) -> Check:
    """Hold if every check holds.

    Does not hold if any check fails, even if others are unknown.
    """
    failed = [check for check in checks if check.holds is False]
    if failed:
        return Check(False, _evidence(failed))
    open_ = [check for check in checks if check.holds is None]
    if open_:
        return unknown(_reasons(open_))
    return Check(True, _evidence(checks))


def any_of(*checks: Check) -> Check:
    """Hold if some check holds.

    Unknown if none holds and some are unknown.
    """
    return at_least_n(1, *checks)


def at_least_n(n: int, *checks: Check) -> Check:
    """Hold if at least some number of checks hold.

    Unknown if the unknown ones could make the difference.
    """
    holding = [check for check in checks if check.holds]
    open_ = [check for check in checks if check.holds is None]
    if len(holding) >= n:
        return Check(True, _evidence(holding))
    if len(holding) + len(open_) >= n:
        return unknown(_reasons(open_))
    return Check(False, _evidence([check for check in checks if check.holds is False]))


def opposite(check: Check) -> Check:
    """Hold if the check does not."""
    if check.holds is None:
        return check
    turned = tuple(replace(item, criterion=negated(item.criterion)) for item in check.evidence)
    return replace(check, holds=not check.holds, evidence=turned)


def negated(criterion: str) -> str:
    """Say that a rule does not hold; two negations cancel.

    Examples
    --------
    >>> negated("≥ 120 ms"), negated("between -30° and -90°"), negated("not upright")
    ('< 120 ms', 'not between -30° and -90°', 'upright')
    """
    if _SIMPLE.fullmatch(criterion) and not re.search(r" (and|or) ", criterion):
        return _OPPOSITE[criterion[0]] + criterion[1:]
    bare = criterion.removeprefix("not ")
    return bare if bare != criterion else f"not {criterion}"


def judge(code: str, check: Check, urgency: Urgency | None = None) -> Finding:
    """Turn a check into a finding.

    ``urgency``: another one than the statement's own.
    """
    statement = STATEMENTS[code]
    status: Status = "unknown"
    if check.holds is not None:
        status = "present" if check.holds else "absent"
    return Finding(
        code=code,
        label=statement.label,
        snomed=statement.snomed,
        section=statement.section,
        urgency=urgency or statement.urgency,
        status=status,
        reason=None if check.holds is not None else (check.reason or "could not be judged"),
        evidence=check.evidence[:_MAX_EVIDENCE],
    )


def left_open(codes: Iterable[str], reason: str) -> tuple[Finding, ...]:
    """Leave statements open for one reason."""
    return tuple(judge(code, unknown(reason)) for code in codes)


def _evidence(checks: tuple[Check, ...] | list[Check]) -> tuple[Evidence, ...]:
    """Join the evidence, each item once."""
    return tuple(dict.fromkeys(item for check in checks for item in check.evidence))


def _reasons(checks: list[Check]) -> str:
    """Join the reasons, each once."""
    return "; ".join(dict.fromkeys(check.reason for check in checks if check.reason))
