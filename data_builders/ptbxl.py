"""PTB-XL in its original layout."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecg_llm.data_builders.listing import (
    SPLITS,
    Entry,
    Item,
    ItemError,
    Listing,
    Problem,
    Split,
    read_below,
)
from ecg_llm.data_builders.tables import Table, read_table, sha256_of
from ecg_llm.errors import ConfigError
from ecg_llm.io.patient import parse_age
from ecg_llm.record import Sex

DATABASE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
_FILE_COLUMNS = {100: "filename_lr", 500: "filename_hr"}
_NEEDED = ("ecg_id", "patient_id", "age", "sex", "recording_date", "report", "scp_codes")
_SEXES: dict[str, Sex | None] = {"0": "male", "1": "female", "": None}
_OVER_89 = "300"
"""What the source writes instead of an age over 89."""


@dataclass(frozen=True)
class PTBXL:
    """The records of PTB-XL.

    Attributes
    ----------
    folder : Path
        With ``ptbxl_database.csv``, ``scp_statements.csv``, ``records100`` or ``records500``.
    fs : int, Hz
        100 or 500.

    References
    ----------
    .. [1] Wagner P et al. Sci Data 2020;7:154.
    """

    folder: Path
    fs: int = 500

    name = "ptbxl"
    licence = "CC-BY-4.0"
    citation = (
        "Wagner P, Strodthoff N, Bousseljot RD, et al. PTB-XL, a large publicly available "
        "electrocardiography dataset. Sci Data 2020;7:154. PhysioNet, version 1.0.3."
    )

    def __post_init__(self) -> None:
        """Refuse rates that the data set does not have."""
        if self.fs not in _FILE_COLUMNS:
            raise ConfigError(f"PTB-XL has no records at {self.fs} Hz; give 100 or 500.")

    def identity(self) -> dict[str, Any]:
        """Give what determines the content."""
        files = {name: sha256_of(self.folder / name) for name in (DATABASE, STATEMENTS)}
        return {"source": self.name, "fs": self.fs, "tables": files}

    def vocabulary(self) -> dict[str, str]:
        """Give the statements of the data set."""
        return _statements(self.folder / STATEMENTS)

    def listing(self) -> Listing:
        """List the records: folds 1 to 8 train, 9 validates, 10 tests, as their authors propose."""
        self.vocabulary()
        self._check_folder()
        column = _FILE_COLUMNS[self.fs]
        table = read_table(self.folder / DATABASE, (*_NEEDED, "strat_fold", column))
        problems = [Problem(f"{DATABASE} row", "row", reason) for reason in table.bad_rows]
        order: dict[Split, list[int]] = {split: [] for split in SPLITS}
        names: dict[int, str] = {}
        splits: dict[int, Split] = {}
        seen: set[str] = set()
        folds = table.column("strat_fold")
        for row, (ecg_id, fold) in enumerate(zip(table.column("ecg_id"), folds, strict=True)):
            number, of_fold = _whole(ecg_id), _whole(fold)
            if number is None:
                reason = f"ecg_id {ecg_id!r} is not a whole number"
                problems.append(Problem(f"{DATABASE} record {row + 1}", "row", reason))
                continue
            name = f"{number:05d}"
            if name in seen:
                problems.append(Problem(name, "duplicate", f"ecg_id {number} stands twice"))
            elif of_fold is None or not 1 <= of_fold <= 10:
                reason = f"strat_fold {fold!r} is not 1 to 10, so its split is unknown"
                problems.append(Problem(name, "row", reason))
            else:
                split: Split = "test" if of_fold == 10 else "val" if of_fold == 9 else "train"
                order[split].append(row)
                names[row], splits[row] = name, split
            seen.add(name)
        return Listing(
            order=order,
            item=functools.partial(_item, table, names, splits),
            problems=tuple(problems),
            remarks=_without_report(table),
        )

    def _check_folder(self) -> None:
        """Refuse a rate none of whose files are there, while those of the other are."""
        other = 600 - self.fs
        wanted, there = f"records{self.fs}", f"records{other}"
        if not (self.folder / wanted).is_dir() and (self.folder / there).is_dir():
            raise ConfigError(
                f"{self.folder}: it has no {wanted}, only {there}; give --fs {other}."
            )

    def read(self, item: Item) -> Entry:
        """Read one record.

        Raises
        ------
        ItemError
            If a cell of its row cannot be used, or its file cannot be read.
        """
        cells, vocabulary = item.cells, self.vocabulary()
        labels = parse_scp_codes(cells["scp_codes"], vocabulary)
        age, sex = _age(cells["age"]), _sex(cells["sex"])
        notes: tuple[str, ...] = ()
        if _plain_number(cells["age"]) == _OVER_89:
            notes = ("The source tells of the age only that it is over 89 years.",)
        column = _FILE_COLUMNS[self.fs]
        if not cells[column]:
            raise ItemError("row", f"{column} is empty")
        file = cells[column] + ".hea"
        record = read_below(self.folder, file)
        if record.fs != self.fs:
            raise ItemError("file", f"{file} has {record.fs:g} Hz where {self.fs} are expected")
        report = cells["report"] or None
        return Entry(
            record=replace(record, age_years=age, sex=sex, notes=record.notes + notes),
            source_file=file,
            patient=_plain_number(cells["patient_id"]) or None,
            fold=_whole(cells["strat_fold"]),
            recorded_at=cells["recording_date"] or None,
            labels=labels,
            statements=tuple(vocabulary[code] for code, _ in labels),
            report=report,
            report_language=None if report is None else report_language(report),
        )


def parse_scp_codes(cell: str, vocabulary: dict[str, str]) -> tuple[tuple[str, float | None], ...]:
    """Read the statements of a record.

    Parameters
    ----------
    cell : str
        A Python dictionary of codes to likelihoods, as PTB-XL writes it.

    Returns
    -------
    tuple of tuple of str and float
        In the order written; a likelihood of 0 means that none is known.

    Raises
    ------
    ItemError
        If it is no such dictionary, or a code is not in the vocabulary.

    Examples
    --------
    >>> parse_scp_codes("{'NORM': 100.0, 'SR': 0.0}", {"NORM": "normal ECG", "SR": "sinus rhythm"})
    (('NORM', 100.0), ('SR', 0.0))
    """
    try:
        codes = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        codes = None
    if not isinstance(codes, dict):
        raise ItemError("row", "scp_codes is not a dictionary of codes to likelihoods")
    labels = []
    for code, likelihood in codes.items():
        number = isinstance(likelihood, int | float) and not isinstance(likelihood, bool)
        if not (isinstance(code, str) and number and 0 <= likelihood <= 100):
            raise ItemError("row", "scp_codes holds more than codes and likelihoods of 0 to 100")
        if code not in vocabulary:
            raise ItemError("label", f"scp_codes holds {code[:40]!r}, which is not in {STATEMENTS}")
        labels.append((code, float(likelihood)))
    return tuple(labels)


# Words that only one of the languages has: not ekg, normal, in, block.
_MARKERS = {
    "de": """
        sinusrhythmus lagetyp linkstyp rechtstyp steiltyp normales abnormales sonst
        unspezifisches infarkt wahrscheinlich möglich nicht auszuschliessen senkung hebung
        vorhofflimmern verdacht auf linkshypertrophie schrittmacher arrhythmie mit oder und
        links rechts sinusbradykardie sinustachykardie linksschenkelblock rechtsschenkelblock
        unvollständiger niederspannung ventrikuläre supraventrikuläre extrasystole
        extrasystolen flach schlechte keine veraenderungen veränderungen verlängerung
        überdrehter ueberdrehter steillage hemiblock bei ableitungen alter""",
    "en": """
        rhythm are waves interval rate segments due depressed inverted with and this premature
        axis may consistent suggesting otherwise left right old the is of to likely probable
        possible trace requested only ecg unconfirmed fibrillation tachycardia bradycardia
        changes borderline wave strain voltage voltages bundle branch heart complexes
        flattening""",
    "sv": """
        sinusrytm vänster höger axel avvikande förlopp vid såsom och eller ej bör övervägas
        skänkelblock normalt förändring myokardskada sänkning höjning belastning
        förmaksflimmer sinustachykardi sinusbradykardi kammarhypertrofi låga amplituder
        ospecifikt ålder med högersidigt vänstersidigt ischemi hög bestämmbar
        extremitetsavledningarna""",
}


@functools.cache
def _marker_words() -> dict[str, frozenset[str]]:
    return {language: frozenset(words.split()) for language, words in _MARKERS.items()}


def report_language(text: str) -> str:
    """Tell the language of a report from words that only one of the languages has.

    Parameters
    ----------
    text : str
        A report of PTB-XL: German, English or Swedish.

    Returns
    -------
    str
        ``de``, ``en``, ``sv``, or ``und`` if no word or as many of two languages were found.

    Examples
    --------
    >>> report_language("sinusrhythmus linkstyp sonst normales ekg")
    'de'
    >>> report_language("sinusrytm vÄnster el-axel"), report_language("trace only requested.")
    ('sv', 'en')
    """
    words = re.findall(r"[^\W\d_]+", text.lower())
    hits = Counter(
        {name: sum(word in of for word in words) for name, of in _marker_words().items()}
    )
    (best, most), (_, second), *_ = hits.most_common()
    return best if most > second else "und"


@functools.cache
def _statements(path: Path) -> dict[str, str]:
    """Read the code list once a process."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file; give the folder of PTB-XL in its original layout."
        )
    table = read_table(path, ("description",))
    codes, names = table.column(table.cells.column_names[0]), table.column("description")
    if table.bad_rows or not all(codes) or len(set(codes)) != len(codes):
        found = "; ".join(table.bad_rows) or "a code that is empty or stands twice"
        raise ConfigError(f"{path}: {found}. Fetch the original file anew.")
    return dict(zip(codes, names, strict=True))


def _item(table: Table, names: dict[int, str], splits: dict[int, Split], row: int) -> Item:
    return Item(names[row], splits[row], table.row(row))


def _without_report(table: Table) -> dict[str, int]:
    """Count the rows without a text."""
    empty = sum(not cell for cell in table.column("report"))
    return {"rows without a report": empty} if empty else {}


def _plain_number(cell: str) -> str:
    """Give ``15709`` for ``15709.0``."""
    return cell.removesuffix(".0")


def _whole(cell: str) -> int | None:
    plain = _plain_number(cell)
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 10 else None


def _age(cell: str) -> float | None:
    """Read the age; over 89 it is unknown."""
    age = parse_age(cell)
    if age is None and cell and _plain_number(cell) != _OVER_89:
        raise ItemError("row", "age is not a number of years")
    return age


def _sex(cell: str) -> Sex | None:
    if _plain_number(cell) not in _SEXES:
        raise ItemError("row", "sex is neither 0 (male) nor 1 (female)")
    return _SEXES[_plain_number(cell)]
