"""Electrodes in the wrong place, and a heart on the other side."""

import pytest

from ecg_llm.findings.technical import MIRRORED, judge_technical


@pytest.mark.parametrize(
    ("p_axis", "qrs_axis", "status"),
    [
        (130.0, 150.0, "present"),
        (-150.0, -120.0, "present"),
        (50.0, 150.0, "absent"),  # right axis deviation
        (-120.0, 40.0, "absent"),  # atria driven from below
        (None, 150.0, "absent"),
    ],
)
def test_p_and_qrs_away_from_lead_i(make_case, p_axis, qrs_axis, status):
    """A third of simulated swaps of the arm electrodes passed as a right axis without a rhythm."""
    (found,) = judge_technical(make_case({"p_axis_deg": p_axis, "qrs_axis_deg": qrs_axis}))
    assert found.status == status
    assert status == "absent" or found.evidence[0].quantity == MIRRORED


@pytest.mark.parametrize("missing", ["V3", "I"])
def test_exchanges_are_left_open_where_leads_are_missing(make_case, missing):
    """A recording of lead II alone was said to have no exchanged electrodes."""
    limb = ("I", "III", "aVR", "aVL", "aVF")
    gone = limb if missing == "I" else (missing,)
    (found,) = judge_technical(make_case(missing=gone))
    assert found.status == "unknown"
    assert f"lead {missing} cannot be read" in (found.reason or "")
