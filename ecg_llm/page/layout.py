"""Which lead is drawn where: printed names, held against the usual arrangements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_llm.leads import STANDARD_12
from ecg_llm.page.names import read_names
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
_SUSPECTED = 0.06
"""Probability of any name from which a place is read."""
_READ = 0.5
"""Probability from which a name counts."""
_MOST_NAMES = 120
_APART_MM = 4.0
"""Two names are never closer."""
_BEFORE_MM = 3.5
"""A lead's name stands about so far behind the beginning of its tracing."""
_OUTER, _COLUMNS_APART_MM = 0.14, 22.0
"""No inner column begins so near the edges of the rows, as a share of them; and their distance."""
_OTHER_COLUMNS = 2.0
"""By what names must speak for another number of columns than the tracings show."""
_UNUSUAL = 1.0
"""By what names must speak for the Cabrera order: about one lead's name that stands there alone."""


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
    edges_mm : tuple of tuple of float, mm
        For each row where its columns begin, and where the last one ends.
    slant : float
        Millimetres to the right that the vertical of the page leads on 1 mm down.
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
    edges_mm: tuple[tuple[float, ...], ...]
    slant: float
    n_columns: int
    named: int
    against: int


@dataclass(frozen=True)
class Edges:
    """Where columns lie: evenly spaced, slanted and narrowing as a tilted page makes them.

    Attributes
    ----------
    left, width : float, mm
        Of the first column's mark and between columns, at height 0.
    slant, narrowing : float
        Change of both with the height on the page.
    bend : float, mm
        By which columns widen from left to right.
    """

    left: float
    width: float
    slant: float = 0.0
    narrowing: float = 0.0
    bend: float = 0.0

    def at(self, column: npt.ArrayLike, v: npt.ArrayLike) -> Floats:
        """Give where a column's mark stands at a height.

        Parameters
        ----------
        column : array_like
            Which.
        v : array_like, mm
            Height.

        Returns
        -------
        np.ndarray, mm
        """
        c, y = np.asarray(column, float), np.asarray(v, float)
        return self.left + self.slant * y + c * (self.width + self.narrowing * y) + self.bend * c**2


@dataclass(frozen=True)
class _Match:
    score: float
    arrangement: str
    shift: int
    owner: tuple[int, ...]
    fits: tuple[bool, ...]
    edges: Edges


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
    places, hints = _suspected(sight)
    told = read_names(sight.image, places)
    there = told[:, : len(LABELS)]
    best = there.argmax(axis=1)
    score = there.max(axis=1)
    mm = paper.mm(places)
    order = np.argsort(-score * (0.5 + hints))
    kept: list[Name] = []
    for k in order[score[order] > _READ]:
        name = Name(LABELS[best[k]], float(mm[k, 0]), float(mm[k, 1]), float(score[k]))
        if all(np.hypot(name.u - o.u, name.v - o.v) > _APART_MM for o in kept):
            kept.append(name)
    return kept


def _suspected(sight: Sight) -> tuple[Floats, Floats]:
    """Give the places where some name seems to stand, in pixels, and how strongly."""
    import cv2

    spots = sight.spots[: len(LABELS)].max(axis=0)
    top = cv2.dilate(spots, np.ones((5, 5), np.uint8))
    rows, columns = np.nonzero((spots >= top) & (spots > _SUSPECTED))
    strongest = np.argsort(-spots[rows, columns])[:_MOST_NAMES]
    rows, columns = rows[strongest], columns[strongest]
    places: Floats = (
        np.stack([columns, rows], axis=-1) * np.float64(MARK_STEP) + (MARK_STEP - 1) / 2
    )
    return places, spots[rows, columns].astype(np.float64)


