"""Compare an ECG with an earlier one of the same patient, with evidence from both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ecg_llm.comparison import Comparison, FindingChange, FindingTrend, ValueChange, ValueTrend
from ecg_llm.findings.case import LABELS
from ecg_llm.findings.finding import URGENCIES
from ecg_llm.phrases import amount, brief_reason, listing, measured, said_to_be
from ecg_llm.quantity import Quantity
from ecg_llm.report import Claim, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ecg_llm.findings.finding import Evidence, Finding
    from ecg_llm.report import Report

TITLE = "Comparison with the earlier ECG"
VARIABILITY = (
    "Schijvenaars BJA, van Herpen G, Kors JA. J Electrocardiol 2008;41:190-196; "
    "ICH guideline E14, 2005 (QTc)"
)
"""Why small differences tell nothing."""
LEAST = {
    "heart_rate_bpm": 10.0,
    "pr_ms": 20.0,
    "qrs_ms": 15.0,
    "qtc_fridericia_ms": 30.0,
    "qrs_axis_deg": 30.0,
    "t_axis_deg": 45.0,
}
"""Least difference that is told as a change, by value, in its unit.

Chosen above what ECGs of an unchanged heart differ by from day to day and with the place of the
electrodes; 30 ms of QTc is the lowest increase that ICH E14 asks to be listed.
"""
LEAST_MV = 0.1
"""Least difference of a voltage that a finding rests on: one small square."""
WITHIN_MV = ("ST", "Q amplitude", "T amplitude")
"""Voltages that are compared lead by lead; those of R and S change with every electrode placed."""


def compare(now: Report, before: Report) -> Comparison:
    """Find what became of values and findings.

    Parameters
    ----------
    now : Report
        Of the present ECG.
    before : Report
        Of the earlier one.

    Returns
    -------
    Comparison

    References
    ----------
    .. [1] Schijvenaars BJA, van Herpen G, Kors JA. Intraindividual variability in
       electrocardiograms. J Electrocardiol 2008;41:190-196.
    .. [2] ICH guideline E14, 2005: increases of QTc by more than 30 and 60 ms.
    """
    name = before.record.name or before.record.source
    sha256 = before.provenance.input_sha256
    for which, report in (("earlier", before), ("present", now)):
        if not report.quality.acceptable:
            reasons = "; ".join(report.quality.reasons) or "insufficient technical quality"
            return Comparison(
                earlier_name=name,
                earlier_sha256=sha256,
                compared=False,
                reason=f"the {which} tracing was not interpreted: {reasons}",
            )
    return Comparison(
        earlier_name=name,
        earlier_sha256=sha256,
        compared=True,
        notes=tuple(_doubts(now, before)),
        values=tuple(_values(now, before)),
        findings=tuple(_findings(now, before)),
    )


def with_comparison(now: Report, before: Report) -> Report:
    """Add the comparison with an earlier ECG to a report, as a block and as a section.

    Parameters
    ----------
    now : Report
        Of the present ECG.
    before : Report
        Of the earlier one.

    Returns
    -------
    Report
        Every sentence of its new section rests on evidence from both.
    """
    comparison = compare(now, before)
    claims = tuple(comparison_claims(comparison))
    known = {claim.text for claim in now.claims}
    told = " ".join(claim.text for claim in claims)
    return now.model_copy(
        update={
            "comparison": comparison,
            "sections": (*now.sections, Section(title=TITLE, statements=claims)),
            "claims": (*now.claims, *(claim for claim in claims if claim.text not in known)),
            "narrative": f"{now.narrative}\n\n{TITLE}. {told}",
        }
    )


def _doubts(now: Report, before: Report) -> Iterator[str]:
    """Say what speaks against both being of the same patient."""
    if now.record.sex and before.record.sex and now.record.sex != before.record.sex:
        yield "the files name different sexes: check that both are of the same patient"
    ages = now.record.age_years, before.record.age_years
    if ages[0] is not None and ages[1] is not None and ages[1] > ages[0] + 1:
        yield "the patient of the earlier ECG is older: check which one is the earlier"


def _values(now: Report, before: Report) -> Iterator[ValueChange]:
    """Set the record-level values side by side."""
    for name, least in LEAST.items():
        one, two = before.measurements.get(name), now.measurements.get(name)
        if one is None or two is None:
            continue
        difference: float | None = None
        trend: ValueTrend = "unknown"
        if one.value is not None and two.value is not None:
            difference = two.value - one.value
            if one.unit == "deg":
                difference = (difference + 180) % 360 - 180
            trend = "same"
            if abs(difference) >= least:
                trend = "higher" if difference > 0 else "lower"
                trend = "shifted" if one.unit == "deg" else trend
        yield ValueChange(
            name=name,
            label=LABELS[name],
            before=one,
            now=two,
            difference=difference,
            least=least,
            trend=trend,
        )


def _findings(now: Report, before: Report) -> list[FindingChange]:
    """Sort what at least one of both shows by what became of it."""
    earlier = {finding.code: finding for finding in before.findings}
    changes = []
    for finding in now.findings:
        was = earlier.get(finding.code)
        if was is None or "present" not in (finding.status, was.status):
            continue
        trend, reason = _trend(finding, was)
        changes.append(
            FindingChange(
                code=finding.code,
                label=finding.label,
                section=finding.section,
                urgency=finding.urgency,
                before=was.status,
                now=finding.status,
                trend=trend,
                reason=reason,
                evidence_before=was.evidence,
                evidence_now=finding.evidence,
            )
        )
    return sorted(changes, key=lambda change: URGENCIES.index(change.urgency))


def _trend(now: Finding, before: Finding) -> tuple[FindingTrend, str | None]:
    """Say what became of a finding, and why one says so."""
    match before.status, now.status:
        case "absent", "present":
            return "new", None
        case "present", "absent":
            return "gone", None
        case "present", "present":
            reason = _difference(now, before)
            return ("changed", reason) if reason else ("persistent", None)
    open_, which = (now, "now") if now.status == "unknown" else (before, "in the earlier ECG")
    return "undetermined", f"not judged {which}: {brief_reason(open_.reason)}"


def _difference(now: Finding, before: Finding) -> str | None:
    """Say in which leads a finding has come, gone, or changed its voltage."""
    one, two = _voltages(before), _voltages(now)
    if not one or not two or {key[0] for key in one}.isdisjoint(key[0] for key in two):
        return None
    parts = []
    come = [lead for quantity, lead in two if (quantity, lead) not in one]
    gone = [lead for quantity, lead in one if (quantity, lead) not in two]
    if come:
        parts.append(f"now also in {listing(list(dict.fromkeys(come)))}")
    if gone:
        parts.append(f"no longer in {listing(list(dict.fromkeys(gone)))}")
    more = [
        f"{quantity} in {lead} {amount(two[quantity, lead], 'mV')}, "
        f"earlier {amount(one[quantity, lead], 'mV')}"
        for quantity, lead in two
        if (quantity, lead) in one and abs(two[quantity, lead] - one[quantity, lead]) >= LEAST_MV
    ]
    return "; ".join([*parts, *more[:3]]) or None


def _voltages(finding: Finding) -> dict[tuple[str, str], float]:
    """Give the voltages a finding rests on, by quantity and lead."""
    return {
        (item.quantity, item.lead): float(item.value)
        for item in finding.evidence
        if item.lead is not None
        and item.unit == "mV"
        and isinstance(item.value, int | float)
        and item.quantity.startswith(WITHIN_MV)
    }


def comparison_claims(comparison: Comparison, *, whole: bool = True) -> Iterator[Claim]:
    """Say a comparison in sentences.

    Parameters
    ----------
    whole : bool
        Whether it holds all that both show, and not only what was asked for.

    Yields
    ------
    Claim
        What changed first.
    """
    if not comparison.compared:
        yield Claim.unknown(f"not compared: {comparison.reason}")
        return
    for note in comparison.notes:
        yield Claim.unknown(note)
    for value in comparison.values:
        if value.trend not in ("same", "unknown"):
            yield _value_claim(value)
    same = [value for value in comparison.values if value.trend == "same"]
    if same:
        yield _same_claim(same)
    for change in comparison.findings:
        if change.trend in ("new", "gone", "changed"):
            yield _finding_claim(change)
    kept = [change for change in comparison.findings if change.trend == "persistent"]
    if kept:
        yield _persistent_claim(kept)
    for change in comparison.findings:
        if change.trend == "undetermined":
            which = "new" if change.now == "present" else "still there"
            yield Claim.unknown(
                f"whether {said_to_be(change.label, which)} is open: {change.reason}"
            )
    if whole and not comparison.findings:
        yield Claim.of("Neither ECG shows a finding.", kind="absent")


def _value_claim(change: ValueChange) -> Claim:
    """Say that a value has changed."""
    way = {"higher": "risen", "lower": "fallen"}.get(change.trend, "shifted")
    text = (
        f"{change.label} has {way} to {_said(change.now)}; in the earlier ECG it was "
        f"{_said(change.before)}"
    )
    return Claim.of(text, _pair(change), kind="value")


def _same_claim(changes: Sequence[ValueChange]) -> Claim:
    """Say which values have not changed."""
    parts = [f"{c.label} {_said(c.now)}, earlier {_said(c.before)}" for c in changes]
    return Claim.of(
        f"no relevant change: {'; '.join(parts)}",
        (item for change in changes for item in _pair(change)[:2]),
        kind="value",
    )


def _said(quantity: Quantity) -> str:
    assert quantity.value is not None  # a trend is told only of two known values
    return amount(quantity.value, quantity.unit)


def _pair(change: ValueChange) -> tuple[Evidence, ...]:
    """Give the facts behind a change: the value now, the earlier one and their difference."""
    rule = f"told as a change from {amount(change.least, change.now.unit)} on"
    facts = (
        (change.label, change.now.value, ""),
        (f"{change.label} in the earlier ECG", change.before.value, ""),
        (f"difference of {change.label}", change.difference, rule),
    )
    return tuple(
        measured(what, value, change.now.unit, criterion=criterion, source=VARIABILITY)
        for what, value, criterion in facts
        if value is not None
    )


def _finding_claim(change: FindingChange) -> Claim:
    """Say that a finding is new, gone or changed."""
    match change.trend:
        case "new":
            text = f"new since the earlier ECG: {change.label}"
        case "gone":
            text = f"no longer present: {change.label}"
        case _:
            text = f"changed since the earlier ECG: {change.label}, {change.reason}"
    return Claim.of(text, _of_both(change), kind="absent" if change.trend == "gone" else "present")


def _persistent_claim(changes: Sequence[FindingChange]) -> Claim:
    """Say which findings both ECGs show alike."""
    labels = "; ".join(change.label for change in changes)
    return Claim.of(
        f"unchanged since the earlier ECG: {labels}",
        (item for change in changes for item in _of_both(change)),
        kind="present",
    )


def _of_both(change: FindingChange) -> tuple[Evidence, ...]:
    """Join the evidence of both ECGs; that of the earlier one lies on another tracing."""
    earlier = [
        replace(item, quantity=f"{item.quantity} in the earlier ECG", from_s=None, to_s=None)
        for item in change.evidence_before
    ]
    return (*change.evidence_now, *earlier)
