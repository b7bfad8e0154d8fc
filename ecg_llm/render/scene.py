"""A page as few kinds of drawn things in mm, which every output draws alike."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.render.layout import CALIBRATION_S, LARGE_MM, Box, LeadPlace, PageLayout, PagePlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ecg_llm.record import ECGRecord
    from ecg_llm.render.marks import MarkPlace
    from ecg_llm.render.style import PaperStyle

DISCLAIMER = "Research software, not a medical device"
TOLERANCE_MM = 0.015
"""How far a tracing in vectors may run beside its samples: 1.5 µV at 10 mm/mV."""
TEXT_MM = 2.5
"""Size of small print."""

Face = Literal["sans", "serif", "mono"]
_FONTS: dict[Face, tuple[str, str]] = {
    "sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "serif": ("STIXGeneral.ttf", "STIXGeneralBol.ttf"),
    "mono": ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """A line through points, shape (n, 2), mm; never holds NaN."""

    points: npt.NDArray[np.float64]
    colour: str
    width_mm: float
    tracing: bool = False


@dataclass(frozen=True, kw_only=True)
class Fill:
    """A filled box."""

    box: Box
    colour: str
    opacity: float = 1.0
    radius_mm: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Text:
    """One line of text; ``y`` is its base line."""

    x: float
    y: float
    text: str
    size_mm: float
    colour: str
    bold: bool = False
    anchor: Literal["start", "middle", "end"] = "start"

    def __post_init__(self) -> None:
        """Keep out what cannot be printed."""
        object.__setattr__(self, "text", printable(self.text))


@dataclass(frozen=True, kw_only=True)
class Group:
    """Things that belong to one evidence mark."""

    key: str
    title: str
    items: tuple[Line | Fill | Text, ...]
    quiet: bool = False


Item = Line | Fill | Text | Group


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """All that is drawn on a page.

    Attributes
    ----------
    plan : PagePlan
        Page size and the ruled area.
    style : PaperStyle
        Paper and grid, which each output draws in its own way.
    items : tuple of Item
        From the bottom to the top.
    """

    plan: PagePlan
    style: PaperStyle
    items: tuple[Item, ...]

    def flat(self) -> Iterator[Line | Fill | Text]:
        """Give all that is seen, without the groups."""
        for item in self.items:
            if not isinstance(item, Group):
                yield item
            elif not item.quiet:
                yield from item.items


def compose(
    record: ECGRecord,
    plan: PagePlan,
    style: PaperStyle,
    marks: tuple[MarkPlace, ...],
    lead_notes: Mapping[str, str],
) -> Scene:
    """Say what is drawn where.

    Parameters
    ----------
    record : ECGRecord
        The tracing.
    plan : PagePlan
        Its layout.
    style : PaperStyle
        Paper and ink.
    marks : tuple of MarkPlace
        Evidence to be shown.
    lead_notes : mapping of str to str
        By lead, why it cannot be relied on.

    Returns
    -------
    Scene
    """
    items: list[Item] = [mark.shade(style) for mark in marks]
    for place in plan.places:
        items += _cell(record, plan, place, style, lead_notes.get(place.lead))
    if plan.layout.calibration and record.calibrated:
        items += _calibration(plan, style)
    items += _header(record, plan, style)
    items += _footer(record, plan, style)
    items += [mark.tag(style) for mark in marks]
    return Scene(plan=plan, style=style, items=tuple(items))


def font_file(bold: bool = False, face: Face = "sans") -> Path:
    """Find a typeface.

    Parameters
    ----------
    bold : bool
        Which cut.
    face : {"sans", "serif", "mono"}
        Reports are set in ``sans``; the others are for pages that look like a device's.

    Returns
    -------
    Path
        DejaVu Sans, STIX or DejaVu Sans Mono, which Matplotlib's package carries.

    Raises
    ------
    ConfigError
        If Matplotlib is not installed as a folder of files.
    """
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ConfigError("No typeface to draw with: install matplotlib, which carries one.")
    plain, heavy = _FONTS[face]
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / (heavy if bold else plain)


def text_mm(text: str, size_mm: float, bold: bool = False) -> float:
    """Estimate how wide a text runs.

    Parameters
    ----------
    text : str
        One line.
    size_mm : float, mm
        Its size.
    bold : bool
        Whether it is bold.

    Returns
    -------
    float, mm
        A little more than it needs in most cases.
    """
    return len(text) * size_mm * (0.68 if bold else 0.6)


def _cell(
    record: ECGRecord, plan: PagePlan, place: LeadPlace, style: PaperStyle, note: str | None
) -> Iterator[Item]:
    """Give one lead: separator, tracing, label and what has to be said about it."""
    x0, top, x1, _ = place.box
    ink = style.ink if note is None else style.faint_ink
    if plan.layout.separators and place.column > 0:
        bar = np.array([[x0, place.baseline_y - 4.0], [x0, place.baseline_y + 4.0]])
        yield Line(points=bar, colour=style.ink, width_mm=0.35)
    blank = "not recorded" if not place.recorded else None
    if place.recorded:
        runs = finite_runs(place.points(record))
        blank = None if runs else "no signal here"
        for run in runs:
            yield Line(points=run, colour=ink, width_mm=style.trace_mm, tracing=True)
    if blank is not None:
        x, y = (x0 + x1) / 2, place.baseline_y + TEXT_MM / 3
        grey = style.faint_ink
        yield Text(x=x, y=y, text=blank, size_mm=TEXT_MM, colour=grey, anchor="middle")
    if plan.layout.lead_labels:
        size = 3.2 if place.box[3] - top > 18 else 2.7
        y = top + 1.2 + size
        yield Text(x=x0 + 1.2, y=y, text=place.lead, size_mm=size, colour=style.ink, bold=True)
        said = ["derived"] if place.lead in record.derived else []
        said += [note] if note else []
        if said:
            x = x0 + 2.2 + text_mm(place.lead, size, bold=True)
            text = ", ".join(said)
            yield Text(x=x, y=y, text=text, size_mm=2.2, colour=style.text)


def finite_runs(points: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Split a tracing at the samples that are missing.

    Parameters
    ----------
    points : np.ndarray, shape (n, 2)
        y is NaN where there is no sample.

    Returns
    -------
    list of np.ndarray, shape (m, 2)
        Without the missing ones.
    """
    good = np.isfinite(points[:, 1])
    if good.all():
        return [points] if len(points) else []
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    return [points[a:b] for a, b in edges.reshape(-1, 2)]


