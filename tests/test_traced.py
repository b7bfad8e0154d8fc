"""Pages read column by column."""

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.leads import STANDARD_12
from ecg_llm.measure import measure
from ecg_llm.quality import assess
from ecg_llm.record import ECGRecord
from ecg_llm.traced import columns, trace


def in_columns(record, width_s=2.5, strip="II"):
    """Show three leads at a time, as a page does, and one of them all the time."""
    signal = np.full(record.signal.shape, np.nan, np.float32)
    for k, lead in enumerate(record.leads):
        first, last = (round(s * record.fs) for s in (k // 3 * width_s, (k // 3 + 1) * width_s))
        part = slice(None) if lead == strip else slice(first, last)
        signal[k, part] = record.signal[k, part]
    return ECGRecord(signal=signal, fs=record.fs, leads=record.leads, name="page", origin="page")


def test_columns_are_told_by_where_leads_begin_and_end():
    page = in_columns(synthetic_ecg(seed=3).record)
    found = columns(page)
    assert [of.leads for of in found] == [
        ("I", "II", "III"),
        ("II", "aVR", "aVL", "aVF"),
        ("II", "V1", "V2", "V3"),
        ("II", "V4", "V5", "V6"),
    ]
    assert [of.from_s for of in found] == pytest.approx([0, 2.5, 5, 7.5])
    assert found[-1].to_s == pytest.approx(10)


def test_leads_that_begin_a_little_apart_stand_in_one_column():
    page = in_columns(synthetic_ecg(seed=3).record, strip="")
    page.signal[0, : round(0.2 * page.fs)] = np.nan
    page.signal[3, : round(2.7 * page.fs)] = np.nan
    assert [of.leads for of in columns(page)][:2] == [("I", "II", "III"), ("aVR", "aVL", "aVF")]


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_a_page_shows_nearly_what_the_recording_does(seed):
    record = synthetic_ecg(seed=seed, bpm=70).record
    page = in_columns(record)
    whole, seen = measure(record), trace(page, assess(page), columns(page))
    assert abs(len(seen.beats) - len(whole.beats)) <= 2
    for lead in STANDARD_12:
        for name in ("st_j_mv", "st_j60_mv"):
            assert seen.value(name, lead) == pytest.approx(whole.value(name, lead), abs=0.04), lead


def test_an_empty_page_has_no_beats():
    page = ECGRecord(
        signal=np.full((12, 2500), np.nan, np.float32), fs=250, leads=STANDARD_12, origin="page"
    )
    assert columns(page) == ()
    assert not trace(page, assess(page), columns(page)).beats
