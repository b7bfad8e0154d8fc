import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.data_builders.synthetic_rhythm import RHYTHMS
from ecg_llm.errors import ConfigError


def truth(rhythm, seed=0, **options):
    return synthetic_ecg(rhythm=rhythm, seed=seed, leads=("II", "V1"), fs=250, **options).truth


def rr_ms(made):
    return np.diff(made.complete.global_s[:, 3]) * 1000


def p_to_qrs_ms(made):
    """PR of each conducted beat, NaN for the others."""
    return (made.complete.global_s[:, 3] - made.complete.global_s[:, 0]) * 1000


@pytest.mark.parametrize("bpm", [40, 75, 150])
def test_sinus_rate_is_the_one_set(bpm):
    assert truth("sinus", bpm=bpm).values["heart_rate_bpm"] == pytest.approx(bpm, rel=0.03)


def test_without_variability_sinus_rhythm_is_a_metronome():
    assert np.ptp(rr_ms(truth("sinus", variability=0))) < 1e-6


def test_sinus_arrhythmia_swings_more_than_120_ms():
    for seed in range(5):
        assert np.ptp(rr_ms(truth("sinus_arrhythmia", seed))) > 120


def test_fibrillation_is_irregular_and_has_no_p():
    for seed in range(5):
        made = truth("af", seed, seconds=60)
        intervals = rr_ms(made)
        assert 0.1 < intervals.std() / intervals.mean() < 0.35
        assert abs(np.corrcoef(intervals[1:], intervals[:-1])[0, 1]) < 0.35  # no memory
        assert len(made.complete.p_waves_s) == 0
        assert np.isnan(made.delineation.column("p_on")).all()


@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_flutter_rate_and_conduction(ratio):
    made = truth("flutter", bpm=290 / ratio, ratio=ratio)
    assert made.flutter_bpm == pytest.approx(290)
    assert made.values["heart_rate_bpm"] == pytest.approx(290 / ratio, rel=0.01)


def test_flutter_waves_have_their_rate_in_the_signal():
    ecg = synthetic_ecg(rhythm="flutter", bpm=75, ratio=4, leads=("II",), seed=2)
    spectrum = np.abs(np.fft.rfft(ecg.record.signal[0] - ecg.record.signal[0].mean()))
    hertz = np.fft.rfftfreq(ecg.record.n_samples, 1 / ecg.record.fs)
    band = (hertz > 4.4) & (hertz < 5.6)
    assert hertz[band][spectrum[band].argmax()] == pytest.approx(5.0, abs=0.11)


def test_wenckebach_prolongs_pr_until_a_beat_drops():
    made = truth("mobitz1", ratio=4, seconds=20)
    pr = p_to_qrs_ms(made)
    cycles = np.split(pr, np.flatnonzero(np.diff(pr) < 0) + 1)
    for cycle in cycles[1:-1]:
        assert len(cycle) == 3
        steps = np.diff(cycle)
        assert (steps > 15).all()
        assert steps[1] < steps[0]  # each step is smaller than the last
    assert (~made.p_conducted).sum() >= 3


@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_mobitz_two_drops_with_constant_pr(ratio):
    made = truth("mobitz2", ratio=ratio, seconds=20)
    assert np.nanstd(p_to_qrs_ms(made)) < 1e-6
    dropped = np.flatnonzero(~made.p_conducted)
    assert set(np.diff(dropped)) == {ratio}


def test_complete_block_dissociates():
    made = truth("av_block3", bpm=85, escape_bpm=36, seconds=30)
    assert made.values["heart_rate_bpm"] == pytest.approx(36, rel=0.02)
    p, qrs = made.complete.p_waves_s[:, 0], made.complete.global_s[:, 3]
    assert 60 / np.diff(p).mean() == pytest.approx(85, rel=0.03)
    assert not made.p_conducted.any()
    since = qrs - p[np.searchsorted(p, qrs) - 1]
    assert since.std() > 0.1  # no P to R relation
    assert {beat.kind for beat in made.beats} == {"ventricular"}
    assert made.p_hidden.any()


def test_ventricular_tachycardia_is_wide_fast_and_dissociated():
    made = truth("vt", bpm=170)
    assert made.values["qrs_ms"] >= 120
    assert made.values["heart_rate_bpm"] == pytest.approx(170, rel=0.02)
    assert len(made.p_conducted) > 5
    assert not made.p_conducted.any()


