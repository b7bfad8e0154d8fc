"""What the frozen encoder gives for the records of a set, computed once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from ecg_llm.data_builders.rows import record_of
from ecg_llm.data_builders.shards import load_manifest
from ecg_llm.encode import WEIGHTS, encode
from ecg_llm.encoders.signal_input import encoder_input
from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.record import ECGRecord
from ecg_llm.training.language import Features

WINDOW_S = 10.0
BATCH = 32
_COLUMNS = ["record", "fs", "leads", "signal", "gain", "calibrated", "sex", "age_years"]


def encode_set(
    records: Path,
    cache: Path,
    *,
    pooled_tokens: int,
    weights: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Features:
    """Encode the records of a set, or read what an earlier run kept.

    Parameters
    ----------
    records : Path
        A set of records.
    cache : Path
        NPZ file to keep the features in; delete it when the encoder changes.
    pooled_tokens : int
        Tokens that those of an ECG are averaged to.
    weights : Path, optional
        ONNX file of another encoder than the bundled one.
    progress : callable, optional
        Takes the number of records done and in all.

    Returns
    -------
    Features
    """
    if not cache.is_file():
        names, tokens, vectors = [], [], []
        batch: list[ECGRecord] = []
        total = sum(shard.n_rows for shard in load_manifest(records).shards.values())

        def flush() -> None:
            found = encode(batch, weights=weights)
            for k, record in enumerate(batch):
                names.append(record.name)
                tokens.append(_pooled(found.tokens[k], pooled_tokens))
                vectors.append(found.vector[k])
            batch.clear()
            if progress is not None:
                progress(len(names), total)

        for record in _records(records):
            batch.append(record.segment(0, WINDOW_S))
            if len(batch) == BATCH:
                flush()
        if batch:
            flush()
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_name(f".{os.getpid()}.{cache.name}")  # several processes may come here
        np.savez(
            part,
            names=np.array(names),
            tokens=np.stack(tokens).astype(np.float16),
            vector=np.stack(vectors).astype(np.float32),
        )
        part.replace(cache)
    with np.load(cache) as kept:
        named = [str(name) for name in kept["names"]]
        rows = torch.from_numpy(kept["tokens"].astype(np.float32))
        whole = torch.from_numpy(kept["vector"])
    return Features(
        tokens=dict(zip(named, rows, strict=True)), vector=dict(zip(named, whole, strict=True))
    )


def _records(folder: Path) -> Iterator[ECGRecord]:
    for name in sorted(load_manifest(folder).shards):
        for row in pq.read_table(folder / name, columns=_COLUMNS).to_pylist():
            record = record_of(row)
            try:
                encoder_input(record)
            except RecordError:  # without any signal: no conversation may need its tokens
                continue
            yield record


def _pooled(tokens: np.ndarray, n_out: int) -> np.ndarray:
    n = len(tokens)
    cuts = [(k * n // n_out, -(-(k + 1) * n // n_out)) for k in range(n_out)]
    return np.stack([tokens[first:last].mean(axis=0) for first, last in cuts])


def encoder_settings(folder: Path | None) -> dict[str, Any]:
    """Read the settings of a trained encoder, to write them into a checkpoint.

    Parameters
    ----------
    folder : Path or None
        Written by ``ecgllm train encoder``; None for the bundled one.

    Returns
    -------
    dict
        Fields of `ecg_llm.encoders.signal.SignalEncoderConfig`.
    """
    path = (WEIGHTS.parent if folder is None else folder) / "signal_encoder.json"
    if not path.is_file():
        raise ConfigError(f"{path}: no encoder is there; ecgllm train encoder makes one.")
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["config"]
    return settings
