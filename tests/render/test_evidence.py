"""Evidence is placed by its times, whatever of them is known."""

import pytest

from ecg_llm.findings.finding import Evidence
from ecg_llm.render.evidence import Citations, place_of, where_text


def fact(from_s, to_s, lead="V1", source="a paper"):
    return Evidence(
        lead=lead,
        from_s=from_s,
        to_s=to_s,
        quantity="R",
        value=0.1,
        unit="mV",
        criterion="",
        source=source,
    )


@pytest.mark.parametrize(
    ("times", "place", "words"),
    [
        ((1.0, 1.2), ("V1", 1.0, 1.2), "V1 1.00–1.20 s"),
        ((1.2, 1.0), ("V1", 1.0, 1.2), "V1 1.00–1.20 s"),
        ((1.0, None), ("V1", 1.0, 1.0), "V1 1.00 s"),
        ((None, None), None, "V1"),
        ((float("nan"), float("nan")), None, "V1"),
    ],
)
def test_the_place_of_evidence(times, place, words):
    assert place_of(fact(*times)) == place
    assert where_text(fact(*times)) == words


def test_a_source_keeps_its_number():
    cited = Citations()
    assert cited.facts([fact(None, None, source="b")]) == "V1: R 0.10 mV [1]"
    assert cited.facts([fact(None, None, source="c"), fact(1, 2, source="b")]).endswith("[1]")
    assert cited.sources == {"b": 1, "c": 2}
