"""Empty ECG paper as common makers print it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from ecg_llm.render.layout import LARGE_MM, Box
from ecg_llm.render.raster import MM_PER_INCH, Image
from ecg_llm.render.style import rgb

Minor = Literal["lines", "dots", "none"]


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Colours as ``#rrggbb`` and widths in mm."""

    name: str
    """Of the kind it was drawn from."""
    paper: str = "#ffffff"
    """Under the grid."""
    outside: str = "#ffffff"
    """Around the grid, where it does not cover the page."""
    small_line: str = "#fadcd8"
    """Every millimetre."""
    large_line: str = "#eea59c"
    """Every five millimetres."""
    small_mm: float = 0.12
    """Width of the small lines, or of the dots."""
    large_mm: float = 0.2
    """Width of the large lines; 0 leaves them out."""
    minor: Minor = "lines"
    """What stands every millimetre."""
    bleed: bool = False
    """Whether the grid covers the page to its edges."""
    shift_mm: tuple[float, float] = (0.0, 0.0)
    """By how much a preprinted grid lies beside the tracing's own."""
    ink: str = "#101014"
    """Tracing, pulses and labels."""
    text: str = "#1f1f24"
    """Header and footer."""
    trace_mm: float = 0.28
    """Width of the tracing."""

    @property
    def grid_drawn(self) -> bool:
        """Whether there is a grid to be seen."""
        return self.large_mm > 0 or self.minor != "none"


PAPERS: dict[str, Paper] = {
    paper.name: paper
    for paper in (
        Paper(name="pink"),
        Paper(name="rose", paper="#ffeceb", small_line="#ffd2cd", large_line="#f58f84",
              large_mm=0.35),
        Paper(name="red", paper="#fff6f4", small_line="#f3b5ac", large_line="#d9483b",
              bleed=True, large_mm=0.25),
        Paper(name="lavender", paper="#f6e9f0", small_line="#e8cfdc", large_line="#c9a3b8"),
        Paper(name="salmon", paper="#fde3da", small_line="#f4c0b0", large_line="#d98873",
              bleed=True),
        Paper(name="orange", paper="#fffdf6", outside="#fffdf6", small_line="#fbdcb4",
              large_line="#eda45c", bleed=True),
        Paper(name="green", paper="#eefcf1", outside="#fbfffb", small_line="#c5e8cd",
              large_line="#86bf93"),
        Paper(name="blue", paper="#fbfdff", small_line="#d3e2f4", large_line="#93b6de"),
        Paper(name="grey", small_line="#dedede", large_line="#a4a4a4", ink="#000000"),
        Paper(name="thermal", paper="#fbf7f1", outside="#fbf7f1", small_line="#e9cdc4",
              large_line="#cf9a8c", bleed=True, ink="#2a2a33"),
        Paper(name="brown", paper="#fdf8ec", outside="#fdf8ec", small_line="#e4d5bd",
              large_line="#b89b74", bleed=True),
        Paper(name="dotted", small_line="#c9918a", large_line="#e7b0a8", minor="dots",
              small_mm=0.25, large_mm=0.15),
        Paper(name="dotted grey", small_line="#8e8e8e", large_line="#b8b8b8", minor="dots",
              small_mm=0.25, large_mm=0.15, ink="#000000"),
        Paper(name="coarse", small_line="#ffffff", large_line="#e5a49b", minor="none",
              large_mm=0.25),
        Paper(name="blank", minor="none", large_mm=0.0, ink="#000000", text="#000000"),
        Paper(name="fax", small_line="#9a9a9a", large_line="#3c3c3c", ink="#000000",
              text="#000000", large_mm=0.18, trace_mm=0.35),
    )
}  # fmt: skip
"""Kinds of paper by name; the colours and widths of a page vary around them."""

PAPER_SHARE: Mapping[str, float] = MappingProxyType({
    "pink": 0.18, "rose": 0.11, "red": 0.10, "lavender": 0.07, "salmon": 0.06, "orange": 0.07,
    "green": 0.05, "blue": 0.04, "grey": 0.08, "thermal": 0.09, "brown": 0.03, "dotted": 0.03,
    "dotted grey": 0.02, "coarse": 0.02, "blank": 0.02, "fax": 0.03,
})  # fmt: skip


def draw_paper(size_mm: tuple[float, float], grid: Box, paper: Paper, dpi: float) -> Image:
    """Draw an empty page; lines cover exactly their share of each pixel.

    Parameters
    ----------
    size_mm : tuple of float, mm
        Width and height of the page.
    grid : tuple of float, mm
        Left, top, right and bottom of the ruled area; its corner is a crossing of large lines.

    Returns
    -------
    np.ndarray, shape (height, width, 3), uint8
    """
    k = dpi / MM_PER_INCH
    width, height = (round(v * k) for v in size_mm)
    box = (0.0, 0.0, *size_mm) if paper.bleed else grid
    across = _profiles(box[0], box[2], grid[0] + paper.shift_mm[0], paper, k, width)
    down = _profiles(box[1], box[3], grid[1] + paper.shift_mm[1], paper, k, height)
    # Most rows of pixels look like another one; each kind is drawn once.
    kinds, of_row = np.unique(down.round(2), axis=1, return_inverse=True)
    image = np.empty((kinds.shape[1], width, 3), np.float32)
    image[:] = rgb(paper.outside)
    in_y, small_y, large_y = (kind[:, None] for kind in kinds)
    in_x, small_x, large_x = across
    small = small_y * small_x if paper.minor == "dots" else np.maximum(small_x, small_y)
    covers = (
        (in_y * in_x, paper.paper),
        (small * in_y * in_x if paper.minor != "none" else None, paper.small_line),
        (np.maximum(large_x, large_y) * in_y * in_x, paper.large_line),
    )
    for cover, colour in covers:
        if cover is not None:
            image += cover[..., None] * (np.array(rgb(colour), np.float32) - image)
    drawn: Image = np.rint(image).astype(np.uint8)[of_row]
    return drawn


def _profiles(
    start: float, stop: float, crossing: float, paper: Paper, k: float, n: int
) -> npt.NDArray[np.float32]:
    """Give along one side of the page what is inside the grid, under small and large lines."""
    edges = np.arange(n + 1) / k
    rows = [np.clip(edges, start, stop)]
    for pitch, line_mm in ((1.0, paper.small_mm), (LARGE_MM, paper.large_mm)):
        # Length covered by lines up to each edge of a pixel; its difference is the share.
        turns = (edges - crossing + line_mm / 2) / pitch
        whole = np.floor(turns)
        rows.append(whole * line_mm + np.minimum((turns - whole) * pitch, line_mm))
    return np.clip(np.diff(np.stack(rows)) * k, 0, 1).astype(np.float32)
