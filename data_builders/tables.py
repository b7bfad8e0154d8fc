"""Comma-separated tables of data sets: kept small in memory, with bad rows told apart."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from ecg_llm.errors import ConfigError, RecordError


@dataclass(frozen=True, eq=False)
class Table:
    """A table of text cells.

    Attributes
    ----------
    path : Path
        The file.
    cells : pyarrow.Table
        Bytes, by column.
    bad_rows : tuple of str
        Rows with a wrong number of cells, each told in words.
    """

    path: Path
    cells: pa.Table
    bad_rows: tuple[str, ...]

    def __len__(self) -> int:
        """Rows that could be read."""
        return int(self.cells.num_rows)

    def column(self, name: str) -> list[str]:
        """Give all cells of a column; bytes that are no text are escaped."""
        cells: list[bytes] = self.cells.column(name).to_pylist()
        return [cell.decode("utf-8", errors="backslashreplace").strip() for cell in cells]

    def row(self, index: int) -> dict[str, str]:
        """Give one row by column name.

        Raises
        ------
        RecordError
            If a cell is not UTF-8 text.
        """
        row = {}
        for name in self.cells.column_names:
            cell: bytes = self.cells.column(name)[index].as_py()
            try:
                row[name] = cell.decode("utf-8").strip()
            except UnicodeDecodeError:
                raise RecordError(
                    f"{self.path.name}: column {name} is not UTF-8 text in this row."
                ) from None
        return row


def read_table(path: Path, needed: Sequence[str]) -> Table:
    """Read a table with a header line.

    Raises
    ------
    ConfigError
        If there is no such file, or it lacks a column.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file; give the folder of the data set in its original layout."
        )
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = [name.strip() for name in next(csv.reader(file), [])]
    missing = [name for name in needed if header.count(name) != 1]
    if missing:
        raise ConfigError(
            f"{path}: it needs each of the columns {', '.join(missing)} once; its header has "
            f"{', '.join(header[:40]) or 'nothing'}."
        )
    names = [name if header.count(name) == 1 else f"{name}#{k}" for k, name in enumerate(header)]
    bad: list[str] = []

    def on_bad(row: pyarrow.csv.InvalidRow) -> str:
        bad.append(
            f"{path.name}, row {row.number}: {row.actual_columns} cells where the header has "
            f"{row.expected_columns}"
        )
        return "skip"

    try:
        cells = pyarrow.csv.read_csv(
            path,
            # Only one thread counts the rows.
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, skip_rows=1, column_names=names
            ),
            parse_options=pyarrow.csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=on_bad
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.binary() for name in names},
                include_columns=names,
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{path}: not a comma-separated table ({error}).") from None
    return Table(path, cells.combine_chunks(), tuple(bad))


def sha256_of(path: Path) -> str:
    """Give the digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
