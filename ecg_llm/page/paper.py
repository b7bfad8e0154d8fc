"""How the paper lies in the image: from pixels to millimetres and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ecg_llm.page.net import LIE_STEP, Map, Sight

Points = npt.NDArray[np.float64]

PX_MM = 5
"""Pixels a millimetre of the straightened page: 8 ms at 25 mm/s."""
MOST_MM = 460.0
"""No page is longer."""
_DEGREE, _FINE_DEGREE = 3, 5
"""Of the map by the slopes that the net tells, and by places that the ruling tells."""
_STIFF = 0.003
"""Weight of keeping the paper plane, against cells that see it bent."""
_NODE_MM = 5.0
_TILE_MM = 40
PER_MM = (0.2, 0.4, 0.6, 1.0)
"""Rulings repeat every 5 mm and, with the harmonics of that, oftener; small squares every 1 mm."""
_SCALES = np.exp(np.linspace(-0.12, 0.12, 121))
_NEARBY = 0.035
_STANDS_OUT = 1.4
_BLUR_PX = 110.0
_NEAR_PX = 1e-3
"""A pixel that moves less is found."""
_FAR_MM = 0.6
"""Places that are so far off count half."""
_STIFF_PLACES = 1e-4


@dataclass(frozen=True, eq=False)
class Paper:
    """A smooth map from pixels to millimetres on the paper.

    Attributes
    ----------
    weights : np.ndarray, shape (2, n)
        Of the powers of the pixel's place, for millimetres along and down from ``centre``.
    centre, unit : np.ndarray, shape (2,); float
        What is taken off a pixel's place, and by what it is divided.
    box : tuple of float, mm
        Left, top, right, bottom of what is to be straightened.
    grid_seen : bool
        Whether the ruling was found where this map expects it.
    """

    weights: Points
    centre: Points
    unit: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    grid_seen: bool = False

    def mm(self, points: Points) -> Points:
        """Give the places of pixels on the paper.

        Parameters
        ----------
        points : np.ndarray, shape (..., 2), px
            In the image.

        Returns
        -------
        np.ndarray, shape (..., 2), mm
        """
        powers = polynomial((points - self.centre) / self.unit, self._degree)
        return np.asarray(powers @ self.weights.T, np.float64)

    def jacobian(self, points: Points) -> Points:
        """Give how millimetres change with pixels.

        Parameters
        ----------
        points : np.ndarray, shape (..., 2), px
            In the image.

        Returns
        -------
        np.ndarray, shape (..., 2, 2)
            Rows: along, down; columns: x, y.
        """
        at = (points - self.centre) / self.unit
        slopes = _slopes(at, self._degree) / self.unit  # (..., 2, n)
        return np.asarray(np.einsum("...an,mn->...ma", slopes, self.weights), np.float64)

    @property
    def _degree(self) -> int:
        return _FINE_DEGREE if self.weights.shape[1] > len(_exponents(_DEGREE)) else _DEGREE

    def pixels(self, mm: Points) -> Points:
        """Give the pixels of places on the paper.

        Parameters
        ----------
        mm : np.ndarray, shape (n, 2), mm
            On the paper.

        Returns
        -------
        np.ndarray, shape (n, 2), px
        """
        at = np.broadcast_to(self.centre, mm.shape).astype(np.float64)
        limit = 1.6 * self.unit
        for _ in range(12):
            step = np.linalg.solve(self.jacobian(at), (mm - self.mm(at))[..., None])[..., 0]
            before, at = at, np.clip(at + step, self.centre - limit, self.centre + limit)
            if np.abs(at - before).max(initial=0.0) < _NEAR_PX:
                break
        return at

    @cached_property
    def lattice(self) -> npt.NDArray[np.float32]:
        """The pixel that every point of the straightened page shows, shape (height, width, 2)."""
        import cv2

        left, top, right, bottom = self.box
        columns, rows = (int(np.ceil((b - a) / _NODE_MM)) + 1
                         for a, b in ((left, right), (top, bottom)))  # fmt: skip
        us, vs = left + np.arange(columns) * _NODE_MM, top + np.arange(rows) * _NODE_MM
        nodes = self.pixels(np.stack(np.meshgrid(us, vs), axis=-1).reshape(-1, 2))
        coarse = nodes.reshape(rows, columns, 2).astype(np.float32)
        step = int(_NODE_MM * PX_MM)
        at = (np.arange((columns - 1) * step) / step, np.arange((rows - 1) * step) / step)
        x, y = (axis.astype(np.float32) for axis in np.meshgrid(*at))
        return np.asarray(cv2.remap(coarse, x, y, cv2.INTER_LINEAR), np.float32)


def find_paper(sight: Sight) -> Paper | None:
    """Work out how the paper lies.

    Parameters
    ----------
    sight : Sight
        What the net sees.

    Returns
    -------
    Paper or None
        None if nothing of a tracing is to be seen.
    """
    rows, columns = sight.paper.shape
    tracing = sight.trace.reshape(rows, LIE_STEP, columns, LIE_STEP).max(axis=(1, 3))
    weight = sight.paper * (0.1 + (tracing > 0.5))
    if (tracing > 0.5).sum() < 12:
        return None
    y, x = np.mgrid[:rows, :columns]
    cells = np.stack([x, y], axis=-1).reshape(-1, 2) * LIE_STEP + (LIE_STEP - 1) / 2
    steps = np.stack([sight.across, sight.down], axis=-1).reshape(-1, 2, 2)  # columns: along, down
    good = np.abs(np.linalg.det(steps)) > 0.5
    wanted = np.linalg.inv(steps[good].astype(np.float64))
    paper = _fit(cells[good], wanted, weight.reshape(-1)[good])
    paper = _boxed(paper, sight)
    return _ruled(paper, sight, cells[good], wanted, weight.reshape(-1)[good])


def _exponents(degree: int) -> list[tuple[int, int]]:
    """Give the powers of x and y in a polynomial that is 0 at the origin."""
    every = range(degree + 1)
    return [(i, j) for i in every for j in every if 0 < i + j <= degree]


def polynomial(points: Points, degree: int) -> Points:
    """Give the terms of a polynomial that is 0 at the origin.

    Parameters
    ----------
    points : np.ndarray, shape (..., 2)
        Places.
    degree : int
        Highest sum of the powers of x and y.

    Returns
    -------
    np.ndarray, shape (..., n)
    """
    x, y = points[..., 0], points[..., 1]
    return np.stack([x**i * y**j for i, j in _exponents(degree)], axis=-1)


def _slopes(points: Points, degree: int) -> Points:
    x, y = points[..., 0], points[..., 1]
    zero, powers = np.zeros_like(x), _exponents(degree)
    along = [i * x ** (i - 1) * y**j if i else zero for i, j in powers]
    down = [j * x**i * y ** (j - 1) if j else zero for i, j in powers]
    return np.stack([np.stack(along, axis=-1), np.stack(down, axis=-1)], axis=-2)


def _fit(cells: Points, wanted: Points, weight: npt.NDArray[np.floating]) -> Paper:
    """Fit the map whose slopes are the wanted ones, cells that disagree counting less."""
    near = weight > 0.05
    cells, wanted, weight = cells[near], wanted[near], weight[near].astype(np.float64)
    centre = np.average(cells, axis=0, weights=weight)
    unit = float(max(np.ptp(cells[:, 0]), np.ptp(cells[:, 1]), 64.0)) / 2
    slopes = _slopes((cells - centre) / unit, _DEGREE) / unit  # (cells, axis, powers)
    degree = np.array([i + j - 1 for i, j in _exponents(_DEGREE)], np.float64)
    found = []
    for axis in range(2):
        flat, target = slopes.reshape(-1, len(degree)), wanted[:, axis].reshape(-1)
        size = np.median(np.abs(wanted[:, axis]).max(axis=1))
        robust = np.ones(len(cells))
        for _ in range(4):
            w = np.repeat(weight * robust, 2)
            stiff = np.diag(_STIFF * w.sum() * (degree / unit) ** 2)
            solved = np.linalg.solve((flat * w[:, None]).T @ flat + stiff,
                                     (flat * w[:, None]).T @ target)  # fmt: skip
            miss = np.abs(flat @ solved - target).reshape(-1, 2).max(axis=1)
            robust = 1 / (1 + (miss / (0.04 * size)) ** 2)
        found.append(solved)
    return Paper(np.stack(found), centre, unit)


def _boxed(paper: Paper, sight: Sight) -> Paper:
    """Choose the part of the paper that holds all tracings."""
    y, x = np.nonzero(sight.trace > 0.5)
    places = paper.mm(np.stack([x, y], axis=-1).astype(np.float64)[:: max(len(x) // 20000, 1)])
    low, high = np.percentile(places, [0.1, 99.9], axis=0)
    low, high = low - np.array([25.0, 22.0]), high + np.array([12.0, 18.0])
    middle, half = (low + high) / 2, np.minimum((high - low) / 2, MOST_MM / 2)
    (left, top), (right, bottom) = (middle - half).tolist(), (middle + half).tolist()
    return replace(paper, box=(left, top, right, bottom))


def _ruled(
    paper: Paper, sight: Sight, cells: Points, wanted: Points, weight: npt.NDArray[np.floating]
) -> Paper:
    """Correct the map by the ruling, where it is to be seen."""
    lattice, flat = straight_ruling(paper, sight)
    along, down = _spectra(flat), _spectra(flat.T).transpose(1, 0, 2)
    rows, columns = (min(a, b) for a, b in zip(along.shape[:2], down.shape[:2], strict=True))
    if rows == 0 or columns == 0:
        return paper
    spectra = np.stack([along[:rows, :columns], down[:rows, :columns]], axis=2)
    whole = np.stack([_peak(s, 0.0, np.inf) for s in spectra.mean(axis=(0, 1))])
    if np.isnan(whole).any():
        return paper
    places, factors = [], []
    for i in range(rows):
        for j in range(columns):
            pair = [_peak(spectra[i, j, axis], whole[axis], _NEARBY) for axis in (0, 1)]
            y, x = (int((k + 1) * _TILE_MM * PX_MM / 2) for k in (i, j))
            places.append(lattice[min(y, len(lattice) - 1), min(x, lattice.shape[1] - 1)])
            factors.append(pair)
    found = np.array(factors, np.float64)
    found = np.where(np.isnan(found), whole, found)
    gap = np.square(cells[:, None] - np.array(places, np.float64)[None]).sum(-1)
    near = np.exp(-gap / (2 * _BLUR_PX**2)) + 1e-9
    factor = (near @ found) / near.sum(axis=1, keepdims=True)
    better = _boxed(_fit(cells, wanted * factor[:, :, None], weight), sight)
    return replace(better, grid_seen=True)


def straight_ruling(paper: Paper, sight: Sight) -> tuple[Map, Map]:
    """Straighten what is darker than its surroundings and no tracing.

    Parameters
    ----------
    paper : Paper
        How the paper lies.
    sight : Sight
        What the net sees.

    Returns
    -------
    lattice : np.ndarray, shape (height, width, 2), px
        From `Paper.lattice`.
    flat : np.ndarray, shape (height, width)
        Darkness at these pixels.
    """
    import cv2

    lattice = paper.lattice
    return lattice, cv2.remap(sight.ruling, lattice, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]


def robust_fit(
    terms: Points,
    wanted: Points,
    weight: npt.NDArray[np.floating],
    stiff: npt.ArrayLike,
    unlike: float,
) -> Points:
    """Fit by least squares; what is far off counts less.

    Parameters
    ----------
    terms : np.ndarray, shape (n, n_terms)
        Of each place.
    wanted, weight : np.ndarray, shape (n,)
        What they should add up to, and how much it counts.
    stiff : array_like, shape (n_terms,) or a number
        Weight of keeping a term's factor small, as a share of all weights.
    unlike : float
        What is so far off counts half.

    Returns
    -------
    np.ndarray, shape (n_terms,)
    """
    found: Points = np.zeros(terms.shape[1])
    like: Points = np.ones(len(wanted))
    for _ in range(3):
        w = weight * like
        square = (terms * w[:, None]).T @ terms
        square += np.diag(np.broadcast_to(stiff, len(found)) * w.sum())
        solved = np.linalg.solve(square, (terms * w[:, None]).T @ wanted)
        found = np.asarray(solved, np.float64)
        like = 1 / (1 + ((terms @ found - wanted) / unlike) ** 2)
    return found


def through_places(
    paper: Paper, pixels: Points, mm: Points, weight: npt.NDArray[np.floating]
) -> Paper:
    """Lay a finer map through known places; those far off count less.

    Parameters
    ----------
    paper : Paper
        The map so far.
    pixels, mm : np.ndarray, shape (n, 2)
        Places in the image and on the paper.
    weight : np.ndarray, shape (n,)
        How much each counts.

    Returns
    -------
    Paper
        Its origin may have moved.
    """
    powers = polynomial((pixels - paper.centre) / paper.unit, _FINE_DEGREE)
    powers = np.concatenate([np.ones((len(powers), 1)), powers], axis=1)
    degree = np.array([0, *(i + j - 1 for i, j in _exponents(_FINE_DEGREE))], np.float64)
    stiff = _STIFF_PLACES * degree**2
    found = [robust_fit(powers, mm[:, axis], weight, stiff, _FAR_MM) for axis in (0, 1)]
    origin, weights = np.split(np.array(found), [1], axis=1)
    x, y = origin[:, 0].tolist()
    left, top, right, bottom = paper.box
    return replace(paper, weights=weights, box=(left - x, top - y, right - x, bottom - y))


def _spectra(flat: Map) -> npt.NDArray[np.float64]:
    """Give for every tile, rows by columns, how strongly rulings of each scale show along it."""
    size, strip = _TILE_MM * PX_MM, _TILE_MM * PX_MM // 4
    strips = flat[: len(flat) // strip * strip].reshape(-1, strip, flat.shape[1]).mean(axis=1)
    starts = np.arange(0, flat.shape[1] - size + 1, size // 2)
    if len(strips) < 4 or len(starts) == 0:
        return np.zeros((0, 0, len(_SCALES)))
    tiles = np.stack([strips[:, a : a + size] for a in starts], axis=1)  # [strips, columns, size]
    waves = (tiles - tiles.mean(axis=2, keepdims=True)) * np.hanning(size)
    at = np.arange(size) / PX_MM
    total = np.zeros((*waves.shape[:2], len(_SCALES)))
    for per_mm in PER_MM:
        phase = np.exp(-2j * np.pi * per_mm * _SCALES[:, None] * at[None])
        power = np.abs(waves @ phase.T) ** 2
        # Against the power of other scales: neither the tracing nor noise prefers one.
        total += np.log1p(power / (np.median(power, axis=2, keepdims=True) + 1e-9))
    pooled = np.stack([total[k : k + 4].mean(axis=0) for k in range(0, len(total) - 3, 2)])
    return np.asarray(pooled, np.float64)


def _peak(spectrum: npt.NDArray[np.float64], about: float, reach: float) -> float:
    """Give the scale that stands out, near another if one is given; NaN if none does."""
    near = np.abs(_SCALES - about) < reach if reach < np.inf else np.ones(len(_SCALES), bool)
    best = int(np.where(near, spectrum, -1.0).argmax())
    if not 0 < best < len(_SCALES) - 1 or spectrum[best] < _STANDS_OUT * np.median(spectrum):
        return float("nan")
    a, b, c = spectrum[best - 1 : best + 2]
    part = 0.5 * (a - c) / (a - 2 * b + c) if a - 2 * b + c < 0 else 0.0
    return float(_SCALES[best] * (_SCALES[1] / _SCALES[0]) ** float(np.clip(part, -0.5, 0.5)))
