"""A checkpoint that reads ECGs, made of any causal language model: where stage align begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ecg_llm.chat_layout import ECG, IMAGE
from ecg_llm.encoders.signal_input import SAMPLES_PER_TOKEN, WINDOW
from ecg_llm.errors import ConfigError
from ecg_llm.training.language_features import encoder_settings
from ecg_llm.training.language_stages import put_encoder


def make_base(
    language_model: Path, out: Path, *, encoder: Path | None = None, pooled_tokens: int = 0
) -> Path:
    """Put fresh projectors in front of a language model, and slots for ECGs into its tokenizer.

    Parameters
    ----------
    language_model : Path
        Folder of a causal language model of transformers, with its tokenizer and chat template.
    encoder : Path, optional
        Folder of another signal encoder than the bundled one.
    pooled_tokens : int
        Tokens that those of an ECG are averaged to; 0 keeps one each 200 ms.

    Raises
    ------
    ConfigError
        If there is no such language model, it is of another build, or its tokenizer has no chat
        template that takes a system message.

    Notes
    -----
    Embeddings of the new words are never read: an ECG's tokens stand in their place.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ecg_llm.model import EcgLlmConfig, EcgLlmForConditionalGeneration, EcgLlmProcessor

    if not (language_model / "config.json").is_file():
        raise ConfigError(
            f"{language_model}: no config.json is there; give the folder of a causal language "
            "model as save_pretrained of transformers writes it."
        )
    tokenizer: Any = AutoTokenizer.from_pretrained(language_model)
    _check_template(tokenizer, language_model)
    tokenizer.add_special_tokens({"additional_special_tokens": [ECG, IMAGE]}, False)
    text: Any = AutoModelForCausalLM.from_pretrained(language_model, dtype="auto")
    lacks = [name for name in ("model.layers", "lm_head") if not _has(text, name)]
    if lacks or not hasattr(text.config, "hidden_size"):
        raise ConfigError(
            f"{language_model}: {type(text).__name__} is no plain language model with "
            "model.layers and lm_head, as Llama, Qwen and Gemma are; of a model that also sees "
            "images, give the language part alone."
        )
    if len(tokenizer) > text.get_input_embeddings().num_embeddings:
        text.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    config = EcgLlmConfig(
        text_config=text.config,
        encoder_width=int(encoder_settings(encoder)["width"]),
        pooled_tokens=pooled_tokens,
        encoder_tokens=WINDOW // SAMPLES_PER_TOKEN,
        ecg_token_id=tokenizer.convert_tokens_to_ids(ECG),
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=text.config.eos_token_id,
    )
    with torch.device("meta"):
        model: Any = EcgLlmForConditionalGeneration(config)
    model.language_model = text
    for part in (model.ecg_projector, model.image_projector):
        part.to_empty(device="cpu")
        for layer in part.children():
            layer.reset_parameters()
    put_encoder(model, encoder)
    model.to(text.dtype).save_pretrained(out)
    EcgLlmProcessor(tokenizer, config.tokens_per_ecg).save_pretrained(out)
    return out


def _has(model: Any, path: str) -> bool:
    for name in path.split("."):
        model = getattr(model, name, None)
    return model is not None


def _check_template(tokenizer: Any, folder: Path) -> None:
    """Refuse a tokenizer that cannot lay out our prompts."""
    if not tokenizer.chat_template:
        raise ConfigError(
            f"{folder}: its tokenizer has no chat template; take a model that was tuned for chat, "
            "or set tokenizer.chat_template and save it."
        )
    try:
        tokenizer.apply_chat_template(
            [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], tokenize=False
        )
    except Exception as error:  # whatever a template raises
        raise ConfigError(
            f"{folder}: its chat template takes no system message ({error}); change it so that it "
            "puts the system message before the first question."
        ) from error
