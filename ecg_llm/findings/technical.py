"""Errors of recording that would make every other statement wrong."""

from __future__ import annotations

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, fact, judge
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import TECHNICAL

MIN_SCORE = 0.5


def judge_technical(case: Case) -> tuple[Finding, ...]:
    """Report suspected electrode reversals.

    Parameters
    ----------
    case : Case
        The measured record.

    Returns
    -------
    tuple of Finding
    """
    found = [s for s in case.quality.suspicions if s.score >= MIN_SCORE]
    if not found:
        return (judge("lead_reversal", Check(False)),)
    checks = [
        fact(
            True,
            suspicion.kind,
            suspicion.explanation.rstrip("."),
            "",
            f"score {suspicion.score:.2f}, at least {MIN_SCORE:g}",
            TECHNICAL,
            lead=suspicion.leads[0] if suspicion.leads else None,
        )
        for suspicion in found
    ]
    evidence = tuple(item for check in checks for item in check.evidence)
    return (judge("lead_reversal", Check(True, evidence)),)
