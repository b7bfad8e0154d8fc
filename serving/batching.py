"""Many answers at one time with transformers: requests join and leave between two tokens."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ecg_llm.lm import trimmed
from ecg_llm.lm_transformers import as_numpy

if TYPE_CHECKING:
    from ecg_llm.lm_numbers import NumberReader
    from ecg_llm.lm_transformers import TransformersModel
    from ecg_llm.prompt import Prompt

MOST_ROWS = 32
"""Answers in one batch; on two cores more gain nothing."""


@dataclass(eq=False)
class _Answer:
    """One that is being written."""

    prompt: Prompt
    room: int
    pieces: queue.SimpleQueue[str | Exception | None] = field(default_factory=queue.SimpleQueue)
    said: list[int] = field(default_factory=list)
    numbers: NumberReader | None = None
    read: int = 0
    begun: int = 0
    left: bool = False


class BatchedModel:
    """A checkpoint through transformers whose callers share its batches of ``most_rows`` answers.

    A prompt is read by itself, so that what it says does not hang on its neighbours; from its
    first token on its cache stands as one row of the batch, filled up on the left.
    """

    def __init__(self, model: TransformersModel, *, most_rows: int = MOST_ROWS) -> None:
        self._model = model
        self._most_rows = most_rows
        self._waiting: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.name = model.name
        self.hashes = model.hashes
        self.processor = model.processor
        threading.Thread(target=self._work, daemon=True, name="ecg-batches").start()

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 256) -> list[str]:
        """Answer prompts, beside those that other callers ask."""
        answers = [self._ask(prompt, max_new_tokens) for prompt in prompts]
        return ["".join(trimmed(_told(answer))) for answer in answers]

    def stream(self, prompt: Prompt, *, max_new_tokens: int = 256) -> Iterator[str]:
        """Answer a prompt piece by piece; to stop listening ends the answer."""
        answer = self._ask(prompt, max_new_tokens)
        try:
            yield from trimmed(_told(answer))
        finally:
            answer.left = True

    def _ask(self, prompt: Prompt, room: int) -> _Answer:
        answer = _Answer(prompt, room)
        self._waiting.put(answer)
        return answer

    def _work(self) -> None:
        """Write answers until the process ends."""
        rows: list[_Answer] = []
        batch = _Batch(self._model.model)
        while True:
            for answer in self._arrived(most=self._most_rows - len(rows), wait=not rows):
                try:
                    with self._lock:
                        inputs = self.processor(answer.prompt)
                        if self._model.numbers is not None:
                            asked = inputs["input_ids"][0].tolist()
                            answer.numbers = self._model.numbers.reader(asked)
                        logits = batch.join(inputs)
                        token = _choose(answer, int(logits.argmax()), logits)
                except Exception as error:  # its own prompt is at fault; the others go on
                    answer.pieces.put(error)
                    continue
                rows.append(answer)
                answer.said.append(token)
            rows = self._leave(rows, batch)
            if rows:
                with self._lock:
                    logits = batch.step([answer.said[-1] for answer in rows])
                best = logits.argmax(-1).tolist()
                for answer, token, row in zip(rows, best, logits, strict=True):
                    answer.said.append(_choose(answer, token, row))
                rows = self._leave(rows, batch)

    def _arrived(self, *, most: int, wait: bool) -> Iterator[_Answer]:
        """Give who waits, as far as there is room."""
        for _ in range(most):
            try:
                answer = self._waiting.get(block=wait)
            except queue.Empty:
                return
            wait = False
            if not answer.left:
                yield answer

    def _leave(self, rows: list[_Answer], batch: _Batch) -> list[_Answer]:
        """Tell each row its last token, and take out those that are at their end."""
        tokenizer = self.processor.tokenizer
        stay = []
        for k, answer in enumerate(rows):
            ended = answer.said[-1] == tokenizer.eos_token_id
            full = len(answer.said) - ended >= answer.room
            _tell(answer, tokenizer, last=ended or full)
            if ended or full or answer.left:
                answer.pieces.put(None)
            else:
                stay.append(k)
        if len(stay) < len(rows):
            batch.keep(stay)
        return [rows[k] for k in stay]


class _Batch:
    """The caches of the answers in work, one row each, with their last token on the right."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._cache: list[tuple[Any, Any]] = []
        self._mask: Any = None

    def join(self, inputs: Any) -> Any:
        """Read a prompt, add its row and give the logits of its first token."""
        import torch
        from torch.nn.functional import pad
        from transformers import DynamicCache

        cache = DynamicCache()
        inputs = inputs.to(self._model.device)
        with torch.inference_mode():
            logits = self._model(**inputs, past_key_values=cache, use_cache=True).logits
            fresh = _rows(cache)
            mask = inputs["attention_mask"]
            if self._mask is None:
                self._cache, self._mask = fresh, mask
            else:
                width = max(self._mask.shape[1], mask.shape[1])

                def under(old: Any, new: Any, axis: int) -> Any:
                    """Put a row under the others, both filled up on the left."""
                    tail = (0, 0) * (old.ndim - axis - 1)
                    wide = (pad(x, (*tail, width - x.shape[axis], 0)) for x in (old, new))
                    return torch.cat(list(wide), dim=0)

                self._cache = [
                    (under(k, k_new, 2), under(v, v_new, 2))
                    for (k, v), (k_new, v_new) in zip(self._cache, fresh, strict=True)
                ]
                self._mask = under(self._mask, mask, 1)
        return logits[0, -1]

    def step(self, tokens: Sequence[int]) -> Any:
        """Give the logits of each row's next token."""
        import torch
        from transformers import DynamicCache

        cache = DynamicCache()
        for k, (keys, values) in enumerate(self._cache):
            cache.update(keys, values, k)
        mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        with torch.inference_mode():
            logits = self._model(
                input_ids=torch.tensor(tokens, device=mask.device)[:, None],
                attention_mask=mask,
                position_ids=mask.sum(1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            ).logits
        self._cache = _rows(cache)
        self._mask = mask
        return logits[:, -1]

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, and the columns that none of them uses."""
        if not rows:
            self._cache, self._mask = [], None
            return
        index = list(rows)
        mask = self._mask[index]
        first = int(mask.any(0).int().argmax())
        self._mask = mask[:, first:]
        self._cache = [(k[index][:, :, first:], v[index][:, :, first:]) for k, v in self._cache]


def _rows(cache: Any) -> list[tuple[Any, Any]]:
    """Give keys and values of each layer."""
    return [(layer.keys, layer.values) for layer in cache.layers]


def _choose(answer: _Answer, best: int, logits: Any) -> int:
    """Take the likeliest token, numbers from the prompt."""
    if answer.numbers is None:
        return best
    return answer.numbers.choose(best, answer.said, partial(as_numpy, logits))


def _tell(answer: _Answer, tokenizer: Any, *, last: bool) -> None:
    """Pass on what the newest tokens add to the text, once they make whole letters."""
    told = tokenizer.decode(answer.said[answer.begun : answer.read], skip_special_tokens=True)
    text = tokenizer.decode(answer.said[answer.begun :], skip_special_tokens=True)
    if len(text) > len(told) and (last or not text.endswith("�")):
        answer.pieces.put(text[len(told) :])
        answer.begun, answer.read = answer.read, len(answer.said)


def _told(answer: _Answer) -> Iterator[str]:
    """Give the pieces of an answer until it ends, or raise what ended it."""
    while (piece := answer.pieces.get()) is not None:
        if isinstance(piece, Exception):
            raise piece
        yield piece
