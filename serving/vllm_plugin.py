"""How vLLM gets to know this project's model: entry points that it calls in each of its processes.

Everything that needs vLLM stands in the modules ``serving/vllm_*``, whose names of its internals
``tests/serving/test_vllm_names.py`` lists. They are written for vLLM 0.32.
"""

from __future__ import annotations

from ecg_llm.batch import end_with_parent

MODE = "ecg"
"""What ``--tokenizer-mode`` has to be for files in chat messages to be read."""
ARCHITECTURE = "EcgLlmForConditionalGeneration"


def register() -> None:
    """Register configuration, model, tokenizer mode and renderer; more than once is fine."""
    from vllm import ModelRegistry
    from vllm.renderers.registry import RENDERER_REGISTRY
    from vllm.tokenizers.registry import TokenizerRegistry

    import ecg_llm.model  # noqa: F401  tells transformers of configuration and processor

    here = __name__.rpartition(".")[0]
    if ARCHITECTURE not in ModelRegistry.get_supported_archs():
        # By name: importing the model here would start CUDA before vLLM forks its workers.
        ModelRegistry.register_model(ARCHITECTURE, f"{here}.vllm_model:EcgLlmForVllm")
    if MODE not in RENDERER_REGISTRY.renderers:
        TokenizerRegistry.register(MODE, "vllm.tokenizers.hf", "CachedHfTokenizer")
        RENDERER_REGISTRY.register(MODE, f"{here}.vllm_renderer", "EcgRenderer")
        end_with_parent()  # vLLM's engine would stay for ever
