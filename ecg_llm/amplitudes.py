"""Read the height and width of P, Q, R, S, ST and T in windows around the beats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import FIDUCIALS
from ecg_llm.spans import Array, Index, Mask, Spans
from ecg_llm.windows import WORK_FS, BeatWindows

QRS_WAVES = ("q", "r", "s", "r2", "s2")
"""Waves of a QRS in order: the first upward one is R, what goes before it Q, and so on. A QRS that
only goes down is a Q (a QS complex)."""
MIN_WAVE_MV, MIN_WAVE_MS = 0.020, 6.0
"""A deflection must be this high and wide to count as a wave (CSE)."""
RESOLVED_SAMPLES = 1.2
"""A deflection that lasts fewer samples of the record may be what a steep QRS rings with, where its
rate is low"""
RINGING = 0.05
"""unless it is this high beside the highest wave of the QRS."""
LATE_R_MV, LATE_R_SHARE = 0.1, 0.2
"""An R' so high, and so high beside R, ends the time to the R peak; a ripple behind R does not."""
_STEP_MS = 1000 / WORK_FS
_P_LATEST_S = 0.02
"""Nothing after the centre of the QRS is taken for P."""
UNITS = {
    "p_mv": "mV",
    "p_pos_mv": "mV",
    "p_neg_mv": "mV",
    "p_terminal_mv_ms": "mV·ms",
    "p_area_mv_ms": "mV·ms",
    "q_mv": "mV",
    "r_mv": "mV",
    "s_mv": "mV",
    "r2_mv": "mV",
    "s2_mv": "mV",
    "q_ms": "ms",
    "r_ms": "ms",
    "s_ms": "ms",
    "r2_ms": "ms",
    "s2_ms": "ms",
    "qrs_max_mv": "mV",
    "qrs_min_mv": "mV",
    "qrs_area_mv_ms": "mV·ms",
    "r_peak_ms": "ms",
    "notches": "count",
    "slur": "ratio",
    "st_j_mv": "mV",
    "st_j60_mv": "mV",
    "st_j80_mv": "mV",
    "st_slope_mv_s": "mV/s",
    "t_mv": "mV",
    "t_pos_mv": "mV",
    "t_neg_mv": "mV",
    "t_area_mv_ms": "mV·ms",
    "p_ms": "ms",
    "pr_ms": "ms",
    "qrs_ms": "ms",
    "qt_ms": "ms",
}
"""What is measured per lead and beat, with its unit."""


def measure_windows(windows: BeatWindows) -> dict[str, Array]:
    """Measure every beat in every lead.

    Parameters
    ----------
    windows : BeatWindows
        The beats, on their isoelectric line.

    Returns
    -------
    dict of str to np.ndarray, shape (n_leads, n_beats)
        The names of `UNITS`; NaN where there is no such wave.

    References
    ----------
    .. [1] CSE Working Party. Eur Heart J 1985;6:815-825 (definitions of the waves).
    .. [2] Kligfield P et al. Circulation 2007;115:1306-1324 (recommendations, part I).
    """
    at = {name: windows.fiducials_s[..., k] for k, name in enumerate(FIDUCIALS)}
    return _p_wave(windows, at) | _qrs(windows, at) | _st_t(windows, at) | _intervals(at)


def _intervals(at: dict[str, Array]) -> dict[str, Array]:
    """Subtract the fiducials of each lead and beat."""
    return {
        "p_ms": 1000 * (at["p_off"] - at["p_on"]),
        "pr_ms": 1000 * (at["qrs_on"] - at["p_on"]),
        "qrs_ms": 1000 * (at["qrs_off"] - at["qrs_on"]),
        "qt_ms": 1000 * (at["t_off"] - at["qrs_on"]),
    }


def _between(windows: BeatWindows, begin_s: Array, end_s: Array) -> tuple[Spans, Array]:
    """Give the samples between two times of every lead and beat, shape (..., L, B), and in mV."""
    first = np.searchsorted(windows.times_s, begin_s)
    count = np.searchsorted(windows.times_s, end_s, side="right") - first
    known = np.isfinite(begin_s) & np.isfinite(end_s)
    n_leads, n_beats, n = windows.signal.shape
    window = n * np.arange(n_leads * n_beats).reshape(n_leads, n_beats)
    spans = Spans(window + first, np.where(known & (count > 0), count, 0))
    return spans, windows.signal.take(spans.place).astype(np.float64)


