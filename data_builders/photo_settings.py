"""How a page is photographed or scanned, drawn from a seed at stated shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from ecg_llm.data_builders.page_settings import between, frozen, pick
from ecg_llm.errors import ConfigError

Mode = Literal["camera", "screen", "scan", "fax"]
Background = Literal["wood", "plain", "cloth", "keyboard", "dark", "scanner"]
Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

MODE_SHARE: dict[Mode, float] = {"camera": 0.68, "screen": 0.12, "scan": 0.15, "fax": 0.05}
BACKGROUND_SHARE: dict[Background, float] = {
    "wood": 0.35, "plain": 0.25, "cloth": 0.15, "dark": 0.15, "keyboard": 0.1,
}  # fmt: skip
CLOSE_SHARE = 0.6
"""Of camera and screen pictures: taken so close that the page fills the frame on most sides."""
HANDWRITING_SHARE = 0.3
STAMP_SHARE = 0.15
HOLES_SHARE = 0.12
MOST_SHIFT = 0.0035
"""Of a fold, in widths: less than half the width of a crease, so that no point is hidden."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """A crease across the page; lengths in widths of the page."""

    x: float
    """A point it goes through, from 0 (left) to 1 (right)."""
    y: float
    """From 0 (top) to 1 (bottom)."""
    angle_deg: float
    """Of the crease, from the horizontal."""
    reach: float
    """How far beside it the paper is raised."""
    shift: float
    """By how much points at the crease move across it."""
    shade: float
    """Contrast of its two sides."""


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """A soft dark or bright region; lengths in widths of the image."""

    x: float
    """A point on its edge."""
    y: float
    """A point on its edge."""
    angle_deg: float
    """Which side is dark."""
    soft: float
    """Width of the edge."""
    strength: float
    """Part of the light that is lost; below 0: gained."""
    radius: float
    """Of a round one; 0 for a straight edge."""


@dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """All that decides how a page is photographed; the same settings give the same pixels."""

    seed: int
    """Of textures, noise and the strokes of the pen."""
    mode: Mode
    """Camera, camera before a screen, flatbed scanner, fax."""
    long_px: int
    """Long side of the image."""
    aspect: float
    """Width by height of the image."""
    corners: Corners
    """Where the corners of the page lie in the image, in its widths and heights, clockwise."""
    curl_x: float
    """How far the page bows upwards across, in widths."""
    curl_y: float
    """How far it bows sideways along its height, in widths."""
    waves: float
    """Height of slow irregular bends, in widths."""
    folds: tuple[Fold, ...]
    """Creases."""
    background: Background
    """What the page lies on."""
    shadows: tuple[Shadow, ...]
    """Uneven light."""
    vignette: float
    """Part of the light lost in the corners."""
    light: tuple[float, float, float]
    """Gain of red, green and blue: white balance and exposure."""
    gamma: float
    """Of the camera's curve."""
    haze: float
    """Part of full brightness that black is raised by."""
    moire: float
    """Contrast of the fringes before a screen."""
    defocus_px: float
    """Blur, standard deviation."""
    motion_px: int
    """Length of the trail of a moving camera."""
    motion_deg: float
    """Its direction."""
    noise: float
    """Of the sensor, in steps of 256."""
    handwriting: int
    """Pen notes."""
    stamp: bool
    """Whether there is a stamp."""
    holes: bool
    """Whether the page was punched for a folder."""
    bleed: float
    """Contrast of what shines through from the other side."""
    recompressed: int
    """Quality of a JPEG made on the way, or 0."""
    quality: int
    """Of the final JPEG."""

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PhotoSettings:
        """Read the settings from JSON.

        Raises
        ------
        ConfigError
            If it is something else.
        """
        try:
            values: dict[str, Any] = {key: frozen(value) for key, value in document.items()}
            values["folds"] = tuple(Fold(**fold) for fold in document["folds"])
            values["shadows"] = tuple(Shadow(**shadow) for shadow in document["shadows"])
            return cls(**values)
        except (TypeError, KeyError, AttributeError):
            names = ", ".join(field.name for field in fields(cls))
            raise ConfigError(
                f"These are not the settings of a photograph; it needs {names}."
            ) from None


