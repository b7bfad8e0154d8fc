"""Write a scene as a small SVG that needs nothing else."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.render.layout import LARGE_MM
from ecg_llm.render.scene import Fill, Group, Item, Line, Scene, Text, printable, thinned

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS_PER_MM = 100
"""All numbers in the file are whole hundredths of a millimetre."""


def to_svg(scene: Scene, *, title: str = "", prefix: str = "ecg") -> str:
    """Write a scene as SVG.

    Parameters
    ----------
    scene : Scene
        What to draw.
    title : str
        What a reader who cannot see it is told; the leads shown by default.
    prefix : str
        Begins every id, so that several drawings can stand in one HTML page.

    Returns
    -------
    str
        One ``<svg>`` element with its true size in mm. Evidence marks are groups of class ``mark``
        with their label in ``data-mark``.
    """
    layout = scene.plan.layout
    width, height = _u(layout.width_mm), _u(layout.height_mm)
    if not title:
        leads = dict.fromkeys(place.lead for place in scene.plan.places if place.recorded)
        title = f"ECG, leads {', '.join(leads)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ecg" role="img" '
        f'aria-labelledby="{prefix}-title" width="{layout.width_mm:g}mm" '
        f'height="{layout.height_mm:g}mm" viewBox="0 0 {width} {height}" '
        'font-family="DejaVu Sans, Verdana, Arial, sans-serif">',
        f'<title id="{prefix}-title">{_escape(title)}</title>',
        *_paper(scene, prefix),
        *(part for item in scene.items for part in _item(item, prefix)),
        "</svg>",
    ]
    return "\n".join(parts)


def path_data(points: npt.NDArray[np.float64]) -> str:
    """Write a line as path data, leaving out the samples that change nothing.

    Parameters
    ----------
    points : np.ndarray, shape (n, 2), mm
        The line.

    Returns
    -------
    str
        In hundredths of a millimetre.

    Examples
    --------
    >>> path_data(np.array([[0, 0], [1, 0], [2, 0], [3, 1.5], [4, 0]]))
    'M0 0l200 0 100 150 100-150'
    """
    whole = np.rint(thinned(points) * UNITS_PER_MM).astype(np.int64)
    steps = np.diff(whole, axis=0)
    steps = steps[np.any(steps != 0, axis=1)]
    numbers = " ".join(map(str, steps.ravel().tolist())).replace(" -", "-")
    x, y = whole[0].tolist()
    # A single sample is a dot: round caps draw a line of no length.
    return f"M{x} {y}l{numbers or '0 0'}"


def _u(mm: float) -> int:
    """Give a length in the units of the file."""
    return round(mm * UNITS_PER_MM)


def _paper(scene: Scene, prefix: str) -> Iterator[str]:
    """Draw paper and grid as two repeated tiles, and name the ruled area for clipping."""
    style, layout = scene.style, scene.plan.layout
    x0, y0, x1, y1 = (_u(v) for v in scene.plan.grid)
    box = f'x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}"'
    yield (
        f'<defs><clipPath id="{prefix}-grid"><rect {box}/></clipPath>'
        + _tile(f"{prefix}-s", 1.0, style.small_mm, style.small_line, x0, y0)
        + _tile(f"{prefix}-l", LARGE_MM, style.large_mm, style.large_line, x0, y0)
        + "</defs>"
    )
    w, h = _u(layout.width_mm), _u(layout.height_mm)
    yield f'<rect width="{w}" height="{h}" fill="{style.paper}"/>'
    if style.small_mm:
        yield f'<rect {box} fill="url(#{prefix}-s)"/>'
    if style.large_mm:
        width = _u(style.large_mm)
        yield f'<rect {box} fill="url(#{prefix}-l)"/>'
        # The tiles leave half of the last lines out.
        yield f'<rect {box} fill="none" stroke="{style.large_line}" stroke-width="{width}"/>'


def _tile(name: str, pitch_mm: float, line_mm: float, colour: str, x0: int, y0: int) -> str:
    """Give one repeated tile: a cross whose lines meet the edges of its neighbours."""
    n, half = _u(pitch_mm), _u(pitch_mm / 2)
    return (
        f'<pattern id="{name}" x="{x0 - half}" y="{y0 - half}" width="{n}" height="{n}" '
        f'patternUnits="userSpaceOnUse"><path d="M{half} 0v{n}M0 {half}h{n}" '
        f'stroke="{colour}" stroke-width="{_u(line_mm)}"/></pattern>'
    )


def _item(item: Item, prefix: str) -> Iterator[str]:
    """Write one thing."""
    match item:
        case Group():
            # The name is told once, on the part with the number.
            tagged = any(isinstance(part, Text) for part in item.items)
            title = f"<title>{_escape(item.title)}</title>" if tagged else ""
            kind = "mark " + ("tag" if tagged else "shade") + (" quiet" if item.quiet else "")
            # Without the style sheet of a document nothing would hide it.
            hidden = ' display="none"' if item.quiet else ""
            yield f'<g class="{kind}" data-mark="{_escape(item.key)}"{hidden}>{title}'
            for part in item.items:
                yield from _item(part, prefix)
            yield "</g>"
        case Line():
            clip = f' clip-path="url(#{prefix}-grid)"' if item.tracing else ""
            yield (
                f'<path d="{path_data(item.points)}" fill="none" stroke="{item.colour}" '
                f'stroke-width="{_u(item.width_mm)}" stroke-linejoin="round" '
                f'stroke-linecap="round"{clip}/>'
            )
        case Fill():
            x0, y0, x1, y1 = (_u(v) for v in item.box)
            round_ = f' rx="{_u(item.radius_mm)}"' if item.radius_mm else ""
            thin = f' fill-opacity="{item.opacity:g}"' if item.opacity < 1 else ""
            yield (
                f'<rect x="{x0}" y="{y0}" width="{max(x1 - x0, 1)}" height="{y1 - y0}" '
                f'fill="{item.colour}"{round_}{thin}/>'
            )
        case Text():
            anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
            bold = ' font-weight="bold"' if item.bold else ""
            yield (
                f'<text x="{_u(item.x)}" y="{_u(item.y)}" font-size="{_u(item.size_mm)}" '
                f'fill="{item.colour}"{anchor}{bold}>{_escape(item.text)}</text>'
            )


def _escape(text: str) -> str:
    """Make any text safe inside an element or attribute."""
    return html.escape(printable(text))
