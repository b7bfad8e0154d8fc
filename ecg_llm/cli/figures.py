"""What the commands that evaluate, time and train share: their options, progress and output."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecg_llm.eval.result import Result

PtbXl = Annotated[Path, typer.Option(help="PTB-XL folder: ptbxl_database.csv and records.")]
Ludb = Annotated[Path, typer.Option(help="LUDB folder: ludb.csv and data/.")]
Folds = Annotated[
    str | None,
    typer.Option(
        help="Folds that judge, joined by commas; by default 9, or 10 where none of 9 is there.",
        show_default=False,
    ),
]
Limit = Annotated[int | None, typer.Option(help="The first so many records.", min=1)]
Steps = Annotated[int | None, typer.Option(help="Fewer or more steps.", min=1)]
Seed = Annotated[int, typer.Option(help="Of every random choice.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print the table for the documentation.")
]


def show(result: Result, as_json: bool) -> None:
    """Print a result."""
    if not as_json:
        typer.echo(result.render())
        return
    document = {**result.to_dict(), "provenance": provenance()}
    typer.echo(json.dumps(_plain(document), ensure_ascii=False, allow_nan=False))


def provenance() -> dict[str, Any]:
    """Say by which command, program, weights and data figures came about.

    Weights and data by their SHA-256: files that were named, and tables in folders that were.
    """
    import ecg_llm
    from ecg_llm.assistant import weight_hashes
    from ecg_llm.inference import file_hashes

    named = [Path(word.rpartition("=")[2]) for word in sys.argv[1:]]
    files = [path for path in named if path.is_file()]
    for folder_ in (path for path in named if path.is_dir()):
        files += sorted(folder_.glob("*.csv"))
    return {
        "command": shlex.join(["ecgllm", *sys.argv[1:]]),
        "version": ecg_llm.__version__,
        "weights": weight_hashes(),
        "data": file_hashes(files),
    }


def _plain(value: Any) -> Any:
    """Bring figures to what JSON knows: what is not a number is null."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def progress(what: str) -> Callable[[int, int], None]:
    """Count ``what`` on stderr while a person is watching: so many done, of so many."""

    def step(done: int, total: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{what} {done}/{total}", err=True, nl=done == total)

    return step


def judging_folds(text: str | None, data: Path) -> tuple[int, ...]:
    """Read the folds that judge, with a warning of those that trained; else choose one."""
    from ecg_llm.ptbxl import TRAINING_FOLDS, unseen_folds

    if text is None:
        return unseen_folds(data)
    folds = read_folds(text)
    if learnt := sorted(set(folds) & set(TRAINING_FOLDS)):
        typer.echo(
            f"ecgllm: what ships was trained on fold {', '.join(map(str, learnt))}: these figures "
            "say little of other records",
            err=True,
        )
    return folds


def read_folds(text: str) -> tuple[int, ...]:
    """Read folds joined by commas, such as ``9`` or ``1,2,3``."""
    try:
        return tuple(int(fold) for fold in text.split(","))
    except ValueError:
        raise ConfigError(f"--folds {text!r}: write them as 9 or 1,2,3.") from None


def made(out: Path) -> Path:
    """Make the folder of the results, before any work is done for them."""
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise ConfigError(f"{out}: nothing can be written there; give another place.")
    return out


def folder(data: Path, what: str) -> Path:
    """Make sure that the folder of ``what`` is there."""
    if not data.is_dir():
        raise ConfigError(f"{data}: no such folder; give the folder of {what}.")
    return data
