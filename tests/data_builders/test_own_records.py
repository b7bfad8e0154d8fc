"""A folder of one's own ECGs, and the table of what is known of them."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("pyarrow")

from ecg_llm.data_builders.build import build
from ecg_llm.data_builders.own_records import OwnRecords
from ecg_llm.data_builders.shards import read_shards
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.data_builders.verify import verify
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from tests.data_builders.conftest import write_wfdb

HEADER = "record,statements,patient,split,age,sex,report"
ROWS = (
    "ward/a.hea,NORM SR,p1,train,56,F,normal ECG",
    "b,AFIB,p2,val,,,",
    "ward/c,NRM,p3,train,,,",
    "ward/d,SR,p4,late,,,",
    "ward/e,SR,p2,train,,,",
    "ward/f,SR,,,old,,",
    "ward/gone,SR,,,,,",
    "ward/a,SR,,,,,",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("own")
    for k, name in enumerate(("a", "b", "c", "d", "e", "f", "g")):
        record = synthetic_ecg(bpm=60 + 5 * k, seed=k, fs=100).record
        write_wfdb(out / "ward" / f"{name}.hea", record, STANDARD_12, 1000.0)
    (out / "statements.csv").write_text("\n".join((HEADER, *ROWS)) + "\n")
    return out


def test_what_is_known_comes_along_and_the_rest_is_told(folder, tmp_path, in_process):
    summary = build(OwnRecords(folder, "CC0"), tmp_path / "set", progress=False)
    rows = {row["record"]: row for row in read_shards(tmp_path / "set")}
    assert sorted(rows) == ["ward/a", "ward/b", "ward/g"]
    a, b, g = (rows[name] for name in sorted(rows))
    assert [label["code"] for label in a["labels"]] == ["NORM", "SR"]
    assert (a["patient"], a["age_years"], a["sex"]) == ("p1", 56, "female")
    assert a["report"] == "normal ECG"
    assert (a["split"], b["split"], a["licence"]) == ("train", "val", "CC0")
    assert g["labels"] == []  # the table does not name it
    lines = (tmp_path / "set" / "problems.jsonl").read_text().splitlines()
    told = {item["record"]: item["reason"] for item in map(json.loads, lines)}
    assert "is NORM meant?" in told["ward/c"]
    assert "split 'late' is none of train, val, test" in told["ward/d"]
    assert "while its patient is in val" in told["ward/e"]
    assert "age is not a number" in told["ward/f"]
    assert "no such record is in the folder" in told["ward/gone"]
    assert "stands twice" in told["ward/a"]
    assert summary.n_listed == summary.n_items + summary.n_problems == 9
    assert not verify(tmp_path / "set", recompute=1).faults
    card = (tmp_path / "set" / "README.md").read_text()
    assert "`ecgllm build own DIR --out OUT --licence CC0`" in card


def test_a_table_or_folder_of_another_kind_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no ECG record found there"):
        OwnRecords(tmp_path).listing()
    record = synthetic_ecg(bpm=60, seed=0, fs=100).record
    write_wfdb(tmp_path / "a.hea", record, STANDARD_12, 1000.0)
    (tmp_path / "statements.csv").write_text("file,labels\na,SR\n")
    with pytest.raises(ConfigError, match="it needs each of the columns record once"):
        OwnRecords(tmp_path).listing()


def test_a_row_that_is_no_text_costs_one_record(tmp_path):
    write_wfdb(tmp_path / "a.hea", synthetic_ecg(seed=0, fs=100).record, STANDARD_12, 1000.0)
    (tmp_path / "statements.csv").write_bytes(b"record,report\na,normal ECG\nb,caf\xe9\n")
    listing = OwnRecords(tmp_path).listing()
    assert sum(map(len, listing.order.values())) == 1
    (problem,) = listing.problems
    assert (problem.record, problem.kind) == ("statements.csv record 2", "row")
