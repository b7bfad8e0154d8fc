"""One record to one JSON line: what folder runs do in their processes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ecg_llm.cli.options import Reading
    from ecg_llm.io import RecordRef
    from ecg_llm.record import ECGRecord


def report_json(record: ECGRecord, *, model: str | None = None, keep_draft: bool = False) -> str:
    """Give a record's report as one line; a model is loaded once a process."""
    from ecg_llm.assistant import interpret

    return interpret(record, model=model, keep_draft=keep_draft).to_json()


def measure_json(record: ECGRecord) -> str:
    """Give a record's measurements as one line, with the verdict on its quality."""
    from ecg_llm.measure import measure
    from ecg_llm.quality import assess

    quality = assess(record)
    verdict = {"acceptable": quality.acceptable, "verdict": quality.verdict}
    document = {
        **measure(record, quality).to_dict(),
        "quality": {**verdict, "reasons": quality.reasons},
    }
    return to_line(document)


def quality_json(record: ECGRecord) -> str:
    """Give the judgement on a record's technical quality as one line."""
    from ecg_llm.quality import assess

    return to_line(assess(record).to_dict())


def of_ref(ref: RecordRef, told: Reading, job: Callable[[ECGRecord], str]) -> str:
    """Read one record of a folder and do a job on it."""
    return job(told.read_ref(ref))


def run_description(command: str, folder: Path, told: Reading) -> dict[str, Any]:
    """Say what determines the lines of a folder run, in plain JSON values."""
    import ecg_llm
    from ecg_llm.assistant import weight_hashes

    options = json.loads(json.dumps(asdict(told)))
    return {
        "command": command,
        "folder": str(folder.resolve()),
        "options": options,
        "version": ecg_llm.__version__,
        "weights": weight_hashes(),
    }


def model_description(model: str | None, keep_draft: bool = False) -> dict[str, Any]:
    """Say which language model a folder run uses; nothing without one."""
    from ecg_llm.assistant import writer

    made = writer(model)
    if made is None:
        return {}
    return {"model": made.name, "model_hashes": made.hashes, "keep_draft": keep_draft}


def to_line(document: dict[str, Any]) -> str:
    """Write JSON on one line; a value that is not a number is a fault, not ``NaN``."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False)
