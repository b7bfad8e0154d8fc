"""Age and sex in the dialects of the formats."""

from __future__ import annotations

import math
import re
from datetime import date

from ecg_llm.record import Sex

OLDEST_YEARS = 120.0
"""Above this an age is a code (300 stands for "over 89" in some archives)."""

_YEARS_PER_UNIT = {"Y": 1.0, "A": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_YEARS_PER_UNIT["H"] = _YEARS_PER_UNIT["D"] / 24


def parse_age(text: str | None, unit: str = "Y") -> float | None:
    """Read an age.

    Parameters
    ----------
    text : str or None
        ``74``, ``074Y``, ``18M``, ``NaN``, ``Unknown`` …
    unit : str
        Unit where the text has none; its first letter counts (years, months, weeks, days, hours).

    Returns
    -------
    float or None
        Years; None if unknown or beyond any life.

    Examples
    --------
    >>> parse_age("074Y"), parse_age("18M"), parse_age("NaN"), parse_age("300")
    (74.0, 1.5, None, None)
    """
    match = re.fullmatch(r"\s*(\d{1,4}(?:\.\d*)?)\s*([YAMWDH]?)[A-Z]*\s*", (text or "").upper())
    if match is None:
        return None
    scale = _YEARS_PER_UNIT.get(match[2] or unit.strip().upper()[:1])
    if scale is None:
        return None
    years = float(match[1]) * scale
    return years if math.isfinite(years) and years <= OLDEST_YEARS else None


def parse_sex(text: str | None) -> Sex | None:
    """Read a sex.

    Parameters
    ----------
    text : str or None
        ``Male``, ``F``, ``female``, ``Unknown`` … Digits are not read: archives disagree on them.

    Returns
    -------
    {"female", "male"} or None

    Examples
    --------
    >>> parse_sex("F"), parse_sex("MALE"), parse_sex("Unknown")
    ('female', 'male', None)
    """
    match (text or "").strip().lower():
        case "f" | "female" | "woman":
            return "female"
        case "m" | "male" | "man":
            return "male"
        case _:
            return None


def age_between(birth: str | None, recorded: str | None) -> float | None:
    """Compute the age from two dates that begin with ``YYYYMMDD``.

    Parameters
    ----------
    birth, recorded : str or None
        Dates of birth and of the recording, as HL7 and DICOM write them.

    Returns
    -------
    float or None
        Whole years; None if a date is missing or the result is no age.

    Examples
    --------
    >>> age_between("19530508", "20021122091000")
    49.0
    """
    born, then = _day(birth), _day(recorded)
    if born is None or then is None:
        return None
    years = then.year - born.year - ((then.month, then.day) < (born.month, born.day))
    return float(years) if 0 <= years <= OLDEST_YEARS else None


def _day(text: str | None) -> date | None:
    match = re.match(r"(\d{4})(\d{2})(\d{2})", (text or "").strip())
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
