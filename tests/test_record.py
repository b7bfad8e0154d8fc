from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.errors import RecordError
from ecg_llm.record import ECGRecord

FS = 250.0


def counted(seconds=4.0):
    """Give a record whose samples are their own numbers."""
    row = np.arange(round(seconds * FS), dtype=np.float32)
    return ECGRecord(signal=np.stack([row, -row]), fs=FS, leads=("I", "II"), derived=("II",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"leads": ("I",)}, "1 leads are named"),
        ({"leads": ("I", "I")}, "stand twice: I"),
        ({"fs": 0.0}, "0.0 Hz"),
        ({"fs": float("nan")}, "nan Hz"),
    ],
)
def test_what_later_steps_rely_on_is_held(changes, words):
    with pytest.raises(RecordError, match=words):
        replace(counted(), **changes)


@pytest.mark.parametrize(
    ("from_s", "to_s", "first", "last"),
    [(1.0, 2.0, 250, 500), (-3.0, 1.0, 0, 250), (3.0, 99.0, 750, 1000), (1.0019, 2.0, 250, 500)],
)
def test_a_stretch_begins_anew_or_stays_where_it_lies(from_s, to_s, first, last):
    record = counted()
    part, only = record.segment(from_s, to_s), record.only(from_s, to_s)
    assert part.signal[0].tolist() == list(range(first, last))
    assert only.signal[:, first:].tolist() == part.signal.tolist()
    assert np.isnan(only.signal[:, :first]).all()
    assert only.n_samples == last


def test_all_of_a_record_is_the_record():
    record = counted()
    assert record.segment(0, record.duration_s) is record
    assert record.only(-1, 99) is record


def test_leads_are_found_by_name():
    record = counted()
    assert "II" in record
    assert record.select(("II",)).derived == ("II",)
    assert record.select(("I",)).derived == ()
    with pytest.raises(RecordError, match="no lead 'V1'; the record has I, II"):
        record.row("V1")
