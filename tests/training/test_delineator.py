import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.encoders.delineator import DelineatorConfig
from ecg_llm.training.beat_net import BeatRecipe, beat_example, interval_loss, marked_beats
from ecg_llm.training.delineator import DelineatorRecipe, export, train
from ecg_llm.training.marked_records import (
    MarkedRecord,
    marked_record,
    simulated_marks,
    targets,
)
from ecg_llm.training.strip_net import StripRecipe, train_strips
from ecg_llm.waves import wave_probabilities

WriteLudb = Callable[[Path, int, float], None]
SMALL = DelineatorConfig(widths=(8, 8, 8), kernel=5, stem_stride=4)
TINY = StripRecipe(steps=6, batch=2, config=SMALL, save_every=3, simulated_records=4)
TINY_BEATS = BeatRecipe(steps=4, batch=2, config=SMALL, simulated_records=4)


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
    train_strips(simulated(3), recipe, None, on_step=lambda step, loss: losses.append(loss))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])


def test_a_stopped_training_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    records = simulated(2)
    whole = train_strips(records, TINY, tmp_path / "a.pt")

    def stop(step: int, loss: float) -> None:
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_strips(records, TINY, tmp_path / "b.pt", on_step=stop)
    resumed = train_strips(records, TINY, tmp_path / "b.pt")
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
    recipe = DelineatorRecipe(TINY, TINY_BEATS)
    paths = train(tmp_path, tmp_path / "out", recipe=recipe, folds=2)
    cards = [json.loads(path.with_suffix(".json").read_text()) for path in paths]
    assert [path.name for path in paths] == [
        f"fold{k}{net}.onnx" for k in (0, 1) for net in ("", "_beat")
    ]
    assert [card["records"] for card in cards] == [["1", "3"]] * 2 + [["2"]] * 2


def test_an_averaged_beat_carries_the_mean_of_its_marks() -> None:
    ecg = synthetic_ecg(bpm=70, pr_ms=160, qrs_ms=90, seed=4, noise=None)
    strip = marked_record(ecg.record, simulated_marks(ecg), whole=True)
    beats = marked_beats(strip, ecg.truth.delineation.r_s)
    assert beats is not None
    width_ms = []
    for seed in range(20):
        x, ids, y, mask = beat_example(beats, np.random.default_rng(seed))
        assert x.shape == mask.shape == (12, 640) and y.shape == (12, 3, 640) and len(ids) == 12
        width_ms.append(y[:, 1, 200:300].sum(axis=1).mean() * 2)
    assert 60 < np.median(width_ms) < 120


def test_the_interval_loss_counts_what_the_leads_err_in_common() -> None:
    y = torch.zeros(4, 3, 640)
    y[:, 0, 150:200], y[:, 1, 230:275], y[:, 2, 350:450] = 1, 1, 1
    late, apart = y.clone(), y.clone()
    late[:, 1, 275:280] = 1  # QRS 10 ms longer in every lead
    apart[:2, 1, 275:280], apart[2:, 1, 270:275] = 1, 0  # in two leads longer, in two shorter

    def loss(read: torch.Tensor) -> float:
        logits = (read * 2 - 1) * 20
        return float(
            interval_loss(logits, (logits[:, 0], torch.zeros(4), y, torch.ones(4, 640), 4))
        )

    assert loss(y) == pytest.approx(0, abs=1e-3)
    assert loss(late) == pytest.approx(10 - 1.5, abs=0.1)
    assert loss(apart) == pytest.approx(0, abs=1e-3)
