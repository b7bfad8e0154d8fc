"""The audit log: SQLite, and PostgreSQL where it is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.serving.audit import AuditLog, Entry

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
    Path(path).parent for path in [shutil.which("initdb")] if path
]


def entry(number: int) -> Entry:
    return Entry(
        request_id=f"{number:032x}",
        caller="ward7",
        client="127.0.0.1",
        route="/v1/ecg/reports",
        model="measured",
        version="1",
        inputs=("a" * 64, "b" * 64),
    )


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own on a free port of the loopback."""
    pytest.importorskip("psycopg")
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    user: dict[str, str] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            pytest.skip("there is no user postgres")
        user = {"user": "postgres"}
        for parent in folder.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o055)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    init = [BINARIES[-1] / "initdb", "-D", data, "-U", "ecgllm", "--auth=trust", "-N"]
    subprocess.run(init, check=True, capture_output=True, cwd=folder, **user)
    command = [BINARIES[-1] / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1"]
    command += ["-k", folder, "-F"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stderr=log, stdout=log, cwd=folder, **user)
    try:
        yield f"postgresql+psycopg://ecgllm@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)


def used(log: AuditLog) -> None:
    """Write, read and end entries."""
    for number in range(3):
        log.begin(entry(number))
    log.end(entry(1).request_id, outcome="ok", status=200, ms=12.5)
    newest = log.entries(2)
    assert [one.request_id for one in newest] == [entry(2).request_id, entry(1).request_id]
    assert newest[0].outcome == "begun"
    assert (newest[1].outcome, newest[1].status, newest[1].ms) == ("ok", 200, 12.5)
    assert newest[1].inputs == ("a" * 64, "b" * 64)
    assert abs((newest[1].at - datetime.now(UTC)).total_seconds()) < 60
    assert log.ping()


def test_sqlite_keeps_it_over_restarts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'audit.db'}"
    log = AuditLog(url)
    used(log)
    log.close()
    assert len(AuditLog(url).entries()) == 3
    assert (tmp_path / "deep").stat().st_mode & 0o077 == 0


def test_postgresql_keeps_it(postgres: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            log = AuditLog(postgres)
            break
        except ConfigError:
            assert time.monotonic() < end
            time.sleep(0.2)
    used(log)
    log.close()


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite:////proc/no/such/place.db", "postgresql+nodriver://u:geheim@h/d"],
)
def test_a_place_that_cannot_be_written_is_said_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        AuditLog(url)
    assert "geheim" not in str(error.value)
