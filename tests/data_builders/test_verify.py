"""A good set passes; each way to spoil one is noticed."""

from __future__ import annotations

import json

import pytest

import ecg_llm.data_builders.verify_records as checks
from ecg_llm.data_builders.schema import record_schema
from ecg_llm.data_builders.verify import verify
from ecg_llm.errors import ConfigError


def faults_of(out, recompute=0):
    return [str(fault) for fault in verify(out, recompute=recompute).faults]


def test_a_good_set(small_set):
    result = verify(small_set, recompute=2)
    assert not result.faults
    assert str(result).endswith("7 records: all is well (2 recomputed)")


def test_a_changed_byte(own_set):
    path = min(own_set.glob("*.parquet"))
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    (fault,) = faults_of(own_set)
    assert fault.startswith(f"{path.name}: its content is not what was written")


def test_files_that_are_gone_or_too_many(own_set):
    path = min(own_set.glob("*.parquet"))
    path.rename(own_set / "more.parquet")
    assert faults_of(own_set) == [
        "more.parquet: the manifest does not list it",
        f"{path.name}: it is gone",
    ]


def test_a_build_that_was_not_finished(own_set):
    manifest = json.loads((own_set / "manifest.json").read_text())
    gone = manifest["shards"].pop()
    (own_set / "manifest.json").write_text(json.dumps(manifest))
    (own_set / gone["name"]).unlink()
    assert any("shards are finished" in fault for fault in faults_of(own_set))
    (own_set / "card.json").unlink()
    with pytest.raises(ConfigError, match="not finished"):
        verify(own_set)


def test_counts_that_do_not_add_up(own_set):
    card = json.loads((own_set / "card.json").read_text())
    card["counts"]["listed"] += 1
    (own_set / "card.json").write_text(json.dumps(card))
    assert faults_of(own_set) == ["card.json: 8 listed is not 7 written + 0 left out"]
    card["counts"]["listed"] -= 1
    card["quality"] = {"accept": 1}
    (own_set / "card.json").write_text(json.dumps(card))
    assert faults_of(own_set) == ["card.json: quality is not what the shards hold"]
    (own_set / "problems.jsonl").write_text("no problem\n")
    assert faults_of(own_set) == ["problems.jsonl: a line is not a problem with its reason"]


def test_a_card_whose_names_of_labels_are_gone(own_set):
    card = json.loads((own_set / "card.json").read_text())
    (own_set / "card.json").write_text(json.dumps({**card, "label_names": None}))
    assert any("is not in the vocabulary" in fault for fault in faults_of(own_set))


def move_patient(rows):
    rows[0]["patient"] = "the same"
    rows[1]["patient"], rows[1]["split"] = "the same", "elsewhere"


def shift_signal(rows):
    rows[0]["signal"] = rows[0]["signal"].copy()
    rows[0]["gain"] = rows[0]["gain"] * 3


def say_otherwise(rows):
    rows[0]["heart_rate_bpm"] = 17.0


SPOILED = {
    "also in another split": move_patient,
    "does not come back from its millivolts": shift_signal,
    "stands twice": lambda rows: rows[1].update(record=rows[0]["record"]),
    "label 'WHAT' is not in the vocabulary": lambda rows: rows[0].update(
        labels=[{"code": "WHAT", "likelihood": 100.0}]
    ),
    "heart_rate_bpm is 17.0 in its column": say_otherwise,
    "finding 'nonsense' (present) is unknown": lambda rows: rows[0].update(
        findings=[{"code": "nonsense", "status": "present", "probability": None}]
    ),
    "its quality has two verdicts": lambda rows: rows[0].update(quality_verdict="limit"),
    "a column of JSON cannot be read": lambda rows: rows[0].update(findings_json="{"),
    "it is not a record": lambda rows: rows[0].update(gain=rows[0]["gain"][:-1]),
    "licence is missing": lambda rows: rows[0].update(licence=None),
    "its statements are not those of its labels": lambda rows: rows[0].update(statements=["x"]),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_row(own_set, layouts, what):
    layouts.spoil(own_set, SPOILED[what], record_schema())
    assert any(what in fault for fault in faults_of(own_set)), faults_of(own_set)


def test_measurements_that_are_not_those_of_the_signal(own_set, layouts, monkeypatch):
    def change(rows):
        for row in rows:
            measured = json.loads(row["measurements"])
            measured["values"]["qt_ms"]["n"] += 1
            row["measurements"] = json.dumps(measured)

    layouts.spoil(own_set, change, record_schema())
    assert not faults_of(own_set)
    assert any("recomputed, it has another measurements" in f for f in faults_of(own_set, 2))
    monkeypatch.setattr(checks, "fingerprint", dict)
    assert any("made by another version" in fault for fault in faults_of(own_set, 2))


def test_a_kind_that_is_not_known(own_set):
    card = json.loads((own_set / "card.json").read_text())
    (own_set / "card.json").write_text(json.dumps({**card, "kind": "songs"}))
    with pytest.raises(ConfigError, match="kind 'songs'; there are records"):
        verify(own_set)
