"""Paper speed, told from the tracings."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.io import read_bytes
from ecg_llm.page.rows import SAMPLES_MM, Row
from ecg_llm.page.speed import FAST, SLOW, told_speed
from ecg_llm.render.layout import LAYOUTS
from ecg_llm.render.page import draw_page


def _rows(bpm, speed, seed, width_mm=250.0, leads=("I", "II", "V2", "V5")):
    """Tracings as they lie on the paper, in mm, without any image."""
    record = synthetic_ecg(bpm=bpm, seed=seed, noise=None).record
    at_s = np.arange(int(width_mm * SAMPLES_MM)) / SAMPLES_MM / speed
    at_s = at_s[at_s < record.duration_s]
    times = np.arange(record.n_samples) / record.fs
    return [Row(0.0, 0.0, 0.0, 10 * np.interp(at_s, times, record.row(lead))) for lead in leads]


@pytest.mark.parametrize("speed", [SLOW, FAST])
def test_slow_and_fast_hearts_on_slow_and_fast_paper(speed):
    cases = [(bpm, seed) for bpm in (48, 60, 75, 90, 110) for seed in (1, 2)]
    told = [told_speed(_rows(bpm, speed, seed)) for bpm, seed in cases]
    # A beat takes as much paper at 60 a minute and 25 mm/s as at 120 and 50.
    assert told.count(speed) >= 9


def test_too_little_drawn_tells_nothing():
    assert told_speed(_rows(72, SLOW, 1, width_mm=20.0)) is None


def test_a_page_at_double_speed_has_half_the_time_on_it():
    record = synthetic_ecg(bpm=75, seed=4).record
    layout = replace(LAYOUTS["3x4+1"], speed_mm_s=50.0)
    page = read_bytes(draw_page(record, layout=layout, dpi=130).to_png(), "page.png")
    assert page.duration_s == pytest.approx(5.2, abs=0.7)
    assert "50 mm/s" in page.notes[1]
