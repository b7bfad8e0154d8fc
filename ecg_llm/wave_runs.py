"""Stretches in which a wave is probable: their boundaries, areas and owners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.waves import NET_FS, WAVES, FloatArray

LEVEL = 0.5
"""A wave begins and ends in a lead where the net is undecided: the median of many readers."""
SHORTEST_S = (0.024, 0.024, 0.040)
"""Shorter runs of P, QRS, T are ripples of the net, not waves."""
_BRIDGE_S = 0.032
"""Gaps within one wave (notches, fragmented QRS) that are closed."""
_REACH_S = 0.06
"""How far a wave in one lead may lie outside the wave of the leads together."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Stretches in which a row's probability is above its level.

    Attributes
    ----------
    row : np.ndarray of int, shape (n_runs,)
        Which row each lies in.
    on_s, off_s : np.ndarray, shape (n_runs,), s
        Where the level is crossed, between samples.
    area : np.ndarray, shape (n_runs,), s
        Probability summed over the run.
    """

    row: npt.NDArray[np.int64]
    on_s: npt.NDArray[np.float64]
    off_s: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]

    def keep(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Runs:
        """Give some of them.

        Parameters
        ----------
        which : np.ndarray
            Mask or indices.

        Returns
        -------
        Runs
        """
        return Runs(self.row[which], self.on_s[which], self.off_s[which], self.area[which])

    def of_wave(self, k: int) -> Runs:
        """Give the runs of one wave, where every lead has a row of each of `WAVES`.

        Parameters
        ----------
        k : int
            Which wave.

        Returns
        -------
        Runs
            Their row is the lead.
        """
        own = np.flatnonzero(self.row % len(WAVES) == k)
        lead = self.row[own] // len(WAVES)
        return Runs(lead, self.on_s[own], self.off_s[own], self.area[own])


def find_runs(probability: FloatArray, levels: tuple[float, ...] = (LEVEL, LEVEL, LEVEL)) -> Runs:
    """Find the runs above the level in every row.

    Parameters
    ----------
    probability : np.ndarray, shape (n_leads, 3, n)
        Of `WAVES`.
    levels : tuple of float
        One for each wave.

    Returns
    -------
    Runs
        ``row`` counts the waves of the first lead, then those of the second. Runs that are cut by
        an end or shorter than `SHORTEST_S` are left out.
    """
    n_leads, n_waves, n = probability.shape
    rows = probability.reshape(-1, n)
    level = np.array(levels, np.float32)
    above = np.zeros((n_leads, n_waves, n + 2), bool)
    np.greater(probability, level[:, None], out=above[..., 1:-1])
    flat = above.reshape(len(rows), n + 2)
    edges = np.flatnonzero(flat[:, 1:] != flat[:, :-1])  # beginnings and ends take turns
    if not len(edges):
        empty = np.zeros(0)
        return Runs(np.zeros(0, np.int64), empty, empty, empty)
    row, first = np.divmod(edges[::2], n + 1)
    last = edges[1::2] - row * (n + 1)  # first sample after the run
    new = np.ones(len(row), bool)
    new[1:] = (row[1:] != row[:-1]) | (first[1:] - last[:-1] > _BRIDGE_S * NET_FS)
    closes = np.append(new[1:], True)
    row, first, last = row[new], first[new], last[closes]
    whole = (first > 0) & (last < n)  # a wave cut by an end of the record has no true boundary
    row, first, last = row[whole], first[whole], last[whole]
    if not len(row):
        empty = np.zeros(0)
        return Runs(row, empty, empty, empty)
    limits = np.stack([first, last], axis=1) + row[:, None] * n
    area = np.add.reduceat(rows.ravel(), limits.ravel())[::2] / NET_FS
    own = level[row % n_waves]
    on_s = (first - _crossing(rows[row, first], rows[row, first - 1], own)) / NET_FS
    off_s = (last - 1 + _crossing(rows[row, last - 1], rows[row, last], own)) / NET_FS
    long = off_s - on_s >= np.array(SHORTEST_S)[row % n_waves]
    return Runs(row, on_s, off_s, area).keep(long)


def _crossing(
    inside: FloatArray, outside: FloatArray, level: FloatArray
) -> npt.NDArray[np.float64]:
    """Give how far from the inner sample towards the outer one the level is crossed."""
    share: npt.NDArray[np.float64] = (inside - level) / np.maximum(inside - outside, 1e-9)
    return share


def match_runs(
    rows: Runs, waves: Runs
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Runs]:
    """Give each lead's run that belongs to each wave of the leads together.

    Parameters
    ----------
    rows : Runs
        Of single leads.
    waves : Runs
        Of the leads together.

    Returns
    -------
    tuple
        Lead, index of the wave, and run; of several runs the largest.
    """
    centre = (rows.on_s + rows.off_s) / 2
    near = (centre[:, None] > waves.on_s - _REACH_S) & (centre[:, None] < waves.off_s + _REACH_S)
    run, wave = np.nonzero(near)
    order = np.lexsort((rows.area[run], wave, rows.row[run]))
    run, wave = run[order], wave[order]
    lead = rows.row[run]
    best = np.ones(len(run), bool)  # the largest of a group stands last
    best[:-1] = (lead[1:] != lead[:-1]) | (wave[1:] != wave[:-1])
    run, wave, lead = run[best], wave[best], lead[best]
    return lead, wave, rows.keep(run)
