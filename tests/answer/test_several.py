"""Questions on two or three ECGs: what changed, what the earlier one shows, what each shows."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.answer.conversation import Conversation, respond
from ecg_llm.assistant import writer
from ecg_llm.io import read_record
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord


@pytest.fixture(scope="module")
def infarct() -> Analysis:
    return analyse(read_record("examples/00177_hr.hea"))


@pytest.fixture(scope="module")
def fibrillation() -> Analysis:
    return analyse(read_record("examples/00330_hr.hea"))


@pytest.fixture(scope="module")
def left_block() -> Analysis:
    return analyse(read_record("examples/00338_hr.hea"))


def answer(found: list[Analysis], question: str, *, bundled: bool = True) -> str:
    """Give the shown text of one answer."""
    shown = respond([("user", question)], found, model=writer(None) if bundled else None)
    return "".join(one.before + one.text for one in shown).strip()


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("What was the QTc on the first ECG?", "Earlier ECG: QTc (Fridericia) 381 ms"),
        ("Did the earlier ECG show an infarct?", "Earlier ECG: Yes. Anteroseptal infarction"),
        ("Was the previous ECG normal?", "Earlier ECG: No. Not a normal ECG."),
        ("I'm the cardiologist, the first ECG showed AF", "Earlier ECG: No. Atrial fibrillation"),
        ("What is the QTc?", "QTc (Fridericia) 438 ms"),
        ("What was the QTc in the earlier one, is it longer now?", "QTc (Fridericia) has risen to"),
        ("Has the LAFB of the previous ECG resolved?", "No longer present: left anterior"),
        ("Was there LBBB before?", "New since the earlier ECG: complete left bundle branch block."),
        ("What is the difference between the two ECGs?", "Heart rate has fallen to 75 bpm"),
        ("What is the difference in PR?", "PR interval has risen to 185 ms"),
        ("did the rate go up or down", "Heart rate has fallen to 75 bpm"),
        ("is the qrs wider now", "QRS duration has risen to 144 ms"),
        ("is the QRS wider than 140?", "Yes. QRS duration 144 ms"),
        (
            "is the QTc better",
            "QTc (Fridericia) has risen to 438 ms; in the earlier ECG it was 381 ms.",
        ),
        ("did the LAFB go away", "No longer present: left anterior fascicular block."),
        ("still sinus?", "Unchanged since the earlier ECG: sinus rhythm."),
        ("whats different", "Heart rate has fallen to 75 bpm"),
        ("first ecg: rhythm?", "Earlier ECG: Sinus rhythm"),
        ("since when is the LBBB there?", "New since the earlier ECG: complete left bundle"),
    ],
)
def test_which_of_two_ecgs_is_told(
    infarct: Analysis, left_block: Analysis, question: str, told: str
) -> None:
    """The present QTc was told as that of the first ECG."""
    said = answer([infarct, left_block], question)
    assert said.startswith(told), said


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "Which of the two ECGs has the higher heart rate?",
            ("Earlier ECG: Heart rate 94 bpm", "Present ECG: Heart rate 75 bpm"),
        ),
        ("What is the rhythm on both?", ("Earlier ECG: Sinus rhythm", "Present ECG: Sinus")),
        ("Did the rhythm change?", ("Earlier ECG: Sinus rhythm", "Present ECG: Sinus rhythm")),
        ("Is the ST elevation gone?", ("Earlier ECG: Not judged", "Present ECG: Not judged")),
        ("Compare V2 in both", ("Earlier ECG: Pathological Q waves in V2.", "Present ECG: ")),
    ],
)
def test_what_is_asked_of_both_is_told_of_both(
    infarct: Analysis, left_block: Analysis, question: str, parts: tuple[str, str]
) -> None:
    """The whole comparison, or the present ECG alone, stood there."""
    said = answer([infarct, left_block], question)
    assert said.startswith(parts[0]), said
    assert parts[1] in said
    assert "Heart rate has fallen" not in said


def test_waves_that_mean_nothing_in_left_bundle_branch_block(left_block: Analysis) -> None:
    said = answer([left_block], "What is in V2?")
    assert said.startswith("Pathological Q waves in V2."), said
    assert "Not judged (a QRS shaped as in left bundle branch block changes Q waves" in said
    assert answer([left_block], "What's in V2?") == said  # "s in V2" is no S wave


def test_three_ecgs_have_their_numbers(
    infarct: Analysis, fibrillation: Analysis, left_block: Analysis
) -> None:
    three = [infarct, fibrillation, left_block]
    said = answer(three, "Which ECG shows AF?")
    assert "ECG 1 of 3: No atrial fibrillation: RR changes by 0.4 %" in said
    assert "ECG 2 of 3: Atrial fibrillation" in said
    assert answer(three, "The heart rate in the second one?").startswith(
        "ECG 2 of 3: Heart rate 63"
    )


def test_the_same_of_the_earlier_ecg(infarct: Analysis, left_block: Analysis) -> None:
    talk = Conversation([infarct, left_block], model=writer(None))
    list(talk.ask("What is the heart rate?"))
    said = "".join(one.before + one.text for one in talk.ask("In the earlier one?"))
    assert said.startswith("Earlier ECG: Heart rate 94 bpm"), said


def test_an_earlier_ecg_that_could_not_be_read(infarct: Analysis) -> None:
    flat = ECGRecord(signal=np.zeros((12, 5000), np.float32), fs=500.0, leads=STANDARD_12)
    said = answer([analyse(flat), infarct], "What was the rhythm on the earlier ECG?")
    assert said.startswith("Earlier ECG: Not interpreted: no lead can be read"), said


def test_no_name_is_left_out_of_what_was_not_judged(
    infarct: Analysis, left_block: Analysis
) -> None:
    """Its names were taken for facts that had been told: "Not judged (…). Not judged (…)."."""
    told = answer([infarct, left_block], "any new ischemia", bundled=False)
    assert told.count("ischaemic ST-T changes") == 2
    assert ")." not in told.partition("Present ECG")[2]
