"""Probabilities fitted to scores whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.eval.auc import calibration
from ecg_llm.training.probabilities import (
    Judged,
    ProbabilityRecipe,
    _code_threshold,
    _common_threshold,
    _fit,
    _micro_f1,
    train_probabilities,
)


def world(seed: int, n: int = 600) -> tuple[list[Judged], np.ndarray]:
    """Codes whose head is too sure by a factor of two, and a criterion that adds to it."""
    rng = np.random.default_rng(seed)
    judged = []
    for k, base in enumerate((-2.5, -1.5, -0.5)):
        z = base + 1.6 * rng.normal(size=n)
        met = rng.random(n) < 0.3
        p = 1 / (1 + np.exp(-(z + 1.2 * met)))
        truth = (rng.random(n) < p).astype(float)
        truth[rng.random(n) < 0.1] = np.nan
        score = 1 / (1 + np.exp(-2 * z))
        status = np.where(met, "present", "absent")
        judged.append(Judged(f"C{k}", score, status, truth))
    return judged, np.arange(n) % 5


def test_an_overconfident_head_is_tempered_and_the_criterion_counts():
    judged, folds = world(0)
    model, left_out = _fit(judged, folds)
    truth = np.stack([item.truth for item in judged], axis=1)
    p = np.stack([left_out[item.code] for item in judged], axis=1)
    raw = np.stack([item.score for item in judged], axis=1)
    assert calibration(truth.ravel(), p.ravel())[0] < 0.03
    assert calibration(truth.ravel(), raw.ravel())[0] > 0.05
    for of_code in model.codes.values():
        assert of_code.slope == pytest.approx(0.5, abs=0.15)
        assert of_code.present == pytest.approx(1.2, abs=0.5)


def test_the_criterion_improves_what_is_stated():
    judged, folds = world(1)
    model, left_out = _fit(judged, folds)
    blind = [Judged(i.code, i.score, np.full(len(i.score), "absent"), i.truth) for i in judged]
    blind_model, blind_out = _fit(blind, folds)
    truth = np.stack([item.truth for item in judged], axis=1)

    def f1(of: dict, models: dict) -> float:
        said = [of[item.code] >= models[item.code].threshold for item in judged]
        return _micro_f1(truth, np.stack(said, axis=1))

    assert f1(left_out, model.codes) > f1(blind_out, blind_model.codes)


def test_a_rare_code_keeps_the_common_threshold():
    rng = np.random.default_rng(0)
    p, y = rng.random(200), np.zeros(200)
    y[:5] = 1
    assert _code_threshold(p, y, 0.37, 0.6, ProbabilityRecipe()) == 0.37


def test_the_common_threshold_has_the_best_f1():
    rng = np.random.default_rng(0)
    p = rng.random(5000) ** 3
    y = (rng.random(5000) < p).astype(float)
    threshold, f1 = _common_threshold({"A": p}, {"A": y})
    assert f1 == pytest.approx(_micro_f1(y[:, None], (p >= threshold)[:, None]))
    # With true probabilities the best threshold is half of the F1 that it reaches.
    assert threshold == pytest.approx(f1 / 2, abs=0.08)


def test_a_head_that_has_learnt_the_folds_is_refused(tmp_path):
    """Folds 5 and 6 passed with a head that is blind to 7 and 8 only."""
    encoder = json.dumps({"recipe": {"data": {"folds": [1, 2, 3, 4]}, "start": ""}})
    (tmp_path / "signal_encoder.json").write_text(encoder)
    folders = {"blind": tmp_path, "head": tmp_path}
    with pytest.raises(ConfigError, match="no card of a trained head"):
        train_probabilities(tmp_path, tmp_path, **folders)
    (tmp_path / "signal_head.json").write_text(json.dumps({"recipe": {"join_folds": [7, 8]}}))
    with pytest.raises(ConfigError, match=r"learnt from folds \[5, 6\]; it is blind to \[7, 8\]"):
        train_probabilities(tmp_path, tmp_path, folds=(5, 6), **folders)