def test_dual_pacing_has_two_spikes_before_each_paced_beat():
    made = truth("paced_dual", bpm=60, pr_ms=170)
    spikes = np.array(made.spikes_s)
    for beat, on in zip(made.beats, made.delineation.column("qrs_on"), strict=True):
        assert beat.kind == "paced"
        before = on - spikes[(spikes < on) & (spikes > on - 0.3)]
        if on > 0.2:
            assert sorted(before.round(3)) == [0.004, 0.178]


def test_pause_is_at_least_two_seconds_long():
    for seed in range(5):
        assert rr_ms(truth("pause", seed)).max() > 2000


def test_bigeminy_alternates_and_trigeminy_takes_every_third():
    kinds = [beat.kind[0] for beat in truth("sinus", conditions=["BIGU"], seconds=20).beats]
    assert "".join(kinds[2:-2]).strip("v").replace("nv", "") in ("", "n")
    kinds = "".join(beat.kind[0] for beat in truth("sinus", conditions=["TRIGU"], seconds=20).beats)
    assert "nnvnnvnnv" in kinds


def test_a_premature_atrial_beat_is_early_narrow_and_resets_the_sinus():
    made = truth("sinus", conditions=["PAC"], seed=3, variability=0, seconds=30)
    kinds = [beat.kind for beat in made.beats]
    k = kinds.index("supraventricular")
    rr = np.diff(made.delineation.r_s)
    usual = np.median(rr)
    assert rr[k - 1] < 0.9 * usual
    assert rr[k - 1] + rr[k] < 1.98 * usual  # no full compensation
    width = made.delineation.column("qrs_off") - made.delineation.column("qrs_on")
    assert width[k] == pytest.approx(width[k - 1], abs=0.003)


def test_a_premature_ventricular_beat_is_wide_with_a_full_pause():
    made = truth("sinus", conditions=["PVC"], seed=3, variability=0, seconds=30)
    kinds = [beat.kind for beat in made.beats]
    k = kinds.index("ventricular")
    on = made.delineation.column("qrs_on")
    usual = np.median(np.diff(on))
    assert on[k] - on[k - 1] < 0.9 * usual
    assert on[k + 1] - on[k - 1] == pytest.approx(2 * usual, abs=0.005)
    assert (made.delineation.column("qrs_off") - on)[k] >= 0.12
    assert np.isnan(made.delineation.column("p_on")[k])


@pytest.mark.parametrize("pattern", ["PAC", "blocked_pac", "PVC", "couplets", "fusion_pvc"])
def test_a_named_pattern_is_always_in_the_record(pattern):
    for seed in range(6):
        made = truth("sinus", seed, conditions=[pattern])
        if pattern == "blocked_pac":
            assert "ectopic" in made.p_source
        elif pattern == "PAC":
            assert "supraventricular" in {beat.kind for beat in made.beats}
        else:
            assert "ventricular" in {beat.kind for beat in made.beats}


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_every_rhythm_draws_and_its_marks_are_in_order(rhythm):
    for seed in range(2):
        ecg = synthetic_ecg(rhythm=rhythm, seed=seed)
        assert np.isfinite(ecg.record.signal).all()
        rows = ecg.truth.complete.times_s
        for first in (0, 3, 6):
            on, peak, off = rows[..., first], rows[..., first + 1], rows[..., first + 2]
            assert (np.isnan(on) | ((on < peak) & (peak < off))).all()
        overall = ecg.truth.complete.global_s
        assert (np.diff(overall[:, 3]) > 0.2).all()
        t_off, following = overall[:-1, 8], overall[1:, 3]
        assert (np.isnan(t_off) | (t_off < following)).all()


def test_unknown_rhythms_and_impossible_pairs_are_refused():
    with pytest.raises(ConfigError, match="sinus"):
        synthetic_ecg(rhythm="sinsu")
    with pytest.raises(ConfigError, match="not be seen"):
        synthetic_ecg(rhythm="vt", conditions=["CRBBB"])
    with pytest.raises(ConfigError, match="1AVB"):
        synthetic_ecg(rhythm="af", conditions=["1AVB"])
    with pytest.raises(ConfigError, match="can have one of"):
        synthetic_ecg(rhythm="flutter", conditions=["PVC"])
    with pytest.raises(ConfigError, match="No condition"):
        synthetic_ecg(conditions=["CRBB"])


def test_without_variability_the_atria_under_a_pacemaker_are_a_metronome_too():
    ecg = synthetic_ecg(rhythm="paced_ventricular", variability=0, seed=3)
    p = np.sort(ecg.truth.complete.p_waves_s[:, 0])
    assert np.ptp(np.diff(p)) < 1e-6
