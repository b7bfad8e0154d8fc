"""Check a built set against its manifest, its card and itself."""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ecg_llm.data_builders.build import PROBLEMS
from ecg_llm.data_builders.card import CARD, load_card
from ecg_llm.data_builders.listing import Product
from ecg_llm.data_builders.shards import MANIFEST, Manifest, load_manifest, read_shards
from ecg_llm.data_builders.tables import sha256_of
from ecg_llm.errors import ConfigError

Row = Mapping[str, Any]

MOST_FAULTS = 1000
"""More are counted no further: the set is bad."""

CHECKS = {
    "records": "ecg_llm.data_builders.verify_records:RecordCheck",
    "images": "ecg_llm.data_builders.verify_images:ImageCheck",
    "instruct": "ecg_llm.data_builders.verify_instruct:ConversationCheck",
}
"""By the ``kind`` of a card, the `RowCheck` of its rows; another kind of set adds its line."""
FROM_SOURCE = ("images",)
"""Kinds that can be made again only from their source."""


@dataclass(frozen=True)
class Fault:
    """Something that is not as it must be, in plain words, and in which file or record."""

    where: str
    what: str

    def __str__(self) -> str:
        """Give it as one line."""
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a check of a built set found.

    Attributes
    ----------
    kind : str
        Of the set.
    n_shards, n_rows : int
        As listed.
    recompute : int
        Rows that were to be measured again.
    faults : tuple of Fault
        Empty if all is well.
    """

    kind: str
    n_shards: int
    n_rows: int
    recompute: int
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        """Give the result in one line."""
        what = f"{self.n_shards} shards, {self.n_rows} {self.kind}"
        if not self.faults:
            again = f" ({min(self.recompute, self.n_rows)} recomputed)"
            return f"{what}: all is well{'' if self.kind == 'instruct' else again}"
        more = " at least" if len(self.faults) == MOST_FAULTS else ""
        return f"{what}:{more} {len(self.faults)} faults"


class RowCheck(ABC):
    """What the rows of one kind of set must hold; of images their source may be given."""

    product: Product

    def __init__(self, manifest: Manifest, card: dict[str, Any], source: Path | None) -> None:
        self.manifest = manifest
        self.card = card
        self.source = source

    @abstractmethod
    def name(self, row: Row) -> str:
        """Give what no other row of the set is called."""

    @abstractmethod
    def owners(self, row: Row) -> Iterable[str]:
        """Give whose row it is: patient or records, which must be in one split."""

    @abstractmethod
    def faults(self, row: Row, again: bool) -> Iterator[str]:
        """Say what is wrong with a row by itself, and if asked for made again."""

    def of_set(self) -> Iterator[Fault]:
        """Say, after the last row, what is wrong with the set."""
        yield from ()


def verify(out: Path, *, recompute: int = 20, source: Path | None = None) -> Verification:
    """Check a built set.

    Parameters
    ----------
    out : Path
        Its folder.
    recompute : int
        Rows, evenly spread, to be made again from the signal and compared.
    source : Path, optional
        What a set of images was made from; without it no image is made again.

    Returns
    -------
    Verification

    Raises
    ------
    ConfigError
        If the folder is not a built set, or of an unknown kind.

    Notes
    -----
    First the files: every shard of the manifest is there, whole and of its digest, nothing else
    is, and the counts of manifest, card and list of problems add up. Then, if the files are whole,
    the rows by the `RowCheck` of their kind.
    """
    manifest, card = load_manifest(out), load_card(out)
    kind = str(card.get("kind"))
    if kind not in CHECKS:
        raise ConfigError(
            f"{out / CARD}: a set of the kind {kind!r}; there are {', '.join(CHECKS)}."
        )
    if source is not None and kind not in FROM_SOURCE:
        raise ConfigError(
            f"{out}: a set of {kind} holds all that it is checked against: no source."
        )
    if source is None and kind in FROM_SOURCE:
        recompute = 0
    module, name = CHECKS[kind].split(":")
    faults = list(islice(_check_files(out, manifest, card), MOST_FAULTS))
    if not faults:
        check = getattr(importlib.import_module(module), name)(manifest, card, source)
        faults = list(islice(_check_rows(out, check, recompute), MOST_FAULTS))
    return Verification(
        kind=kind,
        n_shards=len(manifest.shards),
        n_rows=sum(shard.n_rows for shard in manifest.shards.values()),
        recompute=recompute,
        faults=tuple(faults),
    )


def _check_rows(out: Path, check: RowCheck, recompute: int) -> Iterator[Fault]:
    """Check the rows of a set whose files are whole."""
    kind, schema = check.product.kind, check.product.schema()
    shards = [check.manifest.shards[name] for name in sorted(check.manifest.shards)]
    other = [shard.name for shard in shards if not pq.read_schema(out / shard.name).equals(schema)]
    for name in other:
        yield Fault(name, f"its columns are not those of a set of {kind} of this version")
    if other:
        return
    total = sum(shard.n_rows for shard in shards)
    chosen = {k * total // recompute for k in range(recompute)} if recompute else set()
    seen: set[str] = set()
    splits: dict[str, str] = {}
    for k, row in enumerate(read_shards(out)):
        name = check.name(row)
        if name in seen:
            yield Fault(name, "it stands twice")
        seen.add(name)
        for owner in check.owners(row):
            if splits.setdefault(owner, row["split"]) != row["split"]:
                yield Fault(name, f"its {owner.split()[0]} is also in another split")
        for what in check.faults(row, k in chosen):
            yield Fault(name, what)
    yield from check.of_set()
    for shard in shards:
        found = pq.read_table(out / shard.name, columns=["split"]).column("split").unique()
        if any(split != shard.split for split in found.to_pylist()):
            yield Fault(shard.name, f"it holds rows of another split than {shard.split}")
    for part, counted in json.loads(json.dumps(check.product.count(out))).items():
        if check.card.get(part) != counted:
            yield Fault(CARD, f"{part} is not what the shards hold")


def _check_files(out: Path, manifest: Manifest, card: dict[str, Any]) -> Iterator[Fault]:
    """Check that the files are those of the manifest and that the counts add up."""
    if not manifest.complete:
        found, wanted = len(manifest.shards), manifest.n_shards
        yield Fault(MANIFEST, f"{found} of {wanted} shards are finished; run the build again")
    for path in sorted(out.glob("*.parquet")):
        if path.name not in manifest.shards:
            yield Fault(path.name, "the manifest does not list it")
    for name in sorted(manifest.shards):
        shard, path = manifest.shards[name], out / name
        if not path.is_file():
            yield Fault(name, "it is gone")
        elif path.stat().st_size != shard.n_bytes or sha256_of(path) != shard.sha256:
            yield Fault(name, "its content is not what was written; run the build again")
        else:
            yield from _rows_of_file(path, shard.n_rows)
    yield from _counts(out, manifest, card)


def _rows_of_file(path: Path, n_rows: int) -> Iterator[Fault]:
    try:
        found = pq.read_metadata(path).num_rows
    except pa.ArrowInvalid:
        yield Fault(path.name, "it is not a Parquet file")
        return
    if found != n_rows:
        yield Fault(path.name, f"it holds {found} rows where the manifest says {n_rows}")


def _counts(out: Path, manifest: Manifest, card: dict[str, Any]) -> Iterator[Fault]:
    """Add up listed, written and left out over card, manifest and list of problems."""
    counts = card.get("counts")
    numbers = ("listed", "written", "left_out", "shards")
    if not (isinstance(counts, dict) and all(isinstance(counts.get(n), int) for n in numbers)):
        yield Fault(CARD, "it does not tell the counts")
        return
    listed, written, left_out = counts["listed"], counts["written"], counts["left_out"]
    if listed != written + left_out:
        yield Fault(CARD, f"{listed} listed is not {written} written + {left_out} left out")
    items = sum(shard.n_items for shard in manifest.shards.values())
    rows = sum(shard.n_rows for shard in manifest.shards.values())
    if counts.get("rows", written) != rows:
        yield Fault(CARD, f"{counts.get('rows', written)} rows; the manifest says {rows}")
    if not written:
        yield Fault(CARD, f"no record was written: all {listed} were left out; see {PROBLEMS}")
    if written != items or counts["shards"] != len(manifest.shards):
        told = f"{written} records in {counts['shards']} shards"
        yield Fault(CARD, f"{told}; the manifest says {items} in {len(manifest.shards)}")
    problems = out / PROBLEMS
    if not problems.is_file():
        yield Fault(problems.name, "it is gone")
        return
    try:
        with problems.open(encoding="utf-8") as lines:
            n_problems = sum(bool(json.loads(line)["reason"]) for line in lines)
    except (ValueError, KeyError, TypeError):
        yield Fault(problems.name, "a line is not a problem with its reason")
        return
    if n_problems != left_out:
        yield Fault(problems.name, f"{n_problems} problems; the card says {left_out} left out")
