"""Claims are read from prose with their numbers, leads, negations and certainty."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_llm.claims.extract import extract_claims
from ecg_llm.vocabulary import phrases


def numbers(text: str):
    """Give subject, value, unit and leads of each number that measures something."""
    return [
        (c.subject, round(c.value or 0.0, 4), c.unit, c.leads)
        for c in extract_claims(text)
        if c.kind == "number" and c.role == "measured"
    ]


def findings(text: str):
    """Give code, whether denied, certainty of each finding."""
    return [
        (c.subject, c.negated, c.certainty) for c in extract_claims(text) if c.kind == "finding"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("QRS 142 ms", [("qrs", 142.0, "ms", ())]),
        ("a PR of 0.21 s", [("pr", 210.0, "ms", ())]),
        ("PR: 0,16 s", [("pr", 160.0, "ms", ())]),
        ("PR 0.16", [("pr", 160.0, "ms", ())]),
        ("RR 1,200 ms", [("rr", 1200.0, "ms", ())]),
        ("QTc is 512 ms (Bazett)", [("qtc_bazett", 512.0, "ms", ())]),
        ("QTcF 430", [("qtc_fridericia", 430.0, "ms", ())]),
        ("axis of minus 30 degrees", [("qrs_axis", -30.0, "deg", ())]),
        (
            "QRS axis −45°, T axis 60°",
            [("qrs_axis", -45.0, "deg", ()), ("t_axis", 60.0, "deg", ())],
        ),
        ("142 ms QRS, 160 ms PR", [("qrs", 142.0, "ms", ()), ("pr", 160.0, "ms", ())]),
        ("R in V5 of 24 mm", [("r_amp", 2.4, "mV", ("V5",))]),
        ("V5 R 2400 µV", [("r_amp", 2.4, "mV", ("V5",))]),
        ("S V1 14 mm", [("s_amp", 1.4, "mV", ("V1",))]),
        ("S in V1 + R in V5 is 3.9 mV", [("sokolow", 3.9, "mV", ())]),
        (
            "ST elevation of 2.1 mm in V2 and 1.8 mm in V3",
            [("st_elevation", 0.21, "mV", ("V2",)), ("st_elevation", 0.18, "mV", ("V3",))],
        ),
        (
            "ST elevation in V2 (2.1 mm), V3 (1.8 mm)",
            [("st_elevation", 0.21, "mV", ("V2",)), ("st_elevation", 0.18, "mV", ("V3",))],
        ),
        ("T wave amplitude in lead II is 0.3 mV", [("t_amp", 0.3, "mV", ("II",))]),
        ("PR and QRS are 162 and 98 ms", [("pr", 162.0, "ms", ()), ("qrs", 98.0, "ms", ())]),
        ("QT/QTc 380/412 ms", [("qt", 380.0, "ms", ()), ("qtc", 412.0, "ms", ())]),
        ("LBBB (142 ms)", [("qrs", 142.0, "ms", ())]),
        ("sinus tachycardia at 110/min", [("heart_rate", 110.0, "bpm", ())]),
        ("an unusual value of 12 mV", [("", 12.0, "mV", ())]),
    ],
)
def test_numbers_go_to_their_quantity_and_lead(text, expected):
    assert numbers(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A 64-year-old man.",
        "12-lead ECG at 25 mm/s and 10 mm/mV, 0.05-150 Hz.",
        "At 3.42 s there is a PVC.",
        "The second PVC, beat 5, is at 4.1 s.",
        "1st-degree AV block, 2:1 AV block, Mobitz 2.",
        "Recorded in 2019.",
        "This 10-second strip, from 2.0 to 8.0 s.",
        "14 beats were read.",
        "ST at J+60 was measured in V1-V6.",
    ],
)
def test_numbers_that_measure_nothing_are_set_apart(text):
    assert numbers(text) == []


def test_a_number_after_a_place_before_the_qrs_is_no_width_of_it():
    assert numbers("Repetition of the stretch before the QRS 139.") == [("", 139.0, "", ())]
    assert numbers("P before each QRS; QRS 139 ms.") == [("qrs", 139.0, "ms", ())]


@pytest.mark.parametrize(
    ("text", "low", "high", "relation"),
    [
        ("rate 45–50 bpm", 45.0, 50.0, "="),
        ("a rate between 45 and 50 bpm", 45.0, 50.0, "="),
        ("QRS > 120 ms", 120.0, None, ">"),
        ("QRS is at least 120 ms", 120.0, None, ">="),
        ("QTc does not exceed 450 ms", 450.0, None, "<="),
        ("QTc is not above 450 ms", 450.0, None, "<="),
        ("QRS of 120 ms or more", 120.0, None, ">="),
        ("PR less than 200 ms", 200.0, None, "<"),
    ],
)
def test_ranges_and_comparisons(text, low, high, relation):
    (claim,) = [c for c in extract_claims(text) if c.kind == "number"]
    assert (claim.value, claim.high, claim.relation, claim.role) == (
        low,
        high,
        relation,
        "measured",
    )


@pytest.mark.parametrize(
    "text",
    [
        "LBBB (QRS ≥ 120 ms)",
        "criterion: S V1 + R V5 ≥ 3.5 mV",
        "PR 160 ms (normal 120–200 ms)",
        "P axis 60° (between −30° and 105°)",
        "the upper limit of QTc is 450 ms",
    ],
)
def test_quoted_limits_are_no_measurements(text):
    assert [c.role for c in extract_claims(text) if c.kind == "number"][-1] == "criterion"


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("No LBBB.", [True]),
        ("There is no evidence of LBBB or RBBB.", [True, True]),
        ("No AF, flutter, or SVT.", [True, True, True]),
        ("No AF, flutter or SVT, LBBB present.", [True, True, True, False]),
        ("No AF; LBBB.", [True, False]),
        ("No AF, first-degree AV block.", [True, False]),
        ("No AF and the axis shows left axis deviation.", [True, False]),
        ("No AF but LBBB.", [True, False]),
        ("LBBB without AF.", [False, True]),
        ("Neither LBBB nor RBBB.", [True, True]),
        ("LBBB rather than RBBB.", [False, True]),
        ("Not AF but flutter.", [True, False]),
        ("The rhythm is not atrial fibrillation.", [True]),
        ("It is not true that there is no LBBB.", [False]),
        ("LBBB is not absent.", [False]),
        ("LBBB is absent.", [True]),
        ("LBBB isn't present; RBBB is.", [True, False]),
        ("AF, flutter and AV block are absent.", [True, True, True]),
        ("AF is present, LBBB is absent.", [False, True]),
        ("The narrow QRS rules out LBBB.", [True]),
        ("LBBB has been ruled out.", [True]),
        ("Not only LBBB but also AF.", [False, False]),
        ("Absence of LBBB; presence of AF.", [True, False]),
        ("No LBBB (QRS 98 ms), AF.", [True, False]),
        ("Sinus rhythm, LBBB absent.", [False, True]),
        ("no evidence of\nAF", [True]),
        ("1. No AF\n2. LBBB", [True, False]),
    ],
)
def test_negation_reaches_as_far_as_its_list(text, denied):
    assert [negated for _, negated, _ in findings(text)] == denied


@pytest.mark.parametrize(
    ("text", "certainty"),
    [
        ("Possible LBBB.", "possible"),
        ("LBBB cannot be excluded.", "possible"),
        ("Cannot rule out LBBB.", "possible"),
        ("Findings suggestive of LBBB.", "possible"),
        ("Changes consistent with LBBB.", "possible"),
        ("LBBB is likely.", "possible"),
        ("LBBB cannot be judged.", "unjudged"),
        ("Not judged (noise in V1): LBBB.", "unjudged"),
        ("LBBB.", "definite"),
    ],
)
def test_certainty(text, certainty):
    assert findings(text) == [("CLBBB", False, certainty)]


def test_unlikely_is_a_doubtful_denial():
    assert findings("LBBB is unlikely.") == [("CLBBB", True, "possible")]
    assert findings("An unlikely LBBB.") == [("CLBBB", True, "possible")]


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("T-wave inversion in V1–V3", ("V1", "V2", "V3")),
        ("T-wave inversion in V1-3", ("V1", "V2", "V3")),
        ("T-wave inversion in leads V4 through V6", ("V4", "V5", "V6")),
        ("T-wave inversion in II, III, and aVF", ("II", "III", "aVF")),
        ("T-wave inversion in I and aVL", ("I", "aVL")),
        ("T-wave inversion in lead 2", ("II",)),
        ("V1 to V3 show T-wave inversion", ("V1", "V2", "V3")),
        ("In V2, I see T-wave inversion", ("V2",)),
        ("T waves are inverted in the inferior leads", ("II", "III", "aVF")),
        ("inferior T-wave inversion", ("II", "III", "aVF")),
        ("I think there is T-wave inversion", ()),
    ],
)
def test_leads_and_walls(text, leads):
    (claim,) = [c for c in extract_claims(text) if c.subject == "INVT"]
    assert claim.leads == leads


def test_shared_and_separate_leads():
    found = {
        c.subject: c.leads for c in extract_claims("ST elevation and T inversion in V2 and V3.")
    }
    assert found == {"STE_": ("V2", "V3"), "INVT": ("V2", "V3")}
    text = "Inferior ST elevation with lateral ST depression."
    found = {c.subject: c.leads for c in extract_claims(text)}
    assert found["STE_"] == ("II", "III", "aVF")
    assert found["STD_"] == ("I", "aVL", "V5", "V6")
    text = "ST elevation in V2 but not in V4."
    assert [(c.leads, c.negated) for c in extract_claims(text)] == [
        (("V2",), False),
        (("V4",), True),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal PR interval", [("pr", "normal", False)]),
        ("QTc is not prolonged", [("qtc", "high", True)]),
        ("narrow QRS", [("qrs", "high", True)]),
        ("normal axis", [("qrs_axis", "normal", False)]),
        ("normal sinus rhythm", [("heart_rate", "normal", False)]),
        ("PR, QRS and QTc are normal", [("pr", "normal", False), ("qrs", "normal", False)]),
        (
            "the PR interval is normal, the QRS is wide",
            [("pr", "normal", False), ("qrs", "high", False)],
        ),
        ("normal intervals", [("pr", "normal", False), ("qrs", "normal", False)]),
        ("irregularly irregular", [("rr_cv", "irregular", False)]),
        ("no P waves", [("p_wave", "present", True)]),
        ("the PR interval could not be measured", [("pr", "unknown", False)]),
        ("an abnormal axis of sorts, QRS abnormal", [("qrs", "normal", True)]),
    ],
)
def test_words_for_normal_and_not(text, expected):
    found = [(c.subject, c.state, c.negated) for c in extract_claims(text) if c.kind == "state"]
    assert found[: len(expected)] == expected or sorted(found)[: len(expected)] == sorted(expected)


def test_a_heading_says_nothing_of_what_it_names():
    found = extract_claims("Intervals and axis: PR interval unknown.")
    assert [(c.subject, c.state) for c in found] == [("pr", "unknown")]


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Is there LBBB?", "general"),
        ("If there were LBBB, the QRS would be wide.", "general"),
        ("On the previous ECG there was LBBB.", "earlier"),
        ("History of myocardial infarction.", "history"),
    ],
)
def test_what_is_not_said_of_this_ecg(text, role):
    assert {c.role for c in extract_claims(text) if c.kind == "finding"} == {role}


_WORDS = ["no", "not", "or", "and", ",", "(", ")", "V1", "-", "V3", "12", "0.16", "ms", "mm", "QTc"]
_WORDS += [
    "PR",
    "is",
    "normal",
    "prolonged",
    "absent",
    "possible",
    "ST elevation",
    "LBBB",
    ".",
    "with",
]
_WORDS += [
    "in",
    "I",
    "II",
    "+",
    "R",
    "S",
    ">",
    "between",
    "the",
    "previous ECG",
    "?",
    "\n",
    "neither",
]


def _valid(text: str) -> None:
    last = (0, 0)
    for claim in extract_claims(text):
        assert 0 <= claim.start < claim.end <= len(text)
        assert claim.text == text[claim.start : claim.end]
        assert (claim.start, claim.end) >= last
        last = (claim.start, claim.end)
        assert claim.high is None or claim.value is None or claim.high >= claim.value


@settings(max_examples=100)
@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    _valid(text)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(_WORDS), max_size=40).map(" ".join))
def test_any_order_of_words_can_be_read(text):
    _valid(text)


@pytest.mark.parametrize(
    "unit",
    ["no ", "(", "V1-", "12 ", "1,", "LBBB, ", "PR and ", "- ", "not absent ", "QT/", "'", "I "],
)
def test_time_grows_with_length_only(unit):
    def shortest(count):  # a collection of garbage in the middle is none of its time
        times = []
        for _ in range(3):
            start = time.process_time()
            extract_claims(unit * count)
            times.append(time.process_time() - start)
        return min(times)

    spent = [shortest(600), shortest(2_400)]
    assert spent[1] < 0.2 + 12 * spent[0]  # four times as long; a square would take 16 times


def test_reading_is_fast_and_repeatable():
    text = "Sinus rhythm at 72 bpm, PR 160 ms, no LBBB. T-wave inversion in V1–V3. "
    first = extract_claims(text)
    start = time.process_time()
    for _ in range(500):
        assert extract_claims(text) == first
    assert 1000 / (time.process_time() - start) > 500  # sentences a second, on a busy machine


def test_phrases_can_be_listed_without_end():
    assert len(phrases("CLBBB")) >= 5


def test_a_heading_is_no_claim_before_an_article() -> None:
    """ "Intervals and axis: The PR interval could not be measured" left the axis open, too."""
    text = "Intervals and axis: The PR interval could not be measured."
    assert [(c.subject, c.state) for c in extract_claims(text)] == [("pr", "unknown")]
