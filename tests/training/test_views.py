"""Views never invent samples, and look like what they are named for."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.training.views import (
    ViewConfig,
    _few_leads,
    _shortened,
    any_view,
    heavy_view,
    page_view,
)


def _record() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    there = np.ones((12, 1000), bool)
    there[4] = False
    return np.where(there, rng.standard_normal((12, 1000)), 0).astype(np.float32), there


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("view", [any_view, heavy_view])
def test_a_lead_that_is_missing_stays_missing(view, seed: int) -> None:
    x, there = _record()
    y, seen = view(x, there, np.random.default_rng(seed), ViewConfig())
    assert y.shape == x.shape
    assert not seen[4].any()
    assert np.isfinite(y).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_page_shows_every_lead_in_part(seed: int) -> None:
    _, seen = page_view(*_record(), np.random.default_rng(seed))
    assert seen.mean() < 1
    assert seen.any(axis=1).sum() >= 6


def test_two_limb_leads_show_all_six() -> None:
    there = np.ones((12, 1000), bool)
    for seed in range(50):
        kept = _few_leads(there, np.random.default_rng(seed)).any(axis=1)
        assert kept.any()
        if kept[:3].sum() >= 2:
            assert kept[:6].all()


def test_short_views_are_2_5_to_8_s() -> None:
    there = np.ones((12, 1000), bool)
    lengths = [_shortened(there, np.random.default_rng(seed))[0].sum() for seed in range(30)]
    assert min(lengths) >= 250
    assert max(lengths) <= 800


def test_views_come_from_the_seed_alone() -> None:
    x, there = _record()
    one = heavy_view(x, there, np.random.default_rng(7), ViewConfig())
    same = heavy_view(x, there, np.random.default_rng(7), ViewConfig())
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[1], same[1])
