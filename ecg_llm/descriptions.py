"""Sentences that describe the tracing: its quality, beats, R progression, ST and T."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ecg_llm.findings.case import LABELS
from ecg_llm.leads import PRECORDIAL_LEADS, STANDARD_12
from ecg_llm.phrases import amount, listing, measured
from ecg_llm.report import Claim

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.record import ECGRecord

T_NEGATIVE_MV = 0.1
"""Depth from which a T wave is called negative; shallower ones are flat to the eye."""


def quality_claims(
    record: ECGRecord, quality: Quality, told: Collection[str] = (), *, paced: bool = False
) -> Iterator[Claim]:
    """State the technical quality: the verdict, the leads, suspicions, pacing, the stretch.

    Parameters
    ----------
    told : collection of str
        Kinds of suspicion that a finding states already.
    paced : bool
        Whether spikes drive beats.
    """
    verdict = {
        "accept": "the tracing can be interpreted",
        "limit": "the tracing can be interpreted with limits",
        "refuse": "the tracing cannot be interpreted",
    }[quality.verdict]
    reasons = f": {'; '.join(quality.reasons)}" if quality.reasons else ""
    fact = measured("verdict", quality.verdict, source="ecg_llm.quality")
    yield Claim.of(verdict + reasons, (fact,))
    left_out = {name: lead for name, lead in quality.leads.items() if not lead.usable}
    if left_out and quality.acceptable:
        words = [f"{name} ({', '.join(lead.reasons)})" for name, lead in left_out.items()]
        facts = tuple(
            measured("lead quality", ", ".join(lead.reasons), lead=name, source="ecg_llm.quality")
            for name, lead in left_out.items()
        )
        yield Claim.of(f"not measured: {listing(words)}", facts)
    for suspicion in quality.suspicions:
        if suspicion.kind in told:
            continue
        fact = measured(suspicion.kind, suspicion.explanation, source="ecg_llm.quality")
        yield Claim.of(f"suspected {suspicion.kind}: {suspicion.explanation}", (fact,))
    if quality.pacing_spikes_s:
        n = len(quality.pacing_spikes_s)
        fact = measured("pacing spikes", float(n), source="ecg_llm.quality")
        text = f"Pacing spikes were seen ({n})"
        if not paced:
            text = (
                f"Spikes were seen ({n}) that drive no beats: artefacts, or pacing without effect"
            )
        yield Claim.of(text, (fact,))
    lacking = [lead for lead in STANDARD_12 if lead not in record.leads]
    if lacking and record.origin == "recording" and quality.acceptable:
        fact = measured("missing leads", ", ".join(lacking), source="ecg_llm.io")
        yield Claim.of(f"Missing leads: {listing(lacking)}.", (fact,))
    if record.derived:
        fact = measured("derived leads", ", ".join(record.derived), source="Einthoven, Goldberger")
        yield Claim.of(
            f"Computed from other leads, not recorded: {listing(list(record.derived))}.", (fact,)
        )
    if quality.to_s - quality.from_s < record.duration_s - 0.5:
        facts = (
            measured("start of the stretch judged", quality.from_s, "s"),
            measured("end of the stretch judged", quality.to_s, "s"),
            measured("length of the recording", record.duration_s, "s"),
        )
        begin, end, length = (amount(float(fact.value or 0), "s") for fact in facts)
        yield Claim.of(f"Judged from {begin} to {end} of {length}.", facts)
    if not record.calibrated:
        text = "The file does not state its gain: voltages were not judged."
        yield Claim(text=text, status="unverifiable")


def beat_claims(measurements: Measurements) -> Iterator[Claim]:
    """State how many beats were read, by class."""
    counts = Counter(beat.kind for beat in measurements.beats)
    if not counts:
        return
    facts = [measured("beats", float(len(measurements.beats)), source="ecg_llm.delineate")]
    facts += [measured(f"{kind} beats", float(n)) for kind, n in counts.most_common()]
    names = {"normal": "of the dominant form", "unknown": "not classified"}
    names["supraventricular"] = "early"  # why, the findings tell: it may be block
    parts = [f"{n} {names.get(kind, kind)}" for kind, n in counts.most_common()]
    text = f"{len(measurements.beats)} beats were read: {listing(parts)}."
    if len(counts) == 1:
        text = text.replace(f": {len(measurements.beats)}", ", all")
    yield Claim.of(text, facts)


def progression_claims(measurements: Measurements) -> Iterator[Claim]:
    """State where R outgrows S along the chest leads.

    Parameters
    ----------
    measurements : Measurements
        Per-lead summaries with ``qrs_max_mv`` and ``qrs_min_mv``.
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
    yield Claim.of(text, facts)


def st_claims(measurements: Measurements) -> Iterator[Claim]:
    """State the extremes of the ST segment and which T waves are negative.

    Parameters
    ----------
    measurements : Measurements
        Per-lead summaries with ``st_j60_mv`` and ``t_mv``.
    """
    st = _by_lead(measurements, "st_j60_mv")
    if st:
        high, low = max(st, key=lambda lead: st[lead]), min(st, key=lambda lead: st[lead])
        name = "ST at J+60 ms"
        facts = tuple(
            measured(name, st[lead], "mV", lead=lead) for lead in dict.fromkeys((high, low))
        )
        text = (
            f"{name} lies between {amount(st[low], 'mV')} in {low} and "
            f"{amount(st[high], 'mV')} in {high}."
        )
        if len(st) == 1:
            text = f"{name} is {amount(st[high], 'mV')} in {high}."
        yield Claim.of(text, facts)
    t = _by_lead(measurements, "t_mv")
    negative = [lead for lead, value in t.items() if value <= -T_NEGATIVE_MV]
    if t:
        facts = tuple(measured("T amplitude", t[lead], "mV", lead=lead) for lead in negative or t)
        text = f"T is negative in {listing(negative)}." if negative else "No lead has a negative T."
        if negative == ["aVR"]:
            text = "T is negative in aVR only, as is normal."
        yield Claim.of(text, facts)


def _by_lead(measurements: Measurements, name: str) -> dict[str, float]:
    """Give the known medians of one quantity by lead."""
    values = {lead: measurements.value(name, lead) for lead in measurements.leads}
    return {lead: value for lead, value in values.items() if value is not None}
