"""The sentences of the report: what was measured and found, each with its evidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecg_llm.findings.case import LABELS
from ecg_llm.findings.finding import URGENCIES
from ecg_llm.findings.sources import CHAMBERS, CONDUCTION, REPOLARIZATION, TEXTBOOK
from ecg_llm.leads import PRECORDIAL_LEADS
from ecg_llm.phrases import (
    amount,
    brief_reason,
    evidence_phrase,
    facts_phrase,
    listing,
    measured,
    sentence,
)
from ecg_llm.report import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecg_llm.findings.finding import Evidence, Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.quantity import Quantity
    from ecg_llm.record import ECGRecord, Sex

SHOWN_FACTS = 3
"""Measured quantities a sentence names; all of them stand in its evidence."""

SHOWN_LABELS = 6
"""Absent or unknown findings a sentence names; all of them stand in the report's findings."""

SAID_BY = {
    "QWAVE": ("IMI", "ILMI", "IPMI", "IPLMI", "PMI", "LMI", "ASMI", "AMI", "ALMI"),
    "VCLVH": ("LVH",),
    "lv_strain": ("LVH",),
    "STE_": ("stemi", "pericarditis", "brugada_1", "early_repolarization"),
    "LPR": ("1AVB",),
    "2AVB": ("mobitz_1", "mobitz_2", "av_block_2_1"),
    "PACE": ("atrial_pacing", "ventricular_pacing"),
    "pause": ("long_pause",),
    "PVC": ("BIGU", "TRIGU", "ventricular_run"),
    "LNGQT": ("very_long_qt",),
}
"""Findings the impression leaves out, as one of these says more; the sections hold them all."""

IMPLIED_ABSENT = ("QWAVE", "2AVB", "pause")
"""Of these the absence says that what `SAID_BY` names for them is absent too."""

T_NEGATIVE_MV = 0.1
"""Depth from which a T wave is called negative; shallower ones are flat to the eye."""


@dataclass(frozen=True)
class Reference:
    """What a record-level value is called, and the limits it is read against.

    Attributes
    ----------
    name : str
        In the field's words.
    limits : str
        Reference limits; empty where there are none.
    source : str
        Where they are published.
    """

    name: str
    limits: str = ""
    source: str = ""


_ADULT_LIMITS = {
    "heart_rate_bpm": ("60–100 bpm", TEXTBOOK),
    "rr_ms": (),
    "p_ms": ("< 120 ms", CHAMBERS),
    "pr_ms": ("120–200 ms", TEXTBOOK),
    "qrs_ms": ("≤ 110 ms", CONDUCTION),
    "qt_ms": (),
    "qtc_fridericia_ms": ("< 450 ms in men; < 460 ms in women", REPOLARIZATION),
    "qtc_bazett_ms": ("< 450 ms in men; < 460 ms in women", REPOLARIZATION),
    "p_axis_deg": ("0° to 75°", TEXTBOOK),
    "qrs_axis_deg": ("−30° to 90°", CONDUCTION),
    "t_axis_deg": (),
}
REFERENCES = {name: Reference(LABELS[name], *known) for name, known in _ADULT_LIMITS.items()}
"""Of the record-level values, by their name in `Measurements.values`, in reading order."""

_OF_SEX = {"male": 0, "female": 1}


def reference(name: str, age_years: float | None, sex: Sex | None) -> Reference:
    """Give a value's name and the limits that hold for this patient.

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
    Reference

    Examples
    --------
    >>> reference("qtc_fridericia_ms", 60, "female").limits
    '< 460 ms in women'
    """
    entry = REFERENCES.get(name, Reference(LABELS.get(name, name)))
    if age_years is not None and age_years < 18:
        return Reference(entry.name)
    by_sex = entry.limits.split("; ")
    if sex is None or len(by_sex) == 1:
        return entry
    return replace(entry, limits=by_sex[_OF_SEX[sex]])


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
    if set(counts) == {"normal"}:
        text = f"{len(measurements.beats)} beats were read, all of the dominant form."
    yield Claim(text=text, status="supported", evidence=tuple(facts))


def progression_claims(measurements: Measurements) -> Iterator[Claim]:
    """State where R outgrows S along the chest leads.

    Parameters
    ----------
    measurements : Measurements
        Per-lead summaries with ``qrs_max_mv`` and ``qrs_min_mv``.

    Yields
    ------
    Claim
    """
    up, down = _by_lead(measurements, "qrs_max_mv"), _by_lead(measurements, "qrs_min_mv")
    leads = [lead for lead in PRECORDIAL_LEADS if lead in up and lead in down]
    if not leads:
        return
    turned = next((lead for lead in leads if up[lead] > abs(down[lead])), None)
    if turned is None:
        text = f"R does not exceed S from {leads[0]} to {leads[-1]}."
    elif turned == leads[0]:
        text = f"R exceeds S already in {turned}."
    else:
        text = f"R exceeds S from {turned} on."
    last = leads.index(turned) if turned else len(leads) - 1
    facts = tuple(
        measured(LABELS[name], values[lead], "mV", lead=lead)
        for lead in leads[max(last - 1, 0) : last + 1]
        for name, values in (("qrs_max_mv", up), ("qrs_min_mv", down))
    )
    yield Claim(text=text, status="supported", evidence=facts)


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
