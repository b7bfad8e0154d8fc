import pytest

from ecg_llm.findings.st_elevation import anterior_score, judge_elevation

INFERIOR = ("II", "III", "aVF")
DOWN = {"st_j_mv": -0.06, "st_j60_mv": -0.06}


def found(case, q_waves=False):
    return {finding.code: finding for finding in judge_elevation(case, q_waves)}


def status(case, code, q_waves=False):
    return found(case, q_waves)[code].status


def raised(height, leads, **more):
    # Level and without a tall T: no early repolarization.
    shape = {"st_j_mv": height, "st_j60_mv": height, "st_slope_mv_s": -0.1, "t_mv": 0.15}
    return dict.fromkeys(leads, shape | more)


@pytest.mark.parametrize(("later", "expected"), [(0.09, "absent"), (0.10, "present")])
def test_the_elevation_must_still_be_there_after_60_ms(make_case, later, expected):
    case = make_case(leads=raised(0.16, ("V4", "V5", "V6"), st_j60_mv=later))
    assert status(case, "STE_") == expected


def test_a_falling_shoulder_is_no_alert_even_with_depression_elsewhere(make_case):
    leads = raised(0.16, INFERIOR, st_j60_mv=0.02) | {"aVL": DOWN}
    assert status(make_case(leads=leads), "stemi") == "absent"


@pytest.mark.parametrize(("depth", "expected"), [(-0.04, "unknown"), (-0.05, "present")])
def test_a_small_elevation_needs_depression_opposite(make_case, depth, expected):
    opposite = {"st_j_mv": depth, "st_j60_mv": depth}
    case = make_case(leads=raised(0.12, INFERIOR) | {"aVL": opposite})
    assert status(case, "stemi") == expected
    assert status(case, "STE_") == "present"


def test_an_elevation_without_support_says_what_is_missing(make_case):
    finding = found(make_case(leads=raised(0.12, INFERIOR)))["stemi"]
    assert finding.status == "unknown"
    assert "II, III, aVF" in finding.reason
    assert "opposite leads" in finding.reason


@pytest.mark.parametrize(("height", "expected"), [(0.19, "unknown"), (0.20, "present")])
def test_a_large_elevation_needs_no_support(make_case, height, expected):
    assert status(make_case(leads=raised(height, INFERIOR)), "stemi") == expected


@pytest.mark.parametrize(("height", "expected"), [(0.29, "unknown"), (0.30, "present")])
def test_in_v2_and_v3_large_is_more(make_case, height, expected):
    assert status(make_case(leads=raised(height, ("V2", "V3"))), "stemi") == expected


@pytest.mark.parametrize(("height", "expected"), [(0.49, "unknown"), (0.51, "present")])
def test_over_deep_s_waves_st_must_reach_a_quarter_of_them(make_case, height, expected):
    case = make_case(leads=raised(height, ("V1", "V2", "V3"), qrs_min_mv=-2.0))
    assert status(case, "stemi") == expected


def test_the_anterior_score_at_its_limit(make_case):
    def at(r_v4):
        rising = {"st_slope_mv_s": 1.0, "t_mv": 0.5}
        leads = raised(0.31, ("V2", "V3"), **rising) | {"V4": {"qrs_max_mv": r_v4}}
        # V4 to V6 with a low T, so that ST over T does not call it early repolarization.
        leads |= {lead: {"st_j_mv": 0.05, "t_mv": 0.15} for lead in ("V5", "V6")}
        leads["V4"] |= {"st_j_mv": 0.05, "t_mv": 0.15}
        return make_case(leads=leads)

    limit = (1.196 * 3.1 + 0.059 * 420 - 23.4) / 3.26
    assert anterior_score(at(limit)) == pytest.approx(23.4)
    assert status(at(limit - 0.05), "stemi") == "present"
    above = found(at(limit + 0.05))["stemi"]
    assert above.status == "unknown"
    assert "early repolarization" in above.reason


def test_early_repolarization_is_concave_with_a_tall_t(make_case):
    leads = raised(0.12, ("V4", "V5", "V6"), st_slope_mv_s=1.0, t_mv=0.7)
    case = make_case(leads=leads)
    assert status(case, "early_repolarization") == "present"
    assert status(case, "stemi") == "absent"
    lower = raised(0.12, ("V4", "V5", "V6"), st_slope_mv_s=1.0, t_mv=0.4)
    assert status(make_case(leads=lower), "early_repolarization") == "absent"


def test_a_childs_small_elevation_stays_open(make_case):
    leads = raised(0.12, INFERIOR) | {"aVL": DOWN}
    assert status(make_case(leads=leads, age=15.0), "stemi") == "unknown"
    assert status(make_case(leads=leads, age=16.0), "stemi") == "present"
    assert status(make_case(leads=raised(0.3, INFERIOR), age=15.0), "stemi") == "present"


def test_pericarditis_has_neither_q_waves_nor_depression_opposite(make_case):
    leads = raised(0.12, ("I", "II", "aVF", "V2", "V3", "V4", "V5", "V6"), t_mv=0.3)
    leads["aVR"] = {"st_j60_mv": -0.1}
    assert status(make_case(leads=leads), "pericarditis") == "present"
    assert status(make_case(leads=leads), "stemi") == "absent"
    assert status(make_case(leads=leads), "pericarditis", q_waves=True) == "absent"
    assert status(make_case(leads=leads | {"V1": DOWN}), "pericarditis") == "absent"


def test_v1_to_v3_alone_are_no_early_repolarization(make_case):
    leads = raised(0.21, ("V2", "V3"), st_slope_mv_s=1.0, t_mv=0.9)
    assert status(make_case(leads=leads), "early_repolarization") == "absent"
    leads |= raised(0.12, ("V4",), st_slope_mv_s=1.0, t_mv=0.9)
    assert status(make_case(leads=leads), "early_repolarization") == "present"


def test_lateral_depression_supports_a_septal_occlusion(make_case):
    leads = raised(0.21, ("V1", "V2"), qrs_min_mv=-1.5)
    assert status(make_case(leads=leads), "stemi") == "unknown"
    leads |= dict.fromkeys(("V5", "V6"), DOWN)
    assert status(make_case(leads=leads), "stemi") == "present"
    strain = {f.code: f for f in judge_elevation(make_case(leads=leads), False, True)}
    assert "in V1 to V2 may be secondary to the deep S" in strain["stemi"].reason


def test_pericarditis_needs_an_elevation_that_counts(make_case):
    """Shoulders of 0.05 mV in eight leads of three healthy people once gave an urgent alert."""

    def case(height):
        leads = raised(height, ("I", "II", "aVF", "V2", "V3", "V4", "V5", "V6"), t_mv=0.3)
        return make_case(leads=leads | {"aVR": DOWN})

    assert status(case(0.09), "pericarditis") == "absent"
    assert status(case(0.12), "pericarditis") == "present"


@pytest.mark.parametrize(("height", "expected"), [(0.48, "absent"), (0.52, "present")])
def test_a_very_large_elevation_is_no_pericarditis(make_case, height, expected):
    """An occlusion of the LAD around the apex raises ST in the inferior leads too."""
    leads = raised(0.12, ("I", "II", "aVF", "V5", "V6"), t_mv=0.2) | {"aVR": DOWN}
    leads |= raised(height, ("V2", "V3", "V4"), t_mv=0.8)
    assert status(make_case(leads=leads), "stemi") == expected
    assert status(make_case(leads=leads), "pericarditis") != expected
