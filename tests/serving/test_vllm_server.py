"""vLLM's own OpenAI-compatible server with the plug-in, asked with OpenAI's client."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import zipped

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: make vllm"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(900),
]

N_NEW = 16
QUESTION = "Is there atrial fibrillation?"


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter merged into its model."""
    from ecg_llm.serving.vllm_textmodel import merge
    from tests.serving.tiny_vllm import write_adapter, write_checkpoint

    base, adapter, merged = (tmp_path_factory.mktemp(n) for n in ("base", "adapter", "merged"))
    write_adapter(adapter, base, write_checkpoint(base))
    return merge(adapter, merged)


@pytest.fixture(scope="module")
def plain(merged: Path) -> Any:
    from ecg_llm.lm_transformers import TransformersModel

    return TransformersModel(merged, read_numbers=False)


@pytest.fixture(scope="module")
def server(merged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A client of the server, and the server's log."""
    import httpx
    from openai import OpenAI

    log = tmp_path_factory.mktemp("log") / "server.log"
    port = free_port()
    own = {
        "VLLM_PLUGINS": "ecg_llm,ecg_errors",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    options = {
        "model": merged,
        "served-model-name": "tiny",
        "tokenizer-mode": "ecg",
        "dtype": "float32",
        "max-model-len": 2048,
        "block-size": 32,
        "distributed-executor-backend": "uni",
        "generation-config": "vllm",
        "structured-outputs-config": '{"backend":"xgrammar","disable_any_whitespace":true}',
        "host": "127.0.0.1",
        "port": port,
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    entry = "vllm.entrypoints.launchers.api_server.entry"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", entry, *words, "--enforce-eager"],
            env=os.environ | own,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 600
        while True:
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < end, log.read_text()[-4000:]
            try:
                if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.5)
        yield OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=300), log
    finally:
        process.terminate()
        process.wait(60)


def file_part(data: bytes, **other: object) -> dict[str, Any]:
    url = f"data:application/zip;base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "file": {"file_data": url, "filename": "ecg.zip"}, **other}


def letters(text: str) -> str:
    """Leave out bytes that make no letter; detokenizers differ in how many signs they put there."""
    return text.replace("\ufffd", "").strip()


def ask(client: Any, *parts: Any, **options: Any) -> Any:
    return client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": list(parts)}],
        temperature=0,
        max_tokens=N_NEW,
        **options,
    )


def wanted(plain: Any, *names: str) -> str:
    from ecg_llm.analysis import analyse
    from ecg_llm.io import read_bytes
    from ecg_llm.prompt import build

    analyses = [analyse(read_bytes(zipped(name), "ecg.zip")) for name in names]
    (answer,) = plain.generate([build(QUESTION, analyses)], max_new_tokens=N_NEW)
    return letters(answer)


TEXT = {"type": "text", "text": QUESTION}


def test_a_file_part_is_answered_as_the_plain_merged_model_answers(server, plain):
    client, _ = server
    first, second = zipped("00177_hr"), zipped("00338_hr")
    one = ask(client, file_part(first), TEXT)
    assert letters(one.choices[0].message.content) == wanted(plain, "00177_hr")
    both = ask(client, file_part(first), file_part(second), TEXT)
    assert letters(both.choices[0].message.content) == wanted(plain, "00177_hr", "00338_hr")
    assert both.usage.prompt_tokens > one.usage.prompt_tokens
    told = "".join(
        chunk.choices[0].delta.content or ""
        for chunk in ask(client, file_part(first), TEXT, stream=True)
    )
    assert letters(told) == wanted(plain, "00177_hr")


def test_two_patients_under_one_uuid_have_their_own_answers(server, plain):
    client, _ = server
    for name in ("00177_hr", "00338_hr"):
        given = ask(client, file_part(zipped(name), uuid="same"), TEXT)
        assert letters(given.choices[0].message.content) == wanted(plain, name)


def test_an_answer_keeps_to_the_response_format(server):
    client, _ = server
    schema = {
        "type": "object",
        "properties": {"af": {"type": "boolean"}},
        "required": ["af"],
        "additionalProperties": False,
    }
    shape = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    given = ask(client, file_part(zipped()), TEXT, response_format=shape)
    assert isinstance(json.loads(given.choices[0].message.content)["af"], bool)


SECRET = "Jane-Roe-1951"


@pytest.mark.parametrize(
    "parts",
    [
        [{"type": "text", "text": f"{SECRET} <ecg>"}],
        [{"type": "image_url", "image_url": {"url": f"http://127.0.0.1:9/{SECRET}.png"}}],
        [{"type": "audio_url", "audio_url": {"url": f"file:///{SECRET}"}}],
        [{"type": SECRET, SECRET: SECRET}],
        [file_part(SECRET.encode())],
        [{"type": "file", "file": {"file_data": SECRET}}],
    ],
)
def test_bad_requests_are_refused_and_repeated_nowhere(server, parts):
    import openai

    client, log = server
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, *parts, TEXT)
    assert SECRET not in str(caught.value.body)
    assert base64.b64encode(SECRET.encode()).decode() not in str(caught.value.body)
    assert SECRET not in log.read_text()


def test_a_bare_slot_is_refused_on_the_text_route_too(server):
    import openai

    client, _ = server
    with pytest.raises(openai.BadRequestError, match="slot"):
        client.completions.create(model="tiny", prompt="What is <ecg>?", max_tokens=4)
    assert client.completions.create(model="tiny", prompt="A", max_tokens=4).choices[0].text
