"""Names on a page, held against the usual arrangements."""

import numpy as np
import pytest

from ecg_llm.page.layout import ARRANGEMENTS, Name, _best_match
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
