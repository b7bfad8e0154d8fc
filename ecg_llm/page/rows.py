"""Follow each row's tracing over the straightened page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.page.net import MARK_STEP, Map, Sight
from ecg_llm.page.paper import PX_MM, Paper

Floats = npt.NDArray[np.float64]

SAMPLES_MM = 2 * PX_MM
"""Samples a millimetre of a followed tracing: one in each column of pixels and one between."""
_INK = 0.95
"""Probability, over two pixels side by side, from which they belong to a tracing."""
_FAINT = 0.5
"""The same, where a row has no such points."""
_LEAST_ROW_MM = 15.0
"""A row has at least so much of a tracing."""
_LEAST_SHARE = 0.3
"""Of the longest row: what is shorter is a stamp, a rule or the edge of the paper."""
_MOST_ROWS = 20
_CLOSEST_MM = 6.0
"""Rows are farther apart than this."""
_OUTSIDE_MM = 20.0
_GAP_MM = 1.2
"""Wider gaps of a tracing stay open."""
_SPECK_MM = 1.6
"""What is smaller both ways is dust."""
_BLANK = 0.4
"""Probability below which paper is blank."""
_APART_PX = 2
"""Strokes of one column with so much blank paper between them are two."""
_MOST_JUMP_PX = 30.0
"""A longer jump from column to column counts no more."""


@dataclass(frozen=True, eq=False)
class Row:
    """The tracing along one row of the page.

    Attributes
    ----------
    at_mm : float, mm
        Height of its baseline in the middle of the page.
    slope : float
        By which the baseline falls along the page.
    first_mm : float, mm
        Where its samples begin.
    values : np.ndarray, shape (n,), mm
        Height above the baseline, `SAMPLES_MM` a millimetre; NaN where nothing is drawn.
    """

    at_mm: float
    slope: float
    first_mm: float
    values: Floats

    @property
    def last_mm(self) -> float:
        """Where the samples end."""
        return self.first_mm + (len(self.values) - 1) / SAMPLES_MM

    def between(self, left_mm: float, right_mm: float) -> tuple[Floats, Floats]:
        """Cut out a stretch.

        Parameters
        ----------
        left_mm, right_mm : float, mm
            Limits.

        Returns
        -------
        places : np.ndarray, mm
            Along the page.
        values : np.ndarray, mm
            Height there.
        """
        places = self.first_mm + np.arange(len(self.values)) / SAMPLES_MM
        inside = (places >= left_mm) & (places <= right_mm)
        return places[inside], self.values[inside]


def follow_rows(sight: Sight, paper: Paper, *, slant: float = 0.0) -> tuple[Row, ...]:
    """Find the rows of a page and follow the tracing of each.

    Parameters
    ----------
    sight : Sight
        What the net sees.
    paper : Paper
        How the paper lies.
    slant : float
        By how many mm to the right the vertical of the paper leads on 1 mm down, where the paper's
        map does not know it: tall waves lean by it.

    Returns
    -------
    tuple of Row
        From the top.
    """
    import cv2

    lattice = paper.lattice
    nothing = None
    ink = cv2.remap(sight.trace, lattice, nothing, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    u, v, sure = _ridge(ink)
    if not sure.any():
        return ()
    columns = np.clip(np.rint(u), 0, ink.shape[1] - 1).astype(int)
    levels = np.clip(np.rint(v), 0, ink.shape[0] - 1).astype(int)
    base = _voted(sight, paper, lattice[levels, columns])  # mm down the page
    near = (base > paper.box[1] - _OUTSIDE_MM) & (base < paper.box[3] + _OUTSIDE_MM)
    u, v, base, sure = u[near], v[near], base[near], sure[near]
    columns, levels = columns[near], levels[near]
    lines = _lines(columns[sure], base[sure], np.ones(int(sure.sum()))) if sure.any() else []
    if not lines:
        return ()
    blank = np.cumsum(ink < _BLANK, axis=0)
    heights = np.stack([at + slope * u for at, slope in lines])
    gap = np.abs(heights - base[None])
    pitch = float(np.diff(heights, axis=0).mean(axis=1).min()) if len(lines) > 1 else 30.0
    owner = gap.argmin(axis=0)
    owner[gap.min(axis=0) > min(0.5 * pitch, 7.0)] = -1
    rows = []
    for k, (at, slope) in enumerate(lines):
        mine = owner == k
        mine[mine] = _no_dust(columns[mine], levels[mine], ink.shape)
        if len(np.unique(columns[mine & sure])) < _LEAST_ROW_MM * PX_MM:
            continue
        mine[mine] = _filling(u[mine], sure[mine])
        mine[mine] = _tracing(u[mine], v[mine], blank)
        on_line = (at + slope * u[mine] - paper.box[1]) * PX_MM
        first, places = _joined(u[mine] - slant * (v[mine] - on_line), v[mine])
        along = first + np.arange(len(places)) / 2
        values = (at + slope * along) - (paper.box[1] + places / PX_MM)
        middle = at + slope * ink.shape[1] / 2
        rows.append(Row(middle, slope * PX_MM, paper.box[0] + first / PX_MM, values))
    return tuple(rows)


def _ridge(ink: Map) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Thin the strokes to their middle lines: points to a fraction of a pixel; which are sure."""
    here = ink[1:-1, 1:-1]
    left, right, above, below = ink[1:-1, :-2], ink[1:-1, 2:], ink[:-2, 1:-1], ink[2:, 1:-1]
    across, down = left + right - 2 * here, above + below - 2 * here
    # Where the ink falls off faster to the sides than up and down, the stroke is steep.
    steep = across < down
    crest = np.where(steep, (here >= left) & (here > right), (here >= above) & (here > below))
    # A line between two pixels is shared by both.
    beside = np.where(steep, np.maximum(left, right), np.maximum(above, below))
    v, u = np.nonzero(crest & (here > 0.4 * _FAINT) & (here + beside > _FAINT))
    aside = np.where(
        steep[v, u],
        0.5 * (left - right)[v, u] / np.minimum(across[v, u], -1e-6),
        0.5 * (above - below)[v, u] / np.minimum(down[v, u], -1e-6),
    )
    aside = np.clip(aside, -0.5, 0.5)
    along = np.where(steep[v, u], aside, 0.0)
    x: Floats = (u + 1.0 + along).astype(np.float64)
    y: Floats = v + 1.0 + aside - along
    return x, y, (here[v, u] > 0.4 * _INK) & ((here + beside)[v, u] > _INK)


