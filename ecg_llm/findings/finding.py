"""What is found in an ECG, and the evidence it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["present", "absent", "unknown"]
Section = Literal[
    "rhythm", "ectopy", "conduction", "axis", "p wave", "qrs", "st-t", "qt", "chambers", "technical"
]
Urgency = Literal["critical", "urgent", "abnormal", "borderline", "normal"]
BY_ENCODER = "probability by the encoder"
"""The quantity of evidence that the encoder gives."""
URGENCIES: tuple[Urgency, ...] = ("critical", "urgent", "abnormal", "borderline", "normal")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measured fact that a finding rests on.

    Attributes
    ----------
    lead : str or None
        None where it was read from all leads together.
    from_s, to_s : float or None, s
        Where on the tracing; None where it holds for the whole record.
    quantity : str
        What was measured, in the field's words: ``QRS duration``, ``ST at J+60 ms``.
    value : float, str or None
        The measured value; None if it could not be measured.
    unit : str
        Unit of ``value``; empty for words.
    criterion : str
        The rule it was held against: ``≥ 120 ms``.
    source : str
        Where the rule is published.
    """

    lead: str | None
    from_s: float | None
    to_s: float | None
    quantity: str
    value: float | str | None
    unit: str
    criterion: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One statement about the ECG.

    Attributes
    ----------
    code : str
        SCP-ECG statement code, as PTB-XL writes it (``CLBBB``, ``1AVB``), or a project code in
        lower case where SCP-ECG has none.
    label : str
        Its name in plain clinical English.
    snomed : str or None
        SNOMED CT concept id.
    section : str
        Part of the report it belongs to.
    urgency : str
        How soon somebody must look at it when it is present.
    status : {"present", "absent", "unknown"}
        Never absent because something was missing: then it is unknown.
    probability : float or None
        Calibrated, where a model gave one; None from criteria alone.
    reason : str or None
        Why it is unknown, in plain words.
    evidence : tuple of Evidence
        What speaks for the status.
    doubt : str or None
        What criterion and encoder each say, where they disagree or only the encoder speaks, or
        what else may feign it: the finding is then uncertain, whatever its status.
    """

    code: str
    label: str
    snomed: str | None
    section: Section
    urgency: Urgency
    status: Status
    probability: float | None = None
    reason: str | None = None
    evidence: tuple[Evidence, ...] = ()
    doubt: str | None = None

    @property
    def has_facts(self) -> bool:
        """Whether more speaks for it than the encoder."""
        return any(item.quantity != BY_ENCODER for item in self.evidence)
