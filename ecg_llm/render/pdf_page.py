"""Draw a scene on a PDF page at true size."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from ecg_llm.render.layout import LARGE_MM
from ecg_llm.render.scene import DISCLAIMER, Fill, Line, Scene, Text, font_file, thinned

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

POINTS_PER_MM = 72 / 25.4
FONT, BOLD = "DejaVuSans", "DejaVuSans-Bold"


def to_pdf_page(scene: Scene) -> bytes:
    """Write a scene as a PDF of one page.

    Parameters
    ----------
    scene : Scene
        What to draw.

    Returns
    -------
    bytes
        Vectors throughout, and the same bytes each time.
    """
    from reportlab.pdfgen.canvas import Canvas

    register_fonts()
    layout = scene.plan.layout
    out = BytesIO()
    size = (layout.width_mm * POINTS_PER_MM, layout.height_mm * POINTS_PER_MM)
    canvas = Canvas(out, pagesize=size, invariant=1, pageCompression=1)
    canvas.setTitle(layout.title or "ECG")
    canvas.setCreator("ecg_llm")
    canvas.setAuthor("ecg_llm")
    canvas.setSubject(DISCLAIMER)
    draw_scene(canvas, scene)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def register_fonts() -> None:
    """Make the typeface of the pages known to reportlab, once."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name, bold in ((FONT, False), (BOLD, True)):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(font_file(bold))))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


def draw_scene(canvas: Canvas, scene: Scene) -> None:
    """Draw a scene on the current page.

    Parameters
    ----------
    canvas : Canvas
        Its page has the size of the scene; fonts are registered.
    scene : Scene
        What to draw.
    """
    canvas.saveState()
    # From here on lengths are mm, and y grows upwards from the foot of the page.
    canvas.scale(POINTS_PER_MM, POINTS_PER_MM)
    canvas.setLineCap(1)
    canvas.setLineJoin(1)
    _grid(canvas, scene)
    for item in scene.flat():
        match item:
            case Line():
                _line(canvas, scene, item)
            case Fill():
                _fill(canvas, scene, item)
            case Text():
                _text(canvas, scene, item)
    canvas.restoreState()


def _grid(canvas: Canvas, scene: Scene) -> None:
    """Draw the paper."""
    style, height = scene.style, scene.plan.layout.height_mm
    x0, y0, x1, y1 = scene.plan.grid
    if style.paper != "#ffffff":
        canvas.setFillColor(style.paper)
        canvas.rect(0, 0, scene.plan.layout.width_mm, height, stroke=0, fill=1)
    for pitch, width, colour in (
        (1.0, style.small_mm, style.small_line),
        (LARGE_MM, style.large_mm, style.large_line),
    ):
        if width > 0:
            canvas.setStrokeColor(colour)
            canvas.setLineWidth(width)
            xs = np.arange(x0, x1 + pitch / 2, pitch).tolist()
            ys = (height - np.arange(y0, y1 + pitch / 2, pitch)).tolist()
            lines = [(x, height - y0, x, height - y1) for x in xs]
            canvas.lines([*lines, *((x0, y, x1, y) for y in ys)])


def _line(canvas: Canvas, scene: Scene, line: Line) -> None:
    """Draw a line; a tracing ends at the edge of the ruled area."""
    height = scene.plan.layout.height_mm
    canvas.saveState()
    if line.tracing:
        x0, y0, x1, y1 = scene.plan.grid
        area = canvas.beginPath()
        area.rect(x0, height - y1, x1 - x0, y1 - y0)
        canvas.clipPath(area, stroke=0, fill=0)
    canvas.setStrokeColor(line.colour)
    canvas.setLineWidth(line.width_mm)
    path = canvas.beginPath()
    points = thinned(line.points).round(3).tolist()
    path.moveTo(points[0][0], height - points[0][1])
    for x, y in points[1:] or points:
        path.lineTo(x, height - y)
    canvas.drawPath(path, stroke=1, fill=0)
    canvas.restoreState()


def _fill(canvas: Canvas, scene: Scene, fill: Fill) -> None:
    """Draw a box."""
    x0, y0, x1, y1 = fill.box
    canvas.saveState()
    canvas.setFillColor(fill.colour)
    canvas.setFillAlpha(fill.opacity)
    low = scene.plan.layout.height_mm - y1
    if fill.radius_mm:
        canvas.roundRect(x0, low, x1 - x0, y1 - y0, fill.radius_mm, stroke=0, fill=1)
    else:
        canvas.rect(x0, low, x1 - x0, y1 - y0, stroke=0, fill=1)
    canvas.restoreState()


def _text(canvas: Canvas, scene: Scene, text: Text) -> None:
    """Draw a text."""
    canvas.setFont(BOLD if text.bold else FONT, text.size_mm)
    canvas.setFillColor(text.colour)
    draw = {
        "start": canvas.drawString,
        "middle": canvas.drawCentredString,
        "end": canvas.drawRightString,
    }[text.anchor]
    draw(text.x, scene.plan.layout.height_mm - text.y, text.text)
