"""Bundle branch and fascicular blocks, pre-excitation and the frontal axis."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import (
    Check,
    all_of,
    any_of,
    at_least,
    at_most,
    below,
    compare,
    judge,
    left_open,
    opposite,
    outweighs,
    unknown,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import CONDUCTION, FASCICLES, OWN

WIDE_MS = 120.0
POISONED_MS = 180.0
"""A QRS as wide as this, shaped as in neither bundle branch block and not paced, is seen with much
potassium and with drugs that block the sodium channel: none of 1,940 records has one."""
QRS_ERROR_MS = 5.0
"""By which a QRS may be measured wrongly."""
BLOCKS = ("CLBBB", "CRBBB", "IVCD")
"""What a QRS of 120 ms and more is called by its shape."""
NAMED_WIDE = (
    *(*BLOCKS, "WPW", "PACE", "ventricular_pacing"),
    *("wide_qrs_tachycardia", "idioventricular_rhythm"),
)
"""What names a wide QRS."""
_QRS = "qrs_global_ms"
_LATERAL = ("I", "V6")
_SMALL_R2, _TERMINAL_R = (0.05, 14.0), (0.1, 25.0)
"""Height in mV and width in ms of an R', and of one as wide as a terminal delay."""


@dataclass(frozen=True)
class Conduction:
    """What the later criteria need to know of the ventricular conduction.

    Attributes
    ----------
    findings : tuple of Finding
        All statements on conduction within the ventricles and on the axis.
    left_block, right_block, preexcited, wide : bool or None
        Complete left or right bundle branch block, pre-excitation, QRS of 120 ms or more.
    """

    findings: tuple[Finding, ...]
    left_block: bool | None
    right_block: bool | None
    preexcited: bool | None
    wide: bool | None


def judge_conduction(
    case: Case, gate: str | None, has_p: bool, maybe_paced: bool = False
) -> Conduction:
    """Judge bundle branch blocks, fascicular blocks, pre-excitation and axis.

    ``gate``: why the conduction within the ventricles cannot be judged (pacing …). ``has_p``:
    whether P waves go before the QRS complexes. ``maybe_paced``: whether pacing spikes may be there
    unseen.
    """
    wide = at_least(case, _QRS, WIDE_MS, CONDUCTION)
    if gate:
        codes = ("CLBBB", "CRBBB", "ILBBB", "IRBBB", "IVCD", "LAFB", "LPFB", "WPW")
        return Conduction(left_open(codes, gate) + _axis(case), None, None, None, wide.holds)
    right, left = _right_shape(case), _left_shape(case)
    delta = _delta(case) if has_p else unknown("no P wave goes before the QRS complexes")
    not_delta = Check(True) if delta.holds is None else opposite(delta)
    complete_ms = _complete_ms(case.record.age_years)
    complete = at_least(case, _QRS, complete_ms, CONDUCTION)
    crbbb = all_of(complete, right, not_delta)
    clbbb = all_of(complete, left, opposite(right), not_delta)
    ivcd = all_of(wide, opposite(right), opposite(left), not_delta)
    poisoned = at_least(case, _QRS, POISONED_MS, OWN).holds and not maybe_paced
    less = below(case, _QRS, complete_ms, CONDUCTION)
    irbbb = all_of(less, _incomplete_right(case, min(90.0, complete_ms - 10)))
    slightly = at_least(case, _QRS, complete_ms - 10, CONDUCTION)
    ilbbb = all_of(all_of(slightly, less), left, opposite(right))
    narrow = below(case, _QRS, WIDE_MS + 10, CONDUCTION)
    findings = (
        judge("CLBBB", clbbb),
        judge("CRBBB", crbbb),
        judge("ILBBB", ilbbb),
        judge("IRBBB", irbbb),
        judge("IVCD", ivcd, "urgent" if poisoned else None),
        judge("LAFB", all_of(_anterior_fascicle(case), opposite(clbbb), opposite(ilbbb))),
        judge("LPFB", all_of(_posterior_fascicle(case), any_of(narrow, crbbb))),
        judge("WPW", delta),
    )
    return Conduction(findings + _axis(case), clbbb.holds, crbbb.holds, delta.holds, wide.holds)


def _complete_ms(years: float | None) -> float:
    """Give the QRS from which a bundle branch block is complete: less in children."""
    if years is None or years >= 16:
        return WIDE_MS
    return 100.0 if years >= 4 else 90.0


def _right_shape(case: Case) -> Check:
    """The QRS shape of right bundle branch block."""
    late_r = [
        all_of(
            compare(case, "r_peak_ms", lambda v: v > 50, "> 50 ms", CONDUCTION, lead),
            at_least(case, "qrs_max_mv", 0.2, CONDUCTION, lead),
            _upward(case, lead),
        )
        for lead in ("V1", "V2")
    ]
    second_r = [_second_r(case, lead, *_TERMINAL_R) for lead in ("V1", "V2")]
    terminal_r = any_of(*second_r, *late_r)
    return all_of(terminal_r, any_of(_slurred_s(case, "I"), _slurred_s(case, "V6")))


def _second_r(case: Case, lead: str, mv: float, ms: float) -> Check:
    """An R' of some height and width."""
    return all_of(
        at_least(case, "r2_mv", mv, CONDUCTION, lead),
        at_least(case, "r2_ms", ms, CONDUCTION, lead),
    )


