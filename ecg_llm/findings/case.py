"""One measured record as the criteria ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ecg_llm.amplitudes import UNITS
from ecg_llm.leads import STANDARD_12
from ecg_llm.measure import Measurements
from ecg_llm.quality import Quality
from ecg_llm.record import ECGRecord
from ecg_llm.windows import BeatWindows, cut_beats

LABELS = {
    "heart_rate_bpm": "heart rate",
    "atrial_rate_bpm": "atrial rate",
    "rr_ms": "mean RR",
    "rr_min_ms": "shortest RR",
    "rr_max_ms": "longest RR",
    "rmssd_ms": "root mean square of successive RR differences",
    "rr_cv": "variation of RR",
    "p_ms": "P duration",
    "pr_ms": "PR interval",
    "qrs_ms": "QRS duration",
    "jt_ms": "JT interval",
    "p_global_ms": "P duration over all leads",
    "pr_global_ms": "PR interval over all leads",
    "qt_global_ms": "QT interval over all leads",
    "jt_global_ms": "JT interval over all leads",
    "qt_dispersion_ms": "range of QT over the leads",
    "qrs_global_ms": "QRS duration over all leads",
    "qt_ms": "QT interval",
    "qtc_fridericia_ms": "QTc (Fridericia)",
    "qtc_bazett_ms": "QTc (Bazett)",
    "p_axis_deg": "P axis",
    "qrs_axis_deg": "QRS axis",
    "t_axis_deg": "T axis",
    "p_mv": "P amplitude",
    "p_pos_mv": "P amplitude, upward part",
    "p_neg_mv": "P amplitude, downward part",
    "p_terminal_mv_ms": "P terminal force",
    "q_mv": "Q amplitude",
    "q_ms": "Q duration",
    "r_mv": "R amplitude",
    "r_ms": "R duration",
    "s_mv": "S amplitude",
    "s_ms": "S duration",
    "r2_mv": "R' amplitude",
    "r2_ms": "R' duration",
    "s2_mv": "S' amplitude",
    "s2_ms": "S' duration",
    "p_area_mv_ms": "P area",
    "qrs_area_mv_ms": "QRS area",
    "t_area_mv_ms": "T area",
    "qrs_max_mv": "tallest upward QRS deflection",
    "qrs_min_mv": "deepest downward QRS deflection",
    "r_peak_ms": "time to R peak",
    "notches": "notches in the QRS",
    "slur": "initial slope of the QRS",
    "st_j_mv": "ST at J",
    "st_j60_mv": "ST at J+60 ms",
    "st_j80_mv": "ST at J+80 ms",
    "st_slope_mv_s": "ST slope",
    "t_mv": "T amplitude",
    "t_pos_mv": "T amplitude, upward part",
    "t_neg_mv": "T amplitude, downward part",
}
"""The measured values in the field's words."""

_SPANS = {
    "p": ("p_on", "p_off"),
    "pr": ("p_on", "qrs_on"),
    "st": ("qrs_off", "t_on"),
    "t": ("t_on", "t_off"),
    "qt": ("qrs_on", "t_off"),
    "qtc": ("qrs_on", "t_off"),
    "jt": ("qrs_off", "t_off"),
}
PAGE_COLUMN_S = 2.5
"""What the standard page shows of a lead: column by column, from the start of what was judged."""
P_FREE_S = 0.02
"""Time from the end of T, which is not known better, to a P wave that stands free."""
_WHOLE_RECORD = ("heart", "atrial", "rr", "rmssd")
ABSENT_WAVES = ("q_mv", "q_ms", "r_mv", "r_ms", "s_mv", "s_ms", "r2_mv", "r2_ms", "s2_mv", "s2_ms")
"""Measures of waves that a QRS need not have: 0 where the wave is absent."""


def by_sex(male: float, female: float) -> dict[tuple[str, bool], float]:
    """Give the limits that `Case.limits` chooses from, the same at any age."""
    return {
        (sex, young): x
        for sex, x in (("male", male), ("female", female))
        for young in (True, False)
    }


