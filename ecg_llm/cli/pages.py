"""The commands that train the reader of page images and measure it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ecg_llm.cli.figures import (
    Folds,
    Json,
    PtbXl,
    Steps,
    folder,
    judging_folds,
    made,
    progress,
    show,
)
from ecg_llm.errors import ConfigError


def train_pages(
    data: PtbXl,
    out: Annotated[Path, typer.Option(help="Folder for weights, card, checkpoint and pages.")],
    pages: Annotated[int | None, typer.Option(help="Pages to draw.", min=1)] = None,
    steps: Steps = None,
    seed: Annotated[int | None, typer.Option(help="Of pages, weights and crops.")] = None,
) -> None:
    """Draw pages of PTB-XL's folds 1 to 8 and train the page net on them; resumes if stopped.

    \b
    ecgllm train pages --data ptbxl/ --out runs/pages
    ecgllm train pages --data ptbxl/ --out runs/pages --pages 500 --steps 300 \f
    """
    from ecg_llm.training.pages import PageRecipe, train

    given: dict[str, Any] = {"pages": pages, "steps": steps, "seed": seed}
    recipe = dataclasses.replace(
        PageRecipe(), **{name: value for name, value in given.items() if value is not None}
    )
    made(out)

    def on_step(step: int, total: int, loss: float) -> None:
        if (step + 1) % 50 == 0 or step + 1 == total:
            typer.echo(f"step {step + 1}/{total} loss {loss:.3f}", err=True)

    written = train(
        folder(data, "PTB-XL"), out, recipe=recipe, on_page=progress("page"), on_step=on_step
    )
    typer.echo(str(written))


def train_page_criteria(
    data: PtbXl,
    out: Annotated[Path, typer.Option(help="Folder for page_criteria.json and what was read.")],
    simulated: Annotated[
        int | None, typer.Option(help="Simulated patients beside PTB-XL's.", min=1)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Use so many records only.", min=2)] = None,
    seed: Annotated[int | None, typer.Option(help="Of the pages.")] = None,
) -> None:
    """Fit how far a page can be trusted, on pages whose recordings are known; resumes.

    \b
    ecgllm train page-criteria --data ptbxl/ --out runs/page-criteria \f
    """
    from ecg_llm.training.page_criteria import PageCriteriaRecipe
    from ecg_llm.training.page_criteria import train_page_criteria as train

    given: dict[str, Any] = {"simulated": simulated, "seed": seed}
    recipe = dataclasses.replace(
        PageCriteriaRecipe(), **{name: value for name, value in given.items() if value is not None}
    )
    written = train(
        folder(data, "PTB-XL"), made(out), recipe=recipe, limit=limit, progress=progress("page")
    )
    for sign, values in written["trust"].items():
        typer.echo(f"{sign}: {values}")


def eval_page_criteria(
    data: PtbXl,
    folds: Folds = None,
    simulated: Annotated[
        int, typer.Option(help="Simulated patients beside PTB-XL's.", min=0)
    ] = 300,
    limit: Annotated[int | None, typer.Option(help="Use so many records only.", min=2)] = None,
    seed: Annotated[int, typer.Option(help="Of the pages.")] = 0,
    json_: Json = False,
) -> None:
    """Print recordings as pages, and compare what alarms on both.

    \b
    ecgllm eval page-criteria --data ptbxl/
    ecgllm eval page-criteria --data ptbxl/ --limit 40 --simulated 40 --json \f
    """
    from ecg_llm.eval.page_criteria import evaluate

    result = evaluate(
        folder(data, "PTB-XL"),
        folds=judging_folds(folds, data),
        simulated=simulated,
        limit=limit,
        seed=seed,
        progress=progress("recording"),
    )
    show(result, json_)


def eval_pages(
    data: PtbXl,
    folds: Folds = None,
    photographs: Annotated[
        bool, typer.Option("--photographs", help="Photograph, scan or fax the pages first.")
    ] = False,
    standard: Annotated[
        bool, typer.Option("--standard", help="Pages as `ecgllm show` draws them, all alike.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Use so many records only.", min=2)] = None,
    size: Annotated[
        int, typer.Option(help="Long side of the pages in pixels, about.", min=700, max=3000)
    ] = 1400,
    seed: Annotated[int, typer.Option(help="Of the pages.")] = 0,
    json_: Json = False,
) -> None:
    """Print records as pages, read them back, and compare: tracings, and the classifier's AUC.

    \b
    ecgllm eval pages --data ptbxl/
    ecgllm eval pages --data ptbxl/ --standard
    ecgllm eval pages --data ptbxl/ --photographs --limit 100 --json \f
    """
    from ecg_llm.eval.pages import evaluate

    if standard and photographs:
        raise ConfigError("--standard and --photographs exclude each other.")
    result = evaluate(
        folder(data, "PTB-XL"),
        folds=judging_folds(folds, data),
        photographs=photographs,
        standard=standard,
        limit=limit,
        size_px=size,
        seed=seed,
        progress=progress("page") if sys.stderr.isatty() else None,
    )
    show(result, json_)
