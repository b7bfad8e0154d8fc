"""The one path from a record to its report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecg_llm.findings.finding import Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weight files that the measuring lane uses."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """All that is known of a record before anything is said about it.

    Attributes
    ----------
    record : ECGRecord
        What was read.
    quality : Quality
        Its technical quality.
    measurements : Measurements or None
        None if the quality refuses the record.
    findings : tuple of Finding
        Every criterion that was applied; empty if the quality refuses the record.
    """

    record: ECGRecord
    quality: Quality
    measurements: Measurements | None
    findings: tuple[Finding, ...]


def analyse(record: ECGRecord) -> Analysis:
    """Judge, delineate and measure a record, and apply the criteria.

    Parameters
    ----------
    record : ECGRecord
        What was read.

    Returns
    -------
    Analysis
    """
    from ecg_llm.findings.apply import apply_criteria
    from ecg_llm.measure import measure
    from ecg_llm.probabilities import with_probabilities
    from ecg_llm.quality import assess

    quality = assess(record)
    if not quality.acceptable:
        return Analysis(record=record, quality=quality, measurements=None, findings=())
    measurements = measure(record, quality)
    findings = apply_criteria(record, quality, measurements)
    findings = with_probabilities(record, measurements, findings)
    return Analysis(record=record, quality=quality, measurements=measurements, findings=findings)


def interpret(record: ECGRecord) -> Report:
    """Write the report of a record.

    Command line, folder runs, services and evaluations all call this.

    Parameters
    ----------
    record : ECGRecord
        What was read.

    Returns
    -------
    Report
        A refusal with its reasons, if the technical quality does not allow more.
    """
    from ecg_llm.compose import build_report
    from ecg_llm.findings.sources import CRITERIA_VERSION

    found = analyse(record)
    return build_report(
        record,
        found.quality,
        found.measurements,
        found.findings,
        weights=weight_hashes(),
        criteria_version=CRITERIA_VERSION,
    )


@cache
def weight_hashes() -> dict[str, str]:
    """Give the SHA-256 of every weight file of the measuring lane.

    Returns
    -------
    dict of str to str
        By file name.
    """
    files = sorted(path for path in WEIGHTS.glob("*") if path.suffix in (".onnx", ".npz", ".json"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
