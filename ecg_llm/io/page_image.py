"""Images of printed ECGs: scans, photographs, screenshots, PDF pages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.raw import Channel, RawECG, ReadOptions
from ecg_llm.io.source import Source
from ecg_llm.record import MIN_DURATION_S

NAME = "page"
EXTENSIONS: tuple[str, ...] = (
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pdf",
)  # fmt: skip

MAX_BYTES = 64 * 2**20
"""Of an image file; its pixels are bounded besides."""
_MOST_FILLED_S = 2.0


def sniff(head: bytes, filename: str) -> bool:
    """Tell whether a file is an image or a PDF."""
    from ecg_llm.page.decode import is_image

    return is_image(head)


def read(source: Source, options: ReadOptions) -> RawECG:
    """Read the leads drawn on a page.

    Parameters
    ----------
    source : Source
        The image.
    options : ReadOptions
        Must be empty: rate, unit and names come from the page.

    Returns
    -------
    RawECG
        NaN where a lead is not drawn.

    Raises
    ------
    RecordError
        If it is no image of a page, or its tracings or names cannot be read.
    """
    from ecg_llm.page.decode import decode
    from ecg_llm.page.read import read_page

    if options.fs is not None or options.unit is not None or options.leads is not None:
        raise RecordError(
            f"{source.label}: an image of a page; --fs, --unit and --leads do not apply to it, as "
            "its ruling and the printed names tell them. Leave them out."
        )
    page = read_page(decode(source.require_size(MAX_BYTES), source.label), source.label)
    channels = tuple(
        Channel(
            name=lead,
            values=_long_enough(row, page.fs),
            fs=page.fs,
            unit="mV",
            calibrated=page.calibrated,
        )
        for lead, row in page.leads.items()
    )
    return RawECG(channels=channels, notes=page.notes(), origin="page")


def _long_enough(row: npt.NDArray[np.float64], fs: float) -> npt.NDArray[np.float64]:
    """Let a page of nearly five seconds, as at 50 mm/s, count as five: the rest was not drawn."""
    short = int(np.ceil(MIN_DURATION_S * fs)) - len(row)
    fills = 0 < short <= _MOST_FILLED_S * fs
    return np.concatenate([row, np.full(short, np.nan)]) if fills else row
