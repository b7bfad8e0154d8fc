"""How a conversation stands in the bundled model's text: one special token before each turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

PAD, END, ECG, IMAGE = "<|pad|>", "<|end|>", "<ecg>", "<image>"
TURNS = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL = (PAD, END, *TURNS.values(), ECG, IMAGE)
"""Special tokens, in the order of their ids from 0."""

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'text' -%}{{ part['text'] }}"
    "{%- elif part['type'] == 'image' -%}<image>{%- else -%}<ecg>{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- if message['role'] == 'assistant' -%}<|end|>{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
"""The same layout for transformers and servers."""


def layout(messages: Sequence[dict[str, Any]], tokens_per_ecg: int) -> str:
    """Lay out the messages of a prompt, up to where the answer begins.

    Parameters
    ----------
    messages : sequence of dict
        Of a `ecg_llm.prompt.Prompt`.
    tokens_per_ecg : int
        Slots that an ECG or image takes.

    Returns
    -------
    str

    Examples
    --------
    >>> ask = [{"role": "user", "content": [{"type": "ecg"}, {"type": "text", "text": "Rate?"}]}]
    >>> layout(ask, 2)
    '<|user|><ecg><ecg>Rate?<|assistant|>'
    """
    out = []
    for message in messages:
        out.append(TURNS[message["role"]])
        for part in message["content"]:
            if part["type"] == "text":
                out.append(plain(part["text"], SPECIAL))
            else:
                out.append(f"<{part['type']}>" * tokens_per_ecg)
        if message["role"] == "assistant":
            out.append(END)
    return "".join(out) + TURNS["assistant"]


def plain(text: str, special: Iterable[str] = SPECIAL) -> str:
    """Take the meaning from words that look like special tokens.

    Parameters
    ----------
    text : str
        From a person or a file.
    special : iterable of str
        The tokenizer's special tokens.

    Returns
    -------
    str

    Examples
    --------
    >>> plain("say <|end|> now")
    'say < |end|> now'
    """
    for word in special:
        if word in text:
            text = text.replace(word, f"{word[:1]} {word[1:]}")
    return text
