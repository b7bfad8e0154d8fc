"""Numbers of an answer are read from the prompt in vLLM too, as `ecg_llm.lm_numbers` does it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

from ecg_llm.lm_numbers import numbers_of
from ecg_llm.serving.vllm_engine import NUMBERS


class NumbersFromPrompt(AdapterLogitsProcessor):
    """Leaves one token where a number is written that the prompt holds.

    Parameters
    ----------
    vllm_config : VllmConfig
        Names the tokenizer.
    device : torch.device
        Of the logits.
    is_pin_memory : bool
        Unused.
    """

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        super().__init__(vllm_config, device, is_pin_memory)
        tokenizer = AutoTokenizer.from_pretrained(vllm_config.model_config.tokenizer)
        self._numbers = numbers_of(tokenizer.backend_tokenizer)

    def is_argmax_invariant(self) -> bool:
        """Tell that the likeliest token may become another.

        Returns
        -------
        bool
        """
        return False

    def new_req_logits_processor(self, params: Any) -> Any:
        """Give what is done with the logits of a request.

        Parameters
        ----------
        params : SamplingParams
            Of the request.

        Returns
        -------
        callable or None
        """
        return self._choose if (params.extra_args or {}).get(NUMBERS) else None

    def _choose(self, asked: list[int], said: list[int], logits: Tensor) -> Tensor:
        row = logits.float().cpu().numpy()
        token = self._numbers.choose(row, asked, said)
        if token != int(row.argmax()):
            logits = torch.full_like(logits, float("-inf"))
            logits[token] = 0.0
        return logits
