"""Processes that take in files: bounded in memory, processor and wall time, replaced when they die.

What a client sends is parsed and measured only here. A file that crashes its process, fills the
memory or never ends costs its own request and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import os
import pickle
import queue
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import is_dataclass
from multiprocessing.connection import Connection
from typing import Any

from ecg_llm.serving.errors import (
    BadFileError,
    BadRequestError,
    ServeError,
    TooManyError,
    UnavailableError,
)
from ecg_llm.serving.settings import Settings

LOG = logging.getLogger("ecg_llm.serving")
START_S = 180.0
"""A process that is not ready by then, on a machine however busy, will not be."""
MAX_RESULT_BYTES = 512 * 2**20
_NUMPY = {"_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype"}
_MODULES = re.compile(r"ecg_llm\.(?!(serving|training|eval|data_builders|cli|app)\b)[\w.]+$")
"""Where the types of results are; their constructors do nothing but keep what they are given."""
_PLAIN = {"set", "frozenset", "bytearray", "complex"}


class WorkerPool:
    """A fixed number of processes, each doing one task at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self.deaths: Counter[str] = Counter()
        """Processes that were replaced, by reason: ``crash``, ``timeout`` or ``untrusted``."""

    def start(self) -> None:
        """Start the processes; they become ready one by one."""
        for _ in range(self._settings.workers):
            self._launch()

    @property
    def ready(self) -> int:
        """Processes that can take a task or are at one."""
        with self._lock:
            return len(self._workers)

    def run(self, task: str, *args: Any) -> Any:
        """Do one task of `ecg_llm.serving.filework.TASKS` and wait for it.

        A file that cannot be read, or killed its process, is a `BadFileError`.
        """
        try:
            worker = self._idle.get(timeout=self._settings.answer_s)
        except queue.Empty:
            raise TooManyError("All readers are busy; try again later.", retry_after_s=5) from None
        try:
            kind, result = worker.call(task, args, self._settings.file_s)
        except _DiedError as death:
            self.deaths[death.reason] += 1
            with self._lock:
                if worker in self._workers:  # else the pool is being closed
                    self._workers.remove(worker)
            self._launch()
            if death.reason == "timeout":
                raise BadFileError(
                    f"The file took more than {self._settings.file_s:g} s to read; cut out the "
                    "stretch to be judged."
                ) from None
            if death.reason == "untrusted":
                LOG.error("a reader gave what no result holds; it was ended")
                raise ServeError(
                    "A fault of ecg_llm while reading the file; please report it."
                ) from None
            raise BadFileError(
                "The file could not be read within the limits of memory and time that are set "
                "for one file; export it again, or cut out the stretch to be judged."
            ) from None
        self._idle.put(worker)
        if kind == "ok":
            return result
        if kind == "bad":
            raise BadFileError(str(result))
        if kind == "asked":
            raise BadRequestError(str(result))
        raise ServeError("A fault of ecg_llm while reading the file; please report it.")

    def close(self) -> None:
        """End all processes."""
        self._closed.set()
        with self._lock:
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.kill()

    def pids(self) -> list[int]:
        """Give the process ids, for those who watch memory."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def _launch(self) -> None:
        threading.Thread(target=self._bring_up, daemon=True, name="ecg-worker-start").start()

    def _bring_up(self) -> None:
        """Start one process, again and again until one gets ready."""
        wait_s = 1.0
        while not self._closed.is_set():
            with contextlib.suppress(OSError):  # no room for another process just now
                worker = _Worker(self._settings)
                if worker.wait_ready(START_S):
                    with self._lock:
                        if not self._closed.is_set():
                            self._workers.append(worker)
                            self._idle.put(worker)
                            return
                worker.kill()
            self._closed.wait(wait_s)
            wait_s = min(wait_s * 2, 30.0)


class _DiedError(Exception):
    """A process that ended, or was ended, in the middle of a task."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Worker:
    """One process and the line to it."""

    def __init__(self, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(there, settings), daemon=True, name="ecg-reader"
        )
        self._process.start()
        there.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    def wait_ready(self, seconds: float) -> bool:
        """Wait for its first word."""
        try:
            return self._line.poll(seconds) and self._line.recv_bytes(16) == b"ready"
        except (EOFError, OSError):
            return False

    def call(self, task: str, args: tuple[Any, ...], seconds: float) -> tuple[str, Any]:
        """Send a task and wait for its result."""
        try:
            self._line.send_bytes(pickle.dumps((task, args)))
            if not self._line.poll(seconds):
                raise _DiedError("timeout")
            kind, result = _loads(self._line.recv_bytes(MAX_RESULT_BYTES))
            return kind, result
        except _DiedError:
            self.kill()
            raise
        except (EOFError, OSError):
            self.kill()
            raise _DiedError("crash") from None
        except Exception:  # whatever a pickle that is not ours makes of itself
            self.kill()
            raise _DiedError("untrusted") from None

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(OSError):
            self._line.close()
        self._process.kill()
        self._process.join(5)


class _Careful(pickle.Unpickler):
    """Reads what a reader process gives: data classes of this project and arrays, no functions.

    The process has parsed what a stranger sent; what it says is not trusted either.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Give a class that may stand in a result."""
        if module == "builtins" and name in _PLAIN:
            return super().find_class(module, name)
        if module.split(".")[0] == "numpy" and name in _NUMPY:
            return super().find_class(module, name)
        if _MODULES.match(module) and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Mapping)):
                return found
        raise pickle.UnpicklingError("a type that no result holds")


def _loads(data: bytes) -> Any:
    return _Careful(io.BytesIO(data)).load()


def _serve(line: Connection, settings: Settings) -> None:
    """Live in a reader process: warm up, accept limits, then do tasks until the line closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends us
    # Whatever a library prints may hold what the file says.
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(settings.max_pixels)
    from ecg_llm.errors import ConfigError, ECGError
    from ecg_llm.serving.filework import TASKS, warm_up

    warm_up(settings)
    _limit_memory(settings.file_memory_bytes)
    with contextlib.suppress(EOFError, OSError):
        line.send_bytes(b"ready")
        while True:
            task, args = pickle.loads(line.recv_bytes())  # noqa: S301  from our own server
            _limit_cpu(settings.file_s)
            answer: tuple[str, Any]
            try:
                answer = ("ok", TASKS[task](*args))
            except ConfigError as error:
                answer = ("asked", str(error))
            except ECGError as error:
                answer = ("bad", str(error))
            except MemoryError:
                os._exit(1)  # nothing in this process can be relied on any more
            except Exception as error:
                answer = ("fault", type(error).__name__)
            line.send_bytes(pickle.dumps(answer, protocol=5))


def _limit_memory(room_bytes: int) -> None:
    """Allow so much beyond what the libraries have taken; write no files and no core dumps."""
    if sys.platform != "linux":
        return
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + room_bytes
    for what, limit in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _limit_cpu(seconds: float) -> None:
    """Allow one task so much processor time; the system ends the process beyond it."""
    if sys.platform != "linux":
        return
    import resource
    import time

    used = int(time.process_time())
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + int(seconds) + 1, hard))


def require(pool: WorkerPool) -> None:
    """Refuse work while no process is ready."""
    if not pool.ready:
        raise UnavailableError("The readers are starting; try again shortly.")
