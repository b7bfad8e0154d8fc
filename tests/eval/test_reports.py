"""What the evaluations of reports count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.analysis import analyse
from ecg_llm.errors import ConfigError
from ecg_llm.eval.overlap import bleu, meteor_like, rouge_l
from ecg_llm.eval.patients import wilson
from ecg_llm.eval.qa import _row
from ecg_llm.eval.reports import Case, Row, _judge_text, _prompts, count_findings, said_findings
from ecg_llm.eval.tampering import _sentences
from ecg_llm.ground.draft import ground
from ecg_llm.ground.known import known_of
from ecg_llm.io import read_record
from ecg_llm.qa.items import Item


@pytest.fixture(scope="module")
def case() -> Case:
    """Analyse one real record."""
    found = analyse(read_record("examples/00001_hr.hea"))
    return Case(found, known_of(found), {"NORM": 100.0, "SR": 0.0}, "normal ECG. sinus rhythm")


def test_overlap_is_one_for_equal_texts_and_small_for_others() -> None:
    for measure in (bleu, rouge_l, meteor_like):
        assert measure("sinus rhythm, normal axis and PR", "Sinus rhythm, normal axis and PR") == (
            pytest.approx(1.0)
        )
        assert measure("atrial flutter", "normal axis") == 0.0
    assert rouge_l("a b c d", "a x c d") == pytest.approx(0.75)


def test_stated_findings_are_counted_against_the_annotators() -> None:
    said = said_findings("Sinus rhythm with left bundle branch block. No atrial fibrillation.")
    assert {"SR", "CLBBB"} <= said and "AFIB" not in said
    counts = count_findings(said, {"SR": 0.0, "CRBBB": 100.0, "IMI": 35.0})
    assert counts == Counter(tp=1, fp=1, fn=1)  # IMI at 35 % is not judged


def test_a_draft_is_judged_claim_by_claim(case: Case) -> None:
    qrs = case.known.facts.values["qrs_ms"].value
    assert qrs is not None
    counts = _judge_text(f"Sinus rhythm. QRS {qrs:.0f} ms. PR 400 ms.", case)
    assert (counts["numbers"], counts["numbers_right"], counts["contradicted"]) == (2, 1, 1)
    row = Row(name="draft", counts=dict(counts))
    assert row.share("numbers_right", "numbers") == 0.5


def test_alterations_are_wrong_and_do_not_ship(case: Case) -> None:
    from random import Random

    kinds = Counter()
    for kind, true, altered in _sentences(case, Random(0)):
        kinds[kind] += 1
        assert ground(true, case.known, complete=False).text == true
        assert altered not in ground(altered, case.known, complete=False).text
    assert kinds["number"] >= 5 and kinds["negation"] >= 5


def test_controls_change_what_the_model_sees(case: Case) -> None:
    other = analyse(read_record("examples/00177_hr.hea"))
    alike = replace(case, patient="one")
    two = [alike, alike, Case(other, known_of(other), {}, "", "two")]
    swapped = next(_prompts(two, "tokens of another patient"))
    assert swapped.records[0] is other.record
    flat = next(_prompts(two, "tokens of a flat line")).records[0].signal
    assert abs(flat).max() < 0.01
    assert not next(_prompts(two, "text only")).records
    assert "Values" not in next(_prompts(two, "tokens only")).text()


def test_balanced_agreement_and_the_majority_answer() -> None:
    asked = [Item(question="?", ecg_ids=(1,), truth=(t,)) for t in ("no", "no", "no", "yes")]
    row = _row("all", range(4), asked, [("no",)] * 4, np.arange(4))
    assert (row.exact, row.exact_low, row.exact_high) == wilson(3, 4)
    assert (row.n, row.exact, row.balanced, row.majority, row.f1) == (4, 0.75, 0.5, 0.75, 0.75)
    one_patient = _row("all", range(4), asked, [("no",)] * 4, np.zeros(4, np.int64))
    assert one_patient.exact_low < row.exact_low < row.exact_high < one_patient.exact_high


def test_the_limits_of_f1_are_by_patients() -> None:
    right, wrong = Counter(tp=1, records=1), Counter(fp=1, fn=1, records=1)
    each = [right, right, right, wrong, wrong, wrong]
    alone = Row.of("draft", each, np.arange(6))
    pairs = Row.of("draft", each, np.array([0, 0, 0, 1, 1, 1]))
    assert alone.f1 == pairs.f1 == 0.5
    assert pairs.f1_low == 0.0 < alone.f1_low < 0.5 < alone.f1_high <= 1.0 == pairs.f1_high
    assert "0.500 (0.00–1.00)" in pairs.cells()


def test_another_patients_tracing_needs_another_patient(case: Case) -> None:
    with pytest.raises(ConfigError, match="all 2 records are of one patient"):
        list(_prompts([case, case], "tokens of another patient"))
