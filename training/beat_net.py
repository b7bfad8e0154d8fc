"""Train the net that reads the averaged beat of a record, on the averages of marked beats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ecg_llm.beat_average import (
    AFTER_S,
    BEFORE_S,
    align_beats,
    alike,
    cut_windows,
    scale_beat,
)
from ecg_llm.encoders.delineator import Delineator, DelineatorConfig
from ecg_llm.training.marked_records import FloatArray, MarkedRecord, targets
from ecg_llm.training.net_loop import Batch, NetRecipe, fit_net
from ecg_llm.waves import NET_FS, WAVES, scale_leads

_BEFORE, _AFTER = round(BEFORE_S * NET_FS), round(AFTER_S * NET_FS)
_WIDE = (round(0.80 * NET_FS), round(1.28 * NET_FS))
"""Samples kept around a beat: what a change of tempo and a shift may need."""
_LOG_STRETCH = (-0.2, 0.3)
_HALF_TAPS = 24


@dataclass(frozen=True)
class BeatRecipe(NetRecipe):
    """How the net of the averaged beat is trained."""

    steps: int = 1500
    batch: int = 24
    ema: float = 0.998
    simulated_share: float = 0.1
    simulated_records: int = 250
    config: DelineatorConfig = field(
        default_factory=lambda: DelineatorConfig(
            widths=(32, 48, 64, 96, 128), kernel=5, stem_stride=4
        )
    )
    interval_weight: float = 0.001
    """Of the error of PR, QRS and QT, mean over the leads, in ms, beside the cross-entropy."""


@dataclass(frozen=True, eq=False)
class MarkedBeats:
    """All beats of one shape of one record, aligned.

    Attributes
    ----------
    signal : np.ndarray, shape (n_leads, n_beats, n), float32
        Scaled leads.
    target : np.ndarray, shape (n_leads, n_beats, 3, n), uint8
        Share of each sample that a wave covers, in 255ths.
    marked : np.ndarray of bool, shape (n_leads, n_beats, n)
        Where every wave is marked.
    lead_id : np.ndarray, shape (n_leads,)
        Which leads the rows are.
    """

    signal: FloatArray
    target: npt.NDArray[np.uint8]
    marked: npt.NDArray[np.bool_]
    lead_id: npt.NDArray[np.int64]


def marked_beats(record: MarkedRecord, r_s: npt.NDArray[np.float64]) -> MarkedBeats | None:
    """Cut and align the beats of a record with their marks.

    Parameters
    ----------
    record : MarkedRecord
        Signal and marks.
    r_s : np.ndarray, shape (n_beats,), s
        About the middle of each QRS.

    Returns
    -------
    MarkedBeats or None
        None where fewer than two whole beats look alike, or none is marked.
    """
    if len(r_s) < 2:
        return None
    signal = scale_leads(record.signal, NET_FS)
    n = signal.shape[1]
    centres = np.round(r_s * NET_FS).astype(int) + align_beats(signal, NET_FS, r_s)
    centres = centres[(centres > 60) & (centres < n - 60)]
    centres = centres[alike(signal, centres)] if len(centres) else centres
    if len(centres) < 2:
        return None
    time_s = np.arange(n) / NET_FS
    drawn = np.stack([targets(waves, time_s) for waves in record.waves_s])  # [L, 3, n]
    inside = (time_s >= record.marked_s[:, :1]) & (time_s <= record.marked_s[:, 1:])
    outside = (centres[:, None] + np.arange(-_WIDE[0], _WIDE[1]))[None]
    outside = (outside < 0) | (outside >= n)
    marked = cut_windows(inside, centres, *_WIDE) & ~outside
    if not marked[:, :, _WIDE[0]].any():
        return None
    return MarkedBeats(
        signal=cut_windows(signal, centres, *_WIDE),
        target=np.moveaxis(np.round(cut_windows(drawn, centres, *_WIDE) * 255), 1, 2).astype(
            np.uint8
        ),
        marked=marked,
        lead_id=record.lead_id,
    )


def beat_example(
    beats: MarkedBeats, rng: np.random.Generator
) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Average some beats of a record, and vary the average.

    Parameters
    ----------
    beats : MarkedBeats
        Source.
    rng : np.random.Generator
        Of the choice and the variation.

    Returns
    -------
    tuple
        Signal [L, T], lead ids [L], targets [L, 3, T], mask [L, T].
    """
    n = beats.signal.shape[2]
    usable = np.flatnonzero(beats.marked[:, :, _WIDE[0]].mean(axis=0) > 0.5)
    if not len(usable):
        usable = np.arange(beats.signal.shape[1])
    chosen = usable
    if rng.random() < 0.5:
        chosen = rng.choice(usable, rng.integers(1, len(usable) + 1), replace=False)
    mean = beats.signal[:, chosen].mean(axis=1)
    known = beats.marked[:, chosen].astype(np.float32)
    count = known.sum(axis=1)
    drawn = np.einsum("lbkt,lbt->lkt", beats.target[:, chosen].astype(np.float32) / 255, known)
    drawn /= np.maximum(count, 1)[:, None]
    mask = (count >= 0.5 * len(chosen)) & (count > 0)
    stretch = float(np.exp(rng.uniform(*_LOG_STRETCH))) if rng.random() < 0.7 else 1.0
    place = np.arange(-_BEFORE, _AFTER) * stretch + _WIDE[0] + rng.normal(0, 3)
    low = np.clip(np.floor(place).astype(int), 0, n - 2)
    share = (place - low).astype(np.float32)
    mean = mean[:, low] * (1 - share) + mean[:, low + 1] * share
    drawn = drawn[:, :, low] * (1 - share) + drawn[:, :, low + 1] * share
    mask = mask[:, low] & (place >= 0) & (place < n - 1)
    ids = np.where(rng.random() < 0.05, np.int64(12), beats.lead_id)
    return scale_beat(_disturb(mean, rng)), ids, drawn, mask.astype(np.float32)


