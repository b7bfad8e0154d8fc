"""Limits of figures over records of patients."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.eval.auc import auc, bootstrap
from ecg_llm.eval.patients import draws, effective, limits, patients_of


def test_unknown_patients_are_each_of_their_own():
    rows = [
        {"ecg_id": "1", "patient_id": "7.0"},
        {"ecg_id": "2", "patient_id": ""},
        {"ecg_id": "3", "patient_id": "7"},
        {"ecg_id": "4", "patient_id": ""},
    ]
    first, second, third, fourth = patients_of(rows).tolist()
    assert first == third
    assert len({first, second, fourth}) == 3


def test_all_records_of_a_patient_are_drawn_together():
    groups = np.array([0, 1, 0, 2, 0])
    for rows in draws(groups, rounds=50):
        times = [rows.tolist().count(k) for k in range(5)]
        assert times[0] == times[2] == times[4]
        assert len(set(groups[rows].tolist())) >= 1
        assert times[0] + times[1] + times[3] == 3
    again = [rows.tolist() for rows in draws(groups, rounds=3)]
    assert again == [rows.tolist() for rows in draws(groups, rounds=3)]


def test_limits_cover_the_truth_as_often_as_they_say():
    """Of 20 patients with 10 like records each; limits by records would cover half as often."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    covered = {"patients": 0, "records": 0}
    for seed in range(100):
        values = np.repeat(rng.normal(size=20), 10) + 0.1 * rng.normal(size=200)
        for name, of in (("patients", groups), ("records", np.arange(200))):
            low, high = limits(lambda rows, x=values: float(x[rows].mean()), of, 200, seed)
            covered[name] += low <= 0 <= high
    assert covered["patients"] >= 88
    assert covered["records"] < 60


def test_a_macro_average_has_wider_limits_by_patients():
    rng = np.random.default_rng(1)
    y = np.repeat(rng.random((30, 3)) < 0.4, 8, axis=0).astype(float)
    s = y + np.repeat(rng.normal(size=(30, 3)), 8, axis=0)
    by_record = bootstrap(auc, y, s)
    by_patient = bootstrap(auc, y, s, groups=np.repeat(np.arange(30), 8))
    assert by_patient[1] - by_patient[0] > 1.5 * (by_record[1] - by_record[0])


def test_nothing_has_no_limits():
    low, high = limits(lambda rows: 1.0, np.array([], np.int64))
    assert low != low and high != high
    assert effective(np.array([], np.int64)) == 0.0
    assert effective(np.array([0, 0, 1, 1])) == pytest.approx(2.0)
