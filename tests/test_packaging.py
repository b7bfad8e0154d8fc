"""What is installed is what lies in the folders."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = SETTINGS["tool"]["setuptools"]["packages"]
PACKAGE_DIR = SETTINGS["tool"]["setuptools"]["package-dir"]
OUTSIDE = {name.split(".")[1]: folder for name, folder in PACKAGE_DIR.items() if "." in name}


def test_every_folder_is_packaged():
    inside = {path.parent for path in (ROOT / "ecg_llm").rglob("*.py")}
    linked = {ROOT / "ecg_llm" / name for name in OUTSIDE}
    found = {
        ".".join(folder.relative_to(ROOT).parts)
        for folder in inside
        if not any(folder.is_relative_to(link) for link in linked)
    }
    assert found | {f"ecg_llm.{name}" for name in OUTSIDE} == set(PACKAGES)


@pytest.mark.parametrize("name", sorted(OUTSIDE))
def test_a_link_leads_to_the_folder_that_is_packaged(name):
    link = ROOT / "ecg_llm" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / OUTSIDE[name]
    assert (ROOT / OUTSIDE[name] / "__init__.py").is_file()
    assert not [path for path in (ROOT / OUTSIDE[name]).rglob("*.py") if path.parent.name != name]


def test_every_file_beside_the_modules_is_packaged():
    """The app could not be opened once installed: half of its page had been left out."""
    folders = {f"ecg_llm.{name}": ROOT / folder for name, folder in OUTSIDE.items()}
    for package, patterns in SETTINGS["tool"]["setuptools"]["package-data"].items():
        folders.setdefault(package, ROOT / package.replace(".", "/"))
        folder = folders.pop(package)
        packaged = {path for pattern in patterns for path in folder.glob(pattern)}
        assert _data_files(folder) == {path for path in packaged if path.is_file()}
    assert not [path for folder in folders.values() for path in _data_files(folder)]


def _data_files(folder):
    return {
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }


def test_the_layers_name_every_module():
    (layers,) = (
        contract["layers"]
        for contract in SETTINGS["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and "containers" not in contract
    )
    named = {name.strip() for layer in layers for name in re.split(r"[|:]", layer)}
    modules = {f"ecg_llm.{path.stem}" for path in (ROOT / "ecg_llm").iterdir()}
    modules -= {"ecg_llm.__init__", "ecg_llm.py", "ecg_llm.weights", "ecg_llm.__pycache__"}
    assert modules <= named, f"add to the layers in pyproject.toml: {sorted(modules - named)}"


@pytest.mark.slow
def test_the_wheel_runs_from_another_directory(tmp_path):
    source = tmp_path / "source"  # building leaves files behind
    unneeded = shutil.ignore_patterns(".*", "tests", "docs", "examples", "build", "*.egg-info")
    shutil.copytree(ROOT, source, symlinks=True, ignore=unneeded)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    # The wheel alone is new; its dependencies come from the environment that runs this test.
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = next((tmp_path / "venv").glob("bin/python"))
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    unpack = [sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)]
    subprocess.run(unpack, check=True)
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    record = ROOT / "examples" / "00001_hr.hea"
    done = subprocess.run(
        [str(python), "-m", "ecg_llm.cli", "report", str(record)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "QTc (Fridericia)" in done.stdout
