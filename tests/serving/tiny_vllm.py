"""A tiny random checkpoint with its tokenizer, and prompts of every kind on simulated ECGs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ecg_llm.chat_layout import CHAT_TEMPLATE, SPECIAL
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.model import EcgLlmConfig, EcgLlmForConditionalGeneration, EcgLlmProcessor
from ecg_llm.prompt import Prompt
from ecg_llm.record import ECGRecord

TOKENS = 5


def tokenizer() -> Any:
    """Letters are tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: k for k, word in enumerate([*SPECIAL, *letters])}
    made = Tokenizer(models.BPE(vocab=words, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[1],
        additional_special_tokens=list(SPECIAL[2:]),
        chat_template=CHAT_TEMPLATE,
    )


def write_checkpoint(folder: Path) -> EcgLlmForConditionalGeneration:
    """Write a model whose answers vary with what it is shown."""
    torch.manual_seed(0)
    made = tokenizer()
    config = EcgLlmConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(made),
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 32,
            "max_position_embeddings": 2048,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "bos_token_id": None,
        },
        encoder_config={
            "widths": (8, 8), "blocks": (1, 1), "width": 16, "depth": 1, "heads": 2,
        },
        encoder_width=16,
        pooled_tokens=TOKENS - 1,
        vector_tokens=1,
        ecg_token_id=SPECIAL.index("<ecg>"),
        image_token_id=SPECIAL.index("<image>"),
    )  # fmt: skip
    model = EcgLlmForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "projector" in name:
                weight.mul_(3)
            elif weight.ndim == 2 and "language_model" in name:
                weight.mul_(9)
    model.save_pretrained(folder)
    EcgLlmProcessor(made, tokens_per_ecg=TOKENS).save_pretrained(folder)
    return model


def write_adapter(folder: Path, base: Path, model: EcgLlmForConditionalGeneration) -> Any:
    """Write an adapter that changes the answers, and give the adapted model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=16, target_modules=r"language_model.*\.(q_proj|down_proj)")
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    adapted.save_pretrained(folder)
    return adapted


def ecg(number: int, *, page: bool = False) -> ECGRecord:
    """Simulate one."""
    record = synthetic_ecg(bpm=50 + 17 * number, seed=number).record
    return replace(record, origin="page") if page else record


def _prompt(content: list[dict[str, str]], *records: ECGRecord) -> Prompt:
    system = {"role": "system", "content": [_text("You read ECGs.")]}
    return Prompt(messages=(system, {"role": "user", "content": content}), records=records)


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def prompts() -> dict[str, Prompt]:
    """One of every kind."""
    slot, image = {"type": "ecg"}, {"type": "image"}
    a, b, page = ecg(0), ecg(1), ecg(2, page=True)
    return {
        "one": _prompt([slot, _text("Rate?")], a),
        "another": _prompt([slot, _text("Rate?")], b),
        "ecg and image": _prompt([slot, _text(" and "), image, _text("same?")], a, page),
        "image and ecg": _prompt([image, slot, _text("same?")], page, a),
        "two": _prompt([slot, slot, _text("changed?")], a, b),
        "two turned": _prompt([slot, slot, _text("changed?")], b, a),
        "text": _prompt([_text("What is a P wave?")]),
    }


def number_prompts() -> list[Prompt]:
    """Texts in which a number stands behind every letter."""
    letters = [
        chr(code) for code in range(33, 127) if not chr(code).isdigit() and chr(code) not in "<|>."
    ]
    return [
        _prompt([_text("".join(f"{letter}{(k * step) % 97}" for k, letter in enumerate(letters)))])
        for step in range(3, 15)
    ]
