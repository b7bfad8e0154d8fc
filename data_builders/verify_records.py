"""What the rows of a set of records must hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecg_llm.data_builders.build import RECORDS, fingerprint
from ecg_llm.data_builders.rows import measured_columns, record_of
from ecg_llm.data_builders.samples import to_steps
from ecg_llm.data_builders.schema import VALUES
from ecg_llm.data_builders.shards import Manifest
from ecg_llm.data_builders.verify import Row, RowCheck
from ecg_llm.errors import ECGError
from ecg_llm.findings.codes import STATEMENTS

_MEASURED = ("quality_verdict", "usable_leads", "quality", *VALUES, "measurements")
_NUMBER_TOLERANCE = 1e-3
"""Of a value in its unit: other processors round differently in the last digits."""


class RecordCheck(RowCheck):
    """The rows of a set of records."""

    product = RECORDS

    def name(self, row: Row) -> str:
        """Give the name of the record."""
        return str(row["record"])

    def owners(self, row: Row) -> list[str]:
        """Give its patient, if the source tells one."""
        return [] if row["patient"] is None else [f"patient {row['patient']}"]

    def faults(self, row: Row, again: bool) -> Iterator[str]:
        """Check columns and labels, and if asked for measure it again."""
        names = self.card.get("label_names")
        yield from _check_row(row, names if isinstance(names, dict) else {})
        if again:
            yield from _recomputed(row, self.manifest)


def _check_row(row: Row, names: Mapping[str, str]) -> Iterator[str]:
    """Check one row by itself, its labels by the names they may have; yield what is wrong."""
    try:
        record = record_of(row)
    except (ECGError, ValueError) as error:  # such as one gain too few
        yield f"it is not a record ({error})"
        return
    steps, gain = to_steps(record.signal)
    if not (np.array_equal(steps, row["signal"]) and np.array_equal(gain, row["gain"])):
        yield "its signal does not come back from its millivolts"
    for label in row["labels"]:
        if label["code"] not in names:
            yield f"label {label['code']!r} is not in the vocabulary"
    told = [names.get(label["code"]) for label in row["labels"]]
    if row["statements"] and row["statements"] != told:
        yield "its statements are not those of its labels"
    for finding in row["findings"]:
        known = finding["code"] in STATEMENTS
        if not (known and finding["status"] in ("present", "absent", "unknown")):
            yield f"finding {finding['code']!r} ({finding['status']}) is unknown"
    for name in ("licence", "sha256", "builder", "source_file"):
        if row[name] is None:
            yield f"{name} is missing"
    yield from _texts(row)


def _texts(row: Row) -> Iterator[str]:
    """Check that the JSON columns can be read and agree with the plain ones."""
    try:
        quality = json.loads(row["quality"])
        findings = json.loads(row["findings_json"])
        measured = json.loads(row["measurements"]) if row["measurements"] else None
        truth = json.loads(row["truth"]) if row["truth"] else None
        if quality["verdict"] != row["quality_verdict"]:
            yield "its quality has two verdicts"
        if (measured is None) != (row["quality_verdict"] == "refuse"):
            yield "it has measurements although refused, or none although readable"
        for name in VALUES:
            value = measured["values"][name]["value"] if measured else None
            if value != row[name]:
                yield f"{name} is {row[name]} in its column and {value} in measurements"
        plain = [(finding["code"], finding["status"]) for finding in row["findings"]]
        if plain != [(finding["code"], finding["status"]) for finding in findings]:
            yield "its findings are not those of findings_json"
        if truth is not None and list(truth["labels"]) != [x["code"] for x in row["labels"]]:
            yield "its labels are not those of its truth"
    except (ValueError, KeyError, TypeError):
        yield "a column of JSON cannot be read"


def _recomputed(row: Row, manifest: Manifest) -> Iterator[str]:
    """Measure a row's record again."""
    again = measured_columns(record_of(row))
    other = [name for name in _MEASURED if not _alike(_parsed(row[name]), _parsed(again[name]))]
    if not _alike(_parsed(row["findings_json"]), _parsed(again["findings_json"])):
        other.append("findings_json")
    if other:
        same = manifest.build.get("program") == fingerprint()
        why = "" if same else " (the set was made by another version of ecg_llm)"
        yield f"recomputed, it has another {', '.join(other)}{why}"


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value


def _alike(one: Any, other: Any) -> bool:
    """Compare JSON values; numbers may differ in their last digits."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
        case list(), list():
            pairs = zip(one, other, strict=False)
            return len(one) == len(other) and all(_alike(a, b) for a, b in pairs)
        case float(), float() | int():
            return math.isclose(one, other, rel_tol=1e-6, abs_tol=_NUMBER_TOLERANCE)
    return bool(one == other)
