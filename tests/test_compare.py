"""Comparison with an earlier ECG: known changes are told, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.assistant import interpret
from ecg_llm.compare import LEAST, TITLE, compare, with_comparison
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.io import read_record
from ecg_llm.report import Report
from tests.report_numbers import check_claims

EXAMPLES = Path(__file__).parents[1] / "examples"


@cache
def simulated(bpm: float, seed: int = 1) -> Report:
    return interpret(synthetic_ecg(bpm=bpm, seed=seed).record, model="none")


@cache
def example(name: str) -> Report:
    return interpret(read_record(EXAMPLES / f"{name}.hea"), model="none")


def trends(now: Report, before: Report) -> dict[str, str]:
    found = compare(now, before)
    return {c.name: c.trend for c in found.values} | {c.code: c.trend for c in found.findings}


@pytest.mark.parametrize(("before", "now"), [(60, 90), (90, 60), (75, 76)])
def test_a_known_change_of_rate_is_told(before: int, now: int) -> None:
    found = compare(simulated(now), simulated(before))
    change = next(c for c in found.values if c.name == "heart_rate_bpm")
    assert change.difference == pytest.approx(now - before, abs=2)
    expected = "same" if abs(now - before) < LEAST["heart_rate_bpm"] else None
    assert change.trend == (expected or ("higher" if now > before else "lower"))


def test_an_ecg_does_not_differ_from_itself() -> None:
    one = example("00177_hr")
    found = trends(one, one)
    assert set(found.values()) <= {"same", "unknown", "persistent"}
    assert found["LAFB"] == "persistent"


def test_what_came_and_went_between_real_ecgs() -> None:
    found = trends(example("00330_hr"), example("00338_hr"))
    present = {f.code for f in example("00330_hr").findings if f.status == "present"}
    earlier = {f.code for f in example("00338_hr").findings if f.status == "present"}
    assert found["CLBBB"] == "gone"
    assert found["AFIB"] == "new"
    for code, trend in found.items():
        if trend in ("new", "gone", "persistent", "changed"):
            assert (code in present) == (trend != "gone")
            assert (code in earlier) == (trend != "new")


def test_every_number_of_the_section_is_held_by_evidence_of_both() -> None:
    for now in ("00001_hr", "00177_hr", "00330_hr", "00338_hr", "00385_hr"):
        for before in ("00001_hr", "00338_hr"):
            report = with_comparison(example(now), example(before))
            assert check_claims(report) == ()
            section = report.sections[-1]
            assert section.title == TITLE
            earlier = [
                item
                for claim in section.statements
                for item in claim.evidence
                if "in the earlier ECG" in item.quantity
            ]
            # What lies on another tracing is not marked on this one.
            assert all(item.from_s is None for item in earlier)
            assert earlier
            assert Report.from_json(report.to_json()).comparison == report.comparison


def test_the_axis_turns_the_shorter_way() -> None:
    one = example("00001_hr")
    axis = one.measurements["qrs_axis_deg"]

    def turned(deg: float) -> Report:
        values = {**one.measurements, "qrs_axis_deg": replace(axis, value=deg)}
        return one.model_copy(update={"measurements": values})

    change = next(c for c in compare(turned(-175), turned(175)).values if c.name == "qrs_axis_deg")
    assert change.difference == pytest.approx(10)
    assert change.trend == "same"


def test_what_was_not_judged_in_one_is_open() -> None:
    before, now = example("00001_hr"), example("00177_hr")
    unjudged = tuple(
        replace(f, status="unknown", reason="lead V1 is missing", evidence=())
        if f.code == "LAFB"
        else f
        for f in before.findings
    )
    report = with_comparison(now, before.model_copy(update={"findings": unjudged}))
    assert report.comparison is not None
    change = next(c for c in report.comparison.findings if c.code == "LAFB")
    assert change.trend == "undetermined"
    told = next(c for c in report.sections[-1].statements if "is open" in c.text)
    assert "lead V1 is missing" in told.text
    assert told.status == "unverifiable"


def test_a_refused_tracing_is_not_compared() -> None:
    record = synthetic_ecg(bpm=70, seed=3).record
    noise = np.random.default_rng(0).normal(0, 2, record.signal.shape).astype(np.float32)
    refused = interpret(replace(record, signal=noise), model="none")
    assert not refused.quality.acceptable
    report = with_comparison(simulated(60), refused)
    assert report.comparison is not None
    assert not report.comparison.compared
    assert "earlier tracing" in (report.comparison.reason or "")


def test_files_of_different_patients_are_doubted() -> None:
    one = example("00001_hr")

    def of(sex: str, age: float) -> Report:
        record = one.record.model_copy(update={"sex": sex, "age_years": age})
        return one.model_copy(update={"record": record})

    notes = compare(of("male", 50), of("female", 60)).notes
    assert len(notes) == 2
    assert compare(of("male", 60), of("male", 50)).notes == ()
