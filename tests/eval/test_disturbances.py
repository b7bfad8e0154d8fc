"""Spoilt records, and what the classifier may still say of them: tests of direction."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.classify import classify
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.eval.disturbances import DISTURBANCES, HUM_MV
from ecg_llm.zero_shot import Labels

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def record():
    return synthetic_ecg(bpm=72, seed=3).record


def test_shuffling_keeps_every_sample_and_halving_every_shape(record):
    mixed = DISTURBANCES["shuffled in time"](record, RNG(0)).signal
    np.testing.assert_array_equal(np.sort(mixed, axis=1), np.sort(record.signal, axis=1))
    assert not np.array_equal(mixed, record.signal)
    np.testing.assert_allclose(
        DISTURBANCES["gain halved"](record, RNG(0)).signal * 2, record.signal
    )


def test_hum_has_the_frequency_and_height_that_it_says(record):
    added = DISTURBANCES["50 Hz hum"](record, RNG(0)).signal - record.signal
    spectrum = np.abs(np.fft.rfft(added, axis=1))
    peak = np.fft.rfftfreq(added.shape[1], 1 / record.fs)[spectrum.argmax(1)]
    np.testing.assert_allclose(peak, 50, atol=0.2)
    assert added.max() == pytest.approx(HUM_MV, rel=0.01)


@pytest.mark.parametrize("head", [False, True])
def test_a_zeroed_record_is_refused_and_never_classified(record, head):
    labels = Labels.of_task("ptbxl-super")
    result = classify([DISTURBANCES["zeroed"](record, RNG(0))], labels, head=head)[0]
    assert result.scores == {} and result.refused


@pytest.mark.parametrize("name", ["gain halved", "50 Hz hum", "60 Hz hum"])
def test_what_spares_the_rhythm_leaves_the_scores_of_the_rhythm_near(record, name):
    labels = Labels.of_task("ptbxl-rhythm")
    spoilt = DISTURBANCES[name](record, RNG(0))
    before, after = classify([record, spoilt], labels, head=True)
    assert after.refused is None
    assert max(abs(before.scores[k] - after.scores[k]) for k in labels.names) < 0.35


def test_shuffling_costs_the_sinus_rhythm_or_the_record(record):
    labels = Labels.of_task("ptbxl-rhythm")
    before, after = classify(
        [record, DISTURBANCES["shuffled in time"](record, RNG(0))], labels, head=True
    )
    assert after.refused or after.scores["SR"] < before.scores["SR"]
