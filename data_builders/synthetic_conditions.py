"""Catalogue of conditions: what each does to the heart, and which statements it makes true."""

from __future__ import annotations

import numpy as np

from ecg_llm.data_builders import (
    synthetic_chambers,
    synthetic_infarction,
    synthetic_repolarisation,
)
from ecg_llm.data_builders.synthetic_entry import Condition, Entry
from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_rhythm import Ectopy
from ecg_llm.errors import ConfigError

CATALOGUE: dict[str, Entry] = {
    **synthetic_chambers.entries(),
    **synthetic_infarction.entries(),
    **synthetic_repolarisation.entries(),
}
"""Conditions of the heart's form, in the order in which they are applied; those of its rhythm are
in `ecg_llm.data_builders.synthetic_rhythm.RHYTHMS`."""

ECTOPY: dict[str, Ectopy] = {
    "PAC": "pac",
    "blocked_pac": "blocked_pac",
    "PVC": "pvc",
    "multiform_pvc": "multiform",
    "BIGU": "bigeminy",
    "TRIGU": "trigeminy",
    "couplets": "couplet",
    "fusion_pvc": "fusion",
}
"""Premature-beat patterns over sinus rhythm."""


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
