"""Settings of the language model's training stages, read from TOML."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecg_llm.errors import ConfigError
from ecg_llm.prompt import PARTS, Part
from ecg_llm.training.talks import TEXT, TOKENS, WEIGHTS
from ecg_llm.training.toml_recipe import near, read_recipe

RECIPES = Path(__file__).parent / "recipes"
METHODS = ("dpo", "grpo")
_VALUES: tuple[Part, ...] = ("values",)


@dataclass(frozen=True)
class LanguageRecipe:
    """One stage: what learns, from which prompts, how long."""

    stage: str = "lm"
    """``lm``: a small model and its tokenizer from scratch; ``align``: the projectors; ``sft``:
    adapters on the language model, and the projectors; ``preference``: adapters, from judged
    drafts."""
    minutes: float = 20.0
    """Time to learn, without reading data and judging; the rate falls to zero at its end."""
    steps: int = 0
    """In place of ``minutes``: steps of the optimiser."""
    length: int = 512
    """Tokens of a packed row."""
    rows: int = 4
    """Packed rows of a step."""
    peak_lr: float = 2e-3
    """Highest learning rate, reached after the warm-up."""
    warmup: float = 0.03
    """Part of the stage."""
    weight_decay: float = 0.1
    """Of matrices."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    bf16: bool = False
    """Whether to multiply in 16-bit brain floats."""
    checkpointing: bool = False
    """Whether to compute activations anew in the backward pass, which saves memory."""
    four_bit: bool = False
    """Whether to hold the frozen language model in 4 bits (bitsandbytes)."""
    text: float = 1.0
    """Share of prompts that show values and findings only."""
    values: float = 0.0
    """Share of prompts that show values only: short, to learn copying from."""
    tokens: float = 0.0
    """Share of prompts that show the ECG's tokens only."""
    both: float = 0.0
    """Share of prompts that show all."""
    vary: float = 0.5
    """Share of prompts with text whose values are changed, in prompt and answer alike."""
    pages: float = 0.0
    """Share of reports on a page image."""
    method: str = "dpo"
    """Of stage ``preference``: ``dpo`` learns from pairs of drafts that are judged once, ``grpo``
    from drafts that are drawn and judged at every step. ``rows`` are pairs, or prompts, a step."""
    lora_rank: int = 16
    """Rank of the adapters."""
    vocab: int = 3072
    """Tokens of a tokenizer from scratch."""
    width: int = 256
    """Features of a language model from scratch."""
    layers: int = 5
    """Its layers."""
    heads: int = 8
    """Its attention heads, half as many of them with keys of their own."""
    seed: int = 0
    """Of weights and drawing."""
    weights: dict[str, float] = field(default_factory=dict)
    """How often each kind of conversation is drawn, where not as usual."""

    def mixture(self) -> list[tuple[tuple[Part, ...], float]]:
        """Give the parts that prompts show, with their shares.

        Examples
        --------
        >>> LanguageRecipe().mixture()
        [(('values', 'findings'), 1.0)]
        """
        shares = (
            (TEXT, self.text),
            (_VALUES, self.values),
            (TOKENS, self.tokens),
            (PARTS, self.both),
        )
        return [(parts, share) for parts, share in shares if share > 0]


def load_language_recipe(name: str, needed: str | None = None, /, **changes: Any) -> LanguageRecipe:
    """Read a recipe.

    Parameters
    ----------
    name : str
        One that ships (``lm``, ``align``, ``sft`` …), or the path of a TOML file.
    needed : str, optional
        Stage that it must be of.
    **changes
        Settings that override the file's; None changes nothing.

    Raises
    ------
    ConfigError
        If there is no such recipe, it is of another stage, or it holds an unknown key, a value of
        a wrong kind, or nothing to show or no time to learn.

    Examples
    --------
    >>> load_language_recipe("align", steps=3).steps
    3
    """
    recipe = read_recipe(LanguageRecipe, name, RECIPES)
    for kind in recipe.weights:
        if kind not in WEIGHTS:
            raise ConfigError(
                f"{name}: weights of unknown kind {kind!r}{near(kind, WEIGHTS)}; all: "
                f"{', '.join(WEIGHTS)}."
            )
    if recipe.method not in METHODS:
        raise ConfigError(f"{name}: method {recipe.method!r}; it is one of {', '.join(METHODS)}.")
    if needed not in (None, recipe.stage):
        raise ConfigError(
            f"{name}: a recipe of stage {recipe.stage!r}, where one of stage {needed!r} is needed."
        )
    recipe = replace(recipe, **{k: value for k, value in changes.items() if value is not None})
    if not recipe.mixture():
        raise ConfigError(f"{name}: text, values, tokens and both are all 0: prompts show nothing.")
    if recipe.steps < 0 or (not recipe.steps and recipe.minutes <= 0):
        raise ConfigError(f"{name}: {recipe.minutes:g} minutes; give some, or steps.")
    return recipe
