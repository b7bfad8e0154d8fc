"""Find the beats and the onset, peak and offset of P, QRS and T in every lead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import MeasurementError
from ecg_llm.signal import nanmedian
from ecg_llm.wave_runs import LEVEL, Runs, find_runs, match_runs
from ecg_llm.waves import (
    BUNDLED,
    EXIST_LEVEL,
    NET_FS,
    WAVES,
    FloatArray,
    net_input,
    wave_probabilities,
)

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

FIDUCIALS = (
    "p_on",
    "p_peak",
    "p_off",
    "qrs_on",
    "qrs_peak",
    "qrs_off",
    "t_on",
    "t_peak",
    "t_off",
)
"""Columns of `Delineation.times_s`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Delineation:
    """Where every wave begins, peaks and ends.

    Attributes
    ----------
    leads : tuple of str
        The leads that were read (the usable ones), in the record's order.
    r_s : np.ndarray, shape (n_beats,), s
        One time a beat: the middle of the QRS, median over the leads.
    times_s : np.ndarray, shape (n_leads, n_beats, 9), s
        Per lead and beat the columns of `FIDUCIALS`; NaN where the wave was not found.
    global_s : np.ndarray, shape (n_beats, 9), s
        The median of the leads that show the wave.
    p_waves_s : np.ndarray, shape (n_p, 3), s
        Onset, peak, offset of every P wave found in the leads together, conducted or not.
    p_confidence : np.ndarray, shape (n_p,)
        Mean probability of those P waves, 0 to 1.
    """

    leads: tuple[str, ...]
    r_s: npt.NDArray[np.float64]
    times_s: npt.NDArray[np.float64]
    global_s: npt.NDArray[np.float64]
    p_waves_s: npt.NDArray[np.float64]
    p_confidence: npt.NDArray[np.float64]

    @property
    def n_beats(self) -> int:
        """Number of beats found."""
        return len(self.r_s)

    def column(self, fiducial: str, lead: str | None = None) -> npt.NDArray[np.float64]:
        """Give one fiducial of every beat.

        Parameters
        ----------
        fiducial : str
            One of `FIDUCIALS`.
        lead : str, optional
            Lead name; without it, the reading of all leads together.

        Returns
        -------
        np.ndarray, shape (n_beats,), s
        """
        k = FIDUCIALS.index(fiducial)
        return self.global_s[:, k] if lead is None else self.times_s[self.leads.index(lead), :, k]


_SHARED_P = 1 / 3
"""A P wave that so many of the leads show lies in all of them."""
_LONGEST_PR_S = 0.6
"""From the middle of P to that of its QRS; a P wave before that was not conducted to this beat."""
_REFRACTORY_S = 0.18
"""Two ventricular beats cannot be closer."""
_CLOSE_S, _UNLIKE = 0.4, 4.0
"""Of two so close, one of which has so much more probability, the other is a pacing spike."""


def delineate(
    record: ECGRecord, leads: tuple[str, ...] | None = None, *, weights: Path = BUNDLED
) -> Delineation:
    """Find every beat and wave of a record.

    Parameters
    ----------
    record : ECGRecord
        Any rate, gain and leads.
    leads : tuple of str, optional
        The leads to read, such as `Quality.usable_leads`; all of them if left out.
    weights : Path
        The net, as ONNX.

    Returns
    -------
    Delineation

    Raises
    ------
    MeasurementError
        If there is no lead to read.

    Notes
    -----
    A learned net gives the probability of each wave at every moment; the leads together decide
    which waves exist, each lead where it begins and ends. Waves cut by an end of the record are
    left out.
    """
    chosen = record if leads is None else record.select(leads)
    if not chosen.leads:
        raise MeasurementError(f"{record.source}: no lead is left to read.")
    signal = net_input(chosen)
    probability = wave_probabilities(signal, weights=weights)
    return decode(signal, probability, chosen.leads)


