"""Packed data: what is known of each record, and what is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.data_builders.build import build
from ecg_llm.data_builders.instruct import CONVERSATIONS, Instruct
from ecg_llm.data_builders.ptbxl import PTBXL
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.scp import COLUMNS, with_classes
from ecg_llm.training import sources
from ecg_llm.training.batches import batches
from ecg_llm.training.pack import (
    PROBLEMS,
    SIGNALS,
    Pack,
    _label_row,
    load_pack,
    pack,
)
from ecg_llm.training.recipe import DataConfig
from ecg_llm.training.sources import Row, _rescaled
from ecg_llm.training.views import ViewConfig


def _ptbxl(folder: Path, folds: dict[int, int], there: tuple[int, ...]) -> Path:
    """Write a data set in PTB-XL's layout, with simulated content."""
    columns = "ecg_id,patient_id,age,sex,recording_date,report,scp_codes,strat_fold,filename_lr"
    rows = [
        f"{n},{n},50,0,,sinus rhythm,{{'SR': 0.0}},{fold},records100/{n:05d}_lr"
        for n, fold in folds.items()
    ]
    (folder / "records100").mkdir(parents=True)
    (folder / "ptbxl_database.csv").write_text("\n".join([columns, *rows]) + "\n")
    (folder / "scp_statements.csv").write_text(",description\nSR,sinus rhythm\n")
    for n in there:
        steps = np.rint(synthetic_ecg(seed=n, fs=100.0).record.signal * 1000).astype("<i2")
        stem = folder / "records100" / f"{n:05d}_lr"
        stem.with_suffix(".dat").write_bytes(steps.T.tobytes())
        lines = [f"{stem.name} 12 100 {steps.shape[1]}"]
        lines += [f"{stem.name}.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in STANDARD_12]
        stem.with_suffix(".hea").write_text("\n".join(lines) + "\n")
    return folder


def _row(codes: tuple[str, ...] | None, source: str = "ptbxl") -> Row:
    record = ECGRecord(signal=np.zeros((1, 1000), np.float32), fs=100.0, leads=("I",))
    return Row(record=record, source=source, fold=1, codes=codes)


def test_packing_again_reads_what_is_there(small_pack: Pack, tmp_path: Path) -> None:
    first = pack(None, tmp_path / "out", n_simulated=3, seed=5)
    again = pack(None, tmp_path / "out", n_simulated=3, seed=5)
    assert first.fingerprint == again.fingerprint != small_pack.fingerprint
    assert len(load_pack(tmp_path / "out")) == 3


def test_a_packed_record_is_the_record(small_pack: Pack) -> None:
    record = small_pack.record(0)
    assert record.leads == STANDARD_12
    assert record.duration_s == 10.0
    assert np.nanmax(np.abs(record.signal)) > 0.2


def test_nothing_to_pack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of ptbxl/"):
        pack(tmp_path, tmp_path / "out", n_simulated=24)
    with pytest.raises(ConfigError, match="no packed data there"):
        load_pack(tmp_path)


def test_a_record_that_cannot_be_packed_is_listed(tmp_path: Path) -> None:
    folder = _ptbxl(tmp_path / "data" / "ptbxl", {1: 1, 2: 1}, there=(2,))
    made = pack(folder.parent, tmp_path / "out", n_simulated=0)
    assert made.name.tolist() == ["00002"]
    (told,) = (tmp_path / "out" / PROBLEMS).read_text().splitlines()
    assert "00001_lr.hea: no such file" in told
    (folder / "records100" / "00002_lr.hea").unlink()
    with pytest.raises(ConfigError, match="none of 2 records could be packed, such as ptbxl/0"):
        pack(folder.parent, tmp_path / "again", n_simulated=0)


def test_records_with_other_statements_are_packed_anew(tmp_path: Path) -> None:
    folder = _ptbxl(tmp_path / "data" / "ptbxl", {1: 1}, there=(1,))
    first = pack(folder.parent, tmp_path / "out", n_simulated=0)
    table = folder / "ptbxl_database.csv"
    table.write_text(table.read_text().replace("{'SR': 0.0}", "{}"))
    sources._ptbxl.cache_clear()  # as in another process
    second = pack(folder.parent, tmp_path / "out", n_simulated=0)
    assert first.labels[0, COLUMNS.index("SR")] == 1 != second.labels[0, COLUMNS.index("SR")]


def test_a_record_in_two_folders_is_packed_once(tmp_path: Path) -> None:
    for folder in ("ptbxl", "again"):
        _ptbxl(tmp_path / "data" / folder, {1: 1, 2: 7}, there=(1, 2))
    made = pack(tmp_path / "data", tmp_path / "out", n_simulated=0)
    assert sorted(made.name.tolist()) == ["00001", "00002"]
    told = (tmp_path / "out" / PROBLEMS).read_text()
    assert told.count("packed already") == len(told.splitlines()) == 2
    np.save(tmp_path / "again.npy", made.signals)
    assert (tmp_path / "again.npy").read_bytes() == (tmp_path / "out" / SIGNALS).read_bytes()


def test_a_built_set_keeps_its_folds_and_talks_beside_it_are_none(tmp_path: Path) -> None:
    sets = tmp_path / "sets"
    folder = _ptbxl(tmp_path / "ptbxl", {1: 1, 2: 7, 3: 9, 4: 10}, there=(1, 2, 3, 4))
    build(PTBXL(folder, 100), sets / "ptbxl", workers=1, progress=False)
    talk = Instruct.prepared(sets / "ptbxl")
    build(talk, sets / "talk", workers=1, progress=False, product=CONVERSATIONS)
    made = pack(sets, tmp_path / "out", n_simulated=0)
    assert dict(zip(made.name.tolist(), made.fold.tolist(), strict=True)) == {
        "00001": 1,
        "00002": 7,
        "00003": 9,
    }
    blind = batches(made, DataConfig(folds=(1, 2)), ViewConfig(), 4, needs="statements")
    assert made.name[blind.rows].tolist() == ["00001"]


def test_a_report_is_enough_for_words(small_pack: Pack) -> None:
    report = np.array(["", "sinus rhythm", *[""] * (len(small_pack) - 2)])
    bare = replace(small_pack, labels=np.full_like(small_pack.labels, -1), report=report)
    chosen = batches(bare, DataConfig(), ViewConfig(), 4, needs="words")
    assert chosen.rows.tolist() == [1]
    assert str(chosen) == "learns from 1 simulated (100%)"
    with pytest.raises(ConfigError, match="records with statements of folds 1, 2"):
        batches(bare, DataConfig(), ViewConfig(), 4, needs="statements")


def test_a_statement_brings_its_classes() -> None:
    labels = dict(zip(COLUMNS, _label_row(_row(("IMI", "AFIB"))), strict=True))
    assert {name for name, known in labels.items() if known == 1} == with_classes(["IMI", "AFIB"])
    assert labels["super:CD"] == 0
    assert (_label_row(_row(None)) == -1).all()


def test_the_simulator_does_not_vouch_for_what_it_may_show_unnamed() -> None:
    labels = dict(zip(COLUMNS, _label_row(_row(("LVH", "SR"), "simulated")), strict=True))
    assert labels["super:HYP"] == 1
    assert labels["AFIB"] == 0
    assert labels["NDT"] == labels["super:STTC"] == -1
    built = dict(zip(COLUMNS, _label_row(_row(("LVH", "SR"), "synthetic")), strict=True))
    assert built == labels
    normal = dict(zip(COLUMNS, _label_row(_row(("NORM", "SR"), "simulated")), strict=True))
    assert normal["super:STTC"] == 0


def test_the_limb_leads_get_their_ratios_back() -> None:
    true = synthetic_ecg(seed=2, fs=100.0).record.signal
    lost = (true - true.mean(1, keepdims=True)) / true.std(1, keepdims=True)
    found = _rescaled(lost.astype(np.float32))
    ratio = found[:6].std(1) / true[:6].std(1)
    assert ratio == pytest.approx(np.full(6, ratio[0]), rel=0.02)
    assert np.abs(found[0] - found[1] + found[2]).max() < 0.01
