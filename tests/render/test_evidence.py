"""Evidence is placed by its times, whatever of them is known."""

from dataclasses import replace

import pytest

from ecg_llm.findings.finding import Evidence
from ecg_llm.render.evidence import Citations, not_yet_said, place_of, where_text


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


def test_what_speaks_against_another_finding_is_told_whole():
    """The HTML report had "II 0.00–10.00 s" alone among the evidence of a sinus rhythm."""
    excluded = replace(
        fact(0.0, 10.0, lead="II"),
        quantity="atrial waves between the beats",
        value=225.0,
        unit="/min",
        criterion="not 220 to 350/min, of one frequency",
    )
    said = "Sinus rhythm: P wave before 12 of 12 beats."
    assert not_yet_said(excluded, said).startswith(
        "II 0.00–10.00 s: atrial waves between the beats 225/min (not 220"
    )
