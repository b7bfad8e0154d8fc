"""Cut every beat out of the record, upright on its isoelectric line and aligned with the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import FIDUCIALS, Delineation
from ecg_llm.record import ECGRecord, FloatArray
from ecg_llm.signal import fill_gaps, nanmedian, resample

Array = npt.NDArray[np.float64]

WORK_FS = 500.0
"""Amplitudes are read at this rate, so that a peak between two slow samples is not lost."""
BEFORE_S, AFTER_S = 0.45, 0.75
"""What a window holds around the beat."""
_QRS_ON, _QRS_OFF, _P_OFF = (FIDUCIALS.index(name) for name in ("qrs_on", "qrs_off", "p_off"))
_CALM_S = 0.020
"""A period of the mains: P and T of an average over it are no taller for the hum upon them."""
_MAX_SHIFT = 12
_ALIGN_S = 0.10
"""Around the centre of a QRS: the part by which beats are aligned."""
_WAY = np.arange(16) / 16
"""Places between two points of the isoelectric line."""
_HERMITE = np.stack(
    [
        (1 + 2 * _WAY) * (1 - _WAY) ** 2,
        (3 - 2 * _WAY) * _WAY**2,
        _WAY * (1 - _WAY) ** 2,
        (_WAY - 1) * _WAY**2,
    ]
)
"""What each point and each slope there counts at those places."""


@dataclass(frozen=True, eq=False)
class BeatWindows:
    """All beats of a record side by side.

    Attributes
    ----------
    leads : tuple of str
        Row names.
    times_s : np.ndarray, shape (n_samples,), s
        Time axis of a window; 0 is the aligned centre of the QRS.
    signal : np.ndarray, shape (n_leads, n_beats, n_samples), float32, mV
        Each beat above its isoelectric line; NaN outside the record and in gaps.
    centres_s : np.ndarray, shape (n_beats,), s
        Where 0 of each window lies in the record.
    fiducials_s : np.ndarray, shape (n_leads, n_beats, 9), s
        The delineation on the time axis of the windows.
    recorded_fs : float, Hz
        Rate of the record that the windows were cut from.
    """

    leads: tuple[str, ...]
    times_s: Array
    signal: FloatArray
    centres_s: Array
    fiducials_s: Array
    recorded_fs: float

    def slice(self, from_s: float, to_s: float) -> slice:
        """Give the samples between two times of the window.

        Parameters
        ----------
        from_s, to_s : float, s
            Limits, inclusive.

        Returns
        -------
        slice
        """
        first = np.searchsorted(self.times_s, from_s - 1e-9)
        return slice(int(first), int(np.searchsorted(self.times_s, to_s + 1e-9)))

    def typical(self, chosen: npt.NDArray[np.bool_]) -> BeatWindows:
        """Give the median beat of some beats, with the median of their fiducials.

        Parameters
        ----------
        chosen : np.ndarray, shape (n_beats,), bool
            The beats to pool; at least one.

        Returns
        -------
        BeatWindows
            One beat, averaged over a period of the mains outside its QRS. A fiducial is missing
            that fewer than half of the beats have, of those that the lead shows.
        """
        pooled = np.flatnonzero(chosen)
        fiducials = self.fiducials_s.take(pooled, axis=1)
        signal = self.signal.take(pooled, axis=1)
        centre = signal[..., np.searchsorted(self.times_s, 0.0)]
        shown = np.isfinite(centre).sum(axis=1)[:, None]
        middle = nanmedian(fiducials, axis=1)
        middle[np.isfinite(fiducials).sum(axis=1) < 0.5 * shown] = np.nan
        beat = nanmedian(signal, axis=1)
        begin, end = (middle[:, k, None] for k in (_QRS_ON, _QRS_OFF))
        steep = (self.times_s > begin - _CALM_S / 2) & (self.times_s < end + _CALM_S)
        return replace(
            self,
            signal=np.where(steep, beat, _calm(beat))[:, None],
            centres_s=np.zeros(1),
            fiducials_s=middle[:, None],
        )


def _calm(rows: FloatArray) -> FloatArray:
    """Average over `_CALM_S`; the ends stay as they are."""
    half = round(_CALM_S * WORK_FS / 2)
    weight = np.full(2 * half + 1, 1 / (2 * half), np.float32)
    weight[[0, -1]] /= 2
    calm = rows.copy()
    views = np.lib.stride_tricks.sliding_window_view(rows, len(weight), axis=1)
    calm[:, half:-half] = views @ weight
    return calm


def align_beats(signal: FloatArray, fs: float, r_s: Array) -> npt.NDArray[np.int64]:
    """Find the shift of each beat that lays its steep parts over those of the median beat.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n)
        Without NaN.
    fs : float, Hz
        Its rate.
    r_s : np.ndarray, shape (n_beats,), s
        About the middle of each QRS.

    Returns
    -------
    np.ndarray of int, shape (n_beats,)
        Samples to add to each rounded time, 12 at most.
    """
    steep = np.zeros(signal.shape[1])
    steep[:-1] = np.abs(np.diff(signal, axis=1)).sum(axis=0)
    half = round(_ALIGN_S * fs)
    reach = np.arange(-half - _MAX_SHIFT, half + _MAX_SHIFT + 1)
    where = np.round(r_s * fs).astype(int)[:, None] + reach
    inside = (where >= 0) & (where < len(steep))
    around = np.where(inside, steep.take(where, mode="clip"), 0)
    views = np.lib.stride_tricks.sliding_window_view(around, 2 * half + 1, axis=1)
    shift = np.full(len(r_s), _MAX_SHIFT)
    for _ in range(2):
        template = nanmedian(views[np.arange(len(r_s)), shift], axis=0)
        shift = np.argmax(views @ template, axis=1)
    return shift - _MAX_SHIFT


def with_typical(windows: BeatWindows, chosen: npt.NDArray[np.bool_]) -> BeatWindows:
    """Put the median beat behind the single ones, so that all are measured at once.

    Parameters
    ----------
    windows : BeatWindows
        The single beats.
    chosen : np.ndarray, shape (n_beats,), bool
        The beats to pool; at least one.

    Returns
    -------
    BeatWindows
        One beat more, the last.
    """
    last = windows.typical(chosen)
    return replace(
        windows,
        signal=np.concatenate([windows.signal, last.signal], axis=1),
        centres_s=np.concatenate([windows.centres_s, last.centres_s]),
        fiducials_s=np.concatenate([windows.fiducials_s, last.fiducials_s], axis=1),
    )


def cut_beats(record: ECGRecord, delineation: Delineation) -> BeatWindows:
    """Cut out and align the beats of a record.

    The isoelectric line is a cubic curve through each beat's PR segment (or, without a P wave, the
    moments before the QRS).

    Parameters
    ----------
    record : ECGRecord
        The signal.
    delineation : Delineation
        Its waves; one beat at least.

    Returns
    -------
    BeatWindows

    References
    ----------
    .. [1] CSE Working Party. Eur Heart J 1985;6:815-825 (reference levels of wave amplitudes).
    .. [2] Meyer CR, Keiser HN. Comput Biomed Res 1977;10:459-470 (cubic curves for the baseline).
    """
    rows = [record.leads.index(lead) for lead in delineation.leads]
    signal, fs = _at_work_rate(record.signal[rows], record.fs)
    fiducials = _with_global_qrs(delineation)
    signal = signal - _isoelectric(signal, fs, fiducials)
    lags = np.arange(-round(BEFORE_S * fs), round(AFTER_S * fs) + 1)
    shift = align_beats(_without_nan(signal), fs, delineation.r_s)
    starts = np.round(delineation.r_s * fs).astype(int) + shift
    pad = len(lags) + _MAX_SHIFT
    padded = np.full((len(signal), signal.shape[1] + 2 * pad), np.nan, np.float32)
    padded[:, pad:-pad] = signal
    views = np.lib.stride_tricks.sliding_window_view(padded, len(lags), axis=1)
    where = np.clip(starts + lags[0] + pad, 0, views.shape[1] - 1)
    centres = starts / fs
    return BeatWindows(
        leads=delineation.leads,
        times_s=lags / fs,
        signal=views[:, where],
        centres_s=centres,
        fiducials_s=fiducials - centres[:, None],
        recorded_fs=record.fs,
    )


def _at_work_rate(signal: FloatArray, fs: float) -> tuple[FloatArray, float]:
    """Resample to `WORK_FS`; gaps stay gaps."""
    if fs == WORK_FS:
        return signal, fs
    fine = resample(fill_gaps(signal), fs, WORK_FS)
    gaps = np.isnan(signal)
    if gaps.any():
        nearest = np.round(np.arange(fine.shape[1]) * fs / WORK_FS).astype(int)
        fine[gaps[:, np.minimum(nearest, signal.shape[1] - 1)]] = np.nan
    return fine, WORK_FS


def _with_global_qrs(delineation: Delineation) -> Array:
    """Copy the fiducials; where a lead's QRS has no limits, those of all leads stand in."""
    fiducials = delineation.times_s.copy()
    for k in (_QRS_ON, _QRS_OFF):
        fiducials[..., k] = np.where(
            np.isnan(fiducials[..., k]), delineation.global_s[:, k], fiducials[..., k]
        )
    return fiducials


