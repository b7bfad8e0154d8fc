import json
from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.amplitudes import measure_windows
from ecg_llm.analysis import analyse
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.delineate import FIDUCIALS
from ecg_llm.eval.stability import CHANGES
from ecg_llm.head_features import FEATURES, feature_row
from ecg_llm.intervals import frontal_axis
from ecg_llm.leads import STANDARD_12
from ecg_llm.measure import measure, no_beats
from ecg_llm.quality import LeadQuality, Quality, assess
from ecg_llm.signal import resample
from ecg_llm.windows import BeatWindows


def good_quality(record, **changes):
    lead = LeadQuality(usable=True, reasons=(), metrics={})
    settings = {
        "record": record.name,
        "verdict": "accept",
        "reasons": (),
        "score": 1.0,
        "leads": dict.fromkeys(record.leads, lead),
        "suspicions": (),
        "pacing_spikes_s": (),
        "from_s": 0.0,
        "to_s": record.duration_s,
    }
    return Quality(**(settings | changes))


def measured(made, **changes):
    quality = good_quality(made.record, pacing_spikes_s=made.truth.spikes_s)
    return measure(replace(made.record, **changes), quality, made.truth.delineation)


@pytest.mark.parametrize("fs", [100.0, 250.0, 500.0, 1000.0])
@pytest.mark.parametrize("bpm", [45, 75, 140])
def test_rates_and_intervals_of_a_known_record(fs, bpm):
    made = synthetic_ecg(bpm=bpm, fs=fs, seed=3)
    m = measured(made)
    assert m.value("heart_rate_bpm") == pytest.approx(made.truth.values["heart_rate_bpm"], abs=0.5)
    for name, within in (("pr_ms", 2), ("qrs_ms", 2), ("qt_ms", 2), ("p_ms", 2)):
        d = made.truth.delineation
        first, last = {
            "pr_ms": ("p_on", "qrs_on"),
            "qrs_ms": ("qrs_on", "qrs_off"),
            "qt_ms": ("qrs_on", "t_off"),
            "p_ms": ("p_on", "p_off"),
        }[name]
        pairs = d.times_s[..., FIDUCIALS.index(last)] - d.times_s[..., FIDUCIALS.index(first)]
        assert m.value(name) == pytest.approx(1000 * np.nanmedian(pairs), abs=within)


@pytest.mark.parametrize("fs", [100.0, 500.0])
def test_amplitudes_of_a_known_record(fs):
    made = synthetic_ecg(fs=fs, seed=5, variability=0.0)
    m = measured(made)
    for name in ("r", "s", "t", "st_j"):
        for row, lead in enumerate(STANDARD_12):
            known = made.truth.amplitudes_mv[name][row]
            true = np.median(known[np.isfinite(known)]) if np.isfinite(known).any() else np.nan
            got = m.value(f"{name}_mv", lead)
            if np.isfinite(true) and abs(true) > 0.1 and got is not None:
                assert got == pytest.approx(true, abs=0.06 + 0.05 * abs(true)), (name, lead)


@pytest.mark.parametrize("axis", [-60.0, 0.0, 45.0, 90.0])
def test_the_qrs_axis_turns_with_the_heart(axis):
    made = synthetic_ecg(qrs_axis_deg=axis, seed=2, spread=0.0)
    off = measured(made).value("qrs_axis_deg") - made.truth.values["qrs_axis_deg"]
    assert abs((off + 180) % 360 - 180) < 12


def test_a_wave_hardly_above_the_noise_has_no_axis():
    made = synthetic_ecg(bpm=75, seed=3)
    signal = made.record.signal.copy()
    signal[:6] *= 0.2
    m = measured(made, signal=signal)
    assert "too small" in m.values["p_axis_deg"].reason
    assert m.values["qrs_axis_deg"].known


def test_frontal_axis_scales_the_augmented_lead():
    assert frontal_axis(1.0, np.sqrt(3) / 2) == pytest.approx(45.0)
    assert frontal_axis(-1.0, 0.0) == pytest.approx(180.0)


@pytest.mark.parametrize(
    ("leads", "known"),
    [(("II", "III", "V1"), True), (("I", "aVF"), True), (("II", "V1", "V5"), False)],
)
def test_the_axis_needs_two_limb_leads(leads, known):
    m = measured(synthetic_ecg(leads=leads, seed=1))
    quantity = m.values["qrs_axis_deg"]
    assert quantity.known is known
    assert known or "limb leads" in quantity.reason


