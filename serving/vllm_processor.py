"""From records to the model's inputs in vLLM: the modalities ``ecg`` and ``image``.

An item of either is an `ECGRecord`; an item of ``image`` may also be a page image, which the
project's own reader digitises. What follows is the processor that training uses, so both see the
same tensors.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from transformers import BatchFeature
from vllm.multimodal.inputs import MultiModalFieldConfig
from vllm.multimodal.parse import MultiModalDataParser, ProcessorBatchItems
from vllm.multimodal.processing import (
    BaseDummyInputsBuilder,
    BaseMultiModalProcessor,
    BaseProcessingInfo,
    PromptReplacement,
)

from ecg_llm.chat_layout import ECG, IMAGE
from ecg_llm.errors import RecordError
from ecg_llm.leads import STANDARD_12
from ecg_llm.model import EcgLlmConfig
from ecg_llm.model.processing import ecg_inputs
from ecg_llm.record import ECGRecord

SLOTS = {"ecg": ECG, "image": IMAGE}
"""Word of the prompt that stands for one item, by modality."""
PARTS = ("signal", "present", "calibrated")
"""What the encoder is given of one item."""


@dataclass(frozen=True, eq=False)
class EncoderItem:
    """One ECG as the encoder takes it: tensors by the names of `PARTS`, without batch axis."""

    parts: dict[str, Tensor]


class EncoderItems(ProcessorBatchItems[EncoderItem]):
    """The ECGs of one prompt and modality."""

    def get_item_for_hash(self, index: int) -> object:
        """Give what the caches tell items apart by: every sample, and nothing a client chose."""
        return {
            name: part.reshape(-1) if part.ndim == 0 else part
            for name, part in self.get(index).parts.items()
        }

    def get_processor_data(self) -> Mapping[str, object]:
        """Give the items to the processor under the name of their modality."""
        return {self.modality: self.get_all()}


class EcgDataParser(MultiModalDataParser):
    """Makes encoder inputs of records and page images."""

    def _get_subparsers(self) -> Mapping[str, Any]:
        return {"ecg": self._parse_ecgs, "image": self._parse_images}

    def _parse_ecgs(self, data: Any) -> EncoderItems | None:
        return self._items(data, "ecg")

    def _parse_images(self, data: Any) -> EncoderItems | None:
        return self._items(data, "image")

    def _items(self, data: Any, modality: str) -> EncoderItems | None:
        if data is None:
            return None
        many = data if isinstance(data, list | tuple) else [data]
        return EncoderItems([encoder_item(one) for one in many], modality)


class EcgProcessingInfo(BaseProcessingInfo):
    """What the model takes and how many slots it needs for it."""

    def get_hf_config(self) -> EcgLlmConfig:
        """Give the model's configuration."""
        config: EcgLlmConfig = self.ctx.get_hf_config(EcgLlmConfig)
        return config

    def get_data_parser(self) -> EcgDataParser:
        """Give the parser of both modalities."""
        return EcgDataParser()

    def get_supported_mm_limits(self) -> Mapping[str, int | None]:
        """Allow any number of each modality in a prompt."""
        return dict.fromkeys(SLOTS)

    def get_mm_max_tokens_per_item(
        self, seq_len: int, mm_counts: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Give the slots that one item takes."""
        return dict.fromkeys(SLOTS, self.get_hf_config().tokens_per_ecg)

    def get_supported_mm_processor_kwargs(self) -> dict[str, set[str]]:
        """Take no options from requests."""
        return {}


class EcgDummyInputs(BaseDummyInputsBuilder[EcgProcessingInfo]):
    """The inputs that vLLM measures its memory with."""

    def get_dummy_text(self, mm_counts: Mapping[str, int]) -> str:
        """Give a prompt of slots alone."""
        return "".join(word * mm_counts.get(modality, 0) for modality, word in SLOTS.items())

    def get_dummy_mm_data(
        self, seq_len: int, mm_counts: Mapping[str, int], mm_options: Mapping[str, Any]
    ) -> dict[str, list[ECGRecord]]:
        """Give records of noise."""
        noise = np.random.default_rng(0).normal(0, 0.1, (12, 5000)).astype(np.float32)
        record = ECGRecord(signal=noise, fs=500.0, leads=STANDARD_12)
        return {modality: [record] * mm_counts.get(modality, 0) for modality in SLOTS}


class EcgVllmProcessor(BaseMultiModalProcessor[EcgProcessingInfo]):
    """Puts the encoder inputs of a prompt together and widens its slots."""

    def _call_hf_processor(
        self, hf_data: Mapping[str, Any], hf_kwargs: Mapping[str, object]
    ) -> BatchFeature:
        return BatchFeature(
            {
                f"{modality}_{part}": [item.parts[part] for item in items]
                for modality, items in hf_data.items()
                for part in PARTS
            }
        )

    def _get_mm_fields_config(
        self, hf_inputs: BatchFeature, hf_processor_mm_kwargs: Mapping[str, object]
    ) -> Mapping[str, MultiModalFieldConfig]:
        return {
            f"{modality}_{part}": MultiModalFieldConfig.batched(modality)
            for modality in SLOTS
            for part in PARTS
        }

    def _get_prompt_updates(
        self,
        mm_items: Any,
        hf_processor_mm_kwargs: Mapping[str, object],
        out_mm_kwargs: Any,
    ) -> Sequence[PromptReplacement]:
        config = self.info.get_hf_config()
        slots = {"ecg": config.ecg_token_id, "image": config.image_token_id}
        return [
            PromptReplacement(
                modality=modality, target=[slot], replacement=[slot] * config.tokens_per_ecg
            )
            for modality, slot in slots.items()
        ]


def encoder_item(source: Any) -> EncoderItem:
    """Make the encoder's input of a record, or of a page image, which is digitised."""
    if isinstance(source, EncoderItem):
        return source
    if not isinstance(source, ECGRecord):
        source = _read_page(source)
    made = ecg_inputs([source])
    return EncoderItem({part: made[f"ecg_{part}"][0] for part in PARTS})


def _read_page(source: Any) -> ECGRecord:
    """Digitise a page image as vLLM hands it over."""
    import PIL.Image

    from ecg_llm.io import read_bytes

    image = getattr(source, "media", source)
    if not isinstance(image, PIL.Image.Image):
        raise RecordError(
            f"an item of type {type(source).__name__} was given; an ECGRecord is needed, since a "
            "bare array tells neither sampling rate nor leads, or for `image` a PIL image."
        )
    page = io.BytesIO()
    image.save(page, "PNG")
    return read_bytes(page.getvalue(), "page.png")
