"""The text report holds every statement with its evidence, and nothing a terminal would obey."""

from pathlib import Path

import pypdfium2
import pytest

from ecg_llm.assistant import interpret
from ecg_llm.findings.finding import Evidence
from ecg_llm.io import read_record
from ecg_llm.render.evidence import below_present, value_text, where_text
from ecg_llm.render.html import to_html
from ecg_llm.render.pdf import to_pdf
from ecg_llm.render.text import to_text
from ecg_llm.report import SAID_ALREADY, Change, ModelInfo

EXAMPLES = Path(__file__).parents[2] / "examples"


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
        "SOURCES",
        report.provenance.disclaimer,
    )
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


@pytest.mark.parametrize("width", [10, 60, 100])
def test_lines_keep_to_the_width(report, width):
    lines = to_text(report, width=width).splitlines()
    assert max(len(line) for line in lines) <= max(width, 40)


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


def test_what_was_not_judged_stands_once_with_its_reason():
    report = interpret(read_record(EXAMPLES / "00330_hr.hea"), model="none")
    text = flat(to_text(report))
    open_ = [claim.text for claim in report.claims if claim.status == "unverifiable"]
    assert len(open_) > 5
    for told in open_:
        assert text.count(told) == 1
    assert "WHAT COULD NOT BE JUDGED" not in text
    for item in report.abstentions:
        if item.code is not None:
            assert item.reason in text


def test_one_line_says_what_made_it_and_where_the_hashes_are(report):
    *_, made, disclaimer = to_text(report).splitlines()
    assert made.startswith(f"ecg_llm {report.provenance.version}, criteria 1.")
    assert "the JSON's provenance" in made
    assert disclaimer == report.provenance.disclaimer
    assert "ab" * 32 not in to_text(report)


def told(report):
    """Give a report that a model worded, with a sentence corrected and one left out."""
    changes = (
        Change(action="withheld", draft="It is sinus rhythm again.", reason=SAID_ALREADY),
        Change(action="withheld", draft="The outlook is good.", reason="no ECG tells the course"),
    )
    model = ModelInfo(name="teller")
    made = report.provenance.model_copy(update={"model": model})
    update = {"changes": changes, "provenance": made, "narrative": "Sinus rhythm, as told."}
    return report.model_copy(update=update)


def test_what_was_only_said_twice_is_no_news(report, record):
    pdf = pypdfium2.PdfDocument(to_pdf(told(report), record))
    pages = "".join(page.get_textpage().get_text_range() for page in pdf)
    for text in (to_text(told(report)), to_html(told(report), record), pages):
        assert "Sinus rhythm, as told." in text
        assert "The outlook is good." in text
        assert "words by teller" in text
        assert "sinus rhythm again" not in text


def test_the_only_fact_of_a_finding_is_not_said_as_one_more():
    item = Evidence(
        lead=None,
        from_s=None,
        to_s=None,
        quantity="probability by the encoder",
        value=0.97,
        unit="",
        criterion="≥ 0.42",
        source="",
    )
    assert below_present((item,), "Sinus rhythm.") == "probability by the encoder 0.97 (≥ 0.42)"
