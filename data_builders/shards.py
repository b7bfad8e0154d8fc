"""Shards: Parquet files of which each is either whole and listed, or not there."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ecg_llm.data_builders.listing import SPLITS
from ecg_llm.data_builders.tables import sha256_of
from ecg_llm.errors import ConfigError, RecordError

MANIFEST = "manifest.json"
ROWS_PER_GROUP = 32
"""What is held in memory at once, when writing and when streaming."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A finished shard.

    Attributes
    ----------
    name : str
        File name.
    split : str
        Which split all its records are of.
    n_rows : int
        Rows in it.
    n_problems : int
        Listed records of its slice that were left out.
    n_items : int
        Listed records of its slice that were made into these rows.
    n_bytes : int
        Size.
    sha256 : str
        Of the file.
    """

    name: str
    split: str
    n_rows: int
    n_problems: int
    n_items: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is built so far, and what of.

    Attributes
    ----------
    build : dict
        Everything that determines the content.
    n_shards : int
        How many there will be.
    shards : dict of str to Shard
        Those that are finished.
    """

    build: dict[str, Any]
    n_shards: int
    shards: dict[str, Shard] = field(default_factory=dict)

    def save(self, out: Path) -> None:
        """Replace the manifest on disk, whole or not at all."""
        document = {
            "build": self.build,
            "n_shards": self.n_shards,
            "shards": [asdict(self.shards[name]) for name in sorted(self.shards)],
        }
        write_whole(out / MANIFEST, (json.dumps(document, indent=1) + "\n").encode())

    @property
    def complete(self) -> bool:
        """Whether every shard is finished."""
        return len(self.shards) == self.n_shards


def load_manifest(out: Path) -> Manifest:
    """Read the manifest of a built set.

    Raises
    ------
    ConfigError
        If there is none, or it is damaged.
    """
    path = out / MANIFEST
    if not path.is_file():
        raise ConfigError(f"{out}: no {MANIFEST} there, so it is not a built set.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        shards = [Shard(**shard) for shard in document["shards"]]
        names = {shard.name for shard in shards}
        numbers = [n for shard in shards for n in (shard.n_rows, shard.n_problems, shard.n_items)]
        if (
            len(names) != len(shards)
            or any(Path(name).name != name for name in names)
            or not all(isinstance(n, int) for n in numbers)
        ):
            raise ValueError
        return Manifest(
            build=dict(document["build"]),
            n_shards=int(document["n_shards"]),
            shards={shard.name: shard for shard in shards},
        )
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{path}: it was changed since it was written; build anew with --overwrite."
        ) from None


MAKERS = {
    "records": "ecgllm build ptbxl, mimic-iv-ecg, own or synthetic",
    "instruct": "ecgllm build instruct",
    "images": "ecgllm build images",
}
"""What builds a set, by its kind."""


def load_finished(out: Path, kind: str) -> Manifest:
    """Read the manifest of a set that must be of one kind, and whole.

    Parameters
    ----------
    kind : {"records", "instruct", "images"}
        What is needed.

    Raises
    ------
    ConfigError
        If it is no set, of another kind, or its build was not finished.
    """
    manifest = load_manifest(out)
    found = manifest.build.get("kind")
    if found != kind:
        raise ConfigError(
            f"{out}: a set of {found!r}, where one of {kind!r} is needed; {MAKERS[kind]} makes one."
        )
    if not manifest.complete:
        raise ConfigError(f"{out}: its build was not finished; run it again first.")
    return manifest


def content_of(manifest: Manifest) -> str:
    """Give a digest of all that stands in a set, to name it by."""
    digests = {name: manifest.shards[name].sha256 for name in sorted(manifest.shards)}
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even if the power fails."""
    with _temporary(path) as part:
        part.write_bytes(data)


def write_table(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    schema: pa.Schema,
    *,
    packed: Sequence[str] = (),
) -> int:
    """Write rows as Parquet; the same rows give the same bytes.

    Parameters
    ----------
    path : Path
        The file; it appears only when it is whole.
    rows : iterable of mapping
        One value for each column.
    schema : pyarrow.Schema
        Columns and types.
    packed : sequence of str
        Integer columns (Parquet paths) to store as differences.

    Returns
    -------
    int
        How many rows.
    """
    count = 0
    left = iter(rows)
    texts = [name for name in schema.names if name not in {path.split(".")[0] for path in packed}]
    with (
        _temporary(path) as part,
        pq.ParquetWriter(
            part,
            schema,
            compression="zstd",
            compression_level=3,
            version="2.6",
            data_page_version="2.0",
            use_dictionary=[*_leaves(schema, texts)],
            column_encoding=dict.fromkeys(packed, "DELTA_BINARY_PACKED") or None,
            write_page_index=False,
        ) as writer,
    ):
        while batch := list(islice(left, ROWS_PER_GROUP)):
            columns = [_column([row[field.name] for row in batch], field) for field in schema]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            count += len(batch)
    return count


def describe_shard(
    path: Path, split: str, n_rows: int, n_problems: int, n_items: int | None = None
) -> Shard:
    """Describe a shard that was written.

    Parameters
    ----------
    n_items : int, optional
        As in `Shard`; if left out, every record made one row.
    """
    return Shard(
        name=path.name,
        split=split,
        n_rows=n_rows,
        n_problems=n_problems,
        n_items=n_rows if n_items is None else n_items,
        n_bytes=path.stat().st_size,
        sha256=sha256_of(path),
    )


def read_shards(
    out: Path, split: str | None = None, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Stream the rows of a built set, in order; only finished shards are read.

    Parameters
    ----------
    out : Path
        Folder of the set.
    split : str, optional
        ``train``, ``val`` or ``test``; all of them if left out.
    columns : sequence of str, optional
        Only these; reading few is much quicker.

    Yields
    ------
    dict
        One value for each column; ``signal`` is an int16 array (n_leads, n_samples), ``gain`` a
        float32 array.

    Raises
    ------
    ConfigError
        If the folder is not a built set, or it has no such split or column.
    RecordError
        If a finished shard is gone or damaged.
    """
    manifest = load_manifest(out)
    if split not in (None, *SPLITS):
        raise ConfigError(f"{out}: no split {split!r}; there are {', '.join(SPLITS)}.")
    for name in sorted(manifest.shards):
        if split in (None, manifest.shards[name].split):
            yield from _rows(out / name, columns)


