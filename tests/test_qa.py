"""Questions in the form of ECG-QA: read, answered, and whole sets of them."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ecg_llm.analysis import analyse
from ecg_llm.errors import ConfigError
from ecg_llm.io import read_record
from ecg_llm.leads import STANDARD_12
from ecg_llm.noise import CLIP, KINDS, NoiseModel, measure_noise, noise_model, save_noise_model
from ecg_llm.noise_net import N_CHANNELS, NoiseNet
from ecg_llm.qa.answer import QARecord, answer_qa
from ecg_llm.qa.items import answer_items, read_items
from ecg_llm.qa.question import read_qa
from ecg_llm.record import ECGRecord


@pytest.mark.parametrize(
    ("question", "terms", "lead"),
    [
        ("Does this ECG show static noise in lead aVL?", ("static noise",), "aVL"),
        ("Is burst noise present in lead V1 based on the ECG?", ("burst noise",), "V1"),
        ("Is baseline drift visible in this ECG?", ("baseline drift",), None),
        (
            "Is lead II on this ECG showing any signs of interference or distortion?",
            ("baseline drift", "static noise", "burst noise", "electrodes problems"),
            "II",
        ),
    ],
)
def test_questions_on_noise(question: str, terms: tuple[str, ...], lead: str | None) -> None:
    asked = read_qa(question)
    assert (asked.form, asked.about, asked.terms, asked.lead) == ("verify", "noise", terms, lead)


@pytest.mark.parametrize(
    ("question", "change", "normal"),
    [
        (
            "Which numerical features in the second ECG have returned to a normal state?",
            "new",
            True,
        ),
        ("What numeric values of the second ECG are now considered abnormal?", "new", False),
        ("What are the numerical attributes that remain irregular?", "still", False),
        ("Which numerical features of the second ECG are not still normal?", "still", False),
    ],
)
def test_questions_on_changes(question: str, change: str, normal: bool) -> None:
    asked = read_qa(question, 2)
    assert (asked.about, asked.change, asked.normal) == ("numeric", change, normal)


def test_longer_names_win() -> None:
    asked = read_qa("Does this ECG show symptoms of complete left bundle branch block?")
    assert asked.terms == ("complete left bundle branch block",)
    asked = read_qa("Which symptom does this ECG show, sinus rhythm or sinus tachycardia?")
    assert asked.form == "choose"
    assert asked.terms == ("sinus rhythm", "sinus tachycardia")


@pytest.fixture(scope="module")
def ecg() -> QARecord:
    """Prepare one real record."""
    return QARecord.of(analyse(read_record("examples/00001_hr.hea")))


def test_statements_are_answered_from_findings(ecg: QARecord) -> None:
    yes = answer_qa("Does this ECG show symptoms of sinus rhythm?", [ecg])
    assert yes.answer == ("yes",) and yes.evidence
    no = answer_qa("Does this ECG show symptoms of complete left bundle branch block?", [ecg])
    assert no.answer == ("no",)
    which = answer_qa("What rhythm-related symptoms does this ECG show?", [ecg])
    assert which.answer == ("sinus rhythm",)
    either = answer_qa("Which does it show, sinus rhythm or atrial fibrillation?", [ecg])
    assert either.answer == ("sinus rhythm",)


def test_the_axis_and_values_are_measured(ecg: QARecord) -> None:
    assert answer_qa("What direction is this ECG deviated to?", [ecg]).answer == (
        "normal heart axis",
    )
    where = answer_qa("What range does the rr interval of this ECG fall in?", [ecg])
    assert where.answer == ("within the normal range",)
    assert where.evidence[0].unit == "ms"


def test_an_ecg_compared_with_itself_has_nothing_new(ecg: QARecord) -> None:
    new = answer_qa("What numeric features of the second ECG are now abnormal?", [ecg, ecg])
    assert new.answer == ("none",)
    still = answer_qa("What rhythm-related symptoms are still detected?", [ecg, ecg])
    assert still.answer == ("sinus rhythm",)


@pytest.mark.parametrize("question", ["", "5", "What is the heart rate?"])
def test_what_the_set_has_no_words_for_is_not_answered_none(ecg: QARecord, question: str) -> None:
    with pytest.raises(ConfigError, match="nothing in the vocabulary of ECG-QA"):
        answer_qa(question, [ecg])


def test_more_than_two_ecgs_are_refused(ecg: QARecord) -> None:
    with pytest.raises(ConfigError, match="one ECG or two"):
        answer_qa("What is new?", [ecg, ecg, ecg])


def test_noise_metrics_rise_with_noise_of_one_lead(ecg: QARecord) -> None:
    record = ecg.known.record
    rng = np.random.default_rng(0)
    signal = record.signal.copy()
    at = record.leads.index("V4")
    n = signal.shape[1]
    tremor = np.sin(2 * np.pi * 35 * np.arange(n) / record.fs) * rng.normal(0.1, 0.02, n)
    signal[at] += tremor.astype(np.float32)
    noisy = measure_noise(ECGRecord(signal=signal, fs=record.fs, leads=record.leads, name="noisy"))
    assert noisy.fast_mv["V4"] > 3 * ecg.noise.fast_mv["V4"]
    assert noisy.fast_mv["V1"] == pytest.approx(ecg.noise.fast_mv["V1"], rel=0.05)


def test_a_row_compares_a_lead_with_the_others(ecg: QARecord) -> None:
    noise = ecg.noise
    n = noise.leads.shape[1]
    row = noise.row("V4")
    assert row[:n] == pytest.approx(noise.leads[noise.names.index("V4")], abs=1e-5)
    assert row[n : 2 * n] == pytest.approx(row[:n] - np.median(noise.leads, axis=0), abs=1e-4)
    assert row[-13:].sum() == 1 and row[-13 + STANDARD_12.index("V4")] == 1
    assert len(noise.row(None)) == len(row)


def test_a_record_of_few_leads_is_judged_too(ecg: QARecord) -> None:
    record = ecg.known.record
    at = [record.leads.index(lead) for lead in ("II", "V2")]
    few = measure_noise(
        ECGRecord(signal=record.signal[at], fs=record.fs, leads=("II", "V2"), name="few")
    )
    assert len(few.row("V2")) == len(ecg.noise.row("V2"))
    p = noise_model().probability(few, "burst noise", "V2")
    assert 0 <= p <= 1


def test_nets_are_written_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ecg_llm.noise as noise

    kinds = len(KINDS)
    hidden = np.zeros((1, 2, 1), np.float32)
    hidden[0, 0] = 2  # the first column speaks for every kind, the second for nothing
    model = NoiseModel(
        mean=np.zeros(2, np.float32),
        spread=np.ones(2, np.float32),
        hidden=hidden,
        hidden_bias=np.zeros((1, 1), np.float32),
        out=np.ones((1, 1, kinds), np.float32),
        out_bias=np.zeros((1, kinds), np.float32),
        limits=np.full(kinds, 0.4, np.float32),
    )
    path = tmp_path / "noise.npz"
    save_noise_model(model, path)
    monkeypatch.setattr(noise, "WEIGHTS", path)
    noise.noise_model.cache_clear()
    try:
        read = noise.noise_model()
        rows = np.array([[-1, 0], [1, 5], [np.nan, 0], [99, 0]], np.float32)
        p = read.probabilities(rows)[:, 0]
        assert p[0] == pytest.approx(0.5)
        assert p[1] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-3)
        assert p[2] == pytest.approx(0.5)  # not known: the mean
        assert p[3] == pytest.approx(1 / (1 + np.exp(-2 * CLIP)), abs=1e-3)
        assert read.limit("any") == pytest.approx(0.4)
        assert read.net is None
    finally:
        noise.noise_model.cache_clear()


def test_the_net_over_time_is_asked_where_all_leads_are_there(
    ecg: QARecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ecg_llm.noise as noise

    model = noise_model()
    shapes: dict[str, tuple[int, ...]] = {
        "first": (2, 3 * N_CHANNELS, 5),
        "second": (2, 2, 5),
        "third": (2, 2, 3),
    }
    shapes |= {"lead": (3, 16), "among": (3, 15), "record": (3, 6)}
    shapes |= {"at_lead": (len(KINDS), 3), "at_record": (len(KINDS), 3)}
    arrays: dict[str, npt.NDArray[np.float32]]
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    arrays |= {f"{name}_bias": np.zeros(shape[0], np.float32) for name, shape in shapes.items()}
    arrays["at_lead_bias"] += 1
    arrays["at_record_bias"] -= 1
    one = np.ones((N_CHANNELS, 1), np.float32)
    path = tmp_path / "noise.npz"
    save_noise_model(replace(model, net=NoiseNet(mean=0 * one, spread=one, **arrays)), path)
    monkeypatch.setattr(noise, "WEIGHTS", path)
    noise.noise_model.cache_clear()
    try:
        read = noise.noise_model()
        alone = replace(read, net=None)
        for lead, logit in (("V2", 1), (None, -1)):
            p = alone.probability(ecg.noise, "any", lead)
            wanted = (np.log(p / (1 - p)) + logit) / 2
            both = read.probability(ecg.noise, "any", lead)
            assert both == pytest.approx(1 / (1 + np.exp(-wanted)), abs=1e-3)
        few = replace(ecg.noise, drawn=None)
        assert read.probability(few, "any", "V2") == alone.probability(few, "any", "V2")
    finally:
        noise.noise_model.cache_clear()


def test_a_set_is_answered_in_its_order(tmp_path: Path) -> None:
    for part in ("hea", "dat"):
        shutil.copy(f"examples/00001_hr.{part}", tmp_path)
    columns = ("ecg_id", "age", "sex", "filename_lr", "filename_hr", "static_noise")
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerow(dict(zip(columns, ("1", "56.0", "1", "", "00001_hr", "alles"), strict=True)))
    rows = [
        {"question": "Does this ECG show symptoms of sinus rhythm?", "ecg_id": [1], "answer": []},
        {"question": "Is it there?", "ecg_id": [7], "answer": ["no"]},
        {"question": "Does this ECG show symptoms of atrial flutter?", "ecg_id": [1]},
    ]
    items = tmp_path / "items.json"
    items.write_text(json.dumps(rows))
    lines = list(answer_items(read_items(items), tmp_path, workers=1))
    assert [line["answer"] for line in lines] == [["yes"], [], ["no"]]
    assert "no ECG 7" in lines[1]["error"]
    assert [line["ecg_id"] for line in lines] == [[1], [7], [1]]


def test_a_file_that_is_no_set_says_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    for text in ('[{"question": "?"}]', '[{"question": "?", "ecg_id": ["one"]}]', '["?"]'):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"item 1 is no question.*ecg_id"):
            read_items(path)
    for text in ("[]", "5", "no JSON", ""):
        path.write_text(text)
        with pytest.raises(ConfigError, match="ecg_id"):
            read_items(path)


@pytest.mark.parametrize(
    ("question", "on_normal"),
    [
        ("Is this ECG normal?", "yes"),
        ("Does this ECG look normal overall?", "yes"),
        ("Is this ECG abnormal?", "no"),
        ("Does this ECG show any abnormalities?", "no"),
    ],
)
def test_whether_an_ecg_is_normal_at_all(question: str, on_normal: str) -> None:
    other = {"yes": "no", "no": "yes"}[on_normal]
    for path, word in (("examples/00001_hr.hea", on_normal), ("examples/00338_hr.hea", other)):
        ecg = QARecord.of(analyse(read_record(path)))
        assert answer_qa(question, [ecg]).answer == (word,)


def test_one_question_may_stand_alone(tmp_path: Path) -> None:
    path = tmp_path / "item.json"
    path.write_text('{"question": "Is there sinus rhythm?", "ecg_id": 7}')
    assert [item.ecg_ids for item in read_items(path)] == [(7,)]


def test_a_lead_is_read_without_the_word():
    """ "Is V1 noisy" was answered of the whole recording."""
    assert read_qa("is V1 noisy").lead == "V1"
    assert read_qa("Is there noise? I want to know").lead is None
