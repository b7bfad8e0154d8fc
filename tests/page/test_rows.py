"""Tracings followed over perfect maps of pages whose truth is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ecg_llm.page.net import PULSE, Sight
from ecg_llm.page.paper import find_paper
from ecg_llm.page.read import _lean
from ecg_llm.page.rows import SAMPLES_MM, Row, follow_rows
from ecg_llm.page.ruling import held_by_ruling


def _sight(curves, scale=4.0, turn=0.0, size=(640, 1216)):
    """What a perfect net would see: curves as (baseline mm, heights in mm at each mm/4)."""
    import cv2

    height, width = size
    angle = np.deg2rad(turn)
    across = scale * np.array([np.cos(angle), np.sin(angle)])
    down = scale * np.array([-np.sin(angle), np.cos(angle)])
    trace = np.zeros((height, width), np.uint8)
    base = np.full((height // 4, width // 4), 1e9, np.float32)
    image = np.full((height, width, 3), 255, np.uint8)
    for k in range(300):
        for axis, other in ((across, down), (down, across)):
            a, b = axis * k, axis * k + other * 300
            shade = (230, 190, 190) if k % 5 else (200, 120, 120)
            ends = [tuple(np.rint(p * 16).astype(int).tolist()) for p in (a, b)]
            cv2.line(image, ends[0], ends[1], shade, 1, cv2.LINE_AA, 4)
    for level, heights in curves:
        t = 10 + np.arange(len(heights)) / 4
        points = t[:, None] * across + (level - heights)[:, None] * down
        whole = np.rint(points * 16).astype(np.int32)
        cv2.polylines(trace, [whole[:, None]], False, 255, 1, cv2.LINE_AA, 4)
        on_base = t[:, None] * across + level * down
        for (x, y), (_, y0) in zip(points, on_base, strict=True):
            i, j = int(y) // 4, int(x) // 4
            for di in range(-8, 9):
                if 0 <= i + di < height // 4 and 0 <= j < width // 4:
                    base[i + di, j] = y0 - ((i + di) * 4 + 1.5)
    lie = (height // 16, width // 16, 2)
    return Sight(
        image=image,
        trace=(trace / 255).astype(np.float32),
        spots=np.zeros((PULSE + 1, height // 4, width // 4), np.float32),
        offset_px=np.where(base > 1e8, 0, base).astype(np.float32),
        across=np.broadcast_to(across, lie).astype(np.float32),
        down=np.broadcast_to(down, lie).astype(np.float32),
        paper=np.ones(lie[:2], np.float32),
    )


def _beats(n, bpm=72.0, tall=12.0):
    """Narrow spikes and rounded waves, in mm at a quarter of a millimetre."""
    t = np.arange(n) / 100.0
    phase = (t * bpm / 60) % 1 - 0.5
    spike = tall * np.clip(1 - np.abs(phase) / 0.03, 0, 1)
    return spike + 2.0 * np.exp(-((phase - 0.3) ** 2) / 0.005)


@pytest.mark.parametrize("scale", [3.4, 4.0, 4.6])
@pytest.mark.parametrize("turn", [-2.0, 0.0, 2.0])
def test_a_drawn_curve_is_read_back(scale, turn):
    heights = _beats(900)
    sight = _sight([(50.0, heights), (85.0, -0.7 * heights)], scale, turn)
    paper = find_paper(sight)
    assert paper is not None and paper.grid_seen
    rows = follow_rows(sight, paper)
    assert len(rows) == 2
    assert rows[1].at_mm - rows[0].at_mm == pytest.approx(35.0, rel=0.02)
    for row, truth in zip(rows, (heights, -0.7 * heights), strict=True):
        read = row.values
        at = np.arange(len(read)) / SAMPLES_MM
        errors = [
            np.nanmean(np.abs(read - np.interp(at + lag, np.arange(900) / 4, truth)))
            for lag in np.arange(-1, 1.01, 0.05)
        ]
        assert min(errors) < 0.35  # mm
        assert np.nanmax(np.abs(read)) == pytest.approx(np.abs(truth).max(), rel=0.08)


def test_a_circle_drawn_over_a_tracing_is_left():
    """The mean of a column's ink was taken: a pen's circle moved a tracing by a millivolt."""
    import cv2

    plain = _sight([(50.0, _beats(900)), (85.0, _beats(900))])
    trace = (plain.trace * 255).astype(np.uint8)
    cv2.ellipse(trace, (500, 195), (60, 28), 0, 0, 360, 255, 1, cv2.LINE_AA)
    drawn = replace(plain, trace=(trace / 255).astype(np.float32))
    paper = find_paper(plain)
    assert paper is not None
    for before, after in zip(follow_rows(plain, paper), follow_rows(drawn, paper), strict=True):
        n = min(len(before.values), len(after.values))
        off = np.abs(before.values[:n] - after.values[:n])
        # Where the pen crosses the tracing, it cannot be told from a wave.
        assert np.mean(off > 0.5) < 0.04


def test_nothing_drawn_gives_no_paper():
    assert find_paper(_sight([])) is None


def test_a_gap_stays_open():
    heights = _beats(900)
    sight = _sight([(50.0, heights)])
    sight.trace[:, 500:560] = 0
    paper = find_paper(sight)
    assert paper is not None
    (row,) = follow_rows(sight, paper)
    assert 10 < np.isnan(row.values).sum() / SAMPLES_MM < 20  # mm


@pytest.mark.parametrize("bend_px", [-6.0, 5.0])
def test_the_lines_of_the_ruling_hold_the_map_of_bent_paper(bend_px):
    """What a tile's scale leaves of a bend adds up along the page: a QRS came 30 ms late."""
    import cv2

    flat = _sight([(50.0, _beats(900)), (85.0, _beats(900))])
    y, x = np.mgrid[: flat.image.shape[0], : flat.image.shape[1]].astype(np.float32)
    moved = x - bend_px * np.sin(2 * np.pi * x / 1216) * (0.5 + y / 640)
    image, trace = (cv2.remap(part, moved, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                    for part in (flat.image, flat.trace))  # fmt: skip
    sight = replace(flat, image=image, trace=trace)
    at = np.stack([np.linspace(60, 900, 80), np.full(80, 260.0)], axis=-1)
    truth = moved[260, np.rint(at[:, 0]).astype(int)] / 4
    paper = find_paper(sight)
    assert paper is not None
    off = []
    for one in (paper, held_by_ruling(paper, sight)):
        miss = one.mm(at)[:, 0] - truth
        off.append(float(np.abs(miss - np.median(miss)).max()))
    assert off[0] > 0.4 and off[1] < 0.25  # mm


def test_a_map_without_a_ruling_stays_as_it_is():
    sight = _sight([(50.0, _beats(900)), (85.0, _beats(900))])
    sight = replace(sight, image=np.full_like(sight.image, 255))
    paper = find_paper(sight)
    assert paper is not None and held_by_ruling(paper, sight) is paper


@pytest.mark.parametrize("askew", [0.0, -0.014])
def test_rows_lean_where_their_beats_do(askew):
    """Preprinted paper ran askew: beats of a photograph's fourth row came 50 ms too early."""
    line = np.interp(np.arange(900 * 5) / 20, np.arange(900) / 4, _beats(900))
    down = np.array([0.0, 35.0, 70.0, 105.0])
    rows = tuple(Row(at, 0.0, askew * at, line) for at in down)
    found = _lean(rows, SimpleNamespace(slant=-0.014))
    assert found == pytest.approx(askew * (down - down.mean()))
