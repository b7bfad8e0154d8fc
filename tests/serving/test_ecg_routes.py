"""Our own routes: a file in, its report out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import wfdb
from starlette.testclient import TestClient

from ecg_llm.assistant import interpret
from ecg_llm.io import read_record
from ecg_llm.report import Report
from ecg_llm.serving.ecg_routes import ClassificationFields, ReportFields, TracingFields
from ecg_llm.serving.recording import ReadingFields
from ecg_llm.serving.settings import Settings
from tests.report_numbers import check_claims
from tests.serving.conftest import EXAMPLES, zipped


def send(client: TestClient, path: str, data: bytes, accept: str = "*/*", **fields: str):
    return client.post(
        path, files={"file": ("rec.zip", data)}, data=fields, headers={"accept": accept}
    )


def test_the_report_is_the_one_of_the_command_line(client: TestClient, ecg: bytes) -> None:
    answer = send(client, "/v1/ecg/reports", ecg)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    report = Report.from_json(answer.text)
    other = interpret(read_record(EXAMPLES / "00177_hr.hea"), model="none")
    assert report.impression == other.impression
    assert report.measurements == other.measurements
    assert report.provenance.input_sha256 == other.provenance.input_sha256
    assert report.provenance.weights == other.provenance.weights
    assert check_claims(report) == ()


def test_age_and_sex_decide_limits(client: TestClient, ecg: bytes) -> None:
    answer = send(client, "/v1/ecg/reports", ecg, age="73", sex="male")
    record = answer.json()["record"]
    assert (record["age_years"], record["sex"]) == (73, "male")


@pytest.mark.parametrize(
    ("accept", "media", "begin"),
    [
        ("text/html", "text/html", b"<!DOCTYPE html>"),
        ("application/pdf", "application/pdf", b"%PDF-"),
        ("text/plain", "text/plain", b"ECG report"),
        ("text/html;q=0.5, application/pdf;q=0.9", "application/pdf", b"%PDF-"),
        ("image/png, */*;q=0.1", "application/json", b"{"),
    ],
)
def test_the_client_chooses_the_document(
    client: TestClient, ecg: bytes, accept: str, media: str, begin: bytes
) -> None:
    answer = send(client, "/v1/ecg/reports", ecg, accept)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(media)
    assert answer.content.startswith(begin)


def test_what_is_not_there_is_not_acceptable(client: TestClient, ecg: bytes) -> None:
    answer = send(client, "/v1/ecg/reports", ecg, "image/gif")
    assert answer.status_code == 406
    assert "application/pdf" in answer.json()["error"]["message"]


def test_the_files_of_a_record_come_as_several_parts(client: TestClient) -> None:
    parts = [
        ("file", (path.name, path.read_bytes())) for path in sorted(EXAMPLES.glob("00001_hr.*"))
    ]
    answer = client.post("/v1/ecg/measurements", files=parts)
    assert answer.status_code == 200, answer.text
    assert answer.json()["measurements"]["heart_rate_bpm"]["value"] > 30


def test_files_that_are_no_one_recording_are_named_as_they_were_sent(client: TestClient) -> None:
    """They are put into a zip on the way, of which nobody has heard."""
    parts = [("file", (path.name, path.read_bytes())) for path in EXAMPLES.glob("*.[hd][ea][at]")]
    answer = client.post("/v1/ecg/measurements", files=parts)
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert message.startswith("upload: it holds 6 records")
    assert "zip" not in message


def test_a_table_needs_what_it_does_not_state(client: TestClient) -> None:
    record = read_record(EXAMPLES / "00001_hr.hea")
    table = "\n".join(",".join(f"{x:.4f}" for x in row) for row in record.signal.T).encode()
    answer = client.post("/v1/ecg/reports", files={"file": ("t.csv", table)})
    assert answer.status_code == 422
    assert "(leads I,II,…)" in answer.json()["error"]["message"]
    fields = {"fs": "500", "unit": "mV", "leads": ",".join(record.leads)}
    answer = client.post("/v1/ecg/reports", files={"file": ("t.csv", table)}, data=fields)
    assert answer.status_code == 200, answer.text
    whole = interpret(record, model="none")
    assert Report.from_json(answer.text).impression == whole.impression


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sex": "man"}, "sex has to be 'female' or 'male'"),
        ({"age": "-3"}, "age has to be at least 0"),
        ({"subject": "man"}, "subject has to be a reference of the form Patient/ID"),
        ({"recorded": "man"}, "recorded has to be a day, as 2026-03-01"),
        ({"sxe": "male"}, "there is what is not a field here (age, sex, fs, unit, leads"),
    ],
)
def test_what_is_wrong_with_a_field_is_told_without_repeating_it(
    client: TestClient, ecg: bytes, fields: dict[str, str], said: str
) -> None:
    answer = client.post("/v1/ecg/reports", files={"file": ("r.zip", ecg)}, data=fields)
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert said in message
    assert "man'" not in message
    assert "sxe" not in message


def test_the_good_leads_of_a_refused_tracing_are_read_where_that_is_asked_for(
    client: TestClient,
) -> None:
    record = read_record("examples/00177_hr.hea")
    rows = record.signal.copy()
    rows[record.leads.index("V4")] = 0
    table = "\n".join(",".join(f"{x:.4f}" for x in row) for row in rows.T)
    data = f"# fs: 500\n# unit: mV\n{','.join(record.leads)}\n{table}\n".encode()
    for partial, acceptable in (("false", False), ("true", True)):
        answer = client.post(
            "/v1/ecg/reports",
            files={"file": ("flat.csv", data)},
            data={"partial": partial, "model": "measured"},
        )
        assert answer.status_code == 200, answer.text
        report = Report.from_json(answer.text)
        assert report.quality.acceptable is acceptable
        assert ("V4" in report.record.leads) is not acceptable


def test_statements_are_chosen_by_code(client: TestClient, ecg: bytes) -> None:
    answer = send(client, "/v1/ecg/classifications", ecg, labels="SR, AFIB")
    found = {label["code"]: label["status"] for label in answer.json()["labels"]}
    assert found == {"SR": "present", "AFIB": "absent"}
    assert answer.json()["provenance"]["input_sha256"]
    assert send(client, "/v1/ecg/classifications", ecg, labels="SR,nope").status_code == 400
    codes = {one["code"] for one in client.get("/v1/ecg/statements").json()}
    assert {"SR", "AFIB", "stemi"} <= codes


def test_the_tasks_are_those_that_there_are() -> None:
    from typing import get_args

    from ecg_llm.knowledge import TASKS
    from ecg_llm.serving.ecg_routes import Task

    assert set(get_args(Task)) == {"statements", "words", *TASKS}


@pytest.mark.parametrize(
    "fields",
    [{"task": "words"}, {"task": "csn", "labels": "AF"}, {"task": "words", "labels": " , "}],
)
def test_a_task_is_given_what_it_needs(
    client: TestClient, ecg: bytes, fields: dict[str, str]
) -> None:
    answer = send(client, "/v1/ecg/classifications", ecg, **fields)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("fmt", ["212", "24"])
def test_packed_samples_are_read_where_no_file_may_be_written(
    client: TestClient, tmp_path: Path, fmt: str
) -> None:
    record = read_record(EXAMPLES / "00177_hr.hea")
    wfdb.wrsamp(
        "rec",
        fs=500,
        units=["mV"] * 12,
        sig_name=list(record.leads),
        p_signal=record.signal.T.astype(float),
        fmt=[fmt] * 12,
        write_dir=str(tmp_path),
    )
    files = [("file", (path.name, path.read_bytes())) for path in sorted(tmp_path.iterdir())]
    answer = client.post("/v1/ecg/measurements", files=files)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "fields", [{"labels": "Margarethe,Margarethe"}, {"labels": "Margarethe", "head": "true"}]
)
def test_labels_of_a_client_are_not_repeated(
    client: TestClient, ecg: bytes, fields: dict[str, str]
) -> None:
    answer = send(client, "/v1/ecg/classifications", ecg, task="words", **fields)
    assert answer.status_code == 400
    assert "Margarethe" not in answer.text and "statements are needed" in answer.text


def test_a_tracing_can_be_drawn_from_its_numbers(client: TestClient, ecg: bytes) -> None:
    answer = send(client, "/v1/ecg/tracings", ecg, from_s="2", seconds="4").json()
    record = read_record(EXAMPLES / "00177_hr.hea")
    assert (answer["from_s"], answer["to_s"], answer["fs_hz"]) == (2, 6, 250)
    lead = answer["leads"][1]
    assert lead["name"] == "II"
    assert len(lead["samples"]) == 1000
    row = record.row("II")[1000:3000].reshape(-1, 2).mean(axis=1)
    assert lead["samples"] == pytest.approx(row, abs=1e-4)
    assert all(2 <= beat["r_s"] <= 6 for beat in answer["beats"])
    numbers = {mark["number"] for mark in answer["marks"]}
    named = {number for claim in answer["claims"] for number in claim["marks"]}
    assert named and named <= numbers


@pytest.mark.parametrize(("accept", "begin"), [("image/svg+xml", b"<svg"), ("image/png", b"\x89P")])
def test_a_tracing_is_drawn(client: TestClient, ecg: bytes, accept: str, begin: bytes) -> None:
    answer = send(client, "/v1/ecg/tracings", ecg, accept, dpi="72")
    assert answer.status_code == 200
    assert answer.content.startswith(begin)


def test_every_answer_says_how_long_its_parts_took(client: TestClient) -> None:
    data = b"".join((EXAMPLES / f"00330_hr.{end}").read_bytes() for end in ("hea",))
    parts = [
        ("file", ("00330_hr.hea", data)),
        ("file", ("00330_hr.dat", (EXAMPLES / "00330_hr.dat").read_bytes())),
    ]
    answer = client.post("/v1/ecg/measurements", files=parts)
    assert "read;dur=" in answer.headers["server-timing"]
    assert "measure;dur=" in answer.headers["server-timing"]


def test_the_audit_log_names_input_and_outcome_and_nothing_else(
    client: TestClient, ecg: bytes, settings: Settings
) -> None:
    import hashlib

    answer = send(client, "/v1/ecg/measurements", ecg, age="61")
    bad = send(client, "/v1/ecg/measurements", b"Dear colleague, Mr Grey")
    entries = client.app.state.server.audit.entries(2)
    assert [entry.request_id for entry in entries] == [
        bad.headers["x-request-id"],
        answer.headers["x-request-id"],
    ]
    assert entries[1].inputs == (hashlib.sha256(ecg).hexdigest(),)
    assert (entries[1].outcome, entries[1].status) == ("ok", 200)
    assert (entries[0].outcome, entries[0].status) == ("unreadable_ecg", 422)
    assert entries[0].caller == "local"
    assert "Grey" not in str(entries)


def test_metrics_are_counted(client: TestClient, ecg: bytes) -> None:
    send(client, "/v1/ecg/measurements", ecg)
    text = client.get("/metrics").text
    assert 'ecgllm_requests_total{method="POST",route="/v1/ecg/measurements",status="200"}' in text
    assert "ecgllm_readers_ready 1.0" in text
    assert 'ecgllm_stage_seconds_count{stage="measure"}' in text


@pytest.mark.parametrize("model", [ReportFields, ClassificationFields, TracingFields])
def test_every_field_is_documented(model: type[ReadingFields]) -> None:
    told = (EXAMPLES.parent / "docs" / "api.md").read_text(encoding="utf-8")
    assert not [name for name in model.model_fields if f"`{name}" not in told]


def test_the_openapi_document_names_every_route(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert {"/v1/ecg/reports", "/v1/ecg/measurements", "/v1/ecg/classifications"} <= set(
        document["paths"]
    )
    body = document["paths"]["/v1/ecg/reports"]["post"]["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["required"] == ["file"]
    assert "Report" in json.dumps(document["components"])


def test_a_report_as_fhir_names_the_patient_that_the_client_names(
    client: TestClient, ecg: bytes
) -> None:
    from fhir.resources.R4B.bundle import Bundle

    answer = send(
        client, "/v1/ecg/reports", ecg, "application/fhir+json", subject="Patient/17", age="50",
        recorded="2019-02-03T08:15:00+01:00",
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    bundle = Bundle.model_validate_json(answer.text)
    assert bundle.entry[0].resource.subject.reference == "Patient/17"
    assert bundle.entry[0].resource.effectiveDateTime.isoformat() == "2019-02-03T08:15:00+01:00"
    for wrong in ({"subject": "http://x/1"}, {"recorded": "today"}, {"recorded": "2019-02-30"}):
        refused = send(client, "/v1/ecg/reports", ecg, "application/fhir+json", **wrong)
        assert refused.status_code == 400


def test_an_earlier_ecg_is_compared_with(client: TestClient, ecg: bytes) -> None:
    files = {"file": ("now.zip", ecg), "earlier": ("then.zip", zipped("00001_hr"))}
    answer = client.post("/v1/ecg/reports", files=files)
    assert answer.status_code == 200, answer.text
    report = Report.from_json(answer.text)
    assert report.comparison is not None
    assert {c.code: c.trend for c in report.comparison.findings}["LAFB"] == "new"
    entry = client.app.state.server.audit.entries(1)[0]
    assert len(entry.inputs) == 2
    assert check_claims(report) == ()
    refused = client.post("/v1/ecg/measurements", files=files)
    assert refused.status_code == 400


def test_what_is_told_of_the_patient_hides_no_mix_up_with_an_earlier_ecg(
    client: TestClient, ecg: bytes
) -> None:
    header = (EXAMPLES / "00001_hr.hea").read_text() + "# sex: male\n# age: 70\n"
    then = [("00001_hr.hea", header), ("00001_hr.dat", (EXAMPLES / "00001_hr.dat").read_bytes())]
    files = [("file", ("now.zip", ecg)), *(("earlier", part) for part in then)]
    answer = client.post("/v1/ecg/reports", files=files, data={"age": "40", "sex": "female"})
    assert answer.status_code == 200, answer.text
    assert "different sexes" in answer.text and "the earlier ECG is older" in answer.text


@pytest.mark.parametrize("accept", ["application/json", "image/png", "image/svg+xml"])
def test_a_tracing_beyond_the_end_is_an_error_in_every_form(
    client: TestClient, ecg: bytes, accept: str
) -> None:
    answer = send(client, "/v1/ecg/tracings", ecg, accept, from_s="10")
    assert answer.status_code == 400
    assert "before the end of the recording, 10 s" in answer.json()["error"]["message"]


def test_what_is_wrong_with_a_chat_is_told_in_words(client: TestClient) -> None:
    body = {"model": 5, "messages": [], "max_tokens": 0.5, "stream": "maybe"}
    said = client.post("/v1/chat/completions", json=body).json()["error"]["message"]
    for part in (
        "model has to be a text",
        "messages has to be at least 1 long",
        "max_tokens has to be a whole number",
        "stream has to be true or false",
    ):
        assert part in said
    long = {"role": "user", "content": [{"type": "text", "text": "x" * 30_000}]}
    body = {"model": "measured", "messages": [long]}
    said = client.post("/v1/chat/completions", json=body).json()["error"]["message"]
    assert said.endswith("text has to be at most 20000 long.")
    assert ";" not in said  # that it is no plain text either is beside the point
