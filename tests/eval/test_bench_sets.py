"""The figures of the building bench follow from what was timed."""

from __future__ import annotations

import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.eval.bench_sets import BuildBenchmark, bench_build


def test_hours_follow_from_the_rate():
    bench = BuildBenchmark(what="x", n_records=100, cpu_s=20.0, wall_s=60.0)
    assert bench.per_core == 5
    assert bench.mimic_hours == pytest.approx(800_000 / 5 / 16 / 3600)
    assert "extrapolated" in bench.render()


def test_a_folder_that_is_not_ptbxl(tmp_path):
    with pytest.raises(ConfigError, match="no records500 of PTB-XL"):
        bench_build(tmp_path)


@pytest.mark.slow
def test_real_records_are_built():
    bench = bench_build(n=2)
    assert bench.n_records == 2
    assert bench.cpu_s > 0
