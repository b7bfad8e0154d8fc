import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.encoders.delineator import DelineatorConfig
from ecg_llm.errors import ConfigError
from ecg_llm.eval.rhythms import simulated_marks
from ecg_llm.training.delineator import _export, _read_together, _train_one, train
from ecg_llm.training.delineator_data import MarkedRecord, ReadRecord, _targets, marked_record
from ecg_llm.training.delineator_recipe import LISTENER, SINGLES, DelineatorRecipe
from ecg_llm.waves import wave_probabilities

WriteLudb = Callable[[Path, int, float], None]
SMALL = DelineatorConfig((8, 8, 8))
TINY = replace(LISTENER, steps=6, rows=24, config=SMALL, save_every=3)
ALONE = replace(SINGLES[0], steps=4, last_steps=1, rows=4)
TINY_RECIPE = DelineatorRecipe(
    singles=(ALONE,), listener=TINY, student=replace(TINY, read_share=0.5), simulated_records=4
)


def simulated(n: int) -> list[MarkedRecord]:
    ecgs = [synthetic_ecg(bpm=60 + 10 * k, seed=k) for k in range(n)]
    return [marked_record(e.record, simulated_marks(e), whole=True) for e in ecgs]


def test_a_boundary_between_two_samples_is_not_rounded() -> None:
    time_s = np.arange(10) / 500
    none = np.zeros((0, 3))
    y = _targets({"P": none, "QRS": np.array([[0.0035, 0.006, 0.0105]]), "T": none}, time_s)
    assert y[1].sum() / 500 == pytest.approx(0.007, abs=1e-6)
    assert not y[0].any() and not y[2].any()


def test_training_lowers_the_loss() -> None:
    losses: list[float] = []
    recipe = replace(TINY, steps=60, peak_lr=1e-2)
    _train_one(simulated(3), recipe, None, on_step=lambda step, loss: losses.append(loss))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])


def test_a_stopped_training_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    records = simulated(2)
    whole = _train_one(records, TINY, tmp_path / "a.pt")

    def stop(step: int, loss: float) -> None:
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train_one(records, TINY, tmp_path / "b.pt", on_step=stop)
    resumed = _train_one(records, TINY, tmp_path / "b.pt")
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_other_records_is_not_taken_up(tmp_path: Path) -> None:
    """Nets of five folds began from those of three, which had seen what they were judged on."""
    records, file = simulated(3), tmp_path / "fold0.pt"
    _train_one(records, TINY, file)
    kept = file.read_bytes()
    with pytest.raises(ConfigError, match="another records"):
        _train_one(records[1:], TINY, file)
    with pytest.raises(ConfigError, match="another recipe"):
        _train_one(records, replace(TINY, seed=1), file)
    assert file.read_bytes() == kept
    file.write_bytes(kept[:100])
    with pytest.raises(ConfigError, match="damaged"):
        _train_one(records, TINY, file)


def test_onnx_gives_what_torch_gives_for_any_leads_and_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = DelineatorConfig().build().eval()
    _export(net, tmp_path / "net.onnx")
    for leads, n in ((1, 700), (4, 1500)):
        x = np.random.default_rng(0).normal(size=(leads, n)).astype(np.float32)
        got = wave_probabilities(x, weights=tmp_path / "net.onnx")
        padded = torch.from_numpy(np.pad(x, ((0, 0), (0, -n % 128)), mode="edge"))
        want = torch.sigmoid(net(padded)).detach().numpy()[:, :, :n]
        np.testing.assert_allclose(got, want, atol=1e-4)


def test_the_command_writes_nets_that_never_saw_their_fold(
    tmp_path: Path, write_ludb: WriteLudb
) -> None:
    for number in (1, 2, 3):
        write_ludb(tmp_path, number, 60 + 10 * number)
    paths = train(tmp_path, tmp_path / "out", recipe=TINY_RECIPE, unmarked=[tmp_path], folds=2)
    cards = [json.loads(path.with_suffix(".json").read_text()) for path in paths]
    assert [path.name for path in paths] == ["fold0.onnx", "fold1.onnx"]
    assert [card["records"] for card in cards] == [["1", "3"], ["2"]]
    assert cards[0]["unmarked"]["records"] == 3
    assert (tmp_path / "out" / "fold0_single0.pt").is_file()


def test_teachers_are_averaged_only_where_the_listener_finds_a_wave() -> None:
    torch.manual_seed(0)
    signal = simulated(1)[0].signal
    alone = SINGLES[0].config.build().eval()
    sure, never = SMALL.build().eval(), SMALL.build().eval()
    torch.nn.init.constant_(sure.head.bias, 50.0)
    torch.nn.init.constant_(never.head.bias, -50.0)
    assert _read_together(signal, [alone], never).max() == 0
    both = _read_together(signal, [alone], sure).astype(float)
    assert both.min() >= 0.5 and both.std() > 0


def test_a_record_that_was_read_gives_the_probabilities_at_the_nearest_samples() -> None:
    probability = np.random.default_rng(0).random((2, 3, 6)).astype(np.float16)
    record = ReadRecord(np.zeros((2, 6), np.float32), probability)
    y, mask = record.cut(np.array([1]), np.array([0.4, 2.6, 4.8, 6.2]))
    np.testing.assert_array_equal(y[0], probability[1][:, [0, 3, 5, 5]].astype(np.float32))
    assert mask.tolist() == [[1, 1, 1, 0]]
