"""The loop: a stopped run gives the numbers of one that was not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.encode import encode
from ecg_llm.errors import ConfigError
from ecg_llm.training import encoder as training
from ecg_llm.training.loop import LoopConfig, _rate_at
from ecg_llm.training.pack import Pack
from ecg_llm.training.recipe import RECIPES, Recipe, load_recipe
from ecg_llm.training.store import load_encoder, load_tensors

torch = pytest.importorskip("torch")

EXAMPLES = Path(__file__).parents[2] / "examples"


def _recipe(objective: str = "supervised", **loop: object) -> Recipe:
    from ecg_llm.training.recipe import DataConfig

    return Recipe(
        objective=objective,
        loop=replace(LoopConfig(steps=4, batch=8, save_every=2), **loop),
        data=DataConfig(simulated=24),
    )


def test_a_stopped_run_gives_the_numbers_of_one_that_was_not(
    small_pack: Pack, tmp_path: Path
) -> None:
    recipe = _recipe()
    whole = training.train_stage(recipe, small_pack, tmp_path / "whole")
    training.train_stage(recipe, small_pack, tmp_path / "parts", stop_at=2)
    parts = training.train_stage(recipe, small_pack, tmp_path / "parts")
    assert parts == whole
    assert training.train_stage(recipe, small_pack, tmp_path / "parts") == whole  # all is done
    one = load_encoder(tmp_path / "whole").state_dict()
    for name, x in load_encoder(tmp_path / "parts").state_dict().items():
        assert torch.equal(x, one[name]), name
    assert (tmp_path / "parts" / "curve.png").stat().st_size > 5000


def test_a_checkpoint_of_another_run_is_not_continued(small_pack: Pack, tmp_path: Path) -> None:
    training.train_stage(_recipe(), small_pack, tmp_path, stop_at=2)
    with pytest.raises(ConfigError, match=r"with another recipe\.loop\.peak_lr;"):
        training.train_stage(_recipe(peak_lr=0.1), small_pack, tmp_path)


@pytest.mark.parametrize("objective", ["latent", "masked", "contrast", "adapt"])
def test_every_objective_learns_and_can_be_stored(
    small_pack: Pack, tmp_path: Path, objective: str
) -> None:
    start = ""
    if objective == "adapt":
        training.train_stage(_recipe(steps=1), small_pack, tmp_path / "start")
        start = str(tmp_path / "start")
    recipe = replace(_recipe(objective, steps=10, warmup=0.0, peak_lr=3e-3), start=start)
    losses: list[float] = []
    training.train_stage(
        recipe,
        small_pack,
        tmp_path,
        report=lambda stage, step, n, logs: losses.append(logs["loss"]),
    )
    assert all(np.isfinite(losses))
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    load_encoder(tmp_path)


def test_the_graph_gives_what_torch_gives(small_pack: Pack, tmp_path: Path) -> None:
    training.train_stage(_recipe(), small_pack, tmp_path)
    records = [small_pack.record(k) for k in range(3)]
    fast = encode(records, weights=tmp_path / "signal_encoder.onnx")
    from ecg_llm.encoders.signal_input import encoder_input

    inputs = [encoder_input(record) for record in records]
    signal = np.stack([x for x, _, _ in inputs])
    present = np.stack([there for _, there, _ in inputs])
    with torch.no_grad():
        slow = load_encoder(tmp_path)(
            torch.from_numpy(signal), torch.from_numpy(present), torch.ones(3).bool()
        )
    assert np.abs(fast.vector - slow.vector.numpy()).max() < 1e-3
    assert np.abs(np.stack(fast.tokens) - slow.tokens.numpy()).max() < 1e-3
    assert np.abs(fast.log_var - slow.log_var.numpy()).max() < 1e-3
    assert load_tensors(tmp_path)["head.weight"].shape == (99, 256)
    weights = tmp_path / "signal_encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ConfigError, match="no trained encoder there"):
        load_encoder(tmp_path)


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('objective = "supervised"\n[loop]\npeek_lr = 1e-3\n')
    with pytest.raises(ConfigError, match=r"unknown key 'peek_lr' \(did you mean 'peak_lr'"):
        load_recipe(str(path))
    with pytest.raises(ConfigError, match="did you mean 'supervised'"):
        load_recipe("supervise")


def test_the_card_lists_what_was_learnt_from_and_counts_the_time_before_a_stop(
    small_pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**6, 100))
    monkeypatch.setattr("ecg_llm.training.loop.time.monotonic", lambda: float(next(clock)))
    source = np.array(["simulated", "own", "challenge2011"] * 8)
    labels = np.where((source == "challenge2011")[:, None], np.int8(-1), small_pack.labels)
    pack = replace(small_pack, source=source, labels=labels)
    shares = {"simulated": 1.0, "own": 0.0, "challenge2011": 1.0}
    recipe = replace(_recipe(), data=replace(_recipe().data, shares=shares))
    training.train_stage(recipe, pack, tmp_path, stop_at=2)
    before = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["seconds"]
    training.train_stage(recipe, pack, tmp_path)
    card = json.loads((tmp_path / "signal_encoder.json").read_text())
    # One source has no share, another no statement.
    assert [row["source"] for row in card["sources"]] == ["simulated"]
    assert card["sources"][0]["records"] == 8
    assert card["seconds"] > before > 0


@pytest.mark.slow
def test_of_several_processes_one_packs_and_one_writes(tmp_path: Path) -> None:
    """They packed into one file at a time, and what an objective does not use stopped them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "quality.csv").write_text("record,quality\n")
    shutil.copy(EXAMPLES / "00001_lr.hea", tmp_path / "data")
    shutil.copy(EXAMPLES / "00001_lr.dat", tmp_path / "data")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["-m", "ecg_llm.cli", "train", "encoder", "--recipe", "latent", "--steps", "1"]
    command += ["--batch", "2", "--simulated", "4", "--data", tmp_path / "data"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "out"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    load_encoder(tmp_path / "out")


def test_what_trains_does_not_judge(small_pack: Pack, tmp_path: Path) -> None:
    pack = replace(
        small_pack, fold=np.where(np.arange(24) % 2, 1, 9).astype(np.int8), source=np.full(24, "a")
    )
    for folds in ((1,), (1, 9)):
        recipe = replace(_recipe(steps=1), data=replace(_recipe().data, folds=folds))
        logs = training.train_stage(recipe, pack, tmp_path / str(len(folds)))
        assert any("AUC" in name for name in logs) == (9 not in folds)


def test_an_encoder_is_not_overwritten_by_what_begins_with_it(
    small_pack: Pack, tmp_path: Path
) -> None:
    training.train_stage(_recipe(steps=1), small_pack, tmp_path / "one")
    again = replace(_recipe(steps=1), start=str(tmp_path / "one"))
    with pytest.raises(ConfigError, match="would be overwritten; give another --out"):
        training.train_stage(again, small_pack, tmp_path / "one")


def test_few_records_are_no_more_than_there_are(small_pack: Pack, tmp_path: Path) -> None:
    recipe = replace(_recipe(steps=1), data=replace(_recipe().data, few=100))
    assert training.train_stage(recipe, small_pack, tmp_path)["loss"] > 0


def test_every_recipe_that_ships_is_read() -> None:
    for path in RECIPES.glob("*.toml"):
        recipe = load_recipe(path.stem, steps=7)
        assert recipe.loop.steps == 7
        for stage in recipe.stages:
            load_recipe(stage)


def test_the_rate_rises_and_falls() -> None:
    config = LoopConfig(steps=100, peak_lr=1.0)
    rates = [_rate_at(step, config) for step in range(100)]
    assert rates[0] < rates[9] == pytest.approx(1.0)
    assert rates[-1] < 0.01
