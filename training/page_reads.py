"""Pages of packed records as the reader delivers them: what the page encoder learns from."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.leads import STANDARD_12
from ecg_llm.training.pack import Pack

CHUNK = 50
"""Pages that are written together; a stopped run goes on after the last of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PageReads:
    """Pages that were read.

    Attributes
    ----------
    signals : np.ndarray of float16, shape (n, 12, 1000), mV at 100 Hz
        The encoder's input; NaN where nothing was read.
    row : np.ndarray of int64, shape (n,)
        The packed record that was printed.
    calibrated : np.ndarray of bool, shape (n,)
        Whether the page told its scale.
    photographed : np.ndarray of bool, shape (n,)
        Whether it was photographed, scanned or faxed.
    from_s : np.ndarray of float32, shape (n,), s
        Where in the record the page begins; NaN if its columns do not follow each other in time.
    """

    signals: npt.NDArray[np.float16]
    row: npt.NDArray[np.int64]
    calibrated: npt.NDArray[np.bool_]
    photographed: npt.NDArray[np.bool_]
    from_s: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """Give the number of pages."""
        return len(self.row)

    def of(self, rows: npt.NDArray[np.int64]) -> PageReads:
        """Keep the pages of some records."""
        kept = np.isin(self.row, rows)
        return PageReads(**{f.name: getattr(self, f.name)[kept] for f in fields(self)})

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all of it."""
        digest = hashlib.sha256()
        for f in fields(self):
            digest.update(np.ascontiguousarray(getattr(self, f.name)).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class PageData:
    """Which pages the page encoder learns from."""

    images: str = ""
    """A set that ``ecgllm build images`` made of packed records; pages are drawn if left out."""
    pages: int = 1400
    """Pages to draw."""
    held: int = 150
    """Pages of held-out records to draw, to judge by."""
    photographed: float = 0.5
    """Part of the drawn pages that is photographed, scanned or faxed."""
    share: float = 0.6
    """Part of a batch that was read from images; the others are drawn from records as lines."""


DATA_OPTIONS = tuple(f.name for f in fields(PageData))


def page_reads(
    pack: Pack, rows: npt.NDArray[np.int64], chosen: PageData, out: Path, seed: int
) -> PageReads:
    """Read the pages that train.

    Parameters
    ----------
    rows : np.ndarray of int
        Those that train; pages show such of them as have true mV.
    """
    if chosen.images:
        made = functools.partial(_built_pages, pack, Path(chosen.images))
        return _read_pages(made, out / "built").of(rows)
    shown = rows[pack.calibrated[rows]]
    drawn = functools.partial(_drawn_pages, pack, shown, chosen.pages, chosen.photographed, seed)
    return _read_pages(drawn, out / "train")


def held_reads(
    pack: Pack, rows: npt.NDArray[np.int64], chosen: PageData, out: Path
) -> PageReads | None:
    """Read pages of held-out records.

    Returns
    -------
    PageReads or None
        None if there is none.
    """
    if not len(rows) or not chosen.held:
        return None
    drawn = functools.partial(_drawn_pages, pack, rows, chosen.held, chosen.photographed, 0)
    return _read_pages(drawn, out / "held")


Page = tuple[int, bool, float, bytes]
"""Packed record, whether photographed, where in the record it begins in seconds (NaN: its columns
show the same stretch), and the image."""


def _drawn_pages(
    pack: Pack,
    rows: npt.NDArray[np.int64],
    n: int,
    photographed: float,
    seed: int,
    first: int,
) -> Iterator[Page]:
    """Print packed records one after the other, as the set builder does, n pages in all.

    A part of them is photographed, scanned or faxed; all chance comes from the seed.
    """
    from ecg_llm.data_builders.photograph import print_page

    order = np.random.default_rng(seed).permutation(rows)
    for k in range(first, n):
        row = int(order[k % len(order)])
        rng = np.random.default_rng((seed, k))
        chance, taken = int(rng.integers(2**62)), bool(rng.random() < photographed)
        packed, _, settings = print_page(pack.record(row), chance, photographed=taken)
        yield row, taken, math.nan if settings.simultaneous else settings.from_s, packed


def _built_pages(pack: Pack, folder: Path, first: int) -> Iterator[Page]:
    """Take the pages of a set that ``ecgllm build images`` made; record and page have one name.

    ConfigError if none of them shows a packed record.
    """
    from ecg_llm.data_builders.image_rows import settings_of
    from ecg_llm.data_builders.shards import read_shards

    by_name = {str(name): k for k, name in enumerate(pack.name)}
    found = 0
    for page in read_shards(folder, columns=["image", "record", "kind", "settings"]):
        row = by_name.get(str(page["record"]))
        if row is None:
            continue
        found += 1
        if found > first:
            settings, _ = settings_of(page)
            begins = math.nan if settings.simultaneous else settings.from_s
            yield row, page["kind"] != "clean", begins, page["image"]["bytes"]
    if not found:
        raise ConfigError(
            f"{folder}: none of its pages shows a packed record; build the images of the same "
            "records, or leave the set out and pages are drawn."
        )


def _read_pages(pages: Callable[[int], Iterator[Page]], out: Path) -> PageReads:
    """Read pages from a number on; what was read before is taken from the folder ``out``.

    Pages that cannot be read, or not encoded, are left out; ConfigError if none is left.
    """
    out.mkdir(parents=True, exist_ok=True)
    done = len(list(out.glob("?????.npz")))
    coming = pages(done * CHUNK)
    while chunk := list(itertools.islice(coming, CHUNK)):
        made = [one for one in map(_read, chunk) if one is not None]
        columns: dict[str, Any] = {
            f.name: np.array([one[f.name] for one in made]) for f in fields(PageReads)
        }
        path = out / f"{done:05d}.npz"
        with path.with_suffix(".new").open("wb") as file:
            np.savez_compressed(file, **columns)
        path.with_suffix(".new").replace(path)
        done += 1
    parts = []
    for path in sorted(out.glob("?????.npz")):
        with np.load(path, allow_pickle=False) as stored:
            if len(stored["row"]):
                parts.append({name: stored[name] for name in stored.files})
    if not parts:
        raise ConfigError(f"{out}: not one page could be read; look at the images.")
    return PageReads(
        **{f.name: np.concatenate([part[f.name] for part in parts]) for f in fields(PageReads)}
    )


def _read(page: Page) -> dict[str, Any] | None:
    """Read one page and bring it into the encoder's form."""
    from ecg_llm.encoders.signal_input import encoder_input, windows
    from ecg_llm.io import read_bytes

    row, photographed, from_s, packed = page
    try:
        record = read_bytes(packed, "page.png")
        signal, present, calibrated = encoder_input(record)
    except RecordError:
        return None
    _, first, there = windows(signal, present)[0]
    assert first.shape[0] == len(STANDARD_12)
    return {
        "signals": np.where(there, first, np.nan).astype(np.float16),
        "row": np.int64(row),
        "calibrated": calibrated,
        "photographed": photographed,
        "from_s": np.float32(from_s),
    }
