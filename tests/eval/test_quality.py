"""The evaluation on a tiny folder of simulated records with marks that are known."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.eval.quality import Agreement, _deal, evaluate
from ecg_llm.training.quality_gate import SWAP_KINDS, GateConfig, _read_marks, exchange, fit_gate


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_wfdb):
    """Clean records marked acceptable, noise marked unacceptable, one without a mark."""
    data = tmp_path_factory.mktemp("marked")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(25):
        record = synthetic_ecg(fs=100.0, seed=i).record
        good = i % 2 == 0
        if not good:
            record = replace(record, signal=rng.normal(0, 1, record.signal.shape))
        write_wfdb(data, f"r{i}", record)
        mark = "acceptable" if good else "unacceptable"
        rows.append((f"r{i}", mark if i < 24 else "unlabelled"))
    with (data / "quality.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("record", "quality"), *rows])
    return data


def test_what_is_easy_is_judged_right_by_trees_that_did_not_see_it(folder):
    steps = []
    told = evaluate(
        folder,
        repetitions=1,
        config=GateConfig(members=2, trees=20),
        progress=lambda done, n: steps.append((done, n)),
    )
    found = told.cross_validated
    assert (found.n_acceptable, found.n_unacceptable) == (12, 12)
    assert found.agreement >= 0.9
    assert steps[-1] == (34, 34)
    assert "Resubstitution" in told.render()
    assert told.to_dict()["cross_validated"]["agreement"] == found.agreement


def test_unmarked_records_are_left_out(folder):
    assert len(_read_marks(folder)) == 24


def test_a_folder_without_marks_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"quality\.csv"):
        evaluate(tmp_path)


def test_counts():
    said = np.array([True, True, False, False, False])
    experts = np.array([True, False, False, False, True])
    found = Agreement.of(said, experts)
    assert found.agreement == pytest.approx(3 / 5)
    assert found.sensitivity == pytest.approx(2 / 3)
    assert found.specificity == pytest.approx(1 / 2)
    assert found.agreement_low < 3 / 5 < found.agreement_high


def test_folds_spread_both_marks_evenly():
    marks = np.arange(200) < 40
    fold = _deal(marks, seed=1)
    assert set(np.bincount(fold[marks])) == {4}
    assert set(np.bincount(fold[~marks])) == {16}


def test_trees_as_arrays_say_what_the_library_says():
    from sklearn.ensemble import GradientBoostingClassifier

    rng = np.random.default_rng(2)
    x = rng.normal(size=(120, 10)).astype(np.float32)
    y = x[:, 0] + x[:, 1] ** 2 + 0.3 * rng.normal(size=120) > 0.5
    config = GateConfig(members=1, trees=20)
    library = GradientBoostingClassifier(
        n_estimators=20, max_depth=config.depth, learning_rate=config.rate, subsample=0.5,
        max_features=config.features, min_samples_leaf=config.smallest_leaf, random_state=7000,
    ).fit(x, y)  # fmt: skip
    ours = fit_gate(x, y, seed=7, config=config)
    told = [ours.probability(row) for row in x]
    np.testing.assert_allclose(told, library.predict_proba(x)[:, 1], atol=1e-5)


@pytest.mark.parametrize("kind", SWAP_KINDS)
def test_every_exchange_keeps_the_limb_laws(kind):
    rng = np.random.default_rng(3)
    limb = rng.normal(size=(2, 4, 80)).astype(np.float32)
    one, two = limb
    rows = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = rng.normal(size=(4, 6, 80)).astype(np.float32)
    made = exchange(np.concatenate([np.stack(rows, 1), chest], 1), kind, 0.03, rng)
    np.testing.assert_allclose(made[:, 0] + made[:, 2], made[:, 1], atol=1e-5)
    np.testing.assert_allclose(made[:, 3] + made[:, 4] + made[:, 5], 0, atol=1e-5)
