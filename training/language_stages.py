"""The stages of the language model, each from a folder to a folder."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch

from ecg_llm.chat_layout import END, PAD, SPECIAL, layout
from ecg_llm.errors import ConfigError
from ecg_llm.training.language import (
    JUDGED_BATCHES,
    LEARNT,
    Features,
    batches,
    fit,
    held_out,
    identity_of,
    processes,
)
from ecg_llm.training.language_batches import Layout, is_own, layout_of, train_tokenizer, wrapped
from ecg_llm.training.language_card import write_card
from ecg_llm.training.language_export import export_decoder
from ecg_llm.training.language_features import encoder_settings
from ecg_llm.training.runs import hold_to
from ecg_llm.training.store import load_encoder, share_weights
from ecg_llm.training.talks import TEXT, Sets, draw, posed, read_talks

if TYPE_CHECKING:
    from ecg_llm.data_builders.talk import Talk
    from ecg_llm.training.language_recipe import LanguageRecipe

TOKENIZER_TEXTS = 12_000
"""Conversations that the tokenizer is learnt from."""
SHAPE: dict[str, Any] = {"encoder_width": 256, "pooled_tokens": 8, "vector_tokens": 2}
"""Of the bundled model's encoder, and how many tokens it gets of an ECG."""
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Linear maps of a language model that adapters sit on."""
TARGETS = rf"language_model\..*\.({'|'.join(LINEAR)})"
"""The same as peft looks for them in a whole model."""
Tell = Callable[[str], None]


def train_lm(sets: Sets, out: Path, recipe: LanguageRecipe, tell: Tell) -> Path:
    """Train a small language model and its tokenizer from scratch, on text alone."""
    from ecg_llm.model import EcgLlmProcessor

    about = sets.digests()
    hold_to(out, identity_of(recipe, about))  # a tokenizer may be there before any checkpoint
    known, others = read_talks(sets), read_talks(sets, split="val")
    tokenizer = _tokenizer(known, recipe, out)
    torch.manual_seed(recipe.seed)
    model = _fresh_model(recipe, tokenizer.get_vocab_size())
    processor = EcgLlmProcessor(wrapped(tokenizer), model.config.tokens_per_ecg)
    for part in (model.ecg_projector, model.image_projector):
        part.requires_grad_(False)
    tell(f"{sum(p.numel() for p in model.language_model.parameters()) / 1e6:.2f} M weights")
    history = _run(model, processor, known, others, None, out, recipe, about, tell)
    saved = save(model, processor, out / "model")
    write_card(saved, recipe, sets, history)
    return saved


def train_with_ecg(
    sets: Sets, features: Features, out: Path, recipe: LanguageRecipe, tell: Tell
) -> Path:
    """Train the projectors (align), or adapters and projectors (sft).

    Parameters
    ----------
    sets : Sets
        What from, with a base; an encoder that is not the bundled one goes into the checkpoint.
    features : Features
        Of the records, by the frozen encoder.

    Returns
    -------
    Path
        The saved model: with adapters, saved alone, beside it in ``adapter``.
    """
    from ecg_llm.lm_transformers import load_checkpoint

    base = sets.base
    assert base is not None
    known, others = read_talks(sets), read_talks(sets, split="val")
    torch.manual_seed(recipe.seed)
    model, processor = load_checkpoint(base, four_bit=recipe.four_bit)
    model = _prepared(model, recipe)
    history = _run(model, processor, known, others, features, out, recipe, sets.digests(), tell)
    if processes() > 1:
        if int(os.environ.get("RANK", "0")):
            return out / "model"
        learnt = torch.load(out / LEARNT, weights_only=True, map_location="cpu")["weights"]
        model = _with_learnt(base, recipe, learnt)
    elif recipe.four_bit:  # adapters are merged into the weights that the 4 bits were made of
        learnt = {name: p.detach().cpu() for name, p in model.named_parameters() if p.requires_grad}
        del model
        model = _with_learnt(base, recipe, learnt)
    if recipe.stage == "sft":
        _save_adapter(model, out / "adapter")
        model = model.merge_and_unload()
    put_encoder(model, sets.encoder)
    saved = save(model, processor, out / "model")
    card = write_card(saved, recipe, sets, history)
    if recipe.stage == "sft":
        shutil.copy(card, out / "adapter")
    return saved


def _save_adapter(model: Any, folder: Path) -> None:
    """Save adapters alone."""
    model.save_pretrained(folder)
    share_weights(folder)
    (folder / "README.md").unlink(missing_ok=True)  # a form of peft's that nobody filled in


def put_encoder(model: Any, folder: Path | None) -> None:
    """Give a model the encoder whose features it learnt to read.

    Parameters
    ----------
    folder : Path or None
        Written by ``ecgllm train encoder``; None for the bundled encoder, whose weights stay out
        of checkpoints.
    """
    model.config.encoder_config = encoder_settings(folder)
    model.config.bundled_encoder = folder is None
    model.encoder = None if folder is None else load_encoder(folder)


def _prepared(model: Any, recipe: LanguageRecipe) -> Any:
    """Choose what of a model learns in stage ``align`` or ``sft``, which adds adapters."""
    if recipe.stage == "align":
        model.requires_grad_(False)
        for part in (model.ecg_projector, model.image_projector):
            part.requires_grad_(True)
    else:
        model = with_adapters(model, recipe.lora_rank)
    if recipe.checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    return model


def _with_learnt(base: Path, recipe: LanguageRecipe, learnt: Mapping[str, torch.Tensor]) -> Any:
    """Put what was learnt elsewhere into the model that it began with."""
    from ecg_llm.lm_transformers import load_checkpoint

    model, _ = load_checkpoint(base)
    if recipe.stage == "sft":
        model = with_adapters(model, recipe.lora_rank)
    known = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in learnt.items():
            known[name].copy_(weight)
    return model.cpu()


def with_adapters(model: Any, rank: int) -> Any:
    """Put low-rank adapters on the language model; the projectors learn in full."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=TARGETS,
        modules_to_save=["ecg_projector", "image_projector"],
    )
    return get_peft_model(model, settings)


