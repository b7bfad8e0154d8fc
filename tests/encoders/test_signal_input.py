"""What of a record is real, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.encoders.signal_input import encoder_input
from ecg_llm.errors import RecordError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord


def _record(leads: tuple[str, ...], seconds: float = 10.0, fs: float = 200.0) -> ECGRecord:
    t = np.arange(int(seconds * fs)) / fs
    rows = [np.sin(2 * np.pi * (k + 3) * t) for k in range(len(leads))]
    return ECGRecord(signal=np.array(rows, np.float32), fs=fs, leads=leads)


def test_limb_leads_that_follow_from_two_are_there() -> None:
    _, present, _ = encoder_input(_record(("I", "II")))
    there = [lead for lead, row in zip(STANDARD_12, present, strict=True) if row.any()]
    assert there == ["I", "II", "III", "aVR", "aVL", "aVF"]


def test_a_flat_lead_and_extra_leads_are_not() -> None:
    record = _record(("I", "V1", "V2", "V7"))
    record.signal[1] = 0.3
    _, present, _ = encoder_input(record)
    there = [lead for lead, row in zip(STANDARD_12, present, strict=True) if row.any()]
    assert there == ["I", "V2"]


def test_gaps_stay_gaps() -> None:
    record = _record(("I",))
    record.signal[0, 500:1000] = np.nan
    signal, present, _ = encoder_input(record)
    assert not present[0, 251:499].any()
    assert present[0, :249].all()
    assert not signal[~present].any()


def test_a_zeroed_record_is_refused() -> None:
    record = _record(("I", "II"))
    record.signal[:] = 0
    with pytest.raises(RecordError, match="none of the standard twelve leads holds a signal"):
        encoder_input(record)


def test_a_short_record_is_refused() -> None:
    with pytest.raises(RecordError, match=r"2\.0 s are too short"):
        encoder_input(_record(("I",), seconds=2.0))
