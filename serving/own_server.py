"""A server of one's own on the loopback: for the app, benchmarks and tests."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ecg_llm.errors import ConfigError

START_S = 300.0
"""Longest time in which a server has to start."""


@contextmanager
def own_server(
    words: Sequence[str], *, log: Callable[[str], object] = len
) -> Iterator[tuple[str, int]]:
    """Run ``ecgllm serve`` on a free port of the loopback, and end it afterwards.

    Gives its address and process id once it is ready; ``log`` gets each line of its log. If it does
    not start, a `ConfigError` holds what it said.
    """
    process = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "ecg_llm.cli", "serve", "--port", "0", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_end_with_parent,
    )
    reader = threading.Thread(target=_drain, args=(process, log), daemon=True)
    try:
        url = _address(process, log)
        reader.start()  # so that the server never waits for us
        _wait_ready(url, process)
        yield url, process.pid
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if reader.ident is not None:
            reader.join(10)
        assert process.stderr is not None  # it was asked for
        process.stderr.close()


def _end_with_parent() -> None:
    """Have the system end a server whose parent was killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _address(process: subprocess.Popen[str], log: Callable[[str], object]) -> str:
    """Read where the server listens from its log."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "listening at " in line:
            for one in said:
                log(one)
            return line.rsplit("listening at ", 1)[1].strip()
    words = "".join(said).replace("ecgllm: ", "").strip()
    raise ConfigError(f"the ECG server did not start: {words or 'no word from it'}")


def _drain(process: subprocess.Popen[str], log: Callable[[str], object]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        log(line)


def _wait_ready(url: str, process: subprocess.Popen[str]) -> None:
    import httpx

    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=30, verify=False).status_code == 200:  # noqa: S501
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise ConfigError(f"the ECG server was not ready after {START_S:.0f} s, or ended before.")
