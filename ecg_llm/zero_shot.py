"""Scores of records for statements given in words, with no training on those words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ecg_llm.errors import ConfigError
from ecg_llm.inference import sigmoid
from ecg_llm.knowledge import TASKS, Concept, concepts, find

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from ecg_llm.text import FloatArray, TextTower

NAMES_USED = 8
"""Of a known statement's names, the plainest first."""
MAX_LABELS = 500
_LONGEST = 1000


@dataclass(frozen=True, eq=False)
class Labels:
    """What records are asked for.

    Attributes
    ----------
    names : tuple of str
        As they come back in the scores.
    texts : tuple of tuple of str
        Of each, the wordings whose vectors are averaged.
    keys : tuple of str or None
        Of each, the concept of `ecg_llm.knowledge` it is; None for other wording.
    """

    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    keys: tuple[str | None, ...]

    @classmethod
    def of_task(cls, task: str) -> Labels:
        """Ask for the classes of a benchmark.

        Parameters
        ----------
        task : str
            One of `ecg_llm.knowledge.TASKS`.

        Returns
        -------
        Labels
            Named as the data set names its classes.

        Raises
        ------
        ConfigError
            If there is no such task.
        """
        if task not in TASKS:
            raise ConfigError(f"task {task!r}: there are {', '.join(TASKS)}.")
        classes = TASKS[task]
        known = [concepts()[key] for key in classes.values()]
        return cls(tuple(classes), tuple(map(wordings, known)), tuple(classes.values()))

    @classmethod
    def of_texts(cls, given: Iterable[str] | Mapping[str, str]) -> Labels:
        """Ask for statements in anybody's words.

        Parameters
        ----------
        given : iterable of str or mapping of str to str
            Statements; as a mapping, a description of each. A statement that
            `ecg_llm.knowledge` knows is read with the description it has there.

        Returns
        -------
        Labels

        Raises
        ------
        ConfigError
            If there is none, or one is empty, too long or stands twice.

        Examples
        --------
        >>> Labels.of_texts(["LBBB", "left-sided delay"]).keys
        ('CLBBB', None)
        """
        described = dict(given) if isinstance(given, Mapping) else None
        names = [name.strip() for name in given]
        if not names or len(names) > MAX_LABELS:
            raise ConfigError(f"{len(names)} labels; between 1 and {MAX_LABELS} are needed.")
        for name in names:
            if not any(letter.isalnum() for letter in name) or len(name) > _LONGEST:
                raise ConfigError(
                    f"label {name[:40]!r}: a statement of 1 to {_LONGEST} letters is needed."
                )
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ConfigError(f"labels stand twice: {', '.join(twice)}.")
        found = [find(name) for name in names]
        texts = []
        for name, concept in zip(names, found, strict=True):
            words = wordings(concept) if concept else (name,)
            more = described[name].strip() if described else ""
            texts.append((*words, more, f"{name}: {more}") if more else words)
        return cls(tuple(names), tuple(texts), tuple(c.key if c else None for c in found))

    @classmethod
    def of_file(cls, path: Path) -> Labels:
        """Read statements from a text file.

        Parameters
        ----------
        path : Path
            One statement a line, with its description behind a colon if it has one; empty lines
            and lines that begin with ``#`` are passed over.

        Returns
        -------
        Labels

        Raises
        ------
        ConfigError
            If the file cannot be read or holds no statement.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"--label-file {path}: {error}; give a text file, one statement a line."
            ) from None
        given: dict[str, str] = {}
        for line in text.splitlines():
            name, _, description = line.partition(":")
            if name.strip() and not name.lstrip().startswith("#"):
                if name.strip() in given:
                    raise ConfigError(f"--label-file {path}: {name.strip()!r} stands twice.")
                given[name.strip()] = description
        if not given:
            raise ConfigError(f"--label-file {path}: it holds no statement.")
        return cls.of_texts(given)


def wordings(concept: Concept) -> tuple[str, ...]:
    """Word a known statement: by its names, by its signs, and by both.

    Parameters
    ----------
    concept : Concept
        From `ecg_llm.knowledge.concepts`.

    Returns
    -------
    tuple of str
    """
    described = (concept.description, f"{concept.name}: {concept.description}")
    return (*concept.names[:NAMES_USED], *described)


def zero_shot_scores(
    vectors: npt.ArrayLike, labels: Labels, *, tower: TextTower | None = None
) -> FloatArray:
    """Score records for statements.

    Parameters
    ----------
    vectors : array_like, shape (n_records, D)
        Record vectors from `ecg_llm.encode.encode`.
    labels : Labels
        What is asked.
    tower : TextTower, optional
        Instead of the bundled one.

    Returns
    -------
    np.ndarray, shape (n_records, n_labels)
        0 to 1. They order records well; as probabilities they are rough, since no
        calibration knows the words in advance.
    """
    from ecg_llm.text import bundled

    tower = tower or bundled()
    flat = [text for texts in labels.texts for text in texts]
    said, priors = tower.texts(flat)
    starts = np.cumsum([0, *(len(texts) for texts in labels.texts)])
    parts = [slice(a, b) for a, b in pairwise(starts)]
    means = np.stack([said[part].mean(0) for part in parts])
    means = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
    prior = np.array([priors[part].mean() for part in parts], np.float32)
    logits = tower.logits(tower.records(vectors), means, prior)
    return sigmoid(logits).astype(np.float32)
