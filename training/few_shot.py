"""Adapt the fusion part to a new kind of question from a handful of examples."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ecg_llm.analysis import analyse
from ecg_llm.chat_layout import plain
from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.io import read_record
from ecg_llm.prompt import Prompt, build

FEWEST, MOST = 5, 50
STEPS = 60
PEAK_LR = 5e-4
BATCH = 8
LONGEST = 512
"""Tokens of an answer: no more are written either."""


@dataclass(frozen=True, eq=False)
class Example:
    """One question with its answer.

    Attributes
    ----------
    prompt : Prompt
        With the ECG's tokens in it.
    answer : str
        What is to be said.
    """

    prompt: Prompt
    answer: str


def _read_examples(path: Path) -> list[Example]:
    """Read examples and the ECGs they name.

    JSON lines ``{"ecg": FILE or [FILE, FILE], "question": …, "answer": …}``; files relative to
    their folder. ConfigError for fewer than 5, more than 50, or a line that lacks something.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: no text of UTF-8 ({error}); JSON lines are needed.") from None
    found = []
    for n, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            files, question, answers = (_texts(row[key]) for key in ("ecg", "question", "answer"))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}, line {n}: it needs ecg, question and answer as JSON, none of them empty; "
                f"{error!r}."
            ) from None
        try:
            analyses = [analyse(read_record(path.parent / file)) for file in files]
        except RecordError as error:
            raise ConfigError(f"{path}, line {n}: {error}") from None
        found.append(Example(build(question[0], analyses), ", ".join(answers)))
    if not FEWEST <= len(found) <= MOST:
        raise ConfigError(
            f"{path}: {len(found)} examples; {FEWEST} to {MOST} are needed. More are what "
            "ecgllm train sft is for."
        )
    return found


def _texts(value: Any) -> list[str]:
    """Read a text or a list of some; anything else is no part of an example."""
    texts = [value] if isinstance(value, str) else value
    if not (isinstance(texts, list) and texts and all(isinstance(t, str) and t for t in texts)):
        raise TypeError(f"{value!r} is no text")
    return texts


def adapt(
    model: Any,
    processor: Any,
    examples: Sequence[Example],
    *,
    steps: int = STEPS,
    features: Sequence[Mapping[str, Any]] | None = None,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> list[float]:
    """Train the projectors on examples; encoder and language model stay as they are.

    Parameters
    ----------
    features : sequence of mapping, optional
        Encoder outputs of the examples' records, where they are at hand already.

    Returns
    -------
    list of float
        Loss of every step.
    """
    model.requires_grad_(False)
    learning = [*model.ecg_projector.parameters(), *model.image_projector.parameters()]
    for parameter in learning:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(learning, lr=PEAK_LR, weight_decay=0.01)
    rng = random.Random(seed)  # noqa: S311 (an order, no secret)
    laid = [
        _laid_out(processor, one, features[k] if features else None)
        for k, one in enumerate(examples)
    ]
    losses = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = PEAK_LR * min(1.0, (step + 1) / 5) * (1 - step / steps)
        chosen = rng.sample(laid, min(BATCH, len(laid)))
        optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for inputs in chosen:
            loss = model(**inputs).loss / len(chosen)
            loss.backward()
            total += float(loss.detach())
        optimiser.step()
        losses.append(total)
        if tell is not None and (step + 1) % 10 == 0:
            tell(f"step {step + 1}/{steps}  loss {total:.4f}")
    return losses


def _laid_out(processor: Any, one: Example, features: Mapping[str, Any] | None) -> dict[str, Any]:
    """Lay out an example, with a loss on its answer only."""
    prompt = one.prompt if features is None else Prompt(messages=one.prompt.messages)
    answer = plain(one.answer, processor.tokenizer.all_special_tokens) + processor.end
    inputs = dict(processor([prompt], answers=[answer]))
    said = len(processor.tokenizer.encode(answer, add_special_tokens=False))
    if said > LONGEST:
        raise ConfigError(
            f"an answer of {said} tokens ({one.answer[:40]!r} …); at most {LONGEST} can be learnt."
        )
    labels = inputs["input_ids"].clone()
    labels[:, :-said] = -100
    return {**inputs, **(features or {}), "labels": labels}


def adapt_files(
    base: Path, examples: Path, out: Path, *, steps: int = STEPS, tell: Callable[[str], None]
) -> Path:
    """Adapt a checkpoint and save it, the fusion part also alone.

    Parameters
    ----------
    examples : Path
        JSON lines, as `_read_examples` takes them.

    Returns
    -------
    Path
        The folder; ``fusion.safetensors`` in it holds what was learnt.
    """
    from safetensors.torch import save_file

    from ecg_llm.lm_transformers import load_checkpoint, model_folder
    from ecg_llm.training.language_stages import save
    from ecg_llm.training.store import share_weights

    shown = _read_examples(examples)
    out.mkdir(parents=True, exist_ok=True)
    model, processor = load_checkpoint(base)
    losses = adapt(model, processor, shown, steps=steps, tell=tell)
    save(model, processor, out)
    if (card := model_folder(base) / "card.json").is_file():
        told = json.loads(card.read_text(encoding="utf-8"))
        stage = {"stage": "adapt", "examples": len(shown), "steps": steps, "loss": losses[-1]}
        told["stages"] = [*told.get("stages", ()), stage]
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        (out / card.name).write_text(text, encoding="utf-8")
    fusion = {k: v for k, v in model.state_dict().items() if "_projector." in k}
    save_file(fusion, out / "fusion.safetensors")
    share_weights(out)
    return out
