"""Everything on the page lies where the geometry says, and nothing else is claimed."""

import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.render.layout import LAYOUTS, STANDARD, PageLayout
from ecg_llm.render.marks import EvidenceMark
from ecg_llm.render.page import draw_page, page_scene, save_page
from ecg_llm.render.scene import Fill, Group, Line, Text
from ecg_llm.render.style import PaperStyle

FS = 500.0


def square_wave(leads=("II",), seconds=10.0, fs=FS, mv=0.4):
    """Give +mv and -mv for half a second each, in every lead."""
    t = np.arange(round(seconds * fs)) / fs
    row = np.where(t % 1.0 < 0.5, mv, -mv).astype(np.float32)
    return ECGRecord(signal=np.tile(row, (len(leads), 1)), fs=fs, leads=tuple(leads), name="square")


def ink_of(page):
    """Give how dark each pixel is, from 0 to 1."""
    return 1 - page.image.mean(axis=2) / 255


BARE = replace(
    STANDARD, rows=(), rhythm=("II",), calibration=False, lead_labels=False, centred=False
)
ON_WHITE = PaperStyle(small_mm=0.0, large_mm=0.0, ink="#000000")


@pytest.mark.parametrize("dpi", [72, 100, 200, 300])
@pytest.mark.parametrize("speed", [25.0, 50.0])
@pytest.mark.parametrize("gain", [5.0, 10.0, 20.0])
def test_a_square_wave_lands_on_the_predicted_pixels(dpi, speed, gain):
    layout = replace(BARE, speed_mm_s=speed, gain_mm_mv=gain)
    page = draw_page(square_wave(), layout=layout, style=ON_WHITE, dpi=dpi)
    ink = ink_of(page)
    (place,) = page.places
    for middle_s, mv in ((1.25, 0.4), (2.75, -0.4), (4.25, 0.4)):
        want_x, want_y = page.pixel("II", middle_s, mv)
        column = ink[:, round(want_x)]
        lines = np.arange(len(column))
        near = np.abs(lines - want_y) < 0.3 * place.per_mv
        found_y = np.average(lines[near], weights=column[near])
        assert found_y == pytest.approx(want_y, abs=0.5)
        assert place.mv(want_y) == pytest.approx(mv)
    for edge_s in (1.5, 3.5):  # the step lies between two samples
        want_x = place.x(edge_s - 0.5 / FS)
        row = ink[round(place.y(0.0))]
        columns = np.arange(len(row))
        near = np.abs(columns - want_x) < 0.2 * place.per_s
        found_x = np.average(columns[near], weights=row[near])
        assert found_x == pytest.approx(want_x, abs=0.5)
        assert place.t_s(place.x(edge_s)) == pytest.approx(edge_s)


@pytest.mark.parametrize("dpi", [150, 200, 300])
def test_the_grid_and_the_pulse_are_true_to_scale(dpi):
    style = PaperStyle(small_mm=0.0, large_line="#000000")
    page = draw_page(square_wave(), layout=replace(BARE, seconds=2.0), style=style, dpi=dpi)
    row = ink_of(page)[round(page.grid[1] + 2.5 * page.px_per_mm)]
    peaks = np.arange(page.grid[0], page.grid[2] + 1, 5 * page.px_per_mm)
    for want in peaks:
        at = np.arange(round(want) - 3, round(want) + 4)
        assert np.average(at, weights=row[at] + 1e-9) == pytest.approx(want, abs=0.1)
    scene, _ = page_scene(square_wave())
    pulse = next(i for i in scene.items if isinstance(i, Line) and i.tracing and len(i.points) == 6)
    assert np.ptp(pulse.points[:, 1]) == pytest.approx(10.0)  # 1 mV
    assert pulse.points[3, 0] - pulse.points[2, 0] == pytest.approx(5.0)  # 200 ms


def test_the_line_has_the_width_that_was_asked_for():
    page = draw_page(square_wave(mv=0.0), layout=BARE, style=ON_WHITE, dpi=300)
    (place,) = page.places
    column = ink_of(page)[:, round(place.x(3.3))]
    near = column[round(place.baseline_y) - 20 : round(place.baseline_y) + 21]
    assert near.sum() == pytest.approx(ON_WHITE.trace_mm * page.px_per_mm, abs=0.3)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
@pytest.mark.parametrize("n", [1, 3, 8, 12, 15])
def test_every_layout_takes_any_leads(name, n):
    leads = ("II", "V1", "V5", "I", "V2", "V3", "V4", "V6", "III", "aVR", "aVL", "aVF")
    leads = (*leads, "X", "Y", "Z")[:n]
    page = draw_page(square_wave(leads), layout=LAYOUTS[name], dpi=60)
    shown = {place.lead for place in page.places if place.recorded}
    assert shown == set(leads) & set(STANDARD_12)
    scene, _ = page_scene(square_wave(leads), layout=LAYOUTS[name])
    texts = [item.text for item in scene.items if isinstance(item, Text)]
    missing = set(STANDARD_12) - set(leads)
    assert texts.count("not recorded") == len(missing)
    extra = set(leads) - set(STANDARD_12)
    assert any("not shown: X, Y, Z" in text for text in texts) == bool(extra)


