"""Speed of the measuring lane as a ratio to neurokit2, both timed in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ecg_llm.eval.neurokit import delineate_with_neurokit
from ecg_llm.eval.result import Result
from ecg_llm.record import ECGRecord

REPEATS, PEER_REPEATS = 20, 3


@dataclass(frozen=True)
class MeasureBench(Result):
    """What ``ecgllm bench measure`` prints.

    Attributes
    ----------
    record : str
        What was measured.
    ours_ms : float, ms
        Quality, delineation and measurements of all leads; the best of several runs.
    steps_ms : dict of str to float, ms
        The same by step.
    neurokit_ms : float, ms
        neurokit2's clean, peaks and delineate (dwt) over the same leads; the best of several.
    ratio : float
        The second over the first.
    """

    record: str
    ours_ms: float
    steps_ms: dict[str, float]
    neurokit_ms: float
    ratio: float

    def render(self) -> str:
        """Give the result as text."""
        steps = ", ".join(f"{name} {ms:.1f}" for name, ms in self.steps_ms.items())
        return (
            f"{self.record}\n"
            f"measuring lane     {self.ours_ms:8.1f} ms  ({steps})\n"
            f"neurokit2 (dwt)    {self.neurokit_ms:8.1f} ms\n"
            f"ratio              {self.ratio:8.1f} ×"
        )


def bench_measure(record: ECGRecord) -> MeasureBench:
    """Time the measuring lane and neurokit2 on the same record.

    Parameters
    ----------
    record : ECGRecord
        Best a 10 s, 12-lead, 500 Hz one.
    """
    from ecg_llm.delineate import delineate
    from ecg_llm.measure import measure
    from ecg_llm.quality import assess

    quality = assess(record)
    delineation = delineate(record)
    steps: dict[str, Callable[[], object]] = {
        "quality": lambda: assess(record),
        "delineate": lambda: delineate(record),
        "measure": lambda: measure(record, quality, delineation),
    }
    steps_ms = {name: shortest_ms(step, REPEATS) for name, step in steps.items()}

    def lane() -> None:
        judged = assess(record)
        measure(record, judged, delineate(record))

    ours = shortest_ms(lane, REPEATS)
    peer = shortest_ms(lambda: delineate_with_neurokit(record), PEER_REPEATS)
    return MeasureBench(
        record=f"{record.name}: {len(record.leads)} leads, {record.duration_s:g} s, "
        f"{record.fs:g} Hz",
        ours_ms=ours,
        steps_ms=steps_ms,
        neurokit_ms=peer,
        ratio=peer / ours,
    )


def shortest_ms(work: Callable[[], object], repeats: int) -> float:
    """Time some work.

    Parameters
    ----------
    repeats : int
        How often, after one run that warms up.

    Returns
    -------
    float, ms
        Of the shortest run, as it is disturbed least.
    """
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times) * 1000
