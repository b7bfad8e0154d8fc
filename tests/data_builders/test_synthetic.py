"""The simulator as a whole: what is set comes out, and the same seed gives the same bits."""

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import (
    draw_conditions,
    generate,
    random_ecg,
    synthetic_ecg,
)
from ecg_llm.data_builders.synthetic_entry import Condition
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12


@pytest.mark.parametrize("fs", [100, 250, 500, 1000])
@pytest.mark.parametrize("bpm", [45, 70, 120])
def test_set_intervals_are_in_the_marks(fs, bpm):
    ecg = synthetic_ecg(
        bpm=bpm, fs=fs, pr_ms=172, qrs_ms=96, qtc_ms=420, variability=0, seed=3, seconds=8
    )
    marks = ecg.truth.delineation
    assert ecg.record.n_samples == 8 * fs
    whole = ~np.isnan(marks.global_s).any(axis=1)

    def length(first, last):
        return (marks.column(last) - marks.column(first))[whole] * 1000

    np.testing.assert_allclose(length("p_on", "qrs_on"), 172, atol=0.01)
    np.testing.assert_allclose(length("qrs_on", "qrs_off"), 96, atol=0.01)
    np.testing.assert_allclose(length("qrs_on", "t_off"), 420 * (60 / bpm) ** (1 / 3), atol=0.5)
    np.testing.assert_allclose(np.diff(marks.column("qrs_on")) * 1000, 60000 / bpm, atol=0.01)
    assert ecg.truth.values["pr_ms"] == pytest.approx(172, abs=0.01)
    assert ecg.truth.values["qtc_fridericia_ms"] == pytest.approx(420, abs=0.5)


@pytest.mark.parametrize("axis", [-60, 0, 75, 130])
def test_the_set_axis_comes_out(axis):
    ecg = synthetic_ecg(qrs_axis_deg=axis, seed=5, variability=0)
    assert ecg.truth.values["qrs_axis_deg"] == pytest.approx(axis, abs=1)
    # and can be read from the signal: net areas of QRS in I and aVF
    on, off = (ecg.truth.delineation.column(name)[3] for name in ("qrs_on", "qrs_off"))
    qrs = ecg.record.segment(on - 0.005, off)
    read = np.rad2deg(np.arctan2(qrs.row("aVF").sum() * 2 / np.sqrt(3), qrs.row("I").sum()))
    assert (read - axis + 180) % 360 - 180 == pytest.approx(0, abs=8)


def test_limb_leads_obey_the_laws_exactly():
    for ecg in generate(10, seed=1, noise=False):
        row = dict(zip(STANDARD_12, ecg.record.signal.astype(float), strict=True))
        np.testing.assert_allclose(row["II"] - row["I"], row["III"], atol=2e-6)
        np.testing.assert_allclose(-(row["I"] + row["II"]) / 2, row["aVR"], atol=2e-6)
        np.testing.assert_allclose(row["I"] - row["II"] / 2, row["aVL"], atol=2e-6)
        np.testing.assert_allclose(row["II"] - row["I"] / 2, row["aVF"], atol=2e-6)


def test_marks_lie_where_the_signal_leaves_and_reaches_the_baseline():
    ecg = synthetic_ecg(bpm=60, fs=1000, seed=8, variability=0, spread=0)
    time = np.arange(ecg.record.n_samples) / 1000
    for k, lead in enumerate(ecg.record.leads):
        row = ecg.record.row(lead).astype(float)
        for on, peak, off in ecg.truth.delineation.times_s[k, 2:8, 3:6]:
            size = abs(np.interp(peak, time, row))
            assert abs(np.interp(on - 0.001, time, row)) < 0.03 * size + 0.012
            inside = np.abs(row[(time > on) & (time < on + 0.012)]).max()
            assert inside > abs(np.interp(on - 0.001, time, row))
            assert off > peak


def test_p_r_and_t_of_a_healthy_heart_point_where_they_should():
    r_progress, t_upright, p_upright = [], [], []
    for seed in range(30):
        mv = synthetic_ecg(seed=seed, variability=0, fs=100).truth.amplitudes_mv
        r, t, p = (mv[name][:, 3] for name in ("r", "t", "p"))
        r_progress.append(r[9] > r[6])
        t_upright.append(np.nanmin(t[[1, 10]]) > 0 and t[3] < 0)
        p_upright.append(p[1] > 0 and p[3] < 0)
    assert np.mean(r_progress) > 0.95
    assert np.mean(t_upright) > 0.9
    assert np.mean(p_upright) > 0.95


def test_true_amplitudes_are_those_of_the_signal():
    ecg = synthetic_ecg(bpm=60, fs=1000, seed=6, variability=0)
    marks, mv = ecg.truth.delineation, ecg.truth.amplitudes_mv
    for k, lead in enumerate(ecg.record.leads):
        row = ecg.record.row(lead)
        on, off = marks.global_s[3, 3], marks.global_s[3, 5]
        qrs = row[round(on * 1000) : round(off * 1000) - 8]
        assert max(mv["r"][k, 3], mv["r2"][k, 3]) == pytest.approx(max(qrs.max(), 0), abs=0.05)
        if not np.isnan(mv["t"][k, 3]):
            t_peak = row[round(marks.times_s[k, 3, 7] * 1000)]
            assert mv["t"][k, 3] == pytest.approx(t_peak, abs=0.03)


