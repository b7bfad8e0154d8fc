"""The app's parts that need no browser."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.testclient import TestClient

from ecg_llm.app.actions import FIELDS, Actions, _alerts
from ecg_llm.app.client import Case, Client, ServerError, Upload
from ecg_llm.app.page import build_page
from ecg_llm.app.run import page_app, server_of
from ecg_llm.app.session import Session, read_files
from ecg_llm.app.settings import AppSettings
from ecg_llm.errors import ConfigError


class _Fake(BaseHTTPRequestHandler):
    """A server that asks for a key, and streams a sentence and one that was withheld."""

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
            for text in ("Sinus rhythm.", ""):
                change = None if text else {"action": "withheld", "draft": "All is well."}
                event = {
                    "choices": [{"delta": {"content": f" {text}" if text else ""}}],
                    "ecg": {"text": text, "evidence": [], "change": change},
                }
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b'data: {"choices": [{"delta": {}}], "ecg": {"ecgs": []}}\n\n')
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


def test_the_files_go_with_the_first_message_and_the_answer_comes_in_sentences(url: str) -> None:
    turns = [("user", "Rhythm?"), ("assistant", "Sinus rhythm."), ("user", "Sure?")]
    shown, withheld = Client(url=url).chat(CASE, turns)
    assert shown["shown"] == " Sinus rhythm."
    assert shown["text"] == "Sinus rhythm."
    assert withheld["change"]["draft"] == "All is well."
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
    assert session.case is None


def _actions(url: str) -> Actions:
    return Actions(url=url, examples={}, max_upload_mb=32)


def test_a_conversation_goes_on_and_a_question_without_an_answer_is_left_out(url: str) -> None:
    session, do = Session(), _actions(url)
    session.case = CASE
    session.turns = [{"question": "Stopped?", "sentences": [], "problem": "Stopped."}]
    first, *_, last = do.answer(session, None, "Rhythm?")
    assert first["question"] == "" and "question" not in last  # the next one may stand there
    talk = last["chat"]
    assert [one["text"] for one in talk["turns"][1]["sentences"]] == ["Sinus rhythm.", ""]
    assert not talk["busy"]
    *_, _ = do.answer(session, None, "Sure?")
    said = [turn["content"] for turn in _Fake.asked[1]["messages"]]  # type: ignore[attr-defined]
    assert said[0][-1]["text"] == "Rhythm?"
    assert said[1:] == ["Sinus rhythm.", "Sure?"]


def test_an_answer_never_stands_below_another_ecg(url: str) -> None:
    session, do = Session(), _actions(url)
    session.case = CASE
    answer = do.answer(session, None, "Rhythm?")
    next(answer)
    session.forget()
    session.case = Case(files=(Upload("b.hea", b"head"),))
    assert list(answer) == []
    assert session.turns == []


@pytest.fixture
def visitor(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    async def fetched(*_: object, **__: object) -> str:
        return __file__

    monkeypatch.setattr(gr.processing_utils, "async_ssrf_protected_download", fetched)

    async def built() -> Any:  # Gradio would leave a loop of its own open
        return page_app(AppSettings(), url)

    with TestClient(asyncio.run(built()), base_url="http://127.0.0.1") as client:
        yield client


def _opened(visitor: TestClient, path: str) -> str:
    """Open a file as the page's script does, and give what is told of it."""
    events = visitor.get("/config").json()["dependencies"]
    opens = next(event for event in events if event["api_name"] == "open_files")
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    data = [None, "", [file], None, *[""] * (len(opens["inputs"]) - 4)]
    asked = {"data": data, "fn_index": opens["id"], "session_hash": "one"}
    assert visitor.post("/gradio_api/queue/join", json=asked).status_code == 200
    return visitor.get("/gradio_api/queue/data?session_hash=one").text


def test_only_what_was_uploaded_is_read(visitor: TestClient) -> None:
    """Any file of the machine could be opened as an ECG, and any address be fetched."""
    (path,) = visitor.post("/gradio_api/upload", files={"files": ("a.csv", b"I,II")}).json()
    assert "The queue is full" in _opened(visitor, path)  # what the ECG server said of it
    for path in (__file__, "http://example.org/a.csv"):
        told = _opened(visitor, path)
        assert '"success":false' in told and "The queue is full" not in told


def test_pages_of_other_sites_cannot_use_the_app(visitor: TestClient) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        assert visitor.get("/config", headers=headers).status_code == 403
        upload = {"files": ("a.csv", b"I,II")}
        refused = visitor.post("/gradio_api/upload", headers=headers, files=upload)
        assert refused.status_code == 403
    assert visitor.get("/config", headers={"origin": "http://127.0.0.1"}).status_code == 200


def test_nothing_of_a_visit_is_kept(visitor: TestClient) -> None:
    """Gradio keeps questions and reports in the browser unless it is told not to."""
    assert visitor.get("/config").json()["run_history"] is False


def test_only_the_stop_button_ends_an_answer() -> None:
    """Gradio tells of a change twice: the second, behind the documents, stopped what was asked."""

    async def built() -> gr.Blocks:  # as above
        return build_page(AppSettings(), "http://127.0.0.1:9")

    page = asyncio.run(built())
    ends = [event for event in page.config["dependencies"] if event["cancels"]]
    stop = next(k for k, block in page.blocks.items() if getattr(block, "value", "") == "Stop")
    assert [event["targets"] for event in ends] == [[(stop, "click")]]


