"""The ECG as it lies on paper: one call to draw it, one to save it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ecg_llm.errors import ConfigError
from ecg_llm.render.layout import STANDARD, Box, LeadPlace, PageLayout
from ecg_llm.render.marks import EvidenceMark, place_marks
from ecg_llm.render.raster import MM_PER_INCH, Image, encode_png, pixels, rasterise
from ecg_llm.render.scene import Scene, compose
from ecg_llm.render.style import PINK, PaperStyle

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

NO_NOTES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """A drawn page and the place of everything on it.

    Attributes
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.
    dpi : float
        Pixels per inch of paper.
    layout : PageLayout
        What it follows.
    grid : tuple of float, px
        Left, top, right and bottom of the ruled area.
    px_per_mm : float
        So the small grid's pitch.
    places : tuple of LeadPlace
        In pixels; a whole number names the centre of a pixel.
    hidden : tuple of EvidenceMark
        Marks whose lead or time this page does not show.
    """

    image: Image
    dpi: float
    layout: PageLayout
    grid: Box
    px_per_mm: float
    places: tuple[LeadPlace, ...]
    hidden: tuple[EvidenceMark, ...]

    def pixel(self, lead: str, t_s: float, mv: float) -> tuple[float, float] | None:
        """Find x and y of a sample in the first cell that shows its time; None if none does."""
        for place in self.places:
            if place.lead == lead and place.recorded and place.from_s <= t_s <= place.to_s:
                return place.x(t_s), place.y(mv)
        return None

    def to_png(self) -> bytes:
        """Pack the page as a PNG file."""
        return encode_png(self.image, self.dpi)


def draw_page(
    record: ECGRecord,
    *,
    layout: PageLayout = STANDARD,
    style: PaperStyle = PINK,
    dpi: float = 200,
    marks: Sequence[EvidenceMark] = (),
    lead_notes: Mapping[str, str] = NO_NOTES,
) -> Page:
    """Draw an ECG on ruled paper.

    Parameters
    ----------
    record : ECGRecord
        Any leads and length; leads that are missing leave a cell that says so.
    layout : PageLayout
        Which leads where, speed, gain, page size, header.
    style : PaperStyle
        Paper and ink.
    dpi : float
        Resolution, 36 to 600.
    marks : sequence of EvidenceMark
        Stretches to be marked.
    lead_notes : mapping of str to str
        By lead, why it cannot be relied on; drawn fainter, with the note beside its name.

    Returns
    -------
    Page

    Raises
    ------
    ConfigError
        If the page begins after the record ends or the resolution is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from ecg_llm.record import ECGRecord
    >>> flat = ECGRecord(signal=np.zeros((1, 5000), np.float32), fs=500, leads=("II",))
    >>> page = draw_page(flat, dpi=100)
    >>> page.image.shape
    (827, 1169, 3)
    """
    scene, hidden = page_scene(
        record, layout=layout, style=style, marks=marks, lead_notes=lead_notes
    )
    x0, y0, x1, y1 = (pixels(v, dpi) for v in scene.plan.grid)
    k = dpi / MM_PER_INCH
    return Page(
        image=rasterise(scene, dpi),
        dpi=dpi,
        layout=layout,
        grid=(x0, y0, x1, y1),
        px_per_mm=k,
        places=tuple(place.scaled(k, -0.5) for place in scene.plan.places),
        hidden=hidden,
    )


def page_scene(
    record: ECGRecord,
    *,
    layout: PageLayout = STANDARD,
    style: PaperStyle = PINK,
    marks: Sequence[EvidenceMark] = (),
    lead_notes: Mapping[str, str] = NO_NOTES,
) -> tuple[Scene, tuple[EvidenceMark, ...]]:
    """Lay a page out without drawing it yet.

    Parameters
    ----------
    record, layout, style, marks, lead_notes
        As for `draw_page`.

    Returns
    -------
    scene : Scene
        For `rasterise`, `svg.to_svg` and `pdf_page.to_pdf_page`.
    hidden : tuple of EvidenceMark
        Marks whose lead or time this page does not show.
    """
    plan = layout.place(record)
    shown, hidden = place_marks(plan, marks)
    return compose(record, plan, style, shown, lead_notes), hidden


def save_page(record: ECGRecord, path: str | Path, *, dpi: float = 200) -> None:
    """Draw an ECG on standard paper into a file.

    Parameters
    ----------
    record : ECGRecord
        As for `draw_page`.
    path : str or Path
        Its extension decides: ``.png``, ``.svg`` or ``.pdf``.
    dpi : float
        Resolution of a PNG.

    Raises
    ------
    ConfigError
        If the extension is another, or the file cannot be written.
    """
    target = Path(path)
    scene, _ = page_scene(record)
    match target.suffix.lower():
        case ".png":
            data = encode_png(rasterise(scene, dpi), dpi)
        case ".svg":
            from ecg_llm.render.svg import to_svg

            data = to_svg(scene).encode()
        case ".pdf":
            from ecg_llm.render.pdf_page import to_pdf_page

            data = to_pdf_page(scene)
        case other:
            raise ConfigError(
                f"{target.name}: cannot draw a page as {other or 'a file without extension'!r}; "
                "use .png, .svg or .pdf."
            )
    try:
        target.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{target.name}: cannot be written ({error.strerror}); choose another place."
        ) from None
