"""What a recipe of the language model needs of a GPU's memory, counted from its sizes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ecg_llm.errors import ConfigError
from ecg_llm.training.language_stages import with_adapters

if TYPE_CHECKING:
    from ecg_llm.training.language_recipe import LanguageRecipe

EIGHT_BILLION: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
}
"""A Llama of 8 B weights."""
ENCODER_WIDTH, ENCODER_TOKENS = 256, 50
"""Of the bundled encoder, with all of its tokens shown."""
FOUR_BITS = 4.127 / 8
"""Bytes of a weight in 4 bits: nf4 in blocks of 64, whose scales take 8 bits and a little."""
LEARNT_SHARE = 0.28
"""Of the tokens, those of the assistant: logits are computed for these only."""
_GB = 1e9


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of one process.

    Attributes
    ----------
    frozen : float, GB
        Weights that do not learn.
    learnt : float, GB
        Adapters and projectors with gradients and Adam's two moments, in single precision.
    between : float, GB
        What is kept of each layer for the backward pass.
    within : float, GB
        One layer while it is computed anew, and its gradients.
    logits : float, GB
        Of the assistant's words, with their gradients.
    gathered : float, GB
        Parts of other processes' weights that are at hand for a time.
    """

    frozen: float
    learnt: float
    between: float
    within: float
    logits: float
    gathered: float

    @property
    def total(self) -> float:
        """The sum, without what CUDA itself takes (about 1 GB)."""
        parts = (self.frozen, self.learnt, self.between, self.within, self.logits, self.gathered)
        return sum(parts)

    def render(self) -> str:
        """Write it as lines."""
        lines = (
            ("frozen weights", self.frozen),
            ("learnt, with gradients and Adam", self.learnt),
            ("activations between layers", self.between),
            ("activations within a layer", self.within),
            ("logits", self.logits),
            ("gathered from other processes", self.gathered),
            ("sum (CUDA takes about 1 GB more)", self.total),
        )
        return "\n".join(f"{name:34}{value:6.1f} GB" for name, value in lines)


def read_sizes(path: Path) -> dict[str, Any]:
    """Read the configuration of a language model.

    Parameters
    ----------
    path : Path
        ``config.json`` of it, or of a checkpoint that reads ECGs.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    text = found.get("text_config", found) if isinstance(found, dict) else None
    if not isinstance(text, dict) or not {"model_type", "hidden_size"} <= set(text):
        raise ConfigError(
            f"{path}: no config.json of a language model like Llama, Qwen or Gemma: it has no "
            "model_type with a hidden_size."
        )
    return text


def memory(
    recipe: LanguageRecipe, text: dict[str, Any] | None = None, *, processes: int = 1
) -> Memory:
    """Count what stage ``sft`` needs; no weight is made.

    Parameters
    ----------
    text : dict, optional
        Configuration of the language model, as transformers writes it; by default `EIGHT_BILLION`.
    processes : int
        Over which FSDP cuts the model.
    """
    from ecg_llm.model import EcgLlmConfig, EcgLlmForConditionalGeneration

    config = EcgLlmConfig(
        text_config=dict(text or EIGHT_BILLION),
        encoder_width=ENCODER_WIDTH,
        pooled_tokens=0,
        encoder_tokens=ENCODER_TOKENS,
    )
    with torch.device("meta"):
        model = with_adapters(EcgLlmForConditionalGeneration(config), recipe.lora_rank)
    core = model.get_base_model()
    linear = {
        part.weight
        for part in core.language_model.model.layers.modules()
        if isinstance(part, nn.Linear) and not part.weight.requires_grad
    }
    small = FOUR_BITS if recipe.four_bit else 2.0
    frozen = {
        p: p.numel() * (small if p in linear else 2.0)
        for p in model.parameters()
        if not p.requires_grad
    }
    learnt = sum(p.numel() for p in model.parameters() if p.requires_grad) * 16.0
    shape = core.config.text_config
    tokens = recipe.rows * recipe.length
    within = tokens * _of_a_token(shape)
    layers = shape.num_hidden_layers
    layer = sum(frozen.get(p, 0.0) for p in core.language_model.model.layers[0].parameters())
    whole = sum(frozen.values())
    return Memory(
        frozen=whole / processes / _GB,
        learnt=learnt / processes / _GB,
        between=layers * tokens * (2.0 * shape.hidden_size if recipe.checkpointing else 0) / _GB,
        within=within * (1 if recipe.checkpointing else layers) / _GB,
        # bf16, and single precision with its gradient.
        logits=LEARNT_SHARE * tokens * shape.vocab_size * 10.0 / _GB,
        # The layer in use, the next one, and words and projectors, which stay.
        gathered=0.0 if processes == 1 else (2 * layer + whole - layers * layer) / _GB,
    )


def _of_a_token(shape: Any) -> float:
    """Give the bytes of a token within a layer: bf16, norms in single precision, and gradients."""
    width, inner = int(shape.hidden_size), int(shape.intermediate_size)
    size = int(getattr(shape, "head_dim", None) or width // shape.num_attention_heads)
    queries, keys = size * shape.num_attention_heads, size * shape.num_key_value_heads
    kept: int = 2 * (4 * width + 3 * queries + 3 * keys + 4 * inner) + 2 * 4 * width
    return 2.0 * kept
