"""The commands that work on records: report, measure, quality, show."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ecg_llm.cli import jobs as job
from ecg_llm.cli.options import (
    Age,
    File,
    FileOrFolder,
    Fs,
    Jobs,
    KeepDraft,
    Leads,
    Model,
    Overwrite,
    Partial,
    Reading,
    Sex,
    Unit,
    reading,
)
from ecg_llm.documents import document
from ecg_llm.errors import ConfigError, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecg_llm.io import RecordRef
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report


Format = Literal["text", "json", "html", "pdf", "fhir"]
_BY_EXTENSION: dict[str, Format] = {
    ".txt": "text",
    ".json": "json",
    ".jsonl": "json",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
}
LINES_SUFFIXES = ("", ".jsonl", ".ndjson", ".json")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one line a record.")]
Lines = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write JSON lines here; a folder run resumes there."),
]


def report(
    path: FileOrFolder,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="text, json, html, pdf or fhir (an R4 Bundle); by default what --output ends in.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; for a folder, a .jsonl file."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            help="An earlier ECG of the same patient: the report says what changed since."
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="For fhir: the patient, as Patient/ID.", show_default=False)
    ] = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            help="For fhir: when the ECG was recorded, as 2026-03-01 or 2026-03-01T08:15:00+01:00.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    keep_draft: KeepDraft = False,
    age: Age = None,
    sex: Sex = None,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
    partial: Partial = False,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
) -> None:
    """Interpret an ECG: quality, measurements, findings with their evidence, impression.

    \b
    ecgllm report rec.hea
    ecgllm report rec.hea --output rec.html       one self-contained page with the tracing
    ecgllm report rec.hea -o rec.pdf --age 64 --sex female
    ecgllm report rec.hea --format json | jq '.alerts'
    ecgllm report today.hea --earlier last_year.hea
    ecgllm report rec.hea --format fhir --subject Patient/123 --recorded 2026-03-01
    ecgllm report rec.hea --model none            measured only, no narrative by a model
    ecgllm report rec.hea -f json --keep-draft | jq '.drafts, .changes'
    ecgllm report ward/ --output ward.jsonl       every record below; run again to resume

    A tracing of insufficient quality is refused, with its reasons, and the exit code stays 0. A
    file that cannot be read, or that holds no signal at all, ends with exit code 2; in a folder run
    it becomes a line with its error, the run goes on, and its exit code is 0.

    Experts would have a tracing with a flat lead recorded again, and so it is refused; where that
    cannot be done, --partial reads the rest of it. \f
    """
    told = reading(age, sex, fs, unit, leads, partial)
    check_place(output, path, earlier)
    if subject is not None or recorded is not None:
        from ecg_llm.fhir import check_case

        if format_ != "fhir":
            raise ConfigError("--subject and --recorded belong to --format fhir.")
        check_case(subject, recorded)
    refs = several_records(path, output)
    if refs is not None:
        if earlier is not None:
            raise ConfigError("--earlier belongs to one record; give a single one.")
        if format_ not in (None, "json") or (output is None and format_ is None):
            raise ConfigError(
                f"{path} holds {len(refs)} records: their reports are JSON lines; add --output "
                "reports.jsonl, or --format json to print them."
            )
        work = functools.partial(job.report_json, model=model, keep_draft=keep_draft)
        run_folder(
            path,
            refs,
            output,
            functools.partial(job.of_ref, told=told, job=work),
            lambda: (
                job.run_description("report", path, told) | job.model_description(model, keep_draft)
            ),
            overwrite=overwrite,
            workers=jobs,
        )
        return
    chosen = format_ or _format_of(output)
    if chosen == "pdf" and output is None and sys.stdout.isatty():
        raise ConfigError("A PDF is not written to a terminal; add --output report.pdf.")
    from ecg_llm.assistant import analyse, report_on

    record = told.read(path)
    past = None if earlier is None else analyse(told.read_earlier(earlier))
    found = analyse(record)
    made = report_on(found, model=model, keep_draft=keep_draft, earlier=past)
    if chosen == "text" and output is None:
        _print_text(made)
    else:
        one_line = output is not None and output.suffix.lower() == ".jsonl"
        data = document(
            made,
            record,
            chosen,
            subject=subject,
            recorded=recorded,
            indent=None if one_line else 2,
        )
        write_bytes(data, output)
    if not made.quality.acceptable:
        from ecg_llm.quality import readable_part

        if readable_part(record, found.quality) is not record:
            typer.echo("ecgllm: the rest of it can be read by itself: --partial", err=True)
    _check_signal(record)


def measure(
    path: FileOrFolder,
    json_: Json = False,
    output: Lines = None,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
    partial: Partial = False,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
) -> None:
    """Measure intervals, axes and amplitudes, per lead and per beat, with their spread.

    \b
    ecgllm measure rec.hea
    ecgllm measure rec.hea --json | jq '.qtc_fridericia_ms.value'
    ecgllm measure study/ --output study.jsonl    every record below; run again to resume
    ecgllm measure scans.csv --fs 500 --unit uV --leads I,II,V1,V2,V3,V4,V5,V6

    A value that cannot be measured is null and says why in `reason`. \f
    """
    told = reading(fs=fs, unit=unit, leads=leads, partial=partial)
    if _lines("measure", path, told, job.measure_json, json_, output, overwrite, jobs):
        return
    from ecg_llm.cli.tables import show_measurements
    from ecg_llm.measure import measure as measure_record
    from ecg_llm.quality import assess

    record = told.read(path)
    judged = assess(record)
    show_measurements(measure_record(record, judged))
    if not judged.acceptable:
        typer.echo(f"Refused for its quality, not to be relied on: {'; '.join(judged.reasons)}")
    _check_signal(record)


def quality(
    path: FileOrFolder,
    json_: Json = False,
    output: Lines = None,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
) -> None:
    """Judge the technical quality: which leads can be read, and what is wrong with the others.

    \b
    ecgllm quality rec.hea
    ecgllm quality rec.hea --json
    ecgllm quality study/ --output quality.jsonl \f
    """
    told = reading(fs=fs, unit=unit, leads=leads)
    if _lines("quality", path, told, job.quality_json, json_, output, overwrite, jobs):
        return
    from ecg_llm.cli.tables import show_quality
    from ecg_llm.quality import assess

    show_quality(assess(told.read(path)))


def show(
    path: File,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A .png, .svg or .pdf; by default a new one, named as the record.",
        ),
    ] = None,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
) -> None:
    """Draw the ECG on standard paper: 25 mm/s, 10 mm/mV, three rows of four and a rhythm strip.

    \b
    ecgllm show rec.hea
    ecgllm show rec.hea --output page.svg \f
    """
    check_place(output, path)
    record = reading(fs=fs, unit=unit, leads=leads).read(path)
    from ecg_llm.render.page import save_page

    target = output or Path(f"{Path(record.name).name or 'ecg'}.png")
    check_place(target, path)
    if output is None and target.exists():
        raise ConfigError(
            f"{target}: there is such a file already; give --output {target} to write over it, or "
            "another name."
        )
    save_page(record, target)
    typer.echo(str(target))


def _format_of(output: Path | None) -> Format:
    """Read the format off the file's extension."""
    if output is None or output.suffix == "":
        return "text"
    if output.suffix.lower() not in _BY_EXTENSION:
        raise ConfigError(
            f"--output {output}: {output.suffix!r} is not a report format; end it in .txt, .json, "
            ".html or .pdf, or give --format."
        )
    return _BY_EXTENSION[output.suffix.lower()]