@pytest.mark.parametrize("fs", [100, 333.3, 1000])
@pytest.mark.parametrize("leads", [("II",), ("V5", "I"), STANDARD_12])
def test_any_rate_and_lead_subset_show_the_same_heart(fs, leads):
    ecg = synthetic_ecg(seed=9, fs=fs, leads=leads)
    full = synthetic_ecg(seed=9, fs=fs)
    for lead in leads:
        np.testing.assert_array_equal(ecg.record.row(lead), full.record.row(lead))
    assert ecg.truth.delineation.leads == tuple(leads)
    np.testing.assert_array_equal(
        ecg.truth.delineation.column("t_off", leads[0]),
        full.truth.delineation.column("t_off", leads[0]),
    )
    np.testing.assert_array_equal(ecg.truth.complete.global_s, full.truth.complete.global_s)


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not():
    for seed in range(5):
        one, again = random_ecg(seed, rare=0.5), random_ecg(seed, rare=0.5)
        np.testing.assert_array_equal(one.record.signal, again.record.signal)
        assert one.truth.labels == again.truth.labels
    assert not np.array_equal(random_ecg(1).record.signal, random_ecg(2).record.signal)


def test_a_record_of_a_set_does_not_depend_on_how_many_are_made():
    few, more = list(generate(2, seed=3)), list(generate(4, seed=3))
    np.testing.assert_array_equal(few[1].record.signal, more[1].record.signal)


def test_sets_are_varied_and_their_labels_agree_with_the_truth():
    seen = set()
    for ecg in generate(80, seed=5, rare=0.6, noise=False, fs=250):
        values, labels = ecg.truth.values, set(ecg.truth.labels)
        seen |= labels
        assert np.isfinite(ecg.record.signal).all()
        assert np.abs(ecg.record.signal).max() < 8
        if labels & {"CRBBB", "CLBBB", "IVCD"} and values["qrs_ms"] == values["qrs_ms"]:
            assert values["qrs_ms"] >= 119
        if "1AVB" in labels:
            assert values["pr_ms"] > 200
        if "LAFB" in labels and not labels & {"CRBBB", "IVCD"}:
            assert "left_axis_deviation" in labels
        if "STACH" in labels:
            assert values["heart_rate_bpm"] > 100
        if "AFIB" in labels:
            assert len(ecg.truth.complete.p_waves_s) == 0
        if "NORM" in labels:
            assert labels <= {"NORM", "SR", "SARRH"}
            assert -30 <= values["qrs_axis_deg"] <= 95
    assert len(seen) > 45


def test_set_figures_make_their_statements_true():
    made = synthetic_ecg(pr_ms=240, qtc_ms=500, qrs_axis_deg=-50).truth
    assert {"1AVB", "LNGQT", "left_axis_deviation"} <= set(made.labels)
    assert "NORM" not in made.labels


def test_swaps_are_drawn_only_when_asked_for():
    asked = [ecg.truth.electrode_swap for ecg in generate(6, seed=2, fs=100, swaps=1.0)]
    assert all(asked)
    assert not any(ecg.truth.electrode_swap for ecg in generate(6, seed=2, fs=100))


def test_the_values_within_leads_are_within_those_over_all_leads():
    values = synthetic_ecg(seed=4, variability=0).truth.values
    for name in ("p", "qrs"):
        assert 0.8 * values[f"{name}_ms"] < values[f"{name}_leads_ms"] <= values[f"{name}_ms"]


def test_waves_for_training_hold_every_wave_that_reaches_into_the_record():
    made = synthetic_ecg(rhythm="av_block3", seed=3).truth
    waves = made.waves_s()
    assert set(waves) == set(STANDARD_12)
    in_ii = waves["II"]["P"]
    assert len(in_ii) > 8  # none of them conducted
    assert (in_ii[:, 2] > 0).all()
    assert (in_ii[:, 0] < 10).all()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"fs": 0}, "positive"),
        ({"seconds": -1}, "positive"),
        ({"leads": ("I", "V9")}, "V9"),
        ({"leads": ("I", "I")}, "different"),
        ({"leads": ()}, "none"),
        ({"bpm": 900}, "900"),
    ],
)
def test_impossible_figures_are_refused(wrong, match):
    with pytest.raises(ConfigError, match=match):
        synthetic_ecg(**wrong)


def test_an_axis_is_named_as_it_came_out():
    """A block or a dead wall may turn what was set; some records were said to have both axes."""
    for seed in range(12):
        ecg = synthetic_ecg(conditions=("left_axis", "CRBBB"), seed=seed, seconds=4)
        named = "left_axis_deviation" in ecg.truth.labels
        assert named == (ecg.truth.values["qrs_axis_deg"] < -30)


def test_potassium_that_widens_qrs_leaves_no_incomplete_block():
    for seed in range(4):
        ecg = synthetic_ecg(
            conditions=("IRBBB", Condition("hyperkalaemia", 1.0)), seed=seed, seconds=4
        )
        assert ("IRBBB" in ecg.truth.labels) == (ecg.truth.values["qrs_ms"] < 120)


def test_low_voltage_does_not_hide_the_tall_p_that_is_named():
    rng, met = np.random.default_rng(0), 0
    for _ in range(1500):
        drawn = set(draw_conditions("sinus", rng, common=False))
        met += "RAO/RAE" in drawn
        assert not ("RAO/RAE" in drawn and drawn & {"LVOLT", "hyperkalaemia"})
    assert met > 50


def test_a_drawn_tachycardia_is_one():
    slow = [
        (k, ecg.truth.rhythm, ecg.truth.values["heart_rate_bpm"])
        for k in (1618, 1784, 1997)
        for ecg in [random_ecg(member_seed(k), fs=100, rare=1.0, noise=False)]
        if ecg.truth.rhythm in ("svt", "atrial_tachycardia", "vt")
        and ecg.truth.values["heart_rate_bpm"] <= 100
    ]
    assert not slow


def member_seed(k):
    return int(np.random.SeedSequence([77, k]).generate_state(1, np.uint32)[0])
