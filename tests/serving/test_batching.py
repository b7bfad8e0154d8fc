"""Shared batches with transformers: each caller gets what it would get alone."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from ecg_llm.lm_transformers import TransformersModel  # noqa: E402
from ecg_llm.prompt import Prompt  # noqa: E402
from ecg_llm.serving.batching import BatchedModel  # noqa: E402
from tests.serving.tiny_vllm import ecg, prompts, write_checkpoint  # noqa: E402


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder)
    return TransformersModel(folder)


@pytest.fixture
def batched(plain):
    return BatchedModel(plain, most_rows=5)


def test_callers_who_come_and_go_get_what_they_would_get_alone(plain, batched):
    asked = [(p, room) for p in prompts().values() for room in (1, 2, 9, 24, 40)]
    random.Random(0).shuffle(asked)
    wanted = [plain.generate([p], max_new_tokens=room)[0] for p, room in asked]

    def ask(number: int) -> str:
        time.sleep(0.01 * (number % 7))
        prompt, room = asked[number]
        return "".join(batched.stream(prompt, max_new_tokens=room))

    with ThreadPoolExecutor(len(asked)) as threads:
        assert list(threads.map(ask, range(len(asked)))) == wanted


def test_what_is_generated_is_that_of_the_plain_model(plain, batched):
    asked = list(prompts().values())
    assert batched.generate(asked, max_new_tokens=12) == plain.generate(asked, max_new_tokens=12)
    assert batched.generate([]) == []


def test_a_prompt_that_cannot_be_read_fails_alone(plain, batched):
    good = prompts()["one"]
    part = {"role": "user", "content": [{"type": "ecg"}]}
    bad = Prompt(messages=(part,), records=(ecg(0), ecg(1)))
    failures: list[Exception] = []

    def ask_badly() -> None:
        try:
            batched.generate([bad])
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=ask_badly)
    thread.start()
    assert batched.generate([good], max_new_tokens=20) == plain.generate([good], max_new_tokens=20)
    thread.join(60)
    assert "slots" in str(failures[0])


def test_a_listener_who_leaves_makes_room(plain, batched):
    asked = prompts()["one"]
    listeners = [batched.stream(asked, max_new_tokens=1500) for _ in range(5)]
    for listener in listeners:
        next(listener)
        listener.close()
    begun = time.monotonic()
    assert batched.generate([asked], max_new_tokens=4) == plain.generate([asked], max_new_tokens=4)
    assert time.monotonic() - begun < 30
