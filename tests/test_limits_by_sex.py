"""A limit that holds for one sex is quoted only where the sex is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecg_llm.assistant import analyse, known_of
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.ground.stray import stray_number


@pytest.mark.parametrize(("sex", "fits"), [("male", True), ("female", False), (None, False)])
def test_a_limit_of_men_is_quoted_for_men_alone(sex: str | None, fits: bool) -> None:
    found = analyse(synthetic_ecg(seed=3).record)
    known = known_of(replace(found, record=replace(found.record, sex=sex)))  # type: ignore[arg-type]
    told = stray_number("QTc 400 ms (reference < 450 ms in men).", known)
    assert (told is None) is fits
    both = "QTc 400 ms (reference < 450 ms in men, < 460 ms in women)."
    assert stray_number(both, known) is None
