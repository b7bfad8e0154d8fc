"""Grounded conversations on the ECGs of a built set of records."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

import ecg_llm
from ecg_llm.claims.check import check_text
from ecg_llm.claims.facts import Facts
from ecg_llm.claims.stated import missing
from ecg_llm.data_builders.card import load_card
from ecg_llm.data_builders.instruct_card import (
    count_conversations,
    instruct_command,
    instruct_readme,
)
from ecg_llm.data_builders.instruct_case import COLUMNS, ECGCase, case_of, facts_json, holds
from ecg_llm.data_builders.instruct_compare import comparisons
from ecg_llm.data_builders.instruct_draft import MAY_EXPLAIN, Draft, Told, chain_json
from ecg_llm.data_builders.instruct_levels import explanations, second_reading
from ecg_llm.data_builders.instruct_questions import (
    choose_questions,
    query_questions,
    verify_questions,
)
from ecg_llm.data_builders.instruct_report import full_report, reasoning
from ecg_llm.data_builders.instruct_rewrite import Rewriter, RewriterConfig
from ecg_llm.data_builders.instruct_talk import declined, follow_up, injection, pressure, refused
from ecg_llm.data_builders.instruct_terms import AXES, CODES
from ecg_llm.data_builders.listing import SPLITS, Item, ItemError, Listing, Product, Split
from ecg_llm.data_builders.schema import Column, described
from ecg_llm.data_builders.shards import (
    content_of,
    load_finished,
    load_manifest,
    read_row,
    read_shards,
)

INSTRUCT_VERSION = 1
INSTRUCT_BUILDER = f"ecg_llm {ecg_llm.__version__}, instruct {INSTRUCT_VERSION}"
SHARD_RECORDS = 256
"""Records of a shard: about 5,000 conversations."""
OTHER_PATIENTS = 0.25
"""Part of the records of patients with one ECG that are compared with another patient's."""

_TEXTS = pa.list_(pa.string())
_PART = pa.struct([("type", pa.string()), ("ecg", pa.string()), ("text", pa.string())])
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.list_(_PART))])
_COLUMNS: tuple[Column, ...] = (
    ("id", pa.string(), "Unique in the set."),
    ("kind", pa.string(), "What the conversation is about."),
    ("form", pa.string(), "Which question of that kind."),
    ("messages", pa.list_(_MESSAGE), "Chat template form; an ecg part holds a record's name."),
    ("answer", _TEXTS, "Short answers in ECG-QA's words; empty where there are none."),
    ("facts", _TEXTS, "Finding codes and names of values that the answers use."),
    ("chain", pa.string(), "JSON: the decisions of a stepwise reading; null for other kinds."),
    ("records", _TEXTS, "The ECGs, in the order of their parts."),
    ("pair", pa.string(), "same patient or other patient, for two ECGs; else null."),
    ("dataset", pa.string(), "Of the records."),
    ("patient", pa.string(), "Of the last record."),
    ("split", pa.string(), "That of the records."),
    ("seed", pa.int64(), "Of the conversation's random choices."),
    ("rewritten", pa.bool_(), "Whether a language model varied the wording."),
    ("licence", pa.string(), "Of the records."),
    ("sha256", _TEXTS, "Of the records' files."),
    ("builder", pa.string(), "Program and version."),
    ("record_facts", _TEXTS, "JSON: what the text on each record is held against."),
    ("tally", pa.string(), "JSON, on the first row of a record: what was left out, and why."),
)


@functools.cache
def instruct_schema() -> pa.Schema:
    """Give the schema of a set of conversations.

    Examples
    --------
    >>> instruct_schema().names[:3]
    ['id', 'kind', 'form']
    """
    return described(_COLUMNS, {"schema": f"ecg_llm instruct {INSTRUCT_VERSION}"})


