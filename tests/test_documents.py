"""Documents name commands, options, files and headings that exist."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from ecg_llm.cli.app import app

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path for folder in (".", "docs", "examples") for path in (ROOT / folder).glob("*.md")
)
COMMANDS = typer.main.get_command(app)

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def anchors(path):
    """What GitHub calls the headings of a document."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def leads_somewhere(path, link):
    file, _, anchor = link.partition("#")
    target = path.parent / file if file else path
    return target.exists() and (not anchor or anchor in anchors(target))


def unknown_words(call):
    """Give the sub-commands and options of a call that the program does not have."""
    command, words = COMMANDS, call.split()
    while isinstance(command, TyperGroup) and words and re.fullmatch(r"[a-z-]+", words[0]):
        if words[0] not in command.commands:
            return {words[0]}
        command = command.commands[words.pop(0)]
    known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    return set(re.findall(r"--[a-z-]+", call)) - known - {"--help"}


@each_document
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in local if not leads_somewhere(path, link)] == []


@each_document
def test_commands_and_their_options_exist(path):
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    calls = re.findall(r"(?:ecgllm|-m ecg_llm\.cli) ([a-z][^|>#;`\n]*)", text)
    assert {call: unknown_words(call) for call in calls if unknown_words(call)} == {}


README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(
    r"^\$ ecgllm ([^\n]*examples/[^\n]*)\n(.*?)```", README, flags=re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize(("call", "shown"), SHOWN, ids=[call for call, _ in SHOWN])
def test_the_readme_shows_what_is_printed(call, shown, monkeypatch):
    monkeypatch.chdir(ROOT)
    printed = " ".join(CliRunner().invoke(app, shlex.split(call)).output.split())
    parts = [" ".join(part.split()) for part in shown.split("…\n")]
    assert [part for part in parts if part not in printed] == []


def test_the_examples_in_python_do_what_they_show(monkeypatch):
    monkeypatch.chdir(ROOT)
    failed, tried = doctest.testfile(
        str(ROOT / "docs" / "python.md"), module_relative=False, encoding="utf-8"
    )
    assert tried > 40 and not failed


def test_a_command_that_does_not_exist_would_be_found():
    assert unknown_words("repport a.hea") == {"repport"}
    assert unknown_words("eval pages --data ptbxl/ --standrd") == {"--standrd"}
    assert not unknown_words("eval pages --data ptbxl/ --standard")


def test_the_architecture_names_every_module():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Modules of `ecg_llm/`")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+/?)`", table))
    own = [path for path in (ROOT / "ecg_llm").iterdir() if not path.is_symlink()]
    modules = {path.stem for path in own if path.suffix == ".py"} - {"__init__"}
    packages = {f"{path.name}/" for path in own if (path / "__init__.py").is_file()}
    assert named == modules | packages
