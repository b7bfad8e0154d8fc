"""Write ``docs/cli.md`` from the commands: ``python -m ecg_llm.cli.docs > docs/cli.md``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import typer.main
from typer.core import TyperGroup

from ecg_llm.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# Command line

Generated from the commands (`python -m ecg_llm.cli.docs > docs/cli.md`); a test keeps it current.

Exit codes: 0 done (also when a tracing was refused for its quality, or records of a folder run
failed: the output says so), 2 bad input or use, with one message, 130 stopped by Ctrl-C.

A folder run writes one JSON line a record in the order of their names. A record that fails gives
`{"record": …, "error": {"kind": …, "message": …}}` and stops nothing. A stopped run resumes when
the same command is given again; beside the output, `<output>.run.json` tells what made it.
"""


def cli_markdown() -> str:
    """Give the help of every command as one document."""
    return "\n\n".join([HEAD.strip(), *_sections(typer.main.get_command(app), "ecgllm")]) + "\n"


def _sections(command: Any, path: str) -> Iterator[str]:
    """Walk the commands, groups first."""
    group = isinstance(command, TyperGroup)
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    words = [path, *(param.metavar or param.name.upper() for param in arguments)]
    words += ["COMMAND"] if group else []
    words += ["[OPTIONS]"] if options else []
    parts = [f"## {path}", f"`{' '.join(words)}`", _prose(command.help or "")]
    rows = [(f"`{param.metavar or param.name}`", param.help or "") for param in arguments]
    rows += [(_flags(param), _described(param)) for param in options]
    if rows:
        table = [f"| {flags} | {text} |" for flags, text in rows]
        parts.append("\n".join(["| argument or option | meaning |", "|---|---|", *table]))
    yield "\n\n".join(parts)
    if group:
        for name, child in command.commands.items():
            yield from _sections(child, f"{path} {name}")


def _prose(text: str) -> str:
    """Turn a command's help into Markdown: its examples become code."""
    paragraphs = inspect.cleandoc(text.split("\f")[0]).split("\n\n")
    return "\n\n".join(
        f"```sh\n{part.removeprefix(chr(8)).strip()}\n```" if part.startswith("\b") else part
        for part in (paragraph.strip(" \n") for paragraph in paragraphs)
        if part
    )


def _flags(option: Any) -> str:
    flags = sorted([*option.opts, *option.secondary_opts], key=len)
    return ", ".join(f"`{flag}`" for flag in flags)


def _described(option: Any) -> str:
    required = " Required." if option.required else ""
    return f"{option.help or ''}{required}"


if __name__ == "__main__":
    print(cli_markdown(), end="")
