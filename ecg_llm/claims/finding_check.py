"""Hold the findings that a text states or denies against those that were judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ecg_llm.claims.extract import TextClaim
from ecg_llm.claims.facts import Facts
from ecg_llm.claims.measured_words import SHOWS_AS, SIGNS
from ecg_llm.claims.number_check import SLACK, Result
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.findings.infarction import BY_WALL, qs_complex
from ecg_llm.findings.repolarization import (
    ST_DEPRESSION_MV,
    T_INVERSION_MV,
)
from ecg_llm.findings.st_elevation import ST_ELEVATION_MV, ST_ELEVATION_V2_V3_MV
from ecg_llm.phrases import measured
from ecg_llm.vocabulary import NOT_DENIED_BESIDE, canonical_code, label, members

LEVEL_MV = 0.1
"""An ST farther from the baseline is not isoelectric: one small square."""
LOW_T_MV, TALL_T_MV, TALL_T_LIMB_MV = 0.1, 1.0, 0.8
Q_MS, Q_V2_V3_MS, Q_MV = 30.0, 20.0, -0.1
_SLACK_MV = SLACK["mV"]
_SOURCE = "median beat"
POSSIBLE = 0.5
"""Probability from which a finding that no criterion decides may be called possible."""

Sign = tuple[set[bool], tuple[Evidence, ...]]
"""Which truth values are acceptable in a lead (both near the limit, none if unknown)."""
Test = Callable[..., Sign]


def _evidence(lead: str, name: str, value: float, unit: str, rule: str) -> tuple[Evidence, ...]:
    return (measured(name, round(value, 3), unit, lead=lead, criterion=rule, source=_SOURCE),)


def _elevated(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """ST elevation at J, still there after 60 ms, by the limits of sex and age."""
    at_j, later = (facts.value(name, lead).value for name in ("st_j_mv", "st_j60_mv"))
    if at_j is None:
        return set(), ()
    height = at_j if later is None else min(at_j, later)
    limits = {ST_ELEVATION_MV}
    if lead in ("V2", "V3"):
        sexes = (facts.sex,) if facts.sex in ("male", "female") else ("male", "female")
        young = (facts.age_years < 40,) if facts.age_years is not None else (True, False)
        limits = {ST_ELEVATION_V2_V3_MV[str(sex), y] for sex in sexes for y in young}
    holds = {height + d >= x for x in limits for d in (-slack_mv, slack_mv)}
    return holds, _evidence(lead, "ST at J and J+60 ms", height, "mV", f"≥ {min(limits):g} mV")


def _depressed(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """ST depression at J or 80 ms later."""
    found = [facts.value(name, lead).value for name in ("st_j_mv", "st_j60_mv", "st_j80_mv")]
    known = [height for height in found if height is not None]
    if not known:
        return set(), ()
    lowest = min(known)
    told = {lowest} if slack_mv else {lowest, known[0]}  # one that rises from J on is in between
    holds = {height + d <= ST_DEPRESSION_MV for height in told for d in (-slack_mv, slack_mv)}
    return holds, _evidence(lead, "lowest ST", lowest, "mV", f"≤ {ST_DEPRESSION_MV:g} mV")


def _off_level(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """An ST that is not isoelectric."""
    found = [facts.value(name, lead).value for name in ("st_j_mv", "st_j60_mv")]
    known = [height for height in found if height is not None]
    if not known:
        return set(), ()
    farthest = max(known, key=abs)
    holds = {abs(farthest) + d >= LEVEL_MV for d in (-slack_mv, slack_mv)}
    return holds, _evidence(lead, "farthest ST", farthest, "mV", f"within ±{LEVEL_MV:g} mV")


def _inverted(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """A negative T wave; by the limit itself one that goes both ways is neither."""
    found = [facts.value(name, lead).value for name in ("t_mv", "t_neg_mv")]
    known = [height for height in found if height is not None]
    if not known:
        return set(), ()
    lowest = min(known)
    main = found[0] if found[0] is not None else lowest
    told = {main} if slack_mv else {main, lowest}
    holds = {height + d <= T_INVERSION_MV for height in told for d in (-slack_mv, slack_mv)}
    return holds, _evidence(lead, "T amplitude", main, "mV", f"≤ {T_INVERSION_MV:g} mV")


def _turned(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """A T wave that is not upright, be it too small to be called inverted."""
    height = facts.value("t_mv", lead).value
    if height is None:
        return set(), ()
    holds = {height + d <= 0 for d in (-slack_mv, slack_mv)}
    return holds, _evidence(lead, "T amplitude", height, "mV", "> 0 mV")


def _low(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """A T wave lower than 0.1 mV either way."""
    height = facts.value("t_mv", lead).value
    if height is None:
        return set(), ()
    holds = {abs(height) + d < LOW_T_MV for d in (-slack_mv, slack_mv)}
    return holds, _evidence(lead, "T amplitude", height, "mV", f"within ±{LOW_T_MV:g} mV")


def _tall(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """A tall T wave."""
    height = facts.value("t_mv", lead).value
    if height is None:
        return set(), ()
    limit = TALL_T_MV if lead.startswith("V") else TALL_T_LIMB_MV
    holds = {height >= limit - slack_mv}
    return holds, _evidence(lead, "T amplitude", height, "mV", f"≥ {limit:g} mV")


def _q(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """A Q wave wide and deep enough, or a QS complex."""
    depth, width = facts.value("q_mv", lead).value, facts.value("q_ms", lead).value
    first, highest, lowest = (
        facts.value(x, lead).value for x in ("r_mv", "qrs_max_mv", "qrs_min_mv")
    )
    if depth is None or width is None:
        return set(), ()
    limit_ms = Q_V2_V3_MS if lead in ("V2", "V3") else Q_MS
    slack_ms = SLACK["ms"] if slack_mv else 0.0
    wide = {
        depth + d <= Q_MV and width + e >= limit_ms
        for d in (-slack_mv, slack_mv)
        for e in (-slack_ms, slack_ms)
    }
    # All of a QRS without R is one downward wave, whether it was marked as Q or as S.
    is_qs = highest is not None and qs_complex(lead, first or 0.0, highest, lowest or depth)
    rule = f"≤ {Q_MV:g} mV and ≥ {limit_ms:g} ms"
    return {True} if is_qs else wide, _evidence(lead, "Q amplitude", depth, "mV", rule)


def _either(*tests: Test) -> Test:
    """Hold if one of several signs does."""

    def check(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
        signs = [test(facts, lead, slack_mv) for test in tests]
        known = [sign for sign in signs if sign[0]]
        if not known:
            return set(), ()
        best = next((sign for sign in known if sign[0] == {True}), None)
        if best is None:
            best = next((sign for sign in known if True in sign[0]), known[0])
        return best

    return check


def _r_over_s(facts: Facts, lead: str, slack_mv: float = _SLACK_MV) -> Sign:
    """An R larger than the S beside it; measured alike, they need no slack."""
    high, low = (facts.value(name, lead).value for name in ("qrs_max_mv", "qrs_min_mv"))
    if high is None or low is None:
        return set(), ()
    over = high - abs(low)
    return {over > 0}, _evidence(lead, "R less S", over, "mV", "> 0 mV")


_WAVES: dict[str, Test] = {
    "r_over_s": _r_over_s,
    "STE_": _elevated,
    "STD_": _depressed,
    "INVT": _inverted,
    "t_turned": _turned,
    "st_level": _off_level,
    "LOWT": _low,
    "tall_t": _tall,
    "QWAVE": _q,
}
_TESTS = {
    code: _either(*(_WAVES[wave] for wave in waves)) for code, waves in (SIGNS | SHOWS_AS).items()
}


def lead_shows(code: str, lead: str, facts: Facts, *, exact: bool = True) -> bool | None:
    """Tell whether a lead shows a sign by its measured waves.

    Parameters
    ----------
    exact : bool
        Go by the limits themselves; False lets a sign near its limit pass, as in a text.

    Returns
    -------
    bool or None
        None if the sign is not one of single leads or was not measured; by the limits themselves
        also if it is neither there nor not: a T wave that goes both ways, an ST whose limit
        depends on a sex that is not given.
    """
    if code not in _TESTS:
        return None
    if exact and _rests_on(code, lead, facts):
        return True
    holds, _ = _TESTS[code](facts, lead, 0.0 if exact else _SLACK_MV)
    if exact:
        return next(iter(holds)) if len(holds) == 1 else None
    return True in holds if holds else None


def check_finding(claim: TextClaim, facts: Facts) -> Result:
    """Hold a stated or denied finding against what was judged and measured."""
    if not claim.leads:  # what is not called so in any lead
        whole = {"st_level": "st_changes", "t_turned": "INVT"}.get(claim.subject, claim.subject)
        claim = replace(claim, subject=whole)
    code = canonical_code(claim.subject)
    judged = [facts.findings[one] for one in members(code) if one in facts.findings]
    if claim.leads and code in _TESTS and claim.certainty != "unjudged":
        if judged and not claim.negated and code not in SIGNS:  # no wave alone makes a diagnosis
            result = _against(claim, code, judged)
            if result.verdict != "supported":
                return result
        return _in_leads(claim, code, facts)
    for other in NOT_DENIED_BESIDE.get(code, ()) if claim.negated else ():
        beside = facts.findings.get(other)
        if beside is not None and beside.status == "present":
            return Result("contradicted", beside.evidence, f"{beside.label} is present")
    if not judged:
        return Result("unverifiable", (), f"{label(code)} was not judged")
    return _against(claim, code, judged)


def _status(code: str, judged: list[Finding]) -> tuple[str, Finding]:
    """Give the status of a finding or family, and the finding that decides it."""
    for finding in judged:
        if finding.status == "present":
            return "present", finding
    own = next((f for f in judged if canonical_code(f.code) == code), None)
    if own is not None:
        return own.status, own
    unknown = next((f for f in judged if f.status == "unknown"), None)
    return ("unknown", unknown) if unknown is not None else ("absent", judged[0])


def _against(claim: TextClaim, code: str, judged: list[Finding]) -> Result:
    """Compare a claim with the status of its finding."""
    status, finding = _status(code, judged)
    evidence = finding.evidence
    says = f"{finding.label} is {status}"
    if status == "unknown":
        why = finding.reason or "it could not be judged"
        open_ = f"is {why}" if finding.doubt else f"could not be judged: {why}"
        if claim.certainty == "unjudged":
            return Result("supported", evidence, f"{finding.label} {open_}")
        p = finding.probability
        if claim.certainty == "possible" and not claim.negated:
            if p is not None and p >= POSSIBLE:
                says = f"{finding.label} has a probability of {p:.2f}"
                return Result("supported", evidence, says)
            if finding.doubt and finding.has_facts:
                return Result(
                    "supported", evidence, f"{finding.label} is possible: {finding.doubt}"
                )
        return Result("unverifiable", evidence, f"{finding.label} {open_}")
    if claim.certainty == "unjudged":
        return Result("contradicted", evidence, says)
    if (status == "present") != claim.negated:
        return Result("supported", evidence, says)
    return Result("contradicted", evidence, says)


def _in_leads(claim: TextClaim, code: str, facts: Facts) -> Result:
    """Hold a finding against the measured waves of the leads it names."""
    signs = {lead: _TESTS[code](facts, lead) for lead in claim.leads}
    for lead in signs:
        if not claim.negated and _rests_on(code, lead, facts):
            signs[lead] = ({True}, signs[lead][1])
    evidence = tuple(item for _, items in signs.values() for item in items)
    wanted = not claim.negated
    fitting = [lead for lead, (holds, _) in signs.items() if wanted in holds]
    open_ = [lead for lead, (holds, _) in signs.items() if not holds]
    failing = [lead for lead, (holds, _) in signs.items() if holds and wanted not in holds]
    name = _NAMES.get(code) or label(code)
    if claim.negated or claim.all_leads:
        if failing:
            shows = "shows" if claim.negated else "does not show"
            return Result("contradicted", evidence, f"{failing[0]} {shows} {name}")
        if open_:
            why = facts.value("st_j_mv", open_[0]).reason or "unknown"
            return Result("unverifiable", evidence, f"{name} in {open_[0]} is unknown: {why}")
        return Result("supported", evidence, f"{name} as measured in {', '.join(fitting)}")
    needed = min(2, len(signs))
    if len(fitting) >= needed:
        return Result("supported", evidence, f"{name} in {', '.join(fitting)}")
    if len(fitting) + len(open_) >= needed:
        return Result(
            "unverifiable", evidence, f"too few leads of this wall could be read for {name}"
        )
    return Result("contradicted", evidence, f"{name} shows in {len(fitting)} leads of this wall")


_NAMES = {
    "st_level": "an ST off the baseline",
    "t_turned": "a T that is not upright",
    "r_over_s": "an R larger than S",
}


def _rests_on(code: str, lead: str, facts: Facts) -> bool:
    """Whether a present finding names the lead in its evidence."""
    exact = facts.findings.get(code)
    return (
        exact is not None
        and exact.status == "present"
        and code in ("QWAVE", *BY_WALL.values(), "INVT", "STD_", "STE_", "LOWT")
        and any(item.lead == lead for item in exact.evidence)
    )
