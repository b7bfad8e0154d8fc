"""Whole pages: printed, photographed, drawn by other software, and images that are none."""

import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from ecg_llm.data_builders.page_images import render_page
from ecg_llm.data_builders.page_settings import draw_settings
from ecg_llm.data_builders.photo_settings import draw_photo
from ecg_llm.data_builders.photograph import encode_image, photograph_as
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import RecordError
from ecg_llm.eval.pages import compare
from ecg_llm.io import find_records, read_bytes, read_record
from ecg_llm.leads import STANDARD_12
from ecg_llm.page.upright import Lie, lie_of, straightened
from ecg_llm.render.layout import LAYOUTS
from ecg_llm.render.page import draw_page, save_page


@pytest.fixture(scope="module")
def record():
    return synthetic_ecg(bpm=72, seed=3, noise=None).record


def _check(record, page, least):
    assert page.origin == "page"
    assert set(page.leads) == set(STANDARD_12)
    errors = compare(record, page).values()
    assert np.median([error.correlation for error in errors]) > least
    # The thin tips of QRS complexes are the first to fade.
    assert 0.7 < np.median([error.gain for error in errors]) < 1.1
    assert np.median([abs(error.shift_ms) for error in errors]) <= 16


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_our_own_pages_are_read_back(record, layout):
    page = read_bytes(draw_page(record, layout=LAYOUTS[layout], dpi=150).to_png(), "page.png")
    # Of twelve rows on one page, tall waves of V2 to V4 cross.
    _check(record, page, 0.9 if layout == "12x1" else 0.95)
    assert page.calibrated
    assert f"layout {layout}" in page.notes[0]
    seen = np.isfinite(page.signal).sum(axis=1) / page.fs
    assert seen.min() > {"6x2": 4.5, "12x1": 9.0}.get(layout, 2.2)


@pytest.mark.parametrize("dpi", [80, 100, 250])
def test_few_and_many_pixels(record, dpi):
    _check(record, read_bytes(draw_page(record, dpi=dpi).to_png(), "page.png"), 0.93)


@pytest.mark.parametrize("degrees", [-12, 8, 90, 180, 270])
def test_a_picture_that_does_not_stand_upright_is_turned(record, degrees):
    """At 8° leads correlated by 0.2 to 0.9, at 12° and on its head no page was read."""
    drawn = Image.open(io.BytesIO(draw_page(record, dpi=130).to_png())).convert("RGB")
    turned = drawn.rotate(degrees, expand=True, fillcolor=(120, 115, 110), resample=Image.BICUBIC)
    packed = io.BytesIO()
    turned.save(packed, "png")
    page = read_bytes(packed.getvalue(), "page.png")
    _check(record, page, 0.93)
    by_quarters = any("was turned by" in note for note in page.notes)
    assert by_quarters == (degrees % 90 == 0)


def test_the_lie_of_a_page_is_told_by_its_lines(record):
    png = draw_page(record, dpi=130).to_png()
    drawn = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    height, width = drawn.shape[:2]
    half = max(height, width) / 2
    lie = Lie(along=np.radians(4), across=np.radians(-2), narrows=0.06, shortens=-0.04)
    to_pixels = np.array([[half, 0, width / 2], [0, half, height / 2], [0, 0, 1]])
    matrix = to_pixels @ lie.matrix() @ np.linalg.inv(to_pixels)
    taken = cv2.warpPerspective(drawn, matrix, (width, height), borderValue=(120, 115, 110))
    found = lie_of(taken)
    assert np.degrees([found.along, found.across]) == pytest.approx([4, -2], abs=0.4)
    assert (found.narrows, found.shortens) == pytest.approx((0.06, -0.04), abs=0.012)
    packed = io.BytesIO()
    Image.fromarray(taken).save(packed, "png")
    _check(record, read_bytes(packed.getvalue(), "page.png"), 0.93)
    assert straightened(drawn) is drawn


def test_stripes_on_a_screen_do_not_turn_a_page(record):
    """The moiré of a screen was taken for the lines of the paper: no lead was right."""
    png = draw_page(record, dpi=130).to_png()
    drawn = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)
    y, x = np.mgrid[: drawn.shape[0], : drawn.shape[1]]
    angle = np.radians(12)
    lines = [x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)]
    for line in lines:
        drawn += 15 * (np.sin(2 * np.pi * line / 7)[..., None] - 0.5)
    striped = np.clip(drawn, 0, 255).astype(np.uint8)
    assert abs(np.degrees(lie_of(striped).along)) > 8
    packed = io.BytesIO()
    Image.fromarray(striped).save(packed, "png")
    _check(record, read_bytes(packed.getvalue(), "page.png"), 0.9)


def test_most_photographs_are_read(record):
    settings = next(
        drawn for drawn in (draw_settings(record, seed) for seed in range(50))
        if drawn.layout == "3x4+1" and not drawn.missing and drawn.gain_mm_mv == 10
        and drawn.speed_mm_s == 25 and not drawn.simultaneous
    )  # fmt: skip
    example = render_page(record, settings)
    height, width = example.image.shape[:2]
    read = []
    for seed in range(6):
        photo = draw_photo(seed, long_px=1400, page_aspect=width / height)
        taken = photograph_as(example, photo)
        try:
            page = read_bytes(encode_image(taken.image, "jpeg", photo.quality), "photo.jpg")
        except RecordError:
            continue
        read.append(np.median([error.correlation for error in compare(record, page).values()]))
    assert len(read) >= 4 and np.median(read) > 0.75


