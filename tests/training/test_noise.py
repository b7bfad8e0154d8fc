"""Remarks and questions on noise as rows to learn from, and the nets that learn them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.noise import KINDS
from ecg_llm.training.noise import NoiseRecipe, fit_nets
from ecg_llm.training.noise_data import (
    COLUMNS,
    PLACES,
    Question,
    Rows,
    known_rows,
    lead_scales,
    read_questions,
    remarked_leads,
)


@pytest.mark.parametrize(
    ("remark", "leads"),
    [
        (" , I-AVR,  ", {"I", "II", "III", "aVR"}),
        ("v5-6,  ", {"V5", "V6"}),
        (" , III,AVR,AVF", {"III", "aVR", "aVF"}),
        (" , mittel,  ", set()),
        (" , V7", set()),
    ],
)
def test_remarks_are_read_as_leads(remark: str, leads: set[str]) -> None:
    assert remarked_leads(remark) == leads


def cells(ecg_id: int, fold: int, **remarks: str) -> dict[str, str]:
    return {
        "ecg_id": str(ecg_id),
        "strat_fold": str(fold),
        "row_source": "official",
        **{column: remarks.get(column, "") for column in COLUMNS.values()},
    }


def test_leads_without_noise_weigh_as_in_the_questions() -> None:
    table = [
        cells(1, 1, burst_noise="V1"),
        cells(2, 2, burst_noise="V2"),
        cells(3, 3),
        cells(4, 3, static_noise="stark"),
    ]
    questions = [
        Question(1, "burst noise", "V1", True, 1),
        Question(1, "burst noise", "V2", False, 1),
        Question(2, "burst noise", "V1", False, 2),
        Question(3, "burst noise", "V1", False, 3),
    ]
    rows = known_rows(table, questions, asked_weight=0.0, sampled_folds=range(1, 9))
    burst = KINDS.index("burst noise")
    lead = rows.place < 12
    there = rows.there[:, burst] == 1
    elsewhere = np.isin(rows.ecg_id, (1, 2)) & ~there & lead
    clean = (rows.ecg_id == 3) & lead
    assert rows.weight[there & lead, burst].sum() == pytest.approx(2)
    assert rows.weight[elsewhere, burst].sum() == pytest.approx(4)  # twice as often as a yes
    assert rows.weight[clean, burst].sum() == pytest.approx(2)
    # "stark" names no lead: nothing is known of its leads, but the record has static noise.
    static = KINDS.index("static noise")
    assert not rows.weight[(rows.ecg_id == 4) & lead, static].any()
    assert not rows.clean[np.isin(rows.ecg_id, (1, 2, 3))].any()  # asked about


def test_scales_of_limb_leads_follow_from_their_laws() -> None:
    rng = np.random.default_rng(0)
    one, three = rng.normal(0, (0.2, 0.1), (2000, 2)).T
    two = one + three
    limb = np.stack([one, two, three, -(one + two) / 2, (one - three) / 2, (two + three) / 2])
    signal = np.concatenate([limb, rng.normal(0, 0.3, (6, 2000))])
    spread = signal.std(axis=1)
    scales = lead_scales((signal / spread[:, None]).astype(np.float32))
    assert scales[:6] / scales[0] == pytest.approx(spread[:6] / spread[0], rel=1e-3)


def test_nets_learn_what_is_there_and_ignore_what_is_not_known() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (1600, 6)).astype(np.float32)
    there = np.zeros((1600, len(KINDS)), np.float32)
    there[:, 1] = x[:, 0] > 0.5
    weight = np.zeros_like(there)
    weight[:, 1] = 1
    x[::7, 3] = np.nan
    rows = Rows(
        ecg_id=np.arange(1600),
        place=np.zeros(1600, np.int64),
        fold=np.arange(1600) % 9 + 1,
        there=there,
        weight=weight,
        clean=there[:, 1] == 0,
    )
    recipe = NoiseRecipe(nets=2, hidden=8, epochs=40, batch=64, rate=1e-2, clean_share=0.8)
    model = fit_nets(x, rows, (9,), recipe, seed=0)
    p = model.probabilities(x)
    assert np.isfinite(p).all()
    held = rows.fold == 9
    right = (p[held, 1] > 0.5) == (there[held, 1] == 1)
    assert right.mean() > 0.93
    again = fit_nets(x, rows, (9,), recipe, seed=0)
    assert np.array_equal(again.hidden, model.hidden)
    assert len(PLACES) == 13


def test_questions_are_read_once_and_remarks_give_their_leads(tmp_path: Path) -> None:
    lines = [
        {"question": "Is burst noise present in lead V1?", "ecg_id": [2], "answer": ["yes"]},
        {
            "question": "Does this ECG show burst noise in lead V1?",
            "ecg_id": [2],
            "answer": ["yes"],
        },
        {
            "question": "Does this ECG show static noise in lead V2?",
            "ecg_id": [1],
            "answer": ["yes"],
        },
        {
            "question": "Does this ECG show static noise in lead V2?",
            "ecg_id": [9],
            "answer": ["no"],
        },
        {"question": "Does this ECG show static noise?", "ecg_id": [1], "answer": ["yes"]},
    ]
    path = tmp_path / "items.json"
    path.write_text(json.dumps(lines))
    questions = read_questions(path, {1: 3, 2: 3})  # 9 is not at hand
    assert questions == [
        Question(2, "burst noise", "V1", True, 3),
        Question(1, "static noise", "V2", True, 3),
        Question(1, "static noise", None, True, 3),
    ]
    table = [cells(1, 3, static_noise=" , V2,3,  "), cells(2, 3)]
    rows = known_rows(table, questions, asked_weight=2.0, sampled_folds=range(1, 9))
    found = {
        (int(rows.ecg_id[n]), KINDS[k], PLACES[rows.place[n]])
        for n, k in zip(*np.nonzero(rows.there * rows.weight), strict=True)
    }
    assert found == {
        (1, "static noise", None),
        (1, "static noise", "V2"),
        (1, "static noise", "V3"),
        (2, "burst noise", "V1"),
    }
    asked = (rows.ecg_id == 2) & (rows.place == PLACES.index("V1"))
    assert rows.weight[asked, KINDS.index("burst noise")] == pytest.approx(2.0)
