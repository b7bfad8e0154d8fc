"""The app's parts that need no browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ecg_llm.app.client import Case, Client, ServerError, Upload
from ecg_llm.app.run import server_of
from ecg_llm.app.session import Session, read_files
from ecg_llm.app.settings import AppSettings
from ecg_llm.errors import ConfigError


class _Fake(BaseHTTPRequestHandler):
    """A server that asks for a key and streams two words."""

    asked: list[dict[str, object]]

    def do_GET(self) -> None:
        self.send_response(200 if self.headers.get("Authorization") == "Bearer good" else 401)
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("completions"):
            type(self).asked.append(json.loads(body))
            self.send_response(200)
            self.end_headers()
            for word in ("Sinus ", "rhythm."):
                event = {"choices": [{"delta": {"content": word}}]}
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
            return
        self.send_response(429)
        self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(b'{"error": {"message": "The queue is full."}}')

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def url() -> Iterator[str]:
    _Fake.asked = []
    server = HTTPServer(("127.0.0.1", 0), _Fake)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


CASE = Case(
    files=(Upload("a.hea", b"head"), Upload("a.dat", b"data")), fields={"age": "64", "sex": "male"}
)


def test_a_key_is_asked_for_only_where_it_is_needed(url: str) -> None:
    assert Client(url=url).needs_key()
    assert not Client(url=url, key="good").needs_key()


def test_the_files_go_with_the_first_message_and_the_answer_comes_in_pieces(url: str) -> None:
    turns = [("user", "Rhythm?"), ("assistant", "Sinus rhythm."), ("user", "Sure?")]
    assert list(Client(url=url).chat(CASE, turns)) == ["Sinus ", "rhythm."]
    first, *others = _Fake.asked[0]["messages"]  # type: ignore[misc]
    assert [part["type"] for part in first["content"]] == ["file", "file", "text"]
    assert [turn["content"] for turn in others] == ["Sinus rhythm.", "Sure?"]
    assert _Fake.asked[0]["ecg"] == CASE.fields


def test_what_the_server_says_is_told_with_when_to_try_again(url: str) -> None:
    with pytest.raises(ServerError, match=r"The queue is full\. Try again in 7 s\."):
        Client(url=url).report(CASE)


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(ServerError, match="is away"):
        Client(url="http://127.0.0.1:9").tracing(CASE)


def test_a_session_keeps_nothing_after_it_is_forgotten() -> None:
    session = Session()
    session.case = CASE
    path = Path(session.keep("report.json", b"{}"))
    assert path.read_bytes() == b"{}"
    session.forget()
    assert not path.parent.exists()
    with pytest.raises(ConfigError, match="Choose an ECG first"):
        session.opened()


def test_files_that_are_too_large_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.dat"
    path.write_bytes(b"\0" * (2 << 20))
    with pytest.raises(ConfigError, match=r"2 MB were given, and at most 1 MB"):
        read_files([path], max_mb=1)


def test_a_server_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="http://host:port"), server_of(AppSettings(server="x")):
        pass


def test_example_records_hold_all_files_of_a_record() -> None:
    records = AppSettings(examples=Path(__file__).parents[2] / "examples").example_records()
    assert [path.suffix for path in records["00177_hr"]] == [".dat", ".hea"]
