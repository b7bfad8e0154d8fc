"""What was read from a page, held against the record: columns after each other or side by side."""

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.eval.pages import compare
from ecg_llm.record import ECGRecord


@pytest.fixture(scope="module")
def record():
    return synthetic_ecg(bpm=63, seed=6, fs=250, noise=None).record


def _page(record, side_by_side, gain=1.0):
    """Four columns of 2.5 s, as a perfect reader would give them."""
    signal = np.full((12, record.n_samples), np.nan, np.float32)
    n = record.n_samples // 4
    for k in range(12):
        at = (k // 3) * n
        source = 0 if side_by_side else at
        signal[k, at : at + n] = gain * record.signal[k, source : source + n]
    return ECGRecord(signal=signal, fs=record.fs, leads=record.leads, origin="page")


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_perfect_reading_is_perfect(record, side_by_side):
    errors = compare(record, _page(record, side_by_side, gain=0.8))
    assert len(errors) == 12
    assert min(error.correlation for error in errors.values()) > 0.99
    assert [error.gain for error in errors.values()] == pytest.approx([0.8] * 12, abs=0.02)


def test_leads_under_wrong_names_are_not_taken_for_right(record):
    page = _page(record, False)
    turned = ECGRecord(
        signal=page.signal[[9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7, 8]],
        fs=page.fs, leads=page.leads, origin="page",
    )  # fmt: skip
    errors = compare(record, turned)
    assert np.median([error.correlation for error in errors.values()]) < 0.9
