from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.findings.apply import apply_criteria
from ecg_llm.findings.case import Case
from ecg_llm.findings.pacing import MAYBE_PACED, judge_pacing

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


def test_a_qrs_from_the_apex_without_p_waves_may_be_paced_at_any_rate(make_case):
    case = make_case({"qrs_ms": 130.0, "qrs_global_ms": 150.0}, APEX)
    case.measurements.delineation.global_s[:, :3] = np.nan
    pacing = judge_pacing(case)
    assert pacing.ventricular.holds is None and pacing.gate == MAYBE_PACED
    found = {f.code: f for f in apply_criteria(case.record, case.quality, case.measurements)}
    assert {found[code].reason for code in ("IVCD", "QWAVE", "STE_")} == {MAYBE_PACED}


@pytest.mark.parametrize(
    ("n", "qrs_s", "expected"), [(3, 0.1, None), (3, 0.13, True), (6, 0.1, True)]
)
def test_few_narrow_beats_behind_spikes_leave_pacing_open(make_case, n, qrs_s, expected):
    kinds = ["paced"] * n + ["normal"] * (10 - n)
    case = make_case({}, kinds=kinds, pacing_spikes_s=tuple(0.55 + 0.857 * np.arange(n)))
    delineation = case.measurements.delineation
    delineation.global_s[:, 5] = delineation.global_s[:, 3] + qrs_s
    assert judge_pacing(case).ventricular.holds is expected
