"""Hold the numbers of a composed report against the evidence that stands beside them."""

from __future__ import annotations

import re

from ecg_llm.claims.report_numbers import unheld
from ecg_llm.report import Report


def check_claims(report: Report) -> tuple[str, ...]:
    """Find every number of a report's text that its evidence does not hold.

    A number is held by an evidence item if it is the item's value rounded as shown and of the same
    unit, one of its times, or part of its criterion or unit (2 of 11 beats). Names may contain
    digits: leads (V1), labels of findings, quantities (ST at J+60 ms), and the reasons why
    something could not be judged.
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
