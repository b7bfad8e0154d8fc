"""Every public function, class and method is documented the numpydoc way."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

import ecg_llm

numpydoc = pytest.importorskip("numpydoc.validate")
ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CHECKS = set(SETTINGS["tool"]["numpydoc_validation"]["checks"])
EXCLUDED = re.compile("|".join(SETTINGS["tool"]["numpydoc_validation"]["exclude"]))
PROGRAM = re.compile(
    r"ecg_llm\.(app|cli|data_builders|eval|serving|training|answer|claims|ground|qa|advice|compare|"
    r"compose|descriptions|findings|narrate|outside|phrases|prompt|references|statements|vocabulary)\."
)
# What may be missing where a person did not install that part.
OPTIONAL = {"torch", "onnx", "neurokit2", "sklearn", "datasets", "ray", "pyarrow", "vllm"}

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ecg_llm.__path__, "ecg_llm.")
    if not module.name.endswith(".__main__")
)


def public_objects(module):
    """Yield (dotted name, whether a class) of what a module defines, methods included."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value) or inspect.isclass(value):
            yield f"{module.__name__}.{name}", inspect.isclass(value)
        if inspect.isclass(value):
            for part, member in vars(value).items():
                if inspect.isfunction(member) or isinstance(member, property | classmethod):
                    yield f"{module.__name__}.{name}.{part}", False


def faults_of(path, is_class):
    found = numpydoc.validate(path)
    wanted = set(CHECKS)
    if is_class:  # its fields are documented as its attributes
        wanted -= {"PR01"}
    elif PROGRAM.match(path) or (
        path.rsplit(".", 2)[1][0].isupper() and "\n" not in found["docstring"].strip()
    ):
        wanted -= {"PR01", "RT01"}  # a small method, or no library: the types say the rest
    return [fault for fault in found["errors"] if fault[0] in wanted]


IMPORT_VLLM = {
    f"ecg_llm.serving.vllm_{name}" for name in ("model", "numbers", "processor", "renderer")
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.vllm, pytest.mark.filterwarnings("ignore")])
        if name in IMPORT_VLLM
        else name
        for name in MODULES
    ],
)
def test_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in OPTIONAL:
            raise
        pytest.skip(f"{error.name} is not installed")
    faults = [
        f"{path}: {code} {text}"
        for path, is_class in public_objects(module)
        if not EXCLUDED.search(path)
        for code, text in faults_of(path, is_class)
    ]
    assert not faults, "\n".join(faults)
