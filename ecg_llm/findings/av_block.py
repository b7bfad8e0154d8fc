"""Conduction from the atria to the ventricles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.findings.atrial import ESCAPE_BPM, P_SEEN, P_SURE, REGULAR, RR_CHANGE, irregularity
from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, all_of, any_of, compare, fact, judge, opposite, unknown
from ecg_llm.findings.fibrillation import ESCAPE
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import BRADYCARDIA

Array = npt.NDArray[np.float64]

LONG_PR_MS, SHORT_PR_MS = 200.0, 120.0
PR_ERROR_MS = 5.0
"""By which PR may be measured wrongly: so near above its limit it is long, but no sure block."""
CODES = ("1AVB", "LPR", "short_pr", "2AVB", "mobitz_1", "mobitz_2", "av_block_2_1", "3AVB")
NO_P = "P waves could not be delineated"
SAME_P_S = 0.10
"""Onsets of P closer than this are of one P wave: none is that short."""
_STEADY_MS = 25.0


@dataclass(frozen=True, eq=False)
class _Atria:
    """P waves beside the beats: who conducted, who did not."""

    p_s: Array
    blocked_s: Array
    pr_ms: Array
    r_s: Array
    onset_s: Array
    last_pr_ms: Array

    @property
    def rr_s(self) -> Array:
        """RR intervals."""
        return np.diff(self.r_s)


def judge_av_block(case: Case, p_gate: str | None, paced: str | None) -> tuple[Finding, ...]:
    """Judge AV conduction.

    ``p_gate``: why P waves and PR cannot be judged. ``paced``: why PR may be the pacemaker's.
    """
    gate = p_gate or paced
    if gate is None and case.n_beats < 4:
        gate = f"only {case.n_beats} beats found"
    if gate:
        blocked = {code: unknown(gate) for code in CODES}
        if p_gate and not paced:
            blocked["3AVB"] = _escape(case)
        return tuple(judge(code, check) for code, check in blocked.items())
    atria = _atria(case)
    few = len(atria.p_s) < P_SEEN * case.n_beats
    if few and case.value("pr_ms") is None:  # what is not seen is neither blocked nor conducted
        unseen = {code: unknown(NO_P) for code in CODES} | {"3AVB": _escape(case)}
        return tuple(judge(code, check) for code, check in unseen.items())
    complete = _dissociated(atria)
    two_to_one = all_of(_two_to_one(atria), opposite(complete))
    dropped = all_of(_dropped(atria), opposite(complete), opposite(two_to_one))
    wenckebach = all_of(dropped, _lengthening(atria))
    mobitz = all_of(dropped, opposite(_lengthening(atria)), _constant(atria))
    long_pr = all_of(
        compare(case, "pr_ms", lambda v: v > LONG_PR_MS, f"> {LONG_PR_MS:g} ms", BRADYCARDIA),
        opposite(complete),
    )
    if wenckebach.holds and long_pr.holds:
        long_pr = unknown("PR grows from beat to beat until one is dropped")
    short = all_of(
        compare(case, "pr_ms", lambda v: v < SHORT_PR_MS, f"< {SHORT_PR_MS:g} ms", BRADYCARDIA),
        opposite(complete),
    )
    if short.holds and case.p_on_t:
        short = unknown("P begins on T, so its onset is not known")
    return (
        judge("1AVB", _first_degree(case, long_pr)),
        judge("LPR", long_pr),
        judge("short_pr", short),
        judge("2AVB", any_of(two_to_one, dropped)),
        judge("mobitz_1", wenckebach),
        judge("mobitz_2", mobitz),
        judge("av_block_2_1", two_to_one),
        judge("3AVB", complete),
    )


def _escape(case: Case) -> Check:
    """Tell complete AV block by the ventricles alone: none but with a slow and regular rhythm."""
    change = irregularity(case)
    slow = compare(
        case, "heart_rate_bpm", lambda v: v <= ESCAPE_BPM, f"≤ {ESCAPE_BPM:g} bpm", BRADYCARDIA
    )
    if slow.holds is not True:
        return slow
    if change is not None and change >= REGULAR:
        words = f"< {100 * REGULAR:g} %"
        return fact(False, RR_CHANGE, 100 * change, "%", words, BRADYCARDIA)
    return unknown(ESCAPE)


def _first_degree(case: Case, long_pr: Check) -> Check:
    """A PR beyond its limit by more than the error of measuring it."""
    pr_ms = case.value("pr_ms")
    if long_pr.holds and pr_ms is not None and pr_ms <= LONG_PR_MS + PR_ERROR_MS:
        return unknown(
            f"PR {pr_ms:.0f} ms is no further above the limit of {LONG_PR_MS:g} ms than PR may be "
            f"measured wrongly ({PR_ERROR_MS:g} ms)"
        )
    return long_pr


def _atria(case: Case) -> _Atria:
    """Match P waves with beats."""
    delineation = case.measurements.delineation
    sure = delineation.p_confidence >= P_SURE
    p_s = delineation.p_waves_s[sure, 0]
    p_on, onset = delineation.column("p_on"), delineation.column("qrs_on")
    conducting = p_on[np.isfinite(p_on)]
    on_time = _on_time(p_s)
    apart = np.abs(p_s[:, None] - conducting[None, :]).min(axis=1, initial=np.inf)
    inside = p_s > onset[np.isfinite(onset)].min(initial=np.inf)
    ectopic = np.array([kind == "ventricular" for kind in case.kinds], bool)
    # After an early ventricular beat the AV node is refractory: no block.
    after = np.searchsorted(delineation.r_s, p_s) - 1
    inside &= ~ectopic[np.clip(after, 0, None)]
    pr_ms = 1000 * (onset - p_on)
    return _Atria(
        p_s=p_s,
        blocked_s=p_s[(apart > SAME_P_S) & inside & on_time],
        pr_ms=pr_ms[np.isfinite(pr_ms)],
        r_s=delineation.r_s,
        onset_s=onset[np.isfinite(onset)],
        last_pr_ms=pr_ms,
    )


def _on_time(p_s: Array) -> npt.NDArray[np.bool_]:
    """Mark the P waves that do not come early: a blocked early P is no AV block."""
    if len(p_s) < 3:
        return np.ones(len(p_s), bool)
    pp = np.diff(p_s)
    return np.concatenate([[True], pp > 0.85 * np.median(pp)])


def _variation(values: Array) -> float:
    """Standard deviation over mean."""
    return float(values.std() / values.mean()) if len(values) else np.inf


def _dissociated(atria: _Atria) -> Check:
    """More P waves than beats, both regular, at no fixed distance."""
    if len(atria.p_s) < 4:
        return Check(False)
    pp_s, regular = _cycle(atria.p_s)
    phase = _phases(atria, pp_s)
    # Steady conduction keeps one phase; Wenckebach moves it little and makes RR irregular.
    loose = len(phase) >= 4 and abs(np.exp(2j * np.pi * phase).mean()) < 0.85
    slow_beats = np.median(atria.rr_s) > 1.15 * pp_s
    steady = _variation(atria.rr_s) < 0.10
    holds = bool(
        len(atria.blocked_s) >= 2
        and regular
        and loose
        and slow_beats
        and steady
        and np.median(atria.rr_s) > 60 / ESCAPE_BPM
    )
    first = round(float(atria.p_s[0]), 3), round(float(atria.p_s[-1]), 3)
    rate = 60 / pp_s
    words = "faster than the ventricles, at no fixed distance from the QRS"
    return fact(holds, "rate of the P waves", rate, "/min", words, BRADYCARDIA, span_s=first)


def _cycle(p_s: Array) -> tuple[float, bool]:
    """Give the atrial cycle and whether it is regular; a P hidden in QRS or T makes PP double."""
    gaps = np.diff(p_s)
    times = np.maximum(np.round(gaps / np.quantile(gaps, 0.25)), 1)
    pp_s = float(np.median(gaps / times))
    return pp_s, bool(np.median(np.abs(gaps / times - pp_s)) < 0.10 * pp_s)


def _phases(atria: _Atria, pp_s: float) -> Array:
    """Give where in the atrial cycle each QRS begins, as a share of PP."""
    before = np.searchsorted(atria.p_s, atria.onset_s) - 1
    inside = (before >= 0) & (before < len(atria.p_s))
    return np.asarray((atria.onset_s[inside] - atria.p_s[before[inside]]) / pp_s)


def _two_to_one(atria: _Atria) -> Check:
    """Every other P wave conducts, at a fixed distance."""
    beats = len(atria.pr_ms)
    holds = (
        beats >= 3
        and len(atria.blocked_s) >= 0.7 * (beats - 1)
        and len(atria.blocked_s) >= 2
        and 1.4826 * np.median(np.abs(atria.pr_ms - np.median(atria.pr_ms))) < _STEADY_MS
        and _variation(atria.rr_s) < 0.15
    )
    return _blocked_fact(atria, bool(holds), "one P wave without QRS between all beats")


def _dropped(atria: _Atria) -> Check:
    """Single P waves without QRS, in a long RR interval."""
    return _blocked_fact(atria, bool(len(_drops(atria))), "P wave without QRS in a long RR")


def _drops(atria: _Atria) -> list[int]:
    """Find the RR intervals that hold a blocked P wave and are long."""
    if not len(atria.rr_s) or not len(atria.blocked_s):
        return []
    limit = 1.3 * float(np.quantile(atria.rr_s, 0.25))  # in 3:2 block half of the RR are long
    blocked = atria.blocked_s
    return [
        k
        for k, (start, stop) in enumerate(zip(atria.r_s, atria.r_s[1:], strict=False))
        if stop - start > limit and ((blocked > start) & (blocked < stop)).any()
    ]


def _lengthening(atria: _Atria) -> Check:
    """PR is longer before the dropped beat than after it."""
    gains = [
        atria.last_pr_ms[k] - atria.last_pr_ms[k + 1]
        for k in _drops(atria)
        if k + 1 < len(atria.last_pr_ms)
    ]
    known = [gain for gain in gains if np.isfinite(gain)]
    if not known:
        return unknown("PR before and after the dropped beat could not be measured")
    gain = float(np.median(known))
    return fact(
        gain > _STEADY_MS,
        "PR before the dropped beat minus PR after it",
        gain,
        "ms",
        f"> {_STEADY_MS:g} ms",
        BRADYCARDIA,
    )


def _constant(atria: _Atria) -> Check:
    """PR is the same in all conducted beats."""
    if len(atria.pr_ms) < 3:
        return unknown("fewer than three PR intervals")
    spread = float(np.ptp(atria.pr_ms))
    words = f"≤ {2 * _STEADY_MS:g} ms"
    return fact(spread <= 2 * _STEADY_MS, "range of PR", spread, "ms", words, BRADYCARDIA)


def _blocked_fact(atria: _Atria, holds: bool, words: str) -> Check:
    """Report the P waves without QRS."""
    span: tuple[float | None, float | None] = (None, None)
    if len(atria.blocked_s):
        first = float(atria.blocked_s[0])
        span = (round(first, 3), round(first + 0.1, 3))
    n = float(len(atria.blocked_s))
    return fact(holds, "P waves without QRS", n, "", words, BRADYCARDIA, span_s=span)
