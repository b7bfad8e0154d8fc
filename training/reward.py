"""What a drafted report earns: the grounding check in one number, for preference training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from ecg_llm.claims.check import check_text
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.stated import missing
from ecg_llm.data_builders.talk import REPORT_VALUES
from ecg_llm.eval.reports import count_findings, said_findings
from ecg_llm.statements import said_by_another
from ecg_llm.vocabulary import canonical_code

if TYPE_CHECKING:
    from ecg_llm.claims.facts import Facts

LONG_WORDS = 120
"""Words beyond which a report costs reward."""
CONCLUSION = "Impression:"
"""What stands behind it may say again what was said."""


@dataclass(frozen=True)
class Reward:
    """What a draft earns, in parts from 0 to 1.

    Attributes
    ----------
    supported : float
        Share of its claims that the record bears out.
    contradicted : float
        Share that the record contradicts.
    complete : float
        Share of what a report has to say that it says: the present findings that are worth it, and
        the values that were measured.
    right : float
        F1 of its findings against those that people stated; 0 where they stated none.
    repeated : float
        Share of its findings that it had named before, the conclusion left aside.
    long : float
        Words beyond `LONG_WORDS`, relative to them.
    """

    supported: float
    contradicted: float
    complete: float
    right: float
    repeated: float
    long: float

    @property
    def total(self) -> float:
        """One number: claims count most, silence earns nothing."""
        return (
            self.supported
            - 2 * self.contradicted
            + self.complete
            + 0.5 * self.right
            - self.repeated
            - self.long
        )


def reward(text: str, facts: Facts, statements: Mapping[str, float] | None = None) -> Reward:
    """Judge a draft by what the record bears out; no word of a reference text is looked for.

    Parameters
    ----------
    statements : mapping of str to float, optional
        What people stated, with its likelihood in percent.

    Examples
    --------
    >>> from ecg_llm.claims.facts import Facts
    >>> facts = Facts.from_json({"qrs_ms": {"value": 94.0, "unit": "ms"}})
    >>> reward("QRS 94 ms.", facts).total > reward("QRS 140 ms.", facts).total
    True
    """
    # As strict as what ships: the measured value at the precision shown.
    checked = check_text(text, facts=facts, tolerance_scale=0)
    n = max(len(checked), 1)
    counts = count_findings(said_findings(text), dict(statements or {}))
    both = 2 * counts["tp"] + counts["fp"] + counts["fn"]
    return Reward(
        supported=sum(claim.status == "supported" for claim in checked) / n,
        contradicted=sum(claim.status == "contradicted" for claim in checked) / n,
        complete=_complete(text, facts, bool(checked)),
        right=2 * counts["tp"] / both if both else 0.0,
        repeated=_repeated(text),
        long=max(0.0, len(text.split()) / LONG_WORDS - 1),
    )


def mean(rewards: Sequence[Reward]) -> Reward:
    """Give the mean of each part."""
    names = [item.name for item in fields(Reward)]
    return Reward(**{k: sum(getattr(one, k) for one in rewards) / len(rewards) for k in names})


def _complete(text: str, facts: Facts, claims: bool) -> float:
    """Count the findings and values that a report has to say, and those that it says."""
    present = {code: found for code, found in facts.findings.items() if found.status == "present"}
    worth = [
        found
        for found in present.values()
        if found.urgency != "normal" and not said_by_another(found, present)
    ]
    known = [facts.values.get(name) for name in REPORT_VALUES]
    values = {
        name.removesuffix("_bpm").removesuffix("_ms").removesuffix("_deg").split("_frid")[0]
        for name, quantity in zip(REPORT_VALUES, known, strict=True)
        if quantity is not None and quantity.value is not None
    }
    told = {
        claim.subject
        for claim in extract_claims(text)
        if claim.kind == "number" and claim.role == "measured" and not claim.leads
    }
    wanted = len(worth) + len(values)
    if not wanted:
        return float(claims)
    return 1 - (len(missing(text, worth)) + len(values - told)) / wanted


def _repeated(text: str) -> float:
    body = text.split(CONCLUSION)[0]
    named = [
        canonical_code(claim.subject)
        for claim in extract_claims(body)
        if claim.kind == "finding" and not claim.negated
    ]
    return 1 - len(set(named)) / len(named) if named else 0.0
