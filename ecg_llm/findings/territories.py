"""Which leads look at which wall, and which leads are neighbours."""

from __future__ import annotations

from collections.abc import Collection

from ecg_llm.findings.checks import Check, unknown
from ecg_llm.leads import STANDARD_12

NEIGHBOURS = (
    ("V1", "V2"),
    ("V2", "V3"),
    ("V3", "V4"),
    ("V4", "V5"),
    ("V5", "V6"),
    ("aVL", "I"),
    ("II", "aVF"),
    ("aVF", "III"),
)
"""Contiguous leads, in the chest and in the order of the frontal plane."""
WALL_LEADS = tuple(lead for lead in STANDARD_12 if lead != "aVR")
"""The leads that look at a wall of the left ventricle."""
INFERIOR = ("II", "III", "aVF")
LATERAL = ("I", "aVL", "V5", "V6")
SEPTAL = ("V1", "V2")
ANTERIOR = ("V2", "V3", "V4")


def contiguous(leads: Collection[str]) -> tuple[str, ...]:
    """Keep the leads that have a neighbour among the given ones.

    In the order of `NEIGHBOURS`.

    Examples
    --------
    >>> contiguous(["III", "aVF", "V2"])
    ('aVF', 'III')
    """
    kept = [lead for pair in NEIGHBOURS if set(pair) <= set(leads) for lead in pair]
    return tuple(dict.fromkeys(kept))


def wall(leads: Collection[str]) -> str | None:
    """Name the wall that contiguous leads look at.

    ``inferior``, ``inferolateral``, ``lateral``, ``anterolateral``, ``anterior``, ``anteroseptal``;
    None if the leads are not contiguous.

    Examples
    --------
    >>> wall(["V1", "V2", "V3"]), wall(["II", "III", "aVF", "V5", "V6"]), wall(["II", "V2"])
    ('anteroseptal', 'inferolateral', None)
    """
    found = set(contiguous(leads))
    if not found:
        return None
    inferior = len(found & set(INFERIOR)) >= 2
    lateral = len(found & set(LATERAL)) >= 2
    chest = len(found & {"V1", "V2", "V3", "V4"}) >= 2
    if chest:
        if lateral or {"V4", "V5"} <= found:
            return "anterolateral"
        return "anteroseptal" if found & {"V1", "V2"} else "anterior"
    if inferior:
        return "inferolateral" if lateral else "inferior"
    return "lateral" if lateral else "anterolateral"


def leads_where(checks: dict[str, Check]) -> tuple[str, ...]:
    """Give the contiguous leads in which a sign holds."""
    return contiguous([lead for lead, check in checks.items() if check.holds])


def somewhere(checks: dict[str, Check]) -> Check:
    """Hold if a sign is in two contiguous leads.

    Unknown if leads that could not be judged might make a pair.
    """
    holding = leads_where(checks)
    if holding:
        return Check(True, tuple(item for lead in holding for item in checks[lead].evidence))
    possible = contiguous([lead for lead, check in checks.items() if check.holds is not False])
    if possible:
        reasons = [checks[lead].reason for lead in possible if checks[lead].holds is None]
        return unknown("; ".join(filter(None, reasons)) or "too few leads could be read")
    return Check(False, next(iter(checks.values())).evidence)
