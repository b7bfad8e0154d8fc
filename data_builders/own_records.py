"""ECGs of one's own: a folder of any format, with a table of what is known of them."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass, replace
from typing import Any

from ecg_llm.cases import TABLE
from ecg_llm.data_builders.listing import (
    SPLITS,
    Entry,
    FoundRecords,
    Item,
    ItemError,
    Listing,
    Problem,
    Split,
    split_of,
)
from ecg_llm.data_builders.tables import Table, read_table, sha256_of
from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.io import RecordRef, as_written
from ecg_llm.io.patient import parse_age, parse_sex
from ecg_llm.scp import CODES
from ecg_llm.vocabulary import label


@dataclass(frozen=True)
class OwnRecords(FoundRecords):
    """The records of a folder, and what ``statements.csv`` in it says of them.

    Attributes
    ----------
    folder : Path
        With records of any format in it or in folders below. The table has the column ``record``
        (the file, with or without its ending, by its path in the folder, or by its name if no
        other has it), and may have
        ``statements`` (codes of PTB-XL, a blank between), ``patient``, ``split``, ``age`` in years,
        ``sex`` and ``report``. A record of which it says nothing is one without statements.
    licence : str
        Of the records.
    """

    licence: str = "not stated"

    name = "own"
    citation = "records of the set's owner"

    @functools.cached_property
    def table(self) -> Table | None:
        """What is known of them."""
        path = self.folder / TABLE
        return read_table(path, ("record",)) if path.is_file() else None

    def identity(self) -> dict[str, Any]:
        """Give what determines the content."""
        path = self.folder / TABLE
        return {
            "source": self.name,
            "licence": self.licence,
            "records": self.digest,
            "tables": {TABLE: sha256_of(path)} if path.is_file() else {},
        }

    def vocabulary(self) -> dict[str, str]:
        """Give the statements that the table may hold: those of PTB-XL."""
        return {code: label(code) for code in CODES}

    def listing(self) -> Listing:
        """List the records.

        They are split as the table says; else 80 : 10 : 10 by a digest of the patient, or of the
        record where no patient is named.

        Raises
        ------
        ConfigError
            If there is no record.
        """
        if not self.refs:
            raise ConfigError(f"{self.folder}: no ECG record found there.")
        problems: list[Problem] = []
        known: dict[int, dict[str, str]] = {}
        if self.table is not None:
            problems += [Problem(f"{TABLE} row", "row", told) for told in self.table.bad_rows]
            known = self._rows(self.table, problems)
        order: dict[Split, list[int]] = {split: [] for split in SPLITS}
        split_of_patient: dict[str, str] = {}
        for k, ref in enumerate(self.refs):
            cells = known.get(k, {})
            patient, split = cells.get("patient", ""), _split(cells, ref.name)
            if split is None:
                reason = f"split {cells['split']!r} is none of {', '.join(SPLITS)}"
                problems.append(Problem(ref.name, "row", reason))
            elif patient and split_of_patient.setdefault(patient, split) != split:
                reason = f"split {split}, while its patient is in {split_of_patient[patient]}"
                problems.append(Problem(ref.name, "row", reason))
            else:
                order[split].append(k)
        unknown = len(self.refs) - len(known)
        return Listing(
            order=order,
            item=functools.partial(_item, self.refs, known),
            problems=tuple(problems),
            remarks={f"records that {TABLE} does not name": unknown} if unknown else {},
        )

    def _rows(self, table: Table, problems: list[Problem]) -> dict[int, dict[str, str]]:
        """Find the record of every row."""
        places = {ref.name: k for k, ref in enumerate(self.refs)}
        find = as_written(list(places))
        known: dict[int, dict[str, str]] = {}
        for row in range(len(table)):
            try:
                cells = table.row(row)
            except RecordError as error:
                problems.append(Problem(f"{TABLE} record {row + 1}", "row", str(error)))
                continue
            named = cells["record"]
            place = places.get(find(named) or "")
            if place is None:
                reason = f"{TABLE} names it, but no such record is in the folder"
                problems.append(Problem(named or f"{TABLE} record {row + 1}", "file", reason))
            elif place in known:
                problems.append(Problem(named, "duplicate", f"it stands twice in {TABLE}"))
            else:
                known[place] = cells
        return known

    def read(self, item: Item) -> Entry:
        """Read one record.

        Raises
        ------
        ItemError
            If a cell of its row cannot be used, or its file cannot be read.
        """
        cells: dict[str, str] = item.cells["row"]
        names = self.vocabulary()
        codes = cells.get("statements", "").split()
        for code in codes:
            if code not in names:
                near = difflib.get_close_matches(code.upper(), names, n=1)
                hint = f"; is {near[0]} meant?" if near else ""
                raise ItemError("label", f"statement {code[:40]!r} is none of PTB-XL's 71{hint}")
        age, sex = parse_age(cells.get("age")), parse_sex(cells.get("sex"))
        if cells.get("age") and age is None:
            raise ItemError("row", "age is not a number of years")
        if cells.get("sex") and sex is None:
            raise ItemError("row", "sex is neither female nor male")
        record, file = self.read_ref(item.cells["ref"])
        return Entry(
            record=replace(
                record,
                age_years=record.age_years if age is None else age,
                sex=sex or record.sex,
            ),
            source_file=file,
            patient=cells.get("patient") or None,
            labels=tuple((code, 100.0) for code in codes),
            statements=tuple(names[code] for code in codes),
            report=cells.get("report") or None,
        )


def _split(cells: dict[str, str], name: str) -> Split | None:
    """Give the split of a record; None if its row names one that is not there."""
    if not cells.get("split"):
        return split_of(f"own:{cells.get('patient') or name}")
    return next((split for split in SPLITS if split == cells["split"]), None)


def _item(refs: list[RecordRef], known: dict[int, dict[str, str]], k: int) -> Item:
    cells = known.get(k, {})
    split = _split(cells, refs[k].name)
    assert split is not None
    return Item(refs[k].name, split, {"ref": refs[k], "row": cells})
