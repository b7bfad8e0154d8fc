"""The commands that train the encoder and its head."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from ecg_llm.cli.figures import Steps, folder, progress

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
    packed: Packed = None,
    workers: Annotated[int, typer.Option(help="Processes that pack the data.", min=1)] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in OUT.")
    ] = False,
) -> None:
    """Train the signal encoder; on many GPUs start it with accelerate launch.

    \b
    ecgllm train encoder --recipe supervised --data data/ --out runs/encoder
    ecgllm train encoder --recipe latent --data data/ --out runs/latent --steps 2000
    ecgllm train encoder --recipe page --data data/ --out runs/page --images sets/pages
    ecgllm train encoder --recipe full --data data/ --out runs/large --size large --resume
    accelerate launch -m ecg_llm.cli train encoder --recipe full --data data/ --out runs/full \f
    """
    from ecg_llm.training.encoder import train_encoder as train
    from ecg_llm.training.recipe import load_recipe

    chosen = load_recipe(recipe, size=size, start=start, steps=steps, batch=batch, seed=seed)
    if images is not None:
        options = {**chosen.options, "images": str(folder(images, "the page images"))}
        chosen = dataclasses.replace(chosen, options=options)

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
        resume=resume,
        report=report,
        pack_progress=progress("record"),
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
    from ecg_llm.training.pack import load_pack

    folder = packed or encoder / "packed"
    pack = load_pack(folder)
    features = measured_features(
        folder(data, "the data sets"),
        folder,
        pack,
        workers=workers,
        progress=progress("record"),
    )
    figures = train(
        pack,
        features,
        encoder,
        out,
        blind=blind,
        recipe=HeadRecipe(seed=seed),
        progress=lambda text: typer.echo(text, err=True),
    )
    for name, value in figures.items():
        typer.echo(f"{name}: {value:.3f}")
