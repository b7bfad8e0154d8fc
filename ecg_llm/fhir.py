"""The report as FHIR R4: a DiagnosticReport with Observations and the PDF, in one Bundle.

Only elements that FHIR 4.0.1 and 4.3.0 share are used. LOINC names what was measured, UCUM its
unit, SNOMED CT what was found; what has no code there has this project's own, and its name as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ecg_llm.compare import TITLE as COMPARISON
from ecg_llm.errors import ConfigError
from ecg_llm.findings.case import LABELS
from ecg_llm.phrases import amount
from ecg_llm.references import reference

if TYPE_CHECKING:
    from ecg_llm.findings.finding import Evidence, Finding
    from ecg_llm.quantity import Quantity
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report

Resource = dict[str, Any]
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"
OWN = "urn:ecg-llm"
"""Namespace of this project's codes: its names of measurements and its statement codes."""

EKG_STUDY, EKG_IMPRESSION = "11524-6", "8601-7"
LOINC_OF = {
    "heart_rate_bpm": "76282-3",
    "rr_ms": "8637-1",
    "pr_ms": "8625-6",
    "qrs_ms": "8633-0",
    "qt_ms": "8634-8",
    "qtc_fridericia_ms": "76634-5",
    "qtc_bazett_ms": "76635-2",
    "p_axis_deg": "8626-4",
    "qrs_axis_deg": "8632-2",
    "t_axis_deg": "8638-9",
}
"""LOINC codes of the measurements that are handed over, in reading order.

Sources: HL7 US Core 5.0.1, value set "US Core Clinical Test Codes" (8625-6 P-R interval, 8626-4
P wave axis, 8632-2 QRS axis, 8633-0 QRS duration, 8634-8 Q-T interval, 8638-9 T wave axis, 8601-7
EKG impression); LOINC's own definition of 8636-3, which names 76634-5 for Fridericia and 76635-2
for Bazett; JP Core's profile of an electrocardiogram (76282-3 heart rate, beat to beat, by EKG);
Open mHealth's FHIR guide, RR interval (8637-1 R-R interval by EKG). The general 8867-4 would make
the rate a vital sign, which FHIR's validator holds against a profile of its own: with a patient, a
time and another category.
"""
UCUM_OF = {
    "bpm": "/min",
    "/min": "/min",
    "ms": "ms",
    "s": "s",
    "mV": "mV",
    "deg": "deg",
    "%": "%",
    "Hz": "Hz",
}
DECIMALS = {"mV": 3, "s": 3, "%": 1}
"""Digits handed over after the point; none for other units."""
SUBJECT = r"Patient/[A-Za-z0-9\-.]{1,64}"
"""Form of a reference to a patient."""
WHEN = r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2}))?"
"""Form of the day, or the time with its zone, at which an ECG was recorded."""


def to_fhir(
    report: Report,
    record: ECGRecord,
    *,
    subject: str | None = None,
    recorded: str | None = None,
    issued: datetime | None = None,
    pdf: bytes | None = None,
) -> Resource:
    """Write a report as a FHIR R4 Bundle.

    Parameters
    ----------
    report : Report
        What to write.
    record : ECGRecord
        Its record, for the tracing in the PDF.
    subject : str, optional
        Reference to the patient, as ``Patient/123``. Files are not asked who the patient is.
    recorded : str, optional
        When the ECG was recorded, as ``2026-03-01`` or ``2026-03-01T08:15:00+01:00``. Without it a
        receiver knows only when the report was made.
    issued : datetime, optional
        When the report was made; now without it.
    pdf : bytes, optional
        The report as PDF, if it was made already.

    Returns
    -------
    dict
        A Bundle of type collection, as plain JSON values: Device, DiagnosticReport, Observations,
        Provenance. The report's status is ``preliminary``: a physician has to confirm it.

    Raises
    ------
    ConfigError
        If ``subject`` is not such a reference, or ``recorded`` no such time.
    """
    check_case(subject, recorded)
    if pdf is None:
        from ecg_llm.render.pdf import to_pdf

        pdf = to_pdf(report, record)
    moment = (issued or datetime.now(UTC)).isoformat(timespec="seconds")
    common: Resource = {"status": "preliminary"}
    if subject is not None:
        common["subject"] = {"reference": subject}
    if recorded is not None:
        common["effectiveDateTime"] = recorded
    device = _device(report)
    observed = {**common, "issued": moment, "device": {"reference": _url(report, "device")}}
    observations = [
        *_values(report, observed),
        *(_finding(f, observed) for f in report.findings if f.status == "present"),
    ]
    urls = [_url(report, f"observation-{k}") for k in range(len(observations))]
    diagnostic = {
        **_diagnostic(report, pdf),
        **common,
        "issued": moment,
        "result": [{"reference": url} for url in urls],
    }
    if not urls:
        del diagnostic["result"]  # FHIR knows no empty list
    provenance = _provenance(report, moment)
    entries = [
        (_url(report, "report"), diagnostic),
        *zip(urls, observations, strict=True),
        (_url(report, "device"), device),
        (_url(report, "provenance"), provenance),
    ]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": moment,
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries],
    }


