"""Remarks and questions on noise as rows to learn from, and the nets that learn them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.leads import STANDARD_12
from ecg_llm.noise import KINDS
from ecg_llm.noise_features import Parted
from ecg_llm.noise_net import N_CHANNELS, noise_map
from ecg_llm.quality.bands import split_bands
from ecg_llm.quality.features import measure_features
from ecg_llm.record import ECGRecord
from ecg_llm.training.noise import NoiseRecipe, _fit_nets, train
from ecg_llm.training.noise_data import (
    COLUMNS,
    PLACES,
    Question,
    Rows,
    _lead_scales,
    _remarked_leads,
    known_rows,
    read_questions,
)
from ecg_llm.training.noise_net import (
    N_FRAMES,
    Drawn,
    NetRecipe,
    _inputs,
    _net,
    fit_noise_net,
    learn_simulated,
)
from ecg_llm.training.noise_simulate import _add_noise, simulated_maps


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
    assert _remarked_leads(remark) == leads


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
    scales = _lead_scales((signal / spread[:, None]).astype(np.float32))
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
    model = _fit_nets(x, rows, (9,), recipe, seed=0)
    p = model.probabilities(x)
    assert np.isfinite(p).all()
    held = rows.fold == 9
    right = (p[held, 1] > 0.5) == (there[held, 1] == 1)
    assert right.mean() > 0.93
    again = _fit_nets(x, rows, (9,), recipe, seed=0)
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


def beating(rng: np.random.Generator) -> ECGRecord:
    """Sharp beats of other sizes in each lead, ten seconds at 100 Hz."""
    signal = rng.normal(0, 0.005, (12, 1000))
    for beat in range(40, 1000, 80):
        signal[:, beat - 2 : beat + 3] += np.array([0.2, 0.7, 1.0, 0.5, -0.2])
    signal *= np.linspace(0.5, 1.5, 12)[:, None]
    return ECGRecord(signal=signal.astype(np.float32), fs=100.0, leads=STANDARD_12, name="beats")


def test_simulated_noise_obeys_the_laws_of_the_leads_and_has_the_size_told() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        leads, sizes = _add_noise(1000, rng)
        one, two, three, *augmented = leads[:6]
        assert two == pytest.approx(one + three, abs=1e-9)
        assert np.sum(augmented, axis=0) == pytest.approx(0, abs=1e-9)
        quiet = sizes[:, ::2] <= np.log(0.0041)
        assert (np.abs(leads[quiet.all(axis=1)]) < 0.05).all()
        loudest = np.exp(sizes[:, ::2]).sum(axis=1)
        assert (np.sqrt(np.square(leads).mean(axis=1)) <= loudest + 1e-9).all()


def test_a_map_shows_the_lead_and_the_time_of_a_burst() -> None:
    rng = np.random.default_rng(1)
    record = beating(rng)
    signal = record.signal.copy()
    signal[8, 500:600] += rng.normal(0, 0.2, 100).astype(np.float32)
    maps = []
    for one in (record.signal, signal):
        bands = split_bands(ECGRecord(signal=one, fs=100.0, leads=STANDARD_12, name="burst"))
        maps.append(noise_map(Parted(bands, measure_features(bands))))
    assert maps[0].shape == (12, N_CHANNELS, N_FRAMES)
    louder = maps[1][:, 6] - maps[0][:, 6]  # 28 to 40 Hz
    assert louder[8, 25:30].min() > 1
    assert np.abs(np.delete(louder, 8, axis=0)).max() < 0.5
    assert np.abs(louder[8, :23]).max() < 1


def test_net_learns_which_lead_is_noisy_and_runs_without_torch() -> None:
    import torch

    rng = np.random.default_rng(2)
    recipe = NetRecipe(width=12, hidden=16, epochs=30, simulated_epochs=2, rate=1e-2, dropped=0.1)
    maps, sizes = simulated_maps([beating(rng) for _ in range(12)] * 2, N_FRAMES, seed=0)
    started = learn_simulated(maps, sizes, recipe, seed=0)
    drawn = rng.normal(0, 1, (180, 12, N_CHANNELS, N_FRAMES)).astype(np.float32)
    there = np.zeros((180, 13, len(KINDS)), np.float32)
    there[:, :12, 1] = rng.random((180, 12)) < 0.3
    drawn[:, :, 3] += 2 * there[:, :12, 1, None]
    drawn = started.mean + started.spread * drawn
    weight = np.zeros_like(there)
    weight[:, :12, 1] = 1
    records = Drawn(
        ecg_id=np.arange(180),
        fold=np.arange(180) % 9 + 1,
        maps=drawn,
        there=there,
        weight=weight,
        clean=np.zeros(180, bool),
    )
    net = fit_noise_net(records, started, (9,), recipe, seed=0)
    held = np.flatnonzero(records.fold == 9)
    said = np.stack([net.logits(drawn[k])[:12, 1] > 0 for k in held])
    assert (said == (there[held, :12, 1] == 1)).mean() > 0.9
    # The same weights in torch give the same.
    same = _net(recipe, 0.0, 0.0).eval()
    state = same.state_dict()
    for name in state:
        layer, part = name.split(".")
        if layer != "at_size":
            array = getattr(net, layer if part == "weight" else f"{layer}_bias")
            state[name] = torch.from_numpy(array)
    same.load_state_dict(state)
    with torch.no_grad():
        wanted = same(_inputs(drawn[:3], started.mean, started.spread).float()).numpy()
    for k in range(3):
        assert net.logits(drawn[k]) == pytest.approx(wanted[k], abs=0.02)


def test_the_fold_that_is_kept_back_teaches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ecg_id", "strat_fold", *COLUMNS.values()]
    rows = [",".join([f"{fold}.0", f"{fold}.0", "", "", "", ""]) for fold in (1, 8, 9, 10)]
    (tmp_path / "ptbxl_database.csv").write_text("\n".join([",".join(names), *rows]))
    (tmp_path / "items.json").write_text('[{"question": "Is there?", "ecg_id": [7]}]')

    def stop(table: list[dict[str, str]], *_: object, **__: object) -> None:
        assert [row["strat_fold"] for row in table] == ["1.0", "8.0", "9.0"]
        raise KeyboardInterrupt

    monkeypatch.setattr("ecg_llm.training.noise.known_rows", stop)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, tmp_path / "items.json", tmp_path / "out.npz")
