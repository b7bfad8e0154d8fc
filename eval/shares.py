"""Shares with their uncertainty."""

from __future__ import annotations


def wilson(hits: int, n: int, effective: float | None = None) -> tuple[float, float, float] | None:
    """Compute a share with its 95 % Wilson interval.

    Parameters
    ----------
    hits, n : int
        Successes and trials.
    effective : float, optional
        Trials that would tell as much if all were independent (`ecg_llm.eval.patients.effective`);
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