def _times(windows: BeatWindows, spans: Spans) -> Array:
    """Give the time of each sample in its window, s."""
    return windows.times_s.take(spans.place % len(windows.times_s))


def _means(windows: BeatWindows, begin_s: list[Array], end_s: list[Array]) -> Array:
    """Average between some pairs of times, shape (n_pairs, L, B); NaN where nothing lies there."""
    spans, x = _between(windows, np.array(begin_s), np.array(end_s))
    return spans.sum(x) / np.maximum(spans.count, 1)


def _p_wave(windows: BeatWindows, at: dict[str, Array]) -> dict[str, Array]:
    """Measure P above the level at its onset."""
    onset, offset = at["p_on"], np.minimum(at["p_off"], _P_LATEST_S)
    before, after = _means(
        windows, [onset - 0.016, at["p_off"]], [onset, np.minimum(at["p_off"] + 0.008, _P_LATEST_S)]
    )
    # The level runs from P onset to P offset, so that a wandering line does not tilt the wave.
    rise = np.where(np.isfinite(after), after - before, 0)
    slope = rise / np.maximum(at["p_off"] - onset, 1e-9)
    spans, x = _between(windows, onset, offset)
    t = _times(windows, spans)
    x = x - spans.repeat(before - slope * onset) - spans.repeat(slope) * t
    high, low = spans.max(x), spans.min(x)
    peak = spans.min(np.where(x >= spans.repeat(high), t, np.inf))
    ends_down = (low < -MIN_WAVE_MV) & (high < MIN_WAVE_MV)
    tail = (x < 0) & ((t > spans.repeat(peak)) | spans.repeat(ends_down))
    terminal = spans.min(np.where(tail, x, 0)) * spans.sum(tail) * _STEP_MS
    return {
        "p_mv": np.where(high >= -low, high, low),
        "p_pos_mv": np.maximum(high, 0),
        "p_neg_mv": np.minimum(low, 0),
        "p_terminal_mv_ms": np.where(np.isfinite(high), terminal, np.nan),
        "p_area_mv_ms": spans.sum(x) * _STEP_MS,
    }


def _qrs(windows: BeatWindows, at: dict[str, Array]) -> dict[str, Array]:
    """Split each QRS into its waves."""
    onset, offset = at["qrs_on"], at["qrs_off"]
    spans, x = _between(windows, np.maximum(onset, -0.16), np.minimum(offset, 0.20))
    t = _times(windows, spans)
    recorded = np.isfinite(x)
    x = np.where(recorded, x, 0.0)
    row = spans.repeat(np.arange(spans.count.size))
    resolved_ms = RESOLVED_SAMPLES * 1000 / windows.recorded_fs
    heights, widths, peaks = _split_waves(x, row, spans.count.size, resolved_ms)
    shape = spans.count.shape
    out: dict[str, Array] = {}
    for k, name in enumerate(QRS_WAVES):
        out[f"{name}_mv"], out[f"{name}_ms"] = heights[k].reshape(shape), widths[k].reshape(shape)
    high, low = np.maximum(spans.max(x), 0), np.minimum(spans.min(x), 0)
    late = heights[3] >= np.maximum(LATE_R_MV, LATE_R_SHARE * heights[1])  # NaN where there is none
    last_r = np.where(late, peaks[3], peaks[1])
    r_s = np.where(last_r >= 0, np.append(t, np.nan)[last_r], np.nan)
    out["r_peak_ms"] = 1000 * (r_s.reshape(shape) - onset)
    # What lies between a sample and the next; nothing after the last one.
    within = np.append(recorded[1:] & recorded[:-1] & (row[1:] == row[:-1]), False)
    slope = np.where(within, np.append(np.diff(x), 0), 0)
    turns = _turns(slope, row, (high - low).ravel()).reshape(shape)
    early = within & (np.append(t[1:], np.inf) <= spans.repeat(onset + 0.030))
    steep = np.abs(slope)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_early = spans.sum(np.where(early, steep, 0)) / np.maximum(spans.sum(early), 1)
        slur = mean_early / spans.max(steep)
    there = spans.max(recorded) > 0
    values = {
        "qrs_max_mv": high,
        "qrs_min_mv": low,
        "qrs_area_mv_ms": spans.sum(x) * _STEP_MS,
        "notches": np.maximum(turns - np.isfinite(heights).sum(axis=0).reshape(shape), 0),
        "slur": np.where(np.isfinite(slur), slur, np.nan),
    }
    return out | {name: np.where(there, value, np.nan) for name, value in values.items()}


