"""The sentences of the report: what was measured and found, each with its evidence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ecg_llm.findings.case import LABELS
from ecg_llm.findings.finding import URGENCIES
from ecg_llm.findings.sources import CHAMBERS, CONDUCTION, REPOLARIZATION, TEXTBOOK
from ecg_llm.leads import PRECORDIAL_LEADS
from ecg_llm.phrases import amount, evidence_phrase, listing, measured, sentence
from ecg_llm.report import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecg_llm.findings.finding import Evidence, Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.quantity import Quantity
    from ecg_llm.record import ECGRecord, Sex

SHOWN_EVIDENCE = 4
"""Facts a sentence names; all of them stand in its evidence."""

SHOWN_LABELS = 6
"""Absent or unknown findings a sentence names; all of them stand in the report's findings."""

T_NEGATIVE_MV = 0.1
"""Depth from which a T wave is called negative; shallower ones are flat to the eye."""


_ADULT_LIMITS = {
    "heart_rate_bpm": ("60–100 bpm", TEXTBOOK),
    "p_ms": ("< 120 ms", CHAMBERS),
    "pr_ms": ("120–200 ms", TEXTBOOK),
    "qrs_ms": ("≤ 110 ms", CONDUCTION),
    "p_axis_deg": ("0° to 75°", TEXTBOOK),
    "qrs_axis_deg": ("−30° to 90°", CONDUCTION),
}
_QTC_LIMITS = {"male": "< 450 ms in men", "female": "< 460 ms in women"}


def reference_limits(name: str, age_years: float | None, sex: Sex | None) -> tuple[str, str]:
    """Give the limits that a value is read against in this patient, and where they come from.

    Parameters
    ----------
    name : str
        A name of `Measurements.values`.
    age_years : float or None
        The limits are those of adults; a patient known to be under 18 gets none.
    sex : str or None
        Decides the limit of the corrected QT.

    Returns
    -------
    tuple of str
        Limits and source, both empty where there are none.

    Examples
    --------
    >>> reference_limits("qtc_fridericia_ms", 60, "female")[0]
    '< 460 ms in women'
    """
    if age_years is not None and age_years < 18:
        return "", ""
    if name.startswith("qtc_"):
        return _QTC_LIMITS[sex] if sex else "; ".join(_QTC_LIMITS.values()), REPOLARIZATION
    return _ADULT_LIMITS.get(name, ("", ""))


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
    label = LABELS.get(name, name)
    limits, source = reference_limits(name, record.age_years, record.sex)
    if quantity.value is None:
        text = sentence(f"{label} could not be measured: {quantity.reason}")
        return Claim(text=text, status="unverifiable")
    fact = measured(
        label,
        quantity.value,
        quantity.unit,
        criterion=limits and f"reference {limits}",
        source="; ".join(part for part in (quantity.method, source) if part),
    )
    evidence = [fact]
    text = f"{label} {amount(quantity.value, quantity.unit)}"
    if quantity.spread is not None and quantity.n > 1:
        evidence.append(measured(f"{label} spread", quantity.spread, quantity.unit))
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
                unknown.setdefault(finding.reason or "no reason given", []).append(finding)
    if negatives := _pertinent(absent):
        evidence = tuple(item for finding in negatives for item in finding.evidence)
        text = sentence(f"no {listing([finding.label for finding in negatives], 'or')}")
        yield Claim(text=text, status="supported", evidence=evidence)
    for reason, group in unknown.items():
        labels = [finding.label for finding in group[:SHOWN_LABELS]]
        labels += ["others"] if len(group) > SHOWN_LABELS else []
        text = sentence(f"not judged ({reason.rstrip('.')}): {listing(labels)}")
        evidence = tuple(item for finding in group for item in finding.evidence)
        yield Claim(text=text, status="unverifiable", evidence=evidence)


def _pertinent(absent: list[Finding]) -> list[Finding]:
    """Choose the absent findings worth saying: the gravest, as many as one reads."""
    worth = [finding for finding in absent if finding.urgency in ("critical", "urgent", "abnormal")]
    return sorted(worth, key=lambda finding: URGENCIES.index(finding.urgency))[:SHOWN_LABELS]


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
    facts = "; ".join(_shown(finding.evidence))
    text = sentence(f"{finding.label}: {facts}" if facts else finding.label)
    return Claim(text=text, status="supported", evidence=finding.evidence)


def _shown(evidence: tuple[Evidence, ...]) -> list[str]:
    """Name the first few facts, and say if there are more."""
    phrases = [evidence_phrase(item) for item in evidence[:SHOWN_EVIDENCE]]
    return [*phrases, "and others"] if len(evidence) > SHOWN_EVIDENCE else phrases


def impression_claim(finding: Finding) -> Claim:
    """State one present finding in a line of the impression.

    Parameters
    ----------
    finding : Finding
        Of status ``present``.

    Returns
    -------
    Claim
    """
    facts = [item for item in finding.evidence if isinstance(item.value, int | float)]
    brackets = f" ({evidence_phrase(facts[0], criterion=False)})" if facts else ""
    text = sentence(f"{finding.label}{brackets}")
    return Claim(text=text, status="supported", evidence=finding.evidence)


