from dataclasses import replace

import numpy as np
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


@pytest.mark.parametrize(("bpm", "status"), [(67.0, "absent"), (48.0, "unknown")])
def test_without_p_waves_only_a_slow_regular_rhythm_leaves_complete_block_open(
    make_case, bpm, status
):
    found = {f.code: f for f in judge_av_block(make_case({"heart_rate_bpm": bpm}), "no P", False)}
    assert found["3AVB"].status == status
    assert found["1AVB"].reason == "no P"


def test_a_slow_irregular_rhythm_without_p_waves_is_conducted(make_case):
    r_s = 0.6 + np.cumsum([0, 1.1, 1.5, 0.9, 1.6, 1.0, 1.4])
    case = make_case({"heart_rate_bpm": 48.0}, r_s=r_s)
    found = {f.code: f for f in judge_av_block(case, "no P", False)}
    assert found["3AVB"].status == "absent"


def test_one_p_wave_marked_twice_is_no_blocked_one(make_case):
    """Onsets of one P, 50 ms apart in the leads and in all together, once made a 2:1 block."""
    case = make_case()
    delineation = case.measurements.delineation
    moved = replace(delineation, p_waves_s=delineation.p_waves_s - 0.05)
    case = replace(case, measurements=replace(case.measurements, delineation=moved))
    found = {f.code: f for f in judge_av_block(case, None, False)}
    assert found["av_block_2_1"].status == found["2AVB"].status == "absent"


@pytest.mark.parametrize(("bpm", "status"), [(31.0, "unknown"), (90.0, "absent")])
def test_complete_block_is_not_denied_where_no_p_wave_was_found(make_case, bpm, status):
    """ "No complete AV block" once stood beneath an idioventricular rhythm of 31/min."""
    case = make_case({"heart_rate_bpm": bpm, "pr_ms": None})
    seen = case.measurements.delineation
    unseen = replace(seen, p_waves_s=np.zeros((0, 3)), p_confidence=np.zeros(0))
    case = replace(case, measurements=replace(case.measurements, delineation=unseen))
    found = {finding.code: finding for finding in judge_av_block(case, None, False)}
    assert found["3AVB"].status == status
    assert found["2AVB"].status == found["1AVB"].status == "unknown"


def test_p_waves_hidden_in_qrs_and_t_do_not_hide_a_complete_block(make_case):
    """PP of one and of two cycles were no regular atria: three of ten simulated blocks missed."""
    r_s = 0.9 + 1.55 * np.arange(6)
    case = make_case({"heart_rate_bpm": 38.7}, r_s=r_s)
    p_s = 0.3 + 0.73 * np.arange(13)
    apart = (p_s[:, None] - r_s[None, :]).round(3)
    hidden = ((apart > -0.06) & (apart < 0.4)).any(axis=1)  # in the QRS or in T
    assert 2 <= hidden.sum() <= 6
    shown = p_s[~hidden][:, None] + np.array([0.0, 0.05, 0.1])
    seen = case.measurements.delineation
    unlinked = np.full_like(seen.global_s[:, :3], np.nan)
    times = np.concatenate([unlinked, seen.global_s[:, 3:]], axis=1)
    moved = replace(seen, p_waves_s=shown, p_confidence=np.ones(len(shown)), global_s=times)
    case = replace(case, measurements=replace(case.measurements, delineation=moved))
    found = {finding.code: finding for finding in judge_av_block(case, None, False)}
    assert found["3AVB"].status == "present"
