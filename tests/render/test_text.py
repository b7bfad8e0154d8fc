"""The text report holds every statement with its evidence, and nothing a terminal would obey."""

import pytest

from ecg_llm.render.evidence import value_text, where_text
from ecg_llm.render.text import to_text


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize("width", [60, 100, 200])
def test_every_statement_is_followed_by_its_evidence(report, width):
    text = flat(to_text(report, width=width))
    for claim in (claim for section in report.sections for claim in section.statements):
        after = text[text.index(claim.text) :]
        for item in claim.evidence:
            assert item.source in after
            if (
                item.criterion and claim.kind != "absent"
            ):  # what describes the tracing carries its values in the sentence
                assert where_text(item) in after
                assert value_text(item) in after
                assert item.criterion in after


def test_a_source_is_cited_by_the_number_it_has_in_the_list(report):
    text = flat(to_text(report))
    number = text.split("] source of ST at J")[0].rsplit("[", 1)[1]
    assert f"seen at V2 5.50–5.66 s, V3 5.50–5.66 s [{number}]" in text


def test_parts_stand_in_reading_order(report):
    text = to_text(report)
    titles = (
        "TECHNICAL QUALITY",
        "ALERTS",
        "RATE AND RHYTHM",
        "INTERVALS AND CONDUCTION",
        "IMPRESSION",
        "WHAT COULD NOT BE JUDGED",
        "SOURCES",
        report.provenance.disclaimer,
    )
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


@pytest.mark.parametrize("width", [10, 60, 100])
def test_lines_keep_to_the_width(report, width):
    lines = to_text(report, width=width).splitlines()
    assert max(len(line) for line in lines) <= max(width, 72)
    if width >= 60:
        long = [line for line in lines if len(line) > width]
        assert all("ab" * 32 in line or "3f" * 32 in line for line in long)


def test_colours_are_put_in_only_if_asked_for(report):
    assert "\x1b" not in to_text(report)
    coloured = to_text(report, color=True)
    assert "\x1b[1;31m" in coloured
    assert coloured.count("\x1b[0m") * 2 == coloured.count("\x1b[")


def test_a_file_cannot_send_codes_to_the_terminal(hostile):
    _, report = hostile
    text = to_text(report)
    assert "\x1b" not in text
    assert all(c.isprintable() or c == "\n" for c in text)


def test_a_refused_record_says_why(refused):
    text = to_text(refused)
    assert "The tracing cannot be interpreted: all leads are flat." in text
    assert "RATE AND RHYTHM" not in text


def test_what_was_not_judged_stands_with_its_reason(report):
    text = flat(to_text(report))
    assert "Wander: lead aVF." in text
    assert "No P wave seen: left atrial enlargement." in text
