"""95 % limits where several records are of one patient: patients are drawn again, not records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ecg_llm.ptbxl import patient

Groups = npt.NDArray[np.int64]
ROUNDS = 1000


def patients_of(rows: Sequence[Mapping[str, str]]) -> Groups:
    """Number the patients of records.

    Returns
    -------
    np.ndarray of int, shape (n_rows,)
        A record whose patient is not known is a patient of its own.
    """
    return numbered([patient(row) for row in rows])


def numbered(names: Sequence[str]) -> Groups:
    """Give equal names equal numbers.

    Returns
    -------
    np.ndarray of int, shape (n_names,)
    """
    return np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1].astype(np.int64)


def draws(groups: Groups, rounds: int = ROUNDS, seed: int = 0) -> Iterator[npt.NDArray[np.int64]]:
    """Draw patients with replacement.

    Parameters
    ----------
    groups : np.ndarray of int, shape (n_records,)
        From `patients_of`.

    Yields
    ------
    np.ndarray of int
        Numbers of the records of the patients drawn, as often as each was.
    """
    order = np.argsort(groups, kind="stable").astype(np.int64)
    records = np.split(order, np.cumsum(np.unique(groups, return_counts=True)[1])[:-1])
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield np.concatenate([records[k] for k in rng.integers(0, len(records), len(records))])


def limits(
    measure: Callable[[npt.NDArray[np.int64]], float],
    groups: Groups,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> tuple[float, float]:
    """Give 95 % limits of a figure.

    Parameters
    ----------
    measure : callable
        The figure from the numbers of the records; NaN if these do not give it.
    groups : np.ndarray of int, shape (n_records,)
        Patient of each.

    Returns
    -------
    low, high : float
        NaN if nothing can be judged.

    References
    ----------
    .. [1] Field CA, Welsh AH. J R Stat Soc B 2007;69:369-390.
    """
    if not len(groups):
        return float("nan"), float("nan")
    found = [measure(rows) for rows in draws(groups, rounds, seed)]
    known = [value for value in found if value == value]
    if not known:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def effective(groups: Groups) -> float:
    """Give the number of records that would tell as much if each were of another patient.

    Parameters
    ----------
    groups : np.ndarray of int, shape (n_records,)
        Patient of each record.

    Returns
    -------
    float
        By taking the records of a patient for alike, which is the worst case.

    References
    ----------
    .. [1] Kish L. Survey Sampling. Wiley 1965.

    Examples
    --------
    >>> import numpy as np
    >>> effective(np.array([0, 1, 2, 3])), effective(np.array([0, 0, 0, 1]))
    (4.0, 1.6)
    """
    if not len(groups):
        return 0.0
    sizes = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def wilson(hits: int, n: int, effective: float | None = None) -> tuple[float, float, float] | None:
    """Compute a share with its 95 % Wilson interval.

    Parameters
    ----------
    effective : float, optional
        Trials that would tell as much if all were independent (`effective`);
        all of them by default.

    Returns
    -------
    tuple of float or None
        Share, lower and upper limit; None without trials.

    References
    ----------
    .. [1] Wilson EB. J Am Stat Assoc 1927;22:209-212.

    Examples
    --------
    >>> tuple(round(x, 3) for x in wilson(9, 10))
    (0.9, 0.596, 0.982)
    """
    if n == 0:
        return None
    z = 1.959964
    share, size = hits / n, float(n if effective is None else effective)
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    spread = share * (1 - share) / size + z * z / (4 * size * size)
    half = z * spread**0.5 / (1 + z * z / size)
    return share, max(centre - half, 0.0), min(centre + half, 1.0)
