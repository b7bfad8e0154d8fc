"""Data sets packed once into arrays that training maps into memory."""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.encoders.signal_input import WINDOW, encoder_input, windows
from ecg_llm.errors import ConfigError, ECGError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord, FloatArray
from ecg_llm.scp import CODES, COLUMNS, with_classes

SIGNALS, INDEX = "signals.npy", "index.npz"
VERSION = 1
"""Raised whenever the same files would give other arrays."""
SIMULATED_FS = 250.0
TYPICAL_RMS_MV = dict(
    zip(
        STANDARD_12,
        (0.118, 0.123, 0.087, 0.113, 0.079, 0.090, 0.145, 0.235, 0.232, 0.221, 0.201, 0.163),
        strict=True,
    )
)
"""Median height of each lead over the training folds of PTB-XL, 0.5 to 40 Hz: what the leads of a
record are scaled to whose mV were lost."""
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


@dataclass(frozen=True)
class Row:
    """One record to pack."""

    record: ECGRecord
    source: str
    fold: int
    codes: tuple[str, ...] | None
    """None if nothing is known of its statements."""
    report: str = ""
    lead_gains_known: bool = True
    """False if each precordial lead lost its own scale."""


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

        Parameters
        ----------
        k : int
            Its number.

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

    Parameters
    ----------
    folder : Path
        Written by `pack`.

    Returns
    -------
    Pack

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
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{folder}: no packed data there ({error}); pack them anew.") from error
    return Pack(signals=signals, fingerprint=fingerprint, **index)


