"""What a reader hands over: channels as the file holds them, before any common rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.record import Origin, Sex

UNITS_IN_MV = {
    "v": 1e3, "volt": 1e3, "volts": 1e3,
    "mv": 1.0, "millivolt": 1.0, "millivolts": 1.0,
    "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "microvolt": 1e-3, "microvolts": 1e-3,
    "nv": 1e-6, "nanovolt": 1e-6, "nanovolts": 1e-6,
}  # fmt: skip
"""Units of voltage by lower-case name, and what they are in mV."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Channel:
    """One recorded signal.

    Attributes
    ----------
    name : str
        As the file writes it; empty if it names none.
    values : np.ndarray, shape (n_samples,)
        In ``unit``; NaN where nothing was recorded.
    fs : float or None, Hz
        None if the file does not tell.
    unit : str or None
        As the file writes it; None if it does not tell.
    calibrated : bool
        False if the file leaves its gain open.
    """

    name: str
    values: npt.NDArray[np.floating]
    fs: float | None
    unit: str | None
    calibrated: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class RawECG:
    """All channels of one file.

    Attributes
    ----------
    channels : tuple of Channel
        In file order.
    age_years : float or None
        From the file.
    sex : {"female", "male"} or None
        From the file.
    notes : tuple of str
        What the reader had to do.
    whole_s : float or None, s
        Length of the recording if only its beginning was read.
    origin : {"recording", "page"}
        Whether the channels were digitised from an image.
    """

    channels: tuple[Channel, ...]
    age_years: float | None = None
    sex: Sex | None = None
    notes: tuple[str, ...] = ()
    whole_s: float | None = None
    origin: Origin = "recording"


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the caller knows of a file that does not say it itself.

    Attributes
    ----------
    fs : float or None, Hz
        Sampling rate.
    unit : str or None
        Unit of all leads, such as ``mV`` or ``uV``.
    leads : tuple of str or None
        Names of the channels, in file order.
    fmt : str or None
        Name of the reader to use, whatever the content looks like.
    """

    fs: float | None = None
    unit: str | None = None
    leads: tuple[str, ...] | None = None
    fmt: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that no file could have."""
        if self.fs is not None and not (math.isfinite(self.fs) and self.fs > 0):
            raise RecordError(f"the given sampling rate {self.fs} is not a positive number of Hz.")
        if self.unit is not None and unit_in_mv(self.unit) is None:
            raise RecordError(
                f"the given unit {shown(self.unit)!r} is not a voltage; use one of V, mV, uV, nV."
            )
        if self.leads is not None and not self.leads:
            raise RecordError("the given list of leads is empty.")

    def merged(self, stated: ReadOptions, where: str) -> ReadOptions:
        """Join with what another place, named in the error, states; both must agree."""
        joined = {}
        for entry in fields(self):
            mine, theirs = getattr(self, entry.name), getattr(stated, entry.name)
            if mine is not None and theirs is not None and not _same(entry.name, mine, theirs):
                raise RecordError(
                    f"{where} states {entry.name} {_listed(theirs)}, but {_listed(mine)} was given "
                    "elsewhere; correct one of them."
                )
            joined[entry.name] = theirs if mine is None else mine
        return ReadOptions(**joined)


NO_OPTIONS = ReadOptions()


def unit_in_mv(unit: str) -> float | None:
    """Give what one of a unit is in millivolts.

    Parameters
    ----------
    unit : str
        As written in a file: ``mV``, ``uV``, ``MICROVOLTS`` …

    Returns
    -------
    float or None
        None if it is not a voltage.

    Examples
    --------
    >>> unit_in_mv("uV"), unit_in_mv("mmHg")
    (0.001, None)
    """
    return UNITS_IN_MV.get(unit.strip().lower())


def shown(text: str, longest: int = 40) -> str:
    """Make a text from a file fit for a message.

    Parameters
    ----------
    text : str
        A channel's name, say.
    longest : int
        Characters to keep.

    Returns
    -------
    str
        On one line, without control characters.

    Examples
    --------
    >>> shown("V1\\x1b[31m ")
    'V1?[31m'
    """
    clean = "".join(letter if letter.isprintable() else "?" for letter in text.strip())
    return clean if len(clean) <= longest else clean[: longest - 3] + "..."


def _same(what: str, one: object, other: object) -> bool:
    match what:
        case "fs":
            return math.isclose(float(str(one)), float(str(other)), rel_tol=1e-3)
        case "unit":
            return unit_in_mv(str(one)) == unit_in_mv(str(other))
        case _:
            return one == other


def _listed(value: object) -> str:
    return shown(", ".join(map(str, value)) if isinstance(value, tuple) else str(value), 120)
