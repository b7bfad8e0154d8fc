"""Samples as 16-bit steps come back as exactly as stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ecg_llm.data_builders.samples import GAP, to_mv, to_steps


@pytest.mark.parametrize("gain", [1000, 200, 500, 250])
def test_samples_of_usual_devices_come_back_to_the_bit(gain):
    digital = np.random.default_rng(0).integers(-6000, 6000, (12, 500))
    signal = (digital / gain).astype(np.float32)
    steps, own = to_steps(signal)
    assert np.array_equal(to_mv(steps, own), signal)


@settings(max_examples=100)
@given(
    arrays(np.float32, (2, 40), elements=st.floats(-500, 500, width=32)),
    arrays(np.bool_, (2, 40)),
)
def test_the_error_is_at_most_half_a_step_and_gaps_stay(signal, gaps):
    signal = np.where(gaps, np.nan, signal).astype(np.float32)
    steps, gain = to_steps(signal)
    back = to_mv(steps, gain)
    assert np.array_equal(np.isnan(back), gaps)
    assert np.array_equal(steps == GAP, gaps)
    error = np.abs(back.astype(float) - signal)
    # Beside the half step, the rounding of float32 itself.
    bound = 0.5 / gain[:, None] + 1e-7 * np.abs(signal)
    assert (error <= bound)[~gaps].all()


@settings(max_examples=100)
@given(arrays(np.float32, (1, 30), elements=st.floats(-500, 500, width=32)))
def test_a_second_round_changes_nothing(signal):
    steps, gain = to_steps(signal)
    once = to_mv(steps, gain)
    again, same_gain = to_steps(once)
    assert np.array_equal(to_mv(again, same_gain), once)


def test_only_a_lead_that_needs_it_gets_coarser():
    signal = np.float32([[1.0, -1.0], [40.0, 0.0], [200.0, -200.0]])
    assert to_steps(signal)[1].tolist() == [1000.0, 500.0, 125.0]


def test_a_lead_without_a_single_sample():
    steps, gain = to_steps(np.full((1, 4), np.nan, np.float32))
    assert steps.tolist() == [[GAP] * 4]
    assert gain.tolist() == [1000.0]