def check_case(subject: str | None, recorded: str | None) -> None:
    """Check what a caller says of the patient and the time of an ECG.

    Parameters
    ----------
    subject, recorded : str or None
        As in `to_fhir`.

    Raises
    ------
    ConfigError
        If one is not of its form.

    Examples
    --------
    >>> check_case("Patient/123", "2026-03-01")
    """
    if subject is not None and not re.fullmatch(SUBJECT, subject):
        raise ConfigError("subject has to be a reference of the form Patient/ID.")
    if recorded is not None and not _is_time(recorded):
        raise ConfigError(
            "recorded has to be a day, as 2026-03-01, or a time with its zone, as "
            "2026-03-01T08:15:00+01:00."
        )


def _is_time(text: str) -> bool:
    """Whether it has the form of a day or a time, and there is such a one."""
    try:
        datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        return False
    return re.fullmatch(WHEN, text) is not None


def _url(report: Report, part: str) -> str:
    """Name a part of the bundle: the same input and version give the same names."""
    made = report.provenance
    seed = f"{made.input_sha256 or report.record.source} {made.version} {part}"
    return uuid.uuid5(uuid.NAMESPACE_OID, seed).urn


def _concept(text: str, *codings: tuple[str, str | None]) -> Resource:
    """Give a concept: codes of several systems, and its name."""
    coding = [{"system": system, "code": code} for system, code in codings if code]
    return {"coding": coding, "text": text} if coding else {"text": text}


def _diagnostic(report: Report, pdf: bytes) -> Resource:
    """Give the report itself, without what all parts share."""
    # A receiver acts on a code, and reads of no doubt there.
    sure = [f for f in report.findings if f.status == "present" and not f.doubt]
    codes = {f.snomed: _concept(f.label, (SNOMED, f.snomed)) for f in sure if f.snomed}
    lines = list(report.impression)
    for section in report.sections:
        if section.title == COMPARISON:
            lines += [claim.text for claim in section.statements]
    lines.append(report.provenance.disclaimer)
    resource: Resource = {
        "resourceType": "DiagnosticReport",
        "text": {"status": "generated", "div": _narrative(report)},
        "category": [_concept("Electrocardiography", (f"{HL7}/v2-0074", "EC"))],
        "code": _concept("EKG study", (LOINC, EKG_STUDY)),
        "conclusion": "\n".join(lines),
        "presentedForm": [
            {
                "contentType": "application/pdf",
                "language": "en",
                "title": "ECG report",
                "data": base64.b64encode(pdf).decode(),
                "size": len(pdf),
                # FHIR asks for this digest, as a checksum.
                "hash": base64.b64encode(hashlib.sha1(pdf).digest()).decode(),  # noqa: S324
            }
        ],
    }
    if codes:
        resource["conclusionCode"] = list(codes.values())
    return resource


def _narrative(report: Report) -> str:
    """Give the report for a reader of the resource alone."""
    parts = [
        "<p>Impression</p><ol>",
        *(f"<li>{html.escape(line)}</li>" for line in report.impression),
        "</ol>",
    ]
    if report.abstentions:
        parts += [
            "<p>Not judged</p><ul>",
            *(f"<li>{html.escape(f'{one.what}: {one.reason}')}</li>" for one in report.abstentions),
            "</ul>",
        ]
    parts.append(f"<p>{html.escape(report.provenance.disclaimer)}</p>")
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(parts)}</div>'


