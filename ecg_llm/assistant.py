"""The one path from a record to its report."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.inference import file_hashes

if TYPE_CHECKING:
    from ecg_llm.ground.known import Known
    from ecg_llm.lm import TextModel
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report

__all__ = [
    "WEIGHTS",
    "Analysis",
    "analyse",
    "interpret",
    "known_of",
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
        What the narrative should answer; None asks for a report.
    model : TextModel or str, optional
        The language model that writes the narrative, or what `ecg_llm.lm.load` takes: a path or
        the address of a server. None is the bundled model, where its weights are there; ``"none"``
        gives the measured report.
    keep_draft : bool
        Put the model's drafts, with the verdict on each claim, into the report.
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
    if teller is None or not found.quality.acceptable:
        return report
    from ecg_llm.narrate import narrate

    readable = earlier is not None and earlier.quality.acceptable
    before = earlier if readable else None
    return narrate(
        report,
        [found] if before is None else [before, found],
        known_of(found, before),
        teller,
        question=question,
        keep_draft=keep_draft,
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


def known_of(found: Analysis, before: Analysis | None = None) -> Known:
    """Give what texts on an analysed record are held against.

    Parameters
    ----------
    found : Analysis
        Of the record.
    before : Analysis, optional
        Of an earlier ECG of the same patient.

    Returns
    -------
    Known
    """
    from ecg_llm.ground.known import Known

    return Known.of(
        found.record,
        found.quality,
        found.measurements,
        found.findings,
        earlier=None if before is None else known_of(before).facts,
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
