"""Speed of writing conversations."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ecg_llm.eval.result import Result

MIMIC_RECORDS, CORES = 800_000, 16


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

    Parameters
    ----------
    shards : Path
        A built set of records.
    limit : int
        How many of them.

    Returns
    -------
    InstructBench

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
