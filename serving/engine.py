"""The language model in a process of its own, followed by another when it dies.

`EngineHost.model` is a `ecg_llm.lm.TextModel` that any thread of the server may call. While its
process is away, calls fail at once with `UnavailableError`, which a client sees as 503.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Literal

from ecg_llm.batch import end_with_parent
from ecg_llm.errors import ConfigError
from ecg_llm.serving.errors import ServeError, TookTooLongError, UnavailableError

if TYPE_CHECKING:
    from ecg_llm.lm import TextModel
    from ecg_llm.prompt import Prompt

LOG = logging.getLogger("ecg_llm.serving")
State = Literal["starting", "ready", "down", "closed"]
FIRST_GUESS_S = 5.0
"""What an answer is thought to take before any was given."""
ANSWERS_A_REQUEST = 1.5
"""Answers that a request asks for: a draft that does not hold is asked for again."""
WATCH_S = 0.5
"""Between two looks whether what computes is alive."""
LONGEST_WAIT_S = 60.0
"""Between two tries to start a process that does not come up."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one answer.

    Attributes
    ----------
    prompt : int
        All of the prompt's.
    ecg : int
        Those of them that stand for the tracing.
    completion : int
        The answer's.
    """

    prompt: int = 0
    ecg: int = 0
    completion: int = 0

    def plus(self, other: Usage) -> Usage:
        """Add the tokens of another answer."""
        return Usage(
            prompt=self.prompt + other.prompt,
            ecg=self.ecg + other.ecg,
            completion=self.completion + other.completion,
        )


class EngineHost:
    """Keeps one engine process up, which writes ``concurrent`` answers at one time.

    ``load`` gives the model; it is called in the process, so it must be picklable.
    """

    def __init__(self, load: Callable[[], TextModel], *, concurrent: int = 1) -> None:
        self._load = load
        self._concurrent = concurrent
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, queue.SimpleQueue[tuple[Any, ...]]] = {}
        self._line: Connection | None = None
        self._process: Any = None
        self._closed = threading.Event()
        self.state: State = "starting"
        self.restarts = 0
        self.fault = ""
        """Why the last process did not come up; empty if it did."""
        self.mean_s = FIRST_GUESS_S
        """What an answer takes, without waiting; of the last ones mostly."""
        self._learnt = 0
        self.name = "starting"
        self.hashes: dict[str, str] = {}

    def start(self) -> None:
        """Start the process and the thread that watches it."""
        threading.Thread(target=self._keep_up, daemon=True, name="ecg-engine-watch").start()

    def wait(self, seconds: float) -> bool:
        """Wait until the engine is ready, and tell whether it is."""
        end = time.monotonic() + seconds
        while self.state != "ready" and time.monotonic() < end:
            time.sleep(0.05)
        return self.state == "ready"

    @property
    def pid(self) -> int:
        """Id of the process; 0 while there is none."""
        return (self._process.pid or 0) if self._process is not None else 0

    def require(self) -> None:
        """Refuse work while the engine is away, with the time after which to try again."""
        if self.state != "ready":
            raise UnavailableError("The language model is starting; try again later.")

    def wait_s(self, requests: int) -> float:
        """Give the time after which so many requests will have been answered."""
        return requests / self._concurrent * self.mean_s * ANSWERS_A_REQUEST

    def learn(self, seconds: float) -> None:
        """Learn how long an answer took, without waiting; the first tell more than the guess."""
        self._learnt += 1
        self.mean_s += max(0.1, 1 / (self._learnt + 1)) * (seconds - self.mean_s)

    def close(self) -> None:
        """End the process."""
        self._closed.set()
        self.state = "closed"
        with self._lock:
            line, process = self._line, self._process
        if line is not None:
            with contextlib.suppress(OSError):
                line.send(("stop",))
        if process is not None:
            process.join(5)
            process.kill()
            _end_group(process.pid)
            process.join(5)

    def stream(
        self, prompt: Prompt, *, max_new_tokens: int, timeout_s: float
    ) -> Generator[tuple[Any, ...]]:
        """Ask the model and give ``("piece", text)`` for each, then ``("end", usage)``.

        Ends with `UnavailableError` if the process is away or dies meanwhile, and with
        `TookTooLongError` if the whole takes too long.
        """
        self.require()
        number = next(self._numbers)
        answers: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        end = time.monotonic() + timeout_s
        with self._lock:
            self._waiting[number] = answers
        finished = False
        try:
            self._send(("call", number, prompt, max_new_tokens))
            while True:
                try:
                    said = answers.get(timeout=max(0.0, end - time.monotonic()))
                except queue.Empty:
                    raise TookTooLongError("The answer was not ready in time.") from None
                match said:
                    case ("piece", _):
                        yield said
                    case ("end", _):
                        finished = True
                        yield said
                        return
                    case ("away", message):
                        finished = True
                        raise UnavailableError(message)
                    case (_, kind):
                        finished = True
                        raise RuntimeError(f"the engine failed: {kind}")
        finally:
            with self._lock:
                self._waiting.pop(number, None)
            if not finished:  # nobody listens any more
                with contextlib.suppress(UnavailableError):
                    self._send(("cancel", number))

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._lock:
            if self._line is None:
                raise UnavailableError("The language model is starting; try again later.")
            try:
                self._line.send(message)
            except (OSError, ValueError):
                raise UnavailableError(
                    "The language model has stopped and is started again; try again later."
                ) from None

    def _keep_up(self) -> None:
        """Start a process, listen to it until it dies, start the next."""
        wait_s = 0.5
        while not self._closed.is_set():
            begun = time.monotonic()
            try:
                self._run_one()
            except OSError as error:  # no room for another process just now
                LOG.error("engine: cannot start: %s", error.strerror)
            if self._closed.is_set():
                return
            self.restarts += 1
            LOG.error("engine: ended, is started again (%d)", self.restarts)
            # One that ran a while is replaced at once; one that cannot start is not hurried.
            wait_s = 0.5 if time.monotonic() - begun > 60 else min(wait_s * 2, LONGEST_WAIT_S)
            self._closed.wait(wait_s)
            if not self._closed.is_set():
                self.state = "starting"

    def _run_one(self) -> None:
        """Live as long as one process."""
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        # Not a daemon: an engine may have processes of its own.
        process = context.Process(
            target=_live, args=(there, self._load, self._concurrent), name="ecg-engine"
        )
        process.start()
        there.close()
        with self._lock:
            self._line, self._process = here, process
        if self._closed.is_set():  # while this one was started; `close` has not seen it
            process.kill()
        with contextlib.suppress(EOFError, OSError):
            while True:
                message = here.recv()
                match message:
                    case ("ready", name, hashes):
                        self.name, self.hashes, self.fault = name, hashes, ""
                        self.state = "ready"
                        LOG.info("engine: %s is ready", name)
                    case ("failed", reason):
                        self.fault = reason
                        LOG.error("engine: cannot start: %s", reason)
                    case ("took", seconds):
                        self.learn(seconds)
                    case (kind, number, *rest):
                        with self._lock:
                            answers = self._waiting.get(number)
                        if answers is not None:
                            answers.put((kind, *rest))
        if not self._closed.is_set():
            self.state = "down"
        with self._lock:
            self._line = None
            for answers in self._waiting.values():
                answers.put(
                    (
                        "away",
                        "The language model has stopped and is started again; try again later.",
                    )
                )
            self._waiting.clear()
        here.close()
        process.kill()
        if process.pid is not None:
            _end_group(process.pid)
        process.join(5)


class RemoteModel:
    """The engine's model, as any thread of the server may call it.

    ``stop`` is set when nobody listens any more.
    """

    def __init__(
        self, host: EngineHost, timeout_s: float, stop: threading.Event | None = None
    ) -> None:
        self._host = host
        self._timeout_s = timeout_s
        self._stop = stop or threading.Event()
        self.name = host.name
        self.hashes = dict(host.hashes)
        self.usage = Usage()
        """Of all answers of this object."""
        self.stages_ms = {"prefill": 0.0, "decode": 0.0}
        """Time to the first piece, and from there to the end, of all its answers."""
        self.lost: ServeError | None = None
        """Why the engine gave no answer, if it was away, went away or took too long."""

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 256) -> list[str]:
        """Answer prompts, each as a stream of its own."""
        return [
            "".join(self.stream(prompt, max_new_tokens=max_new_tokens)).strip()
            for prompt in prompts
        ]

    def stream(self, prompt: Prompt, *, max_new_tokens: int = 256) -> Iterator[str]:
        """Answer a prompt piece by piece; to stop listening ends the answer."""
        stage = "prefill"
        answer = self._ask(prompt, max_new_tokens)
        with contextlib.closing(answer):
            while True:
                # Only the waiting counts: the listener may think between two pieces.
                begun = time.perf_counter()
                said = next(answer, None)
                self.stages_ms[stage] += (time.perf_counter() - begun) * 1000
                stage = "decode"
                if said is None or self._stop.is_set():
                    return
                if said[0] == "piece":
                    yield said[1]
                else:
                    self.usage = self.usage.plus(said[1])

    def _ask(self, prompt: Prompt, max_new_tokens: int) -> Generator[tuple[Any, ...]]:
        try:
            yield from self._host.stream(
                prompt, max_new_tokens=max_new_tokens, timeout_s=self._timeout_s
            )
        except ServeError as error:
            self.lost = error
            raise


def _live(line: Connection, load: Callable[[], TextModel], concurrent: int) -> None:
    """Live in the engine's process: load the model, answer until the line closes."""
    _live_apart()
    lock = threading.Lock()

    def send(*message: Any) -> None:
        with lock, contextlib.suppress(OSError):
            line.send(message)

    try:
        model = load()
    except Exception as error:  # of other errors the message may hold what was asked
        send("failed", str(error) if isinstance(error, ConfigError) else type(error).__name__)
        return
    cancelled: set[int] = set()
    send("ready", model.name, dict(model.hashes))
    with ThreadPoolExecutor(concurrent, thread_name_prefix="answer") as pool:
        with contextlib.suppress(EOFError, OSError):
            while True:
                if not line.poll(WATCH_S):
                    # vLLM computes in a process of its own, which may have died.
                    if not getattr(model, "alive", True):
                        _end_group(os.getpid())
                    continue
                message = line.recv()
                if message[0] == "stop":
                    break
                if message[0] == "cancel":
                    cancelled.add(message[1])
                else:
                    pool.submit(_answer, model, send, cancelled, *message[1:])
        pool.shutdown(wait=False, cancel_futures=True)
    close = getattr(model, "close", None)
    if close is not None:
        close()