def _slurred_s(case: Case, lead: str) -> Check:
    """S longer than R, or than 40 ms."""
    r_ms = case.value("r_ms", lead) or 0.0
    return compare(
        case,
        "s_ms",
        lambda v: v > min(r_ms, 40.0) and v > 0,
        "longer than R, or > 40 ms",
        CONDUCTION,
        lead,
    )


def _upward(case: Case, lead: str) -> Check:
    """A QRS that points up rather than down."""
    return outweighs(case, "qrs_max_mv", "qrs_min_mv", CONDUCTION, lead)


def _incomplete_right(case: Case, least_ms: float) -> Check:
    """The shape of incomplete right bundle branch block: an R' in V1 with a terminal S in I or V6.

    A small r' after a deep S, without the S in the lateral leads, is normal.
    """
    return all_of(
        at_least(case, _QRS, least_ms, CONDUCTION),
        _second_r(case, "V1", *_SMALL_R2),
        any_of(*(at_most(case, "s_mv", -0.1, CONDUCTION, lead) for lead in ("V6", "I"))),
    )


def _left_shape(case: Case) -> Check:
    """The QRS shape of left bundle branch block."""
    down = outweighs(case, "qrs_min_mv", "qrs_max_mv", CONDUCTION, "V1", factor=2)
    late = any_of(
        *(
            compare(case, "r_peak_ms", lambda v: v >= 60, "≥ 60 ms", CONDUCTION, lead)
            for lead in ("V5", "V6")
        )
    )
    upright = any_of(*(_upward(case, lead) for lead in _LATERAL))
    no_q = all_of(*(_no_q(case, lead) for lead in _LATERAL))
    return all_of(down, late, upright, no_q)


def _no_q(case: Case, lead: str) -> Check:
    """No q wave beyond a trace."""
    return compare(case, "q_mv", lambda v: v > -0.06, "no q wave", CONDUCTION, lead)


def _anterior_fascicle(case: Case) -> Check:
    """Left anterior fascicular block, without its limit of the QRS width.

    The axis limit of the source, -45°, less 5° for the error of measuring it; from -30° on if
    rS in II, III and aVF and qR in aVL with a late R show the same course of activation.
    """
    axis = compare(
        case, "qrs_axis_deg", lambda v: -95 <= v <= -40, "between -45° and -90°, ± 5°", CONDUCTION
    )
    down = [outweighs(case, "qrs_min_mv", "qrs_max_mv", CONDUCTION, x) for x in ("II", "III")]
    up = [_upward(case, lead) for lead in ("I", "aVL")]
    typical = all_of(
        compare(case, "qrs_axis_deg", lambda v: -40 < v <= -30, "-30° to -40°", OWN),
        *(at_least(case, "r_mv", 0.03, FASCICLES, lead) for lead in ("II", "III", "aVF")),
        outweighs(case, "qrs_min_mv", "qrs_max_mv", FASCICLES, "aVF"),
        at_most(case, "q_mv", -0.02, FASCICLES, "aVL"),
        at_least(case, "r_peak_ms", 40, OWN, "aVL"),
    )
    return all_of(any_of(axis, typical), *down, any_of(*up))


def _posterior_fascicle(case: Case) -> Check:
    """Left posterior fascicular block, without its limit of the QRS width."""
    axis = compare(
        case, "qrs_axis_deg", lambda v: 90 <= v <= 180, "between 90° and 180°", CONDUCTION
    )
    return all_of(
        axis,
        outweighs(case, "qrs_min_mv", "qrs_max_mv", CONDUCTION, "I"),
        compare(case, "q_mv", lambda v: v <= -0.02, "qR", CONDUCTION, "III"),
        compare(case, "q_mv", lambda v: v <= -0.02, "qR", CONDUCTION, "aVF"),
    )


def _delta(case: Case) -> Check:
    """Pre-excitation: short PR, slow start of the QRS and a wide QRS."""
    slow = [
        all_of(
            at_most(case, "slur", 0.22, CONDUCTION, lead),
            at_least(case, "qrs_max_mv", 0.4, CONDUCTION, lead),
            compare(case, "q_mv", lambda v: v > -0.05, "no q wave", CONDUCTION, lead),
        )
        for lead in ("I", "II", "V4", "V5", "V6")
    ]
    known = [check for check in slow if check.holds is not None]
    if len(known) < 3:
        return unknown("too few leads to look for a delta wave")
    share = sum(bool(check.holds) for check in known)
    shown = next((check for check in known if check.holds), known[0])
    return all_of(
        below(case, "pr_ms", 120, CONDUCTION),
        at_least(case, _QRS, 110, CONDUCTION),
        Check(share >= 2, shown.evidence),
    )


def _axis(case: Case) -> tuple[Finding, ...]:
    """Left, right and extreme axis deviation."""
    right_limit = 90.0 if case.adult else 120.0
    ranges = {
        "left_axis": (lambda v: -90 <= v < -30, "between -30° and -90°"),
        "right_axis": (lambda v: right_limit < v <= 180, f"between {right_limit:g}° and 180°"),
        "extreme_axis": (lambda v: v < -90, "between -90° and -180°"),
    }
    return tuple(
        judge(code, compare(case, "qrs_axis_deg", rule, words, CONDUCTION))
        for code, (rule, words) in ranges.items()
    )