@pytest.mark.parametrize(("gain", "seeds"), [(5.0, (3, 5)), (20.0, (4, 6))])
def test_a_pulse_tells_its_gain_on_photographs(record, gain, seeds):
    """Of both gains the second photograph was told 10 mm/mV by its pulses."""
    usual = next(
        drawn for drawn in (draw_settings(record, seed) for seed in range(50))
        if drawn.layout == "3x4+1" and not drawn.missing and drawn.speed_mm_s == 25
    )  # fmt: skip
    example = render_page(record, replace(usual, gain_mm_mv=gain, pulse="start"))
    height, width = example.image.shape[:2]
    for seed in seeds:
        photo = draw_photo(seed, long_px=1400, page_aspect=width / height)
        taken = photograph_as(example, photo)
        page = read_bytes(encode_image(taken.image, "jpeg", photo.quality), "photo.jpg")
        assert any(f"Calibration pulse: {gain:g} mm/mV" in note for note in page.notes)


def _matplotlib_page(record, fmt):
    """A page as a few lines of matplotlib draw it: other fonts, lines, names and proportions."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(11, 8.5), dpi=150)
    axes.set_xlim(-0.4, 10.2)
    axes.set_ylim(-8.5, 1.9)
    for k, step in ((0.04, 0.3), (0.2, 0.6)):
        for x in np.arange(-0.4, 10.2, k):
            axes.axvline(x, color=(1, 0.75, 0.75), lw=step)
        for y in np.arange(-8.5, 1.9, k * 2.5):
            axes.axhline(y, color=(1, 0.75, 0.75), lw=step)
    for r, row in enumerate(LAYOUTS["3x4"].rows):
        for c, lead in enumerate(row):
            t = np.arange(c * 1250, (c + 1) * 1250)
            axes.plot(t / 500, record.row(lead)[t] - 2.3 * r, color="black", lw=0.7)
            axes.text(c * 2.5 + 0.06, -2.3 * r + 0.75, lead, fontsize=9)
    axes.plot(np.arange(5000) / 500, record.row("II") - 6.9, color="black", lw=0.7)
    axes.text(0.06, -6.2, "II", fontsize=9)
    axes.set_aspect(0.4)
    axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=fmt, bbox_inches="tight")
    pyplot.close(figure)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_a_page_of_other_software(record, kind):
    page = read_bytes(_matplotlib_page(record, kind), f"page.{kind}")
    errors = compare(record, page)
    assert set(errors) == set(STANDARD_12)
    assert np.median([error.correlation for error in errors.values()]) > 0.95


def _picture(kind):
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:800, :1100]
    match kind:
        case "blank":
            return np.full((800, 1100, 3), 240, np.uint8)
        case "noise":
            return rng.integers(0, 255, (800, 1100, 3), dtype=np.uint8)
        case "shapes":  # soft blobs, as of an animal on a lawn
            image = np.zeros((800, 1100, 3))
            for _ in range(40):
                cx, cy, r = rng.uniform(0, 1100), rng.uniform(0, 800), rng.uniform(20, 160)
                image += (
                    rng.uniform(0, 120, 3)
                    * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / r**2)[..., None]
                )
            return np.clip(image, 0, 255).astype(np.uint8)
    import cv2

    image = np.full((800, 1100, 3), 250, np.uint8)
    if kind == "grid":
        image[::20], image[:, ::20] = (240, 150, 150), (240, 150, 150)
        return image
    for line in range(24):
        cv2.putText(image, "Lead II and aVR of V1 were seen in 3 of 12", (40, 40 + 30 * line),
                    cv2.FONT_HERSHEY_COMPLEX, 0.8, (20, 20, 20), 1, cv2.LINE_AA)  # fmt: skip
    return image


@pytest.mark.parametrize("kind", ["blank", "noise", "shapes", "grid", "text"])
def test_what_is_no_page_is_refused_in_words(kind):
    data = encode_image(_picture(kind), "png", 90)
    with pytest.raises(RecordError, match="page") as caught:
        read_bytes(data, "cat.png")
    assert str(caught.value).startswith("cat.png")


def test_a_page_is_reported_without_a_measured_value(record, tmp_path):
    from ecg_llm.assistant import interpret

    path = tmp_path / "page.png"
    save_page(record, path, dpi=150)
    report = interpret(read_record(path), model="none")
    assert report.quality.verdict == "limit"
    values = report.measurements.values()
    assert values and all(value.value is None for value in values)
    assert {value.reason for value in values} == {"read from a page image: not measured"}
    assert "image of a page" in json.dumps(report.model_dump(mode="json"))


def test_a_folder_of_pages_is_read_and_pictures_beside_records_are_not(record, tmp_path):
    save_page(record, tmp_path / "a.png", dpi=100)
    save_page(record, tmp_path / "b.pdf")
    assert [ref.name for ref in find_records(tmp_path)] == ["a", "b"]
    (tmp_path / "rec.csv").write_text("I,II\n" + "0,0\n" * 5000)
    assert [ref.name for ref in find_records(tmp_path)] == ["rec"]


def test_options_of_recordings_do_not_apply(record):
    with pytest.raises(RecordError, match="do not apply"):
        read_bytes(draw_page(record, dpi=100).to_png(), "page.png", fs=500)
