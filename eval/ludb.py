"""Cardiologists' marks of the LUDB records, in the types of this project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import FIDUCIALS, Delineation
from ecg_llm.errors import RecordError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.signal import nanmedian
from ecg_llm.waves import WAVES

_SYMBOLS = {"p": "P", "N": "QRS", "t": "T"}
_BEAT_WINDOW_S = 0.15


@dataclass(frozen=True, eq=False)
class LudbMarks:
    """The marks of one record, lead by lead.

    Attributes
    ----------
    waves_s : dict of str to dict of str to np.ndarray, shape (n, 3), s
        By lead name and wave (``P``, ``QRS``, ``T``): onset, peak, offset; NaN where the reader
        gave none.
    """

    waves_s: dict[str, dict[str, npt.NDArray[np.float64]]]

    def delineation(self) -> Delineation:
        """Arrange the marks by beat, as the delineator does.

        Returns
        -------
        Delineation
            ``global_s`` is the median over leads. P waves that no beat follows are only in
            ``p_waves_s``.
        """
        leads = tuple(self.waves_s)
        r_s = _cluster(np.concatenate([self.waves_s[lead]["QRS"][:, 1] for lead in leads]))
        times = np.full((len(leads), len(r_s), len(FIDUCIALS)), np.nan)
        edges = np.concatenate([[-np.inf], r_s, [np.inf]])
        for i, lead in enumerate(leads):
            waves = self.waves_s[lead]
            for j, r in enumerate(r_s):
                qrs = waves["QRS"][np.abs(waves["QRS"][:, 1] - r) < _BEAT_WINDOW_S]
                before = waves["P"][(waves["P"][:, 1] > edges[j]) & (waves["P"][:, 1] < r)]
                after = waves["T"][(waves["T"][:, 1] > r) & (waves["T"][:, 1] < edges[j + 2])]
                for first, found in ((0, before[-1:]), (3, qrs[:1]), (6, after[:1])):
                    if len(found):
                        times[i, j, first : first + 3] = found[0]
        p_waves = self._p_waves(leads)
        return Delineation(
            leads=leads,
            r_s=r_s,
            times_s=times,
            global_s=nanmedian(times, axis=0),
            p_waves_s=p_waves,
            p_confidence=np.ones(len(p_waves)),
        )

    def _p_waves(self, leads: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """Give the P waves of all leads together, medians over leads."""
        rows = np.concatenate([self.waves_s[lead]["P"] for lead in leads])
        centres = _cluster(rows[:, 1])
        near = [rows[np.abs(rows[:, 1] - c) < _BEAT_WINDOW_S] for c in centres]
        return np.array([nanmedian(group, axis=0) for group in near]).reshape(-1, 3)


def _cluster(times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give the median of each group of times that lie close together."""
    ordered = np.sort(times_s[np.isfinite(times_s)])
    if not len(ordered):
        return ordered
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > _BEAT_WINDOW_S) + 1)
    return np.array([np.median(group) for group in groups])


def ludb_records(data: Path) -> list[Path]:
    """List the records of a LUDB folder.

    Parameters
    ----------
    data : Path
        The folder with ``ludb.csv`` and ``data/``.

    Returns
    -------
    list of Path
        Record stems, without extension, in numeric order.

    Raises
    ------
    RecordError
        If there is none.
    """
    stems = [path.with_suffix("") for path in (data / "data").glob("*.hea")]
    if not stems:
        raise RecordError(f"{data}: no data/*.hea found; give the folder that holds ludb.csv.")
    return sorted(stems, key=lambda stem: (len(stem.name), stem.name))


def _read_marks(stem: Path, fs: float) -> LudbMarks:
    """Read the marks of one record, its path without extension; fs in Hz."""
    import wfdb

    waves: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
    for lead in STANDARD_12:
        marks = wfdb.rdann(str(stem), lead.lower())
        symbols, samples = marks.symbol, marks.sample / fs
        found: dict[str, list[tuple[float, float, float]]] = {wave: [] for wave in WAVES}
        for k, symbol in enumerate(symbols):
            if symbol in _SYMBOLS:
                on = samples[k - 1] if k and symbols[k - 1] == "(" else np.nan
                last = k + 1 == len(symbols)
                off = np.nan if last or symbols[k + 1] != ")" else samples[k + 1]
                found[_SYMBOLS[symbol]].append((on, samples[k], off))
        waves[lead] = {wave: np.array(rows).reshape(-1, 3) for wave, rows in found.items()}
    return LudbMarks(waves)


def read_ludb(stem: Path) -> tuple[ECGRecord, LudbMarks]:
    """Read one record with its marks."""
    from ecg_llm.io import read_record

    record = read_record(stem)
    return record, _read_marks(stem, record.fs)
