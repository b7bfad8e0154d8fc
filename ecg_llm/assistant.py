"""The one path from a record to its report."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.inference import file_hashes

if TYPE_CHECKING:
    from ecg_llm.lm import TextModel
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report

__all__ = [
    "WEIGHTS",
    "Analysis",
    "analyse",
    "interpret",
    "report_on",
    "weight_hashes",
    "writer",
]

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weight files that the measuring lane uses."""


def interpret(
    record: ECGRecord,
    question: str | None = None,
    *,
    model: TextModel | str | None = None,
    keep_draft: bool = False,
    earlier: ECGRecord | None = None,
) -> Report:
    """Write the report of a record.

    Command line, folder runs, services and evaluations all call this.

    Parameters
    ----------
    record : ECGRecord
        What was read.
    question : str, optional
        What the narrative answers, as a conversation does; None asks for a report.
    model : TextModel or str, optional
        The language model that writes the narrative, or what `ecg_llm.lm.load` takes: a path or
        the address of a server. None is the bundled model, where its weights are there; ``"none"``
        gives the measured report.
    keep_draft : bool
        Put the model's drafts, with the verdict on each claim, into the report. An answer has
        none: its changes hold what the model wrote instead.
    earlier : ECGRecord, optional
        An earlier ECG of the same patient: the report says what changed since, and the narrative
        may compare with it.

    Returns
    -------
    Report
        A refusal with its reasons, if the technical quality does not allow more. Everything but
        the narrative is measured, whatever the model. The same input gives the same report.
    """
    return report_on(
        analyse(record),
        question,
        model=model,
        keep_draft=keep_draft,
        earlier=None if earlier is None else analyse(earlier),
    )


def report_on(
    found: Analysis,
    question: str | None = None,
    *,
    model: TextModel | str | None = None,
    keep_draft: bool = False,
    earlier: Analysis | None = None,
) -> Report:
    """Write the report of a record that was analysed before, as `interpret` does.

    Parameters
    ----------
    found : Analysis
        Of the record.
    question, model, keep_draft
        As for `interpret`.
    earlier : Analysis, optional
        Of an earlier ECG of the same patient.

    Returns
    -------
    Report
    """
    teller = writer(model)
    report = _measured(found)
    if earlier is not None:
        from ecg_llm.compare import with_comparison

        report = with_comparison(report, _measured(earlier))
    if not found.quality.acceptable:
        return report
    readable = earlier is not None and earlier.quality.acceptable
    before = earlier if readable else None
    analyses = [found] if before is None else [before, found]
    if teller is not None:
        report = _told_by(report, teller)
    if question is not None:
        return _answered(report, analyses, question, teller)
    if teller is None:
        return report
    from ecg_llm.ground.known import known_of
    from ecg_llm.narrate import narrate

    return narrate(report, analyses, known_of(found, before), teller, keep_draft=keep_draft)


def _told_by(report: Report, model: TextModel) -> Report:
    """Name the language model that has a part in a report."""
    from ecg_llm.report import ModelInfo

    info = ModelInfo(name=model.name, hashes=dict(model.hashes))
    provenance = report.provenance.model_copy(update={"model": info})
    return report.model_copy(update={"provenance": provenance})


def _answered(
    report: Report, analyses: list[Analysis], question: str, teller: TextModel | None
) -> Report:
    """Answer a question as a conversation does, in the place of the report's narrative."""
    from ecg_llm.answer.conversation import respond

    said = list(respond([("user", question)], analyses, model=teller))
    claims = {one.text: one.as_claim() for one in said if one.text}
    claims.update((claim.text, claim) for claim in report.claims)
    return report.model_copy(
        update={
            "narrative": "".join(one.before + one.text for one in said if one.text).strip(),
            "claims": tuple(claims.values()),
            "changes": tuple(one.change for one in said if one.change is not None),
        }
    )


def _measured(found: Analysis) -> Report:
    """Write the report that needs no language model."""
    from ecg_llm.compose import build_report
    from ecg_llm.findings.sources import CRITERIA_VERSION

    return build_report(
        found.record,
        found.quality,
        found.measurements,
        found.findings,
        weights=weight_hashes(),
        criteria_version=CRITERIA_VERSION,
    )


def writer(model: TextModel | str | None) -> TextModel | None:
    """Load the language model that is asked for, once a process.

    Parameters
    ----------
    model : TextModel or str, optional
        As for `interpret`.

    Returns
    -------
    TextModel or None
        None for ``"none"``, and where no bundled model is installed.
    """
    from ecg_llm.lm import bundled

    if model is None:
        return _loaded(None) if bundled() else None
    return _loaded(model) if isinstance(model, str) else model


@cache
def _loaded(spec: str | None) -> TextModel | None:
    from ecg_llm.lm import load

    return load(spec)


@cache
def weight_hashes() -> dict[str, str]:
    """Give the SHA-256 of every weight file of the measuring lane.

    Returns
    -------
    dict of str to str
        By file name.
    """
    files = sorted(path for path in WEIGHTS.glob("*") if path.suffix in (".onnx", ".npz", ".json"))
    return file_hashes(files)