def _fresh_model(recipe: LanguageRecipe, vocab_size: int) -> Any:
    """Make the small model with fresh weights."""
    from ecg_llm.model import EcgLlmConfig, EcgLlmForConditionalGeneration

    text = {
        "model_type": "llama",
        "vocab_size": vocab_size,
        "hidden_size": recipe.width,
        "intermediate_size": 3 * recipe.width,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads // 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "pad_token_id": SPECIAL.index(PAD),
        "eos_token_id": SPECIAL.index(END),
        "bos_token_id": None,
    }
    config = EcgLlmConfig(
        text_config=text,
        ecg_token_id=SPECIAL.index("<ecg>"),
        image_token_id=SPECIAL.index("<image>"),
        pad_token_id=SPECIAL.index(PAD),
        eos_token_id=SPECIAL.index(END),
        **SHAPE,
    )
    return EcgLlmForConditionalGeneration(config)


def save(model: Any, processor: Any, folder: Path) -> Path:
    """Save a model with its processor, in half precision."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    own = is_own(processor.tokenizer)
    # Large models are made in bf16, whose range half precision lacks, and stay so: in single
    # precision they would not fit into the GPU that trained them.
    model = model.to(torch.float16 if own else torch.bfloat16)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    share_weights(folder)
    if own:
        model.to(torch.float32)
    text = model.config.text_config
    size = text.hidden_size // text.num_attention_heads
    # The graph takes the bundled encoder's features; what has another one runs through torch.
    bundled = model.config.bundled_encoder or model.config.encoder_config is None
    fits = text.model_type == "llama" and text.tie_word_embeddings and size % 16 == 0
    if own and bundled and fits:
        export_decoder(folder)
    return folder


def _tokenizer(known: Mapping[str, Sequence[Talk]], recipe: LanguageRecipe, out: Path) -> Any:
    """Learn the tokenizer, or take up the one of a stopped run."""
    from tokenizers import Tokenizer

    path = out / "tokenizer.json"
    if path.is_file():
        return Tokenizer.from_file(str(path))
    rng = Random(recipe.seed)  # noqa: S311 (drawing, no secret)
    drawn = itertools.islice(draw(known, rng, [(TEXT, 1.0)], vary=0.5), TOKENIZER_TEXTS)
    texts = (text for _, prompt, said in drawn for text in (layout(prompt.messages, 0), said))
    tokenizer = train_tokenizer(texts, recipe.vocab)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer


def _run(
    model: Any,
    processor: Any,
    known: Mapping[str, Sequence[Talk]],
    others: Mapping[str, Sequence[Talk]],
    features: Features | None,
    out: Path,
    recipe: LanguageRecipe,
    about: Mapping[str, Any],
    tell: Tell,
) -> list[dict[str, float]]:
    """Fit, with held-out losses and printed answers."""
    for what, found in (("learnt from", known), ("held out", others)):
        tell(f"{what}: {', '.join(f'{len(kind)} {name}' for name, kind in found.items())}")
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    laid = layout_of(processor)
    small = replace(recipe, rows=8)
    judged = list(itertools.islice(batches(others, laid, small, seed=1), JUDGED_BATCHES))
    turn = itertools.count()

    def sample() -> str:
        n = next(turn)
        parts = recipe.mixture()[n % len(recipe.mixture())][0]
        talk = others["report"][(7 * n) % len(others["report"])]
        made = posed([talk], Random(n), parts)  # noqa: S311
        if made is None:
            return ""
        said = _answer(core, laid, made[0], features, talk.records)
        return f"--- {', '.join(parts)}\nsays: {said}\nwant: {made[1]}\n---"

    seed = recipe.seed + 1000 * int(os.environ.get("RANK", "0"))
    drawn = batches(known, laid, recipe, seed=seed)
    return fit(
        model,
        drawn,
        recipe,
        out,
        about=about,
        features=features,
        judge=lambda: held_out(model, judged, features),
        sample=sample,
        tell=tell,
    )


def _answer(
    model: Any,
    laid: Layout,
    prompt: Any,
    features: Features | None,
    records: Sequence[str],
    *,
    max_new_tokens: int = 200,
) -> str:
    """Answer one prompt with the likeliest words; records are the names behind its slots."""
    device = next(model.parameters()).device
    ids = laid.ids(prompt)
    ecg: dict[str, Any] = {}
    if prompt.records:
        if features is None:
            raise ConfigError("the prompt has slots but there are no features of its records.")
        ecg = features.inputs(records, device)
        ecg["from_page"] = torch.tensor([r.origin == "page" for r in prompt.records], device=device)
    with torch.inference_mode():
        out = model.generate(
            torch.tensor([ids], device=device),
            **ecg,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=laid.end,
            pad_token_id=laid.pad,
        )
    return str(laid.tokenizer.decode(out[0, len(ids) :].tolist(), skip_special_tokens=True))
