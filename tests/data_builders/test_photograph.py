"""Photographed pages: marks made before land where the geometry says, within a pixel."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from ecg_llm.data_builders.page_images import render_page_example
from ecg_llm.data_builders.photo_settings import MODE_SHARE, Fold, PhotoSettings, draw_photo
from ecg_llm.data_builders.photo_warp import warp_of
from ecg_llm.data_builders.photograph import (
    decode_image,
    develop,
    encode_image,
    photograph,
    photograph_as,
)
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError

CLEAR = {
    "light": (1.0, 1.0, 1.0), "gamma": 1.0, "haze": 0.0, "moire": 0.0, "defocus_px": 0.0,
    "motion_px": 0, "noise": 0.0, "vignette": 0.0, "shadows": (), "bleed": 0.0,
    "recompressed": 0, "background": "dark",
}  # fmt: skip


@pytest.fixture(scope="module")
def page():
    return render_page_example(synthetic_ecg(bpm=80).record, 1)[0]


def bent(seed: int) -> PhotoSettings:
    """Settings with every bend at its strongest, and nothing that hides a mark."""
    settings = draw_photo(seed, long_px=1400, page_aspect=1.4)
    folds = (
        Fold(x=0.5, y=0.3, angle_deg=88, reach=0.1, shift=0.0035, shade=0.0),
        Fold(x=0.3, y=0.35, angle_deg=10, reach=0.2, shift=-0.0035, shade=0.0),
    )
    mode = "camera" if settings.mode == "fax" else settings.mode
    return replace(
        settings, curl_x=0.02, curl_y=-0.01, waves=0.005, folds=folds, mode=mode, **CLEAR
    )


@pytest.mark.parametrize("seed", range(8))
def test_marks_land_within_a_pixel(seed):
    settings = bent(seed)
    warp = warp_of(settings, (1400, 1000))
    xs, ys = np.meshgrid(np.arange(40.0, 1380, 60), np.arange(40.0, 980, 60))
    marks = np.stack([xs.ravel(), ys.ravel()], axis=1)
    yy, xx = np.mgrid[:1000, :1400]
    spot = np.exp(-(((xx - 40) % 60 - 60 * ((xx - 40) % 60 > 30)) ** 2
                    + ((yy - 40) % 60 - 60 * ((yy - 40) % 60 > 30)) ** 2) / 8.0)  # fmt: skip
    drawn = np.repeat(np.rint(255 * spot).astype(np.uint8)[..., None], 3, axis=2)
    photo = develop(drawn, warp)[..., 1].astype(float)
    photo[photo < 60] = 0  # the table is dark
    height, width = photo.shape
    checked, errors = 0, []
    for x, y in warp.forward(marks):
        if not (12 < x < width - 12 and 12 < y < height - 12):
            continue
        x0, y0 = round(x) - 8, round(y) - 8
        window = photo[y0 : y0 + 17, x0 : x0 + 17]
        weights = window / window.sum()
        found = (weights.sum(0) @ np.arange(17) + x0, weights.sum(1) @ np.arange(17) + y0)
        errors.append(np.hypot(found[0] - x, found[1] - y))
        checked += 1
    assert checked > 100
    assert max(errors) < 0.5


@pytest.mark.parametrize("seed", range(6))
def test_the_map_and_the_points_undo_each_other(seed):
    warp = warp_of(bent(seed), (1400, 1000))
    _, shown, shape = warp.lattice()
    dense = warp.enlarged(shown.astype(np.float32).reshape(*shape, 2))
    rng = np.random.default_rng(seed)
    pixels = rng.integers(5, np.array(warp.photo) - 5, (500, 2))
    on_page = dense[pixels[:, 1], pixels[:, 0]].astype(float)
    there = ((on_page > 0) & (on_page < [1399, 999])).all(axis=1)
    back = warp.forward(on_page[there])
    assert there.sum() > 100
    assert np.abs(back - pixels[there]).max() < 0.15


@pytest.mark.parametrize("seed", range(10))
def test_geometry_of_photographs(page, seed):
    photo, settings = photograph(page, seed)
    geometry = photo.geometry
    assert photo.image.shape == (geometry.height, geometry.width, 3)
    assert photo.image.dtype == np.uint8
    warp = warp_of(settings, (page.geometry.width, page.geometry.height))
    for before, after in zip(page.geometry.traces, geometry.traces, strict=True):
        there = np.isfinite(after.points).all(axis=1)
        assert np.allclose(after.points[there], warp.forward(before.points[there]))
        limit = np.array([geometry.width, geometry.height]) - 0.5
        assert ((after.points[there] >= -0.5) & (after.points[there] <= limit)).all()
        assert np.isfinite(after.polygon).all()
        assert after.shown == there.any()
    if geometry.flat:
        corner = geometry.homography @ [0, 0, 1]
        assert corner[:2] / corner[2] == pytest.approx(warp.forward(np.array([[-0.5, -0.5]]))[0])


def test_the_same_seed_gives_the_same_photograph(page):
    before = page.image.copy()
    for seed in range(4):
        one, settings = photograph(page, seed)
        stored = PhotoSettings.from_dict(json.loads(json.dumps(asdict(settings))))
        assert stored == settings
        assert np.array_equal(photograph_as(page, stored).image, one.image)
    assert not np.array_equal(photograph(page, 0)[0].image, photograph(page, 1)[0].image)
    assert np.array_equal(page.image, before), "the page itself is changed"


def test_every_mode_comes_at_its_share():
    modes = Counter(draw_photo(s, long_px=1400, page_aspect=1.4).mode for s in range(600))
    for mode, share in MODE_SHARE.items():
        assert modes[mode] / 600 == pytest.approx(share, abs=0.06)


def test_a_scanner_keeps_right_angles():
    scans = [draw_photo(seed, long_px=1400, page_aspect=1.4) for seed in range(120)]
    scans = [settings for settings in scans if settings.mode in ("scan", "fax")]
    assert len(scans) > 10
    for settings in scans:
        assert warp_of(settings, (1400, 1000)).flat
        corners = np.array(settings.corners) * (settings.aspect, 1)
        across, down = corners[1] - corners[0], corners[3] - corners[0]
        cosine = across @ down / np.linalg.norm(across) / np.linalg.norm(down)
        assert abs(cosine) < 1e-3
        assert np.linalg.norm(across) / np.linalg.norm(down) == pytest.approx(1.4, abs=0.002)


def test_a_fax_is_black_and_white(page):
    seed = next(s for s in range(200) if draw_photo(s, long_px=9, page_aspect=1.4).mode == "fax")
    settings = replace(draw_photo(seed, long_px=1400, page_aspect=1.4), recompressed=0)
    assert set(np.unique(photograph_as(page, settings).image)) == {0, 255}


@pytest.mark.parametrize("background", ["wood", "plain", "cloth", "dark", "keyboard", "scanner"])
def test_every_background(page, background):
    settings = replace(bent(2), background=background, handwriting=3, stamp=True, holes=True)
    small = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))
    image = photograph_as(page, replace(settings, corners=small)).image
    assert image[:20, :20].std() < 60
    assert image[500:520].std() > 5


def test_encodings(page):
    lossless = decode_image(encode_image(page.image, "png", 0, 120))
    assert np.array_equal(lossless, page.image)
    for encoding in ("jpeg", "webp"):
        other = decode_image(encode_image(page.image, encoding, 90))
        assert np.abs(other.astype(int) - page.image).mean() < 8
    with pytest.raises(ConfigError, match="gif"):
        encode_image(page.image, "gif", 90)
    with pytest.raises(ConfigError, match="no image"):
        decode_image(b"nothing")
    with pytest.raises(ConfigError, match="not the settings"):
        PhotoSettings.from_dict({"seed": 1})