def _peaks(spots: Map, paper: Paper) -> list[tuple[tuple[float, float], float]]:
    """Give places and heights of the local maxima of a map."""
    import cv2

    top = cv2.dilate(spots, np.ones((5, 5), np.uint8))
    rows, columns = np.nonzero((spots >= top) & (spots > _SEEN))
    pixels: Floats = np.stack([columns, rows], axis=-1) * np.float64(MARK_STEP)
    places = paper.mm(pixels + (MARK_STEP - 1) / 2)
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
    starts = [place for place, _ in _peaks(sight.spots[START], paper)]
    ends = [place for place, _ in _peaks(sight.spots[END], paper)]
    best = _best_match(names, rows, _inner_columns(starts, rows))
    if best is None:
        return None
    grid = ARRANGEMENTS[best.arrangement] if best.arrangement else None
    n_columns = len(grid[0]) if grid else 1
    if grid is not None and not _limbs_named(names, best):
        # Which of two usual orders the limb leads have is not guessed.
        grid = tuple(tuple(lead if lead in _CHEST else "" for lead in row) for row in grid)
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
    edges = _columns(best, n_columns, starts, ends, rows)
    extra = sum(strips) - (best.shift < 0)
    title = best.arrangement or f"{len(rows)}x1"
    return Layout(
        name=f"{title}+{extra}" if extra else title,
        cells=tuple(cells),
        strips=tuple(strips),
        edges_mm=edges,
        slant=_slant(edges, rows),
        n_columns=n_columns,
        named=sum(best.fits),
        against=len(names) - sum(best.fits),
    )


def _limbs_named(names: list[Name], match: _Match) -> bool:
    """Tell whether a limb lead's name stands where the arrangement has it, not at a strip."""
    grid = ARRANGEMENTS[match.arrangement]
    return any(
        fit and name.lead in _LIMB and 0 <= owner + match.shift < len(grid)
        for name, owner, fit in zip(names, match.owner, match.fits, strict=True)
    )


def _inner_columns(starts: list[tuple[float, float]], rows: Sequence[Row]) -> tuple[Floats, ...]:
    """Find where tracings begin within the rows: one array of marks for each column but the first.

    Every column of a page begins in several rows, one above the other.
    """
    first, last = min(row.first_mm for row in rows), max(row.last_mm for row in rows)
    margin = _OUTER * (last - first)
    heights = np.array([row.at_mm for row in rows])
    slopes = np.array([row.slope for row in rows])
    pitch = float(np.median(np.diff(heights))) if len(rows) > 1 else 30.0
    inner = []
    for u, v in sorted(starts):
        away = np.abs(heights + slopes * u - v)
        if first + margin < u < last - margin and away.min() < 0.45 * pitch:
            inner.append((u, v, int(away.argmin())))
    groups: list[list[tuple[float, float, int]]] = []
    for mark in inner:
        if not groups or mark[0] - groups[-1][-1][0] > _COLUMNS_APART_MM:
            groups.append([])
        groups[-1].append(mark)
    enough = max(2.0, len(rows) / 3)
    return tuple(
        np.array(group)[:, :2] for group in groups if len({row for *_, row in group}) >= enough
    )


