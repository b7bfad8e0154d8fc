"""Noise and artefacts, made at the electrodes so that Einthoven's law still holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.leads import LIMB_LEADS, STANDARD_12

Array = npt.NDArray[np.float64]

ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")
_WILSON = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0]) / 3
_EIGHT_FROM_ELECTRODES = np.vstack(
    [np.eye(9)[1] - np.eye(9)[0], np.eye(9)[2] - np.eye(9)[0], np.eye(9)[3:] - _WILSON]
)
"""The independent leads from the potentials at the nine electrodes, shape (8, 9)."""


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """How much of each disturbance to add; nothing by default.

    Attributes
    ----------
    wander_mv : float, mV
        Root mean square, at each electrode, of baseline wander below 0.6 Hz.
    mains_mv : float, mV
        Greatest amplitude at any electrode of the mains.
    mains_hz : float, Hz
        50 or 60.
    mains_harmonics : float
        Third harmonic against the first; the second has a third of that.
    muscle_mv : float, mV
        Root mean square of muscle noise (about 15 to 150 Hz), which comes and goes.
    white_mv : float, mV
        Root mean square of amplifier noise.
    motion_mv : float, mV
        Size of electrode movements: a jump that decays within a second.
    motion_per_min : float, /min
        How often.
    steps_mv : float, mV
        Size of one lasting jump of one electrode, fading over seconds; 0 for none.
    loose : tuple of str
        Electrodes of `ELECTRODES` that hang loose and pick up mains and drift.
    flat : tuple of str
        Leads that the device writes as zero.
    dropouts : int
        Times that a lead holds its last value for 0.1 to 1.5 s.
    gap_s : float, s
        Length of one stretch that was not recorded at all (NaN in every lead).
    saturation_mv : float, mV
        Limit of the amplifier; 0 for none.
    lsb_mv : float, mV
        Step of the converter; 0 for none.
    """

    wander_mv: float = 0.0
    mains_mv: float = 0.0
    mains_hz: float = 50.0
    mains_harmonics: float = 0.2
    muscle_mv: float = 0.0
    white_mv: float = 0.0
    motion_mv: float = 0.0
    motion_per_min: float = 6.0
    steps_mv: float = 0.0
    loose: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    dropouts: int = 0
    gap_s: float = 0.0
    saturation_mv: float = 0.0
    lsb_mv: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("loose", "flat"):
            allowed = ELECTRODES if name == "loose" else STANDARD_12
            unknown = [item for item in getattr(self, name) if item not in allowed]
            if unknown:
                raise ConfigError(
                    f"NoiseConfig.{name}: {', '.join(unknown)}; it takes {', '.join(allowed)}."
                )
        numbers = [value for value in vars(self).values() if isinstance(value, int | float)]
        if min(numbers) < 0:
            raise ConfigError("NoiseConfig: a level is negative; levels are 0 or more.")

    @property
    def lost(self) -> tuple[str, ...]:
        """Leads in which nothing can be read: flat, or with a loose electrode of their own."""
        limbs = LIMB_LEADS if {"RA", "LA", "LL"} & set(self.loose) else ()
        gone = {*self.flat, *self.loose, *limbs}
        return tuple(lead for lead in STANDARD_12 if lead in gone)


def draw_noise(rng: np.random.Generator) -> NoiseConfig:
    """Draw the noise of one recording as clinics make them: mostly good, some bad."""

    def level(middle: float, spread: float = 0.7) -> float:
        return float(middle * np.exp(spread * rng.standard_normal()))

    bad = rng.random() < 0.15
    worse = 3.0 if bad else 1.0
    return NoiseConfig(
        wander_mv=level(0.035) * worse,
        mains_mv=level(0.006) * worse if rng.random() < 0.5 else 0.0,
        mains_hz=float(rng.choice([50.0, 60.0])),
        mains_harmonics=float(rng.uniform(0, 0.4)),
        muscle_mv=level(0.0055, 0.8) * worse,
        white_mv=level(0.002, 0.5),
        motion_mv=level(0.25) if rng.random() < (0.5 if bad else 0.08) else 0.0,
        steps_mv=level(0.4) if rng.random() < (0.15 if bad else 0.02) else 0.0,
        loose=(str(rng.choice(ELECTRODES[3:])),) if bad and rng.random() < 0.2 else (),
        flat=(str(rng.choice(STANDARD_12[6:])),) if bad and rng.random() < 0.1 else (),
        dropouts=int(rng.integers(1, 3)) if bad and rng.random() < 0.1 else 0,
        lsb_mv=float(rng.choice([0.001, 0.0025, 0.005])),
    )


def _shaped(n: int, fs: float, low_hz: float, high_hz: float, rng: np.random.Generator) -> Array:
    """Noise of each electrode between two frequencies, of root mean square 1."""
    frequency = np.fft.rfftfreq(n, 1 / fs)
    rise = (frequency / low_hz) ** 2
    gain = rise / (1 + rise) / (1 + (frequency / high_hz) ** 4)
    # A flat spectrum's coefficients are themselves normal: half of the transforms are saved.
    phases = rng.standard_normal((9, 2, len(frequency)))
    noise = np.fft.irfft((phases[:, 0] + 1j * phases[:, 1]) * gain, n, axis=1)
    return np.asarray(noise / noise.std(axis=1, keepdims=True))


def _wander(n: int, fs: float, rng: np.random.Generator) -> Array:
    """Slow drift of each electrode, of root mean square 1, with breathing in it."""
    time = np.arange(n) / fs
    hertz = np.concatenate([rng.uniform(0.03, 0.6, 7), [rng.uniform(0.18, 0.33)]])
    size = np.concatenate([1 / (0.15 + hertz[:7]), [3.0]])
    waves = np.sin(2 * np.pi * hertz[:, None] * time + rng.uniform(0, 2 * np.pi, (8, 1)))
    mixed = (rng.standard_normal((9, 8)) * size) @ waves
    return np.asarray(mixed / np.maximum(mixed.std(axis=1, keepdims=True), 1e-9))


def _mains(n: int, fs: float, config: NoiseConfig, rng: np.random.Generator) -> Array:
    """Mains at each electrode, of greatest amplitude 1."""
    time = np.arange(n) / fs
    base = config.mains_hz * (1 + 0.0008 * rng.standard_normal())
    strength = rng.uniform(0.1, 1.0, (9, 1))
    strength /= strength.max()
    phase = rng.uniform(0, 2 * np.pi) + 0.4 * rng.standard_normal((9, 1))
    total = np.zeros((9, n))
    shares = ((1, 1.0), (2, config.mains_harmonics / 3), (3, config.mains_harmonics))
    for order, share in shares:
        if share and order * base < 0.48 * fs:
            total += share * np.sin(2 * np.pi * order * base * time + order * phase)
    return np.asarray(strength * total)


def electrode_noise(n: int, fs: float, config: NoiseConfig, rng: np.random.Generator) -> Array:
    """Make the noise of the independent leads, shape (8, n), mV."""
    at = np.zeros((9, n))
    time = np.arange(n) / fs
    if config.wander_mv:
        at += config.wander_mv * _wander(n, fs, rng)
    if config.mains_mv:
        at += config.mains_mv * _mains(n, fs, config, rng)
    if config.muscle_mv:
        come = 1 + 0.6 * np.sin(2 * np.pi * rng.uniform(0.05, 0.4) * time + rng.uniform(0, 6.3))
        strength = np.exp(0.4 * rng.standard_normal((9, 1)))
        at += config.muscle_mv * strength * come * _shaped(n, fs, 15, min(150, 0.4 * fs), rng)
    if config.white_mv:
        at += config.white_mv * rng.standard_normal((9, n))
    if config.motion_mv:
        for _ in range(int(rng.poisson(config.motion_per_min * n / fs / 60))):
            _jump(at, time, config.motion_mv, float(rng.uniform(0.15, 0.8)), rng)
    if config.steps_mv:
        _jump(at, time, config.steps_mv, float(rng.uniform(2, 8)), rng)
    for name in config.loose:
        drift = 1.5 * _wander(n, fs, rng)[0] + 0.8 * _mains(n, fs, config, rng)[0]
        at[ELECTRODES.index(name)] += drift + 0.15 * rng.standard_normal(n)
    return np.asarray(_EIGHT_FROM_ELECTRODES @ at)


def _jump(at: Array, time: Array, size_mv: float, decay_s: float, rng: np.random.Generator) -> None:
    """Let one electrode jump and settle."""
    start = float(rng.uniform(0, time[-1] + 1e-9))
    after = np.clip(time - start, 0, None)
    shape = np.minimum(after / float(rng.uniform(0.01, 0.08)), 1.0) * np.exp(-after / decay_s)
    at[int(rng.integers(0, 9))] += (
        size_mv * float(rng.choice([-1, 1]) * rng.uniform(0.4, 1)) * shape
    )


def device_faults(
    signal: Array, leads: tuple[str, ...], fs: float, config: NoiseConfig, rng: np.random.Generator
) -> Array:
    """Do to the leads what the device does: limits, steps, flat leads, lost stretches.

    The signal, shape (n_leads, n), mV, is changed in place and given back.
    """
    n = signal.shape[1]
    for _ in range(config.dropouts):
        row, start = int(rng.integers(0, len(leads))), int(rng.integers(0, n))
        signal[row, start : start + round(rng.uniform(0.1, 1.5) * fs)] = signal[row, start]
    for lead in config.flat:
        if lead in leads:
            signal[leads.index(lead)] = 0.0
    if config.saturation_mv:
        np.clip(signal, -config.saturation_mv, config.saturation_mv, out=signal)
    if config.lsb_mv:
        signal = np.round(signal / config.lsb_mv) * config.lsb_mv
    if config.gap_s:
        start = int(rng.integers(0, max(1, n - round(config.gap_s * fs))))
        signal[:, start : start + round(config.gap_s * fs)] = np.nan
    return signal
