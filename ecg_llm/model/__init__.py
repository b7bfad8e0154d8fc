"""The ECG language model in the form of Hugging Face transformers.

Importing it registers ``ecg_llm`` with AutoConfig, AutoProcessor, AutoModel, AutoModelForCausalLM
and AutoModelForImageTextToText.
"""

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
)

from ecg_llm.model.configuration import EcgLlmConfig
from ecg_llm.model.modeling import EcgLlmForConditionalGeneration
from ecg_llm.model.processing import EcgLlmProcessor
from ecg_llm.model.projector import Projector

AutoConfig.register("ecg_llm", EcgLlmConfig, exist_ok=True)
AutoProcessor.register(EcgLlmConfig, EcgLlmProcessor, exist_ok=True)
AutoModel.register(EcgLlmConfig, EcgLlmForConditionalGeneration, exist_ok=True)
AutoModelForCausalLM.register(EcgLlmConfig, EcgLlmForConditionalGeneration, exist_ok=True)
AutoModelForImageTextToText.register(EcgLlmConfig, EcgLlmForConditionalGeneration, exist_ok=True)

__all__ = ["EcgLlmConfig", "EcgLlmForConditionalGeneration", "EcgLlmProcessor", "Projector"]
