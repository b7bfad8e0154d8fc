"""Read the height and width of P, Q, R, S, ST and T in windows around the beats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import FIDUCIALS
from ecg_llm.windows import WORK_FS, BeatWindows

Array = npt.NDArray[np.float64]

QRS_WAVES = ("q", "r", "s", "r2", "s2")
"""Waves of a QRS in order: the first upward one is R, what goes before it Q, and so on. A QRS that
only goes down is a Q (a QS complex)."""
MIN_WAVE_MV, MIN_WAVE_MS = 0.020, 6.0
"""A deflection must be this high and wide to count as a wave (CSE)."""
_STEP_MS = 1000 / WORK_FS
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
    return _p_wave(windows) | _qrs(windows) | _st_t(windows) | _intervals(windows)


def _column(windows: BeatWindows, name: str) -> Array:
    """Give one fiducial, shape (n_leads, n_beats, 1)."""
    return windows.fiducials_s[..., FIDUCIALS.index(name), None]


def _part(windows: BeatWindows, from_s: float, to_s: float, first: Array, last: Array) -> slice:
    """Give the samples between two times, but none that lies beyond all the waves."""
    least_s, margin_s = 0.1, 0.02
    begin = np.fmax(from_s, np.fmin.reduce(first, axis=None) - margin_s)  # NaN limits nothing
    end = np.fmin(to_s, np.fmax.reduce(last, axis=None) + margin_s)
    begin = min(begin, to_s - least_s)
    return windows.slice(begin, max(end, begin + least_s))


def _intervals(windows: BeatWindows) -> dict[str, Array]:
    """Subtract the fiducials of each lead and beat."""
    at = {name: _column(windows, name)[..., 0] for name in FIDUCIALS}
    return {
        "p_ms": 1000 * (at["p_off"] - at["p_on"]),
        "pr_ms": 1000 * (at["qrs_on"] - at["p_on"]),
        "qrs_ms": 1000 * (at["qrs_off"] - at["qrs_on"]),
        "qt_ms": 1000 * (at["t_off"] - at["qrs_on"]),
    }


def _p_wave(windows: BeatWindows) -> dict[str, Array]:
    """Measure P above the level at its onset."""
    onset, offset = _column(windows, "p_on"), _column(windows, "p_off")
    part = _part(windows, -0.45, 0.02, onset, offset)
    x, t = windows.signal[:, :, part].astype(np.float64), windows.times_s[part]
    before = (t >= onset - 0.016) & (t <= onset)
    # The level runs from P onset to P offset, so that a wandering line does not tilt the wave.
    first = _mean_where(x, before)[..., None]
    last = _mean_where(x, (t >= offset) & (t <= offset + 0.008))[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((t - onset) / (offset - onset), 0, 1)
    x = x - (first + (np.where(np.isfinite(last), last, first) - first) * share)
    inside = (t >= onset) & (t <= offset)
    high, low = _max_where(x, inside), -_max_where(-x, inside)
    peak = _first_time(x, inside & (x >= high[..., None]), t)[..., None]
    ends_down = (low < -MIN_WAVE_MV) & (high < MIN_WAVE_MV)
    tail = inside & (x < 0) & ((t > peak) | ends_down[..., None])
    terminal_low = np.where(tail.any(-1), -_max_where(-x, tail), 0.0)
    terminal = terminal_low * tail.sum(-1) * _STEP_MS
    there = inside.any(axis=-1) & np.isfinite(high)
    out = {
        "p_mv": np.where(high >= -low, high, low),
        "p_pos_mv": np.maximum(high, 0),
        "p_neg_mv": np.minimum(low, 0),
        "p_terminal_mv_ms": terminal,
        "p_area_mv_ms": np.where(inside, x, 0).sum(-1) * _STEP_MS,
    }
    return {name: np.where(there, values, np.nan) for name, values in out.items()}


def _qrs(windows: BeatWindows) -> dict[str, Array]:
    """Split each QRS into its waves."""
    onset, offset = _column(windows, "qrs_on"), _column(windows, "qrs_off")
    part = _part(windows, -0.16, 0.20, onset, offset)
    x, t = windows.signal[:, :, part].astype(np.float64), windows.times_s[part]
    inside = (t >= onset) & (t <= offset) & np.isfinite(x)
    there = inside.any(axis=-1)
    shown = np.where(inside, x, 0.0)
    heights, widths, peaks = _split_waves(shown)
    out: dict[str, Array] = {}
    for k, name in enumerate(QRS_WAVES):
        out[f"{name}_mv"], out[f"{name}_ms"] = heights[..., k], widths[..., k]
    out["qrs_max_mv"] = np.maximum(shown.max(-1), 0)
    out["qrs_min_mv"] = np.minimum(shown.min(-1), 0)
    out["qrs_area_mv_ms"] = shown.sum(-1) * _STEP_MS
    last_r = np.where(np.isfinite(peaks[..., 3]), peaks[..., 3], peaks[..., 1])
    out["r_peak_ms"] = t[0] * 1000 + last_r * _STEP_MS - 1000 * onset[..., 0]
    slope = np.diff(x, axis=-1)
    within = inside[..., 1:] & inside[..., :-1]
    span = out["qrs_max_mv"] - out["qrs_min_mv"]
    out["notches"] = _turns(slope, within, span) - (np.isfinite(heights).sum(-1))
    out["notches"] = np.maximum(out["notches"], 0)
    early = within & (t[1:] <= onset + 0.030)
    with np.errstate(invalid="ignore", divide="ignore"):
        steep = np.abs(slope)
        mean_early = np.where(early, steep, 0).sum(-1) / np.maximum(early.sum(-1), 1)
        out["slur"] = mean_early / _max_where(steep, within)
    out["slur"] = np.where(np.isfinite(out["slur"]), out["slur"], np.nan)
    for name in ("qrs_max_mv", "qrs_min_mv", "qrs_area_mv_ms", "notches", "slur"):
        out[name] = np.where(there, out[name], np.nan)
    return out


def _split_waves(x: Array) -> tuple[Array, Array, Array]:
    """Give height, width and peak sample of the waves of every row, shape (..., 5) each.

    A wave is a run of samples on one side of the isoelectric line; runs that are too low or too
    short are left out and their neighbours joined. Outside the QRS ``x`` is zero.
    """
    shape, width = x.shape[:-1], x.shape[-1]
    flat = x.reshape(-1, width)
    sign = np.sign(flat).astype(np.int8)
    row, start, stop = _runs(sign)
    side = sign[row, start]
    flat_abs = np.abs(flat)
    peak_height = np.maximum.reduceat(flat_abs.ravel(), row * width + start) if len(row) else None
    out = [np.full((flat.shape[0], len(QRS_WAVES)), np.nan) for _ in range(3)]
    if peak_height is not None:
        kept = (
            (side != 0) & (peak_height >= MIN_WAVE_MV) & ((stop - start) * _STEP_MS >= MIN_WAVE_MS)
        )
        row, start, stop, side = row[kept], start[kept], stop[kept], side[kept]
        fresh = np.ones(len(row), bool)
        fresh[1:] = (row[1:] != row[:-1]) | (side[1:] != side[:-1])
        head = np.flatnonzero(fresh)
        if len(head):
            stop = stop[np.append(head[1:] - 1, len(stop) - 1)]
            row, start, side = row[head], start[head], side[head]
            _place(flat, flat_abs, row, start, stop, side, out)
    return tuple(values.reshape(*shape, len(QRS_WAVES)) for values in out)  # type: ignore[return-value]


def _place(
    flat: Array,
    flat_abs: Array,
    row: npt.NDArray[np.int_],
    start: npt.NDArray[np.int_],
    stop: npt.NDArray[np.int_],
    side: npt.NDArray[np.int8],
    out: list[Array],
) -> None:
    """Write joined runs into their wave's column: position in the row, after a Q or not."""
    first_of_row = np.ones(len(row), bool)
    first_of_row[1:] = row[1:] != row[:-1]
    head = np.flatnonzero(first_of_row)
    order = np.arange(len(row)) - np.repeat(head, np.diff(np.append(head, len(row))))
    column = order + np.repeat(side[head] > 0, np.diff(np.append(head, len(row))))
    width = flat.shape[1]
    inside_run = (np.arange(width) >= start[:, None]) & (np.arange(width) < stop[:, None])
    # Joined runs may hold a small part of the other side; only the wave's own side counts.
    own = np.where(inside_run & (np.sign(flat[row]) == side[:, None]), flat_abs[row], -1.0)
    peak = own.argmax(axis=1)
    fits = column < len(QRS_WAVES)
    row, column, peak = row[fits], column[fits], peak[fits]
    out[0][row, column] = flat[row, peak]
    out[1][row, column] = (stop - start)[fits] * _STEP_MS
    out[2][row, column] = peak


