"""The commands that train the language model: lm, align, sft, preference, memory; adapt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecg_llm.cli.evals import eval_app
from ecg_llm.cli.figures import Json, progress, show
from ecg_llm.cli.train import train_app

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
    from ecg_llm.training.talks import Sets

    settings = load_language_recipe(recipe or "lm", "lm", steps=steps, minutes=minutes)
    typer.echo(str(run(Sets(records, talks, qa), out, settings, _tell)))


Base = Annotated[
    Path, typer.Option(help="Checkpoint to begin with: a folder of train lm, base, align or sft.")
]


Encoder = Annotated[
    Path | None,
    typer.Option(help="Folder of another signal encoder than the bundled one (train encoder)."),
]


@train_app.command("base", short_help="Let any language model read ECGs: where align begins.")
def train_base(
    language_model: Annotated[
        Path,
        typer.Option(help="Folder of a causal language model of transformers, with tokenizer."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")],
    encoder: Encoder = None,
    pooled_tokens: Annotated[
        int, typer.Option(help="Tokens of an ECG in a prompt; 0: one each 200 ms, 50.", min=0)
    ] = 0,
) -> None:
    """Put fresh projectors in front of a language model, and slots for ECGs into its tokenizer.

    \b
    ecgllm train base --language-model llama-8b/ --out runs/base
    ecgllm train sft --base runs/base --records sets/ptbxl --recipe sft-80gb --out runs/sft \f
    """
    from ecg_llm.training.language_base import make_base

    made = make_base(language_model, out, encoder=encoder, pooled_tokens=pooled_tokens)
    typer.echo(str(made))


@train_app.command("align", short_help="Train the projectors: the ECG learns the model's language.")
def train_align(
    base: Base,
    records: Records,
    out: Out,
    talks: Talks = None,
    qa: Qa = None,
    encoder: Encoder = None,
    recipe: RecipeName = None,
    steps: Steps = None,
    minutes: Minutes = None,
) -> None:
    """Train the projectors alone; encoder and language model stay as they are.

    \b
    ecgllm train align --base runs/lm/model --records sets/ptbxl --out runs/align \f
    """
    _with_ecg("align", base, records, out, talks, qa, encoder, recipe, steps, minutes)


@train_app.command("sft", short_help="Train adapters on the language model, and the projectors.")
def train_sft(
    base: Base,
    records: Records,
    out: Out,
    talks: Talks = None,
    qa: Qa = None,
    encoder: Encoder = None,
    recipe: RecipeName = None,
    steps: Steps = None,
    minutes: Minutes = None,
) -> None:
    """Train adapters (saved alone, and merged) and the projectors, with modality dropout.

    \b
    ecgllm train sft --base runs/align/model --records sets/ptbxl --talks sets/talk \\
        --qa ecg_qa/ --out runs/sft \f
    """
    _with_ecg("sft", base, records, out, talks, qa, encoder, recipe, steps, minutes)


def _with_ecg(
    stage: str,
    base: Path,
    records: Path,
    out: Path,
    talks: Path | None,
    qa: Path | None,
    encoder: Path | None,
    recipe: str | None,
    steps: int | None,
    minutes: float | None,
) -> None:
    """Encode the records once, then train."""
    from ecg_llm.training.language_features import encode_for
    from ecg_llm.training.language_recipe import load_language_recipe
    from ecg_llm.training.language_stages import train_with_ecg
    from ecg_llm.training.talks import Sets

    settings = load_language_recipe(recipe or stage, stage, steps=steps, minutes=minutes)
    features = encode_for(
        base, records, out / "features.npz", encoder=encoder, progress=progress("record")
    )
    sets = Sets(records, talks, qa, base, encoder)
    typer.echo(str(train_with_ecg(sets, features, out, settings, _tell)))


@train_app.command("preference", short_help="Prefer drafts that the grounding check bears out.")
def train_preference(
    base: Base,
    records: Records,
    out: Out,
    encoder: Encoder = None,
    recipe: RecipeName = None,
    steps: Steps = None,
) -> None:
    """Let the model write reports and prefer those whose claims the record bears out.

    \b
    ecgllm train preference --base runs/sft/model --records sets/ptbxl --out runs/preference \f
    """
    from ecg_llm.training.language_features import encode_for
    from ecg_llm.training.language_recipe import load_language_recipe
    from ecg_llm.training.preference import train_preference as run
    from ecg_llm.training.talks import Sets

    settings = load_language_recipe(recipe or "preference", "preference", steps=steps)
    features = encode_for(
        base, records, out / "features.npz", encoder=encoder, progress=progress("record")
    )
    sets = Sets(records, base=base, encoder=encoder)
    typer.echo(str(run(sets, features, out, settings, _tell)))


@train_app.command("memory", short_help="What a recipe needs of a GPU's memory.")
def train_memory(
    recipe: Annotated[str, typer.Option(help="Recipe that ships, or a TOML file.")],
    config: Annotated[
        Path | None,
        typer.Option(help="config.json of a language model; one of 8 B weights by default."),
    ] = None,
    processes: Annotated[int, typer.Option(help="GPUs that FSDP cuts it over.", min=1)] = 1,
) -> None:
    """Count the memory that stage sft needs on each GPU, from the sizes alone.

    \b
    ecgllm train memory --recipe sft-24gb
    ecgllm train memory --recipe sft-80gb --processes 8 \f
    """
    from ecg_llm.training.language_memory import memory, read_sizes
    from ecg_llm.training.language_recipe import load_language_recipe

    text = None if config is None else read_sizes(config)
    typer.echo(memory(load_language_recipe(recipe, "sft"), text, processes=processes).render())


def adapt(
    examples: Annotated[Path, typer.Option(help="JSON lines: ecg (file), question, answer.")],
    out: Annotated[Path, typer.Option(help="Folder for the adapted checkpoint.")],
    base: Annotated[
        Path | None, typer.Option(help="Checkpoint to begin with; the bundled one by default.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Of the optimiser.", min=1)] = 60,
) -> None:
    """Teach the fusion part a new kind of question from 5 to 50 examples, in minutes.

    \b
    ecgllm adapt --examples few.jsonl --out adapted
    ecgllm ask rec.hea "the new question" --model adapted

    What it answers is a draft like any other: ask shows of it what the record bears out, and
    docs/model.md how to read the draft itself. \f
    """
    from ecg_llm.lm import MINI
    from ecg_llm.training.few_shot import adapt_files

    typer.echo(str(adapt_files(base or MINI, examples, out, steps=steps, tell=_tell)))


@eval_app.command("few-shot", short_help="5-way 5-shot: new questions from a few examples.")
def eval_few_shot(
    base: Annotated[Path, typer.Option(help="Checkpoint to adapt.")],
    records: Records,
    talks: Annotated[Path, typer.Option(help="Conversations on that set (build instruct).")],
    features: Annotated[Path, typer.Option(help="Features of the records, kept in this NPZ file.")],
    encoder: Encoder = None,
    episodes: Annotated[int, typer.Option(help="Of each kind of question.", min=1)] = 4,
    json_: Json = False,
) -> None:
    """Adapt the fusion part to 25 examples and ask 25 questions, on records nothing saw.

    \b
    ecgllm eval few-shot --base runs/sft/model --records sets/ptbxl --talks sets/talk \\
        --features runs/sft/features.npz \f
    """
    from ecg_llm.eval.few_shot import evaluate
    from ecg_llm.training.language_features import encode_for

    known = encode_for(base, records, features, encoder=encoder, progress=progress("record"))
    show(evaluate(base, talks, known, episodes=episodes, progress=progress("episode")), json_)
