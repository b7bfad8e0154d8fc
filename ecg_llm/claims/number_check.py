"""Hold the numbers and normality words of a text against measured values."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ecg_llm.claims.extract import TextClaim
from ecg_llm.claims.facts import Facts
from ecg_llm.claims.measured_words import (
    BRADYCARDIA_BPM,
    BY_SEX_QTC,
    LIMITS,
    MEASURED,
    UNIT_OF,
    UNITS,
    MeasuredWord,
    without_formula,
)
from ecg_llm.findings.finding import Evidence
from ecg_llm.phrases import before
from ecg_llm.phrases import measured as told
from ecg_llm.quantity import Quantity
from ecg_llm.report import ClaimStatus
from ecg_llm.vocabulary import RHYTHMS

TOLERANCE: dict[str, float] = {
    "ms": 10.0,
    "bpm": 2.0,
    "deg": 10.0,
    "mV": 0.05,
    "ratio": 0.02,
    "mV·ms": 0.5,
    "mV/s": 0.2,
}
"""How far a number may lie from the measured value, besides the rounding of its last digit."""
SLACK: dict[str, float] = {"ms": 3.0, "bpm": 1.0, "deg": 3.0, "mV": 0.02, "ratio": 0.04}
"""How near to a limit both ``normal`` and ``abnormal`` are accepted."""
_NEAR = {"ms": 20.0, "bpm": 10.0, "deg": 10.0, "ratio": 0.05}


@dataclass(frozen=True)
class Result:
    """The verdict on a claim, with what it was held against and why."""

    verdict: ClaimStatus
    evidence: tuple[Evidence, ...]
    reason: str


def check_number(claim: TextClaim, facts: Facts, scale: float) -> Result:
    """Hold a number against what was measured.

    Parameters
    ----------
    scale : float
        Factor on `TOLERANCE`; 0 accepts nothing but rounding.
    """
    if claim.role == "criterion":
        return _criterion(claim, facts)
    measured = MEASURED.get(claim.subject)
    if measured is None:
        return Result("unverifiable", (), "it is not clear what the number measures")
    if not claim.unit:
        return Result("unverifiable", (), f"{measured.label}: the number has no unit")
    if measured.per_lead and claim.relation == "max":
        return _largest(claim, measured, facts, scale)
    if measured.per_lead and not claim.leads:
        return _any_lead(claim, measured, facts, scale)
    if claim.high is not None and (wide := _too_wide(claim, measured, facts, scale)) is not None:
        return wide
    results = [_one(claim, measured, lead, facts, scale) for lead in claim.leads or (None,)]
    evidence = tuple(item for result in results for item in result.evidence)
    for verdict in ("contradicted", "unverifiable"):
        for result in results:
            if result.verdict == verdict:
                return Result(result.verdict, evidence, result.reason)
    return Result("supported", evidence, results[0].reason)


def _candidates(
    measured: MeasuredWord, lead: str | None, facts: Facts
) -> tuple[list[tuple[str, Quantity]], str]:
    """Give the known values that a quantity may mean, or why there is none."""
    found = [(name, facts.value(name, lead)) for name in measured.names]
    known = [(name, quantity) for name, quantity in found if quantity.value is not None]
    return known, found[0][1].reason or "not measured"


def _one(
    claim: TextClaim, measured: MeasuredWord, lead: str | None, facts: Facts, scale: float
) -> Result:
    """Hold a number against the value of one lead, or of the record."""
    known, why = _candidates(measured, lead, facts)
    where = f" in {lead}" if lead else ""
    if not known:
        return Result("unverifiable", (), f"{measured.label}{where} is unknown: {why}")
    if claim.relation == "spread":
        return _spread(claim, measured, lead, [quantity for _, quantity in known], scale)
    tolerance = _tolerance(claim, scale)
    best = min(known, key=lambda item: _distance(claim, _turned(measured, item[1])))
    fits = _distance(claim, _turned(measured, best[1])) <= tolerance
    evidence = (_evidence(measured, lead, best[1], claim, tolerance),)
    says = f"{measured.label}{where} was measured as {_show(best[1])}"
    if fits ^ claim.negated:
        return Result("supported", evidence, says)
    return Result("contradicted", evidence, f"{says}, the text says {claim.text!r}")


def _too_wide(
    claim: TextClaim, measured: MeasuredWord, facts: Facts, scale: float
) -> Result | None:
    """Find a range that says less than it seems to: its ends lie far from what was measured."""
    found = [(lead, _candidates(measured, lead, facts)[0][:1]) for lead in claim.leads or (None,)]
    values = [_turned(measured, quantity) for _, known in found for _, quantity in known]
    if not values or claim.value is None or claim.high is None:
        return None
    room = _tolerance(claim, scale)
    if len(values) == 1:
        room = max(2 * room, 0.2 * abs(values[0]))
    if min(values) - claim.value <= room and claim.high - max(values) <= room:
        return None
    evidence = tuple(
        _evidence(measured, lead, quantity, claim, room)
        for lead, known in found
        for _, quantity in known
    )
    return Result("contradicted", evidence, f"the range {claim.text!r} is far wider than measured")


def _spread(
    claim: TextClaim, measured: MeasuredWord, lead: str | None, known: list[Quantity], scale: float
) -> Result:
    """Hold ``spread 6 ms`` against how much the value varied."""
    spreads = [quantity.spread for quantity in known if quantity.spread is not None]
    if not spreads or claim.value is None:
        return Result("unverifiable", (), f"the spread of {measured.label} was not measured")
    tolerance = _tolerance(claim, scale * 0.2)
    best = min(spreads, key=lambda spread: abs(spread - float(claim.value or 0.0)))
    shown = Quantity(best, known[0].unit, method=f"spread of {measured.label}")
    verdict: ClaimStatus = "supported" if abs(best - claim.value) <= tolerance else "contradicted"
    says = f"the spread of {measured.label} was measured as {_show(shown)}"
    return Result(verdict, (_evidence(measured, lead, shown, claim, tolerance),), says)


def check_quoted(
    text: str, claim: TextClaim, facts: Facts, codes: Collection[str] | None = None
) -> Result | None:
    """Find a number among the evidence of the findings, by the name of what was measured.

    Scores, shares and sums that criteria compute stand only in their evidence.

    Parameters
    ----------
    codes : collection of str, optional
        Look at these findings only: a number beside a finding is first of its evidence.

    Returns
    -------
    Result or None
        None if no evidence holds it.
    """
    window = text[max(0, claim.start - QUOTE_REACH) : claim.start].lower()
    shown = _NUMBER.findall(claim.text)
    for code, finding in facts.findings.items():
        if codes is not None and code not in codes:
            continue
        for item in finding.evidence:
            if not _is_named(item, window, codes is not None):
                continue
            if claim.leads and item.lead is not None and item.lead not in claim.leads:
                continue
            says = f"{item.quantity} of {finding.label}"
            if claim.role == "criterion":
                if shown and set(shown) <= set(_NUMBER.findall(item.criterion)):
                    return Result("supported", (item,), f"the limit of {says}")
            elif _is_quoted(claim, shown, item):
                return Result("supported", (item,), f"{says} is {item.value:g} {item.unit}")
    return None


def _is_quoted(claim: TextClaim, shown: list[str], item: Evidence) -> bool:
    """Whether a number is the value of an evidence item, in the same unit and of the same sign."""
    if not isinstance(item.value, int | float) or len(shown) != 1:
        return False
    bare = claim.text == shown[0]
    known, unit = float(item.value), item.unit
    if unit in UNITS:  # such a number is told with its unit
        kind, factor = UNITS[unit]
        value, step, known = float(claim.value or 0.0), claim.step, known * factor
        if bare or claim.unit != UNIT_OF[kind]:
            return False
    else:  # a decimal without unit after an interval's name was taken for seconds
        if not (bare or not (claim.unit and unit) or claim.unit == unit):
            return False
        value, step = float(shown[0].replace("−", "-")), 10.0 ** -len(shown[0].partition(".")[2])
    word = MEASURED.get(claim.subject)
    if known < 0 < value and claim.unit in ("mV", "mV·ms") and not (word and word.sign == "signed"):
        known = -known  # a depth is told as a size
    return abs(known - value) <= step / 2 + 1e-6


def _is_named(item: Evidence, window: str, beside: bool) -> bool:
    """Whether the name of a quantity stands before a number, in full or as reports say it."""
    if item.quantity and item.quantity.lower() in window:
        return True
    words = before(item.quantity).lower() if beside else ""
    return bool(words) and re.search(rf"\b{re.escape(words)}\b", window) is not None


QUOTE_REACH = 90
"""Characters before a number in which the name of its quantity is looked for."""


def _turned(measured: MeasuredWord, quantity: Quantity) -> float:
    """Give a measured value as texts give it: a depth as a positive number."""
    value = float(quantity.value or 0.0)
    return abs(value) if measured.sign == "size" else -value if measured.sign == "down" else value


def _distance(claim: TextClaim, value: float) -> float:
    """Tell how far a value lies from what the claim allows; 0 if it is allowed."""
    low = claim.value if claim.value is not None else 0.0
    if MEASURED[claim.subject].sign in ("size", "down"):
        low = abs(low)
    high = claim.high if claim.high is not None else low
    match claim.relation:
        case ">" | ">=":
            return max(0.0, low - value)
        case "<" | "<=":
            return max(0.0, value - high)
        case _:
            apart = max(low - value, value - high, 0.0)
            if claim.unit == "deg":  # 180° and -180° are the same direction
                apart = min(apart, abs(360.0 - abs(value - low)))
            return apart


def _tolerance(claim: TextClaim, scale: float) -> float:
    """Give the rounding of the last digit shown and the tolerance of the quantity."""
    own = MEASURED[claim.subject].tolerance
    table = TOLERANCE.get(claim.unit, 0.0) if own is None else own
    if claim.relation in (">", ">=", "<", "<="):
        table = min(table, SLACK.get(claim.unit, table))
    if claim.approximate:
        scale *= 2
    return table * scale + claim.step / 2 + 1e-6


def _any_lead(claim: TextClaim, measured: MeasuredWord, facts: Facts, scale: float) -> Result:
    """Hold a number that names no lead against all leads."""
    results = [(lead, _one(claim, measured, lead, facts, scale)) for lead in facts.leads]
    fitting = [(lead, r) for lead, r in results if r.verdict == "supported"]
    judged = [r for _, r in results if r.verdict != "unverifiable"]
    if not judged:
        return Result("unverifiable", (), f"{measured.label} is unknown in every lead")
    if not fitting:
        evidence = tuple(item for r in judged for item in r.evidence)[:12]
        return Result("contradicted", evidence, f"{measured.label} is this in no lead")
    lead, result = fitting[0]
    return Result("unverifiable", result.evidence, f"no lead is named; it would fit lead {lead}")


def _largest(claim: TextClaim, measured: MeasuredWord, facts: Facts, scale: float) -> Result:
    """Hold ``up to 3 mm`` against the largest value over the leads."""
    found = [
        (_turned(measured, quantity), lead, quantity)
        for lead in claim.leads or facts.leads
        for _, quantity in _candidates(measured, lead, facts)[0][:1]
    ]
    if not found:
        return Result("unverifiable", (), f"{measured.label} is unknown in every lead")
    value, lead, quantity = max(found, key=lambda item: item[0])
    tolerance = _tolerance(claim, scale)
    fits = _distance(claim, value) <= tolerance
    evidence = (_evidence(measured, lead, quantity, claim, tolerance),)
    says = f"the largest {measured.label} is {_show(quantity)}, in {lead}"
    return Result("supported" if fits else "contradicted", evidence, says)


def _evidence(
    measured: MeasuredWord, lead: str | None, quantity: Quantity, claim: TextClaim, tolerance: float
) -> Evidence:
    """Write down what a number was held against."""
    return told(
        measured.label,
        round(float(quantity.value or 0.0), 4),
        quantity.unit or claim.unit,
        lead=lead,
        criterion=f"told as {claim.text}, to within {tolerance:.3g} {claim.unit}".rstrip(),
        source=quantity.method or "measured",
    )


def _show(quantity: Quantity) -> str:
    """Write a value at the precision of its unit."""
    decimals = 2 if quantity.unit in ("mV", "ratio", "mV·ms") else 0
    return f"{quantity:.{decimals}f}"


_NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?")


def _criterion(claim: TextClaim, facts: Facts) -> Result:
    """Hold a quoted limit against the published ones and those the findings name."""
    if not claim.subject or claim.value is None:
        return Result("unverifiable", (), "it is not clear what the limit is for")
    base, measured = MEASURED.get(without_formula(claim.subject)), MEASURED.get(claim.subject)
    known = set(base.quoted) if base is not None else set()
    for finding in facts.findings.values():
        for item in finding.evidence:
            if measured is not None and item.unit == claim.unit and _same_quantity(measured, item):
                known |= {abs(float(n.replace("−", "-"))) for n in _NUMBER.findall(item.criterion)}
    ends = [claim.value] if claim.high is None else [claim.value, claim.high]
    if all(any(abs(abs(end) - abs(limit)) < 1e-6 for limit in known) for end in ends):
        return Result("supported", (), f"a published limit of {claim.subject.replace('_', ' ')}")
    return Result("unverifiable", (), "not among the limits known to the criteria")


def _same_quantity(measured: MeasuredWord, item: Evidence) -> bool:
    """Whether an evidence item is about a quantity."""
    wave = measured.label.split()[0].lower()
    return item.quantity.lower().startswith(wave)


def check_state(claim: TextClaim, facts: Facts) -> Result:
    """Hold ``normal``, ``prolonged``, ``irregular`` … against the measured value and its limits."""
    if claim.subject == "p_wave":
        return _p_wave(claim, facts)
    if claim.subject == "rhythm":
        return _rhythm(facts)
    if claim.state == "ventricular":
        return _same_rates(claim, facts)
    measured = MEASURED[claim.subject]
    known, why = _candidates(measured, None, facts)
    if claim.state == "unknown" or claim.certainty == "unjudged":
        if not known:
            return Result("supported", (), f"{measured.label} is unknown: {why}")
        fast = next((f for f in map(facts.findings.get, ("AFIB", "AFLT")) if f), None)
        if claim.subject in ("p", "pr", "p_axis") and fast and fast.status == "present":
            says = f"{measured.label} has no meaning in {fast.label}"
            return Result("supported", fast.evidence, says)
        shown = _state_evidence(measured, known[0][1], "unknown")
        return Result("contradicted", (shown,), f"{measured.label} is {_show(known[0][1])}")
    if not known:
        return Result("unverifiable", (), f"{measured.label} is unknown: {why}")
    base = without_formula(claim.subject)
    if base == "qrs":  # a QRS that is wide over all leads is wide
        over_all = [(name, q) for name, q in known if name == "qrs_global_ms"]
        wide = [one for one in over_all if (one[1].value or 0.0) >= (LIMITS["qrs"][1] or 0.0)]
        known = wide or known
    limits = _limits(base, facts)
    if limits is None:
        return Result("unverifiable", (), f"no limits of {measured.label} are set")
    low, high, words = limits
    verdicts = [_holds(claim.state, float(q.value or 0.0), low, high, q.unit) for _, q in known]
    there = {
        code
        for code in ("AFIB", "SARRH")
        if (f := facts.findings.get(code)) and f.status == "present"
    }
    if base == "rr_cv" and there:  # what is near the limit is irregular there
        near = {claim.state == "irregular"}
        every = "SARRH" in there
        verdicts = [near if v is not None and (every or len(v) > 1) else v for v in verdicts]
    evidence = tuple(_state_evidence(measured, quantity, words) for _, quantity in known)
    says = f"{measured.label} was measured as {_show(known[0][1])}, normal {words}"
    if None in verdicts:
        return Result("unverifiable", evidence, f"{measured.label} cannot be called {claim.state}")
    # Between the limits of men and women nothing is settled without the sex.
    ends = [end for end in high if end is not None]
    between = [
        claim.state in ("normal", "high") and len({float(q.value or 0.0) >= x for x in ends}) > 1
        for _, q in known
    ]
    wanted = not claim.negated
    if any(wanted in v for v, open_ in zip(verdicts, between, strict=True) if v and not open_):
        return Result("supported", evidence, says)
    if any(between):
        reason = f"{says}; the limit depends on sex, which is not given"
        return Result("unverifiable", evidence, reason)
    return Result("contradicted", evidence, says)


def _limits(
    base: str, facts: Facts
) -> tuple[tuple[float | None, float | None], tuple[float | None, float | None], str] | None:
    """Give the lower and upper limit, each as a range where sex decides, and in words."""
    if base not in LIMITS:
        return None
    low, high = LIMITS[base]
    upper: tuple[float | None, float | None] = (high, high)
    if base == "qtc":
        by_sex = [BY_SEX_QTC[facts.sex]] if facts.sex in BY_SEX_QTC else sorted(BY_SEX_QTC.values())
        upper = (by_sex[0], by_sex[-1])
    lower: tuple[float | None, float | None] = (low, low)
    if base == "heart_rate":
        lower = (min(BRADYCARDIA_BPM), max(BRADYCARDIA_BPM))
    words = " to ".join(f"{x:g}" for x in (lower[0], upper[1]) if x is not None)
    return lower, upper, words


def _holds(
    state: str,
    value: float,
    low: tuple[float | None, float | None],
    high: tuple[float | None, float | None],
    unit: str,
) -> set[bool] | None:
    """Tell which truth values a state may have at a value, given the slack of its limits."""
    slack = SLACK.get(unit, 0.0)
    over = {h is not None and value + d > h for h in high for d in (-slack, slack)}
    under = {x is not None and value + d < x for x in low for d in (-slack, slack)}
    match state:
        case "high" | "irregular":
            return over if high[0] is not None else None
        case "low":
            return under if low[0] is not None else None
        case "normal" | "regular":
            return {not (a or b) for a in over for b in under}
        case "borderline" | "upper limit" | "lower limit":
            near = _NEAR.get(unit, 0.0)
            either = {"upper limit": high, "lower limit": low}.get(state, (*low, *high))
            ends = [x for x in either if x is not None]
            return {any(abs(value - end) <= near for end in ends)}
        case _:
            return None


def _state_evidence(measured: MeasuredWord, quantity: Quantity, words: str) -> Evidence:
    """Write down what a word was held against."""
    value, source = float(quantity.value or 0.0), quantity.method or "measured"
    rule = f"normal {words}" if words else ""
    return told(measured.label, round(value, 4), quantity.unit, criterion=rule, source=source)


def _p_wave(claim: TextClaim, facts: Facts) -> Result:
    """Hold ``P waves are absent`` against the rhythm and the measured P waves."""
    for code, there in (("AFIB", False), ("AFLT", False), ("SR", True), ("STACH", True)):
        finding = facts.findings.get(code)
        if finding is not None and finding.status == "present":
            verdict: ClaimStatus = "supported" if there != claim.negated else "contradicted"
            return Result(verdict, finding.evidence, f"the rhythm is {finding.label}")
    p = facts.value("p_ms")
    if "p_ms" not in facts.values:
        return Result("unverifiable", (), "P waves were not measured")
    there = p.value is not None
    verdict = "supported" if there != claim.negated else "contradicted"
    return Result(verdict, (), "P waves were measured" if there else str(p.reason))


def _rhythm(facts: Facts) -> Result:
    """Hold ``the basic rhythm could not be determined`` against the rhythm."""
    judged = [finding for code, finding in facts.findings.items() if code in RHYTHMS]
    present = next((finding for finding in judged if finding.status == "present"), None)
    if present is not None:
        return Result("contradicted", present.evidence, f"the rhythm is {present.label}")
    return Result("supported" if judged else "unverifiable", (), "no rhythm could be stated")


def _same_rates(claim: TextClaim, facts: Facts) -> Result:
    """Hold ``the atrial rate equals the ventricular rate`` against both."""
    words = MEASURED["atrial_rate"], MEASURED["heart_rate"]
    atrial, heart = (facts.value(word.names[0]) for word in words)
    if atrial.value is None or heart.value is None:
        return Result("unverifiable", (), "the atrial or the ventricular rate is unknown")
    alike = abs(atrial.value - heart.value) <= (words[0].tolerance or 0.0)
    evidence = tuple(_state_evidence(w, q, "") for w, q in zip(words, (atrial, heart), strict=True))
    says = f"the atrial rate is {_show(atrial)}, the ventricular {_show(heart)}"
    return Result("supported" if alike != claim.negated else "contradicted", evidence, says)
