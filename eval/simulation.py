"""Hold the simulator against real ECGs: voltages of healthy ones, marks of cardiologists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.data_builders.synthetic_noise import draw_noise
from ecg_llm.delineate import FIDUCIALS, Delineation, delineate
from ecg_llm.errors import RecordError
from ecg_llm.eval.delineation import INTERVALS, record_intervals_ms
from ecg_llm.eval.ptbxl_rows import ptbxl_rows
from ecg_llm.eval.result import Result
from ecg_llm.io import read_record
from ecg_llm.leads import STANDARD_12
from ecg_llm.ptbxl import TRAINING_FOLDS, statements_of
from ecg_llm.record import ECGRecord

Array = npt.NDArray[np.float64]

PERCENTILES = (5, 50, 95)
VOLTAGES = ("R", "S", "T", "P", "ST100")
"""Greatest and least voltage of QRS, greatest deflection of T and P, and ST 100 ms after R."""


@dataclass(frozen=True)
class SimulationResult(Result):
    """The tables that compare simulated with real ECGs.

    Attributes
    ----------
    n_real, n_simulated : int
        Records.
    voltages_mv : dict of str to dict of str to list
        By voltage and lead: real 5th, 50th, 95th percentile, then the simulated ones.
    mark_error_ms : dict of str to list
        By boundary: median and interquartile range of the error of the bundled delineator's marks
        in single leads against the simulator's truth.
    interval_error_ms : dict of str to float
        Mean over simulated records of the absolute error of the record's median interval within
        leads: PR, QRS, QT.
    """

    n_real: int
    n_simulated: int
    voltages_mv: dict[str, dict[str, list[float]]]
    mark_error_ms: dict[str, list[float]]
    interval_error_ms: dict[str, float]

    def render(self) -> str:
        """Give the tables as text."""
        lines = [f"{self.n_real} real normal ECGs, {self.n_simulated} simulated healthy ones, mV:"]
        lines.append("        lead    real  5 %   50 %   95 %   simulated  5 %   50 %   95 %")
        for name, leads in self.voltages_mv.items():
            for lead, row in leads.items():
                real, made = (" ".join(f"{x:6.2f}" for x in part) for part in (row[:3], row[3:]))
                lines.append(f"{name:6s}  {lead:4s}   {real}          {made}")
        lines.append("Delineator against the simulator's marks, single leads, ms:")
        for name, (middle, wide) in self.mark_error_ms.items():
            lines.append(f"{name:9s} median {middle:6.1f}   interquartile range {wide:5.1f}")
        errors = ", ".join(f"{name} {ms:.1f}" for name, ms in self.interval_error_ms.items())
        lines.append(f"Mean absolute error of record intervals, ms: {errors}")
        return "\n".join(lines)


def _normal_records(data: Path) -> Iterator[ECGRecord]:
    """Read PTB-XL's normal 500 Hz records of folds 1 to 8, those that are there."""
    for row in ptbxl_rows(data, TRAINING_FOLDS, 500):
        if "NORM" in statements_of(row):
            yield read_record(data / f"{row['filename_hr']}.hea")


def _simulated(n: int) -> Iterator[tuple[ECGRecord, Delineation]]:
    """Simulate healthy records with the noise of clinics."""
    for seed in range(n):
        rng = np.random.default_rng(seed)
        bpm = float(np.clip(rng.normal(70, 10), 52, 98))
        ecg = synthetic_ecg(seed=seed, bpm=bpm, noise=draw_noise(rng))
        yield ecg.record, ecg.truth.delineation


