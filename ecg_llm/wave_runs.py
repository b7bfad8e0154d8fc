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
END_S = 0.02
"""A wave so near to an end of the record counts as cut by it."""
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
            In the rows they had.
        """
        return self.keep(np.flatnonzero(self.row % len(WAVES) == k))


def find_runs(probability: FloatArray, levels: FloatArray) -> Runs:
    """Find the runs above the level in every row.

    Parameters
    ----------
    probability : np.ndarray, shape (n_leads, 3, n)
        Of `WAVES`.
    levels : np.ndarray, shape (n_leads, 3)
        One for each row.

    Returns
    -------
    Runs
        ``row`` counts the waves of the first lead, then those of the second. Runs that are cut by
        an end, or nearly so, or shorter than `SHORTEST_S` are left out.
    """
    n_leads, n_waves, n = probability.shape
    above = np.zeros((n_leads, n_waves, n + 2), bool)
    np.greater(probability, levels[..., None], out=above[..., 1:-1])
    flat = above.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])  # beginnings and ends take turns
    row, first = np.divmod(edges[::2], n + 2)
    last = edges[1::2] - row * (n + 2)  # first sample after the run
    new = np.ones(len(row) + 1, bool)
    new[1:-1] = (row[1:] != row[:-1]) | (first[1:] - last[:-1] > _BRIDGE_S * NET_FS)
    row, first, last = row[new[:-1]], first[new[:-1]], last[new[1:]]
    # A wave that an end of the record cuts has no true boundary; the net sees it end before.
    margin = round(END_S * NET_FS)
    whole = (first > margin) & (last < n - margin)
    row, first, last = row[whole], first[whole], last[whole]
    values = probability.ravel()
    start, stop = row * n + first, row * n + last
    area = np.add.reduceat(values, np.stack([start, stop], axis=1).ravel())[::2] / NET_FS
    own = levels.ravel()[row]
    on_s = (first - _crossing(values[start], values[start - 1], own)) / NET_FS
    off_s = (last - 1 + _crossing(values[stop - 1], values[stop], own)) / NET_FS
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
        Lead, index of the wave, and run; of several runs of the same kind the largest.
    """
    kind, other = rows.row % len(WAVES), waves.row % len(WAVES)
    centre = ((rows.on_s + rows.off_s) / 2)[:, None]
    near = (centre > waves.on_s - _REACH_S) & (centre < waves.off_s + _REACH_S)
    run, wave = np.nonzero(near & (kind[:, None] == other))
    order = np.argsort(rows.area[run], kind="stable")
    run, wave = run[order], wave[order]
    lead = rows.row[run] // len(WAVES)
    largest = np.full((lead.max(initial=-1) + 1, len(waves.row)), -1)
    largest[lead, wave] = run  # the last one stays
    lead, wave = np.nonzero(largest >= 0)
    return lead, wave, rows.keep(largest[lead, wave])
