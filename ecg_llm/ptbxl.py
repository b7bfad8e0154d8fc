"""PTB-XL's table: whose records they are, their folds and statements."""

from __future__ import annotations

import ast
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecg_llm.errors import ConfigError
from ecg_llm.record import Sex

TABLE = "ptbxl_database.csv"
FILE_COLUMNS = {100: "filename_lr", 500: "filename_hr"}
"""Which column names the file of a rate."""
TRAINING_FOLDS = (1, 2, 3, 4, 5, 6, 7, 8)
VALIDATION_FOLD = 9
"""Chooses and judges."""
TEST_FOLD = 10
"""Is kept back."""
_SEXES: dict[str, Sex] = {"0": "male", "1": "female"}
_OVER_89 = 300
"""What the source writes instead of an age over 89."""


def read_table(folder: Path, needed: Sequence[str] = ()) -> list[dict[str, str]]:
    """Read the table of a folder in the layout of PTB-XL.

    Parameters
    ----------
    folder : Path
        With ``ptbxl_database.csv``.
    needed : sequence of str
        Columns it must have.

    Returns
    -------
    list of dict of str to str
        Its rows; a cell that a short row lacks is empty.

    Raises
    ------
    ConfigError
        If it is not there, no table, or lacks a column.
    """
    path = folder / TABLE
    if not path.is_file():
        raise ConfigError(f"{path}: not found; a folder in the layout of PTB-XL is needed.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restkey="", restval="")
            names = table.fieldnames or ()
            missing = [name for name in needed if name not in names]
            if missing:
                raise ConfigError(
                    f"{path}: it has no column {', '.join(missing)}; take the table as PTB-XL "
                    "brings it."
                )
            return list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not a comma-separated table ({error}).") from None


def whole(cell: str | None) -> int | None:
    """Read a whole number as the table writes it.

    Parameters
    ----------
    cell : str or None
        Such as ``9`` or ``9.0``.

    Returns
    -------
    int or None
        None if it is none.

    Examples
    --------
    >>> whole("9"), whole("9.0"), whole(""), whole("nine")
    (9, 9, None, None)
    """
    text = (cell or "").strip().removesuffix(".0")
    return int(text) if text.isascii() and text.isdigit() else None


def record_file(folder: Path, row: Mapping[str, str], fs: int) -> Path | None:
    """Find the file of a record.

    Parameters
    ----------
    folder : Path
        Of the table.
    row : mapping of str to str
        Of the table.
    fs : {100, 500}, Hz
        Which version.

    Returns
    -------
    Path or None
        None if it is not there.
    """
    name = row.get(FILE_COLUMNS[fs])
    path = folder / f"{name}.hea"
    return path if name and path.is_file() else None


def unseen_folds(folder: Path) -> tuple[int, ...]:
    """Choose the fold that judges: none that trained what ships.

    Parameters
    ----------
    folder : Path
        Of the table.

    Returns
    -------
    tuple of int
        9, or 10 where only that one has records.

    Raises
    ------
    ConfigError
        As from `read_table`.
    """
    there = {
        whole(row["strat_fold"])
        for row in read_table(folder, ("strat_fold",))
        if record_file(folder, row, 100) or record_file(folder, row, 500)
    }
    kept = TEST_FOLD in there and VALIDATION_FOLD not in there
    return (TEST_FOLD,) if kept else (VALIDATION_FOLD,)


def person(row: Mapping[str, str]) -> tuple[float | None, Sex | None]:
    """Read age and sex.

    Parameters
    ----------
    row : mapping of str to str
        Of the table.

    Returns
    -------
    age_years : float or None
        90 where the table tells only that it is over 89; None if it tells nothing.
    sex : {"female", "male"} or None

    Examples
    --------
    >>> person({"age": "56.0", "sex": "1"}), person({"age": "300.0", "sex": ""})
    ((56.0, 'female'), (90.0, None))
    """
    years = whole(row.get("age"))
    if years is not None and years >= _OVER_89:
        years = 90
    sex = _SEXES.get((row.get("sex") or "").strip().removesuffix(".0"))
    return None if years is None else float(years), sex


def patient(row: Mapping[str, str]) -> str:
    """Name the patient.

    Parameters
    ----------
    row : mapping of str to str
        Of the table.

    Returns
    -------
    str
        Of a record whose patient the table does not tell, a name that no other has.

    Examples
    --------
    >>> patient({"patient_id": "15709.0"}), patient({"patient_id": "", "ecg_id": "7"})
    ('15709', 'ECG 7')
    """
    known = whole(row.get("patient_id"))
    return f"ECG {row.get('ecg_id', '')}" if known is None else str(known)


def statements_of(row: Mapping[str, str]) -> dict[str, float]:
    """Read the statements with their likelihoods.

    Parameters
    ----------
    row : mapping of str to str
        Of the table.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ConfigError
        If the cell is no dictionary of numbers.

    Examples
    --------
    >>> statements_of({"scp_codes": "{'NORM': 100.0, 'SR': 0.0}"})
    {'NORM': 100.0, 'SR': 0.0}
    """
    cell = row.get("scp_codes", "")
    try:
        return {str(code): float(likelihood) for code, likelihood in ast.literal_eval(cell).items()}
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError):
        raise ConfigError(
            f"{TABLE}, ECG {row.get('ecg_id', '?')}: scp_codes is {cell[:60]!a}, where "
            "{'NORM': 100.0} or the like is needed."
        ) from None
