"""The language models that a report can be written with, behind one small protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ecg_llm.errors import ConfigError
from ecg_llm.inference import file_hashes

if TYPE_CHECKING:
    from ecg_llm.prompt import Prompt

MINI = Path(__file__).parent / "weights" / "mini"
"""The bundled model."""
MAX_NEW_TOKENS = 256


class TextModel(Protocol):
    """A language model that answers prompts on ECGs, always with its likeliest words.

    Its engines document in one line what they do in their own way.

    Attributes
    ----------
    name : str
        Told in the provenance of reports.
    hashes : dict of str to str
        SHA-256 of its weight files by name; empty if they are elsewhere.
    """

    name: str
    hashes: dict[str, str]

    def generate(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int = MAX_NEW_TOKENS
    ) -> list[str]:
        """Answer prompts.

        Parameters
        ----------
        prompts : sequence of Prompt
            From `ecg_llm.prompt.build`.
        max_new_tokens : int
            Longest answer.

        Returns
        -------
        list of str
        """
        ...

    def stream(self, prompt: Prompt, *, max_new_tokens: int = MAX_NEW_TOKENS) -> Iterator[str]:
        """Answer a prompt piece by piece.

        Parameters
        ----------
        prompt : Prompt
            From `ecg_llm.prompt.build`.
        max_new_tokens : int
            Longest answer.

        Yields
        ------
        str
            Joined, the answer that `generate` gives.
        """
        ...


def load(spec: str | None) -> TextModel | None:
    """Load a language model.

    Parameters
    ----------
    spec : str or None
        None: the bundled model; ``none``: no model; an http or https address: a server of
        OpenAI's form; else the folder of a checkpoint.

    Returns
    -------
    TextModel or None
        None for ``none``.

    Raises
    ------
    ConfigError
        If there is no model there, or what it needs is not installed.

    Examples
    --------
    >>> load("none") is None
    True
    """
    if spec == "none":
        return None
    if spec is not None and spec.startswith(("http://", "https://")):
        from ecg_llm.lm_openai import OpenAIModel

        return OpenAIModel(spec)
    folder = MINI if spec is None else Path(spec)
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: no folder of a language model is there; give a checkpoint's folder, the "
            "address of a server, or none."
        )
    if (folder / "decoder.onnx").is_file():
        from ecg_llm.lm_onnx import OnnxModel

        return OnnxModel(folder)
    from ecg_llm.lm_transformers import TransformersModel

    return TransformersModel(folder)


def bundled() -> bool:
    """Tell whether the bundled model is installed.

    Returns
    -------
    bool
    """
    return (MINI / "decoder.onnx").is_file()


def trimmed(pieces: Iterable[str]) -> Iterator[str]:
    """Leave out the space at the ends of an answer that comes in pieces.

    Parameters
    ----------
    pieces : iterable of str
        As they are written.

    Yields
    ------
    str
        Of each what can be told already.

    Examples
    --------
    >>> list(trimmed([" ", "QRS ", "90 ms", ". "]))
    ['QRS', ' 90 ms', '.']
    """
    said, n_told = "", 0
    for piece in pieces:
        said = (said + piece).lstrip()
        kept = len(said.rstrip())
        if kept > n_told:
            yield said[n_told:kept]
            n_told = kept


def is_bundled(model: TextModel) -> bool:
    """Tell whether a model is the bundled one, wherever it runs.

    Parameters
    ----------
    model : TextModel
        Any.

    Returns
    -------
    bool
    """
    return model.hashes.get(_WEIGHTS) == _bundled_hash()


_WEIGHTS = "model.safetensors"


@cache
def _bundled_hash() -> str:
    return file_hashes([MINI / _WEIGHTS])[_WEIGHTS] if bundled() else ""
