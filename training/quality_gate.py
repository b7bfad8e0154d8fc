"""Fit the quality gate: boosted trees to accept records, perceptrons for exchanged electrodes."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.io import read_record
from ecg_llm.leads import STANDARD_12
from ecg_llm.ptbxl import TRAINING_FOLDS, whole
from ecg_llm.quality.bands import split_bands
from ecg_llm.quality.electrodes import LIMB_SWAPS, PRECORDIAL_SWAPS, swap_electrodes
from ecg_llm.quality.features import Features, measure_features
from ecg_llm.quality.model import QualityModel, SwapNet, Trees
from ecg_llm.quality.reversal import wave_features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ecg_llm.record import ECGRecord

    Progress = Callable[[int, int], None]
    FloatArray = npt.NDArray[np.float32]

SWAP_KINDS = (
    "none",
    # LL-RL is left out: both legs have one potential, nothing shows.
    *(kind for kind in LIMB_SWAPS if kind != "LL-RL"),
    *PRECORDIAL_SWAPS,
    "upside down",
)


@dataclass(frozen=True)
class GateConfig:
    """How the trees are grown."""

    members: int = 4
    """Boosted models whose probabilities are averaged."""
    trees: int = 150
    """Trees of each."""
    depth: int = 3
    """Questions from root to leaf."""
    rate: float = 0.05
    """Share of each tree that is added."""
    features: int = 8
    """Columns each split may choose from."""
    smallest_leaf: int = 5
    """Records a leaf must hold."""


@dataclass(frozen=True)
class SwapConfig:
    """How the perceptrons are trained."""

    members: int = 3
    """Perceptrons whose probabilities are averaged."""
    hidden: tuple[int, int] = (96, 48)
    """Units of the two hidden layers."""
    epochs: int = 30
    """Passes over all exchanges of all records."""
    decay: float = 3e-3
    """Penalty on squared weights."""
    intact_weight: int = 6
    """How often an intact record counts against one exchange."""
    leak: float = 0.03
    """Size of what a lead between both legs still shows, against another limb lead."""
    false_alarms: float = 0.004
    """Share of intact records that may be suspected, over all kinds together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkedRecords:
    """Records that experts marked, with what was measured of them.

    Attributes
    ----------
    names : tuple of str
        Record names.
    features : np.ndarray, shape (n_records, n_features)
        From `Features.pooled`.
    acceptable : np.ndarray of bool, shape (n_records,)
        What the experts said.
    """

    names: tuple[str, ...]
    features: FloatArray
    acceptable: npt.NDArray[np.bool_]


def _read_marks(data: Path) -> dict[str, bool]:
    """Read which records of the PhysioNet/CinC 2011 challenge experts found acceptable.

    From ``quality.csv`` (columns ``record``, ``quality``); those without a mark or a file are left
    out. ConfigError if the table is missing, has other columns, or none of its records is there.
    """
    table = data / "quality.csv"
    if not table.is_file():
        raise ConfigError(f"{table}: not found; give the folder of the 2011 challenge's records.")
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"record", "quality"} <= set(rows[0]):
        raise ConfigError(f"{table}: columns 'record' and 'quality' are needed.")
    known = {"acceptable": True, "unacceptable": False}
    marks = {row["record"]: known[row["quality"]] for row in rows if row["quality"] in known}
    there = {name: mark for name, mark in marks.items() if (data / f"{name}.hea").is_file()}
    if not there:
        raise ConfigError(f"{data}: none of the {len(marks)} records of quality.csv is there.")
    return there


def measure_marked(data: Path, progress: Progress | None = None) -> MarkedRecords:
    """Read and measure every marked record of a folder."""
    marks = _read_marks(data)
    rows = []
    for done, name in enumerate(marks):
        rows.append(_measure_record(read_record(data / f"{name}.hea")).pooled())
        if progress:
            progress(done + 1, len(marks))
    return MarkedRecords(
        names=tuple(marks),
        features=np.stack(rows),
        acceptable=np.array(list(marks.values())),
    )


def _measure_record(record: ECGRecord) -> Features:
    """Measure the quality features of a record as a whole."""
    return measure_features(split_bands(record))