def _live_apart() -> None:
    """Leave the server's terminal, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends us
    # An engine may start processes of its own, which hold a GPU: all of them end together.
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    end_with_parent(group=True)
    # What an engine prints may hold what it was asked.
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)


def _answer(
    model: TextModel,
    send: Callable[..., None],
    cancelled: set[int],
    number: int,
    prompt: Prompt,
    max_new_tokens: int,
) -> None:
    """Have the model answer, and send what it says."""
    begun = time.monotonic()
    said = []
    try:
        if number in cancelled:
            return
        for piece in model.stream(prompt, max_new_tokens=max_new_tokens):
            if number in cancelled:
                return
            said.append(piece)
            send("piece", number, piece)
        send("took", time.monotonic() - begun)
        send("end", number, _usage(model, prompt, "".join(said)))
    except UnavailableError as error:
        send("away", number, str(error))
    except Exception as error:  # its message may hold the prompt
        send("fault", number, type(error).__name__)
    finally:
        cancelled.discard(number)


def _usage(model: Any, prompt: Prompt, text: str) -> Usage:
    """Count tokens, where the model has a tokenizer."""
    processor = getattr(model, "processor", None)
    if processor is not None:
        ids = processor.ids(prompt)
        words = processor.tokenizer.encode(text, add_special_tokens=False)
        each = processor.tokens_per_ecg
    elif hasattr(model, "tokens_per_ecg"):  # the bundled model, which needs no transformers
        from ecg_llm.chat_layout import layout

        each = model.tokens_per_ecg
        ids = model.tokenizer.encode(layout(prompt.messages, each)).ids
        words = model.tokenizer.encode(text).ids
    else:
        return Usage()
    return Usage(prompt=len(ids), ecg=len(prompt.records) * each, completion=len(words))


def _end_group(pid: int) -> None:
    """End a process and those it started, also if it is gone itself."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
