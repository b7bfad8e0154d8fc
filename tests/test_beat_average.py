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


def test_t_waves_of_a_lead_move_together_and_keep_their_differences() -> None:
    r_s = [0.8 + 0.8 * k for k in range(8)]
    beat = average_beat(train_of_beats(r_s), np.array(r_s))
    assert beat is not None
    times = np.full((2, 9, 9), np.nan)  # the last beat is not of the average
    jitter = np.array([0, 2, -2, 1, -1, 0, 3, -3]) / 1000
    centres = beat.centres_s
    times[:, :8, 3], times[:, :8, 5] = centres - 0.040, centres + 0.040
    times[:, :8, 6], times[:, :8, 7] = centres + 0.200, centres + 0.300
    times[:, :8, 8] = centres + 0.350 + jitter
    times[:, 8, 6:] = 7.5, 7.55, 7.6
    qrs, t = (BEFORE_S - 0.05, BEFORE_S + 0.05), (BEFORE_S + 0.190, BEFORE_S + 0.364)
    settled = settle(times, beat, boxes({"P": [], "QRS": [qrs], "T": [t]}, N / NET_FS))
    np.testing.assert_allclose(settled[:, :8, 6], np.tile(centres + 0.190, (2, 1)), atol=2e-3)
    want = np.tile(centres + 0.364 + jitter, (2, 1))
    np.testing.assert_allclose(settled[:, :8, 8], want, atol=2e-3)
    np.testing.assert_array_equal(settled[..., :6], times[..., :6])
    np.testing.assert_array_equal(settled[:, 8], times[:, 8])


def test_a_boundary_far_off_is_another_waves() -> None:
    r_s = [0.8 + 0.8 * k for k in range(8)]
    beat = average_beat(train_of_beats(r_s), np.array(r_s))
    assert beat is not None
    times = np.full((2, 8, 9), np.nan)
    times[..., 6], times[..., 8] = beat.centres_s + 0.2, beat.centres_s + 0.35
    times[..., 7] = beat.centres_s + 0.3
    of_beat = {"P": [], "QRS": [], "T": [(BEFORE_S + 0.18, BEFORE_S + 0.45)]}
    settled = settle(times, beat, boxes(of_beat, N / NET_FS))
    np.testing.assert_allclose(settled[..., 6] - times[..., 6], -0.020, atol=2e-3)
    np.testing.assert_array_equal(settled[..., 8], times[..., 8])
