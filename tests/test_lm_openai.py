"""A server of OpenAI's form as a language model."""

from __future__ import annotations

import json

import pytest

httpx = pytest.importorskip("httpx")

from ecg_llm.errors import ConfigError  # noqa: E402
from ecg_llm.lm import load  # noqa: E402
from ecg_llm.lm_openai import KEY_VARIABLE, OpenAIModel  # noqa: E402
from ecg_llm.prompt import Prompt  # noqa: E402

PROMPT = Prompt(
    messages=(
        {"role": "system", "content": [{"type": "text", "text": "You read ECGs."}]},
        {
            "role": "user",
            "content": [{"type": "ecg"}, {"type": "text", "text": "QRS 90 ms. LBBB?"}],
        },
    )
)


def server(asked, status=200, answer="No."):
    def reply(request):
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "big"}]})
        asked.append((request.headers, json.loads(request.content)))
        if status != 200:
            return httpx.Response(status, text="refused")
        if asked[-1][1].get("stream"):
            lines = [
                f"data: {json.dumps({'choices': [{'delta': {'content': piece}}]})}\n\n"
                for piece in ("N", "o.")
            ]
            return httpx.Response(200, text="".join([*lines, "data: [DONE]\n\n"]))
        return httpx.Response(200, json={"choices": [{"message": {"content": answer}}]})

    return httpx.MockTransport(reply)


def test_only_the_words_of_the_prompt_are_sent(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    asked = []
    model = OpenAIModel("http://here:1", transport=server(asked))
    assert model.name == "big"
    assert model.generate([PROMPT]) == ["No."]
    headers, body = asked[0]
    assert headers["authorization"] == "Bearer secret"
    assert body["messages"][1] == {"role": "user", "content": "QRS 90 ms. LBBB?"}
    assert body["temperature"] == 0
    assert "".join(model.stream(PROMPT)) == "No."


def test_the_model_may_be_named():
    assert OpenAIModel("http://here:1#mine", transport=server([])).name == "mine"


def test_refusals_and_odd_answers_say_what_to_do():
    refused = OpenAIModel("http://here:1", transport=server([], status=401))
    with pytest.raises(ConfigError, match=KEY_VARIABLE):
        refused.generate([PROMPT])
    with pytest.raises(ConfigError, match="401"):
        list(refused.stream(PROMPT))
    odd = httpx.MockTransport(lambda request: httpx.Response(200, json={"data": []}))
    with pytest.raises(ConfigError, match=r"no data\[0\]\.id"):
        OpenAIModel("http://here:1", transport=odd)

    def broken(request):
        raise httpx.ConnectError("nobody there")

    with pytest.raises(ConfigError, match="is the server running"):
        OpenAIModel("http://here:1", transport=httpx.MockTransport(broken))


def test_specs_without_a_model_are_refused(tmp_path):
    assert load("none") is None
    with pytest.raises(ConfigError, match="no folder"):
        load(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"config\.json"):
        load(str(tmp_path))
