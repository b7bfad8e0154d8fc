"""Fit the probability of atrial fibrillation to PTB-XL's statements."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.eval.findings import truth
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.findings.atrial import AtrialActivity, atrial_activity
from ecg_llm.findings.case import Case
from ecg_llm.findings.fibrillation import FEATURES, FibrillationModel, features
from ecg_llm.inference import sigmoid
from ecg_llm.measure import measure
from ecg_llm.ptbxl import statements_of, whole
from ecg_llm.quality import assess
from ecg_llm.waves import BUNDLED as DELINEATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ecg_llm.record import ECGRecord

    Progress = Callable[[int, int], None]
    FloatArray = npt.NDArray[np.float64]

FS = 100
"""Hz; all records of PTB-XL are there at this rate."""
LEFT_OUT = ("AFLT", "PACE", "SVTAC", "PSVT")
"""Statements with which a record tells nothing of fibrillation against the rest."""


@dataclass(frozen=True)
class FibrillationRecipe:
    """How the model is fitted."""

    penalty: float = 0.1
    """Strength of the penalty on squared weights."""
    floor: float = 0.2
    """Least probability that may be called present, however well the records separate."""
    specificity: float = 0.99
    """Of what is called present, on records left out of the fit."""
    missed: float = 0.02
    """Share of fibrillations that may be called absent, on records left out of the fit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AtrialTable:
    """Measured records whose rhythm a cardiologist stated.

    Attributes
    ----------
    values : np.ndarray, shape (n_records, n_features)
        From `ecg_llm.findings.fibrillation.features`; NaN where it could not be measured.
    fibrillates : np.ndarray of bool, shape (n_records,)
        Whether the atria fibrillate.
    folds : np.ndarray of int, shape (n_records,)
        All records of one patient lie in one.
    """

    values: FloatArray
    fibrillates: npt.NDArray[np.bool_]
    folds: npt.NDArray[np.intp]


def _measure_atria(
    data: Path, folds: Iterable[int], progress: Progress | None = None
) -> AtrialTable:
    """Measure the atria of PTB-XL's records as a report does; none of poor quality or few beats."""
    rows = ptbxl_rows(data, tuple(folds))
    values, fibrillates, groups = [], [], []
    for row, record in each_record(data, rows, FS, progress):
        statements = statements_of(row)
        stated = truth(statements, "AFIB")
        activity = _activity(record) if record and stated is not None else None
        if activity and activity.irregularity is not None and not set(statements) & set(LEFT_OUT):
            measured = features(activity)
            values.append([np.nan if value is None else value for value in measured])
            fibrillates.append(bool(stated))
            groups.append(whole(row["strat_fold"]))
    return AtrialTable(
        values=np.array(values).reshape(-1, len(FEATURES)),
        fibrillates=np.array(fibrillates, bool),
        folds=np.array(groups, np.intp),
    )


def _activity(record: ECGRecord) -> AtrialActivity | None:
    """Measure the atria of one record; None if its quality is too poor."""
    quality = assess(record)
    if not quality.acceptable:
        return None
    return atrial_activity(Case(record, quality, measure(record, quality)))


