"""Load on a server of its own, on the loopback: latency, errors, memory; bounded in every way."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_llm.errors import ConfigError
from ecg_llm.eval.result import Result
from ecg_llm.serving.own_server import own_server

if TYPE_CHECKING:
    import httpx

MOST_CLIENTS = 256
MOST_SECONDS = 3600
STAGES = ("read", "measure", "encode", "prefill", "decode", "compose", "check", "render")
FIELDS = {
    "fs": "500",
    "unit": "mV",
    "leads": "I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6",
    "age": "64",
    "sex": "female",
}
"""What has to be told of a plain array."""
QUESTION = "What are the rhythm, the QRS duration and the axis?"


@dataclass(frozen=True, kw_only=True)
class ServeBench(Result):
    """What ``ecgllm bench serve`` prints.

    Attributes
    ----------
    clients : int
        Requests at one time.
    seconds : float, s
        How long.
    model : str
        What answered.
    requests : int
        Answers, refused ones too.
    per_second : float
        Good answers a second.
    statuses : dict of str to int
        Answers by HTTP status; ``broken`` for a connection that failed.
    latency_ms : dict of str to dict of str to float, ms
        By route: p50, p90, p99, longest; of good answers.
    stages_ms : dict of str to dict of str to float, ms
        By route, the median time of each part: read, measure, encode, prefill, decode, check,
        render. The rest of the latency is waiting.
    memory_mb : tuple of float, MB
        Memory of the server and its processes: after a fifth of the time, and at the end.
    """

    clients: int
    seconds: float
    model: str
    requests: int
    per_second: float
    statuses: dict[str, int]
    latency_ms: dict[str, dict[str, float]]
    stages_ms: dict[str, dict[str, float]]
    memory_mb: tuple[float, float]

    @property
    def errors(self) -> int:
        """Answers that are neither good nor a full queue's."""
        return sum(n for status, n in self.statuses.items() if status not in ("200", "429"))

    def render(self) -> str:
        """Give the result as text."""
        counts = ", ".join(f"{status}: {n}" for status, n in sorted(self.statuses.items()))
        lines = [
            f"{self.clients} clients for {self.seconds:.0f} s, model {self.model}",
            f"answers            {self.requests} ({counts}); {self.per_second:.1f} good a second",
        ]
        for route, values in self.latency_ms.items():
            told = "  ".join(f"{name} {ms:.0f}" for name, ms in values.items())
            lines.append(f"{route:<18} {told} ms")
            stages = self.stages_ms.get(route, {})
            told = "  ".join(f"{name} {ms:.1f}" for name, ms in stages.items())
            lines.append(f"{'  of that':<18} {told} ms")
        before, after = self.memory_mb
        lines.append(f"memory             {before:.0f} MB, at the end {after:.0f} MB")
        return "\n".join(lines)


def bench_serve(
    *,
    clients: int = 64,
    seconds: float = 300.0,
    chat_share: float = 0.25,
    model: str | None = None,
    engine: str = "auto",
    workers: int | None = None,
    queue: int = 64,
) -> ServeBench:
    """Start a server and ask it from many clients at once, each its next when it has its answer.

    ``chat_share`` of the requests are questions; the others ask for reports. Every request brings
    an ECG of its own, so that nothing is remembered. The rest is as for ``ecgllm serve``.
    """
    if not 1 <= clients <= MOST_CLIENTS or not 0 < seconds <= MOST_SECONDS:
        raise ConfigError(
            f"{clients} clients for {seconds:g} s: at most {MOST_CLIENTS} clients and "
            f"{MOST_SECONDS} s are allowed."
        )
    words = ["--engine", engine, "--queue", str(queue)]
    words += ["--model", model] if model else []
    words += ["--workers", str(workers)] if workers else []
    with tempfile.TemporaryDirectory(prefix="ecg-bench-") as folder:
        words += ["--audit", f"sqlite:///{Path(folder) / 'audit.db'}"]
        with own_server(words) as (url, pid):
            load = _Load(url, pid, chat_share)
            asyncio.run(load.run(clients, seconds))
            return load.result(clients, seconds)


