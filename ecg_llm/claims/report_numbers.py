"""Hold the numbers of a composed sentence against the evidence that stands beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecg_llm.phrases import tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecg_llm.findings.finding import Evidence

_NUMBER = re.compile(r"(?<![\w.])−?\d+(?:\.\d+)?")
_UP_TO = re.compile(r"to (?=−?\d)")
"""Between the ends of a range, which share the unit."""
_UNIT = re.compile(r"(ms|mV|bpm|/min|°|s|Hz|%)(?!\w)")


def unheld(text: str, evidence: Iterable[Evidence], names: Iterable[str]) -> Iterator[str]:
    """Find the numbers of a sentence that its evidence does not hold.

    Parameters
    ----------
    evidence : iterable of Evidence
        What stands beside it.
    names : iterable of str
        Words with digits that are no measurement.

    Yields
    ------
    str
        The number with its unit.
    """
    for name in filter(None, names):
        text = re.sub(rf"(?<!\w){re.escape(name.rstrip('.'))}(?!\w)", " ", text)
    items = tuple(evidence)
    for match in _NUMBER.finditer(text):
        rest = text[match.end() :].lstrip()
        if (joint := _UP_TO.match(rest)) and (top := _NUMBER.match(rest, joint.end())):
            rest = rest[top.end() :].lstrip()
        if not any(_holds(item, match[0], rest) for item in items):
            unit = _UNIT.match(rest)
            yield f"{match[0]} {unit[0] if unit else ''}".rstrip()


def _holds(item: Evidence, shown: str, rest: str) -> bool:
    """Whether an item holds a number that is followed by ``rest``."""
    decimals = len(shown.partition(".")[2])
    value = float(shown.replace("−", "-"))

    def rounds_to(known: float | None) -> bool:
        return known is not None and float(f"{known:.{decimals}f}") == value

    if isinstance(item.value, str):
        if shown in _NUMBER.findall(item.value):
            return True
    elif rounds_to(item.value) and _has_unit(rest, item.unit):
        return True
    if _has_unit(rest, "s") and (rounds_to(item.from_s) or rounds_to(item.to_s)):
        return True
    return shown in _NUMBER.findall(tidy(f"{item.criterion} {item.unit}"))


def _has_unit(rest: str, unit: str) -> bool:
    """Whether a text goes on with a unit, or with none if there is none."""
    if unit == "":
        return _UNIT.match(rest) is None
    return re.match(rf"{'°' if unit == 'deg' else re.escape(unit)}(?!\w)", rest) is not None
