import numpy as np
import pytest

from ecg_llm.data_builders.synthetic_field import DOWER, SITE_NAMES, TO_12
from ecg_llm.data_builders.synthetic_waves import (
    QRS_SEEN,
    T_SEEN,
    Loop,
    add_waves,
    pieces_at,
    place,
)

FIELDS = np.repeat(DOWER[None], len(SITE_NAMES), axis=0)


def placed(loop, on_s=1.0, length_s=0.1, seen=QRS_SEEN):
    return place(
        [loop], np.array([0]), FIELDS, np.eye(3)[None], np.array([on_s]), np.array([length_s]), seen
    )


def test_a_piece_is_one_at_its_centre_and_nothing_beyond_its_feet():
    shape = np.array([[0.5, 0.2, 0.4]])
    np.testing.assert_allclose(
        pieces_at(np.array([0.3, 0.4, 0.5, 0.7, 0.9, 1.0]), shape)[0], [0, 0.5, 1, 0.5, 0, 0],
        atol=1e-12,
    )  # fmt: skip


def test_neighbours_with_common_feet_join_two_levels_without_a_dip():
    shape = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(pieces_at(np.linspace(0, 1, 9), shape).sum(axis=0), 1.0)


LOOP = Loop.of(
    (0.3, 0.25, 0.2, -0.2, 0.1, -0.2, "centre"), (0.6, 0.2, 0.3, 1.0, 0.6, 0.3, "centre")
)


@pytest.mark.parametrize("length_s", [0.07, 0.16])
def test_the_visible_length_is_exactly_the_one_set(length_s):
    waves = placed(LOOP, 2.0, length_s)
    assert waves.overall[0, 0] == pytest.approx(2.0, abs=1e-9)
    assert waves.overall[0, 2] == pytest.approx(2.0 + length_s, abs=1e-9)
    assert np.nanmin(waves.marks[0, :, 0]) == pytest.approx(2.0, abs=1e-9)


def test_each_mark_lies_where_the_lead_passes_its_limit():
    waves = placed(LOOP)
    for seen_at, column in ((QRS_SEEN.on_share, 0), (QRS_SEEN.off_share, 2)):
        for lead, row in enumerate(waves.form[0]):
            mark = waves.marks[0, lead, column]
            if np.isnan(mark):
                continue
            eight = waves.amplitude[0] @ pieces_at(np.array([mark]), waves.shape[0])
            limit = max(seen_at * np.abs(row).max(), QRS_SEEN.floor_mv)
            assert abs((TO_12 @ eight)[lead, 0]) == pytest.approx(limit, rel=0.05)


def test_a_lead_at_right_angles_does_not_show_the_wave():
    across = Loop.of((0.5, 0.4, 0.4, *np.cross(DOWER[0], DOWER[1]) * 0.3, "centre"))
    waves = placed(across, seen=T_SEEN)
    assert np.isnan(waves.marks[0, :6]).all()
    assert np.isfinite(waves.marks[0, 7]).all()


def test_drawing_is_the_same_at_any_rate_where_the_samples_meet():
    waves = placed(LOOP)
    drawn = {}
    for fs in (100, 500, 1000):
        drawn[fs] = np.zeros((8, 2 * fs))
        add_waves(drawn[fs], fs, waves.shape, waves.amplitude)
    np.testing.assert_allclose(drawn[1000][:, ::10], drawn[100], atol=1e-12)
    np.testing.assert_allclose(drawn[500][:, ::5], drawn[100], atol=1e-12)


def test_waves_over_the_ends_of_the_record_are_cut_not_wrapped():
    waves = placed(LOOP, on_s=-0.05)
    eight = np.zeros((8, 500))
    add_waves(eight, 500, waves.shape, waves.amplitude)
    assert np.abs(eight[:, :10]).max() > 0.1
    assert np.abs(eight[:, 60:]).max() == 0
