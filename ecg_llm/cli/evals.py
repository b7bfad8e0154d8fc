"""Evaluations of what is said: reports, answers, the check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecg_llm.cli.figures import Folds, Json, Limit, PtbXl, progress, read_folds, show
from ecg_llm.cli.options import Jobs, Model

if TYPE_CHECKING:
    from ecg_llm.eval.reports import Case
    from ecg_llm.report import Report


def eval_report(
    data: PtbXl,
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
        folds=read_folds(folds),
        limit=limit,
        variants=[name.strip() for name in variants.split(",")],
        progress=progress("record"),
        on_report=keep if reports is not None else None,
        full=count,
    )
    if reports is not None:
        reports.write_text("\n".join(kept), encoding="utf-8")
    show(result, json_)


def eval_qa(
    data: PtbXl,
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

    chosen = None if folds == "all" else read_folds(folds)
    show(evaluate(data, items, folds=chosen, workers=jobs, progress=progress("ECG")), json_)


def eval_grounding(
    data: PtbXl,
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
        data, folds=read_folds(folds), limit=limit, seed=seed, progress=progress("record")
    )
    show(result, json_)
