"""Kinds of noise by lead, as annotators name them: baseline drift, static, bursts, electrodes.

The quality gate judges whether a lead can be read; this judges what a human would write beside a
tracing that can. It serves questions on noise only, and no measurement depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import uniform_filter1d

from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.quality_bands import Bands, FloatArray, split_bands
from ecg_llm.quality_features import Features, measure_features

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

WEIGHTS = Path(__file__).parent / "weights" / "signal_noise.npz"
KINDS = ("baseline drift", "static noise", "burst noise", "electrodes problems", "any")
"""What is scored; ``any`` is any of the others."""
_NEAR_BEAT = 8
"""Samples at 100 Hz around a beat that are no noise."""
_POWER_HZ = ((0.05, 0.3), (0.3, 0.7), (0.7, 1), (15, 25), (25, 35), (35, 45), (44, 49.9))
_SIZE_HZ = ((0.05, 0.3), (0.3, 0.7), (25, 35), (35, 45), (44, 49.9))
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)
_TINY = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """How noisy each lead is.

    Attributes
    ----------
    leads : np.ndarray, shape (n_leads, n_metrics)
        Metrics of the leads, most without a unit (relative to the usual QRS).
    record : np.ndarray, shape (3,)
        Regularity, peakiness and count of the beats.
    names : tuple of str
        Leads.
    fast_mv : dict of str to float, mV
        Root mean square of 25 to 45 Hz between the beats, by lead.
    drift_mv : dict of str to float, mV
        How far the baseline moves, mean by second, by lead.
    """

    leads: FloatArray
    record: FloatArray
    names: tuple[str, ...]
    fast_mv: dict[str, float]
    drift_mv: dict[str, float]

    def row(self, kind: str, lead: str | None) -> FloatArray:
        """Describe one lead beside the others, for one kind of noise.

        Parameters
        ----------
        kind : str
            One of `KINDS`.
        lead : str or None
            None for the whole record.

        Returns
        -------
        np.ndarray, shape (n_columns,)
        """
        x = self.leads
        at = None if lead is None else self.names.index(lead)
        limb = np.array([not name.startswith("V") for name in self.names])
        own = np.sort(x, axis=0)[-min(2, len(x))] if at is None else x[at]
        group = x if at is None else x[limb == limb[at]]
        which = np.zeros(len(KINDS))
        which[KINDS.index(kind)] = 1
        place = 12 if lead is None else STANDARD_12.index(lead)
        part = 0 if at is None else 1 if limb[at] else 2
        row = np.concatenate(
            [
                own,
                own - np.median(x, axis=0),
                (x < own).mean(axis=0),
                own - np.median(group, axis=0),
                self.record,
                which,
                [place, part],
            ]
        )
        return np.asarray(np.nan_to_num(row), dtype=np.float32)


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
    leads = np.concatenate([features.leads, _more(bands, features)], axis=1)
    rest = [features.regularity, features.peakiness, len(features.beats)]
    kept = [k for k, name in enumerate(record.leads) if name in STANDARD_12]
    between = _between_beats(bands, features)
    fast = np.sqrt(np.square(bands.noise[:, between]).mean(axis=1))
    drift = np.asarray(np.ptp(_by_second(bands.baseline), axis=1))
    return Noise(
        leads=leads[kept].astype(np.float32),
        record=np.array(rest, dtype=np.float32),
        names=tuple(record.leads[k] for k in kept),
        fast_mv={record.leads[k]: float(fast[k]) for k in kept},
        drift_mv={record.leads[k]: float(drift[k]) for k in kept},
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


def _more(bands: Bands, features: Features) -> FloatArray:
    """Metrics beyond those of the quality gate: bursts, drift by second, shape of the spectrum."""
    unit = features.unit_mv
    fast, base, ecg = bands.noise / unit, bands.baseline / unit, bands.ecg / unit
    quiet = _between_beats(bands, features)
    envelope = np.sqrt(uniform_filter1d(np.square(fast), 20, axis=1).clip(0))
    levels = np.quantile(envelope[:, quiet], _LEVELS, axis=1)
    rms = np.sqrt(np.square(fast[:, quiet]).mean(axis=1))
    seconds = _by_second(base)
    bends = np.abs(np.diff(ecg, 2, axis=1))[:, quiet[1:-1]]
    bend, bend_high, bend_top = (np.quantile(bends, q, axis=1) for q in (0.5, 0.9, 0.995))
    raw = bands.raw / unit
    power = np.square(np.abs(fft.rfft(raw - raw.mean(axis=1, keepdims=True), axis=1)))
    hz = fft.rfftfreq(raw.shape[1], 1 / bands.fs)

    def within(low: float, high: float) -> FloatArray:
        return np.asarray(power[:, (hz >= low) & (hz < high)].sum(axis=1))

    total = power[:, (hz > 1) & (hz < 45)].sum(axis=1) + 1e-9
    steps = np.diff(seconds, axis=1)
    step = np.abs(steps).max(axis=1) if steps.shape[1] else np.zeros(len(raw))
    columns = [
        *levels,
        rms,
        levels[4] / (levels[0] + _TINY),
        levels[6] / (levels[2] + _TINY),
        levels[5] / (levels[2] + _TINY),
        np.abs(np.diff(base, axis=1)).mean(axis=1),
        seconds.std(axis=1),
        np.ptp(seconds, axis=1),
        step,
        bend,
        bend_high,
        bend_top,
        bend_top / (bend + _TINY),
        *(np.log10(within(*band) / total + 1e-9) for band in _POWER_HZ),
        *(np.log10(np.sqrt(within(*band)) / raw.shape[1] + 1e-9) for band in _SIZE_HZ),
        np.full(len(raw), np.log10(unit)),
        rms * unit,
        np.ptp(seconds, axis=1) * unit,
        bend * unit,
        levels[6] * unit,
    ]
    return np.asarray(np.stack(columns, axis=1), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """Decision trees whose leaves hold shares; all nodes in one row.

    Attributes
    ----------
    feature : np.ndarray, shape (n_nodes,), int16
        Column a node asks for; 0 in a leaf.
    threshold : np.ndarray, shape (n_nodes,), float32
        A node goes left up to this value; infinite in a leaf.
    left, right : np.ndarray, shape (n_nodes,), int32
        Next node; a leaf names itself.
    value : np.ndarray, shape (n_nodes,), float16
        Share of the rows in a node that had the noise.
    roots : np.ndarray, shape (n_trees,), int32
        First nodes.
    depth : int
        Questions from root to leaf.
    """

    feature: npt.NDArray[np.int16]
    threshold: FloatArray
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: npt.NDArray[np.float16]
    roots: npt.NDArray[np.int32]
    depth: int

    def probability(self, row: FloatArray) -> float:
        """Average the leaves that a row falls into.

        Parameters
        ----------
        row : np.ndarray, shape (n_columns,)
            From `Noise.row`.

        Returns
        -------
        float
            0 to 1.
        """
        node = self.roots
        for _ in range(self.depth):
            go_left = row[self.feature[node]] <= self.threshold[node]
            node = np.where(go_left, self.left[node], self.right[node])
        return float(self.value[node].astype(np.float64).mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseModel:
    """How probable it is that an annotator names a kind of noise.

    Attributes
    ----------
    forest : Forest
        Over the columns of `Noise.row`.
    limits : dict of str to float
        Probability from which each kind is said to be there.
    """

    forest: Forest
    limits: dict[str, float]

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
        return self.forest.probability(noise.row(kind, lead))


def save_noise_model(model: NoiseModel, path: Path) -> None:
    """Write a model.

    Parameters
    ----------
    model : NoiseModel
        To write.
    path : Path
        An ``.npz``.
    """
    arrays = {field.name: np.asarray(getattr(model.forest, field.name)) for field in fields(Forest)}
    limits = np.array([model.limits[kind] for kind in KINDS])
    np.savez_compressed(path, limits=limits, **arrays)  # type: ignore[arg-type]


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
        arrays = {name: stored[name] for name in stored.files if name != "limits"}
        limits = {kind: float(x) for kind, x in zip(KINDS, stored["limits"], strict=True)}
    depth = int(arrays.pop("depth"))
    return NoiseModel(forest=Forest(depth=depth, **arrays), limits=limits)
