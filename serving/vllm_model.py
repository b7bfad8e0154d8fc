"""The ECG language model inside vLLM: this project's encoder and projectors, vLLM's decoder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from vllm.config import VllmConfig
from vllm.model_executor.models.interfaces import (
    MultiModalEmbeddings,
    SupportsLoRA,
    SupportsMultiModal,
    SupportsPP,
)
from vllm.model_executor.models.module_mapping import MultiModelKeys
from vllm.model_executor.models.utils import (
    AutoWeightsLoader,
    WeightsMapper,
    init_vllm_registered_model,
    maybe_prefix,
)
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.sequence import IntermediateTensors

from ecg_llm.encoders.signal import SignalEncoderConfig
from ecg_llm.errors import ConfigError
from ecg_llm.model import EcgLlmConfig, EcgLlmForConditionalGeneration, Projector
from ecg_llm.model.modeling import load_bundled_encoder
from ecg_llm.serving.vllm_processor import (
    PARTS,
    SLOTS,
    EcgDummyInputs,
    EcgProcessingInfo,
    EcgVllmProcessor,
)


@MULTIMODAL_REGISTRY.register_processor(
    EcgVllmProcessor, info=EcgProcessingInfo, dummy_inputs=EcgDummyInputs
)
class EcgLlmForVllm(nn.Module, SupportsMultiModal, SupportsLoRA, SupportsPP):
    """`ecg_llm.model.EcgLlmForConditionalGeneration` for vLLM.

    Parameters
    ----------
    vllm_config : VllmConfig
        Of the engine.
    prefix : str
        Of the names of weights.
    """

    # An adapter trained on the bare language model fits too.
    hf_to_vllm_mapper: ClassVar[Any] = WeightsMapper(
        orig_to_new_prefix={
            "model.": "language_model.model.",
            "lm_head.": "language_model.lm_head.",
        }
    )
    # The very functions of the plain model.
    encode = EcgLlmForConditionalGeneration.encode
    project = EcgLlmForConditionalGeneration.project

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        config: EcgLlmConfig = vllm_config.model_config.hf_config
        text = config.text_config
        if config.encoder_config is None:
            raise ConfigError(
                "this checkpoint has no encoder (encoder_config is None), so that no server can "
                "read an ECG with it; save one that has."
            )
        self.config = config
        self.dtype = vllm_config.model_config.dtype
        self.configure_mm_token_handling(
            text.vocab_size, [config.ecg_token_id, config.image_token_id]
        )
        shape = (
            config.encoder_width,
            text.hidden_size,
            config.projector_width or text.hidden_size,
            config.pooled_tokens,
            config.vector_tokens,
        )
        with self._mark_tower_model(vllm_config, set(SLOTS)):
            self.encoder = SignalEncoderConfig(**config.encoder_config).build().eval()
            self.ecg_projector = Projector(*shape)
            self.image_projector = Projector(*shape)
        with self._mark_language_model(vllm_config):
            self.language_model = init_vllm_registered_model(
                vllm_config=vllm_config,
                hf_config=text,
                prefix=maybe_prefix(prefix, "language_model"),
                architectures=[MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[text.model_type]],
            )
        self.make_empty_intermediate_tensors = self.language_model.make_empty_intermediate_tensors
        self.packed_modules_mapping = getattr(self.language_model, "packed_modules_mapping", {})

    @classmethod
    def get_placeholder_str(cls, modality: str, i: int) -> str | None:
        """Give the word of the prompt that stands for an item."""
        return SLOTS[modality]

    def embed_multimodal(self, **kwargs: Any) -> MultiModalEmbeddings:
        """Encode ECGs and page images, in the order in which the modalities were given.

        ``ecg_signal``, ``image_present`` and so on hold one row or entry for each item.
        """
        out: list[Tensor] = []
        for modality in dict.fromkeys(key.partition("_")[0] for key in kwargs):
            if modality not in SLOTS:
                continue
            columns = [kwargs[f"{modality}_{part}"] for part in PARTS]
            if all(isinstance(column, Tensor) for column in columns):
                batches = [columns]
            else:  # records that differ in length
                batches = [[one[None] for one in row] for row in zip(*columns, strict=True)]
            for signal, present, calibrated in batches:
                tokens, vector = self.encode(signal, present, calibrated.reshape(-1))
                pages = torch.full((len(tokens),), modality == "image", device=tokens.device)
                out += list(self.project(tokens, vector, pages))
        return out

    def forward(
        self,
        input_ids: Tensor | None,
        positions: Tensor,
        intermediate_tensors: IntermediateTensors | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor | IntermediateTensors:
        """Run the decoder."""
        if intermediate_tensors is not None:
            inputs_embeds = None
        return self.language_model.model(  # type: ignore[no-any-return]
            input_ids, positions, intermediate_tensors, inputs_embeds=inputs_embeds
        )

    def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
        """Give the scores of the next token."""
        return self.language_model.compute_logits(hidden_states)  # type: ignore[no-any-return]

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        """Load a checkpoint, with the bundled encoder if it names that one."""
        loaded: set[str] = AutoWeightsLoader(self).load_weights(
            weights, mapper=self.hf_to_vllm_mapper
        )
        if self.config.bundled_encoder:
            load_bundled_encoder(self.encoder)
            loaded |= {f"encoder.{name}" for name in self.encoder.state_dict()}
        return loaded

    def get_mm_mapping(self) -> MultiModelKeys:
        """Tell which parts are which, for adapters."""
        return MultiModelKeys.from_string_field(
            language_model="language_model",
            connector=["ecg_projector", "image_projector"],
            tower_model=["encoder"],
        )