def fit_gate(
    features: FloatArray,
    acceptable: npt.NDArray[np.bool_],
    seed: int,
    config: GateConfig = GateConfig(),
) -> Trees:
    """Grow the trees.

    Parameters
    ----------
    features : np.ndarray, shape (n_records, n_features)
        From `Features.pooled`.
    acceptable : np.ndarray of bool, shape (n_records,)
        What experts said.
    seed : int
        The same seed gives the same trees.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    grown, start = [], []
    for member in range(config.members):
        model = GradientBoostingClassifier(
            n_estimators=config.trees,
            max_depth=config.depth,
            learning_rate=config.rate,
            subsample=0.5,
            max_features=config.features,
            min_samples_leaf=config.smallest_leaf,
            random_state=1000 * seed + member,
        ).fit(features, acceptable)
        grown += [stage[0].tree_ for stage in model.estimators_]
        prior = acceptable.mean()
        start.append(np.log(prior / (1 - prior)))
    shape = (len(grown), max(tree.node_count for tree in grown))
    feature = np.zeros(shape, np.int16)
    threshold = np.full(shape, np.inf)
    left = np.tile(np.arange(shape[1], dtype=np.int16), (shape[0], 1))
    right = left.copy()
    value = np.zeros(shape, np.float32)
    for i, tree in enumerate(grown):
        n = tree.node_count
        inner = tree.children_left >= 0
        feature[i, :n][inner] = tree.feature[inner]
        threshold[i, :n][inner] = tree.threshold[inner]
        left[i, :n][inner] = tree.children_left[inner]
        right[i, :n][inner] = tree.children_right[inner]
        value[i, :n] = config.rate * tree.value[:, 0, 0]
    return Trees(
        feature=feature,
        threshold=threshold,
        left=left,
        right=right,
        value=value,
        depth=config.depth,
        start=np.array(start),
    )


def exchange(templates: FloatArray, kind: str, leak: float, rng: np.random.Generator) -> FloatArray:
    """Make median beats of what would be recorded with electrodes exchanged.

    Parameters
    ----------
    templates : np.ndarray, shape (n_records, 12, n_template), mV
        Intact, in the order of `STANDARD_12`.
    leak : float
        Standard deviation of the share of lead I that a lead between both legs still shows.

    Returns
    -------
    np.ndarray, shape (n_records, 12, n_template), mV
    """
    if kind == "none":
        return templates
    if kind == "upside down":
        return -templates
    rows = dict(zip(STANDARD_12, templates.transpose(1, 0, 2), strict=True))
    swapped = swap_electrodes(rows, kind)
    if kind in ("RA-RL", "LA-RL", "arms-legs"):
        # The legs differ a little: shift RA's or LA's potential by a share of another lead.
        share = rng.normal(0, leak, (len(templates), 1)).astype(np.float32)
        rest = share * np.abs(templates[:, :3]).max(axis=1) * np.sign(templates[:, 0])
        one, two = swapped["I"], swapped["II"]
        if kind != "LA-RL":
            two = two + rest
        if kind != "RA-RL":
            one = one + rest
        limb = {"I": one, "II": two, "III": two - one}
        limb |= {"aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
        swapped |= limb
    return np.stack([swapped[name] for name in STANDARD_12], axis=1)


def _fit_swaps(
    templates: FloatArray,
    groups: npt.NDArray[np.intp],
    seed: int,
    config: SwapConfig = SwapConfig(),
) -> SwapNet:
    """Train the perceptrons and set the limits from which a kind is reported.

    Every record, an intact median beat of shape (12, n_template), mV, is trained on in every
    exchange. The limits come from five-fold cross-validation over the groups, of which the records
    of one patient share one: each kind gets an equal share of the allowed false alarms on intact
    records that its perceptrons did not see.
    """
    fold = groups % 5
    intact = np.zeros((len(templates), len(SWAP_KINDS)), np.float32)
    for k in range(5):
        net = _train_swaps(templates[fold != k], seed, config)
        intact[fold == k] = net.probabilities(wave_features(templates[fold == k]))
    limits = np.full(len(SWAP_KINDS), 0.5, np.float32)
    allowed = round(config.false_alarms * len(templates) / (len(SWAP_KINDS) - 1))
    best = intact.argmax(axis=1)
    for kind in range(1, len(SWAP_KINDS)):
        alarms = np.sort(intact[best == kind, kind])[::-1]
        if len(alarms) > allowed:
            limits[kind] = max(0.5, float(alarms[allowed]) + 1e-4)
    net = _train_swaps(templates, seed, config)
    return SwapNet(**{**net.__dict__, "limits": np.minimum(limits, 0.9999)})


def _train_swaps(templates: FloatArray, seed: int, config: SwapConfig) -> SwapNet:
    """Train the committee on all exchanges; the limits are left open."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(seed)
    waves, target = [], []
    for label, kind in enumerate(SWAP_KINDS):
        repeat = config.intact_weight if kind == "none" else 1
        made = wave_features(exchange(templates, kind, config.leak, rng))
        waves += [made] * repeat
        target += [label] * (repeat * len(made))
    x, y = np.concatenate(waves), np.array(target)
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = np.clip((x - mean) / deviation, -4, 4)
    members = []
    for member in range(config.members):
        model = MLPClassifier(
            config.hidden,
            alpha=config.decay,
            learning_rate_init=2e-3,
            batch_size=256,
            max_iter=config.epochs,
            random_state=1000 * seed + member,
        )
        with warnings.catch_warnings():
            # The number of passes is chosen, not run to convergence.
            warnings.simplefilter("ignore", ConvergenceWarning)
            members.append(model.fit(x, y))
    layers = {}
    for k in range(3):
        layers[f"w{k + 1}"] = np.stack([m.coefs_[k] for m in members]).astype(np.float32)
        layers[f"b{k + 1}"] = np.stack([m.intercepts_[k] for m in members]).astype(np.float32)
    return SwapNet(
        kinds=np.array(SWAP_KINDS),
        limits=np.full(len(SWAP_KINDS), 0.5, np.float32),
        mean=mean.astype(np.float32),
        deviation=deviation.astype(np.float32),
        **layers,
    )


