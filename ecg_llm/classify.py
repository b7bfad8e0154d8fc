"""Classify records: by words, or by the trained head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from ecg_llm.record import ECGRecord
    from ecg_llm.zero_shot import Labels

Benchmark = Literal[
    "ptbxl-super",
    "ptbxl-sub",
    "ptbxl-form",
    "ptbxl-rhythm",
    "ptbxl-diagnostic",
    "ptbxl-all",
    "cpsc2018",
    "csn",
]
"""Benchmarks whose classes can be asked for by name; `ecg_llm.knowledge.TASKS` holds them."""


@dataclass(frozen=True, kw_only=True)
class Classified:
    """The scores of one record.

    Attributes
    ----------
    record : str
        Its name.
    scores : dict of str to float
        0 to 1 by label; empty if the record was refused.
    refused : str or None
        Why its technical quality allows no scores.
    """

    record: str
    scores: dict[str, float]
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values.

        Returns
        -------
        dict
        """
        told: dict[str, Any] = {"record": self.record, "scores": self.scores}
        return told if self.refused is None else {**told, "refused": self.refused}


def classify(
    records: Sequence[ECGRecord],
    labels: Labels,
    *,
    head: bool = False,
    trained: Path | None = None,
) -> list[Classified]:
    """Score records for statements; the encoder reads all of them together.

    Parameters
    ----------
    records : sequence of ECGRecord
        Any leads, rate and length.
    labels : Labels
        What is asked.
    head : bool
        Use the trained head, with measured features, instead of words; it knows the statements
        and classes of PTB-XL.
    trained : Path, optional
        Folder of another encoder with its head, for ``head``.

    Returns
    -------
    list of Classified
        In the order of the records. A record that the quality gate refuses has no scores.

    Raises
    ------
    ConfigError
        If the head does not know a label.
    """
    if head:
        check_head(labels)
    parts = [readable(record) for record in records]
    good = [part for part, why in parts if why is None]
    rows = iter(_scores(good, labels, head, trained) if good else ())
    return [
        Classified(record=part.name, scores=next(rows) if why is None else {}, refused=why)
        for part, why in parts
    ]


def check_head(labels: Labels) -> None:
    """Make sure that the head knows every label.

    Parameters
    ----------
    labels : Labels
        What is asked.

    Raises
    ------
    ConfigError
        Naming the labels that it does not know.
    """
    from ecg_llm.knowledge import PTBXL_KEYS

    known = set(PTBXL_KEYS)
    unknown = [
        name for name, key in zip(labels.names, labels.keys, strict=True) if key not in known
    ]
    if unknown:
        raise ConfigError(
            f"the trained head does not know {', '.join(unknown)}; it knows the statements and "
            "classes of PTB-XL. Leave --head away to classify by words."
        )


def readable(record: ECGRecord) -> tuple[ECGRecord, str | None]:
    """Keep what can be read of a record, or say why its technical quality allows nothing.

    Parameters
    ----------
    record : ECGRecord
        What was read.

    Returns
    -------
    record : ECGRecord
        Nothing counts as recorded outside of the stretch that can be read.
    why : str or None
        None if it is good enough.
    """
    from ecg_llm.quality import assess

    quality = assess(record)
    if not quality.acceptable:
        return record, "; ".join(quality.reasons) or "insufficient technical quality"
    return record.only(quality.from_s, quality.to_s), None


def _scores(
    records: Sequence[ECGRecord], labels: Labels, head: bool, trained: Path | None
) -> list[dict[str, float]]:
    """Score readable records."""
    if head:
        from ecg_llm.head import head_scores

        return [
            {
                name: round(row[str(key)], 6)
                for name, key in zip(labels.names, labels.keys, strict=True)
            }
            for row in head_scores(records, trained=trained)
        ]
    from ecg_llm.encode import encode
    from ecg_llm.zero_shot import zero_shot_scores

    table = zero_shot_scores(encode(records).vector, labels)
    return [
        {name: round(float(score), 6) for name, score in zip(labels.names, row, strict=True)}
        for row in table
    ]
