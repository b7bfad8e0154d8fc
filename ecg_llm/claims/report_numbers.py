"""Hold the numbers of a composed report against the evidence that stands beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecg_llm.phrases import tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecg_llm.findings.finding import Evidence
    from ecg_llm.report import Report

_NUMBER = re.compile(r"(?<![\w.])−?\d+(?:\.\d+)?")
_UP_TO = re.compile(r"to (?=−?\d)")
"""Between the ends of a range, which share the unit."""
_UNIT = re.compile(r"(ms|mV|bpm|/min|°|s|Hz|%)(?!\w)")


def check_claims(report: Report) -> tuple[str, ...]:
    """Find every number of a report's text that its evidence does not hold.

    A number is held by an evidence item if it is the item's value rounded as shown and of the same
    unit, one of its times, or part of its criterion or unit (2 of 11 beats). Names may contain
    digits: leads (V1), labels of findings, quantities (ST at J+60 ms), and the reasons why
    something could not be judged.

    Parameters
    ----------
    report : Report
        To check: its claims, alerts, impression and narrative.

    Returns
    -------
    tuple of str
        One complaint a fault; empty if everything is held.
    """
    names = _names(report)
    complaints = [
        f"{text!r}: {number} is not in its evidence"
        for text, evidence in (
            # A model's sentences are held by `check_text`, in the units that they use.
            *((claim.text, claim.evidence) for claim in report.claims if claim.kind != "told"),
            *((alert.text, alert.evidence) for alert in report.alerts),
        )
        for number in unheld(text, evidence, names)
    ]
    said = {claim.text for claim in report.claims}
    complaints += [
        f"{text!r}: in the impression but not among the claims"
        for text in report.impression
        if text not in said
    ]
    rest = report.narrative
    for text in sorted(said, key=len, reverse=True):
        rest = rest.replace(text, "")
    titles = {"", "Impression", *(section.title for section in report.sections)}
    complaints += [
        f"{part.strip()!r}: in the narrative but not among the claims"
        for part in rest.split("\n\n")
        if part.strip().rstrip(".") not in titles
    ]
    return tuple(complaints)


def _names(report: Report) -> list[str]:
    """Collect the words that may hold digits which are no measurement, longest first."""
    evidence = [item for claim in report.claims for item in claim.evidence]
    words = {
        *report.record.leads,
        *(finding.label for finding in report.findings),
        *(finding.reason or "" for finding in report.findings),
        *(item.quantity for item in evidence),
        *(abstention.reason for abstention in report.abstentions),
        *report.quality.reasons,
    }
    every = {form for word in words for form in (word, word[:1].upper() + word[1:])}
    every |= {word[:1].lower() + word[1:] for word in words}
    return sorted((word for word in every if re.search(r"\d", word)), key=len, reverse=True)


def unheld(text: str, evidence: Iterable[Evidence], names: Iterable[str]) -> Iterator[str]:
    """Find the numbers of a sentence that its evidence does not hold.

    Parameters
    ----------
    text : str
        The sentence.
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
