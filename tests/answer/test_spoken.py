"""Questions as clinicians type them: short, misspelt, with a lead, a follow-up, a wrong premise."""

from __future__ import annotations

import pytest

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.answer.conversation import Conversation, respond
from ecg_llm.answer.question import read_question
from ecg_llm.answer.spoken import plain
from ecg_llm.assistant import writer
from ecg_llm.io import read_record
from tests.scripted import Scripted


@pytest.fixture(scope="module")
def infarct() -> Analysis:
    """Q waves in V1 to V4, and a left anterior fascicular block."""
    return analyse(read_record("examples/00177_hr.hea"))


@pytest.fixture(scope="module")
def left_block() -> Analysis:
    return analyse(read_record("examples/00338_hr.hea"))


@pytest.fixture(scope="module")
def healthy() -> Analysis:
    return analyse(read_record("examples/00001_hr.hea"))


def talk(found: Analysis, *questions: str, model: object = None) -> str:
    """Give the answer to the last of some questions."""
    conversation = Conversation([found], model=model)
    for question in questions:
        told = "".join(one.before + one.text for one in conversation.ask(question)).strip()
    return told


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("afib?", "AFIB"),
        ("any a-fib", "AFIB"),
        ("is there atrail fibrilation", "AFIB"),
        ("v tach?", "ventricular_tachycardia"),
        ("heart attack?", "mi"),
        ("first degree block?", "1AVB"),
        ("ST dep in V5", "STD_"),
        ("flipped T waves?", "INVT"),
        ("peaked Ts?", "tall_t"),
        ("is he paced?", "PACE"),
        ("pacer spikes?", "PACE"),
        ("PACs?", "PAC"),
        ("skipped beats?", "ectopy"),
        ("tachicardia of the sinus node: sinus tach?", "STACH"),
        ("Is the axis deviated?", "axis_deviation"),
        ("Brugada?", "brugada_1"),
        ("AV dissociation?", "3AVB"),
        ("OMI?", "stemi"),
    ],
)
def test_findings_as_they_are_typed(typed: str, code: str) -> None:
    """ "PACs" was once read as an acute coronary syndrome (ACS), "a-fib" in one spelling only."""
    assert code in read_question(plain(typed)).findings


def test_ordinary_words_are_not_put_right() -> None:
    text = "The QTc is 620 ms, correct? Should the patient worry about the reading?"
    assert plain(text) == text


def test_leads_from_one_to_another_are_all_meant() -> None:
    assert read_question("Q waves in V4-V6?").leads == ("V4", "V5", "V6")


@pytest.mark.parametrize("model", [None, "bundled"])
@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("which leads?", "Anteroseptal infarction, age undetermined: QS in V1, Q in V2–V4"),
        ("is V3 ok", "Pathological Q waves in V3."),
        ("V8?", "V8 is not in this recording."),
        ("anything acute?", "Nothing that alerts was found"),
        ("should I cath him?", "An ECG does not tell this (what is to be done)"),
        ("what would u do next", "An ECG does not tell this (what is to be done)"),
        ("chadsvasc?", "An ECG does not tell this (what is to be done)"),
        ("which coronary artery is occluded?", "An ECG does not tell this (the coronary artery)"),
        ("is this Wellens?", "No criterion here looks for this (Wellens)"),
        ("any U waves?", "No criterion here looks for this (U waves)"),
        ("reg or irreg?", "The rhythm is regular. Sinus rhythm"),
        ("Hat der Patient Vorhofflimmern?", "The question names nothing that is measured"),
        ("how old is the infarct?", "One ECG does not tell since when"),
        ("hr?", "Heart rate 94 bpm"),
        ("is the QTc over 500?", "No. QTc (Fridericia) 381 ms"),
        ("HR below 100?", "Yes. Heart rate 94 bpm"),
        ("isn't this LBBB?", "No. Complete left bundle branch block is absent (QRS 102 ms"),
        ("is it LBBB or LAFB", "Left anterior fascicular block: "),
        ("what is LBBB", "Complete left bundle branch block, in general: QRS"),
        ("are P waves there?", "P waves are present."),
        ("could the chest pain be cardiac", "An ECG does not tell this (the cause of a symptom)"),
        ("do I need to wake the consultant?", "An ECG does not tell this (what is to be done)"),
        ("RV infarct?", "No criterion here looks for this (RV infarct)"),
        ("is aVR ok", "aVR: P amplitude"),
        ("wide qrs?", "QRS duration 96 ms (spread 8 ms), reference ≤ 110 ms"),
        ("how many beats", "Sinus rhythm"),
        ("mobitz?", "No. Second-degree AV block is absent"),
    ],
)
def test_short_questions(infarct: Analysis, question: str, start: str, model: str | None) -> None:
    """The bundled model answered nearly all of these with "The ECG shows sinus rhythm."."""
    teller = writer(None) if model else None
    told = talk(infarct, question, model=teller)
    assert told.startswith(start), told
    assert "I cannot" not in told