def _typical_voltages(record: ECGRecord) -> Array | None:
    """Read `VOLTAGES` by lead, shape (5, 12), mV, from the median beat of twelve leads.

    The same way for real and simulated records; None where fewer than four beats were found.
    """
    from scipy.signal import butter, find_peaks, sosfiltfilt

    fs = record.fs
    signal = np.nan_to_num(record.select(STANDARD_12).signal.astype(float))
    band = butter(2, [8, 30], "bandpass", fs=fs, output="sos")
    energy = np.sqrt((sosfiltfilt(band, signal, axis=1) ** 2).sum(axis=0))
    peaks, _ = find_peaks(
        energy, height=0.4 * np.percentile(energy, 99.5), distance=round(0.3 * fs)
    )
    before, after = round(0.3 * fs), round(0.55 * fs)
    peaks = peaks[(peaks > before) & (peaks < signal.shape[1] - after)]
    if len(peaks) < 4:
        return None
    beat = np.median([signal[:, k - before : k + after] for k in peaks], axis=0)

    def part(from_s: float, to_s: float) -> Array:
        return np.asarray(beat[:, before + round(from_s * fs) : before + round(to_s * fs)])

    beat -= np.median(part(-0.075, -0.060), axis=1, keepdims=True)
    qrs, t, p = part(-0.05, 0.06), part(0.14, 0.42), part(-0.24, -0.07)
    p = p - p[:, :1]
    st = part(0.10, 0.11).mean(axis=1)
    return np.stack([qrs.max(axis=1), qrs.min(axis=1), _greatest(t), _greatest(p), st])


def _greatest(rows: Array) -> Array:
    """Give the deflection of greatest size of each row."""
    return np.asarray(np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], 1)[:, 0])


def _table(records: Iterable[ECGRecord]) -> tuple[int, Array]:
    """Percentiles over records, shape (3, 5, 12)."""
    rows = [row for row in map(_typical_voltages, records) if row is not None]
    if not rows:
        raise RecordError(
            "No record of folds 1 to 8 at 500 Hz is stated to be normal and has four beats to read."
        )
    return len(rows), np.percentile(rows, PERCENTILES, axis=0)


def compare(data: Path, *, n: int = 200) -> SimulationResult:
    """Compare simulated healthy ECGs with PTB-XL's normal ones, and marks with the delineator's.

    Parameters
    ----------
    data : Path
        PTB-XL's folder, with records at 500 Hz.
    """
    n_real, real = _table(_normal_records(data))
    made = list(_simulated(n))
    _, simulated = _table(record for record, _ in made)
    voltages = {
        name: {
            lead: [*map(float, real[:, k, row]), *map(float, simulated[:, k, row])]
            for row, lead in enumerate(STANDARD_12)
        }
        for k, name in enumerate(VOLTAGES)
    }
    errors, intervals = [], []
    for record, truth in made:
        found = delineate(record)
        if not (found.n_beats and truth.n_beats > 2):
            continue
        nearest = np.abs(truth.r_s[:, None] - found.r_s[None]).argmin(axis=1)
        same = np.abs(truth.r_s - found.r_s[nearest]) < 0.1
        same[[0, -1]] = False  # waves cut by an end of the record have no mark
        ours, theirs = found.times_s[:, nearest[same]], truth.times_s[:, same]
        errors.append(((ours - theirs) * 1000).reshape(-1, len(FIDUCIALS)))
        read, true = record_intervals_ms(ours), record_intervals_ms(theirs)
        intervals.append([read[name] - true[name] for name in INTERVALS])
    if not errors:
        raise RecordError(f"No beat of {n} simulated records was found; simulate more.")
    pooled = np.concatenate(errors)
    quartiles = np.nanpercentile(pooled, (25, 50, 75), axis=0)
    absolute = np.nanmean(np.abs(intervals), axis=0)
    return SimulationResult(
        n_real=n_real,
        n_simulated=len(made),
        voltages_mv=voltages,
        mark_error_ms={
            name: [float(quartiles[1, k]), float(quartiles[2, k] - quartiles[0, k])]
            for k, name in enumerate(FIDUCIALS)
        },
        interval_error_ms=dict(zip(INTERVALS, map(float, absolute), strict=True)),
    )
