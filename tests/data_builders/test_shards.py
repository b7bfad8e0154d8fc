"""Shards are whole or not there."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecg_llm.data_builders.schema import record_schema
from ecg_llm.data_builders.shards import (
    ROWS_PER_GROUP,
    load_manifest,
    read_shards,
    write_table,
)
from ecg_llm.errors import ConfigError, RecordError

SCHEMA = pa.schema([("name", pa.string()), ("signal", pa.list_(pa.list_(pa.int16())))])
PACKED = ("signal.list.element.list.element",)


def rows_of(n):
    rng = np.random.default_rng(0)
    for k in range(n):
        yield {"name": str(k), "signal": rng.integers(-999, 999, (2, 5 + k)).astype(np.int16)}


def test_the_same_rows_give_the_same_bytes(tmp_path):
    n = ROWS_PER_GROUP + 3
    for name in "ab":
        assert write_table(tmp_path / name, rows_of(n), SCHEMA, packed=PACKED) == n
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    table = pq.read_table(tmp_path / "a")
    assert table.schema.equals(SCHEMA)
    for found, row in zip(table.to_pylist(), rows_of(n), strict=True):
        assert found["signal"] == row["signal"].tolist()


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def broken():
        yield from rows_of(ROWS_PER_GROUP + 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(tmp_path / "a", broken(), SCHEMA)
    assert not list(tmp_path.iterdir())


def test_no_rows_are_a_shard_too(tmp_path):
    assert write_table(tmp_path / "a", [], record_schema()) == 0
    assert pq.read_schema(tmp_path / "a").equals(record_schema())


def test_every_column_tells_its_meaning():
    assert all(field.metadata[b"meaning"].strip() for field in record_schema())


def test_columns_and_splits_can_be_chosen(small_set):
    shards = load_manifest(small_set).shards.values()
    for split in {shard.split for shard in shards}:
        rows = list(read_shards(small_set, split, ["record", "gain"]))
        assert len(rows) == sum(shard.n_rows for shard in shards if shard.split == split)
        assert all(set(row) == {"record", "gain"} for row in rows)
        assert rows[0]["gain"].dtype == np.float32
    with pytest.raises(ConfigError, match="no split 'dev'"):
        next(read_shards(small_set, "dev"))
    with pytest.raises(ConfigError, match="no column 'ecg'"):
        next(read_shards(small_set, columns=["ecg"]))


def test_a_shard_that_is_not_listed_is_not_read(own_set):
    manifest = json.loads((own_set / "manifest.json").read_text())
    dropped = manifest["shards"].pop()
    (own_set / "manifest.json").write_text(json.dumps(manifest))
    assert len(list(read_shards(own_set, columns=["record"]))) == 7 - dropped["n_rows"]


@pytest.mark.parametrize("cut", [0, 100])
def test_a_listed_shard_that_is_gone_or_cut_is_an_error(own_set, cut):
    path = min(own_set.glob("*.parquet"))
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    else:
        path.unlink()
    with pytest.raises(RecordError, match=r"is damaged|is gone"):
        list(read_shards(own_set))


SHARD = {"name": "a", "split": "val", "n_problems": 0, "n_items": 0, "n_bytes": 0, "sha256": ""}
NO_NUMBER = json.dumps({"build": {}, "n_shards": 1, "shards": [{**SHARD, "n_rows": None}]})


@pytest.mark.parametrize(
    "text", ["", "[]", '{"build": {}, "n_shards": 1, "shards": [{}]}', NO_NUMBER]
)
def test_a_manifest_that_was_changed(own_set, text):
    (own_set / "manifest.json").write_text(text)
    with pytest.raises(ConfigError, match="changed since it was written"):
        load_manifest(own_set)


def test_leads_of_different_lengths_are_no_signal(own_set):
    path = min(own_set.glob("*.parquet"))
    rows = pq.read_table(path).to_pylist()
    # One sample moved to the next lead: the sum is the same.
    rows[0]["signal"][1].insert(0, rows[0]["signal"][0].pop())
    write_table(path, rows, record_schema())
    with pytest.raises(RecordError, match="differ in length"):
        list(read_shards(own_set))


def test_a_folder_that_is_no_set(tmp_path):
    with pytest.raises(ConfigError, match="not a built set"):
        load_manifest(tmp_path)
