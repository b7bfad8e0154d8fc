"""What is written with the vocabulary is read back as the same."""

from __future__ import annotations

import pytest

from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.measured_words import ASIDE_OF, MEASURED, TERRITORIES, UNITS
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.vocabulary import CODES, GROUPS, canonical_code, expand, label, members, phrases


def test_every_statement_of_the_criteria_has_words():
    assert set(STATEMENTS) <= set(CODES)


@pytest.mark.parametrize("code", [*CODES, *GROUPS])
def test_every_phrase_is_read_as_its_code(code):
    assert phrases(code)
    for phrase in phrases(code):
        found = extract_claims(f"There is {phrase}.")
        subjects = {claim.subject for claim in found if claim.kind == "finding"}
        assert code in subjects, (phrase, found)
        assert not any(claim.negated for claim in found)


@pytest.mark.parametrize("code", sorted(STATEMENTS))
def test_every_label_is_read_as_its_code(code):
    found = extract_claims(f"{label(code).capitalize()}.")
    assert code in {claim.subject for claim in found}
    denied = extract_claims(f"No {label(code)}.")
    assert all(claim.negated for claim in denied if claim.subject == code)


def test_families_name_known_codes_and_contain_themselves_once():
    for code in (*CODES, *GROUPS):
        found = members(code)
        assert len(set(found)) == len(found)
        assert set(found) <= set(CODES)


def test_other_names_lead_to_the_code_of_the_criteria():
    assert canonical_code("mobitz2") == "mobitz_2"
    assert label("paced_atrial") == label("atrial_pacing")
    assert phrases("nothing of the kind") == ()
    assert label("nothing of the kind") == "nothing of the kind"


def test_nested_alternatives_are_written_out():
    assert expand("a[| [b|c] d]e") == ["ae", "a b de", "a c de"]


def test_quantities_are_read_by_every_name():
    for name, measured in MEASURED.items():
        unit = {"time": "ms", "voltage": "mV", "rate": "bpm", "angle": "°"}.get(measured.kind)
        if unit is None:
            continue
        for pattern in measured.phrases:
            for phrase in expand(pattern):
                (claim,) = [
                    c for c in extract_claims(f"The {phrase} is 1.5 {unit}.") if c.kind == "number"
                ]
                assert claim.subject == name, phrase


def test_asides_and_walls_name_known_things():
    assert {name for names in ASIDE_OF.values() for name in names} <= set(MEASURED)
    assert set(ASIDE_OF) <= {*CODES, *GROUPS}
    assert all(leads for leads in TERRITORIES.values())
    assert UNITS["mm"] == ("voltage", 0.1)
