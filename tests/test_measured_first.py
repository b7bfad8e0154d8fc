"""What a measured value decides, whatever the encoder thinks of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecg_llm.findings.apply import LEFT_BLOCK
from ecg_llm.findings.finding import BY_ENCODER, Evidence
from ecg_llm.findings.pacing import PACED
from ecg_llm.knowledge import SCP
from ecg_llm.measured_first import (
    ISCHAEMIA_SEEN,
    LEFT_SHAPED,
    NOT_NORMAL,
    PAROXYSM,
    TOO_WIDE,
    measured_first,
)
from ecg_llm.probabilities import joined
from ecg_llm.statements import concluded
from tests.judged import MODEL
from tests.judged import made as make


def fact(quantity, value, unit, criterion=""):
    return Evidence(
        lead=None, from_s=None, to_s=None, quantity=quantity, value=value, unit=unit,
        criterion=criterion, source="a paper",
    )  # fmt: skip


def made(code, status, *evidence, reason=None):
    return make(code, status, evidence=evidence, reason=reason)


def found(scores, *given):
    every = joined(dict.fromkeys(SCP, 0.02) | scores, given, MODEL)
    return {finding.code: finding for finding in every}


RATE = fact("heart rate", 118.0, "bpm", "not > 150/min")
QRS = fact("QRS duration over all leads", 152.0, "ms", "≥ 120 ms")


@pytest.mark.parametrize("code", ["STACH", "SBRAD", "LNGQT"])
def test_a_value_beyond_its_limit_is_no_matter_of_opinion(code):
    """A sinus rhythm of 48/min was once "possible sinus bradycardia, uncertain"."""
    beyond = fact("QTc (Fridericia)", 472.0, "ms", "≥ 460 ms") if code == "LNGQT" else RATE
    given = made("SR", "present", RATE), made(code, "present", beyond)
    judged = found({"SR": 0.9}, *given)
    assert judged[code].status == "present" and judged[code].doubt is None
    if code != "LNGQT":
        assert found({"AFIB": 0.99}, *given[1:], made("SR", "absent"))[code].status != "present"


def test_a_long_pr_is_no_sure_block_where_no_sinus_rhythm_is_stated():
    """Beside "the basic rhythm could not be determined" once stood a first-degree block."""
    pr = fact("PR interval", 214.0, "ms", "> 200 ms")
    given = made("SR", "absent"), made("1AVB", "present", pr)
    assert found({"1AVB": 0.05}, *given)["1AVB"].status == "unknown"
    given = made("SR", "present", RATE), made("1AVB", "present", pr)
    assert found({"1AVB": 0.05, "SR": 0.9}, *given)["1AVB"].status == "present"


@pytest.mark.parametrize(("qtc", "status"), [(469.0, "unknown"), (470.0, "present")])
def test_a_qtc_beside_its_limit_is_left_to_the_encoder(qtc, status):
    given = made("LNGQT", "present", fact("QTc (Fridericia)", qtc, "ms", "≥ 460 ms"))
    assert found({"LNGQT": 0.03}, given)["LNGQT"].status == status


def test_flutter_that_its_criterion_finds_is_stated_with_the_doubt():
    judged = found({"AFLT": 0.05}, made("AFLT", "present", RATE))["AFLT"]
    assert judged.status == "present" and "encoder gives" in judged.doubt
    assert found({"AFLT": 0.3}, made("AFLT", "absent"))["AFLT"].status == "absent"


def test_an_infarction_of_another_wall_than_its_q_waves_says_both():
    q_wave = fact("Q duration", 80.0, "ms", "≥ 30 ms")
    judged = found({"ASMI": 0.95}, made("ALMI", "present", q_wave), made("ASMI", "absent"))
    assert judged["ASMI"].status == "present" and q_wave in judged["ASMI"].evidence
    assert judged["ASMI"].doubt.endswith("anterolateral by the leads with Q waves")


def test_a_normal_ecg_of_the_encoder_says_what_the_criteria_find():
    loss = fact("R amplitude", 0.2, "mV", "≤ 0.3 mV")
    given = made("NORM", "absent"), made("poor_r_progression", "present", loss)
    judged = found({"NORM": 0.95}, *given)["NORM"]
    assert judged.status == "present"
    assert judged.doubt.endswith("the criteria find poor R-wave progression")


@pytest.mark.parametrize("code", ["1AVB", "LPR", "VCLVH", "LNGQT"])
def test_what_does_not_reach_its_limit_is_not_stated(code):
    """A PR of 166 ms once stood beside "probable first-degree AV block"."""
    given = made("LPR", "absent", RATE), made("1AVB", "absent", RATE), made(code, "absent", RATE)
    judged = found({code: 0.95}, *given)[code]
    assert judged.status == "unknown" and judged.reason == f"uncertain: {judged.doubt}"
    not_judged = found({code: 0.95}, made(code, "unknown", reason="no P wave"))[code]
    assert not_judged.status == "present"


def test_a_sign_is_stated_with_the_finding_that_rests_on_it():
    """An alert of acute occlusion once stood beside "possible ST elevation, uncertain"."""
    st = fact("ST at J", 0.3, "mV", "≥ 0.1 mV")
    given = made("STE_", "present", st), made("stemi", "present", st)
    judged = found({"STE_": 0.01}, *given)
    assert judged["STE_"].status == "present" and judged["STE_"].doubt is None
    alone = found({"STE_": 0.01}, made("STE_", "present", st))
    assert alone["STE_"].status == "unknown"


@pytest.mark.parametrize(("bpm", "code"), [(118.0, "STACH"), (46.0, "SBRAD"), (80.0, None)])
def test_a_sinus_rhythm_of_the_encoder_is_fast_or_slow_by_its_rate(bpm, code):
    rate = fact("heart rate", bpm, "bpm", "not > 150/min")
    given = [made("extreme_tachycardia", "absent", rate), made("SR", "absent")]
    given += [made("STACH", "absent"), made("SBRAD", "absent")]
    judged = found({"SR": 0.9}, *given)
    assert judged["SR"].status == "present" and judged["SR"].doubt
    for name in ("STACH", "SBRAD"):
        assert judged[name].status == ("present" if name == code else "absent")
    if code:
        assert judged[code].doubt == judged["SR"].doubt
        assert judged[code].evidence[0].value == bpm


def test_a_wide_qrs_always_has_a_name():
    judged = found({}, made("CLBBB", "present", QRS), made("IVCD", "absent"))
    assert judged["CLBBB"].status == "present" and "encoder gives" in judged["CLBBB"].doubt
    delay = found({}, made("IVCD", "present", QRS))["IVCD"]
    assert delay.status == "present" and delay.doubt is None
    near = fact(QRS.quantity, 138.0, "ms", "≥ 120 ms")
    assert found({}, made("IVCD", "present", near))["IVCD"].status == "unknown"
    stated = found({"PACE": 0.9}, made("IVCD", "present", QRS), made("PACE", "present", RATE))
    assert stated["IVCD"].status == "unknown"


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        ("ASMI", PACED, "unknown"),
        ("ISC_", PACED, "unknown"),
        ("ASMI", LEFT_BLOCK, "unknown"),
        ("ISC_", LEFT_BLOCK, "present"),
        ("ASMI", "lead V1 is missing", "present"),
    ],
)
def test_an_encoder_reads_no_infarction_off_paced_beats(code, reason, status):
    """Four paced ECGs of LUDB once had a probable infarction each."""
    judged = found({code: 0.95}, made(code, "unknown", reason=reason))[code]
    assert judged.status == status
    if status == "unknown":
        assert judged.reason == reason and judged.doubt is None


def test_an_incomplete_block_as_wide_as_a_complete_one_says_so():
    given = made("CRBBB", "present", QRS), made("IRBBB", "absent", QRS), made("IVCD", "absent")
    judged = found({"IRBBB": 0.95}, *given)
    assert judged["IRBBB"].status == "present" and TOO_WIDE in judged["IRBBB"].doubt
    assert judged["IVCD"].status == "absent"


def test_a_supraventricular_tachycardia_is_stated_once():
    judged = found({"PSVT": 0.9}, made("SVTAC", "present", RATE))
    assert judged["SVTAC"].status == "present" and judged["SVTAC"].doubt is None
    assert judged["PSVT"].status == "unknown" and judged["PSVT"].reason == PAROXYSM
    assert BY_ENCODER not in {item.quantity for item in judged["PSVT"].evidence}


def test_on_a_page_nothing_is_measured():
    finding = made("1AVB", "present", RATE)
    assert measured_first({"1AVB": finding}, {}) == {"1AVB": finding}


def test_spikes_that_were_counted_are_no_matter_of_opinion():
    """Beside ventricular pacing in every beat once stood "Possible pacemaker rhythm"."""
    spikes = fact("beats right after a spike", 10.0, "of 10", "≥ 2 and ≥ one in five")
    judged = found({"PACE": 0.05}, made("PACE", "present", spikes))["PACE"]
    assert judged.status == "present" and judged.doubt is None
    # At 100 Hz spikes need not be visible, and the encoder may know better.
    assert found({"PACE": 0.97}, made("PACE", "absent"))["PACE"].status == "present"


def width(ms):
    return fact("QRS duration over all leads", ms, "ms", "≥ 120 ms")


@pytest.mark.parametrize(("ms", "status"), [(129.0, "absent"), (138.0, "present")])
def test_a_wide_qrs_of_left_shape_is_a_delay_where_its_block_is_denied(ms, status):
    """Readers name such a QRS, most often a delay; the report once named nothing."""
    judged = found({"CLBBB": 0.05}, made("CLBBB", "present", width(ms)), made("IVCD", "absent"))
    assert judged["IVCD"].status == status and judged["CLBBB"].status == "unknown"
    if status == "present":
        assert judged["IVCD"].doubt == LEFT_SHAPED
        assert width(ms) in judged["IVCD"].evidence


@pytest.mark.parametrize(("ms", "named"), [(124.0, False), (126.0, True)])
def test_a_qrs_too_wide_to_be_normal_stands_in_the_impression(ms, named):
    """A QRS of 148 ms was once named nowhere but among what was left open."""
    given = made("IVCD", "present", width(ms)), made("1AVB", "present", PR), made("SR", "present")
    judged = found({"IVCD": 0.05, "SR": 0.95, "1AVB": 0.9}, *given)
    assert judged["IVCD"].status == "unknown"
    assert (judged["IVCD"] in concluded(judged.values())) is named
    assert (NOT_NORMAL in str(judged["IVCD"].doubt)) is named
    judged = found({"IVCD": 0.05, "CRBBB": 0.97}, given[0], made("CRBBB", "present", width(ms)))
    assert judged["IVCD"] not in concluded(judged.values())


PR = fact("PR interval", 230.0, "ms", "> 200 ms")


def test_what_the_encoder_denies_of_an_injury_is_its_name():
    """Of 29 depressions of injury it gave 0.01 to most, and ischaemia more than 0.9."""
    down = fact("ST at J", -0.16, "mV", "≤ -0.1 mV")
    given = made("INJLA", "present", down), made("ISC_", "present", down)
    assert ISCHAEMIA_SEEN in str(found({"INJLA": 0.01, "ISC_": 0.98}, *given)["INJLA"].doubt)
    assert ISCHAEMIA_SEEN not in str(found({"INJLA": 0.01, "ISC_": 0.02}, *given)["INJLA"].doubt)


def test_over_a_tracing_without_beats_the_encoder_is_silent():
    """Ventricular fibrillation once stood beside a sinus rhythm."""
    silent = made("asystole_or_vf", "present", fact("QRS complexes found", 0.0, ""))
    open_ = made("SR", "unknown", reason="no organized beats")
    judged = found({"SR": 0.9, "ISC_": 0.99, "LMI": 0.99}, silent, open_)
    assert [code for code, one in judged.items() if one.status == "present"] == ["asystole_or_vf"]
    assert judged["SR"] == open_
    beating = made("asystole_or_vf", "absent")
    assert found({"SR": 0.9}, beating, open_)["SR"].status == "present"


def test_pre_excitation_that_the_encoder_denies_stands_in_the_impression():
    """ST and T were left open for it, and the impression named a short PR alone."""
    given = made("WPW", "present", PR), made("short_pr", "present", PR), made("SR", "present")
    judged = found({"WPW": 0.05, "SR": 0.95}, *given)
    assert judged["WPW"].status == "unknown" and judged["WPW"] in concluded(judged.values())


@pytest.mark.parametrize(
    ("score", "status", "doubted"), [(0.9, "present", False), (0.03, "unknown", True)]
)
def test_a_strain_pattern_is_as_sure_as_the_hypertrophy_that_makes_it_one(score, status, doubted):
    """ "Left ventricular strain pattern" stood beside a hypertrophy that was left open."""
    r = fact("R in aVL + S in V3", 2.3, "mV", "≥ 2 mV")
    judged = found({"LVH": score}, made("LVH", "present", r), made("lv_strain", "present", r))
    assert judged["lv_strain"].status == status
    assert bool(judged["lv_strain"].doubt) is doubted
    if doubted:  # the number in the doubt is held by the evidence
        assert BY_ENCODER in {item.quantity for item in judged["lv_strain"].evidence}


def test_a_fast_supraventricular_tachycardia_is_stated_and_no_sinus_rhythm_beside_it():
    """At 220/min the encoder had it a sinus tachycardia."""
    rate = fact("heart rate", 220.0, "bpm", "> 150/min")
    met = made("SR", "absent"), made("STACH", "absent"), made("SVTAC", "present", rate)
    fast = found({"SR": 0.9, "STACH": 0.9}, *met, made("extreme_tachycardia", "present", rate))
    assert fast["SVTAC"].status == "present" and fast["SVTAC"].doubt
    assert fast["SR"].status == fast["STACH"].status == "unknown"


def test_a_kind_of_sinus_rhythm_is_no_surer_than_the_rhythm_itself():
    """ "Probable sinus tachycardia" stood above "not judged: sinus rhythm"."""
    open_ = made("SR", "unknown", reason="why"), made("STACH", "unknown", reason="why")
    given = {finding.code: finding for finding in open_}
    likely = replace(given["STACH"], status="present", doubt="by the encoder")
    judged = measured_first(given | {"STACH": likely}, given)
    assert judged["STACH"].status == "unknown" and judged["STACH"].doubt == "by the encoder"


def test_a_paroxysm_of_the_encoder_is_stated_as_the_tachycardia_that_is_seen():
    open_ = made("SVTAC", "unknown", reason="without clear P waves")
    judged = found({"PSVT": 0.9, "SVTAC": 0.1}, open_)
    assert judged["PSVT"].status == "unknown"
    assert judged["SVTAC"].status == "present" and "without clear P waves" in judged["SVTAC"].doubt


@pytest.mark.parametrize("code", ["AFLT", "ventricular_pacing"])
def test_no_sinus_rhythm_by_the_encoder_alone_stands_beside_flutter_or_pacing(code):
    """Of LUDB's paced records without P waves one whose atria fibrillate was "probable sinus"."""
    met = made("SR", "absent"), made(code, "present", RATE)
    judged = found({"SR": 0.9}, *met)
    assert judged[code].status == "present" and judged["SR"].status == "unknown"
    seen = found({"SR": 0.9}, made("SR", "present"), met[1])
    assert seen["SR"].status == "present"