class _Load:
    """Clients, and what they saw."""

    def __init__(self, url: str, pid: int, chat_share: float) -> None:
        self._url = url
        self._pid = pid
        self._chat_share = chat_share
        self._statuses: Counter[str] = Counter()
        self._latencies: dict[str, list[float]] = {}
        self._stages: dict[str, dict[str, list[float]]] = {}
        self._memory: list[float] = []
        self._n = 0
        self._model = "measured"
        self._ecg = _Ecgs()

    async def run(self, clients: int, seconds: float) -> None:
        """Ask until the time is over, then wait for the last answers."""
        import httpx

        limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
        async with httpx.AsyncClient(base_url=self._url, timeout=300, limits=limits) as client:
            listed = (await client.get("/v1/models")).json()
            self._model = listed["data"][0]["id"]
            end = time.monotonic() + seconds
            watch = asyncio.create_task(self._watch())
            await asyncio.gather(*(self._one(client, end) for _ in range(clients)))
            watch.cancel()
            self._memory.append(tree_memory_mb(self._pid))

    async def _one(self, client: httpx.AsyncClient, end: float) -> None:
        """Be one client."""
        import httpx

        while time.monotonic() < end:
            self._n += 1
            chat = is_chat(self._n, self._chat_share)
            begun = time.perf_counter()
            try:
                answer = await (self._chat(client) if chat else self._report(client))
            except httpx.TransportError:
                self._statuses["broken"] += 1
                continue
            ms = (time.perf_counter() - begun) * 1000
            self._statuses[str(answer.status_code)] += 1
            if answer.status_code == 200:
                route = "chat" if chat else "report"
                self._latencies.setdefault(route, []).append(ms)
                for name, took in _timing(answer.headers.get("server-timing", "")):
                    self._stages.setdefault(route, {}).setdefault(name, []).append(took)
            elif answer.status_code == 429:
                await asyncio.sleep(min(float(answer.headers.get("retry-after", "1")), 5.0))

    async def _report(self, client: httpx.AsyncClient) -> httpx.Response:
        files = {"file": ("bench.npy", self._ecg.next())}
        return await client.post("/v1/ecg/reports", files=files, data=FIELDS)

    async def _chat(self, client: httpx.AsyncClient) -> httpx.Response:
        data = base64.b64encode(self._ecg.next()).decode()
        parts = [
            {"type": "file", "file": {"filename": "bench.npy", "file_data": data}},
            {"type": "text", "text": QUESTION},
        ]
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": parts}],
            "ecg": FIELDS,
        }
        return await client.post("/v1/chat/completions", json=body)

    async def _watch(self) -> None:
        while True:
            self._memory.append(tree_memory_mb(self._pid))
            await asyncio.sleep(2)

    def result(self, clients: int, seconds: float) -> ServeBench:
        """Sum up."""
        fifth = max(1, len(self._memory) // 5)
        return ServeBench(
            clients=clients,
            seconds=seconds,
            model=self._model,
            requests=sum(self._statuses.values()),
            per_second=self._statuses["200"] / seconds,
            statuses=dict(self._statuses),
            latency_ms={name: _spread(times) for name, times in self._latencies.items()},
            stages_ms={
                route: {
                    stage: statistics.median(stages[stage]) for stage in STAGES if stage in stages
                }
                for route, stages in self._stages.items()
            },
            memory_mb=(
                statistics.median(self._memory[fifth : 2 * fifth] or self._memory),
                statistics.median(self._memory[-fifth:]),
            ),
        )


class _Ecgs:
    """Simulated ECGs, no two of which are the same file."""

    def __init__(self) -> None:
        from ecg_llm.data_builders.synthetic import synthetic_ecg

        self._signals = [
            synthetic_ecg(bpm=bpm, seed=bpm).record.signal for bpm in (52, 67, 75, 88, 104)
        ]
        self._n = 0

    def next(self) -> bytes:
        """Give the next one as an NPY file."""
        import numpy as np

        self._n += 1
        signal = self._signals[self._n % len(self._signals)].copy()
        signal[:, 0] += self._n * 1e-6  # mV: another file, the same ECG
        packed = io.BytesIO()
        np.save(packed, signal)
        return packed.getvalue()


def is_chat(number: int, share: float) -> bool:
    """Whether the request of a number, from 1 on, is a question, so that a share of them is.

    Examples
    --------
    >>> [is_chat(n, 0.75) for n in (1, 2, 3, 4)]
    [False, True, True, True]
    """
    return int(number * share) > int((number - 1) * share)


def _timing(header: str) -> Iterator[tuple[str, float]]:
    """Read a Server-Timing header."""
    for part in header.split(","):
        name, _, ms = part.strip().partition(";dur=")
        if ms:
            yield name, float(ms)


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "longest": ordered[-1]}


def tree_memory_mb(pid: int) -> float:
    """Add up the resident memory of a process and all below it; what they share counts in each."""
    total, todo = 0.0, [pid]
    page_mb = os.sysconf("SC_PAGE_SIZE") / 2**20
    while todo:
        one = Path("/proc") / str(todo.pop())
        try:
            total += int((one / "statm").read_text().split()[1]) * page_mb
            for task in (one / "task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError, IndexError):
            continue
    return total