def test_both_of_two_things_are_answered(infarct: Analysis) -> None:
    model = Scripted("Atrial fibrillation is absent.")
    told = talk(infarct, "Is there AF, and what is the axis?", model=model)
    assert "trial fibrillation is absent" in told and "QRS axis −45°" in told


def test_follow_ups_ask_of_what_was_asked(infarct: Analysis) -> None:
    told = talk(infarct, "Any Q waves in V2?", "and in V5?")
    assert told.startswith("No pathological Q waves in V5.")
    told = talk(infarct, "Is there an infarct?", "where?", "how sure are you?")
    assert told.startswith("Anteroseptal infarction, age undetermined: R")


@pytest.mark.parametrize(
    ("asked", "start"),
    [
        (
            ("where's the infarct", "and is it acute?", "how sure are you"),
            "Anteroseptal infarction",
        ),
        (("where's the infarct", "and is it acute?"), "How dangerous this is depends on the"),
        (("how wide is the QRS?", "wider than 110?"), "No. QRS duration 96 ms"),
        (("how wide is the QRS?", "and over 90?"), "Yes. QRS duration 96 ms"),
        (("QTc?", "in women?"), "QTc (Fridericia) 381 ms"),
        (("LAFB?", "which leads?"), "Left anterior fascicular block"),
        (("are you uncertain about anything",), "Not judged (ST in V2"),
        (("which lead has the deepest S",), "S amplitude is largest in V1: −0.94 mV"),
        (("P terminal force?",), "P terminal force −0.4 mV·ms in V1."),
        (("ST elevation in V2 and V5?",), "No ST elevation in V5. ST elevation in V2. Not judged"),
        (("LAFB?", "sure?"), "Left anterior fascicular block: QRS axis"),
        (("LBBB?", "over 160 ms?"), "No. QRS duration 96 ms"),
        (("fine, thanks",), "Ask about the rhythm"),
        (("is lead V3 noisy",), "The tracing can be interpreted."),
        (("sampling rate?",), "12 leads at 500 Hz"),
        (("how wide is P",), "P duration 93 ms"),
        (("what's the age",), "The record gives no age or sex."),
        (("was this normal last year",), "Only one ECG was given"),
        (("is the heart rate in the nineties",), "Heart rate 94 bpm"),
        (("LAFB or LPFB?",), "Left anterior fascicular block: QRS axis"),
    ],
)
def test_follow_ups_and_odd_questions(
    infarct: Analysis, asked: tuple[str, ...], start: str
) -> None:
    """After "and …" the topic was lost; an ST between the limits of the sexes was denied."""
    assert talk(infarct, *asked, model=writer(None)).startswith(start)


@pytest.mark.parametrize(
    ("question", "start", "lacks"),
    [
        ("afib with RVR?", "Atrial fibrillation: ", "Yes"),
        ("is there a pause over 1 second", "No pause of more than 2 s", "No."),
        ("longest pause?", "No pause of more than 2 s: longest RR 1.37 s", "No."),
        ("is the QT corrected by Bazett 387?", "Yes. QTc (Bazett) 387 ms", "QT interval"),
        ("is rr varying by more than 10%", "Yes. The rhythm is irregular.", "Mean RR"),
    ],
)
def test_yes_and_no_answer_the_whole_question(question: str, start: str, lacks: str) -> None:
    """ "Afib with RVR?" at 63 bpm was answered "Yes.", a pause of 1.37 s "over 1 s?" "No."."""
    told = talk(analyse(read_record("examples/00330_hr.hea")), question, model=writer(None))
    assert told.startswith(start), told
    assert lacks not in told.split(". ")[0] + "."


