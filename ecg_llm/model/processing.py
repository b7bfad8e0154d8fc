"""From prompts to the tensors that the model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from ecg_llm.chat_layout import plain
from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.prompt import Prompt
    from ecg_llm.record import ECGRecord

ECG, IMAGE = "<ecg>", "<image>"
WINDOW_S = 10.0
"""What the encoder looks at of a record."""


class EcgLlmProcessor(ProcessorMixin):  # type: ignore[misc]
    """Lay out conversations on ECGs for the model.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        With ``<ecg>`` and ``<image>`` among its tokens and a chat template.
    tokens_per_ecg : int
        Slots that one ECG or image takes.
    **kwargs
        As for every processor of transformers.
    """

    attributes: ClassVar[list[str]] = ["tokenizer"]
    tokenizer_class = "AutoTokenizer"

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase | None = None,
        tokens_per_ecg: int = 10,
        **kwargs: Any,
    ) -> None:
        for word in (ECG, IMAGE):
            if tokenizer is not None and word not in tokenizer.get_vocab():
                raise ConfigError(
                    f"the tokenizer has no token {word}; add it with "
                    "tokenizer.add_special_tokens and resize the model's embeddings."
                )
        self.tokens_per_ecg = tokens_per_ecg
        super().__init__(tokenizer, chat_template=getattr(tokenizer, "chat_template", None))

    @property
    def end(self) -> str:
        """The token that ends the assistant's turn: what the chat template writes behind it."""
        mark = "\u2063"
        said = [{"role": "user", "content": mark}, {"role": "assistant", "content": mark}]
        text = self.tokenizer.apply_chat_template(said, tokenize=False)
        behind = self.tokenizer.encode(text.rpartition(mark)[2], add_special_tokens=False)
        special = [k for k in behind if k in self.tokenizer.all_special_ids]
        end = self.tokenizer.convert_ids_to_tokens(special[0]) if special else None
        return str(end or self.tokenizer.eos_token)

    def __call__(
        self, prompts: Prompt | Sequence[Prompt], *, answers: Sequence[str] | None = None
    ) -> BatchFeature:
        """Lay out prompts, padded on the left.

        Parameters
        ----------
        prompts : Prompt or sequence of Prompt
            From `ecg_llm.prompt.build`.
        answers : sequence of str, optional
            What was answered, to score it.

        Returns
        -------
        BatchFeature
            ``input_ids``, ``attention_mask`` and, if there are ECGs, ``ecg_signal``,
            ``ecg_present``, ``ecg_calibrated`` and ``from_page``.
        """
        import torch

        from ecg_llm.prompt import Prompt

        many = [prompts] if isinstance(prompts, Prompt) else list(prompts)
        ids = [self.ids(prompt) for prompt in many]
        if answers is not None:
            ids = [
                [*row, *self.tokenizer.encode(answer, add_special_tokens=False)]
                for row, answer in zip(ids, answers, strict=True)
            ]
        longest = max(map(len, ids))
        pad = self.tokenizer.pad_token_id or 0
        rows = [[pad] * (longest - len(row)) + row for row in ids]
        mask = [[0] * (longest - len(row)) + [1] * len(row) for row in ids]
        data: dict[str, Any] = {
            "input_ids": torch.tensor(rows),
            "attention_mask": torch.tensor(mask),
        }
        records = [record for prompt in many for record in prompt.records]
        return BatchFeature({**data, **(ecg_inputs(records) if records else {})})

    def ids(self, prompt: Prompt) -> list[int]:
        """Give the token ids of a prompt, each slot as often as an ECG has tokens.

        Parameters
        ----------
        prompt : Prompt
            To lay out.

        Returns
        -------
        list of int
        """
        return list(self.tokenizer.encode(self.text(prompt), add_special_tokens=False))

    def text(self, prompt: Prompt, n_messages: int | None = None) -> str:
        """Write a prompt as its template has it, each slot as often as an ECG has tokens.

        Parameters
        ----------
        prompt : Prompt
            To lay out.
        n_messages : int, optional
            Only the first so many messages, up to where an answer to them begins.

        Returns
        -------
        str
        """
        messages = prompt.messages[:n_messages]
        text = self.tokenizer.apply_chat_template(
            [{"role": m["role"], "content": self._flat(m["content"])} for m in messages],
            tokenize=False,
            add_generation_prompt=True,
        )
        return self.expand(text)

    def _flat(self, parts: Sequence[dict[str, str]] | str) -> str:
        """Write the parts of a message in one row, slots as their words."""
        if isinstance(parts, str):
            parts = [{"type": "text", "text": parts}]
        # What a person or a file wrote must not become a slot or a turn of its own.
        words = self.tokenizer.all_special_tokens
        return "".join(
            plain(part["text"], words) if part["type"] == "text" else f"<{part['type']}>"
            for part in parts
        )

    def expand(self, text: str) -> str:
        """Write each slot as often as an ECG has tokens.

        Parameters
        ----------
        text : str
            With ``<ecg>`` and ``<image>``.

        Returns
        -------
        str
        """
        for word in (ECG, IMAGE):
            text = text.replace(word, word * self.tokens_per_ecg)
        return text


def ecg_inputs(records: Sequence[ECGRecord]) -> dict[str, Any]:
    """Make the encoder's inputs of the first ten seconds of records.

    Parameters
    ----------
    records : sequence of ECGRecord
        In the order of their slots.

    Returns
    -------
    dict of str to Tensor
        ``ecg_signal``, ``ecg_present``, ``ecg_calibrated``, ``from_page``.
    """
    import torch

    from ecg_llm.encoders.signal_input import encoder_input, windows

    signals, presents, gains = [], [], []
    for record in records:
        signal, present, calibrated = encoder_input(record.segment(0, WINDOW_S))
        _, signal, present = windows(signal, present)[0]
        signals.append(signal)
        presents.append(present)
        gains.append(calibrated)
    return {
        "ecg_signal": torch.from_numpy(np.stack(signals)),
        "ecg_present": torch.from_numpy(np.stack(presents)),
        "ecg_calibrated": torch.tensor(gains),
        "from_page": torch.tensor([record.origin == "page" for record in records]),
    }