def _split_waves(
    x: Array, row: Index, n_rows: int, resolved_ms: float
) -> tuple[Array, Array, Index]:
    """Give height, width and peak sample (or -1) of the waves of every row, shape (5, n_rows) each.

    A wave is a run of samples on one side of the isoelectric line; runs that are too low or too
    short are left out and their neighbours joined.
    """
    heights, widths = np.full((2, len(QRS_WAVES), n_rows), np.nan)
    peaks = np.full((len(QRS_WAVES), n_rows), -1)
    side = np.sign(x)
    start = _starts(side, row)
    stop = np.append(start[1:], len(x))
    width_ms, height = (stop - start) * _STEP_MS, np.maximum.reduceat(np.abs(x), start)
    kept = (width_ms >= MIN_WAVE_MS) & (height >= MIN_WAVE_MV)
    if resolved_ms > MIN_WAVE_MS:
        highest = np.zeros(n_rows)
        np.maximum.at(highest, row[start], height)
        kept &= (width_ms >= resolved_ms) | (height >= RINGING * highest[row[start]])
    start, stop = start[kept], stop[kept]
    if not len(start):
        return heights, widths, peaks
    fresh = np.flatnonzero(_changes(side[start], row[start]))
    start, stop = start[fresh], stop[np.append(fresh[1:], len(stop)) - 1]
    side, row = side[start], row[start]
    # Joined runs may hold a small part of the other side; only the wave's own side counts.
    waves = Spans(start, stop - start)
    own = x[waves.place] * waves.repeat(side)
    top = waves.max(own)
    peak = waves.min(np.where(own == waves.repeat(top), waves.place, len(x))).astype(np.int64)
    begins = np.flatnonzero(_changes(row, row))
    order = np.arange(len(row)) - np.repeat(begins, np.diff(np.append(begins, len(row))))
    # The first upward wave is R, whether or not a Q goes before it.
    column = order + np.repeat(side[begins] > 0, np.diff(np.append(begins, len(row))))
    fits = column < len(QRS_WAVES)
    where = column[fits], row[fits]
    heights[where], peaks[where] = x[peak[fits]], peak[fits]
    widths[where] = (stop - start)[fits] * _STEP_MS
    return heights, widths, peaks


def _changes(values: npt.NDArray[np.generic], row: Index) -> Mask:
    """Mark the first of each run of equal values in one row."""
    change = np.ones(len(values), bool)
    change[1:] = (values[1:] != values[:-1]) | (row[1:] != row[:-1])
    return change


def _starts(values: npt.NDArray[np.generic], row: Index) -> Index:
    """Give where the runs of equal values in one row begin."""
    return np.flatnonzero(_changes(values, row))


def _turns(slope: Array, row: Index, span: Array) -> Array:
    """Count the turning points of the QRS that stand out by a twentieth of its height."""
    start = _starts(np.sign(slope), row)
    travel = np.abs(np.add.reduceat(slope, start))
    own = row[start]
    tall = travel >= np.maximum(0.05 * span[own], 0.05)
    return np.asarray(np.maximum(np.bincount(own[tall], minlength=len(span)) - 1.0, 0))


def _st_t(windows: BeatWindows, at: dict[str, Array]) -> dict[str, Array]:
    """Measure ST and T above the isoelectric line."""
    j_point, offset = at["qrs_off"], at["t_off"]
    levels = [j_point + after for after in (0.0, 0.060, 0.080)]
    begin = [np.maximum(level - 0.005, 0) for level in levels]
    st_j, st_j60, st_j80 = _means(windows, begin, [level + 0.005 for level in levels])
    out = {"st_j_mv": st_j, "st_j60_mv": st_j60, "st_j80_mv": st_j80}
    out["st_slope_mv_s"] = (st_j80 - st_j) / 0.080
    onset = np.maximum(np.fmax(at["t_on"], j_point + 0.040), 0)
    spans, x = _between(windows, onset, offset)
    high, low = spans.max(x), spans.min(x)
    values = {
        "t_mv": np.where(high >= -low, high, low),
        "t_pos_mv": np.maximum(high, 0),
        "t_neg_mv": np.minimum(low, 0),
        "t_area_mv_ms": spans.sum(x) * _STEP_MS,
    }
    there = spans.count * _STEP_MS >= 40
    return out | {name: np.where(there, value, np.nan) for name, value in values.items()}
