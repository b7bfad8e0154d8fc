"""What a stranger may send costs at most his own request, and is written nowhere."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import struct
import threading
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ecg_llm.serving.app import create_app
from ecg_llm.serving.errors import BadFileError
from ecg_llm.serving.keys import add_key, revoke_key
from ecg_llm.serving.recording import ReadingFields, Upload
from ecg_llm.serving.settings import Settings
from ecg_llm.serving.workers import WorkerPool
from tests.serving.conftest import BASE, zipped

NAME = "Margarethe-Mustermann-1931"


def post(client: TestClient, data: bytes, name: str = "x.bin", path: str = "/v1/ecg/reports"):
    return client.post(path, files={"file": (name, data)})


def bomb(megabytes: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * (megabytes << 20))
    return packed.getvalue()


def lying_bomb(megabytes: int) -> bytes:
    """A zip that claims to be small."""
    data = bytearray(bomb(megabytes))
    size = struct.pack("<I", megabytes << 20)
    return bytes(data.replace(size, struct.pack("<I", 1000)))


def huge_png(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + header))


HOSTILE = {
    "nothing": b"",
    "noise": bytes(range(256)) * 40,
    "zip bomb": bomb(64),
    "lying zip bomb": lying_bomb(64),
    "cut zip": zipped()[:5000],
    "huge png": huge_png(50_000),
    "cut png": huge_png(100),
    "xml entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]>'
    b"<AnnotatedECG>&c;</AnnotatedECG>",
    "xml from outside": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
    b"<AnnotatedECG>&b;</AnnotatedECG>",
    "header that names another file": b"r 1 500 10\n../../../etc/passwd 16 200 16 0 0 0 0 I\n",
    "header of nonsense": b"r 100000 1e300 99999999999999\n" + b"r.dat 16\n" * 100,
    "letter": b"Dear colleague,\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(client: TestClient, kind: str) -> None:
    answer = post(client, HOSTILE[kind])
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert 10 < len(error["message"]) < 600
    assert "root:" not in answer.text
    assert "Traceback" not in answer.text


def test_the_server_goes_on(client: TestClient, ecg: bytes) -> None:
    assert post(client, ecg).status_code == 200


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\x00b", "C:\\x\\y.hea", "x" * 4000, "\u202e"]
)
def test_a_file_name_is_only_a_name(client: TestClient, ecg: bytes, name: str) -> None:
    answer = post(client, ecg, name)
    assert answer.status_code == 200
    assert len(answer.json()["record"]["source"]) < 200
    assert ".." not in answer.json()["record"]["source"]


def test_more_than_the_limit_is_refused_while_it_streams(client: TestClient) -> None:
    sent = 0

    def body():
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(1000):
            sent += 1
            yield b"0" * 2**20

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/ecg/reports", content=body(), headers=headers)
    assert answer.status_code == 413
    declared = {**headers, "content-length": str(10**12)}
    answer = client.post("/v1/ecg/reports", content=b"--b--", headers=declared)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", "application/json"),
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\n", "multipart/form-data; boundary=b"),
        (b"garbage", "multipart/form-data; boundary=" + "x" * 500),
        (b"a=b", "application/x-www-form-urlencoded"),
    ],
)
def test_a_damaged_form_is_a_bad_request(client: TestClient, content: bytes, kind: str) -> None:
    answer = client.post("/v1/ecg/reports", content=content, headers={"content-type": kind})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_what_was_sent_stands_in_no_error_and_no_log(
    client: TestClient, ecg: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("ecg_llm.serving").propagate = True
    form = {"file": (f"{NAME}.zip", ecg)}
    answers = [
        client.post("/v1/ecg/reports", files=form, data={"age": NAME}),
        client.post("/v1/ecg/reports", files=form, data={NAME: "1"}),
        client.post("/v1/ecg/reports", files={NAME: ("a", ecg)}),
        client.post("/v1/ecg/reports", files=form, data={"question": NAME * 1000}),
        client.get(f"/v1/{NAME}?q={NAME}"),
        client.post(f"/v1/ecg/reports?{NAME}", content=NAME, headers={"x-patient": NAME}),
    ]
    for answer in answers:
        assert answer.status_code in (400, 404)
        assert NAME not in answer.text
    # A file that is refused names itself to its sender; the log does not.
    post(client, NAME.encode(), f"{NAME}.csv")
    post(client, ecg, f"{NAME}.zip")
    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert ours
    assert NAME not in "\n".join(record.getMessage() for record in ours)
    assert NAME not in client.get("/metrics").text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "localhost:8000"}, 200),
        ({"origin": BASE}, 200),
        ({"host": "[::1"}, 400),
    ],
)
def test_pages_of_other_sites_cannot_use_it(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    answer = client.get("/v1/ecg/statements", headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_with_keys_nothing_is_open_but_health(tmp_path: Path, settings: Settings) -> None:
    keys = tmp_path / "keys"
    token = add_key(keys, "ward7", per_minute=600)
    app = create_app(replace(settings, keys=keys, host="0.0.0.0"))
    with TestClient(app, base_url=BASE) as client:
        assert client.get("/healthz").status_code == 200
        assert client.head("/healthz").status_code == 200  # as some load balancers ask
        for path in ("/metrics", "/openapi.json", "/v1/ecg/statements"):
            refused = client.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            wrong = {"authorization": "Bearer ecg_wrong"}
            assert client.get(path, headers=wrong).status_code == 401
            good = {"authorization": f"Bearer {token}"}
            assert client.get(path, headers=good).status_code == 200
            assert client.get(path, headers={"x-api-key": token}).status_code == 200
        revoke_key(keys, "ward7")
        assert client.get("/metrics", headers=good).status_code == 401


def test_a_full_queue_is_told_to_come_again(client: TestClient, ecg: bytes) -> None:
    gate = client.app.state.server.gate
    room = gate.requests
    gate.requests = 64
    try:
        answer = post(client, ecg)
    finally:
        gate.requests = room
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert post(client, ecg).status_code == 200


def test_a_server_that_cannot_serve_now_says_when_to_come_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.app.state.server.audit, "ping", lambda: False)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["audit"]) == (503, False)
    assert int(answer.headers["retry-after"]) >= 1


def test_a_reader_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without room for a process lost its readers for good."""
    tried: list[Settings] = []

    class Ready:
        def __init__(self, settings: Settings) -> None:
            tried.append(settings)
            if len(tried) == 1:
                raise BlockingIOError(11, "Resource temporarily unavailable")

        def wait_ready(self, seconds: float) -> bool:
            return True

        def kill(self) -> None:
            pass

    monkeypatch.setattr("ecg_llm.serving.workers._Worker", Ready)
    pool = WorkerPool(Settings(workers=1))
    pool.start()
    end = time.monotonic() + 30
    while not pool.ready and time.monotonic() < end:
        time.sleep(0.05)
    assert (pool.ready, len(tried)) == (1, 2)
    pool.close()


