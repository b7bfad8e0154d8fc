"""The commands that build data sets: build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.data_builders.listing import Listed, Product

build_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Build data sets for training and evaluation.",
)


Out = Annotated[Path, typer.Option(help="Folder of the set; a stopped build goes on there.")]
Engine = Literal["local", "ray"]
EngineChoice = Annotated[
    Engine,
    typer.Option(
        help="local: processes of this machine. ray: the cluster that RAY_ADDRESS names, or one "
        "started here; all its machines must see the folders. The set is the same."
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Processes, each making a shard; by default one a core.", min=1)
]
Limit = Annotated[
    int | None, typer.Option(help="Only the first so many records of the list.", min=1)
]
OverwriteSet = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Remove what was built there, finished shards too, and begin anew."
    ),
]


@build_app.command("ptbxl", short_help="From PTB-XL.")
def build_ptbxl(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="PTB-XL as published.", show_default=False)
    ],
    out: Out,
    fs: Annotated[Literal["100", "500"], typer.Option(help="Sampling rate in Hz.")] = "500",
    engine: EngineChoice = "local",
    workers: Workers = None,
    limit: Limit = None,
    overwrite: OverwriteSet = False,
) -> None:
    """Bring PTB-XL into shards: signals, quality, measurements, findings, labels, reports.

    Folds 1 to 8 train, 9 validates, 10 tests. Records that cannot be used are counted and listed
    in problems.jsonl.

    \b
    ecgllm build ptbxl ptb-xl/ --out sets/ptbxl
    ecgllm build ptbxl ptb-xl/ --out sets/trial --fs 100 --limit 200 \f
    """
    from ecg_llm.data_builders.ptbxl import PTBXL

    _run(PTBXL(_source_folder(folder), int(fs)), out, engine, workers, limit, overwrite)


@build_app.command("mimic-iv-ecg", short_help="From MIMIC-IV-ECG.")
def build_mimic_iv_ecg(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="MIMIC-IV-ECG as published.", show_default=False)
    ],
    out: Out,
    engine: EngineChoice = "local",
    workers: Workers = None,
    limit: Limit = None,
    overwrite: OverwriteSet = False,
) -> None:
    """Bring MIMIC-IV-ECG into shards, with the machine's report and measurements.

    Patients are split 80 : 10 : 10. Records that cannot be used are counted and listed in
    problems.jsonl.

    \b
    ecgllm build mimic-iv-ecg mimic-iv-ecg/ --out sets/mimic
    RAY_ADDRESS=head:6379 ecgllm build mimic-iv-ecg mimic-iv-ecg/ --out sets/mimic --engine ray \f
    """
    from ecg_llm.data_builders.mimic_iv_ecg import MIMICIVECG

    _run(MIMICIVECG(_source_folder(folder)), out, engine, workers, limit, overwrite)


@build_app.command("own", short_help="From ECGs of your own.")
def build_own(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="ECGs of any format, and statements.csv.", show_default=False
        ),
    ],
    out: Out,
    licence: Annotated[str, typer.Option(help="Of the records, for the card.")] = "not stated",
    engine: EngineChoice = "local",
    workers: Workers = None,
    limit: Limit = None,
    overwrite: OverwriteSet = False,
) -> None:
    """Bring ECGs of your own into shards, with what you know of them.

    statements.csv in the folder has the column record (the file, by its path in the folder) and, as
    you like, statements (codes of PTB-XL, a blank between), patient, split (train, val, test), age,
    sex and report. Without split, patients (records, where none is named) are split 80 : 10 : 10.
    What cannot be used is counted and listed in problems.jsonl.

    \b
    ecgllm build own ward/ --out sets/ward
    ecgllm build own ward/ --out sets/ward --licence "CC BY 4.0" \f
    """
    from ecg_llm.data_builders.own_records import OwnRecords

    if not folder.is_dir():
        raise ConfigError(f"{folder}: no folder is there; give one that holds ECGs.")
    _run(OwnRecords(folder, licence), out, engine, workers, limit, overwrite)


@build_app.command("synthetic", short_help="From the simulator.")
def build_synthetic(
    n: Annotated[int, typer.Option(help="How many records.", min=1)],
    out: Out,
    seed: Annotated[int, typer.Option(help="Of the whole set.", min=0)] = 0,
    fs: Annotated[float, typer.Option(help="Sampling rate in Hz.", min=100, max=1000)] = 500,
    seconds: Annotated[float, typer.Option(help="Length of a record.", min=5, max=300)] = 10,
    rare: Annotated[
        float,
        typer.Option(help="Part in which rare things are as likely as common ones.", min=0, max=1),
    ] = 0,
    engine: EngineChoice = "local",
    workers: Workers = None,
    overwrite: OverwriteSet = False,
) -> None:
    """Simulate ECGs whose every wave, interval and statement is known.

    \b
    ecgllm build synthetic --n 10000 --out sets/synthetic
    ecgllm build synthetic --n 5000 --out sets/rare --seed 1 --rare 1 \f
    """
    from ecg_llm.data_builders.build_synthetic import Synthetic

    source = Synthetic(n, seed=seed, fs=fs, seconds=seconds, rare=rare)
    _run(source, out, engine, workers, None, overwrite)


@build_app.command("instruct", short_help="Conversations on a built set.")
def build_instruct(
    shards: Annotated[
        Path, typer.Argument(metavar="SHARDS", help="A built set of records.", show_default=False)
    ],
    out: Out,
    seed: Annotated[int, typer.Option(help="Of all wording and choices.", min=0)] = 0,
    rewriter: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="OpenAI-compatible server that varies the wording; a rewrite that changes a "
            "claim is thrown away. Its key is read from ECGLLM_REWRITER_KEY.",
        ),
    ] = None,
    rewriter_model: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the model on that server.")
    ] = "default",
    engine: EngineChoice = "local",
    workers: Workers = None,
    limit: Limit = None,
    overwrite: OverwriteSet = False,
) -> None:
    """Write grounded conversations on the records of a set.

    Reports, stepwise readings, questions and answers, comparisons, explanations, follow-ups, and
    what must be declined. Every number and finding comes from the record and is checked against it.

    \b
    ecgllm build instruct sets/ptbxl --out sets/talk
    ecgllm build instruct sets/ptbxl --out sets/talk --rewriter http://localhost:8000 \f
    """
    from ecg_llm.data_builders.instruct import CONVERSATIONS, SHARD_RECORDS, Instruct
    from ecg_llm.data_builders.instruct_rewrite import RewriterConfig

    config = None if rewriter is None else RewriterConfig(rewriter, rewriter_model)
    talk = Instruct.prepared(_source_folder(shards), seed=seed, rewriter=config)
    _run(
        talk,
        out,
        engine,
        workers,
        limit,
        overwrite,
        product=CONVERSATIONS,
        shard_rows=SHARD_RECORDS,
    )


@build_app.command("images", short_help="Pages of records, printed and photographed.")
def build_images(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="A folder or zip archive of records of any format, or a set that build made.",
            show_default=False,
        ),
    ],
    out: Out,
    n: Annotated[
        int | None,
        typer.Option(help="Pages at most, of records evenly spread; by default all.", min=1),
    ] = None,
    per_record: Annotated[int, typer.Option(help="Pages of each record.", min=1)] = 1,
    photographed: Annotated[
        float, typer.Option(help="Part that is photographed, scanned or faxed.", min=0, max=1)
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Of the whole set.", min=0)] = 0,
    size: Annotated[
        int, typer.Option(help="Long side in pixels, about; 1400: A4 at 120 dpi.", min=1)
    ] = 1400,
    engine: EngineChoice = "local",
    workers: Workers = None,
    overwrite: OverwriteSet = False,
) -> None:
    """Print ECGs as clinics do, photograph some, and keep the place of every lead and sample.

    Layouts, speeds, gains, papers, texts, cameras and scanners vary at stated shares. Names, dates
    and places on the pages are made up, age and sex are those of the record; measured values are
    printed only if SRC is a built set, which has them.

    \b
    ecgllm build images sets/ptbxl --out sets/pages --per-record 2
    ecgllm build images records/ --out sets/photos --photographed 1 --n 500 \f
    """
    from ecg_llm.data_builders.build_images import SHARD_IMAGES, Images
    from ecg_llm.data_builders.image_card import IMAGES

    if not source.exists():
        raise ConfigError(f"{source}: no such folder or archive; give one that holds records.")
    images = Images(source, n, per_record, photographed, seed, size)
    rows = max(1, SHARD_IMAGES // per_record)
    _run(images, out, engine, workers, None, overwrite, product=IMAGES, shard_rows=rows)


@build_app.command("verify", short_help="Check a built set.")
def build_verify(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder of the set.", show_default=False)
    ],
    recompute: Annotated[
        int, typer.Option(help="Records to make again from the signal and compare.", min=0)
    ] = 20,
    source: Annotated[
        Path | None,
        typer.Option(help="What a set of images was made from, to draw some again."),
    ] = None,
) -> None:
    """Check a built set: files, counts, rows, splits, labels, and measurements made again.

    The exit code is 1 if anything is wrong; each fault is one line.

    \b
    ecgllm build verify sets/ptbxl
    ecgllm build verify sets/ptbxl --recompute 200
    ecgllm build verify sets/pages --source sets/ptbxl \f
    """
    from ecg_llm.data_builders.verify import verify

    result = verify(out, recompute=recompute, source=source)
    for fault in result.faults:
        typer.echo(str(fault))
    typer.echo(str(result))
    if result.faults:
        raise typer.Exit(1)


def _run(
    source: Listed,
    out: Path,
    engine: Engine,
    workers: int | None,
    limit: int | None,
    overwrite: bool,
    *,
    product: Product | None = None,
    shard_rows: int | None = None,
) -> None:
    from ecg_llm.data_builders.build import RECORDS, SHARD_ROWS, build

    summary = build(
        source,
        out,
        engine=engine,
        workers=workers,
        limit=limit,
        overwrite=overwrite,
        product=product or RECORDS,
        shard_rows=shard_rows or SHARD_ROWS,
    )
    if not summary.n_items:
        raise ConfigError(f"{out}: nothing was written: {summary}.")
    typer.echo(f"{out}: {summary}")


def _source_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; give that of the data set as published.")
    return folder
