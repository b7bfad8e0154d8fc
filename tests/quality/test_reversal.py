import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.leads import STANDARD_12
from ecg_llm.quality import assess
from ecg_llm.quality.electrodes import swap_electrodes
from ecg_llm.record import ECGRecord

SEEDS = range(6)


def intact(seed):
    """A patient near the textbook: few signs speak against an exchange."""
    return synthetic_ecg(rhythm="sinus", bpm=70, fs=500.0, seed=seed, spread=0.2).record


def rebuilt(record, rows, derived=()):
    signal = np.stack([rows[name] for name in record.leads])
    return ECGRecord(signal=signal, fs=record.fs, leads=record.leads, derived=derived)


def rows_of(record):
    return dict(zip(record.leads, record.signal, strict=True))


def kinds(record):
    return {suspicion.kind for suspicion in assess(record).suspicions}


def test_intact_records_raise_no_suspicion():
    alarms = [kinds(intact(seed)) for seed in range(20)]
    assert sum(map(bool, alarms)) <= 1, alarms


@pytest.mark.parametrize(
    ("swap", "kind"),
    [
        ("RA-LA", "RA-LA reversal"),
        ("RA-RL", "RA-RL reversal"),
        ("arms-legs", "arm and leg cables exchanged"),
        ("V1-V6 reversed", "V1-V6 in reverse order"),
    ],
)
def test_exchanged_electrodes_are_suspected(swap, kind):
    swapped = [rebuilt(intact(s), swap_electrodes(rows_of(intact(s)), swap)) for s in SEEDS]
    found = [kinds(record) for record in swapped]
    assert sum(kind in one for one in found) >= 4, found


def test_an_inverted_record_is_suspected():
    found = [
        kinds(rebuilt(intact(s), {k: -v for k, v in rows_of(intact(s)).items()})) for s in SEEDS
    ]
    assert sum("record upside down" in one for one in found) >= 4, found


def test_dextrocardia_is_named_beside_arm_reversal():
    record = intact(1)
    rows = swap_electrodes(rows_of(record), "RA-LA")
    for name, share in zip(STANDARD_12[6:], (1.0, 0.8, 0.6, 0.4, 0.3, 0.2), strict=True):
        rows[name] = -0.5 * record.row("V1") * np.float32(share)
    named = [s for s in assess(rebuilt(record, rows)).suspicions if "RA-LA" in s.kind]
    assert all("dextrocardia" in s.kind for s in named)


@pytest.mark.parametrize(("a", "b"), [("aVL", "aVF"), ("II", "III"), ("I", "aVR")])
def test_exchanged_rows_are_named(a, b):
    rows = rows_of(intact(0))
    rows[a], rows[b] = rows[b], rows[a]
    (found,) = assess(rebuilt(intact(0), rows)).suspicions
    assert set(found.leads) == {a, b}
    assert "exchanged" in found.kind


def test_an_inverted_row_is_named():
    rows = rows_of(intact(0))
    rows["aVL"] = -rows["aVL"]
    (found,) = assess(rebuilt(intact(0), rows)).suspicions
    assert found.kind == "row aVL inverted"


@pytest.mark.parametrize("lead", ["V5", "V6"])
def test_a_chest_lead_against_both_its_neighbours_is_named(lead):
    rows = rows_of(intact(0))
    rows[lead] = -rows[lead]
    found = [s for s in assess(rebuilt(intact(0), rows)).suspicions if s.leads == (lead,)]
    assert [s.kind for s in found] == [f"row {lead} inverted"]


def test_rows_with_gains_of_their_own_are_not_called_misplaced():
    rows = {
        k: v * g
        for (k, v), g in zip(rows_of(intact(0)).items(), np.linspace(0.4, 3, 12), strict=True)
    }
    found = kinds(rebuilt(intact(0), rows))
    assert "limb row gains differ" in found
    assert not any("exchanged" in kind or "inconsistent" in kind for kind in found)


def test_a_doubled_row_is_named():
    rows = rows_of(intact(0))
    rows["V5"] = rows["V4"].copy()
    found = [s for s in assess(rebuilt(intact(0), rows)).suspicions if s.kind == "doubled row"]
    assert [s.leads for s in found] == [("V4", "V5")]


def test_rows_that_are_all_alike_are_one_suspicion():
    """One channel written twelve times gave 66 of them, eight in the alert."""
    record = intact(0)
    alike = rebuilt(record, dict.fromkeys(record.leads, record.row("II")))
    (found,) = (s for s in assess(alike).suspicions if s.kind == "doubled row")
    assert found.leads == record.leads
    assert found.explanation.endswith("V5 and V6 hold the same samples.")


def test_every_suspicion_explains_itself():
    record = rebuilt(intact(2), swap_electrodes(rows_of(intact(2)), "RA-LA"))
    for suspicion in assess(record).suspicions:
        assert 0 < suspicion.score <= 1
        assert suspicion.explanation.endswith(".")
        assert suspicion.leads[0] in suspicion.explanation
