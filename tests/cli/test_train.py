"""Training from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecg_llm.cli import figures
from ecg_llm.cli.app import app

pytest.importorskip("torch")
pytest.importorskip("accelerate")
run = CliRunner().invoke

_STAGE = """
objective = "{}"
[loop]
steps = 3
batch = 4
[data]
simulated = 6
"""


def test_a_sequence_trains_and_every_stage_begins_with_the_one_before(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = run(app, ["build", "synthetic", "--n", "2", "--fs", "100", "--out", str(data / "set")])
    assert made.exit_code == 0, made.output
    for name in ("latent", "supervised"):
        (tmp_path / f"{name}.toml").write_text(_STAGE.format(name))
    stages = json.dumps([str(tmp_path / "latent.toml"), str(tmp_path / "supervised.toml")])
    recipe = tmp_path / "both.toml"
    recipe.write_text(f'objective = "sequence"\nstages = {stages}\n[data]\nsimulated = 6\n')
    command = ["train", "encoder", "--recipe", str(recipe), "--data", str(data)]
    done = run(app, [*command, "--out", str(tmp_path / "out"), "--steps", "1"])
    assert done.exit_code == 0, done.output
    card = json.loads((tmp_path / "out" / "signal_encoder.json").read_text())
    assert card["recipe"]["loop"]["steps"] == 1
    assert card["recipe"]["start"] == str(tmp_path / "out" / "1-latent")
    assert [row["source"] for row in card["sources"]] == ["simulated", "synthetic"]
    assert "latent: learns from 6 simulated (86%), 1 synthetic (14%)" in done.output
    assert "supervised 1/1" in done.output


def test_an_empty_folder_is_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    command = ["train", "encoder", "--recipe", "masked", "--data", str(tmp_path / "data")]
    done = run(app, [*command, "--out", str(tmp_path / "out"), "--steps", "1"])
    assert done.exit_code == 2
    assert "none of ptbxl/" in done.output
    assert not (tmp_path / "out").exists()


def test_a_wrong_recipe_is_one_message(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[loop]\nstep = 3\n")
    command = ["train", "encoder", "--recipe", str(recipe), "--data", str(tmp_path)]
    done = run(app, [*command, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "did you mean 'steps'" in done.output


@pytest.mark.parametrize(
    "command",
    [
        ["head", "--encoder", "runs/none"],
        ["encoder", "--recipe", "supervised"],
        ["delineator"],
        ["quality"],
        ["rhythm"],
        ["text"],
    ],
)
def test_a_folder_that_is_not_there_is_one_message(command: list[str], tmp_path: Path) -> None:
    done = run(app, ["train", *command, "--data", "nowhere", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "nowhere: no such folder" in done.output


@pytest.mark.parametrize("command", [["quality"], ["rhythm"], ["text"], ["pages"]])
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures.os, "access", lambda path, mode: mode != os.W_OK)
    out = tmp_path / "out" / "q.npz"
    done = run(app, ["train", *command, "--data", str(tmp_path), "--out", str(out)])
    assert done.exit_code == 2
    assert "nothing can be written there; give another place" in done.output
