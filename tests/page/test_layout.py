"""Names on a page, held against the usual arrangements."""

import numpy as np
import pytest

from ecg_llm.page.layout import ARRANGEMENTS, Name, _best_match, _inner_columns, _limbs_named
from ecg_llm.page.rows import Row


def _rows(n, pitch=25.0):
    return tuple(Row(30.0 + pitch * k, 0.0, 10.0, np.zeros(2500)) for k in range(n))


def _names(grid, pitch=25.0, width=62.5, below=-6.0, first=14.0):
    return [
        Name(lead, first + c * width, 30.0 + pitch * r + below, 0.9)
        for r, row in enumerate(grid)
        for c, lead in enumerate(row)
    ]


@pytest.mark.parametrize("key", sorted(ARRANGEMENTS))
@pytest.mark.parametrize("below", [-8.0, -4.0, 5.0])
def test_every_arrangement_is_found_by_its_names(key, below):
    grid = ARRANGEMENTS[key]
    pitch = 300.0 / max(len(grid) * 2, 10)
    names = _names(grid, pitch, 250.0 / len(grid[0]), below)
    best = _best_match(names, _rows(len(grid), pitch))
    assert best is not None and best.shift == 0
    found = ARRANGEMENTS[best.arrangement] if best.arrangement else None
    assert found == grid or (found is None and len(grid[0]) == 1)
    assert all(best.fits)


def test_a_few_names_misread_or_missing_do_not_matter():
    grid = ARRANGEMENTS["3x4"]
    names = _names(grid)[::2]
    names[1] = Name("V6", names[1].u, names[1].v, 0.4)
    best = _best_match(names, _rows(4))
    assert best is not None and best.arrangement == "3x4" and best.shift == 0
    assert sum(best.fits) == len(names) - 1
    assert best.edges.width == pytest.approx(62.5, abs=0.5)


def test_a_page_whose_top_row_is_cut_off_is_known_by_the_rest():
    names = _names(ARRANGEMENTS["3x4"][1:])
    best = _best_match(names, _rows(2))
    assert best is not None and best.arrangement == "3x4" and best.shift == 1


@pytest.mark.parametrize("key", ["3x4", "6x2"])
def test_the_edge_of_the_paper_above_is_no_row_of_the_page(key):
    grid = ARRANGEMENTS[key]
    names = [Name(n.lead, n.u, n.v + 25.0, n.score) for n in _names(grid)]
    best = _best_match(names, _rows(len(grid) + 1))
    assert best is not None and best.arrangement == key and best.shift == -1


def test_rows_without_arrangement_need_names_for_half_of_them():
    strangers = [Name(lead, 14.0, 24.0 + 25.0 * k, 0.9) for k, lead in enumerate(("V2", "I", "V5"))]
    assert _best_match(strangers, _rows(3)) is not None
    assert _best_match(strangers, _rows(7)) is None


def test_without_names_nothing_is_assumed():
    assert _best_match([], _rows(4)) is None
    assert _best_match([Name("II", 10.0, 25.0, 0.5)], _rows(4)) is None


def test_no_name_that_stands_there_alone_means_no_cabrera_order():
    # As read from a photograph at an angle: all names that fit the Cabrera order fit the usual one.
    read = [("V1", 9.1, -50.9, 0.61), ("aVL", -51.1, -24.7, 0.7), ("V2", 8.9, -24.9, 0.97),
            ("V5", 69.5, -24.2, 0.96), ("V6", -117.9, 1.7, 0.55), ("V6", -52.7, 1.7, 0.51),
            ("V3", 8.8, 1.8, 1.0), ("V6", 71.8, 2.8, 0.52), ("II", -123.9, 36.5, 0.73),
            ("V4", -26.5, 34.0, 0.56), ("aVL", -33.6, 44.1, 0.56)]  # fmt: skip
    names = [Name(*one) for one in read]
    rows = tuple(Row(at, 0.0, -130.0, np.zeros(2500)) for at in (-48.7, -21.7, 4.3, 40.3))
    best = _best_match(names, rows)
    assert best is not None and best.arrangement == "3x4"


def test_one_name_where_only_the_cabrera_order_has_it_is_enough():
    names = [n for n in _names(ARRANGEMENTS["3x4 Cabrera"]) if n.lead in ("I", "V1", "V5", "V6")]
    best = _best_match(names, _rows(3))
    assert best is not None and best.arrangement == "3x4 Cabrera"


def test_a_page_of_twelve_rows_is_not_three_rows_over_nine_strips():
    names = [n for n in _names(ARRANGEMENTS["3x4"]) if n.lead in ("I", "V1", "V4")]
    best = _best_match([Name(n.lead, n.u, n.v + 25.0, n.score) for n in names], _rows(12))
    assert best is None or best.arrangement != "3x4"


def test_rows_that_begin_anew_in_the_middle_have_two_columns():
    """Of tilted pages in two columns only V1 to V6 were read, each with a limb lead in front."""
    rows = _rows(6)
    names = [n for n in _names(ARRANGEMENTS["6x2"], width=125.0) if n.lead.startswith("V")]
    middle = [(10.0 + 125.0 - 0.1 * row.at_mm, row.at_mm + 2.0) for row in rows]
    inner = _inner_columns([(10.0, row.at_mm) for row in rows] + middle, rows)
    assert len(inner) == 1 and len(inner[0]) == 6
    alone, best = _best_match(names, rows), _best_match(names, rows, inner)
    assert alone is not None and alone.arrangement == ""
    assert best is not None and best.arrangement == "6x2" and all(best.fits)
    assert not _limbs_named(names, best)
    assert best.edges.at(1, 30.0) - best.edges.at(0, 30.0) == pytest.approx(125.0, abs=4.0)
    limb = Name("aVF", 14.0, rows[5].at_mm - 6.0, 0.9)
    known = _best_match([*names, limb], rows, inner)
    assert known is not None and _limbs_named([*names, limb], known)


def test_marks_of_one_row_or_at_the_edge_make_no_column():
    rows = _rows(6)
    assert _inner_columns([(130.0, rows[0].at_mm)], rows) == ()
    assert _inner_columns([(14.0, row.at_mm) for row in rows], rows) == ()
    assert _inner_columns([(130.0, row.at_mm + 12.0) for row in rows], rows) == ()


def test_names_in_one_column_of_rows_that_do_not_begin_anew_are_rows():
    names = [n for n in _names(ARRANGEMENTS["6x2"], width=125.0) if n.lead.startswith("V")]
    best = _best_match(names, _rows(6), ())
    assert best is not None and best.arrangement == ""
