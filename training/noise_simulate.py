"""Add noise of known size to records, electrode by electrode, so that a net learns to see it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from ecg_llm.leads import STANDARD_12
from ecg_llm.noise_features import Parted
from ecg_llm.noise_net import noise_map
from ecg_llm.quality.bands import WORKING_FS, split_bands
from ecg_llm.quality.features import measure_features
from ecg_llm.record import ECGRecord
from ecg_llm.signal import resample

FloatArray = npt.NDArray[np.float64]

N_TARGETS = 8
"""Usual and largest size of drift, static, bursts and steps."""
_N_ELECTRODES = 9
"""Right arm, left arm, foot, V1 to V6."""


def simulated_maps(
    records: Iterable[ECGRecord], n_frames: int, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw records with noise added.

    Parameters
    ----------
    n_frames : int
        Frames to keep of each; shorter records are left out.

    Returns
    -------
    np.ndarray, shape (n, 12, n_channels, n_frames)
        Maps.
    np.ndarray, shape (n, 12, 8)
        Logarithms of the sizes in mV that were added to each lead.
    """
    rng = np.random.default_rng(seed)
    maps, sizes = [], []
    for record in records:
        signal = resample(np.nan_to_num(record.signal), record.fs, WORKING_FS)
        signal = signal[[record.leads.index(name) for name in STANDARD_12]]
        added, size = _add_noise(signal.shape[1], rng)
        noisy = (signal + added).astype(np.float32)
        bands = split_bands(
            ECGRecord(signal=noisy, fs=WORKING_FS, leads=STANDARD_12, name=record.name)
        )
        drawn = noise_map(Parted(bands, measure_features(bands)))
        if drawn.shape[2] >= n_frames:
            maps.append(drawn[:, :, :n_frames])
            sizes.append(size)
    return np.stack(maps), np.stack(sizes).astype(np.float32)


def _add_noise(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Make noise as electrodes bring it into the leads: each kind in half of the cases.

    Gives it, shape (12, n), mV at 100 Hz, and by lead the logarithms of the root mean square, and
    of the largest over half a second, of each kind, shape (12, 8).
    """
    total = np.zeros((len(STANDARD_12), n))
    sizes = np.zeros((len(STANDARD_12), N_TARGETS))
    for k, make in enumerate((_drift, _static, _bursts, _steps)):
        electrodes = np.zeros((_N_ELECTRODES, n))
        if rng.random() < 0.5:
            if rng.random() < 0.25:  # something that many electrodes share
                shared = make(n, rng)
                few = range(3) if rng.random() < 0.5 else range(3, _N_ELECTRODES)
                for e in range(_N_ELECTRODES) if rng.random() < 0.4 else few:
                    electrodes[e] = shared * rng.uniform(-0.5, 1) + make(n, rng) * rng.uniform(
                        0, 0.6
                    )
            else:
                for e in rng.choice(_N_ELECTRODES, rng.integers(1, 4), replace=False):
                    electrodes[e] = make(n, rng)
        leads = _LEADS @ electrodes
        total += leads
        square = np.square(leads)
        largest = np.sqrt(uniform_filter1d(square, 50, axis=1).clip(0)).max(axis=1)
        sizes[:, 2 * k] = np.log(np.sqrt(square.mean(axis=1)) + 0.004)
        sizes[:, 2 * k + 1] = np.log(largest + 0.008)
    return total, sizes


def _leads_of_electrodes() -> FloatArray:
    """Give each lead as differences of electrodes."""
    right, left, foot, *chest = np.eye(_N_ELECTRODES)
    middle = (right + left + foot) / 3
    limb = [left - right, foot - right, foot - left]
    augmented = [1.5 * (one - middle) for one in (right, left, foot)]
    return np.stack([*limb, *augmented, *(one - middle for one in chest)])


_LEADS = _leads_of_electrodes()


def _between(n: int, low: float, high: float, rng: np.random.Generator) -> FloatArray:
    """Noise of some frequencies, of a standard deviation of one."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / WORKING_FS)
    out = np.fft.irfft(spectrum * ((hz >= low) & (hz <= high)), n)
    return np.asarray(out / (out.std() + 1e-9))


def _size(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw a size in mV, every ratio alike."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _drift(n: int, rng: np.random.Generator) -> FloatArray:
    walk = np.cumsum(rng.standard_normal(n))
    out = _between(n, 0.05, rng.uniform(0.2, 0.8), rng) if rng.random() < 0.7 else walk
    return np.asarray((out - out.mean()) / (out.std() + 1e-9) * _size(0.03, 0.6, rng))


def _static(n: int, rng: np.random.Generator) -> FloatArray:
    low = rng.choice([1.0, 5.0, 12.0, 20.0, 30.0])
    high = rng.choice([25.0, 40.0, 49.0]) if low < 20 else 49.0
    return _between(n, low, high, rng) * _size(0.005, 0.12, rng)


def _bursts(n: int, rng: np.random.Generator) -> FloatArray:
    out = np.zeros(n)
    for _ in range(rng.integers(1, 4)):
        width = int(rng.uniform(30, 300))
        first = int(rng.uniform(-width / 2, n - width / 2))
        low = rng.choice([0.7, 2.0, 6.0, 15.0])
        high = rng.choice([12.0, 25.0, 45.0]) if low < 8 else 45.0
        burst = _between(max(width, 64), low, high, rng)[:width] * np.hanning(width)
        start, end = max(first, 0), min(first + width, n)
        out[start:end] += burst[start - first : end - first] * _size(0.03, 0.6, rng)
    return out


def _steps(n: int, rng: np.random.Generator) -> FloatArray:
    """Jumps that fall back slowly, as a loose electrode makes them."""
    out = np.zeros(n)
    for _ in range(rng.integers(1, 4)):
        at = rng.integers(0, n)
        height = _size(0.05, 1.0, rng) * rng.choice([-1, 1])
        seconds = np.arange(n - at) / WORKING_FS
        out[at:] += height * np.exp(-seconds / _size(0.03, 3.0, rng))
    return out
