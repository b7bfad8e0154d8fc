"""The card beside a trained language model: from what, how, how long, how good, what not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ecg_llm
from ecg_llm.data_builders.card import load_card
from ecg_llm.training.language import processes

if TYPE_CHECKING:
    from ecg_llm.training.language_recipe import LanguageRecipe
    from ecg_llm.training.talks import Sets

LIMITS = (  # the first one is of models from scratch
    "A small model: it repeats and orders what its prompt shows and names statements of PTB-XL "
    "from the ECG's tokens; it knows no medicine beyond.",
    "What it writes is a draft; only what the grounding check bears out is to be shown.",
    "English; adults' resting 12-lead ECGs of 10 s.",
    "Page images take the way of recordings through a projector trained on recordings' features.",
)


def write_card(
    folder: Path,
    recipe: LanguageRecipe,
    sets: Sets,
    history: Sequence[Mapping[str, float]],
) -> Path:
    """Write ``card.json`` into a folder.

    Parameters
    ----------
    sets : Sets
        What from; the stages of the base's card are taken over.
    """
    before: dict[str, Any] = {}
    if sets.base is not None and (sets.base / "card.json").is_file():
        before = json.loads((sets.base / "card.json").read_text(encoding="utf-8"))
    built = load_card(sets.records)
    text = json.loads((folder / "config.json").read_text(encoding="utf-8"))["text_config"]
    parts = ", ".join(f"{of['records']} {part}" for part, of in built["splits"].items())
    steps = int(max((row["step"] for row in history), default=0))
    stage: dict[str, Any] = {
        "stage": recipe.stage,
        "seconds": max((row["seconds"] for row in history), default=0.0),
        "steps": steps,
    }
    if recipe.stage == "preference":
        judged = sorted(history, key=lambda row: row["step"])
        stage["before"], stage["after"] = judged[0], max(judged[1:], key=lambda row: row["total"])
    else:
        stage["tokens"] = steps * recipe.rows * recipe.length * processes()
        stage["held_out_loss"] = next(
            (row["held_out_loss"] for row in reversed(history) if "held_out_loss" in row), None
        )
    stage["recipe"] = asdict(recipe)
    card = {
        "model": f"{text['model_type']} of {text['num_hidden_layers']} layers of width "
        f"{text['hidden_size']}, with tokenizer and projectors for ECGs",
        "version": ecg_llm.__version__,
        "data": {
            "records": f"{built['source']} ({built['builder']}): {parts}; train is learnt from, "
            "val held out, test not read",
            "conversations": before.get("data", {}).get("conversations")
            if sets.talks is None
            else "built on these records (build instruct)",
            "questions": before.get("data", {}).get("questions")
            if sets.qa is None
            else "ECG-QA's items on these records",
        },
        "licences": {
            built["citation"]: ", ".join(built["licences"]),
            **before.get("licences", {}),
            **(
                {}
                if sets.qa is None
                else {"ECG-QA (Oh et al., NeurIPS Datasets 2023)": "CC BY 4.0"}
            ),
        },
        "command": f"ecgllm train {recipe.stage} (docs/training.md)",
        "stages": [*before.get("stages", []), stage],
        "limits": before.get("limits", LIMITS if recipe.stage == "lm" else LIMITS[1:]),
    }
    path = folder / "card.json"
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
