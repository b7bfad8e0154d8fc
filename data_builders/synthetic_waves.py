"""Waves as sums of smooth pieces of finite length, and where each becomes visible in a lead.

A piece rises from nothing to its peak in ``left`` and falls back in ``right``, by the cubic
1 - 3u² + 2u³: it is smooth, ends exactly, and neighbours that share their feet add to straight
joins. A loop is a sequence of pieces, each a dipole of some direction at some site in the heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_field import SITE_NAMES, TO_12, Fields

Array = npt.NDArray[np.float64]

Piece = tuple[float, float, float, float, float, float, str]
"""Centre, left and right half-length (all in shares of the wave), x, y, z (mV), site."""

GRID = np.linspace(-0.4, 1.3, 341)
"""Shares of a wave at which it is examined; pieces must lie inside."""


@dataclass(frozen=True)
class Visibility:
    """When a wave counts as visible in a lead.

    Attributes
    ----------
    on_share, off_share : float
        It begins where it leaves the baseline by the first share of its own greatest deflection,
        and ends where it is within the second …
    floor_mv : float, mV
        … but by no less than this.
    seen_mv : float, mV
        A lead in which it never deflects this much does not show it.
    """

    on_share: float
    off_share: float
    floor_mv: float
    seen_mv: float


P_SEEN = Visibility(0.015, 0.05, 0.002, 0.020)
QRS_SEEN = Visibility(0.004, 0.006, 0.002, 0.050)
T_SEEN = Visibility(0.015, 0.025, 0.003, 0.030)
"""Shares at which the cardiologists of LUDB set their marks: the level at a mark against the
baseline beside it, in shares of the wave, has the same median there and here."""


@dataclass(frozen=True, eq=False)
class Loop:
    """A wave before it is given a time: pieces of a moving dipole.

    Attributes
    ----------
    shape : np.ndarray, shape (n_pieces, 3)
        Centre, left, right in shares of the wave's length.
    moment : np.ndarray, shape (n_pieces, 3), mV
        Dipole x, y, z.
    site : np.ndarray of int, shape (n_pieces,)
        Index into `SITE_NAMES`.
    """

    shape: Array
    moment: Array
    site: npt.NDArray[np.intp]

    @classmethod
    def of(cls, *pieces: Piece) -> Loop:
        """Build from a table of pieces."""
        numbers = np.array([piece[:6] for piece in pieces], dtype=float).reshape(-1, 6)
        sites = np.array([SITE_NAMES.index(piece[6]) for piece in pieces], dtype=np.intp)
        return cls(numbers[:, :3], numbers[:, 3:], sites)

    def plus(self, other: Loop) -> Loop:
        """Let two waves act together."""
        return Loop(
            np.vstack([self.shape, other.shape]),
            np.vstack([self.moment, other.moment]),
            np.concatenate([self.site, other.site]),
        )

    def scaled(self, factor: float) -> Loop:
        """Multiply the strength; a negative factor turns the wave over."""
        return Loop(self.shape, self.moment * factor, self.site)

    def turned(self, matrix: Array) -> Loop:
        """Turn every dipole by a rotation, shape (3, 3)."""
        return Loop(self.shape, self.moment @ matrix.T, self.site)

    def squeezed(self, start: float, length: float) -> Loop:
        """Put the whole wave into a part of its time."""
        shape = self.shape * length
        shape[:, 0] += start
        return Loop(shape, self.moment, self.site)

    def amplitudes(self, fields: Fields) -> Array:
        """Project each piece to the independent leads.

        Returns
        -------
        np.ndarray, shape (n_pieces, 8), mV
        """
        return np.asarray((fields[self.site] @ self.moment[:, :, None])[:, :, 0])


def pieces_at(time: Array, shape: Array) -> Array:
    """Evaluate pieces of height one.

    Parameters
    ----------
    time : np.ndarray, shape (..., n_times)
        In the unit of ``shape``.
    shape : np.ndarray, shape (..., n_pieces, 3)
        Centre, left, right.

    Returns
    -------
    np.ndarray, shape (..., n_pieces, n_times)
    """
    away = time[..., None, :] - shape[..., 0, None]
    away /= np.where(away < 0, -shape[..., 1, None], shape[..., 2, None])
    np.minimum(away, 1.0, out=away)
    return np.asarray(1.0 - away * away * (3.0 - 2.0 * away))


@dataclass(frozen=True, eq=False)
class Waves:
    """Waves of one kind, of several beats, placed in time.

    Attributes
    ----------
    shape : np.ndarray, shape (n_waves, n_pieces, 3), s
        Centre, left, right of every piece, on the record's clock.
    amplitude : np.ndarray, shape (n_waves, 8, n_pieces), mV
        In the independent leads.
    marks : np.ndarray, shape (n_waves, 12, 3), s
        Onset, peak (greatest deflection), offset as visible in each of the twelve leads; NaN where
        the lead does not show the wave.
    overall : np.ndarray, shape (n_waves, 3), s
        Earliest onset, peak of the root mean square over the leads, latest offset.
    form : np.ndarray, shape (n_waves, 12, len(GRID)), mV
        Each lead's wave at ``GRID``, for amplitudes.
    clock : np.ndarray, shape (n_waves, 2), s
        Time of share 0 of the wave, and length of one whole share.
    """

    shape: Array
    amplitude: Array
    marks: Array
    overall: Array
    form: Array
    clock: Array

    def grid_s(self) -> Array:
        """Give the times at which ``form`` is known.

        Returns
        -------
        np.ndarray, shape (n_waves, len(GRID)), s
        """
        return np.asarray(self.clock[:, :1] + self.clock[:, 1:] * GRID)


def place(
    loops: list[Loop],
    which: npt.NDArray[np.intp],
    fields: Fields,
    modulation: Array,
    on_s: Array,
    length_s: Array,
    seen: Visibility,
) -> Waves:
    """Give waves their times: the visible length is exactly the one asked for.

    Parameters
    ----------
    which : np.ndarray of int, shape (n_waves,)
        Form of each wave.
    modulation : np.ndarray, shape (n_waves, 3, 3)
        Turn and gain of the dipole of each wave.
    on_s, length_s : np.ndarray, shape (n_waves,), s
        Earliest visible onset over the twelve leads, and from there to the latest visible offset.
    """
    n_pieces = max(len(loop.site) for loop in loops)
    shape = np.zeros((len(loops), n_pieces, 3))
    shape[:, :, 1:] = 1.0
    base = np.zeros((len(loops), n_pieces, 8, 3))
    moment = np.zeros((len(loops), n_pieces, 3))
    for k, loop in enumerate(loops):
        n = len(loop.site)
        shape[k, :n], base[k, :n], moment[k, :n] = loop.shape, fields[loop.site], loop.moment
    turned = moment[which] @ modulation.transpose(0, 2, 1)  # [W, C, 3]
    amplitude = np.einsum("wcls,wcs->wlc", base[which], turned, optimize=False)
    unit = pieces_at(GRID[None, :], shape)  # [K, C, G]
    form = TO_12 @ (amplitude @ unit[which])  # [W, 12, G]

    first, last, peak, shown = visible_span(form, seen)
    any_shown = shown.any(axis=1)
    start = np.where(any_shown, np.nanmin(np.where(shown, first, np.inf), axis=1), 0.0)
    stop = np.where(any_shown, np.nanmax(np.where(shown, last, -np.inf), axis=1), 1.0)
    scale = length_s / (stop - start)
    power = np.square(form).sum(axis=1)
    middle = np.where(any_shown, GRID[np.argmax(power, axis=1)], np.nan)

    def on_clock(share: Array) -> Array:
        extra = (1,) * (share.ndim - 1)
        begin, factor = on_s.reshape(-1, *extra), scale.reshape(-1, *extra)
        return np.asarray(begin + (share - start.reshape(-1, *extra)) * factor)

    marks = np.where(shown[:, :, None], on_clock(np.stack([first, peak, last], axis=2)), np.nan)
    overall = np.stack([on_clock(start), on_clock(middle), on_clock(stop)], axis=1)
    overall[~any_shown] = np.nan
    placed = shape[which] * scale[:, None, None]
    placed[:, :, 0] = on_clock(shape[which][:, :, 0])
    clock = np.stack([on_clock(np.zeros_like(start)), scale], axis=1)
    return Waves(placed, amplitude, marks, overall, form, clock)


def visible_span(
    form: Array, seen: Visibility
) -> tuple[Array, Array, Array, npt.NDArray[np.bool_]]:
    """Find where each lead's wave begins, ends and is greatest.

    Parameters
    ----------
    form : np.ndarray, shape (n_waves, 12, len(GRID)), mV
        Waves at ``GRID``.

    Returns
    -------
    first, last, peak : np.ndarray, shape (n_waves, 12)
        In shares of the wave; crossings are interpolated between the points of ``GRID``.
    shown : np.ndarray of bool, shape (n_waves, 12)
        Whether the lead shows the wave at all.
    """
    size = np.abs(form)
    top = size.max(axis=2)
    step = GRID[1] - GRID[0]
    limit = np.maximum(seen.on_share * top, seen.floor_mv)
    index = np.argmax(size > limit[:, :, None], axis=2)
    first = GRID[index] - step * _beyond(size, limit, index, -1)
    limit = np.maximum(seen.off_share * top, seen.floor_mv)
    index = len(GRID) - 1 - np.argmax((size > limit[:, :, None])[:, :, ::-1], axis=2)
    last = GRID[index] + step * _beyond(size, limit, index, 1)
    peak = GRID[np.argmax(size, axis=2)]
    return first, last, peak, top >= seen.seen_mv


def _beyond(size: Array, limit: Array, index: npt.NDArray[np.intp], side: int) -> Array:
    """Share of a grid step from the outermost point above the limit to the crossing."""
    inside = np.take_along_axis(size, index[:, :, None], axis=2)[:, :, 0]
    neighbour = np.clip(index + side, 0, size.shape[2] - 1)
    outside = np.take_along_axis(size, neighbour[:, :, None], axis=2)[:, :, 0]
    return np.asarray((inside - limit) / np.maximum(inside - outside, 1e-12))


def add_waves(eight: Array, fs: float, shape: Array, amplitude: Array) -> None:
    """Draw waves into the independent leads.

    Parameters
    ----------
    eight : np.ndarray, shape (8, n_samples), mV
        Changed in place.
    fs : float, Hz
        Sampling rate; sample 0 is at 0 s.
    shape : np.ndarray, shape (n_waves, n_pieces, 3), s
        Centre, left, right.
    amplitude : np.ndarray, shape (n_waves, 8, n_pieces), mV
        Of every piece in every lead.
    """
    if len(shape) == 0:
        return
    n = eight.shape[1]
    begin = np.floor((shape[:, :, 0] - shape[:, :, 1]).min(axis=1) * fs).astype(int)
    end = np.ceil((shape[:, :, 0] + shape[:, :, 2]).max(axis=1) * fs).astype(int) + 1
    width = int((end - begin).max())
    time = (begin[:, None] + np.arange(width)[None, :]) / fs
    drawn = amplitude @ pieces_at(time, shape)
    for k, first in enumerate(begin):
        low, high = max(first, 0), min(first + width, n)
        if high > low:
            eight[:, low:high] += drawn[k, :, low - first : high - first]
