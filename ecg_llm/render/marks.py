"""Evidence on the tracing: which stretch of which lead a statement rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ecg_llm.errors import ConfigError
from ecg_llm.render.scene import Fill, Group, Line, Text, text_mm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecg_llm.render.layout import Box, LeadPlace, PagePlan
    from ecg_llm.render.style import MarkRole, PaperStyle

TAG_MM = 3.0
"""Height of the numbered tag."""
LABEL_MM = (9.0, 5.4)
"""Room that the name of a lead takes at the top left of its cell."""


@dataclass(frozen=True, kw_only=True)
class EvidenceMark:
    """One stretch of the tracing that a statement rests on.

    Attributes
    ----------
    lead : str or None
        None: read from all leads together.
    from_s, to_s : float, s
        Its limits, in the record's time.
    label : str
        Number or short text on its tag.
    role : {"critical", "abnormal", "information"}
        Decides its colour.
    description : str
        What it shows, for the reader who points at it or cannot see it.
    quiet : bool
        Only an SVG holds it, hidden until it is asked for; other pages leave it out.
    """

    lead: str | None
    from_s: float
    to_s: float
    label: str
    role: MarkRole = "abnormal"
    description: str = ""
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse a stretch that has no place on a time axis."""
        if not (math.isfinite(self.from_s) and math.isfinite(self.to_s)):
            raise ConfigError(f"Mark {self.label!r} needs finite times.")
        if self.to_s < self.from_s:
            raise ConfigError(
                f"Mark {self.label!r} ends at {self.to_s:g} s, before it begins at "
                f"{self.from_s:g} s."
            )


@dataclass(frozen=True, kw_only=True)
class MarkPlace:
    """A mark in one cell of the page.

    Attributes
    ----------
    mark : EvidenceMark
        What is marked.
    box : tuple of float, mm
        The shaded part.
    tag_box : tuple of float, mm
        Where its number stands.
    starts, ends : bool
        Whether its onset and its offset lie in this cell.
    """

    mark: EvidenceMark
    box: Box
    tag_box: Box
    starts: bool
    ends: bool

    def shade(self, style: PaperStyle) -> Group:
        """Give what lies under the tracing."""
        colour: str = getattr(style, self.mark.role)
        return self._group(Fill(box=self.box, colour=colour, opacity=0.17))

    def tag(self, style: PaperStyle) -> Group:
        """Give what lies over it: ticks at onset and offset, and the number."""
        colour: str = getattr(style, self.mark.role)
        x0, y0, x1, y1 = self.box
        items: list[Line | Fill | Text] = []
        for x, there in ((x0, self.starts), (x1, self.ends)):
            if there:
                for a, b in ((y0, y0 + 2.2), (y1 - 2.2, y1)):
                    points = np.array([[x, a], [x, b]])
                    items.append(Line(points=points, colour=colour, width_mm=0.3))
        tx0, ty0, tx1, ty1 = self.tag_box
        items.append(Fill(box=self.tag_box, colour=colour, radius_mm=TAG_MM / 3))
        items.append(
            Text(
                x=(tx0 + tx1) / 2,
                y=(ty0 + ty1) / 2 + 0.8,
                text=self.mark.label,
                size_mm=2.2,
                colour="#ffffff",
                bold=True,
                anchor="middle",
            )
        )
        return self._group(*items)

    def _group(self, *items: Line | Fill | Text) -> Group:
        """Bind things to this mark."""
        where = self.mark.lead or "all leads"
        title = f"{self.mark.label}: {where}, {self.mark.from_s:.2f}–{self.mark.to_s:.2f} s"
        if self.mark.description:
            title += f". {self.mark.description}"
        return Group(key=self.mark.label, title=title, items=items, quiet=self.mark.quiet)


def place_marks(
    plan: PagePlan, marks: Sequence[EvidenceMark]
) -> tuple[tuple[MarkPlace, ...], tuple[EvidenceMark, ...]]:
    """Find where marks lie on a page.

    A mark of one lead lies in every cell of that lead which shows its time. A mark of all leads
    lies on the rhythm strips; on a page without strips, in every cell.

    Parameters
    ----------
    plan : PagePlan
        The page.
    marks : sequence of EvidenceMark
        In order of importance: where tags would overlap, later ones move down.

    Returns
    -------
    shown : tuple of MarkPlace
        Often several for a mark.
    hidden : tuple of EvidenceMark
        Those whose lead or time is not on the page.
    """
    shown: list[MarkPlace] = []
    hidden: list[EvidenceMark] = []
    strips = [place for place in plan.places if place.strip]
    for mark in marks:
        if mark.lead is None:
            cells = strips or list(plan.places)
        else:
            cells = [p for p in plan.places if p.lead == mark.lead and p.recorded]
        cells = [p for p in cells if p.from_s <= mark.to_s and mark.from_s <= p.to_s]
        # A stretch that only touches the edge of a cell is seen in its neighbour.
        inside = [p for p in cells if mark.from_s < p.to_s and p.from_s < mark.to_s]
        cells = inside or cells[:1]
        for place in cells:
            # A quiet mark is seen alone, so its tag needs to make way for none.
            others = [] if mark.quiet else [other.tag_box for other in shown]
            shown.append(_put(place, mark, others))
        if not cells:
            hidden.append(mark)
    return tuple(shown), tuple(hidden)


def _put(place: LeadPlace, mark: EvidenceMark, taken: list[Box]) -> MarkPlace:
    """Fit a mark into a cell, its tag clear of the others."""
    _, top, _, bottom = place.box
    x0 = place.x(max(mark.from_s, place.from_s))
    x1 = place.x(min(mark.to_s, place.to_s))
    half = (text_mm(mark.label, 2.2, bold=True) + 1.6) / 2
    centre = min(max((x0 + x1) / 2, place.box[0] + half), place.box[2] - half)
    # The name of the lead stands at the left; what is marked there is marked below it.
    free = min(x0, centre - half) > place.box[0] + LABEL_MM[0]
    y = top + (0.8 if free else LABEL_MM[1])
    tag = (centre - half, y, centre + half, y + TAG_MM)
    while any(_overlap(tag, other) for other in taken) and tag[3] < bottom:
        tag = (tag[0], tag[1] + TAG_MM + 0.4, tag[2], tag[3] + TAG_MM + 0.4)
    return MarkPlace(
        mark=mark,
        box=(x0, y, x1, bottom - 0.8),
        tag_box=tag,
        starts=mark.from_s >= place.from_s,
        ends=mark.to_s <= place.to_s,
    )


def _overlap(a: Box, b: Box) -> bool:
    """Tell whether two boxes share any area."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
