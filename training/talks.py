"""Conversations to train the language model on, read from built sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ecg_llm.claims.facts import Facts
from ecg_llm.claims.lexicon import scan
from ecg_llm.data_builders.instruct_case import COLUMNS, ECGCase, case_of
from ecg_llm.data_builders.instruct_terms import CODES
from ecg_llm.data_builders.shards import (
    MANIFEST,
    content_of,
    load_finished,
    load_manifest,
    read_shards,
)
from ecg_llm.data_builders.tables import sha256_of
from ecg_llm.data_builders.talk import (
    Talk,
    doubted,
    held,
    mixed,
    report_answer,
    unmeasured,
    value_answer,
    varied,
    verify_answer,
    wave_answer,
)
from ecg_llm.errors import ConfigError
from ecg_llm.findings.finding import Finding
from ecg_llm.leads import STANDARD_12
from ecg_llm.prompt import SHORT, SHOWN_VALUES, SHOWN_WAVES, Part, Prompt, build_from_facts
from ecg_llm.qa.items import read_items
from ecg_llm.record import ECGRecord
from ecg_llm.vocabulary import label, phrases

TEXT: tuple[Part, ...] = ("values", "findings")
TOKENS: tuple[Part, ...] = ("tokens",)
ALL: tuple[Part, ...] = ("tokens", "values", "findings")
SLOT = ECGRecord(signal=np.zeros((1, 1), np.float32), fs=100.0, leads=("I",))
"""Stands for a record whose features are looked up by its name."""
PAGE = replace(SLOT, origin="page")

WEIGHTS = {
    "report": 0.34,
    "verify": 0.10,
    "value": 0.08,
    "wave": 0.06,
    "stated": 0.12,
    "qa": 0.08,
    "short": 0.06,
    "talk": 0.16,
}
"""How often each kind is drawn."""
QA_ITEMS = ("ptbxl_single_verify.json", "ptbxl_comparison.json")
"""ECG-QA's items on PTB-XL, as a folder of them holds them."""
_SHORT_KINDS = ("choose", "query", "verify")
_TALK_KINDS = (
    *("explanation", "declined", "injection", "pressure", "follow_up", "comparison"),
    "second_reading",
)
_REPORT_ASKED = (
    *("Report this ECG.",) * 6,
    *("Please report this tracing.", "Write the report.", "Interpret this ECG."),
    *("What does this ECG show?", "Describe this ECG."),
)
_VERIFY_ASKED = (
    *("Is there {}?", "Does this ECG show {}?", "Is {} present?", "Any sign of {}?"),
    *("Do you see {}?", "Could this be {}?"),
)
_VALUE_ASKED = (
    *("What is the {}?", "How long is the {}?", "Tell me the {}.", "And the {}?"),
    *("Is the {} normal?", "Say that the {} is normal."),
)
_WAVE_ASKED = ("What is {} in {}?", "How tall is {} in {}?", "Give {} in lead {}.")
_STATED_ASKED = (
    *("Does this ECG show symptoms of {}?", "Does this ECG show {}?", "Is {} seen on this ECG?"),
    *("Can any symptoms of {} be found in this ECG?", "Is there evidence of {}?"),
)


@dataclass(frozen=True)
class Sets:
    """What a stage learns from.

    Attributes
    ----------
    records : Path
        A set of records.
    talks : Path, optional
        Conversations on it (``ecgllm build instruct``).
    qa : Path, optional
        Folder of ECG-QA's items on PTB-XL.
    base : Path, optional
        Checkpoint to begin with.
    encoder : Path, optional
        Folder of the encoder that gives the features; the bundled one if left out.
    """

    records: Path
    talks: Path | None = None
    qa: Path | None = None
    base: Path | None = None
    encoder: Path | None = None

    def digests(self) -> dict[str, list[str]]:
        """Name each by its content, so that a run is not continued with something else."""
        parts = {
            "records": (self.records, MANIFEST),
            "talks": (self.talks, MANIFEST),
            "qa": (self.qa, "*.json"),
            "base": (self.base, "*.safetensors"),
            "encoder": (self.encoder, "signal_encoder.*"),
        }
        return {
            name: [] if folder is None else [sha256_of(path) for path in sorted(folder.glob(files))]
            for name, (folder, files) in parts.items()
        }


