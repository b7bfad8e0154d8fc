"""The encoder's evaluations on small folders in the layout of their data sets."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.classify import classify
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.eval import external
from ecg_llm.eval.encoder import _refusal_curve, evaluate, linear_scores, truth_of
from ecg_llm.eval.findings import evaluate as evaluate_findings
from ecg_llm.eval.finetune import FineTuned, FineTuneResult
from ecg_llm.head import WEIGHTS as HEAD
from ecg_llm.head import Head
from ecg_llm.zero_shot import Labels

SUPER = Labels.of_task("ptbxl-super")


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory, write_ptbxl):
    """Ten simulated records, four of them in fold 9."""
    kinds = (("sinus", "{'SR': 0.0, 'NORM': 100.0}"), ("af", "{'AFIB': 0.0}"))
    records = [
        (synthetic_ecg(rhythm=rhythm, fs=100, seed=k + 1).record, codes, 9 if k < 4 else k % 8 + 1)
        for k, (rhythm, codes) in enumerate(kinds * 5)
    ]
    return write_ptbxl(tmp_path_factory.mktemp("ptbxl"), records)


def test_every_way_of_judging_has_its_rows(ptbxl):
    result = evaluate(ptbxl, lead_sets=("12", "I"), rounds=10)
    assert (result.n_test, result.n_train, result.n_refused) == (4, 6, 0)
    ways = {(row.how, row.leads) for row in result.rows}
    assert {("head", "12"), ("head", "I"), ("zero-shot", "I"), ("linear 10%", "12")} <= ways
    rhythm = next(
        r for r in result.rows if (r.task, r.how, r.leads) == ("ptbxl-rhythm", "head", "12")
    )
    assert rhythm.n_classes == 2 and rhythm.auc > 0.7
    # AF alone is no super-class: such records are no part of the benchmark's task.
    whole = next(r for r in result.rows if (r.task, r.how) == ("ptbxl-super", "head"))
    assert (whole.n_stated, result.n_test) == (2, 4)
    assert "ptbxl-rhythm" in result.render() and "| ptbxl-super | head |" in result.markdown()


def test_a_broken_table_is_told_and_kept_back_folds_alone_have_no_linear_readers(ptbxl, tmp_path):
    shutil.copytree(ptbxl, tmp_path, dirs_exist_ok=True)
    table = tmp_path / "ptbxl_database.csv"
    whole = table.read_text()
    table.write_text(whole.replace("{'AFIB': 0.0}\",6", 'broken",6'))
    with pytest.raises(ConfigError, match="scp_codes is 'broken'"):
        evaluate(tmp_path, lead_sets=("12",), rounds=10)
    table.write_text(
        "\n".join(line for line in whole.splitlines() if ",9," in line or "fold" in line)
    )
    told = evaluate(tmp_path, lead_sets=("12",), rounds=10)
    assert told.n_train == 0 and "No linear readers" in told.render()


def test_an_encoder_of_ones_own_is_judged_and_classifies_with_its_head(ptbxl, tmp_path):
    torch = pytest.importorskip("torch")
    from ecg_llm.encoders.signal import SignalEncoderConfig
    from ecg_llm.training.store import save_encoder

    torch.manual_seed(0)
    net = SignalEncoderConfig(widths=(8, 8), blocks=(1, 1), width=16, depth=1, heads=2).build()
    save_encoder(net, tmp_path, {"recipe": {"data": {"folds": [1, 2]}, "start": ""}})
    alone = evaluate(ptbxl, lead_sets=("12",), rounds=10, trained=tmp_path)
    assert {row.how for row in alone.rows} == {"linear 1%", "linear 10%", "linear 100%"}
    assert "No head is there" in alone.render()
    with pytest.raises(ConfigError, match="no trained head there"):
        classify([record := synthetic_ecg(seed=1).record], SUPER, head=True, trained=tmp_path)
    head = Head.load(HEAD)
    weight = np.random.default_rng(0).normal(size=(len(head.columns), 16)).astype(np.float32)
    replace(head, vector_weight=weight).save(tmp_path / HEAD.name)
    ours, bundled = (
        classify([record], SUPER, head=True, trained=of)[0].scores for of in (tmp_path, None)
    )
    assert ours.keys() == bundled.keys() and ours != bundled
    judged = evaluate(ptbxl, lead_sets=("12",), rounds=10, trained=tmp_path)
    assert "head" in {row.how for row in judged.rows} and len(judged.refusal) == 9
    with pytest.raises(ConfigError, match=r"trained on folds \[2\], which are to judge"):
        evaluate(ptbxl, folds=(2, 9), trained=tmp_path)


@pytest.mark.parametrize("by", ["encoder", "both"])
def test_findings_are_judged_by_the_encoder_too(ptbxl, by):
    result = evaluate_findings(ptbxl, by=by)
    assert result.by == by and 0 < result.micro_f1 <= 1
    assert f"by {by}" in result.render()


def test_a_record_without_a_rhythm_statement_judges_no_rhythm():
    truth = truth_of([{"NORM": 100.0}, {"NORM": 100.0, "SR": 0.0}], ("SR", "NORM"))
    assert np.isnan(truth[0, 0]) and truth[1].tolist() == [1, 1] and truth[0, 1] == 1


def test_a_linear_reader_finds_a_direction():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    y = (x[:, :1] > 0).astype(float)
    z = rng.normal(size=(100, 6))
    assert np.corrcoef(linear_scores(x, y, z)[:, 0], z[:, 0])[0, 1] > 0.95


def test_refusing_the_least_sure_raises_what_is_right():
    rng = np.random.default_rng(0)
    scores = rng.random((500, 3))
    truth = np.zeros((500, 3))
    right = rng.random(500) < scores.max(1)
    truth[np.arange(500), np.where(right, scores.argmax(1), scores.argmin(1))] = 1
    curve = _refusal_curve(truth, scores, rng.random(500).astype(np.float32))
    assert [share for share, *_ in curve] == pytest.approx(np.linspace(1, 0.2, 9))
    assert curve[-1][1] > curve[0][1]


def test_challenge_records_are_judged_by_their_codes(tmp_path, write_wfdb):
    for k, (rhythm, dx) in enumerate([("sinus", "426783006"), ("af", "164889003")] * 2):
        record = synthetic_ecg(rhythm=rhythm, seed=k + 1).record
        write_wfdb(tmp_path, f"E{k}", record, [f"Dx: {dx}"])
    result = external.evaluate(tmp_path)
    assert result.n == 4 and result.n_positive == {"AFIB": 2, "SR": 2}
    assert result.aucs["AFIB"] > 0.7


def test_a_folder_without_codes_or_records_to_judge_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Dx"):
        external.evaluate(tmp_path)
    (tmp_path / "a.hea").write_text("a 1 500 5000\na.dat 16 1000 16 0 0 0 0 I\n#Dx: 1, 2\n")
    with pytest.raises(ConfigError, match="codes that are known"):
        external.evaluate(tmp_path)
    (tmp_path / "a.hea").write_text("a 1 500 5000\na.dat 16 1000 16 0 0 0 0 I\n#Dx: 426783006\n")
    with pytest.raises(ConfigError, match="all 1 records are refused or cannot be read"):
        external.evaluate(tmp_path)


def test_fine_tuning_is_told_by_share():
    rows = (FineTuned(share=0.1, n_labels=149, figures={"super AUC": 0.8}),)
    told = FineTuneResult(start="bundled", steps=5, rows=rows).render()
    assert "| 10% (149) | 0.800 |" in told
