import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.encoders.delineator import DelineatorConfig
from ecg_llm.eval.rhythms import simulated_marks
from ecg_llm.training.delineator import (
    DelineatorRecipe,
    MarkedRecord,
    export,
    marked_record,
    targets,
    train,
    train_one,
)
from ecg_llm.waves import wave_probabilities

WriteLudb = Callable[[Path, int, float], None]
TINY = DelineatorRecipe(steps=6, batch=2, config=DelineatorConfig(widths=(8, 8, 8)), save_every=3)


def simulated(n: int) -> list[MarkedRecord]:
    ecgs = [synthetic_ecg(bpm=60 + 10 * k, seed=k) for k in range(n)]
    return [marked_record(e.record, simulated_marks(e), whole=True) for e in ecgs]


def test_a_boundary_between_two_samples_is_not_rounded() -> None:
    time_s = np.arange(10) / 500
    none = np.zeros((0, 3))
    y = targets({"P": none, "QRS": np.array([[0.0035, 0.006, 0.0105]]), "T": none}, time_s)
    assert y[1].sum() / 500 == pytest.approx(0.007, abs=1e-6)
    assert not y[0].any() and not y[2].any()


def test_training_lowers_the_loss() -> None:
    losses: list[float] = []
    recipe = replace(TINY, steps=60, peak_lr=1e-2)
    train_one(simulated(3), recipe, None, on_step=lambda step, loss: losses.append(loss))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])


def test_a_stopped_training_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    records = simulated(2)
    whole = train_one(records, TINY, tmp_path / "a.pt")

    def stop(step: int, loss: float) -> None:
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_one(records, TINY, tmp_path / "b.pt", on_step=stop)
    resumed = train_one(records, TINY, tmp_path / "b.pt")
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_onnx_gives_what_torch_gives_for_any_leads_and_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = DelineatorConfig().build().eval()
    export(net, tmp_path / "net.onnx")
    for leads, n in ((("II",), 700), (("I", "II", "V1", "V6"), 1500)):
        x = np.random.default_rng(0).normal(size=(len(leads), n)).astype(np.float32)
        got = wave_probabilities(x, leads, weights=tmp_path / "net.onnx")
        padded = torch.from_numpy(np.pad(x, ((0, 0), (0, -n % 128)), mode="edge"))
        ids = torch.tensor([{"I": 0, "II": 1, "V1": 6, "V6": 11}[lead] for lead in leads])
        want = torch.sigmoid(net(padded, ids)).detach().numpy()[:, :, :n]
        np.testing.assert_allclose(got, want, atol=1e-4)


def test_the_command_writes_nets_that_never_saw_their_fold(
    tmp_path: Path, write_ludb: WriteLudb
) -> None:
    for number in (1, 2, 3):
        write_ludb(tmp_path, number, 60 + 10 * number)
    paths = train(tmp_path, tmp_path / "out", recipe=TINY, folds=2)
    cards = [json.loads(path.with_suffix(".json").read_text()) for path in paths]
    assert [path.name for path in paths] == ["fold0.onnx", "fold1.onnx"]
    assert [card["records"] for card in cards] == [["1", "3"], ["2"]]
