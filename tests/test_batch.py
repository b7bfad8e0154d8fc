"""Folder runs: order, errors, crashes and resuming."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecg_llm.batch import Together, run_batch, run_lines
from ecg_llm.errors import ConfigError, RecordError

RUN = {"command": "test", "version": "1"}


@dataclass(frozen=True)
class Ref:
    name: str


def line_of(ref: Ref, log: Path | None = None) -> str:
    """A worker that fails in the way the record's name asks for."""
    if log is not None:
        with log.open("a") as out:
            out.write(ref.name + "\n")
    match ref.name.split("-")[0]:
        case "bad":
            raise RecordError(f"{ref.name}: not an ECG; give another file.")
        case "gone":
            raise FileNotFoundError(2, "No such file or directory", "gone.dat")
        case "bug":
            raise ZeroDivisionError("division by zero")
        case "crash":
            os._exit(139)
        case "slow":
            time.sleep(0.2)
    return json.dumps({"record": ref.name, "value": 1})


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_stand_in_order_and_bad_records_keep_theirs(tmp_path):
    names = ["slow-0", "a", "bad-1", "b", "gone-2", "bug-3", "c"]
    out = tmp_path / "out.jsonl"
    summary = run_batch(line_of, [Ref(name) for name in names], out, run=RUN, workers=2)
    lines = read(out)
    assert [line["record"] for line in lines] == names
    kinds = {str(line["record"]): line["error"]["kind"] for line in lines if "error" in line}
    assert kinds == {
        "bad-1": "RecordError",
        "gone-2": "FileNotFoundError",
        "bug-3": "InternalError",
    }
    assert (summary.n_ok, summary.n_failed, summary.n_kept) == (4, 3, 0)
    assert "/home" not in out.read_text()


def test_a_crashed_worker_costs_only_its_record(tmp_path):
    names = [f"r{k}" for k in range(12)]
    names[3] = "crash-3"
    names[11] = "crash-11"
    out = tmp_path / "out.jsonl"
    summary = run_batch(line_of, [Ref(name) for name in names], out, run=RUN, workers=2)
    lines = read(out)
    assert [line["record"] for line in lines] == names
    failed = [line["record"] for line in lines if "error" in line]
    assert failed == ["crash-3", "crash-11"]
    assert lines[3]["error"]["kind"] == "WorkerDied"
    assert (summary.n_ok, summary.n_failed) == (10, 2)


def test_a_stopped_run_resumes_and_drops_a_half_line(tmp_path):
    out, log = tmp_path / "out.jsonl", tmp_path / "log"
    work = functools.partial(line_of, log=log)
    items = [Ref(name) for name in ("a", "bad-b", "c", "d")]
    run_batch(work, items[:2], out, run=RUN, workers=1)
    log.unlink()
    with out.open("a") as lines:
        lines.write('{"record": "c", "val')  # killed while it wrote
    summary = run_batch(work, items, out, run=RUN, workers=1)
    assert [line["record"] for line in read(out)] == ["a", "bad-b", "c", "d"]
    assert log.read_text().split() == ["c", "d"]
    assert (summary.n_ok, summary.n_failed, summary.n_kept) == (3, 1, 2)


def test_a_finished_run_does_nothing_again(tmp_path):
    out, log = tmp_path / "out.jsonl", tmp_path / "log"
    work = functools.partial(line_of, log=log)
    items = [Ref("a"), Ref("b")]
    run_batch(work, items, out, run=RUN, workers=1)
    before = out.read_bytes()
    log.unlink()
    assert run_batch(work, items, out, run=RUN, workers=1).n_kept == 2
    assert out.read_bytes() == before
    assert not log.exists()


def test_another_run_is_refused_unless_overwritten(tmp_path):
    out = tmp_path / "out.jsonl"
    run_batch(line_of, [Ref("a")], out, run=RUN, workers=1)
    other = {**RUN, "version": "2"}
    with pytest.raises(ConfigError, match=r"version was '1', now '2'.*--overwrite"):
        run_batch(line_of, [Ref("b")], out, run=other, workers=1)
    run_batch(line_of, [Ref("b")], out, run=other, overwrite=True, workers=1)
    assert [line["record"] for line in read(out)] == ["b"]


def test_other_weights_are_named_and_their_hashes_not_printed(tmp_path):
    out = tmp_path / "out.jsonl"
    run = {**RUN, "weights": {"a.onnx": "12ab" * 16, "b.onnx": "34cd" * 16}}
    run_batch(line_of, [Ref("a")], out, run=run, workers=1)
    run = {**RUN, "weights": {"a.onnx": "12ab" * 16, "b.onnx": "56ef" * 16}}
    with pytest.raises(ConfigError, match=r"\(b\.onnx differs\)"):
        run_batch(line_of, [Ref("a")], out, run=run, workers=1)


def test_a_second_run_on_the_same_file_waits_and_writes_no_line_twice(tmp_path):
    out = tmp_path / "out.jsonl"
    items = [Ref(name) for name in "abcd"]
    with ThreadPoolExecutor(2) as both:
        runs = [both.submit(run_batch, line_of, items, out, run=RUN, workers=1) for _ in range(2)]
        summaries = [run.result() for run in runs]
    assert [line["record"] for line in read(out)] == list("abcd")
    assert sorted(summary.n_kept for summary in summaries) == [0, 4]


