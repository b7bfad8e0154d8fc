"""One spectrum of a stretch of ECG, and the filtered copies every quality judgement reads."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from ecg_llm.record import ECGRecord
from ecg_llm.signal import fill_gaps, nanmedian

FloatArray = npt.NDArray[np.float32]

WORKING_FS = 100.0
"""Rate of the filtered copies: every supported input rate can give it."""
BASELINE_HZ = 0.7
ECG_HZ = (0.7, 40.0)
QRS_HZ = (6.0, 22.0)
NOISE_HZ = (25.0, 45.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bands:
    """A stretch of a record, split by frequency.

    Attributes
    ----------
    raw : np.ndarray, shape (n_leads, n_samples), mV
        As recorded, gaps bridged by straight lines.
    gaps : np.ndarray, shape (n_leads,)
        Share of the samples that were not recorded, 0 to 1.
    fs : float, Hz
        Rate of ``raw``.
    baseline, ecg, qrs, noise : np.ndarray, shape (n_leads, n_working), mV
        Below 0.7 Hz, 0.7 to 40 Hz, 6 to 22 Hz and 25 to 45 Hz, at `WORKING_FS`.
    mains_mv : np.ndarray, shape (n_leads, 2), mV
        Amplitude at 50 and 60 Hz above the neighbouring frequencies; NaN where the sampling rate
        does not reach it.
    """

    raw: FloatArray
    gaps: FloatArray
    fs: float
    baseline: FloatArray
    ecg: FloatArray
    qrs: FloatArray
    noise: FloatArray
    mains_mv: FloatArray


def split_bands(record: ECGRecord) -> Bands:
    """Filter a stretch of ECG once for all leads.

    Parameters
    ----------
    record : ECGRecord
        Some seconds; NaN where nothing was recorded.

    Returns
    -------
    Bands

    Notes
    -----
    The filters are masks with raised-cosine edges on one Fourier transform, so they shift no phase.
    The line through both ends is taken off first: the transform would else see a step there.
    """
    raw = fill_gaps(record.signal)
    gaps = np.zeros(len(raw), np.float32)
    if raw is not record.signal:
        gaps = (~np.isfinite(record.signal)).mean(axis=1, dtype=np.float32)
    n = raw.shape[1]
    end = max(1, round(0.3 * record.fs))
    first, last = nanmedian(np.stack([raw[:, :end], raw[:, -end:]]), axis=2)[..., None]
    line = first + (last - first) * _ramp(n)
    n_fft = fft.next_fast_len(n, real=True)
    spectrum = fft.rfft(raw - line, n_fft, axis=1)
    step_hz = np.float32(record.fs / n_fft)
    n_low = round(n_fft * WORKING_FS / record.fs)
    n_working = round(n * WORKING_FS / record.fs)
    kept = min(n_low // 2 + 1, spectrum.shape[1])
    low = spectrum[:, :kept] * np.float32(n_low / n_fft)
    filtered = fft.irfft(low * _masks(kept, step_hz), n_low, axis=2)
    baseline, ecg, qrs, noise = filtered[:, :, :n_working]
    return Bands(
        raw=raw,
        gaps=gaps,
        fs=record.fs,
        baseline=baseline + first + (last - first) * _ramp(n_working),
        ecg=ecg,
        qrs=qrs,
        noise=noise,
        mains_mv=_mains(spectrum, step_hz, n),
    )


@functools.lru_cache(maxsize=16)
def _ramp(n: int) -> FloatArray:
    """Rise from 0 to 1."""
    return np.linspace(0, 1, n, dtype=np.float32)


@functools.lru_cache(maxsize=16)
def _masks(n: int, step_hz: np.float32) -> FloatArray:
    """Stack the masks of baseline, ECG, QRS and noise, shape (4, 1, n)."""
    hz = np.arange(n, dtype=np.float32) * step_hz
    bands = ((0.0, BASELINE_HZ), ECG_HZ, QRS_HZ, NOISE_HZ)
    return np.stack([_pass(hz, low, high) for low, high in bands])[:, None]


def _pass(hz: FloatArray, low: float, high: float) -> FloatArray:
    """Band-pass mask, its edges 30 % wide."""
    mask = _edge(hz, high)
    if low > 0:
        mask = mask * (1 - _edge(hz, low))
    return mask


def _edge(hz: FloatArray, at: float) -> FloatArray:
    """One below ``at``, zero above, a raised cosine between."""
    position = np.clip((hz - 0.85 * at) / (0.3 * at), 0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * position), dtype=np.float32)


def _mains(spectrum: npt.NDArray[np.complex64], step_hz: np.float32, n: int) -> FloatArray:
    """Amplitude of 50 and 60 Hz over what its neighbourhood would give."""
    out = np.full((len(spectrum), 2), np.nan, dtype=np.float32)
    step = float(step_hz)
    for column, centre in enumerate((50.0, 60.0)):
        if centre + 4 > (spectrum.shape[1] - 1) * step_hz:
            continue
        a, b, c, d = (round((centre + offset) / step) for offset in (-4.0, -0.6, 0.6, 4.0))
        power = np.square(np.abs(spectrum[:, a : d + 1]))
        inside = power[:, b - a : c - a + 1]
        around = nanmedian(power, axis=1)[:, None]
        # Parseval: a sine of amplitude A puts (A n / 2)² into its line.
        out[:, column] = 2 / n * np.sqrt(np.maximum(inside - around, 0).sum(axis=1))
    return out
