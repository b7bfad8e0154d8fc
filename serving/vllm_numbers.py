"""Numbers of an answer are read from the prompt in vLLM too, as `ecg_llm.lm_numbers` does it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from ecg_llm.lm_numbers import NumberReader, numbers_of
from ecg_llm.lm_transformers import written_over
from ecg_llm.serving.vllm_engine import NUMBERS


class NumbersFromPrompt(LogitsProcessor):
    """Leaves one token where a number is written that the prompt holds."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        tokenizer = AutoTokenizer.from_pretrained(vllm_config.model_config.tokenizer)
        self._numbers = numbers_of(tokenizer.backend_tokenizer)
        self._rows: dict[int, tuple[NumberReader, list[int]]] = {}

    def is_argmax_invariant(self) -> bool:
        """Tell that the likeliest token may become another."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Follow who comes into the batch, leaves it and moves in it."""
        process_dict_updates(self._rows, batch_update, self._new_row)

    def apply(self, logits: Tensor) -> Tensor:
        """Write over the rows in which the prompt says another number, in their place."""
        return written_over(logits, self._rows) if self._rows else logits

    def _new_row(
        self, params: Any, asked: list[int] | None, said: list[int]
    ) -> tuple[NumberReader, list[int]] | None:
        """Begin an answer; ``said`` is the list that the engine goes on filling."""
        if asked is None or not (params.extra_args or {}).get(NUMBERS):
            return None
        return self._numbers.reader(asked), said