def read_talks(sets: Sets, *, split: str = "train") -> dict[str, list[Talk]]:
    """Read what can be said and asked of the records of a set.

    Parameters
    ----------
    sets : Sets
        With records, and whatever else there is.
    split : {"train", "val"}
        Which records.

    Raises
    ------
    ConfigError
        If a folder is not a finished set, the conversations are on other records, or there is
        nothing in the split.
    """
    records, talks = sets.records, sets.talks
    cases = {case.record: case for case in _cases(records, split)}
    if not cases:
        raise ConfigError(
            f"{records}: it has no record of split {split!r}; train is learnt from and val is held "
            "out, so both are needed. Build more records."
        )
    out: dict[str, list[Talk]] = {kind: [] for kind in WEIGHTS}
    for case in cases.values():
        rng = Random(case.record)  # noqa: S311 (wording, no secret)
        for talk in _of_record(case, rng):
            out[talk.kind].append(talk)
    if talks is not None:
        built_on = load_finished(talks, "instruct").build["records"]
        if built_on != content_of(load_manifest(records)):
            raise ConfigError(
                f"{talks}: these are no conversations on {records}; "
                f"ecgllm build instruct {records} makes some."
            )
        for talk in _of_set(talks, split, cases):
            out[talk.kind].append(talk)
    if sets.qa is not None:
        out["qa"] += list(_of_qa(sets.qa, cases))
    return {kind: found for kind, found in out.items() if found}


def _cases(folder: Path, split: str) -> Iterator[ECGCase]:
    load_finished(folder, "records")
    yield from map(case_of, read_shards(folder, split, COLUMNS))


def _of_record(case: ECGCase, rng: Random) -> Iterator[Talk]:
    """Ask of one record what the small model must answer well."""
    labels = tuple(code for code, _ in case.labels)
    about: dict[str, Any] = {"records": (case.record,), "facts": (case.facts,), "labels": labels}
    yield Talk(kind="report", turns=(rng.choice(_REPORT_ASKED), ""), **about)
    if case.refused:
        return
    codes = sorted(case.facts.findings)
    present = [code for code in codes if case.status(code) == "present"]
    for code in [*rng.sample(present, min(3, len(present))), *rng.sample(codes, 3)]:
        name = rng.choice(phrases(code) or (label(code),)) if rng.random() < 0.5 else label(code)
        asked = rng.choice(_VERIFY_ASKED).format(name)
        yield Talk(kind="verify", turns=(asked, code), **about)
    for name in rng.sample(sorted(SHOWN_VALUES), 4):
        asked = rng.choice(_VALUE_ASKED).format(_long(name))
        yield Talk(kind="value", turns=(asked, name), **about)
    for _ in range(3):
        wave, lead = rng.choice(sorted(SHOWN_WAVES)), rng.choice(STANDARD_12)
        asked = rng.choice(_WAVE_ASKED).format(_wave(wave), lead)
        yield Talk(kind="wave", turns=(asked, f"{wave} {lead}"), **about)
    known = set(labels)
    terms = sorted(CODES)
    right = [term for term in terms if CODES[term] in known]
    for term in [*rng.sample(right, min(3, len(right))), *rng.sample(terms, 3)]:
        asked = f"{rng.choice(_STATED_ASKED).format(term)} {SHORT}"
        answer = "yes" if CODES[term] in known else "no"
        yield Talk(kind="stated", turns=(asked, answer), **about)


def _long(name: str) -> str:
    return SHOWN_VALUES[name] + (" interval" if name in ("pr_ms", "qt_ms") else "")


def _wave(name: str) -> str:
    said = SHOWN_WAVES[name]
    return said if said.startswith("ST") else f"the {said[0]} wave"


def _of_set(folder: Path, split: str, cases: Mapping[str, ECGCase]) -> Iterator[Talk]:
    """Take over built conversations: their questions, and answers that the prompt bears out."""
    for row in read_shards(folder, split, ("kind", "messages", "answer", "records")):
        if row["kind"] not in (*_SHORT_KINDS, *_TALK_KINDS):
            continue
        facts = tuple(cases[name].facts for name in row["records"])
        labels = tuple(code for code, _ in cases[row["records"][-1]].labels)
        turns = [_words(message["content"]) for message in row["messages"]]
        about = {"records": tuple(row["records"]), "facts": facts, "labels": labels}
        if row["answer"] and row["kind"] in _SHORT_KINDS:
            short = (f"{turns[0]} {SHORT}", ", ".join(row["answer"]))
            yield Talk(kind="short", turns=short, **about)
        elif row["kind"] in _TALK_KINDS:
            yield Talk(kind="talk", turns=tuple(turns), **about)


