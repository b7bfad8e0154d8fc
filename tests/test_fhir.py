"""FHIR R4: valid, complete, and with nothing that the report does not say."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecg_llm import assistant
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.fhir import LOINC_OF, SNOMED, to_fhir
from ecg_llm.io import read_record
from ecg_llm.record import ECGRecord
from ecg_llm.report import Report

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*_hr.hea"))
WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def measured(record: ECGRecord) -> Report:
    """Give the report that no language model has a part in."""
    return assistant.interpret(record, model="none")


def validated(bundle: dict[str, Any]) -> Any:
    """Read a bundle with the models of fhir.resources, which refuse what FHIR does not know."""
    from fhir.resources.R4B.bundle import Bundle

    return Bundle.model_validate_json(json.dumps(bundle, allow_nan=False))


@cache
def example(path: Path) -> dict[str, Any]:
    record = read_record(path)
    return to_fhir(measured(record), record, issued=WHEN)


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [resource for resource in found if resource["resourceType"] == kind]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_bundle_is_valid(path: Path) -> None:
    checked = validated(example(path))
    assert checked.type == "collection"
    assert len(resources(example(path), "DiagnosticReport")) == 1


def test_an_invalid_bundle_would_be_noticed() -> None:
    wrong = json.loads(json.dumps(example(EXAMPLES[0])))
    wrong["entry"][0]["resource"]["impression"] = "x"
    with pytest.raises(ValueError, match="impression"):
        validated(wrong)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_values_are_those_of_the_report(path: Path) -> None:
    report = measured(read_record(path))
    by_code = {
        coding["code"]: one
        for one in resources(example(path), "Observation")
        for coding in one["code"]["coding"]
    }
    for name, code in LOINC_OF.items():
        quantity, one = report.measurements[name], by_code[code]
        if quantity.value is None:
            assert one["dataAbsentReason"]["text"] == quantity.reason
            assert "valueQuantity" not in one
        else:
            assert one["valueQuantity"]["value"] == pytest.approx(quantity.value, abs=0.5)
            assert one["valueQuantity"]["code"] in ("ms", "/min", "deg")


def test_present_findings_are_there_with_snomed_and_evidence() -> None:
    path = EXAMPLES[1]
    report = measured(read_record(path))
    present = [f for f in report.findings if f.status == "present"]
    told = [
        one["valueCodeableConcept"]
        for one in resources(example(path), "Observation")
        if "valueCodeableConcept" in one
    ]
    assert [one["text"] for one in told] == [f.label for f in present]
    codes = {c["code"] for one in told for c in one["coding"] if c["system"] == SNOMED}
    assert codes == {f.snomed for f in present if f.snomed}
    (diagnostic,) = resources(example(path), "DiagnosticReport")
    assert {c["coding"][0]["code"] for c in diagnostic["conclusionCode"]} == codes
    assert all(line in diagnostic["conclusion"] for line in report.impression)
    assert diagnostic["status"] == "preliminary"


def test_an_uncertain_finding_is_told_as_such_and_is_no_conclusion() -> None:
    """What criterion and encoder disagree on stood there as if it were sure."""
    record = read_record(EXAMPLES[1])
    report = measured(record)
    first = next(f for f in report.findings if f.status == "present" and f.snomed)
    doubted = replace(first, doubt="the criterion is met, the encoder gives 0.02")
    findings = tuple(doubted if f is first else f for f in report.findings)
    report = report.model_copy(update={"findings": findings})
    bundle = to_fhir(report, record, pdf=b"%PDF-", issued=WHEN)
    validated(bundle)
    (told,) = (
        one
        for one in resources(bundle, "Observation")
        if "note" in one and one["note"][0]["text"].startswith("Uncertain")
    )
    assert told["valueCodeableConcept"]["text"] == f"{first.label}, uncertain"
    assert "the encoder gives 0.02" in told["note"][0]["text"]
    (diagnostic,) = resources(bundle, "DiagnosticReport")
    codes = {c["coding"][0]["code"] for c in diagnostic["conclusionCode"]}
    assert codes and first.snomed not in codes


def test_the_pdf_is_the_presented_form() -> None:
    (diagnostic,) = resources(example(EXAMPLES[0]), "DiagnosticReport")
    (form,) = diagnostic["presentedForm"]
    data = base64.b64decode(form["data"])
    assert data.startswith(b"%PDF-")
    assert form["size"] == len(data)


def test_every_reference_leads_somewhere() -> None:
    bundle = example(EXAMPLES[0])
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(urls) == len(bundle["entry"])
    text = json.dumps(bundle)
    named = {part.split('"')[0] for part in text.split('"reference": "')[1:]}
    assert named and named <= urls


def test_the_patient_is_only_whom_the_caller_names() -> None:
    record = synthetic_ecg(bpm=70, seed=2).record
    report = measured(record)
    bundle = to_fhir(report, record, subject="Patient/a-1.b", pdf=b"%PDF-", issued=WHEN)
    validated(bundle)
    for kind in ("DiagnosticReport", "Observation"):
        for one in resources(bundle, kind):
            assert one["subject"] == {"reference": "Patient/a-1.b"}
    assert "Patient" not in json.dumps(to_fhir(report, record, pdf=b"%PDF-", issued=WHEN))
    for wrong in ("Patient/", "http://x/Patient/1", "Patient/1\n", "Patient/a/b"):
        with pytest.raises(ConfigError, match="Patient/ID"):
            to_fhir(report, record, subject=wrong, pdf=b"%PDF-")


def test_the_time_of_the_recording_is_what_the_caller_says() -> None:
    record = synthetic_ecg(bpm=70, seed=2).record
    report = measured(record)
    for when in ("2019-02-03", "2019-02-03T08:15:00+01:00", "2019-02-03T08:15:00.5Z"):
        bundle = to_fhir(report, record, recorded=when, pdf=b"%PDF-", issued=WHEN)
        validated(bundle)
        told = [*resources(bundle, "DiagnosticReport"), *resources(bundle, "Observation")]
        assert {one["effectiveDateTime"] for one in told} == {when}
    untold = to_fhir(report, record, pdf=b"%PDF-", issued=WHEN)
    assert "effectiveDateTime" not in json.dumps(untold)
    for wrong in (
        "03.02.2019",
        "2019-02-30",
        "2019-02-03T08:15:00",
        "2019-02-03 08:15",
        "20190203",
    ):
        with pytest.raises(ConfigError, match="recorded has to be a day"):
            to_fhir(report, record, recorded=wrong, pdf=b"%PDF-")


def test_a_refused_tracing_gives_a_valid_report_without_results() -> None:
    record = synthetic_ecg(bpm=70, seed=3).record
    noise = np.random.default_rng(0).normal(0, 2, record.signal.shape).astype(np.float32)
    refused: ECGRecord = replace(record, signal=noise)
    bundle = to_fhir(measured(refused), refused, issued=WHEN)
    validated(bundle)
    assert resources(bundle, "Observation") == []
    (diagnostic,) = resources(bundle, "DiagnosticReport")
    assert "result" not in diagnostic and "conclusionCode" not in diagnostic


def test_the_same_input_gives_the_same_bundle() -> None:
    record = synthetic_ecg(bpm=70, seed=2).record
    report = measured(record)
    one = to_fhir(report, record, issued=WHEN, pdf=b"%PDF-")
    assert one == to_fhir(report, record, issued=WHEN, pdf=b"%PDF-")


def test_the_rate_of_an_ecg_is_no_vital_sign() -> None:
    # FHIR's validator holds these codes against the profile of a vital sign, which this is not.
    vital = {"8867-4", "8889-8", "8890-6", "8891-4", "8892-2", "8893-0", "40443-4", "68999-2"}
    codes = {
        coding["code"]
        for one in resources(example(EXAMPLES[0]), "Observation")
        for coding in one["code"]["coding"]
    }
    assert "76282-3" in codes and not codes & vital
