"""Answer what names nothing: quality, rhythm, reasons, alerts, or all in short."""

from __future__ import annotations

from collections.abc import Iterator

from ecg_llm.analysis import Analysis
from ecg_llm.answer.question import Asked
from ecg_llm.compose import build_report
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import value_says
from ecg_llm.leads import STANDARD_12
from ecg_llm.phrases import listing
from ecg_llm.report import Claim, Report
from ecg_llm.statements import concluded, located_claims

OPEN = "unverifiable"
"""Status of what could not be judged."""
MOST_REASONS = 4
"""Findings whose facts are told when a user asks why."""


SINCE = "One ECG does not tell since when this is so; an earlier one does."
UNREAD = (
    "The question names nothing that is measured or looked for here (questions are read in "
    "English). In short:"
)
"""Said before the impression where a question was not understood."""


def report_of(present: Analysis) -> Report:
    """Give the measured report."""
    return build_report(present.record, present.quality, present.measurements, present.findings)


def rhythm_of(present: Analysis) -> list[Claim]:
    """Tell the rhythm, then its rate."""
    told = _section(report_of(present), "Rate and rhythm")
    found = [c for c in told if c.kind == "present" or (c.status == OPEN and "uncertain" in c.text)]
    rate = [c for c in told if c.text.startswith("Heart rate") or " beats were read" in c.text]
    return [*found, *rate]


def _section(report: Report, title: str) -> tuple[Claim, ...]:
    """Give the statements of one part of a report."""
    return next((part.statements for part in report.sections if part.title == title), ())


def overview(asked: Asked, known: Known) -> list[Claim]:
    """Answer a question that names nothing: quality, rhythm, reasons, or all in short."""
    present = known.found
    report = report_of(present)
    claims = {claim.text: claim for claim in report.claims}
    impression = [claims[text] for text in report.impression]
    match asked.about:
        case "quality":
            missing = [lead for lead in STANDARD_12 if lead not in present.record.leads]
            absent = [Claim.of(f"Not in this recording: {listing(missing)}.")] if missing else []
            return [*absent, *_section(report, "Technical quality"), *_leads_read(asked, present)]
        case "since":
            return [Claim.unknown(SINCE), *impression]
        case "rhythm":
            return rhythm_of(present) or impression
        case "open":
            left = [c for part in report.sections for c in part.statements if c.status == OPEN]
            return left or [Claim.of("Everything that was asked could be judged.")]
        case "urgent":
            open_ = [claim for claim in impression if claim.text.startswith("Not judged")]
            first = [] if report.alerts or asked.end is None else impression[:1]
            urgent = alerts(report) or [Claim.of(NO_ALERT)]
            return list(dict.fromkeys([*urgent, *first, *open_]))
        case "self" | "method":
            return [Claim.of(SELF)]
        case "recording":
            return [Claim.of(_recording(present))]
        case "conduction" | "repolarization" | "chambers":
            told = [c for title in PARTS[asked.about] for c in _section(report, title)]
            return told or impression
        case "person":
            return [Claim.of(_person(present))]
        case "values" if not known.facts.values:
            return [Claim.unknown(NO_VALUES)]
        case "values":
            return [claim for subject in SHOWN_VALUES for claim in value_says(subject, known)]
        case "where":
            located = located_claims(concluded(present.findings))
            return located or [Claim.of(NOWHERE), *impression]
        case "why" | "sure" if known.facts.values:
            facts = [c for part in report.sections for c in part.statements if c.kind == "present"]
            return facts[:MOST_REASONS] or impression
        case None if not asked.findings:
            return [Claim.of(UNREAD, kind="told"), *impression]
        case _:
            return impression


NO_ALERT = "Nothing that alerts was found; how urgent it is depends on the patient, too."
SELF = (
    "I am ecg_llm, research software and no medical device: I tell what was measured and found on "
    "this ECG, each with what it rests on. How good that is, README and docs/evaluation.md say; "
    "the ECG stays on the machine I run on, unless a language model elsewhere was chosen."
)
PARTS = {
    "conduction": ("Intervals and conduction",),
    "repolarization": ("ST–T",),
    "chambers": ("Chambers", "P wave"),
}
"""Sections of the report that answer for a part of the heart's course."""


def _leads_read(asked: Asked, present: Analysis) -> Iterator[Claim]:
    """Say of the leads that are asked for whether they can be read, and what disturbs them."""
    judged = present.quality.leads
    for lead in (lead for lead in asked.leads if lead in judged and judged[lead].usable):
        disturbed = ", ".join(judged[lead].reasons)
        yield Claim.of(f"{lead} can be read{f' ({disturbed})' if disturbed else ''}.")


def _recording(present: Analysis) -> str:
    """Say what was recorded: leads, sampling rate, length."""
    record = present.record
    if record.origin == "page":
        return f"Read from a page image: {len(record.leads)} leads, {record.duration_s:.1f} s."
    return (
        f"{len(record.leads)} leads at {record.fs:g} Hz, {record.duration_s:.1f} s. What the device"
        " filtered and how fast its paper ran is not in the signal."
    )


def _person(present: Analysis) -> str:
    """Say what the record says of the patient."""
    sex, age = present.record.sex, present.record.age_years
    words = [*([sex] if sex else []), *([f"{age:.0f} years"] if age is not None else [])]
    return f"The record says: {', '.join(words)}." if words else "The record gives no age or sex."


NO_VALUES = "Nothing is measured on a page image."
SHOWN_VALUES = ("heart_rate", "pr", "qrs", "qt", "qtc", "qrs_axis")
NOWHERE = "Nothing that was found is tied to single leads."


def alerts(report: Report) -> list[Claim]:
    """Say what somebody must look at soon."""
    claims = {claim.text: claim for claim in report.claims}
    return [
        claims.get(alert.text) or Claim.of(alert.text, alert.evidence, kind="present")
        for alert in report.alerts
    ]
