"""The commands that check and rebuild the program itself: eval, bench, train."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

import typer

from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

eval_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Measure accuracy against cardiologists' marks and statements.",
)
bench_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure speed beside other software."
)
train_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train the small models that the program ships, from open data.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class Result(Protocol):
    """What an evaluation or a benchmark gives: a frozen dataclass that can show itself."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def render(self) -> str:
        """Give the result as text."""


def _print(result: Result, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(result), ensure_ascii=False))
    else:
        typer.echo(result.render())


def _progress(what: str) -> Callable[[int, int], None]:
    """Count on stderr while a person is watching."""

    def step(done: int, total: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{what} {done}/{total}", err=True, nl=done == total)

    return step


def _folder(data: Path, what: str) -> Path:
    if not data.is_dir():
        raise ConfigError(f"--data {data}: no such folder; give the folder of {what}.")
    return data


@eval_app.command("delineation", short_help="Intervals and boundaries against LUDB's marks.")
def eval_delineation(
    data: Annotated[Path, typer.Option(help="LUDB folder: ludb.csv and data/.")],
    folds: Annotated[
        Path | None,
        typer.Option(
            help="Folder of fold0.onnx … from train delineator --folds: each record is then read "
            "by the net that did not see it.",
        ),
    ] = None,
    neurokit: Annotated[
        bool, typer.Option("--neurokit/--no-neurokit", help="Measure neurokit2 beside it.")
    ] = True,
    json_: Json = False,
) -> None:
    """Compare the delineator with cardiologists' marks: intervals, boundaries, heart rate.

    \b
    ecgllm eval delineation --data ludb/
    ecgllm eval delineation --data ludb/ --folds runs/delineator --no-neurokit \f
    """
    from ecg_llm.eval.delineation import evaluate

    result = evaluate(
        _folder(data, "LUDB"), folds=folds, with_neurokit=neurokit, progress=_progress("record")
    )
    _print(result, json_)


@eval_app.command("quality", short_help="The quality gate against CinC 2011's marks.")
def eval_quality(
    data: Annotated[Path, typer.Option(help="CinC 2011 set a folder, with quality.csv.")],
    seed: Annotated[int, typer.Option(help="Of the dealing into folds.")] = 0,
    json_: Json = False,
) -> None:
    """Compare the quality gate with experts' marks, each record judged by trees that never saw it.

    \b
    ecgllm eval quality --data challenge2011_set_a/ \f
    """
    from ecg_llm.eval.quality import evaluate

    data = _folder(data, "the CinC 2011 challenge, set a")
    _print(evaluate(data, seed=seed, progress=_progress("step")), json_)


@eval_app.command("electrodes", short_help="Suspected reversals on exchanged PTB-XL records.")
def eval_electrodes(
    data: Annotated[Path, typer.Option(help="PTB-XL folder: ptbxl_database.csv and records.")],
    json_: Json = False,
) -> None:
    """Exchange electrodes of records no fitting saw, and count which exchanges are suspected.

    \b
    ecgllm eval electrodes --data ptbxl/ \f
    """
    from ecg_llm.eval.electrodes import evaluate

    _print(evaluate(_folder(data, "PTB-XL"), progress=_progress("record")), json_)


@eval_app.command("simulation", short_help="The simulator against real ECGs.")
def eval_simulation(
    data: Annotated[Path, typer.Option(help="PTB-XL folder with records at 500 Hz.")],
    n: Annotated[int, typer.Option(help="Simulated records.", min=1)] = 200,
    json_: Json = False,
) -> None:
    """Compare the voltages of simulated healthy ECGs with those of PTB-XL's normal ones.

    \b
    ecgllm eval simulation --data ptbxl/ \f
    """
    from ecg_llm.eval.simulation import compare

    _print(compare(_folder(data, "PTB-XL"), n=n), json_)


@eval_app.command("findings", short_help="Statements against PTB-XL's.")
def eval_findings(
    data: Annotated[Path, typer.Option(help="PTB-XL folder: ptbxl_database.csv and records.")],
    folds: Annotated[
        str, typer.Option(help="Folds, joined by commas; limits were chosen on 1 to 8.")
    ] = "9",
    fs: Annotated[int, typer.Option(help="100 or 500: which version of the records.")] = 100,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table for the documentation.")
    ] = False,
    json_: Json = False,
) -> None:
    """Compare the findings with PTB-XL's statements: sensitivity, specificity, PPV.

    \b
    ecgllm eval findings --data ptbxl/
    ecgllm eval findings --data ptbxl/ --folds 9,10 --fs 500 --json
    ecgllm eval findings --data ptbxl/ --markdown \f
    """
    from ecg_llm.eval.findings import evaluate

    if fs not in (100, 500):
        raise ConfigError(f"--fs {fs}: PTB-XL has its records at 100 and at 500 Hz.")
    try:
        chosen = tuple(int(fold) for fold in folds.split(","))
    except ValueError:
        raise ConfigError(f"--folds {folds!r}: write them as 9 or 1,2,3.") from None
    result = evaluate(_folder(data, "PTB-XL"), folds=chosen, fs=fs, progress=_progress("record"))
    if markdown:
        typer.echo(result.markdown())
    else:
        _print(result, json_)


@bench_app.command("measure", short_help="The measuring lane beside neurokit2.")
def bench_measure(
    record: Annotated[
        Path | None, typer.Option(help="An ECG; by default a simulated one of 10 s at 500 Hz.")
    ] = None,
    json_: Json = False,
) -> None:
    """Time quality, delineation and measurements beside neurokit2, in one run.

    \b
    ecgllm bench measure
    ecgllm bench measure --record rec.hea --json \f
    """
    from ecg_llm.eval.bench import bench_measure as bench

    if record is None:
        from ecg_llm.data_builders.synthetic import synthetic_ecg

        chosen = synthetic_ecg(seed=1).record
    else:
        from ecg_llm.io import read_record

        chosen = read_record(record)
    _print(bench(chosen), json_)


