"""Put a report together from quality, measurements and findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ecg_llm
from ecg_llm.advice import advice
from ecg_llm.descriptions import (
    beat_claims,
    progression_claims,
    quality_claims,
    st_claims,
)
from ecg_llm.findings.case import LABELS
from ecg_llm.findings.fibrillation import ESCAPE, LOOK_ALIKE
from ecg_llm.findings.finding import URGENCIES, Finding
from ecg_llm.findings.rhythm import ECTOPIC_P, ectopic_p
from ecg_llm.phrases import brief_reason, listing, quantity_said, reading, sentence
from ecg_llm.quantity import Quantity
from ecg_llm.report import (
    Abstention,
    Alert,
    Claim,
    Provenance,
    QualityBlock,
    RecordInfo,
    Report,
    Section,
)
from ecg_llm.statements import (
    ALERTING,
    concluded,
    finding_claims,
    impression_claim,
    is_grave_doubt,
    is_met,
    nothing_found,
    open_in_conclusion,
    stated_claim,
    value_claims,
)
from ecg_llm.vocabulary import RHYTHMS, members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.record import ECGRecord

MEANINGLESS_IN = {
    "AFIB": ("p_", "pr_"),
    "AFLT": ("p_", "pr_"),
    "asystole_or_vf": ("p_", "pr_"),
    "3AVB": ("pr_",),
    "ventricular_pacing": ("pr_",),
}
"""Values that a report does not give beside these findings, by the beginning of their names."""
AS_LIKELY = 0.5
"""Probability from which fibrillation is named beside a sinus rhythm that is in doubt."""
RATE_SAID_BY = ("SVTAC", "PSVT", "wide_qrs_tachycardia")
"""Alerts that say with the rhythm that it is fast."""
UNMARKED = "where the P waves begin and end was not found"
"""Why P and PR are unknown in a sinus rhythm, whose P waves are seen by what repeats."""
SIGNS = {
    "INVT": (*members("ISC_"), "lv_strain"),
    "STD_": (*members("ISC_"), "lv_strain"),
    "PVC": ("BIGU", "TRIGU"),
    "extreme_tachycardia": RATE_SAID_BY,
}
"""Signs that an impression leaves out where one of these, which rests on them, is in it."""


def build_report(
    record: ECGRecord,
    quality: Quality,
    measurements: Measurements | None,
    findings: Sequence[Finding],
    *,
    weights: Mapping[str, str] | None = None,
    criteria_version: str = "",
) -> Report:
    """Compose the report of one record.

    Parameters
    ----------
    record : ECGRecord
        The recording.
    quality : Quality
        Its technical quality. If it refuses the record, the report holds the refusal with its
        reasons and nothing else is claimed.
    measurements : Measurements or None
        None only for a refused record.
    findings : sequence of Finding
        Every criterion that was applied.
    weights : mapping of str to str, optional
        SHA-256 of the weight files that had a part.
    criteria_version : str
        Version of the criteria behind ``findings``.

    Returns
    -------
    Report
    """
    refused = not quality.acceptable or measurements is None
    if refused or measurements is None:
        findings, values, table = (), {}, {}
        impression = [refusal(quality)]
        sections = [Section(title="Technical quality", statements=_quality(record, quality, ()))]
    else:
        measurements = replace(measurements, values=withheld(measurements.values, findings))
        values = measurements.values
        table = {lead: dict(of.summary) for lead, of in measurements.leads.items()}
        impression = _impression(findings)
        sections = _sections(record, quality, measurements, findings)
    told = [*impression, *(claim for part in sections for claim in part.statements)]
    return Report(
        record=_record_info(record, quality),
        quality=_quality_block(quality),
        measurements=values,
        lead_table=table,
        findings=tuple(findings),
        alerts=_alerts(findings),
        impression=tuple(claim.text for claim in impression),
        sections=tuple(sections),
        abstentions=_abstentions(quality, measurements, findings),
        narrative=_narrative(impression, sections),
        claims=tuple({claim.text: claim for claim in told}.values()),
        provenance=Provenance(
            software="ecg_llm",
            version=ecg_llm.__version__,
            input_sha256=record.sha256,
            weights=dict(weights or {}),
            criteria_version=criteria_version,
        ),
    )


def withheld(values: dict[str, Quantity], findings: Sequence[Finding]) -> dict[str, Quantity]:
    """Take back what a finding makes meaningless: there is no PR interval in fibrillation.

    Parameters
    ----------
    values : dict of str to Quantity
        Record-level values by name.

    Returns
    -------
    dict of str to Quantity
        Unknown, with the reason, where a value has no meaning.
    """
    present = {finding.code: finding.label for finding in findings if finding.status == "present"}
    taken = dict(values)
    for code, prefixes in MEANINGLESS_IN.items():
        for name, quantity in values.items():
            if code in present and name.startswith(prefixes) and quantity.known:
                taken[name] = Quantity(
                    None, quantity.unit, reason=f"it has no meaning in {present[code]}"
                )
    for name, quantity in values.items():
        reason = quantity.reason or ""
        unseen = reason.startswith("no P wave") and reason.endswith("found")
        if "SR" in present and unseen and name.startswith(("p_", "pr_")):
            taken[name] = Quantity(None, quantity.unit, reason=UNMARKED)
    return taken


def _record_info(record: ECGRecord, quality: Quality) -> RecordInfo:
    return RecordInfo(
        name=record.name,
        source=record.source,
        fs_hz=record.fs,
        duration_s=record.duration_s,
        leads=record.leads,
        derived_leads=record.derived,
        age_years=record.age_years,
        sex=record.sex,
        from_s=quality.from_s,
        to_s=quality.to_s,
        calibrated=record.calibrated,
        notes=record.notes,
    )


def _quality_block(quality: Quality) -> QualityBlock:
    return QualityBlock(
        acceptable=quality.acceptable,
        verdict=quality.verdict,
        reasons=quality.reasons,
        score=quality.score,
        leads=quality.leads,
        suspicions=quality.suspicions,
        pacing_spikes_s=quality.pacing_spikes_s,
    )


def _quality(record: ECGRecord, quality: Quality, findings: Sequence[Finding]) -> tuple[Claim, ...]:
    technical = _of(findings, "technical")
    told = {item.quantity for finding in technical for item in finding.evidence}
    paced = any(finding.code == "PACE" and finding.status == "present" for finding in findings)
    return (*quality_claims(record, quality, told, paced=paced), *finding_claims(technical))


def _sections(
    record: ECGRecord, quality: Quality, measurements: Measurements, findings: Sequence[Finding]
) -> list[Section]:
    """Write the parts of the report in the order a cardiologist reads them."""

    def values(*names: str) -> tuple[Claim, ...]:
        return tuple(value_claims(record, measurements, *names))

    def found(*parts: str) -> tuple[Claim, ...]:
        return tuple(finding_claims(_of(findings, *parts)))

    qrs = measurements.values.get("qrs_global_ms")
    whole = () if qrs is None or qrs.value is None else ("qrs_global_ms",)  # criteria use it
    parts = {
        "Technical quality": _quality(record, quality, findings),
        "Rate and rhythm": (
            *values("heart_rate_bpm", "rr_ms"),
            *beat_claims(measurements),
            *found("rhythm", "ectopy"),
        ),
        "Axis": (*values("qrs_axis_deg", "p_axis_deg", "t_axis_deg"), *found("axis")),
        "Intervals and conduction": (
            *values("pr_ms", "qrs_ms", *whole, "qt_ms", "qtc_fridericia_ms", "qtc_bazett_ms"),
            *found("conduction", "qt"),
        ),
        "P wave": (*values("p_ms"), *found("p wave")),
        "QRS morphology": (*progression_claims(measurements), *found("qrs")),
        "ST–T": (*st_claims(measurements), *found("st-t")),
        "Chambers": found("chambers"),
    }
    return [Section(title=title, statements=claims) for title, claims in parts.items() if claims]


def _of(findings: Sequence[Finding], *sections: str) -> list[Finding]:
    # Normal or not is a conclusion, and stands in the impression.
    return [
        finding for finding in findings if finding.section in sections and finding.code != "NORM"
    ]


def _impression(findings: Sequence[Finding]) -> list[Claim]:
    """Conclude: present findings by urgency, or that none was found; what grave was not judged."""
    present = sorted(_without_signs(concluded(findings), findings), key=_rank)
    graver = any(finding.urgency != "normal" for finding in present)
    lines = [impression_claim(finding, otherwise=graver) for finding in present]
    normal = any(finding.code == "NORM" for finding in present)
    open_: list[Finding] = []
    if not normal and not graver:
        open_ = [f for f in open_in_conclusion(findings) if f not in present]
    told = {finding.code for finding in open_}
    also = [f for f in (*open_, *_also_open(findings)) if told.isdisjoint(SIGNS.get(f.code, ()))]
    lines += dict.fromkeys(map(impression_claim, also))
    if not normal and not graver and not also:
        nothing = sentence(nothing_found([f for f in findings if not f.doubt]))
        lines.append(Claim.of(nothing))
    looked_for = any(finding.code == "SR" for finding in findings)
    if looked_for and not any(finding.code in RHYTHMS for finding in present):
        lines.append(_no_rhythm(findings))
    grave = [f for f in findings if f.urgency == "critical" and f not in present]
    left_block = any(f.code == "CLBBB" and f.status == "present" for f in findings)
    judged_so = any(f.code == "sgarbossa" and f.status != "unknown" for f in findings)
    if left_block and judged_so:
        grave = [f for f in grave if f.code != "stemi"]  # judged by Sgarbossa's criteria
    elif any(f.code == "stemi" for f in grave):
        grave = [f for f in grave if f.code != "sgarbossa"]  # the same question
    return lines + [claim for claim in finding_claims(grave) if claim.status == "unverifiable"]


def _also_open(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Choose what a reader would miss among what stays open though its criterion is met.

    That is fibrillation as likely as a sinus rhythm that is in doubt, and changes of ST and T where
    nothing else is said of them and the ECG is not called normal.
    """
    known = {finding.code: finding for finding in findings if finding.status == "present"}
    of_st = any(finding.section == "st-t" or code == "lv_strain" for code, finding in known.items())
    doubtful_sinus = "SR" in known and known["SR"].doubt is not None
    for finding in findings:
        likely = (finding.probability or 0.0) >= AS_LIKELY
        rhythm = finding.code in ("AFIB", "AFLT") and doubtful_sinus and likely
        st = finding.code in ("STD_", "INVT") and not of_st and "NORM" not in known
        if is_met(finding) and (rhythm or st):
            yield finding