def _filling(u: Floats, sure: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Keep the sure points of a row, and fainter ones where there are no sure ones nearby."""
    column = np.rint(u).astype(int) - int(u.min())
    taken = np.zeros(int(column.max()) + 3, bool)
    taken[column[sure]] = True
    near = taken.copy()
    near[1:] |= taken[:-1]
    near[:-1] |= taken[1:]
    return np.asarray(sure | ~near[column], bool)


def _voted(sight: Sight, paper: Paper, pixels: npt.NDArray[np.float32]) -> Floats:
    """Give the height of the baseline that each pixel of a tracing belongs to, in mm."""
    level = np.arange(sight.offset_px.shape[0])[:, None] * MARK_STEP + (MARK_STEP - 1) / 2
    base_y = (sight.offset_px + level).astype(np.float32)
    x, y = np.clip((pixels + 0.5) // MARK_STEP, 0, np.array(base_y.shape[::-1]) - 1).astype(int).T
    at = base_y[y, x]
    places = np.stack([pixels[:, 0], at], axis=-1).astype(np.float64)
    return np.asarray(paper.mm(places)[:, 1], np.float64)


def _lines(u: npt.NDArray[np.intp], base: Floats, weight: Floats) -> list[tuple[float, float]]:
    """Find the baselines: height at the left edge, and fall a column."""
    step = 0.25
    spread = np.exp(-0.5 * (np.arange(-16, 17) * step / 1.2) ** 2)
    tilt = _tilt(u, base, weight)
    base = base - tilt * u
    low = base.min()
    n = int((base.max() - low) / step) + 2
    cells = ((base - low) / step).astype(int)
    left, faint = weight.copy(), None
    lines: list[tuple[float, float]] = []
    lengths: list[int] = []
    while len(lines) < _MOST_ROWS:
        votes = np.convolve(np.pad(np.bincount(cells, left, n), 16), spread, "valid")
        faint = 0.03 * float(votes.max()) if faint is None else faint
        if votes.max() <= faint:
            break
        line = _straight(low + int(votes.argmax()) * step, u, base, left)
        mine = np.abs(base - (line[0] + line[1] * u)) < _CLOSEST_MM / 2
        mine |= cells == int(votes.argmax())
        lines.append(line)
        lengths.append(len(np.unique(u[mine & (left > 0)])))
        left[mine] = 0.0
    middle = float(u.mean())
    least = max(_LEAST_ROW_MM * PX_MM, _LEAST_SHARE * max(lengths, default=0))
    lines = [
        (at, slope + tilt) for (at, slope), n in zip(lines, lengths, strict=True) if n >= least
    ]
    return sorted(lines, key=lambda line: line[0] + line[1] * middle)


def _tilt(u: npt.NDArray[np.intp], base: Floats, weight: Floats) -> float:
    """Give the common fall of the rows at which their votes lie closest together."""

    def sharpness(fall: float) -> float:
        level = base - fall * u
        votes = np.bincount(((level - level.min()) / 0.8).astype(int), weight)
        return float((votes**2).sum())

    falls = np.linspace(-0.09, 0.09, 37) / PX_MM
    return float(max(falls, key=lambda fall: sharpness(float(fall))))


def _straight(
    at: float, u: npt.NDArray[np.intp], base: Floats, weight: Floats
) -> tuple[float, float]:
    """Lay a line through the votes near a height: height at the left edge, and fall a column."""
    line = (at, 0.0)
    for reach in (4.0, 2.5, 1.5):
        near = (np.abs(base - (line[0] + line[1] * u)) < reach) & (weight > 0)
        if near.sum() < 50 or np.ptp(u[near]) < 40 * PX_MM:
            break
        slope, start = np.polyfit(u[near], base[near], 1, w=weight[near])
        line = (float(start), float(np.clip(slope, -0.02, 0.02)))
    return line


def _no_dust(
    u: npt.NDArray[np.intp], v: npt.NDArray[np.intp], shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Tell which points belong to strokes of some length."""
    import cv2

    mask = np.zeros(shape[:2], np.uint8)
    mask[v, u] = 1
    joined = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    _, names, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    sizes = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    return np.asarray((sizes > _SPECK_MM * PX_MM + 4)[names[v, u]], bool)


def _tracing(u: Floats, v: Floats, blank: Floats) -> npt.NDArray[np.bool_]:
    """Tell which points of a row are its tracing, and not of a circle or a word drawn over it.

    In each column the points fall apart into strokes with blank paper between them. The tracing
    is the way from left to right over them that jumps over least blank paper.
    """
    column = np.rint(u).astype(int)
    order = np.lexsort((v, column))
    column, v = column[order], v[order]
    level = np.rint(v).astype(int)
    between = np.diff(blank[level, column], prepend=0.0)
    new = np.r_[True, (np.diff(column) > 0) | (between[1:] >= _APART_PX)]
    starts = np.flatnonzero(new)
    ends = np.r_[starts[1:], len(v)] - 1
    at, top, bottom = column[starts].tolist(), level[starts].tolist(), level[ends].tolist()
    cost, before = [0.0] * len(at), [-1] * len(at)
    last: list[int] = []
    here: list[int] = []
    for k, where in enumerate(at):
        if here and at[here[0]] != where:
            last, here = here, []
        here.append(k)
        best = np.inf
        for m in last:
            # From the end of the one to the beginning of the other, in either column.
            low, high = min(bottom[m], bottom[k]), max(top[m], top[k])
            jump = 0.0
            if high > low:
                jump = min(blank[high, c] - blank[low, c] for c in (at[m], where))
            way = cost[m] + min(jump, _MOST_JUMP_PX)
            if way < best:
                best, before[k] = way, m
        cost[k] = best if last else 0.0
    k = min(here, key=cost.__getitem__)
    chosen = np.zeros(len(at), bool)
    while k >= 0:
        chosen[k] = True
        k = before[k]
    kept = np.empty(len(v), bool)
    kept[order] = chosen[np.cumsum(new) - 1]
    return kept


def _joined(u: Floats, v: Floats) -> tuple[float, Floats]:
    """Give the first column of a row, and where its tracing is at and between the columns.

    The points of a steep stroke lie evenly along it, so their mean in half a column is where the
    line passes its middle; at a peak the farthest of them counts.
    """
    first = int(np.floor(u.min()))
    cell = np.rint(2 * (u - first)).astype(int)
    n = int(cell.max()) + 1
    count = np.bincount(cell, minlength=n)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(cell, v, n) / count
    top, bottom = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(top, cell, v)
    np.maximum.at(bottom, cell, v)
    there = np.flatnonzero(count)
    line = mean[there]
    before, after = np.r_[line[0], line[:-1]], np.r_[line[1:], line[-1]]
    peak = line < np.minimum(before, after)
    trough = line > np.maximum(before, after)
    line = np.where(peak, top[there], np.where(trough, bottom[there], line))
    out = np.full(n, np.nan)
    out[there] = line
    return float(first), _bridged(out, int(_GAP_MM * SAMPLES_MM))


def _bridged(values: Floats, longest: int) -> Floats:
    """Fill short gaps by straight lines."""
    good = np.flatnonzero(np.isfinite(values))
    out = np.interp(np.arange(len(values)), good, values[good])
    wide = np.diff(good) > longest
    for a, b in zip(good[:-1][wide], good[1:][wide], strict=True):
        out[a + 1 : b] = np.nan
    return out
