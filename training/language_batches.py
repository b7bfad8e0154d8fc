"""Conversations as token ids, packed into rows of one length."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from ecg_llm.chat_layout import CHAT_TEMPLATE, END, PAD, SPECIAL, TURNS, layout

if TYPE_CHECKING:
    from ecg_llm.data_builders.talk import Talk
    from ecg_llm.prompt import Prompt

POOL = 48
"""Conversations among which packing chooses."""
IGNORED = -100
"""Label of a token that no loss is taken on."""


@dataclass(frozen=True, eq=False)
class Row:
    """One conversation as ids.

    Attributes
    ----------
    ids : list of int
        With slots written out.
    labels : list of int
        The ids of the assistant's turns, `IGNORED` elsewhere.
    records : tuple of str
        Names behind the slots.
    pages : tuple of bool
        Which of them are page images.
    """

    ids: list[int]
    labels: list[int]
    records: tuple[str, ...]
    pages: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """Packed rows, with everything the model takes.

    Attributes
    ----------
    ids, labels, positions : Tensor of int, shape (n_rows, length)
        Positions begin anew with each conversation.
    mask : Tensor of bool, shape (n_rows, 1, length, length)
        Which tokens each token sees: those before it in its own conversation.
    records : tuple of str
        Names behind the slots, in their order.
    pages : Tensor of bool, shape (n_records,)
        Which are page images.
    """

    ids: Tensor
    labels: Tensor
    positions: Tensor
    mask: Tensor
    records: tuple[str, ...]
    pages: Tensor


class Layout(Protocol):
    """How the conversations of a model stand in its tokens.

    Attributes
    ----------
    tokenizer : tokenizers.Tokenizer
        Of the model.
    pad, end : int
        Ids that fill a row, and end an answer.
    """

    tokenizer: Any
    pad: int
    end: int

    def text(self, prompt: Prompt) -> str:
        """Write a prompt, up to where the answer begins."""

    def ids(self, prompt: Prompt) -> list[int]:
        """Write it as ids."""

    def turns(self, prompt: Prompt, answer: str) -> tuple[list[int], list[bool]]:
        """Write a conversation as ids, and say which of them the assistant said."""


class OwnLayout:
    """The layout of models from scratch, one special token before each turn; much the fastest."""

    def __init__(self, tokenizer: Any, tokens_per_ecg: int) -> None:
        self.tokenizer = tokenizer
        self.tokens_per_ecg = tokens_per_ecg
        self.pad, self.end = (tokenizer.token_to_id(word) for word in (PAD, END))
        self._said = tokenizer.token_to_id(TURNS["assistant"])

    def text(self, prompt: Prompt) -> str:
        """Write a prompt, up to where the answer begins."""
        return layout(prompt.messages, self.tokens_per_ecg)

    def ids(self, prompt: Prompt) -> list[int]:
        """Write it as ids."""
        return list(self.tokenizer.encode(self.text(prompt)).ids)

    def turns(self, prompt: Prompt, answer: str) -> tuple[list[int], list[bool]]:
        """Write a conversation as ids, and say which of them the assistant said."""
        ids = [*self.ids(prompt), *self.tokenizer.encode(answer).ids, self.end]
        said, now = [], False
        for token in ids:
            said.append(now)
            now = (now or token == self._said) and token != self.end
        return ids, said


class TemplateLayout:
    """The layout of any model of transformers, by the chat template of its tokenizer."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer.backend_tokenizer
        self.end = int(processor.tokenizer.convert_tokens_to_ids(processor.end))
        pad = processor.tokenizer.pad_token_id
        self.pad = self.end if pad is None else int(pad)

    def text(self, prompt: Prompt) -> str:
        """Write a prompt, up to where the answer begins."""
        return str(self.processor.text(prompt))

    def ids(self, prompt: Prompt) -> list[int]:
        """Write it as ids."""
        return self._encoded(self.text(prompt))

    def turns(self, prompt: Prompt, answer: str) -> tuple[list[int], list[bool]]:
        """Write a conversation as ids, and say which of them the assistant said."""
        ids = self.ids(prompt)
        said = [False] * len(ids)
        for k, message in enumerate(prompt.messages):
            first = self._encoded(self.processor.text(prompt, k)) if k else []
            # A template may write an earlier answer otherwise than one it asks for.
            alike = first == ids[: len(first)] and self.end in ids[len(first) :]
            if message["role"] == "assistant" and alike:
                last = ids.index(self.end, len(first)) + 1
                said[len(first) : last] = [True] * (last - len(first))
        answered = [*self._encoded(answer), self.end]
        return [*ids, *answered], [*said, *[True] * len(answered)]

    def _encoded(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)


