from dataclasses import replace

import pytest

from ecg_llm.findings.case import Case
from ecg_llm.findings.pacing import judge_pacing

APEX = {lead: {"qrs_max_mv": 0.2, "qrs_min_mv": -1.2} for lead in ("II", "III", "aVF", "V1", "V6")}


def status(case, fs):
    slower = Case(replace(case.record, fs=fs), case.quality, case.measurements)
    return judge_pacing(slower).findings[0].status


@pytest.mark.parametrize(
    ("fs", "qrs", "expected"),
    [(100.0, 139.0, "absent"), (100.0, 140.0, "unknown"), (250.0, 140.0, "absent")],
)
def test_a_wide_qrs_from_the_apex_may_hide_its_spikes_at_100_hz(make_case, fs, qrs, expected):
    case = make_case({"qrs_ms": 130.0, "qrs_global_ms": qrs}, APEX)
    assert status(case, fs) == expected


def test_a_block_pattern_hides_no_spikes(make_case):
    upright = APEX | {"V6": {"qrs_max_mv": 1.2, "qrs_min_mv": -0.1}}
    assert status(make_case({"qrs_ms": 140.0, "qrs_global_ms": 150.0}, upright), 100.0) == "absent"
