"""Train the net that reads whole leads: strips of marked records, varied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ecg_llm.encoders.delineator import Delineator
from ecg_llm.signal import resample
from ecg_llm.training.marked_records import FloatArray, MarkedRecord, targets
from ecg_llm.training.net_loop import Batch, NetRecipe, fit_net
from ecg_llm.waves import NET_FS, scale_leads

_LOG_STRETCH = (-0.25, 0.45)
"""Logarithm of the change of tempo; wider towards fast rates, of which LUDB has few."""


@dataclass(frozen=True)
class StripRecipe(NetRecipe):
    """How the net of whole leads is trained."""

    crop_s: float = 5.12
    """Length of each training example."""


def example(
    record: MarkedRecord, crop_s: float, rng: np.random.Generator
) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Cut and vary one training example.

    Parameters
    ----------
    record : MarkedRecord
        Source.
    crop_s : float, s
        Length to cut.
    rng : np.random.Generator
        Of the variation.

    Returns
    -------
    tuple
        Signal [L, T], lead ids [L], targets [L, 3, T], mask [L, T].
    """
    n = round(crop_s * NET_FS)
    total_s = record.signal.shape[1] / NET_FS
    stretch = float(np.exp(rng.uniform(*_LOG_STRETCH))) if rng.random() < 0.7 else 1.0
    span = n / NET_FS * stretch
    start = rng.uniform(0, max(total_s - span, 0))
    time_s = start + np.arange(n) / NET_FS * stretch
    grid = np.arange(record.signal.shape[1]) / NET_FS
    signal = np.stack([np.interp(time_s, grid, row) for row in record.signal]).astype(np.float32)
    signal = _disturb(signal, rng)
    y = np.stack([targets(waves, time_s) for waves in record.waves_s])
    inside = (time_s >= record.marked_s[:, :1]) & (time_s <= record.marked_s[:, 1:])
    ids = np.where(rng.random() < 0.05, np.int64(12), record.lead_id)
    return scale_leads(signal, NET_FS), ids, y, inside.astype(np.float32)


def _disturb(signal: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Add what real tracings have: gain, noise, mains, wander, narrow bands, swapped poles."""
    n_leads, n = signal.shape
    height = np.median(np.ptp(signal, axis=1))
    t = np.arange(n) / NET_FS
    out: npt.NDArray[np.floating] = signal * np.exp(rng.normal(0, 0.15, (n_leads, 1)))
    if rng.random() < 0.05:
        out = -out
    if rng.random() < 0.3:
        narrow = resample(out.astype(np.float32), NET_FS, 100.0, lowpass_hz=40.0)
        out = resample(narrow, 100.0, NET_FS)[:, :n]
        out = np.pad(out, ((0, 0), (0, n - out.shape[1])), mode="edge")
    if rng.random() < 0.5:
        level = height * np.exp(rng.uniform(np.log(0.002), np.log(0.06)))
        white = rng.normal(0, level, (n_leads, n))
        out = out + np.cumsum(white, axis=1) * 0.15 if rng.random() < 0.3 else out + white
    if rng.random() < 0.3:
        phase = rng.uniform(0, 2 * np.pi)
        part = height * rng.uniform(0, 0.06) * rng.random((n_leads, 1))
        out = out + part * np.sin(2 * np.pi * rng.choice([50, 60]) * t + phase)
    if rng.random() < 0.5:
        start = rng.uniform(0, 2 * np.pi, (n_leads, 1))
        drift = height * rng.uniform(0, 0.3) * rng.normal(0, 1, (n_leads, 1))
        out = out + drift * np.sin(2 * np.pi * rng.uniform(0.1, 0.7) * t + start)
    return np.asarray(out, np.float32)


def batch(
    records: Sequence[MarkedRecord],
    simulated: Sequence[MarkedRecord],
    recipe: StripRecipe,
    rng: np.random.Generator,
) -> Batch:
    """Draw one batch; every record of it gives the same number of leads.

    Parameters
    ----------
    records, simulated : sequence of MarkedRecord
        To draw from.
    recipe : StripRecipe
        Sizes and shares.
    rng : np.random.Generator
        Of the draw.

    Returns
    -------
    tuple
        Signal [R, T], lead ids [R], targets [R, 3, T], mask [R, T], leads per record.
    """
    n_leads = 12 if rng.random() < 0.6 else int(rng.integers(1, 12))
    parts: list[tuple[FloatArray, ...]] = []
    for _ in range(recipe.batch * 12 // max(n_leads, 4)):
        pool = simulated if simulated and rng.random() < recipe.simulated_share else records
        rows = example(pool[int(rng.integers(len(pool)))], recipe.crop_s, rng)
        kept = rng.permutation(len(rows[0]))[:n_leads]
        parts.append(tuple(row[kept] for row in rows))  # type: ignore[misc]
    x, ids, y, mask = (torch.from_numpy(np.concatenate(p)) for p in zip(*parts, strict=True))
    return x, ids, y, mask, n_leads


def train_strips(
    records: Sequence[MarkedRecord],
    recipe: StripRecipe,
    out: Path | None,
    *,
    simulated: Sequence[MarkedRecord] = (),
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Delineator:
    """Train one net and give its averaged weights.

    Parameters
    ----------
    records : sequence of MarkedRecord
        Real records with marks.
    recipe : StripRecipe
        How.
    out : Path or None
        Checkpoint file, as in `ecg_llm.training.net_loop.fit_net`.
    simulated : sequence of MarkedRecord
        Mixed in by ``recipe.simulated_share``.
    on_step : callable
        Called with step and loss.

    Returns
    -------
    Delineator
        In evaluation mode.
    """
    return fit_net(lambda rng: batch(records, simulated, recipe, rng), recipe, out, on_step=on_step)