@dataclass(frozen=True)
class Instruct:
    """Conversations on the records of a set.

    Attributes
    ----------
    folder : Path
        A finished set of records.
    seed : int
        Of all random choices.
    rewriter : RewriterConfig, optional
        A language model that varies the wording.
    counts : tuple
        By code, of how many records it is present and absent; filled in by `prepared`.
    """

    folder: Path
    seed: int = 0
    rewriter: RewriterConfig | None = None
    counts: tuple[tuple[str, int, int], ...] = field(default=(), repr=False)

    @classmethod
    def prepared(
        cls, folder: Path, *, seed: int = 0, rewriter: RewriterConfig | None = None
    ) -> Instruct:
        """Look at the records, so that yes and no can be asked equally often.

        Raises
        ------
        ConfigError
            If the folder is not a finished set of records.
        """
        load_finished(folder, "records")
        seen: dict[str, Counter[str]] = defaultdict(Counter)
        for row in read_shards(folder, columns=("findings",)):
            status = {finding["code"]: finding["status"] for finding in row["findings"]}
            for code in dict.fromkeys((*CODES.values(), *AXES.values())):
                seen[code][holds(status, code)] += 1
        counts = tuple((c, seen[c]["present"], seen[c]["absent"]) for c in sorted(seen))
        return cls(folder, seed, rewriter, counts)

    @property
    def name(self) -> str:
        """Name of the data set that the records are of."""
        return str(load_manifest(self.folder).build["source"])

    @property
    def citation(self) -> str:
        """What to cite."""
        return str(load_card(self.folder).get("citation", ""))

    def identity(self) -> dict[str, Any]:
        """Give what determines the content."""
        records = content_of(load_manifest(self.folder))
        about = {"source": self.name, "records": records, "seed": self.seed}
        if self.rewriter is not None:
            about["rewriter"] = self.rewriter.model
        return about | {"conversations": INSTRUCT_BUILDER}

    def listing(self) -> Listing:
        """List the records, each with the one it is compared with."""
        listed = _index(self.folder)
        before = _partners(listed, self.seed)
        order: dict[Split, list[int]] = {split: [] for split in SPLITS}
        for k, place in enumerate(listed):
            order[place.split].append(k)
        return Listing(
            order=order,
            item=functools.partial(_item, listed, before),
        )

    def rows(self, item: Item) -> list[dict[str, Any]]:
        """Make the conversations on one record, at least one, or raise ItemError."""
        row = read_row(self.folder / item.cells["shard"], item.cells["row"], COLUMNS)
        case = case_of(row)
        earlier_row, earlier = None, None
        if (other := item.cells["earlier"]) is not None:
            shard, place = other
            earlier_row = read_row(self.folder / shard, place, COLUMNS)
            earlier = case_of(earlier_row)
        made, tally = self._drafts(case, earlier)
        if not made:
            raise ItemError("text", "no conversation on it could be written")
        rewriter = None if self.rewriter is None else Rewriter(self.rewriter)
        out = []
        for k, one in enumerate(made):
            turns, rewritten = one.turns, False
            if rewriter is not None and not one.chain:
                turns, rewritten = rewriter.turns(one.turns, tally)
            cases, facts = [case], [facts_json(row)]
            pair = one.kind == "comparison"
            if pair and earlier is not None and earlier_row is not None:
                cases, facts = [earlier, case], [facts_json(earlier_row), *facts]
            rng = self._rng(case, f"parts {k}")
            out.append(
                {
                    "id": f"{case.record}/{one.kind}/{k:02d}",
                    "kind": one.kind,
                    "form": one.form,
                    "messages": _messages(rng, cases, turns),
                    "answer": list(one.answer),
                    "facts": list(one.facts),
                    "chain": chain_json(one.chain),
                    "records": [c.record for c in cases],
                    "pair": item.cells["pair"] if pair else None,
                    "dataset": case.dataset,
                    "patient": case.patient,
                    "split": case.split,
                    "seed": self._number(case, one.kind),
                    "rewritten": rewritten,
                    "licence": case.licence,
                    "sha256": [c.sha256 for c in cases],
                    "builder": INSTRUCT_BUILDER,
                    "record_facts": facts,
                    "tally": None,
                }
            )
        out[0]["tally"] = json.dumps(dict(sorted(tally.items())))
        return out

    def _drafts(self, case: ECGCase, earlier: ECGCase | None) -> tuple[list[Draft], Counter[str]]:
        """Write all conversations on a record, and count what was left out."""
        tally: Counter[str] = Counter()
        if case.refused:
            return [refused(case, self._rng(case, f"refused {k}")) for k in range(2)], tally
        counts = {code: (present, absent) for code, present, absent in self.counts}
        made: list[Draft] = []

        def whole(one: Draft) -> bool:
            first = earlier.facts if one.kind == "comparison" and earlier is not None else None
            fits = _borne_out(one, case.facts, first)
            tally["conversations dropped by the check"] += not fits
            return fits

        def keep(result: Told) -> None:
            found, unsaid = result
            tally["sentences left unsaid"] += unsaid
            if found is None:
                tally["conversations not written"] += 1
            for one in () if found is None else (found,) if isinstance(found, Draft) else found:
                if whole(one):
                    made.append(one)

        for k in range(2):
            keep(full_report(case, self._rng(case, f"report {k}")))
        keep(reasoning(case, self._rng(case, "reasoning")))
        keep(verify_questions(case, self._rng(case, "verify"), counts))
        keep(choose_questions(case, self._rng(case, "choose")))
        keep(query_questions(case, self._rng(case, "query")))
        keep(explanations(case, self._rng(case, "explanation")))
        keep(follow_up(case, self._rng(case, "follow_up")))
        if self._rng(case, "rarer").random() < 0.5:
            keep(declined(case, self._rng(case, "declined")))
            keep(injection(case, self._rng(case, "injection")))
        else:
            keep(pressure(case, self._rng(case, "pressure")))
        reading, stated, unsaid = second_reading(case, self._rng(case, "second_reading"))
        tally.update({f"statements {what.replace('_', ' ')}": n for what, n in stated.items()})
        keep((reading, unsaid))
        if earlier is not None and not earlier.refused:
            compared, dropped = comparisons(earlier, case, self._rng(case, "comparison"))
            tally["comparisons dropped"] += dropped
            made.extend(compared)
        return made, tally

    def _number(self, case: ECGCase, what: str) -> int:
        digest = hashlib.sha256(f"{self.seed}/{case.dataset}/{case.record}/{what}".encode())
        return int.from_bytes(digest.digest()[:8], "big") >> 1

    def _rng(self, case: ECGCase, what: str) -> Random:
        return Random(self._number(case, what))  # noqa: S311 (wording, no secret)


