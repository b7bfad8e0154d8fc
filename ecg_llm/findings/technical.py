"""Errors of recording that would make every other statement wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, fact, judge, unknown
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.findings.sources import TECHNICAL
from ecg_llm.leads import LIMB_LEADS
from ecg_llm.quality import Quality
from ecg_llm.quality.reversal import FLAT_KINDS, Suspicion, lacking_for_exchanges

MIN_SCORE = 0.5
RIGHT_P_DEG, RIGHT_QRS_DEG = 105.0, 95.0
"""Axes on the far side of these point away from lead I: no sinus P does, nor its QRS with it."""
EXCHANGED = "leads that it rests on may be exchanged"
_OF_SHAPE = ("conduction", "axis", "p wave", "qrs", "st-t", "chambers")
MIRRORED = "P and QRS negative in I, as with swapped arm electrodes or dextrocardia"


def judge_technical(case: Case, origin: str | None = None) -> tuple[Finding, ...]:
    """Report suspected electrode reversals, and a heart that the limb leads show as in a mirror.

    ``origin``: why the beats are not those of the usual conduction, if they are not: exchanges are
    suspected by the shape of conducted beats.
    """
    found = [s for s in case.quality.suspicions if s.score >= MIN_SCORE]
    if not found:
        mirrored = _mirrored(case)
        lacking = lacking_for_exchanges(case.record.leads, case.quality.usable_leads)
        if lacking and not mirrored.holds:
            reasons = "; ".join(case.reason("qrs_max_mv", lead) for lead in lacking)
            return (judge("lead_reversal", unknown(reasons)),)
        return (judge("lead_reversal", mirrored),)
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
    if origin and not any(_whatever_beats(suspicion) for suspicion in found):
        return (judge("lead_reversal", Check(None, evidence, origin)),)
    return (judge("lead_reversal", Check(True, evidence)),)


def _whatever_beats(suspicion: Suspicion) -> bool:
    """Whether it rests on laws or flat leads rather than on the shape of the beats."""
    of_limbs = not set(LIMB_LEADS).isdisjoint(suspicion.leads)
    row = suspicion.kind == "doubled row" or ("row" in suspicion.kind and of_limbs)
    return row or suspicion.kind in FLAT_KINDS


def doubt_exchanged(findings: Iterable[Finding], quality: Quality) -> tuple[Finding, ...]:
    """Put into doubt what rests on leads that may be exchanged.

    That is shapes and axes; rhythm and durations hold in any lead.
    """
    findings = tuple(findings)
    if any(f.code == "lead_reversal" and f.status == "unknown" for f in findings):
        return findings
    suspected = {lead for one in quality.suspicions if one.score >= MIN_SCORE for lead in one.leads}
    limb = not suspected.isdisjoint(LIMB_LEADS)

    def rests_on_them(item: Evidence) -> bool:
        return item.lead in suspected or (limb and item.quantity.endswith(" axis"))

    return tuple(
        replace(finding, doubt=EXCHANGED)
        if finding.status == "present"
        and finding.doubt is None
        and finding.section in _OF_SHAPE
        and any(rests_on_them(item) for item in finding.evidence)
        else finding
        for finding in findings
    )


def _mirrored(case: Case) -> Check:
    """P and QRS point to the right: the arm electrodes are swapped, or it is dextrocardia."""
    p, qrs = case.value("p_axis_deg"), case.value("qrs_axis_deg")
    if p is None or qrs is None or abs(p) <= RIGHT_P_DEG or abs(qrs) <= RIGHT_QRS_DEG:
        return Check(False)
    rule = f"P axis beyond ±{RIGHT_P_DEG:g}°, QRS axis beyond ±{RIGHT_QRS_DEG:g}°"
    axes = f"P axis {p:.0f}°, QRS axis {qrs:.0f}°"
    return fact(True, MIRRORED, axes, "", rule, TECHNICAL, lead="I")
