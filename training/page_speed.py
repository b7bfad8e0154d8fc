"""Train the reader of paper speed on tracings laid out in mm, as rows of a page, without images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from ecg_llm.page.rows import SAMPLES_MM, Row
from ecg_llm.page.speed import FAST, SLOW, speed_features
from ecg_llm.record import ECGRecord

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SpeedRecipe:
    """How the reader of paper speed is trained."""

    draws: int = 3
    """Times each record is laid out at each speed."""
    members: int = 4
    """Perceptrons whose log odds are averaged."""
    hidden: int = 16
    """Width of each."""
    epochs: int = 25
    """Times each sees every page."""
    rate: float = 3e-3
    """Learning rate at the start; it falls to nothing."""
    seed: int = 0
    """Of pages, weights and order."""


def _rows_in_mm(record: ECGRecord, speed_mm_s: float, rng: np.random.Generator) -> list[Row]:
    """Lay a record out as the rows of a page, as they are read: blurred, noisy and with gaps."""
    n_columns = int(rng.choice([1, 2, 4], p=[0.3, 0.2, 0.5]))
    width_mm = float(rng.uniform(150, 275)) / n_columns
    shown_s = width_mm / speed_mm_s
    side_by_side = n_columns * shown_s > record.duration_s or rng.random() < 0.1
    spare = record.duration_s - shown_s * (1 if side_by_side else n_columns)
    begin = float(rng.uniform(0, max(spare, 0.0)))
    times = np.arange(record.n_samples) / record.fs
    along_s = np.arange(int(width_mm * SAMPLES_MM)) / SAMPLES_MM / speed_mm_s
    rows = []
    for _ in range(int(rng.integers(2, 8))):
        pieces = []
        for c in range(n_columns):
            at = begin + along_s + (0 if side_by_side else c * shown_s)
            lead = np.nan_to_num(record.signal[int(rng.integers(len(record.leads)))])
            pieces.append(10 * np.interp(at[at <= record.duration_s], times, lead))
        rows.append(Row(0.0, 0.0, 0.0, _as_read(np.concatenate(pieces), rng)))
    return rows


def _as_read(values: Floats, rng: np.random.Generator) -> Floats:
    """Blur, add noise, stretch a little and lose some."""
    wide = int(rng.integers(1, 9))
    out = np.convolve(values, np.ones(wide) / wide, "same")
    noise = rng.standard_normal(len(out) // 4 + 2) * rng.uniform(0, 0.4) ** 1.5
    out = out + np.interp(np.arange(len(out)), np.arange(len(noise)) * 4, noise)
    out = np.interp(np.arange(0, len(out) - 1, rng.uniform(0.94, 1.06)), np.arange(len(out)), out)
    for _ in range(int(rng.integers(0, 4))):
        first = int(rng.integers(len(out)))
        out[first : first + int(rng.integers(5, 200))] = np.nan
    return np.asarray(out, np.float64)


def train_speed(
    records: Sequence[ECGRecord], path: Path, recipe: SpeedRecipe | None = None
) -> tuple[float, float]:
    """Train the reader of paper speed.

    Parameters
    ----------
    records : sequence of ECGRecord
        Those that train; every fifth is kept back to judge.

    Returns
    -------
    tuple of float
        Part of the records kept back whose speed is wrong, at 25 and at 50 mm/s.
    """
    chosen = recipe or SpeedRecipe()
    found, fast, of = [], [], []
    for k, record in enumerate(records):
        for draw in range(chosen.draws):
            for speed in (SLOW, FAST):
                rng = np.random.default_rng((chosen.seed, k, draw, int(speed)))
                features = speed_features(_rows_in_mm(record, speed, rng))
                if features is not None:
                    found.append(features)
                    fast.append(speed == FAST)
                    of.append(k)
    x, y, kept = np.array(found, np.float32), np.array(fast), np.array(of) % 5 == 0
    mean, deviation = x[~kept].mean(axis=0), x[~kept].std(axis=0) + 1e-3
    scaled = torch.from_numpy((x - mean) / deviation)
    nets = [_perceptron(scaled[~kept], y[~kept], chosen, m) for m in range(chosen.members)]
    with torch.no_grad():
        odds = np.mean([net(scaled[kept])[:, 0].numpy() for net in nets], axis=0)
    wrong = (odds > 0) != y[kept]
    parts = [dict(net.named_parameters()) for net in nets]
    np.savez_compressed(
        path,
        mean=mean,
        deviation=deviation,
        w1=np.stack([part["0.weight"].detach().numpy().T for part in parts]),
        b1=np.stack([part["0.bias"].detach().numpy() for part in parts]),
        w2=np.stack([part["3.weight"].detach().numpy()[0] for part in parts]),
        b2=np.array([float(part["3.bias"].detach()) for part in parts], np.float32),
    )
    return float(wrong[~y[kept]].mean()), float(wrong[y[kept]].mean())


def _perceptron(
    x: torch.Tensor, fast: npt.NDArray[np.bool_], recipe: SpeedRecipe, member: int
) -> nn.Sequential:
    """Fit one perceptron."""
    torch.manual_seed(recipe.seed * 100 + member)
    net = nn.Sequential(
        nn.Linear(x.shape[1], recipe.hidden),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(recipe.hidden, 1),
    )
    y = torch.from_numpy(fast.astype(np.float32))
    optimizer = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=0.02)
    for epoch in range(recipe.epochs):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * (1 - epoch / recipe.epochs)
        for rows in torch.randperm(len(x)).split(128):  # type: ignore[no-untyped-call]
            loss = functional.binary_cross_entropy_with_logits(net(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return net.eval()