def test_a_record_without_standard_leads_still_shows_a_strip():
    page = draw_page(square_wave(("Y", "Z")), dpi=60)
    assert [p.lead for p in page.places if p.strip] == ["Y"]


def test_columns_follow_each_other_in_time_when_the_record_is_long_enough():
    plan = STANDARD.place(square_wave(STANDARD_12))
    first_row = [p.from_s for p in plan.places if p.row == 0]
    assert first_row == pytest.approx([0.0, 2.5, 5.0, 7.5])
    assert plan.places[-1].strip
    assert plan.places[-1].to_s == pytest.approx(10.0)


def test_a_short_record_shows_every_lead_and_leaves_the_rest_blank():
    record = square_wave(STANDARD_12, seconds=5.0)
    plan = STANDARD.place(record)
    assert plan.simultaneous
    assert {p.from_s for p in plan.places} == {0.0}
    strip = plan.places[-1]
    assert strip.points(record)[-1, 0] == pytest.approx(strip.x(5.0 - 1 / FS))
    page = draw_page(record, layout=replace(STANDARD, title=""), style=ON_WHITE, dpi=100)
    strip = page.places[-1]
    tail = ink_of(page)[round(strip.box[1]) : round(strip.box[3]), round(strip.x(5.1)) :]
    assert not tail.any()


def test_another_stretch_can_be_chosen_but_none_past_the_end():
    layout = replace(STANDARD, from_s=12.0)
    plan = layout.place(square_wave(STANDARD_12, seconds=30))
    assert plan.places[0].first == 6000
    with pytest.raises(ConfigError, match=r"begins at 12 s but the record ends at 10 s"):
        layout.place(square_wave())


def test_missing_samples_leave_a_gap():
    record = square_wave(mv=0.0)
    record.signal[0, 2000:2500] = np.nan
    page = draw_page(record, layout=BARE, style=ON_WHITE, dpi=200)
    (place,) = page.places
    y = round(place.baseline_y)
    row = ink_of(page)[y - 3 : y + 4].max(axis=0)
    assert row[round(place.x(3.9))] > 0.5
    assert not row[round(place.x(4.02)) : round(place.x(4.98))].any()
    assert row[round(place.x(5.1))] > 0.5


def test_a_lead_of_missing_samples_only_says_so():
    record = square_wave(("I", "II"))
    record.signal[0] = np.nan
    scene, _ = page_scene(record)
    assert "no signal here" in [i.text for i in scene.items if isinstance(i, Text)]


def test_doubtful_and_derived_leads_are_named_as_such():
    record = replace(square_wave(("I", "II", "III")), derived=("III",))
    scene, _ = page_scene(record, lead_notes={"I": "muscle noise"})
    texts = [i.text for i in scene.items if isinstance(i, Text)]
    assert "muscle noise" in texts
    assert "derived" in texts
    faint = [i for i in scene.items if isinstance(i, Line) and i.colour == scene.style.faint_ink]
    assert len(faint) == 1


def test_wild_values_stay_inside_the_ruled_area():
    record = square_wave(STANDARD_12)
    record.signal[:, ::97] = 1e6
    page = draw_page(record, layout=replace(STANDARD, title=""), style=ON_WHITE, dpi=100)
    above = ink_of(page)[: int(page.grid[1]) - 2]
    assert not above.any()


def test_marks_lie_on_their_stretch_and_others_are_reported_hidden():
    marks = (
        EvidenceMark(lead="V2", from_s=5.5, to_s=6.0, label="1", role="critical"),
        EvidenceMark(lead=None, from_s=1.0, to_s=2.0, label="2"),
        EvidenceMark(lead="V2", from_s=1.0, to_s=2.0, label="3"),
        EvidenceMark(lead="V9", from_s=1.0, to_s=2.0, label="4"),
    )
    record = square_wave(STANDARD_12)
    scene, hidden = page_scene(record, marks=marks)
    assert [mark.label for mark in hidden] == ["3", "4"]
    groups = [item for item in scene.items if isinstance(item, Group)]
    assert [group.key for group in groups] == ["1", "2", "1", "2"]
    plain = draw_page(record, dpi=100)
    marked = draw_page(record, dpi=100, marks=marks)
    place = next(p for p in plain.places if p.lead == "V2")
    changed = (plain.image != marked.image).any(axis=2)
    rows = slice(round(place.box[1]) + 20, round(place.box[3]) - 20)
    columns = np.flatnonzero(changed[rows, : round(place.box[2])].any(axis=0))
    assert columns[0] == pytest.approx(place.x(5.5), abs=1)
    assert columns[-1] == pytest.approx(place.x(6.0), abs=1)


