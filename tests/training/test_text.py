"""The text tower learns words from records, and spells nothing by heart."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.eval.auc import auc
from ecg_llm.knowledge import concepts
from ecg_llm.training.text import (
    Aligned,
    TextRecipe,
    _alignment_loss,
    _mistyped,
    _nearest_cases,
    _train,
    train_text,
)
from ecg_llm.training.text_signs import SIGNS, Facts
from ecg_llm.zero_shot import Labels, zero_shot_scores

KEYS = list(concepts())
SHOWN = ("CLBBB", "AFIB", "LVH", "IMI", "NORM", "PVC")


@pytest.fixture(scope="module")
def aligned() -> Aligned:
    """Records whose vector says which of six statements they bear."""
    rng = np.random.default_rng(0)
    held = rng.random((400, len(SHOWN))) < 0.25
    directions = rng.normal(size=(len(SHOWN), 16))
    vectors = held @ directions + 0.3 * rng.normal(size=(400, 16))
    truth = np.full((400, len(KEYS)), np.nan, np.float32)
    for k, key in enumerate(SHOWN):
        truth[:, KEYS.index(key)] = held[:, k]
    signs = np.full((400, len(SIGNS)), np.nan, np.float32)
    return Aligned(vectors.astype(np.float32), truth, signs, ("",) * 400)


@pytest.fixture(scope="module")
def tower(aligned):
    rows = np.arange(400) < 300
    return _train(aligned.rows(rows), TextRecipe(steps=120, conclusions=4)).tower({})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("left bundle branch block", "CLBBB"),
        ("LBBB", "CLBBB"),
        ("left bundel branch blok", "CLBBB"),
        ("atrial fibrilation", "AFIB"),
        ("the ECG shows left ventricular hypertrophy", "LVH"),
        ("old inferior wall infarct", "IMI"),
    ],
)
def test_free_wording_finds_the_records(tower, aligned, text, key):
    test = aligned.rows(np.arange(400) >= 300)
    scores = zero_shot_scores(test.vectors, Labels.of_texts([text]), tower=tower)
    assert auc(test.concepts[:, KEYS.index(key)], scores[:, 0]) > 0.8


@pytest.mark.slow
def test_prototypes_bear_their_statement_and_stand_once(tower, aligned):
    cases = _nearest_cases(tower, aligned, [f"r{k}" for k in range(400)], each=2)
    assert len(cases.names) == 2 * len(SHOWN)
    for name, code, statements in zip(
        cases.names, cases.prototype_of, cases.statements, strict=True
    ):
        assert code in statements
        assert aligned.concepts[int(name[1:]), KEYS.index(code)] == 1
    assert len(set(zip(cases.names, cases.prototype_of, strict=True))) == len(cases.names)


def test_the_loss_looks_past_what_is_not_known():
    import torch

    logits = torch.tensor([[3.0, -50.0], [-3.0, 50.0]])
    truth = torch.tensor([[1.0, float("nan")], [0.0, float("nan")]])
    assert float(_alignment_loss(logits, truth)) == pytest.approx(np.log1p(np.exp(-3.0)), rel=1e-4)


def test_typing_errors_keep_most_letters():
    rng = np.random.default_rng(0)
    text = "left anterior fascicular block"
    made = {_mistyped(text, rng) for _ in range(50)}
    assert len(made) > 40
    assert all(abs(len(other) - len(text)) <= 4 for other in made)


def test_signs_are_unknown_where_nothing_was_measured():
    nothing = Facts(values={}, leads={}, kinds=(), calibrated=True)
    open_ = [sign.holds(nothing) for sign in SIGNS]
    assert sum(shows is not None for shows in open_) <= 2  # early beats: no beat, none early


def test_voltages_do_not_count_without_a_gain():
    leads = {"aVL": {"r_mv": 3.0, "qrs_max_mv": 3.0}}
    sign = next(sign for sign in SIGNS if sign.texts[0] == "tall R wave in aVL")
    assert sign.holds(Facts({}, leads, (), calibrated=True)) is True
    assert sign.holds(Facts({}, leads, (), calibrated=False)) is None


def test_a_statement_that_nobody_knows_cannot_be_withheld(tmp_path):
    with pytest.raises(ConfigError, match="no statement is called XYZ; there are"):
        train_text(tmp_path, tmp_path, withheld=("AFIB", "XYZ"))
