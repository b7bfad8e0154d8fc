"""A printed page as a camera, a scanner or a fax hands it on; the geometry goes with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecg_llm.data_builders.page_geometry import PageExample
from ecg_llm.data_builders.page_images import render_page_example
from ecg_llm.data_builders.page_settings import SIZE_PX, PageSettings
from ecg_llm.data_builders.photo_light import (
    background,
    blurred,
    illumination,
    moire,
    noisy,
    toned,
)
from ecg_llm.data_builders.photo_marks import mark_page
from ecg_llm.data_builders.photo_settings import PhotoSettings, draw_photo
from ecg_llm.data_builders.photo_warp import Map, Warp, warp_of
from ecg_llm.errors import ConfigError
from ecg_llm.record import ECGRecord
from ecg_llm.render.raster import Image


def print_page(
    record: ECGRecord, seed: int, *, photographed: bool, size_px: int = SIZE_PX
) -> tuple[bytes, PageExample, PageSettings]:
    """Print a record in a way drawn from a seed, photograph it if wanted, and pack the image.

    Parameters
    ----------
    record : ECGRecord
        What is printed.
    seed : int
        The same seed gives the same bytes.
    photographed : bool
        Whether to photograph, scan or fax the page.
    size_px : int, px
        Long side of the image, about.

    Returns
    -------
    packed : bytes
        The image as a file holds it.
    example : PageExample
        The image before it was packed, and where everything lies.
    settings : PageSettings
        How it was printed.
    """
    example, settings = render_page_example(record, seed, size_px=size_px)
    if not photographed:
        return encode_image(example.image, settings.encoding, settings.quality), example, settings
    example, photo = photograph(example, seed)
    return encode_image(example.image, "jpeg", photo.quality), example, settings


def photograph(example: PageExample, seed: int) -> tuple[PageExample, PhotoSettings]:
    """Photograph a page in a way drawn from a seed.

    Parameters
    ----------
    example : PageExample
        A printed page.
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    example : PageExample
        The photograph, its long side as that of the page, and the geometry in its pixels.
    settings : PhotoSettings
        How it was made.

    Examples
    --------
    >>> from ecg_llm.data_builders.page_images import render_page_example
    >>> from ecg_llm.data_builders.synthetic import synthetic_ecg
    >>> page, _ = render_page_example(synthetic_ecg().record, 7)
    >>> photo, settings = photograph(page, 7)
    >>> len(photo.geometry.traces) == len(page.geometry.traces)
    True
    """
    height, width = example.image.shape[:2]
    settings = draw_photo(seed, long_px=max(width, height), page_aspect=width / height)
    return photograph_as(example, settings), settings


def photograph_as(example: PageExample, settings: PhotoSettings) -> PageExample:
    """Photograph a page as the settings say.

    Parameters
    ----------
    example : PageExample
        A printed page.
    settings : PhotoSettings
        How.

    Returns
    -------
    PageExample
        Before the final JPEG, which `encode_image` makes.
    """
    height, width = example.image.shape[:2]
    warp = warp_of(settings, (width, height))
    image = develop(mark_page(example.image, settings), warp)
    geometry = example.geometry.moved(warp.forward, warp.photo, warp.to_photo, warp.flat)
    return PageExample(image=image, geometry=geometry)


def develop(page: Image, warp: Warp) -> Image:
    """Make the photograph of a page with all that is on it."""
    import cv2

    settings = warp.settings
    flat, bent, shape = warp.lattice()
    dense = warp.enlarged(bent.astype(np.float32).reshape(*shape, 2))
    if settings.bleed:
        page = _shining_through(page, settings)
    covered = bool(((bent > 0) & (bent < np.array(warp.page) - 1)).all())
    photo: Image = np.empty((*dense.shape[:2], 3), np.uint8)
    border = cv2.BORDER_REPLICATE
    if not covered:
        photo, border = background(settings, warp.photo), cv2.BORDER_TRANSPARENT
    nothing: Any = None  # both maps stand in one array, which OpenCV's types do not know
    image = np.asarray(
        cv2.remap(page, dense, nothing, cv2.INTER_LINEAR, dst=photo, borderMode=border), np.uint8
    )
    light: Map = warp.enlarged(illumination(warp, flat, shape))
    if settings.moire:
        light *= moire(warp, dense)
    image = np.asarray(cv2.multiply(image, light, dtype=cv2.CV_8U), np.uint8)
    image = noisy(toned(blurred(image, settings), settings), settings)
    if settings.mode == "fax":
        image = _black_and_white(image, settings)
    if settings.recompressed:
        image = decode_image(encode_image(image, "jpeg", settings.recompressed))
    return image


def encode_image(image: Image, encoding: str, quality: int, dpi: float | None = None) -> bytes:
    """Pack an image.

    Parameters
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.
    encoding : {"png", "jpeg", "webp"}
        How.

    Raises
    ------
    ConfigError
        If the encoding is another.
    """
    import cv2

    from ecg_llm.render.raster import encode_png

    if encoding == "png":
        return encode_png(image, dpi or 96.0)
    options = {"jpeg": cv2.IMWRITE_JPEG_QUALITY, "webp": cv2.IMWRITE_WEBP_QUALITY}
    if encoding not in options:
        raise ConfigError(f"No image is packed as {encoding!r}; there are png, jpeg and webp.")
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, packed = cv2.imencode(f".{encoding}", bgr, [options[encoding], quality])
    return bytes(packed.tobytes())


def decode_image(data: bytes) -> Image:
    """Unpack an image.

    Returns
    -------
    np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.

    Raises
    ------
    ConfigError
        If the bytes are no image.
    """
    import cv2

    packed = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(packed, cv2.IMREAD_COLOR) if packed.size else None
    if image is None:
        raise ConfigError("These bytes are no image that can be read; build the set anew.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _shining_through(page: Image, settings: PhotoSettings) -> Image:
    """Let the other side of the sheet shine through: another page, mirrored and blurred."""
    import cv2

    rng = np.random.default_rng([settings.seed, 6])
    back = np.roll(page[:, ::-1], rng.integers(-80, 80, 2).tolist(), axis=(0, 1))
    soft = cv2.GaussianBlur(np.ascontiguousarray(back), (0, 0), 2.0)
    return np.asarray(cv2.addWeighted(page, 1 - settings.bleed, soft, settings.bleed, 0), np.uint8)


def _black_and_white(image: Image, settings: PhotoSettings) -> Image:
    """Leave black and white, with some lines torn."""
    import cv2

    rng = np.random.default_rng([settings.seed, 7])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, out = cv2.threshold(grey, float(rng.uniform(165, 225)), 255, cv2.THRESH_BINARY)
    for row in rng.integers(0, len(out), int(rng.integers(0, 4))).tolist():
        out[row : row + 2] = out[row]
    return np.asarray(cv2.cvtColor(out, cv2.COLOR_GRAY2RGB), np.uint8)
