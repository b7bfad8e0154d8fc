"""What the documents share: evidence in short form, its numbers on the tracing, the page itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecg_llm.phrases import amount, evidence_phrase, number
from ecg_llm.render.layout import STANDARD, PageLayout
from ecg_llm.render.marks import EvidenceMark
from ecg_llm.render.scene import printable

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

Place = tuple[str | None, float, float]
"""Lead, begin and end."""


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
        """Give the numbers of some evidence, each once.

        Parameters
        ----------
        evidence : iterable of Evidence
            Of one statement.

        Returns
        -------
        tuple of str
        """
        places = (place_of(item) for item in evidence)
        return tuple(dict.fromkeys(self.numbers[p] for p in places if p is not None))


def place_of(item: Evidence) -> Place | None:
    """Say which stretch of the tracing an evidence item names.

    Parameters
    ----------
    item : Evidence
        Any.

    Returns
    -------
    tuple, or None
        None if it holds for the whole record. A single moment begins and ends at once.
    """
    begin = item.from_s if item.from_s is not None else item.to_s
    end = item.to_s if item.to_s is not None else item.from_s
    if begin is None or end is None:
        return None
    return item.lead, min(begin, end), max(begin, end)


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
    items += [("information", item) for finding in report.findings for item in finding.evidence]
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
            quiet=role == "information" or len(shown) == MOST_NUMBERED,
        )
        (quiet if mark.quiet else shown).append(mark)
    return EvidenceIndex(
        numbers={place: str(k) for k, place in enumerate(roles, start=1)},
        shown=tuple(shown),
        quiet=tuple(quiet),
    )


def evidence_text(item: Evidence, *, where: bool = True) -> str:
    """Write an evidence item in short form.

    Parameters
    ----------
    item : Evidence
        Any.
    where : bool
        Begin with its lead and times.

    Returns
    -------
    str

    Examples
    --------
    >>> from ecg_llm.findings.finding import Evidence
    >>> evidence_text(Evidence(lead="V2", from_s=1.04, to_s=1.08, quantity="ST at J", value=0.31,
    ...     unit="mV", criterion="≥ 0.2 mV", source="a paper"))
    'V2 1.04–1.08 s: ST at J 0.31 mV (≥ 0.2 mV)'
    """
    text = f"{item.quantity} {value_text(item)}" + (
        f" ({item.criterion})" if item.criterion else ""
    )
    begin = where_text(item)
    return printable(f"{begin}: {text}" if where and begin else text)


def value_text(item: Evidence) -> str:
    """Write the value of an evidence item with its unit.

    Parameters
    ----------
    item : Evidence
        Any.

    Returns
    -------
    str
    """
    match item.value:
        case None:
            return "unknown"
        case str():
            return item.value
        case _:
            return amount(item.value, item.unit)


def not_yet_said(item: Evidence, said: str) -> str:
    """Give what an evidence item adds to the sentence it supports.

    Parameters
    ----------
    item : Evidence
        One fact.
    said : str
        The sentence.

    Returns
    -------
    str
        Lead, times, quantity, value and criterion, without what the sentence says in these words.

    Examples
    --------
    >>> from ecg_llm.findings.finding import Evidence
    >>> item = Evidence(lead=None, from_s=None, to_s=None, quantity="QRS duration", value=96.0,
    ...     unit="ms", criterion="reference ≤ 110 ms", source="")
    >>> not_yet_said(item, "QRS duration 96 ms.")
    'reference ≤ 110 ms'
    """
    lower = said.lower()
    if evidence_phrase(item).lower() in lower:
        return where_text(item)
    value = value_text(item)
    if f"{item.quantity} {value}".lower() in lower:
        return " ".join(part for part in (where_text(item), item.criterion) if part)
    if value in said and not (where_text(item) or item.criterion or item.source):
        return ""
    return evidence_text(item)


class Citations:
    """Evidence in one line, its sources numbered as they come.

    Attributes
    ----------
    sources : dict of str to int
        Every source cited so far, with its number.
    """

    def __init__(self) -> None:
        self.sources: dict[str, int] = {}

    def facts(self, evidence: Iterable[Evidence], said: str = "") -> str:
        """Run the evidence of one statement together.

        Parameters
        ----------
        evidence : iterable of Evidence
            What the statement rests on.
        said : str
            The statement, whose words are not repeated.

        Returns
        -------
        str
            Empty if there is nothing to add.
        """
        facts = []
        for item in evidence:
            fact = not_yet_said(item, said)
            if item.source:
                fact += f" [{self.sources.setdefault(item.source, len(self.sources) + 1)}]"
            facts.append(fact.strip())
        return printable("; ".join(dict.fromkeys(fact for fact in facts if fact)))


def where_text(item: Evidence) -> str:
    """Write the lead and times of an evidence item.

    Parameters
    ----------
    item : Evidence
        Any.

    Returns
    -------
    str
        Empty if it holds for all leads and the whole record.
    """
    words = [item.lead] if item.lead else []
    if (place := place_of(item)) is not None:
        begin, end = (number(t, "s") for t in place[1:])
        words.append(f"{begin} s" if begin == end else f"{begin}–{end} s")
    return " ".join(words)


def patient_text(report: Report) -> str:
    """Write sex and age, as far as they are known.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    str
        Such as ``Male, 56 years``; empty if neither is known.
    """
    age = report.record.age_years
    parts = [report.record.sex or "", f"{age:g} years" if age is not None else ""]
    text = ", ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


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
