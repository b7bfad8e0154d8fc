"""A checkpoint in vLLM, with the methods of every text model."""

from __future__ import annotations

import asyncio
import json
import queue
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_llm.errors import ConfigError
from ecg_llm.inference import file_hashes
from ecg_llm.lm import trimmed
from ecg_llm.serving.vllm_engine import NUMBERS, Engine, engine_arguments

if TYPE_CHECKING:
    from ecg_llm.prompt import Prompt


class VllmModel:
    """A checkpoint of `ecg_llm.model` in vLLM; its answers are those of the plain model.

    Parameters
    ----------
    folder : Path
        Of the checkpoint, or of an adapter, which is merged into its model.
    adapters : mapping of str to Path, optional
        Adapters that are served beside the model, unmerged, by the names to call them by.
    read_numbers : bool
        Whether numbers of an answer are kept to those of the prompt, see `ecg_llm.lm_numbers`.
    **engine_args
        Any of vLLM's own engine arguments, such as ``tensor_parallel_size=4``.

    Raises
    ------
    ConfigError
        If vLLM is not installed, does not know an argument, or cannot start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        adapters: Mapping[str, Path] | None = None,
        read_numbers: bool = True,
        **engine_args: Any,
    ) -> None:
        self._adapters = dict(adapters or {})
        self._read_numbers = read_numbers
        engine_arguments(folder, self._adapters, engine_args)  # complain before anything is loaded
        from ecg_llm.model import EcgLlmConfig, EcgLlmProcessor

        self.name = folder.name
        self.hashes = file_hashes(sorted(folder.glob("*.safetensors")))
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if (folder / "adapter_config.json").is_file():
            self._temporary = tempfile.TemporaryDirectory(prefix="ecg-merged-")
            folder = merge(folder, Path(self._temporary.name))
        self.processor = EcgLlmProcessor.from_pretrained(folder)
        self._config = EcgLlmConfig.from_pretrained(folder)
        self.engine = Engine(**engine_arguments(folder, self._adapters, engine_args))

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int = 256,
        schema: Mapping[str, Any] | None = None,
        adapter: str | None = None,
    ) -> list[str]:
        """Answer prompts together; ``schema`` is a JSON schema that each answer keeps to."""

        async def one(prompt: Prompt) -> str:
            asked = self._ask(prompt, max_new_tokens, schema, adapter)
            return "".join([piece async for piece in asked]).strip()

        async def together() -> list[str]:
            return list(await asyncio.gather(*(one(prompt) for prompt in prompts)))

        return self.engine.run(together())

    def stream(
        self,
        prompt: Prompt,
        *,
        max_new_tokens: int = 256,
        schema: Mapping[str, Any] | None = None,
        adapter: str | None = None,
    ) -> Iterator[str]:
        """Answer a prompt piece by piece, as `generate` does; to stop listening ends the answer."""
        pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        async def pump() -> None:
            try:
                async for piece in self._ask(prompt, max_new_tokens, schema, adapter):
                    pieces.put(piece)
            finally:
                pieces.put(None)

        future = self.engine.submit(pump())
        try:
            yield from trimmed(iter(pieces.get, None))
            future.result()
        finally:
            future.cancel()

    @property
    def alive(self) -> bool:
        """Whether the engine answers."""
        return self.engine.alive

    def close(self) -> None:
        """End the engine."""
        self.engine.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def engine_prompt(self, prompt: Prompt) -> dict[str, Any]:
        """Lay a prompt out as the plain model has it, but with one slot for each record."""
        config = self._config
        slots = (config.ecg_token_id, config.image_token_id)
        ids = one_slot_each(self.processor.ids(prompt), slots, config.tokens_per_ecg)
        made: dict[str, Any] = {"prompt_token_ids": ids}
        for record in prompt.records:
            modality = "image" if record.origin == "page" else "ecg"
            made.setdefault("multi_modal_data", {}).setdefault(modality, []).append(record)
        return made

    async def _ask(
        self,
        prompt: Prompt,
        max_new_tokens: int,
        schema: Mapping[str, Any] | None,
        adapter: str | None,
    ) -> AsyncIterator[str]:
        """Give the pieces of one answer."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        shape = None if schema is None else StructuredOutputsParams(json=json.dumps(schema))
        params = SamplingParams(
            temperature=0.0,
            max_tokens=max_new_tokens,
            output_kind=RequestOutputKind.DELTA,
            structured_outputs=shape,
            # A grammar may not allow the token that a number asks for.
            extra_args={NUMBERS: True} if self._read_numbers and shape is None else None,
        )
        asked = self.engine_prompt(prompt)
        async for given in self.engine.outputs(asked, params, self.lora(adapter)):
            yield given.outputs[0].text

    def lora(self, adapter: str | None) -> Any:
        """Give the adapter of a name as vLLM takes it."""
        if adapter is None:
            return None
        if adapter not in self._adapters:
            there = ", ".join(self._adapters) or "none"
            raise ConfigError(f"no adapter is called {adapter!r}; there are {there}.")
        from vllm.lora.request import LoRARequest

        number = list(self._adapters).index(adapter) + 1
        return LoRARequest(adapter, number, str(self._adapters[adapter]))


def one_slot_each(ids: Sequence[int], slots: Sequence[int], tokens_per_ecg: int) -> list[int]:
    """Narrow the slots of a prompt to one token for each record; vLLM widens them again.

    Parameters
    ----------
    ids : sequence of int
        From the processor.
    slots : sequence of int
        Ids of the slots.
    tokens_per_ecg : int
        How often each stands there.

    Returns
    -------
    list of int

    Examples
    --------
    >>> one_slot_each([9, 3, 3, 3, 3, 4, 4, 9], slots=(3, 4), tokens_per_ecg=2)
    [9, 3, 3, 4, 9]
    """
    seen = dict.fromkeys(slots, 0)
    kept = []
    for token in ids:
        if token in seen:
            seen[token] += 1
            if seen[token] % tokens_per_ecg:
                continue
        kept.append(token)
    return kept


def merge(adapter: Path, folder: Path) -> Path:
    """Write the checkpoint that an adapter and its model make into a folder, and give that."""
    from ecg_llm.lm_transformers import load_checkpoint

    model, processor = load_checkpoint(adapter)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
