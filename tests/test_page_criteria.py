"""What alarms is seen on a page, and never told as a value."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.assistant import interpret
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.findings.checks import judge, unknown
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.page_criteria import NOT_SEEN, NOT_SINUS, Trust, judge_page, sign_of
from ecg_llm.page_seen import CODES, see
from ecg_llm.quality import assess
from tests.test_traced import in_columns


def judged(page, *stated):
    """Give the findings of a page whose encoder states these codes."""
    open_ = [judge(code, unknown("nothing")) for code in STATEMENTS]
    given = [replace(f, status="present") if f.code in stated else f for f in open_]
    return {f.code: f for f in judge_page(page, assess(page), given)}


def page_of(seed=11, **wanted):
    return in_columns(synthetic_ecg(seed=seed, **wanted).record)


@pytest.mark.parametrize("wall", ["anterior", "inferior", "anterolateral"])
def test_an_acute_infarction_is_seen_with_its_leads(wall):
    found = judged(page_of(bpm=75, conditions=(f"mi_{wall}_acute",)), "SR")
    stemi = found["stemi"]
    assert stemi.status == "present" and stemi.probability >= 0.5
    raised = {item.lead for item in stemi.evidence}
    expected = {"anterior": {"V3", "V4"}, "inferior": {"III", "aVF"}, "anterolateral": {"V4", "V5"}}
    assert expected[wall] <= raised
    assert found["SR"].status == "present"


def test_beside_an_infarction_nothing_is_probably_normal():
    page = page_of(bpm=75, conditions=("mi_anterior_acute",))
    normal = replace(judge("NORM", unknown("nothing")), probability=0.77)
    (found,) = judge_page(page, assess(page), [normal])
    assert found.probability is None and "ST elevation" in found.reason
    healthy = page_of(bpm=70)
    assert judge_page(healthy, assess(healthy), [normal]) == (normal,)


def test_no_height_is_told():
    page = page_of(bpm=75, conditions=("mi_anterior_acute",))
    for finding in judged(page).values():
        for item in finding.evidence:
            assert isinstance(item.value, str) and not item.unit
            assert 0 <= item.from_s < item.to_s <= page.duration_s


def test_a_healthy_page_alarms_nobody_and_excludes_nothing():
    found = judged(page_of(bpm=70), "SR")
    assert {found[code].status for code in CODES} == {"unknown"}
    assert found["stemi"].reason == NOT_SEEN
    assert found["SR"].status == "present"


@pytest.mark.parametrize("block", ["CLBBB", "PACE"])
def test_where_the_qrs_changes_st_nothing_of_it_is_stated(block):
    page = page_of(bpm=75, conditions=("mi_anterior_acute",))
    assert judged(page)["stemi"].status == "present"
    assert judged(page, block)["stemi"].status == "unknown"


def test_without_a_scale_no_st_is_judged():
    page = replace(page_of(bpm=75, conditions=("mi_anterior_acute",)), calibrated=False)
    assert judged(page)["stemi"].status == "unknown"


@pytest.mark.parametrize(
    ("rhythm", "bpm", "code"),
    [
        ("vt", None, "wide_qrs_tachycardia"),
        ("vf", None, "asystole_or_vf"),
        ("svt", None, "extreme_tachycardia"),
        ("sinus", 31.0, "extreme_bradycardia"),
    ],
)
def test_rhythms_that_alarm_are_seen(rhythm, bpm, code):
    found = judged(page_of(rhythm=rhythm, bpm=bpm), "SR", "SBRAD")
    assert found[code].status == "present"
    assert found[code].evidence[0].lead == "II"
    if rhythm == "sinus":
        assert found["SR"].status == "present"
    else:
        assert (found["SR"].status, found["SR"].reason) == ("unknown", NOT_SINUS)


def test_fibrillation_is_no_sinus_rhythm_and_no_wide_tachycardia():
    page = page_of(rhythm="af", bpm=130)
    found = judged(page, "SR", "AFIB")
    assert found["SR"].status == "unknown"
    assert found["wide_qrs_tachycardia"].status == "unknown"


def test_beats_lost_in_reading_are_no_arrest():
    page = page_of(bpm=70)
    rng = np.random.default_rng(0)
    lost = np.where(np.isfinite(page.signal), rng.normal(0, 0.3, page.signal.shape), np.nan)
    poor = replace(page, signal=lost.astype(np.float32))
    assert see(poor, assess(poor), frozenset()).by_code["asystole_or_vf"].status == "absent"


def test_a_page_whose_paper_speed_was_misread_is_no_slow_heart():
    record = in_columns(synthetic_ecg(seed=11, bpm=66).record, width_s=2.5)
    halved = replace(record, fs=record.fs / 2)  # 50 mm/s taken for 25
    assert (
        see(halved, assess(halved), frozenset()).by_code["extreme_bradycardia"].status == "absent"
    )


def test_too_little_of_a_page_tells_no_rhythm():
    page = page_of(bpm=70).segment(0, 4)
    seen = see(page, assess(page), frozenset())
    assert seen.sinus is None and "asystole_or_vf" not in seen.by_code


def test_the_further_beyond_the_limit_the_more_probable():
    trust = Trust(slope=1.0, constant=1.0)
    assert trust.probability(0.01) < 0.5 < trust.probability(0.05) < trust.probability(0.3)
    assert trust.probability(1e9) == 0.99
    assert sign_of("stemi") == "raised" and sign_of("INJIN") == "lowered"
    assert sign_of("asystole_or_vf") == "asystole_or_vf"


def test_the_report_of_a_page_alerts():
    page = page_of(bpm=75, conditions=("mi_anterior_acute",))
    report = interpret(page, model=None)
    assert report.alerts[0].code == "stemi"
    assert "probability 0." in report.alerts[0].text
    assert all(quantity.value is None for quantity in report.measurements.values())


@pytest.mark.parametrize("seed", range(12))
def test_whatever_of_a_page_was_read_is_judged(seed):
    rng = np.random.default_rng(seed)
    record = synthetic_ecg(seed=seed, bpm=float(rng.uniform(30, 180))).record
    some = tuple(str(lead) for lead in rng.permutation(record.leads)[: rng.integers(1, 13)])
    page = in_columns(record, width_s=float(rng.uniform(1, 3))).select(some)
    for row in page.signal:
        first, last = sorted(rng.integers(0, page.n_samples, 2).tolist())
        row[:first] = row[last:] = np.nan
    report = interpret(replace(page, calibrated=bool(rng.random() < 0.8)), model="none")
    assert all(quantity.value is None for quantity in report.measurements.values())
