"""Where everything on a page image lies, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_llm.render.raster import Image

Points = npt.NDArray[np.float64]
"""Shape (..., 2): x and y in pixels; a whole number names the centre of a pixel."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadTrace:
    """One cell of the page: the truth about it and where it lies.

    Attributes
    ----------
    lead : str
        Whose voltages are drawn.
    label : str
        What is printed beside them, empty if nothing is; a wrong name on a mislabelled page.
    strip : bool
        Whether it is a rhythm strip.
    shown : bool
        False if nothing of it is to be seen: the record lacks the lead, it was left out, or it is
        outside the image.
    inverted : bool
        Whether it is drawn upside down (minus aVR of the Cabrera order).
    first, step : int
        Row k of ``points`` is sample ``first + k * step`` of the record.
    from_s, to_s : float, s
        Times at its left and right edge.
    mm_per_mv : float
        Height of a millivolt on the paper.
    offset_mv : float, mV
        What was taken off the voltages so that the tracing lies on its baseline.
    polygon : np.ndarray, shape (m, 2), px
        Outline of the cell; it may leave an image that shows a part of the page.
    points : np.ndarray, shape (n, 2), px
        Place of each sample; NaN where it is missing or outside the image.
    """

    lead: str
    label: str
    strip: bool
    shown: bool
    inverted: bool
    first: int
    step: int
    from_s: float
    to_s: float
    mm_per_mv: float
    offset_mv: float
    polygon: Points
    points: Points


@dataclass(frozen=True, kw_only=True, eq=False)
class PageGeometry:
    """Places of leads, samples and grid in an image.

    Attributes
    ----------
    width, height : int, px
        Of the image.
    traces : tuple of LeadTrace
        Row by row, rhythm strips last.
    pulses : tuple of np.ndarray, shape (m, 2), px
        Outlines of the 1 mV calibration pulses.
    grid : np.ndarray, shape (rows, columns, 2), px
        Crossings of the large squares, 5 mm apart on the paper; NaN outside the image. They are
        told also where no grid is printed.
    grid_drawn : bool
        Whether there is a grid to be seen.
    speed_mm_s : float
        Paper speed.
    homography : np.ndarray, shape (3, 3)
        From mm on the page (from its top left corner) to pixels.
    flat : bool
        Whether the homography is exact; else the paper is bent besides, and only the points are.
    """

    width: int
    height: int
    traces: tuple[LeadTrace, ...]
    pulses: tuple[Points, ...]
    grid: Points
    grid_drawn: bool
    speed_mm_s: float
    homography: npt.NDArray[np.float64]
    flat: bool

    def moved(
        self,
        move: Callable[[Points], Points],
        size: tuple[int, int],
        homography: npt.NDArray[np.float64],
        flat: bool,
    ) -> PageGeometry:
        """Follow the page into another image.

        Parameters
        ----------
        move : callable
            Gives the new place of points of shape (n, 2).
        size : tuple of int, px
            Width and height of the new image.
        homography : np.ndarray, shape (3, 3)
            From old to new pixels, but for bends.
        """
        # One call for all points is much quicker than one for each lead.
        parts = [self.grid.reshape(-1, 2), *self.pulses]
        for trace in self.traces:
            parts += [trace.polygon, trace.points]
        ends = np.cumsum([len(part) for part in parts])[:-1]
        grid, *rest = np.split(move(np.concatenate(parts)), ends)
        n = len(self.pulses)
        pairs = zip(self.traces, rest[n::2], rest[n + 1 :: 2], strict=True)
        traces = []
        for trace, polygon, points in pairs:
            left = _inside(points, size)
            shown = bool(np.isfinite(left).any())
            traces.append(replace(trace, polygon=polygon, points=left, shown=shown))
        return replace(
            self,
            width=size[0],
            height=size[1],
            traces=tuple(traces),
            pulses=tuple(rest[:n]),
            grid=_inside(grid, size).reshape(self.grid.shape),
            homography=homography @ self.homography,
            flat=self.flat and flat,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class PageExample:
    """An image of an ECG page, shape (height, width, 3), uint8, and where everything on it lies."""

    image: Image
    geometry: PageGeometry


def _inside(points: Points, size: tuple[int, int]) -> Points:
    """Blank the points, shape (n, 2), that are outside an image of a width and height in px."""
    with np.errstate(invalid="ignore"):
        outside = ((points < -0.5) | (points > np.array(size) - 0.5)).any(axis=1)
    out: Points = points.copy()
    out[outside] = np.nan
    return out


def outline(box: tuple[float, float, float, float]) -> Points:
    """Give the outline of a box as a polygon that can be bent.

    Parameters
    ----------
    box : tuple of float
        Left, top, right, bottom.

    Returns
    -------
    np.ndarray, shape (32, 2)
        From the top left corner to the right.
    """
    x0, y0, x1, y1 = box
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
    share = np.arange(8)[:, None] / 8
    edges = [a + (b - a) * share for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    return np.concatenate(edges)
