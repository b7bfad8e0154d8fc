"""The SVG is small, safe and true to the samples."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.render.layout import LAYOUTS, STANDARD
from ecg_llm.render.marks import EvidenceMark
from ecg_llm.render.page import page_scene
from ecg_llm.render.scene import TOLERANCE_MM
from ecg_llm.render.svg import path_data, to_svg


def noisy_record(name="x"):
    rng = np.random.default_rng(3)
    rows = np.cumsum(rng.normal(0, 0.02, (12, 5000)), axis=1)
    rows[:, ::400] += 1.5
    return ECGRecord(signal=rows.astype(np.float32), fs=500, leads=STANDARD_12, name=name)


def walk(data):
    """Follow path data back to points in mm."""
    start, steps = data[1:].split("l")
    numbers = [int(v) for v in re.findall(r"-?\d+", steps)]
    deltas = np.array(numbers).reshape(-1, 2)
    origin = np.array([int(v) for v in start.split()])
    return (origin + np.vstack([[0, 0], np.cumsum(deltas, axis=0)])) / 100


def test_no_sample_is_lost_from_the_line():
    points = STANDARD.place(noisy_record()).places[0].points(noisy_record())
    drawn = walk(path_data(points))
    assert len(drawn) < len(points)
    assert np.all(np.diff(drawn[:, 0]) >= 0)
    off = np.abs(np.interp(points[:, 0], drawn[:, 0], drawn[:, 1]) - points[:, 1])
    steep = np.abs(np.gradient(points[:, 1], points[:, 0]))
    # The distance is kept at right angles to the line, so a steep line may be off more upwards.
    assert np.all(off < (TOLERANCE_MM + 0.02) * (1 + steep) * 3)
    peaks = points[:, 1].argsort()[:3]
    for peak in points[peaks]:
        assert np.min(np.hypot(*(drawn - peak).T)) < TOLERANCE_MM + 0.01


def test_it_is_self_contained_and_true_to_size():
    scene, _ = page_scene(noisy_record(), layout=LAYOUTS["12x1"])
    text = to_svg(scene)
    root = ElementTree.fromstring(text)
    assert (root.get("width"), root.get("height")) == ("297mm", "210mm")
    assert root.get("viewBox") == "0 0 29700 21000"
    assert re.findall(r'(?:href|src)\s*=|https?://(?!www\.w3\.org/2000/svg")', text) == []
    assert len(text) < 500_000


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a&b\"'", "x\x00\x1b[31m\ny"])
def test_hostile_names_stay_text(name):
    mark = EvidenceMark(lead="I", from_s=0, to_s=1, label="<1>", description=name)
    layout = replace(STANDARD, fields=(name,))
    record = noisy_record(name)
    scene, _ = page_scene(record, layout=layout, marks=[mark], lead_notes={"I": name})
    root = ElementTree.fromstring(to_svg(scene, title=name))
    assert not [node for node in root.iter() if node.tag.endswith("script")]


def test_marks_can_be_found_by_their_label():
    mark = EvidenceMark(lead="V1", from_s=5.1, to_s=5.3, label="7", description="ST")
    scene, _ = page_scene(noisy_record(), marks=[mark])
    root = ElementTree.fromstring(to_svg(scene))
    groups = [node for node in root.iter() if node.get("data-mark") == "7"]
    assert len(groups) == 2
    assert any("V1, 5.10–5.30 s. ST" in "".join(group.itertext()) for group in groups)
