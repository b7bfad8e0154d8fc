import pytest

from ecg_llm.findings.av_block import judge_av_block


@pytest.mark.parametrize(
    ("pr", "block", "long_pr"),
    [
        (200.0, "absent", "absent"),
        (201.0, "unknown", "present"),
        (205.0, "unknown", "present"),
        (206.0, "present", "present"),
    ],
)
def test_a_pr_just_above_its_limit_is_long_but_no_sure_block(make_case, pr, block, long_pr):
    found = {f.code: f for f in judge_av_block(make_case({"pr_ms": pr}), None, False)}
    assert found["1AVB"].status == block
    assert found["LPR"].status == long_pr
    if block == "unknown":
        assert f"PR {pr:.0f} ms" in found["1AVB"].reason
