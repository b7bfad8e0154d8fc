"""What a page shows and how it is printed, drawn from a seed at stated shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from ecg_llm.data_builders.page_paper import PAPER_SHARE, PAPERS, Paper
from ecg_llm.data_builders.page_texts import draw_texts
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.render.layout import ROWS_3X4, ROWS_6X2, ROWS_12X1, PageLayout
from ecg_llm.render.raster import MM_PER_INCH
from ecg_llm.render.scene import Face
from ecg_llm.render.style import rgb

LabelPlace = Literal["above", "below", "corner"]
Separator = Literal["none", "tick", "line", "notch"]
PulsePlace = Literal["none", "start", "end"]
Encoding = Literal["png", "jpeg", "webp"]

SIZE_PX = 1400
"""Long side of an image, about: A4 at 120 dpi. It varies by `SIZE_SPREAD` both ways."""
SIZE_SPREAD = 0.12
MIN_PAGE_DPI, MAX_PAGE_DPI = 50.0, 300.0
MIN_SIZE_PX, MAX_SIZE_PX = 700, 3500
FEWEST_FOR_COLUMNS = 8
"""A record with fewer of the standard leads gets one row a lead."""

CABRERA_3X4 = (
    ("aVL", "II", "V1", "V4"),
    ("I", "aVF", "V2", "V5"),
    ("aVR", "III", "V3", "V6"),
)
CABRERA_LIMB = ("aVL", "I", "aVR", "II", "aVF", "III")
CABRERA_6X2 = tuple(zip(CABRERA_LIMB, STANDARD_12[6:], strict=True))
CABRERA_12X1 = tuple((lead,) for lead in (*CABRERA_LIMB, *STANDARD_12[6:]))

LAYOUT_SHARE = {"3x4": 0.13, "3x4+1": 0.46, "3x4+3": 0.14, "6x2": 0.14, "12x1": 0.13}
SPEED_SHARE = {25.0: 0.9, 50.0: 0.1}
GAIN_SHARE = {10.0: 0.86, 5.0: 0.08, 20.0: 0.06}
PAGE_SHARE = {"a4": 0.42, "letter": 0.25, "cropped": 0.28, "a4 upright": 0.05}
LABEL_SHARE: dict[LabelPlace, float] = {"above": 0.5, "below": 0.3, "corner": 0.2}
SEPARATOR_SHARE: dict[Separator, float] = {"none": 0.3, "tick": 0.3, "line": 0.2, "notch": 0.2}
PULSE_SHARE: dict[PulsePlace, float] = {"start": 0.66, "end": 0.14, "none": 0.2}
FACE_SHARE: dict[Face, float] = {"sans": 0.5, "serif": 0.35, "mono": 0.15}
CASE_SHARE = {"aVR": 0.84, "AVR": 0.13, "avR": 0.03}
CABRERA_SHARE = 0.03
SIMULTANEOUS_SHARE = 0.08
MISSING_SHARE = 0.025
"""Of pages: one or two leads are not drawn."""
MISLABELLED_SHARE = 0.015
"""Of pages: the names of two leads are exchanged."""


@dataclass(frozen=True, kw_only=True)
class PageSettings:
    """All that decides how a record is printed; the same settings give the same pixels."""

    layout: str
    """Key of `LAYOUT_SHARE`, or ``rows`` for one row a lead."""
    rows: tuple[tuple[str, ...], ...]
    """Leads by row and column."""
    strips: tuple[str, ...]
    """Rhythm strips below."""
    cabrera: bool
    """Whether the limb leads stand in the Cabrera order, with minus aVR."""
    simultaneous: bool
    """Whether all columns show the same stretch."""
    speed_mm_s: float
    """Paper speed."""
    gain_mm_mv: float
    """Height of a millivolt; does not hold if the record does not tell its gain."""
    from_s: float
    """Where in the record the page begins."""
    page: str
    """Key of `PAGE_SHARE`."""
    width_mm: float
    """Of the page."""
    height_mm: float
    """Of the page."""
    margin_mm: float
    """Between the edge and what is printed."""
    header_mm: float
    """Height of the header."""
    footer_mm: float
    """Height of the footer."""
    long_px: int
    """Long side of the image."""
    paper: Paper
    """Paper and ink."""
    face: Face
    """Typeface."""
    label: LabelPlace
    """Where names of leads stand; ``corner``: at the top left of the cell."""
    label_case: str
    """Key of `CASE_SHARE`."""
    label_mm: float
    """Size of the names of leads."""
    label_dy_mm: float
    """How far above or below the baseline they stand."""
    label_bold: bool
    """Whether they are bold."""
    separator: Separator
    """What stands between columns."""
    pulse: PulsePlace
    """Where the 1 mV calibration pulses stand."""
    header: tuple[tuple[str, ...], ...]
    """Lines of text by column; all people and places are made up."""
    footer: tuple[str, ...]
    """Texts, from left to right."""
    text_mm: float
    """Size of header and footer."""
    missing: tuple[str, ...]
    """Leads that were left out."""
    exchanged: tuple[str, ...]
    """Two leads under each other's name, or none."""
    encoding: Encoding
    """How the image is packed if it is not photographed."""
    quality: int
    """Of JPEG and WebP."""

    def __post_init__(self) -> None:
        """Refuse settings that nothing could draw."""
        if not MIN_PAGE_DPI <= self.dpi <= MAX_PAGE_DPI:
            raise ConfigError(
                f"A page of {self.width_mm:g} x {self.height_mm:g} mm with a long side of "
                f"{self.long_px} pixels has {self.dpi:.0f} dpi; {MIN_PAGE_DPI:g} to "
                f"{MAX_PAGE_DPI:g} are possible. Choose another size."
            )

    @property
    def dpi(self) -> float:
        """Pixels per inch of paper."""
        return self.long_px / max(self.width_mm, self.height_mm) * MM_PER_INCH

    def page_layout(self) -> PageLayout:
        """Give the layout that places a record."""
        return PageLayout(
            rows=self.rows,
            rhythm=self.strips,
            speed_mm_s=self.speed_mm_s,
            gain_mm_mv=self.gain_mm_mv,
            from_s=self.from_s,
            columns="simultaneous" if self.simultaneous else "auto",
            width_mm=self.width_mm,
            height_mm=self.height_mm,
            margin_mm=self.margin_mm,
            header_mm=self.header_mm,
            footer_mm=self.footer_mm,
            calibration=self.pulse == "start",
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PageSettings:
        """Read the settings from JSON.

        Raises
        ------
        ConfigError
            If it is something else.
        """
        values = {key: frozen(value) for key, value in document.items()}
        try:
            paper = Paper(**{key: frozen(value) for key, value in document["paper"].items()})
            return cls(**{**values, "paper": paper})
        except (TypeError, KeyError, AttributeError):
            names = ", ".join(field.name for field in fields(cls))
            raise ConfigError(f"These are not the settings of a page; it needs {names}.") from None


def frozen(value: Any) -> Any:
    """Turn JSON's lists into tuples.

    Examples
    --------
    >>> frozen([[1, 2], "a"])
    ((1, 2), 'a')
    """
    return tuple(frozen(part) for part in value) if isinstance(value, list | tuple) else value


def pick(rng: np.random.Generator, shares: Mapping[Any, float]) -> Any:
    """Draw a key at its share."""
    edges = np.cumsum(list(shares.values()))
    k = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
    return list(shares)[min(k, len(shares) - 1)]


def between(rng: np.random.Generator, low: float, high: float, *, digits: int = 3) -> float:
    """Draw a number that JSON can hold exactly."""
    return round(float(rng.uniform(low, high)), digits)


def draw_settings(
    record: ECGRecord,
    seed: int,
    *,
    size_px: int = SIZE_PX,
    values: Mapping[str, float | None] | None = None,
) -> PageSettings:
    """Draw how a record is printed.

    Parameters
    ----------
    record : ECGRecord
        What will be printed: its leads and length limit what is possible.
    seed : int
        All chance comes from it.
    size_px : int, px
        Long side of the image, about.
    values : mapping of str to float, optional
        Measured values by name, to be printed in some of the headers. Without them no page shows
        any: a number on the page is true of its tracing.

    Returns
    -------
    PageSettings
    """
    rng = np.random.default_rng([seed, 0x9A6E])
    layout, rows, strips, cabrera = _leads(record, rng)
    page = pick(rng, PAGE_SHARE)
    if page == "a4 upright" and len(rows) < 6:
        page = "a4"
    speed = pick(rng, SPEED_SHARE)
    gain = pick(rng, GAIN_SHARE)
    simultaneous = bool(rng.random() < SIMULTANEOUS_SHARE)
    face: Face = pick(rng, FACE_SHARE)
    separator: Separator = pick(rng, SEPARATOR_SHARE)
    pulse: PulsePlace = pick(rng, PULSE_SHARE)
    label: LabelPlace = pick(rng, LABEL_SHARE)
    paper = _paper(rng)
    width, height, margin, header_mm, footer_mm = _sheet(page, len(rows) + len(strips), rng)
    if page == "cropped":
        paper = replace(paper, bleed=True)
    text_mm = between(rng, 2.2, 3.1, digits=2)
    texts = draw_texts(record, rng, speed=speed, gain=gain, values=values or {})
    room = int(max(header_mm - 3, 0) / (1.45 * text_mm))
    header = tuple(tuple(column[:room]) for column in texts.header) if room else ()
    row_mm = max(height - 2 * margin - header_mm - footer_mm, 20) / (len(rows) + len(strips))
    above = float(rng.uniform(3.0, 9.0))
    label_dy = min(above, row_mm * 0.4) if label == "above" else -min(above, row_mm * 0.35)
    shown_s = (width - 2 * margin - 15) / speed
    spare_s = record.duration_s - shown_s
    begin = float(rng.uniform(0, spare_s)) if spare_s > 0 and rng.random() < 0.5 else 0.0
    drawn = [lead for row in rows for lead in row if lead in record]
    missing: tuple[str, ...] = ()
    if len(drawn) > 3 and rng.random() < MISSING_SHARE:
        chosen = rng.choice(len(drawn), size=int(rng.integers(1, 3)), replace=False)
        missing = tuple(drawn[k] for k in sorted(chosen.tolist()))
    exchanged: tuple[str, ...] = ()
    if len(drawn) > 3 and rng.random() < MISLABELLED_SHARE:
        exchanged = tuple(drawn[k] for k in rng.choice(len(drawn), size=2, replace=False).tolist())
    spread = float(rng.uniform(1 - SIZE_SPREAD, 1 + SIZE_SPREAD))
    highest = max(width, height) / MM_PER_INCH * MAX_PAGE_DPI
    return PageSettings(
        layout=layout,
        rows=rows,
        strips=strips,
        cabrera=cabrera,
        simultaneous=simultaneous,
        speed_mm_s=speed,
        gain_mm_mv=gain,
        from_s=round(begin, 2),
        page=page,
        width_mm=width,
        height_mm=height,
        margin_mm=margin,
        header_mm=header_mm,
        footer_mm=footer_mm,
        long_px=min(round(size_px * spread), int(highest)),
        paper=paper,
        face=face,
        label=label,
        label_case=pick(rng, CASE_SHARE),
        label_mm=between(rng, 2.4, 3.6, digits=2),
        label_dy_mm=round(label_dy, 2),
        label_bold=bool(rng.random() < 0.5),
        separator=separator,
        pulse=pulse,
        header=header,
        footer=texts.footer if footer_mm >= 4 else (),
        text_mm=text_mm,
        missing=missing,
        exchanged=exchanged,
        encoding=pick(rng, {"png": 0.75, "jpeg": 0.25}),
        quality=int(rng.integers(60, 96)),
    )


def _leads(
    record: ECGRecord, rng: np.random.Generator
) -> tuple[str, tuple[tuple[str, ...], ...], tuple[str, ...], bool]:
    """Choose which leads stand where."""
    there = [lead for lead in STANDARD_12 if lead in record]
    name = pick(rng, LAYOUT_SHARE)
    cabrera = bool(rng.random() < CABRERA_SHARE)
    strips: tuple[str, ...] = ()
    if name == "3x4+1":
        strips = (pick(rng, {"II": 0.85, "V1": 0.12, "V5": 0.03}),)
    elif name == "3x4+3":
        strips = pick(rng, {("V1", "II", "V5"): 0.6, ("II", "V1", "V5"): 0.3, ("I", "II", "V2"): 1})
    if len(there) < FEWEST_FOR_COLUMNS:
        single = tuple((lead,) for lead in (there or record.leads)[:12])
        return "rows", single, (), False
    by_name: dict[str, tuple[tuple[str, ...], ...]] = {
        "6x2": CABRERA_6X2 if cabrera else ROWS_6X2,
        "12x1": CABRERA_12X1 if cabrera else ROWS_12X1,
    }
    rows = by_name.get(name, CABRERA_3X4 if cabrera else ROWS_3X4)
    return name, rows, strips, cabrera


def _sheet(
    page: str, n_rows: int, rng: np.random.Generator
) -> tuple[float, float, float, float, float]:
    """Choose width, height, margin, header and footer in mm."""
    margin = between(rng, 2, 9, digits=1)
    header = between(rng, 16, 34, digits=1) if rng.random() < 0.85 else 0.0
    footer = between(rng, 5, 10, digits=1) if rng.random() < 0.85 else 0.0
    match page:
        case "a4":
            return 297.0, 210.0, margin, header, footer
        case "letter":
            return 279.4, 215.9, margin, header, footer
        case "a4 upright":
            return 210.0, 297.0, margin, header, footer
    width = between(rng, 235, 290, digits=1)
    height = float(np.clip(n_rows * rng.uniform(20, 34), 60, 170).round(1))
    return width, height, between(rng, 0, 3, digits=1), 0.0, footer if footer > 8 else 0.0


def _paper(rng: np.random.Generator) -> Paper:
    """Choose paper and ink, and let them vary."""
    base = PAPERS[pick(rng, PAPER_SHARE)]
    tint = rng.normal(0, 5, 3)
    strength = float(rng.uniform(0.7, 1.5))

    def line(colour: str) -> str:
        """Vary a line: its distance from the paper and its hue."""
        below = np.array(rgb(base.paper), np.float64)
        varied = below + (np.array(rgb(colour)) - below) * strength + tint
        return _hex(varied)

    ink = np.array(rgb(base.ink)) + rng.uniform(0, 60) + rng.normal(0, 8, 3)
    if rng.random() < 0.06:
        ink = np.array([40, 45, 120]) + rng.normal(0, 12, 3)
    bleed = bool(base.bleed if rng.random() < 0.85 else not base.bleed)
    shifted = bleed and rng.random() < 0.4
    shift = rng.uniform(-2.5, 2.5, 2).round(2).tolist() if shifted else [0.0, 0.0]
    return replace(
        base,
        small_line=line(base.small_line),
        large_line=line(base.large_line),
        ink=_hex(ink),
        text=_hex(np.array(rgb(base.text)) + rng.uniform(0, 40)),
        small_mm=round(base.small_mm * rng.uniform(0.7, 1.4), 3),
        large_mm=round(base.large_mm * rng.uniform(0.7, 1.4), 3),
        trace_mm=between(rng, 0.2, 0.42, digits=3),
        bleed=bleed,
        shift_mm=(shift[0], shift[1]),
    )


def _hex(colour: np.ndarray) -> str:
    """Write a colour."""
    red, green, blue = np.clip(np.rint(colour), 0, 255).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"