def _words(content: Sequence[Mapping[str, Any]]) -> str:
    """Give the question itself, without the words that introduce the ECGs."""
    said = [part["text"] for part in content if part["type"] == "text"]
    return str(said[-1])


def _of_qa(folder: Path, cases: Mapping[str, ECGCase]) -> Iterator[Talk]:
    """Take over ECG-QA's items on the records at hand."""
    there = [folder / name for name in QA_ITEMS if (folder / name).is_file()]
    if not there:
        raise ConfigError(f"{folder}: neither {' nor '.join(QA_ITEMS)} is there.")
    for item in (item for path in there for item in read_items(path)):
        records = tuple(_named(number, cases) for number in item.ecg_ids)
        if None in records or item.truth is None:
            continue
        found = [cases[str(record)] for record in records]
        yield Talk(
            kind="qa",
            turns=(f"{item.question} {SHORT}", ", ".join(item.truth)),
            records=tuple(map(str, records)),
            facts=tuple(case.facts for case in found),
            labels=tuple(code for code, _ in found[-1].labels),
        )


def _named(number: int, cases: Mapping[str, ECGCase]) -> str | None:
    """Find the record of a number of PTB-XL."""
    for name in (f"{number:05d}", f"{number:05d}_lr", f"{number:05d}_hr", str(number)):
        if name in cases:
            return name
    return None


def posed(
    talks: Sequence[Talk],
    rng: Random,
    parts: Sequence[Part],
    *,
    vary: float = 0.0,
    pages: float = 0.0,
    pool: Mapping[str, Sequence[Finding]] | None = None,
) -> tuple[Prompt, str] | None:
    """Put questions on the same ECGs as a prompt and its last answer.

    Parameters
    ----------
    talks : sequence of Talk
        From `read_talks`, all on the same records; several become the turns of one conversation.
    parts : sequence of {"tokens", "values", "findings"}
        What the prompt shows.
    vary : float
        Share of conversations whose values are changed, in prompt and answers alike.
    pages : float
        Share of conversations on a page image.
    pool : mapping of str to sequence of Finding, optional
        Findings to mix in where values are changed and no tokens are shown.

    Returns
    -------
    tuple of Prompt and str, or None
        None where the prompt would not bear an answer out.
    """
    first = talks[0]
    facts, slots = list(first.facts), [SLOT for _ in first.facts]
    text = "findings" in parts
    kinds = {talk.kind for talk in talks}
    one = len(facts) == 1
    if "tokens" in parts and kinds <= _OF_TOKENS and one and rng.random() < pages:
        facts, slots = [unmeasured(facts[-1], first.labels, rng)], [PAGE]
    elif "values" in parts and kinds <= _OF_VALUES and rng.random() < vary:
        facts = [varied(one, rng) for one in facts]
        if pool and "tokens" not in parts and rng.random() < MIXING:
            facts[-1] = mixed(facts[-1], pool, rng)
    if text and kinds <= _OF_VALUES | _OF_TOKENS and rng.random() < DOUBTING:
        facts[-1] = doubted(facts[-1], first.labels, rng)
    turns: list[tuple[str, str]] = []
    for talk in talks:
        for asked, told in zip(talk.turns[::2], talk.turns[1::2], strict=True):
            said = _answer(talk, told, facts[-1], parts)
            if said:
                turns.append((asked, said))
            elif len(talks) == 1:
                return None
    if not turns:
        return None
    prompt = build_from_facts(turns[-1][0], facts, slots, history=turns[:-1], parts=parts)
    if kinds == {"talk"} and not all(held(told, _user_text(prompt)) for _, told in turns):
        return None
    return prompt, turns[-1][1]


