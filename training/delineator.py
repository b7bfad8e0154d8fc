"""Train the delineator on cardiologists' marks and on simulated beats of known truth.

``ecgllm train delineator --data LUDB_DIR --out DIR`` packs the records, trains one net per fold
(and one on everything), and writes ONNX. Checkpoints resume to the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torch.optim import swa_utils

from ecg_llm.encoders.delineator import Delineator, DelineatorConfig, FlatDelineator
from ecg_llm.eval.ludb import ludb_records, read_ludb
from ecg_llm.eval.rhythms import Marks, simulated_marks
from ecg_llm.record import ECGRecord
from ecg_llm.signal import fill_gaps, resample
from ecg_llm.waves import (
    HIGHPASS_HZ,
    NET_FS,
    WAVES,
    lead_ids,
    scale_leads,
)

FloatArray = npt.NDArray[np.float32]
_LOG_STRETCH = (-0.25, 0.45)
"""Logarithm of the change of tempo; wider towards fast rates, of which LUDB has few."""
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int]


@dataclass(frozen=True)
class DelineatorRecipe:
    """How the delineator is trained."""

    steps: int = 4000
    """Optimiser steps."""
    batch: int = 12
    """Records a step."""
    crop_s: float = 5.12
    """Length of each training example."""
    peak_lr: float = 4e-3
    """Highest learning rate of the one-cycle schedule."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the ones that ship."""
    simulated_share: float = 0.2
    """Share of simulated records in a batch."""
    simulated_records: int = 600
    """How many of them there are."""
    save_every: int = 250
    """Steps between checkpoints."""
    seed: int = 0
    """Of weights, order and augmentation."""
    config: DelineatorConfig = field(default_factory=DelineatorConfig)
    """Size of the net."""


@dataclass(frozen=True, eq=False)
class MarkedRecord:
    """One training record at the net's rate.

    Attributes
    ----------
    signal : np.ndarray, shape (n_leads, n), mV
        Not scaled yet, baseline removed.
    lead_id : np.ndarray, shape (n_leads,)
        Which leads the rows are.
    waves_s : list of dict of str to np.ndarray, shape (k, 3), s
        Per lead: onset, peak, offset of every wave.
    marked_s : np.ndarray, shape (n_leads, 2), s
        The stretch in which every wave is marked.
    """

    signal: FloatArray
    lead_id: npt.NDArray[np.int64]
    waves_s: list[dict[str, npt.NDArray[np.float64]]]
    marked_s: npt.NDArray[np.float64]


def marked_record(record: ECGRecord, waves_s: Marks, *, whole: bool) -> MarkedRecord:
    """Bring a record and its marks to the form that training uses.

    Parameters
    ----------
    record : ECGRecord
        The signal.
    waves_s : dict of str to dict of str to np.ndarray, shape (n, 3), s
        By lead and wave: onset, peak, offset.
    whole : bool
        Whether everything is marked; else only what lies between the first and the last mark of
        a lead counts (LUDB leaves the outer beats unmarked).

    Returns
    -------
    MarkedRecord
    """
    signal = resample(fill_gaps(record.signal), record.fs, NET_FS, highpass_hz=HIGHPASS_HZ)
    rows, spans = [], []
    for lead in record.leads:
        waves = waves_s[lead]
        complete = {w: v[np.isfinite(v).all(axis=1)] for w, v in waves.items()}
        edges = np.concatenate([v[:, [0, 2]].ravel() for v in complete.values()])
        if whole:
            spans.append((0.0, record.duration_s))
        else:
            spans.append((edges.min() - 0.04, edges.max() + 0.04) if len(edges) else (0.0, 0.0))
        rows.append(complete)
    return MarkedRecord(signal, lead_ids(record.leads), rows, np.array(spans))


