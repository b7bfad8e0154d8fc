"""Where each lead lies on the page, in exact millimetres or pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12

if TYPE_CHECKING:
    import numpy.typing as npt

    from ecg_llm.record import ECGRecord

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

LARGE_MM = 5.0
"""Pitch of the large grid; the small one is 1 mm."""
CALIBRATION_S = 0.2
"""Length of the 1 mV calibration pulse."""
RHYTHM_ORDER = ("II", "V1", "V5", "I")
"""Which lead takes the place of a rhythm lead that is missing."""

ROWS_3X4 = (
    ("I", "aVR", "V1", "V4"),
    ("II", "aVL", "V2", "V5"),
    ("III", "aVF", "V3", "V6"),
)
ROWS_6X2 = tuple(zip(STANDARD_12[:6], STANDARD_12[6:], strict=True))
ROWS_12X1 = tuple((lead,) for lead in STANDARD_12)


@dataclass(frozen=True, kw_only=True)
class LeadPlace:
    """One cell of the page and the exact way between (time, voltage) and (x, y).

    Lengths are in the unit of the page it belongs to: mm in a `PagePlan`, pixels in a
    `ecg_llm.render.page.Page`. There a whole number names the centre of a pixel, and y grows
    downwards.

    Attributes
    ----------
    lead : str
        Name of the lead.
    strip : bool
        Whether it is a rhythm strip.
    recorded : bool
        Whether the record has this lead.
    row, column : int
        Its cell, counted from the top left.
    box : tuple of float
        Left, top, right and bottom of the cell; a large wave may leave it upwards or downwards.
    baseline_y : float
        Where ``offset_mv`` lies.
    per_s, per_mv : float
        Length of a second and of a millivolt.
    from_s, to_s : float, s
        Times at the left and right edge.
    offset_mv : float, mV
        What was taken off the voltages so that the tracing lies on its baseline.
    first, stop : int
        The samples drawn are ``row[first:stop]``.
    """

    lead: str
    strip: bool
    recorded: bool
    row: int
    column: int
    box: Box
    baseline_y: float
    per_s: float
    per_mv: float
    from_s: float
    to_s: float
    offset_mv: float
    first: int
    stop: int

    def x(self, t_s: float) -> float:
        """Give the horizontal place of a time."""
        return self.box[0] + (t_s - self.from_s) * self.per_s

    def y(self, mv: float) -> float:
        """Give the vertical place of a voltage."""
        return self.baseline_y - (mv - self.offset_mv) * self.per_mv

    def t_s(self, x: float) -> float:
        """Give the time at a horizontal place."""
        return self.from_s + (x - self.box[0]) / self.per_s

    def mv(self, y: float) -> float:
        """Give the voltage at a vertical place."""
        return self.offset_mv + (self.baseline_y - y) / self.per_mv

    def points(self, record: ECGRecord) -> npt.NDArray[np.float64]:
        """Give the place of every sample drawn, [n, 2]; y is NaN where the sample is missing."""
        index = np.arange(self.first, self.stop)
        out = np.empty((len(index), 2))
        out[:, 0] = self.box[0] + (index / record.fs - self.from_s) * self.per_s
        values = record.row(self.lead)[self.first : self.stop].astype(np.float64)
        out[:, 1] = self.baseline_y - (values - self.offset_mv) * self.per_mv
        return out

    def scaled(self, factor: float, shift: float = 0.0) -> LeadPlace:
        """Give the same place in another unit: each coordinate times ``factor``, plus ``shift``."""
        x0, y0, x1, y1 = (v * factor + shift for v in self.box)
        return replace(
            self,
            box=(x0, y0, x1, y1),
            baseline_y=self.baseline_y * factor + shift,
            per_s=self.per_s * factor,
            per_mv=self.per_mv * factor,
        )


@dataclass(frozen=True, kw_only=True)
class PagePlan:
    """A page laid out for one record, in mm from the top left corner.

    Attributes
    ----------
    layout : PageLayout
        What it follows.
    grid : tuple of float, mm
        Left, top, right and bottom of the ruled area, a whole number of large squares each way.
    places : tuple of LeadPlace
        Row by row; rhythm strips last.
    simultaneous : bool
        Whether all columns show the same stretch.
    extra_leads : tuple of str
        Leads of the record that are not on the page.
    """

    layout: PageLayout
    grid: Box
    places: tuple[LeadPlace, ...]
    simultaneous: bool
    extra_leads: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PageLayout:
    """How leads, time and voltage are laid out on a page; it places a record."""

    rows: tuple[tuple[str, ...], ...] = ROWS_3X4
    """Leads by row and column."""
    rhythm: tuple[str, ...] = ("II",)
    """Leads shown over the full width below."""
    speed_mm_s: float = 25.0
    """Paper speed."""
    gain_mm_mv: float = 10.0
    """Height of a millivolt; a record that does not tell its gain is fitted to the rows."""
    seconds: float = 10.0
    """Time the full width covers, if the page is wide enough."""
    from_s: float = 0.0
    """Where in the record the page begins."""
    columns: Literal["auto", "consecutive", "simultaneous"] = "auto"
    """Whether columns follow each other in time; ``auto``: if the record is long enough."""
    centred: bool = True
    """Whether the median of each stretch lies on its baseline; else 0 mV does."""
    width_mm: float = 297.0
    """Page width; A4 across is the standard."""
    height_mm: float = 210.0
    """Page height."""
    margin_mm: float = 6.0
    """Least distance from the edge."""
    header_mm: float = 21.0
    """Height left for title and fields."""
    footer_mm: float = 8.0
    """Height left for the time axis and the settings."""
    title: str | None = None
    """Heading; None takes the name of the record."""
    fields: tuple[str, ...] = ()
    """Short texts in the header: ``Rate 72 bpm``, ``PR 160 ms``."""
    calibration: bool = True
    """Whether each row begins with a 1 mV pulse."""
    lead_labels: bool = True
    """Whether the names of the leads are printed."""
    separators: bool = True
    """Whether a short bar stands where one column ends and the next begins."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot be drawn."""
        for name in ("speed_mm_s", "gain_mm_mv", "seconds", "width_mm", "height_mm"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"PageLayout.{name} is {value}; a positive number is needed.")
        for name in ("from_s", "margin_mm", "header_mm", "footer_mm"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"PageLayout.{name} is {value}; 0 or more is needed.")
        if len({len(row) for row in self.rows}) > 1 or not (self.rows or self.rhythm):
            raise ConfigError("PageLayout.rows needs one or more rows with equally many leads.")
        x0, y0, x1, y1 = self._grid()
        if x1 - x0 < 50 or y1 - y0 < 20:
            raise ConfigError(
                f"A page of {self.width_mm:g} x {self.height_mm:g} mm leaves "
                f"{max(x1 - x0, 0):g} x {max(y1 - y0, 0):g} mm for the grid; 50 x 20 mm is the "
                "least. Use a larger page or smaller margins."
            )

    def place(self, record: ECGRecord) -> PagePlan:
        """Lay a record out, of any leads and any length beyond the page's beginning."""
        if self.from_s >= record.duration_s:
            raise ConfigError(
                f"{record.source}: the page begins at {self.from_s:g} s but the record ends at "
                f"{record.duration_s:g} s; choose an earlier beginning."
            )
        grid = self._grid()
        pulse_mm = CALIBRATION_S * self.speed_mm_s + 5.0 if self.calibration else 5.0
        free_mm = grid[2] - grid[0] - pulse_mm
        trace_mm = min(self.seconds * self.speed_mm_s, free_mm)
        # A whole number of large squares keeps the first sample on a heavy line.
        spare = (free_mm - trace_mm) / 2 // LARGE_MM * LARGE_MM
        left = grid[0] + math.ceil(pulse_mm / LARGE_MM) * LARGE_MM + spare
        left = min(left, grid[2] - trace_mm)

        n_columns = len(self.rows[0]) if self.rows else 1
        column_s = trace_mm / self.speed_mm_s / n_columns
        left_s = record.duration_s - self.from_s
        # Half a column without signal is a short record; more would leave whole leads unseen.
        enough = left_s >= (n_columns - 0.5) * column_s
        simultaneous = n_columns > 1 and (
            self.columns == "simultaneous" or (self.columns == "auto" and not enough)
        )
        strips = _present_rhythm(self.rhythm, record)
        lines = [*self.rows, *((lead,) for lead in strips)]
        pitch = (grid[3] - grid[1]) / len(lines)
        gain = self.gain_mm_mv if record.calibrated else _fitting_gain(record, pitch)
        # In low rows more room above keeps R waves and the pulse out of the row before.
        share = 0.5 if pitch > 2 * self.gain_mm_mv else 0.7
        places = []
        for r, line in enumerate(lines):
            top = grid[1] + r * pitch
            baseline = grid[1] + math.floor((r + share) * pitch + 0.5)
            width = trace_mm / len(line)
            for c, lead in enumerate(line):
                from_s = self.from_s + (0.0 if simultaneous else c * width / self.speed_mm_s)
                box = (left + c * width, top, left + (c + 1) * width, top + pitch)
                strip = r >= len(self.rows)
                if not strip and record.origin == "page":
                    from_s = _drawn_from(record, lead, from_s, column_s)
                places.append(self._place(record, lead, strip, (r, c), box, baseline, from_s, gain))
        shown = {place.lead for place in places}
        return PagePlan(
            layout=self,
            grid=grid,
            places=tuple(places),
            simultaneous=simultaneous,
            extra_leads=tuple(lead for lead in record.leads if lead not in shown),
        )

    def _grid(self) -> Box:
        """Give the ruled area: whole large squares, centred across."""
        width = (self.width_mm - 2 * self.margin_mm) // LARGE_MM * LARGE_MM
        top = self.margin_mm + self.header_mm
        free = self.height_mm - top - self.margin_mm - self.footer_mm
        left = (self.width_mm - width) / 2
        return left, top, left + width, top + free // LARGE_MM * LARGE_MM

    def _place(
        self,
        record: ECGRecord,
        lead: str,
        strip: bool,
        cell: tuple[int, int],
        box: Box,
        baseline: float,
        from_s: float,
        gain_mm_mv: float,
    ) -> LeadPlace:
        """Fit one lead into its cell."""
        to_s = from_s + (box[2] - box[0]) / self.speed_mm_s
        first = math.ceil(from_s * record.fs - 1e-6)
        # The sample on the right edge belongs to both neighbours, so that no pixel is left out.
        stop = math.floor(to_s * record.fs + 1e-6) + 1
        first, stop = min(first, record.n_samples), min(stop, record.n_samples)
        recorded = lead in record
        offset = 0.0
        if recorded and self.centred:
            values = record.row(lead)[first:stop]
            values = values[np.isfinite(values)]
            offset = float(np.median(values)) if len(values) else 0.0
        return LeadPlace(
            lead=lead,
            strip=strip,
            recorded=recorded,
            row=cell[0],
            column=cell[1],
            box=box,
            baseline_y=baseline,
            per_s=self.speed_mm_s,
            per_mv=gain_mm_mv,
            from_s=from_s,
            to_s=to_s,
            offset_mv=offset,
            first=first,
            stop=stop,
        )


