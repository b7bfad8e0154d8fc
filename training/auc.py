"""Areas under the curve over PTB-XL's tasks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.scp import COLUMNS, TASKS, task_columns

MIN_POSITIVE = 5


def auc(truth: npt.NDArray[np.bool_], score: npt.NDArray[np.floating]) -> float:
    """Give the area under the ROC curve; tied scores count half.

    Parameters
    ----------
    truth : np.ndarray of bool, shape (n,)
        Both values must occur.
    score : np.ndarray, shape (n,)
        Higher means more likely.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> auc(np.array([False, True, True]), np.array([0.1, 0.1, 0.4]))
    0.75
    """
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    n_true = int(truth.sum())
    n_false = len(truth) - n_true
    return float((rank[truth].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false))


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
    single = {}
    for k, name in enumerate(COLUMNS):
        known = labels[:, k] >= 0
        truth = labels[known, k] == 1
        if min_positive <= truth.sum() < known.sum():
            single[name] = auc(truth, scores[known, k])
    return {
        task: float(np.mean(found)) if found else float("nan")
        for task in TASKS
        for found in [[single[name] for name in task_columns(task) if name in single]]
    }
