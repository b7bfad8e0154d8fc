import pytest

from ecg_llm.findings.checks import Check
from ecg_llm.findings.repolarization import judge_repolarization
from ecg_llm.findings.secondary import NORMAL_QRS, secondary_changes

DOWN = {"st_j_mv": -0.12, "st_j60_mv": -0.12, "st_j80_mv": -0.12}
UP = {"st_j_mv": 0.25, "st_j60_mv": 0.25, "st_slope_mv_s": -0.1, "t_mv": 0.15}
POINTS_DOWN = {"qrs_area_mv_ms": -40.0, "qrs_min_mv": -1.8, "qrs_max_mv": 0.2}


def judged(case, *, right_block=False, wide=True):
    secondary = secondary_changes(case, right_block=right_block, wide=wide)
    found = judge_repolarization(case, None, False, None, False, secondary)
    return {finding.code: finding for finding in found}


def test_a_normal_qrs_changes_nothing(make_case):
    assert secondary_changes(make_case(), right_block=False, wide=False) is NORMAL_QRS
    assert NORMAL_QRS.depression("V1", Check(True)).holds


@pytest.mark.parametrize(
    ("leads", "status"), [(("V1", "V2", "V3"), "unknown"), (("II", "III", "aVF"), "unknown")]
)
def test_depression_that_may_follow_from_right_block_is_open(make_case, leads, status):
    found = judged(make_case(leads=dict.fromkeys(leads, DOWN)), right_block=True)
    assert found["STD_"].status == status
    assert "right bundle branch block" in found["STD_"].reason


def test_depression_over_the_wide_s_of_right_block_is_primary(make_case):
    late_s = DOWN | {"s_ms": 55.0, "s_mv": -0.5}
    found = judged(make_case(leads=dict.fromkeys(("V5", "V6"), late_s)), right_block=True)
    assert found["STD_"].status == "present"


def test_elevation_in_the_direction_of_a_wide_qrs_is_primary(make_case):
    for settings in ({"right_block": True}, {}):
        found = judged(make_case(leads=dict.fromkeys(("II", "III", "aVF"), UP)), **settings)
        assert found["STE_"].status == found["stemi"].status == "present"


@pytest.mark.parametrize(("height", "status"), [(0.25, "unknown"), (0.50, "present")])
def test_elevation_over_deep_s_waves_of_a_wide_qrs_must_reach_a_quarter(make_case, height, status):
    leads = dict.fromkeys(("III", "aVF"), UP | POINTS_DOWN | {"st_j_mv": height})
    assert judged(make_case(leads=leads))["STE_"].status == status


def test_without_deviation_a_wide_qrs_leaves_nothing_open_but_small_changes(make_case):
    found = judged(make_case())
    assert {found[code].status for code in ("STE_", "stemi", "STD_", "INVT", "ISC_")} == {"absent"}
    assert {found[code].status for code in ("LOWT", "NDT", "NST_", "DIG")} == {"unknown"}


def test_a_coved_st_is_no_consequence_of_right_block(make_case):
    """Right block lowers ST in V1 and V2; Brugada's first patients seemed to have it."""
    coved = {"st_j_mv": 0.25, "st_slope_mv_s": -1.5, "t_neg_mv": -0.2, "t_mv": -0.2}
    case = make_case(leads={"V1": coved | {"qrs_area_mv_ms": 20.0}})
    assert judged(case, right_block=True)["brugada_1"].status == "present"
