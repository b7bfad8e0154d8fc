"""What the page net should say of a training page, and how pages are varied and cut for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.page.net import (
    END,
    LABELS,
    LIE_STEP,
    MARK_STEP,
    OFFSET_PX,
    PULSE,
    START,
    USUAL_PX_MM,
)
from ecg_llm.render.layout import LARGE_MM
from ecg_llm.training.page_examples import PageTruth

Map = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_SUBPIXEL = 4
"""Binary digits of a pixel that OpenCV's drawing takes."""
_SPOT = 1.3
"""Spread of a mark on the map, in cells."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Maps for one crop; the shapes are those of the net's output.

    Attributes
    ----------
    image : np.ndarray, shape (3, height, width), uint8
        The crop.
    trace : np.ndarray, shape (1, height, width)
        1 on a tracing.
    marks : np.ndarray, shape (PULSE + 1, height / 4, width / 4)
        1 at a mark, falling around it; then what the pulses cover.
    offset : np.ndarray, shape (1, height / 4, width / 4)
        Distance down to the baseline; NaN away from tracings.
    lie : np.ndarray, shape (4, height / 16, width / 16)
        Steps of a millimetre against the usual ones; NaN off the paper.
    """

    image: npt.NDArray[np.uint8]
    trace: Map
    marks: Map
    offset: Map
    lie: Map


def crop_targets(truth: PageTruth, size: int, rng: np.random.Generator) -> Targets:
    """Cut a square out of a page, vary it, and draw what the net should say.

    Parameters
    ----------
    size : int, px
        Side of the square, a multiple of 32.
    """
    import cv2

    zoom = float(rng.uniform(0.85, 1.18)) if rng.random() < 0.5 else 1.0
    height, width = truth.image.shape[:2]
    x0, y0 = (_begin(side, size / zoom, rng) for side in (width, height))
    matrix = np.array([[zoom, 0, -x0 * zoom], [0, zoom, -y0 * zoom]])
    cut = cv2.warpAffine(
        truth.image, matrix, (size, size), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(128, 128, 128),
    )  # fmt: skip
    shift = np.array([x0, y0])

    def placed(points: Points) -> Points:
        return np.asarray((points - shift) * zoom, np.float64)

    trace = placed(truth.trace)
    return Targets(
        image=np.ascontiguousarray(_varied(np.asarray(cut), rng).transpose(2, 0, 1)),
        trace=_trace_map(trace, size),
        marks=_mark_maps(truth, placed, size),
        offset=_offset_map(trace, placed(truth.base), size),
        lie=_lie_map(placed(truth.grid), size),
    )


def _begin(side: int, length: float, rng: np.random.Generator) -> float:
    """Choose where a crop begins; a page smaller than it lies somewhere inside."""
    spare = side - length
    return float(rng.uniform(0, spare)) if spare > 0 else float(spare * rng.uniform(0, 1))


def _trace_map(trace: Points, size: int) -> Map:
    """Draw all tracings one pixel and a half wide, whatever their ink."""
    import cv2

    canvas = np.zeros((size, size), np.uint8)
    for piece in _pieces(trace):
        whole = np.rint(piece * 2**_SUBPIXEL).astype(np.int32)
        cv2.polylines(canvas, [whole[:, None]], False, 255, 1, cv2.LINE_AA, _SUBPIXEL)
    return (canvas[None] / np.float32(255)).astype(np.float32)


def _pieces(points: Points) -> list[Points]:
    """Split at NaN."""
    good = np.isfinite(points).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    return [points[a:b] for a, b in edges.reshape(-1, 2)]


