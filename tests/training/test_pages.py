"""Training pages tell the truth; a tiny net learns from them, resumes and runs without torch."""

import dataclasses

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.page.net import LABELS, MARK_STEP, OFFSET_PX, START, look
from ecg_llm.training.page_examples import load_truth, page_truth, save_truth
from ecg_llm.training.page_targets import crop_targets

torch = pytest.importorskip("torch")

from ecg_llm.encoders.page_net import PageNetConfig  # noqa: E402
from ecg_llm.training import pages  # noqa: E402
from ecg_llm.training.pages import PageRecipe, _draw_pages, _export_net, _train_net  # noqa: E402
from ecg_llm.training.runs import hold_to  # noqa: E402

TINY = PageRecipe(
    pages=2, steps=4, batch=2, crop_px=128, save_every=2, ema=0.5,
    config=PageNetConfig(widths=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1)),
)  # fmt: skip


@pytest.fixture(scope="module")
def record():
    return synthetic_ecg(bpm=72, seed=3, noise=None).record


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_truth_lies_on_the_ink(record, seed, tmp_path):
    truth = page_truth(record, seed)
    save_truth(truth, tmp_path / "page.npz")
    again = load_truth(tmp_path / "page.npz")
    assert again.image.shape == truth.image.shape
    points = again.trace[np.isfinite(again.trace).all(axis=1)]
    assert len(points) > 1000
    grey = again.image.mean(axis=2)
    height, width = grey.shape
    x, y = np.rint(points).astype(int).T
    inside = (x > 8) & (x < width - 8) & (y > 8) & (y < height - 8)
    x, y = x[inside], y[inside]
    around = np.minimum(grey[y - 8, x], grey[y + 8, x])
    assert (grey[y, x] < around - 5).mean() > 0.6


def test_targets_fit_the_crop(record):
    truth = page_truth(record, 4)
    found = crop_targets(truth, 512, np.random.default_rng(0))
    assert found.image.shape == (3, 512, 512) and found.trace.shape == (1, 512, 512)
    assert 0.001 < (found.trace > 0.5).mean() < 0.1
    assert found.marks[: len(LABELS)].max() == 1 and found.marks[START].max() <= 1
    known = np.isfinite(found.offset[0])
    # Every cell with an offset has ink in or right beside it.
    ink = found.trace[0].reshape(128, MARK_STEP, 128, MARK_STEP).max(axis=(1, 3)) > 0
    near = ink | np.roll(ink, 1, 0) | np.roll(ink, -1, 0) | np.roll(ink, 1, 1) | np.roll(ink, -1, 1)
    assert known.any() and near[known].mean() > 0.99
    assert np.nanmax(np.abs(found.offset)) * OFFSET_PX < 512
    assert np.nanmax(np.abs(found.lie)) < 0.6


def test_a_tiny_net_trains_resumes_and_runs_without_torch(record, tmp_path):
    paths = _draw_pages([record], tmp_path / "pages", TINY)
    losses = []
    whole = _train_net(paths, TINY, None, lambda step, steps, loss: losses.append(loss))
    assert len(losses) == TINY.steps and np.isfinite(losses).all()
    half = dataclasses.replace(TINY, steps=2, decay_from=0.999)
    again = dataclasses.replace(TINY, decay_from=0.999)
    straight = _train_net(paths, again, None)
    _train_net(paths, half, tmp_path / "page.pt")
    resumed = _train_net(paths, again, tmp_path / "page.pt")
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    _export_net(whole, tmp_path / "page.onnx")
    image = load_truth(paths[0]).image
    sight = look(image, long_px=416, weights=tmp_path / "page.onnx")
    batch = torch.from_numpy(sight.image.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        trace = torch.sigmoid(whole(batch)[0])[0, 0].numpy()
    np.testing.assert_allclose(sight.trace, trace, atol=1e-3)


def test_a_folder_of_another_run_is_refused_before_anything_is_drawn(record, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "records_of", lambda *_: [record])
    monkeypatch.setattr(pages, "_draw_pages", lambda *_: pytest.fail("it went on"))
    hold_to(tmp_path, {"recipe": dataclasses.asdict(TINY), "data": "0"})
    for recipe, what in ((TINY, "data"), (dataclasses.replace(TINY, seed=1), "data, recipe.seed")):
        with pytest.raises(ConfigError, match=f"with another {what};"):
            pages.train(tmp_path, tmp_path, recipe=recipe)


def test_paper_speed_is_learnt_from_records_laid_out_in_mm(tmp_path, monkeypatch):
    import ecg_llm.page.speed as told
    from ecg_llm.training.page_speed import SpeedRecipe, _rows_in_mm, train_speed

    drawn = [synthetic_ecg(bpm=45 + 5 * k, seed=k, fs=100).record for k in range(15)]
    path = tmp_path / "page_speed.npz"
    wrong = train_speed(drawn, path, SpeedRecipe(draws=8, members=2, epochs=60))
    assert max(wrong) < 0.35
    monkeypatch.setattr(told, "WEIGHTS", path)
    rng = np.random.default_rng(9)
    right = [
        told.told_speed(_rows_in_mm(record, speed, rng)) == speed
        for record in drawn for speed in (told.SLOW, told.FAST)
    ]  # fmt: skip
    assert np.mean(right) > 0.8
