"""Text tables (CSV, TSV) that state their leads, rate and unit."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_CHANNELS, MAX_TEXT_BYTES
from ecg_llm.io.patient import parse_age, parse_sex
from ecg_llm.io.raw import Channel, RawECG, ReadOptions, shown, unit_in_mv
from ecg_llm.io.source import Source
from ecg_llm.io.stated import canonical_key, sidecar, to_options
from ecg_llm.leads import canonical_lead

NAME = "csv"
EXTENSIONS: tuple[str, ...] = (".csv", ".tsv", ".txt")

_SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3,
            "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6}  # fmt: skip
_TIME = re.compile(r"(time|t|zeit|timestamp|elapsed|elapsed_time)", re.I)
_SPREADSHEET = re.compile(r"\s*\"?sep=.\"?\s*", re.I)  # tells Excel the delimiter, and is no row
_BLOCK_ROWS = 20_000
_PIECE = 2**20
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-"}


def sniff(head: bytes, filename: str) -> bool:
    """Tell whether a file is a table of numbers or of named leads."""
    try:
        text = _text(head)
    except UnicodeDecodeError:
        return False
    first = [line for _, line in islice(_rows(text), 2)]
    if not first or any(
        not (letter.isprintable() or letter.isspace()) for letter in "".join(first)
    ):
        return False
    cells = _cells(first[0], _delimiter(first[0]))
    return any(_is_lead(cell) for cell in cells) or all(_is_number(cell) for cell in cells)


def looks_like_metadata(head: bytes) -> bool:
    """Tell whether a table has named columns, none of them a lead: a list of records, say.

    Parameters
    ----------
    head : bytes
        Beginning of the file.

    Returns
    -------
    bool
    """
    try:
        first = next(_rows(_text(head)), None)
    except UnicodeDecodeError:
        return False
    if first is None:
        return False
    cells = _cells(first[1], _delimiter(first[1]))
    n_leads = sum(_is_lead(cell) for cell in cells)
    return len(cells) > 1 and n_leads * 4 < len(cells) and not all(map(_is_number, cells))


@dataclass(frozen=True)
class _Column:
    """One column of the header row."""

    name: str
    unit: str | None

    @property
    def is_time(self) -> bool:
        """Whether it holds times and no samples."""
        return _TIME.fullmatch(self.name) is not None or self.name.lower() in _SECONDS

    @property
    def seconds(self) -> float | None:
        """What one of its unit is in seconds, if it is told."""
        return _SECONDS.get((self.unit or self.name).lower())


def read(source: Source, options: ReadOptions) -> RawECG:
    """Read a table with one column a lead.

    Parameters
    ----------
    source : Source
        The file. Leads stand in a header row; units in the column names (``I [uV]``) or in a row
        of their own below it; rate and unit may also stand in comment lines (``# fs: 500``) or in
        ``NAME.json`` beside it; a time column that tells s or ms gives the rate.
    options : ReadOptions
        What the caller states.

    Returns
    -------
    RawECG

    Raises
    ------
    RecordError
        If leads, rate or unit are not stated, rows are incomplete, or a cell is not a number.
    """
    label = source.label
    try:
        text = _text(source.require_size(MAX_TEXT_BYTES))
    except UnicodeDecodeError as error:
        raise RecordError(f"{label}: not a text file.") from error
    if "\0" in text:
        raise RecordError(f"{label}: not a text file.")
    said = _said(text)
    rows = _rows(text)
    first = next(rows, None)
    if first is None:
        raise RecordError(f"{label}: the table has no rows.")
    beside = sidecar(source)
    options = options.merged(to_options(said, f"{label}: its comment lines"), f"{label}: a comment")
    options = options.merged(
        to_options(beside, f"{label}: the JSON beside it"), f"{label}: its JSON"
    )
    delimiter = _delimiter(first[1])
    header = _cells(first[1], delimiter)
    notes: list[str] = []
    if all(_is_number(cell) for cell in header):
        columns = [_Column("", None) for _ in header]
        # A spreadsheet library writes 0, 1, 2 … where columns have no names.
        if len(header) > 1 and [cell.strip() for cell in header] == [
            str(k) for k in range(len(header))
        ]:
            notes.append("The first row numbers the columns; it was left out.")
        else:
            rows = chain([first], rows)
    else:
        columns, rows = _with_units([_column(cell) for cell in header], rows, delimiter, label)
    if len(columns) > MAX_CHANNELS:
        raise RecordError(f"{label}: {len(columns)} columns; at most {MAX_CHANNELS} are read.")
    timed = next((k for k, column in enumerate(columns) if column.is_time), None)
    chosen = _choose(columns, timed, options, label, notes)
    names = dict(chosen)
    if timed is not None and columns[timed].seconds is not None:
        names[timed] = columns[timed].name
    numbers, values = _grid(rows, delimiter, len(columns), names, label)
    if not numbers.size:
        raise RecordError(f"{label}: the table has a header row but no samples.")
    if timed is not None and (scale := columns[timed].seconds) is not None:
        stated = ReadOptions(fs=_rate(values[timed] * scale, numbers, label))
        options = options.merged(stated, f"{label}: the time column")
    channels = []
    for k, name in chosen:
        own = ReadOptions(unit=columns[k].unit)
        unit = options.merged(own, f"{label}: the name of column {shown(name)}").unit
        channels.append(Channel(name=name, values=values[k], fs=options.fs, unit=unit))
    said = {**beside, **said}
    return RawECG(
        channels=tuple(channels),
        age_years=parse_age(str(said.get("age", ""))),
        sex=parse_sex(str(said.get("sex", ""))),
        notes=tuple(notes),
    )


def _with_units(
    columns: list[_Column], rows: Iterator[tuple[int, str]], delimiter: str, label: str
) -> tuple[list[_Column], Iterator[tuple[int, str]]]:
    """Take a second row that holds nothing but units for what it is; give the rows behind it."""
    second = next(rows, None)
    if second is None:
        return columns, rows
    units = [cell.strip() for cell in _cells(second[1], delimiter)]
    known = [bool(unit_in_mv(unit)) or unit.lower() in _SECONDS for unit in units if unit]
    if not known or not all(known) or len(units) != len(columns):
        return columns, chain([second], rows)
    for column, unit in zip(columns, units, strict=True):
        if unit and column.unit and unit != column.unit:
            raise RecordError(
                f"{label}: column {shown(column.name)} is in {shown(column.unit)} by its name and "
                f"in {shown(unit)} by row {second[0]}; write one of them."
            )
    told = zip(columns, units, strict=True)
    return [_Column(column.name, column.unit or unit or None) for column, unit in told], rows


def _choose(
    columns: list[_Column],
    timed: int | None,
    options: ReadOptions,
    label: str,
    notes: list[str],
) -> list[tuple[int, str]]:
    """Pair columns with lead names, from the header row or the options."""
    rest = [k for k in range(len(columns)) if k != timed]
    named = any(columns[k].name for k in rest)
    chosen = [(k, columns[k].name) for k in rest if _is_lead(columns[k].name)]
    if chosen:
        others = [
            shown(columns[k].name) or f"column {k + 1}"
            for k in rest
            if (k, columns[k].name) not in chosen
        ]
        if others:
            notes.append(f"Columns that are no ECG leads, left out: {', '.join(others[:12])}.")
        return chosen
    if options.leads is None:
        raise RecordError(
            f"{label}: no column is named as an ECG lead; write I, II, … V6 into the first row "
            "(lines above it begin with #), or give the leads in order (--leads I,II,…)."
        )
    if len(options.leads) != len(rest):
        raise RecordError(
            f"{label}: {len(options.leads)} leads were given (--leads) but the table has "
            f"{len(rest)} columns of samples."
        )
    if named:
        notes.append("The names in the first row are no lead names; the given leads stand instead.")
    return list(zip(rest, options.leads, strict=True))


def _grid(
    rows: Iterator[tuple[int, str]], delimiter: str, width: int, names: dict[int, str], label: str
) -> tuple[npt.NDArray[np.int64], dict[int, npt.NDArray[np.float64]]]:
    """Turn rows, each of which must be complete, into the named columns and the rows' numbers."""
    numbers: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    columns: dict[int, list[npt.NDArray[np.float64]]] = {k: [] for k in names}
    # Cells as texts take fifty times the room of a short number: never all of them at once.
    while block := list(islice(rows, _BLOCK_ROWS)):
        at = [number for number, _ in block]
        if width == 1:
            _check_gaps([*numbers[-1][-1:].tolist(), *at], label)
        cells = _split(block, delimiter, width, label)
        for k, name in names.items():
            columns[k].append(_numbers(cells[k], name, at, delimiter, label))
        numbers.append(np.array(at))
    return np.concatenate(numbers), {
        k: np.concatenate(found) for k, found in columns.items() if found
    }


def _check_gaps(numbers: list[int], label: str) -> None:
    """Refuse empty rows of a single column: each would be a sample that is missing."""
    for number, following in pairwise(numbers):
        if following != number + 1:
            raise RecordError(
                f"{label}: row {number + 1} is empty; write NaN where a sample is missing."
            )


def _split(
    block: list[tuple[int, str]], delimiter: str, width: int, label: str
) -> list[tuple[str, ...]]:
    """Split rows into cells and turn them into columns."""
    rows = []
    try:
        for (number, _), row in zip(
            block, csv.reader((line for _, line in block), delimiter=delimiter), strict=True
        ):
            if len(row) != width:
                raise RecordError(
                    f"{label}: row {number} has {len(row)} cells where {width} are "
                    "needed; the file is cut off or its delimiter changes."
                )
            rows.append(row)
    except (csv.Error, ValueError) as error:
        raise RecordError(
            f"{label}: quotes in the table are not closed, or a cell has no end."
        ) from error
    return list(zip(*rows, strict=True))


def _numbers(
    cells: tuple[str, ...], name: str, numbers: list[int], delimiter: str, label: str
) -> npt.NDArray[np.float64]:
    """Turn one column into numbers; empty cells become NaN."""
    try:
        # An underscore is Python's, not a table's.
        values = np.array(cells if "_" not in "".join(cells) else [""], dtype=np.float64)
    except ValueError:
        values = np.array([_number(cell, delimiter) for cell in cells])
    # Text became an infinity of its own below, so that NaN stays "missing".
    bad = np.flatnonzero(np.isinf(values))
    if bad.size:
        raise RecordError(
            f"{label}: row {numbers[bad[0]]}, column {shown(name) or '?'}: not a finite number; "
            "leave the cell empty if the sample is missing."
        )
    return values


def _number(cell: str, delimiter: str) -> float:
    """Read a cell: NaN if it is empty, infinity if it is no number."""
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan")
    if delimiter != ",":
        text = text.replace(",", ".")
    try:
        return float(text) if "_" not in text else float("inf")
    except ValueError:
        return float("inf")


def _rate(times: npt.NDArray[np.float64], numbers: npt.NDArray[np.int64], label: str) -> float:
    """Give the rate that a column of evenly rising seconds implies."""
    if times.size < 2 or np.isnan(times).any() or times[-1] <= times[0]:
        raise RecordError(f"{label}: the time column does not rise from row to row.")
    step = (times[-1] - times[0]) / (times.size - 1)
    astray = np.abs(times - times[0] - step * np.arange(times.size))
    if astray.max() > 0.9 * step:
        raise RecordError(
            f"{label}: the time column is uneven around row {numbers[int(astray.argmax())]}; "
            "samples are missing. Write every sample, with empty cells where nothing was recorded."
        )
    fs = float(1 / step)
    # Times are rounded to some decimals, so that a whole rate comes out a little off.
    return float(round(fs)) if abs(fs - round(fs)) < 2e-4 * fs else fs


def _column(cell: str) -> _Column:
    """Split ``I [uV]``, ``I (mV)``, ``I_mV`` or ``time_ms`` into name and unit."""
    text = cell.strip()
    for pattern in (r"(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]", r"(.*)[_ /]([^_ /]+)"):
        match = re.fullmatch(pattern, text)
        if match and (unit_in_mv(match[2]) or match[2].lower() in _SECONDS):
            return _Column(match[1].strip(), match[2])
    return _Column(text, None)


def _is_lead(cell: str) -> bool:
    return canonical_lead(_column(cell).name) is not None


def _is_number(cell: str) -> bool:
    text = cell.strip().replace(",", ".")
    return text.lower() in _MISSING or bool(
        re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text, re.I)
    )


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _said(text: str) -> dict[str, object]:
    """Read ``# key: value`` lines."""
    said: dict[str, object] = {}
    for line in re.findall(r"^#.*", text, re.M):
        key, _, value = line.lstrip("# ").replace("=", ":", 1).partition(":")
        if (name := canonical_key(key)) and value.strip():
            said.setdefault(name, value.strip())
    return said


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that are neither empty nor comments, with their numbers."""
    number = start = 0
    while start < len(text):
        end = text.find("\n", start + _PIECE) + 1 or len(text)
        for line in text[start:end].splitlines():
            number += 1
            if line.strip() and not line.startswith("#") and not _SPREADSHEET.fullmatch(line):
                yield number, line
        start = end


def _delimiter(line: str) -> str:
    return next((mark for mark in (";", "\t") if mark in line), ",")


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]
