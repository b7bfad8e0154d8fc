"""Read the gain of a page from its calibration pulses."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from ecg_llm.page.net import PULSE, Map, Sight
from ecg_llm.page.paper import PX_MM, Paper
from ecg_llm.page.rows import Row

Places = int | npt.NDArray[np.intp]

USUAL_GAIN = 10.0
GAINS_MM_MV = (5.0, USUAL_GAIN, 20.0)
_TOLD = 0.08
"""Contrast of a pulse's strokes, times the net's probability, from which it tells the gain."""
_UNUSUAL = 1.5
"""Times that another gain has to be clearer than the usual one."""
_SUSPECTED = 0.1
"""Mean probability of a pulse, over the lowest 5 mm of a row, from which a place is looked at."""
_HEIGHTS = np.linspace(0.93, 1.07, 5)
"""A pulse's height as drawn, of its gain."""
_WIDTHS_MM = (4.0, 4.5, 5.0, 5.5, 6.0, 9.5, 10.0, 10.5)
"""200 ms at 25 and at 50 mm/s."""
_ABOVE_MM, _BELOW_MM = 26.0, 1.0
_BESIDE_MM = 3.5
"""Of a stroke, looked at beyond its ends: ruling goes on there, a pulse does not."""
_CORNER_MM = 0.7
"""Left out at a stroke's ends."""


def pulse_gain(sight: Sight, paper: Paper, rows: tuple[Row, ...]) -> float | None:
    """Read the gain.

    Two uprights from a row's baseline and a bar between their tops, as high as one of
    `GAINS_MM_MV`, each darker than the paper that lies in its line beyond it, at one place of the
    rows and where the net suspects pulses.

    Parameters
    ----------
    sight : Sight
        What the net sees.
    paper : Paper
        How the paper lies.
    rows : tuple of Row
        The page's tracings.

    Returns
    -------
    float or None, mm/mV
        None if no pulse is clear enough.
    """
    ink, pulse = _along_rows(sight, paper, rows)
    zero = int(_BELOW_MM * PX_MM)
    suspected = pulse[:, zero : zero + int(5 * PX_MM)].mean(axis=1)  # [rows, columns]
    if suspected.max() < _SUSPECTED:
        return None
    seen = _likeness(ink, suspected, zero)
    seen[USUAL_GAIN] *= _UNUSUAL
    best = max(seen, key=seen.__getitem__)
    return best if seen[best] > _UNUSUAL * _TOLD else None


def _along_rows(sight: Sight, paper: Paper, rows: tuple[Row, ...]) -> tuple[Map, Map]:
    """Cut out a band along each row, straightened: ink of a stroke's darkness is 1; pulses.

    Both [rows, heights above the baseline, columns], `PX_MM` a millimetre.
    """
    import cv2

    lattice = paper.lattice
    size = sight.dark.shape[::-1]
    suspected = cv2.resize(sight.spots[PULSE], size, interpolation=cv2.INTER_LINEAR)
    columns = np.arange(lattice.shape[1])
    heights = np.arange(-_BELOW_MM * PX_MM, _ABOVE_MM * PX_MM + 1)
    base = np.array(
        [
            (row.at_mm - paper.box[1]) * PX_MM + row.slope * (columns - columns.mean())
            for row in rows
        ]
    )
    level = (base[:, None] - heights[:, None]).reshape(-1, len(columns)).astype(np.float32)
    across = np.broadcast_to(columns.astype(np.float32), level.shape)
    places = cv2.remap(lattice, across, level, cv2.INTER_LINEAR, borderValue=(-1, -1))
    nothing = None
    bands = [
        cv2.remap(image, places, nothing, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        for image in (sight.dark, suspected)
    ]
    strokes = sight.dark[sight.trace > 0.8]
    full = max(float(np.median(strokes)) if len(strokes) else 0.0, 1.0)
    shape = (len(rows), len(heights), len(columns))
    return np.clip(bands[0] / full, 0, 1).reshape(shape), bands[1].reshape(shape)


def _likeness(ink: Map, suspected: Map, zero: int) -> dict[float, float]:
    """Tell how like pulses of each gain the rows look, at the place where they do most."""
    down = np.pad(maximum_filter1d(ink, 3, axis=2), ((0, 0), (1, 0), (0, 0))).cumsum(axis=1)
    sure = np.pad(suspected, ((0, 0), (1, 0))).cumsum(axis=1)
    corner, beside = int(_CORNER_MM * PX_MM), int(_BESIDE_MM * PX_MM)
    seen = dict.fromkeys(GAINS_MM_MV, 0.0)
    for gain, drawn in product(GAINS_MM_MV, _HEIGHTS):
        top = zero + round(gain * drawn * PX_MM)
        side = _mean(down, zero + corner, top - corner)
        side = side - _mean(down, top + corner, min(top + beside, ink.shape[1]))
        level = ink[:, top - 1 : top + 2].max(axis=1)
        bar = np.pad(level, ((0, 0), (1, 0))).cumsum(axis=1)
        for width in _WIDTHS_MM:
            wide = int(width * PX_MM)
            left = np.arange(beside, ink.shape[2] - wide - beside)
            left = left[_mean(sure, left, left + wide).max(axis=0) > _SUSPECTED]
            if not len(left):
                continue
            right = left + wide
            roof = _mean(bar, left + corner, right - corner)
            before = _mean(bar, left - beside, left - corner)
            after = _mean(bar, right + corner, right + beside)
            strokes = np.minimum(side[:, left], side[:, right])
            strokes = np.clip(np.minimum(strokes, roof - (before + after) / 2), 0, None)
            # Pulses of all rows stand at one place, to half a millimetre.
            each = maximum_filter1d(strokes * _mean(sure, left, right), 5, axis=1)
            seen[gain] = max(seen[gain], float(each.mean(axis=0).max()))
    return seen


def _mean(total: Map, first: Places, last: Places) -> Map:
    """Give means between places of running totals along the second axis."""
    whole: Map = total.take(last, 1) - total.take(first, 1)
    return whole / (last - first)
