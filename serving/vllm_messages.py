"""Chat messages as OpenAI's clients send them, turned into what the model was trained on.

A file becomes a slot and the measured words beside it, as `ecg_llm.prompt.build` has them. Parts
are written anew from what is known of them, so that nothing else a client put there (cache keys,
addresses to fetch) gets any further, and no error repeats what was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecg_llm.analysis import Analysis
from ecg_llm.chat_layout import ECG, IMAGE, plain
from ecg_llm.prompt import ORDINALS, SYSTEM, asked_of, describe, facts_of
from ecg_llm.record import ECGRecord
from ecg_llm.serving.attachments import decoded
from ecg_llm.serving.errors import BadRequestError, TooLargeError
from ecg_llm.serving.recording import Upload, safe_name

TEXT_PARTS = ("text", "input_text", "output_text", "refusal")
FILE_PARTS = ("file", "input_file", "image_url", "input_image")
ROLES = ("system", "user", "assistant")
MAX_URL_HEAD = 64
"""Letters of a data URL before its data, about."""


@dataclass(frozen=True)
class Opened:
    """Messages that hold text only, and what stands in their slots.

    Attributes
    ----------
    messages : list of dict
        ``{"role", "content"}`` with content as text.
    records : list of ECGRecord
        One for each slot, in order.
    """

    messages: list[dict[str, Any]]
    records: list[ECGRecord]


def files_in(messages: Sequence[Mapping[str, Any]], max_bytes: int) -> list[Upload]:
    """Take the files out of chat messages, in order: data URLs of at most ``max_bytes`` each."""
    return [
        _decode(part, max_bytes)
        for message in messages
        for part in _parts(message)
        if part.get("type") in FILE_PARTS
    ]


def open_messages(
    messages: Sequence[Mapping[str, Any]],
    analyses: Sequence[Analysis],
    reserved: Iterable[str],
) -> Opened:
    """Write the messages anew, each file as a slot and what was measured on it.

    ``analyses`` are of the files that `files_in` gave; ``reserved`` are special tokens of the
    model, which no text may hold.
    """
    special = tuple(reserved)
    facts = [facts_of(analysis) for analysis in analyses]
    several = 1 < len(facts) <= len(ORDINALS)
    n_shown = n_sent = 0
    out: list[dict[str, Any]] = []
    if not any(message.get("role") in ("system", "developer") for message in messages):
        out.append({"role": "system", "content": SYSTEM})
    for message in messages:
        role = "system" if message.get("role") == "developer" else message.get("role")
        if role not in ROLES:
            raise BadRequestError(f"A message's role is one of {', '.join(ROLES)}.")
        written: list[str] = []
        parts = _parts(message)
        n_sent += sum(part.get("type") in FILE_PARTS for part in parts)
        for part in parts:
            kind = part.get("type")
            if kind in FILE_PARTS:
                words = describe(facts[n_shown])
                written += [f"{ORDINALS[n_shown]} ECG: "] if several else []
                written += [_slot(analyses[n_shown].record), plain(words, special)]
                written += ["\n"] if words else []
                n_shown += 1
            elif kind in TEXT_PARTS:
                text = _text(part, kind, special)
                told = asked_of(text, facts[:n_sent]) if role == "user" else ""
                written += [f"{told}\n{text}" if told else text]
            else:
                raise BadRequestError(
                    "A part of a message is of a type that is not taken; send text, file or "
                    "image_url."
                )
        out.append({"role": role, "content": "".join(written)})
    return Opened(out, [analysis.record for analysis in analyses])


def _slot(record: ECGRecord) -> str:
    return IMAGE if record.origin == "page" else ECG


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the parts of a message, a plain text as one."""
    content = message.get("content")
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    if not all(isinstance(part, Mapping) for part in parts):
        raise BadRequestError("A message's content is a text or a list of parts.")
    return parts


def _text(part: Mapping[str, Any], kind: str, special: Sequence[str]) -> str:
    text = part.get("refusal" if kind == "refusal" else "text")
    if not isinstance(text, str):
        raise BadRequestError("A text part of a message has no text.")
    if any(word in text for word in special):
        raise BadRequestError("A text holds a word that is reserved for the model's own use.")
    return text


def _decode(part: Mapping[str, Any], max_bytes: int) -> Upload:
    """Read the data URL of a file or image part."""
    if part["type"] in ("file", "input_file"):
        held = part.get("file", part)
        held = held if isinstance(held, Mapping) else {}
        url, name = held.get("file_data"), held.get("filename")
    else:
        held = part.get("image_url")
        url, name = held.get("url") if isinstance(held, Mapping) else held, None
    url = url if isinstance(url, str) else ""
    if len(url) > max_bytes * 4 // 3 + MAX_URL_HEAD:
        raise TooLargeError(f"A file of more than {max_bytes / 2**20:.0f} MB; send a smaller one.")
    return Upload(
        data=decoded(url, only_url=True), filename=safe_name(name if isinstance(name, str) else "")
    )
