"""What becomes of chat messages with files, without vLLM."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from ecg_llm.analysis import analyse
from ecg_llm.chat_layout import SPECIAL
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.prompt import build
from ecg_llm.serving.errors import BadRequestError, ServeError, TooLargeError
from ecg_llm.serving.vllm_messages import files_in, open_messages

SECRET = "Jane-Roe-1951"


def file_part(data: bytes = b"ecg", **other: object) -> dict[str, object]:
    url = f"data:application/zip;base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "file": {"file_data": url, "filename": "a.zip"}, **other}


def user(*parts: object) -> dict[str, object]:
    return {"role": "user", "content": list(parts)}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


@pytest.fixture(scope="module")
def analyses():
    return [analyse(synthetic_ecg(bpm=bpm, seed=bpm).record) for bpm in (60, 90)]


def shown(prompt) -> list[tuple[str, str]]:
    return [
        (
            message["role"],
            "".join(part.get("text", f"<{part['type']}>") for part in message["content"]),
        )
        for message in prompt.messages
    ]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_messages_are_what_the_model_was_trained_on(analyses, n):
    question = "Is there atrial fibrillation? What of V2?"
    opened = open_messages(
        [
            user(*[file_part()] * n, text("Report this ECG.")),
            {"role": "assistant", "content": "Sinus rhythm."},
            {"role": "user", "content": question},
        ],
        analyses[:n],
        SPECIAL,
    )
    trained = build(question, analyses[:n], history=[("Report this ECG.", "Sinus rhythm.")])
    assert [(m["role"], m["content"]) for m in opened.messages] == shown(trained)
    assert opened.records == list(trained.records)


def test_a_page_image_has_a_slot_of_its_own(analyses):
    page = replace(analyses[0], record=replace(analyses[0].record, origin="page"))
    opened = open_messages([user(text("Before"), file_part())], [page], SPECIAL)
    assert opened.messages[-1]["content"].startswith("Before<image>")


def test_nothing_of_a_part_gets_through_but_its_text_and_file():
    part = file_part(uuid="same-for-all", cache="x")
    (file,) = files_in([user({"type": "text", "text": "a", "uuid": "u"}, part)], 100)
    assert (file.data, file.filename) == (b"ecg", "a.zip")
    opened = open_messages([user({"type": "text", "text": "a", "uuid": "u"})], [], SPECIAL)
    assert opened.messages[-1] == {"role": "user", "content": "a"}


@pytest.mark.parametrize("word", SPECIAL)
def test_reserved_words_are_refused(word):
    with pytest.raises(BadRequestError, match="reserved"):
        open_messages([user(text(f"{SECRET} {word}"))], [], SPECIAL)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "audio_url", "audio_url": {"url": SECRET}},
        {"type": SECRET},
        {"image_url": {"url": SECRET}, "uuid": "u"},
        {"type": "image_url", "image_url": {"url": f"http://127.0.0.1/{SECRET}.png"}},
        {"type": "file", "file": {"file_id": SECRET}},
        {"type": "file", "file": {"file_data": f"data:x;base64,{SECRET}!"}},
        {"type": "file", "file": SECRET},
        {"type": "text", "text": 5},
        {"type": "text"},
        5,
    ],
)
def test_other_parts_are_refused_without_being_repeated(part):
    messages = [user(text(SECRET), part)]
    with pytest.raises(ServeError) as caught:
        open_messages(messages, [None] * len(files_in(messages, 100)), SPECIAL)
    assert caught.value.status == 400
    assert SECRET not in str(caught.value)


def test_large_files_are_refused_before_they_are_decoded():
    with pytest.raises(TooLargeError):
        files_in([user(file_part(b"x" * 200))], 100)


def test_unknown_roles_are_refused():
    with pytest.raises(BadRequestError, match="role"):
        open_messages([{"role": SECRET, "content": "a"}], [], SPECIAL)
