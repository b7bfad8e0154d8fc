"""Conditions do what they should, over patients who differ."""

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.data_builders.synthetic_conditions import CATALOGUE
from ecg_llm.data_builders.synthetic_entry import Condition
from ecg_llm.leads import STANDARD_12

SEEDS = range(6)


def case(code, seed, amount=None, **options):
    made = synthetic_ecg(conditions=[Condition(code, amount)], seed=seed, fs=250, **options).truth
    amplitudes = {
        name: dict(zip(STANDARD_12, np.median(rows, axis=1), strict=True))
        for name, rows in made.amplitudes_mv.items()
    }
    return made, amplitudes


def share(hits):
    return np.mean(list(hits))


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_condition_draws_and_names_itself(code):
    ecg = synthetic_ecg(conditions=[code], seed=1, fs=250)
    assert np.isfinite(ecg.record.signal).all()
    assert np.abs(ecg.record.signal).max() < 6
    assert set(CATALOGUE[code].labels) <= set(ecg.truth.labels)
    assert "NORM" not in ecg.truth.labels


def test_left_bundle_block_is_broad_in_i_and_v6_and_negative_in_v1():
    for seed in SEEDS:
        made, mv = case("CLBBB", seed)
        assert made.values["qrs_ms"] >= 120
        assert mv["r"]["V6"] > 0.3
        assert mv["r"]["I"] > 0.2
        assert abs(mv["q"]["V6"]) < 0.05
        deepest = min(mv["s"]["V1"], mv["q"]["V1"])
        assert deepest < -0.4
        assert mv["r"]["V1"] < 0.35 * -deepest
        assert mv["t"]["V6"] < 0 < mv["t"]["V1"]  # against QRS


def test_right_bundle_block_has_a_late_r_in_v1_and_a_wide_s_in_i_and_v6():
    for seed in SEEDS:
        made, mv = case("CRBBB", seed)
        assert made.values["qrs_ms"] >= 120
        assert max(mv["r2"]["V1"], mv["r"]["V1"]) > 0.25
        assert mv["s"]["I"] < -0.05
        assert mv["s"]["V6"] < -0.15
    assert share(case("CRBBB", seed)[1]["r2"]["V1"] > 0.2 for seed in SEEDS) > 0.7


def test_fascicular_blocks_turn_the_axis():
    for seed in SEEDS:
        made, mv = case("LAFB", seed)
        assert -91 < made.values["qrs_axis_deg"] < -44
        assert mv["s"]["III"] < -0.2
        made, _ = case("LPFB", seed)
        assert 90 < made.values["qrs_axis_deg"] < 135
        assert made.values["qrs_ms"] < 120


def test_preexcitation_shortens_pr_and_widens_qrs():
    for seed in SEEDS:
        made, _ = case("WPW", seed)
        assert made.values["pr_ms"] < 120
        assert made.values["qrs_ms"] > 110


def test_first_degree_block_has_the_set_pr():
    made, _ = case("1AVB", 0, 260)
    assert made.values["pr_ms"] == pytest.approx(260, abs=0.5)


@pytest.mark.parametrize("voltage", [3.8, 5.2])
def test_hypertrophy_reaches_the_set_voltage(voltage):
    for seed in SEEDS:
        _, mv = case("LVH", seed, voltage, variability=0)
        sokolow = -min(mv["s"]["V1"], mv["q"]["V1"]) + max(mv["r"]["V5"], mv["r"]["V6"])
        assert sokolow == pytest.approx(voltage, rel=0.06)


def test_strain_depresses_st_and_inverts_t_laterally():
    assert share(case("LVH_strain", s)[1]["t"]["V6"] < 0 for s in SEEDS) > 0.8
    assert share(case("LVH_strain", s)[1]["st_j"]["V6"] < -0.02 for s in SEEDS) > 0.8


def test_right_hypertrophy_has_tall_r_in_v1_and_a_right_axis():
    for seed in SEEDS:
        made, _ = case("RVH", seed)
        assert made.values["qrs_axis_deg"] > 90
    assert (
        share(
            max(mv["r"]["V1"], mv["r2"]["V1"]) > -min(mv["s"]["V1"], -0.01)
            for _, mv in (case("RVH", seed) for seed in SEEDS)
        )
        > 0.7
    )


def test_atrial_enlargement():
    for seed in SEEDS:
        _, mv = case("RAO/RAE", seed, 0.3, variability=0)
        assert mv["p"]["II"] == pytest.approx(0.3, rel=0.03)
        made, _ = case("LAO/LAE", seed, 132)
        assert made.values["p_ms"] == pytest.approx(132, abs=3)


FACING = {
    "anterior": ("V2", "V3", "V4"),
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "anteroseptal": ("V1", "V2", "V3"),
}


