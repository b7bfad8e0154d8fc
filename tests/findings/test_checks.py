import pytest

from ecg_llm.findings.checks import (
    Check,
    all_of,
    any_of,
    at_least,
    at_least_n,
    judge,
    negated,
    opposite,
)

YES, NO, OPEN = Check(True), Check(False), Check(None, (), "not seen")


@pytest.mark.parametrize(
    ("checks", "expected"),
    [((YES, YES), True), ((YES, NO), False), ((YES, OPEN), None), ((NO, OPEN), False)],
)
def test_all_of_is_false_even_if_the_rest_is_unknown(checks, expected):
    assert all_of(*checks).holds is expected


@pytest.mark.parametrize(
    ("checks", "expected"),
    [((NO, NO), False), ((YES, OPEN), True), ((NO, OPEN), None)],
)
def test_any_of_is_unknown_if_the_unknown_could_decide(checks, expected):
    assert any_of(*checks).holds is expected


def test_at_least_n_counts_what_the_unknown_could_add():
    assert at_least_n(2, YES, OPEN, NO).holds is None
    assert at_least_n(2, YES, NO, NO).holds is False
    assert at_least_n(2, YES, YES, OPEN).holds is True


def test_an_unknown_check_stays_unknown_when_negated():
    assert opposite(OPEN) is OPEN
    assert opposite(YES).holds is False


def test_an_unknown_finding_carries_the_reason(make_case):
    case = make_case(values={"qrs_global_ms": None})
    finding = judge("IVCD", at_least(case, "qrs_global_ms", 110, "source"))
    assert finding.status == "unknown"
    assert finding.reason == "not measured"


def test_evidence_names_lead_time_value_rule_and_source(make_case):
    item = at_least(make_case(), "r_mv", 0.5, "a source", "V5").evidence[0]
    assert (item.lead, item.value, item.unit) == ("V5", 0.9, "mV")
    assert (item.criterion, item.source, item.quantity) == ("≥ 0.5 mV", "a source", "R amplitude")
    assert item.to_s - item.from_s == pytest.approx(0.09, abs=0.002)


def test_a_lead_that_cannot_be_read_says_so(make_case):
    check = at_least(make_case(missing=("V5",)), "r_mv", 0.5, "a source", "V5")
    assert check.holds is None
    assert check.reason == "lead V5 cannot be read (flat)"


@pytest.mark.parametrize(
    ("rule", "opposite_rule"),
    [
        ("> 100/min", "≤ 100/min"),
        ("≥ 2 and ≥ one in five", "not ≥ 2 and ≥ one in five"),
        ("220 to 350/min, of one frequency", "not 220 to 350/min, of one frequency"),
    ],
)
def test_the_opposite_of_a_rule_is_said_plainly(rule, opposite_rule):
    assert negated(rule) == opposite_rule
    assert negated(opposite_rule) == rule
