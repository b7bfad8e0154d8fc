"""Draw a scene as pixels."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.render.layout import LARGE_MM, Box
from ecg_llm.render.scene import Face, Fill, Line, Scene, Text, font_file
from ecg_llm.render.style import PaperStyle, rgb

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

MM_PER_INCH = 25.4
MIN_DPI, MAX_DPI = 36.0, 600.0
FINE = 4
"""Lines are drawn this much finer, then averaged."""
FINE_DPI = 300.0
"""Above, twice as fine is fine enough, and a full page does not take half a gigabyte."""
TOLERANCE_FINE_PX = 0.2
"""Samples nearer than this to the line through their neighbours are left out."""
FAR_FINE_PX = 2.0**15
"""Wild values are cut off here: far outside, but no burden and within OpenCV's integers."""
SUBPIXEL_BITS = 4
"""Coordinates on the fine raster are passed on in 1/16 of its pixels."""

Image = npt.NDArray[np.uint8]


def pixels(mm: float, dpi: float) -> float:
    """Turn a place on the page into a pixel coordinate.

    Parameters
    ----------
    mm : float, mm
        From the left or top edge of the page.
    dpi : float
        Pixels per inch.

    Returns
    -------
    float, px
        A whole number names the centre of a pixel, so the edge of the page lies at -0.5.

    Examples
    --------
    >>> pixels(25.4, 200)
    199.5
    """
    return mm * dpi / MM_PER_INCH - 0.5


def rasterise(
    scene: Scene, dpi: float, *, paper: Image | None = None, face: Face = "sans"
) -> Image:
    """Draw a scene.

    Parameters
    ----------
    scene : Scene
        What to draw.
    dpi : float
        Resolution, 36 to 600.
    paper : np.ndarray, shape (height, width, 3), uint8, optional
        What to draw on, and change, instead of the ruled paper of the scene's style.
    face : {"sans", "serif", "mono"}
        Typeface of all text.

    Returns
    -------
    np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.

    Raises
    ------
    ConfigError
        If the resolution is out of range.
    """
    if not MIN_DPI <= dpi <= MAX_DPI:
        raise ConfigError(f"{dpi:g} dpi; {MIN_DPI:g} to {MAX_DPI:g} are possible.")
    layout = scene.plan.layout
    size = (layout.width_mm, layout.height_mm)
    image = paper
    if image is None:
        image = _ruled_paper(size, scene.plan.grid, scene.style, float(dpi)).copy()
    x0, y0, x1, y1 = (round(v * dpi / MM_PER_INCH) for v in scene.plan.grid)
    for item in scene.flat():
        match item:
            case Line(tracing=True):
                # A view of the ruled area cuts off what leaves it.
                _line(image[y0:y1, x0:x1], item, dpi, (x0, y0))
            case Line():
                _line(image, item, dpi, (0, 0))
            case Fill():
                _fill(image, item, dpi)
            case Text():
                _text(image, item, dpi, face)
    return image


def encode_png(image: Image, dpi: float) -> bytes:
    """Pack an image as PNG with its resolution.

    Parameters
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.
    dpi : float
        Written to the file, so that it prints at true size.

    Returns
    -------
    bytes
    """
    import cv2

    options = [cv2.IMWRITE_PNG_COMPRESSION, 2, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    _, packed = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    data = packed.tobytes()
    per_metre = round(dpi / MM_PER_INCH * 1000)
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    after_header = 8 + 4 + 4 + 13 + 4  # signature, then the IHDR chunk, always first
    return data[:after_header] + chunk + data[after_header:]


@lru_cache(maxsize=4)
def _ruled_paper(size: tuple[float, float], grid: Box, style: PaperStyle, dpi: float) -> Image:
    """Draw the empty page; lines cover exactly their share of each pixel."""
    width, height = (round(v * dpi / MM_PER_INCH) for v in size)
    both = (
        (1.0, style.small_mm, style.small_line),
        (LARGE_MM, style.large_mm, style.large_line),
    )
    grids = [(pitch, line_mm, colour) for pitch, line_mm, colour in both if line_mm > 0]
    inside_x = _cover(grid[0], grid[2], grid[2] - grid[0], 0.0, dpi, width)
    inside_y = _cover(grid[1], grid[3], grid[3] - grid[1], 0.0, dpi, height)
    down = [_cover(grid[1], grid[3], pitch, mm, dpi, height) for pitch, mm, _ in grids]
    # Most rows of pixels look like another one; each kind is drawn once.
    kinds, of_row = np.unique(np.stack([inside_y, *down]).round(3), axis=1, return_inverse=True)
    image = np.empty((kinds.shape[1], width, 3), np.float32)
    image[:] = rgb(style.paper)
    for (pitch, line_mm, colour), along in zip(grids, kinds[1:], strict=True):
        across = _cover(grid[0], grid[2], pitch, line_mm, dpi, width)
        cover = np.maximum(across * kinds[0][:, None], along[:, None] * inside_x)
        image += cover[..., None] * (np.array(rgb(colour), np.float32) - image)
    out = np.rint(image).astype(np.uint8)[of_row]
    out.setflags(write=False)
    return out


def _cover(
    start: float, stop: float, pitch: float, line_mm: float, dpi: float, n: int
) -> npt.NDArray[np.float32]:
    """Give the share of each pixel that lines cover; width 0 asks for all between the ends."""
    k = dpi / MM_PER_INCH
    at = np.arange(start, stop + pitch / 2, pitch) if line_mm else np.array([start])
    low, high = (at - line_mm / 2, at + line_mm / 2) if line_mm else (at, np.array([stop]))
    edge = np.arange(n + 1)
    # Length covered up to each pixel edge; its difference is the share of the pixel.
    covered = np.zeros(n + 1)
    for a, b in zip(low * k, high * k, strict=True):
        covered += np.clip(edge, a, b) - a
    return np.diff(covered).astype(np.float32)


def _line(view: Image, line: Line, dpi: float, origin: tuple[int, int]) -> None:
    """Draw a line: solid on a finer raster, then averaged to the share of each pixel."""
    import cv2

    k = dpi / MM_PER_INCH
    points = line.points * k - origin
    reach = line.width_mm * k / 2 + 1
    height, width = view.shape[:2]
    x0, y0 = np.clip(np.floor(points.min(axis=0) - reach), 0, (width, height)).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(points.max(axis=0) + reach), 0, (width, height)).astype(int).tolist()
    if x0 >= x1 or y0 >= y1:
        return
    finer = FINE if dpi <= FINE_DPI else 2
    fine = np.zeros(((y1 - y0) * finer, (x1 - x0) * finer), np.uint8)
    points = np.clip((points - (x0, y0)) * finer - 0.5, -FAR_FINE_PX, FAR_FINE_PX).astype(
        np.float32
    )
    points = cv2.approxPolyDP(points, TOLERANCE_FINE_PX, False)[:, 0]
    whole = np.rint(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
    # OpenCV fills one fine pixel more than the thickness it is given.
    thickness = max(round(line.width_mm * k * finer) - 1, 1)
    cv2.polylines(fine, [whole], False, 255, thickness, cv2.LINE_8, SUBPIXEL_BITS)
    mask = np.asarray(cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA), np.uint8)
    _blend(view[y0:y1, x0:x1], mask, rgb(line.colour))