def _print_text(report: Report) -> None:
    """Print for the terminal there is, or plainly into a pipe."""
    from ecg_llm.render.text import to_text

    person = sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, 120) if person else 100
    typer.echo(
        to_text(report, width=width, color=person and "NO_COLOR" not in os.environ), nl=False
    )


def write_bytes(data: bytes, output: Path | None) -> None:
    """Write all of it or nothing, to the standard output without ``output``."""
    if output is None:
        typer.echo(data, nl=False)
        return
    # A pipe, a device or a link, such as /dev/stdout, is written to and never replaced.
    through = output.is_symlink() or (output.exists() and not output.is_file())
    part = output if through else output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        if not through:
            part.replace(output)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk names no file
        raise ConfigError(f"--output {output}: cannot be written ({error.strerror}).") from error
    finally:
        if not through:
            part.unlink(missing_ok=True)


def _lines(
    command: str,
    path: Path,
    told: Reading,
    record_job: Callable[[ECGRecord], str],
    as_json: bool,
    output: Path | None,
    overwrite: bool,
    jobs: int | None,
) -> bool:
    """Write JSON lines if they were asked for, by a folder, ``--json`` or ``--output``."""
    check_place(output, path)
    refs = several_records(path, output)
    if refs is not None:
        if output is None and not as_json:
            raise ConfigError(
                f"{path} holds {len(refs)} records: add --output {command}.jsonl, or --json."
            )
        run_folder(
            path,
            refs,
            output,
            functools.partial(job.of_ref, told=told, job=record_job),
            lambda: job.run_description(command, path, told),
            overwrite=overwrite,
            workers=jobs,
        )
    elif as_json or output is not None:
        record = told.read(path)
        write_bytes((record_job(record) + "\n").encode(), output)
        if command != "quality":
            _check_signal(record)
    else:
        return False
    return True


