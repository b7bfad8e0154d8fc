import pytest

from ecg_llm.claims.facts import Facts
from ecg_llm.claims.finding_check import lead_shows
from ecg_llm.findings.infarction import judge_infarction
from ecg_llm.quantity import Quantity

Q = {"q_mv": -0.3, "q_ms": 35.0}
QS = {"qrs_max_mv": 0.0, "r_mv": None, "q_mv": -1.0, "q_ms": 70.0, "qrs_min_mv": -1.0}


def present(case, gate=None):
    return {f.code for f in judge_infarction(case, gate) if f.status == "present"}


@pytest.mark.parametrize(
    ("leads", "code"),
    [
        ({"II": Q, "III": Q, "aVF": Q}, "IMI"),
        ({"II": Q, "III": Q, "aVF": Q, "V5": Q, "V6": Q}, "ILMI"),
        ({"I": Q, "aVL": Q}, "LMI"),
        ({"V1": QS, "V2": QS, "V3": QS}, "ASMI"),
        ({"V2": QS, "V3": QS, "V4": Q, "V5": Q}, "ALMI"),
        ({"V2": QS, "V3": QS}, "ASMI"),
        ({"V3": QS, "V4": Q}, "AMI"),
    ],
)
def test_q_waves_name_their_wall(make_case, leads, code):
    assert present(make_case(leads=leads)) == {"QWAVE", code}


@pytest.mark.parametrize(("q_ms", "found"), [(29.0, False), (30.0, True)])
def test_a_pathological_q_lasts_30_ms(make_case, q_ms, found):
    q = Q | {"q_ms": q_ms}
    assert ("IMI" in present(make_case(leads={"II": q, "III": q, "aVF": q}))) is found


def test_a_q_wave_in_one_lead_is_not_infarction(make_case):
    assert present(make_case(leads={"III": Q})) == set()
    assert present(make_case(leads={"V5": Q})) == set()


@pytest.mark.parametrize(("r", "found"), [(0.2, True), (0.21, False)])
def test_hardly_any_r_in_v3_counts_as_lost(make_case, r, found):
    assert ("ASMI" in present(make_case(leads={"V3": {"qrs_max_mv": r}}))) is found


def test_a_tall_wide_r_in_v1_and_v2_is_posterior(make_case):
    tall = {"r_ms": 45.0, "qrs_max_mv": 0.8, "qrs_min_mv": -0.4, "t_mv": 0.3}
    leads = {"V1": tall, "V2": tall}
    assert present(make_case(leads=leads)) == {"PMI"}
    assert present(make_case(leads=leads | {"II": Q, "III": Q, "aVF": Q})) == {"QWAVE", "IPMI"}


def test_a_gate_leaves_all_open(make_case):
    findings = judge_infarction(make_case(leads={"II": Q, "III": Q, "aVF": Q}), "paced")
    assert {(f.status, f.reason) for f in findings} == {("unknown", "paced")}


def test_poor_r_progression_is_a_small_r_in_v3_without_infarction(make_case):
    small = {"qrs_max_mv": 0.25, "r_mv": 0.25}
    assert present(make_case(leads={"V3": small})) == {"poor_r_progression"}
    assert present(make_case(leads={"V3": {"qrs_max_mv": 0.35}})) == set()


@pytest.mark.parametrize(("before", "found"), [(0.14, False), (0.15, True)])
def test_a_small_r_in_v3_is_lost_only_if_it_did_not_grow(make_case, before, found):
    leads = {"V2": {"qrs_max_mv": before}, "V3": {"qrs_max_mv": 0.15}}
    codes = present(make_case(leads=leads))
    assert ("ASMI" in codes) is found
    assert ("poor_r_progression" in present(make_case(leads=leads))) is not found


def test_walls_without_their_leads_are_open(make_case):
    """With lead II alone inferoposterior infarction was absent beside an open inferior one."""
    case = make_case(missing=("I", "III", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"))
    found = {f.code: f for f in judge_infarction(case, None)}
    assert {f.status for f in found.values()} == {"unknown"}
    assert "lead III cannot be read" in (found["IMI"].reason or "")


def test_one_missing_lead_leaves_open_only_a_pair_that_it_could_make(make_case):
    assert {f.status for f in judge_infarction(make_case(missing=("V4",)), None)[:7]} == {"absent"}
    found = {f.code: f for f in judge_infarction(make_case(leads={"V5": Q}, missing=("V4",)), None)}
    assert (found["QWAVE"].status, found["ALMI"].status) == ("unknown", "unknown")


def test_two_infarctions_are_both_named_each_by_its_leads(make_case):
    """Beside Q waves in the chest leads, an inferior infarction was never named."""
    leads = {"II": Q, "III": Q, "aVF": Q, "V1": QS, "V2": QS, "V3": QS}
    assert present(make_case(leads=leads)) == {"QWAVE", "IMI", "ASMI"}
    found = {f.code: f for f in judge_infarction(make_case(leads=leads), None)}
    assert {item.lead for item in found["IMI"].evidence} == {"II", "III", "aVF"}
    assert {item.lead for item in found["ASMI"].evidence} <= {"V1", "V2", "V3"}
    lost = {"II": Q, "III": Q, "aVF": Q, "V3": {"qrs_max_mv": 0.1}}
    assert present(make_case(leads=lost)) == {"QWAVE", "IMI", "ASMI"}


@pytest.mark.parametrize(
    ("first", "late", "found"), [(0.03, 0.1, True), (0.03, 0.16, False), (0.06, 0.1, False)]
)
def test_a_small_late_r_makes_no_rs_of_a_qs(make_case, first, late, found):
    """PTB-XL 617: QS in V1 and V2, an R' of 0.12 mV behind it, and a "normal ECG"."""
    qs = {"r_mv": first, "r2_mv": late, "qrs_max_mv": max(first, late), "qrs_min_mv": -1.5}
    assert ("QWAVE" in present(make_case(leads={"V1": qs, "V2": qs}))) is found
    # In the limb leads nothing is late enough to be an R' of the right ventricle.
    limb = dict.fromkeys(("II", "III", "aVF"), qs)
    assert "QWAVE" not in present(make_case(leads=limb))


@pytest.mark.parametrize(("r2", "rule"), [(0.03, "QS complex"), (0.12, "QS complex, R′ behind it")])
def test_the_check_of_texts_sees_the_same_qs_as_the_criterion(make_case, r2, rule):
    """Its own limit took no R' for one: Q waves that the report had found were no Q waves."""
    qs = {"r_mv": 0.03, "qrs_max_mv": r2, "qrs_min_mv": -1.5, "q_mv": -0.05, "q_ms": 12.0}
    case = make_case(leads={"V1": qs, "V2": qs})
    found = next(f for f in judge_infarction(case, None) if f.code == "QWAVE")
    assert found.evidence[0].criterion == rule
    leads = {"V2": {name: Quantity(value, "mV") for name, value in qs.items()}}
    assert lead_shows("QWAVE", "V2", Facts(leads=leads)) is True
    leads["V2"]["r_mv"] = Quantity(0.06, "mV")
    assert lead_shows("QWAVE", "V2", Facts(leads=leads)) is False
