"""Whether the evaluation changes what it says, and sees what changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.eval.stability import CHANGES, StabilityResult, _difference, _read
from ecg_llm.leads import STANDARD_12


@pytest.fixture(scope="module")
def record():
    return synthetic_ecg(bpm=72, seed=3).record


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_leaves_an_ecg_of_the_same_heart(record, name):
    changed = CHANGES[name](record, np.random.default_rng(0))
    assert set(changed.leads) <= set(STANDARD_12)
    assert len(changed.leads) >= 11
    assert changed.signal.dtype == np.float32
    assert 0.8 * record.duration_s <= changed.duration_s <= 2 * record.duration_s
    one, two, three = (changed.row(lead) for lead in ("I", "II", "III"))
    np.testing.assert_allclose(two - one, three, atol=0.006)


def test_a_difference_is_told_and_an_axis_goes_the_shorter_way_round(record):
    before = _read(record)
    same = _difference("made", "none", before, before)
    assert not any(same.moved.values())
    assert not (same.known or same.states or same.alerts or same.refused)
    values = before.values | {"p_axis_deg": 179.0, "qrs_ms": before.values["qrs_ms"] + 8}
    turned = replace(before, values={**values, "p_axis_deg": -179.0}, alerts=frozenset({"stemi"}))
    found = _difference("made", "some", replace(before, values=values), turned)
    assert found.moved["p_axis_deg"] == pytest.approx(2)
    assert found.alerts == ("stemi",)
    wider = _difference("made", "some", before, turned)
    assert wider.moved["qrs_ms"] == pytest.approx(8)
    told = StabilityResult(folds=(9,), n=1, differences=(found, wider)).render()
    assert told.splitlines()[-1].startswith("| some | 0.0 / 0.0 / 0.0 |")
