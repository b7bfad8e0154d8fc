"""The commands that answer questions: ask, chat."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecg_llm.cli.options import Age, File, Fs, Jobs, Leads, Model, Partial, Sex, Unit, reading
from ecg_llm.cli.records import check_place
from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.analysis import Analysis
    from ecg_llm.ground.sentence import Sentence


def ask(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An ECG.", show_default=False)
    ] = None,
    question: Annotated[
        str | None, typer.Argument(metavar="[QUESTION]", help="In English.", show_default=False)
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(
            help="A set of questions in the form of ECG-QA, JSON; answered by what was measured "
            "and found, in the set's words, without a language model.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder in the layout of PTB-XL, for --items.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the answers here, JSON lines.")
    ] = None,
    model: Model = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON with the evidence.")] = False,
    age: Age = None,
    sex: Sex = None,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
    partial: Partial = False,
    jobs: Jobs = None,
) -> None:
    """Answer a question on an ECG, or a set of questions in the form of ECG-QA.

    \b
    ecgllm ask rec.hea "What is the QTc?"
    ecgllm ask rec.hea "Is there atrial fibrillation?" --json
    ecgllm ask --items items.json --data ptbxl/ --output answers.jsonl

    Every sentence is held against what was measured. What an ECG cannot tell is declined. \f
    """
    if items is not None:
        if path is not None or data is None:
            raise ConfigError("--items needs --data with the records, and no file beside it.")
        if partial or any(told is not None for told in (age, sex, fs, unit, leads)):
            raise ConfigError(
                "--items takes age, sex and signals from --data; leave --age, --sex, --fs, "
                "--unit, --leads and --partial out."
            )
        check_place(output, items)
        _ask_items(items, data, output, jobs)
        return
    check_place(output, path)
    if path is None or question is None:
        raise ConfigError('ask needs a file and a question: ecgllm ask rec.hea "What is the QTc?"')
    from ecg_llm.analysis import analyse
    from ecg_llm.answer.conversation import respond
    from ecg_llm.assistant import writer

    found = analyse(reading(age, sex, fs, unit, leads, partial).read(path))
    shown = _of_noise(found, question)
    if shown is None:
        shown = list(respond([("user", question)], found, model=writer(model)))
    if json_ or output is not None:
        _write([_document(found, question, shown)], output)
    else:
        typer.echo("".join(one.before + one.text for one in shown if one.text).strip())


def _of_noise(found: Analysis, question: str) -> list[Sentence] | None:
    """Answer a question on noise, which the kinds of noise answer and no report; else None."""
    from ecg_llm.ground.sentence import Sentence
    from ecg_llm.noise import WEIGHTS
    from ecg_llm.qa.answer import QARecord, answer_qa
    from ecg_llm.qa.question import read_qa

    if read_qa(question).about != "noise" or not WEIGHTS.is_file() or not found.quality.acceptable:
        return None
    told = answer_qa(question, [QARecord.of(found)])
    return [Sentence(text=told.text, before="", evidence=told.evidence, kind="description")]


def _document(found: Analysis, question: str, shown: list[Sentence]) -> dict[str, Any]:
    """Put an answer into JSON: short and in words, with evidence and what the check changed."""
    evidence = dict.fromkeys(item for one in shown if one.text for item in one.evidence)
    return {
        "record": found.record.name,
        "question": question,
        "answer": _short(found, question, shown),
        "text": "".join(one.before + one.text for one in shown if one.text).strip(),
        "evidence": [asdict(item) for item in evidence],
        "changes": [one.change.model_dump() for one in shown if one.change is not None],
    }


def _short(found: Analysis, question: str, shown: list[Sentence]) -> list[str]:
    """Give the answer in ECG-QA's vocabulary: the yes or no that is told, where there is one.

    Where criterion and encoder disagree none is told; questions of ECG-QA's form then have the
    likelier one, as with ``--items``.
    """
    from ecg_llm.answer.question import read_question
    from ecg_llm.answer.spoken import plain
    from ecg_llm.noise import WEIGHTS
    from ecg_llm.qa.answer import QARecord, answer_qa
    from ecg_llm.qa.question import read_qa

    if not found.quality.acceptable:
        return []
    own = read_question(plain(question))
    word = next((one.text for one in shown if one.text), "")
    if own.closed and word in ("Yes.", "No."):
        return [word.removesuffix(".").lower()]
    if own.turned:
        return []
    asked = read_qa(question)
    known = asked.about != "any" and not (asked.about == "numeric" and own.findings)
    if not known or (asked.about == "noise" and not WEIGHTS.is_file()):
        return ["not sure"] if own.closed and own.findings and not own.leads else []
    return list(answer_qa(question, [QARecord.of(found)]).answer)


def _write(lines: list[dict[str, Any]], output: Path | None) -> None:
    from ecg_llm.cli.jobs import to_line
    from ecg_llm.cli.records import write_bytes

    write_bytes("".join(to_line(line) + "\n" for line in lines).encode(), output)


def _ask_items(items: Path, data: Path, output: Path | None, jobs: int | None) -> None:
    """Answer a set of questions, one line each, in its order."""
    from ecg_llm.batch import progress_bar
    from ecg_llm.qa.items import answer_items, read_items

    asked = read_items(items)
    n = len({one for item in asked for one in item.ecg_ids})
    with progress_bar(n) as step:
        lines = list(answer_items(asked, data, workers=jobs, progress=lambda *_: step()))
    _write(lines, output)
    failed = sum("error" in line for line in lines)
    typer.echo(f"{len(lines)} questions, {failed} without an answer", err=True)


def chat(
    path: File,
    model: Model = None,
    age: Age = None,
    sex: Sex = None,
    fs: Fs = None,
    unit: Unit = None,
    leads: Leads = None,
    partial: Partial = False,
) -> None:
    """Talk about an ECG in the terminal; each sentence is checked before it is shown.

    \b
    ecgllm chat rec.hea
    echo "What is the rhythm?" | ecgllm chat rec.hea

    An empty line, exit or Ctrl-D ends it. \f
    """
    from rich.console import Console

    from ecg_llm.analysis import analyse
    from ecg_llm.answer.conversation import Conversation
    from ecg_llm.assistant import writer
    from ecg_llm.render.scene import printable

    found = analyse(reading(age, sex, fs, unit, leads, partial).read(path))
    teller = writer(model)
    talk = Conversation([found], model=teller)
    console = Console(highlight=False, soft_wrap=True)
    person = sys.stdin.isatty()
    if person:
        by = teller.name if teller is not None else "measured answers, no language model"
        name = printable(found.record.name or path.name)
        console.print(f"{name} · {by}. Empty line ends.", style="dim", markup=False)
    while True:
        try:
            question = console.input("[bold]> [/bold]") if person else next(sys.stdin)
        except (EOFError, KeyboardInterrupt, StopIteration):
            break
        question = question.strip()
        if question.lower() in ("exit", "quit") or (person and not question):
            break
        if not question:
            continue
        if not person:
            console.print(f"> {question}", markup=False)
        for one in talk.ask(question):
            if one.text:
                console.print(one.before + one.text, end="", markup=False)
            elif one.change is not None and person:
                console.print(" …", end="", style="dim")
        console.print()
