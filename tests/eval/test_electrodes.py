"""The evaluation of exchanges on simulated records in PTB-XL's layout."""

import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.eval.electrodes import evaluate


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_ptbxl):
    """Eight patients near the textbook, all in fold 9."""
    made = [synthetic_ecg(fs=100.0, bpm=70, seed=i, spread=0.1).record for i in range(8)]
    return write_ptbxl(tmp_path_factory.mktemp("ptbxl"), [(record, "{}", 9) for record in made])


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
