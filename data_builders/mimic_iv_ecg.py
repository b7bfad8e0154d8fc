"""MIMIC-IV-ECG in its original layout."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecg_llm.data_builders.listing import (
    SPLITS,
    Entry,
    Item,
    ItemError,
    Listing,
    Problem,
    Split,
    read_below,
    split_of,
)
from ecg_llm.data_builders.schema import MACHINE_AXES, MACHINE_TIMES
from ecg_llm.data_builders.tables import Table, read_table, sha256_of

RECORDS = "record_list.csv"
MACHINE = "machine_measurements.csv"
NOTES = "waveform_note_links.csv"
N_REPORTS = 18
NOT_MEASURED = frozenset({29999, 32767, 65535})
"""What the electrocardiographs write where they could not measure: 29999, and the largest numbers
of 16 bits."""

_REPORTS = tuple(f"report_{k}" for k in range(N_REPORTS))


@dataclass(frozen=True)
class MIMICIVECG:
    """The records of MIMIC-IV-ECG.

    Attributes
    ----------
    folder : Path
        With ``record_list.csv``, ``machine_measurements.csv``, ``waveform_note_links.csv`` and
        ``files``.

    References
    ----------
    .. [1] Gow B et al. MIMIC-IV-ECG: Diagnostic Electrocardiogram Matched Subset, version 1.0.
       PhysioNet 2023, doi 10.13026/4nqg-sb35.
    """

    folder: Path

    name = "mimic-iv-ecg"
    licence = "ODbL-1.0"
    citation = (
        "Gow B, Pollard T, Nathanson LA, et al. MIMIC-IV-ECG: Diagnostic Electrocardiogram Matched "
        "Subset, version 1.0. PhysioNet 2023. doi 10.13026/4nqg-sb35."
    )

    def identity(self) -> dict[str, Any]:
        """Give what determines the content."""
        files = [name for name in (RECORDS, MACHINE, NOTES) if (self.folder / name).is_file()]
        return {
            "source": self.name,
            "tables": {name: sha256_of(self.folder / name) for name in files},
        }

    def vocabulary(self) -> dict[str, str]:
        """Give the labels that may occur: the data set has none, only texts."""
        return {}

    def listing(self) -> Listing:
        """List the records; patients are split 80 : 10 : 10 by a digest of ``subject_id``."""
        records = read_table(self.folder / RECORDS, ("subject_id", "study_id", "ecg_time", "path"))
        needed = ("study_id", *_REPORTS, *MACHINE_TIMES, *MACHINE_AXES)
        machine = read_table(self.folder / MACHINE, needed)
        notes = None
        if (self.folder / NOTES).is_file():
            notes = read_table(self.folder / NOTES, ("study_id", "note_id"))
        problems = [Problem(f"{RECORDS} row", "row", reason) for reason in records.bad_rows]
        order: dict[Split, list[int]] = {split: [] for split in SPLITS}
        subjects, studies = records.column("subject_id"), records.column("study_id")
        seen: set[str] = set()
        for row, (subject, study) in enumerate(zip(subjects, studies, strict=True)):
            if not (_is_id(subject) and _is_id(study)):
                reason = f"subject_id {subject!r} or study_id {study!r} is not a whole number"
                problems.append(Problem(f"{RECORDS} record {row + 1}", "row", reason))
            elif study in seen:
                problems.append(Problem(study, "duplicate", f"study_id {study} stands twice"))
            else:
                order[_split(subject)].append(row)
                seen.add(study)
        of_machine = _Rows.of(machine, seen)
        of_notes = _Rows.of(notes, seen)
        remarks = {
            f"malformed rows of {MACHINE}": len(machine.bad_rows),
            f"malformed rows of {NOTES}": len(notes.bad_rows) if notes else 0,
            f"rows of {MACHINE} without a record": of_machine.n_strangers,
            f"rows of {NOTES} without a record": of_notes.n_strangers,
            "records without machine measurements": len(seen) - of_machine.n_studies,
            "records without a note link": len(seen) - of_notes.n_studies,
        }
        return Listing(
            order=order,
            item=functools.partial(_item, records, of_machine, of_notes),
            problems=tuple(problems),
            remarks={what: n for what, n in remarks.items() if n},
        )

    def read(self, item: Item) -> Entry:
        """Read one record.

        Returns
        -------
        Entry
            Age and sex are unknown: this data set does not hold them.

        Raises
        ------
        ItemError
            If a cell of its rows cannot be used, or its file cannot be read.
        """
        cells = item.cells
        if len(cells["machine"]) > 1:
            raise ItemError("duplicate", f"{len(cells['machine'])} rows of {MACHINE} are of it")
        if not cells["path"]:
            raise ItemError("row", "path is empty")
        machine = cells["machine"][0] if cells["machine"] else None
        report = None if machine is None else join_reports(machine)
        values = None if machine is None else machine_values(machine)
        links = tuple(_note_link(row) for row in cells["notes"])
        file = cells["path"] + ".hea"
        return Entry(
            record=read_below(self.folder, file),
            source_file=file,
            patient=cells["subject_id"],
            recorded_at=cells["ecg_time"] or None,
            report=report,
            report_language=None if report is None else "en",
            machine=values,
            note_links=links,
        )


def join_reports(row: Mapping[str, str]) -> str | None:
    """Join the lines of the machine's report in their order.

    Returns
    -------
    str or None
        One line each; None if all are empty.

    Examples
    --------
    >>> join_reports({"report_1": "Normal ECG", "report_0": "Sinus rhythm", "report_2": ""})
    'Sinus rhythm\\nNormal ECG'
    """
    lines = [row.get(name, "").strip() for name in _REPORTS]
    return "\n".join(line for line in lines if line) or None


def machine_values(row: Mapping[str, str]) -> dict[str, Any]:
    """Read what the electrocardiograph measured.

    Returns
    -------
    dict
        By field of the schema; None where the machine did not measure.

    Raises
    ------
    ItemError
        If a cell is not a number.

    Examples
    --------
    >>> values = machine_values({"rr_interval": "659", "p_axis": "29999", "t_axis": "-12"})
    >>> values["rr_interval_ms"], values["p_axis_deg"], values["t_axis_deg"], values["t_end_ms"]
    (659, None, -12, None)
    """
    values: dict[str, Any] = {}
    for names, unit in ((MACHINE_TIMES, "ms"), (MACHINE_AXES, "deg")):
        for name in names:
            values[f"{name}_{unit}"] = _measured(name, row.get(name, ""))
    for name in ("bandwidth", "filtering"):
        values[name] = row.get(name) or None
    return values


def _measured(name: str, cell: str) -> int | None:
    if cell.lower() in ("", "nan", "null"):
        return None
    try:
        value = float(cell)
        whole = round(value)
    except (ValueError, OverflowError):
        raise ItemError("row", f"{MACHINE}: {name} is not a number") from None
    if whole != value or abs(whole) > 10**6:
        raise ItemError("row", f"{MACHINE}: {name} is not a whole number of ms or degrees")
    # No interval of RR is 0 either.
    return None if whole in NOT_MEASURED or (name == "rr_interval" and whole <= 0) else whole


def _note_link(row: Mapping[str, str]) -> dict[str, Any]:
    seq = row.get("note_seq", "").removesuffix(".0")
    return {
        "note_id": row["note_id"],
        "note_seq": int(seq) if seq.isascii() and seq.isdigit() and len(seq) < 9 else None,
        "charttime": row.get("charttime") or None,
    }


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a table by study, as sorted numbers: small even for a million rows."""

    table: Table | None
    study: np.ndarray[Any, np.dtype[np.int64]]
    row: np.ndarray[Any, np.dtype[np.int64]]
    n_strangers: int
    n_studies: int

    @classmethod
    def of(cls, table: Table | None, known: set[str]) -> _Rows:
        """Index a table by its study_id."""
        cells = table.column("study_id") if table else []
        rows = [k for k, cell in enumerate(cells) if cell in known and _is_id(cell)]
        study = np.array([int(cells[k]) for k in rows], dtype=np.int64)
        order = np.argsort(study, kind="stable")
        return cls(
            table,
            study[order],
            np.array(rows, dtype=np.int64)[order],
            len(cells) - len(rows),
            len(np.unique(study)),
        )

    def rows(self, study: int) -> Sequence[dict[str, str]]:
        """Give the rows of one study."""
        if self.table is None:
            return []
        first, last = np.searchsorted(self.study, [study, study + 1])
        return [self.table.row(int(k)) for k in self.row[first:last]]


def _item(records: Table, machine: _Rows, notes: _Rows, row: int) -> Item:
    cells = records.row(row)
    study = int(cells["study_id"])
    joined = {**cells, "machine": machine.rows(study), "notes": notes.rows(study)}
    return Item(cells["study_id"], _split(cells["subject_id"]), joined)


def _split(subject: str) -> Split:
    return split_of(f"mimic-iv-ecg:{subject}")


def _is_id(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 16
