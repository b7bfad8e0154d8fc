"""The engine: the same bytes whatever happens, and nothing lost."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

import ecg_llm.data_builders.build as engine
from ecg_llm.data_builders.build import build
from ecg_llm.data_builders.build_images import Images
from ecg_llm.data_builders.build_synthetic import Synthetic
from ecg_llm.data_builders.card import load_card
from ecg_llm.data_builders.listing import ItemError
from ecg_llm.data_builders.mimic_iv_ecg import MIMICIVECG
from ecg_llm.data_builders.own_records import OwnRecords
from ecg_llm.data_builders.ptbxl import PTBXL
from ecg_llm.data_builders.rows import record_of
from ecg_llm.data_builders.shards import load_manifest, read_shards
from ecg_llm.errors import ConfigError
from ecg_llm.io import read_record

SOURCE = Synthetic(7, seed=5, fs=100)


@dataclass(frozen=True)
class Deadly(Synthetic):
    """A source of which one record kills the process that reads it."""

    def read(self, item):
        if item.cells["k"] == 1:
            os._exit(139)
        return super().read(item)


@dataclass(frozen=True)
class Faulty(Synthetic):
    """A source with a fault of ours."""

    def read(self, item):
        if item.cells["k"] == 1:
            raise ZeroDivisionError("division by zero")
        return super().read(item)


def remake(out, **options):
    options = {"shard_rows": 3, "progress": False, **options}
    return build(options.pop("source", SOURCE), out, **options)


def problems_of(out):
    return [json.loads(line) for line in (out / "problems.jsonl").read_text().splitlines()]


def test_bad_records_are_counted_listed_and_left_out(tmp_path, layouts, in_process):
    rows = [
        *(layouts.ptbxl_row(number) for number in (1, 2, 8)),
        layouts.ptbxl_row(3, scp_codes="{'WHAT': 100.0}"),
        layouts.ptbxl_row(4, filename_lr="records100/00000/00099_lr"),
        layouts.ptbxl_row(1),
    ]
    source = PTBXL(layouts.make_ptbxl(tmp_path / "ptbxl", rows, 8), 100)
    table = source.folder / "ptbxl_database.csv"
    table.write_text(table.read_text() + "5,1005\n")
    out = tmp_path / "set"
    summary = remake(out, source=source)
    assert (summary.n_listed, summary.n_written, summary.n_problems) == (7, 3, 4)
    assert summary.problems == {"row": 1, "duplicate": 1, "label": 1, "file": 1}
    assert "7 listed = 3 written + 4 left out" in str(summary)
    problems = problems_of(out)
    assert sorted(problem["kind"] for problem in problems) == ["duplicate", "file", "label", "row"]
    assert "'WHAT'" in next(p["reason"] for p in problems if p["record"] == "00003")
    assert [row["record"] for row in read_shards(out)] == ["00001", "00002", "00008"]
    assert load_card(out)["counts"]["left_out_by_kind"] == summary.problems


def test_a_row_holds_what_the_file_holds(tmp_path, layouts, in_process):
    source = PTBXL(layouts.make_ptbxl(tmp_path / "ptbxl", [layouts.ptbxl_row(1)], 1), 100)
    remake(tmp_path / "set", source=source)
    (row,) = read_shards(tmp_path / "set", "train")
    record = record_of(row)
    true = read_record(source.folder / "records100/00000/00001_lr.hea")
    assert np.array_equal(record.signal, true.signal)
    assert (record.leads, record.fs, record.sha256) == (true.leads, true.fs, true.sha256)
    assert (record.age_years, record.sex) == (56.0, "female")
    assert row["heart_rate_bpm"] == pytest.approx(60, abs=2)
    assert json.loads(row["measurements"])["values"]["heart_rate_bpm"]["n"] > 5
    assert {"code": "SR", "status": "present", "probability": None} in row["findings"]
    assert row["labels"] == [{"code": "NORM", "likelihood": 100}, {"code": "SR", "likelihood": 0}]
    assert row["statements"] == ["normal ECG", "sinus rhythm"]


def test_mimic_from_end_to_end(tmp_path, layouts, in_process):
    folder = layouts.make_mimic(tmp_path / "mimic", [(10000032, 40689238), (10000117, 45090959)])
    (folder / f"{layouts.mimic_path(10000117, 45090959)}.dat").unlink()
    summary = remake(tmp_path / "set", source=MIMICIVECG(folder))
    assert (summary.n_written, summary.problems) == (1, {"file": 1})
    (row,) = read_shards(tmp_path / "set")
    assert (row["patient"], row["licence"], row["age_years"]) == ("10000032", "ODbL-1.0", None)
    assert row["leads"][4:6] == ["aVL", "aVF"]
    assert row["machine"]["t_axis_deg"] == 16
    assert row["note_links"][0]["note_id"] == "10000032-EK-0"


def test_the_truth_of_a_simulated_record_comes_with_it(small_set):
    for row in read_shards(small_set):
        truth = json.loads(row["truth"])
        assert [label["code"] for label in row["labels"]] == truth["labels"]
        shape = np.array(truth["times_s"], dtype=object).shape
        assert shape == (12, len(truth["beats"]), 9)


def test_a_killed_build_goes_on_to_the_same_bytes(small_set, tmp_path, layouts, monkeypatch):
    def one_then_stop(tasks, *, workers):
        tasks = iter(tasks)
        yield engine.build_shard(next(tasks))
        raise KeyboardInterrupt

    out = tmp_path / "set"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(engine, "_run_local", one_then_stop)
        remake(out)
    assert len(load_manifest(out).shards) == 1
    with pytest.raises(ConfigError, match="not finished"):
        load_card(out)
    half = out / ".train-00001-of-00002.parquet.1.part"
    half.write_bytes(b"PAR1 half of a shard")
    assert all(row["split"] for row in read_shards(out))  # and does not see the half

    monkeypatch.setattr(engine, "_run_local", layouts.run_in_process)
    summary = remake(out)
    assert summary.n_kept == 1
    assert layouts.content(out) == layouts.content(small_set)


def test_a_damaged_or_lost_shard_is_made_anew(small_set, own_set, layouts, in_process):
    first, second, *_ = sorted(own_set.glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-7])
    second.unlink()
    summary = remake(own_set)
    assert summary.n_kept == summary.n_shards - 2
    assert layouts.content(own_set) == layouts.content(small_set)


def test_a_finished_build_is_left_as_it_is(small_set, own_set, layouts, monkeypatch):
    monkeypatch.setattr(engine, "_run_local", None)
    summary = remake(own_set)
    assert (summary.n_kept, summary.n_new, summary.n_written) == (summary.n_shards, 0, 7)
    assert layouts.content(own_set) == layouts.content(small_set)


def test_a_different_build_is_refused_and_told_apart(
    small_set, own_set, layouts, in_process, tmp_path
):
    with pytest.raises(ConfigError, match=r"different build.*seed was 5, now 6.*--overwrite"):
        remake(own_set, source=Synthetic(7, seed=6, fs=100))
    other = PTBXL(layouts.make_ptbxl(tmp_path / "ptbxl", [layouts.ptbxl_row(1)], 1), 100)
    with pytest.raises(ConfigError, match=r"different build \(source was synthetic, now ptbxl\);"):
        remake(own_set, source=other)
    with pytest.raises(ConfigError, match="limit was none, now 2"):
        remake(own_set, limit=2)
    assert layouts.content(own_set) == layouts.content(small_set)
    summary = remake(own_set, limit=2, overwrite=True)
    assert (summary.n_listed, summary.n_kept) == (2, 0)
    assert len(list(read_shards(own_set))) == 2


def test_another_program_is_a_different_build(own_set, monkeypatch):
    monkeypatch.setattr(engine, "fingerprint", lambda: {"code": "0" * 64})
    with pytest.raises(ConfigError, match=r"program code was [0-9a-f]{12}…, now 000000000000…"):
        remake(own_set)


def test_the_program_is_all_code_that_measures(monkeypatch, tmp_path):
    package = tmp_path / "ecg_llm"
    for module in ("quality/gate.py", "claims/check.py", "render/page.py"):
        (package / module).parent.mkdir(parents=True)
        (package / module).write_text("old")
    monkeypatch.setattr(engine.ecg_llm, "__file__", str(package / "__init__.py"))
    seen = set()
    for module in ("", "quality/gate.py", "claims/check.py", "render/page.py"):
        if module:
            (package / module).write_text("new")
        engine.fingerprint.cache_clear()
        seen.add(engine.fingerprint()["code"])
    engine.fingerprint.cache_clear()
    assert len(seen) == 4


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="holds other files"):
            remake(tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_fault_of_ours_costs_one_record(tmp_path, in_process):
    summary = remake(tmp_path / "set", source=Faulty(3, seed=5, fs=100))
    assert (summary.n_written, summary.problems) == (2, {"internal": 1})
    assert "ZeroDivisionError" in problems_of(tmp_path / "set")[0]["reason"]


def test_a_shard_that_cannot_be_written_stops_the_build(tmp_path, monkeypatch, in_process):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        remake(tmp_path / "set")
    assert not load_manifest(tmp_path / "set").shards


def test_nothing_to_build(tmp_path, layouts):
    source = PTBXL(layouts.make_ptbxl(tmp_path / "ptbxl", [], 0), 100)
    with pytest.raises(ConfigError, match="no record that can be built"):
        remake(tmp_path / "set", source=source)


def test_datasets_streams_it(small_set, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    splits = {row["split"] for row in read_shards(small_set)}
    stream = datasets.load_dataset(
        str(small_set), streaming=True, cache_dir=str(tmp_path / "cache")
    )
    assert set(stream) == splits
    for split in splits:
        ours = list(read_shards(small_set, split))
        theirs = list(stream[split])
        assert [row["record"] for row in theirs] == [row["record"] for row in ours]
        assert np.array_equal(np.array(theirs[0]["signal"], np.int16), ours[0]["signal"])


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte(small_set, tmp_path, layouts):
    remake(tmp_path / "set", workers=2)
    assert layouts.content(tmp_path / "set") == layouts.content(small_set)


@pytest.mark.slow
def test_a_record_that_kills_its_worker_is_the_only_one_lost(tmp_path):
    out = tmp_path / "set"
    summary = remake(out, source=Deadly(4, seed=5, fs=100), workers=2, shard_rows=2)
    assert (summary.n_written, summary.problems) == (3, {"crash": 1})
    assert "died" in problems_of(out)[0]["reason"]


@pytest.mark.slow
def test_ray_gives_the_same_bytes(small_set, tmp_path, layouts):
    ray = pytest.importorskip("ray")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        remake(tmp_path / "set", engine="ray", workers=2)
    assert not ray.is_initialized()
    assert layouts.content(tmp_path / "set") == layouts.content(small_set)


def test_shards_are_independent_of_each_other(small_set, tmp_path, layouts, monkeypatch):
    def backwards(tasks, *, workers):
        return map(engine.build_shard, reversed(list(tasks)))

    monkeypatch.setattr(engine, "_run_local", backwards)
    remake(tmp_path / "set")
    assert layouts.content(tmp_path / "set") == layouts.content(small_set)


@dataclass(frozen=True)
class Named(Synthetic):
    """A source with one bad record, whose name holds what Unicode calls the end of a line."""

    def listing(self):
        whole = super().listing()
        return replace(whole, item=lambda k: replace(whole.item(k), name=f"a\u2028{k}"))

    def read(self, item):
        if item.cells["k"] == 1:
            raise ItemError("file", "it is\x85empty")
        return super().read(item)


def test_the_name_of_a_record_may_hold_what_ends_a_line_elsewhere(tmp_path, in_process):
    first = remake(tmp_path / "set", source=Named(3, seed=5, fs=100))
    again = remake(tmp_path / "set", source=Named(3, seed=5, fs=100))
    assert (first.problems, again.problems) == ({"file": 1}, {"file": 1})
    assert again.n_kept == again.n_shards


def test_a_shard_whose_problems_were_lost_is_made_anew(tmp_path, layouts, in_process):
    """As a power cut leaves it: the manifest is safe on the disk, the last lines are not."""
    out = tmp_path / "set"
    remake(out, source=Faulty(7, seed=5, fs=100))
    whole = layouts.content(out)
    (out / "problems.jsonl").write_text("")
    summary = remake(out, source=Faulty(7, seed=5, fs=100))
    assert summary.n_kept == summary.n_shards - 1
    assert layouts.content(out) == whole


def test_the_program_is_all_packages_that_building_loads():
    code = "import pkgutil, importlib, sys, ecg_llm.assistant, ecg_llm.data_builders as here\n"
    code += "names = {m.name for m in pkgutil.iter_modules(here.__path__)} - {'ray_engine'}\n"
    code += "[importlib.import_module(f'{here.__name__}.{name}') for name in names]\n"
    code += "print(*{n.split('.')[1] for n in sys.modules if n.count('.') > 1 and 'ecg_llm.' in n})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(told.stdout.split()) <= set(engine.CODE)


def test_a_worker_is_not_sent_the_whole_list(tmp_path, layouts):
    for k in range(300):
        (tmp_path / f"r{k}.hea").write_text("")
    for source in (OwnRecords(tmp_path), Images(tmp_path)):
        before = pickle.dumps(source)
        source.listing()
        assert pickle.dumps(source) == before


def test_a_reason_does_not_tell_where_the_source_lies(tmp_path, in_process):
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "a.hea").write_text("a 1 500 5000\ngone.dat 16 200 16 0 0 0 0 I\n")
    remake(tmp_path / "set", source=OwnRecords(tmp_path / "ward"))
    (problem,) = problems_of(tmp_path / "set")
    assert str(tmp_path) not in problem["reason"]


def test_the_card_tells_every_digit_of_the_command(tmp_path, in_process):
    remake(tmp_path / "set", source=Synthetic(1, seed=20261201, fs=100))
    assert "--seed 20261201 --fs 100 " in load_card(tmp_path / "set")["command"]
