"""Turn a delineated record into intervals, amplitudes, axes and rates with their spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.amplitudes import UNITS, measure_windows
from ecg_llm.beats import BeatClass, classify, pooled_beats, usual_beats
from ecg_llm.delineate import FIDUCIALS, Delineation, delineate
from ecg_llm.intervals import record_values
from ecg_llm.quality import Quality
from ecg_llm.quantity import Quantity
from ecg_llm.record import ECGRecord
from ecg_llm.signal import nanmedian
from ecg_llm.windows import cut_beats, with_typical

Array = npt.NDArray[np.float64]
UNCALIBRATED = "the file does not tell its gain, so voltages are unknown"


@dataclass(frozen=True)
class Beat:
    """One beat of the record.

    Attributes
    ----------
    r_s : float, s
        Time of the QRS centre.
    kind : str
        ``normal`` means: of the dominant morphology.
    """

    r_s: float
    kind: BeatClass


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadMeasurements:
    """What was measured in one lead.

    Attributes
    ----------
    per_beat : dict of str to np.ndarray, shape (n_beats,)
        Times of the fiducials in s (``p_on`` …), amplitudes in mV (``p_mv``, ``q_mv``, ``r_mv``,
        ``s_mv``, ``st_j_mv``, ``st_j60_mv``, ``t_mv`` …) and durations in ms (``q_ms`` …), all with
        their unit in the name; NaN where there is none.
    summary : mapping of str to Quantity
        The same amplitudes and durations, as the median over the beats of the dominant
        morphology.
    """

    per_beat: dict[str, npt.NDArray[np.float64]]
    summary: Mapping[str, Quantity]


FROM_PAGE = "read from a page image: not measured"
"""Why a page has no values."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurements:
    """All that was measured in one record.

    Attributes
    ----------
    record : str
        Name of the record.
    fs : float, Hz
        Sampling rate of the input.
    from_s, to_s : float, s
        The stretch that was measured.
    values : dict of str to Quantity
        Record-level values by name: ``heart_rate_bpm``, ``rr_ms``, ``pr_ms``, ``qrs_ms`` …
    beats : tuple of Beat
        In order of time.
    leads : dict of str to LeadMeasurements
        By lead name.
    delineation : Delineation
        What the values were taken from.
    """

    record: str
    fs: float
    from_s: float
    to_s: float
    values: dict[str, Quantity]
    beats: tuple[Beat, ...]
    leads: dict[str, LeadMeasurements]
    delineation: Delineation

    def value(self, name: str, lead: str | None = None) -> float | None:
        """Give a measured value, None if it is unknown.

        Parameters
        ----------
        name : str
            Key of ``values``, or of the lead's ``summary``.
        lead : str, optional
            Lead name; without it a record-level value.

        Returns
        -------
        float or None
        """
        if lead is None:
            return self.values[name].value if name in self.values else None
        found = self.leads.get(lead)
        return found.summary[name].value if found and name in found.summary else None

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON values.

        Returns
        -------
        dict
            The record-level values by name, ``record``, ``fs``, ``from_s``, ``to_s``, ``beats``
            (``r_s``, ``class``) and ``leads``: per lead the fiducials (s per beat, None where
            there is none), ``amplitudes`` (per beat) and ``summary``.
        """
        leads = {
            name: {
                **{key: _plain(lead.per_beat[key]) for key in FIDUCIALS},
                "amplitudes": {
                    key: _plain(row) for key, row in lead.per_beat.items() if key not in FIDUCIALS
                },
                "summary": {key: quantity.to_dict() for key, quantity in lead.summary.items()},
            }
            for name, lead in self.leads.items()
        }
        return {
            "record": self.record,
            "fs": self.fs,
            "from_s": self.from_s,
            "to_s": self.to_s,
            **{name: quantity.to_dict() for name, quantity in self.values.items()},
            "beats": [{"r_s": round(beat.r_s, 4), "class": beat.kind} for beat in self.beats],
            "leads": leads,
        }


def measure(
    record: ECGRecord,
    quality: Quality | None = None,
    delineation: Delineation | None = None,
    kinds: tuple[BeatClass, ...] | None = None,
) -> Measurements:
    """Measure a record.

    Record-level PR, QRS, QT and P durations are the median over all leads and beats of the
    interval within one lead and one beat. Amplitudes are those of the median beat, their spread
    that of the single beats. Ventricular extra beats stay out of both; amplitudes come from the
    beats of the usual shape only.

    Parameters
    ----------
    record : ECGRecord
        What was read.
    quality : Quality, optional
        Its technical quality; assessed here if not given. Only the stretch and the leads that can
        be read are measured.
    delineation : Delineation, optional
        Its waves; found here if not given.
    kinds : tuple of str, optional
        The class of each of its beats; told here if not given.

    Returns
    -------
    Measurements

    References
    ----------
    .. [1] Kligfield P et al. Circulation 2007;115:1306-1324 (recommendations, part I).
    """
    if record.origin == "page":
        return _unmeasured(record)
    if quality is None:
        from ecg_llm.quality import assess

        quality = assess(record)
    record = record.only(quality.from_s, quality.to_s)
    if delineation is None:
        delineation = _waves(record, quality)
    leads: dict[str, LeadMeasurements] = {}
    typical: dict[str, Array] = {}
    usual = np.zeros(0, bool)
    if delineation.n_beats and delineation.leads:
        windows = cut_beats(record, delineation)
        if kinds is None:
            kinds = classify(windows, delineation, quality.pacing_spikes_s)
        usual = usual_beats(kinds)
        measured = measure_windows(with_typical(windows, usual))
        values = np.stack([measured[name] for name in UNITS])  # [n_names, n_leads, n_beats + 1]
        typical = dict(zip(UNITS, values[..., -1], strict=True))
        leads = _by_lead(delineation, values[..., :-1], typical, usual, record.calibrated)
    kinds = kinds or ()
    return Measurements(
        record=record.name or record.source,
        fs=record.fs,
        from_s=quality.from_s,
        to_s=quality.to_s,
        values=record_values(
            delineation, pooled_beats(kinds), usual, typical, calibrated=record.calibrated
        ),
        beats=tuple(Beat(float(r), kind) for r, kind in zip(delineation.r_s, kinds, strict=False)),
        leads=leads,
        delineation=delineation,
    )


def _waves(record: ECGRecord, quality: Quality) -> Delineation:
    """Delineate the stretch that can be read; its times count from the start of the record."""
    leads = tuple(lead for lead in record.leads if lead in quality.usable_leads)
    if not leads:
        return no_beats()
    later = quality.from_s
    found = delineate(record.segment(later, quality.to_s), leads)
    return replace(
        found,
        r_s=found.r_s + later,
        times_s=found.times_s + later,
        global_s=found.global_s + later,
        p_waves_s=found.p_waves_s + later,
    )


def _unmeasured(record: ECGRecord) -> Measurements:
    """Leave every value of a page unknown: its lines are too coarse to be measured."""
    none = np.zeros(0, bool)
    values = record_values(no_beats(), none, none, {}, calibrated=record.calibrated)
    return Measurements(
        record=record.name or record.source,
        fs=record.fs,
        from_s=0.0,
        to_s=record.duration_s,
        values={name: Quantity(None, q.unit, reason=FROM_PAGE) for name, q in values.items()},
        beats=(),
        leads={},
        delineation=no_beats(),
    )


_WAVES = {"p": "P wave", "q": "Q wave", "r": "R wave", "s": "S wave", "r2": "R' wave"}
_WAVES |= {"s2": "S' wave", "t": "T wave", "st": "ST segment", "pr": "P wave before the QRS"}


def no_beats() -> Delineation:
    """Give the delineation of a record in which no lead can be read.

    Returns
    -------
    Delineation
    """
    return Delineation(
        leads=(),
        r_s=np.zeros(0),
        times_s=np.zeros((0, 0, len(FIDUCIALS))),
        global_s=np.zeros((0, len(FIDUCIALS))),
        p_waves_s=np.zeros((0, 3)),
        p_confidence=np.zeros(0),
    )


@dataclass(frozen=True, eq=False)
class _Table:
    """Values of the median beat and the single ones, from which the leads' summaries are made."""

    leads: tuple[str, ...]
    typical: dict[str, Array]
    single: Array  # [n_names, n_leads, n_beats]
    usual: npt.NDArray[np.bool_]
    calibrated: bool

    @cached_property
    def spread(self) -> tuple[list[list[float]], list[list[int]]]:
        """Robust spread and number of the usual beats' values, by name and lead."""
        pooled = self.single[:, :, self.usual]
        middle = nanmedian(pooled, axis=2)
        spread = 1.4826 * nanmedian(np.abs(pooled - middle[..., None]), axis=2)
        return spread.tolist(), np.isfinite(pooled).sum(axis=2).tolist()

    def quantity(self, name: str, row: int) -> Quantity:
        """Give one value of one lead."""
        unit = UNITS[name]
        if not self.calibrated and "mV" in unit:
            return Quantity(None, unit, reason=UNCALIBRATED)
        value = float(self.typical[name][row])
        if value != value:
            wave = _WAVES.get(name.split("_")[0], "QRS complex")
            return Quantity(None, unit, reason=f"no {wave} found in lead {self.leads[row]}")
        k = _PLACE[name]
        spread, count = self.spread
        n = count[k][row]
        apart = spread[k][row] if n else None
        return Quantity(value, unit, method="median beat", spread=apart, n=n)


