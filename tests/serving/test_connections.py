"""Too many connections, and such that never ask, keep nobody else away."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from ecg_llm.serving import connections
from tests.serving.conftest import served

MOST = 8


async def hello(scope, receive, send):
    """The smallest application."""
    assert scope["type"] == "http"
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def port() -> Iterator[int]:
    """A server with few places."""
    with served(hello, limit_concurrency=MOST, timeout_keep_alive=30) as at:
        yield at


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def answer(line: socket.socket, request: bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    """Ask, and read until the other side closes or the body is there."""
    line.sendall(request)
    said = b""
    while not said.endswith((b"hello", b"}")) and (more := line.recv(65536)):
        said += more
    return said


def closed(line: socket.socket) -> bool:
    """Whether the other side hangs up in time."""
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


def test_of_many_connections_some_are_served_and_the_others_told_when_to_come(port: int) -> None:
    lines = [connected(port) for _ in range(200)]
    try:
        said = [answer(line) for line in lines]
    finally:
        for line in lines:
            line.close()
    served = [one for one in said if one.startswith(b"HTTP/1.1 200")]
    refused = [one for one in said if one.startswith(b"HTTP/1.1 503")]
    assert len(served) == MOST
    assert len(served) + len(refused) == 200
    head, _, body = refused[0].partition(b"\r\n\r\n")
    assert b"\r\nretry-after: 5" in head.lower()
    assert json.loads(body)["error"]["type"] == "unavailable"
    end = time.monotonic() + 20
    while True:
        with connected(port) as line:
            if answer(line).startswith(b"HTTP/1.1 200"):
                return
        assert time.monotonic() < end, "the places of those who left are not free again"
        time.sleep(0.05)


def test_who_never_asks_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ASK_S", 0.5)
    silent, slow, second = (connected(port) for _ in range(3))
    slow.sendall(b"GET / HTTP/1.1\r\nHo")
    assert answer(second).endswith(b"hello")
    second.sendall(b"GET / HTTP/1.1\r\nHo")  # its next request never becomes whole
    with silent, slow, second:
        assert closed(silent)
        assert closed(slow)
        assert closed(second)


def test_who_has_asked_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ASK_S", 0.5)
    with connected(port) as line:
        assert answer(line).endswith(b"hello")
        time.sleep(1.2)  # idle between two requests, as browsers are
        assert answer(line).endswith(b"hello")
