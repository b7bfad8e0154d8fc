"""The sentences of the report: what was measured and found, each with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecg_llm.findings.finding import URGENCIES
from ecg_llm.phrases import (
    amount,
    brief_reason,
    evidence_phrase,
    facts_phrase,
    listing,
    measured,
    sentence,
)
from ecg_llm.references import reference
from ecg_llm.report import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecg_llm.findings.finding import Evidence, Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quantity import Quantity
    from ecg_llm.record import ECGRecord

SHOWN_FACTS = 3
"""Measured quantities a sentence names; all of them stand in its evidence."""

SAID_BY = {
    "QWAVE": ("IMI", "ILMI", "IPMI", "IPLMI", "PMI", "LMI", "ASMI", "AMI", "ALMI"),
    "VCLVH": ("LVH",),
    "lv_strain": ("LVH",),
    "STE_": ("stemi", "pericarditis", "brugada_1", "early_repolarization"),
    "LPR": ("1AVB",),
    "2AVB": ("mobitz_1", "mobitz_2", "av_block_2_1"),
    "PACE": ("atrial_pacing", "ventricular_pacing"),
    "left_axis": ("LAFB",),
    "right_axis": ("LPFB",),
    "pause": ("long_pause",),
    "PVC": ("BIGU", "TRIGU", "ventricular_run"),
    "LNGQT": ("very_long_qt",),
}
"""Findings the impression leaves out, as one of these says more; the sections hold them all."""

IMPLIED_ABSENT = ("QWAVE", "2AVB", "pause")
"""Of these the absence says that what `SAID_BY` names for them is absent too."""

SHOWN_LABELS = 6
"""Absent or unknown findings a sentence names; all of them stand in the report's findings."""


def value_claim(record: ECGRecord, name: str, quantity: Quantity) -> Claim:
    """State one record-level value, or why there is none.

    Parameters
    ----------
    record : ECGRecord
        For age and sex.
    name : str
        A name of `Measurements.values`.
    quantity : Quantity
        The measured value.

    Returns
    -------
    Claim
    """
    entry = reference(name, record.age_years, record.sex)
    if quantity.value is None:
        text = sentence(f"{entry.name} could not be measured: {quantity.reason}")
        return Claim(text=text, status="unverifiable")
    fact = measured(
        entry.name,
        quantity.value,
        quantity.unit,
        criterion=entry.limits and f"reference {entry.limits}",
        source="; ".join(part for part in (quantity.method, entry.source) if part),
    )
    evidence = [fact]
    text = f"{entry.name} {amount(quantity.value, quantity.unit)}"
    if quantity.spread is not None and quantity.n > 1:
        evidence.append(measured(f"{entry.name} spread", quantity.spread, quantity.unit))
        text += f" (spread {amount(quantity.spread, quantity.unit)})"
    return Claim(text=sentence(text), status="supported", evidence=tuple(evidence))


def value_claims(record: ECGRecord, measurements: Measurements, *names: str) -> Iterator[Claim]:
    """State several record-level values.

    Parameters
    ----------
    record : ECGRecord
        For age and sex.
    measurements : Measurements
        Of that record.
    *names : str
        Which values, in reading order; those that are not there are passed over.

    Yields
    ------
    Claim
    """
    for name in names:
        if name in measurements.values:
            yield value_claim(record, name, measurements.values[name])


def finding_claims(findings: Iterable[Finding]) -> Iterator[Claim]:
    """State findings: the present one by one, the absent and the unknown together.

    Parameters
    ----------
    findings : iterable of Finding
        Those of one section.

    Yields
    ------
    Claim
    """
    absent: list[Finding] = []
    unknown: dict[str, list[Finding]] = {}
    for finding in findings:
        match finding.status:
            case "present":
                yield present_claim(finding)
            case "absent":
                absent.append(finding)
            case "unknown":
                unknown.setdefault(brief_reason(finding.reason), []).append(finding)
    if negatives := _pertinent(absent):
        # One fact each: the findings of the report hold them all.
        evidence = tuple(item for finding in negatives for item in finding.evidence[:1])
        text = sentence(f"no {listing(_short_names(negatives), 'or')}")
        yield Claim(text=text, status="supported", evidence=tuple(dict.fromkeys(evidence)))
    for reason, group in unknown.items():
        labels = _short_names(group)
        labels = [*labels[:SHOWN_LABELS], *(["others"] if len(labels) > SHOWN_LABELS else [])]
        text = sentence(f"not judged ({reason}): {listing(labels)}")
        yield Claim(text=text, status="unverifiable")


def _pertinent(absent: list[Finding]) -> list[Finding]:
    """Choose the absent findings worth saying: the gravest, as many as one reads."""
    codes = {finding.code for finding in absent}
    implied = {code for weaker in IMPLIED_ABSENT if weaker in codes for code in SAID_BY[weaker]}
    worth = [
        finding
        for finding in absent
        if finding.urgency in ("critical", "urgent", "abnormal") and finding.code not in implied
    ]
    return sorted(worth, key=lambda finding: URGENCIES.index(finding.urgency))[:SHOWN_LABELS]


def _short_names(findings: list[Finding]) -> list[str]:
    """Name findings in a list: without what stands behind the comma, each once."""
    return list(dict.fromkeys(finding.label.split(", ")[0] for finding in findings))


def present_claim(finding: Finding) -> Claim:
    """State one present finding with the facts it rests on.

    Parameters
    ----------
    finding : Finding
        Of status ``present``.

    Returns
    -------
    Claim
    """
    when = finding.section in ("rhythm", "ectopy")
    facts = facts_phrase(finding.evidence, SHOWN_FACTS, when=when)
    text = sentence(f"{finding.label}: {facts}" if facts else finding.label)
    return Claim(text=text, status="supported", evidence=finding.evidence)


def impression_claim(finding: Finding, *, otherwise: bool = False) -> Claim:
    """State one present finding in a line of the impression.

    Parameters
    ----------
    finding : Finding
        Of status ``present``.
    otherwise : bool
        Whether lines of graver findings stand before it.

    Returns
    -------
    Claim
    """
    if finding.code == "NORM":
        text = sentence(f"otherwise {finding.label}" if otherwise else finding.label)
        return Claim(text=text, status="supported", evidence=finding.evidence)
    facts = [item for item in finding.evidence if _is_telling(item, finding)]
    brackets = ""
    if facts:
        brackets = evidence_phrase(facts[0], criterion=False)
    if finding.section in ("qrs", "st-t"):
        leads = list(dict.fromkeys(item.lead for item in facts if item.lead))
        brackets = ", ".join(leads) if len(leads) > 1 else brackets
    text = sentence(f"{finding.label} ({brackets})" if brackets else finding.label)
    return Claim(text=text, status="supported", evidence=finding.evidence)


def _is_telling(item: Evidence, finding: Finding) -> bool:
    """Whether a fact belongs beside its finding: of a rhythm, only rates and times do."""
    if not isinstance(item.value, int | float) or item.criterion.startswith("not "):
        return False
    return finding.section not in ("rhythm", "ectopy") or item.unit in ("bpm", "ms", "s")
