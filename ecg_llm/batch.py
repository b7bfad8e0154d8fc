"""Run a function over many records on all cores, one JSON line a record.

A bad record, or one that kills its worker, costs only its own line. A stopped run resumes where
it stopped. Lines stand in the order of the items.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ecg_llm.errors import ConfigError, ECGError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from io import FileIO

IN_FLIGHT_PER_WORKER = 4
"""Keeps every core busy and memory bounded, however long the list is."""
_CAN_MASK = hasattr(signal, "pthread_sigmask")  # Windows cannot
WORKER_DIED = "the process reading it died (crash or out of memory)"


class Named(Protocol):
    """An item of a batch: something small to pickle, with a name."""

    @property
    def name(self) -> str:
        """Name of the record, unique in the batch."""


Item = TypeVar("Item", bound=Named)
Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Together(Generic[Item]):
    """How to do several items in one go, where a net reads many as cheaply as one.

    Attributes
    ----------
    function : callable
        From items to their lines, in order. It must be importable by name.
    size : int
        Items that are given to it at most.
    """

    function: Callable[[Sequence[Item]], Sequence[str]]
    size: int = 32


@dataclass(frozen=True, kw_only=True)
class BatchSummary:
    """What became of a run.

    Attributes
    ----------
    n_ok : int
        Records that gave a result, earlier runs of the same output included.
    n_failed : int
        Records whose line holds an error, likewise.
    n_kept : int
        Of both, how many were done before this run.
    seconds : float, s
        Wall time of this run.
    """

    n_ok: int
    n_failed: int
    n_kept: int
    seconds: float

    def __str__(self) -> str:
        """Give the summary in one line."""
        done = self.n_ok + self.n_failed - self.n_kept
        kept = f", {self.n_kept} kept from an earlier run" if self.n_kept else ""
        rate = f", {done / self.seconds:.1f} records/s" if done and self.seconds > 0 else ""
        return f"{self.n_ok} ok, {self.n_failed} failed{kept}{rate}"


def run_batch(
    function: Callable[[Item], str],
    items: Sequence[Item],
    output: Path,
    *,
    run: Mapping[str, Any],
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool = True,
    together: Together[Any] | None = None,
) -> BatchSummary:
    """Write one JSON line for every item, in order, and resume if some are there already.

    Parameters
    ----------
    function : callable
        From an item to one line of JSON whose ``record`` is the item's name, or an object with
        that ``name``. It must be importable by name: workers are spawned.
    items : sequence
        Small picklable items with unique names.
    output : Path
        File of JSON lines; beside it stands ``<output>.run.json``, which tells what made it.
    run : mapping
        What determines the lines: command, options, version. A file made by another run is not
        continued.
    overwrite : bool
        Start anew whatever is there.
    workers : int, optional
        Processes; by default one a core.
    progress : bool
        Show a progress bar on stderr if that is a terminal.
    together : Together, optional
        How to do several items in one go; ``function`` then does those that failed together.

    Returns
    -------
    BatchSummary

    Raises
    ------
    ConfigError
        If ``output`` was made by another run, is not a file of JSON lines, or cannot be written
        to its end.
    OSError
        If ``output`` cannot be opened.
    """
    started = time.monotonic()
    if output.exists() and not output.is_file():
        raise ConfigError(f"{output}: not a file; a folder run needs one that it can resume.")
    with output.open("ab", buffering=0) as lines:
        _wait_for_others(lines, output)
        kept = _resume(output, dict(run), overwrite)
        todo = [item for item in items if item.name not in kept]
        n_ok = sum(kept.values())
        n_failed = len(kept) - n_ok
        with progress_bar(len(items), len(kept), wanted=progress) as step:
            for good, line in run_lines(function, todo, workers=workers, together=together):
                _write(lines, line, output)
                n_ok, n_failed = n_ok + good, n_failed + (not good)
                step()
    return BatchSummary(
        n_ok=n_ok, n_failed=n_failed, n_kept=len(kept), seconds=time.monotonic() - started
    )


def _write(lines: FileIO, line: str, output: Path) -> None:
    """Write a line; where the disk is full, those that stand there already stay."""
    left = memoryview(line.encode() + b"\n")
    try:
        while left:
            left = left[lines.write(left) :]
    except OSError as error:
        raise ConfigError(
            f"{output}: cannot be written to its end ({error.strerror}). Make room and give the "
            "same command again: it goes on where it stopped."
        ) from error


def run_lines(
    function: Callable[[Item], str],
    items: Sequence[Item],
    *,
    workers: int | None = None,
    together: Together[Any] | None = None,
) -> Iterator[tuple[bool, str]]:
    """Make one JSON line for every item, in order, with a bounded number in flight.

    Parameters
    ----------
    function, items, workers, together
        As in `run_batch`.

    Yields
    ------
    tuple of bool and str
        Whether it worked, and the line.
    """
    workers = max(1, min(workers or os.cpu_count() or 1, len(items)))
    if together is None:
        work = functools.partial(_guarded, function)
        yield from run_tasks(work, items, on_death=_died, workers=workers)
        return
    size = max(1, min(together.size, -(-len(items) // workers)))
    groups = [tuple(items[start : start + size]) for start in range(0, len(items), size)]
    one_by_one = functools.partial(run_lines, function, workers=1)
    for lines in run_tasks(
        functools.partial(_guarded_group, function, together),
        groups,
        on_death=lambda group: list(one_by_one(group)),
        workers=workers,
    ):
        yield from lines


def _guarded_group(
    function: Callable[[Item], str], together: Together[Item], items: tuple[Item, ...]
) -> list[tuple[bool, str]]:
    """Do a group in one go; if any of it fails, one by one, so that only the bad one pays."""
    try:
        return [(True, line) for line in together.function(items)]
    except Exception:
        return [_guarded(function, item) for item in items]


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    on_death: Callable[[Task], Result],
    workers: int | None = None,
) -> Iterator[Result]:
    """Run a function over tasks in processes, in order, with a bounded number in flight.

    Parameters
    ----------
    function : callable
        It must be importable by name: workers are spawned.
    tasks : iterable
        Picklable; taken only as they are needed, so that a long list stays small.
    on_death : callable
        Called in this process with a task that killed its worker; gives its result.
    workers : int, optional
        Processes; by default one a core.

    Yields
    ------
    object
        What the function returned, or ``on_death``.
    """
    with _interrupted_once():
        yield from _run_tasks(function, tasks, on_death, max(1, workers or os.cpu_count() or 1))


def _run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    on_death: Callable[[Task], Result],
    workers: int,
) -> Iterator[Result]:
    waiting = iter(tasks)
    again: deque[Task] = deque()
    flying: deque[tuple[Task, Future[Result]]] = deque()
    pool = spawn_pool(workers)
    try:
        while True:
            while len(flying) < workers * IN_FLIGHT_PER_WORKER:
                task = again.popleft() if again else next(waiting, None)
                if task is None:
                    break
                try:
                    flying.append((task, _submit(pool, function, task)))
                except BrokenProcessPool:
                    again.appendleft(task)
                    break
            if not flying and not again:
                return
            if flying:
                try:
                    result = flying[0][1].result()
                except BrokenProcessPool:
                    pass
                else:
                    flying.popleft()
                    yield result
                    continue
            pool.shutdown()
            # A pool starts its tasks in order: only the oldest can have been at work.
            yield from _one_by_one(function, flying, on_death, workers + 1)
            again.extendleft(task for task, _ in reversed(flying))
            flying.clear()
            pool = spawn_pool(workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _one_by_one(
    function: Callable[[Task], Result],
    flying: deque[tuple[Task, Future[Result]]],
    on_death: Callable[[Task], Result],
    suspects: int,
) -> Iterator[Result]:
    """Take the oldest tasks off a broken pool, each run alone, so that only it can be to blame."""
    pool = spawn_pool(1)
    try:
        while flying and suspects:
            task, future = flying.popleft()
            if future.done() and future.exception() is None:
                yield future.result()
                continue
            suspects -= 1
            try:
                result = _submit(pool, function, task).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = spawn_pool(1)
                result = on_death(task)
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _died(item: Named) -> tuple[bool, str]:
    return False, _error_line(item.name, "WorkerDied", WORKER_DIED)


def _guarded(function: Callable[[Item], str], item: Item) -> tuple[bool, str]:
    """Turn every failure of one record into its line."""
    try:
        return True, function(item)
    except ECGError as error:
        return False, _error_line(item.name, type(error).__name__, str(error))
    except OSError as error:
        where = Path(error.filename).name if isinstance(error.filename, str) else item.name
        message = f"{where}: {error.strerror or error}"
        return False, _error_line(item.name, type(error).__name__, message)
    except Exception as error:  # a fault of ours must not cost the other records
        message = f"{type(error).__name__}: {error}. This is a fault of ecg_llm: please report it."
        return False, _error_line(item.name, "InternalError", message)


def _error_line(name: str, kind: str, message: str) -> str:
    error = {"kind": kind, "message": message}
    return json.dumps({"record": name, "error": error}, ensure_ascii=False)


def spawn_pool(workers: int) -> ProcessPoolExecutor:
    """Start processes that share nothing with this one.

    Parameters
    ----------
    workers : int
        How many.

    Returns
    -------
    concurrent.futures.ProcessPoolExecutor
        Its processes leave Ctrl-C to this one, which ends the run in order; a long task asks
        `interrupted` now and then.
    """
    # Spawned, not forked: the parent may hold threads of an inference library.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)


def _submit(
    pool: ProcessPoolExecutor, function: Callable[[Task], Result], task: Task
) -> Future[Result]:
    """Hand a task out; a worker that is started for it sees no Ctrl-C before it can answer one."""
    if not _CAN_MASK:
        return pool.submit(function, task)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(function, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Have the first Ctrl-C end the run in order, and further ones not break off that end.

    Left half-way, a pool waits for its workers, and they for it, for ever.
    """
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_interrupt = threading.Event()