def test_without_gain_voltages_are_unknown_and_times_hold():
    made = synthetic_ecg(seed=1)
    m = measured(made, calibrated=False)
    assert "gain" in m.leads["V5"].summary["r_mv"].reason
    assert "gain" in m.values["qrs_axis_deg"].reason
    assert m.value("r_ms", "V5") is not None
    assert m.value("pr_ms") == measured(made).value("pr_ms")
    assert np.isnan(m.leads["V5"].per_beat["r_mv"]).all()


def test_json_holds_every_value_and_no_nan():
    m = measured(synthetic_ecg(rhythm="af", seed=1))
    document = json.loads(json.dumps(m.to_dict(), allow_nan=False))
    assert document["p_ms"]["value"] is None
    assert document["p_ms"]["reason"]
    assert set(document["qt_ms"]) == {"value", "unit", "reason", "method", "spread", "n"}
    assert len(document["beats"]) == len(document["leads"]["II"]["qrs_on"])
    assert len(document["leads"]["II"]["amplitudes"]["r_mv"]) == len(document["beats"])


def test_beats_of_a_bigeminy_are_told_apart():
    made = synthetic_ecg(conditions=["BIGU"], seed=2)
    kinds = [beat.kind for beat in measured(made).beats]
    true = [beat.kind for beat in made.truth.beats]
    agree = sum(a == b for a, b in zip(kinds, true, strict=True))
    assert agree >= len(true) - 1


def test_early_atrial_beats_are_supraventricular():
    made = synthetic_ecg(conditions=["PAC"], seed=4)
    kinds = [beat.kind for beat in measured(made).beats]
    true = [beat.kind for beat in made.truth.beats]
    assert "supraventricular" in true
    assert sum(a == b for a, b in zip(kinds, true, strict=True)) >= len(true) - 1


def test_most_fusion_beats_are_ventricular():
    """They were not classified, and the ECG was normal."""
    found = 0
    for seed in range(4):
        made = synthetic_ecg(conditions=["fusion_pvc"], seed=seed)
        kinds = [beat.kind for beat in measured(made).beats]
        true = [beat.kind for beat in made.truth.beats]
        found += any(a == b == "ventricular" for a, b in zip(kinds, true, strict=True))
        assert all(
            b == "ventricular" for a, b in zip(kinds, true, strict=True) if a == "ventricular"
        )
    assert found >= 3


def test_a_beat_that_the_end_of_the_record_cuts_off_is_no_fusion_beat():
    """PTB-XL 250 stands still from the middle of its last QRS on."""
    made = synthetic_ecg(seed=2)
    waves = made.truth.delineation
    r_s, off, on = waves.r_s[-2], FIDUCIALS.index("qrs_off"), FIDUCIALS.index("p_on")
    record = made.record.only(0.0, float(r_s) + 0.3)
    signal = record.signal.copy()
    signal[:, round(500 * r_s) :] = signal[:, [round(500 * r_s)]]
    times, together = waves.times_s[:, :-1].copy(), waves.global_s[:-1].copy()
    for row in (times[:, -1], together[-1]):
        row[..., off] += 0.05
        row[..., on] += 0.015
    waves = replace(waves, r_s=waves.r_s[:-1], times_s=times, global_s=together)
    record = replace(record, signal=signal)
    kinds = [beat.kind for beat in measure(record, good_quality(record), waves).beats]
    assert "ventricular" not in kinds


def test_a_block_that_comes_is_no_row_of_fusion_beats():
    plain = synthetic_ecg(seed=2, pr_ms=160)
    block = synthetic_ecg(seed=2, pr_ms=140, conditions=["CLBBB"])
    signal = plain.record.signal.copy()
    signal[:, 3000:] = block.record.signal[:, 3000:]
    waves, later = plain.truth.delineation, block.truth.delineation
    late = waves.r_s > 6.0
    waves = replace(
        waves,
        times_s=np.where(late[None, :, None], later.times_s, waves.times_s),
        global_s=np.where(late[:, None], later.global_s, waves.global_s),
    )
    made = replace(plain.record, signal=signal)
    kinds = [beat.kind for beat in measure(made, good_quality(made), waves).beats]
    assert kinds[-2] == "unknown" and "ventricular" not in kinds


