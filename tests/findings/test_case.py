"""Where on the tracing a value is shown."""

import pytest

from ecg_llm.findings.case import PAGE_COLUMN_S


@pytest.mark.parametrize(("lead", "column"), [("II", 0), ("aVF", 1), ("V1", 2), ("V6", 3)])
def test_a_value_is_shown_where_the_page_shows_its_lead(make_case, lead, column):
    start, stop = make_case().span("st_j_mv", lead)
    assert column * PAGE_COLUMN_S <= start < stop <= (column + 1) * PAGE_COLUMN_S


def test_a_value_is_shown_elsewhere_if_its_column_holds_no_usual_beat(make_case):
    kinds = ["ventricular"] * 3 + ["normal"] * 7
    start, _ = make_case(kinds=kinds).span("st_j_mv", "II")
    assert start > PAGE_COLUMN_S
