"""Packed data: what is known of each record, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.scp import COLUMNS, with_classes
from ecg_llm.training.pack import Pack, label_row, load_pack, pack
from ecg_llm.training.sources import Row, rescaled


def _row(codes: tuple[str, ...] | None, source: str = "ptbxl") -> Row:
    record = ECGRecord(signal=np.zeros((1, 1000), np.float32), fs=100.0, leads=("I",))
    return Row(record=record, source=source, fold=1, codes=codes)


def test_packing_again_reads_what_is_there(small_pack: Pack, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    first = pack(tmp_path / "data", tmp_path / "out", n_simulated=3, seed=5)
    again = pack(tmp_path / "data", tmp_path / "out", n_simulated=3, seed=5)
    assert first.fingerprint == again.fingerprint != small_pack.fingerprint
    assert len(load_pack(tmp_path / "out")) == 3


def test_a_packed_record_is_the_record(small_pack: Pack) -> None:
    record = small_pack.record(0)
    assert record.leads == STANDARD_12
    assert record.duration_s == 10.0
    assert np.nanmax(np.abs(record.signal)) > 0.2


def test_nothing_to_pack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no simulated records were asked for"):
        pack(tmp_path, tmp_path / "out", n_simulated=0)
    with pytest.raises(ConfigError, match="no packed data there"):
        load_pack(tmp_path)


def test_a_statement_brings_its_classes() -> None:
    labels = dict(zip(COLUMNS, label_row(_row(("IMI", "AFIB"))), strict=True))
    assert {name for name, known in labels.items() if known == 1} == with_classes(["IMI", "AFIB"])
    assert labels["super:CD"] == 0
    assert (label_row(_row(None)) == -1).all()


def test_the_simulator_does_not_vouch_for_what_it_may_show_unnamed() -> None:
    labels = dict(zip(COLUMNS, label_row(_row(("LVH", "SR"), "simulated")), strict=True))
    assert labels["super:HYP"] == 1
    assert labels["AFIB"] == 0
    assert labels["NDT"] == labels["super:STTC"] == -1
    normal = dict(zip(COLUMNS, label_row(_row(("NORM", "SR"), "simulated")), strict=True))
    assert normal["super:STTC"] == 0


def test_the_limb_leads_get_their_ratios_back() -> None:
    true = synthetic_ecg(seed=2, fs=100.0).record.signal
    lost = (true - true.mean(1, keepdims=True)) / true.std(1, keepdims=True)
    found = rescaled(lost.astype(np.float32))
    ratio = found[:6].std(1) / true[:6].std(1)
    assert ratio == pytest.approx(np.full(6, ratio[0]), rel=0.02)
    assert np.abs(found[0] - found[1] + found[2]).max() < 0.01
