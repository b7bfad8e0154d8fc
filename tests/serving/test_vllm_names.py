"""Every name of vLLM's inside that this project relies on; it moves fast, and this says where."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.util import find_spec

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: make vllm"),
    pytest.mark.filterwarnings("ignore"),
]

NAMES = {
    "vllm": ("ModelRegistry.register_model", "ModelRegistry.get_supported_archs", "SamplingParams"),
    "vllm.config": ("VllmConfig",),
    "vllm.engine.arg_utils": ("AsyncEngineArgs",),
    "vllm.exceptions": ("VLLMValidationError",),
    "vllm.lora.request": ("LoRARequest",),
    "vllm.model_executor.models.interfaces": (
        "MultiModalEmbeddings",
        "SupportsLoRA",
        "SupportsPP",
        "SupportsMultiModal._mark_tower_model",
        "SupportsMultiModal._mark_language_model",
        "SupportsMultiModal.configure_mm_token_handling",
        "SupportsMultiModal.embed_input_ids",
        "SupportsMultiModal.embed_multimodal",
        "SupportsMultiModal.get_placeholder_str",
    ),
    "vllm.model_executor.models.module_mapping": ("MultiModelKeys.from_string_field",),
    "vllm.model_executor.models.utils": (
        "AutoWeightsLoader.load_weights",
        "WeightsMapper",
        "init_vllm_registered_model",
        "maybe_prefix",
    ),
    "vllm.multimodal": ("MULTIMODAL_REGISTRY.register_processor",),
    "vllm.multimodal.inputs": ("MultiModalFieldConfig.batched",),
    "vllm.multimodal.parse": (
        "MultiModalDataParser._get_subparsers",
        "ProcessorBatchItems.get_item_for_hash",
        "ProcessorBatchItems.get_processor_data",
    ),
    "vllm.multimodal.processing": (
        "BaseDummyInputsBuilder.get_dummy_text",
        "BaseDummyInputsBuilder.get_dummy_mm_data",
        "BaseMultiModalProcessor._call_hf_processor",
        "BaseMultiModalProcessor._get_mm_fields_config",
        "BaseMultiModalProcessor._get_prompt_updates",
        "BaseProcessingInfo.get_data_parser",
        "BaseProcessingInfo.get_hf_config",
        "BaseProcessingInfo.get_mm_max_tokens_per_item",
        "BaseProcessingInfo.get_supported_mm_limits",
        "BaseProcessingInfo.get_supported_mm_processor_kwargs",
        "PromptReplacement",
    ),
    "vllm.platforms": ("current_platform.is_cpu", "current_platform.is_cuda_alike"),
    "vllm.plugins.endpoint_plugins.interface": (
        "EndpointPlugin.attach_router",
        "EndpointPlugin.init_state",
    ),
    "vllm.renderers.hf": (
        "HfRenderer.render_messages",
        "HfRenderer.render_messages_async",
        "HfRenderer._process_tokens",
        "HfRenderer._process_tokens_async",
        "HfRenderer._process_multimodal",
        "HfRenderer.shutdown",
    ),
    "vllm.renderers.registry": ("RENDERER_REGISTRY.register", "RENDERER_REGISTRY.renderers"),
    "vllm.sampling_params": ("RequestOutputKind.DELTA", "StructuredOutputsParams"),
    "vllm.sequence": ("IntermediateTensors",),
    "vllm.tokenizers.hf": ("CachedHfTokenizer",),
    "vllm.tokenizers.registry": ("TokenizerRegistry.register",),
    "vllm.v1.engine.async_llm": (
        "AsyncLLM.from_engine_args",
        "AsyncLLM.generate",
        "AsyncLLM.shutdown",
        "AsyncLLM.errored",
    ),
    "vllm.v1.engine.exceptions": ("EngineDeadError",),
    "vllm.v1.executor.uniproc_executor": ("UniProcExecutor",),
    "vllm.v1.sample.logits_processor": (
        "LogitsProcessor.apply",
        "LogitsProcessor.is_argmax_invariant",
        "LogitsProcessor.update_state",
    ),
    "vllm.v1.sample.logits_processor.builtin": ("process_dict_updates",),
}

PARAMETERS = {
    "vllm.multimodal.processing:BaseMultiModalProcessor._call_hf_processor": "hf_data hf_kwargs",
    "vllm.multimodal.processing:BaseMultiModalProcessor._get_prompt_updates": (
        "mm_items hf_processor_mm_kwargs out_mm_kwargs"
    ),
    "vllm.multimodal.processing:PromptReplacement": "modality target replacement",
    "vllm.renderers.hf:HfRenderer._process_multimodal": (
        "prompt mm_data mm_uuids mm_processor_kwargs media_io_kwargs skip_mm_cache"
    ),
    "vllm.renderers.hf:HfRenderer._process_tokens": "prompt skip_mm_cache",
    "vllm.renderers.hf:HfRenderer.render_messages_async": "messages params",
    "vllm.v1.engine.async_llm:AsyncLLM.generate": (
        "prompt sampling_params request_id lora_request"
    ),
    "vllm:SamplingParams": (
        "temperature max_tokens output_kind structured_outputs logprob_token_ids extra_args"
    ),
    "vllm.engine.arg_utils:AsyncEngineArgs": (
        "model tokenizer_mode dtype generation_config limit_mm_per_prompt block_size max_model_len "
        "structured_outputs_config logits_processors disable_log_stats enforce_eager "
        "distributed_executor_backend enable_lora max_loras max_lora_rank tensor_parallel_size "
        "pipeline_parallel_size"
    ),
}


def found(module: str, path: str) -> object:
    thing: object = import_module(module)
    for step in path.split("."):
        thing = getattr(thing, step)
    return thing


@pytest.mark.parametrize("module", NAMES)
def test_the_names_are_there(module):
    for path in NAMES[module]:
        found(module, path)


@pytest.mark.parametrize("place", PARAMETERS)
def test_the_parameters_are_there(place):
    module, _, path = place.partition(":")
    assert set(PARAMETERS[place].split()) <= set(inspect.signature(found(module, path)).parameters)


def test_vllm_finds_the_plug_ins_by_their_entry_points(monkeypatch):
    from vllm.plugins import load_endpoint_plugins, load_plugins_by_group

    monkeypatch.setenv("VLLM_PLUGINS", "ecg_llm,ecg_errors")
    from ecg_llm.serving import vllm_endpoint, vllm_plugin

    general = load_plugins_by_group("vllm.general_plugins")
    assert general == {"ecg_llm": vllm_plugin.register}
    (endpoint,) = load_endpoint_plugins(("generate",))
    assert isinstance(endpoint, vllm_endpoint.QuietErrors)


def test_the_model_is_known_once_registered_however_often():
    from vllm import ModelRegistry
    from vllm.renderers.registry import RENDERER_REGISTRY

    from ecg_llm.serving.vllm_plugin import ARCHITECTURE, MODE, register

    register()
    register()
    assert ARCHITECTURE in ModelRegistry.get_supported_archs()
    assert RENDERER_REGISTRY.load_renderer_cls(MODE).__name__ == "EcgRenderer"


def test_an_engine_argument_that_there_is_not_names_its_neighbour(tmp_path):
    from ecg_llm.errors import ConfigError
    from ecg_llm.serving.vllm_engine import engine_arguments

    with pytest.raises(ConfigError, match="tensor_parallel_size is near"):
        engine_arguments(tmp_path, {}, {"tensor_paralel_size": 2})
    assert engine_arguments(tmp_path, {}, {"tensor_parallel_size": 2})["tensor_parallel_size"] == 2


def test_an_adapter_that_replaces_parts_is_to_be_merged(tmp_path):
    from ecg_llm.errors import ConfigError
    from ecg_llm.serving.vllm_engine import engine_arguments

    config = tmp_path / "adapter_config.json"
    config.write_text('{"r": 16, "modules_to_save": ["ecg_projector"]}')
    with pytest.raises(ConfigError, match=r"replaces ecg_projector .* merges it"):
        engine_arguments(tmp_path, {"ward": tmp_path}, {})
    config.write_text('{"r": 12, "modules_to_save": null}')
    made = engine_arguments(tmp_path, {"ward": tmp_path}, {})
    assert (made["max_loras"], made["max_lora_rank"]) == (2, 16)
