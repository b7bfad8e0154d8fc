"""The head: readers that complete each other, and an honest join."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.eval.auc import calibration
from ecg_llm.head import Head
from ecg_llm.head_features import FEATURES
from ecg_llm.scp import COLUMNS
from ecg_llm.training.head import HeadRecipe, _fit_committee, _fit_join, train_head
from ecg_llm.training.pack import Pack
from ecg_llm.training.store import check_blind

N, C = 400, len(COLUMNS)


@pytest.fixture(scope="module")
def head() -> Head:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((N, len(FEATURES))).astype(np.float32)
    features[:, 5] = np.nan
    labels = np.zeros((N, C), np.int8)
    labels[:, 0] = features[:, 0] > 0
    committee = _fit_committee(features, labels, HeadRecipe(members=1, steps=60, hidden=8))
    plain = np.stack([np.ones(C), np.ones(C), np.zeros(C)]).astype(np.float32)
    return Head(
        columns=np.array(COLUMNS),
        features=np.array(FEATURES),
        vector_weight=np.zeros((C, 4), np.float32),
        vector_bias=np.zeros(C, np.float32),
        joined=plain,
        alone=plain[1:],
        **committee,
    )


def test_it_reads_measurements_and_survives_their_absence(head: Head) -> None:
    row = np.full((2, len(FEATURES)), np.nan, np.float32)
    row[0, 0], row[1, 0] = 2.0, -2.0
    high, low = head.measured_logits(row)[:, 0]
    assert high > low
    vector = np.ones((2, 4), np.float32)
    nothing = head.probabilities(vector, row, np.zeros(2, bool))
    assert nothing == pytest.approx(np.full((2, C), 0.5))


def test_it_is_kept_in_one_file(head: Head, tmp_path: Path) -> None:
    head.save(tmp_path / "head.npz")
    again = Head.load(tmp_path / "head.npz")
    rows = np.random.default_rng(1).standard_normal((3, len(FEATURES))).astype(np.float32)
    assert again.measured_logits(rows) == pytest.approx(head.measured_logits(rows), abs=0.01)
    with pytest.raises(ConfigError, match="no trained head there"):
        Head.load(tmp_path / "none.npz")


def test_an_encoder_that_saw_the_folds_is_not_blind(tmp_path: Path) -> None:
    def card(name: str, folds: list[int], start: str = "") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        text = json.dumps({"recipe": {"data": {"folds": folds}, "start": start}})
        (folder / "signal_encoder.json").write_text(text)
        return folder

    check_blind(card("six", [1, 2, 3, 4, 5, 6]), (7, 8))
    with pytest.raises(ConfigError, match=r"eight: .* on folds \[7, 8\]"):
        check_blind(card("eight", [1, 2, 3, 7, 8]), (7, 8))
    # What it began with counts too.
    with pytest.raises(ConfigError, match=r"eight: .* on folds \[7, 8\]"):
        check_blind(card("more", [1, 2], str(tmp_path / "eight")), (7, 8))
    with pytest.raises(ConfigError, match=r"on folds \[7, 8\]"):
        check_blind(card("tuned", [1, 2], "bundled"), (7, 8))
    with pytest.raises(ConfigError, match="no card of a trained encoder"):
        check_blind(tmp_path, (7, 8))
    with pytest.raises(ConfigError, match="began with itself"):  # it went round for ever
        check_blind(card("itself", [1, 2], str(tmp_path / "itself")), (7, 8))


def test_a_head_needs_records_of_its_folds_and_an_encoder_that_has_not_seen_those_that_judge(
    small_pack: Pack, tmp_path: Path
) -> None:
    features = np.zeros((len(small_pack), len(FEATURES)), np.float32)
    for folds, told in (
        ([1, 2], "0 packed records of PTB-XL's folds 7, 8"),
        ([1, 9], r"folds \[9\]"),
    ):
        text = json.dumps({"recipe": {"data": {"folds": folds}, "start": ""}})
        (tmp_path / "signal_encoder.json").write_text(text)
        with pytest.raises(ConfigError, match=told):
            train_head(small_pack, features, tmp_path, tmp_path / "out")


def test_the_join_trusts_the_reader_that_is_right() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((N, 3)) < 0.3
    right = np.where(truth, 1.0, -2.0) + rng.standard_normal((N, 3))
    noise = rng.standard_normal((N, 3))
    joined, alone = _fit_join(
        right.astype(np.float32),
        noise.astype(np.float32),
        truth.astype(np.int8),
        np.ones(N, bool),
        20.0,
    )
    assert (joined[0] > 0.5).all()
    assert (joined[1] < 0.3).all()
    probability = 1 / (1 + np.exp(-(alone[0] * right + alone[1])))
    assert calibration(truth.ravel(), probability.ravel())[0] < 0.05