def _check_signal(record: ECGRecord) -> None:
    """End with an error if there is no signal at all, after the refusal has been written."""
    import numpy as np

    if not np.nan_to_num(np.diff(record.signal, axis=1)).any():
        raise RecordError(
            f"{record.source}: every lead is constant over {record.duration_s:.1f} s; an ECG that "
            "varies is needed. Check the electrodes and the export, and record again."
        )


def check_place(output: Path | None, *inputs: Path | None) -> None:
    """Refuse a place that cannot be written, or is an input, before any work is done for it."""
    if output is not None and output.is_dir():
        raise ConfigError(f"--output {output}: it is a folder; name a file, there or elsewhere.")
    if output is not None and not output.parent.is_dir():
        raise ConfigError(
            f"--output {output}: there is no folder {output.parent}; make it, or choose another."
        )
    for given in inputs:
        if output is not None and given is not None and _same_file(output, given):
            raise ConfigError(
                f"{output}: this is the file that is read, and writing would destroy it; give "
                "another --output."
            )


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


def run_folder(
    folder: Path,
    refs: list[RecordRef],
    output: Path | None,
    work: Callable[[RecordRef], str],
    describe: Callable[[], dict[str, Any]],
    *,
    overwrite: bool,
    **how: Any,
) -> None:
    """Print one line a record, or write them to a file, beside it what ``describe`` says."""
    from ecg_llm.batch import run_batch, run_lines

    if output is None:
        for _, line in run_lines(work, refs, **how):
            typer.echo(line)
        return
    if output.suffix.lower() not in LINES_SUFFIXES:
        raise ConfigError(
            f"--output {output}: {folder} holds {len(refs)} records, which become JSON lines; end "
            "it in .jsonl."
        )
    _tell_left_out(folder, refs)
    summary = run_batch(work, refs, output, run=describe(), overwrite=overwrite, **how)
    typer.echo(f"{output}: {summary}", err=True)


def _tell_left_out(folder: Path, refs: list[RecordRef]) -> None:
    """Say of images beside recordings that they were taken for pictures of these."""
    from ecg_llm.io import page_image
    from ecg_llm.io.source import DiskFolder

    if not folder.is_dir() or any(ref.path.suffix.lower() in page_image.EXTENSIONS for ref in refs):
        return
    names = DiskFolder(folder).names()
    n = sum(Path(name).suffix.lower() in page_image.EXTENSIONS for name in names)
    if n:
        typer.echo(
            f"ecgllm: {n} images or PDFs beside the recordings are not read; give a folder that "
            "holds images alone to have them read as pages.",
            err=True,
        )


def several_records(path: Path, output: Path | None) -> list[RecordRef] | None:
    """List the records of a folder or archive; None for a single record.

    One record alone counts as a folder run only if JSON lines are asked for.
    """
    from ecg_llm.io import find_records

    lines = output is not None and output.suffix.lower() in (".jsonl", ".ndjson")
    # A pipe would be read to no end, or wait for its writer.
    if not path.is_dir() and not (path.is_file() and zipfile.is_zipfile(path)):
        return None
    refs = find_records(path)
    if not refs:
        raise ConfigError(f"{path}: no ECG was found in it.")
    return refs if len(refs) > 1 or lines else None