def test_a_ventricular_beat_does_not_change_the_intervals():
    plain, disturbed = (synthetic_ecg(conditions=c, seed=4) for c in ((), ("PVC",)))
    assert "ventricular" in [beat.kind for beat in measured(disturbed).beats]
    assert measured(disturbed).value("qrs_ms") == pytest.approx(
        measured(plain).value("qrs_ms"), abs=4
    )


def test_a_gap_costs_only_its_own_beats():
    made = synthetic_ecg(seed=3)
    signal = made.record.signal.copy()
    signal[:, 1500:2200] = np.nan
    m = measured(made, signal=signal)
    whole = measured(made)
    assert m.value("r_mv", "V5") == pytest.approx(whole.value("r_mv", "V5"), abs=0.05)


def test_a_record_without_readable_lead_says_why_for_every_value():
    made = synthetic_ecg(seed=1)
    m = measure(made.record, good_quality(made.record), no_beats())
    assert m.beats == ()
    assert all(not quantity.known and quantity.reason for quantity in m.values.values())


def test_one_call_measures_a_record():
    made = synthetic_ecg(seed=7)
    m = measure(made.record)
    assert m.value("heart_rate_bpm") == pytest.approx(made.truth.values["heart_rate_bpm"], abs=1)
    assert m.value("pr_ms") == pytest.approx(made.truth.values["pr_ms"], abs=20)


def test_only_the_stretch_that_can_be_read_is_measured():
    made = synthetic_ecg(bpm=70, fs=250.0, seconds=40.0, seed=3)
    whole = measure(made.record)
    signal = made.record.signal.copy()
    signal[:, : 20 * 250] = np.random.default_rng(0).normal(0, 2, (12, 20 * 250))
    quality = assess(replace(made.record, signal=signal))
    part = measure(replace(made.record, signal=signal), quality)
    assert (part.from_s, part.to_s) == (quality.from_s, quality.to_s) == (20.0, 40.0)
    assert len(part.beats) == pytest.approx(len(whole.beats) / 2, abs=1)
    later = np.array([beat.r_s for beat in whole.beats if beat.r_s > 20.3])
    assert np.array([beat.r_s for beat in part.beats])[-len(later) :] == pytest.approx(
        later, abs=0.005
    )
    for name in ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms"):
        assert part.value(name) == pytest.approx(whole.value(name), rel=0.02)
    row = part.leads["II"].per_beat["p_on"]
    assert np.nanmin(row) > 20.0
    assert np.nanmax(part.delineation.p_waves_s) < 40.0


def test_findings_and_evidence_lie_in_the_stretch_that_can_be_read():
    made = synthetic_ecg(bpm=70, fs=250.0, seconds=40.0, seed=3)
    signal = made.record.signal.copy()
    signal[:, : 20 * 250] = np.random.default_rng(0).normal(0, 2, (12, 20 * 250))
    found = analyse(replace(made.record, signal=signal))
    stated = {finding.code for finding in found.findings if finding.status == "present"}
    clean = {f.code for f in analyse(made.record).findings if f.status == "present"}
    assert stated == clean
    times = [e.from_s for f in found.findings for e in f.evidence if e.from_s is not None]
    assert min(times) >= 20.0
    assert (found.readable.signal == found.record.signal[:, 20 * 250 :]).all()


def test_what_is_beyond_five_minutes_is_not_measured():
    made = synthetic_ecg(bpm=75, fs=100.0, seconds=30.0, seed=3)
    long = replace(made.record, signal=np.tile(made.record.signal, (1, 11)))
    m = measure(long)
    assert m.to_s == 300.0
    assert m.beats[-1].r_s < 300.0


def test_a_sample_that_was_not_recorded_does_not_move_the_isoelectric_line():
    made = synthetic_ecg(bpm=70, seed=3)
    shifted = made.record.signal + np.float32(1.0)
    holed = shifted.copy()
    onset_s = made.truth.delineation.global_s[:, FIDUCIALS.index("qrs_on")]
    for onset in onset_s[np.isfinite(onset_s)]:
        holed[6, round((onset - 0.012) * 500)] = np.nan
    whole, part = (measured(made, signal=signal) for signal in (shifted, holed))
    assert part.value("st_j_mv", "V1") == pytest.approx(whole.value("st_j_mv", "V1"), abs=0.01)


