import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.data_builders.synthetic_noise import NoiseConfig, electrode_noise
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.quality.electrodes import SWAPS, swap_electrodes

LOUD = NoiseConfig(
    wander_mv=0.2, mains_mv=0.1, muscle_mv=0.05, white_mv=0.01, motion_mv=0.5, steps_mv=0.4,
    loose=("LA",),
)  # fmt: skip


def noise_of(config, seed=0, fs=500):
    clean = synthetic_ecg(seed=seed, fs=fs).record.signal
    return synthetic_ecg(seed=seed, fs=fs, noise=config).record.signal - clean


def test_noise_at_the_electrodes_keeps_the_laws():
    row = dict(zip(STANDARD_12, synthetic_ecg(noise=LOUD).record.signal, strict=True))
    np.testing.assert_allclose(row["II"] - row["I"], row["III"], atol=1e-5)
    np.testing.assert_allclose(row["aVR"] + row["aVL"] + row["aVF"], 0, atol=1e-5)


def test_noise_changes_neither_the_heart_nor_the_truth():
    clean, noisy = synthetic_ecg(seed=4), synthetic_ecg(seed=4, noise=LOUD)
    np.testing.assert_array_equal(clean.truth.complete.times_s, noisy.truth.complete.times_s)


@pytest.mark.parametrize("hertz", [50.0, 60.0])
def test_mains_is_at_its_frequency(hertz):
    added = noise_of(NoiseConfig(mains_mv=0.05, mains_hz=hertz, mains_harmonics=0.0))
    spectrum = np.abs(np.fft.rfft(added[8]))
    assert np.fft.rfftfreq(5000, 1 / 500)[spectrum.argmax()] == pytest.approx(hertz, abs=0.3)


def test_wander_is_slow_and_muscle_is_fast():
    hertz = np.fft.rfftfreq(5000, 1 / 500)

    def share(added, low, high):
        power = np.abs(np.fft.rfft(added, axis=1)) ** 2
        return power[:, (hertz >= low) & (hertz < high)].sum() / power.sum()

    assert share(noise_of(NoiseConfig(wander_mv=0.1)), 0, 1) > 0.95
    assert share(noise_of(NoiseConfig(muscle_mv=0.05)), 10, 200) > 0.95


@pytest.mark.parametrize("name", ["wander_mv", "muscle_mv", "white_mv"])
def test_levels_are_in_millivolts_at_each_electrode(name):
    levels = []
    for seed in range(10):
        eight = electrode_noise(5000, 500, NoiseConfig(**{name: 0.1}), np.random.default_rng(seed))
        levels.append(eight[0].std())  # lead I is the difference of two electrodes
    assert np.mean(levels) == pytest.approx(0.1 * np.sqrt(2), rel=0.35)


def test_device_faults():
    ecg = synthetic_ecg(noise=NoiseConfig(flat=("V2",), saturation_mv=0.5, lsb_mv=0.005))
    signal = ecg.record.signal
    assert (ecg.record.row("V2") == 0).all()
    assert np.abs(signal).max() <= 0.5
    np.testing.assert_allclose(signal / 0.005, np.round(signal / 0.005), atol=1e-3)
    gap = np.isnan(synthetic_ecg(noise=NoiseConfig(gap_s=0.5)).record.signal)
    assert (gap.sum(axis=1) == 250).all()


@pytest.mark.parametrize("kind", SWAPS)
def test_swapped_electrodes_give_the_swapped_leads_of_the_same_heart(kind):
    right, wrong = synthetic_ecg(seed=2), synthetic_ecg(seed=2, electrode_swap=kind)
    expected = swap_electrodes(dict(zip(STANDARD_12, right.record.signal, strict=True)), kind)
    for lead in STANDARD_12:
        np.testing.assert_allclose(wrong.record.row(lead), expected[lead], atol=1e-6)
    assert wrong.truth.electrode_swap == kind


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="V9"):
        NoiseConfig(loose=("V9",))
    with pytest.raises(ConfigError, match="negative"):
        NoiseConfig(muscle_mv=-0.1)


def test_leads_without_anything_to_read_have_no_marks_for_training():
    made = synthetic_ecg(noise=NoiseConfig(flat=("V2",), loose=("V5",)), seed=1).truth
    assert made.lost == ("V2", "V5")
    waves = made.waves_s()
    assert len(waves["V2"]["QRS"]) == len(waves["V5"]["QRS"]) == 0
    assert len(waves["V4"]["QRS"]) >= 8
    assert NoiseConfig(loose=("LA",)).lost == STANDARD_12[:6]