def _without_signs(present: Sequence[Finding], findings: Sequence[Finding]) -> list[Finding]:
    """Leave out signs whose meaning is stated as surely; hypertrophy names its strain pattern."""
    known = {finding.code: finding for finding in findings if finding.status == "present"}
    strain = "lv_strain" in known and "LVH" in known
    kept = []
    for finding in present:
        others = [known[code] for code in SIGNS.get(finding.code, ()) if code in known]
        if any(other.doubt is None or finding.doubt is not None for other in others):
            continue
        if finding.doubt and _told_by_surer(finding, known):
            continue
        if finding.code == "LVH" and strain:
            finding = replace(finding, label=f"{finding.label} with a strain pattern")
        kept.append(finding)
    return kept


def _told_by_surer(finding: Finding, known: Mapping[str, Finding]) -> bool:
    """Whether a surer statement of the same, beside which its leads stand, names another wall."""
    for walls, surer in ((members("ISC_"), ("ISC_",)), (members("injury"), members("injury"))):
        if finding.code in walls:
            return any(code in known and known[code].doubt is None for code in surer)
    return False


def _no_rhythm(findings: Sequence[Finding]) -> Claim:
    """Say that no rhythm is stated, and which one is possible."""
    open_ = [f for f in findings if f.code in RHYTHMS and f.status == "unknown" and f.doubt]
    text = "the basic rhythm could not be determined"
    known = (item for f in findings if f.code == "extreme_tachycardia" for item in f.evidence)
    rate = next((item for item in known if isinstance(item.value, float)), None)
    if rate is not None:
        text += f" ({quantity_said(rate.quantity, reading(rate, ''))})"
    told = {LOOK_ALIKE, ESCAPE} & {f.reason for f in findings if f.code in RHYTHMS}
    told |= {ECTOPIC_P for f in findings if ectopic_p(f)}
    if open_:
        text += f": possible {listing([finding.label for finding in open_], 'or')}"
    elif told:
        text += f": {min(told)}"
    facts = tuple(item for finding in open_ for item in finding.evidence)
    facts += () if rate is None else (rate,)
    return Claim.unknown(text, facts)


