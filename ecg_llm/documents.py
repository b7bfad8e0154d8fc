"""A report as the document that somebody asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report


def document(
    report: Report,
    record: ECGRecord,
    kind: Literal["text", "json", "html", "pdf", "fhir"],
    subject: str | None = None,
    recorded: str | None = None,
    indent: int | None = None,
) -> bytes:
    """Write a report as a document.

    Parameters
    ----------
    report : Report
        What to write.
    record : ECGRecord
        Its record, for the tracing.
    kind : {"text", "json", "html", "pdf", "fhir"}
        Which document.
    subject, recorded : str, optional
        Patient and time of the ECG, for FHIR.
    indent : int, optional
        Spaces a level of JSON; without it, one line.

    Returns
    -------
    bytes
    """
    match kind:
        case "text":
            from ecg_llm.render.text import to_text

            return to_text(report).encode()
        case "json":
            return f"{report.to_json(indent=indent)}\n".encode()
        case "html":
            from ecg_llm.render.html import to_html

            return to_html(report, record).encode()
        case "pdf":
            from ecg_llm.render.pdf import to_pdf

            return to_pdf(report, record)
        case "fhir":
            from ecg_llm.fhir import to_fhir

            bundle = to_fhir(report, record, subject=subject, recorded=recorded)
            return f"{json.dumps(bundle, ensure_ascii=False)}\n".encode()