def _isoelectric(signal: FloatArray, fs: float, fiducials: Array) -> FloatArray:
    """Draw the isoelectric line through the ends of the PR segments, bent where it wanders."""
    n = signal.shape[1]
    known = np.isfinite(fiducials[..., _QRS_ON])
    onset, p_off = np.where(known, fiducials[..., _QRS_ON], 0), fiducials[..., _P_OFF]
    start = np.fmin(np.fmax(p_off, onset - 0.040), onset - 0.016)
    first = np.round(start * fs).clip(0, n - 1).astype(int)
    last = np.round((onset - 0.004) * fs).clip(0, n - 1).astype(int) + 1
    rows = np.arange(len(signal))[:, None]
    # An end of a PR segment is short, so all of them are summed at once.
    span = np.arange(max(int((last - first).max()), 1))
    places = first[..., None] + span
    samples = signal[rows[..., None], np.minimum(places, n - 1)].astype(np.float64)
    within = (places < last[..., None]) & np.isfinite(samples)
    count = within.sum(axis=-1)
    level = np.where(within, samples, 0).sum(axis=-1) / np.maximum(count, 1)
    there = known & (count > 0)
    middle = (first + last) / 2
    line = np.full_like(signal, np.nan)
    at = np.arange(n, dtype=np.float64)
    alike = [np.arange(len(signal))] if there.all() else np.flatnonzero(there.any(axis=1))[:, None]
    for group in alike:
        chosen = there[group[0]]
        xs, ys = _curves(middle[group][:, chosen], level[group][:, chosen])
        for i, x, y in zip(group, xs, ys, strict=True):
            line[i] = np.interp(at, x, y)
    return line


def _curves(x: Array, y: Array) -> tuple[Array, Array]:
    """Bend the way between the points of each row, so that it has no corners (Catmull-Rom)."""
    step = np.diff(x)
    if step.shape[1] < 2:
        return x, y
    slope = np.diff(y) / step
    across = (slope[:, :-1] * step[:, 1:] + slope[:, 1:] * step[:, :-1]) / (x[:, 2:] - x[:, :-2])
    leans = np.concatenate([slope[:, :1], across, slope[:, -1:]], axis=1)
    parts = np.stack([y[:, :-1], y[:, 1:], step * leans[:, :-1], step * leans[:, 1:]], axis=-1)
    xs = (x[:, :-1, None] + step[..., None] * _WAY).reshape(len(x), -1)
    ys = (parts @ _HERMITE).reshape(len(x), -1)
    return np.append(xs, x[:, -1:], axis=1), np.append(ys, y[:, -1:], axis=1)


def _without_nan(signal: FloatArray) -> FloatArray:
    """Put zero where nothing was recorded."""
    missing = ~np.isfinite(signal)
    return np.where(missing, np.float32(0), signal) if missing.any() else signal
