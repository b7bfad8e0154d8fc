import json
import math

import numpy as np
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.findings.atrial import AtrialActivity, irregularity
from ecg_llm.findings.fibrillation import (
    FEATURES,
    FibrillationModel,
    check_fibrillation,
    check_flutter,
    features,
    fibrillation_model,
    fibrillation_probability,
)
from ecg_llm.findings.pacing import PACED
from ecg_llm.findings.rhythm import _when_paced


def activity(coherence=0.9, irregularity=0.02, p_share=1.0, **more):
    settings = {
        "p_coherence": coherence,
        "p_share": p_share,
        "n_with_p": round(10 * p_share),
        "n_judged": 10,
        "p_per_beat": p_share,
        "p_confidence": 0.9,
        "irregularity": irregularity,
        "wave_share": 0.25,
        "locked_hz": 5.0,
        "locked_share": 0.2,
    }
    return AtrialActivity(**(settings | more))


def model(**more):
    n = len(FEATURES)
    settings = {
        "features": FEATURES,
        "means": (0.0,) * n,
        "scales": (2.0,) * n,
        "weights": (1.0,) * n,
        "constant": -1.0,
        "present": 0.4,
        "absent": 0.1,
        "card": {},
    }
    return FibrillationModel(**(settings | more))


def test_the_probability_is_that_of_a_logistic_regression():
    values = (0.4, None, 1.0, -0.6)
    assert model().probability(values) == pytest.approx(1 / (1 + math.exp(1 - 0.2 - 0.5 + 0.3)))


def test_a_model_is_read_as_it_was_written(tmp_path):
    model().save(tmp_path / "rhythm.json")
    assert FibrillationModel.load(tmp_path / "rhythm.json") == model()


@pytest.mark.parametrize("text", ["{}", "[1]", "no json", '{"features": 3}'])
def test_a_broken_model_file_says_what_to_do(tmp_path, text):
    path = tmp_path / "rhythm.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"rhythm\.json: .*train rhythm"):
        FibrillationModel.load(path)


def test_a_model_of_other_features_is_refused(tmp_path):
    path = tmp_path / "rhythm.json"
    model().save(path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["features"][0] = "colour"
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ConfigError, match="colour"):
        FibrillationModel.load(path)


def test_what_cannot_be_measured_stays_missing():
    assert features(activity(coherence=None))[0] is None
    assert fibrillation_probability(activity(irregularity=None)) is None


def test_the_bundled_model_knows_fibrillation_from_sinus_rhythm(make_case):
    card = fibrillation_model().card
    assert card["unseen_sensitivity"] >= 0.85
    assert card["unseen_specificity"] >= 0.98
    case = make_case()
    assert check_fibrillation(activity(0.1, 0.15, 0.0), case).holds is True
    assert check_fibrillation(activity(0.9, 0.025, 1.0), case).holds is False


def test_rr_that_hardly_change_exclude_fibrillation(make_case):
    wild = {"coherence": 0.0, "p_share": 0.0}
    assert check_fibrillation(activity(irregularity=0.019, **wild), make_case()).holds is False


@pytest.mark.parametrize(
    ("share", "per_minute", "p_share", "holds"),
    [
        (0.48, 300, 0.0, True),
        (0.47, 300, 0.0, False),
        (0.60, 219, 0.0, False),
        (0.60, 351, 0.0, False),
        (0.60, 300, 0.3, False),
    ],
)
def test_flutter_waves_by_rate_and_share(make_case, share, per_minute, p_share, holds):
    found = activity(locked_hz=per_minute / 60, locked_share=share, p_share=p_share)
    assert check_flutter(make_case(), found).holds is holds


@pytest.mark.parametrize(
    ("bpm", "share", "changes", "holds"),
    [
        (125, 0.55, {}, True),
        (125, 0.54, {}, None),
        (125, 0.30, {}, False),  # what repeats before the QRS is P
        (125, 0.30, {"coherence": 0.4}, None),
        (135, 0.48, {}, True),
        (125, 0.54, {"p_share": 0.9}, False),
        (125, 0.54, {"irregularity": 0.05}, False),
        (105, 0.54, {}, False),
    ],
)
def test_flutter_waves_twice_as_fast_as_the_beats(make_case, bpm, share, changes, holds):
    settings = {"irregularity": 0.01, "p_share": 0.0, "locked_hz": bpm / 30, "locked_share": share}
    case = make_case({"heart_rate_bpm": float(bpm)})
    assert check_flutter(case, activity(**(settings | changes))).holds is holds


@pytest.mark.parametrize(
    ("usual", "regular"), [([0.98, 0.93, 0.90, 0.91], True), ([0.86, 0.86, 0.87, 1.10], False)]
)
def test_early_beats_of_trigeminy_leave_the_rhythm_regular(make_case, usual, regular):
    """PTB-XL 816: with every third beat early RR changed by 37 %, as in fibrillation."""
    rr = np.ravel([[rr, 0.57, 1.15] for rr in usual])
    kinds = ["normal", *["normal", "supraventricular", "normal"] * len(usual)]
    found = irregularity(make_case(r_s=0.4 + np.cumsum([0, *rr]), kinds=kinds))
    assert (found < 0.05) is regular


@pytest.mark.parametrize(("p_share", "holds"), [(0.1, None), (0.9, False)])
def test_steady_rr_of_paced_ventricles_exclude_no_fibrillation(make_case, p_share, holds):
    """Beneath a pacemaker once stood "No atrial fibrillation (RR changes by 1.4 %)"."""
    steady = activity(irregularity=0.014, p_share=p_share)
    case = make_case({"heart_rate_bpm": 70.0})
    check = check_fibrillation(steady, case)
    assert check.holds is False
    paced = _when_paced(check, steady, PACED)
    assert paced.holds is holds
    assert holds is False or "paced" in str(paced.reason)
