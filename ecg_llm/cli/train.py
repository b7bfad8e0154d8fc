"""The commands that train what ships: train."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from ecg_llm.cli.figures import (
    Ludb,
    PtbXl,
    Seed,
    Steps,
    folder,
    made,
    progress,
    read_folds,
)

train_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train the small models that the program ships, from open data.",
)


@train_app.command("delineator", short_help="Train the delineator on LUDB.")
def train_delineator(
    data: Ludb,
    out: Annotated[Path, typer.Option(help="Folder for weights, cards and checkpoints.")],
    unmarked: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of records without marks, such as PTB-XL; may be given again."),
    ] = None,
    folds: Annotated[
        int, typer.Option(help="0 for one net on all records, k for cross-validation.", min=0)
    ] = 0,
    steps: Steps = None,
) -> None:
    """Train the delineator from cardiologists' marks and simulated beats; resumes if stopped.

    Records without marks are read by four nets of the marks first; the net that ships learns from
    what they say.

    \b
    ecgllm train delineator --data ludb/ --unmarked ptbxl/ --out runs/delineator
    ecgllm train delineator --data ludb/ --unmarked ptbxl/ --out runs/folds --folds 3 \f
    """
    from ecg_llm.training.delineator import train
    from ecg_llm.training.delineator_recipe import DelineatorRecipe

    recipe = DelineatorRecipe()
    if steps is not None:
        student = dataclasses.replace(recipe.student, steps=steps)
        recipe = dataclasses.replace(recipe, student=student)
    made(out)

    def on_step(name: str, step: int, total: int, loss: float) -> None:
        if (step + 1) % 50 == 0 or step + 1 == total:
            typer.echo(f"{name} step {step + 1}/{total} loss {loss:.4f}", err=True)

    for path in train(
        folder(data, "LUDB"),
        out,
        unmarked=[folder(path, "the records without marks") for path in unmarked or ()],
        recipe=recipe,
        folds=folds,
        on_step=on_step,
    ):
        typer.echo(str(path))


@train_app.command("quality", short_help="Fit the quality gate on CinC 2011 and PTB-XL.")
def train_quality(
    data: Annotated[Path, typer.Option(help="Folder with challenge2011_set_a/ and ptbxl/.")],
    out: Annotated[Path, typer.Option(help="File to write, such as quality.npz.")],
    seed: Seed = 0,
) -> None:
    """Fit the quality gate to experts' marks, and the detectors of exchanged electrodes.

    \b
    ecgllm train quality --data data/ --out quality.npz \f
    """
    from ecg_llm.training.quality_gate import train

    made(out.parent)
    train(folder(data, "the open data sets"), out, seed=seed, progress=progress("record"))
    typer.echo(str(out))


@train_app.command("noise", short_help="Fit the kinds of noise on PTB-XL and ECG-QA.")
def train_noise(
    data: PtbXl,
    items: Annotated[Path, typer.Option(help="ECG-QA's single-verify questions, JSON.")],
    out: Annotated[Path, typer.Option(help="File to write, such as signal_noise.npz.")],
    zscored: Annotated[
        Path | None,
        typer.Option(
            help="Further PTB-XL records, each lead of unit variance: ptbxl_database.csv and "
            "signals_*.npy, int16, thousandths, 100 Hz."
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Fit the kinds of noise that annotators remark, on folds 1 to 8, and print the agreement.

    \b
    ecgllm train noise --data ptbxl/ --items ptbxl_single_verify.json --out signal_noise.npz \f
    """
    from ecg_llm.training.noise import train

    made(out.parent)
    card = train(
        folder(data, "PTB-XL"),
        items,
        out,
        zscored=zscored,
        seed=seed,
        progress=progress("record"),
        tell=lambda line: typer.echo(line, err=True),
    )
    typer.echo(json.dumps(card, indent=2))


