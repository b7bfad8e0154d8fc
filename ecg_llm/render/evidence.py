"""Evidence in words: where, what, how much, against which rule, from which source."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ecg_llm.phrases import (
    MOMENT_S,
    amount,
    fact_groups,
    facts_phrase,
    number,
    quantity_said,
    reading,
    rule_said,
    tidy,
)
from ecg_llm.render.scene import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecg_llm.findings.finding import Evidence
    from ecg_llm.report import Claim

MOST_FACTS = 4
"""More facts of a description than this are left to the JSON and HTML reports."""

Place = tuple[str | None, float, float]
"""Lead, begin and end."""


def place_of(item: Evidence) -> Place | None:
    """Say which stretch of the tracing an evidence item names.

    Parameters
    ----------
    item : Evidence
        Any.

    Returns
    -------
    tuple, or None
        None if it holds for the whole record. A single moment begins and ends at once.
    """
    times = [t for t in (item.from_s, item.to_s) if t is not None and math.isfinite(t)]
    return (item.lead, min(times), max(times)) if times else None


def where_text(item: Evidence) -> str:
    """Write the lead and times of an evidence item.

    Parameters
    ----------
    item : Evidence
        Any.

    Returns
    -------
    str
        Empty if it holds for all leads and the whole record.
    """
    words = [item.lead] if item.lead else []
    if (place := place_of(item)) is not None:
        begin, end = (number(t, "s") for t in place[1:])
        words.append(f"{begin} s" if begin == end else f"{begin}–{end} s")
    return " ".join(words)


def value_text(item: Evidence) -> str:
    """Write the value of an evidence item with its unit.

    Parameters
    ----------
    item : Evidence
        Any.

    Returns
    -------
    str
    """
    match item.value:
        case None:
            return "unknown"
        case str():
            return item.value
        case _:
            return amount(item.value, item.unit)


def evidence_text(item: Evidence, *, where: bool = True) -> str:
    """Write an evidence item in short form.

    Parameters
    ----------
    item : Evidence
        Any.
    where : bool
        Begin with its lead and times.

    Returns
    -------
    str

    Examples
    --------
    >>> from ecg_llm.findings.finding import Evidence
    >>> evidence_text(Evidence(lead="V2", from_s=1.04, to_s=1.08, quantity="ST at J", value=0.31,
    ...     unit="mV", criterion="≥ 0.2 mV", source="a paper"))
    'V2 1.04–1.08 s: ST at J 0.31 mV (≥ 0.2 mV)'
    """
    text = f"{item.quantity} {value_text(item)}" + (
        f" ({item.criterion})" if item.criterion else ""
    )
    begin = where_text(item)
    return printable(f"{begin}: {text}" if where and begin else text)


def not_yet_said(item: Evidence, said: str) -> str:
    """Give what an evidence item adds to the sentence it supports.

    Parameters
    ----------
    item : Evidence
        One fact.
    said : str
        The sentence.

    Returns
    -------
    str
        Lead, times, quantity, value and criterion, without what the sentence says in these words.

    Examples
    --------
    >>> from ecg_llm.findings.finding import Evidence
    >>> item = Evidence(lead=None, from_s=None, to_s=None, quantity="QRS duration", value=96.0,
    ...     unit="ms", criterion="reference ≤ 110 ms", source="")
    >>> not_yet_said(item, "QRS duration 96 ms.")
    'reference ≤ 110 ms'
    """
    lower = said.lower()
    phrase = facts_phrase([item], 1).lower()
    if phrase and phrase in lower:  # of what speaks against another finding there is none
        return where_text(item)
    value = value_text(item)
    if f"{item.quantity} {value}".lower() in lower:
        where = where_text(item)
        return (
            f"{where} ({item.criterion})" if where and item.criterion else where or item.criterion
        )
    if value in said and not (where_text(item) or item.criterion or item.source):
        return ""
    return evidence_text(item)


def below_present(evidence: Iterable[Evidence], said: str) -> str:
    """Give what the sentence of a present finding leaves out: places, other facts, limits.

    Parameters
    ----------
    evidence : iterable of Evidence
        What the finding rests on.
    said : str
        The sentence.

    Returns
    -------
    str
    """
    places: dict[str, None] = {}
    more: list[Evidence] = []
    limits: dict[str, None] = {}
    evidence = tuple(evidence)
    told = {item for items, phrase in fact_groups(evidence) if phrase in said for item in items}
    for item in evidence:
        place = place_of(item)
        if place is not None and place[2] - place[1] < MOMENT_S:
            places[where_text(item)] = None
        if item in told:
            continue
        rule = tidy(rule_said(item.criterion, limit=False))
        if quantity_said(item.quantity, reading(item, rule).split(" in ")[0]) not in said and (
            reading(item, rule) not in said
        ):
            more.append(item)
        elif rule and rule not in said and not rule.startswith("not "):
            limits[f"{item.quantity} {rule}"] = None
    parts = [f"seen at {', '.join(places)}"] if places else []
    if facts := facts_phrase(more, len(more)):
        parts.append(f"also {facts}" if told or places else facts)
    if limits:
        parts.append(f"limits: {', '.join(limits)}")
    return "; ".join(parts)


def _unsaid(item: Evidence, text: str) -> bool:
    """Whether a sentence lacks a fact's value or lead."""
    return value_text(item) not in text or item.lead not in text.rstrip(".").split()


class Citations:
    """Evidence in one line, its sources numbered as they come.

    Attributes
    ----------
    sources : dict of str to int
        Every source cited so far, with its number.
    """

    def __init__(self) -> None:
        self.sources: dict[str, int] = {}

    def facts(self, evidence: Iterable[Evidence], said: str = "") -> str:
        """Run the evidence of one statement together; the words ``said`` are not repeated."""
        facts = []
        for item in evidence:
            fact = not_yet_said(item, said)
            if item.source:
                fact += f" [{self.sources.setdefault(item.source, len(self.sources) + 1)}]"
            facts.append(fact.strip())
        return printable("; ".join(dict.fromkeys(fact for fact in facts if fact)))

    def of(self, claim: Claim) -> str:
        """Give the evidence of a statement: what its sentence leaves out."""
        match claim.kind:
            case "present" | "unknown":
                facts = below_present(claim.evidence, claim.text)
                return printable(f"{facts} {self.numbers(claim.evidence)}".strip())
            case "absent":  # the limits stand in the sentence; JSON and HTML hold the rest
                return self.numbers(claim.evidence)
            case "description" if not any(item.criterion for item in claim.evidence):
                more = [item for item in claim.evidence if item.lead and _unsaid(item, claim.text)]
                facts = facts_phrase(more, len(more)) if len(more) <= MOST_FACTS else ""
                return printable(f"{facts} {self.numbers(claim.evidence)}".strip())
            case _:
                return self.facts(claim.evidence, claim.text)

    def numbers(self, evidence: Iterable[Evidence]) -> str:
        """Give the numbers of the sources of a statement, such as ``[2][5]``."""
        sources = dict.fromkeys(item.source for item in evidence if item.source)
        numbers = (self.sources.setdefault(source, len(self.sources) + 1) for source in sources)
        return "".join(f"[{k}]" for k in numbers)
