"""Batches of packed records, each shown in some view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from ecg_llm.errors import ConfigError
from ecg_llm.training.loop import Batch
from ecg_llm.training.pack import Pack
from ecg_llm.training.recipe import DataConfig
from ecg_llm.training.views import ViewConfig, any_view, heavy_view, light_view

Needs = Literal["nothing", "statements", "words"]
"""What a record must have to be learnt from; words are statements or a report."""
LEAD_GAIN = 0.3
"""Deviation of the logarithm of a precordial lead's gain where each lead lost its own."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Where batches come from.

    Attributes
    ----------
    pack : Pack
        Records.
    views : ViewConfig
        How they are shown.
    groups : tuple of np.ndarray of int
        Numbers of the records of each source.
    shares : np.ndarray
        Part of a batch that each has.
    size : int
        Views a batch.
    names : tuple of str
        Of the sources, in the order of ``groups``.
    left_out : tuple of str
        Sources that are packed but not learnt from.
    """

    pack: Pack
    views: ViewConfig
    groups: tuple[npt.NDArray[np.int64], ...]
    shares: npt.NDArray[np.float64]
    size: int
    names: tuple[str, ...]
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        """Say what is learnt from, and what is not."""
        groups = zip(self.names, self.groups, self.shares, strict=True)
        learnt = ", ".join(f"{len(rows)} {name} ({share:.0%})" for name, rows, share in groups)
        rest = f"; not from {', '.join(self.left_out)}" if self.left_out else ""
        return f"learns from {learnt}{rest}"

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Numbers of all records that train."""
        return np.concatenate(self.groups)

    def draw(self, rng: np.random.Generator) -> Batch:
        """Draw a batch.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of chance.

        Returns
        -------
        dict of str to Tensor
            ``signal``, ``present``, ``calibrated``, ``labels``, ``row`` and ``n_pairs``: so many of
            the last views are the first records again, seen worse.
        """
        n_pairs = round(self.size * self.views.pairs)
        n = self.size - n_pairs
        group = rng.choice(len(self.groups), n, p=self.shares)
        rows = [int(rng.choice(self.groups[k])) for k in group]
        rows += rows[:n_pairs]
        signal = np.zeros((self.size, 12, self.pack.signals.shape[2]), np.float32)
        present = np.zeros(signal.shape, bool)
        calibrated = np.zeros(self.size, bool)
        for k, row in enumerate(rows):
            x, there = self.source(row, rng)
            if k < n_pairs:
                y, seen = light_view(x, there, rng, self.views)
            elif k < n:
                y, seen = any_view(x, there, rng, self.views)
            else:
                y, seen = heavy_view(x, there, rng, self.views)
            if not seen.any():
                y, seen = x, there
            calibrated[k] = self.pack.calibrated[row] and rng.random() >= self.views.unknown_gain
            if not calibrated[k]:
                y = y * np.float32(np.exp(rng.standard_normal()))
            signal[k] = np.where(seen, y, np.float32(0))
            present[k] = seen
        return {
            "signal": torch.from_numpy(signal),
            "present": torch.from_numpy(present),
            "calibrated": torch.from_numpy(calibrated),
            "labels": torch.from_numpy(self.pack.labels[rows].astype(np.float32)),
            "row": torch.tensor(rows),
            "n_pairs": torch.tensor(n_pairs),
        }

    def source(
        self, row: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Give one record as it was packed.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws the gains of leads that lost theirs.

        Returns
        -------
        signal : np.ndarray, shape (12, T), mV
            0 where nothing was recorded.
        present : np.ndarray of bool, shape (12, T)
        """
        x = self.pack.signals[row].astype(np.float32)
        there = np.isfinite(x)
        x[~there] = 0.0
        if not self.pack.lead_gains_known[row]:
            x[6:] *= np.exp(LEAD_GAIN * rng.standard_normal((6, 1))).astype(np.float32)
        return x, there


def batches(pack: Pack, data: DataConfig, views: ViewConfig, size: int, *, needs: Needs) -> Batches:
    """Choose the records that a recipe learns from.

    Parameters
    ----------
    needs : {"nothing", "statements", "words"}
        What a record must have: a known statement, or that or a report.

    Raises
    ------
    ConfigError
        If none is left.
    """
    trains = np.isin(pack.fold, (0, *data.folds))
    if needs != "nothing":
        stated = (pack.labels >= 0).any(axis=1)
        trains &= stated if needs == "statements" else stated | (pack.report != "")
    groups: dict[str, npt.NDArray[np.int64]] = {}
    weights = []
    for source in sorted(set(pack.source.tolist())):
        rows = np.flatnonzero(trains & (pack.source == source))
        weight = data.shares.get(source, float(len(rows)))
        if data.shares and source not in data.shares:
            weight = 0.0
        if len(rows) and weight > 0:
            groups[source] = rows
            weights.append(weight)
    if not groups:
        wanted = {"nothing": "records", "statements": "records with statements"}.get(
            needs, "records with words"
        )
        raise ConfigError(
            f"the recipe learns from {wanted} of folds {', '.join(map(str, data.folds))}"
            f"{' of ' + ', '.join(sorted(data.shares)) if data.shares else ''}, of which none is "
            f"among the packed {', '.join(sorted(set(pack.source.tolist())))}; change [data] of "
            "the recipe, or give other data."
        )
    shares = np.array(weights) / sum(weights)
    chosen = list(groups.values())
    return Batches(
        pack,
        views,
        tuple(_few(chosen, data.few) if data.few else chosen),
        shares,
        size,
        tuple(groups),
        tuple(sorted(set(pack.source.tolist()) - set(groups))),
    )


def _few(groups: list[npt.NDArray[np.int64]], n: int) -> list[npt.NDArray[np.int64]]:
    """Keep n records, the same ones whatever the run."""
    rng = np.random.default_rng(0)
    total = sum(len(rows) for rows in groups)
    return [
        np.sort(
            rng.choice(rows, min(max(round(n * len(rows) / total), 1), len(rows)), replace=False)
        )
        for rows in groups
    ]
