"""Areas under curves against their definition."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.eval.auc import auc, auprc, bootstrap, calibration, macro


@pytest.mark.parametrize("seed", range(3))
def test_auc_is_the_share_of_pairs_in_order(seed):
    rng = np.random.default_rng(seed)
    y, s = rng.random(60) < 0.3, rng.integers(0, 8, 60)
    pairs = [(a > b) + 0.5 * (a == b) for a in s[y] for b in s[~y]]
    assert auc(y, s) == pytest.approx(np.mean(pairs))


def test_what_is_not_known_does_not_count():
    assert auc([0, 1, np.nan], [0.1, 0.9, 0.0]) == 1.0
    assert auc([1, 1], [0.1, 0.9]) is None and auprc([0, 0], [0.1, 0.9]) is None


def test_average_precision_of_chance_is_the_prevalence():
    rng = np.random.default_rng(0)
    y = rng.random(20000) < 0.2
    assert auprc(y, rng.random(20000)) == pytest.approx(0.2, abs=0.02)
    assert auprc(y, np.zeros(20000)) == pytest.approx(y.mean())


def test_limits_enclose_the_mean_and_narrow_with_records():
    rng = np.random.default_rng(0)

    def width(n: int) -> float:
        y = (rng.random((n, 4)) < 0.3).astype(float)
        s = y + rng.normal(size=(n, 4))
        low, high = bootstrap(auc, y, s, rounds=60)
        assert low < macro(auc, y, s)[0] < high
        return high - low

    assert width(1000) < width(60)


def test_rare_classes_are_left_out_when_asked():
    y = np.zeros((20, 2))
    y[:10, 0] = 1
    y[0, 1] = 1
    s = np.tile(np.arange(20.0)[:, None], 2)
    assert macro(auc, y, s, least_positives=5)[1] == 1
    assert macro(auc, y, s)[1] == 2


def test_honest_probabilities_have_no_calibration_error():
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    assert calibration(rng.random(50_000) < p, p)[0] < 0.01
    assert calibration(rng.random(50_000) < p**3, p)[0] > 0.1
