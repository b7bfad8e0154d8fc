"""Kinds of noise by lead, as annotators name them: baseline drift, static, bursts, electrodes.

The quality gate judges whether a lead can be read; this judges what a human would write beside a
tracing that can. It serves questions on noise only, and no measurement depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.inference import sigmoid
from ecg_llm.leads import STANDARD_12
from ecg_llm.noise_features import Parted, electrode_metrics, noise_metrics
from ecg_llm.noise_net import NET_FIELDS, NoiseNet, noise_map
from ecg_llm.quality.bands import Bands, FloatArray, split_bands
from ecg_llm.quality.features import Features, measure_features

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

WEIGHTS = Path(__file__).parent / "weights" / "signal_noise.npz"
KINDS = ("baseline drift", "static noise", "burst noise", "electrodes problems", "any")
"""What is scored; ``any`` is any of the others."""
CLIP = 3.5
"""Standard deviations beyond which an input counts no further."""
_NEAR_BEAT = 8
"""Samples at 100 Hz around a beat that are no noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """How noisy each lead is.

    Attributes
    ----------
    leads : np.ndarray, shape (n_leads, n_metrics)
        From `ecg_llm.noise_features.noise_metrics`.
    record : np.ndarray, shape (n_record_metrics,)
        From `ecg_llm.noise_features.electrode_metrics`, then regularity, peakiness and count of the
        beats and the logarithm of the usual QRS.
    names : tuple of str
        Leads.
    fast_mv : dict of str to float, mV
        Root mean square of 25 to 45 Hz between the beats, by lead.
    drift_mv : dict of str to float, mV
        How far the baseline moves, mean by second, by lead.
    drawn : np.ndarray, shape (12, n_channels, n_frames), or None
        From `ecg_llm.noise_net.noise_map`, in the order of `STANDARD_12`; None if one is missing.
    """

    leads: FloatArray
    record: FloatArray
    names: tuple[str, ...]
    fast_mv: dict[str, float]
    drift_mv: dict[str, float]
    drawn: FloatArray | None = None

    def row(self, lead: str | None) -> FloatArray:
        """Describe one lead beside the others.

        Parameters
        ----------
        lead : str or None
            None for the whole record: its second noisiest lead by each metric.

        Returns
        -------
        np.ndarray, shape (n_columns,)
            NaN for what is not known.
        """
        x = self.leads
        at = None if lead is None else self.names.index(lead)
        limb = np.array([not name.startswith("V") for name in self.names])
        own = np.sort(x, axis=0)[-min(2, len(x))] if at is None else x[at]
        group = x if at is None else x[limb == limb[at]]
        others = x if at is None or len(x) == 1 else np.delete(x, at, axis=0)
        middle = np.median(x, axis=0)
        place = np.zeros(len(STANDARD_12) + 1)
        place[-1 if lead is None else STANDARD_12.index(lead)] = 1
        row = np.concatenate(
            [
                own,
                own - middle,
                (x < own).mean(axis=0),
                own - np.median(group, axis=0),
                own - others.max(axis=0),
                middle,
                x.max(axis=0),
                self.record,
                place,
            ]
        )
        return np.asarray(row, dtype=np.float32)


def measure_noise(record: ECGRecord) -> Noise:
    """Measure what noise is judged by.

    Parameters
    ----------
    record : ECGRecord
        Any leads.

    Returns
    -------
    Noise
    """
    bands = split_bands(record)
    features = measure_features(bands)
    parted = Parted(bands, features)
    leads = noise_metrics(parted)
    rest = [features.regularity, features.peakiness, len(features.beats), np.log(features.unit_mv)]
    electrodes = electrode_metrics(parted, record.leads)
    kept = [k for k, name in enumerate(record.leads) if name in STANDARD_12]
    between = _between_beats(bands, features)
    fast = np.sqrt(np.square(bands.noise[:, between]).mean(axis=1))
    drift = np.asarray(np.ptp(_by_second(bands.baseline), axis=1))
    whole = set(STANDARD_12) <= set(record.leads)
    order = [record.leads.index(name) for name in STANDARD_12] if whole else []
    return Noise(
        leads=leads[kept],
        record=np.concatenate([electrodes, rest]).astype(np.float32),
        names=tuple(record.leads[k] for k in kept),
        fast_mv={record.leads[k]: float(fast[k]) for k in kept},
        drift_mv={record.leads[k]: float(drift[k]) for k in kept},
        drawn=noise_map(parted)[order] if whole else None,
    )


def _between_beats(bands: Bands, features: Features) -> npt.NDArray[np.bool_]:
    """Mark the samples away from the QRS complexes; all if hardly any are."""
    quiet = np.ones(bands.noise.shape[1], dtype=bool)
    for beat in features.beats:
        quiet[max(0, beat - _NEAR_BEAT) : beat + _NEAR_BEAT + 1] = False
    return quiet if quiet.sum() >= 100 else np.ones_like(quiet)


