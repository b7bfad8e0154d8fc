"""What a person sees when something goes wrong: one message and an exit code."""

from __future__ import annotations

import codecs
import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from ecg_llm.errors import ECGError

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141

_EXTRA_OF = {
    "bench": ("neurokit2",),
    "model": ("transformers", "peft", "accelerate", "safetensors"),
    "train": ("torch", "onnx", "onnxscript", "sklearn", "trl"),
    "data": ("pyarrow", "datasets", "wfdb"),
    "analysis": ("umap", "shap"),
    "ray": ("ray",),
    "serve": (
        "fastapi", "starlette", "uvicorn", "multipart", "python_multipart", "prometheus_client",
        "sqlalchemy", "httpx",
    ),
    "postgres": ("psycopg",),
    "app": ("gradio",),
    "vllm": ("vllm",),
}  # fmt: skip
_EXTRAS = {module: extra for extra, modules in _EXTRA_OF.items() for module in modules}
"""What to install for a module that is not there."""


_IN_ASCII = {
    "−": "-", "–": "-", "·": "-", "≥": ">=", "≤": "<=", "→": "->", "×": "x", "…": "...",
    "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip


def write_in_any_encoding() -> None:
    """Have text that the terminal's encoding lacks written in ASCII.

    A question mark for a minus or a ``≥`` would turn a value into another one; what has no
    likeness in ASCII is written as its code point. What is written to a closed stream is lost.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  to the end
            setattr(sys, name, nowhere)

    def likeness(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        lacking = error.object[error.start : error.end]
        return "".join(_IN_ASCII.get(c, f"\\u{ord(c):04x}") for c in lacking), error.end

    codecs.register_error("ecgllm.ascii", likeness)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="ecgllm.ascii")


class CarefulGroup(TyperGroup):
    """The root command: no error of a record, a file or a person ends in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except ECGError as error:
            _fail(str(error))
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end has begun
            typer.echo("ecgllm: stopped", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has gone; what is still buffered must not complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except (FileExistsError, NotADirectoryError) as error:
            _fail(f"{error.filename}: a file is in the way of this folder; give another name.")
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}")
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").split(".")[0])
            if extra is None:
                raise
            _fail(f"{error.name} is not installed; pip install 'ecg_llm[{extra}]'")
        return result


def _fail(message: str) -> NoReturn:
    # A file's name, or one inside an archive, may hold codes that a terminal obeys.
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in message)
    typer.echo(f"ecgllm: {shown}", err=True)
    raise typer.Exit(BAD_INPUT)