def _runs(
    sign: npt.NDArray[np.int8],
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Give row, first and end sample of all runs of equal values."""
    change = np.ones(sign.shape, bool)
    change[:, 1:] = sign[:, 1:] != sign[:, :-1]
    row, start = np.nonzero(change)
    flat_start = row * sign.shape[1] + start
    stop = start + np.diff(np.append(flat_start, sign.size))
    return row, start, stop


def _turns(slope: Array, within: npt.NDArray[np.bool_], span: Array) -> Array:
    """Count the turning points of the QRS that stand out by a twentieth of its height."""
    steep = np.where(within, slope, 0.0)
    rows = steep.reshape(-1, steep.shape[-1])
    row, start, _ = _runs(np.sign(rows).astype(np.int8))
    if not len(row):
        return np.zeros(span.shape)
    travel = np.abs(np.add.reduceat(rows.ravel(), row * rows.shape[1] + start))
    tall = travel >= np.maximum(0.05 * span.ravel()[row], 0.05)
    moves = np.bincount(row[tall], minlength=len(rows))
    return np.maximum(moves - 1, 0).reshape(span.shape).astype(np.float64)


def _st_t(windows: BeatWindows) -> dict[str, Array]:
    """Measure ST and T above the isoelectric line."""
    j_point, offset = _column(windows, "qrs_off"), _column(windows, "t_off")
    part = _part(windows, 0.0, 0.75, j_point, np.fmax(offset, j_point + 0.080))
    x, t = windows.signal[:, :, part].astype(np.float64), windows.times_s[part]
    out = {
        name: _mean_where(x, np.abs(t - j_point - after) <= 0.005)
        for name, after in (("st_j_mv", 0.0), ("st_j60_mv", 0.060), ("st_j80_mv", 0.080))
    }
    out["st_slope_mv_s"] = (out["st_j80_mv"] - out["st_j_mv"]) / 0.080
    start = np.fmax(_column(windows, "t_on"), j_point + 0.040)
    inside = (t >= start) & (t <= offset)
    there = inside.sum(-1) * _STEP_MS >= 40
    high, low = _max_where(x, inside), -_max_where(-x, inside)
    values = {
        "t_mv": np.where(high >= -low, high, low),
        "t_pos_mv": np.maximum(high, 0),
        "t_neg_mv": np.minimum(low, 0),
        "t_area_mv_ms": np.where(inside, x, 0).sum(-1) * _STEP_MS,
    }
    return out | {name: np.where(there, value, np.nan) for name, value in values.items()}


def _mean_where(x: Array, mask: npt.NDArray[np.bool_]) -> Array:
    """Average over the last axis where the mask holds, NaN where it never does."""
    count = mask.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(mask, x, 0).sum(axis=-1) / np.where(count, count, np.nan))


def _max_where(x: Array, mask: npt.NDArray[np.bool_]) -> Array:
    """Take the maximum over the last axis where the mask holds, NaN where it never does."""
    top = np.where(mask, x, -np.inf).max(axis=-1)
    return np.where(np.isfinite(top), top, np.nan)


def _first_time(x: Array, mask: npt.NDArray[np.bool_], t: Array) -> Array:
    """Give the time of the first sample where the mask holds, NaN where it never does."""
    found = mask.any(axis=-1)
    return np.where(found, t[mask.argmax(axis=-1)], np.nan)
