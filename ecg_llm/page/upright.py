"""Straighten the photograph of a page before it is looked at.

The page net tells how large a millimetre is, and not how far a page is turned: pages with a turn
were too few where it learnt. The lines on the paper tell it: ruling, flat stretches of tracings,
lines of text and borders run along or across the page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.page.decode import Image

Floats = npt.NDArray[np.float64]

_LONG_PX = 1000
"""Long side at which edges are looked at; lines of the ruling still stand apart."""
_LEAST = 0.005
"""Turns in radians, and changes of scale over half the picture, below which nothing is done."""
_MOST = 0.25
"""Stronger perspective is not believed."""
_STRONGEST = 0.95
"""Edges count no more than this quantile of them: borders and letters are the strongest."""
_WINDOW, _NARROWEST = np.radians(12), np.radians(4)
"""Edges that differ more from the fitted directions are none of the paper's lines."""


@dataclass(frozen=True)
class Lie:
    """How the lines of a page run over its picture.

    Attributes
    ----------
    along, across : float, radians
        By how much the lines along and across the page are turned clockwise in its middle.
    narrows, shortens : float
        By which part the page grows smaller to the right and downwards, over half its long side.
    """

    along: float
    across: float
    narrows: float
    shortens: float

    @property
    def is_straight(self) -> bool:
        """Whether nothing is to be done."""
        return max(map(abs, (self.along, self.across, self.narrows, self.shortens))) < _LEAST

    def matrix(self) -> Floats:
        """Give the map from the straightened page to the picture, both from the middle.

        Returns
        -------
        np.ndarray, shape (3, 3)
            In halves of the long side.
        """
        turn = np.eye(3)
        turn[:2, 0] = np.cos(self.along), np.sin(self.along)
        turn[:2, 1] = -np.sin(self.across), np.cos(self.across)
        lean = np.eye(3)
        lean[2, :2] = self.narrows, self.shortens
        return np.asarray(turn @ lean)


def straightened(image: Image) -> Image:
    """Make the lines on the paper run along the sides of the image.

    Parameters
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.

    Returns
    -------
    np.ndarray, shape (height', width', 3), uint8
        The same, if hardly anything is to be done; else one that holds all of it.
    """
    import cv2

    lie = lie_of(image)
    if lie.is_straight:
        return image
    height, width = image.shape[:2]
    half = max(height, width) / 2
    to_pixels = np.array([[half, 0, width / 2], [0, half, height / 2], [0, 0, 1]])
    matrix = to_pixels @ lie.matrix()
    corners = np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]], np.float64)
    page = np.linalg.solve(matrix, corners)
    places = page[:2] / page[2]
    low, high = places.min(axis=1), places.max(axis=1)
    from_pixels = np.array([[1 / half, 0, low[0]], [0, 1 / half, low[1]], [0, 0, 1]])
    size = [int(np.ceil(side)) for side in (high - low) * half]
    around = np.median(image[:: max(height // 50, 1), :: max(width // 50, 1)], axis=(0, 1))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    out = cv2.warpPerspective(
        image, matrix @ from_pixels, size, flags=flags, borderValue=tuple(map(float, around))
    )
    return np.asarray(out, np.uint8)


def lie_of(image: Image) -> Lie:
    """Tell how the lines of a page run over its picture.

    Parameters
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.

    Returns
    -------
    Lie
        Turned by at most 45°: by quarters more, the lines look the same.

    Notes
    -----
    The direction of an edge, times four, is the same for lines along and across the page, so that
    the mean of all, weighted by strength, tells the turn. In perspective the lines along the page
    fan out over its height, those across it over its width; both are fitted by straight lines,
    edges that do not belong to them left out step by step.
    """
    import cv2

    factor = _LONG_PX / max(image.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)
    grey = cv2.GaussianBlur(small.min(axis=2).astype(np.float32), (0, 0), 0.8)
    gx, gy = cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)
    strength = gx**2 + gy**2
    y, x = np.nonzero(strength > max(float(np.median(strength)), 1.0))
    if len(x) < 1000:
        return Lie(0.0, 0.0, 0.0, 0.0)
    angle = np.arctan2(gy[y, x], gx[y, x]).astype(np.float64)
    weight = np.minimum(strength[y, x], np.quantile(strength, _STRONGEST)).astype(np.float64)
    turn = float(np.angle((np.exp(4j * angle) * weight).sum()) / 4)
    half = _LONG_PX / 2
    right, below = (x - grey.shape[1] / 2) / half, (y - grey.shape[0] / 2) / half
    # Edges are directed across their lines.
    along = _fitted(angle - turn - np.pi / 2, below, weight)
    across = _fitted(angle - turn, right, weight)
    return Lie(
        along=turn + along[0],
        across=turn + across[0],
        narrows=float(np.clip(-along[1], -_MOST, _MOST)),
        shortens=float(np.clip(across[1], -_MOST, _MOST)),
    )


def _fitted(angle: Floats, place: Floats, weight: Floats) -> tuple[float, float]:
    """Fit a direction that changes over the picture: in its middle, and over half its side."""
    angle = (angle + np.pi / 2) % np.pi - np.pi / 2
    at = np.stack([np.ones_like(place), place], axis=1)
    line, window = np.zeros(2), _WINDOW
    for _ in range(6):
        miss = angle - at @ line
        near = np.abs(miss) < window
        w = weight[near] * (1 - (miss[near] / window) ** 2)
        if near.sum() < 500:
            break
        line = np.linalg.solve((at[near] * w[:, None]).T @ at[near] + 1e-9 * np.eye(2),
                               (at[near] * w[:, None]).T @ angle[near])  # fmt: skip
        window = max(0.75 * window, _NARROWEST)
    return float(line[0]), float(line[1])
