"""Numbers as texts show them."""

from __future__ import annotations

import re

NUMBER = re.compile(r"[-−]?\d+(?:[.,]\d+)?")
"""A number with its sign."""


def shown_value(shown: str) -> tuple[float, int]:
    """Read a number.

    Parameters
    ----------
    shown : str
        As `NUMBER` finds it.

    Returns
    -------
    tuple of (float, int)
        Its value, and how many decimals it shows.

    Examples
    --------
    >>> shown_value("−0,15")
    (-0.15, 2)
    """
    plain = shown.replace("−", "-").replace(",", ".")
    return float(plain), len(plain.partition(".")[2])