def test_what_was_told_of_one_patient_is_not_held_against_the_next(
    url: str, tmp_path: Path
) -> None:
    """Age, sex and the earlier ECG of the one before would change the next one's report."""
    before, path = tmp_path / "before.dat", tmp_path / "b.dat"
    before.write_bytes(b"before")
    path.write_bytes(b"other")
    session = Session()
    session.before = Case(
        files=CASE.files,
        earlier=(Upload("before.dat", b"before"),),
        fields={"age": "64", "sex": "male"},
    )
    told = ("71", "male", "", "", "", "")  # the age was changed, the sex still stands from before
    first = next(_actions(url).open_files(session, None, [path], [before], *told))
    assert session.case == Case(files=(Upload("b.dat", b"other"),), fields={"age": "71"})
    told_of = ("earlier", *FIELDS)
    assert {name: first[name] for name in told_of if name in first} == {"earlier": None, "sex": ""}


def test_the_same_ecg_is_read_again_with_what_is_told_of_it_now(url: str, tmp_path: Path) -> None:
    path = tmp_path / "b.dat"
    path.write_bytes(b"other")
    session, do = Session(), _actions(url)
    told = ("64", "male", "", "", "", "")
    next(do.open_files(session, None, [path], None, *told))
    assert session.case is not None
    assert session.case.fields == {"age": "64", "sex": "male"}
    (only,) = do.open_files(session, None, [path], None, *told)  # nothing is new
    assert set(only) == {"session"}
    next(do.open_files(session, None, [path], None, "64", "female", "", "", "", ""))
    assert session.case.fields == {"age": "64", "sex": "female"}


def test_an_upload_beside_the_open_ecg_is_the_next_one(url: str, tmp_path: Path) -> None:
    """Gradio adds it to the files that stand there."""
    paths = [tmp_path / name for name in ("a.hea", "a.dat", "b.zip")]
    for path in paths:
        path.write_bytes(path.name.encode())
    session, do, nothing = Session(), _actions(url), ("",) * 6
    next(do.open_files(session, None, paths[:2], None, *nothing))
    first = next(do.open_files(session, None, paths, None, *nothing))
    assert session.case is not None
    assert [upload.name for upload in session.case.files] == ["b.zip"]
    assert first["files"] == [paths[2]]


@pytest.mark.parametrize(
    ("bad", "next_one", "read"),
    [
        ("blurred.jpg", ["sharp.jpg"], ["sharp.jpg"]),
        ("a.hea", ["a.dat"], ["a.hea", "a.dat"]),
        ("a.hea", ["samples.dat"], ["a.hea", "samples.dat"]),
        ("a.hea", ["b.hea", "b.dat"], ["b.hea", "b.dat"]),
        ("table.csv", ["table.json"], ["table.csv", "table.json"]),
    ],
)
def test_an_upload_beside_one_that_could_not_be_read_takes_its_place_or_completes_it(
    bad: str, next_one: list[str], read: list[str], url: str, tmp_path: Path
) -> None:
    """After a blurred photograph none could be opened: "blurred.zip: it holds 2 records"."""
    paths = [tmp_path / name for name in (bad, *next_one)]
    for path in paths:
        path.write_bytes(path.name.encode())
    session, do, nothing = Session(), _actions(url), ("",) * 6
    *_, last = do.open_files(session, None, paths[:1], None, *nothing)
    assert "The queue is full" in last["status"] and session.case is None
    next(do.open_files(session, None, paths, None, *nothing))
    assert session.case is not None
    assert [upload.name for upload in session.case.files] == read


def test_a_table_that_does_not_state_its_rate_opens_the_fields_for_it(
    url: str, tmp_path: Path
) -> None:
    path = tmp_path / "b.CSV"
    path.write_bytes(b"I,II")
    *_, last = _actions(url).open_files(Session(), None, [path], None, *[""] * 6)
    assert "The queue is full" in last["status"]
    assert last["tables"] == gr.update(open=True)


def test_an_hour_after_the_last_use_it_says_that_the_ecg_was_closed(tmp_path: Path) -> None:
    page = Actions(url="http://127.0.0.1:1", examples={}, max_upload_mb=1)
    (shown,) = page.answer(Session(), None, "Is it AF?")
    (turn,) = shown["chat"]["turns"]
    assert (turn["question"], "read it again" in turn["problem"]) == ("Is it AF?", True)
    with pytest.raises(ConfigError, match="choose the files again"):
        read_files([tmp_path / "gone.csv"], max_mb=1)


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


def test_examples_are_called_by_what_they_show_where_that_is_told(tmp_path: Path) -> None:
    shown = dict(AppSettings(examples=Path(__file__).parents[2] / "examples").example_names())
    assert shown["Atrial fibrillation, man of 61 (00330_hr)"] == "00330_hr"
    assert all(name in title and title != name for title, name in shown.items())
    (tmp_path / "a.hea").touch()
    assert AppSettings(examples=tmp_path).example_names() == [("a", "a")]


def test_what_alarms_stands_above_the_tracing() -> None:
    critical = "Probable ST elevation as in acute coronary occlusion, uncertain (seen on the page)."
    alerts = [
        {"urgency": "critical", "text": critical},
        {"urgency": "urgent", "text": "Ventricular rate below 40/min: heart rate 31 bpm."},
    ]
    told = _alerts(alerts)
    assert "Critical: Probable ST elevation as in acute coronary occlusion<" in told
    assert "Urgent: Ventricular rate below 40/min<" in told
    assert told.index("Critical") < told.index("Urgent") and told.count('role="alert"') == 2
    assert "&lt;" in _alerts([{"urgency": "urgent", "text": "<b>"}])
