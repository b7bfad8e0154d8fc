"""A conversation before it becomes a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ecg_llm.data_builders.instruct_say import Point

Kind = Literal[
    "report",
    "reasoning",
    "verify",
    "choose",
    "query",
    "comparison",
    "explanation",
    "follow_up",
    "declined",
    "refused",
    "pressure",
    "injection",
    "second_reading",
]
KINDS: tuple[Kind, ...] = (
    *("report", "reasoning", "verify", "choose", "query", "comparison", "explanation"),
    *("follow_up", "declined", "refused", "pressure", "injection", "second_reading"),
)
"""What conversations are about."""

MAY_EXPLAIN = ("explanation", "declined", "refused")
"""Kinds whose answers may hold what no record can bear out: what a term means, why no answer."""

STEPS = (
    "quality",
    "rate and rhythm",
    "conduction and axis",
    "chambers",
    "ischaemia and infarction",
    "repolarisation",
    "conclusion",
)
"""Steps of a stepwise reading, in their order."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One conversation.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    form : str
        Which question of that kind.
    turns : tuple of str
        User and assistant by turns, the user first.
    facts : tuple of str
        Finding codes and names of values that the answers use.
    answer : tuple of str
        Short answers in the vocabulary of ECG-QA, for questions that have one.
    chain : tuple of dict
        Steps of a stepwise reading.
    """

    kind: Kind
    form: str
    turns: tuple[str, ...]
    facts: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    chain: tuple[dict[str, Any], ...] = ()


Told = tuple[Draft | Sequence[Draft] | None, int]
"""What was written, if all that it needs could be said, and how many sentences were left unsaid."""


def draft(
    kind: Kind,
    form: str,
    *turns: str,
    points: Sequence[Point] = (),
    facts: Sequence[str] = (),
    answer: Sequence[str] = (),
    chain: Sequence[dict[str, Any]] = (),
) -> Draft:
    """Make a conversation; what its points state is what it uses."""
    used = dict.fromkeys((*(point.code for point in points), *facts))
    return Draft(
        kind=kind,
        form=form,
        turns=turns,
        facts=tuple(used),
        answer=tuple(answer),
        chain=tuple(chain),
    )


def link(step: str, point: Point) -> dict[str, Any]:
    """Write one decision of a stepwise reading so that a program can check it."""
    return {
        "step": step,
        "finding": point.code,
        "decision": point.decision,
        "sentence": point.text,
        "evidence": [
            {
                "criterion": item.criterion,
                "lead": item.lead,
                "quantity": item.quantity,
                "value": item.value,
                "unit": item.unit,
            }
            for item in point.evidence
        ],
    }


def chain_json(chain: Sequence[dict[str, Any]]) -> str | None:
    """Write the steps as JSON."""
    return json.dumps(list(chain), ensure_ascii=False, separators=(",", ":")) if chain else None
