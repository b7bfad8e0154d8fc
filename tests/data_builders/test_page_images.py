"""Printed pages: everything lies where the geometry says, for every way of printing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from ecg_llm.data_builders.page_images import TRACE_STEP_S, render_page, render_page_example
from ecg_llm.data_builders.page_paper import PAPERS, draw_paper
from ecg_llm.data_builders.page_settings import (
    CABRERA_3X4,
    GAIN_SHARE,
    LAYOUT_SHARE,
    SPEED_SHARE,
    PageSettings,
    draw_settings,
)
from ecg_llm.data_builders.page_texts import measurement_lines
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.render.layout import ROWS_3X4, ROWS_6X2, ROWS_12X1
from ecg_llm.render.style import rgb


@pytest.fixture(scope="module")
def record():
    return synthetic_ecg(bpm=72, seconds=10).record


PLAIN = {
    "page": "a4", "width_mm": 297.0, "height_mm": 210.0, "margin_mm": 5.0, "header_mm": 20.0,
    "footer_mm": 6.0, "long_px": 1400, "missing": (), "exchanged": (), "from_s": 0.0,
    "cabrera": False, "simultaneous": False, "separator": "none", "pulse": "none",
}  # fmt: skip


def plain(record, **changes) -> PageSettings:
    """Settings of seed 0 with everything rare switched off."""
    changes = {**PLAIN, **changes}
    settings = draw_settings(record, 0)
    paper = replace(PAPERS["pink"], ink="#000000", trace_mm=0.4)
    return replace(settings, paper=changes.pop("paper", paper), **changes)


def inked(image, points, ink) -> float:
    """The share of points that lie on ink, looking one pixel around."""
    points = points[np.isfinite(points).all(axis=1)]
    x, y = np.rint(points).astype(int).T
    best = np.full(len(x), 255)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            cx = np.clip(x + dx, 0, image.shape[1] - 1)
            cy = np.clip(y + dy, 0, image.shape[0] - 1)
            best = np.minimum(best, np.abs(image[cy, cx] - ink).max(axis=1))
    return float(np.mean(best < 110))


@pytest.mark.parametrize("seed", range(8))
def test_samples_lie_on_the_ink(record, seed):
    example, settings = render_page_example(record, seed)
    ink = np.array(rgb(settings.paper.ink))
    for trace in example.geometry.traces:
        if trace.shown:
            assert inked(example.image, trace.points, ink) > 0.97, trace.lead
            moved = trace.points + np.array([0, 25.0])
            assert inked(example.image, moved, ink) < 0.6, "the check cannot fail"


@pytest.mark.parametrize("layout", LAYOUT_SHARE)
@pytest.mark.parametrize("speed", SPEED_SHARE)
@pytest.mark.parametrize("gain", GAIN_SHARE)
def test_every_layout_speed_and_gain(record, layout, speed, gain):
    rows = {"6x2": ROWS_6X2, "12x1": ROWS_12X1}.get(layout, ROWS_3X4)
    strips = {"3x4+1": ("II",), "3x4+3": ("V1", "II", "V5")}.get(layout, ())
    settings = plain(
        record, layout=layout, rows=rows, strips=strips, speed_mm_s=speed, gain_mm_mv=gain,
        long_px=842,
    )  # fmt: skip
    geometry = render_page(record, settings).geometry
    assert len(geometry.traces) == sum(map(len, rows)) + len(strips)
    k = settings.dpi / 25.4
    for trace in geometry.traces:
        assert trace.mm_per_mv == gain
        step = np.diff(trace.points[:, 0])
        assert np.allclose(step[np.isfinite(step)], speed * k * trace.step / record.fs, atol=1e-6)
        values = record.row(trace.lead)[trace.first :: trace.step][: len(trace.points)]
        heights = -(trace.points[:, 1] - trace.points[0, 1]) / (k * gain)
        good = np.isfinite(heights)
        if good[0]:
            assert np.allclose(heights[good], (values - values[0])[good], atol=1e-4)


def test_crossings_of_the_grid_lie_on_its_lines(record):
    paper = replace(PAPERS["pink"], bleed=True, shift_mm=(1.3, -0.7), large_line="#000000")
    settings = plain(record, paper=paper, long_px=2000)
    blank = draw_paper((297.0, 210.0), settings.page_layout().place(record).grid, paper,
                       settings.dpi)  # fmt: skip
    geometry = render_page(record, settings).geometry
    k = settings.dpi / 25.4
    inner = geometry.grid[1:-1, 1:-1].reshape(-1, 2)
    x, y = np.rint(inner).astype(int).T
    middle = np.rint(inner + 2.5 * k).astype(int).T
    assert blank[y, x].max() < 130 < blank[middle[1], middle[0]].min()
    mm = np.array([[100.0, 50.0, 1.0]])
    assert (geometry.homography @ mm.T)[:2, 0] == pytest.approx([100 * k - 0.5, 50 * k - 0.5])


@pytest.mark.parametrize("kind", PAPERS)
def test_every_paper(record, kind):
    example = render_page(record, plain(record, paper=PAPERS[kind], long_px=842))
    assert example.geometry.grid_drawn == (kind != "blank")
    assert inked(example.image, example.geometry.traces[0].points, np.array(rgb(PAPERS[kind].ink)))


def test_missing_and_exchanged_leads_are_told(record):
    settings = plain(record, missing=("V3",), exchanged=("V1", "aVL"), label_case="aVR",
                     rows=ROWS_3X4, strips=("II",))  # fmt: skip
    traces = {trace.lead: trace for trace in render_page(record, settings).geometry.traces}
    assert not traces["V3"].shown
    assert not len(traces["V3"].points)
    assert (traces["V1"].label, traces["aVL"].label) == ("aVL", "V1")
    assert traces["V2"].label == "V2"


def test_cabrera_turns_avr(record):
    settings = plain(record, cabrera=True, rows=CABRERA_3X4, strips=(), label_case="aVR")
    trace = next(t for t in render_page(record, settings).geometry.traces if t.lead == "aVR")
    assert trace.inverted
    assert trace.label == "-aVR"
    values = record.row("aVR")[trace.first :: trace.step][: len(trace.points)]
    # Downwards on the page is downwards in minus aVR.
    assert np.corrcoef(trace.points[:, 1], values)[0, 1] > 0.999


def test_pulses_only_where_a_millivolt_is_known(record):
    settings = plain(record, pulse="start")
    pulses = render_page(record, settings).geometry.pulses
    assert len(pulses) == len(settings.rows) + len(settings.strips)
    k = settings.dpi / 25.4
    assert np.ptp(pulses[0][:, 1]) == pytest.approx(settings.gain_mm_mv * k)
    unknown = replace(record, calibrated=False)
    assert not render_page(unknown, settings).geometry.pulses
    for seed in range(20):
        assert not any("mm/mV" in text for text in draw_settings(unknown, seed).footer)


def test_unusual_records(record):
    short = record.segment(0, 5)
    few = record.select(("II", "V1", "V5"))
    signal = record.signal.copy()
    signal[1, 800:1200] = np.nan
    signal[6] = np.nan
    gaps = replace(record, signal=signal)
    for seed in range(6):
        for odd in (short, few, gaps, replace(gaps, calibrated=False)):
            example, settings = render_page_example(odd, seed, size_px=900)
            shown = {trace.lead for trace in example.geometry.traces if trace.shown}
            assert shown <= set(odd.leads)
            assert shown or settings.missing
        assert "V1" not in shown
        assert draw_settings(few, seed).rows == (("II",), ("V1",), ("V5",))
    example = render_page(gaps, plain(gaps, rows=ROWS_12X1, strips=(), long_px=842))
    lead_ii = next(trace for trace in example.geometry.traces if trace.lead == "II")
    index = lead_ii.first + np.arange(len(lead_ii.points)) * lead_ii.step
    missing = (index >= 800) & (index < 1200)
    assert np.isnan(lead_ii.points[missing]).all()
    assert np.isfinite(lead_ii.points[~missing]).all()


@pytest.mark.parametrize("fs", [100, 250, 1000])
def test_the_step_follows_the_rate(fs):
    other = synthetic_ecg(fs=fs, seconds=10).record
    example, _ = render_page_example(other, 3, size_px=900)
    step = example.geometry.traces[0].step
    assert step / fs == pytest.approx(max(TRACE_STEP_S, 1 / fs))


def test_the_same_seed_gives_the_same_page(record):
    one, settings = render_page_example(record, 5)
    other, again = render_page_example(record, 5)
    assert settings == again
    assert np.array_equal(one.image, other.image)
    assert draw_settings(record, 6) != settings
    stored = PageSettings.from_dict(json.loads(json.dumps(asdict(settings))))
    assert stored == settings
    assert np.array_equal(render_page(record, stored).image, one.image)


def test_shares_are_kept(record):
    drawn = [draw_settings(record, seed) for seed in range(600)]
    for name, share in LAYOUT_SHARE.items():
        assert np.mean([s.layout == name for s in drawn]) == pytest.approx(share, abs=0.06)
    assert 0 < np.mean([bool(s.missing) for s in drawn]) < 0.06
    assert 0 < np.mean([bool(s.exchanged) for s in drawn]) < 0.05


def test_only_true_numbers_are_printed(record):
    texts = {text for seed in range(40) for column in draw_settings(record, seed).header
             for text in column}  # fmt: skip
    assert not any("bpm" in text or "QT" in text for text in texts)
    lines = measurement_lines({"heart_rate_bpm": 61.4, "p_axis_deg": 40.0, "qrs_axis_deg": None})
    assert lines == ["Vent. rate  61 bpm", "P-R-T axes  40  *  *"]


def test_settings_that_cannot_be_drawn(record):
    with pytest.raises(ConfigError, match="dpi"):
        plain(record, long_px=9000)
    with pytest.raises(ConfigError, match="not the settings"):
        PageSettings.from_dict({"layout": "3x4"})
