"""Encoding without torch: any leads, any rate, any length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.encode import encode
from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.record import ECGRecord

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ecg_llm.encoders.signal import SignalEncoderConfig
    from ecg_llm.training.store import save_encoder

    torch.manual_seed(0)
    config = SignalEncoderConfig(widths=(8, 8), blocks=(1, 1), width=16, depth=1, heads=2)
    folder = tmp_path_factory.mktemp("tiny")
    save_encoder(config.build(), folder, {})
    return folder / "signal_encoder.onnx"


def _record(seconds: float = 10.0, fs: float = 500.0) -> ECGRecord:
    return synthetic_ecg(seed=5, fs=fs, seconds=seconds).record


def test_records_of_all_lengths_in_one_call(weights: Path) -> None:
    records = [_record(10), _record(3), _record(24)]
    found = encode(records, weights=weights)
    assert [len(tokens) for tokens in found.tokens] == [50, 15, 120]
    assert found.times_s[2][-1] == pytest.approx(23.9)
    assert found.vector.shape == found.log_var.shape == (3, 16)
    alone = encode(records[2:], weights=weights)
    np.testing.assert_allclose(alone.vector[0], found.vector[2], atol=1e-5)


def test_the_mean_of_windows_is_that_of_its_parts(weights: Path) -> None:
    record = _record(20)
    halves = encode([record.segment(0, 10), record.segment(10, 20)], weights=weights).vector
    whole = encode([record], weights=weights).vector[0]
    # The high-pass sees more at the seam, hence nearly.
    np.testing.assert_allclose(whole, halves.mean(axis=0), atol=0.05)


@pytest.mark.parametrize("n", [1, 2, 17])
def test_any_number_of_records(weights: Path, n: int) -> None:
    found = encode([_record(5, 100.0)] * n, weights=weights)
    np.testing.assert_allclose(found.vector, np.repeat(found.vector[:1], n, axis=0), atol=1e-5)


def test_leads_by_name_not_by_row(weights: Path) -> None:
    record = _record()
    turned = record.select(record.leads[::-1])
    one, same = encode([record, turned], weights=weights).vector
    np.testing.assert_allclose(one, same, atol=1e-6)
    renamed = replace(record, leads=("V1", *record.leads[1:6], "I", *record.leads[7:]))
    assert np.abs(encode([renamed], weights=weights).vector - one).max() > 1e-3


def test_a_missing_lead_is_not_a_lead_of_zeros(weights: Path) -> None:
    record = _record()
    without = record.select(record.leads[:-1])
    dead = record.signal.copy()
    dead[-1] = 0
    some = encode([without, replace(record, signal=dead)], weights=weights).vector
    # A lead that never moves is not connected, and so counts as missing.
    np.testing.assert_allclose(some[0], some[1], atol=1e-6)
    quiet = record.signal.copy()
    quiet[-1] *= 0.01
    low = encode([replace(record, signal=quiet)], weights=weights).vector[0]
    assert np.abs(low - some[0]).max() > 1e-4


def test_no_signal_is_refused_not_encoded(weights: Path) -> None:
    record = _record()
    with pytest.raises(RecordError, match="none of the standard twelve"):
        encode([replace(record, signal=np.zeros_like(record.signal))], weights=weights)


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="these weights are not there"):
        encode([_record()], weights=tmp_path / "none.onnx")
