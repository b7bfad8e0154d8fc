"""Where training records come from: data sets in their own layouts, read one record at a time."""

from __future__ import annotations

import ast
import csv
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord, FloatArray
from ecg_llm.scp import CODES

Job = tuple[str, Any]
"""Kind of source, and what tells the record there."""
Made = TypeVar("Made")
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


def list_jobs(data: Path) -> list[Job]:
    """List the records of a folder of data sets.

    Returns
    -------
    list of Job
        Records that are kept for tests left out.

    Raises
    ------
    ConfigError
        If there is no such folder, or no data set in it.
    """
    if not data.is_dir():
        raise ConfigError(f"{data}: no such folder; give the folder of the data sets.")
    jobs: list[Job] = []
    for folder in _folders(data):
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
            jobs += _built(folder, name)
    if not jobs:
        raise ConfigError(
            f"{data}: none of ptbxl/, ptbxl_zscored/, challenge2011_set_a/ or a set built by "
            "`ecgllm build` is there."
        )
    return jobs


def tables_of(data: Path) -> list[Path]:
    """List the tables that tell what the records of a folder of data sets are."""
    names = ("ptbxl_database.csv", "quality.csv", "manifest.json")
    paths = [folder / name for folder in _folders(data) for name in names]
    return [path for path in paths if path.is_file()]


def _folders(data: Path) -> list[Path]:
    return [data, *sorted(path for path in data.iterdir() if path.is_dir())]


def _built(folder: Path, name: str) -> list[Job]:
    """List the records of a set, but for those set apart for tests; of pages and talks none."""
    import pyarrow.parquet as pq

    from ecg_llm.data_builders.shards import load_manifest

    manifest = load_manifest(folder)
    if manifest.build["kind"] != "records":
        return []
    kept = [shard for shard in manifest.shards.values() if shard.split != "test"]
    if any("fold" not in pq.read_schema(folder / shard.name).names for shard in kept):
        raise ConfigError(
            f"{folder}: an earlier version built this set, without the folds of its records; "
            "build it anew with --overwrite."
        )
    return [
        ("built", (name, shard.split, shard.name, k)) for shard in kept for k in range(shard.n_rows)
    ]


def run_jobs(make: Callable[[Job], Made], jobs: list[Job], workers: int) -> Iterator[Made]:
    """Work through jobs in order, in one process or several.

    Parameters
    ----------
    make : callable
        What to do with each; must be known to other processes.

    Yields
    ------
    Made
    """
    if workers <= 1:
        yield from map(make, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(make, jobs, chunksize=16)


@functools.cache
def _ptbxl(folder: Path) -> tuple[Any, Any]:
    from ecg_llm.data_builders.ptbxl import PTBXL

    source = PTBXL(folder, fs=100 if (folder / "records100").is_dir() else 500)
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
    rows, signals = _zscored(data / what[0])
    cells = rows[what[1]]
    age = float(cells["age"]) if cells["age"] else None
    sexes: dict[str, Any] = {"0": "male", "1": "female"}
    return Row(
        record=ECGRecord(
            signal=_rescaled(signals[what[1]].astype(np.float32) / 1000),
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


def limb_ratios(limb: FloatArray) -> npt.NDArray[np.float64]:
    """Find by what standardised limb leads have to be multiplied so that their laws hold.

    Parameters
    ----------
    limb : np.ndarray, shape (6, T)
        I, II, III, aVR, aVL and aVF, each on a scale of its own.

    Returns
    -------
    np.ndarray, shape (6,)
        The only ratios at which Einthoven's and Goldberger's laws hold.
    """
    limb = limb.astype(np.float64)
    # Rows: I - II + III = 0, 2 aVR + I + II = 0, 2 aVL - I + III = 0, 2 aVF - II - III = 0.
    laws = np.array(
        [[1, -1, 1, 0, 0, 0], [1, 1, 0, 2, 0, 0], [-1, 0, 1, 0, 2, 0], [0, -1, -1, 0, 0, 2]]
    )
    gram = (laws.T @ laws) * (limb @ limb.T)
    scale = np.linalg.eigh(gram)[1][:, 0]
    return np.asarray(scale * np.sign(scale.sum()))


def _rescaled(z: FloatArray) -> FloatArray:
    """Give standardised leads, shape (12, T), back the ratios that are known of them.

    The six limb leads at a typical height; the precordial ones at their typical heights, which is a
    guess.
    """
    scale = limb_ratios(z[:6])
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


def _read_built(data: Path, what: tuple[str, str, str, int]) -> Row:
    from ecg_llm.data_builders.rows import record_of
    from ecg_llm.data_builders.shards import read_row

    folder, split, shard, k = what
    row = read_row(data / folder / shard, k, _BUILT)
    labels, fold = row["labels"], row["fold"]
    return Row(
        record=record_of(row),
        source=str(row["dataset"]),
        # Without folds of its own a source trains, but for what its build set apart.
        fold=fold if fold is not None else 9 if split == "val" else 0,
        codes=tuple(label["code"] for label in labels) if labels else None,
        report=row["report"] or "",
    )


_BUILT = (
    *("record", "dataset", "fold", "age_years", "sex", "fs", "leads", "derived", "signal", "gain"),
    *("calibrated", "labels", "report"),
)
_READERS: dict[str, Callable[[Path, Any], Row]] = {
    "ptbxl": _read_ptbxl,
    "zscored": _read_zscored,
    "challenge2011": _read_challenge,
    "simulated": _read_simulated,
    "built": _read_built,
}


def read_row(data: Path, job: Job) -> Row:
    """Read one record.

    Raises
    ------
    ECGError
        If it cannot be read.
    """
    kind, what = job
    return _READERS[kind](data, what)
