"""Hold the delineator against cardiologists' marks, with neurokit2 beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import Delineation, delineate
from ecg_llm.eval.ludb import LudbMarks, ludb_records, read_ludb
from ecg_llm.eval.result import Result
from ecg_llm.waves import BUNDLED, WAVES

TOLERANCE_S = 0.150
INTERVALS = {"PR": (0, 3), "QRS": (3, 5), "QT": (3, 8)}
"""Columns of `FIDUCIALS` between which each interval lies."""

Waves = Mapping[str, Mapping[str, npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class BoundaryScore:
    """How one boundary was found over all leads and records.

    Attributes
    ----------
    sensitivity, precision : float
        Of boundaries matched within `TOLERANCE_S`.
    mean_ms, sd_ms : float, ms
        Of the matched ones' error, ours minus theirs.
    n : int
        Marks.
    """

    sensitivity: float
    precision: float
    mean_ms: float
    sd_ms: float
    n: int


@dataclass(frozen=True)
class MethodScore:
    """How one method did.

    Attributes
    ----------
    interval_error_ms : dict of str to float, ms
        Mean over records of the absolute error of the record's median interval.
    interval_records : dict of str to int
        Records in which both marks and method give the interval.
    boundaries : dict of str to BoundaryScore
        ``P on``, ``P off`` …
    heart_rate_error_bpm : float
        Mean absolute error over the marked stretch.
    heart_rate_within_half_bpm : float
        Share of records within 0.5 bpm.
    """

    interval_error_ms: dict[str, float]
    interval_records: dict[str, int]
    boundaries: dict[str, BoundaryScore]
    heart_rate_error_bpm: float
    heart_rate_within_half_bpm: float


@dataclass(frozen=True)
class DelineationResult(Result):
    """The table that ``ecgllm eval delineation`` prints.

    Attributes
    ----------
    n_records : int
        Records read.
    note : str
        What the figures mean.
    methods : dict of str to MethodScore
        By name.
    """

    n_records: int
    note: str
    methods: dict[str, MethodScore]

    def render(self) -> str:
        """Give the table as text."""
        lines = [f"{self.n_records} records. {self.note}"]
        for name, score in self.methods.items():
            lines += ["", name]
            errors = ", ".join(
                f"{k} {v:.1f} ms (n={score.interval_records[k]})"
                for k, v in score.interval_error_ms.items()
            )
            lines.append(f"  record-level mean absolute error: {errors}")
            lines.append(
                f"  heart rate: {score.heart_rate_error_bpm:.2f} bpm mean absolute error, "
                f"{score.heart_rate_within_half_bpm:.1%} within 0.5 bpm"
            )
            lines.append("  boundary     Se %     PPV %    mean ms    SD ms       n")
            lines += [
                f"  {b:<8} {100 * s.sensitivity:>8.2f} {100 * s.precision:>9.2f} "
                f"{s.mean_ms:>10.1f} {s.sd_ms:>8.1f} {s.n:>7d}"
                for b, s in score.boundaries.items()
            ]
        return "\n".join(lines)


def record_intervals_ms(times_s: npt.NDArray[np.float64]) -> dict[str, float]:
    """Give the record's intervals: the median over all beats of all leads.

    Parameters
    ----------
    times_s : np.ndarray, shape (n_leads, n_beats, 9), s
        Of `FIDUCIALS`, from marks or measurements.

    Returns
    -------
    dict of str to float, ms
        PR, QRS, QT; NaN where no beat has both ends.
    """
    out = {}
    for name, (first, last) in INTERVALS.items():
        values = times_s[:, :, last] - times_s[:, :, first]
        known = values[np.isfinite(values)]
        out[name] = float(np.median(known)) * 1000 if len(known) else float("nan")
    return out


def _waves_of(read: Delineation) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """List every lead's waves, shape (n, 3), s."""
    out = {}
    for i, lead in enumerate(read.leads):
        rows = {}
        for k, wave in enumerate(WAVES):
            triple = read.times_s[i, :, 3 * k : 3 * k + 3]
            rows[wave] = triple[np.isfinite(triple).any(axis=1)]
        out[lead] = rows
    return out


def match(
    marks_s: npt.NDArray[np.float64], found_s: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], int]:
    """Pair marks and found boundaries one to one, the closest first.

    Parameters
    ----------
    marks_s, found_s : np.ndarray, shape (n,) and (m,), s
        Times.

    Returns
    -------
    tuple of np.ndarray and int
        Errors of the pairs in s (found minus mark), and how many were found without a mark.
    """
    if not len(marks_s) or not len(found_s):
        return np.zeros(0), len(found_s)
    error = found_s[None, :] - marks_s[:, None]
    order = np.argsort(np.abs(error), axis=None)
    used_mark, used_found = np.zeros(len(marks_s), bool), np.zeros(len(found_s), bool)
    errors = []
    for k in order:
        i, j = divmod(int(k), len(found_s))
        if abs(error[i, j]) > TOLERANCE_S:
            break
        if not used_mark[i] and not used_found[j]:
            used_mark[i] = used_found[j] = True
            errors.append(error[i, j])
    return np.array(errors), int((~used_found).sum())


