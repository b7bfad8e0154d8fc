"""Data sets packed once into arrays that training maps into memory."""

from __future__ import annotations

import functools
import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.listing import Problem
from ecg_llm.data_builders.tables import sha256_of
from ecg_llm.encoders.signal_input import WINDOW, encoder_input, windows
from ecg_llm.errors import ConfigError, ECGError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.scp import COLUMNS, with_classes
from ecg_llm.training.sources import Job, Row, list_jobs, read_row, run_jobs, tables_of

SIGNALS, INDEX, PROBLEMS = "signals.npy", "index.npz", "problems.jsonl"
STAMP = "asked.txt"
"""What was packed; written last."""
VERSION = 2
"""Raised whenever the same files would give other arrays."""
_CERTAIN = """
    IMI ASMI LVH LAFB IRBBB 1AVB IVCD CRBBB CLBBB ILMI LAO/LAE AMI ALMI LMI LPFB RVH RAO/RAE WPW
    ILBBB IPLMI IPMI PMI 3AVB 2AVB PVC PAC SR AFIB STACH SARRH SBRAD PACE BIGU AFLT TRIGU PSVT
    NORM super:NORM super:MI super:CD super:HYP sub:NORM sub:IMI sub:AMI sub:LMI sub:PMI
    sub:LAFB/LPFB sub:_AVB sub:IVCD sub:CRBBB sub:CLBBB sub:IRBBB sub:ILBBB sub:WPW sub:LVH sub:RVH
    sub:LAO/LAE sub:RAO/RAE
"""
CERTAIN_IF_ABSENT = frozenset(_CERTAIN.split())
"""Columns whose absence the simulator vouches for; it may show the other ones without naming
them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pack:
    """Packed records.

    Attributes
    ----------
    signals : np.ndarray of float16, shape (n, 12, 1000), mV at 100 Hz
        The encoder's input; NaN where nothing was recorded.
    labels : np.ndarray of int8, shape (n, 99)
        By `ecg_llm.scp.COLUMNS`: 1 present, 0 absent, -1 unknown.
    fold : np.ndarray of int8, shape (n,)
        Fold of PTB-XL; 0 for other sources, which always train.
    source, name, report : np.ndarray of str, shape (n,)
        Where each is from.
    calibrated, lead_gains_known : np.ndarray of bool, shape (n,)
        Whether the mV are true, and whether the leads have one common gain at least.
    age_years : np.ndarray of float32, shape (n,)
        NaN if unknown.
    sex : np.ndarray of str, shape (n,)
        ``female``, ``male`` or empty.
    fingerprint : str
        SHA-256 over all of it.
    """

    signals: npt.NDArray[np.float16]
    labels: npt.NDArray[np.int8]
    fold: npt.NDArray[np.int8]
    source: npt.NDArray[np.str_]
    name: npt.NDArray[np.str_]
    report: npt.NDArray[np.str_]
    calibrated: npt.NDArray[np.bool_]
    lead_gains_known: npt.NDArray[np.bool_]
    age_years: npt.NDArray[np.float32]
    sex: npt.NDArray[np.str_]
    fingerprint: str

    def __len__(self) -> int:
        """Give the number of records."""
        return len(self.fold)

    def record(self, k: int) -> ECGRecord:
        """Give one packed record as the lanes take it.

        Returns
        -------
        ECGRecord
            At 100 Hz, filtered as the encoder sees it.
        """
        signal = self.signals[k].astype(np.float32)
        there = np.isfinite(signal).any(axis=1)
        long = np.flatnonzero(np.isfinite(signal).any(axis=0))
        signal = signal[there][:, : long[-1] + 1]
        age = float(self.age_years[k])
        sex: Any = str(self.sex[k]) or None
        return ECGRecord(
            signal=signal,
            fs=100.0,
            leads=tuple(lead for lead, real in zip(STANDARD_12, there, strict=True) if real),
            source=str(self.name[k]),
            name=str(self.name[k]),
            age_years=age if age == age else None,
            sex=sex,
            calibrated=bool(self.calibrated[k]),
        )


def load_pack(folder: Path) -> Pack:
    """Map a packed folder into memory.

    Raises
    ------
    ConfigError
        If it is none, or of another version.
    """
    try:
        with np.load(folder / INDEX, allow_pickle=False) as stored:
            index = {name: stored[name] for name in stored.files}
        if int(index.pop("version")) != VERSION:
            raise ConfigError(f"{folder}: packed by another version; delete it and pack anew.")
        fingerprint = str(index.pop("fingerprint"))
        signals = np.load(folder / SIGNALS, mmap_mode="r")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{folder}: no packed data there ({error}); pack them anew.") from error
    return Pack(signals=signals, fingerprint=fingerprint, **index)


def pack(
    data: Path | None,
    out: Path,
    *,
    n_simulated: int = 4000,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pack:
    """Pack all data sets that a folder holds, unless that was done before.

    Parameters
    ----------
    data : Path or None
        Folder with any of ``ptbxl/``, ``ptbxl_zscored/``, ``challenge2011_set_a/`` and sets of
        records built by ``ecgllm build``; or itself one of them. None: simulated records only.
    out : Path
        Folder to write; records that could not be packed are listed there in ``problems.jsonl``.
    n_simulated : int
        Simulated records to add, half of them with rare conditions.

    Raises
    ------
    ConfigError
        If there is no data set, or nothing of it can be packed.
    """
    jobs = [] if data is None else list_jobs(data)
    jobs += [("simulated", (seed, k)) for k in range(n_simulated)]
    # Tables too: the same records may have been given other statements.
    tables = [] if data is None else sorted(map(sha256_of, tables_of(data)))
    asked = hashlib.sha256(repr((VERSION, str(data), jobs, tables)).encode()).hexdigest()
    stamp = out / STAMP
    if stamp.is_file() and stamp.read_text() == asked:
        return load_pack(out)
    out.mkdir(parents=True, exist_ok=True)
    new = out / f"{SIGNALS}.new"
    header: dict[str, Any] = {
        "descr": "<f2",
        "fortran_order": False,
        "shape": (0, len(STANDARD_12), WINDOW),
    }
    digest = hashlib.sha256()
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    seen: set[tuple[str, bytes]] = set()
    make = functools.partial(_make, data or Path())
    with new.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for done, made in enumerate(run_jobs(make, jobs, workers), 1):
            progress(done, len(jobs))
            if isinstance(made, Problem):
                problems.append(made)
                continue
            signal = made.pop("signal").tobytes()
            if (own := (made["source"], hashlib.sha256(signal).digest())) in seen:
                why = "it is packed already, from another folder"
                problems.append(Problem(made["name"], "duplicate", why))
                continue
            seen.add(own)
            digest.update(signal)
            file.write(signal)
            rows.append(made)
        file.seek(0)  # numpy leaves room in the header for the number of rows
        header["shape"] = (len(rows), len(STANDARD_12), WINDOW)
        np.lib.format.write_array_header_1_0(file, header)
    lines = (json.dumps(asdict(problem), ensure_ascii=False) + "\n" for problem in problems)
    (out / PROBLEMS).write_text("".join(lines), encoding="utf-8")
    if not rows:
        new.unlink()
        what = f", such as {problems[0].record}: {problems[0].reason}" if problems else ""
        raise ConfigError(f"{data}: none of {len(jobs)} records could be packed{what}")
    stamp.unlink(missing_ok=True)
    new.replace(out / SIGNALS)
    index: dict[str, Any] = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    for key in sorted(index):
        digest.update(np.ascontiguousarray(index[key]).tobytes())
    np.savez_compressed(out / INDEX, version=VERSION, fingerprint=digest.hexdigest(), **index)
    stamp.write_text(asked)
    return load_pack(out)


def packed_at(
    data: Path,
    folder: Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pack:
    """Open what `train encoder` packed, or pack the real records alone.

    Parameters
    ----------
    folder : Path
        Where the packed data are, or shall be.
    """
    if (folder / STAMP).is_file():
        return load_pack(folder)
    return pack(data, folder, n_simulated=0, workers=workers, progress=progress)


def _make(data: Path, job: Job) -> dict[str, Any] | Problem:
    """Read one record and put it into the packed form, or say why it cannot be encoded."""
    try:
        row = read_row(data, job)
        signal, present, calibrated = encoder_input(row.record)
    except ECGError as error:
        kind, what = job
        return Problem("/".join(map(str, what)), kind, str(error))
    _, first, there = windows(signal, present)[0]
    lead_gains_known = row.lead_gains_known
    record = row.record
    age = record.age_years
    return {
        "signal": np.where(there, first, np.nan).astype(np.float16),
        "labels": _label_row(row),
        "fold": np.int8(row.fold),
        "source": row.source,
        "name": record.name,
        "report": row.report,
        "calibrated": calibrated,
        "lead_gains_known": lead_gains_known,
        "age_years": np.float32(np.nan if age is None else age),
        "sex": record.sex or "",
    }


def _label_row(row: Row) -> npt.NDArray[np.int8]:
    """Say what is known of a record's statements and classes, shape (99,): 1, 0, or -1 unknown."""
    if row.codes is None:
        return np.full(len(COLUMNS), -1, np.int8)
    held = with_classes(row.codes)
    labels = np.array([name in held for name in COLUMNS], np.int8)
    if row.source in ("simulated", "synthetic") and "NORM" not in held:
        doubtful = [name not in CERTAIN_IF_ABSENT and name not in held for name in COLUMNS]
        labels[doubtful] = -1
    return labels
