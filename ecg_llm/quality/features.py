"""What is measured of every lead to judge its quality, and how leads pool into a record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from ecg_llm.quality.bands import WORKING_FS, Bands, FloatArray
from ecg_llm.signal import median, nanmedian, quantile

BEFORE_S, AFTER_S = 0.3, 0.5
"""What of a beat, around its QRS complex, the templates hold."""
FLAT_REL = 0.005
"""A stretch that moves less, against twice the median QRS complex, holds no ECG."""
MIN_QRS_MV = 0.002
"""A record whose median lead shows less is not magnified to look like one."""
EPS = 1e-6

LEAD_METRICS = (
    "range_rel",
    "qrs_rel",
    "baseline_rel",
    "baseline_step_rel",
    "noise_rel",
    "noise_peak_rel",
    "noise_ratio",
    "wander_ratio",
    "flat_share",
    "saturated_share",
    "kurtosis",
    "qrs_power_share",
    "above_baseline_share",
    "template_correlation",
    "template_correlation_worst",
    "synchrony",
    "synchrony_worst",
    "beat_energy_share",
    "jump_rel",
    "disturbed_second_share",
    "flat_second_share",
)
"""Columns of `Features.leads`; ``_rel``: in units of twice the median lead's QRS amplitude."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Quality metrics of a stretch, and the beats they were taken around.

    Attributes
    ----------
    leads : np.ndarray, shape (n_leads, n_metrics)
        Columns of `LEAD_METRICS`, units in the names.
    beats : np.ndarray, shape (n_beats,)
        Samples, at the working rate, at which most leads have a QRS complex.
    templates : np.ndarray, shape (n_leads, n_template), mV
        Median beat, from `BEFORE_S` before to `AFTER_S` after those; zero without two whole beats.
    regularity : float
        Median over beats of the median lead's correlation with its template.
    peakiness : float
        Height of the highest QRS-like deflection over the usual level between beats.
    unit_mv : float, mV
        What 1 in a ``_rel`` column stands for.
    """

    leads: FloatArray
    beats: npt.NDArray[np.intp]
    templates: FloatArray
    regularity: float
    peakiness: float
    unit_mv: float

    def column(self, metric: str) -> FloatArray:
        """Give one metric of all leads.

        Parameters
        ----------
        metric : str
            One of `LEAD_METRICS`.

        Returns
        -------
        np.ndarray, shape (n_leads,)
        """
        return self.leads[:, LEAD_METRICS.index(metric)]

    def pooled(self) -> FloatArray:
        """Describe the record by the mean and the order statistics of its leads.

        Returns
        -------
        np.ndarray, shape (8 n_metrics + 4,)
            The same length for any number of leads.
        """
        n = len(self.leads)
        ordered = np.sort(self.leads, axis=0)
        picks = (0, min(1, n - 1), n // 4, n // 2, max(n - 3, 0), max(n - 2, 0), n - 1)
        rr = np.diff(self.beats)
        irregular = float(rr.std() / (rr.mean() + 1)) if len(rr) > 1 else 1.0
        rest = [len(self.beats), self.regularity, self.peakiness, irregular]
        parts = [self.leads.mean(axis=0), *ordered[list(picks)], np.array(rest)]
        return np.concatenate(parts).astype(np.float32)


def measure_features(bands: Bands) -> Features:
    """Measure what the quality of every lead is judged by.

    Parameters
    ----------
    bands : Bands
        The stretch, split by frequency.

    Returns
    -------
    Features

    Notes
    -----
    Nothing depends on the gain: records are scaled so that the median lead's QRS complexes measure
    0.5 in their band. Low voltage is a finding, not poor quality, and gains are often misstated.
    """
    qrs_power = np.square(bands.qrs)
    energy = uniform_filter1d(qrs_power, 9, axis=1, mode="nearest").clip(0)
    envelope = np.sqrt(energy)
    n = envelope.shape[1]
    at = int(0.95 * n)
    qrs_mv = np.sqrt(2) * np.partition(envelope, at, axis=1)[:, at]
    unit_mv = 2 * max(median(qrs_mv), MIN_QRS_MV)
    scale = np.float32(1 / unit_mv)
    normal = envelope / (qrs_mv[:, None] / np.sqrt(2) + EPS)
    consensus = nanmedian(normal, axis=0)
    beats = find_beats(consensus)
    templates, correlation = _templates(bands.ecg, beats)
    raw = _raw_metrics(bands, scale)
    noise = _noise(bands.noise * scale)
    seconds = _seconds(bands, scale)
    power, fourth = _moments(bands.ecg)
    slow, _ = _moments(bands.baseline)
    wander = np.sqrt(slow / n) * scale
    qrs_mv = qrs_mv * scale
    synchrony, synchrony_worst = _synchrony(normal.clip(0, 2), consensus.clip(0, 2))
    columns = {
        "range_rel": raw["range_rel"],
        "qrs_rel": qrs_mv,
        "baseline_rel": wander,
        "baseline_step_rel": seconds["step"],
        "noise_rel": noise[0],
        "noise_peak_rel": noise[1],
        "noise_ratio": noise[0] / (qrs_mv + 0.02),
        "wander_ratio": wander / (qrs_mv + 0.02),
        "flat_share": raw["flat_share"],
        "saturated_share": raw["saturated_share"],
        "kurtosis": fourth * n / (np.square(power) + EPS * n),
        "qrs_power_share": qrs_power.sum(axis=1) / (power + EPS),
        "above_baseline_share": power / (power + slow + EPS),
        "template_correlation": nanmedian(correlation, axis=1),
        "template_correlation_worst": quantile(correlation, 0.1),
        "synchrony": synchrony,
        "synchrony_worst": synchrony_worst,
        "beat_energy_share": _beat_share(energy, beats),
        "jump_rel": raw["jump_rel"],
        "disturbed_second_share": seconds["disturbed"],
        "flat_second_share": seconds["flat"],
    }
    return Features(
        leads=np.stack([columns[name] for name in LEAD_METRICS], axis=1).astype(np.float32),
        beats=beats,
        templates=templates,
        regularity=float(nanmedian(correlation, axis=0).mean() if len(beats) else 0.0),
        peakiness=float(consensus.max() / (median(consensus) + 1e-3)),
        unit_mv=unit_mv,
    )


def _moments(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum the second and fourth powers of what each row deviates from its mean."""
    squares = np.square(rows - rows.mean(axis=1, keepdims=True))
    return squares.sum(axis=1), np.square(squares).sum(axis=1)


