"""PTB-XL's table as it stands, cut down, and damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.ptbxl import person, read_table, record_file, statements_of, unseen_folds


def write_table(folder: Path, text: str) -> Path:
    (folder / "ptbxl_database.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_table_is_read_with_short_rows(tmp_path):
    rows = read_table(write_table(tmp_path, "\ufeffecg_id,age\n1,56.0\n2\n"), ("ecg_id",))
    assert [(row["ecg_id"], row["age"]) for row in rows] == [("1", "56.0"), ("2", "")]


@pytest.mark.parametrize("text", ["", "ecg_id,age\n1,56.0\n"])
def test_a_missing_column_is_named(tmp_path, text):
    with pytest.raises(ConfigError, match="no column strat_fold"):
        read_table(write_table(tmp_path, text), ("strat_fold",))


def test_no_table_and_no_text(tmp_path):
    with pytest.raises(ConfigError, match="layout of PTB-XL"):
        read_table(tmp_path)
    (tmp_path / "ptbxl_database.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a comma-separated table"):
        read_table(tmp_path)


@pytest.mark.parametrize("age", ["abc", "", "nan", "-3"])
def test_an_age_that_is_none_is_unknown(age):
    assert person({"age": age, "sex": "0.0"}) == (None, "male")
    assert person({}) == (None, None)


@pytest.mark.parametrize("cell", ["", "{not a dict", "[1]", "{'NORM': 'x'}", "((((" * 100])
def test_statements_that_are_none_are_told(cell):
    with pytest.raises(ConfigError, match="ECG 5: scp_codes"):
        statements_of({"ecg_id": "5", "scp_codes": cell})


@pytest.mark.parametrize(("there", "judges"), [("9", 9), ("10", 10), ("9 10", 9), ("3", 9)])
def test_the_fold_that_judges_trained_nothing_and_is_there(tmp_path, there, judges):
    rows = "".join(f"{fold},r{fold}\n" for fold in range(1, 11))
    write_table(tmp_path, "strat_fold,filename_lr\n" + rows)
    for fold in there.split():
        (tmp_path / f"r{fold}.hea").touch()
    assert unseen_folds(tmp_path) == (judges,)
    assert record_file(tmp_path, {"filename_lr": ""}, 100) is None