LAYOUTS: dict[str, PageLayout] = {
    "3x4": PageLayout(rhythm=()),
    "3x4+1": PageLayout(),
    "3x4+3": PageLayout(rhythm=("V1", "II", "V5")),
    "6x2": PageLayout(rows=ROWS_6X2, rhythm=()),
    "12x1": PageLayout(rows=ROWS_12X1, rhythm=()),
}
"""Layouts by name; ``3x4+1`` is the standard."""

STANDARD = LAYOUTS["3x4+1"]


def _present_rhythm(wanted: tuple[str, ...], record: ECGRecord) -> tuple[str, ...]:
    """Replace rhythm leads that were not recorded by others that were."""
    chosen = [lead for lead in wanted if lead in record]
    others = [lead for lead in (*RHYTHM_ORDER, *record.leads) if lead in record]
    for lead in others:
        if len(chosen) < len(wanted) and lead not in chosen:
            chosen.append(lead)
    return tuple(chosen)


def _drawn_from(record: ECGRecord, lead: str, from_s: float, column_s: float) -> float:
    """Give where a page that was read shows a lead, if it shows no more of it than fits here."""
    drawn = np.flatnonzero(np.isfinite(record.row(lead))) if lead in record else np.zeros(0)
    # A lead that was a rhythm strip as well is shown beside its column.
    short = 0 < len(drawn) <= 1.5 * column_s * record.fs
    return float(drawn[0]) / record.fs if short else from_s


def _fitting_gain(record: ECGRecord, pitch_mm: float) -> float:
    """Choose one height for a record of unknown gain, so that its largest lead fills a row."""
    values = record.signal[np.isfinite(record.signal).any(axis=1)]
    if not values.size:
        return 1.0
    low, high = np.nanpercentile(values, [0.2, 99.8], axis=1)
    span = float((high - low).max())
    return pitch_mm * 0.8 / span if span > 0 else 1.0
