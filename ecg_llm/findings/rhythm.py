"""The basic rhythm: what drives the heart, how fast, how regularly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ecg_llm.findings.arrest import asystole_or_vf, judge_pauses, sudden_pauses
from ecg_llm.findings.atrial import (
    P_MOSTLY,
    P_REPEATS,
    P_SEEN,
    REGULAR,
    RR_CHANGE,
    AtrialActivity,
    atrial_activity,
)
from ecg_llm.findings.case import LABELS, Case
from ecg_llm.findings.checks import (
    Check,
    all_of,
    any_of,
    at_least,
    below,
    compare,
    fact,
    judge,
    left_open,
    opposite,
    unknown,
)
from ecg_llm.findings.conduction import WIDE_MS
from ecg_llm.findings.fibrillation import (
    ESCAPE,
    LOOK_ALIKE,
    P_BEFORE_QRS,
    P_REPETITION,
    T_MEETS_P_BPM,
    check_fibrillation,
    check_flutter,
    with_probability,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.pacing import Pacing
from ecg_llm.findings.sources import (
    BRADYCARDIA,
    CONDUCTION,
    FAST_ADULT,
    FAST_CHILD,
    SINUS_LIMIT,
    TACHYCARDIA,
    TEXTBOOK,
)

MIN_BEATS, MIN_RHYTHM_S = 4, 5.0
"""Fewer beats, or a shorter stretch, do not make a rhythm."""
SLOW_BPM, FAST_BPM = 50.0, 100.0
EXTREME_SLOW_BPM, EXTREME_FAST_BPM = 40.0, 150.0
ABSOLUTELY_IRREGULAR = 0.15
"""Standard deviation of RR over their mean from which a wide tachycardia that fibrillation drives
is no ventricular one."""
SINUS_ARRHYTHMIA_MS = 160.0
ECTOPIC_P = "the P waves do not point as those of the sinus node"
P_ON_T = "P lies on T, so its direction is not known"
BEYOND_NODE_BPM = 180.0
"""Rate above which a wide tachycardia is not taken for fibrillation with a bundle branch block."""
NO_BEATS = "no organized beats"


@dataclass(frozen=True)
class Rhythm:
    """The rhythm and what it means for the other criteria.

    Attributes
    ----------
    findings : tuple of Finding
        All statements on the rhythm.
    fibrillation, flutter, sinus : bool or None
        Which rhythm it is.
    p_gate : str or None
        Why P waves and PR cannot be judged.
    ventricular : bool
        Whether the beats come from the ventricles.
    """

    findings: tuple[Finding, ...]
    fibrillation: bool | None
    flutter: bool | None
    sinus: bool | None
    p_gate: str | None
    ventricular: bool = False


def judge_rhythm(case: Case, pacing: Pacing) -> Rhythm:
    """Judge the basic rhythm."""
    silent = asystole_or_vf(case)
    rates = _extreme_rates(case)
    short = _too_short(case)
    if silent.holds or short:
        reason = NO_BEATS if silent.holds else short
        counted = bool(case.n_beats) and not silent.holds
        codes = _BASIC if counted else (*_BASIC, "pause", "long_pause")
        blocked = left_open(codes, str(reason))
        blocked += judge_pauses(case) if counted else ()
        first = (judge("asystole_or_vf", silent),)
        return Rhythm(first + rates + blocked, None, None, None, reason)

    activity = atrial_activity(case)
    flutter = check_flutter(case, activity)
    fibrillation = all_of(check_fibrillation(activity, case), opposite(flutter))
    if pacing.gate and not pacing.atrial.holds and flutter.holds is not True:
        fibrillation = _when_paced(fibrillation, activity, pacing.gate)
    sinus = all_of(
        _sinus_p(case, activity),
        Check(True) if fibrillation.holds is None else opposite(fibrillation),
        opposite(flutter),
        Check(True) if pacing.atrial.holds is None else opposite(pacing.atrial),
    )
    driven = pacing.ventricular.holds is True and not sinus.holds
    fast, wide = _faster(case, FAST_BPM), at_least(case, "qrs_global_ms", WIDE_MS, CONDUCTION)
    regular = _regular(activity)
    sinus, supraventricular = _narrow_tachycardia(
        case, all_of(fast, regular), activity, sinus, fibrillation, flutter
    )
    no_p = opposite(sinus)
    not_paced = Check(not driven)
    if pacing.gate and not pacing.ventricular.holds:
        not_paced = unknown(pacing.gate)
    irregular_af = Check(True) if fibrillation.holds is None else opposite(fibrillation)
    conducted = bool(fibrillation.holds) and (case.value("rr_cv") or 0.0) >= ABSOLUTELY_IRREGULAR
    steady = all_of(regular, Check(not conducted))
    # No AV node conducts as fast: an accessory pathway or the ventricles do, in step or not.
    wide_fast = all_of(fast, wide, no_p, not_paced, any_of(steady, _faster(case, BEYOND_NODE_BPM)))
    slow_no_p = all_of(
        no_p, irregular_af, opposite(flutter), not_paced, regular, opposite(fast), _few_p(activity)
    )
    idioventricular = all_of(slow_no_p, wide, _slower(case, 60))
    ventricular = wide_fast.holds is True or idioventricular.holds is True
    findings = (
        judge("asystole_or_vf", silent),
        *rates,
        judge("SR", sinus),
        judge("STACH", all_of(sinus, fast)),
        judge("SBRAD", all_of(sinus, below(case, "heart_rate_bpm", SLOW_BPM, BRADYCARDIA))),
        judge("SARRH", all_of(sinus, _sinus_arrhythmia(case), opposite(sudden_pauses(case)))),
        with_probability(judge("AFIB", _with_rate(case, fibrillation)), activity),
        judge("AFLT", _with_rate(case, flutter)),
        judge("SVTAC", supraventricular),
        judge("wide_qrs_tachycardia", wide_fast),
        judge("junctional_rhythm", all_of(slow_no_p, opposite(wide))),
        judge("idioventricular_rhythm", idioventricular),
        *judge_pauses(case),
    )
    p_gate = None
    visible = fibrillation.holds is None and activity.p_share >= P_SEEN
    visible = visible and fibrillation.reason != ESCAPE
    if (fibrillation.holds is not False and not visible) or flutter.holds:
        p_gate = "fast atrial waves" if flutter.holds else "no P waves that repeat"
        p_gate += " before the QRS"
        if fibrillation.holds is None and not flutter.holds:
            p_gate = fibrillation.reason
    if wide_fast.holds:
        p_gate = p_gate or "no P waves go before most of the wide QRS complexes"
    return Rhythm(findings, fibrillation.holds, flutter.holds, sinus.holds, p_gate, ventricular)


def ectopic_p(finding: Finding) -> bool:
    """Tell whether it is a sinus rhythm denied by the direction of its P waves alone."""
    quantities = {item.quantity for item in finding.evidence}
    return finding.code == "SR" and finding.status == "absent" and quantities == {_P_AXIS}


_P_AXIS = LABELS["p_axis_deg"]
_BASIC = (
    "SR",
    "STACH",
    "SBRAD",
    "SARRH",
    "AFIB",
    "AFLT",
    "SVTAC",
    "wide_qrs_tachycardia",
    "junctional_rhythm",
    "idioventricular_rhythm",
)


def _narrow_tachycardia(
    case: Case,
    fast: Check,
    activity: AtrialActivity,
    sinus: Check,
    fibrillation: Check,
    flutter: Check,
) -> tuple[Check, Check]:
    """Judge sinus rhythm anew, and supraventricular tachycardia, in a regular narrow tachycardia.

    Without P waves before the beats the rate alone tells them apart: from `_tachycardia_bpm` on it
    is taken for a supraventricular one, beyond `_sinus_limit_bpm` there is no sinus rhythm.
    """
    narrow = below(case, "qrs_global_ms", WIDE_MS, TACHYCARDIA)
    other = Check(not (fibrillation.holds or flutter.holds))
    possible = all_of(fast, narrow, opposite(sinus) if sinus.holds else Check(True), other)
    if not possible.holds:
        return sinus, possible
    years = case.record.age_years
    seen = activity.p_share >= P_MOSTLY
    if sinus.holds is False and not seen:
        limit = _sinus_limit_bpm(years)
        beyond = compare(
            case, "heart_rate_bpm", lambda v: v <= limit, f"≤ {limit:.0f}/min", SINUS_LIMIT
        )
        sinus = unknown(LOOK_ALIKE) if beyond.holds else beyond
    limit, source = _tachycardia_bpm(years)
    if _faster(case, limit, source).holds:
        return sinus, all_of(_faster(case, limit, source), narrow, _regular(activity))
    ectopic = seen and sinus.holds is False
    return sinus, unknown(ECTOPIC_P if ectopic else LOOK_ALIKE)


def _sinus_limit_bpm(years: float | None) -> float:
    """Give the rate that no sinus node exceeds at this age, of an adult of 18 if it is unknown."""
    return 208 - 0.7 * (18.0 if years is None else years)


def _tachycardia_bpm(years: float | None) -> tuple[float, str]:
    """Give the rate from which a tachycardia without P waves is hardly one of the sinus node."""
    if years is None or years >= 16:
        return EXTREME_FAST_BPM, FAST_ADULT
    return (220.0 if years < 1 else 180.0), FAST_CHILD


def _too_short(case: Case) -> str | None:
    """Say why there is no rhythm to judge."""
    if not case.measurements.delineation.leads:
        return "no lead can be read"
    length = case.measurements.to_s - case.measurements.from_s
    if length < MIN_RHYTHM_S:
        return f"{length:.1f} s are too short for a rhythm; {MIN_RHYTHM_S:g} s are needed"
    if case.n_beats < MIN_BEATS:
        return f"only {case.n_beats} beats found; {MIN_BEATS} are needed for a rhythm"
    return None


def _extreme_rates(case: Case) -> tuple[Finding, ...]:
    """Very fast and very slow ventricular rates."""
    fast = _faster(case, *_tachycardia_bpm(case.record.age_years))
    slow = _slower(case, EXTREME_SLOW_BPM)
    return judge("extreme_tachycardia", fast), judge("extreme_bradycardia", slow)


def _faster(case: Case, bpm: float, source: str = TACHYCARDIA) -> Check:
    """A ventricular rate above a limit."""
    return compare(case, "heart_rate_bpm", lambda v: v > bpm, f"> {bpm:g}/min", source)


def _slower(case: Case, bpm: float) -> Check:
    """A ventricular rate below a limit."""
    return below(case, "heart_rate_bpm", bpm, BRADYCARDIA)


def _with_rate(case: Case, check: Check) -> Check:
    """Tell a fast or slow ventricular response beside the rhythm of the atria."""
    fast, slow = _faster(case, FAST_BPM), _slower(case, SLOW_BPM)
    if not check.holds or not (fast.holds or slow.holds):
        return check
    return replace(check, evidence=check.evidence + (fast if fast.holds else slow).evidence)


def _regular(activity: AtrialActivity) -> Check:
    """RR that hardly change, apart from extra beats."""
    if activity.irregularity is None:
        return unknown("too few undisturbed beats to judge the regularity")
    return fact(
        activity.irregularity < REGULAR,
        RR_CHANGE,
        100 * activity.irregularity,
        "%",
        f"< {100 * REGULAR:g} %",
        TEXTBOOK,
    )


def _few_p(activity: AtrialActivity) -> Check:
    """Hardly any P waves, and nothing before the QRS that repeats."""
    if activity.p_share < 0.3 and (activity.p_coherence or 0.0) > 0.4:
        return unknown("something before the QRS repeats, but no P wave could be delineated")
    return fact(
        activity.p_share < 0.3,
        P_BEFORE_QRS,
        float(activity.n_with_p),
        f"of {activity.n_judged}",
        "< 30 % of the beats",
        TEXTBOOK,
    )


def _when_paced(check: Check, activity: AtrialActivity, paced: str) -> Check:
    """With ventricular pacing RR tells nothing of the atria, be it regular or not."""
    if check.holds or activity.p_share < P_SEEN:
        return unknown(f"{paced}, so RR does not show the rhythm of the atria")
    return check


def _sinus_p(case: Case, activity: AtrialActivity) -> Check:
    """P waves of sinus direction before the QRS complexes."""
    coherence = activity.p_coherence or 0.0
    atrial, ventricular = case.value("atrial_rate_bpm"), case.value("heart_rate_bpm") or 0.0
    apart = atrial is not None and abs(atrial - ventricular) > 0.12 * ventricular
    if apart or "paced" in case.kinds or ventricular > T_MEETS_P_BPM:
        coherence = 0.0  # what repeats is then not what leads to the beat, but the T before it
    if activity.p_share < P_MOSTLY and P_REPEATS > coherence > 0.45:
        return unknown("something before the QRS repeats, but P waves could not be delineated")
    share = any_of(
        fact(
            activity.p_share >= P_MOSTLY,
            P_BEFORE_QRS,
            float(activity.n_with_p),
            f"of {activity.n_judged}",
            f"≥ {100 * P_MOSTLY:g} % of the beats",
            TEXTBOOK,
        ),
        fact(
            coherence >= P_REPEATS,
            P_REPETITION,
            activity.p_coherence,
            "",
            f"≥ {P_REPEATS:g}",
            TEXTBOOK,
        ),
    )
    axis = case.value("p_axis_deg")
    if axis is not None:
        direction = compare(
            case, "p_axis_deg", lambda v: -30 <= v <= 105, "between -30° and 105°", TEXTBOOK
        )
    else:
        upright = [
            compare(case, "p_mv", lambda v: v > 0, "upright", TEXTBOOK, lead)
            for lead in ("II", "I", "aVF", "V5", "V6")
            if case.value("p_mv", lead) is not None
        ]
        direction = any_of(*upright) if upright else share
    doubtful = not direction.holds or (axis is None and ventricular > T_MEETS_P_BPM)
    if doubtful and case.p_on_t:
        direction = unknown(P_ON_T)
    return all_of(share, direction)


def _sinus_arrhythmia(case: Case) -> Check:
    """RR of normal beats that lie far apart."""
    beats = case.measurements.beats
    rr = [1000 * (b.r_s - a.r_s) for a, b in pairwise(beats) if a.kind == b.kind == "normal"]
    if len(rr) < MIN_BEATS - 1:
        return unknown("too few normal beats in a row")
    span = float(np.quantile(rr, 0.95) - np.quantile(rr, 0.05))
    return fact(
        span > SINUS_ARRHYTHMIA_MS,
        "range of RR between normal beats",
        span,
        "ms",
        f"> {SINUS_ARRHYTHMIA_MS:g} ms",
        TEXTBOOK,
    )
