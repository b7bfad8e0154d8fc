import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.delineate import FIDUCIALS, decode, delineate
from ecg_llm.eval.delineation import record_intervals_ms
from ecg_llm.io import read_record
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.waves import NET_FS


def boxes(waves: dict[str, list[tuple[float, float]]], seconds: float = 6.0) -> np.ndarray:
    """Probabilities of a net that is sure: ramps of 20 ms around each boundary."""
    t = np.arange(round(seconds * NET_FS)) / NET_FS
    out = np.zeros((2, 3, len(t)), np.float32)
    for k, wave in enumerate(("P", "QRS", "T")):
        for on, off in waves[wave]:
            rise, fall = (t - on) / 0.02 + 0.5, (off - t) / 0.02 + 0.5
            out[:, k] = np.maximum(out[:, k], np.clip(np.minimum(rise, fall), 0, 1))
    return out


def test_boundaries_lie_where_the_net_is_undecided() -> None:
    waves = {"P": [(1.0, 1.1)], "QRS": [(1.163, 1.251)], "T": [(1.4, 1.6)]}
    probability = boxes(waves)
    signal = np.ones((2, probability.shape[2]), np.float32)
    read = decode(signal, probability, ("I", "II"))
    got = {name: float(read.column(name, "II")[0]) for name in FIDUCIALS}
    assert got["p_on"] == pytest.approx(1.0, abs=2e-3)
    assert got["qrs_on"] == pytest.approx(1.163, abs=2e-3)
    assert got["qrs_off"] == pytest.approx(1.251, abs=2e-3)
    assert got["t_off"] == pytest.approx(1.6, abs=2e-3)


def test_a_p_wave_without_a_beat_is_kept_apart() -> None:
    waves = {"P": [(0.8, 0.9), (1.8, 1.9), (2.8, 2.9)], "QRS": [(1.0, 1.1), (3.0, 3.1)], "T": []}
    probability = boxes(waves)
    read = decode(np.ones((2, probability.shape[2]), np.float32), probability, ("I", "II"))
    assert read.n_beats == 2
    assert len(read.p_waves_s) == 3
    assert read.column("p_on")[1] == pytest.approx(2.8, abs=2e-3)


@pytest.mark.parametrize("spike", [(0.98, 1.02), (1.58, 1.62)])
def test_a_pacing_spike_beside_a_beat_is_no_beat(spike: tuple[float, float]) -> None:
    """The spike of an atrial pacemaker counted as a beat made 68 bpm of 61 (LUDB 45)."""
    probability = boxes({"P": [], "QRS": sorted([spike, (1.2, 1.4), (2.2, 2.4)]), "T": []})
    read = decode(np.ones((2, probability.shape[2]), np.float32), probability, ("I", "II"))
    np.testing.assert_allclose(read.r_s, [1.3, 2.3], atol=2e-3)


@pytest.mark.parametrize(("n_showing", "shared"), [(1, False), (2, True)])
def test_a_p_wave_too_flat_for_some_leads_has_the_times_of_the_others(
    n_showing: int, shared: bool
) -> None:
    one = boxes({"P": [(1.0, 1.1)], "QRS": [(1.2, 1.3)], "T": [(1.4, 1.6)]})[:1]
    probability = np.repeat(one, 4, axis=0)
    probability[n_showing:, [0, 2]] *= 0.45  # below the level of a lead
    read = decode(np.ones((4, one.shape[2]), np.float32), probability, ("I", "II", "III", "aVR"))
    there = read.column("p_on", "aVR")[0] == read.column("p_on", "I")[0]
    assert there == shared
    assert np.isnan(read.column("t_on", "aVR")).all()  # a flat T wave is not made up


def test_nothing_is_found_where_nothing_is() -> None:
    read = decode(np.zeros((1, 3000), np.float32), np.zeros((1, 3, 3000), np.float32), ("I",))
    assert read.n_beats == 0
    assert read.times_s.shape == (1, 0, 9)
    assert not len(read.p_waves_s)


@pytest.mark.parametrize("fs", [100.0, 250.0, 500.0, 1000.0])
@pytest.mark.parametrize("bpm", [45, 75, 140])
def test_every_beat_of_a_known_rhythm_is_found_at_every_rate(fs: float, bpm: int) -> None:
    ecg = synthetic_ecg(bpm=bpm, fs=fs, seed=bpm)
    read, truth = delineate(ecg.record), ecg.truth.delineation.r_s
    inner = truth[(truth > 0.3) & (truth < 9.7)]
    assert all(np.abs(read.r_s - r).min() < 0.06 for r in inner)
    assert all(np.abs(truth - r).min() < 0.06 for r in read.r_s)


@pytest.mark.parametrize("leads", [("I",), ("II", "V1", "V5"), STANDARD_12[:6], ("V2", "X")])
def test_any_leads_will_do(leads: tuple[str, ...]) -> None:
    full = synthetic_ecg(bpm=70, seed=3).record
    rows = np.stack([full.row("V6" if lead == "X" else lead) for lead in leads])
    read = delineate(ECGRecord(signal=rows, fs=full.fs, leads=leads))
    assert read.times_s.shape == (len(leads), read.n_beats, 9)
    assert 10 <= read.n_beats <= 12


def test_the_gain_does_not_matter() -> None:
    record = synthetic_ecg(bpm=70, seed=3).record
    tenth = ECGRecord(signal=record.signal / 10, fs=record.fs, leads=record.leads)
    np.testing.assert_allclose(delineate(tenth).times_s, delineate(record).times_s, atol=1e-3)


def test_intervals_of_a_simulated_record_are_near_the_set_ones() -> None:
    ecg = synthetic_ecg(bpm=70, pr_ms=170, qrs_ms=90, qtc_ms=420, seed=5)
    read = record_intervals_ms(delineate(ecg.record).times_s)
    truth = record_intervals_ms(ecg.truth.delineation.times_s)
    assert read["PR"] == pytest.approx(truth["PR"], abs=15)
    assert read["QRS"] == pytest.approx(truth["QRS"], abs=15)
    assert read["QT"] == pytest.approx(truth["QT"], abs=25)


def test_fibrillation_has_no_p_waves() -> None:
    found = [delineate(synthetic_ecg(rhythm="af", seed=s).record) for s in range(4)]
    share = sum(np.isfinite(f.column("p_on")).sum() for f in found) / sum(f.n_beats for f in found)
    assert share < 0.2


def test_a_p_wave_far_before_a_qrs_is_not_its_own():
    """A retrograde P behind the QRS before gave a PR of 1,044 ms and first-degree AV block."""
    found = delineate(synthetic_ecg(rhythm="junctional", seed=1).record)
    assert len(found.p_waves_s) > 3
    assert np.isnan(found.column("p_on")).all()


def test_a_qrs_cut_by_the_end_is_no_earlier_narrower_one() -> None:
    """What the net saw of it before the end was a beat 50 ms too early."""
    record = read_record("examples/00385_hr.hea")
    whole, cut = delineate(record).r_s, delineate(record.segment(0, 9)).r_s
    assert 8.95 < whole[len(cut)] < 9.05
    np.testing.assert_allclose(cut, whole[: len(cut)], atol=0.01)
