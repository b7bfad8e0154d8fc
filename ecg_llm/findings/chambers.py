"""Atrial enlargement, ventricular hypertrophy and low voltage."""

from __future__ import annotations

from ecg_llm.findings.case import Case, by_sex
from ecg_llm.findings.checks import (
    Check,
    all_of,
    any_of,
    at_least,
    at_least_n,
    at_most,
    compare,
    fact,
    judge,
    outweighs,
    unknown,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import CHAMBERS, CORNELL, PEGUERO, ROMHILT, SOKOLOW, TEXTBOOK
from ecg_llm.leads import LIMB_LEADS, PRECORDIAL_LEADS

_CORNELL_MV, _PEGUERO_MV = by_sex(2.8, 2.0), by_sex(2.8, 2.3)
ROMHILT_ESTES_POINTS = 5
YOUNG_YEARS = 35.0
FASCICULAR_AXIS_DEG = -30.0


def judge_chambers(
    case: Case,
    ventricular_gate: str | None,
    atrial_gate: str | None,
    *,
    right_block: bool = False,
) -> tuple[Finding, ...]:
    """Judge enlargement and hypertrophy.

    ``ventricular_gate``: why hypertrophy cannot be judged (left bundle branch block, pacing …).
    ``atrial_gate``: why P waves cannot be judged (atrial fibrillation …). ``right_block``: whether
    the QRS is shaped as in complete right bundle branch block, whose late R in V1 is no sign of the
    right ventricle's size.
    """
    left_atrium, right_atrium = _left_atrium(case), _right_atrium(case)
    if atrial_gate:
        left_atrium = right_atrium = unknown(atrial_gate)
    if ventricular_gate:
        voltage = strength = right = strain = unknown(ventricular_gate)
    else:
        sokolow, cornell, r_avl, peguero = voltage_criteria(case)
        voltage = any_of(sokolow, cornell, r_avl)
        strain = lateral_strain(case)
        strength = any_of(
            sokolow,
            _romhilt_estes(case, left_atrium.holds),
            all_of(cornell, peguero),
            all_of(voltage, strain),
        )
        strain = all_of(voltage, strain)
        right = _right_ventricle(case)
        if right_block and right.holds:
            right = unknown(
                "a late R as in right bundle branch block tells nothing of the right ventricle"
            )
    return (
        judge("LAO/LAE", left_atrium),
        judge("RAO/RAE", right_atrium),
        judge("LVH", strength),
        judge("VCLVH", voltage),
        judge("lv_strain", strain),
        judge("RVH", right),
        judge("LVOLT", _low_voltage(case)),
    )


def sum_of(case: Case, parts: tuple[tuple[str, str], ...]) -> tuple[float | None, str]:
    """Add up heights of QRS deflections.

    ``parts``: what to add; downward deflections count as positive. Gives the sum in mV, or None and
    why it is missing.
    """
    total = 0.0
    for lead, name in parts:
        height = case.value(name, lead)
        if height is None:
            return None, case.reason(name, lead)
        total += abs(height)
    return total, ""


def _voltage(
    case: Case,
    quantity: str,
    parts: tuple[tuple[str, str], ...],
    limits: tuple[float, float],
    source: str,
) -> Check:
    """Hold a sum of deflections against a limit that may be a range (age or sex not known)."""
    total, reason = sum_of(case, parts)
    if total is None:
        return unknown(reason)
    lead = parts[0][0]
    span = case.span("qrs_max_mv", lead)
    low, high = limits
    if low <= total < high:
        return unknown(f"{quantity} {total:.2f} mV: the limit depends on sex, which is not given")
    words = f"≥ {high:g} mV"
    return fact(total >= high, quantity, total, "mV", words, source, lead=lead, span_s=span)


def voltage_criteria(case: Case) -> tuple[Check, Check, Check, Check]:
    """Hold the record against the voltage criteria of left ventricular hypertrophy.

    Sokolow-Lyon (not below 35 years), Cornell and R in aVL (not with the axis of a left anterior
    fascicular block, which heightens R in aVL), Peguero-Lo Presti.
    """
    lateral = max(("V5", "V6"), key=lambda lead: case.value("qrs_max_mv", lead) or -1.0)
    deepest = max(PRECORDIAL_LEADS, key=lambda lead: -(case.value("qrs_min_mv", lead) or 0.0))
    sokolow = _voltage(
        case,
        f"S in V1 + R in {lateral}",
        (("V1", "qrs_min_mv"), (lateral, "qrs_max_mv")),
        (3.5, 3.5),
        SOKOLOW,
    )
    cornell = _voltage(
        case,
        "R in aVL + S in V3",
        (("aVL", "qrs_max_mv"), ("V3", "qrs_min_mv")),
        case.limits(_CORNELL_MV),
        CORNELL,
    )
    peguero = _voltage(
        case,
        f"deepest S (in {deepest}) + S in V4",
        ((deepest, "qrs_min_mv"), ("V4", "qrs_min_mv")),
        case.limits(_PEGUERO_MV),
        PEGUERO,
    )
    r_avl = _voltage(case, "R in aVL", (("aVL", "qrs_max_mv"),), (1.1, 1.1), SOKOLOW)
    if case.record.age_years is not None and case.record.age_years < YOUNG_YEARS:
        words = f"{YOUNG_YEARS:g} years or older"
        young = fact(False, "age", case.record.age_years, "years", words, CHAMBERS)
        sokolow = all_of(sokolow, young)
    axis = case.value("qrs_axis_deg")
    if axis is not None and axis <= FASCICULAR_AXIS_DEG:
        left = fact(False, "QRS axis", axis, "deg", f"> {FASCICULAR_AXIS_DEG:g}°", CHAMBERS)
        cornell, r_avl = all_of(cornell, left), all_of(r_avl, left)
    return sokolow, cornell, r_avl, peguero


def lateral_strain(case: Case) -> Check:
    """Look for ST depression with an inverted T against a tall R in the lateral leads."""
    return at_least_n(
        2,
        *(
            all_of(
                at_most(case, "st_j60_mv", -0.04, CHAMBERS, lead),
                at_most(case, "t_neg_mv", -0.05, CHAMBERS, lead),
                at_least(case, "qrs_max_mv", 0.5, CHAMBERS, lead),
            )
            for lead in ("I", "aVL", "V5", "V6")
        ),
    )


def _romhilt_estes(case: Case, left_atrium: bool | None) -> Check:
    """Count the points of Romhilt and Estes; without any for voltage the rest proves nothing."""
    limb = [abs(case.value(n, lead) or 0.0) for lead in LIMB_LEADS for n in _DEFLECTIONS]
    s_right = [abs(case.value("qrs_min_mv", lead) or 0.0) for lead in ("V1", "V2")]
    r_left = [case.value("qrs_max_mv", lead) or 0.0 for lead in ("V5", "V6")]
    for name, lead in (("qrs_max_mv", "V5"), ("qrs_min_mv", "V1")):
        if case.value(name, lead) is None:
            return unknown(case.reason(name, lead))
    points = 3 * (max(limb) >= 2.0 or max(s_right) >= 3.0 or max(r_left) >= 3.0)
    if not points:
        words = "limb lead ≥ 2 mV, S in V1 or V2 ≥ 3 mV, or R in V5 or V6 ≥ 3 mV"
        return fact(False, "largest deflection", max(*limb, *r_left), "mV", words, ROMHILT)
    points += 3 * bool(lateral_strain(case).holds)
    points += 3 * bool(left_atrium)
    axis, qrs = case.value("qrs_axis_deg"), case.value("qrs_global_ms")
    points += 2 * (axis is not None and axis <= -30)
    points += qrs is not None and qrs >= 95
    late = [case.value("r_peak_ms", lead) or 0.0 for lead in ("V5", "V6")]
    points += max(late) >= 50
    words = f"≥ {ROMHILT_ESTES_POINTS} points"
    return fact(
        points >= ROMHILT_ESTES_POINTS,
        "Romhilt-Estes score",
        float(points),
        "points",
        words,
        ROMHILT,
    )


_DEFLECTIONS = ("qrs_max_mv", "qrs_min_mv")


def _left_atrium(case: Case) -> Check:
    """A wide P with a large negative end in V1."""
    force = at_most(case, "p_terminal_mv_ms", -4.0, CHAMBERS, "V1")
    return all_of(force, at_least(case, "p_global_ms", 120, CHAMBERS))


def _right_atrium(case: Case) -> Check:
    """A tall P in the inferior leads or V1."""
    return any_of(
        *(at_least(case, "p_pos_mv", 0.25, CHAMBERS, lead) for lead in ("II", "aVF")),
        at_least(case, "p_pos_mv", 0.15, CHAMBERS, "V1"),
    )


def _right_ventricle(case: Case) -> Check:
    """A tall R on the right with an axis to the right."""
    dominant = all_of(
        at_least(case, "qrs_max_mv", 0.5, CHAMBERS, "V1"),
        outweighs(case, "qrs_max_mv", "qrs_min_mv", CHAMBERS, "V1"),
    )
    total = _voltage(
        case,
        "R in V1 + S in V5",
        (("V1", "qrs_max_mv"), ("V5", "qrs_min_mv")),
        (1.05, 1.05),
        CHAMBERS,
    )
    axis = compare(case, "qrs_axis_deg", lambda v: v > 90 or v < -90, "> 90°", CHAMBERS)
    return all_of(axis, any_of(dominant, total))


def _low_voltage(case: Case) -> Check:
    """All limb leads, peak to peak, at most 0.5 mV."""
    checks = []
    for lead in LIMB_LEADS:
        total, reason = sum_of(case, ((lead, "qrs_max_mv"), (lead, "qrs_min_mv")))
        if total is None:
            checks.append(unknown(reason))
            continue
        span = case.span("qrs_max_mv", lead)
        checks.append(
            fact(
                total <= 0.5,
                "QRS peak to peak",
                total,
                "mV",
                "≤ 0.5 mV in every limb lead",
                TEXTBOOK,
                lead=lead,
                span_s=span,
            )
        )
    return all_of(*checks)
