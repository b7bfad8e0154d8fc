"""Pages and the recordings they show: counted, fitted, told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.eval import page_criteria
from ecg_llm.eval.page_criteria import PagePair, _score, _simulated_patient, page_pair
from ecg_llm.page_criteria import Trust, bundled
from ecg_llm.training.page_criteria import PageCriteriaRecipe, _fitted, train_page_criteria


def pair(recording, page, excess=0.2, code="STE_"):
    seen = None if page is None else {code: (page, excess)}
    return PagePair(record="a", photographed=False, recording={code: recording}, page=seen)


def test_what_is_found_and_what_is_false_is_counted():
    pairs = [
        pair("present", "present"),
        pair("present", "absent"),
        pair("present", None),
        pair("absent", "present"),
        pair("absent", "absent"),
        pair("unknown", "present"),
    ]
    found = _score(pairs, ("STE_",))
    assert (found.pages, found.met, found.found, found.not_met, found.false) == (6, 3, 1, 2, 1)
    assert found.probability == bundled()["raised"].probability(0.2)


def test_what_is_too_improbable_to_be_stated_is_not_counted(monkeypatch):
    trust = {"lowered": Trust(slope=1.0, constant=0.0)}
    monkeypatch.setattr(page_criteria, "bundled", lambda: trust)
    assert _score([pair("present", "present", 0.04, "STD_")], ("STD_",)).found == 0
    assert _score([pair("present", "present", 0.06, "STD_")], ("STD_",)).found == 1


def test_a_statement_holds_if_any_of_its_findings_does():
    both = PagePair(
        record="a",
        photographed=False,
        recording={"INJAS": "absent", "INJIN": "present"},
        page={"INJAS": ("absent", -0.2), "INJIN": ("present", 0.1)},
    )
    codes = ("INJAS", "INJIN")
    assert both.of_recording(codes) == "present"
    assert both.of_page(codes) == ("present", 0.1)


def test_a_simulated_patient_is_the_same_each_time():
    assert (_simulated_patient(7).signal == _simulated_patient(7).signal).all()


def test_a_rhythm_is_told_no_surer_than_few_pages_allow():
    """Told with 0.95 by 18 of 18 pages, "below 40/min" was right on 12 of 14 others."""
    pairs = [
        PagePair(
            record=str(k),
            photographed=False,
            recording=dict.fromkeys((*page_criteria.CODES, "SR"), "present"),
            page={"extreme_bradycardia": ("present", 0.0)},
        )
        for k in range(18)
    ]
    told = Trust(**_fitted(pairs, "extreme_bradycardia"))
    assert 0.8 < told.probability(0.0) < 0.86
    assert Trust(**_fitted([], "extreme_bradycardia")).probability(0.0) == 0.5


def test_a_fit_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """Eight patients stand for PTB-XL, which the tests do without."""
    made = []

    def patients(data, folds, simulated, limit=None):
        return [
            (f"simulated {k}", lambda k=k: made.append(k) or _simulated_patient(k))
            for k in range(8)
        ]

    monkeypatch.setattr("ecg_llm.training.page_criteria.recordings", patients)
    recipe = PageCriteriaRecipe(simulated=8, photographed=0.0)
    whole = train_page_criteria(Path("none"), tmp_path, recipe=recipe)
    lines = (tmp_path / "pages.jsonl").read_text().splitlines()
    assert len(lines) == 8
    (tmp_path / "pages.jsonl").write_text("\n".join(lines[:6]) + "\n" + lines[6][:20])
    made.clear()
    assert train_page_criteria(Path("none"), tmp_path, recipe=recipe) == whole
    assert made == [6, 7]
    assert json.loads((tmp_path / "page_criteria.json").read_text()) == json.loads(
        json.dumps(whole)
    )
    with pytest.raises(ConfigError, match="with another recipe"):
        train_page_criteria(Path("none"), tmp_path, recipe=replace(recipe, seed=1))


@pytest.mark.slow
def test_the_whole_way_of_a_page(monkeypatch):
    record = _simulated_patient(3)
    judged = page_pair("a", record, False, 5)
    assert judged is not None and judged.page is not None
    assert set(judged.recording) == {*page_criteria.CODES, "SR"}
    result = page_criteria.PageCriteriaResult(
        scores={
            "drawn": {name: _score([judged], codes) for name, codes in page_criteria.GROUPS.items()}
        }
    )
    assert result.render().count("| 1 drawn |") == len(page_criteria.GROUPS)
