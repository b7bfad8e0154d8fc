"""Episodes of new questions: what is asked is of none of the patients who were shown."""

from __future__ import annotations

import random

import pytest

from ecg_llm.eval.few_shot import ASKED, SHOTS, Item, _episode


@pytest.mark.parametrize("seed", range(5))
def test_no_patient_is_both_shown_and_asked_about(seed):
    by_way = {
        way: [
            Item(f"{way} {k} {n}?", way, f"record {k}", f"patient {k // 2}", way)
            for k in range(first, first + 30)
            for n in range(3)
        ]
        for way, first in (("AF", 0), ("LBBB", 5), ("RBBB", 10), ("LVH", 20), ("IMI", 40))
    }
    shown, asked = _episode(by_way, list(by_way), random.Random(seed))
    assert len(shown) == 5 * SHOTS
    assert 4 * ASKED <= len(asked) <= 5 * ASKED
    assert {item.patient for item in shown}.isdisjoint(item.patient for item in asked)
