"""The encoder's benchmark runs both forms on the same records."""

from __future__ import annotations

import pytest

from ecg_llm.eval.bench_encoder import bench_encoder

pytest.importorskip("torch")


def test_both_forms_give_the_same_tokens():
    result = bench_encoder(batch=16, repeats=1)
    assert result.largest_difference < 1e-3
    assert min(result.single_ms, result.batched_per_s, result.torch_batched_per_s) > 0
    assert result.classify_cold_s > result.single_ms / 1000
    assert "records/s" in result.render()
