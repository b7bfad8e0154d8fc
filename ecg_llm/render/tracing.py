"""The tracing that goes with a report: its stretch, its header and its numbered evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecg_llm.leads import STANDARD_12
from ecg_llm.phrases import MOMENT_S, amount
from ecg_llm.render.evidence import Place, evidence_text, place_of
from ecg_llm.render.layout import STANDARD, PageLayout
from ecg_llm.render.marks import EvidenceMark
from ecg_llm.render.words import patient_text

if TYPE_CHECKING:
    from ecg_llm.findings.finding import Evidence
    from ecg_llm.record import ECGRecord
    from ecg_llm.render.style import MarkRole
    from ecg_llm.report import Report

MOST_NUMBERED = 20
"""More marks at once would hide the tracing."""

VALUES = {
    "heart_rate_bpm": "Rate",
    "pr_ms": "PR",
    "qrs_ms": "QRS",
    "qt_ms": "QT",
    "qtc_fridericia_ms": "QTc Fridericia",
    "qtc_bazett_ms": "QTc Bazett",
    "p_axis_deg": "P axis",
    "qrs_axis_deg": "QRS axis",
    "t_axis_deg": "T axis",
}
"""Names of the values in the header of the page."""


@dataclass(frozen=True, kw_only=True)
class EvidenceIndex:
    """Every stretch of the tracing that a report rests on, numbered.

    Attributes
    ----------
    numbers : mapping of (lead, from_s, to_s) to str
        By importance: what alerts rest on comes first.
    shown : tuple of EvidenceMark
        What present findings rest on.
    quiet : tuple of EvidenceMark
        What else was measured somewhere, and what would be too much at once.
    """

    numbers: Mapping[Place, str]
    shown: tuple[EvidenceMark, ...]
    quiet: tuple[EvidenceMark, ...]

    def labels(self, evidence: Iterable[Evidence]) -> tuple[str, ...]:
        """Give the numbers of some evidence, each once."""
        places = (place_of(item) for item in evidence)
        return tuple(dict.fromkeys(self.numbers[p] for p in places if p is not None))


def number_evidence(report: Report) -> EvidenceIndex:
    """Number the evidence of a report for its tracing.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    EvidenceIndex
    """
    items: list[tuple[MarkRole, Evidence]] = []
    items += [("critical", item) for alert in report.alerts for item in alert.evidence]
    items += [
        ("abnormal", item)
        for finding in report.findings
        if finding.status == "present" and finding.urgency != "normal"
        for item in finding.evidence
    ]
    items += [("information", item) for claim in report.claims for item in claim.evidence]
    said: dict[Place, list[str]] = {}
    roles: dict[Place, MarkRole] = {}
    for role, item in items:
        if (place := place_of(item)) is not None:
            roles.setdefault(place, role)
            text = evidence_text(item, where=False)
            if text not in said.setdefault(place, []):
                said[place].append(text)
    shown: list[EvidenceMark] = []
    quiet: list[EvidenceMark] = []
    for k, (place, role) in enumerate(roles.items(), start=1):
        lead, from_s, to_s = place
        mark = EvidenceMark(
            lead=lead,
            from_s=from_s,
            to_s=to_s,
            label=str(k),
            role=role,
            description="; ".join(said[place]),
            # A shade over the whole strip would hide what it is to show.
            quiet=role == "information" or len(shown) == MOST_NUMBERED or to_s - from_s >= MOMENT_S,
        )
        (quiet if mark.quiet else shown).append(mark)
    return EvidenceIndex(
        numbers={place: str(k) for k, place in enumerate(roles, start=1)},
        shown=tuple(shown),
        quiet=tuple(quiet),
    )


def page_layout(report: Report, record: ECGRecord, base: PageLayout = STANDARD) -> PageLayout:
    """Choose the stretch and the header of the page that goes with a report.

    Parameters
    ----------
    report : Report
        Gives the values in the header and, in a long record, the stretch: the page begins just
        before the most important evidence, where the beginning of the record does not show it.
    record : ECGRecord
        Its record.
    base : PageLayout
        Rows, speed, gain and page size.

    Returns
    -------
    PageLayout
    """
    fields = [
        f"{name} {amount(quantity.value, quantity.unit)}"
        for key, name in VALUES.items()
        if (quantity := report.measurements.get(key)) and quantity.value is not None
    ]
    patient = patient_text(report)
    begin = min(report.record.from_s, max(record.duration_s - base.seconds, 0.0))
    marks = number_evidence(report).shown
    if marks and marks[0].to_s > begin + base.seconds:
        latest = max(record.duration_s - base.seconds, 0.0)
        begin = float(min(max(marks[0].from_s - 1.0, 0.0) // 1, latest))
    return replace(base, from_s=begin, fields=tuple([patient, *fields] if patient else fields))


def every_lead_layout(record: ECGRecord, base: PageLayout) -> PageLayout:
    """Give each lead the full width, so that all evidence of the same stretch can be seen.

    Parameters
    ----------
    record : ECGRecord
        Its extra leads are shown too.
    base : PageLayout
        Stretch, speed, gain and page.

    Returns
    -------
    PageLayout
    """
    leads = dict.fromkeys((*STANDARD_12, *record.leads))
    return replace(base, rows=tuple((lead,) for lead in leads), rhythm=())


def lead_notes(report: Report) -> dict[str, str]:
    """Say which leads cannot be relied on.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    dict of str to str
        By lead, why not.
    """
    return {
        name: ", ".join(lead.reasons) or "not usable"
        for name, lead in report.quality.leads.items()
        if not lead.usable
    }
