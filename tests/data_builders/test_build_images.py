"""Sets of images: from folders and built sets, resumed, checked, streamed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import ecg_llm.data_builders.build as engine
from ecg_llm.cli.app import app
from ecg_llm.data_builders.build import build
from ecg_llm.data_builders.build_images import Images, image_rows
from ecg_llm.data_builders.build_synthetic import Synthetic
from ecg_llm.data_builders.image_card import IMAGES
from ecg_llm.data_builders.image_rows import geometry_of, image_schema, settings_of
from ecg_llm.data_builders.page_images import render_page
from ecg_llm.data_builders.photograph import decode_image, photograph_as
from ecg_llm.data_builders.shards import read_shards
from ecg_llm.data_builders.synthetic import random_ecg
from ecg_llm.data_builders.verify import verify
from ecg_llm.errors import ConfigError

pytestmark = pytest.mark.usefixtures("in_process")
SIZE = 800


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four records, one of them broken."""
    folder = tmp_path_factory.mktemp("records")
    for k in range(3):
        record = random_ecg(k, fs=250).record
        lines = [",".join(record.leads)]
        lines += [",".join(f"{v:.4f}" for v in row) for row in record.signal.T]
        (folder / f"r{k}.csv").write_text("# fs: 250\n# unit: mV\n" + "\n".join(lines) + "\n")
    (folder / "bad.hea").write_text("bad 12 500 5000\nnothing.dat 16 200 16 0 0 0 0 I\n")
    return folder


def make(source, out, **options):
    return build(source, out, product=IMAGES, progress=False, **options)


@pytest.fixture(scope="module")
def record_set(tmp_path_factory, layouts):
    out = tmp_path_factory.mktemp("set") / "records"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_run_local", layouts.run_in_process)
        build(Synthetic(5, fs=250), out, progress=False)
    return out


def test_from_a_built_set(record_set, tmp_path):
    source = Images(record_set, per_record=2, size_px=SIZE)
    summary = make(source, tmp_path / "out")
    assert (summary.n_items, summary.n_written, summary.n_problems) == (5, 10, 0)
    rows = list(read_shards(tmp_path / "out"))
    owners = {row["record"]: row["split"] for row in read_shards(record_set)}
    assert all(row["split"] == owners[row["record"]] for row in rows)
    assert {row["licence"] for row in rows} == {"Apache-2.0"}
    assert {row["kind"] == "clean" for row in rows} == {True, False}
    assert not verify(tmp_path / "out", recompute=10, source=record_set).faults


def test_a_long_list_is_made_without_reading_its_records(record_set, monkeypatch):
    monkeypatch.setattr("ecg_llm.data_builders.build_images.read_row", None)
    listing = Images(record_set).listing()
    assert sum(map(len, listing.order.values())) == 5


def test_a_row_tells_all_it_was_drawn_from(record_set, tmp_path):
    source = Images(record_set, n=2, photographed=1.0, size_px=SIZE)
    listing = source.listing()
    items = [listing.item(k) for k in range(2)]
    (row,) = image_rows(source, items[0])
    settings, photo = settings_of(row)
    example = photograph_as(render_page(source.read(items[0]).record, settings), photo)
    kept, exact = geometry_of(row), example.geometry
    for one, other in zip(kept.traces, exact.traces, strict=True):
        assert one.lead == other.lead
        assert np.array_equal(np.isnan(one.points), np.isnan(other.points))
        assert np.nanmax(np.abs(one.points - other.points), initial=0) <= 1 / 16 + 1e-9
    assert np.allclose(kept.grid, exact.grid, atol=1e-3, equal_nan=True)
    image = decode_image(row["image"]["bytes"])
    assert image.shape == example.image.shape


def test_a_bad_record_is_listed_and_stops_nothing(folder, tmp_path):
    summary = make(Images(folder, size_px=SIZE), tmp_path / "out")
    assert (summary.n_listed, summary.n_items, summary.n_problems) == (4, 3, 1)
    (problem,) = map(json.loads, (tmp_path / "out" / "problems.jsonl").read_text().splitlines())
    assert problem["record"] == "bad"
    assert str(folder) not in problem["reason"]
    assert not verify(tmp_path / "out", recompute=3, source=folder).faults


def test_the_number_of_pages_is_kept(record_set, tmp_path):
    summary = make(Images(record_set, n=5, per_record=2, size_px=SIZE), tmp_path / "out")
    assert (summary.n_listed, summary.n_written) == (3, 5)