def layout_of(processor: Any) -> Layout:
    """Choose the layout of a model."""
    if is_own(processor.tokenizer):
        return OwnLayout(processor.tokenizer.backend_tokenizer, processor.tokens_per_ecg)
    return TemplateLayout(processor)


def is_own(tokenizer: Any) -> bool:
    """Tell whether a tokenizer is one that `train_tokenizer` made."""
    return bool(tokenizer.chat_template == CHAT_TEMPLATE)


def encode(laid: Layout, prompt: Prompt, answer: str, talk: Talk) -> Row:
    """Write a conversation as ids; every answer in it is learnt, the questions are not."""
    ids, said = laid.turns(prompt, answer)
    labels = [token if learnt else IGNORED for token, learnt in zip(ids, said, strict=True)]
    pages = tuple(record.origin == "page" for record in prompt.records)
    return Row(ids, labels, talk.records if prompt.records else (), pages)


def pack(rows: Iterable[Row], *, length: int, n_rows: int, pad: int = 0) -> Iterator[Batch]:
    """Put conversations into rows of one length, without cutting any.

    Parameters
    ----------
    rows : iterable of Row
        Longer ones than ``length`` are left out.

    Yields
    ------
    Batch
    """
    coming = (row for row in rows if len(row.ids) <= length)
    pool = list(itertools.islice(coming, POOL))
    while pool:
        bins: list[list[Row]] = []
        for _ in range(n_rows):
            room = length
            one: list[Row] = []
            while fitting := [row for row in pool if len(row.ids) <= room]:
                row = max(fitting, key=lambda row: len(row.ids)) if one else pool[0]
                pool.remove(row)  # the oldest opens a packed row, so that none waits for ever
                one.append(row)
                room -= len(row.ids)
                pool += itertools.islice(coming, 1)
            if one:
                bins.append(one)
        yield _collate(bins, length, pad)


def _collate(bins: Sequence[Sequence[Row]], length: int, pad: int = 0) -> Batch:
    """Lay out packed rows as tensors."""
    shape = (len(bins), length)
    ids = torch.full(shape, pad)
    labels = torch.full(shape, IGNORED)
    positions = torch.zeros(shape, dtype=torch.long)
    owner = torch.full(shape, -1)
    for k, rows in enumerate(bins):
        at = 0
        for n, row in enumerate(rows):
            part = slice(at, at + len(row.ids))
            ids[k, part] = torch.tensor(row.ids)
            labels[k, part] = torch.tensor(row.labels)
            positions[k, part] = torch.arange(len(row.ids))
            owner[k, part] = n
            at += len(row.ids)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    mask = (owner[:, :, None] == owner[:, None, :]) & causal
    every = [row for rows in bins for row in rows]
    return Batch(
        ids=ids,
        labels=labels,
        positions=positions,
        mask=mask[:, None],
        records=tuple(name for row in every for name in row.records),
        pages=torch.tensor([page for row in every for page in row.pages], dtype=torch.bool),
    )


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """Learn a byte-level BPE in which every digit is a token of its own.

    Notes
    -----
    A number must be copied digit by digit; as one token each value would be a word of its own.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\d| ?−|[ ]?[^\s\d−]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def wrapped(tokenizer: Any) -> Any:
    """Give a tokenizer in transformers' form, with the chat template."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[word for word in SPECIAL if word not in (PAD, END)],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
