import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.findings.fibrillation import FEATURES, FibrillationModel
from ecg_llm.training.rhythm import AtrialTable, FibrillationRecipe, _fit, train


def table(n=400, gap=3.0, seed=0):
    """Give two clouds apart by a known distance in the first feature, alike in the rest."""
    rng = np.random.default_rng(seed)
    fibrillates = np.arange(n) % 5 == 0
    values = rng.normal(size=(n, len(FEATURES)))
    values[fibrillates, 0] += gap
    return AtrialTable(values=values, fibrillates=fibrillates, folds=np.arange(n) % 4 + 1)


def test_the_weight_goes_to_the_feature_that_tells():
    model = _fit(table())
    assert model.weights[0] > 5 * max(abs(weight) for weight in model.weights[1:])
    at = [model.probability((x, 0.0, 0.0, 0.0)) for x in (0.0, 3.0)]
    assert at[0] < 0.05
    assert at[1] > 0.6


def test_the_limits_keep_what_the_recipe_asks_for():
    recipe = FibrillationRecipe(specificity=0.95, missed=0.05, floor=0.0)
    model = _fit(table(gap=1.5), recipe=recipe)
    assert model.card["unseen_specificity"] == pytest.approx(0.95, abs=0.005)
    assert 0 < model.absent < model.present < 1


def test_a_missing_value_counts_as_the_mean():
    rows = table()
    rows.values[::7, 1] = np.nan
    model = _fit(rows)
    there = model.probability((1.0, model.means[1], 0.0, 0.0))
    assert model.probability((1.0, None, 0.0, 0.0)) == there


def test_records_of_one_kind_or_one_fold_are_not_enough():
    rows = table(40)
    only = AtrialTable(values=rows.values, fibrillates=np.zeros(40, bool), folds=rows.folds)
    with pytest.raises(ConfigError, match="with and without"):
        _fit(only)
    first = np.where(rows.fibrillates, 1, rows.folds)
    with pytest.raises(ConfigError, match="fold"):
        _fit(AtrialTable(values=rows.values, fibrillates=rows.fibrillates, folds=first))


def test_training_on_a_folder_in_the_layout_of_ptbxl(tmp_path, write_ptbxl):
    rhythms = [("sinus", "SR"), ("af", "AFIB")] * 4 + [("flutter", "AFLT")]
    records = []
    for k, (rhythm, code) in enumerate(rhythms):
        record = synthetic_ecg(rhythm=rhythm, fs=100, seed=k + 1).record
        fold = f"{k // 4 + 1}.0"  # as pandas writes it
        records.append((record, f"{{'{code}': 0.0}}", fold))
    write_ptbxl(tmp_path, records)
    out = tmp_path / "runs" / "rhythm"
    seen = []
    model = train(tmp_path, out, folds=(1, 2, 3), progress=lambda done, n: seen.append(done))
    assert seen == list(range(1, 10))
    assert model == FibrillationModel.load(out / "rhythm.json")
    assert model.card["with_fibrillation"] == 4
    assert model.card["records"] == 8  # flutter is left out
    again = train(tmp_path, tmp_path / "again", folds=(1, 2, 3))
    assert again == model
    assert "PTB-XL" in json.dumps(model.card)