LOOK_AT_THE_PATIENT = (
    "Look at the patient first: where no lead can be read, an arrest looks like a loose cable."
)


def refusal(quality: Quality) -> Claim:
    """Say that a tracing is not read, and why.

    Parameters
    ----------
    quality : Quality
        That refuses it.
    """
    reasons = "; ".join(quality.reasons) or "insufficient technical quality"
    text = sentence(f"not interpreted, the tracing should be recorded again: {reasons}")
    if not quality.usable_leads:
        text += f" {LOOK_AT_THE_PATIENT}"
    return Claim.of(text)


def _alerts(findings: Sequence[Finding]) -> tuple[Alert, ...]:
    alerting = [
        finding
        for finding in findings
        if finding.urgency in ALERTING and (finding.status == "present" or is_grave_doubt(finding))
    ]
    return tuple(
        Alert(
            code=finding.code,
            label=finding.label,
            urgency=finding.urgency,
            text=stated_claim(finding).text,
            advice=advice(finding.code),
            evidence=finding.evidence,
        )
        for finding in _without_signs(sorted(alerting, key=_rank), findings)
    )


def _rank(finding: Finding) -> tuple[int, bool, bool]:
    """The most urgent first, and of those what is sure; that the rest is normal comes last."""
    doubt = finding.doubt is not None and finding.urgency != "normal"
    return URGENCIES.index(finding.urgency), doubt and finding.status == "unknown", doubt


