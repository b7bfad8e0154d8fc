"""The benchmark of page images compares like with like."""

from __future__ import annotations

import ecg_llm.eval.bench_images as bench
from ecg_llm.eval.bench_images import bench_images


def test_bench_images(monkeypatch):
    monkeypatch.setattr(bench, "MATPLOTLIB_DPI", {800: 68.0})
    result = bench_images(pages=2)
    (size,) = result.sizes
    assert size.photographed_s > size.clean_s * 0.5 > 0
    assert size.ratio == size.matplotlib_s / size.clean_s > 1
    assert "times" in result.render()