_PLACE = {name: k for k, name in enumerate(UNITS)}


class _Summary(Mapping[str, Quantity]):
    """One lead's summary; each quantity is made when it is asked for, as few ever are."""

    def __init__(self, table: _Table, row: int) -> None:
        self._table, self._row = table, row

    def __getitem__(self, name: str) -> Quantity:
        if name not in UNITS:
            raise KeyError(name)
        return self._table.quantity(name, self._row)

    def __iter__(self) -> Iterator[str]:
        return iter(UNITS)

    def __len__(self) -> int:
        return len(UNITS)


def _by_lead(
    delineation: Delineation,
    single: Array,
    typical: dict[str, Array],
    usual: npt.NDArray[np.bool_],
    calibrated: bool,
) -> dict[str, LeadMeasurements]:
    """Join the median beat's values with the single beats' (n_names, n_leads, n_beats) by lead."""
    if not calibrated:
        single[["mV" in unit for unit in UNITS.values()]] = np.nan
    table = _Table(delineation.leads, typical, single, usual, calibrated)
    names = (*FIDUCIALS, *UNITS)
    per_beat = np.concatenate([delineation.times_s.transpose(2, 0, 1), single])
    return {
        lead: LeadMeasurements(
            per_beat=dict(zip(names, per_beat[:, row], strict=True)), summary=_Summary(table, row)
        )
        for row, lead in enumerate(delineation.leads)
    }


def _plain(row: npt.NDArray[np.float64]) -> list[float | None]:
    """Turn an array into JSON numbers, NaN into None."""
    return [round(x, 4) if x == x else None for x in row.tolist()]
