import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.quality import assess
from ecg_llm.quality.bands import split_bands
from ecg_llm.quality.features import measure_features
from ecg_llm.record import ECGRecord


@pytest.mark.parametrize("fs", [250, 500, 1000])
def test_added_spikes_are_found_where_they_were_put(fs):
    record = synthetic_ecg(rhythm="sinus", bpm=60, fs=float(fs), seed=5).record
    signal = record.signal.copy()
    at = np.arange(0.7, 9.5, 1.1)
    width = max(1, round(0.002 * fs))
    for t in at:
        signal[:, round(t * fs) : round(t * fs) + width] += 1.2
    found = np.array(assess(ECGRecord(signal=signal, fs=fs, leads=record.leads)).pacing_spikes_s)
    near = np.abs(found[:, None] - at).min(axis=0) < 0.005
    assert near.mean() >= 0.75  # some fall into a QRS complex
    assert (np.abs(found[:, None] - at).min(axis=1) < 0.005).all()


@pytest.mark.parametrize("rhythm", ["paced_ventricular", "paced_dual"])
def test_simulated_pacing_is_found(rhythm):
    ecg = synthetic_ecg(rhythm=rhythm, fs=500.0, seed=2)
    assert len(assess(ecg.record).pacing_spikes_s) >= 5


def small_spikes(record, distance_s):
    """Add spikes in an unrest as high as they are, at a distance before each beat."""
    signal = record.signal.copy()
    rng = np.random.default_rng(0)
    beats = beats_of(record)
    for k, r in enumerate(beats):
        at = round((r - distance_s[k % len(distance_s)]) * 500)
        if 60 < at < signal.shape[1] - 60:
            signal[:, at - 30 : at + 30] += rng.normal(0, 0.03, (12, 60))
            signal[:, at] += 0.16
    return ECGRecord(signal=signal, fs=500, leads=record.leads)


def beats_of(record):
    return measure_features(split_bands(record)).beats / 100


def test_small_spikes_in_an_unrest_are_found_where_they_keep_step_with_the_beats():
    """Those of a biventricular pacemaker were lost, its beats called block and infarction."""
    record = synthetic_ecg(rhythm="av_block3", fs=500.0, seed=2, escape_bpm=60).record
    assert len(assess(small_spikes(record, [0.12])).pacing_spikes_s) >= 6
    out_of_step = [0.06, 0.12, 0.09, 0.16, 0.20]
    assert assess(small_spikes(record, out_of_step)).pacing_spikes_s == ()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rhythm", ["sinus", "af", "svt"])
def test_sharp_qrs_complexes_are_not_spikes(rhythm, seed):
    record = synthetic_ecg(rhythm=rhythm, fs=500.0, seed=seed).record
    assert assess(record).pacing_spikes_s == ()


def test_spikes_are_not_judged_below_250_hz():
    record = synthetic_ecg(rhythm="paced_ventricular", fs=100.0, seed=2).record
    assert assess(record).pacing_spikes_s == ()


def test_steps_of_the_baseline_are_not_spikes():
    record = synthetic_ecg(rhythm="sinus", bpm=60, fs=500.0, seed=5).record
    signal = record.signal.copy()
    for t in np.arange(0.7, 9.5, 1.1):
        signal[:, round(t * 500) :] += 1.2 if signal[0, round(t * 500) - 1] < 1 else -1.2
    assert assess(ECGRecord(signal=signal, fs=500, leads=record.leads)).pacing_spikes_s == ()


def test_equal_heights_side_by_side_are_one_spike():
    record = synthetic_ecg(rhythm="sinus", bpm=60, fs=500.0, seed=5).record
    signal = record.signal.copy()
    for t in (2.3, 5.6):  # two of four samples each
        signal[:, round(t * 500) : round(t * 500) + 4] = signal[:, [round(t * 500) - 1]] + 1.5
        signal[:, round(t * 500) - 20 : round(t * 500)] = signal[:, [round(t * 500) - 1]]
        signal[:, round(t * 500) + 4 : round(t * 500) + 24] = signal[:, [round(t * 500) - 1]]
    assert assess(ECGRecord(signal=signal, fs=500, leads=record.leads)).pacing_spikes_s == ()
