"""Questions as a ward doctor, a student and a sceptic type them, each once answered wrongly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.answer.conversation import Conversation
from ecg_llm.assistant import writer
from ecg_llm.io import read_record


def talk(found: Analysis, *questions: str) -> str:
    """Give the last answer of a conversation with the bundled model."""
    conversation, told = Conversation([found], model=writer(None)), ""
    for question in questions:
        told = "".join(one.before + one.text for one in conversation.ask(question)).strip()
    return told


def example(n: str) -> Analysis:
    """Analyse one of `examples/`."""
    return analyse(read_record(f"examples/{n}_hr.hea"))


@pytest.mark.parametrize(
    ("n", "question", "start"),
    [
        ("00385", "is he pacemaker dependent", "Pacemaker rhythm: 12 of 12 beats"),
        ("00338", "LBBB cause?", "Complete left bundle branch block: QRS"),
        ("00338", "LBBB, is that a normal variant", "Complete left bundle branch block: QRS"),
        ("00177", "LAFB voltage in mm pls", "Left anterior fascicular block: QRS axis"),
        ("00001", "HR 64 - normal for an athlete?", "Heart rate 64 bpm (spread 1 bpm), reference"),
        ("00177", "is he having a heart attack right now", "One ECG does not tell since when"),
        ("00338", "is the LBBB intermittent", "One ECG does not tell since when this is so"),
        ("00338", "LBBB morphology in detail", "Complete left bundle branch block: QRS 158 ms"),
    ],
)
def test_yes_and_no_are_said_only_where_the_whole_question_was_read(
    n: str, question: str, start: str
) -> None:
    """ "Is he having a heart attack right now?" was "Yes." of a scar; "HR 45, normal?" too."""
    assert talk(example(n), question).startswith(start)


@pytest.mark.parametrize("question", ["anterior scar?", "infarct in V2 and V5?", "MI in V5?"])
def test_a_lead_shows_waves_and_no_diagnosis(question: str) -> None:
    """ "Myocardial infarction in V1. No myocardial infarction in V2" was an answer."""
    told = talk(example("00177"), question)
    assert "Pathological Q waves in V2" in told or "No pathological Q waves in V5" in told
    assert "nfarction in " not in told
    assert "Anteroseptal infarction, age undetermined: R 0.03 mV in V1" in told


def test_all_that_is_there_of_a_family_is_told() -> None:
    """ "Any sign of MI?" told one of two infarctions, as the model worded one."""
    ecg = example("00177")
    findings = tuple(
        replace(f, status="present", reason=None, doubt=None) if f.code == "IMI" else f
        for f in ecg.findings
    )
    told = talk(replace(ecg, findings=findings), "any sign of MI?")
    assert "Anteroseptal infarction" in told and "Inferior infarction" in told


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("what happens at 3.5 s", "Beat 4 of 11 at 3.00 s: of the dominant form, 923 ms after"),
        ("is the 4th beat normal", "Beat 4 of 11"),
        ("RR between beat 3 and 4", "Beat 3 of 11"),
        ("anything from 2 to 4 seconds", "Beat 3 of 11"),
        ("what is at 40 s", "No beat was read there; 11 were, from"),
        ("beat 99?", "No beat was read there"),
    ],
)
def test_single_beats_and_moments(question: str, start: str) -> None:
    """ "RR between beat 3 and 4" ended in a KeyError."""
    assert talk(example("00001"), question).startswith(start)


@pytest.mark.parametrize(
    ("questions", "start"),
    [
        (["does he need a pacer"], "An ECG does not tell this (what is to be done)"),
        (["is the LAD occluded"], "An ECG does not tell this (the coronary artery)"),
        (
            ["so he can play competitive football?"],
            "An ECG does not tell this (what is to be done)",
        ),
        (["does it fulfil the Strauss criteria"], "No criterion here looks for this (Strauss"),
        (["age and sex of pt"], "The record gives no age or sex."),
        (["who are you"], "I am ecg_llm, research software and no medical device"),
        (["QTc?", "is my data sent anywhere"], "I am ecg_llm"),
        (["how do you measure the QT?"], "QT interval 328 ms (spread 11 ms). QT interval: median"),
        (["25mm/s?"], "12 leads at 500 Hz"),
        (["wot is the ryhtm"], "Sinus rhythm: P wave before 15 of 15"),
        (["PRi?"], "PR 160 ms"),
        (["first deg block?"], "No. First-degree AV block is absent (PR 160 ms"),
        (
            ["is lead V3 ok"],
            "The tracing can be interpreted. No suspected reversal of electrodes. V3",
        ),
        (["cornell?"], "Cornell voltage"),
        (["QTc?", "limit for women?"], "QTc (Fridericia) 381 ms (spread 11 ms), reference < 460"),
        (
            ["QTc?", "limit for women?", "and for men"],
            "QTc (Fridericia) 381 ms (spread 11 ms), refer",
        ),
        (["which leads have q waves", "since when"], "One ECG does not tell since when"),
        (["is LAFB dangerous"], "How dangerous this is depends on the patient, too. Left anterior"),
        (["T waves?", "deepest one?"], "T amplitude is lowest in aVL"),
        (["is there a P wave anywhere? look at V1"], "P amplitude"),
        (
            ["PR?", "is 160 normal"],
            "PR interval 160 ms (spread 10 ms), reference 120–200 ms. The PR",
        ),
        (["what are those funny wide beats"], "No premature complexes"),
        (["romhilt estes score"], "No. Left ventricular hypertrophy is absent"),
        (["no it's AF"], "No. Atrial fibrillation is absent"),
        (
            ["STEMI or old"],
            "One ECG does not tell since when this is so; an earlier one does.",
        ),
        (["will he get a heart attack"], "An ECG does not tell this (the course)"),
        (["what speaks against LAFB"], "Left anterior fascicular block: QRS axis"),
        (["why is fridericia different from bazett"], "QTc (Fridericia) 381 ms"),
        (["is the axis normal for an 18 year old"], "QRS axis −45°, reference −30° to 90°"),
    ],
)
def test_what_was_not_read(questions: list[str], start: str) -> None:
    told = talk(example("00177"), *questions)
    assert told.startswith(start), told


def test_the_limits_of_the_sex_that_is_asked_for() -> None:
    told = talk(example("00177"), "is the QTc normal for a woman?", "and for men")
    assert "reference < 450 ms in men" in told and "women" not in told


def test_what_alerts_stands_behind_what_is_declined() -> None:
    """ "Can I send her home?" was only declined, on a tracing that alerts."""
    record = read_record("examples/00001_hr.hea")
    rows = dict(zip(record.leads, record.signal, strict=True))
    rows |= {"I": -rows["I"], "II": rows["III"], "III": rows["II"]}
    rows |= {"aVR": rows["aVL"], "aVL": rows["aVR"]}
    signal = record.signal.copy()
    for k, lead in enumerate(record.leads):
        signal[k] = rows[lead]
    told = talk(analyse(replace(record, signal=signal)), "can I send her home")
    assert told.startswith("An ECG does not tell this (what is to be done)")
    assert "Suspected reversal of electrodes" in told


def test_when_extra_beats_come() -> None:
    ecg = example("00001")
    assert ecg.measurements is not None
    beats = list(ecg.measurements.beats)
    for k in (2, 5):
        beats[k] = replace(beats[k], kind="ventricular")
    findings = tuple(
        replace(f, status="present", reason=None, doubt=None) if f.code == "PVC" else f
        for f in ecg.findings
    )
    measurements = replace(ecg.measurements, beats=tuple(beats))
    told = talk(replace(ecg, measurements=measurements, findings=findings), "PVCs at what times?")
    assert f"Their R waves are at {beats[2].r_s:.2f} and {beats[5].r_s:.2f} s." in told


def test_a_qrs_beside_a_limit_is_told_within_leads_and_over_all() -> None:
    """ "QRS > 150?" was "No. QRS duration 144 ms", beside one of 158 ms over all leads."""
    told = talk(example("00338"), "QRS > 150?")
    assert (
        told
        == "QRS duration 144 ms (spread 15 ms). QRS duration over all leads 158 ms (spread 3 ms)."
    )
    assert talk(example("00338"), "QRS > 120?").startswith("Yes. QRS duration 144 ms")