def test_tags_on_one_spot_do_not_cover_each_other():
    marks = [EvidenceMark(lead="V1", from_s=5.5, to_s=5.7, label=str(k)) for k in range(5)]
    from ecg_llm.render.marks import place_marks

    shown, _ = place_marks(STANDARD.place(square_wave(STANDARD_12)), marks)
    tops = [mark.tag_box[1] for mark in shown]
    assert len(tops) == len(set(tops)) == 5


@pytest.mark.parametrize("begin", [0.0, 0.06, 0.2])
def test_a_mark_leaves_the_name_of_its_lead_free(begin):
    marks = [EvidenceMark(lead="III", from_s=begin, to_s=begin + 0.1, label="1")]
    scene, _ = page_scene(square_wave(STANDARD_12), marks=marks)
    name = next(i for i in scene.items if isinstance(i, Text) and i.text == "III")
    for group in (item for item in scene.items if isinstance(item, Group)):
        for item in group.items:
            if isinstance(item, Line):
                assert item.points[:, 1].min() > name.y
            elif isinstance(item, Fill):
                assert item.box[1] > name.y


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_saving_gives_the_same_bytes_each_time(tmp_path, suffix):
    record = square_wave(STANDARD_12)
    save_page(record, tmp_path / f"a{suffix}")
    save_page(record, tmp_path / f"b{suffix}")
    first = (tmp_path / f"a{suffix}").read_bytes()
    assert first == (tmp_path / f"b{suffix}").read_bytes()
    start = {".png": b"\x89PNG", ".svg": b"<svg", ".pdf": b"%PDF"}[suffix]
    assert first.startswith(start)


def test_a_png_keeps_its_pixels_and_its_resolution(tmp_path):
    page = draw_page(square_wave(), dpi=200)
    data = page.to_png()
    at = data.index(b"pHYs") + 4
    assert struct.unpack(">IIB", data[at : at + 9]) == (7874, 7874, 1)
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(back[..., ::-1], page.image)
    from PIL import Image

    path = tmp_path / "page.png"
    path.write_bytes(data)
    with Image.open(path) as image:
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.01)
        image.verify()


@pytest.mark.parametrize("name", ["page.gif", "page"])
def test_an_unknown_extension_names_the_three(tmp_path, name):
    with pytest.raises(ConfigError, match=r"\.png, \.svg or \.pdf"):
        save_page(square_wave(), tmp_path / name)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        save_page(square_wave(), tmp_path / "none" / "page.svg")


@pytest.mark.parametrize(
    "settings",
    [{"speed_mm_s": 0}, {"gain_mm_mv": float("nan")}, {"width_mm": 40}, {"from_s": -1}],
)
def test_a_layout_that_cannot_be_drawn_is_refused(settings):
    with pytest.raises(ConfigError):
        PageLayout(**settings)


def test_a_style_needs_real_colours():
    with pytest.raises(ConfigError, match="ink"):
        PaperStyle(ink="red")


@pytest.mark.parametrize("dpi", [10, 1200])
def test_a_resolution_out_of_range_is_refused(dpi):
    with pytest.raises(ConfigError, match="dpi"):
        draw_page(square_wave(), dpi=dpi)


def test_a_record_of_unknown_gain_is_fitted_and_shows_no_millivolts():
    record = replace(square_wave(STANDARD_12, mv=800.0), calibrated=False)
    scene, _ = page_scene(record)
    texts = " ".join(i.text for i in scene.items if isinstance(i, Text))
    assert "gain unknown" in texts
    assert "mm/mV" not in texts
    lines = [i for i in scene.items if isinstance(i, Line) and i.tracing]
    assert len(lines) == 13  # no calibration pulse
    for line in lines:
        assert 20 < np.ptp(line.points[:, 1]) < 40


def test_columns_of_a_page_that_was_read_may_have_any_width():
    """Five columns of two seconds were once drawn as if they had two and a half each."""
    fs, width = 100.0, 2.0
    signal = np.full((12, int(4 * width * fs)), np.nan, np.float32)
    for k in range(12):
        first = int(k // 3 * width * fs)
        signal[k, first : first + int(width * fs)] = np.sin(np.arange(width * fs) / 9)
    record = ECGRecord(signal=signal, fs=fs, leads=STANDARD_12, origin="page")
    plan = STANDARD.place(record)
    for place in (place for place in plan.places if not place.strip):
        drawn = record.row(place.lead)[place.first : place.stop]
        assert np.isfinite(drawn).sum() == width * fs, place.lead
        assert place.from_s == place.column * width
