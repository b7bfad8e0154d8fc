"""Conversations as token ids, packed into rows of one length."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def encode(tokenizer: Any, prompt: Prompt, answer: str, talk: Talk, tokens_per_ecg: int) -> Row:
    """Write a conversation as ids; every answer in it is learnt, the questions are not.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        From `train_tokenizer`.
    prompt : Prompt
        From `ecg_llm.prompt.build`.
    answer : str
        The last one.
    talk : Talk
        Names the records.
    tokens_per_ecg : int
        Slots of an ECG.

    Returns
    -------
    Row
    """
    ids = tokenizer.encode(layout(prompt.messages, tokens_per_ecg)).ids
    ids += [*tokenizer.encode(answer).ids, SPECIAL.index(END)]
    said = SPECIAL.index(TURNS["assistant"])
    labels, learnt = [], False
    for token in ids:
        labels.append(token if learnt else IGNORED)
        learnt = (learnt or token == said) and token != SPECIAL.index(END)
    pages = tuple(record.origin == "page" for record in prompt.records)
    return Row(ids, labels, talk.records if prompt.records else (), pages)


def pack(rows: Iterable[Row], *, length: int, n_rows: int) -> Iterator[Batch]:
    """Put conversations into rows of one length, without cutting any.

    Parameters
    ----------
    rows : iterable of Row
        Longer ones than ``length`` are left out.
    length : int
        Tokens of a packed row.
    n_rows : int
        Packed rows of a batch.

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
        yield collate(bins, length)


def collate(bins: Sequence[Sequence[Row]], length: int) -> Batch:
    """Lay out packed rows as tensors.

    Parameters
    ----------
    bins : sequence of sequence of Row
        The conversations of each packed row.
    length : int
        Tokens of a packed row.

    Returns
    -------
    Batch
    """
    shape = (len(bins), length)
    ids = torch.full(shape, SPECIAL.index(PAD))
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

    Parameters
    ----------
    texts : iterable of str
        Prompts and answers.
    vocab_size : int
        Tokens, the special ones included.

    Returns
    -------
    tokenizers.Tokenizer

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
    """Give a tokenizer in transformers' form, with the chat template.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        From `train_tokenizer`.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
    """
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[word for word in SPECIAL if word not in (PAD, END)],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
