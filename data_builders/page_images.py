"""ECG pages as a clinic prints them, with the exact place of every lead, sample and grid line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ecg_llm.data_builders.page_geometry import (
    LeadTrace,
    PageExample,
    PageGeometry,
    Points,
    outline,
)
from ecg_llm.data_builders.page_paper import draw_paper
from ecg_llm.data_builders.page_settings import SIZE_PX, PageSettings, draw_settings
from ecg_llm.record import ECGRecord
from ecg_llm.render.layout import CALIBRATION_S, LARGE_MM, LeadPlace, PagePlan
from ecg_llm.render.raster import MM_PER_INCH, rasterise
from ecg_llm.render.scene import Item, Line, Scene, Text, finite_runs, text_mm
from ecg_llm.render.style import PaperStyle

TRACE_STEP_S = 0.004
"""Places of samples are told about this far apart, or each one at slower rates."""


def render_page_example(
    record: ECGRecord,
    seed: int,
    *,
    size_px: int = SIZE_PX,
    values: Mapping[str, float | None] | None = None,
) -> tuple[PageExample, PageSettings]:
    """Print a record in a way drawn from a seed.

    Parameters
    ----------
    record : ECGRecord
        Any leads and length.
    seed : int
        The same seed gives the same bytes.
    size_px : int, px
        Long side of the image, about; 1400 is A4 at 120 dpi.
    values : mapping of str to float, optional
        Measured values that may be printed in the header.

    Returns
    -------
    example : PageExample
        Image and geometry.
    settings : PageSettings
        How it was printed.

    Raises
    ------
    ConfigError
        If no page can be drawn at this size.

    Examples
    --------
    >>> from ecg_llm.data_builders.synthetic import synthetic_ecg
    >>> example, settings = render_page_example(synthetic_ecg().record, 7)
    >>> example.image.shape[1] == example.geometry.width
    True
    """
    settings = draw_settings(record, seed, size_px=size_px, values=values)
    return render_page(record, settings), settings


def render_page(record: ECGRecord, settings: PageSettings) -> PageExample:
    """Print a record as the settings say.

    Parameters
    ----------
    record : ECGRecord
        What is printed.
    settings : PageSettings
        How.

    Returns
    -------
    PageExample

    Raises
    ------
    ConfigError
        If the page begins after the record ends.
    """
    plan = settings.page_layout().place(record)
    plan = replace(plan, places=tuple(_turned(place, settings) for place in plan.places))
    labels = _labels(settings)
    pulses = _pulses(record, plan, settings)
    items: list[Item] = [pulse for pulse, _ in pulses]
    for place in plan.places:
        items += _cell(record, plan, place, settings, labels)
    items += _header(plan, settings)
    items += _footer(plan, settings)
    paper = draw_paper(
        (settings.width_mm, settings.height_mm), plan.grid, settings.paper, settings.dpi
    )
    scene = Scene(plan=plan, style=PaperStyle(), items=tuple(items))
    image = rasterise(scene, settings.dpi, paper=paper, face=settings.face)
    k = settings.dpi / MM_PER_INCH
    height, width = image.shape[:2]
    return PageExample(
        image=image,
        geometry=PageGeometry(
            width=width,
            height=height,
            traces=tuple(_trace(record, plan, place, settings, labels) for place in plan.places),
            pulses=tuple(box * k - 0.5 for _, box in pulses),
            grid=_crossings(plan, settings) * k - 0.5,
            grid_drawn=settings.paper.grid_drawn,
            speed_mm_s=settings.speed_mm_s,
            homography=np.array([[k, 0, -0.5], [0, k, -0.5], [0, 0, 1.0]]),
            flat=True,
        ),
    )


def _turned(place: LeadPlace, settings: PageSettings) -> LeadPlace:
    """Turn aVR upside down where the Cabrera order wants it."""
    if settings.cabrera and place.lead == "aVR":
        return replace(place, per_mv=-place.per_mv)
    return place


def _labels(settings: PageSettings) -> dict[str, str]:
    """Give the name printed beside each lead, which need not be its own."""
    leads = {lead for row in settings.rows for lead in row} | set(settings.strips)
    names = {lead: lead for lead in leads}
    if settings.exchanged:
        one, other = settings.exchanged
        names |= {one: other, other: one}
    for lead, name in names.items():
        if settings.cabrera and name == "aVR":
            name = "-aVR"
        if settings.label_case != "aVR":
            name = name.upper() if settings.label_case == "AVR" else name.replace("aV", "av")
        names[lead] = name
    return names


def _drawn(place: LeadPlace, settings: PageSettings) -> bool:
    return place.recorded and (place.strip or place.lead not in settings.missing)


def _cell(
    record: ECGRecord,
    plan: PagePlan,
    place: LeadPlace,
    settings: PageSettings,
    labels: Mapping[str, str],
) -> Iterator[Item]:
    """Give one lead: separator, tracing, label."""
    paper, (x0, top, _, bottom) = settings.paper, place.box
    if place.column > 0:
        y = place.baseline_y
        bars = {
            "none": [],
            "tick": [(y - 3.0, y + 3.0)],
            "line": [(top + 1.0, bottom - 1.0)],
            "notch": [(y - 6.0, y - 3.0), (y + 3.0, y + 6.0)],
        }[settings.separator]
        for bar in bars:
            points = np.array([[x0, bar[0]], [x0, bar[1]]])
            width = 0.18 if settings.separator == "line" else 0.4
            yield Line(points=points, colour=paper.ink, width_mm=width)
    if _drawn(place, settings):
        for run in finite_runs(place.points(record)):
            yield Line(points=run, colour=paper.ink, width_mm=paper.trace_mm, tracing=True)
    x, y = label_at(plan, place, settings)
    yield Text(
        x=x,
        y=y,
        text=labels[place.lead],
        size_mm=settings.label_mm,
        colour=paper.ink,
        bold=settings.label_bold,
    )


def label_at(plan: PagePlan, place: LeadPlace, settings: PageSettings) -> tuple[float, float]:
    """Give the left end of the line that the name of a lead stands on, x and y in mm."""
    size = settings.label_mm
    above = settings.label == "corner"
    y = place.box[1] + size + 0.5 if above else place.baseline_y - settings.label_dy_mm
    if settings.label == "below":
        y += size
    return place.box[0] + 0.8, min(max(y, plan.grid[1] + size), plan.grid[3] - 0.5)


def _pulses(record: ECGRecord, plan: PagePlan, settings: PageSettings) -> list[tuple[Line, Points]]:
    """Give the 1 mV pulse of every row, with its outline in mm; none where there is no room."""
    if settings.pulse == "none" or not record.calibrated:
        return []
    width = CALIBRATION_S * settings.speed_mm_s
    found = []
    for place in plan.places:
        row = [other for other in plan.places if other.row == place.row]
        if place is not row[0]:
            continue
        left = row[0].box[0] - width - 2.0
        if settings.pulse == "end":
            left = row[-1].box[2] + 1.5
        if left < plan.grid[0] or left + width + 1.0 > plan.grid[2]:
            continue
        y, up = place.baseline_y, place.baseline_y - abs(place.per_mv)
        xs = np.array([-1.0, 0.0, 0.0, width, width, width + 1.0]) + left
        points = np.stack([xs, [y, y, up, up, y, y]], axis=1)
        ink, mm = settings.paper.ink, settings.paper.trace_mm
        line = Line(points=points, colour=ink, width_mm=mm, tracing=True)
        found.append((line, outline((left - 1.0, up, left + width + 1.0, y))))
    return found


def _header(plan: PagePlan, settings: PageSettings) -> Iterator[Item]:
    """Give the header, its columns side by side."""
    if not settings.header:
        return
    left, right = plan.grid[0], plan.grid[2]
    size = settings.text_mm
    pitch = (right - left) / len(settings.header)
    for c, column in enumerate(settings.header):
        for line, text in enumerate(column):
            yield Text(
                x=left + 1.0 + c * pitch,
                y=settings.margin_mm + size + line * size * 1.45,
                text=text,
                size_mm=size,
                colour=settings.paper.text,
                bold=c == 0 and line == 0 and settings.label_bold,
            )


def _footer(plan: PagePlan, settings: PageSettings) -> Iterator[Item]:
    """Give the footer, spread over the width."""
    left, _, right, bottom = plan.grid
    x, size = left + 1.0, settings.text_mm
    y = min(bottom + size + 1.0, settings.height_mm - 0.5)
    room = right - left - sum(text_mm(text, size) for text in settings.footer)
    gap = min(max(room / max(len(settings.footer), 1), 2.0), 30.0)
    for text in settings.footer:
        yield Text(x=x, y=y, text=text, size_mm=size, colour=settings.paper.text)
        x += text_mm(text, size) + gap


def _trace(
    record: ECGRecord,
    plan: PagePlan,
    place: LeadPlace,
    settings: PageSettings,
    labels: Mapping[str, str],
) -> LeadTrace:
    """Give the truth of one cell, in pixels."""
    k = settings.dpi / MM_PER_INCH
    step = max(1, round(record.fs * TRACE_STEP_S))
    points = np.empty((0, 2))
    if _drawn(place, settings):
        points = place.points(record)[::step]
        # What leaves the ruled area is cut off there.
        with np.errstate(invalid="ignore"):
            cut = (points[:, 1] < plan.grid[1]) | (points[:, 1] > plan.grid[3])
        points[cut | np.isnan(points[:, 1])] = np.nan
    return LeadTrace(
        lead=place.lead,
        label=labels[place.lead],
        strip=place.strip,
        shown=bool(np.isfinite(points).any()),
        inverted=place.per_mv < 0,
        first=place.first,
        step=step,
        from_s=place.from_s,
        to_s=place.to_s,
        mm_per_mv=abs(place.per_mv),
        offset_mv=place.offset_mv,
        polygon=outline(place.box) * k - 0.5,
        points=points * k - 0.5,
    )


def _crossings(plan: PagePlan, settings: PageSettings) -> Points:
    """Give the crossings of the large squares in mm, shape (rows, columns, 2)."""
    x0, y0, x1, y1 = plan.grid
    if settings.paper.bleed:
        dx, dy = settings.paper.shift_mm
        xs = np.arange((x0 + dx) % LARGE_MM, settings.width_mm, LARGE_MM)
        ys = np.arange((y0 + dy) % LARGE_MM, settings.height_mm, LARGE_MM)
    else:
        xs = np.arange(x0, x1 + LARGE_MM / 2, LARGE_MM)
        ys = np.arange(y0, y1 + LARGE_MM / 2, LARGE_MM)
    crossings: Points = np.stack(np.meshgrid(xs, ys), axis=-1)
    return crossings
