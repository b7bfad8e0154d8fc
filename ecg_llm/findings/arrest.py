"""Beats that fail to come: pauses, asystole, ventricular fibrillation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, fact, judge, unknown
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import BRADYCARDIA, VENTRICULAR
from ecg_llm.signal import standstills

Array = npt.NDArray[np.float64]

LENGTHENED, STEADY = 1.25, 0.08
"""An RR so much longer than the usual one is no part of it, where all others lie within that share
of each other."""
PAUSE_S, LONG_PAUSE_S = 2.0, 3.0
AFTER_BEAT_S, BEFORE_BEAT_S = 0.5, 0.3
"""What T of the beat before and P of the next one take of a time without beats."""
LEAST_WAVES_MV, SHARE_OF_WAVES = 0.06, 0.7
"""Standard deviation, and share of the power from 1.5 to 9 Hz, from which waves without QRS are a
fibrillation of the ventricles: at least 0.12 mV and 0.93 in 47 simulated ones, at most 0.20 mV and
0.26 in 60 pauses and flat lines."""
MIN_USUAL = 4
"""Intervals that show what is usual."""
SUDDEN = (
    "RR lengthens at once in a steady rhythm, as after a premature atrial beat that is not "
    "conducted, or in a short sinus pause"
)
STANDS_STILL = "all leads stand still to the digit in it, as where a recording drops out"


def asystole_or_vf(case: Case) -> Check:
    """Check for the lack of QRS complexes: a flat line, or waves without beats."""
    leads = case.measurements.delineation.leads
    length = case.measurements.to_s - case.measurements.from_s
    if not leads or length < 3:
        return unknown("no lead, or too short a stretch, could be read")
    if case.n_beats >= 2 and (waves := _waves_instead(case)) is not None:
        return waves
    if case.n_beats >= max(3, length / 4):
        chaotic = _chaotic(case)
        return fact(
            chaotic, "beats of one shape", "none" if chaotic else "found", "", "none", VENTRICULAR
        )
    signal = case.record.select(leads).signal
    size = float(np.nanmedian(np.nanstd(signal, axis=1)))
    kind = "flat line" if size < 0.05 else "waves without QRS complexes"
    return fact(
        case.n_beats < 2,
        "QRS complexes found",
        float(case.n_beats),
        "",
        f"none or one in {length:.0f} s ({kind})",
        VENTRICULAR,
        span_s=(case.measurements.from_s, round(case.measurements.to_s, 3)),
    )


def _without_beat(case: Case) -> tuple[float, float]:
    """Find the longest time without a beat, also before the first and behind the last.

    Where all leads stand still to the digit at an end, the recording has ended, not the beats.
    """
    known = case.measurements
    r_s = known.delineation.r_s
    still = standstills(case.record.signal, case.record.fs)
    first = max([known.from_s, *(end for begin, end in still if begin < r_s[0])])
    last = min([known.to_s, *(begin for begin, end in still if end > r_s[-1])])
    times = np.sort([first, *r_s, last])
    k = int(np.argmax(np.diff(times)))
    return float(times[k]), float(times[k + 1])


def _waves_instead(case: Case) -> Check | None:
    """Waves in the place of QRS complexes, for as long as in ventricular fibrillation."""
    begin, end = _without_beat(case)
    fs = case.record.fs
    first, last = round((begin + AFTER_BEAT_S) * fs), round((end - BEFORE_BEAT_S) * fs)
    if end - begin < LONG_PAUSE_S:
        return None
    rows = np.nan_to_num(case.record.select(case.measurements.delineation.leads).signal)
    rows = rows[:, first:last] - rows[:, first:last].mean(axis=1, keepdims=True)
    hz, power = _spectrum(rows, fs)
    share = power[(hz >= 1.5) & (hz <= 9)].sum() / (power[(hz >= 0.7) & (hz <= 40)].sum() + 1e-12)
    if np.median(rows.std(axis=1)) < LEAST_WAVES_MV or share < SHARE_OF_WAVES:
        return None
    return fact(
        True,
        "time without a QRS complex",
        end - begin,
        "s",
        f"> {LONG_PAUSE_S:g} s, with waves of 1.5 to 9 Hz",
        VENTRICULAR,
        span_s=(round(begin, 3), round(end, 3)),
    )


def _spectrum(rows: npt.NDArray[np.float32], fs: float) -> tuple[Array, Array]:
    """Give the mean power of some rows, and at which frequencies."""
    power = (np.abs(np.fft.rfft(rows * np.hanning(rows.shape[1]), axis=1)) ** 2).mean(axis=0)
    return np.asarray(np.fft.rfftfreq(rows.shape[1], 1 / fs)), np.asarray(power)


def _chaotic(case: Case) -> bool:
    """Fast waves of one narrow band whose complexes do not resemble each other."""
    from ecg_llm.beats import group_shapes, similarity

    groups = group_shapes(similarity(case.windows))
    if (groups == 0).sum() > 0.4 * max((groups >= 0).sum(), 1):
        return False
    rows = np.nan_to_num(case.record.select(case.measurements.delineation.leads).signal)
    rows = rows - rows.mean(axis=1, keepdims=True)
    hz, power = _spectrum(rows, case.record.fs)
    band = (hz >= 1.5) & (hz <= 40)
    main = float(hz[band][np.argmax(power[band])])
    near = band & (np.abs(hz - main) < 1.2)
    return bool(2.5 <= main <= 9 and power[near].sum() > 0.6 * power[band].sum())


def judge_pauses(case: Case) -> tuple[Finding, ...]:
    """Judge the longest RR interval, or time without a beat at an end of the recording."""
    span = _without_beat(case)
    longest = span[1] - span[0]
    between = set(span) <= set(case.measurements.delineation.r_s.tolist())
    what = "longest RR" if between else "time without a beat at an end of the recording"
    stretches = standstills(case.record.signal, case.record.fs)
    still = any(begin < span[1] and end > span[0] for begin, end in stretches)
    found = []
    for code, limit in (("pause", PAUSE_S), ("long_pause", LONG_PAUSE_S)):
        rule = f"> {limit:g} s"
        shown = round(span[0], 3), round(span[1], 3)
        check = fact(longest > limit, what, longest, "s", rule, BRADYCARDIA, span_s=shown)
        finding = judge(code, check)
        found.append(replace(finding, doubt=STANDS_STILL) if still and check.holds else finding)
    return tuple(found)


def sudden_pauses(case: Case) -> Check:
    """Check for single long RR intervals in a rhythm that is steady otherwise.

    Does not hold with fewer than four intervals of the usual length.
    """
    r_s = case.measurements.delineation.r_s
    kept = np.array([kind != "ventricular" for kind in case.kinds], bool)
    first = np.flatnonzero(kept[1:] & kept[:-1])
    rr = np.diff(r_s)[first]
    usual = float(np.median(rr)) if len(rr) else np.inf
    long = rr > LENGTHENED * usual
    enough = max(MIN_USUAL, 2 * int(long.sum()))  # in bigeminy half are long
    if not long.any() or (~long).sum() < enough or np.ptp(rr[~long]) > STEADY * usual:
        return Check(False)
    k = int(first[np.argmax(rr)])
    return fact(
        True,
        "longest RR beside the usual one",
        100 * float(rr.max()) / usual,
        "%",
        f"> {100 * LENGTHENED:g} %, all others alike",
        BRADYCARDIA,
        span_s=(round(float(r_s[k]), 3), round(float(r_s[k + 1]), 3)),
    )