def find_beats(consensus: FloatArray) -> npt.NDArray[np.intp]:
    """Find the beats in an envelope of QRS energy.

    Parameters
    ----------
    consensus : np.ndarray, shape (n,)
        At the working rate.

    Returns
    -------
    np.ndarray, shape (n_beats,)
        Samples of the peaks, at least 220 ms apart and at least 35 % of the usual height.
    """
    highest = maximum_filter1d(consensus, 45, mode="constant")
    at = np.flatnonzero((consensus == highest) & (consensus > 0))
    if not len(at):
        return at
    heights = np.sort(consensus[at])[-max(3, len(at) // 2) :]
    return at[consensus[at] > 0.35 * median(heights)]


def _templates(ecg: FloatArray, beats: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Median beat of every lead, and how well each beat agrees with it."""
    before, after = round(BEFORE_S * WORKING_FS), round(AFTER_S * WORKING_FS)
    inner = beats[(beats >= before) & (beats < ecg.shape[1] - after)]
    if len(inner) < 2:
        none = np.zeros((len(ecg), before + after), np.float32)
        return none, np.zeros((len(ecg), 1), np.float32)
    cut = ecg[:, inner[:, None] + np.arange(-before, after)]
    templates = nanmedian(cut, axis=1)
    wanted = templates - templates.mean(axis=1, keepdims=True)
    cut = cut - cut.mean(axis=2, keepdims=True)
    size = np.einsum("lbt,lbt->lb", cut, cut) * np.square(wanted).sum(axis=1)[:, None]
    return templates, np.einsum("lbt,lt->lb", cut, wanted) / np.sqrt(size + EPS)


def _raw_metrics(bands: Bands, scale: np.float32) -> dict[str, FloatArray]:
    """What only the samples as recorded tell: range, steps, flat and clipped stretches."""
    raw = bands.raw
    block = max(2, round(0.2 * bands.fs))
    high, low = _extremes(raw, block)
    top, bottom = high.max(axis=1), low.min(axis=1)
    near = 1e-4 * (top - bottom) + EPS
    # A noiseless baseline may be a lead's lowest value; a rail lies far from its median.
    some = np.sort(raw[:, :: max(1, round(bands.fs / 100))], axis=1)
    n_some = some.shape[1]
    usual = (some[:, (n_some - 1) // 2] + some[:, n_some // 2]) / 2
    far = 0.25 * (top - bottom)
    ceiling = np.where(top - usual > far, top - near, np.inf)
    floor = np.where(usual - bottom > far, bottom + near, -np.inf)
    clipped = (raw > ceiling[:, None]) | (raw < floor[:, None])
    clipped = clipped[:, 2:] & clipped[:, 1:-1] & clipped[:, :-2]  # a peak is no rail
    n_clipped = clipped.sum(axis=1) if clipped.any() else np.zeros(len(raw))
    apart = max(1, round(0.02 * bands.fs))
    step = np.abs(raw[:, apart:] - raw[:, :-apart]).max(axis=1)
    cut = round(0.005 * n_some)
    return {
        "range_rel": (some[:, -1 - cut] - some[:, cut]) * scale,
        "flat_share": ((high - low) * scale < FLAT_REL).mean(axis=1, dtype=np.float32),
        "saturated_share": np.float32(n_clipped) / clipped.shape[1],
        "jump_rel": step * scale,
    }


def _extremes(rows: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Give the highest and the lowest sample of each whole stretch of some samples."""
    m = max(1, rows.shape[1] // width)
    begins = width * np.arange(m)
    whole = rows[:, : m * width]
    return np.maximum.reduceat(whole, begins, axis=1), np.minimum.reduceat(whole, begins, axis=1)


def _noise(noise: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Root mean square of the fast noise in the median and the 90th-percentile 0.1 s."""
    m = max(1, noise.shape[1] // 10)
    blocks = noise[:, : m * 10].reshape(len(noise), m, -1)
    ordered = np.sqrt(np.sort(np.einsum("lbt,lbt->lb", blocks, blocks), axis=1) / blocks.shape[2])
    return ordered[:, m // 2], ordered[:, int(m * 0.9)]


def _seconds(bands: Bands, scale: np.float32) -> dict[str, FloatArray]:
    """Share of the seconds that are far out, of those that hardly move; the baseline's most."""
    second = round(WORKING_FS)
    whole = bands.ecg + bands.baseline
    m = max(1, whole.shape[1] // second)
    middle = nanmedian(bands.baseline, axis=1)[:, None]
    level = nanmedian(whole[:, : m * second].reshape(len(whole), m, -1), axis=2)
    away = np.abs(level - middle) * scale
    high, low = _extremes(whole, second)
    span = (high - low) * scale
    usual = nanmedian(span, axis=1)[:, None]
    disturbed = (span > np.maximum(3 * usual, 1.0)) | (away > np.maximum(1.5 * usual, 1.5))
    highest, lowest = _extremes(bands.baseline, second)
    return {
        "disturbed": disturbed.mean(axis=1, dtype=np.float32),
        "flat": (span < 0.04).mean(axis=1, dtype=np.float32),
        "step": (highest - lowest).max(axis=1) * scale,
    }


def _synchrony(normal: FloatArray, consensus: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation of each lead's QRS envelope with all leads', overall and in the worst 2.5 s."""
    a = normal - normal.mean(axis=1, keepdims=True)
    c = consensus - consensus.mean()
    k = max(1, len(c) // 250)
    parts = a[:, : k * 250].reshape(len(a), k, -1)
    common = c[: k * 250].reshape(k, -1)
    cross = np.einsum("lkt,kt->lk", parts, common)
    own = np.einsum("lkt,lkt->lk", parts, parts)
    all_leads = np.einsum("kt,kt->k", common, common)
    overall = a @ c / np.sqrt(np.square(a).sum(axis=1) * (c @ c) + EPS)
    return overall, (cross / np.sqrt(own * all_leads + EPS)).min(axis=1)


def _beat_share(energy: FloatArray, beats: npt.NDArray[np.intp]) -> FloatArray:
    """Share of the QRS-band energy that lies within 60 ms of a beat."""
    near = np.zeros(energy.shape[1], dtype=np.float32)
    if len(beats):
        near[np.clip(beats[:, None] + np.arange(-6, 7), 0, len(near) - 1)] = 1
    return np.asarray(energy @ near / (energy.sum(axis=1) + EPS), dtype=np.float32)
