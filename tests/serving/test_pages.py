"""The image of a page through every route: findings with probabilities, and no value."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from functools import cache
from pathlib import Path

import PIL.Image
import pytest
from starlette.testclient import TestClient

from ecg_llm.data_builders.page_images import render_page_example
from ecg_llm.data_builders.photo_settings import draw_photo
from ecg_llm.data_builders.photograph import encode_image, photograph_as
from ecg_llm.io import read_record
from ecg_llm.measure import FROM_PAGE
from ecg_llm.render.page import draw_page, save_page
from ecg_llm.report import Report
from tests.serving.conftest import EXAMPLES

KINDS = {"png": "image/png", "jpeg": "image/jpeg", "pdf": "application/pdf", "photo": "image/jpeg"}


@cache
def page(kind: str, name: str = "00177_hr") -> bytes:
    """Draw an example as somebody would send it."""
    record = read_record(EXAMPLES / f"{name}.hea")
    if kind == "photo":
        printed, _ = render_page_example(record, 2)
        height, width = printed.image.shape[:2]
        settings = draw_photo(1, long_px=1400, page_aspect=width / height)
        return encode_image(photograph_as(printed, settings).image, "jpeg", settings.quality)
    if kind == "pdf":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "page.pdf"
            save_page(record, path)
            return path.read_bytes()
    packed = io.BytesIO()
    drawn = PIL.Image.open(io.BytesIO(draw_page(record, dpi=130).to_png()))
    drawn.convert("RGB").save(packed, kind, quality=90)
    return packed.getvalue()


def send(client: TestClient, route: str, kind: str, **fields: str):
    file = (f"scan.{kind}", page(kind))
    return client.post(f"/v1/ecg/{route}", files={"file": file}, data=fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_has_findings_with_probabilities_and_values_unknown_with_the_reason(
    client: TestClient, kind: str
) -> None:
    answer = send(client, "reports", kind)
    assert answer.status_code == 200, answer.text
    report = Report.from_json(answer.text)
    assert report.quality.acceptable
    assert report.measurements
    for quantity in report.measurements.values():
        assert quantity.value is None
        assert quantity.reason == FROM_PAGE
    known = [one for one in report.findings if one.probability is not None]
    assert len(known) > 20
    assert all(0 <= one.probability <= 1 for one in known)
    assert any("layout" in note for note in report.record.notes)
    assert "read;dur=" in answer.headers["server-timing"]


def test_a_page_says_of_this_ecg_what_its_recording_says(client: TestClient) -> None:
    found = {one["code"]: one for one in send(client, "reports", "png").json()["findings"]}
    assert found["SR"]["status"] == "present"
    assert found["SR"]["probability"] > 0.5
    assert found["AFIB"]["status"] != "present"
    assert found["AFIB"]["probability"] < 0.2


def test_no_value_is_given_by_any_route(client: TestClient) -> None:
    answer = send(client, "measurements", "png").json()
    assert answer["quality"]["acceptable"]
    values = answer["measurements"]
    assert values["heart_rate_bpm"] == {
        **values["heart_rate_bpm"], "value": None, "reason": FROM_PAGE
    }  # fmt: skip
    assert values["beats"] == []


def test_statements_and_scores(client: TestClient) -> None:
    labels = send(client, "classifications", "jpeg", labels="SR,AFIB").json()["labels"]
    assert {one["code"] for one in labels} == {"SR", "AFIB"}
    assert all(one["probability"] is not None for one in labels)
    scores = send(client, "classifications", "jpeg", task="ptbxl-super", head="true").json()
    assert {one["label"] for one in scores["labels"]} == {"NORM", "MI", "STTC", "CD", "HYP"}
    assert all(0 <= one["score"] <= 1 for one in scores["labels"])


@pytest.mark.parametrize("kind", ["png", "photo"])
def test_chat_takes_a_page_as_file_and_as_image(client: TestClient, kind: str) -> None:
    url = f"data:{KINDS[kind]};base64,{base64.b64encode(page(kind)).decode()}"
    parts = [
        {"type": "file", "file": {"filename": f"scan.{kind}", "file_data": url}},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    for part in parts:
        text = {"type": "text", "text": "What are the heart rate and the rhythm?"}
        body = {"model": "measured", "messages": [{"role": "user", "content": [part, text]}]}
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        said = answer.json()["choices"][0]["message"]["content"]
        assert "not measured" in said
        assert "bpm" not in said
        assert answer.json()["ecg"]["ecgs"][0]["acceptable"]


def test_a_page_is_drawn_from_what_was_read_and_shown_as_it_was_sent(client: TestClient) -> None:
    drawn = send(client, "tracings", "pdf").json()
    assert drawn["origin"] == "page"
    assert drawn["beats"] == []
    lead = next(one for one in drawn["leads"] if one["name"] == "V1")
    assert None in lead["samples"]  # a page shows each lead for a quarter of the time
    assert sum(x is not None for x in lead["samples"]) > 400
    shown = send(client, "pages", "pdf")
    assert shown.headers["content-type"] == "image/jpeg"
    with PIL.Image.open(io.BytesIO(shown.content)) as image:
        assert 1000 < max(image.size) <= 1800


def test_a_recording_is_no_page(client: TestClient, ecg: bytes) -> None:
    refused = client.post("/v1/ecg/pages", files={"file": ("rec.zip", ecg)})
    assert refused.status_code == 422
    assert "not the image of a page" in refused.json()["error"]["message"]
    drawn = client.post("/v1/ecg/tracings", files={"file": ("rec.zip", ecg)})
    assert drawn.json()["origin"] == "recording"


@pytest.mark.parametrize("accept", ["text/html", "application/pdf", "application/fhir+json"])
def test_documents_of_a_page(client: TestClient, accept: str) -> None:
    files = {"file": ("scan.png", page("png"))}
    answer = client.post("/v1/ecg/reports", files=files, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    if accept == "application/fhir+json":
        resources = [entry["resource"] for entry in json.loads(answer.text)["entry"]]
        values = [one for one in resources if "dataAbsentReason" in one]
        assert len(values) >= 8
        assert all(one["dataAbsentReason"]["text"] == FROM_PAGE for one in values)


def test_a_page_is_compared_with_an_earlier_recording(client: TestClient, ecg: bytes) -> None:
    files = {"file": ("now.png", page("png")), "earlier": ("then.zip", ecg)}
    answer = client.post("/v1/ecg/reports", files=files)
    assert answer.status_code == 200, answer.text
    assert Report.from_json(answer.text).comparison is not None


def test_an_image_without_tracings_is_refused_in_words(client: TestClient) -> None:
    packed = io.BytesIO()
    PIL.Image.effect_noise((800, 600), 80).save(packed, "PNG")
    answer = client.post("/v1/ecg/reports", files={"file": ("cat.png", packed.getvalue())})
    assert answer.status_code == 422
    assert 10 < len(answer.json()["error"]["message"]) < 600