@train_app.command("rhythm", short_help="Fit the probability of atrial fibrillation on PTB-XL.")
def train_rhythm(
    data: PtbXl,
    out: Annotated[Path, typer.Option(help="Folder for rhythm.json.")],
    seed: Annotated[int, typer.Option(help="Of the solver.")] = 0,
) -> None:
    """Fit the probability of atrial fibrillation to the statements of folds 1 to 8.

    \b
    ecgllm train rhythm --data ptbxl/ --out runs/rhythm \f
    """
    from ecg_llm.training.rhythm import train

    train(folder(data, "PTB-XL"), made(out), seed=seed, progress=progress("record"))
    typer.echo(str(out / "rhythm.json"))


@train_app.command("text", short_help="Align the text tower with the signal encoder on PTB-XL.")
def train_text(
    data: PtbXl,
    out: Annotated[Path, typer.Option(help="Folder for text.npz, its card and cases.npz.")],
    steps: Steps = None,
    withhold: Annotated[
        str | None,
        typer.Option(
            help="Statements that no text of the training may name, joined by commas: what is "
            "found of them on fold 9 is truly zero-shot. Writes nothing."
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train the text tower: statements in many wordings beside the encoder's record vectors.

    \b
    ecgllm train text --data ptbxl/ --out runs/text
    ecgllm train text --data ptbxl/ --out runs/text --withhold CLBBB,AFIB,LVH,IMI \f
    """
    from ecg_llm.training.text import TextRecipe
    from ecg_llm.training.text import train_text as train

    recipe = TextRecipe(seed=seed) if steps is None else TextRecipe(seed=seed, steps=steps)

    def on_step(step: int, total: int, loss: float) -> None:
        if step % 100 == 0 or step == total:
            typer.echo(f"step {step}/{total} loss {loss:.4f}", err=True)

    figures = train(
        folder(data, "PTB-XL"),
        out if withhold else made(out),
        recipe=recipe,
        withheld=tuple(key.strip() for key in withhold.split(",")) if withhold else (),
        progress=progress("record"),
        on_step=on_step,
    )
    for name, value in figures.items():
        typer.echo(f"{name}: AUC {value:.3f}")


@train_app.command("probabilities", short_help="Fit the probabilities of findings on PTB-XL.")
def train_probabilities(
    data: PtbXl,
    blind: Annotated[
        Path,
        typer.Option(
            help="Folder of an encoder trained like the bundled one, but without --folds."
        ),
    ],
    head: Annotated[
        Path, typer.Option(help="Folder that train head --blind wrote with that encoder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for probabilities.json.")],
    folds: Annotated[str, typer.Option(help="Folds that the fit uses, joined by commas.")] = "7,8",
) -> None:
    """Fit what joins the trained head with the criteria, and the thresholds of every finding.

    \b
    ecgllm train probabilities --data ptbxl/ --blind runs/blind --head runs/head --out runs/p \f
    """
    from ecg_llm.training.probabilities import train_probabilities as train

    figures = train(
        folder(data, "PTB-XL"),
        made(out),
        blind=folder(blind, "an encoder that has not seen the folds"),
        head=folder(head, "its head"),
        folds=read_folds(folds),
        progress=progress("record"),
    )
    for name, value in figures.items():
        typer.echo(f"{name}: {value:.3f}")


Data = Annotated[
    Path,
    typer.Option(
        help="Folder with any of ptbxl/, ptbxl_zscored/, challenge2011_set_a/ and sets made by "
        "`ecgllm build`."
    ),
]
Packed = Annotated[
    Path | None,
    typer.Option(help="Folder of the packed data, made if it is not there; packed/ in OUT."),
]


def train_encoder(
    recipe: Annotated[
        str,
        typer.Option(
            help="supervised, latent, masked, contrast, adapt, page, full, or the path of a TOML "
            "file."
        ),
    ],
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for weights, card, curve and checkpoint.")],
    size: Annotated[str | None, typer.Option(help="mini, small, base or large.")] = None,
    steps: Steps = None,
    batch: Annotated[int | None, typer.Option(help="Records a step.", min=2)] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights and batches.")] = None,
    start: Annotated[
        str | None, typer.Option(help="Folder of a trained encoder to begin with, or bundled.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="For page: a set of page images that `ecgllm build images` made of the records; "
            "pages are drawn if left out."
        ),
    ] = None,
    simulated: Annotated[
        int | None,
        typer.Option(help="Simulated records beside the others; 4000 in most recipes.", min=0),
    ] = None,
    packed: Packed = None,
    workers: Annotated[int, typer.Option(help="Processes that pack the data.", min=1)] = 1,
) -> None:
    """Train the signal encoder; resumes if stopped. On many GPUs start it with accelerate launch.

    \b
    ecgllm train encoder --recipe supervised --data data/ --out runs/encoder
    ecgllm train encoder --recipe latent --data data/ --out runs/latent --steps 2000
    ecgllm train encoder --recipe page --data data/ --out runs/page --images sets/pages
    ecgllm train encoder --recipe full --data data/ --out runs/large --size large
    accelerate launch -m ecg_llm.cli train encoder --recipe full --data data/ --out runs/full \f
    """
    from ecg_llm.training.encoder import train_encoder as train
    from ecg_llm.training.recipe import load_recipe

    chosen = load_recipe(recipe, size=size, start=start, steps=steps, batch=batch, seed=seed)
    if images is not None:
        options = {**chosen.options, "images": str(folder(images, "the page images"))}
        chosen = dataclasses.replace(chosen, options=options)

    if simulated is not None:
        drawn = dataclasses.replace(chosen.data, simulated=simulated)
        chosen = dataclasses.replace(chosen, data=drawn)

    def report(stage: str, step: int, total: int, logs: dict[str, float]) -> None:
        judged = any("AUC" in key for key in logs)
        if step % 50 == 0 or step == total or judged:
            shown = ", ".join(f"{k} {v:.4f}" for k, v in logs.items() if k != "step")
            typer.echo(f"{stage} {step}/{total}: {shown}", err=True)

    train(
        chosen,
        folder(data, "the data sets"),
        out,
        packed=packed,
        workers=workers,
        report=report,
        pack_progress=progress("record"),
        tell=lambda line: typer.echo(line, err=True),
    )
    name = "page_encoder" if chosen.objective == "page" else "signal_encoder"
    typer.echo(str(out / f"{name}.safetensors"))


def train_head(
    data: Data,
    encoder: Annotated[Path, typer.Option(help="Folder that train encoder wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for signal_head.npz and its card.")],
    blind: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an encoder trained alike without folds 7 and 8, on which the join is "
            "fitted; the encoder itself if left out."
        ),
    ] = None,
    packed: Packed = None,
    workers: Annotated[int, typer.Option(help="Processes that measure.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
) -> None:
    """Fit the head that joins encoder and measurements, and judge it on fold 9.

    \b
    ecgllm train head --data data/ --encoder runs/encoder --blind runs/blind --out runs/head \f
    """
    from ecg_llm.training.head import HeadRecipe
    from ecg_llm.training.head import train_head as train
    from ecg_llm.training.measured import measured_features
    from ecg_llm.training.pack import STAMP, packed_at

    data = folder(data, "the data sets")
    made(out)
    beside = encoder / "packed"
    where = packed or (beside if (beside / STAMP).is_file() else out / "packed")
    records = packed_at(data, where, workers=workers, progress=progress("record"))
    features = measured_features(
        data,
        where,
        records,
        workers=workers,
        progress=progress("record"),
    )
    figures = train(
        records,
        features,
        encoder,
        out,
        blind=blind,
        recipe=HeadRecipe(seed=seed),
        progress=lambda text: typer.echo(text, err=True),
    )
    for name, value in figures.items():
        typer.echo(f"{name}: {value:.3f}")
