"""A rewriter that keeps the claims is used; one that changes them, or does not answer, is not."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ecg_llm.data_builders import instruct_rewrite
from ecg_llm.data_builders.instruct_rewrite import Rewriter, RewriterConfig
from ecg_llm.errors import ConfigError

TURNS = ("Report this ECG.", "The heart rate is 75 bpm. There is no atrial fibrillation.")
FAITHFUL = "Heart rate: 75 bpm. No atrial fibrillation is seen."


class Server:
    """A tiny chat server that answers in one way."""

    def __init__(self, answer, *, status=200, wait_s=0.0):
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, body, dict(self.headers)))
                time.sleep(wait_s)
                text = json.dumps({"choices": [{"message": {"content": answer}}]}).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    return  # the client has gone

            def log_message(self, *args):
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture(autouse=True)
def fresh():
    """Forget clients and failures."""
    yield
    instruct_rewrite._client(2.0).close()
    instruct_rewrite._client(0.2).close()
    instruct_rewrite._client.cache_clear()
    instruct_rewrite._state.cache_clear()


def rewritten(server, timeout_s=2.0, retries=0):
    tally = Counter()
    config = RewriterConfig(server.url, "m", timeout_s=timeout_s, retries=retries)
    turns, kept = Rewriter(config).turns(TURNS, tally)
    return turns, kept, tally


def test_a_faithful_rewrite_is_kept(monkeypatch):
    monkeypatch.setenv("ECGLLM_REWRITER_KEY", "secret")
    with Server(FAITHFUL) as server:
        turns, kept, tally = rewritten(server)
    assert (turns, kept) == ((TURNS[0], FAITHFUL), True)
    assert tally == {"rewrites kept": 1}
    path, body, headers = server.asked[0]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"]) == ("m", 0)
    assert headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "answer",
    [
        "The heart rate is 85 bpm. There is no atrial fibrillation.",
        "The heart rate is 75 bpm. There is atrial fibrillation.",
        "The heart rate is 75 bpm.",
        "",
    ],
)
def test_a_rewrite_that_changes_a_claim_is_thrown_away(answer):
    with Server(answer) as server:
        turns, kept, tally = rewritten(server)
    assert (turns, kept) == (TURNS, False)
    assert tally == {"rewrites thrown away": 1}


def test_a_failing_server_is_tried_again_and_then_left():
    with Server(FAITHFUL, status=500) as server:
        turns, kept, tally = rewritten(server, retries=1)
        assert (turns, kept, tally) == (TURNS, False, {"rewrites failed": 1})
        assert len(server.asked) == 2
        for _ in range(4):
            rewritten(server, retries=1)
        assert len(server.asked) == 2 * instruct_rewrite.GIVE_UP_AFTER


def test_a_hanging_server_costs_its_timeout_only():
    with Server(FAITHFUL, wait_s=1.0) as server:
        started = time.monotonic()
        turns, kept, tally = rewritten(server, timeout_s=0.2)
        assert time.monotonic() - started < 0.9
    assert (turns, kept, tally) == (TURNS, False, {"rewrites failed": 1})


@pytest.mark.parametrize("url", ["http://a", "http://a/v1", "http://a/v1/chat/completions"])
def test_the_address_may_be_given_in_any_form(url):
    assert RewriterConfig(url).endpoint == "http://a/v1/chat/completions"


def test_what_is_no_address_is_refused():
    with pytest.raises(ConfigError, match="http://"):
        RewriterConfig("localhost:8000")
