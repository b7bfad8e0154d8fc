"""Find pacing spikes: deflections too narrow and too steep for a heart, in many leads at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.quality.bands import Bands
from ecg_llm.record import ECGRecord
from ecg_llm.signal import median

MIN_FS = 250.0
"""Below this rate a spike of some milliseconds cannot be told from a sharp R wave."""
NARROW_S, WIDE_S = 0.008, 0.020
"""A spike reaches its height within the first; a QRS complex still grows until the second."""
NARROWNESS = 0.6
"""Height over the narrow span against height over the wide one, from which it is a spike."""
ISOLATION = 2.0
"""Height of a spike against the range of the 35 ms before it: a QRS complex has begun by then."""
ISOLATION_IN_STEP = 1.0
"""The same, in a restless tracing, where spikes go before most beats at one distance."""
AHEAD_S, IN_STEP_S = (0.03, 0.25), 0.015
"""How far before its middle the spike of a beat lies, and by how much that may differ."""
STEP = 1.6
"""How far the tracing may have moved once a spike is past, in its heights; after a step it is 2."""
OVER_NOISE = 12.0
"""Height of a spike against the usual level of the same quantity."""
OVER_QRS = 0.08
"""Height of a spike against the highest QRS complexes."""
MIN_SPIKES = 3
"""Single narrow deflections are more often artefacts than stimuli."""


def find_pacing_spikes(
    record: ECGRecord, bands: Bands, usable: tuple[str, ...], beats_s: npt.NDArray[np.float64]
) -> tuple[float, ...]:
    """Find the times of pacing spikes.

    Parameters
    ----------
    record : ECGRecord
        The stretch; names the rows of ``bands``.
    bands : Bands
        The same stretch, gaps bridged.
    usable : tuple of str
        Leads to look at.
    beats_s : np.ndarray, shape (n_beats,), s
        Where most leads have a QRS complex.

    Returns
    -------
    tuple of float, s
        Empty below 250 Hz, where spikes are not judged, and if there are fewer than three.

    Notes
    -----
    In each lead, the height of a sample over the mean of its neighbours 8 ms away is set against
    the same with neighbours 20 ms away. For a triangle of the width of a narrow QRS complex the
    ratio is below 0.4; for a spike both heights are nearly equal. Heights are pooled over leads as
    root mean square.
    """
    chosen = [i for i, lead in enumerate(record.leads) if lead in usable]
    if record.fs < MIN_FS or not chosen:
        return ()
    raw = bands.raw[chosen]
    near = _height(raw, round(NARROW_S * record.fs))
    far = _height(raw, round(WIDE_S * record.fs))
    reach = max(1, round(0.25 * record.fs))
    usual = median(near)
    highest = np.sort(far[: len(far) // reach * reach].reshape(-1, reach).max(axis=1))
    qrs = float(highest[int(0.9 * (len(highest) - 1))])
    tall = near > max(OVER_NOISE * usual, OVER_QRS * qrs)
    at = np.flatnonzero(tall & (near > NARROWNESS * far))
    if len(at) < MIN_SPIKES:
        return ()
    half = round(0.05 * record.fs) // 2
    around = np.clip(at[:, None] + np.arange(-half, half + 1), 0, len(near) - 1)
    at = at[near[at] == near[around].max(axis=1)]
    at = at[np.diff(at, prepend=-2 * half) > half]  # equal heights side by side are one
    at = at[STEP * near[at] > _moved(raw, at, round(NARROW_S * record.fs))]
    isolation = near[at] / np.maximum(_stir_before(raw, at, record.fs), 1e-9)
    fair = at[isolation > ISOLATION_IN_STEP]
    at = fair if _in_step(fair / record.fs, beats_s) else at[isolation > ISOLATION]
    return tuple(float(t) for t in np.round(at / record.fs, 4)) if len(at) >= MIN_SPIKES else ()


def _in_step(spikes_s: npt.NDArray[np.float64], beats_s: npt.NDArray[np.float64]) -> bool:
    """Whether spikes go before most beats at one distance, as where they cause them."""
    ahead = beats_s[:, None] - spikes_s
    inside = (ahead > AHEAD_S[0]) & (ahead < AHEAD_S[1])
    ahead = np.where(inside, ahead, np.inf).min(axis=1, initial=np.inf)
    found = ahead[np.isfinite(ahead)]
    if len(found) < MIN_SPIKES:
        return False
    alike = np.abs(found - np.median(found)) < IN_STEP_S
    return bool(alike.sum() >= 0.5 * len(beats_s))


def _height(raw: npt.NDArray[np.float32], span: int) -> npt.NDArray[np.float32]:
    """Root mean square, over leads, of a sample over the mean of its two neighbours."""
    out = np.zeros(raw.shape[1], dtype=np.float32)
    height = raw[:, 2 * span :] + raw[:, : -2 * span]
    height *= -0.5
    height += raw[:, span:-span]
    out[span:-span] = np.sqrt(np.einsum("lt,lt->t", height, height) / len(raw))
    return out


def _moved(
    raw: npt.NDArray[np.float32], at: npt.NDArray[np.intp], span: int
) -> npt.NDArray[np.float32]:
    """Root mean square, over leads, of how far the tracing has moved once a sample is past."""
    moved = raw[:, np.minimum(at + span, raw.shape[1] - 1)] - raw[:, np.maximum(at - span, 0)]
    return np.asarray(np.sqrt(np.square(moved).mean(axis=0)), dtype=np.float32)


def _stir_before(
    raw: npt.NDArray[np.float32], at: npt.NDArray[np.intp], fs: float
) -> npt.NDArray[np.float32]:
    """Root mean square, over leads, of the range from 40 to 5 ms before each sample."""
    window = np.arange(-round(0.040 * fs), -round(0.005 * fs) + 1)
    cut = raw[:, np.clip(at[:, None] + window, 0, raw.shape[1] - 1)]
    return np.asarray(np.sqrt(np.square(np.ptp(cut, axis=2)).mean(axis=0)), dtype=np.float32)
