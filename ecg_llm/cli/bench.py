"""The commands that measure speed: bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecg_llm.cli.figures import (
    Json,
    folder,
    show,
)
from ecg_llm.errors import ConfigError

bench_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure speed beside other software."
)


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
    from ecg_llm.eval.bench_measure import bench_measure as bench

    if record is None:
        from ecg_llm.data_builders.synthetic import synthetic_ecg

        chosen = synthetic_ecg(seed=1).record
    else:
        from ecg_llm.io import read_record

        chosen = read_record(record)
    show(bench(chosen), json_)


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

    show(bench(dpi=dpi), json_)


@bench_app.command("encoder", short_help="Records to tokens beside PyTorch.")
def bench_encoder(
    batch: Annotated[int, typer.Option(help="Records of the large batch.", min=16)] = 256,
    json_: Json = False,
) -> None:
    """Time the signal encoder beside PyTorch running the same net, in one run.

    \b
    ecgllm bench encoder
    ecgllm bench encoder --batch 1024 --json \f
    """
    from ecg_llm.eval.bench_encoder import bench_encoder as bench

    show(bench(batch=batch), json_)


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
    from ecg_llm.eval.bench_sets import bench_instruct as bench

    show(bench(folder(shards, "a built set"), limit=limit), json_)


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
    from ecg_llm.eval.bench_sets import bench_build as bench

    show(bench(None if data is None else folder(data, "PTB-XL"), n=n), json_)


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

    show(bench(pages=pages), json_)


@bench_app.command("serve", short_help="A server under load.")
def bench_serve(
    clients: Annotated[int, typer.Option(min=1, max=256, help="Requests at one time.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long.")] = 300,
    chat_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of questions; the others ask for reports.")
    ] = 0.25,
    model: Annotated[str | None, typer.Option(help="As for serve.")] = None,
    engine: Annotated[str, typer.Option(help="As for serve.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="As for serve.")] = None,
    queue: Annotated[int, typer.Option(min=1, help="As for serve.")] = 64,
    json_: Json = False,
) -> None:
    """Start a server on this machine's loopback and ask it from many clients at once.

    Every request brings an ECG of its own. Exit code 1 if any answer was neither good nor a full
    queue's (429).

    \b
    ecgllm bench serve
    ecgllm bench serve --clients 8 --seconds 30 --engine none \f
    """
    from ecg_llm.serving.bench import bench_serve as bench

    result = bench(
        clients=clients,
        seconds=seconds,
        chat_share=chat_share,
        model=model,
        engine=engine,
        workers=workers,
        queue=queue,
    )
    show(result, json_)
    if result.errors:
        raise typer.Exit(1)


@bench_app.command("engines", short_help="Engines on the same model.")
def bench_engines(
    model: Annotated[
        str | None, typer.Option(help="Checkpoint; by default the bundled one.")
    ] = None,
    engines: Annotated[
        str,
        typer.Option(
            help="Of plain (transformers, one answer after the other), transformers, vllm, onnx, "
            "joined by commas; the others stand beside the first."
        ),
    ] = "plain,transformers,vllm",
    concurrent: Annotated[
        str, typer.Option(help="Requests at one time, joined by commas.")
    ] = "1,8,32",
    max_new_tokens: Annotated[int, typer.Option(min=1, max=1024, help="Longest answer.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Answers of each asker.")] = 8,
    ecgs: Annotated[
        int,
        typer.Option(
            min=1, max=2560, help="Different ECGs; vLLM reads a prompt that comes again only once."
        ),
    ] = 8,
    json_: Json = False,
) -> None:
    """Time engines on the same model and prompts, in one run, one after the other.

    \b
    ecgllm bench engines
    ecgllm bench engines --model runs/base --concurrent 1,32 \f
    """
    from ecg_llm.serving.bench_engines import bench_engines as bench

    names = [name.strip() for name in engines.split(",")]
    if unknown := set(names) - {"plain", "transformers", "vllm", "onnx"}:
        raise ConfigError(f"--engines: there is no engine {', '.join(sorted(unknown))}.")
    try:
        numbers = [int(number) for number in concurrent.split(",")]
    except ValueError:
        raise ConfigError(f"--concurrent {concurrent!r}: write it as 1,8,32.") from None
    result = bench(
        model=model,
        engines=names,
        concurrent=numbers,
        max_new_tokens=max_new_tokens,
        rounds=rounds,
        ecgs=ecgs,
    )
    show(result, json_)
