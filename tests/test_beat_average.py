import numpy as np
import pytest

from ecg_llm.beat_average import AFTER_S, BEFORE_S, align_beats, average_beat, settle
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.waves import NET_FS, net_input
from tests.test_delineate import boxes

N = round((BEFORE_S + AFTER_S) * NET_FS)


def train_of_beats(r_s: list[float], seconds: float = 8.0) -> np.ndarray:
    """Two leads with a narrow deflection at each time."""
    t = np.arange(round(seconds * NET_FS)) / NET_FS
    wave = sum(np.exp(-(((t - r) / 0.015) ** 2)) for r in r_s)
    return np.stack([wave, -0.5 * wave]).astype(np.float32)


def test_beats_are_laid_over_each_other_whatever_was_guessed() -> None:
    r_s = np.array([1.0, 2.0, 3.0, 4.0])
    guess = r_s + np.array([0.0, 0.012, -0.010, 0.0])
    shift = align_beats(train_of_beats(list(r_s)), NET_FS, guess)
    centres = np.round(guess * NET_FS).astype(int) + shift
    assert np.ptp(centres - r_s * NET_FS) <= 1


def test_the_average_has_less_noise_than_a_beat() -> None:
    r_s = [0.8 + 0.8 * k for k in range(9)]
    clean = train_of_beats(r_s)
    noise = np.random.default_rng(0).normal(0, 0.03, clean.shape).astype(np.float32)
    beat = average_beat(clean + noise, np.array(r_s))
    assert beat is not None and len(beat.members) == 9
    rest = beat.signal[:, :150]  # before the beat there is only noise
    assert rest.std() < 0.5 * (noise[:, :150] / np.ptp(clean + noise, axis=1)[:, None]).std()


def test_a_beat_of_another_shape_is_left_out() -> None:
    ecg = synthetic_ecg(bpm=70, seed=2)
    signal = net_input(ecg.record)
    r_s = ecg.truth.delineation.r_s
    middle = round(r_s[4] * NET_FS)
    signal[:, middle - 60 : middle + 150] = -2 * signal[:, middle - 60 : middle + 150]
    beat = average_beat(signal, r_s)
    assert beat is not None
    assert 4 not in beat.members and len(beat.members) >= len(r_s) - 3


@pytest.mark.parametrize("r_s", [[], [1.0]])
def test_a_single_beat_is_no_average(r_s: list[float]) -> None:
    assert average_beat(train_of_beats([1.0]), np.array(r_s)) is None


def test_boundaries_of_a_lead_move_together_and_keep_their_differences() -> None:
    r_s = [0.8 + 0.8 * k for k in range(8)]
    beat = average_beat(train_of_beats(r_s), np.array(r_s))
    assert beat is not None
    times = np.full((2, 8, 9), np.nan)
    jitter = np.array([0, 2, -2, 1, -1, 0, 3, -3]) / 1000
    times[:, :, 3] = beat.centres_s - 0.040 + jitter
    times[:, :, 4], times[:, :, 5] = beat.centres_s, beat.centres_s + 0.040
    of_beat = {"P": [], "QRS": [(BEFORE_S - 0.050, BEFORE_S + 0.046)], "T": []}
    settled = settle(times, beat, boxes(of_beat, N / NET_FS))
    np.testing.assert_allclose(
        settled[..., 3], np.tile(beat.centres_s - 0.050 + jitter, (2, 1)), atol=2e-3
    )
    np.testing.assert_allclose(settled[..., 5], np.tile(beat.centres_s + 0.046, (2, 1)), atol=2e-3)
    assert np.isnan(settled[..., [0, 2, 6, 8]]).all()


def test_a_wave_that_does_not_keep_its_place_stays() -> None:
    r_s = [0.8 + 0.8 * k for k in range(8)]
    beat = average_beat(train_of_beats(r_s), np.array(r_s))
    assert beat is not None
    times = np.full((2, 8, 9), np.nan)
    wandering = beat.centres_s - 0.2 + np.linspace(-0.15, 0.05, 8)
    times[:, :, 0], times[:, :, 1], times[:, :, 2] = wandering, wandering + 0.05, wandering + 0.1
    of_beat = {"P": [(BEFORE_S - 0.24, BEFORE_S - 0.14)], "QRS": [], "T": []}
    np.testing.assert_array_equal(settle(times, beat, boxes(of_beat, N / NET_FS)), times)
