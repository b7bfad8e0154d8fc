import json

import numpy as np
import pytest

from ecg_llm.cli.figures import judging_folds, show
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.eval.encoder import read_judged
from ecg_llm.eval.findings import evaluate, micro_f1, tally, truth
from ecg_llm.eval.finetune import FineTuned, FineTuneResult
from ecg_llm.eval.patients import wilson
from ecg_llm.eval.reports import cases
from ecg_llm.findings.checks import Check, judge


def test_wilson_limits_of_a_known_share():
    share, low, high = wilson(0, 10)
    assert (share, low) == (0.0, 0.0)
    assert high == pytest.approx(0.2775, abs=1e-3)
    assert wilson(0, 0) is None


@pytest.mark.parametrize(
    ("statements", "code", "expected"),
    [
        ({"SR": 0.0, "AFIB": 0.0}, "AFIB", True),
        ({"NORM": 100.0, "SR": 0.0}, "AFIB", False),
        ({"NORM": 100.0}, "AFIB", None),
        ({"IMI": 15.0, "SR": 0.0}, "IMI", None),
        ({"ISCAL": 100.0, "SR": 0.0}, "ISC_", True),
        ({"LPR": 0.0, "SR": 0.0}, "1AVB", True),
    ],
)
def test_what_a_record_says_of_a_statement(statements, code, expected):
    assert truth(statements, code) is expected


def test_unknown_counts_as_not_present():
    yes, no, open_ = Check(True), Check(False), Check(None, (), "noise")
    judged = [
        ({"AFIB": 0.0}, (judge("AFIB", yes),)),
        ({"AFIB": 0.0}, (judge("AFIB", open_),)),
        ({"SR": 0.0}, (judge("AFIB", no),)),
        ({"SR": 0.0}, (judge("AFIB", yes),)),
    ]
    (row,) = tally(judged)
    assert (row.true_positive, row.false_negative, row.true_negative, row.false_positive) == (
        1,
        1,
        1,
        1,
    )
    assert row.unknown == 1
    assert row.sensitivity[0] == row.specificity[0] == row.ppv[0] == 0.5


def test_figures_that_are_no_numbers_are_null_in_json(capsys):
    share = FineTuned(share=0.1, n_labels=3, figures={"super AUC": float("nan")})
    show(FineTuneResult(start="bundled", steps=1, rows=(share,)), as_json=True)
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["figures"] == {"super AUC": None}


def test_limits_take_the_records_of_a_patient_for_alike():
    judged = [({"AFIB": 0.0}, (judge("AFIB", Check(True)),))] * 8
    judged += [({"SR": 0.0}, (judge("AFIB", Check(False)),))] * 4
    (alone,) = tally(judged)
    (one,) = tally(judged, np.array([*[0] * 8, 1, 2, 3, 4]))
    assert (alone.effective_positive, one.effective_positive) == (8.0, 1.0)
    assert one.sensitivity[0] == alone.sensitivity[0] == 1.0
    assert one.sensitivity[1:] == wilson(1, 1)[1:] != alone.sensitivity[1:]
    assert one.specificity == alone.specificity
    f1, low, high = micro_f1(judged, np.array([*[0] * 8, 1, 2, 3, 4]))
    assert low <= f1 <= high


def test_a_folder_in_the_layout_of_ptbxl(tmp_path, capsys, monkeypatch, write_ptbxl):
    kinds = (("sinus", "SR", 9), ("af", "AFIB", 9), ("sinus", "SR", 1), ("sinus", "SR", 9))
    records = [
        (synthetic_ecg(rhythm=rhythm, fs=100, seed=k + 1).record, f"{{'{code}': 0.0}}", fold)
        for k, (rhythm, code, fold) in enumerate(kinds)
    ]
    write_ptbxl(tmp_path, records)
    (tmp_path / "3_lr.hea").write_text("no header")
    seen = []
    result = evaluate(tmp_path, folds=(9,), progress=lambda done, total: seen.append((done, total)))
    assert (result.n_records, result.n_failed) == (2, 1)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    rates = {row.code: row for row in result.statements}
    assert rates["AFIB"].sensitivity[0] == 1.0
    assert rates["SR"].sensitivity[0] == 1.0
    monkeypatch.setattr("sys.argv", ["ecgllm", "eval", "findings", "--data", str(tmp_path)])
    show(result, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    told = printed.pop("provenance")
    assert told["command"] == f"ecgllm eval findings --data {tmp_path}"
    assert list(told["data"]) == ["ptbxl_database.csv"]
    assert "signal_head.npz" in told["weights"]
    shown = {row["code"]: row for row in printed["statements"]}
    assert shown["AFIB"]["sensitivity"][0] == 1.0
    assert printed == json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert "AFIB" in result.render()
    assert (
        "| AFIB (atrial fibrillation) | 1 | 100.0 (21-100) | 100.0 (21-100) |" in result.markdown()
    )


def test_a_folder_of_which_nothing_can_be_read(tmp_path):
    rows = "ecg_id,scp_codes,strat_fold,filename_lr,filename_hr\n1,{},9,a,\n"
    (tmp_path / "ptbxl_database.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "a.hea").write_text("no header")
    for read in (cases, read_judged):
        with pytest.raises(ConfigError, match="all 1 records are refused or cannot be read"):
            read(tmp_path, (9,))
    assert evaluate(tmp_path).n_failed == 1


def test_folds_that_trained_what_ships_are_judged_with_a_warning(tmp_path, capsys):
    assert judging_folds("9", tmp_path) == (9,)
    assert capsys.readouterr().err == ""
    assert judging_folds("2,9,1", tmp_path) == (2, 9, 1)
    assert "trained on fold 1, 2: these figures say little" in capsys.readouterr().err


def test_a_folder_without_the_table_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"ptbxl_database\.csv"):
        evaluate(tmp_path)


def test_a_folder_without_the_folds_says_what_is_there(tmp_path):
    rows = "ecg_id,scp_codes,strat_fold,filename_lr,filename_hr\n1,{},10,a,b\n2,{},,c,d\n"
    (tmp_path / "ptbxl_database.csv").write_text(rows, encoding="utf-8")
    for name in "abd":
        (tmp_path / f"{name}.hea").touch()
    with pytest.raises(ConfigError, match=r"fold 9 at 100 Hz.*1 of fold 10 .* 2 records at 500 Hz"):
        evaluate(tmp_path)
