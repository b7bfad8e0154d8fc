"""From the bytes of an image or a PDF to pixels, whatever somebody sends."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError

if TYPE_CHECKING:
    from PIL import Image as Pillow

Image = npt.NDArray[np.uint8]

MAX_PIXELS = 60 * 10**6
"""A camera of a telephone takes 12 to 50 million."""
MIN_LONG_PX, MIN_SHORT_PX = 480, 160
"""Below this no name beside a tracing can be read."""
MAX_LONG_PX = 2432
"""Larger images are reduced to this: a page then has 8 pixels a millimetre."""
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def is_image(head: bytes) -> bool:
    """Whether a file that begins so is an image or a PDF.

    Parameters
    ----------
    head : bytes
        The first bytes.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_image(b"%PDF-1.7"), is_image(b"BMI,age")
    (True, False)
    """
    if head.startswith(b"BM"):
        return len(head) > 18 and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return webp or head.startswith(b"%PDF") or head.startswith(_MAGIC)


def decode(data: bytes, label: str) -> Image:
    """Unpack an image, or the first page of a PDF.

    Parameters
    ----------
    data : bytes
        The file.
    label : str
        Its name, for errors.

    Returns
    -------
    np.ndarray, shape (height, width, 3), uint8
        Red, green, blue, upright if the file says how it was taken, at most `MAX_LONG_PX` long.

    Raises
    ------
    RecordError
        If it is no image, too small or too large; the size is judged before anything is unpacked.
    """
    if data.startswith(b"%PDF"):
        return _first_page(data, label)
    from PIL import Image as Pillow
    from PIL import ImageOps

    with warnings.catch_warnings():
        # Sizes are judged here, by the project's own limit, and told in its own words.
        warnings.simplefilter("ignore")
        try:
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image.size, label)
                image.draft("RGB", (MAX_LONG_PX, MAX_LONG_PX))
                upright: Pillow.Image = ImageOps.exif_transpose(image)
                if "A" in upright.getbands() or "transparency" in upright.info:
                    upright = _on_white(upright.convert("RGBA"))
                if upright.mode.startswith(("I", "F")):
                    return _stretched(np.asarray(upright, np.float32))
                upright.thumbnail((MAX_LONG_PX, MAX_LONG_PX), Pillow.Resampling.BOX)
                return np.array(upright.convert("RGB"), np.uint8)
        except RecordError:
            raise
        except Pillow.DecompressionBombError:
            raise _too_large("more pixels than a picture has", label) from None
        # Pillow's decoders raise nearly anything on bytes that are no image.
        except Exception as error:
            raise RecordError(
                f"{label}: the image is damaged or of a kind that is not read "
                f"({type(error).__name__}); save it as PNG or JPEG."
            ) from None


def _check_size(size: tuple[int, int], label: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_large(f"{width} x {height} pixels", label)
    if max(size) < MIN_LONG_PX or min(size) < MIN_SHORT_PX:
        raise RecordError(
            f"{label}: {width} x {height} pixels are too few to read a tracing; the page needs "
            f"{MIN_LONG_PX} on its long side, better 1500. Scan or photograph it again."
        )


def _too_large(found: str, label: str) -> RecordError:
    return RecordError(
        f"{label}: {found}; up to {MAX_PIXELS // 10**6} million are read. Save it with 3000 pixels "
        "on its long side."
    )


def _on_white(image: Pillow.Image) -> Pillow.Image:
    """Lay a transparent image on white paper."""
    from PIL import Image as Pillow

    paper = Pillow.new("RGBA", image.size, (255, 255, 255, 255))
    return Pillow.alpha_composite(paper, image).convert("RGB")


def _stretched(values: npt.NDArray[np.float32]) -> Image:
    """Bring 16-bit grey to 8 bits."""
    low, high = np.percentile(values, [0.5, 99.5])
    grey = np.clip((values - low) / max(float(high - low), 1e-6) * 255, 0, 255).astype(np.uint8)
    step = -(-max(grey.shape) // MAX_LONG_PX)
    return np.repeat(grey[::step, ::step, None], 3, axis=2)


def _first_page(data: bytes, label: str) -> Image:
    """Draw the first page of a PDF."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        page = document[0]
        long_pt = max(page.get_size())
        if not 1 <= long_pt <= 1e5:
            raise RecordError(f"{label}: its first page has no size that could be drawn.")
        bitmap = page.render(scale=MAX_LONG_PX / long_pt, may_draw_forms=False)
        drawn = np.array(bitmap.to_pil().convert("RGB"), np.uint8)
        document.close()
    except (pypdfium2.PdfiumError, IndexError, ValueError, OSError, MemoryError) as error:
        raise RecordError(
            f"{label}: the PDF cannot be read ({type(error).__name__}: {str(error)[:60]}); "
            "if it is locked, save an open copy, or save the page as PNG."
        ) from None
    return drawn
