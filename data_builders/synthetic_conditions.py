"""Catalogue of conditions: what each does to the heart, and which statements it makes true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_morphology import (
    fascicular_block,
    left_bundle_block,
    right_bundle_block,
)
from ecg_llm.errors import ConfigError

Change = Callable[[Heart, np.random.Generator, float | None], Heart]


@dataclass(frozen=True)
class Condition:
    """A condition to simulate.

    Attributes
    ----------
    code : str
        Key of `CATALOGUE`, or one of the premature-beat patterns of `ECTOPY`.
    amount : float or None
        Its size in the unit that the catalogue states; None draws one.
    """

    code: str
    amount: float | None = None


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue.

    Attributes
    ----------
    change : callable
        Gives the changed heart.
    labels : tuple of str
        Statements that become true.
    amount : str
        What ``amount`` means, with its unit; empty if it has none.
    """

    change: Change
    labels: tuple[str, ...]
    amount: str = ""


def _beat(heart: Heart, **changes: object) -> Heart:
    """Change fields of the conducted beat."""
    return replace(heart, beat=replace(heart.beat, **changes))  # type: ignore[arg-type]


def _crbbb(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
    beat = right_bundle_block(heart.beat, rng, heart.spread)
    return replace(heart, beat=replace(beat, qrs_ms=amount or beat.qrs_ms))


def _irbbb(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
    beat = right_bundle_block(heart.beat, rng, heart.spread, complete=False)
    return replace(heart, beat=replace(beat, qrs_ms=amount or beat.qrs_ms))


def _clbbb(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
    beat = left_bundle_block(heart.beat, rng, heart.spread)
    return replace(heart, beat=replace(beat, qrs_ms=amount or beat.qrs_ms))


def _lafb(heart: Heart, rng: np.random.Generator, _: float | None) -> Heart:
    return replace(heart, beat=fascicular_block(heart.beat, rng, heart.spread, anterior=True))


def _lpfb(heart: Heart, rng: np.random.Generator, _: float | None) -> Heart:
    return replace(heart, beat=fascicular_block(heart.beat, rng, heart.spread, anterior=False))


def _first_degree(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
    return replace(heart, pr_ms=amount or float(rng.uniform(212, 330)))


CATALOGUE: dict[str, Entry] = {
    "CRBBB": Entry(_crbbb, ("CRBBB",), "QRS in ms"),
    "IRBBB": Entry(_irbbb, ("IRBBB",), "QRS in ms"),
    "CLBBB": Entry(_clbbb, ("CLBBB",), "QRS in ms"),
    "LAFB": Entry(_lafb, ("LAFB",)),
    "LPFB": Entry(_lpfb, ("LPFB",)),
    "1AVB": Entry(_first_degree, ("1AVB",), "PR in ms"),
}
"""Conditions of the heart's form; those of its rhythm are in `synthetic_rhythm`."""

ECTOPY = {
    "PAC": "pac",
    "blocked_pac": "blocked_pac",
    "PVC": "pvc",
    "BIGU": "bigeminy",
    "TRIGU": "trigeminy",
    "couplets": "couplet",
}
"""Premature-beat patterns."""


def apply(
    heart: Heart, conditions: tuple[Condition, ...], rng: np.random.Generator
) -> tuple[Heart, tuple[str, ...]]:
    """Let conditions change a heart, in the catalogue's order.

    Parameters
    ----------
    heart : Heart
        Healthy.
    conditions : tuple of Condition
        Keys of `CATALOGUE`.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    heart : Heart
    labels : tuple of str

    Raises
    ------
    ConfigError
        If the catalogue has no such condition.
    """
    labels: list[str] = []
    for item in conditions:
        if item.code not in CATALOGUE:
            known = ", ".join([*CATALOGUE, *ECTOPY])
            raise ConfigError(f"No condition {item.code!r} to simulate; there are {known}.")
    order = list(CATALOGUE)
    for item in sorted(conditions, key=lambda item: order.index(item.code)):
        entry = CATALOGUE[item.code]
        heart = entry.change(heart, rng, item.amount)
        labels.extend(label for label in entry.labels if label not in labels)
    return heart, tuple(labels)
