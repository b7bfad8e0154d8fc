"""Every class of every task has names and signs, and words find their concept."""

from __future__ import annotations

import pytest

from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.knowledge import CSN, SUB, SUPER, TASKS, concepts, find


def test_counts_are_those_of_the_benchmark() -> None:
    counts = {name: len(classes) for name, classes in TASKS.items()}
    assert counts == {
        "ptbxl-super": 5,
        "ptbxl-sub": 23,
        "ptbxl-form": 19,
        "ptbxl-rhythm": 12,
        "ptbxl-diagnostic": 44,
        "ptbxl-all": 71,
        "cpsc2018": 9,
        "csn": 38,
    }


def test_sub_classes_divide_the_super_classes() -> None:
    of_sub = sorted(code for codes in SUB.values() for code in codes)
    assert of_sub == sorted(code for codes in SUPER.values() for code in codes)


@pytest.mark.parametrize("task", TASKS)
def test_every_class_has_names_and_signs(task: str) -> None:
    for key in TASKS[task].values():
        concept = concepts()[key]
        assert len(concept.names) >= 2, key
        assert all(len(sign) > 4 for sign in concept.signs), key


def test_statements_shared_with_the_findings_keep_their_code() -> None:
    assert {"CLBBB", "AFIB", "IMI", "LNGQT"} <= set(concepts()) & set(STATEMENTS)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Left bundle-branch block", "CLBBB"),
        ("LBBB", "CLBBB"),
        ("1AVB", "1AVB"),
        ("first-degree AV block", "1AVB"),
        ("ischemic changes", "ISC_"),
        ("Atrial Fibrillation", "AFIB"),
    ],
)
def test_names_find_their_concept(text: str, key: str) -> None:
    found = find(text)
    assert found is not None and found.key == key


def test_other_wording_is_left_to_the_text_tower() -> None:
    assert find("something is odd with the left side") is None


def test_classes_of_chapman_point_to_concepts_once() -> None:
    assert len(set(CSN.values())) == len(CSN)