def _disturb(mean: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Add what is left of noise in an average, and what averaging cannot take away."""
    n_leads, n = mean.shape
    height = float(np.median(np.ptp(mean, axis=1)))
    t = np.arange(n) / NET_FS
    out: npt.NDArray[np.floating] = mean * np.exp(rng.normal(0, 0.15, (n_leads, 1)))
    if rng.random() < 0.05:
        out = -out
    if rng.random() < 0.3:
        taps = _low_pass(float(rng.choice([35, 45, 60, 90])))
        edges = np.pad(out, ((0, 0), (_HALF_TAPS, _HALF_TAPS)), mode="edge")
        out = np.stack([np.convolve(row, taps, "valid") for row in edges])
    if rng.random() < 0.5:
        level = height * np.exp(rng.uniform(np.log(0.001), np.log(0.03)))
        white = rng.normal(0, level, (n_leads, n))
        out = out + (np.cumsum(white, axis=1) * 0.15 if rng.random() < 0.3 else white)
    if rng.random() < 0.15:
        part = height * rng.uniform(0, 0.02) * rng.random((n_leads, 1))
        out = out + part * np.sin(2 * np.pi * rng.choice([50, 60]) * t + rng.uniform(0, 2 * np.pi))
    if rng.random() < 0.5:
        start = rng.uniform(0, 2 * np.pi, (n_leads, 1))
        drift = height * rng.uniform(0, 0.15) * rng.normal(0, 1, (n_leads, 1))
        out = out + drift * np.sin(2 * np.pi * rng.uniform(0.1, 0.7) * t + start)
    return np.asarray(out, np.float32)


def _low_pass(hz: float) -> npt.NDArray[np.float64]:
    """Give the taps of a low-pass, as narrow-band recorders have."""
    t = np.arange(-_HALF_TAPS, _HALF_TAPS + 1) / NET_FS
    taps = np.sinc(2 * hz * t) * np.hamming(len(t))
    return np.asarray(taps / taps.sum())


def beat_batch(
    real: Sequence[MarkedBeats],
    simulated: Sequence[MarkedBeats],
    recipe: BeatRecipe,
    rng: np.random.Generator,
) -> Batch:
    """Draw one batch; every record of it gives the same number of leads.

    Parameters
    ----------
    real, simulated : sequence of MarkedBeats
        To draw from.
    recipe : BeatRecipe
        Sizes and shares.
    rng : np.random.Generator
        Of the draw.

    Returns
    -------
    Batch
    """
    n_leads = 12 if rng.random() < 0.7 else int(rng.integers(1, 12))
    parts: list[tuple[npt.NDArray[np.generic], ...]] = []
    for _ in range(recipe.batch * 12 // max(n_leads, 4)):
        pool = simulated if simulated and rng.random() < recipe.simulated_share else real
        rows = beat_example(pool[int(rng.integers(len(pool)))], rng)
        kept = rng.permutation(len(rows[0]))[:n_leads]
        parts.append(tuple(row[kept] for row in rows))
    x, ids, y, mask = (torch.from_numpy(np.concatenate(p)) for p in zip(*parts, strict=True))
    return x, ids, y, mask, n_leads


def interval_loss(logits: torch.Tensor, drawn: Batch) -> torch.Tensor:
    """Compute the error of PR, QRS and QT, mean over the leads of each record.

    Parameters
    ----------
    logits : Tensor, shape (n_rows, 3, n)
        Of the net.
    drawn : tuple
        The batch.

    Returns
    -------
    Tensor
        In ms, smooth below 3 ms, the three intervals summed.

    Notes
    -----
    Cross-entropy asks each lead for its own marks; what a report gives is one value of all leads,
    whose error is what their errors have in common. The area under a probability, from the middle
    of the true wave outwards, is the expected time of the boundary, and can be derived.
    """
    _, _, y, mask, n_leads = drawn
    gap = (torch.sigmoid(logits) - y) * (1000 / NET_FS)  # [R, 3, T], ms
    at = torch.arange(y.shape[2])[None]

    def middle(wave: str, first: int, last: int) -> tuple[torch.Tensor, torch.Tensor]:
        part = y[:, WAVES.index(wave), first:last]
        centre = (part * torch.arange(first, last)).sum(1) / part.sum(1).clamp(min=1e-3)
        there = (part.amax(1) > 0.8) & (mask[:, first:last].amin(1) > 0)
        return centre.round(), there

    def late(wave: str, centre: torch.Tensor, reach: int) -> torch.Tensor:
        """How much later than marked the boundary on one side of the wave's middle lies."""
        away = (at - centre[:, None]) * np.sign(reach)
        part = gap[:, WAVES.index(wave)] * ((away >= 0) & (away < abs(reach)))
        return part.sum(1) * np.sign(reach)

    qrs, has_qrs = middle("QRS", _BEFORE - 60, _BEFORE + 60)
    p, has_p = middle("P", _BEFORE - 160, _BEFORE - 20)
    t, has_t = middle("T", _BEFORE + 40, _BEFORE + 330)
    begin = late("QRS", qrs, -60)
    intervals = (
        (begin - late("P", p, -60), has_qrs & has_p),
        (late("QRS", qrs, 60) - begin, has_qrs),
        (late("T", t, 110) - begin, has_qrs & has_t),
    )
    total = gap.new_zeros(())
    for error, there in intervals:
        known = there.view(-1, n_leads).float()
        mean = (error.view(-1, n_leads) * known).sum(1) / known.sum(1).clamp(min=1)
        mean = mean[known.sum(1) >= max(1, n_leads // 3)]
        if len(mean):
            total = total + functional.smooth_l1_loss(mean, torch.zeros_like(mean), beta=3.0)
    return total


def train_beats(
    real: Sequence[MarkedBeats],
    recipe: BeatRecipe,
    out: Path | None,
    *,
    simulated: Sequence[MarkedBeats] = (),
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Delineator:
    """Train the net of the averaged beat.

    Parameters
    ----------
    real : sequence of MarkedBeats
        Of real records.
    recipe : BeatRecipe
        How.
    out : Path or None
        Checkpoint file, as in `ecg_llm.training.net_loop.fit_net`.
    simulated : sequence of MarkedBeats
        Mixed in by ``recipe.simulated_share``.
    on_step : callable
        Called with step and loss.

    Returns
    -------
    Delineator
        In evaluation mode.
    """
    return fit_net(
        lambda rng: beat_batch(real, simulated, recipe, rng),
        recipe,
        out,
        more_loss=lambda logits, drawn: recipe.interval_weight * interval_loss(logits, drawn),
        on_step=on_step,
    )
