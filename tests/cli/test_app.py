"""The command line as a whole: light, taught by its help, documented."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

import ecg_llm
from ecg_llm.cli.app import app
from ecg_llm.cli.docs import cli_markdown
from ecg_llm.report import report_schema

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("numpy", "scipy", "wfdb", "onnxruntime", "cv2", "torch", "pydantic", "pandas", "matplotlib"),
    *("PIL", "pydicom", "sklearn", "rich", "multiprocessing", "soundfile"),
}
run = CliRunner().invoke


def modules_after(code: str) -> set[str]:
    """Give the top-level modules that a fresh interpreter has loaded after some code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_loads_nothing_heavy():
    loaded = modules_after("import ecg_llm")
    assert loaded & HEAVY == set()
    assert "typer" not in loaded
    assert "numpy" in modules_after("from ecg_llm import ECGRecord")


def test_help_loads_nothing_heavy():
    code = """
import sys
from ecg_llm.cli import main
sys.argv = ["ecgllm", "--help"]
try:
    main()
except SystemExit as done:
    assert done.code == 0
"""
    assert modules_after(code) & HEAVY == set()


def test_version():
    result = run(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout == f"ecg_llm {ecg_llm.__version__}\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_fault(closed):
    line = f'"{sys.executable}" -m ecg_llm.cli --version {closed}'
    code = "import sys; from ecg_llm.cli.errors import write_in_any_encoding as w; w()"
    code += "; print(sys.stdin.isatty(), sys.stdout.isatty(), file=sys.stderr)"
    for command in (line, f'"{sys.executable}" -c "{code}" {closed}'):
        done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
        assert (done.returncode, "Error" in done.stderr) == (0, False)


def test_schema_is_printed():
    result = run(app, ["schema"])
    assert json.loads(result.stdout) == report_schema()


def leaves(command, path=()):
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path


@pytest.mark.parametrize("path", list(leaves(typer.main.get_command(app))), ids=" ".join)
def test_every_command_teaches_by_example(path):
    result = run(app, [*path, "--help"])
    assert result.exit_code == 0
    assert f"ecgllm {' '.join(path)}" in result.stdout.split("Usage:")[1].split("\n", 1)[1]


def test_the_documentation_of_the_commands_is_current():
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == cli_markdown(), "run: python -m ecg_llm.cli.docs > docs/cli.md"


@pytest.mark.parametrize("words", [["repport"], ["report"], ["report", "a.hea", "--format", "doc"]])
def test_wrong_use_is_an_error_of_its_own(words):
    result = run(app, words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_what_is_not_installed_is_named_with_what_installs_it():
    from ecg_llm.cli.errors import _EXTRAS

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(_EXTRAS.values()) <= set(project["optional-dependencies"])
    code = (
        "import importlib.util as util, sys\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *of: None if name == 'gradio' else find(name, *of)\n"
        "import ecg_llm.cli; sys.argv[1:] = ['app']; ecg_llm.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr == "ecgllm: the app needs Gradio: pip install 'ecg_llm[app]'.\n"