def quality_claims(record: ECGRecord, quality: Quality) -> Iterator[Claim]:
    """State the technical quality: the verdict, the leads, suspicions, pacing, the stretch.

    Parameters
    ----------
    record : ECGRecord
        What was judged.
    quality : Quality
        The judgement.

    Yields
    ------
    Claim
    """
    verdict = {
        "accept": "the tracing can be interpreted",
        "limit": "the tracing can be interpreted with limits",
        "refuse": "the tracing cannot be interpreted",
    }[quality.verdict]
    reasons = f": {'; '.join(quality.reasons)}" if quality.reasons else ""
    fact = measured("verdict", quality.verdict, source="ecg_llm.quality")
    yield Claim(text=sentence(verdict + reasons), status="supported", evidence=(fact,))
    left_out = {name: lead for name, lead in quality.leads.items() if not lead.usable}
    if left_out and quality.acceptable:
        words = [f"{name} ({', '.join(lead.reasons)})" for name, lead in left_out.items()]
        facts = tuple(
            measured("lead quality", ", ".join(lead.reasons), lead=name, source="ecg_llm.quality")
            for name, lead in left_out.items()
        )
        text = sentence(f"not measured: {listing(words)}")
        yield Claim(text=text, status="supported", evidence=facts)
    for suspicion in quality.suspicions:
        fact = measured(suspicion.kind, suspicion.explanation, source="ecg_llm.quality")
        text = sentence(f"suspected {suspicion.kind}: {suspicion.explanation}")
        yield Claim(text=text, status="supported", evidence=(fact,))
    if quality.pacing_spikes_s:
        n = len(quality.pacing_spikes_s)
        fact = measured("pacing spikes", float(n), source="ecg_llm.quality")
        yield Claim(text=f"Pacing spikes were seen ({n}).", status="supported", evidence=(fact,))
    if record.derived:
        fact = measured("derived leads", ", ".join(record.derived), source="Einthoven, Goldberger")
        text = f"Computed from other leads, not recorded: {listing(list(record.derived))}."
        yield Claim(text=text, status="supported", evidence=(fact,))
    if quality.to_s - quality.from_s < record.duration_s - 0.5:
        facts = (
            measured("start of the stretch judged", quality.from_s, "s"),
            measured("end of the stretch judged", quality.to_s, "s"),
            measured("length of the recording", record.duration_s, "s"),
        )
        begin, end, length = (amount(float(fact.value or 0), "s") for fact in facts)
        text = f"Judged from {begin} to {end} of {length}."
        yield Claim(text=text, status="supported", evidence=facts)
    if not record.calibrated:
        text = "The file does not state its gain: voltages were not judged."
        yield Claim(text=text, status="unverifiable")


def beat_claims(measurements: Measurements) -> Iterator[Claim]:
    """State how many beats were read, by class.

    Parameters
    ----------
    measurements : Measurements
        With its beats.

    Yields
    ------
    Claim
    """
    counts = Counter(beat.kind for beat in measurements.beats)
    if not counts:
        return
    facts = [measured("beats", float(len(measurements.beats)), source="ecg_llm.delineate")]
    facts += [measured(f"{kind} beats", float(n)) for kind, n in counts.most_common()]
    names = {"normal": "of the dominant form", "unknown": "not classified"}
    parts = [f"{n} {names.get(kind, kind)}" for kind, n in counts.most_common()]
    text = f"{len(measurements.beats)} beats were read: {listing(parts)}."
    yield Claim(text=text, status="supported", evidence=tuple(facts))


def progression_claims(measurements: Measurements) -> Iterator[Claim]:
    """State where R outgrows S along the chest leads.

    Parameters
    ----------
    measurements : Measurements
        Per-lead summaries with ``r_mv`` and ``s_mv``.

    Yields
    ------
    Claim
    """
    facts: list[Evidence] = []
    for lead in PRECORDIAL_LEADS:
        summary = measurements.leads[lead].summary if lead in measurements.leads else {}
        r, s = (_value(summary, name) for name in ("r_mv", "s_mv"))
        if r is None:
            continue
        facts.append(measured("R amplitude", r, "mV", lead=lead))
        if s is not None:
            facts.append(measured("S amplitude", s, "mV", lead=lead))
        if r > abs(s or 0.0) and r > 0:
            text = f"R exceeds S from {lead} on along the chest leads."
            if lead == PRECORDIAL_LEADS[0]:
                text = f"R exceeds S already in {lead}."
            yield Claim(text=text, status="supported", evidence=tuple(facts))
            return


def st_claims(measurements: Measurements) -> Iterator[Claim]:
    """State the extremes of the ST segment and which T waves are negative.

    Parameters
    ----------
    measurements : Measurements
        Per-lead summaries with ``st_j60_mv`` and ``t_mv``.

    Yields
    ------
    Claim
    """
    st = _by_lead(measurements, "st_j60_mv")
    if st:
        high, low = max(st, key=lambda lead: st[lead]), min(st, key=lambda lead: st[lead])
        name = "ST at J+60 ms"
        facts = tuple(measured(name, st[lead], "mV", lead=lead) for lead in (high, low))
        text = (
            f"{name} lies between {amount(st[low], 'mV')} in {low} and "
            f"{amount(st[high], 'mV')} in {high}."
        )
        yield Claim(text=text, status="supported", evidence=facts)
    t = _by_lead(measurements, "t_mv")
    negative = [lead for lead, value in t.items() if value <= -T_NEGATIVE_MV]
    if t:
        facts = tuple(measured("T amplitude", t[lead], "mV", lead=lead) for lead in negative or t)
        text = f"T is negative in {listing(negative)}." if negative else "No lead has a negative T."
        yield Claim(text=text, status="supported", evidence=facts)


def _by_lead(measurements: Measurements, name: str) -> dict[str, float]:
    """Give the known medians of one quantity by lead."""
    values = {lead: _value(of.summary, name) for lead, of in measurements.leads.items()}
    return {lead: value for lead, value in values.items() if value is not None}


def _value(summary: dict[str, Quantity], name: str) -> float | None:
    return summary[name].value if name in summary else None