def _borne_out(one: Draft, facts: Facts, earlier: Facts | None) -> bool:
    """Tell whether a record bears out what the answers of a conversation claim together: sentences
    that are true one by one may read otherwise in a row.
    """
    text = " ".join(one.turns[1::2])
    if one.kind in ("report", "reasoning") and missing(text, facts.findings.values()):
        return False
    allowed = ("supported", "unverifiable") if one.kind in MAY_EXPLAIN else ("supported",)
    return all(
        claim.status in allowed
        for text in one.turns[1::2]
        for claim in check_text(text, facts=facts, earlier=earlier)
    )


CONVERSATIONS = Product(
    kind="instruct",
    schema=instruct_schema,
    rows=Instruct.rows,
    builder=INSTRUCT_BUILDER,
    command=instruct_command,
    count=count_conversations,
    readme=instruct_readme,
)
"""Conversations, several rows a record."""


def _messages(rng: Random, cases: Sequence[ECGCase], turns: Sequence[str]) -> list[dict[str, Any]]:
    """Lay out turns as messages; the ECGs stand in the first, before or after the question."""
    text = _text(turns[0])
    records = [case.record for case in cases]
    if len(cases) == 2:
        own = cases[0].patient is not None and cases[0].patient == cases[1].patient
        whose = "" if own else rng.choice((" (another patient)", ", of another patient"))
        first = [
            _text(f"First ECG{whose}:"),
            _ecg(records[0]),
            _text("Second ECG:"),
            _ecg(records[1]),
            text,
        ]
    else:
        first = [_ecg(records[0]), text] if rng.random() < 0.7 else [text, _ecg(records[0])]
    out = [{"role": "user", "content": first}]
    for k, turn in enumerate(turns[1:]):
        role = "user" if k % 2 else "assistant"
        out.append({"role": role, "content": [_text(turn)]})
    return out


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "ecg": None, "text": text}


def _ecg(record: str) -> dict[str, Any]:
    return {"type": "ecg", "ecg": record, "text": None}


class Place(NamedTuple):
    """Where a record stands, whose it is and when it was recorded; small, as all are listed."""

    record: str
    split: Split
    patient: str | None
    recorded_at: str | None
    quality_verdict: str
    shard: str
    row: int


def _index(folder: Path) -> list[Place]:
    """List the records of a set."""
    out = []
    for shard in sorted(load_manifest(folder).shards):
        table = pq.read_table(folder / shard, columns=list(Place._fields[:5]))
        rows = zip(*(table.column(name).to_pylist() for name in Place._fields[:5]), strict=True)
        out += [Place._make((*row, shard, k)) for k, row in enumerate(rows)]
    return out


def _partners(places: Sequence[Place], seed: int) -> dict[int, tuple[int, str]]:
    """Choose for records the ECG to compare them with: the patient's last one, else another's."""
    by_patient: dict[str, list[int]] = defaultdict(list)
    by_split: dict[str, list[int]] = defaultdict(list)
    for k, place in enumerate(places):
        if place.quality_verdict == "refuse":
            continue
        by_split[place.split].append(k)
        if place.patient is not None:
            by_patient[place.patient].append(k)
    out: dict[int, tuple[int, str]] = {}
    for own in by_patient.values():
        dated = sorted((at, places[k].record, k) for k in own if (at := places[k].recorded_at))
        for (earlier, _, one), (later, _, other) in pairwise(dated):
            if earlier < later:
                out[other] = (one, "same patient")
    for k, place in enumerate(places):
        several = len(by_patient.get(place.patient or "", ())) > 1
        if several or place.quality_verdict == "refuse":
            continue
        rng = Random(f"{seed}/{place.record}/pair")  # noqa: S311 (a choice, no secret)
        chosen = rng.choice(by_split[place.split])
        whose = places[chosen].patient, place.patient
        # Of whom nobody knows whose ECG it is may be the same patient.
        if rng.random() < OTHER_PATIENTS and None not in whose and whose[0] != whose[1]:
            out[k] = (chosen, "other patient")
    return out


def _item(places: Sequence[Place], before: Mapping[int, tuple[int, str]], k: int) -> Item:
    place = places[k]
    other, pair = before.get(k, (None, None))
    earlier = None if other is None else (places[other].shard, places[other].row)
    cells = {"shard": place.shard, "row": place.row, "earlier": earlier, "pair": pair}
    return Item(place.record, place.split, cells)
