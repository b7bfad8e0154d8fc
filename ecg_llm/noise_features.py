"""What kinds of noise are judged by: what is left of each lead once its beats are taken off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import uniform_filter1d

from ecg_llm.quality.bands import WORKING_FS, Bands, FloatArray
from ecg_llm.quality.features import LEAD_METRICS, Features
from ecg_llm.signal import resample

BANDS: dict[str, tuple[float, float, int]] = {
    "slow": (0.7, 3.0, 60),
    "middle": (3.0, 12.0, 30),
    "fast": (12.0, 25.0, 20),
    "tremor": (22.0, 40.0, 20),
}
"""Frequencies in Hz, and over how many samples at 100 Hz their size is taken."""
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 1.0)
_TINY_MV = 1e-4
_BEFORE, _AFTER = 30, 55
"""Samples of a beat that are taken off, before and after its QRS complex."""
_PAD = 100


@dataclass(frozen=True, eq=False)
class Parted:
    """A stretch, taken apart once for all that measures noise on it.

    Attributes
    ----------
    bands : Bands
        The stretch, split by frequency.
    features : Features
        Of the same stretch.
    """

    bands: Bands
    features: Features

    @cached_property
    def raw(self) -> FloatArray:
        """The recorded signal at 100 Hz, mV, shape (n_leads, n_samples)."""
        bands = self.bands
        return bands.raw if bands.fs == WORKING_FS else resample(bands.raw, bands.fs, WORKING_FS)

    @cached_property
    def ecg(self) -> FloatArray:
        """Its 0.7 to 40 Hz."""
        return between(self.raw, 0.7, 40.0)

    @cached_property
    def rest(self) -> FloatArray:
        """What is left of these without the beats."""
        return without_beats(self.ecg, self.features.beats)


def noise_metrics(parted: Parted) -> FloatArray:
    """Measure every lead.

    Parameters
    ----------
    parted : Parted
        The stretch.

    Returns
    -------
    np.ndarray, shape (n_leads, n_metrics)
        Those of the quality gate, then by band of `BANDS` how large what is left is over time,
        against the lead's own waves and in mV, where it bursts and whether the other leads do too,
        then steps, the highest frequencies and the baseline. Sizes are logarithms.
    """
    rest = parted.rest
    own = np.asarray(np.quantile(np.abs(parted.ecg), 0.98, axis=1) + 1e-3, dtype=np.float32)
    columns = [parted.features.column(metric) for metric in LEAD_METRICS]
    for low, high, width in BANDS.values():
        columns += _band_metrics(_envelope(between(rest, low, high), width), own)
    steps = np.abs(np.diff(rest, axis=1))
    top = _envelope(between(parted.raw, 38.0, 50.0), 20)
    columns += [
        np.log(own),
        np.log(steps.max(axis=1) / own + 1e-3),
        np.log(steps.max(axis=1) + _TINY_MV),
        np.log(np.quantile(steps, 0.995, axis=1) / own + 1e-3),
        np.log(np.median(top, axis=1) + _TINY_MV),
        np.log(np.median(top, axis=1) / own + 1e-3),
        np.log(top.max(axis=1) + _TINY_MV),
        *_baseline_metrics(parted.bands.baseline, own),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def electrode_metrics(parted: Parted, leads: tuple[str, ...]) -> FloatArray:
    """Tell how much of the noise each electrode brings in.

    Parameters
    ----------
    parted : Parted
        The stretch.
    leads : tuple of str
        Its rows.

    Returns
    -------
    np.ndarray, shape (90,)
        By band (those of `BANDS`, then the baseline) and twice, for the usual size and the largest:
        right arm, left arm, foot, V1 to V6, as logarithms against their median; NaN where a lead is
        missing.

    Notes
    -----
    With independent noise of the variances R, L and F at the electrodes, lead I has R + L, II has
    R + F, III has L + F, and a chest lead its own besides (R + L + F) / 9.
    """
    wanted = ("I", "II", "III", *(f"V{k}" for k in range(1, 7)))
    parts = [between(parted.rest, low, high) for low, high, _ in BANDS.values()]
    columns = []
    for part in (*parts, between(parted.raw, 0.05, 0.7)):
        size = uniform_filter1d(np.square(part), 50, axis=1)
        for level in (0.5, 0.98):
            power = np.full(9, np.nan)
            for k, lead in enumerate(wanted):
                if lead in leads:
                    power[k] = np.quantile(size[leads.index(lead)], level)
            one, two, three = power[:3]
            limbs = np.array([one + two - three, one + three - two, two + three - one]) / 2
            each = np.concatenate([limbs, power[3:] - limbs.sum() / 9])
            columns.append(np.log(np.clip(each, 1e-7, None)) / 2)
    out = np.stack(columns, axis=1)  # [9, bands x 2]
    known = np.isfinite(out).any(axis=0)
    middle = np.zeros(out.shape[1])
    middle[known] = np.nanmedian(out[:, known], axis=0)
    return np.asarray((out - middle).ravel(), dtype=np.float32)


def without_beats(ecg: FloatArray, beats: npt.NDArray[np.intp]) -> FloatArray:
    """Take the median beat off at each beat, scaled to it.

    Parameters
    ----------
    ecg : np.ndarray, shape (n_leads, n_samples), mV
        At 100 Hz.
    beats : np.ndarray, shape (n_beats,)
        Samples of the QRS complexes.

    Returns
    -------
    np.ndarray, shape (n_leads, n_samples), mV
        As it was where there are fewer than three whole beats.
    """
    out = ecg.copy()
    n = ecg.shape[1]
    if len(beats) < 3:
        return out
    rr = float(np.median(np.diff(beats)))
    before, after = int(min(_BEFORE, 0.4 * rr)), int(min(_AFTER, 0.6 * rr))
    inner = beats[(beats >= before) & (beats < n - after)]
    if len(inner) < 3:
        return out
    beat = np.median(ecg[:, inner[:, None] + np.arange(-before, after)], axis=1)
    fade = np.ones(before + after, dtype=np.float32)
    fade[:5] = np.linspace(0, 1, 7)[1:-1]
    fade[-5:] = fade[4::-1]
    for at in beats:
        first, last = max(0, at - before), min(n, at + after)
        part = slice(first - at + before, last - at + before)
        here, usual = ecg[:, first:last], beat[:, part]
        fit = (here * usual).sum(axis=1) / (np.square(usual).sum(axis=1) + 1e-9)
        out[:, first:last] -= fit.clip(0.5, 1.6)[:, None] * usual * fade[part]
    return out


def between(rows: FloatArray, low: float, high: float) -> FloatArray:
    """Keep the frequencies between two limits; what lies beyond the ends is mirrored.

    Parameters
    ----------
    rows : np.ndarray, shape (n_leads, n_samples)
        At 100 Hz.
    low, high : float, Hz
        Half of what is at the limits is kept; from 50 Hz, all above ``low``.

    Returns
    -------
    np.ndarray, shape (n_leads, n_samples)
    """
    pad = min(_PAD, rows.shape[1] - 2)
    head = 2 * rows[:, :1] - rows[:, pad:0:-1]
    tail = 2 * rows[:, -1:] - rows[:, -2 : -pad - 2 : -1]
    wide = np.concatenate([head, rows, tail], axis=1)
    hz = fft.rfftfreq(wide.shape[1], 1 / WORKING_FS)
    mask = 1 - _edge(hz, low)
    if high < WORKING_FS / 2:
        mask = mask * _edge(hz, high)
    kept = fft.irfft(fft.rfft(wide, axis=1) * mask, wide.shape[1], axis=1)
    return np.asarray(kept[:, pad : pad + rows.shape[1]], dtype=np.float32)


def _edge(hz: npt.NDArray[np.float64], at: float) -> npt.NDArray[np.float64]:
    """One below a frequency, zero above, a raised cosine between."""
    position = np.clip((hz - 0.85 * at) / (0.3 * at), 0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * position))


def _envelope(rows: FloatArray, width: int) -> FloatArray:
    """Root mean square over some samples, at each of them."""
    return np.asarray(np.sqrt(uniform_filter1d(np.square(rows), width, axis=1).clip(0)))


def _band_metrics(size: FloatArray, own: FloatArray) -> list[FloatArray]:
    """Describe how large one band is over time, in each lead and beside the other leads."""
    levels = np.quantile(size, _LEVELS, axis=1)
    usual = levels[2] + _TINY_MV
    against = size / usual[:, None]
    at = against.argmax(axis=1)
    leads = np.arange(len(size))
    others = np.array(
        [np.median(np.delete(against[:, k], lead)) for lead, k in enumerate(at)]
        if len(size) > 1
        else [1.0]
    )
    excess = np.log(np.quantile(size - np.median(size, axis=0), 0.98, axis=1).clip(_TINY_MV))
    return [
        *np.log(levels / own + 1e-3),
        *(np.log(levels[k] + _TINY_MV) for k in (2, 4, 6)),
        np.log((levels[6] + _TINY_MV) / usual),
        np.log((levels[5] + _TINY_MV) / (levels[1] + _TINY_MV)),
        np.log((against[leads, at] + 0.1) / (others + 0.1)),
        excess,
        excess - np.log(own),
        np.log((size[:, :100].mean(axis=1) + _TINY_MV) / usual),
        np.log((size[:, -100:].mean(axis=1) + _TINY_MV) / usual),
        (size > 2.5 * (levels[1][:, None] + _TINY_MV)).mean(axis=1),
    ]


def _baseline_metrics(baseline: FloatArray, own: FloatArray) -> list[FloatArray]:
    """Describe how far and how suddenly the baseline moves."""
    n = max(1, baseline.shape[1] // 100)
    seconds = baseline[:, : n * 100].reshape(len(baseline), n, -1).mean(axis=2)
    steps = np.abs(np.diff(seconds, axis=1)) if n > 1 else np.zeros((len(baseline), 1))
    span = np.ptp(baseline, axis=1)
    trend = np.abs(seconds[:, -2:].mean(axis=1) - seconds[:, :2].mean(axis=1))
    return [
        np.log(span / own + 1e-2),
        np.log(span + 1e-3),
        np.log(steps.max(axis=1) + 1e-3),
        np.log(steps.sum(axis=1) + 1e-3),
        np.log(trend + 1e-3),
    ]
