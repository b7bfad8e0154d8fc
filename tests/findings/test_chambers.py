import pytest

from ecg_llm.findings.chambers import judge_chambers


def statuses(case, gate=None, atrial_gate=None):
    return {f.code: f for f in judge_chambers(case, gate, atrial_gate)}


@pytest.mark.parametrize(("r", "expected"), [(2.49, "absent"), (2.5, "present")])
def test_sokolow_lyon_from_3_5_mv(make_case, r, expected):
    leads = {"V1": {"qrs_min_mv": -1.0}, "V5": {"qrs_max_mv": r}}
    finding = statuses(make_case(leads=leads))["VCLVH"]
    assert finding.status == expected
    if expected == "present":
        assert finding.evidence[0].value == pytest.approx(3.5)
        assert "Sokolow" in finding.evidence[0].source


@pytest.mark.parametrize(
    ("sex", "total", "expected"),
    [
        ("male", 2.7, "absent"),
        ("male", 2.8, "present"),
        ("female", 1.9, "absent"),
        ("female", 2.0, "present"),
        (None, 2.4, "unknown"),
        (None, 2.8, "present"),
    ],
)
def test_cornell_depends_on_sex(make_case, sex, total, expected):
    leads = {"V3": {"qrs_min_mv": -(total - 0.9)}, "V4": {"qrs_min_mv": 0.0}}
    assert statuses(make_case(leads=leads, sex=sex))["VCLVH"].status == expected


def test_one_weak_voltage_criterion_alone_is_not_hypertrophy(make_case):
    leads = {"V3": {"qrs_min_mv": -2.0}, "V4": {"qrs_min_mv": 0.0}}
    found = statuses(make_case(leads=leads))
    assert found["VCLVH"].status == "present"
    assert found["LVH"].status == "absent"


def test_sokolow_lyon_does_not_count_in_the_young(make_case):
    leads = {"V1": {"qrs_min_mv": -1.2}, "V5": {"qrs_max_mv": 2.6}}
    assert statuses(make_case(leads=leads, age=34.0))["LVH"].status == "absent"
    assert statuses(make_case(leads=leads, age=35.0))["LVH"].status == "present"


def test_an_anterior_fascicular_axis_heightens_r_in_avl(make_case):
    leads = {"aVL": {"qrs_max_mv": 1.3}}
    assert statuses(make_case(leads=leads))["VCLVH"].status == "present"
    assert statuses(make_case({"qrs_axis_deg": -50.0}, leads))["VCLVH"].status == "absent"


def test_voltage_with_strain_is_hypertrophy(make_case):
    strain = {"st_j60_mv": -0.1, "t_neg_mv": -0.2, "t_mv": -0.2}
    leads = {"V1": {"qrs_min_mv": -1.2}, "V5": {"qrs_max_mv": 2.6} | strain, "V6": strain}
    found = statuses(make_case(leads=leads))
    assert (found["LVH"].status, found["lv_strain"].status) == ("present", "present")


@pytest.mark.parametrize(("height", "expected"), [(0.24, "absent"), (0.26, "present")])
def test_right_atrium_by_a_tall_p(make_case, height, expected):
    leads = {"II": {"p_mv": height, "p_pos_mv": height}}
    assert statuses(make_case(leads=leads))["RAO/RAE"].status == expected


@pytest.mark.parametrize(("force", "expected"), [(-3.9, "absent"), (-4.0, "present")])
def test_left_atrium_by_the_terminal_force(make_case, force, expected):
    case = make_case({"p_global_ms": 125.0}, {"V1": {"p_terminal_mv_ms": force}})
    assert statuses(case)["LAO/LAE"].status == expected


def test_right_ventricle_needs_the_axis_too(make_case):
    tall = {"V1": {"qrs_max_mv": 0.9, "qrs_min_mv": -0.2}}
    assert statuses(make_case({"qrs_axis_deg": 110.0}, tall))["RVH"].status == "present"
    assert statuses(make_case({"qrs_axis_deg": 60.0}, tall))["RVH"].status == "absent"


@pytest.mark.parametrize(("height", "expected"), [(0.4, "present"), (0.42, "absent")])
def test_low_voltage_in_every_limb_lead(make_case, height, expected):
    small = {"qrs_max_mv": height, "qrs_min_mv": -0.1}
    leads = dict.fromkeys(("I", "II", "III", "aVR", "aVL", "aVF"), small)
    assert statuses(make_case(leads=leads))["LVOLT"].status == expected


def test_gates_are_passed_on_as_reasons(make_case):
    found = statuses(make_case(), "left bundle branch block", "atrial fibrillation")
    assert found["LVH"].reason == "left bundle branch block"
    assert found["LAO/LAE"].reason == "atrial fibrillation"


@pytest.mark.parametrize(("s_v4", "expected"), [(0.79, "absent"), (0.80, "present")])
def test_cornell_needs_peguero_beside_it(make_case, s_v4, expected):
    leads = {"V3": {"qrs_min_mv": -2.0}, "V4": {"qrs_min_mv": -s_v4}}
    assert statuses(make_case(leads=leads))["LVH"].status == expected


@pytest.mark.parametrize(("height", "expected"), [(1.99, "absent"), (2.0, "present")])
def test_romhilt_and_estes_prove_nothing_without_voltage(make_case, height, expected):
    values = {"qrs_axis_deg": -35.0, "qrs_global_ms": 100.0}
    leads = {"II": {"qrs_max_mv": height}, "V5": {"r_peak_ms": 55.0}}
    assert statuses(make_case(values, leads))["LVH"].status == expected


@pytest.mark.parametrize(("axis", "expected"), [(-29.0, "present"), (-30.0, "absent")])
def test_from_the_axis_of_a_left_deviation_r_in_avl_does_not_count(make_case, axis, expected):
    case = make_case({"qrs_axis_deg": axis}, {"aVL": {"qrs_max_mv": 1.2}})
    assert statuses(case)["VCLVH"].status == expected


def test_the_late_r_of_right_bundle_branch_block_is_no_hypertrophy(make_case):
    tall = {"V1": {"qrs_max_mv": 0.9, "qrs_min_mv": -0.1}}
    case = make_case({"qrs_axis_deg": 110.0}, leads=tall)

    def status(right_block):
        found = judge_chambers(case, None, None, right_block=right_block)
        return next(finding.status for finding in found if finding.code == "RVH")

    assert (status(False), status(True)) == ("present", "unknown")


def test_the_lead_that_lacks_is_the_one_that_is_named(make_case):
    assert "V1" in str(statuses(make_case(missing=("V1",)))["LVH"].reason)