def ptbxl_beats(
    data: Path, folds: Iterable[int], progress: Progress | None = None
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Read the median beats of PTB-XL records at 100 Hz.

    Returns
    -------
    templates : np.ndarray, shape (n_records, 12, n_template), mV
        Records without repeating beats are left out.
    groups : np.ndarray of int, shape (n_records,)
        Their folds; all records of one patient lie in one.

    Raises
    ------
    ConfigError
        If the table or the records are missing.
    RecordError
        If no record has repeating beats.
    """
    rows = ptbxl_rows(data, tuple(folds))
    templates, groups = [], []
    for row, record in each_record(data, rows, progress=progress):
        if record is None:
            continue
        features = _measure_record(record.select(STANDARD_12))
        if features.regularity >= 0.7 and features.templates.any():
            templates.append(features.templates)
            groups.append(whole(row["strat_fold"]))
    if not templates:
        raise RecordError(f"{data}: none of {len(rows)} records has repeating beats.")
    return np.stack(templates), np.array(groups)


def train(data: Path, out: Path, seed: int = 0, progress: Progress | None = None) -> QualityModel:
    """Fit both models and write them.

    Parameters
    ----------
    data : Path
        Folder that holds ``challenge2011_set_a`` and ``ptbxl``.
    seed : int
        The same seed, data and library versions give the same file.
    progress : callable, optional
        Called with records read and records in all, once per data set.
    """
    marked = measure_marked(data / "challenge2011_set_a", progress)
    templates, folds = ptbxl_beats(data / "ptbxl", TRAINING_FOLDS, progress)
    gate_config, swap_config = GateConfig(), SwapConfig()
    digest = hashlib.sha256(marked.features.tobytes() + templates.tobytes()).hexdigest()[:16]
    model = QualityModel(
        gate=fit_gate(marked.features, marked.acceptable, seed, gate_config),
        swaps=_fit_swaps(templates, folds, seed, swap_config),
        provenance=(
            f"PhysioNet/CinC 2011 set A ({len(marked.names)} marked records, ODC-By 1.0); "
            f"PTB-XL 1.0.3 folds 1-8 ({len(templates)} records, CC BY 4.0); seed {seed}; "
            f"{gate_config}; {swap_config}; features {digest}"
        ),
    )
    model.save(out)
    return model
