"""What people leave on a printed page: pen notes, stamps, holes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.photo_settings import PhotoSettings
from ecg_llm.render.raster import Image

_PENS = ((25, 35, 130), (20, 20, 24), (170, 25, 35), (40, 60, 160))
_WORDS = (
    "seen", "copy", "repeat", "old ECG?", "to chart", "10:42", "AB", "d/w team", "bed 4", "ok TS",
    "prev. same?", "review", "2nd", "at rest",
)  # fmt: skip
"""Nothing that says what the tracing shows."""
_STAMPS = ("COPY", "RECEIVED", "FILED", "REVIEWED", "DEMO HOSPITAL", "ARCHIVE", "NOT A PATIENT")
_STAMP_INKS = ((60, 50, 150), (180, 40, 50), (40, 110, 80), (60, 60, 70))


def mark_page(image: Image, settings: PhotoSettings) -> Image:
    """Write on a copy of a page, stamp it, punch it."""
    if not (settings.handwriting or settings.stamp or settings.holes):
        return image
    rng = np.random.default_rng([settings.seed, 5])
    page = image.copy()
    if settings.stamp:
        _stamp(page, rng)
    pen = _PENS[int(rng.integers(len(_PENS)))]
    for _ in range(settings.handwriting):
        kinds = (_word, _word, _scrawl, _ring, _arrow)
        kinds[int(rng.integers(len(kinds)))](page, rng, pen)
    if settings.holes:
        _punch(page, rng)
    return page


def _word(page: Image, rng: np.random.Generator, pen: tuple[int, int, int]) -> None:
    """Write a short note in a slanting hand."""
    import cv2

    width = page.shape[1]
    scale = width / 1400 * rng.uniform(0.9, 2.0)
    fonts = (cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)
    text, font = str(rng.choice(_WORDS)), fonts[int(rng.integers(2))]
    thick = max(1, round(width / 1400 * rng.uniform(1.0, 2.4)))
    (w, h), below = cv2.getTextSize(text, font, scale, thick)
    mask = np.zeros((h + below + 40, w + 80), np.uint8)
    cv2.putText(mask, text, (40, h + 20), font, scale, 255, thick, cv2.LINE_AA)
    _lay(page, _turned(mask, rng.normal(0, 8), rng.uniform(-0.35, 0.1)), rng, pen, 0.9)


def _scrawl(page: Image, rng: np.random.Generator, pen: tuple[int, int, int]) -> None:
    """Sign: loops that no one can read."""
    width = page.shape[1]
    t = np.linspace(0, 1, 160)
    turns, size = rng.uniform(4, 9), width * rng.uniform(0.008, 0.02)
    heights = np.interp(t, np.linspace(0, 1, 9), rng.uniform(0.3, 1.6, 9))
    x = t * width * rng.uniform(0.08, 0.16) + size * 0.8 * np.sin(2 * np.pi * turns * t)
    y = size * heights * np.cos(2 * np.pi * turns * t + rng.uniform(0, 6))
    place = rng.uniform(0.05, 0.8, 2) * (width, page.shape[0])
    _stroke(page, np.stack([x, y], axis=1) + place, pen, rng)


def _ring(page: Image, rng: np.random.Generator, pen: tuple[int, int, int]) -> None:
    """Draw a ring around something, not quite closed."""
    t = np.linspace(0, 2 * np.pi * rng.uniform(0.95, 1.15), 80) + rng.uniform(0, 6)
    size = page.shape[1] * rng.uniform(0.015, 0.06)
    wobble = 1 + 0.06 * np.sin(2 * t + rng.uniform(0, 6)) + 0.02 * t
    ring = np.stack([np.cos(t) * rng.uniform(0.7, 1.6), np.sin(t)], axis=1) * size * wobble[:, None]
    place = rng.uniform(0.1, 0.9, 2) * (page.shape[1], page.shape[0])
    _stroke(page, ring + place, pen, rng)


def _arrow(page: Image, rng: np.random.Generator, pen: tuple[int, int, int]) -> None:
    """Point at something."""
    angle, size = rng.uniform(0, 2 * np.pi), page.shape[1] * rng.uniform(0.02, 0.06)
    tip = rng.uniform(0.1, 0.9, 2) * (page.shape[1], page.shape[0])
    bent = np.array([np.cos(angle), np.sin(angle)]) * size
    side = np.array([-bent[1], bent[0]])
    _stroke(page, np.array([tip - bent, tip - bent / 2 + side * 0.05, tip]), pen, rng)
    _stroke(page, np.array([tip - bent / 4 + side / 5, tip, tip - bent / 4 - side / 5]), pen, rng)


def _stroke(
    page: Image,
    points: npt.NDArray[np.float64],
    pen: tuple[int, int, int],
    rng: np.random.Generator,
) -> None:
    """Draw a line of a pen."""
    import cv2

    thick = max(1, round(page.shape[1] / 1400 * rng.uniform(1.2, 3.0)))
    whole = np.rint(points * 8).astype(np.int32)
    cv2.polylines(page, [whole], False, pen, thick, cv2.LINE_AA, 3)


def _stamp(page: Image, rng: np.random.Generator) -> None:
    """Stamp a word in a frame, unevenly."""
    import cv2

    scale = page.shape[1] / 1400 * rng.uniform(0.9, 1.8)
    text, thick = str(rng.choice(_STAMPS)), max(1, round(2 * scale))
    (w, h), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, thick)
    mask = np.zeros((h + below + 60, w + 80), np.uint8)
    cv2.putText(mask, text, (40, h + 30), cv2.FONT_HERSHEY_DUPLEX, scale, 255, thick, cv2.LINE_AA)
    cv2.rectangle(mask, (25, 15), (w + 55, h + below + 42), 255, thick)
    blots = cv2.resize(rng.uniform(0.35, 1.0, (5, 9)).astype(np.float32), mask.shape[::-1])
    uneven = np.rint(mask * np.clip(blots, 0, 1)).astype(np.uint8)
    ink = _STAMP_INKS[int(rng.integers(len(_STAMP_INKS)))]
    _lay(page, _turned(uneven, rng.normal(0, 12), 0.0), rng, ink, 0.75)


def _punch(page: Image, rng: np.random.Generator) -> None:
    """Punch two holes, through which something dark shows."""
    import cv2

    height, width = page.shape[:2]
    radius, inset = round(width * 0.0095), round(width * 0.035)
    dark = tuple(int(v) for v in rng.integers(15, 110, 3))
    middle = (width / 2, inset) if rng.random() < 0.5 else (inset, height / 2)
    along = (1, 0) if middle[1] == inset else (0, 1)
    for side in (-1, 1):
        at = [round(middle[k] + side * along[k] * width * 0.135) for k in (0, 1)]
        cv2.circle(page, at, radius, dark, -1, cv2.LINE_AA)


def _turned(mask: Image, degrees: float, slant: float) -> Image:
    """Turn and slant a mask, on a canvas that holds it."""
    import cv2

    h, w = mask.shape
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, slant], [0, 1]])
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]]) @ matrix.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.ceil(high - low).astype(int).tolist()
    affine = np.hstack([matrix, -low[:, None]]).astype(np.float32)
    return np.asarray(cv2.warpAffine(mask, affine, size), np.uint8)


def _lay(
    page: Image,
    mask: Image,
    rng: np.random.Generator,
    colour: tuple[int, int, int],
    opacity: float,
) -> None:
    """Mix ink in at a place on the page."""
    height, width = page.shape[:2]
    mask = mask[:height, :width]
    y = int(rng.integers(0, height - mask.shape[0] + 1))
    x = int(rng.integers(0, width - mask.shape[1] + 1))
    view = page[y : y + mask.shape[0], x : x + mask.shape[1]]
    share = mask[..., None].astype(np.float32) * (opacity / 255)
    view[:] = np.rint(view + share * (np.array(colour, np.float32) - view)).astype(np.uint8)
