import pytest

from ecg_llm.findings.conduction import judge_conduction

RIGHT = {
    "V1": {"r_mv": 0.2, "s_mv": -0.3, "r2_mv": 0.5, "r2_ms": 45.0, "qrs_max_mv": 0.5},
    "V6": {"s_mv": -0.3, "s_ms": 55.0},
    "I": {"s_mv": -0.3, "s_ms": 55.0},
}
LEFT = {
    "V1": {"r_mv": 0.1, "qrs_max_mv": 0.1, "s_mv": -1.8, "qrs_min_mv": -1.8},
    **{lead: {"r_peak_ms": 75.0, "s_mv": None, "s_ms": None} for lead in ("I", "V5", "V6")},
}
ANTERIOR = {
    **{lead: {"qrs_max_mv": 0.3, "qrs_min_mv": -0.9} for lead in ("II", "III", "aVF")},
    "aVL": {"qrs_max_mv": 0.8, "qrs_min_mv": -0.1, "q_mv": -0.1, "q_ms": 15.0},
}


def statuses(case, gate=None, has_p=True):
    return {f.code: f.status for f in judge_conduction(case, gate, has_p).findings}


@pytest.mark.parametrize(("qrs", "expected"), [(119.0, "absent"), (120.0, "present")])
def test_right_bundle_block_is_complete_from_120_ms(make_case, qrs, expected):
    found = statuses(make_case({"qrs_global_ms": qrs}, RIGHT))
    assert found["CRBBB"] == expected
    assert found["CLBBB"] == "absent"
    assert found["IRBBB"] == ("present" if expected == "absent" else "absent")


@pytest.mark.parametrize(("qrs", "expected"), [(119.0, "absent"), (120.0, "present")])
def test_left_bundle_block_is_complete_from_120_ms(make_case, qrs, expected):
    found = statuses(make_case({"qrs_global_ms": qrs}, LEFT))
    assert found["CLBBB"] == expected
    assert found["ILBBB"] == ("present" if expected == "absent" else "absent")
    assert found["CRBBB"] == "absent"


@pytest.mark.parametrize(("age", "code"), [(10.0, "CRBBB"), (16.0, "IRBBB"), (None, "IRBBB")])
def test_a_block_of_a_child_is_complete_in_a_narrower_qrs(make_case, age, code):
    found = statuses(make_case({"qrs_global_ms": 105.0}, RIGHT, age=age))
    assert [one for one in ("CRBBB", "IRBBB") if found[one] == "present"] == [code]


def test_a_q_wave_in_v6_speaks_against_left_bundle_block(make_case):
    leads = LEFT | {"V6": LEFT["V6"] | {"q_mv": -0.15, "q_ms": 20.0}}
    assert statuses(make_case({"qrs_global_ms": 140.0}, leads))["CLBBB"] == "absent"


def test_a_wide_qrs_of_neither_shape_is_a_nonspecific_delay(make_case):
    found = statuses(make_case({"qrs_global_ms": 130.0}))
    assert (found["IVCD"], found["CLBBB"], found["CRBBB"]) == ("present", "absent", "absent")


@pytest.mark.parametrize(("axis", "expected"), [(-30.0, "absent"), (-50.0, "present")])
def test_anterior_fascicular_block_needs_its_axis(make_case, axis, expected):
    case = make_case({"qrs_axis_deg": axis}, ANTERIOR)
    assert statuses(case)["LAFB"] == expected


@pytest.mark.parametrize(
    ("axis", "code"),
    [(-31.0, "left_axis"), (91.0, "right_axis"), (-91.0, "extreme_axis"), (45.0, None)],
)
def test_axis_deviations(make_case, axis, code):
    found = statuses(make_case({"qrs_axis_deg": axis}))
    axes = {name for name in found if name.endswith("_axis") and found[name] == "present"}
    assert axes == ({code} if code else set())


def test_pre_excitation_is_a_short_pr_with_a_slow_start_of_a_wide_qrs(make_case):
    slow = {lead: {"slur": 0.1} for lead in ("I", "II", "V4", "V5", "V6")}
    values = {"pr_ms": 100.0, "qrs_global_ms": 125.0}
    assert statuses(make_case(values, slow))["WPW"] == "present"
    assert statuses(make_case(values | {"pr_ms": 125.0}, slow))["WPW"] == "absent"
    assert statuses(make_case(values), has_p=True)["WPW"] == "absent"
    assert statuses(make_case(values, slow), has_p=False)["WPW"] == "unknown"


def test_of_paced_ventricles_nothing_is_said(make_case):
    judged = judge_conduction(make_case({"qrs_global_ms": 160.0}, LEFT), "paced", True)
    blocks = [f for f in judged.findings if f.section == "conduction"]
    assert {f.status for f in blocks} == {"unknown"}
    assert {f.reason for f in blocks} == {"paced"}


def test_a_missing_lead_leaves_the_block_open(make_case):
    case = make_case({"qrs_global_ms": 140.0}, LEFT, missing=("V1", "V6"))
    assert statuses(case)["CLBBB"] == "unknown"


@pytest.mark.parametrize(
    ("axis", "r_peak", "expected"),
    [
        (-29.0, 45.0, "absent"),
        (-30.0, 45.0, "present"),
        (-38.0, 39.0, "absent"),
        (-38.0, 40.0, "present"),
        (-40.0, 30.0, "present"),
    ],
)
def test_short_of_its_axis_the_anterior_fascicle_needs_its_whole_shape(
    make_case, axis, r_peak, expected
):
    leads = ANTERIOR | {"aVL": ANTERIOR["aVL"] | {"r_peak_ms": r_peak}}
    assert statuses(make_case({"qrs_axis_deg": axis}, leads))["LAFB"] == expected


def test_without_r_in_the_inferior_leads_a_slight_left_axis_is_no_fascicular_block(make_case):
    leads = ANTERIOR | {"aVL": ANTERIOR["aVL"] | {"r_peak_ms": 45.0}}
    leads["III"] = leads["III"] | {"r_mv": None}
    assert statuses(make_case({"qrs_axis_deg": -35.0}, leads))["LAFB"] == "absent"


@pytest.mark.parametrize(
    ("qrs", "maybe_paced", "urgency"),
    [(179.0, False, "abnormal"), (180.0, False, "urgent"), (180.0, True, "abnormal")],
)
def test_a_very_wide_qrs_of_neither_block_is_urgent(make_case, qrs, maybe_paced, urgency):
    """A simulated sine wave of hyperkalaemia alerted in 6 of 19."""
    case = make_case({"qrs_global_ms": qrs})
    findings = judge_conduction(case, None, True, maybe_paced).findings
    assert {f.urgency for f in findings if f.code == "IVCD" and f.status == "present"} == {urgency}
