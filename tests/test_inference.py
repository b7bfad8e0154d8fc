"""ONNX Runtime as the program loads it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ecg_llm.encode import WEIGHTS
from ecg_llm.errors import ConfigError
from ecg_llm.inference import session

ROOT = Path(__file__).parents[1]


def test_a_report_leaves_nothing_in_the_home_directory(tmp_path):
    code = (
        "from ecg_llm.assistant import interpret\n"
        "from ecg_llm.io import read_record\n"
        "interpret(read_record('examples/00001_hr.hea'))\n"
    )
    home = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ORT_"))}
    subprocess.run([sys.executable, "-c", code], env=kept | home, cwd=ROOT, check=True)
    assert [str(path) for path in tmp_path.rglob("*")] == []


def test_onnx_runtime_is_imported_in_one_place():
    sources = [
        path
        for folder in ("ecg_llm", "encoders", "eval", "serving", "training", "data_builders", "app")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) onnxruntime", path.read_text(encoding="utf-8"), re.M)
    ]
    assert {path.name for path in sources} == {"inference.py"}


def test_a_damaged_net_is_told(tmp_path):
    shutil.copy(WEIGHTS, tmp_path / "alone.onnx")  # without the weights beside it
    (tmp_path / "text.onnx").write_text("no net")
    for name in ("alone.onnx", "text.onnx"):
        with pytest.raises(ConfigError, match=f"{name}: this net cannot be loaded"):
            session(tmp_path / name)