def _by_second(rows: FloatArray) -> FloatArray:
    """Mean of every whole second."""
    n = max(1, rows.shape[1] // 100)
    return np.asarray(rows[:, : n * 100].reshape(len(rows), n, -1).mean(axis=2))


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseModel:
    """How probable it is that an annotator names a kind of noise.

    Some small nets of one hidden layer, whose probabilities are averaged; where all twelve leads
    are there, the logit of that and the one of a convolutional net over time are averaged.

    Attributes
    ----------
    mean, spread : np.ndarray, shape (n_columns,)
        Of the columns of `Noise.row`; a column that is not known counts as its mean.
    hidden : np.ndarray, shape (n_nets, n_columns, n_hidden)
        Weights of the hidden layers.
    hidden_bias : np.ndarray, shape (n_nets, n_hidden)
        Their offsets.
    out : np.ndarray, shape (n_nets, n_hidden, n_kinds)
        Weights of the kinds.
    out_bias : np.ndarray, shape (n_nets, n_kinds)
        Their offsets.
    limits : np.ndarray, shape (n_kinds,)
        Probability from which each kind is said to be there.
    net : NoiseNet, optional
        Over time.
    """

    mean: FloatArray
    spread: FloatArray
    hidden: FloatArray
    hidden_bias: FloatArray
    out: FloatArray
    out_bias: FloatArray
    limits: FloatArray
    net: NoiseNet | None = None

    def probabilities(self, rows: FloatArray) -> FloatArray:
        """Estimate how probable each kind is.

        Parameters
        ----------
        rows : np.ndarray, shape (n_rows, n_columns)
            From `Noise.row`.

        Returns
        -------
        np.ndarray, shape (n_rows, n_kinds)
        """
        x = scaled(rows, self.mean, self.spread)
        inner = np.maximum(x @ self.hidden + self.hidden_bias[:, None], 0)  # [K, n, H]
        logit = inner @ self.out + self.out_bias[:, None]
        return np.asarray(sigmoid(logit).mean(axis=0))

    def probability(self, noise: Noise, kind: str, lead: str | None = None) -> float:
        """Estimate how probable a kind of noise is.

        Parameters
        ----------
        noise : Noise
            Of the record.
        kind : str
            One of `KINDS`.
        lead : str, optional
            None for the whole record.

        Returns
        -------
        float
        """
        k = KINDS.index(kind)
        p = float(self.probabilities(noise.row(lead)[None])[0, k])
        if self.net is None or noise.drawn is None:
            return p
        place = len(STANDARD_12) if lead is None else STANDARD_12.index(lead)
        return float(blended(np.array(p), self.net.logits(noise.drawn)[place, k]))

    def limit(self, kind: str) -> float:
        """Give the probability from which a kind is said to be there.

        Parameters
        ----------
        kind : str
            One of `KINDS`.

        Returns
        -------
        float
        """
        return float(self.limits[KINDS.index(kind)])


def scaled(rows: FloatArray, mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Bring the columns of rows to one scale.

    Parameters
    ----------
    rows : np.ndarray, shape (n_rows, n_columns)
        From `Noise.row`.
    mean, spread : np.ndarray, shape (n_columns,)
        Of the columns.

    Returns
    -------
    np.ndarray, shape (n_rows, n_columns)
        Between −`CLIP` and `CLIP`; 0 where not known.
    """
    x = np.clip((rows - mean) / spread, -CLIP, CLIP)
    return np.asarray(np.nan_to_num(x, nan=0.0), dtype=np.float32)


def blended(p: npt.NDArray[Any], logit: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Average probabilities with others given as logits, both as logits.

    Parameters
    ----------
    p, logit : np.ndarray
        Of the same shape.

    Returns
    -------
    np.ndarray, the same shape
        Probabilities.
    """
    own = np.clip(p, 1e-3, 1 - 1e-3)
    mean = (np.log(own / (1 - own)) + logit) / 2
    return sigmoid(mean)


def save_noise_model(model: NoiseModel, path: Path) -> None:
    """Write a model, its weights in half precision.

    Parameters
    ----------
    model : NoiseModel
        To write.
    path : Path
        An ``.npz``.
    """
    full = ("mean", "spread", "limits")
    arrays = {
        name: getattr(model, name).astype(np.float32 if name in full else np.float16)
        for name in (field.name for field in fields(NoiseModel))
        if name != "net"
    }
    if model.net is not None:
        for name in NET_FIELDS:
            array = getattr(model.net, name)
            arrays[f"net.{name}"] = array.astype(np.float32 if name in full else np.float16)
    np.savez_compressed(path, **arrays)


@cache
def noise_model() -> NoiseModel:
    """Give the bundled model.

    Returns
    -------
    NoiseModel

    Raises
    ------
    ConfigError
        If its file is not there.
    """
    if not WEIGHTS.is_file():
        raise ConfigError(
            f"{WEIGHTS.name} is missing from the program's weights; install the program again, or "
            "fit it with 'ecgllm train noise'."
        )
    with np.load(WEIGHTS) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    of_net = {name: arrays.pop(f"net.{name}") for name in NET_FIELDS if f"net.{name}" in arrays}
    return NoiseModel(**arrays, net=NoiseNet(**of_net) if of_net else None)