def _abstentions(
    quality: Quality, measurements: Measurements | None, findings: Sequence[Finding]
) -> tuple[Abstention, ...]:
    """List what was not judged: the whole record, leads, values, findings."""
    if not quality.acceptable or measurements is None:
        return tuple(
            Abstention(what="the whole record", reason=reason)
            for reason in quality.reasons or ("insufficient technical quality",)
        )
    left_out = [
        Abstention(what=f"lead {name}", reason=", ".join(lead.reasons) or "not usable")
        for name, lead in quality.leads.items()
        if not lead.usable
    ]
    missing = [
        Abstention(what=LABELS[name], reason=quantity.reason or "")
        for name, quantity in measurements.values.items()
        if quantity.value is None and name in LABELS
    ]
    unknown = [
        Abstention(what=finding.label, reason=brief_reason(finding.reason), code=finding.code)
        for finding in findings
        if finding.status == "unknown" and finding.code != "NORM"
    ]
    return (*left_out, *missing, *unknown)


def _narrative(impression: Sequence[Claim], sections: Sequence[Section]) -> str:
    """Run the claims together, a paragraph a part."""
    paragraphs = [("Impression", impression), *((part.title, part.statements) for part in sections)]
    return "\n\n".join(
        f"{title}. {' '.join(claim.text for claim in claims)}" for title, claims in paragraphs
    )
