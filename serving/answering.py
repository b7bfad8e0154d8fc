"""Reports and chat answers: written with the engine's model where there is one, always checked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from ecg_llm.serving.engine import RemoteModel, Usage
from ecg_llm.serving.errors import BadRequestError, TookTooLongError

if TYPE_CHECKING:
    from ecg_llm.assistant import Analysis
    from ecg_llm.ground.sentence import Sentence
    from ecg_llm.report import Report
    from ecg_llm.serving.engine import EngineHost
    from ecg_llm.serving.guard import Call, Gate
    from ecg_llm.serving.metrics import Metrics
    from ecg_llm.serving.settings import Settings

T = TypeVar("T")
MEASURED = "measured"
"""Name of the answers that no language model has a part in."""
NO_ECG = "No ECG came with this conversation; attach one as a file, then ask about it."


@dataclass(kw_only=True, eq=False)
class Answer:
    """One answer in the making.

    Attributes
    ----------
    model : str
        Name of the model, or ``measured``.
    sentences : list of Sentence
        Those that were given so far, the withheld ones too.
    usage : Usage
        Tokens of the model.
    """

    model: str
    sentences: list[Sentence] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    @property
    def text(self) -> str:
        """What was shown so far."""
        return "".join(one.before + one.text for one in self.sentences if one.text).strip()


class Answering:
    """Gives reports and answers, as many at a time as the settings allow.

    Without an engine everything is measured.
    """

    def __init__(
        self, settings: Settings, engine: EngineHost | None, metrics: Metrics, gate: Gate
    ) -> None:
        self.engine = engine
        self._gate = gate
        self._settings = settings
        self._metrics = metrics
        # One report is asked for as JSON, as PDF, for FHIR: it is written once, and kept no longer
        # than what was measured of the ECG, which is remembered for its own caller only.
        self._written: WeakKeyDictionary[Analysis, dict[str, Report]] = WeakKeyDictionary()
        self._threads = ThreadPoolExecutor(
            settings.max_engine_requests, thread_name_prefix="ecg-answer"
        )

    @property
    def model_name(self) -> str:
        """Name of the model that answers if none is asked for."""
        return MEASURED if self.engine is None else self.engine.name

    def models(self) -> list[str]:
        """Give the names that a client can ask for."""
        return list(dict.fromkeys([self.model_name, MEASURED]))

    def chosen(self, call: Call, name: str | None) -> str:
        """Find the model that a client asks for, and take a place in its queue.

        ``default`` or nothing takes the server's own.
        """
        if name in (None, "default"):
            name = self.model_name
        if name != MEASURED:
            if self.engine is not None:
                self.engine.require()
            if name not in self.models():
                raise BadRequestError(
                    "There is no model of that name; GET /v1/models lists them.", status=404
                )
            if self.engine is not None:
                self._gate.queue_up(call, self.engine.wait_s)
        return str(name)

    async def report(
        self,
        call: Call,
        found: Analysis,
        *,
        model: str,
        question: str | None = None,
        earlier: Analysis | None = None,
    ) -> Report:
        """Write a report; one without question and earlier ECG is written once a model."""
        plain = question is None and earlier is None
        if plain and model in (written := self._written.setdefault(found, {})):
            return written[model]
        stop = threading.Event()
        remote = self._remote(model, stop)

        def write() -> Report:
            from ecg_llm.assistant import report_on

            begun = time.perf_counter()
            made = report_on(found, question, model=remote or "none", earlier=earlier)
            self._count(call, remote, time.perf_counter() - begun)
            return made

        report = await self._in_thread(write, stop)
        if remote is not None and remote.lost is not None:
            raise remote.lost
        if plain and not any(change.action == "failed" for change in report.changes):
            written[model] = report
        return report

    async def sentences(
        self,
        call: Call,
        answer: Answer,
        history: Sequence[tuple[str, str]],
        found: Sequence[Analysis],
        max_new_tokens: int,
    ) -> AsyncGenerator[Sentence]:
        """Answer the last message of a conversation, one checked sentence after the other.

        ``answer`` is filled with what is given. ECGs come oldest first; without any, a sentence
        asks for one.
        """
        if not found:
            from ecg_llm.ground.sentence import Sentence

            answer.sentences.append(Sentence(text=NO_ECG, before="", kind="description"))
            yield answer.sentences[0]
            return
        stop = threading.Event()
        remote = self._remote(answer.model, stop)

        def say() -> Iterator[Sentence]:
            from ecg_llm.answer.conversation import respond

            begun = time.perf_counter()
            for one in respond(history, found, model=remote, max_new_tokens=max_new_tokens):
                if remote is not None and remote.lost is not None:
                    raise remote.lost  # what was measured could be said, but was not asked for
                yield one
            if remote is not None:
                answer.usage = remote.usage
            self._count(call, remote, time.perf_counter() - begun)

        async for one in self._from_thread(say, stop):
            answer.sentences.append(one)
            self._metrics.claims.labels(one.change.action if one.change else "supported").inc()
            yield one

    def close(self) -> None:
        """Take no more questions, and end the engine."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self.engine is not None:
            self.engine.close()

    def _remote(self, model: str, stop: threading.Event) -> RemoteModel | None:
        if model == MEASURED or self.engine is None:
            return None
        return RemoteModel(self.engine, self._settings.answer_s, stop)

    def _count(self, call: Call, remote: RemoteModel | None, seconds: float) -> None:
        """Write down how long writing and checking took, and the tokens."""
        waited = 0.0
        if remote is not None:
            call.add(remote.stages_ms)
            waited = sum(remote.stages_ms.values())
            for kind in ("prompt", "ecg", "completion"):
                self._metrics.tokens.labels(kind).inc(getattr(remote.usage, kind))
        rest = max(0.0, seconds * 1000 - waited)
        call.add({"compose" if remote is None else "check": rest})

    async def _in_thread(self, work: Callable[[], T], stop: threading.Event) -> T:
        """Do something that takes a while, but not for longer than an answer may."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.answer_s):
                return await loop.run_in_executor(self._threads, work)
        except TimeoutError:
            raise TookTooLongError("The answer was not ready in time.") from None
        finally:
            stop.set()

    async def _from_thread(
        self, items: Callable[[], Iterator[T]], stop: threading.Event
    ) -> AsyncGenerator[T]:
        """Give what a thread makes, one by one; it stops when nobody listens any more."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.answer_s
        iterator, over = items(), object()
        try:
            while True:
                coming = loop.run_in_executor(self._threads, next, iterator, over)
                item: Any = await asyncio.wait_for(coming, end - loop.time())
                if item is over:
                    return
                yield item
        except TimeoutError:
            raise TookTooLongError("The answer was not ready in time.") from None
        finally:
            stop.set()
