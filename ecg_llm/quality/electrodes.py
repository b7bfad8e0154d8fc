"""What every lead shows when electrodes change places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ecg_llm.errors import ConfigError
from ecg_llm.leads import LIMB_LEADS, PRECORDIAL_LEADS, derive_limb_leads

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

LIMB_SWAPS = ("RA-LA", "RA-LL", "LA-LL", "RA-RL", "LA-RL", "LL-RL", "arms-legs")
PRECORDIAL_SWAPS = ("V1-V2", "V2-V3", "V3-V4", "V4-V5", "V5-V6", "V1-V3", "V1-V6 reversed")
SWAPS = LIMB_SWAPS + PRECORDIAL_SWAPS
"""Every exchange `swap_electrodes` knows."""

_CABLES = {
    "RA-LA": ("LA", "RA", "LL"),
    "RA-LL": ("LL", "LA", "RA"),
    "LA-LL": ("RA", "LL", "LA"),
    # A leg is a leg: the right one sees what the left one sees.
    "RA-RL": ("LL", "LA", "LL"),
    "LA-RL": ("RA", "LL", "LL"),
    "LL-RL": ("RA", "LA", "LL"),
    "arms-legs": ("LL", "LL", "LA"),
}


def swap_electrodes(
    rows: Mapping[str, npt.NDArray[np.float32]], kind: str
) -> dict[str, npt.NDArray[np.float32]]:
    """Compute what the machine would record with two electrodes exchanged.

    Parameters
    ----------
    rows : mapping of str to np.ndarray, mV
        Leads by standard name, equally long. A limb exchange needs two of I, II and III; a
        precordial one needs the leads it names.
    kind : str
        One of `SWAPS`. ``arms-legs`` is both arm cables on the legs, side kept.

    Returns
    -------
    dict of str to np.ndarray, mV
        The same leads, in the same order.

    Raises
    ------
    ConfigError
        If the exchange is not known or the rows do not determine it.

    Notes
    -----
    With potentials against Wilson's terminal, RA = -(I + II)/3, LA = (2 I - II)/3 and
    LL = (2 II - I)/3. Exchanges among these three leave the terminal, and so the precordial leads,
    as they are. An exchange with RL moves the terminal by a known amount; both legs are taken to
    have one potential, so that ``LL-RL`` changes nothing.

    References
    ----------
    .. [1] Batchvarov VN, Malik M, Camm AJ. Europace 2007;9:1081-1090.
    .. [2] Haisty WK et al. J Electrocardiol 2000;33 Suppl:21-34 (right leg exchanges).

    Examples
    --------
    >>> import numpy as np
    >>> rows = {"I": np.float32([1.0]), "II": np.float32([1.5]), "aVR": np.float32([-1.25])}
    >>> {k: float(v[0]) for k, v in swap_electrodes(rows, "RA-LA").items()}
    {'I': -1.0, 'II': 0.5, 'aVR': 0.25}
    """
    if kind in PRECORDIAL_SWAPS:
        return _swap_precordial(rows, kind)
    if kind not in LIMB_SWAPS:
        raise ConfigError(f"Electrode exchange {kind!r} is not known; use one of {SWAPS}.")
    limb = {**rows, **derive_limb_leads(rows)}
    if "I" not in limb or "II" not in limb:
        raise ConfigError(
            f"Electrode exchange {kind!r} needs two of I, II and III; got {', '.join(rows)}."
        )
    one, two = limb["I"], limb["II"]
    right, left, foot = (_site(one, two, name) for name in _CABLES[kind])
    terminal = np.asarray((right + left + foot) / 3, dtype=np.float32)
    new = {"I": left - right, "II": foot - right}
    new |= derive_limb_leads(new)
    return {name: new[name] if name in LIMB_LEADS else row - terminal for name, row in rows.items()}


def _site(
    one: npt.NDArray[np.float32], two: npt.NDArray[np.float32], name: str
) -> npt.NDArray[np.float32]:
    """Potential of a limb against Wilson's terminal, from leads I and II."""
    potential = {"RA": -(one + two), "LA": 2 * one - two, "LL": 2 * two - one}[name] / 3
    return np.asarray(potential, dtype=np.float32)


def _swap_precordial(
    rows: Mapping[str, npt.NDArray[np.float32]], kind: str
) -> dict[str, npt.NDArray[np.float32]]:
    """Exchange chest leads: each is its own electrode."""
    if kind == "V1-V6 reversed":
        source = dict(zip(PRECORDIAL_LEADS, reversed(PRECORDIAL_LEADS), strict=True))
    else:
        one, other = kind.split("-")
        source = {one: other, other: one}
    missing = [name for name in source if name not in rows]
    if missing:
        raise ConfigError(f"Electrode exchange {kind!r} needs {', '.join(missing)} as well.")
    return {name: rows[source.get(name, name)] for name in rows}
