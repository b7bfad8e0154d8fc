"""Sampling rates: one for all leads, and none above what the intervals were checked at."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_SAMPLES
from ecg_llm.io.raw import Channel
from ecg_llm.record import MAX_DURATION_S, MAX_FS, MIN_FS, FloatArray


def common_rate(leads: dict[str, Channel], label: str, notes: list[str]) -> float:
    """Bring leads of differing rates to the highest one.

    Parameters
    ----------
    leads : dict of str to Channel
        By name, each with its rate; changed in place.
    label : str
        Named in errors.
    notes : list of str
        A note is added for leads that had to be interpolated.

    Returns
    -------
    float, Hz

    Raises
    ------
    RecordError
        If the rates differ too much or the result would be too long.
    """
    rates = {lead: float(channel.fs or 0) for lead, channel in leads.items()}
    fs = max(rates.values())
    slow = [lead for lead, rate in rates.items() if rate < fs * (1 - 1e-6)]
    for lead in slow:
        ratio = Fraction(fs / rates[lead]).limit_denominator(64)
        if ratio > 64:
            raise RecordError(
                f"{label}: lead {lead} is sampled at {rates[lead]:g} Hz, others at {fs:g} Hz; "
                "these cannot be read together."
            )
        if leads[lead].values.size * ratio * len(leads) > MAX_SAMPLES:
            raise RecordError(f"{label}: too long to bring its leads to one sampling rate.")
        values = _resampled(leads[lead].values, ratio)
        leads[lead] = replace(leads[lead], values=values, fs=fs)
    if slow:
        notes.append(f"Sampled more slowly and interpolated to {fs:g} Hz: {', '.join(slow)}.")
        shortest = min(channel.values.size for channel in leads.values())
        for lead, channel in leads.items():
            leads[lead] = replace(channel, values=channel.values[:shortest])
    return fs


def supported_rate(
    rows: dict[str, FloatArray], fs: float, label: str, notes: list[str]
) -> tuple[dict[str, FloatArray], float]:
    """Bring a sampling rate into the supported range.

    Parameters
    ----------
    rows : dict of str to np.ndarray, shape (n_samples,), mV
        Equally long leads.
    fs : float, Hz
        Their rate.
    label : str
        Named in errors.
    notes : list of str
        A note is added if the rate was reduced.

    Returns
    -------
    tuple of dict and float
        The leads and their rate, at most `MAX_FS`.

    Raises
    ------
    RecordError
        If the rate is too low.
    """
    if fs < MIN_FS:
        raise RecordError(
            f"{label}: sampled at {fs:g} Hz; at least {MIN_FS:g} Hz are needed to measure "
            "intervals. Export it at the rate it was recorded at."
        )
    if fs <= MAX_FS:
        return rows, fs
    ratio = Fraction(MAX_FS / fs).limit_denominator(1000)
    if fs * ratio > MAX_FS * (1 + 1e-9) or ratio == 0:
        ratio = Fraction(math.floor(1000 * MAX_FS / fs), 1000)
    reduced = fs * float(ratio)
    keep = math.ceil(MAX_DURATION_S * fs) + 1000
    notes.append(f"Recorded at {fs:g} Hz, reduced to {reduced:g} Hz behind a low-pass filter.")
    short = {lead: _resampled(row[:keep], ratio) for lead, row in rows.items()}
    return {lead: row.astype(np.float32) for lead, row in short.items()}, reduced


def _resampled(row: npt.NDArray[np.floating], ratio: Fraction) -> npt.NDArray[np.float64]:
    """Change the rate by a ratio; what was missing stays missing."""
    from scipy.signal import resample_poly

    missing = np.isnan(row)
    x = row.astype(np.float64)
    if missing.all() or not row.size:
        return np.full(math.ceil(row.size * ratio), np.nan)
    if missing.any():
        at = np.arange(row.size)
        x[missing] = np.interp(at[missing], at[~missing], x[~missing])
    # The edges are continued as lines: with zeros outside, an offset would ring.
    y = np.asarray(resample_poly(x, ratio.numerator, ratio.denominator, padtype="line"))
    if missing.any():
        nearest = np.minimum((np.arange(y.size) / float(ratio)).round().astype(int), row.size - 1)
        y[missing[nearest]] = np.nan
    return y