def interrupted() -> bool:
    """Tell whether Ctrl-C was pressed while this worker was busy.

    Returns
    -------
    bool
    """
    return _interrupt.is_set()


def _begin() -> None:
    end_with_parent()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores already
    signal.signal(signal.SIGINT, lambda *_: _interrupt.set())
    if _CAN_MASK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def end_with_parent(*, group: bool = False) -> None:
    """Have this process end when its parent was killed: while it waits, it would never learn of it.

    Parameters
    ----------
    group : bool
        End all processes of its group too.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        if group:
            with suppress(OSError):
                os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _wait_for_others(lines: FileIO, output: Path) -> None:
    """Let a run that writes to the same file end first: two would write every line twice."""
    try:
        import fcntl
    except ImportError:  # not a system that has it
        return
    try:
        fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{output}: another run is writing to it; waiting for its end", file=sys.stderr)
        fcntl.flock(lines, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return


def _resume(output: Path, run: dict[str, Any], overwrite: bool) -> dict[str, bool]:
    """Give the records that stand in the output already and whether each worked."""
    sidecar = output.with_name(output.name + ".run.json")
    described = json.dumps(run, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    there = output.exists() and output.stat().st_size > 0
    if not there or overwrite:
        output.write_bytes(b"")
        sidecar.write_text(described, encoding="utf-8")
        return {}
    if not sidecar.is_file():
        raise ConfigError(
            f"{output}: there is a file already and no {sidecar.name} beside it that says how it "
            "was made; choose another --output, or --overwrite to replace it."
        )
    if sidecar.read_text(encoding="utf-8") != described:
        raise ConfigError(
            f"{output}: made by a different run ({_difference(sidecar, run)}); choose another "
            "--output, or --overwrite to start anew."
        )
    return _kept_lines(output)


def _difference(sidecar: Path, run: dict[str, Any]) -> str:
    """Name the settings in which an earlier run differs."""
    try:
        before = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError:
        return f"{sidecar.name} is unreadable"
    said = []
    for key in sorted(set(before) | set(run)):
        was, now = before.get(key), run.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            parts = {name: (was.get(name), now.get(name)) for name in sorted(set(was) | set(now))}
        else:
            parts = {key: (was, now)}
        for name, (one, other) in parts.items():
            if one != other:
                values = "" if _is_hash(one) or _is_hash(other) else f" was {one!r}, now {other!r}"
                said.append(f"{name}{values or ' differs'}")
    return "; ".join(said)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _kept_lines(output: Path) -> dict[str, bool]:
    """Read the finished lines and cut off a half-written last one."""
    kept: dict[str, bool] = {}
    end = 0
    with output.open("rb+") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                document = json.loads(line)
                record = document["record"]
                kept[record["name"] if isinstance(record, dict) else record] = (
                    "error" not in document
                )
            except (ValueError, KeyError, TypeError):
                raise ConfigError(
                    f"{output}: line {number} is not a record's JSON; the file was changed since "
                    "it was written. Choose another --output, or --overwrite to start anew."
                ) from None
            end += len(line)
        lines.truncate(end)
    return kept


@contextmanager
def progress_bar(
    total: int, done: int = 0, *, wanted: bool = True, what: str = "records"
) -> Iterator[Callable[..., None]]:
    """Show a progress bar with rate and time left on stderr, if a person is watching.

    Parameters
    ----------
    total : int
        How many there are.
    done : int
        How many of them were done before.
    wanted : bool
        False shows nothing.
    what : str
        What is counted.

    Yields
    ------
    callable
        To be called with the number done since the last call, by default 1.
    """
    if not (wanted and sys.stderr.isatty()):
        yield lambda n=1: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, completed=done, rate="")
        steps = 0

        def step(n: int = 1) -> None:
            nonlocal steps
            steps += n
            rate = steps / max(time.monotonic() - started, 1e-9)
            bar.update(task, advance=n, rate=f"{rate:.1f} {what}/s")

        yield step