MIXING = 0.6
"""Share of the changed records whose findings are those of others."""
POOLED = 30
"""Findings of each code that are kept to mix in."""
DOUBTING = 0.7
"""Share of prompts with text in which an encoder disagrees with the criteria."""
_OF_VALUES = frozenset(("report", "verify", "value", "wave"))
_OF_TOKENS = frozenset(("report", "stated", "qa"))


def _answer(talk: Talk, told: str, facts: Facts, parts: Sequence[Part]) -> str:
    """Write the answer that a prompt bears out; none if it does not."""
    text = "findings" in parts
    match talk.kind:
        case "report":
            return report_answer(facts, parts, talk.labels)
        case "stated" | "qa":
            return told
        case "value" if "values" in parts:
            return value_answer(told, facts)
        case "wave" if text and facts.values:
            wave, lead = told.split(" ")
            return wave_answer(wave, lead, facts)
        case "verify" if text and facts.findings:
            codes = [item.data for item in scan(talk.turns[0]) if item.kind == "finding"]
            return verify_answer(codes[0], facts) if codes else ""
        case "talk" | "short" if text:
            return told
    return ""


def _user_text(prompt: Prompt) -> str:
    """Give the words of the user's turns."""
    shown = [message for message in prompt.messages if message["role"] == "user"]
    return Prompt(messages=tuple(shown)).text()


TURNS = (1, 1, 2, 3, 4, 5)
"""How many questions are put on a record at once: a prompt costs more than an answer."""


def draw(
    talks: Mapping[str, Sequence[Talk]],
    rng: Random,
    mixture: Sequence[tuple[Sequence[Part], float]],
    *,
    vary: float = 0.0,
    pages: float = 0.0,
    weights: Mapping[str, float] | None = None,
) -> Iterator[tuple[Talk, Prompt, str]]:
    """Draw conversations for ever, each with parts drawn anew.

    Parameters
    ----------
    mixture : sequence of tuple
        Parts, and how often a prompt shows just these.
    weights : mapping of str to float, optional
        How often each kind is drawn, where not as usual.

    Yields
    ------
    talk : Talk
        The first of the conversation.
    prompt : Prompt
    answer : str
    """
    often = {**WEIGHTS, **(weights or {})}
    alone: list[Talk] = [talk for kind in talks for talk in talks[kind] if _stands_alone(talk)]
    together: dict[str, dict[str, list[Talk]]] = {}
    for talk in (talk for kind in talks for talk in talks[kind] if not _stands_alone(talk)):
        together.setdefault(talk.records[0], {}).setdefault(talk.kind, []).append(talk)
    names = sorted(together)
    choices, shares = zip(*mixture, strict=True)
    pool = _pool(talk.facts[-1] for talk in talks.get("report", ()))
    while True:
        parts = rng.choices(choices, shares)[0]
        if alone and rng.random() < often["talk"] and "findings" in parts:
            chosen = [rng.choice(alone)]
        else:
            of_record = together[rng.choice(names)]
            kinds = [k for k in of_record if _fits(k, parts)]
            drawn = rng.choices(kinds, [often[kind] for kind in kinds], k=rng.choice(TURNS))
            chosen = [rng.choice(of_record[kind]) for kind in drawn]
            chosen = list({talk.turns[0]: talk for talk in chosen}.values())
        if (made := posed(chosen, rng, parts, vary=vary, pages=pages, pool=pool)) is not None:
            yield chosen[0], *made


def _pool(every: Iterable[Facts]) -> dict[str, list[Finding]]:
    """Collect findings by code; where a code is never present, as if it were."""
    present: dict[str, list[Finding]] = {}
    other: dict[str, list[Finding]] = {}
    for facts in every:
        for code, found in facts.findings.items():
            kept = (present if found.status == "present" else other).setdefault(code, [])
            if len(kept) < POOLED:
                kept.append(replace(found, status="present", reason=None))
    return {code: present.get(code) or other[code] for code in sorted({*present, *other})}


def _fits(kind: str, parts: Sequence[Part]) -> bool:
    """Whether a prompt of these parts can bear out an answer of this kind."""
    if "findings" in parts:
        return True
    return kind in ("report", "value") if "values" in parts else kind in _OF_TOKENS


def _stands_alone(talk: Talk) -> bool:
    return talk.kind == "talk" or len(talk.records) > 1
