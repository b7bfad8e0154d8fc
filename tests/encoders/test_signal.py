"""The signal encoder: what it is told of gaps, leads and gain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.encoders.signal import SignalEncoder, SignalEncoderConfig
from ecg_llm.encoders.signal_input import encoder_input, stack_inputs
from ecg_llm.errors import ConfigError
from ecg_llm.record import ECGRecord

TINY = SignalEncoderConfig(widths=(8, 8), blocks=(1, 1), width=16, depth=1, heads=2)


@pytest.fixture(scope="module")
def net() -> SignalEncoder:
    torch.manual_seed(0)
    made = TINY.build()
    with torch.no_grad():  # running statistics unlike the initial ones
        made.train()(torch.randn(8, 12, 200), torch.ones(8, 12, 200).bool(), torch.ones(8).bool())
    return made.eval()


def _batch(n: int = 2, t: int = 1000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, 12, t) * 0.2, torch.ones(n, 12, t).bool(), torch.ones(n).bool()


@pytest.mark.parametrize("seconds", [2.6, 10.0, 14.0])
def test_one_token_each_200_ms(net: SignalEncoder, seconds: float) -> None:
    out = net(*_batch(t=int(seconds * 100)))
    assert out.tokens.shape == (2, round(seconds * 5), 16)
    assert out.times_s[:2].tolist() == pytest.approx([0.1, 0.3])
    assert out.vector.shape == out.log_var.shape == (2, 16)


def test_what_is_not_recorded_is_never_looked_at(net: SignalEncoder) -> None:
    x, there, sure = _batch()
    there[:, 3:, 200:700] = False
    other = torch.where(there, x, torch.randn_like(x) * 100)
    for one, same in zip(net(x, there, sure), net(other, there, sure), strict=True):
        assert torch.equal(one, same)


def test_a_missing_lead_is_not_a_flat_one(net: SignalEncoder) -> None:
    x, there, sure = _batch()
    flat = x.clone()
    flat[:, 5] = 0
    missing = there.clone()
    missing[:, 5] = False
    apart = (net(flat, there, sure).vector - net(flat, missing, sure).vector).abs().max()
    assert apart > 1e-3


def test_samples_added_as_missing_do_not_change_the_record(net: SignalEncoder) -> None:
    x, there, sure = _batch(t=500)
    alone = net(x, there, sure)
    longer = torch.nn.functional.pad(x, (0, 500))
    more = net(longer, torch.nn.functional.pad(there, (0, 500)), sure)
    # The last tokens see a border in one case and absent samples in the other.
    assert torch.allclose(alone.tokens[:, :20], more.tokens[:, :20], atol=0.2)
    assert torch.allclose(alone.vector, more.vector, atol=0.1)


def test_an_unknown_gain_does_not_matter_and_a_known_one_does(net: SignalEncoder) -> None:
    x, there, sure = _batch()
    unknown = torch.zeros_like(sure)
    once, thrice = net(x, there, unknown).vector, net(3 * x, there, unknown).vector
    assert torch.allclose(once, thrice, atol=1e-4)
    assert not torch.allclose(net(x, there, sure).vector, net(3 * x, there, sure).vector, atol=1e-2)
    assert not torch.allclose(net(x, there, sure).vector, once, atol=1e-3)


def test_how_sure_it_is_leaves_what_it_says_alone(net: SignalEncoder) -> None:
    net.zero_grad()
    net(*_batch()).log_var.sum().backward()
    assert net.stem[0].weight.grad is None
    assert net.vector.weight.grad is None


def test_the_order_and_the_rate_of_a_record_do_not_matter() -> None:
    record = synthetic_ecg(seed=3, fs=500.0).record
    turned = record.select(tuple(reversed(record.leads)))
    for one, same in zip(encoder_input(record)[:2], encoder_input(turned)[:2], strict=True):
        np.testing.assert_array_equal(one, same)
    slow = ECGRecord(signal=record.signal[:, ::2], fs=250.0, leads=record.leads)
    apart = np.abs(encoder_input(record)[0] - encoder_input(slow)[0])
    assert apart.max() < 0.02


def test_windows_of_long_and_short_records() -> None:
    long = encoder_input(synthetic_ecg(seed=3, fs=100.0, seconds=23.0).record)
    short = encoder_input(synthetic_ecg(seed=4, fs=100.0, seconds=6.0).record)
    signal, present, calibrated, origin = stack_inputs([long, short])
    assert signal.shape == (4, 12, 1000)
    assert origin == [(0, 0), (0, 1000), (0, 1300), (1, 0)]
    assert present[3, :, :600].all()
    assert not present[3, :, 600:].any()
    assert calibrated.all()


def test_sizes() -> None:
    assert SignalEncoderConfig.of_size("mini") == SignalEncoderConfig()
    with pytest.raises(ConfigError, match="mini, small, base, large"):
        SignalEncoderConfig.of_size("huge")


def test_a_limb_lead_that_two_others_never_show_at_one_time_is_not_derived() -> None:
    signal = synthetic_ecg(seed=2).record.select(("I", "aVF")).signal.copy()
    signal[0, signal.shape[1] // 2 :] = np.nan
    signal[1, : signal.shape[1] // 2] = np.nan
    record = ECGRecord(signal=signal, fs=500, leads=("I", "aVF"), origin="page")
    _, present, _ = encoder_input(record)
    assert present.any(axis=1).sum() == 2
