"""Images of every kind, and what only claims to be one."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ecg_llm.errors import RecordError
from ecg_llm.page.decode import MAX_LONG_PX, decode, is_image


def _pattern(width=900, height=600):
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    return np.kron(small, np.ones((20, 20, 1), np.uint8))


def _packed(pixels, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "PDF"])
def test_every_kind_of_image_comes_out_as_it_went_in(kind):
    pixels = _pattern()
    data = _packed(pixels, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert is_image(data[:64])
    out = decode(data, "page")
    assert out.dtype == np.uint8 and out.shape[2] == 3
    middle = np.asarray(Image.fromarray(out).resize((900, 600)))[10::20, 10::20].astype(int)
    assert np.abs(middle - pixels[10::20, 10::20]).mean() < (8 if kind in ("JPEG", "PDF") else 0.1)


def test_transparent_and_sixteen_bit_images_are_read():
    clear = np.zeros((500, 700, 4), np.uint8)
    assert decode(_packed(clear, "PNG"), "page").min() == 255
    deep = np.linspace(0, 65535, 700 * 500).reshape(500, 700).astype(np.uint16)
    out = decode(_packed(deep, "PNG"), "page")
    assert out[0, 0, 0] < 10 and out[-1, -1, 0] > 245


def test_a_picture_is_turned_as_the_camera_says():
    pixels = np.full((500, 700, 3), 255, np.uint8)
    pixels[:50, :50] = 0
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    out = decode(_packed(pixels, "JPEG", exif=exif, quality=95), "page")
    assert out.shape == (700, 500, 3)
    assert out[20, -20].max() < 60 and out[20, 20].min() > 200


def test_large_images_are_reduced():
    out = decode(_packed(np.zeros((4000, 6000, 3), np.uint8), "JPEG"), "page")
    assert max(out.shape) <= MAX_LONG_PX


def _png_claiming(width, height):
    """A PNG whose header claims a size that its few bytes do not hold."""

    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 2000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_png_claiming(60_000, 60_000), "million are read"),
        (_png_claiming(1200, 900), "damaged"),
        (_packed(np.zeros((40, 60, 3), np.uint8), "PNG"), "too few"),
        (_packed(_pattern(), "JPEG")[:3000], "damaged"),
        (b"%PDF-1.7\nnothing", "PDF cannot be read"),
        (b"BM" + bytes(60), "damaged"),
    ],
)
def test_what_cannot_be_unpacked_is_refused_in_words(data, said):
    with pytest.raises(RecordError, match=said) as caught:
        decode(data, "x.png")
    assert "x.png" in str(caught.value)
