"""The one path from a record to its report."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_llm.analysis import Analysis, analyse

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report

__all__ = ["WEIGHTS", "Analysis", "analyse", "interpret", "weight_hashes"]

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weight files that the measuring lane uses."""


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
