"""Which language model a server loads, and by what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.lm import TextModel
    from ecg_llm.serving.settings import EngineKind

CONCURRENT = {"vllm": 64, "transformers": 32, "server": 16}
"""Answers that an engine writes at one time; one where it is not named."""


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """Which model is loaded, and by what.

    Attributes
    ----------
    model : str or None
        As in `ecg_llm.lm.load`.
    kind : str
        ``onnx``, ``transformers``, ``vllm`` or ``auto``.
    arguments : tuple of str
        Of vLLM's engine, each ``name=value``; what is JSON is read as such.
    """

    model: str | None
    kind: EngineKind
    arguments: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Of the checkpoint."""
        from ecg_llm.lm import MINI

        return MINI if self.model is None else Path(self.model)

    @property
    def runs_by(self) -> str:
        """What runs it: ``server``, ``onnx``, ``transformers`` or ``vllm``."""
        if (self.model or "").startswith(("http://", "https://")):
            return "server"
        if self.kind == "auto":
            return "onnx" if (self.folder / "decoder.onnx").is_file() else "transformers"
        return self.kind

    @property
    def concurrent(self) -> int:
        """Answers written at one time."""
        return CONCURRENT.get(self.runs_by, 1)

    def check(self) -> None:
        """Refuse what no process could start with, however often it is tried."""
        from ecg_llm.lm_transformers import NEEDED

        if self.runs_by == "server":
            return
        if not self.folder.is_dir():
            raise ConfigError(f"--model {self.folder}: no such folder.")
        onnx = self.runs_by == "onnx"
        files = ("decoder.onnx",) if onnx else ("config.json", "adapter_config.json")
        if not any((self.folder / name).is_file() for name in files):
            raise ConfigError(
                f"--model {self.folder}: {' or '.join(files)} is not there; give a folder that "
                "`ecgllm train` wrote."
            )
        extra = "vllm" if self.runs_by == "vllm" else "model"
        needed = {"onnx": (), "transformers": NEEDED, "vllm": ("vllm",)}[self.runs_by]
        if lacking := [name for name in needed if find_spec(name) is None]:
            raise ConfigError(
                f"--engine {self.runs_by}: {', '.join(lacking)} not installed; pip install "
                f"'ecg_llm[{extra}]'{' (without a GPU: make vllm)' if extra == 'vllm' else ''}, or "
                "give --engine onnx for the bundled model."
            )
        _named(self.arguments)

    def load(self) -> TextModel:
        """Load the model, in the process that will run it."""
        from ecg_llm import lm

        model: TextModel | None
        match self.runs_by:
            case "vllm":
                import importlib

                # By name: the module needs vLLM only here.
                loader = importlib.import_module("ecg_llm.serving.vllm_textmodel")
                model = loader.VllmModel(self.folder, **_named(self.arguments))
            case "transformers":
                from ecg_llm.lm_transformers import TransformersModel
                from ecg_llm.serving.batching import BatchedModel

                model = BatchedModel(TransformersModel(self.folder))
            case _:
                model = lm.load(self.model)
        if model is None:
            raise ConfigError("--model none: there is no model to serve; give --engine none.")
        return model


def _named(arguments: Sequence[str]) -> dict[str, Any]:
    """Read arguments of the form name=value."""
    named: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not (name.isidentifier() and equals):
            raise ConfigError(f"--vllm {argument}: write it as tensor_parallel_size=2.")
        try:
            named[name] = json.loads(value)
        except ValueError:
            named[name] = value
    return named
