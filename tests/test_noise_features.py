"""What is left of a lead without its beats, and whose electrode brings the noise in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.noise_features import Parted, electrode_metrics, noise_metrics, without_beats
from ecg_llm.quality.bands import split_bands
from ecg_llm.quality.features import measure_features
from ecg_llm.record import ECGRecord
from ecg_llm.signal import resample

Signal = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def clean() -> ECGRecord:
    return synthetic_ecg(bpm=70, seed=5, noise=None).record


def tremor(n: int, fs: float, mv: float) -> Signal:
    """Make noise between 15 and 35 Hz."""
    white = np.random.default_rng(1).normal(0, 1, (1, n)).astype(np.float32)
    band = resample(white, fs, fs, highpass_hz=15, lowpass_hz=35)
    return np.asarray(mv * band[0] / band[0].std(), np.float32)


def changed(record: ECGRecord, signal: Signal) -> ECGRecord:
    return ECGRecord(signal=signal, fs=record.fs, leads=record.leads, name="changed")


def test_beats_are_taken_off_and_noise_stays(clean: ECGRecord) -> None:
    signal = resample(clean.signal, clean.fs, 100.0)
    bands = split_bands(clean)
    features = measure_features(bands)
    rest = without_beats(bands.ecg, features.beats)
    assert rest.std() < 0.35 * bands.ecg.std()
    noise = tremor(signal.shape[1], 100.0, 0.1)
    noisy = without_beats(bands.ecg + noise, features.beats) - rest
    assert noisy[0].std() == pytest.approx(0.1, rel=0.15)


def test_metrics_hardly_depend_on_the_rate(clean: ECGRecord) -> None:
    noise = tremor(clean.signal.shape[1], clean.fs, 0.05)
    noisy = changed(clean, clean.signal + noise)
    slow = ECGRecord(
        signal=resample(noisy.signal, noisy.fs, 100.0), fs=100.0, leads=noisy.leads, name="slow"
    )
    a, b = (
        noise_metrics(Parted(one, measure_features(one))) for one in map(split_bands, (noisy, slow))
    )
    apart = np.median(np.abs(a - b), axis=0)
    assert np.median(apart) < 0.02
    assert (apart < 0.3).mean() > 0.95


def test_noise_of_the_right_arm_is_found_there(clean: ECGRecord) -> None:
    noise = tremor(clean.signal.shape[1], clean.fs, 0.2)
    # What the right arm adds: I and II lose it, aVR gains it, the chest leads lose a third.
    share = {"I": -1, "II": -1, "III": 0, "aVR": 1, "aVL": -0.5, "aVF": -0.5}
    added = np.stack([share.get(lead, -1 / 3) * noise for lead in clean.leads])
    bands = split_bands(changed(clean, clean.signal + added.astype(np.float32)))
    metrics = electrode_metrics(Parted(bands, measure_features(bands)), clean.leads).reshape(9, -1)
    assert metrics[:, 6].argmax() == 0  # tremor, usual size
    assert metrics[0, 6] > metrics[1:, 6].max() + 0.5


def test_without_a_limb_lead_no_electrode_is_judged(clean: ECGRecord) -> None:
    bands = split_bands(clean)
    names = ("x", *clean.leads[1:])
    assert np.isnan(electrode_metrics(Parted(bands, measure_features(bands)), names)).all()
