"""The text tower: a short text as a vector in the space that records share.

A text is the average of its hashed words, word pairs and letter groups, and a small net on top, so
that it needs no vocabulary, reads a typing error as nearly the same word, and runs on numpy alone.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.knowledge import plain

FloatArray = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "text.npz"
"""The bundled tower; its card stands beside it as ``text.json``."""
BUCKETS = 8192
"""Rows of the table that words and letter groups are hashed into."""
LETTERS = (3, 4, 5)
"""Lengths of the letter groups."""
MAX_LENGTH = 2000
"""Letters of a text that are read."""
_ARRAYS = (
    *("table", "w1", "b1", "w2", "b2", "prior_w", "prior_b"),
    *("record_mean", "record_scale", "r1", "c1", "r2", "c2", "scale"),
)


def grams(text: str) -> npt.NDArray[np.int64]:
    """Hash the words, word pairs and letter groups of a text.

    Parameters
    ----------
    text : str
        Any; case, accents of writing such as hyphens, and British spelling do not matter.

    Returns
    -------
    np.ndarray of int
        Rows of the table, with repeats; one row for an empty text.

    Examples
    --------
    >>> bool(np.isin(grams("LBBB"), grams("lbbb.")).all())
    True
    """
    found = [zlib.crc32(part.encode()) % BUCKETS for part in _parts(plain(text[:MAX_LENGTH]))]
    return np.array(found or [0], np.int64)


def _parts(text: str) -> Iterator[str]:
    words = text.split()
    for k, word in enumerate(words):
        yield f"w {word}"
        yield f"w {word}"  # whole words count twice
        if k:
            yield f"p {words[k - 1]} {word}"
        framed = f"<{word}>"
        for n in LETTERS:
            for start in range(len(framed) - n + 1):
                yield framed[start : start + n]


@dataclass(frozen=True, eq=False)
class TextTower:
    """Texts and records in one space.

    Attributes
    ----------
    arrays : dict of str to np.ndarray
        Weights by name: the text's table and layers, the record's layers, the scale.
    card : dict
        Data, licence, how it was trained and how it does.
    """

    arrays: dict[str, FloatArray]
    card: dict[str, Any]

    def texts(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Embed texts.

        Parameters
        ----------
        texts : sequence of str
            Statements, descriptions, whole conclusions.

        Returns
        -------
        vectors : np.ndarray, shape (n_texts, D)
            Of length 1.
        priors : np.ndarray, shape (n_texts,)
            Log odds that a record bears the statement when nothing else is known.
        """
        a = self.arrays
        means = np.stack([a["table"][grams(text)].mean(0) for text in texts])
        hidden = np.maximum(means @ a["w1"] + a["b1"], 0)
        priors = hidden @ a["prior_w"] + a["prior_b"]
        return _unit(hidden @ a["w2"] + a["b2"]), priors[:, 0]

    def records(self, vectors: npt.ArrayLike) -> FloatArray:
        """Bring record vectors of the signal encoder into the space of the texts.

        Parameters
        ----------
        vectors : array_like, shape (n_records, D_encoder)
            From `ecg_llm.encode.encode`.

        Returns
        -------
        np.ndarray, shape (n_records, D)
            Of length 1.
        """
        a = self.arrays
        given = np.asarray(vectors, np.float32)
        if given.shape[1:] != a["record_mean"].shape:
            raise ConfigError(
                f"record vectors of {given.shape[-1]} features, but the text tower was aligned "
                f"with {len(a['record_mean'])}; align it anew with 'ecgllm train text'."
            )
        x = (given - a["record_mean"]) / a["record_scale"]
        hidden = np.maximum(x @ a["r1"] + a["c1"], 0)
        return _unit(hidden @ a["r2"] + a["c2"])

    def logits(self, records: FloatArray, vectors: FloatArray, priors: FloatArray) -> FloatArray:
        """Score every record against every text.

        Parameters
        ----------
        records : np.ndarray, shape (n_records, D)
            From `records`.
        vectors : np.ndarray, shape (n_texts, D)
            From `texts`, or averages of them.
        priors : np.ndarray, shape (n_texts,)
            From `texts`.

        Returns
        -------
        np.ndarray, shape (n_records, n_texts)
            Log odds.
        """
        out: FloatArray = self.arrays["scale"] * (records @ vectors.T) + priors
        return out

    def save(self, path: Path) -> None:
        """Write weights in half precision, and the card beside them.

        Parameters
        ----------
        path : Path
            Ends in ``.npz``.
        """
        halves: dict[str, Any] = {k: v.astype(np.float16) for k, v in self.arrays.items()}
        np.savez_compressed(path, **halves)
        text = json.dumps(self.card, indent=2, ensure_ascii=False)
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> TextTower:
        """Read a tower.

        Parameters
        ----------
        path : Path
            Written by `save`.

        Returns
        -------
        TextTower

        Raises
        ------
        ConfigError
            If the file is missing or not a text tower.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name].astype(np.float32) for name in _ARRAYS}
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(
                f"{path}: no text tower could be read ({error}); install the program again, or "
                "train one with 'ecgllm train text'."
            ) from None
        card = path.with_suffix(".json")
        return cls(arrays, json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {})


@cache
def bundled() -> TextTower:
    """Give the tower that ships with the program.

    Returns
    -------
    TextTower
    """
    return TextTower.load()


def _unit(x: FloatArray) -> FloatArray:
    """Bring rows to length 1."""
    out: FloatArray = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)
    return out
