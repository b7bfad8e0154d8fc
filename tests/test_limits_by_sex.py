"""A limit that holds for one sex is quoted only where the sex is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.ground.known import known_of
from ecg_llm.ground.stray import stray
from tests.answer.test_conversation import answer
from tests.scripted import Scripted


@pytest.mark.parametrize(("sex", "fits"), [("male", True), ("female", False), (None, False)])
def test_a_limit_of_men_is_quoted_for_men_alone(sex: str | None, fits: bool) -> None:
    found = analyse(synthetic_ecg(seed=3).record)
    known = known_of(replace(found, record=replace(found.record, sex=sex)))  # type: ignore[arg-type]
    told = stray("QTc 400 ms (reference < 450 ms in men).", (), known)
    assert (told is None) is fits
    both = "QTc 400 ms (reference < 450 ms in men, < 460 ms in women)."
    assert stray(both, (), known) is None


def with_qtc(found: Analysis, qtc_ms: float, sex: Any) -> Analysis:
    """Give the analysis another QTc by either formula, and a sex."""
    assert found.measurements is not None
    qtc = replace(found.measurements.values["qtc_fridericia_ms"], value=qtc_ms)
    values = {**found.measurements.values, "qtc_fridericia_ms": qtc, "qtc_bazett_ms": qtc}
    return replace(
        found,
        record=replace(found.record, sex=sex),
        measurements=replace(found.measurements, values=values),
    )


@pytest.mark.parametrize("drafts", [None, "QTc {} ms."])
@pytest.mark.parametrize("question", ["Is the QTc normal?", "Is the QTc prolonged?"])
@pytest.mark.parametrize(
    ("qtc_ms", "sex", "told", "word"),
    [
        (421.0, None, "lies below the limits in men (450 ms) and in women (460 ms)", "is normal"),
        (455.0, None, "reaches the limit in men (450 ms) and lies below the limit in women", None),
        (471.0, None, "reaches the limits in men (450 ms) and in women (460 ms)", "is not normal"),
        (455.0, "male", "", "is not normal"),
        (455.0, "female", "", "is normal"),
    ],
)
def test_a_qtc_is_held_against_the_limits_of_both_sexes_where_it_is_not_known(
    found: Analysis,
    qtc_ms: float,
    sex: str | None,
    told: str,
    word: str | None,
    question: str,
    drafts: str | None,
) -> None:
    model = None if drafts is None else Scripted(drafts.format(f"{qtc_ms:.0f}"))
    text = answer(with_qtc(found, qtc_ms, sex), question, model=model)
    assert f"{qtc_ms:.0f} ms" in text
    assert told in text
    assert ("limit" in text) is (sex is None)
    said = [w for w in ("is normal", "is not normal") if f"The QTc {w}." in text]
    assert said == ([] if word is None else [word])


def test_a_qtc_between_the_limits_is_not_called_normal_without_the_sex(found: Analysis) -> None:
    unknown = known_of(with_qtc(found, 455.0, None))
    for text in ("The QTc is normal.", "The QTc is prolonged."):
        (claim,) = unknown.check(text)
        assert claim.status == "unverifiable"
        assert "sex" in claim.reason
    (claim,) = known_of(with_qtc(found, 455.0, "male")).check("The QTc is prolonged.")
    assert claim.status == "supported"
