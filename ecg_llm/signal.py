"""Signal arithmetic shared by the lanes: gaps, medians, resampling and filtering in one FFT."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Float = TypeVar("Float", np.float32, np.float64)

_PAD_S = 1.0
_MAX_DENOMINATOR = 1000
_FEW, _MANY = 32, 80
"""Up to so many values each, and from so many medians a value on, comparing columns beats sorting
rows."""


def fill_gaps(signal: FloatArray) -> FloatArray:
    """Bridge unrecorded samples by straight lines, so that filters can run.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n_samples), mV
        NaN marks unrecorded samples.

    Returns
    -------
    np.ndarray, shape (n_leads, n_samples), mV
        The same array if nothing was missing. A lead without any sample becomes zero, which the
        quality gate has reported as disconnected.

    Examples
    --------
    >>> import numpy as np
    >>> fill_gaps(np.float32([[0.0, np.nan, 1.0]])).tolist()
    [[0.0, 0.5, 1.0]]
    """
    missing = ~np.isfinite(signal)
    if not missing.any():
        return signal
    filled = np.where(missing, np.float32(0), signal)
    index = np.arange(signal.shape[1])
    for k in np.flatnonzero(missing.any(axis=1)):
        known = ~missing[k]
        if known.any():
            filled[k, missing[k]] = np.interp(index[missing[k]], index[known], signal[k, known])
    return filled


def median(values: npt.NDArray[np.floating]) -> float:
    """Take the median of a few numbers, which `numpy.median` is slow at.

    Parameters
    ----------
    values : np.ndarray, any shape
        At least one, none of them NaN.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> median(np.array([4.0, 1.0, 2.0, 3.0]))
    2.5
    """
    ordered = np.sort(values, axis=None)
    n = len(ordered)
    return float((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)


def nanmedian(values: npt.NDArray[Float], axis: int) -> npt.NDArray[Float]:
    """Take the median over one axis, leaving out NaN.

    Parameters
    ----------
    values : np.ndarray
        Any shape with at least one value along the axis.
    axis : int
        The axis to pool.

    Returns
    -------
    np.ndarray
        Without that axis; NaN where there is no value.
    """
    n = values.shape[axis]
    before: tuple[Any, ...] = (slice(None),) * axis
    if 2 <= n <= _FEW and values.size >= n * n * _MANY:
        columns = [values[(*before, k)] for k in range(n)]
        return _median_of_few(columns, gaps=bool(np.isnan(values).any()))
    rows = np.sort(values, axis=axis)  # NaN last
    lower, upper = rows[(*before, (n - 1) // 2)], rows[(*before, n // 2)]
    middle: npt.NDArray[Float] = np.asarray((lower + upper) / 2)
    holed = np.isnan(rows[(*before, -1)])
    if holed.any():
        ordered = np.moveaxis(rows, axis, -1)[holed]
        count = n - np.isnan(ordered).sum(axis=-1)
        at = np.arange(len(ordered))
        low = ordered[at, np.maximum(count - 1, 0) // 2]
        high = ordered[at, np.minimum(count // 2, n - 1)]
        middle[holed] = np.where(count > 0, (low + high) / 2, np.nan)
    return middle


def quantile(rows: npt.NDArray[Float], share: float) -> npt.NDArray[Float]:
    """Take a quantile of each row, leaving out NaN.

    Parameters
    ----------
    rows : np.ndarray, shape (n_rows, n)
        At least one column.
    share : float
        0 for the least value, 1 for the largest; between two values in a straight line.

    Returns
    -------
    np.ndarray, shape (n_rows,)
        NaN where there is no value.

    Examples
    --------
    >>> import numpy as np
    >>> quantile(np.array([[3.0, 1.0, 2.0], [5.0, np.nan, 4.0]]), 0.25).tolist()
    [1.5, 4.25]
    """
    ordered = np.sort(rows, axis=1)  # NaN last
    last = np.maximum(rows.shape[1] - 1 - np.isnan(rows).sum(axis=1), 0)
    place = last * share
    low = place.astype(int)
    at = np.arange(len(rows))
    below, above = ordered[at, low], ordered[at, np.minimum(low + 1, last)]
    return np.asarray(above - (above - below) * (1 - (place - low)), rows.dtype)


def _median_of_few(columns: list[npt.NDArray[Float]], gaps: bool) -> npt.NDArray[Float]:
    """Sort two or more equally long columns against each other until the middle is known."""
    n = len(columns)
    endless = np.array(np.inf, columns[0].dtype)
    missing = np.zeros(columns[0].shape, np.int8)
    for k, column in enumerate(columns if gaps else []):
        gap = np.isnan(column)
        if gap.any():
            missing += gap
            # In turn above and below all others, so that the middle of those stays the middle.
            columns[k] = np.where(gap, np.where(missing % 2, endless, -endless), column)
    for low, high, low_matters, high_matters in _comparisons(n):
        a, b = columns[low], columns[high]
        if low_matters:
            columns[low] = np.minimum(a, b)
        if high_matters:
            columns[high] = np.maximum(a, b)
    below, above = columns[n // 2 - 1], columns[n // 2]
    with np.errstate(invalid="ignore"):  # of nothing but gaps NaN
        middle = (below + above) / 2
    lone = (n - missing) % 2 == 1  # one value is the middle of an odd number
    return np.where(lone, above if n % 2 else below, middle)


@functools.cache
def _comparisons(n: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """Give what to compare, in turn, until the two middle ones of ``n`` values are in place.

    Batcher's sorting network (Knuth, The Art of Computer Programming 3, 5.2.2 M) without what those
    do not depend on: the two places of each comparison, and which of them matters afterwards.
    """
    pairs = []
    half = 1 << max((n - 1).bit_length() - 1, 0)
    p = half
    while p:
        q, r, d = half, 0, p
        while d:
            pairs += [(k, k + d) for k in range(n - d) if k & p == r]
            d, q, r = q - p, q >> 1, p
        p >>= 1
    matter = {n // 2 - 1, n // 2}
    kept = []
    for low, high in reversed(pairs):
        if low in matter or high in matter:
            kept.append((low, high, low in matter, high in matter))
            matter |= {low, high}
    return tuple(reversed(kept))


def resample(
    signal: FloatArray,
    fs: float,
    fs_out: float,
    *,
    highpass_hz: float = 0.0,
    lowpass_hz: float | None = None,
) -> FloatArray:
    """Change the sampling rate and filter, with no shift in time.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n_samples), mV
        Finite samples.
    fs, fs_out : float, Hz
        Given and wanted sampling rate.
    highpass_hz : float, Hz
        Half-amplitude frequency of a smooth zero-phase high-pass; 0 for none.
    lowpass_hz : float, Hz, optional
        Likewise for a low-pass.

    Returns
    -------
    np.ndarray, shape (n_leads, round(n_samples * fs_out / fs)), mV
        Sample k lies at time ``k / fs_out``, as sample k of the input at ``k / fs``.

    Notes
    -----
    One FFT over the record, extended on both sides by its own odd reflection, which keeps
    baseline and slope at the edges. Aliases are cut at the lower of the two Nyquist frequencies.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(1000) / 500
    >>> wave = np.sin(2 * np.pi * 3 * t)[None].astype(np.float32)
    >>> half = resample(wave, 500.0, 250.0)
    >>> half.shape, bool(np.abs(half[0, 50:450] - wave[0, 100:900:2]).max() < 1e-2)
    ((1, 500), True)
    """
    from scipy import fft

    up, down = _ratio(fs, fs_out)
    n = signal.shape[1]
    n_out = round(n * fs_out / fs)
    before = max(round(_PAD_S * fs / down), 1) * down
    total = _smooth_length(-(-(n + 2 * before) // down)) * down
    padded = _reflect(signal, before, total - n - before)
    total_out = total // down * up
    bins = min(total // 2, total_out // 2) + 1
    spectrum = fft.rfft(padded, axis=1)[:, :bins]
    spectrum *= _gain(total, fs, highpass_hz, lowpass_hz)[:bins] * np.float32(up / down)
    out = fft.irfft(spectrum, total_out, axis=1)
    first = before // down * up
    return np.asarray(out[:, first : first + n_out], np.float32)


@functools.cache
def _ratio(fs: float, fs_out: float) -> tuple[int, int]:
    """Give the whole numbers by which to multiply and divide the sampling rate."""
    ratio = Fraction(fs_out / fs).limit_denominator(_MAX_DENOMINATOR)
    return ratio.numerator, ratio.denominator


RESTS_S = 0.2
"""Twice as long as real tracings keep to one value in all leads."""
STILL_EVERY_S = 3.0
"""No heart beats more slowly for long, so a recording without noise rests at least so often."""


def standstills(signal: FloatArray, fs: float) -> list[tuple[float, float]]:
    """Find where all leads keep one value to the digit, as where a recording drops out.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n_samples)
        At least one lead.
    fs : float, Hz
        Sampling rate.

    Returns
    -------
    list of (float, float), s
        Stretches of at least a second, and at the ends of a fifth of one; real tracings keep still
        for a tenth. None where the leads rest at every turn, as in a recording without any noise
        between its beats.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(2, 500)).astype(np.float32)
    >>> noise[:, 100:250] = 0
    >>> standstills(noise, 100.0)
    [(1.0, 2.5)]
    """

    def runs(rows: FloatArray) -> npt.NDArray[np.int64]:
        still = (rows[:, 1:] == rows[:, :-1]).all(axis=0)
        ends = np.flatnonzero(np.diff(still, prepend=False, append=False)).reshape(-1, 2)
        ends[:, 1] += 1
        return ends[ends[:, 1] - ends[:, 0] >= RESTS_S * fs]

    found = runs(signal[:1])
    found = runs(signal) if len(found) else found
    if len(found) * STILL_EVERY_S > signal.shape[1] / fs:
        return []
    n = signal.shape[1]
    kept = [(a, b) for a, b in found if b - a >= fs or a == 0 or b == n]
    return [(float(a / fs), float(b / fs)) for a, b in kept]


@functools.lru_cache(maxsize=16)
def _gain(
    n: int, fs: float, highpass_hz: float, lowpass_hz: float | None
) -> npt.NDArray[np.float32]:
    """Give the filter's gain at each frequency (fourth-order Butterworth magnitude, squared)."""
    frequency = np.fft.rfftfreq(n, 1 / fs)
    gain = np.ones_like(frequency)
    if highpass_hz > 0:
        power = (frequency / highpass_hz) ** 4
        gain *= power / (1 + power)
    if lowpass_hz is not None:
        gain /= 1 + (frequency / lowpass_hz) ** 8
    return gain.astype(np.float32)


def _reflect(signal: FloatArray, before: int, after: int) -> FloatArray:
    """Extend by odd reflection; where the record is shorter than that, by its end value."""
    n = signal.shape[1]
    left, right = min(before, n - 1), min(after, n - 1)
    first, last = signal[:, :1], signal[:, -1:]
    out = np.empty((len(signal), before + n + after), signal.dtype)
    out[:, before : before + n] = signal
    out[:, before - left : before] = 2 * first - signal[:, left:0:-1]
    out[:, before + n : before + n + right] = 2 * last - signal[:, -2 : -right - 2 : -1]
    out[:, : before - left] = out[:, before - left, None]
    out[:, before + n + right :] = out[:, before + n + right - 1, None]
    return out


@functools.cache
def _smooth_length(n: int) -> int:
    """Give the next length whose only prime factors are 2, 3 and 5, for a fast FFT."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1
