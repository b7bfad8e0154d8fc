"""vLLM's engine, a process of its own.

`Engine` may be called from many threads; what they ask runs together in vLLM's continuous
batches. Once it has died, calls fail at once with `UnavailableError` (503); a server's
`ecg_llm.serving.engine.EngineHost` then starts another.
"""

from __future__ import annotations

import asyncio
import difflib
import itertools
import json
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from ecg_llm.errors import ConfigError
from ecg_llm.serving.errors import TookTooLongError, UnavailableError

T = TypeVar("T")

ANSWER_S = 600.0
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_LOGGING_LEVEL": "CRITICAL",
    # Plug-ins of other projects would be loaded too.
    "VLLM_PLUGINS": "ecg_llm",
}
"""What vLLM is told unless the environment says otherwise; its error log holds prompts."""
NUMBERS = "numbers_from_prompt"
"""What a request says to have `ecg_llm.serving.vllm_numbers` at work."""
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as the largest rank."""


class Engine:
    """One engine of vLLM, started with `engine_arguments`."""

    def __init__(self, **arguments: Any) -> None:
        self._arguments = arguments
        self._engine: Any = None
        self._closed = False
        self.n_open = 0
        """Answers that are being written."""
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, daemon=True, name="vllm-calls"
        )
        self._thread.start()
        try:
            self.run(self._start(), None)
        except Exception as error:
            self.close()
            raise ConfigError(
                f"{arguments['model']}: vLLM could not start with it ({error}); set "
                "VLLM_LOGGING_LEVEL=INFO to see why."
            ) from error

    @property
    def alive(self) -> bool:
        """Whether calls are answered; one that died stays so."""
        return self._engine is not None and not self._engine.errored

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have the engine's own event loop do something."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T], seconds: float | None = ANSWER_S) -> T:
        """Do something in the engine's event loop and wait for it; give it up after ``seconds``."""
        future = self.submit(work)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise TookTooLongError("The answer was not ready in time.") from None

    async def outputs(
        self, prompt: Mapping[str, Any], params: Any, adapter: Any = None
    ) -> AsyncIterator[Any]:
        """Give what the engine says of one prompt; only for coroutines of `submit` and `run`."""
        from vllm.v1.engine.exceptions import EngineDeadError

        engine = self._engine
        if engine is None or engine.errored:
            raise _away()
        answer = engine.generate(prompt, params, str(next(self._numbers)), lora_request=adapter)
        self.n_open += 1
        try:
            async for given in answer:
                yield given
        except EngineDeadError:
            raise _away() from None
        finally:
            self.n_open -= 1

    def pids(self) -> list[int]:
        """Give the process ids of the engine, for those who watch memory."""
        if self._engine is None:
            return []
        manager = self._engine.engine_core.resources.engine_manager
        return [process.pid for process in manager.processes]

    def close(self) -> None:
        """End the engine's process and this object's thread."""
        if self._closed:
            return
        self._closed = True
        self.run(self._stop(), None)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        """Load the model."""
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self._engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**self._arguments))

    async def _stop(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
            self._engine = None


def engine_arguments(
    folder: Path, adapters: Mapping[str, Path], own: Mapping[str, Any]
) -> dict[str, Any]:
    """Put together what an engine is started with.

    ``adapters`` are served beside the model, by name; ``own`` are vLLM's arguments that the caller
    sets, each known to it.
    """
    if find_spec("vllm") is None:
        raise ConfigError(
            "the engine vllm needs vLLM: pip install 'ecg_llm[vllm]' on a machine with a GPU, "
            "`make vllm` in a checkout on one without."
        )
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform

    from ecg_llm.serving.settings import Settings
    from ecg_llm.serving.vllm_plugin import MODE, register

    register()
    known = {field.name for field in fields(AsyncEngineArgs)}
    for name in own:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; {near[0]} is near" if near else ""
            raise ConfigError(f"vLLM has no engine argument {name!r}{hint}.")
    most = Settings().max_files
    arguments: dict[str, Any] = {
        "model": str(folder),
        "tokenizer_mode": MODE,
        # The precisions of the engine `transformers`, so that both say the same.
        "dtype": "bfloat16" if current_platform.is_cuda_alike() else "float32",
        "generation_config": "vllm",
        "limit_mm_per_prompt": {"ecg": most, "image": most},
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "logits_processors": ["ecg_llm.serving.vllm_numbers:NumbersFromPrompt"],
        "disable_log_stats": True,
        # Nobody hears less than a sentence; the first token is passed on at once all the same.
        "stream_interval": 8,
    }
    if current_platform.is_cpu():
        # One processor is left to who takes requests in and hands answers out.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) - 1)))
        arguments |= {
            "block_size": 32,
            # Compiling needs a C++ compiler and a minute, and gains nothing on small models.
            "enforce_eager": True,
        }
        if not {"tensor_parallel_size", "pipeline_parallel_size"} & own.keys():
            # By name: "uni" is taken for "mp", whose process more gains nothing here.
            name = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
            arguments["distributed_executor_backend"] = name
    if adapters:
        arguments |= {
            "enable_lora": True,
            # One more than there are: vLLM 0.32 on CPU gives a request without adapter that of
            # its neighbour in the batch when all places are taken.
            "max_loras": len(adapters) + 1,
            "max_lora_rank": _largest_rank(adapters),
        }
    return {**arguments, **own}


def _largest_rank(adapters: Mapping[str, Path]) -> int:
    """Read the rank to make room for; refuse adapters that are more than low-rank changes."""
    ranks = []
    for name, folder in adapters.items():
        config = json.loads((folder / "adapter_config.json").read_text())
        if whole := config.get("modules_to_save"):
            raise ConfigError(
                f"adapter {name!r} replaces {', '.join(whole)} as a whole, which vLLM cannot do "
                "for single requests; serve its folder as the model, which merges it."
            )
        ranks.append(config["r"])
    return next(most for most in LORA_RANKS if most >= max(ranks))


def _away() -> UnavailableError:
    return UnavailableError("The language model has stopped and is started again; try again later.")
