"""Which lead is drawn where: printed names, held against the usual arrangements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.leads import STANDARD_12
from ecg_llm.page.net import END, LABELS, MARK_STEP, START, Map, Sight
from ecg_llm.page.paper import Paper
from ecg_llm.page.rows import Row

Floats = npt.NDArray[np.float64]
Grid = tuple[tuple[str, ...], ...]

_LIMB, _CHEST = STANDARD_12[:6], STANDARD_12[6:]
_CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III")


def _by_columns(*columns: Sequence[str]) -> Grid:
    return tuple(zip(*columns, strict=True))


ARRANGEMENTS: dict[str, Grid] = {
    "3x4": _by_columns(_LIMB[:3], _LIMB[3:], _CHEST[:3], _CHEST[3:]),
    "3x4 Cabrera": _by_columns(_CABRERA[:3], _CABRERA[3:], _CHEST[:3], _CHEST[3:]),
    "6x2": _by_columns(_LIMB, _CHEST),
    "6x2 Cabrera": _by_columns(_CABRERA, _CHEST),
    "12x1": _by_columns(STANDARD_12),
    "12x1 Cabrera": _by_columns((*_CABRERA, *_CHEST)),
    "4x3": (_LIMB[:3], _LIMB[3:], _CHEST[:3], _CHEST[3:]),
}
"""Leads by row and column; rows below are rhythm strips."""

_MOST_STRIPS = 4
_SEEN = 0.25
"""Probability from which a mark counts."""
_APART_MM = 4.0
"""Two names are never closer."""


@dataclass(frozen=True)
class Name:
    """A lead's name found on the page.

    Attributes
    ----------
    lead : str
        Which.
    u, v : float, mm
        Its centre.
    score : float
        Probability.
    """

    lead: str
    u: float
    v: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What stands where.

    Attributes
    ----------
    name : str
        Such as ``3x4+1``.
    cells : tuple of tuple
        For each row its leads by column; empty text where the lead is unknown.
    strips : tuple of bool
        For each row, whether it is a rhythm strip.
    left_mm, column_mm : float, mm
        Where the first column begins, and the width of a column.
    n_columns : int
        Columns of the rows that are not strips.
    named : int
        How many printed names agree with it.
    against : int
        How many do not.
    """

    name: str
    cells: Grid
    strips: tuple[bool, ...]
    left_mm: float
    column_mm: float
    n_columns: int
    named: int
    against: int


@dataclass(frozen=True)
class _Match:
    score: float
    arrangement: str
    shift: int
    owner: tuple[int, ...]
    fits: tuple[bool, ...]
    origin: float
    width: float


def find_names(sight: Sight, paper: Paper) -> list[Name]:
    """List the printed names of leads, surest first.

    Parameters
    ----------
    sight : Sight
        What the net sees.
    paper : Paper
        How the paper lies.

    Returns
    -------
    list of Name
    """
    found: list[Name] = []
    for k, lead in enumerate(LABELS):
        for (u, v), score in _peaks(sight.spots[k], paper):
            found.append(Name(lead, u, v, score))
    kept: list[Name] = []
    for name in sorted(found, key=lambda name: -name.score):
        if all(np.hypot(name.u - k.u, name.v - k.v) > _APART_MM for k in kept):
            kept.append(name)
    return kept


def _peaks(spots: Map, paper: Paper) -> list[tuple[tuple[float, float], float]]:
    """Give places and heights of the local maxima of a map."""
    import cv2

    top = cv2.dilate(spots, np.ones((5, 5), np.uint8))
    rows, columns = np.nonzero((spots >= top) & (spots > _SEEN))
    pixels = np.stack([columns, rows], axis=-1) * float(MARK_STEP) + (MARK_STEP - 1) / 2
    places = paper.mm(pixels)
    scores = spots[rows, columns]
    return [((float(u), float(v)), float(s)) for (u, v), s in zip(places, scores, strict=True)]


def find_layout(sight: Sight, paper: Paper, rows: Sequence[Row]) -> Layout | None:
    """Work out which lead is drawn where.

    Parameters
    ----------
    sight : Sight
        What the net sees.
    paper : Paper
        How the paper lies.
    rows : sequence of Row
        From the top.

    Returns
    -------
    Layout or None
        None if too few names can be read to be sure.
    """
    names = find_names(sight, paper)
    best = _best_match(names, rows)
    if best is None:
        return None
    grid = ARRANGEMENTS[best.arrangement] if best.arrangement else None
    n_columns = len(grid[0]) if grid else 1
    cells: list[tuple[str, ...]] = []
    strips: list[bool] = []
    for r in range(len(rows)):
        index = r + best.shift
        if grid is not None and 0 <= index < len(grid):
            cells.append(grid[index])
            strips.append(False)
            continue
        mine = [name for name, owner in zip(names, best.owner, strict=True) if owner == r]
        first = min(mine, key=lambda name: name.u, default=None)
        lead = first.lead if first else ""
        alone = len(rows) - len(grid or ()) == 1 - best.shift
        cells.append((lead or ("II" if grid is not None and index >= 0 and alone else ""),))
        strips.append(grid is not None)
    starts = [u for (u, _), _ in _peaks(sight.spots[START], paper)]
    ends = [u for (u, _), _ in _peaks(sight.spots[END], paper)]
    left, width = _columns(best, n_columns, starts, ends, rows)
    extra = sum(strips)
    title = best.arrangement or f"{len(rows)}x1"
    return Layout(
        name=f"{title}+{extra}" if extra else title,
        cells=tuple(cells),
        strips=tuple(strips),
        left_mm=left,
        column_mm=width,
        n_columns=n_columns,
        named=sum(best.fits),
        against=len(names) - sum(best.fits),
    )


