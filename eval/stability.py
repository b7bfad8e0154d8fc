"""Whether the report stays what it is when the ECG is recorded, cut or stored otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.analysis import analyse
from ecg_llm.compose import build_report
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows, read_row, spread
from ecg_llm.eval.result import Result, markdown
from ecg_llm.io import from_array
from ecg_llm.leads import LIMB_LEADS, PRECORDIAL_LEADS, derive_limb_leads
from ecg_llm.record import ECGRecord
from ecg_llm.signal import quantile

Change = Callable[[ECGRecord, np.random.Generator], ECGRecord]

VALUES = {
    "heart_rate_bpm": "HR, bpm",
    "pr_ms": "PR, ms",
    "qrs_ms": "QRS",
    "qt_ms": "QT",
    "qtc_fridericia_ms": "QTc",
    "p_axis_deg": "P axis, °",
    "qrs_axis_deg": "QRS axis",
    "t_axis_deg": "T axis",
}
"""Values of a record that are compared, and the heads of their columns."""
AMPLITUDES = ("p_mv", "qrs_max_mv", "qrs_min_mv", "st_j60_mv", "t_mv")
"""Values of a lead that are compared, all leads together."""
VOLTAGE = "mV"
FS = 500.0


def _resampled(record: ECGRecord, rng: np.random.Generator, fs: float) -> ECGRecord:
    """Give another rate, by another way than the program's own."""
    from scipy.signal import resample_poly

    up, down = round(fs), round(record.fs)
    signal = resample_poly(record.signal, up, down, axis=1, padtype="line")
    return replace(record, signal=signal.astype(np.float32), fs=fs)


def _cut(record: ECGRecord, rng: np.random.Generator, first: float, last: float) -> ECGRecord:
    """Leave out seconds at the beginning and at the end."""
    return record.segment(first, record.duration_s - last)


def _added(record: ECGRecord, rows: npt.NDArray[np.float64]) -> ECGRecord:
    """Add what the electrodes pick up: the limb leads keep to their laws."""
    signal = record.signal.copy()
    extra = dict(zip(("I", "II", *PRECORDIAL_LEADS), rows.astype(np.float32), strict=True))
    extra |= derive_limb_leads(extra)
    for k, lead in enumerate(record.leads):
        signal[k] += extra[lead]
    return replace(record, signal=signal)