def _fill(image: Image, fill: Fill, dpi: float) -> None:
    """Draw a box, mixed with what lies below."""
    import cv2

    k = dpi / MM_PER_INCH
    x0, y0, x1, y1 = (round(v * k) for v in fill.box)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    view = image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if not view.size:
        return
    colour = rgb(fill.colour)
    if fill.opacity < 1:
        mixed = cv2.addWeighted(
            view,
            1 - fill.opacity,
            np.broadcast_to(np.array(colour, np.uint8), view.shape),
            fill.opacity,
            0,
        )
        view[:] = mixed
        return
    r = fill.radius_mm * k
    if r < 1:
        view[:] = colour
        return
    cx, cy = np.meshgrid(np.arange(view.shape[1]) + 0.5, np.arange(view.shape[0]) + 0.5)
    dx = np.maximum(r - np.minimum(cx, view.shape[1] - cx), 0)
    dy = np.maximum(r - np.minimum(cy, view.shape[0] - cy), 0)
    inside = np.clip(r + 0.5 - np.hypot(dx, dy), 0, 1)
    _blend(view, np.rint(inside * 255).astype(np.uint8), colour)


def _text(image: Image, text: Text, dpi: float, face: Face) -> None:
    """Draw a text."""
    size = max(round(text.size_mm * dpi / MM_PER_INCH), 4)
    mask, left, top = _glyphs(text.text, size, text.bold, face)
    if not mask.size:
        return
    shift = {"start": 0.0, "middle": mask.shape[1] / 2, "end": float(mask.shape[1])}[text.anchor]
    x = round(text.x * dpi / MM_PER_INCH - shift) + (left if text.anchor == "start" else 0)
    y = round(text.y * dpi / MM_PER_INCH) + top
    a, b = max(-x, 0), max(-y, 0)
    view = image[max(y, 0) : max(y + mask.shape[0], 0), max(x, 0) : max(x + mask.shape[1], 0)]
    part = mask[b : b + view.shape[0], a : a + view.shape[1]]
    _blend(view[: part.shape[0], : part.shape[1]], part, rgb(text.colour))


def _blend(view: Image, mask: Image, colour: tuple[int, int, int]) -> None:
    """Mix a colour in where the mask says; most of a mask is empty."""
    where = np.flatnonzero(mask != 0)
    rows, columns = np.divmod(where, mask.shape[1])
    share = mask.ravel()[where].astype(np.uint16)[:, None]
    below = view[rows, columns].astype(np.uint16)
    ink = np.array(colour, np.uint16)
    view[rows, columns] = (below * (255 - share) + ink * share + 127) // 255


@lru_cache(maxsize=512)
def _glyphs(text: str, size: int, bold: bool, face: Face) -> tuple[Image, int, int]:
    """Draw a text as a mask; left and top are relative to its start on the base line."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    font = _font(size, bold, face)
    x0, y0, x1, y1 = (round(v) for v in font.getbbox(text, anchor="ls"))
    x0, y0 = x0 - 1, y0 - 1
    if x1 - x0 < 2 or y1 - y0 < 2:
        return np.zeros((0, 0), np.uint8), 0, 0
    canvas = Pillow.new("L", (x1 - x0 + 1, y1 - y0 + 1))
    ImageDraw.Draw(canvas).text((-x0, -y0), text, fill=255, font=font, anchor="ls")
    mask = np.array(canvas)
    mask.setflags(write=False)
    return mask, x0, y0


@lru_cache(maxsize=32)
def _font(size: int, bold: bool, face: Face) -> FreeTypeFont:
    """Load the typeface at a size."""
    from PIL import ImageFont

    return ImageFont.truetype(
        str(font_file(bold, face)), size, layout_engine=ImageFont.Layout.BASIC
    )