def _mark_maps(truth: PageTruth, placed: Any, size: int) -> Map:
    """Draw names, first and last points and pulses."""
    import cv2

    n = size // MARK_STEP
    maps = np.zeros((PULSE + 1, n, n), np.float32)
    spots = [(placed(truth.labels), truth.label_ids)]
    spots += [
        (placed(p), np.full(len(p), c)) for p, c in ((truth.starts, START), (truth.ends, END))
    ]
    rows = np.arange(n)
    for points, channels in spots:
        cells = (points + 0.5) / MARK_STEP - 0.5
        for (x, y), channel in zip(cells, channels, strict=True):
            if not (0 <= x < n and 0 <= y < n):
                continue
            spot_x = np.exp(-(((rows - round(x)) / _SPOT) ** 2) / 2)
            spot_y = np.exp(-(((rows - round(y)) / _SPOT) ** 2) / 2)
            maps[channel] = np.maximum(maps[channel], spot_y[:, None] * spot_x[None])
    for pulse in truth.pulses:
        outline = (placed(pulse) + 0.5) / MARK_STEP - 0.5
        if np.isfinite(outline).all() and np.abs(outline).max() < 4 * n:
            cv2.fillPoly(maps[PULSE], [np.rint(outline).astype(np.int32)], 1.0)
    assert len(LABELS) == START and END < PULSE
    return maps


def _offset_map(trace: Points, base: Points, size: int) -> Map:
    """Write at each cell that a tracing crosses how far below it the baseline lies."""
    n = size // MARK_STEP
    out = np.full((1, n, n), np.nan, np.float32)
    # Steep strokes pass many cells between two samples.
    fine, level = _denser(trace), _denser(base)
    good = np.isfinite(fine).all(axis=1) & np.isfinite(level).all(axis=1)
    cells = np.floor((fine[good] + 0.5) / MARK_STEP).astype(int)
    inside = ((cells >= 0) & (cells < n)).all(axis=1)
    x, y = cells[inside].T
    out[0, y, x] = ((level - fine)[good][inside, 1] / OFFSET_PX).astype(np.float32)
    return out


def _denser(points: Points) -> Points:
    """Put points between each two."""
    if len(points) < 2:
        return points
    share = np.arange(6)[None, :, None] / 6
    between = points[:-1, None] * (1 - share) + points[1:, None] * share
    return between.reshape(-1, 2)


def _lie_map(grid: Points, size: int) -> Map:
    """Write around each crossing of the grid how a millimetre runs there."""
    n = size // LIE_STEP
    out = np.full((4, n, n), np.nan, np.float32)
    if grid.shape[0] < 2 or grid.shape[1] < 2:
        return out
    across = (grid[:-1, 1:] - grid[:-1, :-1]) / LARGE_MM / USUAL_PX_MM - (1.0, 0.0)
    down = (grid[1:, :-1] - grid[:-1, :-1]) / LARGE_MM / USUAL_PX_MM - (0.0, 1.0)
    values = np.concatenate([across, down], axis=-1).reshape(-1, 4)
    middle = (grid[:-1, :-1] + grid[1:, 1:]).reshape(-1, 2) / 2
    good = np.isfinite(values).all(axis=1) & np.isfinite(middle).all(axis=1)
    for dx in (-8, 0, 8):
        for dy in (-8, 0, 8):
            cells = np.floor((middle[good] + (dx, dy)) / LIE_STEP).astype(int)
            inside = ((cells >= 0) & (cells < n)).all(axis=1)
            x, y = cells[inside].T
            out[:, y, x] = values[good][inside].T
    return out


def _varied(image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Change colours and sharpness as scanners, screens and messengers do."""
    import cv2

    out = image.astype(np.float32)
    if rng.random() < 0.2:
        out = np.repeat(out.mean(axis=2, keepdims=True), 3, axis=2)
    elif rng.random() < 0.15:
        out = out[:, :, rng.permutation(3)]
    if rng.random() < 0.7:
        gain = (rng.uniform(0.75, 1.15) * rng.uniform(0.93, 1.07, 3)).astype(np.float32)
        out = (out - 128) * gain + 128 + rng.uniform(-25, 25)
    if rng.random() < 0.03:
        out = 255 - out
    if rng.random() < 0.15:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.1))))
    if rng.random() < 0.15:
        out = out + rng.normal(0, rng.uniform(2, 10), out.shape).astype(np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)