def read_row(path: Path, k: int, columns: tuple[str, ...]) -> dict[str, Any]:
    """Read one row of a shard; its neighbours are kept, as rows are asked for one after the other.

    Parameters
    ----------
    path : Path
        The shard.
    k : int
        Which row.
    columns : tuple of str
        Only these.

    Returns
    -------
    dict
        As `read_shards` gives it.

    Raises
    ------
    RecordError
        If the shard is gone or damaged.
    """
    return _group(path, k // ROWS_PER_GROUP, columns)[k % ROWS_PER_GROUP]


@functools.lru_cache(maxsize=8)
def _group(path: Path, group: int, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read neighbouring rows, without those before them."""
    try:
        with pq.ParquetFile(path) as file:
            table = file.read_row_group(group, columns=list(columns))
            return [row for batch in table.to_batches() for row in _unpacked(batch)]
    except (OSError, pa.ArrowInvalid):
        raise RecordError(
            f"{path.name}: this shard is gone or damaged; run its build again to restore it."
        ) from None


def _rows(path: Path, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Stream the rows of one shard."""
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in columns or () if name not in file.schema_arrow.names]
            if missing:
                raise ConfigError(
                    f"{path}: no column {missing[0]!r}; there are "
                    f"{', '.join(file.schema_arrow.names)}."
                )
            names = None if columns is None else list(columns)
            for batch in file.iter_batches(batch_size=ROWS_PER_GROUP, columns=names):
                yield from _unpacked(batch)
    except (OSError, pa.ArrowInvalid) as error:
        reason = "it is gone" if isinstance(error, FileNotFoundError) else "it is damaged"
        raise RecordError(
            f"{path}: the manifest lists it but {reason}; run the build again to restore it."
        ) from None


def _unpacked(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Give the rows of a batch, arrays of numbers as arrays."""
    arrays = {"signal": np.int16, "gain": np.float32}
    plain = {
        name: batch.column(name).to_pylist() for name in batch.schema.names if name not in arrays
    }
    for k in range(batch.num_rows):
        row: dict[str, Any] = {}
        for name in batch.schema.names:
            if name not in arrays:
                row[name] = plain[name][k]
                continue
            values = batch.column(name)[k].values
            if name == "signal":
                if len(set(values.value_lengths().to_pylist())) > 1:
                    raise RecordError("a shard holds a signal whose leads differ in length.")
                row[name] = np.asarray(values.flatten()).reshape(len(values), -1)
            else:
                row[name] = np.asarray(values)
        yield row


def _column(values: list[Any], of: pa.Field) -> pa.Array:
    """Make a column; a two-dimensional array becomes a list of its rows without copying cells."""
    if not isinstance(values[0], np.ndarray) or values[0].ndim != 2:
        return pa.array(values, type=of.type)
    inner = [pa.ListArray.from_arrays(_offsets([v.shape[1]] * len(v)), v.ravel()) for v in values]
    outer = _offsets([len(v) for v in values])
    return pa.ListArray.from_arrays(outer, pa.concat_arrays(inner)).cast(of.type)


def _offsets(lengths: Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), type=pa.int32())


def _leaves(schema: pa.Schema, names: Sequence[str]) -> Iterator[str]:
    """Give the Parquet paths of columns: one for each leaf of a nested type."""
    for name in names:
        yield from _paths(name, schema.field(name).type)


def _paths(prefix: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_list(kind):
        yield from _paths(f"{prefix}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for part in kind:
            yield from _paths(f"{prefix}.{part.name}", part.type)
    else:
        yield prefix


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written gets its name when it is safe on the disk."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        part.unlink(missing_ok=True)


def remove_parts(out: Path) -> None:
    """Remove what a killed run left half-written."""
    for part in out.glob(".*.part"):
        part.unlink(missing_ok=True)
