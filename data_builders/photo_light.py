"""Light, colour, blur and noise of a photograph, and what the page lies on.

Images are red, green, blue: shape (height, width, 3), uint8.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.page_geometry import Points
from ecg_llm.data_builders.photo_settings import Background, PhotoSettings
from ecg_llm.data_builders.photo_warp import LATTICE_PX, Map, Warp, distance
from ecg_llm.render.raster import Image

_NOISE_TILE_PX = 509
"""A prime, so that its repetition falls together with nothing."""
_COLOURS: dict[Background, tuple[tuple[int, int, int], ...]] = {
    "wood": ((150, 108, 70), (188, 150, 108), (96, 66, 44), (205, 180, 145)),
    "plain": ((200, 200, 198), (120, 130, 140), (225, 220, 210), (90, 110, 130)),
    "cloth": ((60, 90, 140), (70, 120, 110), (170, 175, 180), (130, 60, 60)),
    "dark": ((28, 28, 30), (45, 40, 38), (20, 24, 32)),
    "keyboard": ((40, 40, 44), (60, 62, 66)),
    "scanner": ((252, 252, 252), (245, 245, 245), (228, 228, 226), (30, 30, 30)),
}


def illumination(warp: Warp, flat: Points, shape: tuple[int, int]) -> Map:
    """Give the light that reaches each point of the lattice.

    Parameters
    ----------
    flat : np.ndarray, shape (n, 2), px
        What the lattice shows of the page, from `Warp.lattice`.
    shape : tuple of int
        Of the lattice.

    Returns
    -------
    np.ndarray, shape (rows, columns, 3)
        Factors of red, green and blue.
    """
    s = warp.settings
    rows, columns = shape
    x = (np.arange(columns, dtype=np.float32) - 0.5) * LATTICE_PX / warp.photo[0]
    y = (np.arange(rows, dtype=np.float32)[:, None] - 0.5) * LATTICE_PX / warp.photo[0]
    half = warp.photo[1] / warp.photo[0] / 2
    light = 1 - s.vignette * ((x - 0.5) ** 2 + (y - half) ** 2) / (0.25 + half**2)
    for shadow in s.shadows:
        if shadow.radius:
            edge = shadow.radius - np.hypot(x - shadow.x, y - shadow.y)
        else:
            angle = np.deg2rad(shadow.angle_deg)
            edge = (x - shadow.x) * np.cos(angle) + (y - shadow.y) * np.sin(angle)
        light = light * (1 - shadow.strength * _soft(edge / shadow.soft))
    if s.folds:
        light = light * _creases(warp, flat).reshape(shape)
    return np.asarray(light[..., None] * np.array(s.light, np.float32), np.float32)


def moire(warp: Warp, dense: Map) -> Map:
    """Give the fringes that the pixels of a screen leave in those of a camera.

    Parameters
    ----------
    dense : np.ndarray, shape (height, width, 2), px
        What each pixel shows of the page.

    Returns
    -------
    np.ndarray, shape (height, width, 3)
        Factors of red, green and blue.
    """
    rng = np.random.default_rng([warp.settings.seed, 2])
    # A screen pixel is about as large as one of the camera: sampling it once makes the fringes.
    per_px = 2 * np.pi * (1 + rng.uniform(-0.04, 0.04, 2)).astype(np.float32)
    u, v = dense[..., 0] * per_px[0], dense[..., 1] * per_px[1]
    across, along, crossing = np.cos(u), np.sin(u), np.cos(v)
    out = np.empty((*u.shape, 3), np.float32)
    for channel, phase in enumerate((0.0, 2.1, 4.2)):  # red, green and blue stand side by side
        stripes = across * np.float32(np.cos(phase)) - along * np.float32(np.sin(phase))
        out[..., channel] = 1 + warp.settings.moire * (0.6 * stripes + 0.4 * crossing)
    return out


def background(settings: PhotoSettings, size: tuple[int, int]) -> Image:
    """Draw what the page lies on, so many pixels wide and high."""
    import cv2

    rng = np.random.default_rng([settings.seed, 3])
    kind = settings.background
    colours = _COLOURS[kind]
    base = np.array(colours[int(rng.integers(len(colours)))], np.float32)
    w, h = size[0] // 2 + 1, size[1] // 2 + 1
    texture = np.zeros((h, w), np.float32)
    match kind:
        case "wood":
            for grain, strength in ((3, 10), (9, 8), (40, 10)):
                coarse = rng.normal(0, strength, (max(h // grain, 2), max(w // 160, 3)))
                texture += cv2.resize(coarse.astype(np.float32), (w, h))
            plank = int(rng.integers(90, 260))
            texture[:: max(plank, 2)] -= 40
        case "cloth":
            pitch = rng.uniform(3, 6)
            xs, ys = np.arange(w) * 2 * np.pi / pitch, np.arange(h)[:, None] * 2 * np.pi / pitch
            texture += (9 * np.sin(xs) * np.sin(ys)).astype(np.float32)
        case "keyboard":
            pitch = int(rng.integers(36, 60))
            texture -= 22
            for y in range(0, h, pitch):
                for x in range((y // pitch * 13) % pitch - pitch, w, pitch):
                    box = (x, y), (x + pitch - 6, y + pitch - 6)
                    cv2.rectangle(texture, *box, float(rng.uniform(4, 14)), -1)
        case "plain" | "dark":
            coarse = rng.normal(0, 6, (6, 8)).astype(np.float32)
            texture += cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
    if kind == "wood" and rng.random() < 0.5:
        texture = np.ascontiguousarray(cv2.resize(texture.T, (w, h)))
    image = np.clip(base + texture[..., None], 0, 255).astype(np.uint8)
    large = cv2.resize(image, (w * 2, h * 2), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(large[: size[1], : size[0]])


def blurred(image: Image, settings: PhotoSettings) -> Image:
    """Blur by focus and by a moving hand."""
    import cv2

    if settings.defocus_px >= 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), settings.defocus_px), np.uint8)
    if settings.motion_px > 1:
        n = settings.motion_px | 1
        trail = np.zeros((n, n), np.float32)
        angle = np.deg2rad(settings.motion_deg)
        middle = (n - 1) / 2
        for at in np.linspace(-middle, middle, 8 * n):
            x, y = round(middle + at * np.cos(angle)), round(middle + at * np.sin(angle))
            trail[y, x] += 1
        image = np.asarray(cv2.filter2D(image, -1, trail / trail.sum()), np.uint8)
    return image


def noisy(image: Image, settings: PhotoSettings) -> Image:
    """Add the noise of a sensor."""
    import cv2

    rng = np.random.default_rng([settings.seed, 4])
    tile = np.roll(_noise_tile(), rng.integers(_NOISE_TILE_PX, size=2).tolist(), axis=(0, 1))
    scaled = np.rint(tile * np.float32(settings.noise)).astype(np.int8)
    down, right = max(image.shape[0] - len(tile), 0), max(image.shape[1] - len(tile), 0)
    grown = cv2.copyMakeBorder(scaled, 0, down, 0, right, cv2.BORDER_WRAP)
    return np.asarray(
        cv2.add(image, grown[: image.shape[0], : image.shape[1]], dtype=cv2.CV_8U), np.uint8
    )


def toned(image: Image, settings: PhotoSettings) -> Image:
    """Apply the curve of the camera: gamma and haze."""
    import cv2

    level = (np.arange(256) / 255) ** settings.gamma
    curve = settings.haze + (1 - settings.haze) * level
    return np.asarray(cv2.LUT(image, np.rint(curve * 255).astype(np.uint8)), np.uint8)


def _creases(warp: Warp, flat: Points) -> npt.NDArray[np.float64]:
    """Give the light on the two sides of each fold; none of it falls beside the page."""
    width, height = warp.page
    x, y = flat[:, 0] / width, flat[:, 1] / width
    light = np.ones(len(flat))
    for fold in warp.settings.folds:
        across, _ = distance(fold, x, y)
        sides = fold.shade * np.tanh(across / 0.006) * np.exp(-np.abs(across) / (0.6 * fold.reach))
        light *= 1 + sides - 0.9 * abs(fold.shade) * np.exp(-((across / 0.003) ** 2))
    on_page = (np.abs(x - 0.5) <= 0.5) & (y >= 0) & (y <= height / width)
    light[~on_page] = 1
    return light


def _soft(edge: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Go from 0 to 1 around 0, smoothly."""
    t = np.clip(edge + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@lru_cache(maxsize=1)
def _noise_tile() -> Map:
    """Give Gaussian noise, partly the same in all three colours, as after a camera's filter."""
    rng = np.random.default_rng(20)
    shape = (_NOISE_TILE_PX, _NOISE_TILE_PX)
    grey = rng.standard_normal((*shape, 1), np.float32)
    return 0.8 * grey + 0.6 * rng.standard_normal((*shape, 3), np.float32)
