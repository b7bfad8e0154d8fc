"""Areas under curves with their uncertainty, and how far probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ecg_llm.eval.patients import Groups, limits
from ecg_llm.scp import COLUMNS, TASKS, task_columns

Array = npt.NDArray[np.float64]
MIN_POSITIVE = 5
"""Positives from which the area of a class is told while training."""


def auc(truth: npt.ArrayLike, score: npt.ArrayLike) -> float | None:
    """Give the area under the ROC curve, ties counting half.

    Parameters
    ----------
    truth : array_like, shape (n,)
        1, 0, or NaN where it is not known.
    score : array_like, shape (n,)
        Any scale.

    Returns
    -------
    float or None
        None if only one class is known.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    y, s = np.asarray(truth, float), np.asarray(score, float)
    known = np.isfinite(y)
    y, s = y[known] > 0.5, s[known]
    n_positive, n_negative = int(y.sum()), int((~y).sum())
    if not n_positive or not n_negative:
        return None
    _, where, counts = np.unique(s, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[where]
    above = rank[y].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def auprc(truth: npt.ArrayLike, score: npt.ArrayLike) -> float | None:
    """Give the average precision.

    Parameters
    ----------
    truth, score : array_like, shape (n,)
        As for `auc`.

    Returns
    -------
    float or None
        None if no positive is known.

    Examples
    --------
    >>> round(auprc([0, 1, 0, 1], [0.1, 0.9, 0.5, 0.4]), 4)
    0.8333
    """
    y, s = np.asarray(truth, float), np.asarray(score, float)
    known = np.isfinite(y)
    y, s = y[known] > 0.5, s[known]
    if not y.any():
        return None
    order = np.argsort(-s, kind="stable")
    y, s = y[order], s[order]
    last = np.r_[s[1:] != s[:-1], True]  # ties are reached together
    hits = np.cumsum(y)[last]
    stated = (np.arange(len(y)) + 1)[last]
    return float((np.diff(hits, prepend=0) * hits / stated).sum() / y.sum())


def macro(
    measure: Callable[[npt.ArrayLike, npt.ArrayLike], float | None],
    truth: Array,
    score: Array,
    *,
    least_positives: int = 1,
) -> tuple[float, int]:
    """Average a measure over classes.

    Parameters
    ----------
    truth, score : np.ndarray, shape (n_records, n_classes)
        NaN in truth where it is not known.
    least_positives : int
        Classes with fewer are left out.

    Returns
    -------
    mean : float
        NaN if no class can be judged.
    n_classes : int
        How many could.
    """
    enough = np.flatnonzero(np.nansum(truth, axis=0) >= least_positives)
    found = [measure(truth[:, k], score[:, k]) for k in enough]
    values = [value for value in found if value is not None]
    return (float(np.mean(values)) if values else float("nan")), len(values)


def task_aucs(
    labels: npt.NDArray[np.int8], scores: npt.NDArray[np.floating], min_positive: int = 1
) -> dict[str, float]:
    """Give the macro AUC of each of the six tasks.

    Parameters
    ----------
    labels : np.ndarray of int8, shape (n, 99)
        By `ecg_llm.scp.COLUMNS`; -1 leaves a record out of a column.
    scores : np.ndarray, shape (n, 99)
        Likewise.
    min_positive : int
        Classes with fewer positives are left out.

    Returns
    -------
    dict of str to float
        By task; NaN if no class is left.
    """
    truth = np.where(labels < 0, np.nan, labels)
    single = {
        name: area
        for k, name in enumerate(COLUMNS)
        if np.nansum(truth[:, k]) >= min_positive
        and (area := auc(truth[:, k], scores[:, k])) is not None
    }
    return {
        task: float(np.mean(found)) if found else float("nan")
        for task in TASKS
        for found in [[single[name] for name in task_columns(task) if name in single]]
    }


def bootstrap(
    measure: Callable[[npt.ArrayLike, npt.ArrayLike], float | None],
    truth: Array,
    score: Array,
    *,
    groups: Groups | None = None,
    rounds: int = 200,
) -> tuple[float, float]:
    """Give 95 % limits of a macro average by drawing patients again.

    Parameters
    ----------
    groups : np.ndarray of int, shape (n_records,), optional
        Patient of each record; each of another one by default.

    Returns
    -------
    low, high : float
        NaN if nothing can be judged.
    """
    judged = np.nansum(truth, axis=0) > 0
    truth, score = truth[:, judged], score[:, judged]
    return limits(
        lambda rows: macro(measure, truth[rows], score[rows])[0],
        np.arange(len(truth), dtype=np.int64) if groups is None else groups,
        rounds,
    )


def calibration(
    truth: npt.ArrayLike, probability: npt.ArrayLike
) -> tuple[float, list[tuple[float, float, int]]]:
    """Compare probabilities with what came true.

    Parameters
    ----------
    truth, probability : array_like, shape (n,)
        NaN in truth where it is not known.

    Returns
    -------
    ece : float
        Expected calibration error: the mean distance, weighed by how often it occurs.
    curve : list of (float, float, int)
        Of ten equal bins, those that are not empty: mean probability, share that came true, count.

    Examples
    --------
    >>> calibration([0, 1, 1, 1], [0.25, 0.75, 0.75, 0.75])[0]
    0.25
    """
    y, p = np.asarray(truth, float), np.asarray(probability, float)
    known = np.isfinite(y)
    y, p = y[known], p[known]
    of = np.minimum((p * 10).astype(int), 9)
    curve = [
        (float(p[of == k].mean()), float(y[of == k].mean()), int((of == k).sum()))
        for k in range(10)
        if (of == k).any()
    ]
    n = sum(count for *_, count in curve)
    ece = sum(abs(said - came) * count for said, came, count in curve) / max(n, 1)
    return ece, curve