def _best_match(names: list[Name], rows: Sequence[Row]) -> _Match | None:
    """Try every arrangement at every height against the names found."""
    if not names or not rows:
        return None
    heights = np.array([row.at_mm for row in rows])
    slopes = np.array([row.slope for row in rows])
    pitch = float(np.median(np.diff(heights))) if len(rows) > 1 else 30.0
    middle = float(np.mean([name.u for name in names]))
    lines = heights[:, None] + slopes[:, None] * (np.array([n.u for n in names]) - middle)
    apart = np.array([name.v for name in names])[None] - lines  # [rows, names]
    tries = [_match(names, apart, pitch, key, shift, below)
             for key in ("", *ARRANGEMENTS)
             for shift in _shifts(key, len(rows))
             for below in np.arange(-0.75, 0.55, 0.05) * pitch]  # fmt: skip
    best = max((t for t in tries if t), key=lambda t: t.score, default=None)
    return best if best and sum(best.fits) >= min(3, len(rows)) else None


def _shifts(key: str, n_rows: int) -> range:
    """How many rows of an arrangement may be cut off above; few strips stand below it."""
    if not key:
        return range(1)
    n = len(ARRANGEMENTS[key])
    return range(max(min(n - 1, n + _MOST_STRIPS - n_rows) + 1, 0))


def _match(
    names: list[Name], apart: Floats, pitch: float, key: str, shift: int, below: float
) -> _Match | None:
    """Hold the names against one arrangement; names stand ``below`` the rows they belong to."""
    gap = np.abs(apart - below)
    owner = gap.argmin(axis=0)
    close = gap.min(axis=0) < 0.28 * pitch
    grid = ARRANGEMENTS.get(key)
    column = np.full(len(names), -1)
    for k, name in enumerate(names):
        row = owner[k] + shift
        if not close[k]:
            continue
        if grid is None or not 0 <= row < len(grid):
            column[k] = 0
        elif name.lead in grid[row]:
            column[k] = grid[row].index(name.lead)
    right = column >= 0
    if not right.any():
        return None
    inside = (owner + shift >= 0) & (owner + shift < len(grid)) if grid else right
    if grid and len(grid[0]) > 1 and len(np.unique(column[right & inside])) < 2:
        return None
    u = np.array([name.u for name in names])
    origin, width, straight = _regular(u, column, right)
    fits = right & straight
    score = sum(name.score * (1.0 if fit else -0.7) for name, fit in zip(names, fits, strict=True))
    if grid is None:
        score *= 0.85
        leads = [name.lead for name, fit in zip(names, fits, strict=True) if fit]
        score -= 2.0 * (len(leads) - len(set(leads)))
    else:
        score -= 0.4 * max(len(grid) - shift - apart.shape[0], 0) + 0.2 * shift
    # Names beside their row beat names far from it, all else alike.
    score -= 0.3 * abs(below) / pitch
    beside = tuple(int(r) if c else -1 for r, c in zip(owner, close, strict=True))
    agree = tuple(bool(fit) for fit in fits)
    return _Match(float(score), key, shift, beside, agree, origin, width)


def _regular(
    u: Floats, column: npt.NDArray[np.int64], right: npt.NDArray[np.bool_]
) -> tuple[float, float, npt.NDArray[np.bool_]]:
    """Fit evenly spaced columns; tell which names stand where they should."""
    there = np.unique(column[right])
    middles = np.array([np.median(u[right & (column == c)]) for c in there])
    if len(there) == 1:
        left = float(middles[0])
        # Among names of the first column a later one is the odd one out.
        return left, 0.0, np.abs(u - left) < 12.0
    pairs = [(middles[j] - middles[i]) / (there[j] - there[i])
             for i in range(len(there)) for j in range(i + 1, len(there))]  # fmt: skip
    width = float(np.median(pairs))
    origin = float(np.median(middles - there * width))
    straight = np.abs(u - origin - column * width) < max(6.0, 0.12 * width)
    return origin, width, straight & (width > 12.0)


def _columns(
    best: _Match, n_columns: int, starts: list[float], ends: list[float], rows: Sequence[Row]
) -> tuple[float, float]:
    """Place the columns: where tracings begin, else a little before the names."""
    first = min(row.first_mm for row in rows)
    last = max(row.last_mm for row in rows)
    if n_columns == 1:
        near = [u for u in starts if abs(u - best.origin) < 20.0]
        left = float(np.median(near)) if near else max(first, best.origin - 12.0)
        return left, last - left
    width = best.width
    if width <= 0:
        return max(first, best.origin - 4.0), (last - max(first, best.origin - 4.0)) / n_columns
    marks: list[tuple[int, float]] = []
    for c in range(n_columns + 1):
        expected = best.origin - 3.5 + c * width
        edges = (starts if c < n_columns else []) + (ends if c > 0 else [])
        marks += [(c, u) for u in edges if abs(u - expected) < min(7.0, 0.2 * width)]
    if len({c for c, _ in marks}) >= 2:
        which, where = np.array(marks).T
        for _ in range(3):
            width, left = (float(x) for x in np.polyfit(which, where, 1))
            miss = np.abs(where - left - which * width)
            good = miss < max(1.5, 2.0 * float(np.median(miss)))
            if len(set(which[good])) < 2:
                break
            which, where = which[good], where[good]
        return left, width
    shift = float(np.median([u - best.origin - c * width for c, u in marks])) if marks else -3.5
    return best.origin + shift, width
