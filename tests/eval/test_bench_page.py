"""The benchmark measures both sides in one run."""

from ecg_llm.eval.bench_page import bench_page


def test_a_page_is_drawn_faster_than_with_matplotlib():
    result = bench_page(dpi=100, repeats=3, peer_repeats=1)
    assert result.ratio > 2
    assert result.draw_s < result.matplotlib_draw_s
    assert "times ours" in result.render()
