"""What the classifier makes of records that were spoilt on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ecg_llm.eval.auc import auc, macro
from ecg_llm.eval.encoder import truth_of
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.eval.result import Result, markdown
from ecg_llm.knowledge import RHYTHM, TASKS
from ecg_llm.ptbxl import statements_of
from ecg_llm.record import ECGRecord

BLOCK_S = 0.2
"""Stretches that shuffling moves about: long enough to keep waves, too short for a beat."""
HUM_MV = 0.2
FS = 500.0
"""Rate at which hum is added: 50 and 60 Hz do not exist at 100 Hz."""


def _zeroed(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    """Set every sample to zero: nothing may be classified."""
    return replace(record, signal=np.zeros_like(record.signal))


def _shuffled(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    """Shuffle stretches of 0.2 s: rhythm and intervals are lost."""
    size = max(1, round(BLOCK_S * record.fs))
    n = record.n_samples // size
    blocks = record.signal[:, : n * size].reshape(len(record.leads), n, size)
    mixed = blocks[:, rng.permutation(n)].reshape(len(record.leads), n * size)
    return replace(record, signal=np.concatenate([mixed, record.signal[:, n * size :]], axis=1))


def _leads_permuted(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    """Exchange the leads under their names: walls and axis are lost."""
    return replace(record, signal=record.signal[rng.permutation(len(record.leads))])


def _gain_halved(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    """Halve every voltage: hypertrophy is lost, rhythm stays."""
    return replace(record, signal=record.signal * np.float32(0.5))


def _hum(record: ECGRecord, rng: np.random.Generator, hz: float) -> ECGRecord:
    """Add mains hum of 0.2 mV to every lead, at 500 Hz: nothing of the heart is lost."""
    from ecg_llm.signal import resample

    signal = record.signal if record.fs >= FS else resample(record.signal, record.fs, FS)
    fs = max(record.fs, FS)
    t = np.arange(signal.shape[1]) / fs
    phase = rng.uniform(0, 2 * np.pi, (len(signal), 1))
    wave = HUM_MV * np.sin(2 * np.pi * hz * t + phase)
    return replace(record, signal=(signal + wave).astype(np.float32), fs=fs)


DISTURBANCES: dict[str, Callable[[ECGRecord, np.random.Generator], ECGRecord]] = {
    "zeroed": _zeroed,
    "shuffled in time": _shuffled,
    "leads permuted": _leads_permuted,
    "gain halved": _gain_halved,
    "50 Hz hum": partial(_hum, hz=50.0),
    "60 Hz hum": partial(_hum, hz=60.0),
}
"""What is done to the records."""


@dataclass(frozen=True, kw_only=True)
class DisturbedRow:
    """What became of the records under one disturbance.

    Attributes
    ----------
    name : str
        Key of `DISTURBANCES`, or ``none``.
    n, n_refused : int
        Records, and those that the quality gate refused.
    super_auc, rhythm_auc, hypertrophy_auc : float
        Macro AUC of the head on the records that were not refused; NaN without any.
    """

    name: str
    n: int
    n_refused: int
    super_auc: float
    rhythm_auc: float
    hypertrophy_auc: float


@dataclass(frozen=True, kw_only=True)
class DisturbedResult(Result):
    """All disturbances.

    Attributes
    ----------
    folds : tuple of int
        PTB-XL folds.
    rows : tuple of DisturbedRow
        Undisturbed records first.
    """

    folds: tuple[int, ...]
    rows: tuple[DisturbedRow, ...]

    def render(self) -> str:
        """Write the table, in Markdown."""
        rows = []
        for row in self.rows:
            figures = (row.super_auc, row.rhythm_auc, row.hypertrophy_auc)
            told = ["–" if value != value else f"{value:.3f}" for value in figures]
            rows.append((row.name, f"{row.n_refused}/{row.n}", *told))
        heads = ("disturbance", "refused", "super-class AUC", "rhythm AUC", "hypertrophy AUC")
        return markdown(heads, rows)


def evaluate(
    data: Path,
    *,
    folds: Sequence[int] = (9,),
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> DisturbedResult:
    """Classify PTB-XL's records as they are and spoilt."""
    listed = ptbxl_rows(data, tuple(folds))[:limit]
    read = [(row, record) for row, record in each_record(data, listed) if record is not None]
    records = [record for _, record in read]
    statements = [statements_of(row) for row, _ in read]
    rows = [_row("none", records, statements)]
    for done, (name, spoil) in enumerate(DISTURBANCES.items(), start=1):
        rng = np.random.default_rng(seed)
        rows.append(_row(name, [spoil(record, rng) for record in records], statements))
        if progress:
            progress(done, len(DISTURBANCES))
    return DisturbedResult(folds=tuple(folds), rows=tuple(rows))


def _row(
    name: str, records: Sequence[ECGRecord], statements: Sequence[dict[str, float]]
) -> DisturbedRow:
    """Classify records by the head and judge what was not refused."""
    from ecg_llm.classify import readable
    from ecg_llm.head import head_scores

    parts = [readable(record) for record in records]
    kept = [k for k, (_, why) in enumerate(parts) if why is None]
    scored = head_scores([parts[k][0] for k in kept]) if kept else []
    held = [statements[k] for k in kept]

    def judged(keys: Sequence[str]) -> float:
        scores = np.array([[row[key] for key in keys] for row in scored])
        return macro(auc, truth_of(held, keys), scores)[0] if kept else float("nan")

    return DisturbedRow(
        name=name,
        n=len(records),
        n_refused=len(records) - len(kept),
        super_auc=judged(tuple(TASKS["ptbxl-super"].values())),
        rhythm_auc=judged(RHYTHM),
        hypertrophy_auc=judged(("super:HYP",)),
    )
