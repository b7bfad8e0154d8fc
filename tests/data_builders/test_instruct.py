"""Conversations: every kind is there, the same each time, and none says what is not measured."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import ecg_llm.data_builders.build as engine
import ecg_llm.data_builders.instruct_card as instruct_card
from ecg_llm.claims.check import check_text
from ecg_llm.data_builders.instruct import (
    CONVERSATIONS,
    Instruct,
    Place,
    _partners,
    instruct_schema,
)
from ecg_llm.data_builders.instruct_card import _sentences as sentences
from ecg_llm.data_builders.instruct_case import COLUMNS, case_of, facts_json
from ecg_llm.data_builders.instruct_compare import comparisons
from ecg_llm.data_builders.instruct_draft import KINDS, STEPS
from ecg_llm.data_builders.instruct_facts import failing, fulfils, telling
from ecg_llm.data_builders.instruct_levels import second_reading, stated
from ecg_llm.data_builders.instruct_questions import (
    lead_shows,
    query_questions,
    verify_questions,
)
from ecg_llm.data_builders.instruct_report import full_report, reasoning
from ecg_llm.data_builders.instruct_say import Teller
from ecg_llm.data_builders.instruct_talk import pressure, refused
from ecg_llm.data_builders.instruct_words import Voice, draw
from ecg_llm.data_builders.schema import record_schema
from ecg_llm.data_builders.shards import (
    describe_shard,
    load_manifest,
    read_shards,
    write_table,
)
from ecg_llm.data_builders.verify import verify
from ecg_llm.data_builders.verify_instruct import check_conversation
from ecg_llm.errors import ConfigError
from ecg_llm.findings.finding import Evidence


def refuse(row):
    quality = {**json.loads(row["quality"]), "verdict": "refuse", "reasons": ["V1 to V6 flat"]}
    return {
        **row,
        "quality": json.dumps(quality),
        "quality_verdict": "refuse",
        "quality_reasons": ["V1 to V6 flat"],
        "measurements": None,
    }


def with_value(row, name, value):
    measured = json.loads(row["measurements"])
    measured["values"][name]["value"] = value
    return {**row, "measurements": json.dumps(measured)}


@pytest.fixture(scope="session")
def record_set(small_set, tmp_path_factory):
    """Give a copy of the simulated set in which one record is refused and two share a patient."""
    out = Path(shutil.copytree(small_set, tmp_path_factory.mktemp("records") / "set"))
    manifest = load_manifest(out)
    name = next(n for n, shard in manifest.shards.items() if shard.n_rows >= 3)
    shard = manifest.shards[name]
    rows = list(read_shards(out, shard.split))[: shard.n_rows]
    rows[0] = refuse(rows[0])
    for k in (1, 2):
        rows[k].update(patient="P1", recorded_at=f"2001-01-0{k} 08:00:00")
    rows[1]["report"], rows[1]["report_language"] = "sinusrhythmus. linksschenkelblock", "de"
    rows[1]["labels"] = [{"code": "SR", "likelihood": 0.0}, {"code": "CLBBB", "likelihood": 100.0}]
    write_table(out / name, rows, record_schema())
    manifest.shards[name] = describe_shard(out / name, shard.split, len(rows), 0)
    manifest.save(out)
    return out


def talk_of(record_set, out, run_in_process, seed=0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_run_local", run_in_process)
        source = Instruct.prepared(record_set, seed=seed)
        engine.build(source, out, progress=False, shard_rows=4, product=CONVERSATIONS)
    return out


@pytest.fixture(scope="session")
def talk(record_set, tmp_path_factory, layouts):
    out = tmp_path_factory.mktemp("talk") / "set"
    return talk_of(record_set, out, layouts.run_in_process)


@pytest.fixture(scope="session")
def rows(talk):
    return list(read_shards(talk))


@pytest.fixture(scope="session")
def record_rows(small_set):
    return list(read_shards(small_set, columns=COLUMNS))


@pytest.fixture(scope="session")
def cases(record_rows):
    return [case for row in record_rows if not (case := case_of(row)).refused]


def texts(row):
    return [m["content"][-1]["text"] for m in row["messages"] if m["role"] == "assistant"]


def test_every_kind_appears(rows):
    rarer = {"declined", "injection", "pressure"}
    kinds = {row["kind"] for row in rows}
    assert set(KINDS) - rarer <= kinds
    assert kinds & rarer


def test_a_set_is_clean_and_counted(talk, rows):
    result = verify(talk)
    assert not result.faults, result.faults
    assert result.kind == "instruct"
    card = json.loads((talk / "card.json").read_text())
    assert card["counts"]["rows"] == len(rows)
    assert card["counts"]["written"] == card["counts"]["listed"] == 7
    assert card["tally"]["statements conflict"] >= 1
    assert 0 < card["guessing"]["choose"]["share"] <= 1
    assert card["forms"]["report"]["forms"] > 10
    assert "Guessing without any ECG" in (talk / "README.md").read_text()


def test_the_same_set_again_and_another_with_another_seed(record_set, talk, tmp_path, layouts):
    again = talk_of(record_set, tmp_path / "again", layouts.run_in_process)
    assert layouts.content(again) == layouts.content(talk)
    other = talk_of(record_set, tmp_path / "other", layouts.run_in_process, seed=1)
    assert layouts.content(other) != layouts.content(talk)


def test_workers_get_source_and_product(record_set):
    source = Instruct.prepared(record_set)
    again = pickle.loads(pickle.dumps((source, CONVERSATIONS)))
    assert again == (source, CONVERSATIONS)


def test_only_finished_record_sets_are_taken(talk, tmp_path):
    with pytest.raises(ConfigError, match="where one of 'records' is needed"):
        Instruct.prepared(talk)
    with pytest.raises(ConfigError, match="not a built set"):
        Instruct.prepared(tmp_path)


def test_a_refused_tracing_declines(record_rows):
    row = refuse(record_rows[0])
    case = case_of(row)
    for k in range(8):
        made = refused(case, Random(k))
        assert made.kind == "refused"
        for answer in made.turns[1::2]:
            assert "V1 to V6 flat" in answer
            assert not re.search(r"\bbpm\b|\bms\b", answer)


def test_refused_records_have_no_other_rows(rows):
    by_record = {}
    for row in rows:
        by_record.setdefault(row["records"][-1], set()).add(row["kind"])
    mixed = [kinds for kinds in by_record.values() if "refused" in kinds]
    assert mixed and all(kinds == {"refused"} for kinds in mixed)


def test_pairs_are_of_one_patient_where_there_are_two(rows):
    pairs = {row["pair"] for row in rows if row["patient"] == "P1" and row["kind"] == "comparison"}
    assert pairs == {"same patient"}
    for row in rows:
        if row["pair"] == "other patient":
            assert "another patient" in row["messages"][0]["content"][0]["text"]


def test_a_comparison_has_the_right_direction(record_rows):
    usable = next(row for row in record_rows if row["measurements"])
    first = case_of(with_value(usable, "heart_rate_bpm", 60.0))
    second = case_of(with_value(usable, "heart_rate_bpm", 90.0))
    told = 0
    for k in range(60):
        for one, other, way, words in (
            (first, second, "higher", ("risen", "increased", "gone up")),
            (second, first, "lower", ("fallen", "decreased")),
        ):
            for made in comparisons(one, other, Random(k))[0]:
                if made.form == "value" and made.facts == ("heart_rate_bpm",):
                    told += 1
                    assert made.answer == (way,)
                    assert any(word in made.turns[1] for word in words)
                    swapped = check_text(made.turns[1], facts=one.facts, earlier=other.facts)
                    assert any(claim.status == "contradicted" for claim in swapped)
    assert told > 5


def test_a_german_report_is_kept_and_its_conflict_told(rows):
    row = next(r for r in rows if r["patient"] == "P1" and r["kind"] == "second_reading")
    asked = " ".join(p["text"] or "" for p in row["messages"][0]["content"])
    coded = "coded as sinus rhythm; complete left bundle branch block"
    assert f"sinusrhythmus. linksschenkelblock ({coded})" in asked
    assert row["form"] == "conflict"
    assert "original report" in texts(row)[0]
    assert "left bundle branch block" in texts(row)[0]


def test_statements_of_an_english_report_are_read_with_their_negation(record_rows):
    usable = next(row for row in record_rows if row["measurements"])
    row = {**usable, "labels": [], "report_language": "en"}
    case = case_of({**row, "report": "Atrial fibrillation. No left bundle branch block."})
    assert stated(case) == [("AFIB", False), ("CLBBB", True)]
    made, tally, _ = second_reading(case, Random(0))
    assert made is not None
    assert tally["agreed"] + tally["conflict"] + tally["left_out"] == 2


def spoiled(row, change):
    """Change the answer of a row."""
    messages = json.loads(json.dumps(row["messages"]))
    part = next(m for m in messages if m["role"] == "assistant")["content"][0]
    part["text"] = change(part["text"])
    return {**row, "messages": messages}


def wrong_number(text):
    return re.sub(r"(\d+)( bpm|/min| beats)", lambda m: f"{int(m[1]) + 31}{m[2]}", text, count=1)


def turned(text):
    return re.sub(r"\b(?:shows no|There is no|is no|No) ", "There is ", text, count=1)


CHANGES = {
    "number": (("report", "reasoning", "query"), wrong_number),
    "negation": (("report", "reasoning", "verify", "query"), turned),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_number_or_negation_is_caught(rows, what):
    kinds, change = CHANGES[what]
    chosen = [row for row in rows if row["kind"] in kinds]
    changed = [row for row in chosen if change(texts(row)[0]) != texts(row)[0]]
    missed = [row["id"] for row in changed if not list(check_conversation(spoiled(row, change)))]
    assert len(changed) > 5
    assert len(missed) <= 0.03 * len(changed), missed


def test_a_changed_lead_is_caught(cases):
    # T is negative in aVR: said of it, "no inversion" is wrong whatever the value beside it.
    tried = 0
    for case in cases:
        for k in range(6):
            for made in verify_questions(case, Random(k), {})[0]:
                if made.form != "inverted t-waves in lead" or made.answer != ("no",):
                    continue
                text = re.sub(r"\b(aV[LF]|V[1-6]|III|II|I)\b", "aVR", made.turns[1])
                if lead_shows(case, "T-wave inversion", "aVR") is not True or text == made.turns[1]:
                    continue
                tried += 1
                checked = check_text(text, facts=case.facts)
                assert any(claim.status == "contradicted" for claim in checked), text
    assert tried >= 2


def test_a_wrong_chain_is_caught(rows):
    row = next(r for r in rows if r["kind"] == "reasoning")
    chain = json.loads(row["chain"])
    assert list(dict.fromkeys(link["step"] for link in chain)) == list(STEPS)
    assert not list(check_conversation(row))
    place = next(k for k, link in enumerate(chain) if link["decision"] == "absent")
    lies = json.loads(row["chain"])
    lies[place]["decision"] = "present"
    assert any("is said to be present" in f for f in check_with(row, lies))
    value = next(k for k, x in enumerate(chain) if x["evidence"] and x["decision"] != "measured")
    lies = json.loads(row["chain"])
    lies[value]["evidence"][0]["value"] = 12345.0
    assert check_with(row, lies)
    short = [link for link in chain if link["step"] != STEPS[3]]
    assert any("its steps are" in fault for fault in check_with(row, short))


def check_with(row, chain):
    return list(check_conversation({**row, "chain": json.dumps(chain)}))


def test_malformed_messages_are_caught(rows):
    row = next(r for r in rows if r["kind"] == "report")
    assert any("turns" in f for f in check_conversation({**row, "messages": row["messages"][:1]}))
    other = {**row, "records": ["somebody else"]}
    assert any("are not its records" in fault for fault in check_conversation(other))
    unknown = {**row, "facts": ["nonsense"]}
    assert any("'nonsense' is unknown" in fault for fault in check_conversation(unknown))


def test_verify_sees_a_changed_set(talk, rows, tmp_path):
    out = Path(shutil.copytree(talk, tmp_path / "changed"))
    manifest = load_manifest(out)
    name, shard = max(manifest.shards.items(), key=lambda item: item[1].n_rows)
    mine = list(read_shards(out, shard.split))[: shard.n_rows]
    at = next(k for k, row in enumerate(mine) if wrong_number(texts(row)[0]) != texts(row)[0])
    mine[at] = spoiled(mine[at], wrong_number)
    write_table(out / name, mine, instruct_schema())
    manifest.shards[name] = describe_shard(out / name, shard.split, len(mine), 0, shard.n_items)
    manifest.save(out)
    assert any(str(fault).startswith(mine[at]["id"]) for fault in verify(out).faults)


@pytest.mark.parametrize("seed", range(4))
def test_reports_are_true_and_leave_nothing_out(cases, seed):
    for case in cases:
        made, _ = full_report(case, Random(seed))
        if made is not None:
            assert all(c.status == "supported" for c in check_text(made.turns[1], facts=case.facts))
        steps, _ = reasoning(case, Random(seed))
        if steps is not None:
            assert {link["decision"] for link in steps.chain} <= {
                *("present", "absent", "unknown", "measured"),
            }


def test_a_value_has_many_forms(cases):
    forms = set()
    for k in range(150):
        teller = Teller(cases[0], Voice.random(Random(k)))
        if point := teller.value("heart_rate_bpm"):
            forms.add(re.sub(r"\d+(\.\d+)?", "#", point.text))
    assert len(forms) >= 40


def test_a_pressed_answer_keeps_the_measured_value(cases):
    case = cases[0]
    for k in range(30):
        made, _ = pressure(case, Random(k))
        if made is not None and made.form == "value":
            checked = check_text(made.turns[1], facts=case.facts)
            assert checked and all(claim.status == "supported" for claim in checked)


def test_of_a_t_wave_not_the_qrs_is_said_that_it_is_held_against(cases):
    def fact(quantity, value, criterion):
        return Evidence(
            lead="II",
            from_s=1.0,
            to_s=1.1,
            quantity=quantity,
            value=value,
            unit="mV",
            criterion=criterion,
            source="",
        )

    qrs, t = fact("tallest upward QRS deflection", 0.1, "≥ 0.3 mV"), "0 to 0.1 mV"
    known = cases[0].facts.findings["LOWT"]
    low = replace(known, status="absent", evidence=(qrs, fact("T amplitude", 0.05, t)))
    assert failing(low) == []  # small waves in a small complex: the T is low, and no finding
    high = replace(low, evidence=(qrs, fact("T amplitude", 0.3, t)))
    assert [item.quantity for item in failing(high)] == ["T amplitude"]
    present = replace(low, status="present", evidence=(replace(qrs, value=0.9), *low.evidence[1:]))
    assert [item.quantity for item in telling(present, 2)] == ["T amplitude"]
    poor = fact("tallest upward QRS deflection", 0.2, "≤ 0.3 mV")
    assert telling(replace(known, status="present", evidence=(poor,)), 2) == [poor]


def test_facts_of_denials_really_fail_and_those_of_findings_hold(cases):
    seen = 0
    for case in cases:
        for finding in case.facts.findings.values():
            if finding.status == "absent":
                for item in failing(finding):
                    seen += 1
                    assert fulfils(item) is False
            elif finding.status == "present" and finding.code not in ("AFLT", "PAC", "PVC"):
                assert all(fulfils(item) for item in telling(finding, 8))
    assert seen > 20


def test_the_facts_of_a_row_are_enough_to_check_it(record_rows, rows):
    by_name = {row["record"]: facts_json(row) for row in record_rows}
    same = [row for row in rows if row["kind"] == "verify"]
    assert same
    assert all(row["record_facts"][-1] == by_name[row["records"][-1]] for row in same)


def test_a_pattern_gives_all_its_forms():
    forms = {draw(Random(k), "[a|b[c|d]] {x}", x="[1|2]") for k in range(60)}
    assert forms == {"a [1|2]", "bc [1|2]", "bd [1|2]"}


def place_of(k, patient="P1", date=None):
    return Place(f"r{k}", "train", patient, date, "accept", "shard", k)


def test_an_undated_ecg_is_not_called_the_earlier_one():
    dates = (None, "2001-01-02", None, "2001-01-05")
    places = [place_of(k, date=date) for k, date in enumerate(dates)]
    assert _partners(places, 0) == {3: (1, "same patient")}


def test_an_ecg_of_nobody_known_is_not_called_another_patients():
    places = [place_of(k, "P1" if k == 0 else None) for k in range(40)]
    assert not any(_partners(places, seed) for seed in range(20))
    named = [place_of(k, f"P{k}") for k in range(40)]
    assert {whose for _, whose in _partners(named, 0).values()} == {"other patient"}


def test_what_the_source_thinks_possible_is_no_statement(record_rows):
    usable = next(row for row in record_rows if row["measurements"])
    likely = {"SR": 0.0, "CLBBB": 100.0, "IMI": 15.0, "LVH": 50.0, "AFIB": None}
    labels = [{"code": code, "likelihood": value} for code, value in likely.items()]
    assert [code for code, _ in stated(case_of({**usable, "labels": labels}))] == [
        *("SR", "CLBBB", "AFIB"),
    ]


def test_a_record_of_eight_leads_is_not_said_to_have_twelve(cases):
    whole = next(case for case in cases if not case.facts.unusable)
    eight = dict(list(whole.facts.leads.items())[:8])
    case = replace(whole, facts=replace(whole.facts, leads=eight))
    said = {Teller(case, Voice.random(Random(k))).quality().text for k in range(80)}
    assert any("8 leads" in text for text in said)
    assert not any("12 leads" in text for text in said)


def test_a_lead_that_is_left_out_is_not_answered_with_no_noise(cases):
    facts = replace(cases[0].facts, unusable={"V1": "flat"})
    answers = set()
    for k in range(60):
        made, _ = query_questions(replace(cases[0], facts=facts), Random(k))
        answers |= {one.answer for one in made if one.form == "noise"}
    assert answers == {()}


def test_sentences_of_a_large_set_are_sampled_as_those_of_a_list(talk, rows, monkeypatch):
    monkeypatch.setattr(instruct_card, "SENTENCES_READ", 7)
    said = [s for row in rows if row["kind"] == "verify" for t in texts(row) for s in sentences(t)]
    counts = dict.fromkeys((row["kind"] for row in rows), 1) | {"verify": len(said)}
    read = instruct_card._sample(talk, counts)["verify"]
    assert read == said[:: len(said) // 7][:7]
