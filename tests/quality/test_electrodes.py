import numpy as np
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12, derive_limb_leads
from ecg_llm.quality.electrodes import LIMB_SWAPS, PRECORDIAL_SWAPS, SWAPS, swap_electrodes


def rows_from_potentials(ra, la, ll, chest):
    """The machine's leads, from the potentials at the ends of its cables."""
    terminal = (ra + la + ll) / 3
    limb = {"I": la - ra, "II": ll - ra}
    limb |= derive_limb_leads(limb)
    return limb | {f"V{k + 1}": site - terminal for k, site in enumerate(chest)}


@pytest.fixture
def body():
    rng = np.random.default_rng(4)
    return rng.normal(size=(9, 50)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "cables"),
    [
        ("RA-LA", (1, 0, 2)),
        ("RA-LL", (2, 1, 0)),
        ("LA-LL", (0, 2, 1)),
        ("RA-RL", (2, 1, 2)),
        ("LA-RL", (0, 2, 2)),
        ("LL-RL", (0, 1, 2)),
        ("arms-legs", (2, 2, 1)),
    ],
)
def test_limb_swaps_follow_the_potentials(body, kind, cables):
    before = rows_from_potentials(*body[:3], body[3:])
    truth = rows_from_potentials(*body[list(cables)], body[3:])
    got = swap_electrodes(before, kind)
    for name in STANDARD_12:
        np.testing.assert_allclose(got[name], truth[name], atol=1e-5)


@pytest.mark.parametrize("kind", [k for k in SWAPS if "RL" not in k and k != "arms-legs"])
def test_an_exchange_made_twice_is_none(body, kind):
    before = rows_from_potentials(*body[:3], body[3:])
    after = swap_electrodes(swap_electrodes(before, kind), kind)
    for name in STANDARD_12:
        np.testing.assert_allclose(after[name], before[name], atol=1e-5)


def test_a_chest_swap_moves_only_what_it_names(body):
    before = rows_from_potentials(*body[:3], body[3:])
    after = swap_electrodes(before, "V2-V3")
    assert list(after) == list(before)
    np.testing.assert_array_equal(after["V2"], before["V3"])
    np.testing.assert_array_equal(after["V3"], before["V2"])
    np.testing.assert_array_equal(after["V1"], before["V1"])


@pytest.mark.parametrize("kind", ["RA-V1", ""])
def test_an_unknown_exchange_is_refused(body, kind):
    with pytest.raises(ConfigError, match="not known"):
        swap_electrodes({"I": body[0], "II": body[1]}, kind)


def test_leads_that_do_not_determine_the_exchange_are_refused(body):
    with pytest.raises(ConfigError, match="two of I, II and III"):
        swap_electrodes({"I": body[0], "V1": body[1]}, LIMB_SWAPS[0])
    with pytest.raises(ConfigError, match="needs V2"):
        swap_electrodes({"V1": body[1]}, PRECORDIAL_SWAPS[0])
