"""The text tower: the same with and without torch, blind to spelling, sure of its input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecg_llm.encoders.text import TextTowerConfig
from ecg_llm.errors import ConfigError
from ecg_llm.text import BUCKETS, TextTower, grams

TEXTS = ["left bundle branch block", "LBBB", "", "Vorhofflimmern", "a" * 5000]


@pytest.fixture(scope="module")
def tower_and_net():
    torch.manual_seed(0)
    net = TextTowerConfig(record_width=6, table=8, hidden=12, width=5).build().eval()
    net.record_mean.copy_(torch.linspace(-1, 1, 6))
    return net.tower({"name": "test"}), net


def test_runs_alike_without_torch(tower_and_net):
    tower, net = tower_and_net
    records = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(records), TEXTS).numpy()
    vectors, priors = tower.texts(TEXTS)
    found = tower.logits(tower.records(records), vectors, priors)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_is_kept_in_a_file(tower_and_net, tmp_path):
    tower, _ = tower_and_net
    tower.save(tmp_path / "text.npz")
    again = TextTower.load(tmp_path / "text.npz")
    assert again.card == {"name": "test"}
    np.testing.assert_allclose(again.texts(TEXTS)[0], tower.texts(TEXTS)[0], atol=2e-3)


def test_a_broken_or_missing_file_says_what_to_do(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"no weights")
    for path in (tmp_path / "bad.npz", tmp_path / "none.npz"):
        with pytest.raises(ConfigError, match="ecgllm train text"):
            TextTower.load(path)


def test_vectors_of_another_encoder_are_refused(tower_and_net):
    with pytest.raises(ConfigError, match="aligned with 6"):
        tower_and_net[0].records(np.zeros((2, 7)))


@pytest.mark.parametrize(
    ("one", "other"),
    [("LBBB", "lbbb."), ("ischaemia", "ischemia"), ("ST-T  change", "st t change")],
)
def test_spelling_does_not_matter(one, other):
    assert grams(one).tolist() == grams(other).tolist()


def test_hashes_are_the_same_on_every_machine():
    assert grams("sinus").tolist()[:4] == [7524, 7524, 5679, 5034]
    assert grams("sinus rhythm").max() < BUCKETS


def test_every_text_has_a_vector_of_length_one(tower_and_net):
    vectors, priors = tower_and_net[0].texts(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.isfinite(priors).all()
