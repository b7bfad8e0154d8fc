"""What became of values and findings since an earlier ECG of the same patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecg_llm.findings.finding import Evidence, Section, Status, Urgency
from ecg_llm.quantity import Quantity

ValueTrend = Literal["higher", "lower", "shifted", "same", "unknown"]
FindingTrend = Literal["new", "gone", "changed", "persistent", "undetermined"]


@dataclass(frozen=True, kw_only=True)
class ValueChange:
    """One record-level value in both ECGs.

    Attributes
    ----------
    name : str
        Key of ``measurements``.
    label : str
        Its name in the field's words.
    before, now : Quantity
        The value of the earlier and of this ECG, each with its spread, or why there is none.
    difference : float or None
        Now minus before, in the same unit; between axes the shorter way round.
    least : float
        A smaller difference is within what two ECGs of an unchanged heart differ by.
    trend : str
        ``higher``, ``lower``, ``shifted`` (an axis), ``same``, or ``unknown``.
    """

    name: str
    label: str
    before: Quantity
    now: Quantity
    difference: float | None
    least: float
    trend: ValueTrend


@dataclass(frozen=True, kw_only=True)
class FindingChange:
    """One finding that at least one of both ECGs shows.

    Attributes
    ----------
    code, label : str
        As in ``findings``.
    section : str
        Part of the report.
    urgency : str
        How soon somebody must look at it.
    before, now : {"present", "absent", "unknown"}
        Its status in the earlier and in this ECG.
    trend : str
        ``new``, ``gone``, ``changed`` (present in both, in other leads or with other voltages),
        ``persistent``, or ``undetermined``: not judged in one of them.
    reason : str or None
        What changed, or why it is undetermined.
    evidence_before, evidence_now : tuple of Evidence
        What each status rests on.
    """

    code: str
    label: str
    section: Section
    urgency: Urgency
    before: Status
    now: Status
    trend: FindingTrend
    reason: str | None
    evidence_before: tuple[Evidence, ...]
    evidence_now: tuple[Evidence, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """This ECG beside an earlier one.

    Attributes
    ----------
    earlier_name : str
        Name of the earlier recording.
    earlier_sha256 : str
        SHA-256 of its file.
    compared : bool
        False if the quality of one of them does not allow it.
    reason : str or None
        Why they were not compared.
    notes : tuple of str
        What speaks against both being of the same patient.
    values : tuple of ValueChange
        Rate, intervals and axes.
    findings : tuple of FindingChange
        Most urgent first.
    """

    earlier_name: str
    earlier_sha256: str
    compared: bool
    reason: str | None = None
    notes: tuple[str, ...] = ()
    values: tuple[ValueChange, ...] = ()
    findings: tuple[FindingChange, ...] = ()
