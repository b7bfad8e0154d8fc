"""How fast records and conversations are built, and what that means for a large data set."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ecg_llm.batch import spawn_pool
from ecg_llm.data_builders.build import RECORDS, ShardTask, build_shard
from ecg_llm.data_builders.build_synthetic import Synthetic
from ecg_llm.data_builders.listing import Item, Source
from ecg_llm.data_builders.ptbxl import PTBXL
from ecg_llm.errors import ConfigError
from ecg_llm.eval.result import Result

MIMIC_RECORDS = 800_000
CORES = 16


@dataclass(frozen=True, kw_only=True)
class BuildBenchmark(Result):
    """What ``ecgllm bench build`` prints.

    Attributes
    ----------
    what : str
        Which records.
    n_records : int
        How many were built.
    cpu_s, wall_s : float, s
        Time of one process for all of them: reading, quality, measuring, criteria, writing.
    """

    what: str
    n_records: int
    cpu_s: float
    wall_s: float

    @property
    def per_core(self) -> float:
        """Records a second of one core."""
        return self.n_records / self.cpu_s

    @property
    def mimic_hours(self) -> float:
        """Hours for 800,000 records on 16 cores, if 16 processes are 16 times as fast as one."""
        return MIMIC_RECORDS / self.per_core / CORES / 3600

    def render(self) -> str:
        """Give the result as text."""
        return (
            f"{self.what}: {self.n_records} records in {self.cpu_s:.1f} s of one core "
            f"({self.wall_s:.1f} s of wall clock)\n"
            f"build              {self.per_core:8.1f} records/s a core\n"
            f"extrapolated       {self.mimic_hours:8.1f} h for {MIMIC_RECORDS:,} such records on "
            f"{CORES} cores, each as fast as this one"
        )


def bench_build(data: Path | None = None, *, n: int = 64) -> BuildBenchmark:
    """Time the building of records at 500 Hz in one process, as the engine runs it on each core.

    Parameters
    ----------
    data : Path, optional
        Folder of PTB-XL; simulated records if left out, with the time to simulate them.

    Raises
    ------
    ConfigError
        If the folder has hardly a record that can be built.

    Notes
    -----
    Time is that of the processor, so that other work on the machine matters less.
    """
    if data is not None and not (data / "records500").is_dir():
        raise ConfigError(f"{data}: no records500 of PTB-XL is there; records at 500 Hz are timed.")
    source: Source = Synthetic(n + 1) if data is None else PTBXL(data, 500)
    listing = source.listing()
    rows = sorted(int(row) for order in listing.order.values() for row in order)
    items = [listing.item(row) for row in rows]
    if data is not None:
        # A part of the data set may hold few of the files at 500 Hz.
        items = [i for i in items if (data / f"{i.cells['filename_hr']}.hea").is_file()]
    if len(items) < 2:
        raise ConfigError(f"--data {data}: fewer than two records at 500 Hz are there.")
    with tempfile.TemporaryDirectory() as folder, spawn_pool(1) as pool:
        # The first one loads the nets.
        pool.submit(_timed, source, tuple(items[:1]), Path(folder)).result()
        timed = pool.submit(_timed, source, tuple(items[1 : n + 1]), Path(folder)).result()
    return BuildBenchmark(
        what="simulated (with simulating), 500 Hz" if data is None else "PTB-XL, 500 Hz",
        n_records=timed[0],
        cpu_s=timed[1],
        wall_s=timed[2],
    )


def _timed(source: Source, items: tuple[Item, ...], folder: Path) -> tuple[int, float, float]:
    """Build one shard; give its rows, and seconds of processor and wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    task = ShardTask("bench.parquet", items[0].split, folder, source, RECORDS, items, ())
    n_rows = build_shard(task).shard.n_rows
    return n_rows, time.process_time() - cpu, time.perf_counter() - wall


@dataclass(frozen=True)
class InstructBench(Result):
    """What ``ecgllm bench instruct`` prints.

    Attributes
    ----------
    records, conversations : int
        Read, and written of them.
    seconds : float, s
        Time of one processor, without that of starting.
    rate : float, 1/s
        Conversations a second of one core, each held against its record.
    mimic_hours : float, h
        For 800,000 records on 16 cores, extrapolated from this rate.
    """

    records: int
    conversations: int
    seconds: float
    rate: float
    mimic_hours: float

    def render(self) -> str:
        """Give the result as text."""
        return (
            f"{self.conversations} checked conversations on {self.records} records\n"
            f"one core       {self.rate:8.1f} conversations/s\n"
            f"extrapolated   {self.mimic_hours:8.1f} h for {MIMIC_RECORDS:,} records on "
            f"{CORES} cores"
        )


def bench_instruct(shards: Path, *, limit: int = 100) -> InstructBench:
    """Time the writing of conversations on one core.

    Raises
    ------
    ConfigError
        If the folder is not a finished set of records.
    """
    from ecg_llm.data_builders.instruct import Instruct

    source = Instruct.prepared(shards)
    listing = source.listing()
    places = sorted(int(row) for rows in listing.order.values() for row in rows)[: limit + 1]
    items = [listing.item(place) for place in places]
    source.rows(items[0])  # reads the lexicon
    timed = items[1:] or items
    begin = time.process_time()
    conversations = sum(len(source.rows(item)) for item in timed)
    seconds = max(time.process_time() - begin, 1e-9)
    return InstructBench(
        records=len(timed),
        conversations=conversations,
        seconds=seconds,
        rate=conversations / seconds,
        mimic_hours=seconds / len(timed) * MIMIC_RECORDS / CORES / 3600,
    )
