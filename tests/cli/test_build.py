"""The build commands as a person types them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import ecg_llm.data_builders.build as engine
from ecg_llm.cli.app import app

pytest.importorskip("pyarrow")
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    monkeypatch.setattr(engine, "_run_local", lambda tasks, workers: map(engine.build_shard, tasks))


def test_build_and_verify(tmp_path):
    out = str(tmp_path / "set")
    options = ["--fs", "100", "--out", out]
    made = run(app, ["build", "synthetic", "--n", "2", *options])
    assert made.exit_code == 0, made.output
    assert "2 listed = 2 written + 0 left out" in made.stdout
    good = run(app, ["build", "verify", out])
    assert (good.exit_code, "all is well" in good.stdout) == (0, True)
    refused = run(app, ["build", "synthetic", "--n", "3", *options])
    assert (refused.exit_code, "n was 2, now 3" in refused.output) == (2, True)
    min((tmp_path / "set").glob("*.parquet")).unlink()
    bad = run(app, ["build", "verify", out])
    assert (bad.exit_code, "it is gone" in bad.stdout) == (1, True)


def test_a_set_of_nothing_is_no_success(tmp_path):
    folder, out = tmp_path / "ptbxl", str(tmp_path / "set")
    folder.mkdir()
    columns = "ecg_id,patient_id,age,sex,recording_date,report,scp_codes,strat_fold,filename_lr"
    (folder / "ptbxl_database.csv").write_text(f"{columns}\n1,1,50,0,,,{{}},1,gone/00001_lr\n")
    (folder / "scp_statements.csv").write_text(",description\nNORM,normal ECG\n")
    made = run(app, ["build", "ptbxl", str(folder), "--fs", "100", "--out", out])
    assert made.exit_code == 2
    assert "nothing was written" in made.output
    assert "such as 00001: gone/00001_lr.hea: no such file" in made.output
    checked = run(app, ["build", "verify", out])
    assert (checked.exit_code, "no record was written" in checked.stdout) == (1, True)


@pytest.mark.parametrize("source", ["ptbxl", "mimic-iv-ecg"])
def test_a_folder_that_is_not_the_data_set(tmp_path, source):
    missing = run(app, ["build", source, str(tmp_path / "none"), "--out", str(tmp_path / "set")])
    assert (missing.exit_code, "no such folder" in missing.output) == (2, True)
    other = run(app, ["build", source, str(tmp_path), "--out", str(tmp_path / "set")])
    assert (other.exit_code, ".csv: no such file" in other.output) == (2, True)
    assert not (tmp_path / "set").exists()


def test_a_file_where_the_set_is_to_be_is_told(tmp_path):
    (tmp_path / "set").write_text("mine")
    made = run(app, ["build", "synthetic", "--n", "1", "--out", str(tmp_path / "set")])
    assert (made.exit_code, (tmp_path / "set").read_text()) == (2, "mine")
    assert "set: a file is in the way of this folder" in made.output
