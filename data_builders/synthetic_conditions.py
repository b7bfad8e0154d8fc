"""Catalogue of conditions: what each does to the heart, and which statements it makes true."""

from __future__ import annotations

import numpy as np

from ecg_llm.data_builders import (
    synthetic_chambers,
    synthetic_infarction,
    synthetic_repolarisation,
)
from ecg_llm.data_builders.synthetic_course import Ectopy
from ecg_llm.data_builders.synthetic_entry import Condition, Entry
from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_rhythm import ECTOPIC, NOT_CONDUCTED, ONE_TO_ONE
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

OF_P = ("RAO/RAE", "LAO/LAE", "1AVB", "WPW")
"""Conditions that are seen only where sinus P waves lead to QRS."""


def check_together(rhythm: str, conditions: tuple[Condition, ...]) -> tuple[str, ...]:
    """Refuse conditions that a rhythm would not show: their statements would not be true.

    Parameters
    ----------
    rhythm : str
        Key of `ecg_llm.data_builders.synthetic_rhythm.RHYTHMS`.
    conditions : tuple of Condition
        Keys of `CATALOGUE` or `ECTOPY`.

    Returns
    -------
    tuple of str
        The premature-beat pattern among them, if there is one.

    Raises
    ------
    ConfigError
        If a condition is unknown, or cannot be seen in this rhythm.
    """
    for item in conditions:
        if item.code not in CATALOGUE and item.code not in ECTOPY:
            known = ", ".join([*CATALOGUE, *ECTOPY])
            raise ConfigError(f"No condition {item.code!r} to simulate; there are {known}.")
    patterns = tuple(item.code for item in conditions if item.code in ECTOPY)
    formal = [item.code for item in conditions if item.code in CATALOGUE]
    possible = ECTOPIC.get(rhythm, ())
    if len(patterns) > 1 or any(ECTOPY[pattern] not in possible for pattern in patterns):
        names = [name for name, pattern in ECTOPY.items() if pattern in possible]
        raise ConfigError(
            f"{', '.join(patterns)} in rhythm {rhythm}; it can have one of: "
            f"{', '.join(names) or 'none'}."
        )
    if formal and rhythm in NOT_CONDUCTED:
        raise ConfigError(
            f"{', '.join(formal)} in rhythm {rhythm}: no beat of it is conducted, so that the "
            "condition would not be seen; leave it out."
        )
    unseen = [code for code in formal if code in OF_P]
    if unseen and rhythm not in ONE_TO_ONE:
        raise ConfigError(
            f"{', '.join(unseen)} in rhythm {rhythm}; it needs one of {', '.join(ONE_TO_ONE)}."
        )
    return patterns


def apply(
    heart: Heart, conditions: tuple[Condition, ...], rng: np.random.Generator
) -> tuple[Heart, tuple[str, ...]]:
    """Let conditions change a heart, in the catalogue's order; give the labels they make true."""
    labels: list[str] = []
    order = list(CATALOGUE)
    for item in sorted(conditions, key=lambda item: order.index(item.code)):
        entry = CATALOGUE[item.code]
        heart = entry.change(heart, rng, item.amount)
        labels.extend(label for label in entry.labels if label not in labels)
    return heart, tuple(labels)