def test_what_a_steep_qrs_rings_with_at_a_low_rate_is_no_wave():
    t = np.arange(-1.0, 1.0, 0.002)
    steep = 3.0 * np.clip(1 - np.abs(t) / 0.024, 0, None)
    small_q = -0.3 * np.clip(1 - np.abs(t + 0.036) / 0.014, 0, None)
    fine = np.stack([steep, steep + small_q]).astype(np.float32)
    slow = resample(resample(fine, 500.0, 100.0), 100.0, 500.0)
    fiducials = np.full((2, 1, len(FIDUCIALS)), np.nan)
    fiducials[..., FIDUCIALS.index("qrs_on")] = -0.06
    fiducials[..., FIDUCIALS.index("qrs_off")] = 0.06
    inside = np.abs(t) <= 0.3
    names = [f"{wave}_mv" for wave in ("q", "r", "s", "r2", "s2")]
    for signal, fs in ((fine, 500.0), (slow, 100.0)):
        windows = BeatWindows(
            leads=("V3", "V4"),
            times_s=t[inside],
            signal=signal[:, None, inside],
            centres_s=np.zeros(1),
            fiducials_s=fiducials,
            recorded_fs=fs,
        )
        found = measure_windows(windows)
        waves = np.array([found[name][:, 0] for name in names])
        assert np.isfinite(waves).tolist() == [[False, True], [True, True], *[[False] * 2] * 3], fs
        assert waves[1] == pytest.approx(3.0, abs=0.35)


def test_a_single_value_has_no_spread():
    made = synthetic_ecg(bpm=40, seed=2)
    m = measure(made.record.segment(0.0, 3.0), good_quality(made.record.segment(0.0, 3.0)))
    assert len(m.beats) == 2
    assert (m.values["rr_ms"].n, m.values["rr_ms"].spread) == (1, None)
    assert m.values["qrs_ms"].spread is not None


@pytest.mark.parametrize(("late_mv", "peak_ms"), [(0.06, 50.0), (0.5, 110.0)])
def test_a_ripple_behind_r_does_not_end_the_time_to_the_r_peak(late_mv, peak_ms):
    t = np.arange(-0.3, 0.3, 0.002)
    parts = ((1.5, 0.0, 0.020), (-0.4, 0.036, 0.014), (late_mv, 0.060, 0.012))
    row = sum(mv * np.clip(1 - np.abs(t - at) / wide, 0, None) for mv, at, wide in parts)
    fiducials = np.full((1, 1, len(FIDUCIALS)), np.nan)
    fiducials[..., FIDUCIALS.index("qrs_on")] = -0.05
    fiducials[..., FIDUCIALS.index("qrs_off")] = 0.08
    windows = BeatWindows(
        leads=("V5",),
        times_s=t,
        signal=row[None, None].astype(np.float32),
        centres_s=np.zeros(1),
        fiducials_s=fiducials,
        recorded_fs=500.0,
    )
    found = measure_windows(windows)
    assert found["r2_mv"].item() == pytest.approx(late_mv, abs=0.02)
    assert found["r_peak_ms"].item() == pytest.approx(peak_ms, abs=3)


@pytest.mark.parametrize(
    ("disturbed_by", "value", "limit_mv"),
    [
        ("wander 0.3 mV", "t_mv", 0.003),
        ("wander 0.3 mV", "st_j60_mv", 0.001),
        ("50 Hz 20 µV", "p_mv", 0.002),
        ("50 Hz 20 µV", "p_neg_mv", 0.001),
        ("50 Hz 20 µV", "t_mv", 0.003),
    ],
)
def test_wander_and_hum_are_not_measured_with_the_waves(disturbed_by, value, limit_mv):
    """The baseline had corners at each beat, and a wave was as high as the hum upon it."""
    made = synthetic_ecg(bpm=75, seed=3)
    changed = CHANGES[disturbed_by](made.record, np.random.default_rng(1))
    before, after = measured(made), measured(made, signal=changed.signal)
    known = [lead for lead in STANDARD_12 if before.value(value, lead) is not None]
    moved = [after.value(value, lead) - before.value(value, lead) for lead in known]
    assert len(known) > 8
    assert np.median(np.abs(moved)) < limit_mv


def test_the_head_counts_the_beats_of_ten_seconds_whatever_the_length():
    """Twenty seconds had twice the beats of what heads learn, which moved their probabilities."""
    rows = []
    for seconds in (10.0, 20.0):
        made = synthetic_ecg(bpm=72, seed=3, seconds=seconds)
        row = feature_row(made.record, measured(made))
        rows.append(row[FEATURES.index("n_beats")])
    assert rows[0] == 12
    assert rows[1] == pytest.approx(12, abs=0.6)
