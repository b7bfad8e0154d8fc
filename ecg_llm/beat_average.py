"""Average the beats of a record and read the boundaries of that one quieter beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.signal import nanmedian
from ecg_llm.wave_runs import Runs, find_runs, match_runs
from ecg_llm.waves import NET_FS, WAVES, FloatArray, scale_leads

Array = npt.NDArray[np.float64]

BEFORE_S, AFTER_S = 0.50, 0.78
"""What the averaged beat holds around the centre of its QRS; together a length the net takes."""
_CORE_S = (-0.12, 0.30)
"""Around the centre: the part by which beats are compared."""
_CORE_STEP = 5
"""Samples that are averaged for it; the part holds a whole number of such steps."""
_ALIKE = 0.85
"""Correlation with the median beat, all leads together, from which a beat is averaged."""
_MOST_S = 0.060
"""A boundary of the averaged beat further from the single beats' is another wave's."""
_MAX_SHIFT = 12
_ALIGN_S = 0.10


@dataclass(frozen=True, eq=False)
class AverageBeat:
    """The mean of the beats that look alike.

    Attributes
    ----------
    signal : np.ndarray, shape (n_leads, n)
        From `BEFORE_S` before the centre to `AFTER_S` after it, at the net's rate, scaled.
    members : np.ndarray of int, shape (k,)
        Which beats it is the mean of.
    centres_s : np.ndarray, shape (k,), s
        Where their aligned centres lie in the record.
    """

    signal: FloatArray
    members: npt.NDArray[np.int64]
    centres_s: Array


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
    steep = np.abs(np.diff(signal, axis=1)).sum(axis=0)
    half = round(_ALIGN_S * fs) + _MAX_SHIFT
    padded = np.pad(steep, half)
    where = np.round(r_s * fs).astype(int)[:, None] + np.arange(2 * half + 1)
    around = padded[np.clip(where, 0, len(padded) - 1)]
    template = nanmedian(around[:, _MAX_SHIFT:-_MAX_SHIFT], axis=0)
    shift = np.zeros(len(r_s), int)
    views = np.lib.stride_tricks.sliding_window_view(around, len(template), axis=1)
    for _ in range(2):
        shift = np.argmax(views @ template, axis=1)
        template = nanmedian(views[np.arange(len(r_s)), shift], axis=0)
    return shift - _MAX_SHIFT


def cut_windows(
    signal: FloatArray, centres: npt.NDArray[np.int64], before: int, after: int
) -> FloatArray:
    """Cut a window around each centre; beyond the ends the outermost sample goes on.

    Parameters
    ----------
    signal : np.ndarray, shape (..., n)
        Rows to cut.
    centres : np.ndarray of int, shape (n_windows,)
        Samples.
    before, after : int
        Samples of a window before its centre, and from its centre on.

    Returns
    -------
    np.ndarray, shape (..., n_windows, before + after)
    """
    where = centres[:, None] + np.arange(-before, after)
    return signal[..., np.clip(where, 0, signal.shape[-1] - 1)]


def alike(windows: FloatArray) -> npt.NDArray[np.bool_]:
    """Choose the beats that look like the median beat.

    Parameters
    ----------
    windows : np.ndarray, shape (n_leads, n_beats, n)
        Aligned beats, at the net's rate, cut `BEFORE_S` before their centre.

    Returns
    -------
    np.ndarray of bool, shape (n_beats,)
    """
    first, last = (round((BEFORE_S + s) * NET_FS) for s in _CORE_S)
    core = windows[:, :, first:last]
    n_leads, n_beats, _ = core.shape
    core = core.reshape(n_leads, n_beats, -1, _CORE_STEP).mean(axis=3)  # less noise
    core -= core.mean(axis=2, keepdims=True)
    usual = nanmedian(core, axis=1)[:, None]
    product = (core * usual).sum(axis=(0, 2))
    size = np.sqrt(np.square(core).sum(axis=(0, 2)) * np.square(usual).sum())
    return np.asarray(product > _ALIKE * np.maximum(size, 1e-9))


def average_beat(signal: FloatArray, r_s: Array) -> AverageBeat | None:
    """Average the beats that look alike.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n)
        From `ecg_llm.waves.net_input`.
    r_s : np.ndarray, shape (n_beats,), s
        About the middle of each QRS.

    Returns
    -------
    AverageBeat or None
        None where there are fewer than two whole beats of one shape.
    """
    if len(r_s) < 2:
        return None
    centres = np.round(r_s * NET_FS).astype(int) + align_beats(signal, NET_FS, r_s)
    least = round(-_CORE_S[0] * NET_FS)
    whole = np.flatnonzero((centres > least) & (centres < signal.shape[1] - least))
    if len(whole) < 2:
        return None
    before, after = round(BEFORE_S * NET_FS), round(AFTER_S * NET_FS)
    windows = cut_windows(signal, centres[whole], before, after)
    chosen = alike(windows)
    members = whole[chosen]
    if len(members) < 2:
        return None
    mean = windows[:, chosen].mean(axis=1)
    return AverageBeat(scale_beat(mean), members, centres[members] / NET_FS)


def scale_beat(mean: FloatArray) -> FloatArray:
    """Bring an averaged beat to the level and height that its net expects.

    Parameters
    ----------
    mean : np.ndarray, shape (n_leads, n)
        At the net's rate.

    Returns
    -------
    np.ndarray, shape (n_leads, n)
    """
    return scale_leads(mean - nanmedian(mean, axis=1)[:, None], NET_FS)


def settle(times_s: Array, beat: AverageBeat, probability: FloatArray) -> Array:
    """Move every lead's T wave to where the averaged beat has its boundaries.

    Parameters
    ----------
    times_s : np.ndarray, shape (n_leads, n_beats, 9), s
        Fiducials of the single beats.
    beat : AverageBeat
        Of the same leads.
    probability : np.ndarray, shape (n_leads, 3, n)
        What the net says of it.

    Returns
    -------
    np.ndarray, shape (n_leads, n_beats, 9), s

    Notes
    -----
    T is low and ends slowly, so that noise moves its boundaries in single beats, and not evenly to
    both sides: its foot is lost in it. All averaged beats of one lead are moved by the same time,
    so that their median lies where the average has the boundary; how they differ stays as it was.
    P and QRS gain nothing by this, and stay.
    """
    wave = WAVES.index("T")
    on, peak, off = 3 * wave, 3 * wave + 1, 3 * wave + 2
    local = times_s[:, beat.members, on : off + 1] - (beat.centres_s - BEFORE_S)[:, None]
    usual = nanmedian(local, axis=1)  # [L, 3]
    known = usual[np.isfinite(usual[:, 0])]
    if not len(known):
        return times_s
    place = nanmedian(known, axis=0)
    together = Runs(np.array([wave]), place[:1], place[2:], np.zeros(1))
    lead, _, found = match_runs(find_runs(probability), together)
    move = np.column_stack([found.on_s, found.off_s]) - usual[lead][:, [0, 2]]
    move[~(np.abs(move) < _MOST_S)] = 0  # NaN too
    settled = times_s.copy()
    part = settled[lead[:, None], beat.members]  # [found, members, 9]
    part[..., [on, off]] += move[:, None]
    part[..., peak] = np.clip(part[..., peak], part[..., on], part[..., off])
    settled[lead[:, None], beat.members] = part
    return settled
