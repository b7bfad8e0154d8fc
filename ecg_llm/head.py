"""The trained head: probabilities of PTB-XL's statements from encoder and measurements together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.encode import WEIGHTS as ENCODER
from ecg_llm.encode import encode
from ecg_llm.errors import ConfigError
from ecg_llm.head_features import FEATURES, feature_row
from ecg_llm.inference import sigmoid
from ecg_llm.measure import Measurements
from ecg_llm.record import ECGRecord

WEIGHTS = Path(__file__).parent / "weights" / "signal_head.npz"

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """A linear reader of record vectors, a committee that reads measurements, and their join.

    Attributes
    ----------
    columns : np.ndarray of str, shape (n_columns,)
        Statements and classes, as `ecg_llm.scp.COLUMNS` names them.
    features : np.ndarray of str, shape (n_features,)
        Measured values it takes.
    vector_weight : np.ndarray, shape (n_columns, D)
        Of the encoder's vector.
    vector_bias : np.ndarray, shape (n_columns,)
        Its offset.
    low, high : np.ndarray, shape (n_features,)
        Range to which a value is clipped.
    mean, deviation : np.ndarray, shape (n_features,)
        To standardise it.
    w1 : np.ndarray, shape (n_members, 2 * n_features, n_hidden)
        Of the values and of which of them are known.
    b1 : np.ndarray, shape (n_members, n_hidden)
        Offset.
    w2 : np.ndarray, shape (n_members, n_hidden, n_columns)
        Of the hidden features.
    b2 : np.ndarray, shape (n_members, n_columns)
        Offset.
    joined : np.ndarray, shape (3, n_columns)
        Factors of the encoder's and of the committee's log odds, and an offset.
    alone : np.ndarray, shape (2, n_columns)
        Factor and offset of the encoder's log odds where nothing was measured.
    """

    columns: npt.NDArray[np.str_]
    features: npt.NDArray[np.str_]
    vector_weight: Array
    vector_bias: Array
    low: Array
    high: Array
    mean: Array
    deviation: Array
    w1: Array
    b1: Array
    w2: Array
    b2: Array
    joined: Array
    alone: Array

    def encoder_logits(self, vector: Array) -> Array:
        """Read record vectors.

        Parameters
        ----------
        vector : np.ndarray, shape (n, D)
            From `ecg_llm.encode.encode`.

        Returns
        -------
        np.ndarray, shape (n, n_columns)
            Log odds, not calibrated.
        """
        return np.asarray(vector @ self.vector_weight.T + self.vector_bias, np.float32)

    def measured_logits(self, rows: Array) -> Array:
        """Read measurements.

        Parameters
        ----------
        rows : np.ndarray, shape (n, n_features)
            From `ecg_llm.head_features.feature_row`.

        Returns
        -------
        np.ndarray, shape (n, n_columns)
            Log odds, not calibrated.
        """
        x = self.standardised(rows)
        hidden = np.maximum(np.einsum("nf,mfh->mnh", x, self.w1) + self.b1[:, None], 0)
        return np.asarray((hidden @ self.w2 + self.b2[:, None]).mean(axis=0), np.float32)

    def standardised(self, rows: Array) -> Array:
        """Bring measurements to one scale, and say which are known.

        Parameters
        ----------
        rows : np.ndarray, shape (n, n_features)
            NaN where unknown.

        Returns
        -------
        np.ndarray, shape (n, 2 * n_features)
        """
        known = np.isfinite(rows)
        value = (np.clip(rows, self.low, self.high) - self.mean) / self.deviation
        return np.concatenate([np.where(known, value, 0.0), known], axis=1).astype(np.float32)

    def probabilities(self, vector: Array, rows: Array, measured: npt.NDArray[np.bool_]) -> Array:
        """Join both readers.

        Parameters
        ----------
        vector : np.ndarray, shape (n, D)
            Record vectors.
        rows : np.ndarray, shape (n, n_features)
            Measured values.
        measured : np.ndarray of bool, shape (n,)
            Whether anything was measured.

        Returns
        -------
        np.ndarray, shape (n, n_columns)
            Calibrated.
        """
        seen = self.encoder_logits(vector)
        both = self.joined[0] * seen + self.joined[1] * self.measured_logits(rows) + self.joined[2]
        single = self.alone[0] * seen + self.alone[1]
        odds = np.where(measured[:, None], both, single)
        return sigmoid(odds).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write one NPZ file, weights in half precision.

        Parameters
        ----------
        path : Path
            Where to.
        """
        arrays: dict[str, Any] = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        half = {name: arrays[name].astype(np.float16) for name in ("vector_weight", "w1", "w2")}
        np.savez_compressed(path, **(arrays | half))

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read what `save` wrote.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        Head

        Raises
        ------
        ConfigError
            If it is not there, damaged, or made for other measurements.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays: dict[str, Any] = {
                    name: x.astype(np.float32) if x.dtype == np.float16 else x
                    for name in stored.files
                    for x in [stored[name]]
                }
            head = cls(**arrays)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: no trained head there ({error}); reinstall the package, or train one "
                "with `ecgllm train head`."
            ) from error
        if tuple(head.features) != FEATURES:
            raise ConfigError(
                f"{path}: this head was trained on other measurements; train it anew with "
                "`ecgllm train head`."
            )
        return head


def head_scores(
    records: Sequence[ECGRecord],
    measurements: Sequence[Measurements | None] | None = None,
    *,
    vectors: Array | None = None,
    trained: Path | None = None,
) -> list[dict[str, float]]:
    """Give probabilities of PTB-XL's 71 statements, 5 super- and 23 sub-classes.

    Parameters
    ----------
    records : sequence of ECGRecord
        At least one.
    measurements : sequence of Measurements or None, optional
        Of each record; None where there are none. Records are measured here if this is left out,
        but for those that were read from a page.
    vectors : np.ndarray, shape (n_records, D), optional
        Record vectors, if they were encoded before.
    trained : Path, optional
        Folder of another encoder with its head; what ships if left out.

    Returns
    -------
    list of dict of str to float
        By code (``AFIB``) and by class (``super:MI``, ``sub:AMI``), for each record.

    Raises
    ------
    ConfigError
        If encoder or head are not there, or do not belong together.
    """
    head = _head(WEIGHTS if trained is None else trained / WEIGHTS.name)
    if measurements is None:
        measurements = [_measured(record) for record in records]
    if vectors is None:
        weights = None if trained is None else trained / ENCODER.name
        vectors = encode(records, weights=weights).vector
    if vectors.shape[1] != head.vector_weight.shape[1]:
        raise ConfigError(
            f"{trained or WEIGHTS.parent}: the encoder gives {vectors.shape[1]} features, its head "
            f"takes {head.vector_weight.shape[1]}; train the head anew with `ecgllm train head`."
        )
    rows = np.stack(
        [feature_row(record, found) for record, found in zip(records, measurements, strict=True)]
    )
    known = np.array([found is not None and bool(found.beats) for found in measurements])
    scores = head.probabilities(vectors, rows, known)
    names = head.columns.tolist()
    return [dict(zip(names, map(float, row), strict=True)) for row in scores]


def _measured(record: ECGRecord) -> Measurements | None:
    """Measure a recording; a page has no values to measure."""
    from ecg_llm.measure import measure
    from ecg_llm.quality import assess

    if record.origin == "page":
        return None
    quality = assess(record)
    return None if quality.verdict == "refuse" else measure(record, quality)


@lru_cache(maxsize=2)
def _head(path: Path) -> Head:
    """Read a head once."""
    return Head.load(path)
