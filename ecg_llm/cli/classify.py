"""The commands that classify and compare records: by words, by the trained head, by cases."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecg_llm.classify import Benchmark
from ecg_llm.cli import jobs as job
from ecg_llm.cli.options import File, FileOrFolder, Fs, Jobs, Leads, Overwrite, Unit, reading
from ecg_llm.cli.records import (
    Json,
    Lines,
    check_place,
    run_folder,
    several_records,
    write_bytes,
)
from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecg_llm.cli.options import Reading
    from ecg_llm.io import RecordRef
    from ecg_llm.zero_shot import Labels


def classify(
    path: FileOrFolder,
    labels: Annotated[
        str | None,
        typer.Option(help="Statements in your words, joined by commas."),
    ] = None,
    task: Annotated[
        Benchmark | None, typer.Option(help="Classes of a benchmark, named as its data set does.")
    ] = None,
    label_file: Annotated[
        Path | None,
        typer.Option(help="A text file: one statement a line, or 'statement: description'."),
    ] = None,
    head: Annotated[
        bool,
        typer.Option(
            "--head", help="Use the head trained on PTB-XL, with measured values, not words."
        ),
    ] = False,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="With --head: folder of an encoder of one's own, as train encoder wrote it, that "
            "train head wrote its head into."
        ),
    ] = None,
    json_: Json = False,
    output: Lines = None,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
) -> None:
    """Score ECGs for statements: any words (zero-shot), or a benchmark's classes.

    \b
    ecgllm classify rec.hea --labels "atrial fibrillation, left bundle branch block"
    ecgllm classify rec.hea --task ptbxl-super
    ecgllm classify page.png --task ptbxl-rhythm --json
    ecgllm classify ward/ --task ptbxl-all --head --output ward.jsonl
    ecgllm classify ward/ --label-file statements.txt --output ward.jsonl
    ecgllm classify rec.hea --task ptbxl-super --head --encoder runs/encoder

    A statement that the program knows by any of its names is read with its description. A folder
    gives one JSON line a record. A record of refused quality gets the reason and no scores. \f
    """
    asked = _labels(labels, task, label_file)
    if head:
        from ecg_llm.classify import check_head

        check_head(asked)
    elif encoder is not None:
        raise ConfigError(
            "--encoder: words are read by a text tower that knows the encoder that ships; add "
            "--head."
        )
    for name in ("signal_encoder.onnx", "signal_head.npz"):
        if encoder is not None and not (encoder / name).is_file():
            raise ConfigError(
                f"--encoder {encoder}: no {name} is there; ecgllm train encoder and train head "
                "write them, into one folder."
            )
    told = reading(fs=fs, unit=unit, leads=leads)
    check_place(output, path, label_file)
    strange = [name for name, key in zip(asked.names, asked.keys, strict=True) if key is None]
    if strange and not head:
        typer.echo(
            f"ecgllm: no statement of that name is known: {'; '.join(strange)}; read by "
            "its words alone, which no record has tried",
            err=True,
        )
    refs = several_records(path, output)
    if refs is not None:
        if output is None and not json_:
            raise ConfigError(
                f"{path} holds {len(refs)} records: add --output classify.jsonl, or --json."
            )
        from ecg_llm.batch import Together

        asks: dict[str, Any] = {"told": told, "labels": asked, "head": head, "encoder": encoder}
        run_folder(
            path,
            refs,
            output,
            functools.partial(_one, **asks),
            lambda: _description(path, **asks),
            overwrite=overwrite,
            workers=jobs,
            together=Together(functools.partial(_group, **asks)),
        )
        return
    from ecg_llm.classify import classify as classify_records

    result = classify_records([told.read(path)], asked, head=head, trained=encoder)[0]
    if json_ or output is not None:
        write_bytes((job.to_line(result.to_dict()) + "\n").encode(), output)
        return
    if result.refused is not None:
        typer.echo(f"{result.record}: refused, no scores: {result.refused}")
        return
    from ecg_llm.cli.tables import show_table

    ranked = sorted(result.scores.items(), key=lambda item: -item[1])
    how = "trained head" if head else "zero-shot"
    show_table(
        f"{result.record} ({how})",
        ("statement", "score"),
        [(name, f"{score:.3f}") for name, score in ranked],
    )


def similar(
    path: File,
    index: Annotated[
        Path | None,
        typer.Option(
            help="Folder of known ECGs, or PTB-XL; by default the bundled prototypes of PTB-XL's "
            "statements."
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many cases.", min=1, max=100)] = 5,
    json_: Json = False,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
) -> None:
    """Find the known cases an ECG is most like, and the stretch of it that makes it so.

    \b
    ecgllm similar rec.hea
    ecgllm similar rec.hea --index ward/          every ECG below; encoded once, then kept there
    ecgllm similar rec.hea --index ptbxl/ -n 10 --json

    What is known of the cases is read from PTB-XL's table, or from statements.csv in the folder
    (columns record and statements). The stretch is the second without which the likeness falls
    most; the lead likewise, the limb leads counting as one. \f
    """
    from ecg_llm.cases import index_folder, prototypes
    from ecg_llm.cases import similar as similar_cases
    from ecg_llm.classify import readable
    from ecg_llm.cli.tables import show_table

    record, why = readable(reading(fs=fs, unit=unit, leads=leads).read(path))
    if why is not None:
        raise ConfigError(f"{path}: refused for its quality, so not compared: {why}")
    if index is None:
        cases = prototypes()
    elif not index.is_dir():
        raise ConfigError(f"--index {index}: no such folder; give one that holds ECGs.")
    else:
        cases, problems = index_folder(index)
        for problem in problems:
            typer.echo(f"ecgllm: left out: {problem}", err=True)
    found = similar_cases(record, cases, n=n)
    if json_:
        listed = [case.to_dict() for case in found]
        typer.echo(job.to_line({"record": record.name, "similar": listed}))
        return
    rows = [
        (
            case.name,
            case.prototype_of or "",
            " ".join(case.statements),
            f"{case.likeness:.3f}",
            f"{case.from_s:.2f}-{case.to_s:.2f} s",
            case.lead or "limb",
        )
        for case in found
    ]
    headers = ("case", "prototype of", "statements", "likeness", "by", "leads")
    show_table(record.name, headers, rows)


def _labels(labels: str | None, task: Benchmark | None, label_file: Path | None) -> Labels:
    """Gather what is asked, from exactly one of the three options."""
    from ecg_llm.zero_shot import Labels

    if sum(given is not None for given in (labels, task, label_file)) != 1:
        raise ConfigError(
            'Say what to classify by one of --labels "atrial fibrillation, …", --task '
            "ptbxl-super, or --label-file statements.txt."
        )
    if labels is not None:
        return Labels.of_texts(name for name in labels.split(",") if name.strip())
    return Labels.of_task(task) if task else Labels.of_file(Path(str(label_file)))


def _description(
    folder: Path, told: Reading, labels: Labels, head: bool, encoder: Path | None
) -> dict[str, Any]:
    """Say what determines the lines of a folder run."""
    from ecg_llm.inference import file_hashes

    run = job.run_description("classify", folder, told)
    run["options"] |= {"labels": [list(texts) for texts in labels.texts], "head": head}
    if encoder is not None:
        own = file_hashes(path for path in sorted(encoder.glob("signal_*")) if path.is_file())
        run["weights"] = run["weights"] | own
    return run


def _group(
    refs: Sequence[RecordRef], told: Reading, labels: Labels, head: bool, encoder: Path | None
) -> list[str]:
    """Read several records and score them in one go."""
    from ecg_llm.classify import classify as classify_records

    records = [told.read_ref(ref) for ref in refs]
    results = classify_records(records, labels, head=head, trained=encoder)
    return [job.to_line(result.to_dict()) for result in results]


def _one(ref: RecordRef, told: Reading, labels: Labels, head: bool, encoder: Path | None) -> str:
    """Read one record and score it."""
    return _group([ref], told, labels, head, encoder)[0]