def _fit(
    table: AtrialTable, *, seed: int = 0, recipe: FibrillationRecipe = FibrillationRecipe()
) -> FibrillationModel:
    """Fit the model and its two limits.

    The limits come from cross-validation over the folds: each record is judged by a model that did
    not see its fold. ``present`` is the lowest probability that keeps the specificity asked for,
    ``absent`` the highest that misses no more fibrillations than allowed. ConfigError if the
    records are all of one kind, or of fewer than two folds.
    """
    if len(set(table.fibrillates.tolist())) < 2 or len(set(table.folds.tolist())) < 2:
        raise ConfigError(
            f"{len(table.folds)} records of {len(set(table.folds.tolist()))} folds, "
            f"{int(table.fibrillates.sum())} with atrial fibrillation: records with and without, "
            "of at least two folds, are needed."
        )
    unseen = np.full(len(table.folds), np.nan)
    for fold in np.unique(table.folds):
        test = table.folds == fold
        if not 0 < table.fibrillates[~test].mean() < 1:
            raise ConfigError(f"only fold {fold} has records with atrial fibrillation.")
        means, scales, weights, constant = _regress(table, ~test, seed, recipe)
        unseen[test] = _probabilities((table.values[test] - means) / scales, weights, constant)
    with_af, without = unseen[table.fibrillates], unseen[~table.fibrillates]
    present = max(float(np.quantile(without, recipe.specificity)), recipe.floor)
    absent = min(float(np.quantile(with_af, recipe.missed)), present)
    means, scales, weights, constant = _regress(table, np.ones(len(unseen), bool), seed, recipe)
    return FibrillationModel(
        features=FEATURES,
        means=tuple(round(float(x), 5) for x in means),
        scales=tuple(round(float(x), 5) for x in scales),
        weights=tuple(round(float(x), 5) for x in weights),
        constant=round(float(constant), 5),
        present=round(present, 4),
        absent=round(absent, 4),
        card=_card(table, unseen, present, absent, seed),
    )


def _regress(
    table: AtrialTable, chosen: npt.NDArray[np.bool_], seed: int, recipe: FibrillationRecipe
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Fit the logistic regression on some records."""
    from sklearn.linear_model import LogisticRegression

    values = table.values[chosen]
    means, scales = np.nanmean(values, axis=0), np.nanstd(values, axis=0) + 1e-9
    model = LogisticRegression(C=1 / recipe.penalty, random_state=seed, max_iter=1000)
    model.fit(np.nan_to_num((values - means) / scales), table.fibrillates[chosen])
    return means, scales, model.coef_[0], float(model.intercept_[0])


def _probabilities(scaled: FloatArray, weights: FloatArray, constant: float) -> FloatArray:
    """Run a fitted regression; a missing feature counts as its mean."""
    return sigmoid(np.nan_to_num(scaled) @ weights + constant)


def _card(
    table: AtrialTable, unseen: FloatArray, present: float, absent: float, seed: int
) -> dict[str, Any]:
    """Say what the model was fitted on and how it does on records that it did not see."""
    truly = table.fibrillates
    return {
        "task": "probability of atrial fibrillation in a resting 12-lead ECG",
        "data": f"PTB-XL 1.0.3 at {FS} Hz, folds {', '.join(map(str, np.unique(table.folds)))}",
        "data_licence": "CC BY 4.0; Wagner P et al. Sci Data 2020;7:154",
        "licence": "Apache-2.0",
        "records": len(truly),
        "with_fibrillation": int(truly.sum()),
        "left_out": f"records with {', '.join(LEFT_OUT)}, or without a statement on the rhythm",
        "delineator_sha256": hashlib.sha256(DELINEATOR.read_bytes()).hexdigest(),
        "seed": seed,
        "unseen_sensitivity": round(float((unseen[truly] >= present).mean()), 4),
        "unseen_specificity": round(float((unseen[~truly] < present).mean()), 4),
        "unseen_left_open": round(float(((unseen > absent) & (unseen < present)).mean()), 4),
        "limits": "adults at rest, mostly; not for rhythms with ventricular pacing or flutter",
    }


def train(
    data: Path,
    out: Path,
    *,
    folds: Iterable[int] = range(1, 9),
    seed: int = 0,
    progress: Progress | None = None,
) -> FibrillationModel:
    """Measure PTB-XL's records, fit the model and write ``rhythm.json``.

    Parameters
    ----------
    out : Path
        Folder for ``rhythm.json``; made if it is not there.
    folds : iterable of int
        Folds to fit on; fold 9 validates.
    seed : int
        The same seed, data and delineator give the same file.
    """
    model = _fit(_measure_atria(data, folds, progress), seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "rhythm.json")
    return model