def targets(
    waves_s: dict[str, npt.NDArray[np.float64]], time_s: npt.NDArray[np.float64]
) -> FloatArray:
    """Draw the waves of one lead on the net's time grid.

    Parameters
    ----------
    waves_s : dict of str to np.ndarray, shape (n, 3), s
        Onset, peak, offset.
    time_s : np.ndarray, shape (n_samples,), s
        Evenly spaced.

    Returns
    -------
    np.ndarray, shape (3, n_samples)
        The share of each sample's interval that the wave covers, so that a boundary between two
        samples is not rounded.
    """
    out = np.zeros((len(WAVES), len(time_s)), np.float32)
    step = time_s[1] - time_s[0]
    low, high = time_s - step / 2, time_s + step / 2
    for k, wave in enumerate(WAVES):
        for on, _, off in waves_s[wave]:
            first, last = np.searchsorted(high, on), np.searchsorted(low, off)
            part = slice(first, last)
            covered = np.minimum(high[part], off) - np.maximum(low[part], on)
            out[k, part] = np.maximum(out[k, part], covered / step)
    return out


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
    recipe: DelineatorRecipe,
    rng: np.random.Generator,
) -> Batch:
    """Draw one batch; every record of it gives the same number of leads.

    Parameters
    ----------
    records, simulated : sequence of MarkedRecord
        To draw from.
    recipe : DelineatorRecipe
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


def train_one(
    records: Sequence[MarkedRecord],
    recipe: DelineatorRecipe,
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
    recipe : DelineatorRecipe
        How.
    out : Path or None
        Checkpoint file; if it exists and its recipe is the same, training goes on from it. None
        keeps no checkpoint.
    simulated : sequence of MarkedRecord
        Mixed in by ``recipe.simulated_share``.
    on_step : callable
        Called with step and loss.

    Returns
    -------
    Delineator
        In evaluation mode.
    """
    torch.manual_seed(recipe.seed)
    net = recipe.config.build()
    average = swa_utils.AveragedModel(
        net,
        multi_avg_fn=swa_utils.get_ema_multi_avg_fn(recipe.ema),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=recipe.peak_lr, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_lr, total_steps=recipe.steps, pct_start=0.15
    )
    parts: dict[str, Any] = {
        "net": net,
        "average": average,
        "optimizer": optimizer,
        "schedule": schedule,
    }
    first = _resume(parts, out, recipe) if out else 0

    def draw(step: int) -> Batch:
        return batch(records, simulated, recipe, np.random.default_rng((recipe.seed, step)))

    ahead = ThreadPoolExecutor(1)
    coming = ahead.submit(draw, first)
    for step in range(first, recipe.steps):
        x, ids, y, mask, n_leads = coming.result()
        coming = ahead.submit(draw, step + 1)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x, ids, n_leads)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), y, reduction="none")
        loss = (loss * mask[:, None]).sum() / (3 * mask.sum()).clamp(min=1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
        if out and (step + 1) % recipe.save_every == 0:
            _save(parts, out, recipe, step + 1)
        on_step(step, float(loss.detach()))
    ahead.shutdown(cancel_futures=True)
    net.load_state_dict(average.module.state_dict())
    return net.eval()


def train(
    data: Path,
    out: Path,
    *,
    recipe: DelineatorRecipe | None = None,
    folds: int = 0,
    on_step: Callable[[str, int, int, float], None] = lambda name, step, steps, loss: None,
) -> list[Path]:
    """Train the delineator on a LUDB folder.

    Parameters
    ----------
    data : Path
        Folder with ``ludb.csv`` and ``data/``.
    out : Path
        Folder for ``delineator.onnx`` (or ``fold0.onnx`` …), its card as JSON and checkpoints.
    recipe : DelineatorRecipe, optional
        How; the bundled one's if left out.
    folds : int
        0 trains one net on all records; k trains k nets, net i without the records whose number
        leaves the rest i when divided by k.
    on_step : callable
        Called with the net's name, step, steps and loss.

    Returns
    -------
    list of Path
        The ONNX files.
    """
    chosen = recipe or DelineatorRecipe()
    names, records = [], []
    for stem in ludb_records(data):
        record, marks = read_ludb(stem)
        names.append(stem.name)
        records.append(marked_record(record, marks.waves_s, whole=False))
    simulated = simulated_records(chosen)
    written = []
    for fold in range(max(folds, 1)):
        name = f"fold{fold}" if folds else "delineator"
        kept = [k for k, number in enumerate(names) if not folds or int(number) % folds != fold]

        def report(step: int, loss: float, name: str = name) -> None:
            on_step(name, step, chosen.steps, loss)

        net = train_one(
            [records[k] for k in kept],
            chosen,
            out / f"{name}.pt",
            simulated=simulated,
            on_step=report,
        )
        path = out / f"{name}.onnx"
        export(net, path)
        card = {
            "recipe": asdict(chosen),
            "data": "LUDB v1.0.1 (ODC-By 1.0), cardiologists' marks; simulated ECGs of the project",
            "records": [names[k] for k in kept],
            "torch": torch.__version__,
        }
        path.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


def simulated_records(recipe: DelineatorRecipe) -> list[MarkedRecord]:
    """Simulate records of known truth, for what LUDB lacks.

    Parameters
    ----------
    recipe : DelineatorRecipe
        Its ``simulated_records`` and ``seed``.

    Returns
    -------
    list of MarkedRecord
    """
    from ecg_llm.data_builders.synthetic import generate

    drawn = generate(recipe.simulated_records, recipe.seed, rare=0.5)
    return [
        marked_record(ecg.record, simulated_marks(ecg), whole=True)
        for ecg in drawn
        if not ecg.truth.electrode_swap
    ]


def _save(parts: dict[str, Any], out: Path, recipe: DelineatorRecipe, step: int) -> None:
    """Write a checkpoint beside the old one, then put it in its place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    new = out.with_suffix(".new")
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"recipe": json.dumps(asdict(recipe)), "step": step, **state}, new)
    new.replace(out)


def _resume(parts: dict[str, Any], out: Path, recipe: DelineatorRecipe) -> int:
    """Load a checkpoint of the same recipe, if there is one, and give its step."""
    if not out.exists():
        return 0
    saved = torch.load(out, weights_only=True)
    if saved["recipe"] != json.dumps(asdict(recipe)):
        return 0
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])


def export(net: Delineator, path: Path) -> None:
    """Write the net as ONNX, for any number of leads and any length.

    Parameters
    ----------
    net : Delineator
        Trained.
    path : Path
        File to write.
    """
    import warnings

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The exporter that keeps both axes free announces its successor, which does not yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            FlatDelineator(net.eval()).eval(),
            (torch.zeros(12, 10 * net.stride * 32), torch.arange(12)),
            str(path),
            input_names=["signal", "lead_id"],
            output_names=["logits"],
            dynamic_axes={"signal": {0: "leads", 1: "time"}, "lead_id": {0: "leads"}},
            dynamo=False,
        )