class Tally:
    """Collects one method's figures over records.

    Attributes
    ----------
    extra : dict of str to int
        By boundary (``P on`` …): how many were found that are not marked.
    """

    def __init__(self) -> None:
        self.intervals: dict[str, list[float]] = {name: [] for name in INTERVALS}
        self.rate: list[float] = []
        self.errors: dict[str, list[npt.NDArray[np.float64]]] = {}
        self.extra: dict[str, int] = {}
        self.n: dict[str, int] = {}

    def add(self, marks: LudbMarks, read: Delineation) -> None:
        """Count one record."""
        truth = marks.delineation()
        ours, theirs = record_intervals_ms(read.times_s), record_intervals_ms(truth.times_s)
        for name in INTERVALS:
            self.intervals[name].append(abs(ours[name] - theirs[name]))
        self.rate.append(_rate_error(truth.r_s, read.r_s))
        found = _waves_of(read)
        for lead, waves in marks.waves_s.items():
            edges = np.concatenate([w[:, [0, 2]].ravel() for w in waves.values()])
            if not np.isfinite(edges).any():
                continue
            first, last = np.nanmin(edges), np.nanmax(edges)
            for wave in WAVES:
                for column, side in ((0, "on"), (2, "off")):
                    theirs_s = _known(waves[wave][:, column])
                    ours_s = _known(found[lead][wave][:, column]) if lead in found else _known([])
                    errors, _ = match(theirs_s, ours_s)
                    inside = ours_s[(ours_s >= first) & (ours_s <= last)]
                    _, extra = match(theirs_s, inside)
                    name = f"{wave} {side}"
                    self.errors.setdefault(name, []).append(errors)
                    self.extra[name] = self.extra.get(name, 0) + extra
                    self.n[name] = self.n.get(name, 0) + len(theirs_s)

    def score(self) -> MethodScore:
        """Give the figures."""
        boundaries = {}
        for name, parts in self.errors.items():
            errors = np.concatenate(parts)
            boundaries[name] = BoundaryScore(
                sensitivity=len(errors) / max(self.n[name], 1),
                precision=len(errors) / max(len(errors) + self.extra[name], 1),
                mean_ms=float(errors.mean()) * 1000 if len(errors) else 0.0,
                sd_ms=float(errors.std()) * 1000 if len(errors) else 0.0,
                n=self.n[name],
            )
        rate = _known(self.rate)
        return MethodScore(
            interval_error_ms={k: _mean(_known(v)) for k, v in self.intervals.items()},
            interval_records={k: len(_known(v)) for k, v in self.intervals.items()},
            boundaries=boundaries,
            heart_rate_error_bpm=_mean(rate),
            heart_rate_within_half_bpm=_mean(rate <= 0.5),
        )


def _known(values: Iterable[float]) -> npt.NDArray[np.float64]:
    """Drop what is NaN."""
    array = np.asarray(list(values), float)
    known: npt.NDArray[np.float64] = array[np.isfinite(array)]
    return known


def _mean(values: npt.NDArray[Any]) -> float:
    """Give the mean, NaN if there is nothing."""
    return float(values.mean()) if len(values) else float("nan")


def _rate_error(marks_s: npt.NDArray[np.float64], found_s: npt.NDArray[np.float64]) -> float:
    """Compare heart rates over the marked stretch, in bpm."""
    if len(marks_s) < 2:
        return float("nan")
    inside = found_s[(found_s > marks_s[0] - TOLERANCE_S) & (found_s < marks_s[-1] + TOLERANCE_S)]
    if len(inside) < 2:
        return float("nan")
    rates = [60 * (len(t) - 1) / (t[-1] - t[0]) for t in (marks_s, inside)]
    return float(abs(rates[0] - rates[1]))


def evaluate(
    data: Path,
    *,
    weights: Path = BUNDLED,
    folds: Path | None = None,
    with_neurokit: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DelineationResult:
    """Measure the delineator on a LUDB folder.

    Parameters
    ----------
    folds : Path, optional
        Folder with ``fold0.onnx`` … from ``ecgllm train delineator --folds``: each record is then
        read by the net that did not see it.
    with_neurokit : bool
        Whether neurokit2's wavelet delineator is measured beside it (about a second a record).
    """
    nets = sorted(folds.glob("fold*.onnx")) if folds else [weights]
    tallies = {"ecg_llm": Tally()} | ({"neurokit2 (dwt)": Tally()} if with_neurokit else {})
    stems = ludb_records(data)
    for k, stem in enumerate(stems):
        record, marks = read_ludb(stem)
        net = nets[int(stem.name) % len(nets)]
        tallies["ecg_llm"].add(marks, delineate(record, weights=net))
        if with_neurokit:
            from ecg_llm.eval.neurokit import delineate_with_neurokit

            tallies["neurokit2 (dwt)"].add(marks, delineate_with_neurokit(record))
        progress(k + 1, len(stems))
    note = (
        f"Each record read by the one of {len(nets)} nets that no mark of it trained."
        if folds
        else "Read by the bundled net; it was trained on the 150 records of LUDB that its model "
        "card lists, so only on others are these figures of unseen records."
    )
    return DelineationResult(len(stems), note, {k: v.score() for k, v in tallies.items()})
