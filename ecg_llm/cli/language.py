"""The commands that train the language model: train lm, align, sft, preference; adapt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecg_llm.cli.develop import train_app

Records = Annotated[Path, typer.Option(help="A set of records (build ptbxl).")]
Talks = Annotated[Path | None, typer.Option(help="Conversations on that set (build instruct).")]
Qa = Annotated[Path | None, typer.Option(help="Folder of ECG-QA's items on PTB-XL.")]
Out = Annotated[Path, typer.Option(help="Folder for checkpoint, history, curve and model.")]
RecipeName = Annotated[
    str | None, typer.Option(help="Recipe that ships, or a TOML file; by default the stage's own.")
]
Steps = Annotated[int | None, typer.Option(help="So many steps in place of the time.", min=1)]
Minutes = Annotated[float | None, typer.Option(help="Time to learn.")]


def _tell(line: str) -> None:
    typer.echo(line, err=True)


@train_app.command("lm", short_help="Train the small language model and its tokenizer.")
def train_lm(
    records: Records,
    out: Out,
    talks: Talks = None,
    qa: Qa = None,
    recipe: RecipeName = None,
    steps: Steps = None,
    minutes: Minutes = None,
) -> None:
    """Train the bundled model's language part from scratch, on text; resumes if stopped.

    \b
    ecgllm train lm --records sets/ptbxl --talks sets/talk --qa ecg_qa/ --out runs/lm \f
    """
    from ecg_llm.training.language_recipe import load_language_recipe
    from ecg_llm.training.language_stages import train_lm as run

    settings = load_language_recipe(recipe or "lm", steps=steps, minutes=minutes)
    typer.echo(str(run(records, talks, qa, out, settings, _tell)))
