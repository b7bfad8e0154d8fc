"""Beats that fail to come: pauses, asystole, ventricular fibrillation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, fact, judge, unknown
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import BRADYCARDIA, VENTRICULAR
from ecg_llm.signal import standstills

LENGTHENED, STEADY = 1.25, 0.08
"""An RR so much longer than the usual one is no part of it, where all others lie within that share
of each other."""
MIN_USUAL = 4
"""Intervals that show what is usual."""
SUDDEN = (
    "RR lengthens at once in a steady rhythm, as after a premature atrial beat that is not "
    "conducted, or in a short sinus pause"
)
STANDS_STILL = "all leads stand still to the digit in it, as where a recording drops out"


def asystole_or_vf(case: Case) -> Check:
    """Check for the lack of QRS complexes: a flat line, or waves without beats.

    Parameters
    ----------
    case : Case
        The measured record.

    Returns
    -------
    Check
    """
    leads = case.measurements.delineation.leads
    length = case.measurements.to_s - case.measurements.from_s
    if not leads or length < 3:
        return unknown("no lead, or too short a stretch, could be read")
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


def _chaotic(case: Case) -> bool:
    """Fast waves of one narrow band whose complexes do not resemble each other."""
    from ecg_llm.beats import group_shapes, similarity

    groups = group_shapes(similarity(case.windows))
    if (groups == 0).sum() > 0.4 * max((groups >= 0).sum(), 1):
        return False
    rows = np.nan_to_num(case.record.select(case.measurements.delineation.leads).signal)
    rows = rows - rows.mean(axis=1, keepdims=True)
    power = (np.abs(np.fft.rfft(rows * np.hanning(rows.shape[1]), axis=1)) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(rows.shape[1], 1 / case.record.fs)
    band = (hz >= 1.5) & (hz <= 40)
    main = float(hz[band][np.argmax(power[band])])
    near = band & (np.abs(hz - main) < 1.2)
    return bool(2.5 <= main <= 9 and power[near].sum() > 0.6 * power[band].sum())


def judge_pauses(case: Case) -> tuple[Finding, ...]:
    """Judge the longest RR interval.

    Parameters
    ----------
    case : Case
        The measured record.

    Returns
    -------
    tuple of Finding
    """
    r_s = case.measurements.delineation.r_s
    k = int(np.argmax(np.diff(r_s)))
    longest, span = (
        float(r_s[k + 1] - r_s[k]),
        (round(float(r_s[k]), 3), round(float(r_s[k + 1]), 3)),
    )
    stretches = standstills(case.record.signal, case.record.fs)
    still = any(begin < span[1] and end > span[0] for begin, end in stretches)
    found = []
    for code, limit in (("pause", 2.0), ("long_pause", 3.0)):
        rule = f"> {limit:g} s"
        check = fact(longest > limit, "longest RR", longest, "s", rule, BRADYCARDIA, span_s=span)
        finding = judge(code, check)
        found.append(replace(finding, doubt=STANDS_STILL) if still and check.holds else finding)
    return tuple(found)


def sudden_pauses(case: Case) -> Check:
    """Check for single long RR intervals in a rhythm that is steady otherwise.

    Parameters
    ----------
    case : Case
        The measured record.

    Returns
    -------
    Check
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