def pack(
    data: Path,
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
    data : Path
        Folder with any of ``ptbxl/``, ``ptbxl_zscored/``, ``challenge2011_set_a/`` and sets of
        records built by ``ecgllm build``; or itself one of them.
    out : Path
        Folder to write.
    n_simulated : int
        Simulated records to add, half of them with rare conditions.
    seed : int
        Of the simulation.
    workers : int
        Processes.
    progress : callable
        Called with packed and total records.

    Returns
    -------
    Pack

    Raises
    ------
    ConfigError
        If there is nothing to pack.
    """
    jobs = [*_jobs(data), *(("simulated", (seed, k)) for k in range(n_simulated))]
    if not jobs:
        raise ConfigError(
            f"{data}: none of ptbxl/, ptbxl_zscored/, challenge2011_set_a/ or a set built by "
            "`ecgllm build` is there, and no simulated records were asked for."
        )
    asked = hashlib.sha256(repr((VERSION, str(data), jobs)).encode()).hexdigest()
    stamp = out / "asked.txt"
    if stamp.is_file() and stamp.read_text() == asked:
        return load_pack(out)
    out.mkdir(parents=True, exist_ok=True)
    new = out / f"{SIGNALS}.new"
    signals = np.lib.format.open_memmap(
        new, mode="w+", dtype=np.float16, shape=(len(jobs), len(STANDARD_12), WINDOW)
    )
    digest = hashlib.sha256()
    rows: list[dict[str, Any]] = []
    for done, made in enumerate(_run(functools.partial(_make, data), jobs, workers), 1):
        if made is not None:
            signals[len(rows)] = made["signal"]
            digest.update(made.pop("signal").tobytes())
            rows.append(made)
        progress(done, len(jobs))
    signals.flush()
    del signals
    whole = np.load(new, mmap_mode="r")
    np.save(out / SIGNALS, whole[: len(rows)])
    new.unlink()
    index: dict[str, Any] = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    for key in sorted(index):
        digest.update(np.ascontiguousarray(index[key]).tobytes())
    np.savez_compressed(out / INDEX, version=VERSION, fingerprint=digest.hexdigest(), **index)
    stamp.write_text(asked)
    return load_pack(out)


Job = tuple[str, Any]


def _run(
    make: Callable[[Job], dict[str, Any] | None], jobs: list[Job], workers: int
) -> Iterator[dict[str, Any] | None]:
    """Make rows in order, in one process or several."""
    if workers <= 1:
        yield from map(make, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(make, jobs, chunksize=16)


def _jobs(data: Path) -> list[Job]:
    """List what a folder holds."""
    if not data.is_dir():
        raise ConfigError(f"{data}: no such folder; give the folder of the data sets.")
    jobs: list[Job] = []
    for folder in (data, *sorted(path for path in data.iterdir() if path.is_dir())):
        name = str(folder.relative_to(data))
        if (folder / "signals_00.npy").is_file():
            with (folder / "ptbxl_database.csv").open(encoding="utf-8") as file:
                n = sum(1 for _ in csv.DictReader(file))
            jobs += [("zscored", (name, k)) for k in range(n)]
        elif (folder / "ptbxl_database.csv").is_file():
            order = _ptbxl(folder)[1].order
            jobs += [("ptbxl", (name, int(k))) for part in ("train", "val") for k in order[part]]
        elif (folder / "quality.csv").is_file():
            stems = sorted(path.name for path in folder.glob("*.hea"))
            jobs += [("challenge2011", (name, stem)) for stem in stems]
        elif (folder / "manifest.json").is_file():
            from ecg_llm.data_builders.shards import load_manifest

            shards = load_manifest(folder).shards.values()
            kept = [shard for shard in shards if shard.split != "test"]
            jobs += [
                ("built", (name, shard.split, shard.name, k))
                for shard in kept
                for k in range(shard.n_rows)
            ]
    return jobs


def _make(data: Path, job: Job) -> dict[str, Any] | None:
    """Read one record and put it into the packed form; None if it cannot be encoded."""
    kind, what = job
    try:
        row = _READERS[kind](data, what)
        signal, present, calibrated = encoder_input(row.record)
    except ECGError:
        return None
    _, first, there = windows(signal, present)[0]
    lead_gains_known = row.lead_gains_known
    record = row.record
    age = record.age_years
    return {
        "signal": np.where(there, first, np.nan).astype(np.float16),
        "labels": label_row(row),
        "fold": np.int8(row.fold),
        "source": row.source,
        "name": record.name,
        "report": row.report,
        "calibrated": calibrated,
        "lead_gains_known": lead_gains_known,
        "age_years": np.float32(np.nan if age is None else age),
        "sex": record.sex or "",
    }


def label_row(row: Row) -> npt.NDArray[np.int8]:
    """Say what is known of a record's statements and classes.

    Parameters
    ----------
    row : Row
        With its statements.

    Returns
    -------
    np.ndarray of int8, shape (99,)
        1 present, 0 absent, -1 unknown.
    """
    if row.codes is None:
        return np.full(len(COLUMNS), -1, np.int8)
    held = with_classes(row.codes)
    labels = np.array([name in held for name in COLUMNS], np.int8)
    if row.source == "simulated" and "NORM" not in held:
        doubtful = [name not in CERTAIN_IF_ABSENT and name not in held for name in COLUMNS]
        labels[doubtful] = -1
    return labels


@functools.cache
def _ptbxl(folder: Path) -> tuple[Any, Any]:
    from ecg_llm.data_builders.ptbxl import PTBXL

    source = PTBXL(folder, fs=100)
    return source, source.listing()


def _read_ptbxl(data: Path, what: tuple[str, int]) -> Row:
    source, listing = _ptbxl(data / what[0])
    item = listing.item(what[1])
    entry = source.read(item)
    return Row(
        record=replace(entry.record, name=item.name),
        source="ptbxl",
        fold=int(item.cells["strat_fold"].removesuffix(".0")),
        codes=tuple(code for code, _ in entry.labels),
        report=entry.report or "",
    )


@functools.cache
def _zscored(folder: Path) -> tuple[list[dict[str, str]], npt.NDArray[np.int16]]:
    with (folder / "ptbxl_database.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return rows, np.concatenate([np.load(path) for path in sorted(folder.glob("signals_*.npy"))])


def _read_zscored(data: Path, what: tuple[str, int]) -> Row:
    import ast

    rows, signals = _zscored(data / what[0])
    cells = rows[what[1]]
    age = float(cells["age"]) if cells["age"] else None
    sexes: dict[str, Any] = {"0": "male", "1": "female"}
    return Row(
        record=ECGRecord(
            signal=rescaled(signals[what[1]].astype(np.float32) / 1000),
            fs=100.0,
            leads=STANDARD_12,
            name=f"{int(cells['ecg_id']):05d}",
            age_years=age if age is not None and age < 120 else None,
            sex=sexes.get(cells["sex"].removesuffix(".0")),
            calibrated=False,
        ),
        source="ptbxl_zscored",
        fold=int(cells["strat_fold"].removesuffix(".0")),
        codes=tuple(ast.literal_eval(cells["scp_codes"])),
        report=cells["report"],
        lead_gains_known=False,
    )


def rescaled(z: FloatArray) -> FloatArray:
    """Give standardised leads back the ratios that are known of them.

    Parameters
    ----------
    z : np.ndarray, shape (12, T)
        Each lead divided by its own deviation.

    Returns
    -------
    np.ndarray, shape (12, T)
        The six limb leads in the only ratios at which Einthoven's and Goldberger's laws hold, at a
        typical height; the precordial ones at their typical heights, which is a guess.
    """
    limb = z[:6].astype(np.float64)
    # Rows: I - II + III = 0, 2 aVR + I + II = 0, 2 aVL - I + III = 0, 2 aVF - II - III = 0.
    laws = np.array(
        [[1, -1, 1, 0, 0, 0], [1, 1, 0, 2, 0, 0], [-1, 0, 1, 0, 2, 0], [0, -1, -1, 0, 0, 2]]
    )
    gram = (laws.T @ laws) * (limb @ limb.T)
    scale = np.linalg.eigh(gram)[1][:, 0]
    scale = scale * np.sign(scale.sum())
    typical = np.array(list(TYPICAL_RMS_MV.values()))
    if (scale <= 0).any():  # a lead without any signal leaves the laws open
        scale = typical[:6]
    scale *= np.sqrt((typical[:6] ** 2).sum() / (scale**2).sum())
    out: FloatArray = (z * np.r_[scale, typical[6:]][:, None]).astype(np.float32)
    return out


def _read_challenge(data: Path, what: tuple[str, str]) -> Row:
    from ecg_llm.io import read_record

    record = read_record(data / what[0] / what[1])
    return Row(record=record, source="challenge2011", fold=0, codes=None)


def _read_simulated(data: Path, what: tuple[int, int]) -> Row:
    from ecg_llm.data_builders.synthetic import random_ecg

    seed = int(np.random.SeedSequence(what).generate_state(1, np.uint32)[0])
    ecg = random_ecg(seed, fs=SIMULATED_FS, rare=0.5)
    codes = tuple(code for code in ecg.truth.labels if code in CODES)
    return Row(record=ecg.record, source="simulated", fold=0, codes=codes)


@functools.lru_cache(maxsize=2)
def _group(path: Path, group: int) -> list[dict[str, Any]]:
    from ecg_llm.data_builders.shards import read_group

    return read_group(path, group, _BUILT.split())


def _read_built(data: Path, what: tuple[str, str, str, int]) -> Row:
    from ecg_llm.data_builders.rows import record_of
    from ecg_llm.data_builders.shards import ROWS_PER_GROUP

    folder, split, shard, k = what
    row = _group(data / folder / shard, k // ROWS_PER_GROUP)[k % ROWS_PER_GROUP]
    labels = row["labels"]
    return Row(
        record=record_of(row),
        source=str(row["dataset"]),
        fold=9 if split == "val" else 0,
        codes=tuple(label["code"] for label in labels) if labels else None,
        report=row["report"] or "",
    )


_BUILT = "record dataset age_years sex fs leads derived signal gain calibrated labels report"
_READERS: dict[str, Callable[[Path, Any], Row]] = {
    "ptbxl": _read_ptbxl,
    "zscored": _read_zscored,
    "challenge2011": _read_challenge,
    "simulated": _read_simulated,
    "built": _read_built,
}
