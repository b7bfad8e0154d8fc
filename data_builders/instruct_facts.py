"""Which measured facts a sentence on a finding can name."""

from __future__ import annotations

import re

from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.findings.case import LABELS
from ecg_llm.findings.finding import Evidence, Finding

_LIMIT = re.compile(
    r"^(not )?([≥≤<>]) ?(-?[\d.]+) ?(ms|mV|bpm|/min|°|mV·ms|s)( in every limb lead)?$"
)
_RANGE = re.compile(r"^(?:between )?(-?[\d.]+)\D+?(-?[\d.]+)( ?mV|°)$")
_UNSAID = ("atrial waves between", "rate of the P waves", "repetition")
"""Facts of use to a program, that no cardiologist reads off a tracing."""


def widened(case: ECGCase) -> bool:
    """Tell whether a QRS may be wide over all leads: then it is told, but not called normal."""
    widest = max(case.value("qrs_ms") or 0.0, case.value("qrs_global_ms") or 0.0)
    slowed = ("CLBBB", "CRBBB", "ILBBB", "IRBBB", "IVCD", "WPW")
    return widest > NORMAL_QRS_MS or any(case.status(code) == "present" for code in slowed)


NORMAL_QRS_MS = 115.0
"""Over all leads, where 120 ms is wide."""


def fulfils(item: Evidence) -> bool | None:
    """Tell whether a fact fulfils its rule; None where the rule is not a plain limit."""
    return None if (room := _room(item)) is None else room >= 0


def _room(item: Evidence) -> float | None:
    """Give by how much a fact fulfils its rule; negative if it does not."""
    if not isinstance(item.value, int | float):
        return None
    if found := _RANGE.match(item.criterion):
        low, high = sorted((float(found[1]), float(found[2])))
        return min(item.value - low, high - item.value)
    found = _LIMIT.match(item.criterion)
    if found is None or found[1]:
        return None
    room = item.value - float(found[3])
    return (room if found[2] in "≥>" else -room) or (0.0 if found[2] in "≥≤" else -1e-9)


def failing(finding: Finding) -> list[Evidence]:
    """Choose the fact that came nearest to its rule and yet does not fulfil it.

    None if its quantity fulfils the rule in some lead, or no rule is a plain limit.
    """
    rooms = [(item, _room(item)) for item in _sayable(finding)]
    passed = {item.quantity for item, room in rooms if room is not None and room >= 0}
    left = [(room, item) for item, room in rooms if room is not None and room < 0]
    left = [(room, item) for room, item in left if item.quantity not in passed]
    if not left:
        return []
    first = left[0][1].quantity
    if all(item.value == 0 for _, item in left if item.quantity == first):
        return []
    return [max((x for x in left if x[1].quantity == first), key=lambda x: x[0])[1]]


def _sayable(finding: Finding) -> list[Evidence]:
    """Choose what a cardiologist would say; of a T wave not the QRS that it is held against."""
    facts = [item for item in finding.evidence if _can_be_said(item)]
    of_t = any(item.quantity.startswith("T amplitude") for item in facts)
    return [item for item in facts if not (of_t and item.quantity == LABELS["qrs_max_mv"])]


def _can_be_said(item: Evidence) -> bool:
    """Whether a cardiologist would read this fact off a tracing."""
    number = isinstance(item.value, int | float) and bool(item.unit)
    odd = item.unit in ("score", "mV/s", "points", "ratio", "of the mean RR", "in a row")
    return number and not odd and not item.quantity.startswith(_UNSAID)


def telling(finding: Finding | None, count: int) -> list[Evidence]:
    """Choose facts that a sentence can name: numbers that fulfil a plain limit."""
    if finding is None or not count:
        return []
    usual = [item for item in _sayable(finding) if fulfils(item)]
    if finding.code == "AFLT":
        usual = [item for item in finding.evidence if item.quantity.startswith("atrial waves")]
    if finding.code == "lv_strain":  # the voltages are said with the hypertrophy
        usual = [item for item in usual if item.quantity.startswith(("ST", "T "))]
    if finding.code in ("PAC", "PVC"):
        usual = [item for item in finding.evidence if item.unit.startswith("of ")]
    distinct = {(item.quantity, item.lead): item for item in reversed(usual)}
    return list(reversed(distinct.values()))[:count]
