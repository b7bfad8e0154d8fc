"""Chat messages with files, for vLLM's own OpenAI-compatible server (``--tokenizer-mode ecg``)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vllm.exceptions import VLLMValidationError
from vllm.renderers.hf import HfRenderer

from ecg_llm.analysis import Analysis
from ecg_llm.errors import ECGError
from ecg_llm.record import ECGRecord
from ecg_llm.serving.recording import ReadingFields, Upload
from ecg_llm.serving.settings import Settings
from ecg_llm.serving.vllm_messages import files_in, open_messages
from ecg_llm.serving.workers import WorkerPool


class EcgRenderer(HfRenderer):
    """Reads files in bounded processes, and keeps clients away from slots and cache keys."""

    def __init__(self, config: Any, tokenizer: Any) -> None:
        super().__init__(config, tokenizer)
        model = config.model_config.hf_config
        self._slots = {model.ecg_token_id, model.image_token_id}
        self._limits = Settings()
        self._pool: WorkerPool | None = None
        self._lock = threading.Lock()

    def render_messages(self, messages: Sequence[Any], params: Any) -> tuple[Any, Any]:
        """Render a conversation."""
        written, records = self._open(messages)
        conversation, prompt = super().render_messages(written, params)
        return conversation, _with_records(prompt, records)

    async def render_messages_async(self, messages: Sequence[Any], params: Any) -> tuple[Any, Any]:
        """Render a conversation without holding others up."""
        written, records = await asyncio.to_thread(self._open, messages)
        conversation, prompt = await super().render_messages_async(written, params)
        return conversation, _with_records(prompt, records)

    def shutdown(self) -> None:
        """End the reader processes too."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None
        super().shutdown()

    def _open(self, messages: Sequence[Any]) -> tuple[list[Any], list[ECGRecord]]:
        try:
            plain = [dict(message) for message in messages]
            files = files_in(plain, self._limits.max_upload_bytes)
            if len(files) > self._limits.max_files:
                raise VLLMValidationError(
                    f"At most {self._limits.max_files} files are taken in one conversation.",
                    parameter="messages",
                )
            opened = open_messages(
                plain, self._analyse(files), self.get_tokenizer().all_special_tokens
            )
        except ECGError as error:
            raise VLLMValidationError(str(error), parameter="messages") from None
        return opened.messages, opened.records

    def _analyse(self, files: Sequence[Upload]) -> list[Analysis]:
        """Read and measure files, each in a process that it may not outlive."""
        if not files:
            return []
        with self._lock:
            if self._pool is None:
                self._pool = WorkerPool(self._limits)
                self._pool.start()
            pool = self._pool

        def analysed(file: Upload) -> Analysis:
            analysis: Analysis = pool.run(
                "analyse", file, ReadingFields.model_construct(), self._limits
            )[0]
            return analysis

        with ThreadPoolExecutor(len(files)) as threads:
            return list(threads.map(analysed, files))

    def _process_tokens(self, prompt: Any, *, skip_mm_cache: bool = False) -> Any:
        self._check_slots(prompt)
        return super()._process_tokens(prompt, skip_mm_cache=skip_mm_cache)

    async def _process_tokens_async(self, prompt: Any, *, skip_mm_cache: bool = False) -> Any:
        self._check_slots(prompt)
        return await super()._process_tokens_async(prompt, skip_mm_cache=skip_mm_cache)

    def _process_multimodal(
        self,
        prompt: list[int],
        mm_data: Any,
        mm_uuids: Any,
        mm_processor_kwargs: Mapping[str, object] | None,
        media_io_kwargs: Any = None,
        *,
        skip_mm_cache: bool = False,
    ) -> Any:
        # Keys of caches come from the samples alone: a client's would let patients share one.
        return super()._process_multimodal(prompt, mm_data, None, None, skip_mm_cache=skip_mm_cache)

    def _check_slots(self, prompt: Any) -> None:
        """Refuse slots that no record stands behind, on every route into the engine."""
        n_slots = sum(token in self._slots for token in prompt["prompt_token_ids"])
        data = prompt.get("multi_modal_data") or {}
        n_records = sum(len(v) if isinstance(v, list | tuple) else 1 for v in data.values())
        if n_slots != n_records:
            raise VLLMValidationError(
                f"The prompt has {n_slots} slots for ECGs and images but {n_records} of them; a "
                "slot stands for each, and text may hold none.",
                parameter="prompt",
            )


def _with_records(prompt: Any, records: Sequence[ECGRecord]) -> Any:
    """Lay the records beside the prompt, by modality and in order."""
    for record in records:
        modality = "image" if record.origin == "page" else "ecg"
        prompt.setdefault("multi_modal_data", {}).setdefault(modality, []).append(record)
    return prompt