@dataclass(frozen=True, eq=False)
class Case:
    """A record, its quality and its measurements, with what the criteria ask of them.

    Attributes
    ----------
    record : ECGRecord
        The signal, and age and sex if known.
    quality : Quality
        Which leads may be used.
    measurements : Measurements
        What was measured.
    """

    record: ECGRecord
    quality: Quality
    measurements: Measurements

    def value(self, name: str, lead: str | None = None) -> float | None:
        """Give a measured value, None if it is unknown.

        A Q, R or S wave that a readable QRS does not have counts as 0 mV and 0 ms here.
        """
        found = self.measurements.value(name, lead)
        if found is None and name in ABSENT_WAVES and lead is not None:
            readable = self.measurements.value("qrs_max_mv", lead) is not None
            return 0.0 if readable else None
        return found

    def reason(self, name: str, lead: str | None = None) -> str:
        """Say why a value is unknown."""
        if lead is None:
            quantity = self.measurements.values.get(name)
            return (quantity and quantity.reason) or f"{LABELS.get(name, name)} was not measured"
        if lead not in self.record.leads:
            return f"lead {lead} is missing"
        judged = self.quality.leads.get(lead)
        if judged is not None and not judged.usable:
            return f"lead {lead} cannot be read ({', '.join(judged.reasons) or 'quality'})"
        if lead not in self.measurements.leads:
            return f"lead {lead} was not measured"
        summary = self.measurements.leads[lead].summary.get(name)
        return (summary and summary.reason) or f"{LABELS.get(name, name)} unknown in lead {lead}"

    def describe(self, name: str, lead: str | None = None) -> tuple[str, str]:
        """Give a value's name in words and its unit."""
        if lead is None and name in self.measurements.values:
            return LABELS.get(name, name), self.measurements.values[name].unit
        return LABELS.get(name, name), UNITS.get(name, "")

    def span(self, name: str, lead: str | None = None) -> tuple[float | None, float | None]:
        """Tell where on the tracing a value can be seen: the wave of a representative beat.

        Of a lead, it is a beat that the standard page of three rows shows in that lead, if it can.

        None for values of the whole record.
        """
        wave = name.split("_")[0]
        if wave in _WHOLE_RECORD or not len(self.measurements.beats):
            return None, None
        first, last = _SPANS.get(wave, ("qrs_on", "qrs_off"))
        known = lead if lead in self.measurements.delineation.leads else None
        key = first, last, known
        if key not in self._spans:
            self._spans[key] = self._typical_span(*key)
        return self._spans[key]

    def _typical_span(
        self, first: str, last: str, lead: str | None
    ) -> tuple[float | None, float | None]:
        """Give the wave of the beat whose wave is of the middle length."""
        delineation = self.measurements.delineation
        start, stop = delineation.column(first, lead), delineation.column(last, lead)
        if first == "t_on":
            start = np.where(np.isfinite(start), start, delineation.column("qrs_off", lead))
        if last == "t_on":
            stop = np.fmin(stop, start + 0.10)
            stop = np.where(np.isfinite(stop), stop, start + 0.08)
        fits = np.isfinite(start) & np.isfinite(stop)
        if (fits & self.usual).any():
            fits &= self.usual
        if not fits.any():
            return None, None
        if lead in STANDARD_12:
            seen_s = self.measurements.from_s + PAGE_COLUMN_S * (STANDARD_12.index(lead) // 3)
            seen = fits & (start >= seen_s) & (stop <= seen_s + PAGE_COLUMN_S)
            fits = seen if seen.any() else fits
        length = stop - start
        middle = np.median(length[fits])
        k = int(np.argmin(np.where(fits, np.abs(length - middle), np.inf)))
        return round(float(start[k]), 3), round(float(stop[k]), 3)

    @cached_property
    def _spans(self) -> dict[tuple[str, str, str | None], tuple[float | None, float | None]]:
        """Spans found so far: the criteria ask for the same waves again and again."""
        return {}

    @cached_property
    def windows(self) -> BeatWindows:
        """The beats, cut out and aligned; there must be one."""
        return cut_beats(self.record, self.measurements.delineation)

    @cached_property
    def usual(self) -> npt.NDArray[np.bool_]:
        """The beats of the dominant morphology."""
        return np.array([beat.kind == "normal" for beat in self.measurements.beats], bool)

    @cached_property
    def p_on_t(self) -> bool:
        """Whether P begins where T ends, or in it: onset and direction are then T's, too."""
        delineation = self.measurements.delineation
        gap = delineation.column("p_on")[1:] - delineation.column("t_off")[:-1]
        gap = gap[np.isfinite(gap)]
        return bool(len(gap)) and float(np.median(gap)) < P_FREE_S

    @property
    def kinds(self) -> tuple[str, ...]:
        """Class of each beat."""
        return tuple(beat.kind for beat in self.measurements.beats)

    @property
    def n_beats(self) -> int:
        """Number of beats."""
        return len(self.measurements.beats)

    @property
    def adult(self) -> bool:
        """Whether adult limits apply; taken so if the age is not known."""
        return self.record.age_years is None or self.record.age_years >= 16

    def limits(self, by_person: dict[tuple[str, bool], float]) -> tuple[float, float]:
        """Choose a limit by sex and age; a range if the file does not tell them.

        ``by_person``: limit by (sex, is younger than 40). Gives the lowest and the highest limit
        that may apply; equal if age and sex are known.
        """
        sexes = (self.record.sex,) if self.record.sex else ("female", "male")
        age = self.record.age_years
        young = (age < 40,) if age is not None else (True, False)
        fitting = [by_person[sex, is_young] for sex in sexes for is_young in young]
        return min(fitting), max(fitting)
