"""Records of a PTB-XL folder, for all that is judged or fitted on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.ptbxl import FILE_COLUMNS, person, read_table, record_file, statements_of, whole
from ecg_llm.record import ECGRecord


def ptbxl_rows(
    data: Path, folds: tuple[int, ...], fs: int = 100, columns: tuple[str, ...] = ()
) -> list[dict[str, str]]:
    """List the records of a PTB-XL folder.

    Parameters
    ----------
    fs : {100, 500}, Hz
        Which version of the records.

    Returns
    -------
    list of dict
        Rows of the table, those whose record is there.

    Raises
    ------
    ConfigError
        If the table or the records are missing.
    """
    listed = read_table(data, ("ecg_id", "scp_codes", "strat_fold", FILE_COLUMNS[fs], *columns))
    there = [row for row in listed if record_file(data, row, fs)]
    rows = [row for row in there if whole(row["strat_fold"]) in folds]
    if not rows:
        has = Counter(whole(row["strat_fold"]) for row in there)
        held = ", ".join(f"{n} of fold {fold}" for fold, n in sorted(has.items(), key=str))
        other = 600 - fs
        n_other = sum(record_file(data, row, other) is not None for row in listed)
        raise ConfigError(
            f"{data}: no record of fold {', '.join(map(str, folds))} at {fs} Hz is there; it has "
            f"{held or 'none'} at {fs} Hz, and {n_other} records at {other} Hz."
        )
    for row in rows:
        statements_of(row)  # a broken cell is told before any work is done
    return rows


def spread(rows: list[dict[str, str]], limit: int | None) -> list[dict[str, str]]:
    """Take some rows, evenly over all.

    Parameters
    ----------
    limit : int, optional
        So many at most; all without it.
    """
    if limit is None or limit >= len(rows):
        return rows
    return [rows[int(k)] for k in np.linspace(0, len(rows) - 1, limit)]


def each_record(
    data: Path,
    rows: Sequence[dict[str, str]],
    fs: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[dict[str, str], ECGRecord | None]]:
    """Read records one after the other.

    Parameters
    ----------
    fs : {100, 500}, Hz
        Which version of the records.

    Yields
    ------
    row : dict
    record : ECGRecord or None
        None if it cannot be read.
    """
    for done, row in enumerate(rows, start=1):
        try:
            record = read_row(data, row, fs)
        except RecordError:
            record = None
        yield row, record
        if progress:
            progress(done, len(rows))


def read_row(data: Path, row: Mapping[str, str], fs: int = 100) -> ECGRecord:
    """Read the record of a row, with age and sex from the table, which its header lacks.

    Parameters
    ----------
    fs : {100, 500}, Hz
        Which version of the record.

    Raises
    ------
    RecordError
        If it cannot be read.
    """
    from ecg_llm.io import read_record

    record = read_record(data / f"{row[FILE_COLUMNS[fs]]}.hea")
    age_years, sex = person(row)
    return replace(record, age_years=age_years, sex=sex)