def test_a_strangers_file_is_never_touched(tmp_path):
    out = tmp_path / "thesis.txt"
    out.write_text("chapter one\n")
    with pytest.raises(ConfigError, match="says how it was made"):
        run_batch(line_of, [Ref("a")], out, run=RUN, workers=1)
    assert out.read_text() == "chapter one\n"


def test_a_changed_line_is_named(tmp_path):
    out = tmp_path / "out.jsonl"
    run_batch(line_of, [Ref("a")], out, run=RUN, workers=1)
    with out.open("a") as lines:
        lines.write("hello\n")
    with pytest.raises(ConfigError, match="line 2"):
        run_batch(line_of, [Ref("a"), Ref("b")], out, run=RUN, workers=1)


def test_a_place_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="not a file"):
        run_batch(line_of, [Ref("a")], tmp_path, run=RUN, workers=1)
    assert not list(tmp_path.iterdir())


def test_an_empty_list_makes_an_empty_file(tmp_path):
    out = tmp_path / "out.jsonl"
    assert run_batch(line_of, list[Ref](), out, run=RUN).n_ok == 0
    assert out.read_text() == ""


def threads_of(ref: Ref) -> str:
    """Tell how many threads the delineator's net takes in a worker."""
    from ecg_llm.inference import session
    from ecg_llm.waves import BUNDLED

    threads = session(BUNDLED).get_session_options().intra_op_num_threads
    return json.dumps({"record": ref.name, "threads": threads})


def test_a_worker_takes_one_thread_for_the_net(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    out = tmp_path / "out.jsonl"
    run_batch(threads_of, [Ref("a")], out, run=RUN, workers=1)
    assert read(out) == [{"record": "a", "threads": 1}]


def report_pid_and_wait(ref: Ref, log: Path) -> str:
    with log.open("a") as out:
        out.write(f"{os.getpid()}\n")
    return json.dumps({"record": ref.name})


def run_and_hang(log: Path) -> None:
    """A folder run whose parent hangs while its worker waits for work."""
    work = functools.partial(report_pid_and_wait, log=log)
    for _ in run_lines(work, [Ref("a")], workers=1):
        time.sleep(60)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_killed_parent(tmp_path):
    log = tmp_path / "pids"
    parent = multiprocessing.get_context("spawn").Process(target=run_and_hang, args=(log,))
    parent.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and log.read_text().endswith("\n")):
        time.sleep(0.05)
    worker = int(log.read_text())
    parent.kill()
    parent.join()
    while time.monotonic() < deadline and is_running(worker):
        time.sleep(0.05)
    assert not is_running(worker)


def is_running(pid: int) -> bool:
    """Whether a process is alive; one that only waits to be collected is not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def lines_together(refs: tuple[Ref, ...]) -> list[str]:
    """A group fails as a whole if one of it does."""
    lines = [line_of(ref) for ref in refs]
    return [json.dumps({**json.loads(line), "value": len(refs)}) for line in lines]


def test_groups_are_done_in_one_go_and_a_bad_record_costs_only_itself(tmp_path):
    names = ["a", "b", "c", "bad-1", "d", "e", "crash-2", "f", "g"]
    out = tmp_path / "out.jsonl"
    refs = [Ref(name) for name in names]
    together = Together(lines_together, size=3)
    summary = run_batch(line_of, refs, out, run=RUN, workers=1, together=together)
    lines = read(out)
    assert [line["record"] for line in lines] == names
    assert [line.get("value") for line in lines] == [3, 3, 3, None, 1, 1, None, 1, 1]
    errors = {str(line["record"]): line["error"]["kind"] for line in lines if "error" in line}
    assert errors == {"bad-1": "RecordError", "crash-2": "WorkerDied"}
    assert (summary.n_ok, summary.n_failed) == (7, 2)


def slept(seconds: float) -> float:
    """A task that takes its time."""
    time.sleep(seconds)
    return seconds


def pressed(program: str, *gaps_s: float) -> subprocess.CompletedProcess[str]:
    """Run a program, and press Ctrl-C after each gap once it has printed a line."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        process.stdout.readline()
        for gap_s in gaps_s:
            time.sleep(gap_s)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the workers too
        try:
            out, error = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail("it hangs")
        return subprocess.CompletedProcess(program, process.returncode, out, error)


def test_ctrl_c_pressed_again_does_not_break_off_the_orderly_end():
    program = (
        "from ecg_llm.batch import run_tasks; from tests.test_batch import slept\n"
        "for one in run_tasks(slept, [0.0, 3.0, 3.0, 3.0], on_death=slept, workers=2):\n"
        "    print(one, flush=True)\n"
    )
    done = pressed(program, 0.3, 0.3, 0.3)
    assert done.stderr.count("Traceback") == 1  # the KeyboardInterrupt that nobody caught
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


def test_ctrl_c_while_workers_start_is_none_of_their_business():
    program = (
        "import multiprocessing, signal, threading, time\n"
        "from ecg_llm.batch import run_tasks; from tests.test_batch import slept\n"
        "def tell():\n"
        "    while not multiprocessing.active_children(): time.sleep(0.001)\n"
        "    print(flush=True)\n"
        "threading.Thread(target=tell).start()\n"
        "try:\n"
        "    list(run_tasks(slept, [0.0] * 8, on_death=slept, workers=2))\n"
        "except KeyboardInterrupt:\n"
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "    print('stopped')\n"
    )
    done = pressed(program, *[0.02] * 10)
    assert (done.stdout, done.stderr) == ("stopped\n", "")