def draw_photo(seed: int, *, long_px: int, page_aspect: float) -> PhotoSettings:
    """Draw how a page is photographed.

    Parameters
    ----------
    seed : int
        All chance comes from it.
    long_px : int, px
        Long side of the image.
    page_aspect : float
        Width by height of the page.

    Returns
    -------
    PhotoSettings
    """
    rng = np.random.default_rng([seed, 0xF070])
    mode: Mode = pick(rng, MODE_SHARE)
    handheld = mode in ("camera", "screen")
    paper = mode != "screen"
    close = handheld and rng.random() < CLOSE_SHARE
    aspect = page_aspect if not handheld else _frame(page_aspect, close, rng)
    background: Background = {"screen": "dark", "camera": pick(rng, BACKGROUND_SHARE)}.get(
        mode, "scanner"
    )
    n_folds = pick(rng, {0: 0.55, 1: 0.2, 2: 0.15, 3: 0.1}) if mode == "camera" else 0
    return PhotoSettings(
        seed=int(rng.integers(2**31)),
        mode=mode,
        long_px=long_px,
        aspect=aspect,
        corners=_corners(mode, close, page_aspect, aspect, rng),
        curl_x=round(float(rng.normal(0, 0.008)), 4) if mode == "camera" else 0.0,
        curl_y=round(float(rng.normal(0, 0.004)), 4) if mode == "camera" else 0.0,
        waves=between(rng, 0, 0.005, digits=4) if mode == "camera" else 0.0,
        folds=tuple(_fold(rng, page_aspect) for _ in range(n_folds)),
        background=background,
        shadows=tuple(_shadow(rng) for _ in range(int(rng.integers(1, 4)))) if handheld else (),
        vignette=between(rng, 0, 0.2) if handheld else 0.0,
        light=_light(mode, rng),
        gamma=between(rng, 0.75, 1.3) if handheld else between(rng, 0.9, 1.15),
        haze=between(rng, 0, 0.12) if handheld else between(rng, 0, 0.03),
        moire=between(rng, 0.03, 0.16) if mode == "screen" else 0.0,
        defocus_px=between(rng, 0.3, 1.3) if handheld else between(rng, 0.2, 0.7),
        motion_px=int(rng.integers(3, 7)) if handheld and rng.random() < 0.2 else 0,
        motion_deg=between(rng, 0, 180, digits=1),
        noise=between(rng, 1, 7) if handheld else between(rng, 0.3, 2),
        handwriting=int(rng.integers(1, 4)) if paper and rng.random() < HANDWRITING_SHARE else 0,
        stamp=bool(paper and rng.random() < STAMP_SHARE),
        holes=bool(paper and rng.random() < HOLES_SHARE),
        bleed=between(rng, 0.03, 0.12) if mode == "scan" and rng.random() < 0.4 else 0.0,
        recompressed=int(rng.integers(30, 75)) if rng.random() < 0.2 else 0,
        quality=int(rng.integers(45, 93)),
    )


def _frame(page_aspect: float, close: bool, rng: np.random.Generator) -> float:
    """Choose the shape of the picture: the camera's, or cut to the page afterwards."""
    if close:
        return round(page_aspect * float(rng.uniform(0.9, 1.15)), 3)
    wide = page_aspect > 1
    shape: float = pick(rng, {4 / 3: 0.6, 16 / 9: 0.2, 3 / 2: 0.2})
    return round(shape if wide else 1 / shape, 3)


def _corners(
    mode: Mode, close: bool, page_aspect: float, aspect: float, rng: np.random.Generator
) -> Corners:
    """Choose where the corners of the page lie."""
    jitter, shift = 0.0, rng.uniform(-0.01, 0.01, 2)
    if mode in ("scan", "fax"):
        tilt, size = rng.normal(0, 0.7), rng.uniform(0.97, 1.01)
    elif close:
        tilt, size, jitter = rng.normal(0, 1.5), rng.uniform(1.0, 1.22), 0.035
        shift = rng.uniform(-0.05, 0.05, 2)
    else:
        tilt, size, jitter = rng.normal(0, 4), rng.uniform(0.78, 0.93), 0.05
        shift = rng.uniform(-0.03, 0.03, 2)
    # In heights of the image, in which a turn keeps right angles.
    height = min(1.0, aspect / page_aspect)
    page = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * (page_aspect * height, height)
    if close:
        page *= max(aspect / (page_aspect * height), 1 / height)
    angle = np.deg2rad(tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = page * size @ turn.T / (aspect, 1) + rng.normal(0, jitter, (4, 2)) + shift + 0.5
    a, b, c, d = ((round(float(x), 4), round(float(y), 4)) for x, y in placed)
    return a, b, c, d


def _fold(rng: np.random.Generator, page_aspect: float) -> Fold:
    """Choose a crease: folded in half, in thirds, or anywhere."""
    kind = pick(rng, {"upright": 0.5, "level": 0.25, "any": 0.25})
    angle = {"upright": 90.0, "level": 0.0, "any": float(rng.uniform(0, 180))}[kind]
    places = {1 / 2: 0.5, 1 / 3: 0.2, 2 / 3: 0.2, 1 / 4: 0.1}
    side = pick(rng, places) + float(rng.normal(0, 0.02))
    return Fold(
        x=round(side if kind == "upright" else float(rng.uniform(0.2, 0.8)), 3),
        y=round((side if kind == "level" else float(rng.uniform(0.2, 0.8))) / page_aspect, 3),
        angle_deg=round(angle + float(rng.normal(0, 2)), 2),
        reach=between(rng, 0.06, 0.2),
        shift=round(float(np.clip(rng.normal(0, 0.002), -MOST_SHIFT, MOST_SHIFT)), 4),
        shade=round(float(rng.normal(0, 0.06)), 3),
    )


def _shadow(rng: np.random.Generator) -> Shadow:
    """Choose a shadow, seldom a bright spot."""
    round_one = rng.random() < 0.35
    bright = rng.random() < 0.25
    return Shadow(
        x=between(rng, -0.1, 1.1),
        y=between(rng, -0.1, 0.9),
        angle_deg=between(rng, 0, 360, digits=1),
        soft=between(rng, 0.3, 0.7) if round_one else between(rng, 0.02, 0.5),
        strength=between(rng, -0.18, -0.05) if bright else between(rng, 0.05, 0.4),
        radius=between(rng, 0.1, 0.5) if round_one else 0.0,
    )


def _light(mode: Mode, rng: np.random.Generator) -> tuple[float, float, float]:
    """Choose exposure and white balance."""
    if mode == "fax":
        return 1.0, 1.0, 1.0
    if mode == "scan":
        level, warmth, tint = rng.uniform(0.95, 1.05), rng.normal(0, 0.01), rng.normal(0, 0.01)
    else:
        level, warmth, tint = rng.uniform(0.68, 1.02), rng.normal(0.03, 0.06), rng.normal(0, 0.02)
    red, green, blue = level * (1 + warmth), level * (1 + tint), level * (1 - warmth)
    return round(float(red), 3), round(float(green), 3), round(float(blue), 3)
