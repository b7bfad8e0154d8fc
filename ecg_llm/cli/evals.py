"""Evaluations of what is said: reports, answers, the check."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from ecg_llm.cli.options import Jobs, Model
from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.eval.reports import Case
    from ecg_llm.report import Report

Data = Annotated[Path, typer.Option(help="PTB-XL folder: ptbxl_database.csv and records.")]
Folds = Annotated[str, typer.Option(help="Folds that judge, joined by commas.")]
Limit = Annotated[int | None, typer.Option(help="The first so many records.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class _Shown(Protocol):
    def render(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...


def _print(result: _Shown, as_json: bool) -> None:
    document = json.dumps(result.to_dict(), ensure_ascii=False) if as_json else result.render()
    typer.echo(document)


def _progress(what: str) -> Callable[[int, int], None]:
    def step(done: int, total: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{what} {done}/{total}", err=True, nl=done == total)

    return step


def _folds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--folds {text!r}: numbers joined by commas are needed.") from None


def eval_report(
    data: Data,
    folds: Folds = "9",
    limit: Limit = None,
    model: Model = None,
    variants: Annotated[
        str, typer.Option(help="What the model is shown, joined by commas: all, text only.")
    ] = "all,text only",
    reports: Annotated[
        Path | None, typer.Option(help="Write the first --count reports here, in full.")
    ] = None,
    count: Annotated[int, typer.Option(help="Reports to write in full.", min=1)] = 10,
    json_: Json = False,
) -> None:
    """Judge reports claim by claim: the model's drafts, what ships, the measured report.

    \b
    ecgllm eval report --data ptbxl/
    ecgllm eval report --data ptbxl/ --model none
    ecgllm eval report --data ptbxl/ --reports ten.md --limit 100 \f
    """
    from ecg_llm.assistant import writer
    from ecg_llm.eval.reports import evaluate, in_full

    kept: list[str] = []

    def keep(case: Case, report: Report) -> None:
        kept.append(in_full(case, report))

    result = evaluate(
        data,
        writer(model),
        folds=_folds(folds),
        limit=limit,
        variants=[name.strip() for name in variants.split(",")],
        progress=_progress("record"),
        on_report=keep if reports is not None else None,
        full=count,
    )
    if reports is not None:
        reports.write_text("\n".join(kept), encoding="utf-8")
    _print(result, json_)


def eval_qa(
    data: Data,
    items: Annotated[Path, typer.Option(help="ECG-QA's questions with answers, JSON.")],
    folds: Annotated[
        str, typer.Option(help="Questions on records of these folds only, or all.")
    ] = "9",
    jobs: Jobs = None,
    json_: Json = False,
) -> None:
    """Answer ECG-QA's questions and compare, beside the commonest answer.

    \b
    ecgllm eval qa --data ptbxl/ --items ecg_qa/ptbxl_single_verify.json
    ecgllm eval qa --data ptbxl/ --items ecg_qa/ptbxl_comparison.json --folds all \f
    """
    from ecg_llm.eval.qa import evaluate

    chosen = None if folds == "all" else _folds(folds)
    _print(evaluate(data, items, folds=chosen, workers=jobs, progress=_progress("ECG")), json_)


def eval_grounding(
    data: Data,
    folds: Folds = "9",
    limit: Limit = None,
    seed: Annotated[int, typer.Option(help="Of the alterations.")] = 0,
    json_: Json = False,
) -> None:
    """Alter true sentences, one thing at a time, and count what still ships.

    \b
    ecgllm eval grounding --data ptbxl/ --limit 100 \f
    """
    from ecg_llm.eval.tampering import evaluate

    result = evaluate(
        data, folds=_folds(folds), limit=limit, seed=seed, progress=_progress("record")
    )
    _print(result, json_)
