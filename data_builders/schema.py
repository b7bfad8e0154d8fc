"""The one table that every source of ECGs is brought into: one row a record."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import pyarrow as pa

SCHEMA_VERSION = 1

VALUES = (
    "heart_rate_bpm",
    "rr_ms",
    "p_ms",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtc_fridericia_ms",
    "p_axis_deg",
    "qrs_axis_deg",
    "t_axis_deg",
)
"""Measured values that have a column of their own; all others stand in ``measurements``."""

MACHINE_TIMES = ("rr_interval", "p_onset", "p_end", "qrs_onset", "qrs_end", "t_end")
MACHINE_AXES = ("p_axis", "qrs_axis", "t_axis")

_TEXTS = pa.list_(pa.string())
_FINDING = pa.struct(
    [("code", pa.string()), ("status", pa.string()), ("probability", pa.float64())]
)
_LABEL = pa.struct([("code", pa.string()), ("likelihood", pa.float64())])
_MACHINE = pa.struct(
    [(f"{name}_ms", pa.int32()) for name in MACHINE_TIMES]
    + [(f"{name}_deg", pa.int32()) for name in MACHINE_AXES]
    + [("bandwidth", pa.string()), ("filtering", pa.string())]
)
_NOTE = pa.struct([("note_id", pa.string()), ("note_seq", pa.int32()), ("charttime", pa.string())])

Column = tuple[str, pa.DataType, str]
"""Name, type and meaning."""

_COLUMNS: tuple[Column, ...] = (
    ("record", pa.string(), "Name, unique in the data set."),
    ("dataset", pa.string(), "Source: ptbxl, mimic-iv-ecg, synthetic."),
    ("patient", pa.string(), "Pseudonym as in the source; null if the source gives none."),
    ("split", pa.string(), "train, val or test; all records of a patient are in one."),
    ("fold", pa.int8(), "Fold that the source proposes, 1 to 10; null if it proposes none."),
    ("recorded_at", pa.string(), "Time as in the source, which may have shifted it."),
    ("age_years", pa.float64(), "Null if unknown or withheld."),
    ("sex", pa.string(), "female or male; null if unknown."),
    ("fs", pa.float64(), "Samples a second."),
    ("leads", _TEXTS, "Names of the rows of the signal."),
    ("derived", _TEXTS, "Those of them that were computed from others, not recorded."),
    ("signal", pa.list_(pa.list_(pa.int16())), "Rows of converter steps; -32768: not recorded."),
    ("gain", pa.list_(pa.float32()), "Steps per mV of each row: mV = signal / gain."),
    ("calibrated", pa.bool_(), "False: the source does not tell the gain, voltages do not hold."),
    ("notes", _TEXTS, "What the reader had to do or could not use."),
    ("quality_verdict", pa.string(), "accept, limit (some leads left out) or refuse."),
    ("quality_score", pa.float64(), "Probability that experts would accept the record."),
    ("quality_reasons", _TEXTS, "Why it is limited or refused."),
    ("usable_leads", _TEXTS, "Leads that may be measured."),
    ("quality", pa.string(), "JSON: Quality.to_dict()."),
    *((name, pa.float64(), "Measured; null if unknown.") for name in VALUES),
    (
        "measurements",
        pa.string(),
        "JSON: values (name to quantity with unit, reason, method, spread, n), beats, leads (lead "
        "to name to quantity); null if the quality refuses the record.",
    ),
    ("findings", pa.list_(_FINDING), "Every criterion: present, absent or unknown."),
    ("findings_json", pa.string(), "JSON: the findings with label, reason and evidence."),
    ("labels", pa.list_(_LABEL), "Statements of the source, in its codes; likelihood in percent."),
    ("statements", _TEXTS, "The labels in English, in the same order."),
    ("report", pa.string(), "Text of the source, in its own words; null if there is none."),
    ("report_language", pa.string(), "ISO 639-1 code of it; und if it cannot be told."),
    ("machine", _MACHINE, "What the electrocardiograph measured; null where it did not."),
    ("note_links", pa.list_(_NOTE), "Cardiologist's reports in another data set, by identifier."),
    ("truth", pa.string(), "JSON, simulated records: times, values and rhythm as they were set."),
    ("licence", pa.string(), "SPDX identifier of the licence of the source."),
    ("source_file", pa.string(), "Path below the folder of the source."),
    ("sha256", pa.string(), "Of the bytes that were read, or of the signal that was simulated."),
    ("builder", pa.string(), "Program and version that made the row."),
)


@functools.cache
def record_schema() -> pa.Schema:
    """Give the schema of a built set of records.

    Examples
    --------
    >>> record_schema().field("fs").metadata[b"meaning"]
    b'Samples a second.'
    """
    return described(_COLUMNS, {"schema": f"ecg_llm records {SCHEMA_VERSION}"})


def described(columns: Iterable[Column], about: dict[str, str]) -> pa.Schema:
    """Make a schema whose fields carry their meaning."""
    fields = [pa.field(name, kind, metadata={"meaning": text}) for name, kind, text in columns]
    return pa.schema(fields, metadata=about)
