"""What the frozen encoder gives for the records of a set, computed once."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecg_llm.data_builders.rows import record_of
from ecg_llm.data_builders.shards import MANIFEST, load_finished, read_shards
from ecg_llm.data_builders.tables import sha256_of
from ecg_llm.encode import TOKEN_S, WEIGHTS, encode
from ecg_llm.encoders.signal_input import SAMPLES_PER_TOKEN, WINDOW, encoder_input
from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.lm_transformers import checkpoint_config
from ecg_llm.record import ECGRecord
from ecg_llm.training.language import Features

WINDOW_S = 10.0
BATCH = 32
_COLUMNS = ["record", "fs", "leads", "signal", "gain", "calibrated", "sex", "age_years"]


def encode_for(
    base: Path,
    records: Path,
    cache: Path,
    *,
    encoder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Features:
    """Encode the records of a set for a checkpoint, or read what an earlier run kept.

    Parameters
    ----------
    base : Path
        The checkpoint, which says how many tokens an ECG has.
    cache : Path
        NPZ file to keep the features in; made anew when records or encoder are others.
    encoder : Path, optional
        Folder of another encoder than the bundled one, written by ``ecgllm train encoder``.

    Raises
    ------
    ConfigError
        If the checkpoint was made for another encoder.
    """
    config, width = checkpoint_config(base), int(encoder_settings(encoder)["width"])
    if config.encoder_width != width:
        raise ConfigError(
            f"{base}: its projectors take {config.encoder_width} features, but the encoder gives "
            f"{width}; begin with `ecgllm train base --encoder`, or give another --encoder."
        )
    if encoder is None and config.encoder_config is not None and not config.bundled_encoder:
        raise ConfigError(
            f"{base}: it reads the features of an encoder of its own; give that one's folder as "
            "--encoder."
        )
    return _encode_set(
        records,
        cache,
        pooled_tokens=config.pooled_tokens,
        weights=None if encoder is None else encoder / "signal_encoder.onnx",
        progress=progress,
    )


def _encode_set(
    records: Path,
    cache: Path,
    *,
    pooled_tokens: int,
    weights: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Features:
    """Encode the records of a set, or read what an earlier run kept; 0 pooled tokens keeps all."""
    manifest = load_finished(records, "records")
    weights = weights or WEIGHTS
    files = (records / MANIFEST, weights, weights.with_suffix(".safetensors"))
    asked = f"{pooled_tokens} {' '.join(map(sha256_of, files))}"
    if not _holds(cache, asked):
        names, tokens, vectors = [], [], []
        batch: list[ECGRecord] = []
        total = sum(shard.n_rows for shard in manifest.shards.values())

        def flush() -> None:
            found = encode(batch, weights=weights)
            for k, record in enumerate(batch):
                names.append(record.name)
                if pooled_tokens:
                    shown = _pooled(found.tokens[k], pooled_tokens)
                else:
                    shown = _placed(found.tokens[k], found.times_s[k])
                tokens.append(shown.astype(np.float16))
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
        if not names:
            raise ConfigError(f"{records}: not one of its records holds a signal to encode.")
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_name(f".{os.getpid()}.{cache.name}")  # several processes may come here
        np.savez(
            part,
            asked=np.array(asked),
            names=np.array(names),
            tokens=np.stack(tokens),
            vector=np.stack(vectors).astype(np.float32),
        )
        part.replace(cache)
    with np.load(cache) as kept:
        named = [str(name) for name in kept["names"]]
        rows = torch.from_numpy(kept["tokens"])
        whole = torch.from_numpy(kept["vector"])
    return Features(
        tokens=dict(zip(named, rows, strict=True)), vector=dict(zip(named, whole, strict=True))
    )


def _records(folder: Path) -> Iterator[ECGRecord]:
    for row in read_shards(folder, columns=_COLUMNS):
        record = record_of(row)
        try:
            encoder_input(record)
        except RecordError:  # without any signal: no conversation may need its tokens
            continue
        yield record


def _holds(cache: Path, asked: str) -> bool:
    """Tell whether a file holds the features that are asked for."""
    try:
        with np.load(cache) as kept:
            return "asked" in kept and str(kept["asked"]) == asked
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False  # not there, or damaged: it is made anew


def _placed(tokens: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Put tokens where they are in the window; zeros stand where nothing was recorded."""
    out = np.zeros((WINDOW // SAMPLES_PER_TOKEN, tokens.shape[1]), tokens.dtype)
    out[(times_s / TOKEN_S).astype(int)] = tokens
    return out


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
    """
    path = (WEIGHTS.parent if folder is None else folder) / "signal_encoder.json"
    if not path.is_file():
        raise ConfigError(f"{path}: no encoder is there; ecgllm train encoder makes one.")
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["config"]
    return settings
