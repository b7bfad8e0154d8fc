"""Questions on single leads: which show a sign, in which it is largest, what a wall shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.answer.conversation import respond
from ecg_llm.assistant import writer
from ecg_llm.claims.finding_check import lead_shows
from ecg_llm.ground.known import known_of
from ecg_llm.io import read_bytes, read_record
from ecg_llm.render.page import draw_page


@pytest.fixture(scope="module")
def infarct() -> Analysis:
    """Q waves in V1 to V4; T waves there are upright, in V4 with a negative end."""
    return analyse(read_record("examples/00177_hr.hea"))


def answer(found: Analysis, question: str, *, bundled: bool = False) -> str:
    """Give the shown text of one answer."""
    shown = respond([("user", question)], found, model=writer(None) if bundled else None)
    return "".join(one.before + one.text for one in shown)


@pytest.mark.parametrize("bundled", [False, True])
@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("Which lead has the tallest R wave?", "R amplitude is largest in aVL: 0.60 mV."),
        ("Which lead has the deepest S wave?", "S amplitude is largest in V1: −0.94 mV."),
        ("Where is the T wave most negative?", "T amplitude is lowest in aVL: 0.01 mV."),
        ("Which lead has the most ST depression?", "ST at J is lowest in III: −0.07 mV."),
        ("In which lead is the ST elevation greatest?", "ST at J is largest in V2: 0.17 mV."),
        ("List the leads with ST elevation", "Single leads with ST elevation: V4 0.10 mV."),
        ("Which leads show Q waves?", "Single leads with pathological Q waves: V1, V2 −1.29 mV,"),
        ("Which leads show T wave inversion?", "No inverted T waves."),
        (
            "Is there ST depression?",
            "No. ST depression is absent. Single leads with ST depression, ",
        ),
        ("What abnormalities are in the inferior leads?", "ST depression in III."),
        ("Is there anything in the anterior leads?", "Pathological Q waves in V2–V4."),
        ("J point elevation?", "ST at J in mV: I 0.03,"),
        ("S waves?", "S amplitude in mV: I 0.00,"),
    ],
)
def test_what_is_asked_of_leads_is_told_lead_by_lead(
    infarct: Analysis, question: str, start: str, bundled: bool
) -> None:
    """S waves and ST at J were said not to have been measured, and a wall was not read at all."""
    told = answer(infarct, question, bundled=bundled)
    assert told.startswith(start), told
    assert "not measured" not in told


def test_an_upright_t_wave_is_not_called_inverted(infarct: Analysis) -> None:
    """Its negative end of 0.09 mV, near enough to the limit for a text, made it inverted."""
    assert answer(infarct, "Is there T wave inversion in V2?").startswith("No inverted T waves in")
    told = answer(infarct, "Is there T wave inversion in V4?")
    assert told.startswith("The T wave in V4 goes both ways: 0.20 mV and −0.12 mV."), told


def test_of_two_leads_each_is_answered(infarct: Analysis) -> None:
    told = answer(infarct, "Are there Q waves in V2 and V6?")
    assert told.startswith("Pathological Q waves in V2. No pathological Q waves in V6."), told


def test_signs_told_of_single_leads_hold_by_the_limits_themselves(infarct: Analysis) -> None:
    facts = known_of(infarct).facts
    assert lead_shows("STD_", "III", facts) is True
    assert lead_shows("STD_", "II", facts) is False  # 0.04 mV, within the error of a text
    assert lead_shows("STE_", "V2", facts) is None  # 0.16 mV: 0.15 in women, 0.2 in men
    assert lead_shows("STE_", "V2", replace(facts, sex="female", age_years=60.0)) is True
    assert lead_shows("INVT", "V4", facts) is None
    assert lead_shows("AFIB", "V4", facts) is None


def test_no_lead_is_told_of_a_page(infarct: Analysis) -> None:
    page = replace(infarct, measurements=None)
    for question in (
        "Which lead has the tallest R wave?",
        "Is anything wrong in the lateral leads?",
    ):
        assert answer(page, question) == "Single leads are not judged on a page image."
    told = answer(page, "What is the QTc?", bundled=True)
    assert told == "QTc is not measured on a page image."


def test_what_a_page_leaves_open_is_no_all_clear(infarct: Analysis) -> None:
    """ "Nothing that alerts was found" was all, where no occlusion could be judged."""
    found = analyse(read_bytes(draw_page(infarct.record).to_png(), "page.png"))
    told = answer(found, "Is it acute?", bundled=True)
    assert told.startswith("Nothing that alerts was found; ")
    assert "Not judged (not seen in what was read of the page" in told
    assert "ST elevation as in acute coronary occlusion" in told
    assert answer(found, "What are the values?") == "Nothing is measured on a page image."
    assert answer(found, "How long is the recording?").startswith("Read from a page image: 12")
    assert "by the encoder: 0." in answer(found, "How likely is LBBB?")


def test_an_occlusion_that_was_not_judged_is_named_beside_no_alert(infarct: Analysis) -> None:
    told = answer(infarct, "Is it acute?")
    assert told.startswith("Nothing that alerts was found; ")
    assert told.endswith("not given): ST elevation as in acute coronary occlusion."), told