@bench_app.command("page", short_help="Page drawing beside matplotlib.")
def bench_page(
    dpi: Annotated[float, typer.Option(help="Resolution.", min=36, max=600)] = 200,
    json_: Json = False,
) -> None:
    """Time the page image beside a matplotlib page of the same content, in one run.

    \b
    ecgllm bench page
    ecgllm bench page --dpi 300 \f
    """
    from ecg_llm.eval.bench_page import bench_page as bench

    _print(bench(dpi=dpi), json_)


@bench_app.command("instruct", short_help="Writing conversations.")
def bench_instruct(
    shards: Annotated[
        Path, typer.Argument(metavar="SHARDS", help="A built set of records.", show_default=False)
    ],
    limit: Annotated[int, typer.Option(help="How many records.", min=1)] = 100,
    json_: Json = False,
) -> None:
    """Time the writing and checking of conversations on one core.

    \b
    ecgllm bench instruct sets/ptbxl
    ecgllm bench instruct sets/ptbxl --limit 1000 --json \f
    """
    from ecg_llm.eval.bench_instruct import bench_instruct as bench

    _print(bench(_folder(shards, "a built set"), limit=limit), json_)


@bench_app.command("build", short_help="Building data sets.")
def bench_build(
    data: Annotated[
        Path | None, typer.Option(help="PTB-XL folder; simulated records if left out.")
    ] = None,
    n: Annotated[int, typer.Option(help="How many records.", min=1)] = 64,
    json_: Json = False,
) -> None:
    """Time the building of records, and extrapolate to 800,000 of them on 16 cores.

    \b
    ecgllm bench build
    ecgllm bench build --data ptb-xl/ --n 200 \f
    """
    from ecg_llm.eval.bench_build import bench_build as bench

    _print(bench(None if data is None else _folder(data, "PTB-XL"), n=n), json_)


@bench_app.command("images", short_help="Page images a second, beside matplotlib.")
def bench_images(
    pages: Annotated[int, typer.Option(help="Pages of each kind and size.", min=1)] = 40,
    json_: Json = False,
) -> None:
    """Time printed and photographed pages, encoding counted, beside a matplotlib page, in one run.

    \b
    ecgllm bench images
    ecgllm bench images --pages 200 --json \f
    """
    from ecg_llm.eval.bench_images import bench_images as bench

    _print(bench(pages=pages), json_)


@train_app.command("delineator", short_help="Train the delineator on LUDB.")
def train_delineator(
    data: Annotated[Path, typer.Option(help="LUDB folder: ludb.csv and data/.")],
    out: Annotated[Path, typer.Option(help="Folder for weights, cards and checkpoints.")],
    folds: Annotated[
        int, typer.Option(help="0 to train on all records, k for cross-validation.", min=0)
    ] = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of each of the two nets.", min=1)] = None,
) -> None:
    """Train the delineator from cardiologists' marks and simulated beats; resumes if stopped.

    \b
    ecgllm train delineator --data ludb/ --out runs/delineator
    ecgllm train delineator --data ludb/ --out runs/delineator --folds 3 \f
    """
    from ecg_llm.training.delineator import DelineatorRecipe, train

    recipe = DelineatorRecipe()
    if steps is not None:
        recipe = DelineatorRecipe(
            dataclasses.replace(recipe.strips, steps=steps),
            dataclasses.replace(recipe.beats, steps=steps),
        )
    out.mkdir(parents=True, exist_ok=True)

    def on_step(name: str, step: int, total: int, loss: float) -> None:
        if (step + 1) % 50 == 0 or step + 1 == total:
            typer.echo(f"{name} step {step + 1}/{total} loss {loss:.4f}", err=True)

    for path in train(
        _folder(data, "LUDB"),
        out,
        recipe=recipe,
        folds=folds,
        on_step=on_step,
    ):
        typer.echo(str(path))


@train_app.command("quality", short_help="Fit the quality gate on CinC 2011 and PTB-XL.")
def train_quality(
    data: Annotated[Path, typer.Option(help="Folder with challenge2011_set_a/ and ptbxl/.")],
    out: Annotated[Path, typer.Option(help="File to write, such as quality.npz.")],
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
) -> None:
    """Fit the quality gate to experts' marks, and the detectors of exchanged electrodes.

    \b
    ecgllm train quality --data data/ --out quality.npz \f
    """
    from ecg_llm.training.quality_gate import train

    train(_folder(data, "the open data sets"), out, seed=seed, progress=_progress("record"))
    typer.echo(str(out))


@train_app.command("rhythm", short_help="Fit the probability of atrial fibrillation on PTB-XL.")
def train_rhythm(
    data: Annotated[Path, typer.Option(help="PTB-XL folder: ptbxl_database.csv and records.")],
    out: Annotated[Path, typer.Option(help="Folder for rhythm.json.")],
    seed: Annotated[int, typer.Option(help="Of the solver.")] = 0,
) -> None:
    """Fit the probability of atrial fibrillation to the statements of folds 1 to 8.

    \b
    ecgllm train rhythm --data ptbxl/ --out runs/rhythm \f
    """
    from ecg_llm.training.rhythm import train

    train(_folder(data, "PTB-XL"), out, seed=seed, progress=_progress("record"))
    typer.echo(str(out / "rhythm.json"))
