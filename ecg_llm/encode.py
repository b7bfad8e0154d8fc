"""Encode records without torch: tokens, record vectors and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.encoders.signal_input import (
    FS,
    SAMPLES_PER_TOKEN,
    encoder_input,
    stack_inputs,
)
from ecg_llm.inference import session
from ecg_llm.record import ECGRecord

WEIGHTS = Path(__file__).parent / "weights" / "signal_encoder.onnx"
PAGE_WEIGHTS = WEIGHTS.with_name("page_encoder.onnx")
"""For what was read from pages: the same space, learnt from what the page shows."""
TOKEN_S = SAMPLES_PER_TOKEN / FS
"""Time one token covers."""
_BATCH = 16

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Encoded records.

    Attributes
    ----------
    tokens : tuple of np.ndarray, each of shape (n_tokens, D)
        One each 200 ms of each record, those without any recorded sample left out.
    times_s : tuple of np.ndarray, each of shape (n_tokens,), s
        Middle of each token.
    vector : np.ndarray, shape (n_records, D)
        One for each record; the mean of its windows where it is longer than 10 s.
    log_var : np.ndarray, shape (n_records, D)
        Log-variance of ``vector``.
    """

    tokens: tuple[Array, ...]
    times_s: tuple[Array, ...]
    vector: Array
    log_var: Array

    @property
    def uncertainty(self) -> Array:
        """Give one number a record: the mean log-variance, higher where less is sure."""
        return np.asarray(self.log_var.mean(axis=1), np.float32)


def encode(records: Sequence[ECGRecord], *, weights: Path | None = None) -> Encoded:
    """Encode records.

    Parameters
    ----------
    records : sequence of ECGRecord
        At least one; any of the standard leads, any rate, 2.5 s and more.
    weights : Path, optional
        ONNX file of one encoder for all; if left out, the bundled ones: that of pages for records
        whose ``origin`` is a page, the signal encoder for the others.

    Returns
    -------
    Encoded

    Raises
    ------
    RecordError
        If a record is too short or has no lead with a signal.
    ConfigError
        If the weights are not there.

    Notes
    -----
    Records longer than 10 s are encoded in windows. Where the last two windows overlap, a token's
    value is that of the later one; vectors of windows are averaged, and so are their variances.
    """
    chosen = [weights or _bundled(record) for record in records]
    parts = {
        path: [k for k, of in enumerate(chosen) if of == path] for path in dict.fromkeys(chosen)
    }
    if len(parts) == 1:
        return _encode(records, chosen[0])
    found = {
        k: (part, j)
        for path, numbers in parts.items()
        for part in [_encode([records[k] for k in numbers], path)]
        for j, k in enumerate(numbers)
    }
    order = [found[k] for k in range(len(records))]
    return Encoded(
        tokens=tuple(part.tokens[j] for part, j in order),
        times_s=tuple(part.times_s[j] for part, j in order),
        vector=np.stack([part.vector[j] for part, j in order]),
        log_var=np.stack([part.log_var[j] for part, j in order]),
    )


def _bundled(record: ECGRecord) -> Path:
    """Choose the encoder of a record."""
    return PAGE_WEIGHTS if record.origin == "page" else WEIGHTS


def _encode(records: Sequence[ECGRecord], weights: Path) -> Encoded:
    """Encode records by one encoder."""
    net = session(weights)
    inputs = [encoder_input(record) for record in records]
    signal, present, calibrated, origin = stack_inputs(inputs)
    parts = [
        net.run(
            ["tokens", "vector", "log_var"],
            {
                "signal": signal[k : k + _BATCH],
                "present": present[k : k + _BATCH],
                "calibrated": calibrated[k : k + _BATCH],
            },
        )
        for k in range(0, len(signal), _BATCH)
    ]
    tokens, vector, log_var = (np.concatenate(part) for part in zip(*parts, strict=True))
    n, width = len(records), vector.shape[1]
    of = np.array([k for k, _ in origin])
    kept: list[dict[int, Array]] = [{} for _ in range(n)]
    for window, (k, first) in enumerate(origin):
        seen = present[window].any(axis=0).reshape(-1, SAMPLES_PER_TOKEN).any(axis=1)
        for j in np.flatnonzero(seen):
            kept[k][first // SAMPLES_PER_TOKEN + int(j)] = tokens[window, j]
    order = [sorted(of_record) for of_record in kept]
    mean = np.zeros((n, width), np.float32)
    variance = np.zeros((n, width), np.float32)
    np.add.at(mean, of, vector)
    np.add.at(variance, of, np.exp(log_var))
    count = np.bincount(of, minlength=n)[:, None].astype(np.float32)
    return Encoded(
        tokens=tuple(
            np.stack([of_record[j] for j in at]) for of_record, at in zip(kept, order, strict=True)
        ),
        times_s=tuple(((np.array(at) + 0.5) * TOKEN_S).astype(np.float32) for at in order),
        vector=mean / count,
        log_var=np.log(variance / count),
    )
