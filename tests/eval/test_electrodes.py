"""The evaluation of exchanges on simulated records in PTB-XL's layout."""

import csv

import numpy as np
import pytest
import wfdb

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.eval.electrodes import evaluate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight patients near the textbook, all in fold 9."""
    data = tmp_path_factory.mktemp("ptbxl")
    rows = []
    for i in range(8):
        record = synthetic_ecg(fs=100.0, bpm=70, seed=i, spread=0.1).record
        wfdb.wrsamp(
            f"r{i}", fs=100, units=["mV"] * 12, sig_name=list(record.leads),
            p_signal=np.asarray(record.signal, dtype=float).T, fmt=["16"] * 12,
            write_dir=str(data),
        )  # fmt: skip
        rows.append((i, "{}", 9, f"r{i}"))
    with (data / "ptbxl_database.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("ecg_id", "scp_codes", "strat_fold", "filename_lr"), *rows])
    return data


def test_plain_exchanges_of_plain_records_are_named(folder):
    told = evaluate(folder)
    assert told.n_records == 8
    assert told.false_alarms <= 1 / 8
    assert told.named["RA-LA"] >= 6 / 8
    assert told.named["upside down"] >= 6 / 8
    assert all(told.named[kind] <= told.noticed[kind] for kind in told.named)
    assert "none" not in told.named
    assert "RA-LA" in told.render()


def test_a_fold_without_records_is_refused(folder):
    with pytest.raises(ConfigError, match="no record of fold 3 at 100 Hz"):
        evaluate(folder, folds=(3,))
