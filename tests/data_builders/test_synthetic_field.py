import numpy as np
import pytest

from ecg_llm.data_builders.synthetic_field import (
    DOWER,
    SITE_NAMES,
    TO_12,
    Geometry,
    lead_fields,
    rotation,
)
from ecg_llm.leads import STANDARD_12, derive_limb_leads


def test_the_twelve_leads_obey_einthoven_and_goldberger():
    eight = np.random.default_rng(0).standard_normal((8, 50))
    twelve = dict(zip(STANDARD_12, TO_12 @ eight, strict=True))
    derived = derive_limb_leads({"I": twelve["I"], "II": twelve["II"]})
    for lead, row in derived.items():
        np.testing.assert_allclose(twelve[lead], row, atol=1e-12)


def test_the_centre_sees_dowers_matrix_and_a_source_near_a_lead_is_larger_there():
    fields = lead_fields(Geometry())
    np.testing.assert_allclose(fields[0], DOWER)
    strength = np.linalg.norm(fields, axis=2)
    v1, v2, v6 = 2, 3, 7
    assert strength[SITE_NAMES.index("outflow"), v1] > 1.2 * strength[0, v1]
    assert strength[SITE_NAMES.index("anterior"), v2] > 1.2 * strength[0, v2]
    assert strength[SITE_NAMES.index("lateral"), v6] > strength[0, v6]
    assert strength[SITE_NAMES.index("posterior"), v2] < strength[0, v2]


@pytest.mark.parametrize("roll", [-40, 25])
def test_rolling_the_heart_turns_the_frontal_axis(roll):
    before = lead_fields(Geometry())[0] @ [1.0, 0.4, 0.0]
    after = lead_fields(Geometry(roll_deg=roll))[0] @ [1.0, 0.4, 0.0]

    def axis(lead: np.ndarray) -> float:
        return float(np.rad2deg(np.arctan2((lead[1] - lead[0] / 2) * 2 / np.sqrt(3), lead[0])))

    # Dower's leads see the foot more strongly than the left, which stretches angles near lead I.
    assert 0.6 < (axis(after) - axis(before)) / roll < 2.2


def test_a_rotation_keeps_lengths():
    matrix = rotation(33, -21)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
