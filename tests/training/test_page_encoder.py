"""Recipe (e): pages are printed and read; an encoder for them learns from the signal encoder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ecg_llm.encode as encoding
from ecg_llm.data_builders.page_images import render_page_example
from ecg_llm.data_builders.photograph import encode_image
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.encode import encode
from ecg_llm.errors import ConfigError
from ecg_llm.io import read_bytes
from ecg_llm.render.page import draw_page
from ecg_llm.training.pack import Pack

torch = pytest.importorskip("torch")

from ecg_llm.encoders.signal import SignalEncoderConfig  # noqa: E402
from ecg_llm.encoders.signal_input import encoder_input  # noqa: E402
from ecg_llm.scp import COLUMNS  # noqa: E402
from ecg_llm.training import encoder as training  # noqa: E402
from ecg_llm.training import page_reads  # noqa: E402
from ecg_llm.training.loop import LoopConfig  # noqa: E402
from ecg_llm.training.recipe import Recipe  # noqa: E402
from ecg_llm.training.store import PAGE_NAME, load_encoder, save_encoder  # noqa: E402


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = SignalEncoderConfig(widths=(8, 8), blocks=(1, 1), width=16, depth=1, heads=2)
    head = {
        "head.weight": 0.1 * torch.randn(len(COLUMNS), 16),
        "head.bias": torch.zeros(len(COLUMNS)),
    }
    folder = tmp_path_factory.mktemp("start")
    save_encoder(config.build(), folder, {}, head)
    return folder


@pytest.fixture(scope="module")
def records(small_pack: Pack) -> Pack:
    fold = np.where(np.arange(len(small_pack)) % 3, 1, 9).astype(np.int8)
    return replace(small_pack, fold=fold)


def _recipe(start: Path, **options: object) -> Recipe:
    return Recipe(
        objective="page",
        start=str(start),
        loop=LoopConfig(steps=4, batch=8, save_every=2, peak_lr=3e-3, judge_every=4),
        options={"pages": 4, "held": 2, "photographed": 0.0, **options},
    )


@pytest.fixture(scope="module")
def trained(records: Pack, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    training.train_stage(_recipe(start), records, out)
    return out


def test_a_stopped_run_reads_no_page_twice_and_gives_the_same(
    records: Pack, start: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.train_stage(_recipe(start), records, tmp_path, stop_at=2)
    monkeypatch.setattr(page_reads, "_read", lambda page: pytest.fail("read again"))
    training.train_stage(_recipe(start), records, tmp_path)
    one = load_encoder(trained, PAGE_NAME).state_dict()
    for name, x in load_encoder(tmp_path, PAGE_NAME).state_dict().items():
        assert torch.equal(x, one[name]), name
    (tmp_path / "checkpoint.pt").unlink()
    with pytest.raises(ConfigError, match="with another data"):  # its rows would be others'
        training.train_stage(_recipe(start), replace(records, fingerprint="0"), tmp_path)


def test_it_learns_what_is_stored_and_shares_the_rest(start: Path, trained: Path) -> None:
    from safetensors.torch import load_file

    own = load_file(trained / "page_encoder.safetensors")
    before = load_file(start / "signal_encoder.safetensors")
    assert "encoder.stem.0.weight" in own and "encoder.vector.weight" in own
    assert not any("qkv" in name or "mlp.0" in name or name.startswith("head") for name in own)
    assert all(not torch.equal(x, before[name]) for name, x in own.items())
    assert (trained / "signal_encoder.safetensors").read_bytes() == (
        start / "signal_encoder.safetensors"
    ).read_bytes()


def test_a_page_gets_its_own_encoder_and_a_recording_does_not(
    start: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = synthetic_ecg(bpm=72, seed=3).record
    page = read_bytes(draw_page(record, dpi=110).to_png(), "page.png")
    monkeypatch.setattr(encoding, "WEIGHTS", start / "signal_encoder.onnx")
    monkeypatch.setattr(encoding, "PAGE_WEIGHTS", trained / "page_encoder.onnx")
    found = encode([page, record, page])
    signal, present, _ = encoder_input(page)
    signal, present = signal[:, :1000], present[:, :1000]
    spare = ((0, 0), (0, 1000 - signal.shape[1]))
    with torch.no_grad():
        for at, name in ((0, PAGE_NAME), (1, "signal_encoder")):
            x, there = (signal, present) if at == 0 else encoder_input(record)[:2]
            if at == 0:
                x, there = np.pad(x, spare), np.pad(there, spare)
            slow = load_encoder(trained, name)(
                torch.from_numpy(x)[None], torch.from_numpy(there)[None], torch.ones(1).bool()
            )
            assert np.abs(found.vector[at] - slow.vector[0].numpy()).max() < 1e-3
            n = len(found.tokens[at])
            assert np.abs(found.tokens[at] - slow.tokens[0, :n].numpy()).max() < 1e-3
    np.testing.assert_allclose(found.vector[0], found.vector[2], atol=1e-6)
    assert np.abs(encode([page], weights=encoding.WEIGHTS).vector - found.vector[0]).max() > 1e-4


def test_pages_of_a_built_set_belong_to_the_records_of_their_names(
    records: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecg_llm.data_builders import shards
    from ecg_llm.data_builders.image_rows import image_columns

    def rows(folder: Path, columns: object) -> object:
        for k in (3, 5):
            example, settings = render_page_example(records.record(k), k, size_px=800)
            packed = encode_image(example.image, "png", 90)
            row = image_columns(example, settings, None)
            yield row | {"record": str(records.name[k]), "image": {"bytes": packed}}
        yield row | {"record": "of another set"}

    monkeypatch.setattr(shards, "read_shards", rows)
    found = list(page_reads._built_pages(records, Path("set"), 1))
    assert [(row, taken) for row, taken, _, _ in found] == [(5, False)]
    strangers = replace(records, name=np.array([f"x{k}" for k in range(len(records))]))
    with pytest.raises(ConfigError, match="none of its pages"):
        list(page_reads._built_pages(strangers, Path("set"), 0))


def test_what_ships_fits_the_signal_encoder_that_ships() -> None:
    folder = encoding.WEIGHTS.parent
    card = json.loads((folder / "page_encoder.json").read_text())
    shared = (folder / "signal_encoder.safetensors").read_bytes()
    assert card["base"] == hashlib.sha256(shared).hexdigest(), "train the page encoder anew"
    record = synthetic_ecg(bpm=72, seed=3).record
    page = read_bytes(draw_page(record, dpi=110).to_png(), "page.png")
    near, other, far = encode([page, record, synthetic_ecg(bpm=140, seed=9).record]).vector
    # Both encoders share one space: a page lies near the record it shows.
    assert np.corrcoef(near, other)[0, 1] > np.corrcoef(near, far)[0, 1]


def test_it_needs_an_encoder_to_begin_with(records: Pack, tmp_path: Path) -> None:
    recipe = replace(_recipe(tmp_path), start="")
    with pytest.raises(ConfigError, match="begins with a trained"):
        training.train_stage(recipe, records, tmp_path)