def _offset(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    return _added(record, np.repeat(rng.uniform(-1, 1, (8, 1)), record.n_samples, axis=1))


def _noise(record: ECGRecord, rng: np.random.Generator, mv: float) -> ECGRecord:
    return _added(record, mv * rng.normal(size=(8, record.n_samples)))


def _wave(record: ECGRecord, rng: np.random.Generator, mv: float, hz: float) -> ECGRecord:
    t = np.arange(record.n_samples) / record.fs
    phase = rng.uniform(0, 2 * np.pi, (8, 1))
    return _added(record, mv * np.sin(2 * np.pi * hz * t + phase))


def _scaled(record: ECGRecord, rng: np.random.Generator, by: float) -> ECGRecord:
    return replace(record, signal=record.signal * np.float32(by))


def _rounded(record: ECGRecord, rng: np.random.Generator, uv: float) -> ECGRecord:
    step = np.float32(uv / 1000)
    return replace(record, signal=np.round(record.signal / step) * step)


def _reordered(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    return record.select(tuple(record.leads[k] for k in rng.permutation(len(record.leads))))


def _eight(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    """Read without the limb leads that two others tell, in µV."""
    leads = tuple(lead for lead in record.leads if lead not in LIMB_LEADS[2:])
    rows = record.select(leads).signal * 1000
    given = from_array(rows, fs=record.fs, unit="uV", leads=leads)
    return replace(given, age_years=record.age_years, sex=record.sex)


def _without(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    lost = str(rng.choice(PRECORDIAL_LEADS))
    return record.select(tuple(lead for lead in record.leads if lead != lost))


def _twice(record: ECGRecord, rng: np.random.Generator) -> ECGRecord:
    """Go on with the first beat where the last one begins, so that no RR is new."""
    from ecg_llm.delineate import delineate

    r_s = delineate(record).r_s
    inner = [r for r in r_s if 0.5 < r < record.duration_s - 0.5]
    if len(inner) < 2:
        return record
    first, last = (round((r - 0.3) * record.fs) for r in (inner[0], inner[-1]))
    near = round(0.1 * record.fs)
    step = [np.median(record.signal[:, k : k + near], axis=1) for k in (first, last)]
    again = record.signal[:, first:] + (step[1] - step[0])[:, None]
    return replace(record, signal=np.concatenate([record.signal[:, :last], again], axis=1))


def _padded(
    record: ECGRecord, rng: np.random.Generator, before: float, after: float, *, zero: bool
) -> ECGRecord:
    """Add a stretch without a signal, as devices do that send whole blocks."""
    width = ((0, 0), (round(before * record.fs), round(after * record.fs)))
    signal = np.pad(record.signal, width) if zero else np.pad(record.signal, width, mode="edge")
    return replace(record, signal=signal)


CHANGES: dict[str, Change] = {
    "250 Hz": partial(_resampled, fs=250.0),
    "1000 Hz": partial(_resampled, fs=1000.0),
    "first 0.5 s cut": partial(_cut, first=0.5, last=0.0),
    "first 1 s cut": partial(_cut, first=1.0, last=0.0),
    "first 2 s cut": partial(_cut, first=2.0, last=0.0),
    "last 0.5 s cut": partial(_cut, first=0.0, last=0.5),
    "last 1 s cut": partial(_cut, first=0.0, last=1.0),
    "last 2 s cut": partial(_cut, first=0.0, last=2.0),
    "offsets to 1 mV": _offset,
    "noise 5 µV": partial(_noise, mv=0.005),
    "noise 10 µV": partial(_noise, mv=0.010),
    "50 Hz 20 µV": partial(_wave, mv=0.020, hz=50.0),
    "60 Hz 20 µV": partial(_wave, mv=0.020, hz=60.0),
    "wander 0.3 mV": partial(_wave, mv=0.3, hz=0.2),
    "scaled 0.98": partial(_scaled, by=0.98),
    "scaled 1.02": partial(_scaled, by=1.02),
    "rounded to 1 µV": partial(_rounded, uv=1.0),
    "rounded to 2.5 µV": partial(_rounded, uv=2.5),
    "rounded to 5 µV": partial(_rounded, uv=5.0),
    "leads reordered": _reordered,
    "eight leads, µV": _eight,
    "one of V1–V6 lost": _without,
    "beats twice": _twice,
    "1 s of zeros before": partial(_padded, before=1.0, after=0.0, zero=True),
    "1 s of zeros after": partial(_padded, before=0.0, after=1.0, zero=True),
    "1 s held before": partial(_padded, before=1.0, after=0.0, zero=False),
    "1 s held after": partial(_padded, before=0.0, after=1.0, zero=False),
}
"""What is done to records at `FS`; beside it, the same record's file at 100 Hz is read."""
AT_100_HZ = "100 Hz file"


@dataclass(frozen=True, eq=False)
class Reading:
    """What a report says of a record, as far as it is compared.

    Attributes
    ----------
    values : dict of str to float
        Those of `VALUES` that are known.
    voltages : dict of (str, str) to float, mV
        By lead and name.
    states : dict of str to str
        By code: present, probable, unknown or absent.
    alerts : frozenset of str
        Codes that alert.
    refused : bool
        Whether the record cannot be read.
    """

    values: dict[str, float]
    voltages: dict[tuple[str, str], float]
    states: dict[str, str]
    alerts: frozenset[str]
    refused: bool


def _read(record: ECGRecord) -> Reading:
    """Give what the report says of a record."""
    found = analyse(record)
    measured = found.measurements
    report = build_report(record, found.quality, measured, found.findings)
    values, voltages = {}, {}
    if measured is not None:
        values = {name: measured.value(name) for name in VALUES}
        places = [(lead, name) for lead in measured.leads for name in AMPLITUDES]
        voltages = {place: measured.value(place[1], place[0]) for place in places}
    return Reading(
        values={name: value for name, value in values.items() if value is not None},
        voltages={name: value for name, value in voltages.items() if value is not None},
        states={
            one.code: "probable" if one.status == "present" and one.doubt else one.status
            for one in found.findings
        },
        alerts=frozenset(alert.code for alert in report.alerts),
        refused=measured is None,
    )


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What one change of one record did.

    Attributes
    ----------
    record, change : str
        Which.
    refused : bool
        Whether only one of the two is refused; nothing else is compared then.
    moved : dict of str to float
        By how much each value moved that both have; axes the shorter way round. Under `VOLTAGE`
        the largest move of an amplitude in any lead.
    known : tuple of str
        Values that only one of them has.
    states : dict of str to str
        Findings whose status changed, such as ``absent > unknown``.
    alerts : tuple of str
        Codes that alert in one of them only.
    """

    record: str
    change: str
    refused: bool
    moved: dict[str, float]
    known: tuple[str, ...]
    states: dict[str, str]
    alerts: tuple[str, ...]


def _difference(record: str, change: str, before: Reading, after: Reading) -> Difference:
    """Compare what is said of a record with what is said of its changed copy."""
    if before.refused or after.refused:
        differs = before.refused != after.refused
        return Difference(
            record=record, change=change, refused=differs, moved={}, known=(), states={}, alerts=()
        )
    both = before.values.keys() & after.values.keys()
    moved = {name: after.values[name] - before.values[name] for name in VALUES if name in both}
    for name in moved:
        if name.endswith("_deg"):
            moved[name] = (moved[name] + 180) % 360 - 180
    pairs = [place for place in before.voltages if place in after.voltages]
    if pairs:
        moved[VOLTAGE] = max((after.voltages[k] - before.voltages[k] for k in pairs), key=abs)
    codes = before.states.keys() | after.states.keys()
    told = {code: [of.states.get(code, "unknown") for of in (before, after)] for code in codes}
    return Difference(
        record=record,
        change=change,
        refused=False,
        moved=moved,
        known=tuple(sorted(before.values.keys() ^ after.values.keys())),
        states={code: " > ".join(two) for code, two in sorted(told.items()) if two[0] != two[1]},
        alerts=tuple(sorted(before.alerts ^ after.alerts)),
    )


@dataclass(frozen=True, kw_only=True)
class StabilityResult(Result):
    """All changes of all records.

    Attributes
    ----------
    folds : tuple of int
        PTB-XL folds.
    n : int
        Records.
    differences : tuple of Difference
        One for each record and change.
    """

    folds: tuple[int, ...]
    n: int
    differences: tuple[Difference, ...]

    def render(self) -> str:
        """Write the table, in Markdown: median, 95th percentile and worst, and counts for 100."""
        heads = [*VALUES.values(), VOLTAGE, "known", "reports", "statuses", "alerts", "refusals"]
        table = []
        by_change: dict[str, list[Difference]] = {}
        for one in self.differences:
            by_change.setdefault(one.change, []).append(one)
        for name, rows in by_change.items():
            moves = [_moves(rows, value) for value in (*VALUES, VOLTAGE)]
            counts = [
                f"{100 * sum(len(what) for what in each) / len(rows):.0f}"
                for each in (
                    [row.known for row in rows],
                    [("changed",) * bool(row.states) for row in rows],
                    [tuple(row.states) for row in rows],
                    [row.alerts for row in rows],
                    [("refused",) * row.refused for row in rows],
                )
            ]
            table.append((name, *moves, *counts))
        head = f"{self.n} records of folds {', '.join(map(str, self.folds))}"
        return f"{head}\n\n{markdown(('change', *heads), table)}"


def _moves(rows: Sequence[Difference], value: str) -> str:
    """Give how far a value moved, without its sign."""
    moves = np.abs([row.moved[value] for row in rows if value in row.moved])
    if not len(moves):
        return "–"
    places = 3 if value == VOLTAGE else 1
    middle, high = (float(quantile(moves[None], share)[0]) for share in (0.5, 0.95))
    return " / ".join(f"{x:.{places}f}" for x in (middle, high, float(moves.max())))


def evaluate(
    data: Path,
    *,
    folds: Sequence[int] = (9,),
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StabilityResult:
    """Read PTB-XL's records at 500 Hz as they are and changed."""
    rows = spread(ptbxl_rows(data, tuple(folds), round(FS)), limit)
    found: list[Difference] = []
    n = 0
    for row, record in each_record(data, rows, round(FS), progress):
        if record is None:
            continue
        n += 1
        before = _read(record)
        changed = {AT_100_HZ: read_row(data, row)}
        for name, change in CHANGES.items():
            changed[name] = change(record, np.random.default_rng(int(float(row["ecg_id"]))))
        found += [
            _difference(record.name, name, before, _read(copy)) for name, copy in changed.items()
        ]
    by_name = sorted(found, key=lambda one: [AT_100_HZ, *CHANGES].index(one.change))
    return StabilityResult(folds=tuple(folds), n=n, differences=tuple(by_name))
