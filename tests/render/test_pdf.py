"""The PDF report: true scale first, then the text, always the same bytes."""

import re

import pytest

from ecg_llm.render.pdf import to_pdf


def boxes(data):
    return [
        [float(v) for v in found.split()]
        for found in re.findall(rb"/MediaBox \[ ([\d. ]+) \]", data)
    ]


ACROSS = pytest.approx([0, 0, 841.89, 595.28], abs=0.01)
UPRIGHT = pytest.approx([0, 0, 595.28, 841.89], abs=0.01)


def test_the_tracing_lies_across_and_the_report_upright(short_report, record):
    pages = boxes(to_pdf(short_report, record))
    assert len(pages) > 1
    assert pages[0] == ACROSS
    assert all(page == UPRIGHT for page in pages[1:])


def test_evidence_outside_of_the_standard_page_gets_one_of_its_own(report, record):
    pages = boxes(to_pdf(report, record))
    assert pages[0] == ACROSS
    assert pages[1] == ACROSS
    assert pages[2] == UPRIGHT


def test_the_same_report_gives_the_same_bytes(report, record):
    assert to_pdf(report, record) == to_pdf(report, record)


def test_it_carries_no_time_script_or_link(report, record):
    data = to_pdf(report, record)
    assert re.findall(rb"/CreationDate \(D:(\d{8})", data) == [b"20000101"]
    assert b"/JavaScript" not in data
    assert b"/URI" not in data


def test_hostile_text_stays_text(hostile):
    record, report = hostile
    assert to_pdf(report, record).startswith(b"%PDF")


def test_a_refused_record_has_its_pages_too(refused, record):
    assert len(boxes(to_pdf(refused, record))) == 2


def test_a_long_text_runs_over_several_pages(report, record):
    longer = report.model_copy(update={"sections": report.sections * 12})
    assert len(boxes(to_pdf(longer, record))) > len(boxes(to_pdf(report, record)))


def test_a_table_begins_where_there_is_room_and_runs_on():
    from pypdfium2 import PdfDocument

    from ecg_llm.assistant import interpret
    from ecg_llm.io import read_record

    ecg = read_record("examples/00177_hr.hea")
    report = interpret(ecg, model="none")
    report = report.model_copy(update={"impression": report.impression * 2})
    pages = [page.get_textpage().get_text_range() for page in PdfDocument(to_pdf(report, ecg))]
    assert "Impression" in pages[1]
    assert "Further measurements" in pages[1]
    assert "Quantity" in pages[2]  # its head again