def thinned(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Leave out the samples that change nothing.

    Parameters
    ----------
    points : np.ndarray, shape (n, 2), mm
        A line.

    Returns
    -------
    np.ndarray, shape (m, 2), mm
        Some of the points. None of the others lies further than `TOLERANCE_MM` from the line
        through these, so peaks stay.
    """
    import cv2

    kept = cv2.approxPolyDP(points.astype(np.float32), TOLERANCE_MM, False)
    return np.asarray(kept, np.float32)[:, 0]


def _calibration(plan: PagePlan, style: PaperStyle) -> Iterator[Item]:
    """Give the 1 mV pulse before every row."""
    width = CALIBRATION_S * plan.layout.speed_mm_s
    for place in plan.places:
        if place.column == 0:
            right, y = place.box[0] - 1.0, place.baseline_y
            up = y - place.per_mv
            xs = np.array([-2.0, -1.0, -1.0, 0.0, 0.0, 1.0]) + right - 1.0
            xs[:3] -= width - 1.0
            ys = np.array([y, y, up, up, y, y])
            points = np.stack([xs, ys], axis=1)
            yield Line(points=points, colour=style.ink, width_mm=style.trace_mm, tracing=True)


def _header(record: ECGRecord, plan: PagePlan, style: PaperStyle) -> Iterator[Item]:
    """Give the title and the fields, in columns below it."""
    layout = plan.layout
    left, right = plan.grid[0], plan.grid[2]
    y = layout.margin_mm + 4.4
    title = record.name or "ECG" if layout.title is None else layout.title
    if title and layout.header_mm >= 6:
        room = int((right - left) / (4.2 * 0.68))
        yield Text(x=left, y=y, text=clip(title, room), size_mm=4.2, colour=style.text, bold=True)
        y += 4.6
    n_lines = max(int((plan.grid[1] - 1.5 - y) // 3.9) + 1, 0) if layout.header_mm >= 6 else 0
    if n_lines and layout.fields:
        n_columns = -(-len(layout.fields) // n_lines)
        pitch = (right - left) / n_columns
        for k, field in enumerate(layout.fields):
            x, line = left + k // n_lines * pitch, k % n_lines
            text = clip(field, int(pitch / (2.9 * 0.56)))
            yield Text(x=x, y=y + line * 3.9, text=text, size_mm=2.9, colour=style.text)


def _footer(record: ECGRecord, plan: PagePlan, style: PaperStyle) -> Iterator[Item]:
    """Give the time axis, the settings and what the page does not show."""
    layout, (left, _, right, bottom) = plan.layout, plan.grid
    if layout.footer_mm < 6:
        return
    last = [p for p in plan.places if p.row == plan.places[-1].row]
    ends = [k for k in last if plan.simultaneous or k is last[-1]]
    for place in last:
        whole = np.arange(np.ceil(place.from_s - 1e-6), place.to_s - 1e-6)
        for second in whole.tolist() + ([place.to_s] if place in ends else []):
            x = place.x(second)
            tick = np.array([[x, bottom], [x, bottom + 0.9]])
            yield Line(points=tick, colour=style.text, width_mm=0.15)
            if abs(second - round(second)) < 1e-6 and not (
                plan.simultaneous and place is not last[-1] and second == place.to_s
            ):
                text = f"{abs(second):.0f}" + (
                    " s" if second == whole[0] and place is last[0] else ""
                )
                yield Text(
                    x=x, y=bottom + 3.2, text=text, size_mm=2.2, colour=style.text, anchor="middle"
                )
    said = [f"{layout.speed_mm_s:g} mm/s", gain_text(record, plan.layout)]
    columns = [p for p in plan.places if not p.strip]
    if columns and columns[-1].column > 0:
        each = f"{columns[0].to_s - columns[0].from_s:.3g} s"
        if record.origin == "page":
            said.append("each lead where the page shows it")
        elif plan.simultaneous:
            said.append(f"all columns show the same {each} from {layout.from_s:g} s")
        else:
            said.append(f"columns follow each other, {each} each")
    if plan.extra_leads:
        said.append("not shown: " + ", ".join(plan.extra_leads))
    y = bottom + LARGE_MM + 2.2
    room = int((right - left - text_mm(DISCLAIMER, TEXT_MM)) / (TEXT_MM * 0.58))
    text = clip("   ".join(said), room)
    yield Text(x=left, y=y, text=text, size_mm=TEXT_MM, colour=style.text)
    yield Text(x=right, y=y, text=DISCLAIMER, size_mm=TEXT_MM, colour=style.text, anchor="end")


def printable(text: str) -> str:
    """Replace what cannot be printed by spaces: control characters, line ends, broken Unicode.

    Parameters
    ----------
    text : str
        Any text, also from a file.

    Returns
    -------
    str

    Examples
    --------
    >>> printable("a\\x1b[31m\\nb")
    'a [31m b'
    """
    return "".join(c if c.isprintable() else " " for c in text)


def gain_text(record: ECGRecord, layout: PageLayout) -> str:
    """Say how high a millivolt is.

    Parameters
    ----------
    record : ECGRecord
        It may not tell its gain.
    layout : PageLayout
        Of its page.

    Returns
    -------
    str
    """
    return f"{layout.gain_mm_mv:g} mm/mV" if record.calibrated else "gain unknown, height not in mV"


def clip(text: str, n: int) -> str:
    """Shorten a text to fit, showing that it was.

    Parameters
    ----------
    text : str
        Any text.
    n : int
        Characters there is room for.

    Returns
    -------
    str

    Examples
    --------
    >>> clip("a long title", 7)
    'a long…'
    """
    return text if len(text) <= n else text[: max(n - 1, 0)].rstrip() + "…"
