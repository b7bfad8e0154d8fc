"""Labels in anybody's words, refusals, and folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ecg_llm.classify import check_head, classify, readable
from ecg_llm.cli.app import app
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.knowledge import TASKS
from ecg_llm.zero_shot import Labels

EXAMPLES = Path(__file__).parents[1] / "examples"
run = CliRunner().invoke


def test_labels_keep_the_names_they_were_given():
    labels = Labels.of_texts(["LBBB", "left-sided delay", "Atrial fibrillation"])
    assert labels.names == ("LBBB", "left-sided delay", "Atrial fibrillation")
    assert labels.keys == ("CLBBB", None, "AFIB")
    assert any("QRS duration" in text for text in labels.texts[0])
    assert labels.texts[1] == ("left-sided delay",)


def test_a_label_file_may_describe_its_statements(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("# mine\nLBBB\n\nmy sign: notched P wave in II\n", encoding="utf-8")
    labels = Labels.of_file(path)
    assert labels.names == ("LBBB", "my sign")
    assert "notched P wave in II" in labels.texts[1]


@pytest.mark.parametrize("given", [[], ["", "AF"], ["AF", "AF"], ["?!"], ["a" * 2000]])
def test_labels_that_mean_nothing_are_refused(given):
    with pytest.raises(ConfigError):
        Labels.of_texts(given)


def test_the_head_says_which_labels_it_does_not_know():
    with pytest.raises(ConfigError, match="left-sided delay"):
        check_head(Labels.of_texts(["LBBB", "left-sided delay"]))
    check_head(Labels.of_task("ptbxl-all"))


@pytest.mark.parametrize("task", ["ptbxl-super", "ptbxl-rhythm", "cpsc2018", "csn"])
def test_scores_are_keyed_by_the_names_of_the_data_set(task):
    record = synthetic_ecg(bpm=70, seed=1).record
    result = classify([record], Labels.of_task(task))[0]
    assert list(result.scores) == list(TASKS[task])
    assert all(0 <= score <= 1 for score in result.scores.values())


def test_records_classified_together_score_as_alone():
    records = [synthetic_ecg(bpm=bpm, seed=bpm).record for bpm in (55, 80, 120)]
    labels = Labels.of_task("ptbxl-super")
    together = classify(records, labels)
    for record, result in zip(records, together, strict=True):
        alone = classify([record], labels)[0]
        for name in labels.names:
            assert result.scores[name] == pytest.approx(alone.scores[name], abs=1e-3)


def test_fast_and_slow_hearts_are_told_apart_by_words():
    records = [synthetic_ecg(bpm=bpm, seed=5).record for bpm in (45, 125)]
    slow, fast = classify(records, Labels.of_texts(["sinus bradycardia", "sinus tachycardia"]))
    assert slow.scores["sinus bradycardia"] > fast.scores["sinus bradycardia"]
    assert fast.scores["sinus tachycardia"] > slow.scores["sinus tachycardia"]


def test_what_cannot_be_read_of_a_record_has_no_part():
    clean = synthetic_ecg(bpm=45, seed=5, seconds=20.0).record
    noise = np.random.default_rng(0).normal(0, 2, clean.signal.shape).astype(np.float32)
    noisy = replace(clean, signal=np.concatenate([noise, clean.signal], axis=1))
    labels = Labels.of_task("ptbxl-super")
    for head in (False, True):
        alone, beside = classify([clean, noisy], labels, head=head)
        for name in labels.names:
            assert beside.scores[name] == pytest.approx(alone.scores[name], abs=0.02)


def test_examples_are_not_refused():
    from ecg_llm.io import read_record

    for path in EXAMPLES.glob("*.hea"):
        assert readable(read_record(path))[1] is None, path.name


def test_a_folder_gives_a_line_a_record_and_resumes(tmp_path):
    out = tmp_path / "out.jsonl"
    arguments = ["classify", str(EXAMPLES), "--task", "ptbxl-super", "-o", str(out), "--jobs", "1"]
    result = run(app, arguments)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["record"] for line in lines] == sorted(p.stem for p in EXAMPLES.glob("*.hea"))
    assert all(set(line["scores"]) == {"NORM", "MI", "STTC", "CD", "HYP"} for line in lines)
    again = run(app, arguments)
    assert again.exit_code == 0 and len(out.read_text().splitlines()) == len(lines)
    other = run(app, [*arguments[:2], "--task", "ptbxl-rhythm", *arguments[4:]])
    assert other.exit_code != 0


def test_one_record_prints_json_or_a_table(tmp_path):
    path = str(EXAMPLES / "00001_hr.hea")
    result = run(app, ["classify", path, "--labels", "LBBB, normal ECG", "--json"])
    assert set(json.loads(result.output)["scores"]) == {"LBBB", "normal ECG"}
    table = run(app, ["classify", path, "--labels", "LBBB, normal ECG"])
    assert "zero-shot" in table.output and "LBBB" in table.output


@pytest.mark.parametrize("options", [[], ["--task", "csn", "--labels", "AF"]])
def test_exactly_one_way_of_asking_is_needed(options):
    result = run(app, ["classify", str(EXAMPLES / "00001_hr.hea"), *options])
    assert isinstance(result.exception, ConfigError) or result.exit_code == 2


def test_similar_names_cases_with_the_stretch_that_speaks_for_them():
    result = run(app, ["similar", str(EXAMPLES / "00001_hr.hea"), "-n", "3", "--json"])
    found = json.loads(result.output)["similar"]
    assert len(found) == 3
    likeness = [case["likeness"] for case in found]
    assert likeness == sorted(likeness, reverse=True)
    for case in found:
        assert 0 <= case["from_s"] < case["to_s"] <= 10
        assert case["prototype_of"] in case["statements"]


def test_a_folder_is_an_index_that_is_kept(tmp_path):
    import shutil

    from ecg_llm.cases import CACHE, index_folder, similar
    from ecg_llm.io import read_record

    for path in EXAMPLES.glob("*_hr.*"):
        shutil.copy(path, tmp_path / path.name)
    (tmp_path / "statements.csv").write_text("record,statements\n00001_hr,NORM SR\n")
    cases, problems = index_folder(tmp_path)
    assert problems == [] and (tmp_path / CACHE).is_file()
    assert dict(zip(cases.names, cases.statements, strict=True))["00001_hr"] == ("NORM", "SR")
    again, _ = index_folder(tmp_path)
    np.testing.assert_allclose(again.vectors, cases.vectors, atol=1e-3)
    record = read_record(EXAMPLES / "00001_lr.hea")
    best = similar(record, cases, n=1)[0]
    assert best.name == "00001_hr" and best.likeness > 0.9
    assert best.evidence().value == best.likeness


def test_what_is_known_of_cases_is_found_as_tables_write_it(tmp_path):
    import shutil

    from ecg_llm.cases import index_folder

    for ward in ("ward1", "ward2"):
        (tmp_path / ward).mkdir()
        for path in EXAMPLES.glob("00001_hr.*"):
            shutil.copy(path, tmp_path / ward / path.name)
    rows = ("record,statements", "ward1/00001_hr.hea,NORM", "ward2/00001_hr,SR", "gone,SR", "short")
    (tmp_path / "statements.csv").write_text("\n".join(rows) + "\n")
    cases, problems = index_folder(tmp_path)
    assert cases.statements == (("NORM",), ("SR",))
    assert len(problems) == 1 and "no record gone and 1 more in the folder" in problems[0]
    (tmp_path / "statements.csv").write_text("file,labels\n")
    with pytest.raises(ConfigError, match="columns record and statements are needed"):
        index_folder(tmp_path)


def test_a_record_of_the_index_is_not_like_itself(tmp_path):
    import shutil

    from ecg_llm.cases import index_folder, similar
    from ecg_llm.io import read_record

    (tmp_path / "ward").mkdir()
    for path in EXAMPLES.glob("*_hr.*"):
        shutil.copy(path, tmp_path / "ward" / path.name)
    index_folder(tmp_path)
    cases, _ = index_folder(tmp_path)  # as it was kept, in half precision
    found = similar(read_record(tmp_path / "ward" / "00001_hr.hea"), cases, n=9)
    assert found and "ward/00001_hr" not in {case.name for case in found}
