"""From an upload to its analysis: through a reader process, or kept from the turn before."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ecg_llm.serving.errors import TookTooLongError
from ecg_llm.serving.recording import ReadingFields, Upload
from ecg_llm.serving.workers import WorkerPool, require

if TYPE_CHECKING:
    from ecg_llm.assistant import Analysis
    from ecg_llm.serving.guard import Call
    from ecg_llm.serving.settings import Settings


class Intake:
    """The only way by which a file gets in."""

    def __init__(self, settings: Settings, pool: WorkerPool) -> None:
        self._settings = settings
        self._pool = pool
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="ecg-intake")
        self._kept = _Kept(settings.cache_bytes)

    async def analyse(
        self, call: Call, upload: Upload, fields: ReadingFields, *, earlier: bool = False
    ) -> Analysis:
        """Read and measure an upload; nobody gets what another caller sent."""
        # The key is of our making: from every byte and option, and who sent them.
        told = ReadingFields(**fields.model_dump(include=set(ReadingFields.model_fields)))
        said = f"{told.model_dump_json()}\0{earlier}"
        key = f"{call.caller}\0{upload.filename}\0{said}\0{upload.sha256}"
        known = self._kept.get(key)
        if known is not None:
            return known
        analysis: Analysis
        analysis, stages_ms = await self.run("analyse", upload, told, self._settings, earlier)
        call.add(stages_ms)
        self._kept.put(key, analysis)
        return analysis

    async def run(self, task: str, *args: Any) -> Any:
        """Have a reader process do a task of `filework.TASKS`."""
        require(self._pool)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.answer_s):
                return await loop.run_in_executor(self._threads, self._pool.run, task, *args)
        except TimeoutError:
            raise TookTooLongError("The answer was not ready in time.") from None

    def close(self) -> None:
        """Let no more in."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Kept:
    """The analyses used last, within a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._items: OrderedDict[str, tuple[Analysis, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Analysis | None:
        """Give one, if it is kept."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, key: str, analysis: Analysis) -> None:
        """Keep one, and let the oldest go."""
        # Measurements are about as large as the samples at usual rates.
        size = 2 * analysis.record.signal.nbytes + 200_000
        if size > self._limit:
            return
        with self._lock:
            if key in self._items:
                return
            self._items[key] = (analysis, size)
            self._bytes += size
            while self._bytes > self._limit:
                _, (_, gone) = self._items.popitem(last=False)
                self._bytes -= gone
