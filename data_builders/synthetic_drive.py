"""Activity without single waves: fibrillation of atria and ventricles, flutter, pacing stimuli."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_field import SITE_NAMES, Fields

Array = npt.NDArray[np.float64]

ATRIA = SITE_NAMES.index("atria")


def fibrillatory_waves(n: int, fs: float, fields: Fields, rng: np.random.Generator) -> Array:
    """Make atrial fibrillatory waves, shape (8, n), mV.

    They have 4 to 9 Hz and wander in rate, size and direction.
    """
    time = np.arange(n) / fs
    size = float(np.exp(rng.normal(np.log(0.045), 0.5)))  # mV, from fine to coarse
    centre = rng.uniform(5.2, 7.6)
    dipole = np.zeros((3, n))
    strength = np.array([0.35, 0.6, 0.9])
    for _ in range(3):
        swing = rng.uniform(0.3, 0.9) * np.sin(
            2 * np.pi * rng.uniform(0.1, 0.5) * time + rng.uniform(0, 6.3)
        )
        phase = 2 * np.pi * (centre + rng.uniform(-1.2, 1.2)) * time + 2.5 * swing
        loud = 0.7 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.15, 0.6) * time + rng.uniform(0, 6.3))
        wave = np.sin(phase) + 0.3 * np.sin(2 * phase + rng.uniform(0, 6.3))
        dipole += (rng.standard_normal(3) * strength)[:, None] * (loud * wave)
    return np.asarray(size * fields[ATRIA] @ dipole)


def flutter_waves(n: int, fs: float, bpm: float, fields: Fields, rng: np.random.Generator) -> Array:
    """Make the sawtooth of common atrial flutter, shape (8, n), mV.

    Slow down, fast up in II, III, aVF; ``bpm`` is the rate of the flutter waves.
    """
    phase = (np.arange(n) / fs * bpm / 60 + rng.random()) % 1.0
    fall = rng.uniform(0.62, 0.78)
    tooth = np.where(
        phase < fall,
        np.cos(np.pi * phase / fall),
        -np.cos(np.pi * (phase - fall) / (1 - fall)),
    )
    later = np.roll(tooth, -round(0.12 * 60 / bpm * fs))
    size = rng.uniform(0.08, 0.20)
    dipole = size * np.stack([0.1 * later, 0.85 * tooth, -0.30 * later])
    return np.asarray(fields[ATRIA] @ dipole)


def ventricular_fibrillation(n: int, fs: float, fields: Fields, rng: np.random.Generator) -> Array:
    """Make ventricular fibrillation, shape (8, n), mV: 3 to 7 Hz, without order."""
    time = np.arange(n) / fs
    dipole = np.zeros((3, n))
    for _ in range(9):
        hertz = rng.uniform(2.6, 7.4)
        drift = rng.uniform(0.5, 1.6) * np.sin(
            2 * np.pi * rng.uniform(0.2, 0.7) * time + rng.uniform(0, 6.3)
        )
        loud = np.abs(np.sin(2 * np.pi * rng.uniform(0.08, 0.3) * time + rng.uniform(0, 6.3)))
        wave = np.sin(2 * np.pi * hertz * time + 3 * drift)
        dipole += rng.standard_normal((3, 1)) * (0.2 + 0.8 * loud) * wave
    return np.asarray(rng.uniform(0.08, 0.3) * fields[0] @ dipole)


def add_spikes(
    eight: Array,
    fs: float,
    spikes: list[tuple[float, str]],
    fields: Fields,
    rng: np.random.Generator,
) -> None:
    """Draw pacing stimuli into the leads, shape (8, n_samples), mV.

    Each is a millisecond wide, smeared to one sample where the rate is low; of ``spikes`` time
    and chamber are told.
    """
    size = rng.uniform(0.4, 2.5)  # bipolar leads give small spikes, unipolar ones tall
    vectors = {
        "atrium": size * 0.7 * np.array([0.4, 0.6, -0.2]) + 0.1 * rng.standard_normal(3),
        "ventricle": size * np.array([0.5, 0.7, 0.1]) + 0.2 * rng.standard_normal(3),
    }
    width = 0.002
    for at_s, chamber in spikes:
        k = round(at_s * fs)
        if 0 <= k < eight.shape[1] - 1:
            lead = fields[0] @ vectors[chamber] * min(1.0, width * fs)
            eight[:, k] += lead
            eight[:, k + 1] -= 0.25 * lead