def test_nothing_is_served_that_cannot_be_logged(
    client: TestClient, ecg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def broken(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    audit = client.app.state.server.audit
    monkeypatch.setattr(audit._engine, "begin", broken)
    answer = post(client, ecg)
    assert answer.status_code == 503
    assert "audit log" in answer.json()["error"]["message"]


def job(data: bytes, settings: Settings) -> tuple[Upload, ReadingFields, Settings]:
    upload = Upload(data=data, filename="x.zip")
    return upload, ReadingFields(), replace(settings, max_unpacked_bytes=2**31)


def test_a_reader_that_dies_costs_one_request_and_is_replaced(settings: Settings) -> None:
    pool = WorkerPool(replace(settings, file_s=20, file_memory_bytes=96 * 2**20))
    pool.start()
    try:
        _wait(pool)
        first = pool.pids()[0]
        # 200 MB of text parse into more than the memory allowed.
        with pytest.raises(BadFileError):
            pool.run("analyse", *job(bomb(200), settings))
        _wait(pool)
        assert pool.run("analyse", *job(zipped(), settings))[0].quality.acceptable
        # Killed from outside in the middle of a file, as by the system when memory runs out.
        victim = pool.pids()[0]
        killer = threading.Timer(0.05, os.kill, (victim, signal.SIGKILL))
        killer.start()
        with pytest.raises(BadFileError, match="limits"):
            for _ in range(1000):
                pool.run("analyse", *job(zipped(), settings))
        _wait(pool)
        assert pool.pids()[0] not in (first, victim)
        assert pool.run("analyse", *job(zipped(), settings))[0].quality.acceptable
        assert pool.deaths["crash"] >= 1
    finally:
        pool.close()


def test_a_file_that_takes_too_long_is_ended(settings: Settings) -> None:
    pool = WorkerPool(replace(settings, file_s=0.001))
    pool.start()
    try:
        _wait(pool)
        with pytest.raises(BadFileError, match="more than"):
            pool.run("analyse", *job(zipped(), settings))
        assert pool.deaths["timeout"] == 1
    finally:
        pool.close()


def _wait(pool: WorkerPool) -> None:
    end = time.monotonic() + 120
    while not pool.ready:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_reader_that_was_taken_over_cannot_name_a_function() -> None:
    import pickle

    from ecg_llm.serving.workers import _loads

    class Evil:
        def __reduce__(self):
            return os.system, ("true",)

    for hostile in (Evil(), json.loads, os.getcwd, zlib.decompress):
        with pytest.raises(pickle.UnpicklingError):
            _loads(pickle.dumps(("ok", hostile)))


def test_what_a_reader_gives_comes_back_whole(settings: Settings) -> None:
    import pickle

    from ecg_llm.serving.filework import analyse_file
    from ecg_llm.serving.workers import _loads

    analysis, stages_ms = analyse_file(*job(zipped(), settings))
    back, took = _loads(pickle.dumps((analysis, stages_ms), protocol=5))
    assert back.findings == analysis.findings
    assert back.measurements.to_dict() == analysis.measurements.to_dict()
    assert took == stages_ms


def test_a_reader_cannot_make_what_acts(tmp_path: Path) -> None:
    """A class that does something when it is made stands in no result."""
    import pickle

    from ecg_llm.serving.audit import AuditLog
    from ecg_llm.serving.workers import _loads

    class Evil:
        def __reduce__(self):
            return AuditLog, (f"sqlite:///{tmp_path / 'made.db'}",)

    with pytest.raises(pickle.UnpicklingError):
        _loads(pickle.dumps(Evil()))
    assert not (tmp_path / "made.db").exists()