def test_what_is_said_behind_a_finding_is_asked_for(left_block: Analysis) -> None:
    """ "Is the LBBB incomplete?" was answered "Yes. Complete left bundle branch block"."""
    assert talk(left_block, "Is the LBBB incomplete?").startswith("No. Incomplete left")
    paced = analyse(read_record("examples/00385_hr.hea"))
    assert talk(paced, "any non paced beats?").startswith("No. Pacemaker rhythm: 12 of 12")


def test_a_family_that_is_not_judged_is_named_as_a_whole(left_block: Analysis) -> None:
    """ "Not judged: inferior infarction" was the answer to "any MI?"."""
    told = talk(left_block, "is there no MI")
    assert told.startswith("Not judged (") and ": myocardial infarction." in told


def test_what_stands_before_the_answer_and_speaks_of_something_else_is_left_out(
    infarct: Analysis,
) -> None:
    model = Scripted("QRS 96 ms. The heart rate is 94 bpm.")
    assert talk(infarct, "What is the heart rate?", model=model) == "The heart rate is 94 bpm."


@pytest.mark.parametrize("question", ["Nothing abnormal, correct?", "No abnormality?"])
def test_nothing_abnormal_is_normal(healthy: Analysis, question: str) -> None:
    assert talk(healthy, question).startswith("Yes. ")


def test_danger_is_not_answered_with_yes(left_block: Analysis) -> None:
    told = talk(left_block, "Is the LBBB dangerous?")
    assert told.startswith("How dangerous this is depends on the patient, too. Complete left")


def test_an_absent_sign_excludes_no_disease(healthy: Analysis) -> None:
    for question, last in (
        ("Is this a STEMI?", "That does not exclude an acute infarction."),
        ("hyperkalemia?", "That does not exclude hyperkalaemia."),
        ("Can MI be ruled out?", "That does not exclude an infarction."),
    ):
        assert talk(healthy, question).endswith(last)
    told = talk(healthy, "Any tall peaked T waves?")
    assert told.startswith("No. Tall peaked T waves, as in hyperkalaemia are absent.")


def test_a_fact_of_another_finding_is_no_fact_of_this_one(infarct: Analysis) -> None:
    """ "Probable anterolateral infarction: R duration 12 ms in V1 (≥ 40 ms)" once shipped."""
    model = Scripted("Anteroseptal infarction: QRS axis −44.8° (between −45° and −90°).")
    told = talk(infarct, "Is there an anteroseptal infarction?", model=model)
    assert "axis" not in told and "Q duration" in told


def test_a_change_is_told_of_what_was_asked(infarct: Analysis, healthy: Analysis) -> None:
    told = "".join(
        one.before + one.text
        for one in respond([("user", "Has the axis shifted?")], [healthy, infarct])
    )
    assert told.startswith("QRS axis") and "earlier" in told and "infarction" not in told


def test_missing_leads_are_named(infarct: Analysis) -> None:
    from dataclasses import replace

    record = infarct.record
    found = analyse(replace(record, signal=record.signal[:9], leads=record.leads[:9]))
    assert talk(found, "which leads are missing?").startswith(
        "Not in this recording: V4, V5 and V6."
    )
    assert talk(found, "Q waves in V5-V6?") == (
        "V5 is not in this recording. V6 is not in this recording."
    )


def test_a_broader_finding_is_told_where_its_part_was_not_judged() -> None:
    """ "Ventricular fibrillation was not judged" was said of a tracing that alerts for it."""
    from ecg_llm.data_builders.synthetic import synthetic_ecg

    found = analyse(synthetic_ecg(seed=3, rhythm="vf", bpm=None).record)
    told = talk(found, "is this VF?")
    assert told.startswith("Asystole or ventricular fibrillation")


def test_a_value_far_from_its_limit_is_not_at_it() -> None:
    """A PR of 108 ms was once at its limit, as PR over all leads was 119 ms."""
    from ecg_llm.data_builders.synthetic import synthetic_ecg

    found = analyse(synthetic_ecg(seed=3, bpm=75, conditions=("WPW",)).record)
    assert talk(found, "is PR short?").endswith("The PR interval is not normal.")
