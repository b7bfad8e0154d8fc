"""How fast the paper ran, told from the tracings themselves: widths of complexes, rate of beats."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.page.rows import SAMPLES_MM, Row

Floats = npt.NDArray[np.float64]

SLOW, FAST = 25.0, 50.0
"""Paper speeds, mm/s."""
_RARER = 1.0
"""Log odds against fast paper before anything is seen."""
WEIGHTS = Path(__file__).parent.parent / "weights" / "page_speed.npz"
_PER_MM = 5
"""Samples a millimetre at which tracings are looked at."""
_LEAST_MM = 30.0
_SMOOTH_MM = 0.6
_BANDS = np.geomspace(0.02, 1.2, 21)
"""Edges of the bands of the spectrum, cycles a millimetre."""
_LAGS_MM = np.geomspace(4.0, 90.0, 29)
"""Edges of the distances at which tracings are held against themselves."""


def speed_features(rows: Sequence[Row]) -> Floats | None:
    """Describe how sharp the waves are on the paper, and how far apart they repeat.

    Parameters
    ----------
    rows : sequence of Row
        Tracings in mm.

    Returns
    -------
    np.ndarray, shape (N_FEATURES,), or None
        Logarithm of the power of the slope in each band, and the largest autocorrelation of the
        slope's size in each range of distances; heights do not count. None if little is drawn.
    """
    bands, repeats, lengths = [], [], []
    for row in rows:
        there = np.flatnonzero(np.isfinite(row.values))
        if len(there) < _LEAST_MM * SAMPLES_MM:
            continue
        along = np.arange(there[0], there[-1] + 1)
        values = np.interp(along, there, row.values[there])
        wide = int(_SMOOTH_MM * SAMPLES_MM)
        values = np.convolve(values, np.ones(wide) / wide, "valid")[:: SAMPLES_MM // _PER_MM]
        slope = np.diff(values)
        slope -= slope.mean()
        bands.append(_band_power(slope))
        repeats.append(_repeats(slope))
        lengths.append(float(len(slope)))
    if not bands:
        return None
    power = np.average(bands, axis=0, weights=lengths)
    return np.concatenate([power - power.mean(), np.average(repeats, axis=0, weights=lengths)])


def _band_power(slope: Floats) -> Floats:
    """Give the logarithm of the mean power in each band."""
    power = np.abs(np.fft.rfft(slope * np.hanning(len(slope)), 4096)) ** 2
    at = np.fft.rfftfreq(4096, 1 / _PER_MM)
    total = np.interp(_BANDS, at, np.cumsum(power))
    return np.asarray(np.log(np.diff(total) / np.diff(_BANDS) + 1e-9 * power.sum() + 1e-12))


def _repeats(slope: Floats) -> Floats:
    """Give the largest autocorrelation of the slope's size in each range of distances."""
    size = np.abs(slope)
    size = np.minimum(size, np.quantile(size, 0.99))
    size = np.convolve(size, np.ones(5) / 5, "same")
    size -= size.mean()
    n = len(size)
    whole = np.fft.irfft(np.abs(np.fft.rfft(size, 2 * n)) ** 2)[:n] / (size @ size + 1e-9)
    whole *= n / np.maximum(n - np.arange(n), n // 4)
    edges = np.minimum((_LAGS_MM * _PER_MM).astype(int), n - 2)
    return np.array([whole[a : max(b, a + 1)].max() for a, b in itertools.pairwise(edges)])


@functools.cache
def _reader(path: Path) -> dict[str, Floats]:
    """Load the perceptrons once per process."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: the reader of paper speed is not there; reinstall the package, or train one "
            "with `ecgllm train pages`."
        )
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}


def told_speed(rows: Sequence[Row]) -> float | None:
    """Tell the paper speed from the tracings.

    Parameters
    ----------
    rows : sequence of Row
        Tracings in mm.

    Returns
    -------
    float or None, mm/s
        25 or 50; None if too little is drawn to tell.

    Raises
    ------
    ConfigError
        If the trained reader is not there.
    """
    features = speed_features(rows)
    if features is None:
        return None
    net = _reader(WEIGHTS)
    x = (features - net["mean"]) / net["deviation"]
    hidden = np.maximum(x @ net["w1"] + net["b1"], 0)  # [members, hidden]
    odds = float((hidden * net["w2"]).sum(axis=1).mean() + net["b2"].mean())
    return FAST if odds > _RARER else SLOW