def test_a_stopped_build_goes_on_to_the_same_bytes(record_set, tmp_path, monkeypatch):
    source = Images(record_set, size_px=SIZE, photographed=0.5)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    make(source, whole, shard_rows=2)

    def two(tasks, workers):
        for k, task in enumerate(tasks):
            if k == 2:
                raise KeyboardInterrupt
            yield engine.build_shard(task)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(engine, "_run_local", two)
        make(source, stopped, shard_rows=2)
    summary = make(source, stopped, shard_rows=2)
    assert summary.n_kept == 2
    names = sorted(path.name for path in whole.iterdir())
    assert names == sorted(path.name for path in stopped.iterdir())
    assert all((whole / n).read_bytes() == (stopped / n).read_bytes() for n in names)
    with pytest.raises(ConfigError, match="seed was 0, now 1"):
        make(Images(record_set, seed=1, size_px=SIZE), stopped, shard_rows=2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: row["image"].update(bytes=b"no image"), "cannot be read"),
        (lambda row: row.update(width=row["width"] - 1), "its image is"),
        (lambda row: row.update(kind="hologram"), "settings say otherwise"),
        (lambda row: row["traces"][0].update(x=[9000], y=[9000 * 3]), "outside its image"),
        (lambda row: row.update(leads=["V9"]), "its leads are not"),
        (lambda row: row.update(settings="{}"), "cannot be read"),
        (lambda row: row["traces"][1].update(polygon=[float("nan")] * 8), "not finite"),
    ],
)
def test_verify_sees_each_fault(record_set, tmp_path, layouts, change, told):
    make(Images(record_set, n=2, size_px=SIZE), tmp_path / "out")
    layouts.spoil(tmp_path / "out", lambda rows: change(rows[0]), image_schema(), IMAGES.packed)
    assert any(told in str(fault) for fault in verify(tmp_path / "out").faults)


def test_verify_draws_again(record_set, folder, tmp_path, layouts):
    out = tmp_path / "out"
    make(Images(record_set, n=2, photographed=0, size_px=SIZE), out)
    (fault,) = verify(out, source=folder).faults
    assert "does not hold the records" in str(fault)
    other = next(iter(read_shards(out)))

    def exchange(rows):
        from ecg_llm.data_builders.photograph import encode_image

        image = decode_image(rows[0]["image"]["bytes"]) // 2
        rows[0]["image"] = {"bytes": encode_image(image, "png", 0, 96), "path": None}

    assert other["kind"] == "clean"
    layouts.spoil(out, exchange, image_schema(), IMAGES.packed)
    assert not verify(out).faults
    faults = verify(out, source=record_set).faults
    assert any("other bytes" in str(fault) for fault in faults)
    with pytest.raises(ConfigError, match="no source"):
        verify(record_set, source=folder)


def test_datasets_streams_images(record_set, tmp_path):
    datasets = pytest.importorskip("datasets")
    make(Images(record_set, n=3, size_px=SIZE), tmp_path / "out")
    files = sorted(str(path) for path in (tmp_path / "out").glob("*.parquet"))
    rows = datasets.load_dataset(
        "parquet", data_files=files, split="train", streaming=True, cache_dir=str(tmp_path / "c")
    )
    row = next(iter(rows))
    assert row["image"].size == (row["width"], row["height"])
    assert geometry_of(row).traces


@pytest.mark.parametrize(
    "options",
    [{"n": 0}, {"per_record": 0}, {"photographed": 1.5}, {"size_px": 100}, {"size_px": 9000}],
)
def test_impossible_figures(tmp_path, options):
    with pytest.raises(ConfigError, match="must be"):
        Images(tmp_path, **options)


def test_nothing_to_draw(tmp_path, record_set):
    with pytest.raises(ConfigError, match="no ECG record"):
        make(Images(tmp_path), tmp_path / "out")
    make(Images(record_set, n=1, size_px=SIZE), tmp_path / "pages")
    with pytest.raises(ConfigError, match="one of 'records' is needed"):
        make(Images(tmp_path / "pages"), tmp_path / "again")


def test_the_command(folder, tmp_path):
    run, out = CliRunner().invoke, str(tmp_path / "out")
    made = run(app, ["build", "images", str(folder), "--out", out, "--size", str(SIZE)])
    assert made.exit_code == 0, made.output
    assert "4 listed = 3 written + 1 left out" in made.stdout
    good = run(app, ["build", "verify", out, "--source", str(folder), "--recompute", "2"])
    assert (good.exit_code, "2 recomputed" in good.stdout) == (0, True), good.output
    missing = run(app, ["build", "images", str(folder / "no"), "--out", out])
    assert (missing.exit_code, "no such folder" in missing.output) == (2, True)
    small = run(app, ["build", "images", str(folder), "--out", out, "--size", "10"])
    assert (small.exit_code, "size from 700" in small.output) == (2, True)


def test_another_file_called_card_json_is_no_card(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "records"))
    (copy / "card.json").write_text('["a clinic\'s own file"]')
    assert Images(copy).citation == "the source of the records."


def test_the_card_tells_what_of_a_page_is_true(record_set, tmp_path):
    make(Images(record_set, n=1, size_px=SIZE), tmp_path / "out")
    assert "so are age, sex and measured values" in (tmp_path / "out" / "README.md").read_text()


def test_a_page_is_not_printed_from_a_page(tmp_path, monkeypatch):
    (tmp_path / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    monkeypatch.setattr("ecg_llm.io.read_ref", None)  # nor read, which takes seconds
    summary = make(Images(tmp_path), tmp_path / "out")
    assert (summary.n_items, summary.problems) == (0, {"file": 1})
    assert "it is an image" in summary.example.reason