def _values(report: Report, common: Resource) -> list[Resource]:
    """Give the measurements, those that could not be made with the reason."""
    resources = []
    for name, code in LOINC_OF.items():
        quantity = report.measurements.get(name)
        if quantity is None:
            continue
        label = LABELS[name]
        resource = {
            "resourceType": "Observation",
            **common,
            "category": [_concept("Procedure", (f"{HL7}/observation-category", "procedure"))],
            "code": _concept(
                label[0].upper() + label[1:], (LOINC, code), (f"{OWN}:measurement", name)
            ),
        }
        if quantity.value is None:
            resource["dataAbsentReason"] = _concept(
                quantity.reason or "", (f"{HL7}/data-absent-reason", "unknown")
            )
        else:
            resource["valueQuantity"] = _quantity(quantity.value, quantity.unit)
            resource["method"] = {"text": quantity.method or "measured"}
            if quantity.spread is not None:
                resource["note"] = [{"text": _spread(quantity)}]
            limits = reference(name, report.record.age_years, report.record.sex).limits
            if limits:
                resource["referenceRange"] = [{"text": limits}]
        resources.append(resource)
    return resources


def _spread(quantity: Quantity) -> str:
    return f"Spread {amount(quantity.spread or 0.0, quantity.unit)} over {quantity.n} values."


def _quantity(value: float, unit: str) -> Resource:
    """Give a value with its UCUM unit."""
    rounded = round(value, DECIMALS.get(unit, 0))
    number = int(rounded) if unit not in DECIMALS else rounded
    return {"value": number, "unit": unit, "system": UCUM, "code": UCUM_OF[unit]}


def _finding(finding: Finding, common: Resource) -> Resource:
    """Give a present finding with the facts it rests on."""
    components = [_fact(item) for item in finding.evidence]
    if finding.probability is not None:
        share = {"value": round(100 * finding.probability, 1), "system": UCUM, "code": "%"}
        components.append(
            {"code": {"text": "calibrated probability"}, "valueQuantity": {**share, "unit": "%"}}
        )
    resource = {
        "resourceType": "Observation",
        **common,
        "category": [_concept("Procedure", (f"{HL7}/observation-category", "procedure"))],
        "code": _concept("EKG impression", (LOINC, EKG_IMPRESSION)),
        "valueCodeableConcept": _concept(
            f"{finding.label}, uncertain" if finding.doubt else finding.label,
            (SNOMED, finding.snomed),
            (f"{OWN}:statement", finding.code),
        ),
    }
    if finding.doubt:
        resource["note"] = [{"text": f"Uncertain: {finding.doubt}."}]
    if finding.urgency in ("critical", "urgent"):
        code = "AA" if finding.urgency == "critical" else "A"
        resource["interpretation"] = [
            _concept(finding.urgency, (f"{HL7}/v3-ObservationInterpretation", code))
        ]
    if components:
        resource["component"] = components
    return resource


def _fact(item: Evidence) -> Resource:
    """Give one measured fact: where, what, how much, and the rule it met."""
    what = f"{item.quantity}, lead {item.lead}" if item.lead else item.quantity
    if item.from_s is not None and item.to_s is not None:
        what += f", {item.from_s:.2f} to {item.to_s:.2f} s"
    fact: Resource = {"code": {"text": what}}
    if isinstance(item.value, int | float) and item.unit in UCUM_OF:
        fact["valueQuantity"] = _quantity(item.value, item.unit)
    elif item.value is None:
        fact["dataAbsentReason"] = _concept(
            "not measured", (f"{HL7}/data-absent-reason", "unknown")
        )
    else:
        words = item.value if isinstance(item.value, str) else amount(item.value, item.unit)
        fact["valueString"] = words or "found"
    rule = "; ".join(part for part in (item.criterion, item.source) if part)
    if rule:
        fact["referenceRange"] = [{"text": rule}]
    return fact


def _device(report: Report) -> Resource:
    """Name the software, its version and the hashes of its weights."""
    made = report.provenance
    versions = [
        {"type": {"text": "software"}, "value": made.version},
        {"type": {"text": "criteria"}, "value": made.criteria_version or "none"},
        *(
            {"type": {"text": f"SHA-256 of {name}"}, "value": digest}
            for name, digest in made.weights.items()
        ),
    ]
    return {
        "resourceType": "Device",
        "deviceName": [{"name": made.software, "type": "other"}],
        "version": versions,
        "note": [{"text": made.disclaimer}],
    }


def _provenance(report: Report, moment: str) -> Resource:
    """Tie the report to the file it was made from and to the software."""
    resource: Resource = {
        "resourceType": "Provenance",
        "target": [{"reference": _url(report, "report")}],
        "recorded": moment,
        "activity": {"text": "interpretation of an ECG"},
        "agent": [{"who": {"reference": _url(report, "device")}}],
    }
    if report.provenance.input_sha256:
        sha256 = {"system": f"{OWN}:sha256", "value": report.provenance.input_sha256}
        resource["entity"] = [
            {"role": "source", "what": {"identifier": sha256, "display": "the ECG's file"}}
        ]
    return resource
