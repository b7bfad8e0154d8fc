"""From the image of a page to the leads drawn on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from ecg_llm.errors import RecordError
from ecg_llm.leads import STANDARD_12
from ecg_llm.page.decode import Image
from ecg_llm.page.layout import Layout, find_layout
from ecg_llm.page.net import LONG_PX, Sight, look
from ecg_llm.page.paper import Paper, find_paper
from ecg_llm.page.pulse import USUAL_GAIN, pulse_gain
from ecg_llm.page.rows import SAMPLES_MM, Row, follow_rows
from ecg_llm.page.ruling import held_by_ruling
from ecg_llm.page.speed import told_speed
from ecg_llm.page.upright import straightened

Floats = npt.NDArray[np.float64]

USUAL_SPEED = 25.0
_USUAL_S, _NEARLY = 10.0, 0.06
"""What the width of a page shows, and how far from that it may be, as a logarithm."""
_EDGE_MM = 0.6
"""Left out on both sides of a column's edge, where the next lead begins."""
_LEAST_LEAD_S = 1.0
"""A lead of which less is seen is left out: the encoder would not look at it."""
_LEAST_LEADS = 2
_UPRIGHT = 0.008
"""Of the page's vertical: less is none."""
_TURNS = (2, 1, 3)
"""Quarters by which a page whose names cannot be read is turned."""
_FALLS = 0.03
"""Rows that fall by so much show that the page was not straightened."""
_LIKE = 0.7
"""Correlation of II with I + III below which something was misread."""
_NAMED_IF_TURNED = 6
"""Lead names that must agree then, and more than do not."""
_FILLS = 0.82
"""Of the picture's long side: a page that fills less is looked at again, closer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PageReading:
    """What was read from a page.

    Attributes
    ----------
    fs : float, Hz
        Samples a second.
    leads : dict of str to np.ndarray, shape (n,), mV
        By name, all of the page's length; NaN where a lead is not drawn.
    layout : Layout
        What stood where.
    paper : Paper
        How the paper lay.
    speed_mm_s, gain_mm_mv : float
        Paper speed, told from the tracings, and height of a millivolt.
    pulse_seen : bool
        Whether a calibration pulse told the height; else the usual one is taken.
    agreement : float or None
        Correlation of II with I + III where all three are drawn at one time.
    fall : float
        By which the rows fall along the page, in the middle: none, where it lies straight.
    turned_deg : int, degrees
        By how much the picture was turned to the left, as it did not stand upright.
    """

    fs: float
    leads: dict[str, Floats]
    layout: Layout
    paper: Paper
    speed_mm_s: float
    gain_mm_mv: float
    pulse_seen: bool
    agreement: float | None
    fall: float
    turned_deg: int = 0

    @property
    def calibrated(self) -> bool:
        """Whether voltages hold: the ruling was seen, or a pulse beside the tracings."""
        return self.paper.grid_seen or self.pulse_seen

    def notes(self) -> tuple[str, ...]:
        """Say in plain words what was read and assumed.

        Returns
        -------
        tuple of str
        """
        drawn = [lead for lead in STANDARD_12 if lead in self.leads]
        told = [
            f"Read from an image of a page: layout {self.layout.name}, {len(drawn)} leads, "
            f"{self.layout.named} printed lead names agree"
            + (f", {self.layout.against} do not" if self.layout.against else "")
            + "."
        ]
        told.append(
            f"Paper speed by the shape of the tracings: {self.speed_mm_s:g} mm/s. "
            + (
                f"Calibration pulse: {self.gain_mm_mv:g} mm/mV."
                if self.pulse_seen
                else f"No calibration pulse was found; {self.gain_mm_mv:g} mm/mV are assumed."
            )
        )
        if not self.paper.grid_seen:
            told.append("No ruling was found; the scale is estimated from the page as a whole.")
        if self.turned_deg:
            told.append(f"The picture was turned by {self.turned_deg}°.")
        missing = [lead for lead in STANDARD_12 if lead not in self.leads]
        if missing:
            told.append(f"Not found on the page: {', '.join(missing)}.")
        if self.agreement is not None and self.agreement < _LIKE:
            told.append(
                "Lead II does not look like the sum of I and III; a tracing or a name may have "
                "been misread."
            )
        return tuple(told)


def read_page(image: Image, label: str = "<memory>") -> PageReading:
    """Read the tracings of a page.

    Parameters
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Red, green, blue; turned or in perspective, as it was taken.
    label : str
        Its name, for errors.

    Returns
    -------
    PageReading

    Raises
    ------
    RecordError
        If no ECG can be read from it; the message says what was missing.
    """
    upright = straightened(image)
    try:
        reading = _read(upright, label)
        return reading if upright is image else _straighter(image, reading, label)
    except _UnnamedError as unnamed:
        as_it_came = [] if upright is image else [(0, image)]
        for quarters, picture in (*as_it_came, *((k, upright) for k in _TURNS)):
            turned = np.ascontiguousarray(np.rot90(picture, quarters))
            try:
                reading = _read(turned, label)
            except RecordError:
                continue
            if reading.layout.named >= _NAMED_IF_TURNED > reading.layout.against:
                return replace(reading, turned_deg=90 * quarters)
        raise unnamed


def _straighter(image: Image, reading: PageReading, label: str) -> PageReading:
    """Read the picture as it came, too, if straightened it reads badly: other lines had misled."""
    if abs(reading.fall) < _FALLS and _agrees(reading) >= _LIKE:
        return reading
    try:
        other = _read(image, label)
    except RecordError:
        return reading
    return max(reading, other, key=lambda one: (one.paper.grid_seen, _agrees(one)))


def _agrees(reading: PageReading) -> float:
    return 1.0 if reading.agreement is None else reading.agreement


class _UnnamedError(RecordError):
    """Tracings whose names cannot be read: the picture may stand on its head."""


def _read(image: Image, label: str) -> PageReading:
    """Read a page as it stands."""
    sight = look(image)
    closer = _closer(image, sight)
    return read_sight(sight if closer is None else look(closer), label)


def _closer(image: Image, sight: Sight) -> Image | None:
    """Cut out the page where it fills little of the picture, so that it is seen larger."""
    ink = sight.trace > 0.5
    if ink.sum() < 200:
        return None
    scale = max(image.shape[:2]) / LONG_PX
    spans = []
    for axis in (0, 1):
        there = np.flatnonzero(ink.sum(axis=axis) > 0)
        low, high = (float(v) * scale for v in np.quantile(there, [0.005, 0.995]))
        spare = 0.06 * (high - low) + 40 * scale
        spans.append((max(int(low - spare), 0), min(int(high + spare), image.shape[1 - axis])))
    (x0, x1), (y0, y1) = spans
    if max(x1 - x0, y1 - y0) > _FILLS * max(image.shape[:2]):
        return None
    return np.ascontiguousarray(image[y0:y1, x0:x1])


def read_sight(sight: Sight, label: str) -> PageReading:
    """Read a page from what the net saw of it.

    Parameters
    ----------
    sight : Sight
        The net's maps.
    label : str
        Name of the image, for errors.

    Returns
    -------
    PageReading

    Raises
    ------
    RecordError
        As for `read_page`.
    """
    paper = find_paper(sight)
    paper = paper and held_by_ruling(paper, sight)
    rows = follow_rows(sight, paper) if paper else ()
    if paper is None or not rows:
        raise RecordError(
            f"{label}: no tracing of an ECG is to be seen; an upright scan or photograph of a "
            "12-lead page is needed, all of it in the picture and sharp."
        )
    layout = find_layout(sight, paper, rows)
    if layout is None:
        raise _UnnamedError(
            f"{label}: {len(rows)} rows of tracings, but the printed names of the leads cannot be "
            "read, so which lead is which is unknown; photograph the page closer, sharp and whole."
        )
    if abs(layout.slant) > _UPRIGHT:
        leaning = follow_rows(sight, paper, slant=layout.slant)
        rows = leaning if len(leaning) == len(rows) else rows
    pulse = pulse_gain(sight, paper, rows)
    gain = pulse or USUAL_GAIN
    speed = told_speed(rows) or USUAL_SPEED
    fs = SAMPLES_MM * speed
    leads = _leads(rows, layout, gain, ruled=paper.grid_seen, speed=speed)
    drawn = {
        lead: row for lead, row in leads.items() if np.isfinite(row).sum() > _LEAST_LEAD_S * fs
    }
    if len(drawn) < _LEAST_LEADS:
        raise RecordError(
            f"{label}: only {', '.join(drawn) or 'pieces of leads'} can be read; at least "
            f"{_LEAST_LEADS} leads are needed. Photograph the whole page."
        )
    return PageReading(
        fs=fs,
        leads={lead: drawn[lead] for lead in STANDARD_12 if lead in drawn},
        layout=layout,
        paper=paper,
        speed_mm_s=speed,
        gain_mm_mv=gain,
        pulse_seen=pulse is not None,
        agreement=_agreement(drawn),
        fall=float(np.median([row.slope for row in rows])),
    )


def _leads(
    rows: tuple[Row, ...], layout: Layout, gain: float, *, ruled: bool, speed: float
) -> dict[str, Floats]:
    """Cut the rows into leads on one time axis; a rhythm strip replaces its lead's short piece.

    Where the ruling was seen, it tells how much time lies between two places better than the edges
    of the columns do. Elsewhere a page that is about ten seconds wide is ten seconds wide.
    """
    edges = np.array(layout.edges_mm)  # [rows, columns + 1]
    usual = float(np.diff(edges, axis=1).mean())
    steps: Floats = np.arange(edges.shape[1], dtype=np.float64) * usual
    stretch = _USUAL_S * speed / (usual * layout.n_columns)
    if ruled or abs(np.log(stretch)) > _NEARLY:
        stretch = 1.0
    begins = (edges - steps).mean() + (_lean(rows, layout) if ruled else np.zeros(len(rows)))
    pieces: list[tuple[str, bool, Floats, Floats]] = []
    for r, (row, names, strip) in enumerate(zip(rows, layout.cells, layout.strips, strict=True)):
        whole = strip or layout.n_columns == 1
        gap = 0.0 if whole else _EDGE_MM
        for c, name in enumerate(names):
            to = row.last_mm if whole else edges[r, c + 1] - gap
            places, values = row.between(edges[r, 0 if whole else c] + gap, to)
            if name and np.isfinite(values).sum() > 1:
                at = places - begins[r] if ruled else _evened(places, edges[r], steps)
                pieces.append((name, strip, stretch * at, values))
    longest = [at[-1] for _, strip, at, _ in pieces if strip or layout.n_columns == 1]
    total = max([*longest, stretch * steps[-1] if layout.n_columns > 1 else 0.0])
    grid = np.arange(int(total * SAMPLES_MM) + 1) / SAMPLES_MM
    leads: dict[str, Floats] = {}
    for name, strip, at, values in pieces:
        lead = name.removeprefix("-")
        if strip or lead not in leads:
            out = np.interp(grid, at, values, left=np.nan, right=np.nan)
            if np.isfinite(out).any():
                height = out - np.nanmedian(out)
                leads[lead] = height / (-gain if name.startswith("-") else gain)
    return leads


def _lean(rows: tuple[Row, ...], layout: Layout) -> Floats:
    """Give by how many mm each row lies farther right than the ruling tells.

    Paper whose ruling was printed beforehand may run askew: the rows' beginnings lean against its
    lines then, and beats do likewise.
    """
    down = np.array([row.at_mm for row in rows])
    lean: Floats = layout.slant * (down - down.mean())
    first = min(row.first_mm for row in rows) - 5.0
    grid = np.arange(first, max(row.last_mm for row in rows) + 5.0, 1 / SAMPLES_MM)

    def likeness(shifts: Floats) -> float:
        steep = []
        for row, shift in zip(rows, shifts, strict=True):
            places = row.first_mm - shift + np.arange(len(row.values)) / SAMPLES_MM
            line = np.interp(grid, places, np.nan_to_num(row.values), left=0.0, right=0.0)
            steep.append(np.minimum(gaussian_filter1d(np.abs(np.diff(line)), 3.0), 0.5))
        return float(np.corrcoef(steep).mean())

    return max(0 * lean, lean, key=likeness)


def _evened(places: Floats, edges: Floats, steps: Floats) -> Floats:
    """Bring places along a row to columns of one width; beyond them the last width goes on."""
    inner = np.interp(places, edges, steps)
    first = (steps[1] - steps[0]) / (edges[1] - edges[0])
    last = (steps[-1] - steps[-2]) / (edges[-1] - edges[-2])
    before, after = places < edges[0], places > edges[-1]
    inner[before] = steps[0] + (places[before] - edges[0]) * first
    inner[after] = steps[-1] + (places[after] - edges[-1]) * last
    return inner


def _agreement(leads: dict[str, Floats]) -> float | None:
    """Correlate II with I + III."""
    if not all(lead in leads for lead in ("I", "II", "III")):
        return None
    one, two, three = (leads[lead] for lead in ("I", "II", "III"))
    both = np.isfinite(one) & np.isfinite(two) & np.isfinite(three)
    if both.sum() < 100:
        return None
    total = one[both] + three[both]
    if total.std() == 0 or two[both].std() == 0:
        return None
    return float(np.corrcoef(two[both], total)[0, 1])


__all__ = ["LONG_PX", "PageReading", "Sight", "read_page", "read_sight"]
