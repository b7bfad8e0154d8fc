"""Images of ECG pages as a data set, from a folder of records or from a built set."""

from __future__ import annotations

import bisect
import functools
import hashlib
import importlib.metadata
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

import ecg_llm
from ecg_llm.data_builders.card import load_card
from ecg_llm.data_builders.image_rows import image_columns
from ecg_llm.data_builders.listing import (
    SPLITS,
    Entry,
    FoundRecords,
    Item,
    ItemError,
    Light,
    Listing,
    Split,
    split_of,
)
from ecg_llm.data_builders.page_images import render_page_example
from ecg_llm.data_builders.page_settings import MAX_SIZE_PX, MIN_SIZE_PX, SIZE_PX
from ecg_llm.data_builders.photograph import photograph
from ecg_llm.data_builders.rows import record_of
from ecg_llm.data_builders.schema import VALUES
from ecg_llm.data_builders.shards import (
    MANIFEST,
    Manifest,
    load_finished,
    read_row,
)
from ecg_llm.errors import ConfigError, RecordError

PHOTOGRAPHED_SHARE = 0.5
SHARD_IMAGES = 256
"""Images of a shard, about: 70 MB."""
_SHARD_COLUMNS = (
    *("record", "dataset", "patient", "sex", "age_years", "fs", "leads", "derived", "signal"),
    *("gain", "calibrated", "notes", "sha256", "licence", "source_file", *VALUES),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class PageEntry(Entry):
    """A record to be shown, with what only a built set tells.

    Attributes
    ----------
    dataset : str
        Where it comes from.
    licence : str or None
        SPDX identifier.
    values : dict of str to float
        Measured values that may be printed.
    """

    dataset: str = "folder"
    licence: str | None = None
    values: dict[str, float | None] = field(default_factory=dict)


class Origin(Protocol):
    """Where records are taken from."""

    def identity(self) -> dict[str, Any]:
        """Give what determines the records, wherever they lie."""

    def count(self) -> int:
        """Give how many records there are."""

    def split(self, row: int) -> Split:
        """Give the split of one of them, without reading it."""

    def item(self, row: int) -> Item:
        """Give one of them."""

    def read(self, item: Item) -> PageEntry:
        """Read it, or raise ItemError."""


@dataclass(frozen=True)
class RecordFolder(FoundRecords):
    """Records of any format in a folder or a zip archive."""

    def identity(self) -> dict[str, Any]:
        """Give a digest of names and sizes."""
        return {"records": self.digest}

    def count(self) -> int:
        """Give how many records there are."""
        return len(self.refs)

    def split(self, row: int) -> Split:
        """Split records, as a folder tells no patients."""
        return split_of(f"images:{self.refs[row].name}")

    def item(self, row: int) -> Item:
        """Give a record."""
        return Item(self.refs[row].name, self.split(row), {"ref": self.refs[row]})

    def read(self, item: Item) -> PageEntry:
        """Read a record, or raise ItemError."""
        record, file = self.read_ref(item.cells["ref"])
        return PageEntry(record=record, source_file=file)


@dataclass(frozen=True)
class BuiltSet:
    """Records of a set that `ecgllm build` made."""

    folder: Path

    @functools.cached_property
    def manifest(self) -> Manifest:
        """What the set holds."""
        return load_finished(self.folder, "records")

    @functools.cached_property
    def names(self) -> list[str]:
        """Its shards, in their order."""
        return sorted(self.manifest.shards)

    @functools.cached_property
    def ends(self) -> list[int]:
        """Rows up to the end of each shard."""
        return list(accumulate(self.manifest.shards[name].n_rows for name in self.names))

    def identity(self) -> dict[str, Any]:
        """Give a digest of the shards."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(f"{name}\0{self.manifest.shards[name].sha256}\n".encode())
        return {"records": digest.hexdigest()}

    def count(self) -> int:
        """Give how many records there are."""
        return self.ends[-1] if self.ends else 0

    def split(self, row: int) -> Split:
        """Give the split of a record, that of its patient."""
        name = self.names[bisect.bisect_right(self.ends, row)]
        return cast(Split, self.manifest.shards[name].split)

    def item(self, row: int) -> Item:
        """Give a record."""
        k = bisect.bisect_right(self.ends, row)
        name, inner = self.names[k], row - (self.ends[k - 1] if k else 0)
        record = read_row(self.folder / name, inner, ("record",))["record"]
        return Item(record, self.split(row), {"shard": name, "row": inner})

    def read(self, item: Item) -> PageEntry:
        """Read a record, or raise ItemError if its shard is damaged."""
        path, row = self.folder / item.cells["shard"], item.cells["row"]
        try:
            found = read_row(path, row, _SHARD_COLUMNS)
        except RecordError as error:
            raise ItemError("file", str(error)) from None
        return PageEntry(
            record=record_of(found),
            source_file=found["source_file"] or item.cells["shard"],
            patient=found["patient"],
            dataset=found["dataset"],
            licence=found["licence"],
            values={name: found[name] for name in VALUES},
        )


@dataclass(frozen=True)
class Images(Light):
    """Pages of the records of a folder, some of them photographed.

    Attributes
    ----------
    folder : Path
        Records of any format, or a built set of records.
    n : int or None
        Pages at most, of records evenly spread; None: all records.
    per_record : int
        Pages of each record.
    photographed : float
        Part of the pages that are photographed, scanned or faxed.
    seed : int
        Of the whole set; the pages of a record do not depend on the others.
    size_px : int, px
        Long side of an image, about.
    """

    folder: Path
    n: int | None = None
    per_record: int = 1
    photographed: float = PHOTOGRAPHED_SHARE
    seed: int = 0
    size_px: int = SIZE_PX

    name = "images"

    def __post_init__(self) -> None:
        """Refuse impossible figures."""
        if (
            self.per_record < 1
            or (self.n is not None and self.n < 1)
            or not 0 <= self.photographed <= 1
            or not MIN_SIZE_PX <= self.size_px <= MAX_SIZE_PX
        ):
            raise ConfigError(
                f"n {self.n}, per-record {self.per_record}, photographed {self.photographed:g}, "
                f"size {self.size_px}: n and per-record must be at least 1, photographed from 0 "
                f"to 1 and size from {MIN_SIZE_PX} to {MAX_SIZE_PX}."
            )

    @functools.cached_property
    def origin(self) -> Origin:
        """Where the records are."""
        if (self.folder / MANIFEST).is_file():
            return BuiltSet(self.folder)
        return RecordFolder(self.folder)

    @property
    def citation(self) -> str:
        """What to cite: the source of the records."""
        told = load_card(self.folder) if isinstance(self.origin, BuiltSet) else {}
        return str(told.get("citation") or "the source of the records.")

    def identity(self) -> dict[str, Any]:
        """Give what determines the content."""
        return {
            "source": self.name,
            "n": self.n,
            "per_record": self.per_record,
            "photographed": self.photographed,
            "seed": self.seed,
            "size": self.size_px,
            **self.origin.identity(),
            "drawing": drawing(),
        }

    def listing(self) -> Listing:
        """List the records to be shown.

        Raises
        ------
        ConfigError
            If there are none.
        """
        total = self.origin.count()
        if not total:
            raise ConfigError(f"{self.folder}: no ECG record found there.")
        wanted = total if self.n is None else min(total, -(-self.n // self.per_record))
        rows = [k * total // wanted for k in range(wanted)]
        splits = [self.origin.split(row) for row in rows]
        by_record = isinstance(self.origin, RecordFolder)
        remark = "records split by their names, as a folder tells no patients"
        return Listing(
            order={split: [k for k, its in enumerate(splits) if its == split] for split in SPLITS},
            item=functools.partial(_item, self, rows),
            remarks={remark: wanted} if by_record else {},
        )

    def read(self, item: Item) -> PageEntry:
        """Read the record of an item."""
        return self.origin.read(item)


def image_rows(source: Images, item: Item) -> list[dict[str, Any]]:
    """Make the images of one record.

    Raises
    ------
    ItemError
        If the record cannot be read.
    ECGError
        If it cannot be drawn.
    """
    import cv2

    cv2.setNumThreads(1)  # every core has a worker of its own
    entry = source.read(item)
    record = entry.record
    if not record.n_samples or not np.isfinite(record.signal).any():
        raise ItemError("file", f"{item.name}: it holds no sample that could be drawn.")
    rows = []
    for page in range(item.cells["pages"]):
        seed = page_seed(source.seed, item.name, page)
        example, settings = render_page_example(
            record, seed, size_px=source.size_px, values=entry.values
        )
        photo = None
        if np.random.default_rng([seed, 0xCA]).random() < source.photographed:
            example, photo = photograph(example, seed)
        row = {
            "record": item.name,
            "page": page,
            "dataset": entry.dataset,
            "patient": entry.patient,
            "split": item.split,
            "gain_mm_mv": settings.gain_mm_mv if record.calibrated else None,
            "fs": record.fs,
            "seed": seed,
            "licence": entry.licence,
            "source_file": entry.source_file,
            "sha256": record.sha256,
        }
        rows.append(row | image_columns(example, settings, photo))
    return rows


def page_seed(seed: int, record: str, page: int) -> int:
    """Give the seed of one image, 63 bits, whatever else is in the set.

    Examples
    --------
    >>> page_seed(0, "a", 0) == page_seed(0, "a", 1)
    False
    """
    digest = hashlib.sha256(f"{seed}\0{record}\0{page}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@functools.cache
def drawing() -> dict[str, str]:
    """Give what turns settings into pixels: a digest of our code, versions of what draws."""
    digest = hashlib.sha256()
    for path in sorted((Path(ecg_llm.__file__).parent / "render").glob("*.py")):
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    packages = ("opencv-python-headless", "pillow", "numpy", "matplotlib")
    return {"render": digest.hexdigest()} | {p: importlib.metadata.version(p) for p in packages}


def _item(source: Images, rows: list[int], k: int) -> Item:
    item = source.origin.item(rows[k])
    pages = source.per_record
    if source.n is not None:
        pages = min(pages, source.n - k * source.per_record)
    return Item(item.name, item.split, {**item.cells, "pages": pages})
