"""What a language model writes, made to hold: corrected, withheld, completed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecg_llm.analysis import Analysis
from ecg_llm.claims.check import check_text
from ecg_llm.claims.stated import stated
from ecg_llm.ground.affirmed import breaks_rule
from ecg_llm.ground.check import check_sentence
from ecg_llm.ground.draft import ground
from ecg_llm.ground.known import Known, known_of
from ecg_llm.phrases import measured
from ecg_llm.statements import conclusion_claim
from tests.judged import made


def value(known: Known, name: str) -> float:
    """Give a measured value."""
    measured = known.facts.values[name].value
    assert measured is not None
    return measured


def test_a_wrong_number_is_replaced_by_the_measured_one(known: Known) -> None:
    qrs = value(known, "qrs_ms")
    told = ground(f"The QRS duration is {qrs + 60:.0f} ms.", known, complete=False)
    assert told.text == f"The QRS duration is {qrs:.0f} ms."
    assert [change.action for change in told.changes] == ["corrected"]


def test_seconds_stay_seconds_when_a_number_is_replaced(known: Known) -> None:
    pr = value(known, "pr_ms")
    told = ground(f"PR {pr / 1000 + 0.08:.2f} s.", known, complete=False)
    assert told.text == f"PR {pr / 1000:.2f} s."


def test_a_right_text_is_left_as_it_is(known: Known) -> None:
    text = f"Sinus rhythm. The heart rate is {value(known, 'heart_rate_bpm'):.0f} bpm."
    told = ground(text, known, complete=False)
    assert told.text == text
    assert not told.changes


@pytest.mark.parametrize(
    "text",
    [
        "The ejection fraction is 55 %.",
        "Potassium is 5.2 mmol/l.",
        "The patient has diabetes.",
        "Give 5 mg of bisoprolol.",
        "PVCs in 3 of 11 beats.",
        "The weather is nice.",
        "There is a pattern of 17 in this.",
    ],
)
def test_what_no_record_bears_out_is_withheld(known: Known, text: str) -> None:
    told = ground(text, known, complete=False)
    assert told.text in ("", "No ventricular premature complexes.")
    assert told.changes


def test_an_age_that_is_not_the_patients_is_withheld(found: Analysis) -> None:

    known = known_of(replace(found, record=replace(found.record, age_years=56.0)))
    assert ground("A 56-year-old with sinus rhythm.", known, complete=False).text
    wrong = ground("A 75-year-old with sinus rhythm.", known, complete=False).text
    assert "75" not in wrong and wrong.startswith("Sinus rhythm")


def test_every_alteration_of_the_measured_report_is_undone(known: Known, found: Analysis) -> None:
    """Each number of a good text is altered in turn; none of the wrong ones ships."""
    good = {
        "heart rate": ("heart_rate_bpm", "bpm"),
        "PR interval": ("pr_ms", "ms"),
        "QRS duration": ("qrs_ms", "ms"),
        "QT interval": ("qt_ms", "ms"),
        "QTc (Fridericia)": ("qtc_fridericia_ms", "ms"),
    }
    for said, (name, unit) in good.items():
        for factor in (0.5, 0.8, 1.3, 2.0):
            wrong = value(known, name) * factor
            told = ground(f"The {said} is {wrong:.0f} {unit}.", known, complete=False)
            checked = check_text(told.text, facts=known.facts)
            assert checked and all(claim.status == "supported" for claim in checked), told.text
            assert f"{wrong:.0f} {unit}" not in told.text


def test_a_finding_that_is_absent_is_denied_instead(known: Known) -> None:
    told = ground("There is atrial fibrillation.", known, complete=False)
    assert told.text == "No atrial fibrillation."


def test_a_finding_left_out_is_added(found: Analysis) -> None:

    urgent = replace(
        found.findings[0],
        code="PVC",
        label="ventricular premature complexes",
        status="present",
        urgency="abnormal",
        section="ectopy",
        evidence=(),
    )
    known = known_of(replace(found, findings=(urgent,)))
    told = ground("The QRS is narrow.", known)
    assert told.text.startswith("The QRS is narrow.")
    assert "Ventricular premature complexes. Impression: ventricular premature" in told.text
    assert {change.action for change in told.changes} == {"added"}


def test_a_sentence_said_twice_ships_once(known: Known) -> None:
    assert ground("Sinus rhythm. Sinus rhythm. Sinus rhythm.", known, complete=False).text == (
        "Sinus rhythm."
    )


def test_a_sentence_that_breaks_off_in_a_bracket_is_written_anew(known: Known) -> None:
    qrs = value(known, "qrs_ms")
    (told,) = check_sentence(f"QRS {qrs:.0f} ms (reference in the PR.", known)
    assert told.text.startswith("QRS duration")
    assert told.text.count("(") == told.text.count(")")


def test_a_value_of_one_lead_is_not_borne_out_by_anothers_evidence(
    found: Analysis, known: Known
) -> None:
    """Evidence of a finding in V4 once bore out the same number told of aVL."""

    values = {lead: known.facts.value("t_mv", lead).value for lead in ("V4", "aVL")}
    assert values["V4"] is not None and values["aVL"] is not None
    assert abs(values["V4"] - values["aVL"]) > 0.15
    fact = measured("T amplitude", values["V4"], "mV", lead="V4", criterion="≥ 0.1 mV")
    quoted = replace(found.findings[0], evidence=(fact,))
    other = known_of(replace(found, findings=(quoted,)))
    text = f"The T amplitude is {values['V4']:.2f} mV in aVL."
    assert [one.status for one in other.check(text)] == ["contradicted"]


def test_the_rate_of_atrial_waves_is_not_replaced_by_the_heart_rate(known: Known) -> None:
    """A wrong flutter rate once became the ventricular rate, and shipped."""
    rate = value(known, "heart_rate_bpm")
    told = ground("Atrial waves at 278.32 /min in II between the beats.", known, complete=False)
    assert f"{rate:.2f}" not in told.text
    assert "278" not in told.text


def with_findings(found: Analysis, *findings: Any) -> Known:
    """Give what is known of the record with these findings only."""

    return known_of(replace(found, findings=findings))


def flutter() -> Any:
    """Make an atrial flutter with its evidence."""
    rule = "220 to 350/min, of one frequency"
    fact = measured("atrial waves between the beats", 278.32, "/min", lead="II", criterion=rule)
    return made("AFLT", evidence=(fact,))


@pytest.mark.parametrize(("rate", "holds"), [("278", True), ("278.32", True), ("264", False)])
def test_a_number_beside_a_finding_is_judged_by_its_evidence(
    found: Analysis, rate: str, holds: bool
) -> None:
    """The rate of flutter waves was once held against that of the P waves, and withheld."""
    known = with_findings(found, flutter())
    text = f"Atrial flutter: atrial waves at {rate} /min in II between the beats."
    told = ground(text, known, complete=False)
    shown = "Atrial flutter: atrial waves at 278/min in II between the beats"
    assert told.text == (text if holds else f"{shown} (220 to 350/min, of one frequency).")
    garbled = ground("Atrial flutter: atrial waves at 278 ms96 beats.", known, complete=False)
    assert "ms96" not in garbled.text


@pytest.mark.parametrize(
    "text",
    ["The second ECG shows sinus rhythm.", "Both ECGs show sinus rhythm.", "New sinus rhythm."],
)
def test_no_second_ecg_is_told_of_where_one_was_given(found: Analysis, text: str) -> None:
    known = known_of(found)
    assert all(one.status != "supported" for one in known.check(text))
    told = ground(text, known).text
    assert "second" not in told and "Both" not in told and "New" not in told
    assert "Sinus rhythm" in told


def test_what_two_ecgs_show_is_held_against_both(found: Analysis) -> None:

    now = with_findings(found, made("SR"), made("left_axis"), made("PVC", "absent"))
    before = with_findings(found, made("SR"), made("left_axis", "absent"), made("PVC"))
    known = replace(now, earlier=before.facts)
    verdicts = {
        "The second ECG shows left axis deviation.": "supported",
        "Both ECGs show sinus rhythm.": "supported",
        "New left axis deviation.": "supported",
        "Both ECGs show left axis deviation.": "contradicted",
        "New sinus rhythm.": "contradicted",
        "The first ECG shows PVC.": "supported",
        "The second ECG shows PVC.": "contradicted",
    }
    for text, status in verdicts.items():
        assert {one.status for one in known.check(text)} == {status}, text


def test_the_impression_is_drawn_from_what_stands(found: Analysis) -> None:
    doubt = "the criterion is met, the encoder gives a probability of 0.30"
    known = with_findings(
        found,
        made("SR"),
        made("LVH", doubt=doubt),
        made("PVC", "absent"),
        made("INJIN", "unknown", doubt=doubt, evidence=flutter().evidence),
    )
    told = ground("Sinus rhythm. Impression: PVC; LVH; sinus rhythm.", known)
    assert told.text.endswith(
        "Impression: possible ST depression of injury, inferior; probable left ventricular "
        "hypertrophy; sinus rhythm."
    )
    assert f"Probable left ventricular hypertrophy, uncertain ({doubt})." in told.text
    assert told.changes[-1].action == "corrected"
    kept = "Impression: left axis deviation; sinus rhythm."
    known = with_findings(found, made("SR"), made("left_axis"))
    assert ground(f"Sinus rhythm. {kept}", known).text.endswith(kept)


def test_a_text_states_what_the_findings_state(found: Analysis) -> None:
    """Present, uncertain and absent findings come out as they are, whatever the draft says."""
    doubt = "by the encoder, probability 0.80; the criterion is not met"
    known = with_findings(
        found, made("SR"), made("LVH", doubt=doubt), made("CLBBB"), made("1AVB", "absent")
    )
    for draft in (
        "",
        "Possible left bundle branch block. LVH.",
        "First-degree AV block. Possible LVH.",
        "No LVH. No sinus rhythm. First-degree AV block; LBBB.",
    ):
        assert stated(ground(draft, known).text) == {"SR", "LVH", "CLBBB"}, draft


def test_values_left_out_are_added(known: Known) -> None:
    told = ground("Sinus rhythm.", known)
    rate, qrs = value(known, "heart_rate_bpm"), value(known, "qrs_ms")
    assert f"Heart rate {rate:.0f} bpm" in told.text and f"QRS {qrs:.0f} ms" in told.text


def test_an_open_normal_ecg_is_told_with_its_reason(found: Analysis) -> None:
    why = "uncertain: the criterion of low T waves is met"
    known = with_findings(found, made("NORM", "unknown", reason=why), made("SR"))
    told = ground("Normal ECG.", known, complete=False)
    assert told.text == (
        "Whether this is a normal ECG could not be judged: the criterion of low T waves is met."
    )


def test_a_count_of_other_beats_is_withheld(found: Analysis) -> None:
    """Beats of the first of two ECGs were once told of the second."""
    fact = measured("P wave before the QRS", 15.0, "of 15", criterion="≥ 60 % of the beats")
    sinus = made("SR", evidence=(fact, measured("P axis", 10.0, "deg")))
    known = with_findings(found, sinus)
    right = "Sinus rhythm: P wave before 15 of 15 beats."
    assert ground(right, known, complete=False).text == right
    told = ground("Sinus rhythm: P wave before 10 of 10 beats.", known, complete=False).text
    assert "10 of 10" not in told and told.startswith("Sinus rhythm")


def test_a_report_without_a_rhythm_says_why(found: Analysis) -> None:
    known = with_findings(found, made("SR", "unknown", reason="too few beats"), made("left_axis"))
    assert "Not judged (too few beats): sinus rhythm." in ground("Left axis deviation.", known).text
    known = with_findings(found, made("SR", "unknown", reason="too few beats"), flutter())
    assert "Not judged" not in ground("Atrial flutter.", known).text


def test_a_finding_is_told_once(found: Analysis) -> None:
    known = with_findings(found, flutter())
    told = ground("Atrial flutter. There is atrial flutter. Possible atrial flutter.", known).text
    assert told.lower().count("atrial flutter") == 2  # and in the impression


def test_what_is_open_may_be_called_possible_and_no_more(found: Analysis) -> None:
    fact = measured("T amplitude", -0.2, "mV", lead="V5", criterion="≤ −0.1 mV")
    doubt = "the criterion is met, the encoder gives a probability of 0.05"
    known = with_findings(found, made("INVT", "unknown", doubt=doubt, evidence=(fact,)))
    possible = "Possible inverted T waves."
    assert ground(possible, known, complete=False).text == possible
    for surer in ("Probable inverted T waves.", "Inverted T waves."):
        told = ground(surer, known, complete=False)
        assert told.text.startswith("Possible inverted T waves, uncertain (")


@pytest.mark.parametrize("text", ["I cannot be judged.", "I can't be answered from this."])
def test_a_model_does_not_speak_of_itself(known: Known, text: str) -> None:
    assert ground(text, known, complete=False).text == ""


def test_a_denial_whose_reason_is_none_ships_without_it(found: Analysis) -> None:
    known = with_findings(found, made("AFIB", "absent"))
    told = ground(
        "Atrial fibrillation is absent: RR by the criteria applied.", known, complete=False
    )
    assert told.text == "Atrial fibrillation is absent."
    assert [change.action for change in told.changes] == ["corrected"]


def test_a_count_is_told_of_the_beats_that_were_counted(found: Analysis) -> None:
    """Paced beats were shipped as "11 of 12 beats early and wide, of another shape"."""
    paced = measured("beats right after a spike", 11.0, "of 12")
    known = with_findings(found, made("PACE", evidence=(paced,)))
    told = ground("Pacemaker rhythm: 11 of 12 beats early and wide.", known, complete=False)
    assert told.text == "Pacemaker rhythm: 11 of 12 beats right after a spike."
    assert not ground(told.text, known, complete=False).changes


def test_a_value_keeps_the_rule_beside_it(found: Analysis) -> None:
    """ "T wave 0.08 mV in I (< 0.05 mV)" was shipped: both numbers were known ones."""
    low = measured("T amplitude", 0.08, "mV", lead="I", criterion="0 to 0.1 mV")
    known = with_findings(found, made("LOWT", evidence=(low,)))
    assert breaks_rule("T wave 0.08 mV in I (< 0.05 mV).") == "0.08 mV is not < 0.05 mV"
    assert breaks_rule("QRS 153 ms (≥ 120 ms), QTc 400 ms (reference < 450 ms).") is None
    told = ground("Low T waves: T wave 0.08 mV in I (< 0.05 mV).", known, complete=False)
    assert "0.05 mV" not in told.text and told.text.startswith("Low T waves"), told.text


def test_a_conclusion_names_each_finding_once(found: Analysis) -> None:
    known = with_findings(found, made("SR"), made("left_axis"))
    drawn = "Impression: left axis deviation; probable left axis deviation; sinus rhythm."
    assert ground(f"Sinus rhythm. {drawn}", known).text.endswith(
        "Impression: left axis deviation; sinus rhythm."
    )
    doubt = "the criterion is met, the encoder gives a probability of 0.12"
    wide = measured("QRS duration over all leads", 134.0, "ms", criterion="≥ 120 ms")
    high = measured("Romhilt-Estes score", 5.0, "points", criterion="≥ 5 points")
    findings = (
        made("SR"),
        made("IVCD", "unknown", doubt=doubt, evidence=(wide,)),
        made("LVH", "unknown", doubt=doubt, evidence=(high,)),
    )
    assert conclusion_claim(findings).text == (
        "Impression: possible nonspecific intraventricular conduction delay; sinus rhythm."
    )


def test_flutter_is_a_supraventricular_tachycardia(found: Analysis) -> None:
    known = with_findings(found, made("AFLT"), made("SVTAC", "absent"))
    assert ground("No SVT.", known, complete=False).text.startswith("Atrial flutter")


@pytest.mark.parametrize(
    "text",
    [
        "Long QT syndrome type 2 is present.",
        "Long QT syndrome.",
        "Prolonged QT interval of type 2.",
    ],
)
def test_a_pattern_is_no_syndrome_and_of_no_type(found: Analysis, text: str) -> None:
    """ "Long QT syndrome type 2 is present" shipped where QT was long."""
    known = with_findings(found, made("LNGQT"), made("very_long_qt", "absent"))
    told = ground(text, known, complete=False).text
    assert told.startswith("Prolonged QT interval") and "2" not in told


def test_every_second_beat_is_premature_only_in_a_bigeminy_that_is_sure(found: Analysis) -> None:
    text = "Every second beat is a ventricular extrasystole."
    known = with_findings(
        found, made("PVC"), made("BIGU", "unknown", doubt="the encoder denies it")
    )
    assert ground(text, known, complete=False).text != text


def test_that_no_rhythm_is_known_holds_where_none_is(found: Analysis) -> None:
    text = "The basic rhythm could not be determined."
    assert ground(text, known_of(found), complete=False).text == ""
    known = with_findings(found, made("SR", "absent"), made("NORM", "absent"))
    assert ground(text, known, complete=False).text == text