def decode(signal: FloatArray, probability: FloatArray, leads: tuple[str, ...]) -> Delineation:
    """Turn probabilities into beats and boundaries.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n)
        From `net_input`.
    probability : np.ndarray, shape (n_leads, 3, n)
        From `wave_probabilities`.
    leads : tuple of str
        Names of the rows.

    Returns
    -------
    Delineation

    Notes
    -----
    A P wave is too flat to be seen in some leads. Where enough of the others show it, it takes
    their median times there, as a reader lays a ruler through the leads.
    """
    n_leads = len(leads)
    together = probability.mean(axis=0, keepdims=True)
    levels = np.full((n_leads + 1, len(WAVES)), LEVEL, np.float32)
    levels[n_leads] = EXIST_LEVEL
    runs = find_runs(np.concatenate([probability, together]), levels)
    in_leads = runs.keep(runs.row < n_leads * len(WAVES))
    exist = _apart(runs.keep(runs.row >= n_leads * len(WAVES)))
    p, qrs, t = (exist.of_wave(k) for k in range(len(WAVES)))
    deflection = np.abs(signal).mean(axis=0)[None]
    r_s = _peaks(deflection, 0, qrs)
    n_beats = len(r_s)
    p_s = (p.on_s + p.off_s) / 2
    next_beat_p = np.searchsorted(r_s, p_s)
    next_beat_p[np.append(r_s, np.inf)[next_beat_p] - p_s > _LONGEST_PR_S] = n_beats
    last_beat_t = np.searchsorted(r_s, (t.on_s + t.off_s) / 2) - 1
    of_beat = np.stack(  # which P, QRS and T belongs to each beat, counted each for itself
        [_last(next_beat_p, n_beats), np.arange(n_beats), _largest(last_beat_t, t.area, n_beats)]
    )
    wave, beat = np.nonzero(of_beat >= 0)
    counted_from = np.array([0, len(p.row), len(p.row) + n_beats])
    own = exist.keep(counted_from[wave] + of_beat[wave, beat])
    lead, which, found = match_runs(in_leads, own)
    by_wave = np.full((n_leads, n_beats, len(WAVES), 3), np.nan)
    triple = np.column_stack([found.on_s, _peaks(signal, lead, found), found.off_s])
    by_wave[lead, beat[which], wave[which]] = triple
    per_lead = by_wave.reshape(n_leads, n_beats, len(FIDUCIALS))
    p_peaks = _peaks(deflection, 0, p)
    overall = nanmedian(per_lead, axis=0)
    p_times = per_lead[:, :, :3]
    unseen = np.isnan(p_times)
    p_times[:] = np.where(unseen & (unseen.mean(axis=0) <= 1 - _SHARED_P), overall[:, :3], p_times)
    middle = (overall[:, 3] + overall[:, 5]) / 2  # steadier from beat to beat than a peak
    return Delineation(
        leads=leads,
        r_s=np.where(np.isfinite(middle), middle, r_s),
        times_s=per_lead,
        global_s=overall,
        p_waves_s=np.column_stack([p.on_s, p_peaks, p.off_s]),
        p_confidence=np.clip(p.area / np.maximum(p.off_s - p.on_s, 1e-9), 0, 1),
    )


def _apart(exist: Runs) -> Runs:
    """Of QRS complexes that cannot both be beats keep the surer one."""
    kept: list[int] = []
    which = exist.row % len(WAVES) != WAVES.index("QRS")
    centre = (exist.on_s + exist.off_s) / 2
    for k in np.flatnonzero(~which).tolist():
        if kept:
            gap, more = centre[k] - centre[kept[-1]], exist.area[k] / exist.area[kept[-1]]
            unlike = max(more, 1 / more) > _UNLIKE
            if gap < (_CLOSE_S if unlike else _REFRACTORY_S):
                kept[-1] = k if more > 1 else kept[-1]
                continue
        kept.append(k)
    which[kept] = True
    return exist.keep(which)


def _last(beat: npt.NDArray[np.int64], n_beats: int) -> npt.NDArray[np.int64]:
    """Give for each beat the last wave that belongs to it, -1 where none does."""
    chosen = np.full(n_beats + 1, -1)
    chosen[beat] = np.arange(len(beat))
    return chosen[:n_beats]


def _largest(
    beat: npt.NDArray[np.int64], area: npt.NDArray[np.float64], n_beats: int
) -> npt.NDArray[np.int64]:
    """Give for each beat the largest wave that belongs to it, -1 where none does."""
    order = np.argsort(area, kind="stable")
    order = order[beat[order] >= 0]
    chosen = np.full(n_beats, -1)
    chosen[beat[order]] = order
    return chosen


def _peaks(
    signal: FloatArray, lead: npt.NDArray[np.int64] | int, runs: Runs
) -> npt.NDArray[np.float64]:
    """Give the time of the largest deflection within each run from the line through its ends."""
    first = np.ceil(runs.on_s * NET_FS).astype(np.int64)
    length = np.maximum(np.floor(runs.off_s * NET_FS).astype(np.int64) - first, 0)[:, None]
    inside = np.minimum(np.arange(length.max(initial=0) + 1), length)
    values = signal.take(inside + (lead * signal.shape[1] + first)[:, None])
    rise = (values[:, -1:] - values[:, :1]) / np.maximum(length, 1)
    peak = np.abs(values - values[:, :1] - rise * inside).argmax(axis=1)
    return np.asarray((first + peak) / NET_FS)
