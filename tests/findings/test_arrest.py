"""Beats that fail to come, in records whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.analysis import analyse
from ecg_llm.data_builders.synthetic import synthetic_ecg

FS, TURN_S = 500, 4.0


def statuses(signal):
    """Judge a record by criteria alone, with a little noise."""
    rng = np.random.default_rng(5)
    noisy = signal + rng.normal(0, 0.006, signal.shape)
    record = replace(synthetic_ecg(seed=3).record, signal=noisy.astype(np.float32))
    return {finding.code: finding for finding in analyse(record, encoder=False).findings}


def turned(other, *, backwards):
    """Let a sinus rhythm turn into something else, or the other way round."""
    sinus = synthetic_ecg(seed=3).record.signal
    n = round(TURN_S * FS)
    parts = (other[:, n:], sinus[:, -n:]) if backwards else (sinus[:, :n], other[:, n:])
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("seed", [41, 46])
def test_fibrillation_beside_beats_is_found(seed, backwards):
    """Of 48 sinus rhythms that turned into ventricular fibrillation none alerted as such."""
    waves = synthetic_ecg(rhythm="vf", seed=seed).record.signal
    found = statuses(turned(waves, backwards=backwards))
    assert found["asystole_or_vf"].status == "present"
    assert found["asystole_or_vf"].evidence[0].quantity == "time without a QRS complex"


@pytest.mark.parametrize("backwards", [False, True])
def test_a_heart_that_stands_still_at_an_end_of_the_record_pauses(backwards):
    flat = np.zeros((12, 10 * FS), np.float32)
    found = statuses(turned(flat, backwards=backwards))
    assert found["long_pause"].status == "present"
    assert "end of the recording" in found["long_pause"].evidence[0].quantity
    assert found["asystole_or_vf"].status == "absent"


def test_a_recording_that_ends_early_is_no_pause():
    sinus = synthetic_ecg(seed=3).record
    rng = np.random.default_rng(5)
    signal = sinus.signal + rng.normal(0, 0.006, sinus.signal.shape).astype(np.float32)
    signal[:, round(6.5 * FS) :] = signal[:, [round(6.5 * FS)]]
    findings = analyse(replace(sinus, signal=signal), encoder=False).findings
    assert {f.status for f in findings if f.code == "long_pause"} == {"absent"}
