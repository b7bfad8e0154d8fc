"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

import ecg_llm
from ecg_llm.cli.app_page import app_page
from ecg_llm.cli.bench import bench_app
from ecg_llm.cli.build import build_app
from ecg_llm.cli.classify import classify, similar
from ecg_llm.cli.errors import CarefulGroup
from ecg_llm.cli.evals import eval_app
from ecg_llm.cli.language import adapt
from ecg_llm.cli.pages import eval_page_criteria, eval_pages, train_page_criteria, train_pages
from ecg_llm.cli.records import measure, quality, report, show
from ecg_llm.cli.serve import keys_app, serve
from ecg_llm.cli.talk import ask, chat
from ecg_llm.cli.train import train_app, train_encoder, train_head

app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("report", short_help="Interpret an ECG.")(report)
app.command("ask", short_help="Answer a question on an ECG, or a set of questions.")(ask)
app.command("chat", short_help="Talk about an ECG in the terminal.")(chat)
app.command("measure", short_help="Measure intervals, axes and amplitudes.")(measure)
app.command("quality", short_help="Judge the technical quality.")(quality)
app.command("classify", short_help="Score statements in your words, or a benchmark's classes.")(
    classify
)
app.command("similar", short_help="Find the known cases an ECG is most like.")(similar)
app.command("show", short_help="Draw the ECG on standard paper.")(show)
app.command("app", short_help="Open the chat in a browser.")(app_page)
app.command("serve", short_help="Serve reports and chat over HTTP.")(serve)
app.add_typer(keys_app, name="keys")
app.add_typer(build_app, name="build")
app.add_typer(eval_app, name="eval")
app.add_typer(bench_app, name="bench")
train_app.command("encoder", short_help="Train the signal encoder by a recipe.")(train_encoder)
train_app.command("pages", short_help="Train the reader of page images.")(train_pages)
eval_app.command("pages", short_help="Pages against the records they show.")(eval_pages)
train_app.command("page-criteria", short_help="Fit how far a page can be trusted.")(
    train_page_criteria
)
eval_app.command("page-criteria", short_help="What alarms, on pages and their recordings.")(
    eval_page_criteria
)
train_app.command("head", short_help="Fit the head on encoder and measurements.")(train_head)
app.add_typer(train_app, name="train")
app.command("adapt", short_help="Teach a new kind of question from a few examples.")(adapt)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ecg_llm {ecg_llm.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read, judge, measure and report 12-lead ECGs.

    Research software, not a medical device. Every number is measured, every finding names its
    evidence, and what cannot be judged is said.

    \b
    ecgllm report FILE               the report of one record
    ecgllm report FOLDER -o r.jsonl  of every record below a folder
    ecgllm COMMAND --help            examples of each command
    """


@app.command("schema")
def _schema() -> None:
    """Print the JSON Schema of the report.

    \b
    ecgllm schema > report.schema.json
    """
    from ecg_llm.report import schema_text

    typer.echo(schema_text(), nl=False)