def _best_match(
    names: list[Name], rows: Sequence[Row], inner: tuple[Floats, ...] | None = None
) -> _Match | None:
    """Try every arrangement at every height against the names found.

    ``inner`` tells where columns but the first begin; None if that is not known.
    """
    if not names or not rows:
        return None
    heights = np.array([row.at_mm for row in rows])
    slopes = np.array([row.slope for row in rows])
    pitch = float(np.median(np.diff(heights))) if len(rows) > 1 else 30.0
    middle = float(np.mean([name.u for name in names]))
    lines = heights[:, None] + slopes[:, None] * (np.array([n.u for n in names]) - middle)
    apart = np.array([name.v for name in names])[None] - lines  # [rows, names]
    marks = None if inner is None else [np.array([[r.first_mm, r.at_mm] for r in rows]), *inner]
    tries = [_match(names, apart, pitch, key, shift, below, marks)
             for key in ("", *ARRANGEMENTS)
             for shift in _shifts(key, len(rows))
             for below in np.arange(-0.75, 0.55, 0.05) * pitch]  # fmt: skip
    best = max((t for t in tries if t), key=lambda t: t.score, default=None)
    if best is None:
        return None
    # Rows in no known arrangement are told by their own names alone.
    least = min(3, len(rows)) if best.arrangement else -(-len(rows) // 2)
    if sum(best.fits) < least:
        return None
    return best if 2 * sum(best.fits) > len(names) else None


def _shifts(key: str, n_rows: int) -> range:
    """How many rows of an arrangement may be cut off above; few strips stand below it.

    -1: a first row that is none, as the edge of the paper.
    """
    if not key:
        return range(1)
    n = len(ARRANGEMENTS[key])
    strips = n_rows - n
    first = -1 if 0 < strips <= _MOST_STRIPS + 1 else 0
    return range(first, max(min(n - 1, _MOST_STRIPS - strips) + 1, 0))


def _match(
    names: list[Name],
    apart: Floats,
    pitch: float,
    key: str,
    shift: int,
    below: float,
    marks: list[Floats] | None,
) -> _Match | None:
    """Hold the names against one arrangement; names stand ``below`` the rows they belong to.

    ``marks`` are where each column's tracings begin, if that is known.
    """
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
    u = np.array([name.u for name in names])
    v = np.array([name.v for name in names])
    n_columns = len(grid[0]) if grid else 1
    as_marked = marks is not None and len(marks) == n_columns
    if not grid and marks is not None and not as_marked:
        return None
    if n_columns > 1 and len(np.unique(column[right & inside])) < 2:
        if marks is None or not as_marked:
            return None
        edges = _marked(marks)
        straight = np.abs(u - edges.at(column, v)) < 0.3 * edges.width
        if not (right & inside & straight).any():
            return None
    else:
        edges, straight = _regular(u, v, column, right)
    fits = right & straight
    score = sum(name.score * (1.0 if fit else -0.5) for name, fit in zip(names, fits, strict=True))
    if grid is None:
        score *= 0.85
        leads = [name.lead for name, fit in zip(names, fits, strict=True) if fit]
        score -= 2.0 * (len(leads) - len(set(leads)))
    else:
        score -= 0.4 * max(len(grid) - shift - apart.shape[0], 0) + max(0.2 * shift, -0.05 * shift)
        score -= _UNUSUAL if key.endswith("Cabrera") else 0.0
        score -= _OTHER_COLUMNS if marks is not None and not as_marked else 0.0
    # Names beside their row beat names far from it, all else alike.
    score -= 0.3 * abs(below) / pitch
    beside = tuple(int(r) if c else -1 for r, c in zip(owner, close, strict=True))
    agree = tuple(bool(fit) for fit in fits)
    return _Match(float(score), key, shift, beside, agree, edges)


def _marked(marks: list[Floats]) -> Edges:
    """Fit evenly spaced columns to where their tracings begin, as if to names a little behind."""
    column = np.concatenate([np.full(len(part), k) for k, part in enumerate(marks)])
    at = np.concatenate(marks)
    edges = _fitted(at[:, 0], at[:, 1], column)
    return replace(edges, left=edges.left + _BEFORE_MM)


def _regular(
    u: Floats, v: Floats, column: npt.NDArray[np.int64], right: npt.NDArray[np.bool_]
) -> tuple[Edges, npt.NDArray[np.bool_]]:
    """Fit evenly spaced columns; tell which names stand where they should."""
    good = right.copy()
    edges = Edges(float(np.median(u[right])), 0.0)
    for reach in (25.0, 12.0, 7.0):
        edges = _fitted(u[good], v[good], column[good])
        miss = np.abs(u - edges.at(column, v))
        good = right & (miss < max(reach, 0.1 * edges.width))
        if not good.any():
            return edges, good
    several = len(np.unique(column[right])) > 1
    return edges, good & (not several or edges.width > 12.0)


def _fitted(u: Floats, v: Floats, column: npt.NDArray[np.integer]) -> Edges:
    """Fit as much as the marks can tell: a slant needs several heights, a width several columns."""
    several = len(np.unique(column)) > 1
    high = float(np.ptp(v)) > 30.0 and len(u) >= 5
    parts = [np.ones(len(u))]
    parts += [column.astype(float)] if several else []
    parts += [v] if high else []
    crossed = several and high and len(u) >= 8
    bent = crossed and len(np.unique(column)) >= 4
    parts += [column * v] if crossed else []
    parts += [column.astype(float) ** 2] if bent else []
    design = np.stack(parts, axis=1)
    # A little stiffness keeps slant and narrowing at what a photograph can have.
    scale = np.array([1e-6 if k < 1 + several else 3.0 for k in range(design.shape[1])])
    found = np.linalg.solve(design.T @ design + np.diag(scale), design.T @ u).tolist()
    left = found.pop(0)
    width = found.pop(0) if several else 0.0
    slant = found.pop(0) if high else 0.0
    narrowing = found.pop(0) if crossed else 0.0
    return Edges(left, width, slant, narrowing, found.pop(0) if bent else 0.0)


def _columns(
    best: _Match,
    n_columns: int,
    starts: list[tuple[float, float]],
    ends: list[tuple[float, float]],
    rows: Sequence[Row],
) -> tuple[tuple[float, ...], ...]:
    """Place the columns in each row: where tracings begin, else a little before the names."""
    heights = np.array([row.at_mm for row in rows])
    first = min(row.first_mm for row in rows)
    last = max(row.last_mm for row in rows)
    edges, before = best.edges, _BEFORE_MM
    if n_columns > 1 and edges.width <= 0:
        edges = Edges(edges.left, (last - max(first, edges.left - before)) / n_columns)
    marks: list[tuple[int, float, float]] = []
    for c in range(n_columns + 1 if n_columns > 1 else 1):
        reach = min(8.0, 0.2 * edges.width) if n_columns > 1 else 14.0
        found = (starts if c < n_columns else []) + (ends if c > 0 else [])
        marks += [(c, u, v) for u, v in found if abs(u - edges.at(c, v) + before) < reach]
    if marks:
        which, where, high = (np.array(part) for part in zip(*marks, strict=True))
        shift = float(np.median(where - edges.at(which, high)))
        near = np.abs(where - edges.at(which, high) - shift) < 3.0
        edges = replace(edges, left=edges.left + shift)
        if len(np.unique(which[near])) >= min(2, n_columns) and near.sum() >= 4:
            edges = _fitted(where[near], high[near], which[near])
    else:
        edges = replace(edges, left=edges.left - before)
    if n_columns == 1:
        lefts = edges.at(0, heights)
        rights = _right_ends(ends, float(lefts.max()) + 60.0, heights, last)
        return tuple(zip(lefts.tolist(), rights.tolist(), strict=True))
    placed = edges.at(np.arange(n_columns + 1)[None], heights[:, None])
    return tuple(tuple(row) for row in placed.tolist())


def _slant(edges: tuple[tuple[float, ...], ...], rows: Sequence[Row]) -> float:
    """Give how the edges of columns lean, over all of them."""
    heights = np.array([row.at_mm for row in rows])
    if len(rows) < 2 or np.ptp(heights) < 30.0:
        return 0.0
    lean = [np.polyfit(heights, column, 1)[0] for column in np.array(edges).T]
    return float(np.clip(np.mean(lean), -0.3, 0.3))


def _right_ends(
    ends: list[tuple[float, float]], beyond: float, heights: Floats, last: float
) -> Floats:
    """Give where rows of one column end: rows of one page are equally long in time."""
    marks = np.array([(u, v) for u, v in ends if u > beyond]).reshape(-1, 2)
    for _ in range(2):
        if len(marks) < 5 or np.ptp(marks[:, 1]) < 40.0:
            return np.full(len(heights), last)
        slope, at = np.polyfit(marks[:, 1], marks[:, 0], 1)
        miss = np.abs(marks[:, 0] - at - slope * marks[:, 1])
        marks = marks[miss < max(3.0, 2 * float(np.median(miss)))]
    return np.asarray(at + slope * heights, np.float64)
