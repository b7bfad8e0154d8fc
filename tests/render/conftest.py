"""A record and its report, made up but of every kind of content."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.compose import build_report
from ecg_llm.delineate import Delineation
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.leads import STANDARD_12
from ecg_llm.measure import Beat, LeadMeasurements, Measurements
from ecg_llm.quality import LeadQuality, Quality, Suspicion
from ecg_llm.quantity import Quantity
from ecg_llm.record import ECGRecord

HOSTILE = "<script>alert('x')</script>\x1b[31m&\"\u202e\n"


def fact(lead, from_s, to_s, quantity, value, unit, criterion):
    return Evidence(
        lead=lead,
        from_s=from_s,
        to_s=to_s,
        quantity=quantity,
        value=value,
        unit=unit,
        criterion=criterion,
        source=f"source of {quantity}",
    )


def finding(label, section, urgency, *evidence, status="present", reason=None):
    return Finding(
        code=label,
        label=label,
        snomed=None,
        section=section,
        urgency=urgency,
        status=status,
        reason=reason,
        evidence=evidence,
    )


FINDINGS = (
    finding("sinus rhythm", "rhythm", "normal", fact(None, 0.3, 2.6, "P waves", "all", "", "all")),
    finding(
        "STEMI pattern",
        "st-t",
        "critical",
        fact("V2", 5.5, 5.66, "ST at J", 0.31, "mV", "≥ 0.2 mV"),
        fact("V3", 5.5, 5.66, "ST at J", 0.274, "mV", "≥ 0.2 mV"),
    ),
    finding(
        "first-degree AV block",
        "conduction",
        "abnormal",
        fact(None, 1.05, 1.28, "PR interval", 223.6, "ms", "> 200 ms"),
        fact("aVL", 9.0, 9.1, "R peak time", 48.0, "ms", "≥ 45 ms"),
    ),
    finding(
        "left ventricular hypertrophy",
        "chambers",
        "abnormal",
        fact("V1", 5.3, 5.4, "S amplitude", -1.1, "mV", "S V1 + R V5 ≥ 3.5 mV"),
        status="absent",
    ),
    finding(
        "left atrial enlargement", "p wave", "abnormal", status="unknown", reason="no P wave seen"
    ),
)


def made_record(leads=STANDARD_12, seconds=10.0, fs=500.0, **more):
    t = np.arange(round(seconds * fs)) / fs
    beat = np.exp(-((((t % 0.8) - 0.3) / 0.02) ** 2))
    heights = np.linspace(-0.8, 1.4, len(leads))[:, None]
    signal = (heights * beat).astype(np.float32)
    return ECGRecord(signal=signal, fs=fs, leads=tuple(leads), source="a.hea", name="a", **more)


def made_report(record, findings=FINDINGS, verdict="accept", notes=()):
    good = LeadQuality(usable=True, reasons=(), metrics={})
    leads = dict.fromkeys(record.leads, good)
    if "aVF" in leads:
        leads["aVF"] = replace(good, usable=False, reasons=("wander",))
    quality = Quality(
        record=record.name,
        verdict=verdict,
        reasons=notes,
        score=0.9,
        leads=leads,
        suspicions=(
            Suspicion(kind="V1-V2 swapped", leads=("V1", "V2"), explanation="R falls.", score=0.7),
        ),
        pacing_spikes_s=(1.25,),
        from_s=0.0,
        to_s=record.duration_s,
    )
    nothing = np.zeros((0, 9))
    measurements = Measurements(
        record=record.name,
        fs=record.fs,
        from_s=0.0,
        to_s=record.duration_s,
        values={
            "heart_rate_bpm": Quantity(71.6, "bpm", method="median RR", n=11),
            "p_ms": Quantity(None, "ms", reason="no P wave in 2 of 12 beats"),
            "pr_ms": Quantity(223.6, "ms", method="P onset to QRS onset", spread=4.0, n=12),
            "qtc_fridericia_ms": Quantity(426.5, "ms", n=12),
        },
        beats=(Beat(0.3, "normal"), Beat(1.1, "normal")),
        leads={
            lead: LeadMeasurements(per_beat={}, summary={"r_mv": Quantity(0.4, "mV")})
            for lead in record.leads
        },
        delineation=Delineation(
            leads=(),
            r_s=np.zeros(0),
            times_s=np.zeros((0, 0, 9)),
            global_s=nothing,
            p_waves_s=np.zeros((0, 3)),
            p_confidence=np.zeros(0),
        ),
    )
    return build_report(
        record, quality, measurements, findings, weights={"net": "ab" * 32}, criteria_version="1"
    )


@pytest.fixture
def record():
    return made_record(age_years=56, sex="male", sha256="3f" * 32)


@pytest.fixture
def report(record):
    return made_report(record)


@pytest.fixture
def short_report(record):
    """Give a report all of whose evidence lies on the standard page."""
    return made_report(record, FINDINGS[:2])


@pytest.fixture
def hostile():
    """Give a record and report with markup and control characters wherever a file can put text."""
    bad = replace(
        made_record(notes=(HOSTILE,), leads=("I", "II", HOSTILE)), name=HOSTILE, source=HOSTILE
    )
    finding_ = finding(
        HOSTILE, "rhythm", "critical", fact(HOSTILE, 1.0, 2.0, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    )
    return bad, made_report(bad, (finding_,), notes=(HOSTILE,))


@pytest.fixture
def refused(record):
    """Give a report of a record that could not be judged."""
    return made_report(record, (), verdict="refuse", notes=("all leads are flat",))


@pytest.fixture
def long_case():
    """Give a minute with its only evidence late."""
    minute = made_record(seconds=60.0)
    late = finding("long pause", "rhythm", "urgent", fact(None, 41.5, 45.0, "RR", 3500, "ms", ""))
    return minute, made_report(minute, (late,))
