"""Names of leads, and the laws that bind the limb leads."""

from itertools import combinations

import numpy as np
import pytest

from ecg_llm.leads import LIMB_LEADS, canonical_lead, derive_limb_leads

LIMB = {"I": 0.6, "II": 1.0, "III": 0.4, "aVR": -0.8, "aVL": 0.1, "aVF": 0.7}


@pytest.mark.parametrize("pair", list(combinations(LIMB_LEADS, 2)), ids="-".join)
def test_any_two_limb_leads_give_the_other_four(pair):
    """Monitors that record I and aVF had neither II nor an axis."""
    rows = {name: np.full(3, LIMB[name], np.float32) for name in pair}
    found = derive_limb_leads(rows)
    assert set(found) == set(LIMB_LEADS) - set(pair)
    for name, row in found.items():
        assert row.dtype == np.float32
        assert row == pytest.approx(LIMB[name], abs=1e-6)


def test_one_limb_lead_gives_no_other():
    assert derive_limb_leads({"II": np.ones(3, np.float32)}) == {}


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        *(("Ableitung I", "I"), ("Abl. V1", "V1"), ("Dérivation II", "II"), ("EKG aVL", "aVL")),
        *(("Derivación III", "III"), ("Отведение V2", "V2"), ("\u0430VR", "aVR"), ("Ⅲ", "III")),
        *(("II导联", "II"), ("V_1", "V1"), ("V-6", "V6"), ("aVF-lead", "aVF"), ("LII", "II")),
        *(("2", None), ("ECG1", None), ("-aVR", None), ("V1-V2", None), ("V-10", None)),
    ],
)
def test_names_of_other_vendors_and_languages(name, lead):
    assert canonical_lead(name) == lead
