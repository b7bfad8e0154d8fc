"""The limits that measured values are read against, and where they are published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecg_llm.findings.case import LABELS
from ecg_llm.findings.sources import CHAMBERS, CONDUCTION, REPOLARIZATION, TEXTBOOK

if TYPE_CHECKING:
    from ecg_llm.record import Sex


@dataclass(frozen=True)
class Reference:
    """What a record-level value is called, and the limits it is read against.

    Attributes
    ----------
    name : str
        In the field's words.
    limits : str
        Reference limits; empty where there are none.
    source : str
        Where they are published.
    """

    name: str
    limits: str = ""
    source: str = ""


_ADULT_LIMITS = {
    "heart_rate_bpm": ("60–100 bpm", TEXTBOOK),
    "rr_ms": (),
    "p_ms": ("< 120 ms", CHAMBERS),
    "pr_ms": ("120–200 ms", TEXTBOOK),
    "qrs_ms": ("≤ 110 ms", CONDUCTION),
    "qt_ms": (),
    "qtc_fridericia_ms": ("< 450 ms in men; < 460 ms in women", REPOLARIZATION),
    "qtc_bazett_ms": ("< 450 ms in men; < 460 ms in women", REPOLARIZATION),
    "p_axis_deg": ("0° to 75°", TEXTBOOK),
    "qrs_axis_deg": ("−30° to 90°", CONDUCTION),
    "t_axis_deg": (),
}
REFERENCES = {name: Reference(LABELS[name], *known) for name, known in _ADULT_LIMITS.items()}
"""Of the record-level values, by their name in `Measurements.values`, in reading order."""

_OF_SEX = {"male": 0, "female": 1}


def reference(name: str, age_years: float | None, sex: Sex | None) -> Reference:
    """Give a value's name and the limits that hold for this patient.

    Parameters
    ----------
    age_years : float or None
        The limits are those of adults; a patient known to be under 18 gets none.
    sex : str or None
        Decides the limit of the corrected QT.

    Examples
    --------
    >>> reference("qtc_fridericia_ms", 60, "female").limits
    '< 460 ms in women'
    """
    entry = REFERENCES.get(name, Reference(LABELS.get(name, name)))
    if age_years is not None and age_years < 18:
        return Reference(entry.name)
    by_sex = entry.limits.split("; ")
    if sex is None or len(by_sex) == 1:
        return entry
    return replace(entry, limits=by_sex[_OF_SEX[sex]])
