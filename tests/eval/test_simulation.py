import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.eval.simulation import _typical_voltages, compare
from ecg_llm.leads import STANDARD_12


def test_voltages_of_the_median_beat_are_the_true_ones():
    ecg = synthetic_ecg(bpm=60, seed=3, variability=0)
    read = _typical_voltages(ecg.record)
    assert read is not None
    true = ecg.truth.amplitudes_mv
    r = np.maximum(true["r"], true["r2"])[:, 3]
    np.testing.assert_allclose(read[0], np.maximum(r, 0), atol=0.06)
    np.testing.assert_allclose(read[1], np.minimum(true["q"], true["s"])[:, 3], atol=0.06)
    for k, _lead in enumerate(STANDARD_12):
        if not np.isnan(true["t"][k, 3]):
            assert abs(read[2, k]) == pytest.approx(abs(true["t"][k, 3]), abs=0.05)


def test_a_record_without_beats_gives_none():
    assert _typical_voltages(synthetic_ecg(rhythm="asystole").record) is None


def test_a_folder_without_the_table_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="ptbxl_database"):
        compare(tmp_path, n=1)
