"""From a record to a row of a built set, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

import ecg_llm
from ecg_llm.data_builders.listing import Entry, Item, Source
from ecg_llm.data_builders.samples import to_mv, to_steps
from ecg_llm.data_builders.schema import SCHEMA_VERSION, VALUES
from ecg_llm.record import ECGRecord

BUILDER = f"ecg_llm {ecg_llm.__version__}, records {SCHEMA_VERSION}"


def row_of(entry: Entry, item: Item, source: Source) -> dict[str, Any]:
    """Measure a record and make its row.

    What is measured is the signal as the row holds it, so that everything in the row can be
    computed from the row again.

    Raises
    ------
    ECGError
        If the record cannot be measured at all.
    """
    record = entry.record
    steps, gain = to_steps(record.signal)
    row: dict[str, Any] = {
        "record": item.name,
        "dataset": source.name,
        "patient": entry.patient,
        "split": item.split,
        "fold": entry.fold,
        "recorded_at": entry.recorded_at,
        "age_years": record.age_years,
        "sex": record.sex,
        "fs": record.fs,
        "leads": list(record.leads),
        "derived": list(record.derived),
        "signal": steps,
        "gain": gain,
        "calibrated": record.calibrated,
        "notes": list(record.notes),
        "labels": [{"code": code, "likelihood": likely} for code, likely in entry.labels],
        "statements": list(entry.statements),
        "report": entry.report,
        "report_language": entry.report_language,
        "machine": entry.machine,
        "note_links": list(entry.note_links),
        "truth": entry.truth,
        "licence": source.licence,
        "source_file": entry.source_file,
        "sha256": record.sha256,
        "builder": BUILDER,
    }
    return row | measured_columns(record_of(row))


def record_of(row: Mapping[str, Any]) -> ECGRecord:
    """Give the record that a row holds.

    Parameters
    ----------
    row : mapping
        With at least ``record``, ``signal``, ``gain``, ``fs`` and ``leads``, as
        `ecg_llm.data_builders.shards.read_shards` or `datasets` give it.

    Returns
    -------
    ECGRecord
    """
    steps = np.asarray(row["signal"], dtype=np.int16)
    gain = np.asarray(row["gain"], dtype=np.float32)
    return ECGRecord(
        signal=to_mv(steps, gain),
        fs=float(row["fs"]),
        leads=tuple(row["leads"]),
        source=f"{row.get('dataset') or 'record'} {row['record']}",
        name=row["record"],
        derived=tuple(row.get("derived") or ()),
        age_years=row.get("age_years"),
        sex=row.get("sex"),
        sha256=row.get("sha256") or "",
        calibrated=bool(row.get("calibrated", True)),
        notes=tuple(row.get("notes") or ()),
    )


def measured_columns(record: ECGRecord) -> dict[str, Any]:
    """Judge and measure a record, and apply the criteria."""
    from ecg_llm.assistant import analyse

    found = analyse(record, encoder=False)
    measured, quality = found.measurements, found.quality
    values = {name: _rounded(measured.value(name)) if measured else None for name in VALUES}
    return {
        "quality_verdict": quality.verdict,
        "quality_score": _rounded(quality.score),
        "quality_reasons": list(quality.reasons),
        "usable_leads": list(quality.usable_leads),
        "quality": _json(quality.to_dict()),
        **values,
        "measurements": None
        if measured is None
        else _json(
            {
                "values": {name: of.to_dict() for name, of in measured.values.items()},
                "beats": [{"r_s": beat.r_s, "class": beat.kind} for beat in measured.beats],
                "leads": {
                    lead: {name: of.to_dict() for name, of in leads.summary.items()}
                    for lead, leads in measured.leads.items()
                },
            }
        ),
        "findings": [
            {"code": item.code, "status": item.status, "probability": item.probability}
            for item in found.findings
        ],
        "findings_json": _json([asdict(item) for item in found.findings]),
    }


def _json(document: Any) -> str:
    """Write compact JSON."""
    return json.dumps(_rounded(document), ensure_ascii=False, separators=(",", ":"))


def _rounded(value: Any) -> Any:
    """Bring numpy numbers and tuples to JSON's types; four decimals are below any resolution."""
    match value:
        case bool() | str() | None:
            return value
        case dict():
            return {str(key): _rounded(part) for key, part in value.items()}
        case list() | tuple():
            return [_rounded(part) for part in value]
        case np.bool_():
            return bool(value)
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return round(float(value), 4) if np.isfinite(value) else None
        case np.ndarray():
            return _rounded(value.tolist())
    raise TypeError(f"{type(value).__name__} has no place in JSON")