@pytest.mark.parametrize("place", FACING)
def test_acute_infarction_lifts_st_by_the_set_amount_where_it_should(place):
    for seed in SEEDS:
        made, mv = case(f"mi_{place}_acute", seed, 0.3, variability=0)
        lifted = [mv["st_j"][lead] for lead in FACING[place]]
        assert max(lifted) == pytest.approx(0.3, abs=0.01)
        assert min(lifted) > 0.03
        assert f"stemi_{place}" in made.labels


def test_inferior_infarction_mirrors_in_avl_and_posterior_in_v1_to_v3():
    for seed in SEEDS:
        assert case("mi_inferior_acute", seed)[1]["st_j"]["aVL"] < -0.05
        mirrored = case("mi_posterior_acute", seed, 0.2)[1]["st_j"]
        assert min(mirrored[lead] for lead in ("V1", "V2", "V3")) < -0.1


def test_old_inferior_infarction_has_q_in_ii_iii_avf():
    deep = []
    for seed in range(12):
        _, mv = case("IMI", seed)
        for lead in ("III", "aVF"):
            deep.append(mv["q"][lead] < -max(0.1, 0.2 * mv["r"][lead]))
    assert np.mean(deep) > 0.85


def test_old_anterior_infarction_loses_r_in_v2_and_v3():
    with_q = []
    for seed in SEEDS:
        healthy = synthetic_ecg(seed=seed, fs=250).truth.amplitudes_mv["r"][7:9].mean()
        _, mv = case("AMI", seed)
        assert (mv["r"]["V2"] + mv["r"]["V3"]) / 2 < 0.75 * healthy
        with_q.append(min(mv["q"]["V2"], mv["q"]["V3"]) < -0.1)
    assert np.mean(with_q) > 0.7


def test_evolving_infarction_and_ischaemia_invert_t_in_their_territory():
    for seed in SEEDS:
        t = case("mi_inferior_evolving", seed, 0.35)[1]["t"]
        assert np.nanmean([t[lead] for lead in FACING["inferior"]]) < -0.15
        t = case("ISCAL", seed, 0.3)[1]["t"]
        assert np.nanmean([t[lead] for lead in ("I", "V4", "V5", "V6")]) < -0.12


def test_subendocardial_injury_depresses_st_by_the_set_amount():
    for seed in SEEDS:
        st = case("INJAL", seed, 0.2, variability=0)[1]["st_j"]
        leads = ("I", "aVL", "V3", "V4", "V5", "V6")
        assert min(st[lead] for lead in leads) == pytest.approx(-0.2, abs=0.01)
        assert st["aVR"] > min(st[lead] for lead in leads) + 0.1


def test_brugada_is_coved_in_v1_or_v2_and_gone_by_v5():
    for seed in SEEDS:
        _, mv = case("brugada1", seed, 0.3, variability=0)
        assert max(mv["st_j"]["V1"], mv["st_j"]["V2"]) == pytest.approx(0.3, abs=0.01)
        assert mv["st_j60"]["V1"] < mv["st_j"]["V1"]
        assert min(mv["t"]["V1"], mv["t"]["V2"]) < -0.05
        assert mv["st_j"]["V5"] < 0.05


def test_pericarditis_lifts_st_widely_and_depresses_avr():
    for seed in SEEDS:
        st = case("pericarditis", seed, 0.2)[1]["st_j"]
        assert sum(st[lead] > 0.03 for lead in ("I", "II", "aVF", "V4", "V5", "V6")) >= 5
        assert st["aVR"] < -0.05


def test_qt_conditions_have_the_set_qtc():
    assert case("LNGQT", 0, 520)[0].values["qtc_fridericia_ms"] == pytest.approx(520, abs=4)
    assert case("short_qt", 0, 310)[0].values["qtc_fridericia_ms"] == pytest.approx(310, abs=4)


def test_potassium_peaks_t_above_and_flattens_it_below():
    for seed in SEEDS:
        usual = synthetic_ecg(seed=seed, fs=250).truth.amplitudes_mv["t"][9].mean()
        assert case("hyperkalaemia", seed, 0.3)[1]["t"]["V4"] > 1.3 * usual
        assert not case("hypokalaemia", seed, 1.0)[1]["t"]["V4"] > 0.6 * usual
    assert case("hyperkalaemia", 1, 1.0)[0].values["qrs_ms"] > 110


def test_low_voltage_is_low_everywhere():
    for seed in SEEDS:
        made, _ = case("LVOLT", seed)
        height = {
            lead: np.ptp([made.amplitudes_mv[k][row].mean() for k in ("q", "r", "s", "r2")])
            for row, lead in enumerate(STANDARD_12)
        }
        assert max(height[lead] for lead in STANDARD_12[:6]) < 0.52
        assert max(height[lead] for lead in STANDARD_12[6:]) < 1.05
