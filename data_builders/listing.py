"""What a source lists, what is known of its records, and what they may be made into."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ecg_llm.errors import ECGError, RecordError
from ecg_llm.record import ECGRecord

if TYPE_CHECKING:
    import pyarrow as pa

    from ecg_llm.io import RecordRef

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
"""Of patients, never of records."""


@dataclass(frozen=True)
class Problem:
    """A listed record that was left out.

    Attributes
    ----------
    record : str
        Its name, or the row that should have given one.
    kind : str
        ``row``, ``duplicate``, ``label``, ``file``, ``text``, ``crash`` or ``internal``.
    reason : str
        What was found, in plain words.
    """

    record: str
    kind: str
    reason: str


class ItemError(ECGError):
    """What the source's tables say of a record cannot be used.

    Parameters
    ----------
    kind : str
        As in `Problem`.
    reason : str
        What was found, in plain words.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason

    def __str__(self) -> str:
        """Give the reason."""
        return self.reason


@dataclass(frozen=True)
class Item:
    """A record still to be read: all that a worker must be told.

    Attributes
    ----------
    name : str
        Unique in the set.
    split : {"train", "val", "test"}
        Where its patient belongs.
    cells : mapping
        What the source's tables say of it, by column.
    """

    name: str
    split: Split
    cells: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """The records of a source, in an order that never changes.

    Attributes
    ----------
    order : dict of str to list of int
        By split, the rows that can be read.
    item : callable
        Gives the item of a row; called only when its turn comes, so that a long list stays small.
    problems : tuple of Problem
        Rows that cannot be read at all.
    remarks : dict of str to int
        What else was noticed, counted.
    """

    order: dict[Split, list[int]]
    item: Callable[[int], Item]
    problems: tuple[Problem, ...] = ()
    remarks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One record with everything its source knows of it.

    Attributes
    ----------
    record : ECGRecord
        The signal, with age and sex if the source tells them.
    source_file : str
        Relative to the folder of the source.
    patient, recorded_at : str or None
        As the source gives them.
    fold : int or None
        That the source proposes for cross-validation.
    labels : tuple of tuple of str and float or None
        Codes with their likelihood in percent.
    statements : tuple of str
        The labels in English.
    report, report_language : str or None
        The source's own text and its language.
    machine : dict or None
        Measurements of the electrocardiograph, by column of the schema.
    note_links : tuple of dict
        Identifiers of reports kept elsewhere.
    truth : str or None
        JSON, for simulated records.
    """

    record: ECGRecord
    source_file: str
    patient: str | None = None
    fold: int | None = None
    recorded_at: str | None = None
    labels: tuple[tuple[str, float | None], ...] = ()
    statements: tuple[str, ...] = ()
    report: str | None = None
    report_language: str | None = None
    machine: dict[str, Any] | None = None
    note_links: tuple[dict[str, Any], ...] = ()
    truth: str | None = None


class Listed(Protocol):
    """What a set is made from; small and picklable, as every worker gets one."""

    @property
    def name(self) -> str:
        """Name of the data set."""

    @property
    def citation(self) -> str:
        """What to cite."""

    def identity(self) -> dict[str, Any]:
        """Give what determines the content: options, and digests of the tables."""

    def listing(self) -> Listing:
        """List the records."""


class Source(Listed, Protocol):
    """Where records come from."""

    @property
    def licence(self) -> str:
        """SPDX identifier."""

    def vocabulary(self) -> dict[str, str]:
        """Give the labels that may occur, with their English names."""

    def read(self, item: Item) -> Entry:
        """Read one record, or raise ItemError."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """What listed items are made into.

    Attributes
    ----------
    kind : str
        Of the set, as its card says and `ecg_llm.data_builders.verify` looks it up.
    schema : callable
        Gives the columns.
    rows : callable
        Makes the rows of one item, or raises ECGError.
    packed : tuple of str
        Integer columns to store as differences.
    builder : str
        Program and version, for the card.
    command : callable
        Writes, from what the manifest tells of the build, the command that makes such a set.
    count : callable
        Counts what the shards in a folder hold: parts of the card.
    readme : callable
        Writes the card as text.
    labelled : bool
        Whether the card lists the names of the labels of the `Source`.
    """

    kind: str
    schema: Callable[[], pa.Schema]
    rows: Callable[[Any, Item], list[dict[str, Any]]]
    packed: tuple[str, ...] = ()
    builder: str
    command: Callable[[dict[str, Any]], str]
    count: Callable[[Path], dict[str, Any]]
    readme: Callable[[dict[str, Any]], str]
    labelled: bool = False


def read_below(folder: Path, file: str) -> ECGRecord:
    """Read a record that a table names.

    Parameters
    ----------
    file : str
        Header, relative to it; it must not lead out of it.

    Raises
    ------
    ItemError
        If it cannot be read; the reason names the file relative to the folder, so that the same
        data give the same list of problems wherever they lie.
    """
    from ecg_llm.io import read_record
    from ecg_llm.io.source import inner_name

    try:
        return read_record(folder / inner_name(file, "the record list"))
    except RecordError as error:
        raise _unreadable(error, folder) from None


def _unreadable(error: RecordError, folder: Path) -> ItemError:
    """Tell what is wrong with a file without telling where the folder of the source lies."""
    reason = str(error).replace(f"{folder}{os.sep}", "")
    return ItemError("file", reason.replace(str(folder), "the folder of the source"))


class Light:
    """A dataclass that goes to the workers without what it looked up: each shard would carry it."""

    def __getstate__(self) -> dict[str, Any]:
        """Give the fields alone."""
        return {of.name: getattr(self, of.name) for of in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True)
class FoundRecords(Light):
    """Records of any format below a folder, or in a zip archive."""

    folder: Path

    @functools.cached_property
    def refs(self) -> list[RecordRef]:
        """The records, sorted by name."""
        from ecg_llm.io import find_records

        return find_records(self.folder)

    @property
    def digest(self) -> str:
        """SHA-256 over names and sizes."""
        digest = hashlib.sha256()
        for ref in self.refs:
            digest.update(f"{ref.name}\0{ref.path.stat().st_size}\n".encode(errors="replace"))
        return digest.hexdigest()

    def read_ref(self, ref: RecordRef) -> tuple[ECGRecord, str]:
        """Read one of them, and give its path below the folder.

        Raises
        ------
        ItemError
            If it cannot be read, or is an image; the reason does not tell where the folder lies.
        """
        from ecg_llm.io import read_ref
        from ecg_llm.io.page_image import EXTENSIONS

        image = ItemError("file", "it is an image; a set is made from recordings")
        if PurePath(ref.member or ref.path).suffix.lower() in EXTENSIONS:
            raise image  # reading a page takes seconds
        try:
            record = read_ref(ref)
        except RecordError as error:
            raise _unreadable(error, self.folder) from None
        if record.origin == "page":
            raise image
        file = ref.path.name if self.folder.is_file() else str(ref.path.relative_to(self.folder))
        return record, f"{file}/{ref.member}" if ref.member else file


def split_of(key: str) -> Split:
    """Assign a patient to a split by a digest of the name: a tenth each to val and test.

    Returns
    -------
    {"train", "val", "test"}
        The same however many other patients there are.

    Examples
    --------
    >>> split_of("mimic-iv-ecg:10000032"), split_of("mimic-iv-ecg:10000764")
    ('val', 'train')
    """
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return "test" if place < 0.1 else "val" if place < 0.2 else "train"
