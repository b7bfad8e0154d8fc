"""Electrodes in the wrong place, and a heart on the other side."""

from dataclasses import replace

import pytest

from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.findings.technical import EXCHANGED, MIRRORED, doubt_exchanged, judge_technical
from ecg_llm.leads import LIMB_LEADS
from ecg_llm.quality import Suspicion

FACT = {
    "lead": None,
    "from_s": None,
    "to_s": None,
    "quantity": "QRS duration",
    "value": 130.0,
    "unit": "ms",
    "criterion": "≥ 120 ms",
    "source": "a source",
}


def made(code, section, *evidence):
    """Make a present finding."""
    known = STATEMENTS[code]
    return Finding(
        code=code,
        label=known.label,
        snomed=None,
        section=section,
        urgency="abnormal",
        status="present",
        evidence=evidence,
    )


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


def test_what_rests_on_exchanged_leads_is_in_doubt(make_case):
    """With right arm and leg exchanged a left anterior fascicular block was stated as sure."""
    suspicion = Suspicion(
        kind="RA-LL reversal", leads=LIMB_LEADS, explanation="II is upside down.", score=0.9
    )
    quality = replace(make_case().quality, suspicions=(suspicion,))
    axis = made("LAFB", "conduction", Evidence(**FACT | {"quantity": "QRS axis"}))
    chest = made("ASMI", "qrs", Evidence(**FACT | {"lead": "V2"}))
    limb = made("IMI", "qrs", Evidence(**FACT | {"lead": "III"}))
    rhythm = made("SR", "rhythm", Evidence(**FACT | {"quantity": "P axis"}))
    wide = made("CRBBB", "conduction", Evidence(**FACT))
    found = doubt_exchanged((axis, chest, limb, rhythm, wide), quality)
    assert [f.code for f in found if f.doubt == EXCHANGED] == ["LAFB", "IMI"]
    assert doubt_exchanged(found[1:2], make_case().quality) == found[1:2]


@pytest.mark.parametrize(
    ("kind", "leads", "status"),
    [
        ("row V1 inverted", ("V1",), "unknown"),
        ("row III inverted", ("III",), "present"),
        ("doubled row", ("V1", "V2"), "present"),
    ],
)
def test_without_beats_only_laws_show_exchanged_rows(make_case, kind, leads, status):
    """Beside torsades the electrodes were to be checked, as V1 went against its neighbours."""
    suspicion = Suspicion(kind=kind, leads=leads, explanation="So it looks.", score=0.9)
    case = make_case(suspicions=(suspicion,))
    (found,) = judge_technical(case, "no organized beats")
    assert found.status == status
