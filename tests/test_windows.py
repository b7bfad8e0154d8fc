import numpy as np

from ecg_llm.windows import WORK_FS, align_beats


def test_beats_are_laid_over_each_other_whatever_was_guessed() -> None:
    r_s = np.array([1.0, 2.0, 3.0, 4.0])
    t = np.arange(round(8 * WORK_FS)) / WORK_FS
    wave = np.exp(-(((t[:, None] - r_s) / 0.015) ** 2)).sum(axis=1)
    signal = np.stack([wave, -0.5 * wave]).astype(np.float32)
    guess = r_s + np.array([0.0, 0.012, -0.010, 0.0])
    shift = align_beats(signal, WORK_FS, guess)
    centres = np.round(guess * WORK_FS).astype(int) + shift
    assert np.ptp(centres - r_s * WORK_FS) <= 1
