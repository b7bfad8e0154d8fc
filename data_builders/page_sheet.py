"""Many page images on one sheet, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecg_llm.data_builders.page_geometry import PageExample, Points
from ecg_llm.render.raster import Image

_GAP_PX = 6


def contact_sheet(
    examples: Sequence[PageExample], *, columns: int = 4, width_px: int = 560, marks: bool = False
) -> Image:
    """Put page images side by side, smaller.

    Parameters
    ----------
    examples : sequence of PageExample
        The pages.
    columns : int
        Pages in a row.
    width_px : int, px
        Width of a page on the sheet.
    marks : bool
        Draw the outlines of the leads and the crossings of the grid where the geometry says.

    Returns
    -------
    np.ndarray, shape (height, width, 3), uint8
    """
    import cv2

    cell_h = round(width_px * 0.76)
    rows = -(-len(examples) // columns)
    step_x, step_y = width_px + _GAP_PX, cell_h + _GAP_PX
    sheet = np.full((rows * step_y, columns * step_x, 3), 60, np.uint8)
    for k, example in enumerate(examples):
        image = marked(example) if marks else example.image
        scale = min(width_px / image.shape[1], cell_h / image.shape[0])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        y, x = k // columns * step_y, k % columns * step_x
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet


def marked(example: PageExample) -> Image:
    """Draw on a page where its geometry says things are.

    Parameters
    ----------
    example : PageExample
        The page.

    Returns
    -------
    np.ndarray, shape (height, width, 3), uint8
        Leads outlined in blue, their samples in green, crossings of the grid in magenta, pulses
        in orange.
    """
    import cv2

    image = example.image.copy()
    geometry = example.geometry
    for trace in geometry.traces:
        cv2.polylines(image, [_whole(trace.polygon)], True, (0, 90, 230), 2)
        points = trace.points[np.isfinite(trace.points).all(axis=1)]
        for x, y in np.rint(points[::4]).astype(int).tolist():
            cv2.circle(image, (x, y), 1, (0, 190, 0), -1)
    for pulse in geometry.pulses:
        cv2.polylines(image, [_whole(pulse)], True, (255, 130, 0), 1)
    crossings = geometry.grid.reshape(-1, 2)
    for x, y in np.rint(crossings[np.isfinite(crossings).all(axis=1)]).astype(int).tolist():
        cv2.circle(image, (x, y), 2, (220, 0, 220), -1)
    return image


def _whole(points: Points) -> np.ndarray:
    return np.rint(points).astype(np.int32)
