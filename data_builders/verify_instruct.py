"""What the rows of a set of conversations must hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ecg_llm.claims.check import check_text
from ecg_llm.claims.facts import Facts
from ecg_llm.claims.stated import missing
from ecg_llm.data_builders.card import CARD
from ecg_llm.data_builders.instruct import CONVERSATIONS
from ecg_llm.data_builders.instruct_card import assistant_texts
from ecg_llm.data_builders.instruct_case import facts_of_json
from ecg_llm.data_builders.instruct_draft import KINDS, MAY_EXPLAIN, STEPS
from ecg_llm.data_builders.instruct_say import VALUE_NAMES
from ecg_llm.data_builders.shards import Manifest
from ecg_llm.data_builders.verify import Fault, Row, RowCheck
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.vocabulary import canonical_code, members

MOST_UNVERIFIABLE = 0.05
"""Of the claims of these kinds, over the set."""


class ConversationCheck(RowCheck):
    """The rows of a set of conversations; every answer is held against its record."""

    product = CONVERSATIONS

    def __init__(self, manifest: Manifest, card: dict[str, Any], source: Path | None) -> None:
        super().__init__(manifest, card, source)
        self.claims: Counter[tuple[bool, str]] = Counter()

    def name(self, row: Row) -> str:
        """Give its identifier."""
        return str(row["id"])

    def owners(self, row: Row) -> list[str]:
        """Give its records, and the patient of the last one."""
        patient = [f"patient {row['patient']}"] if row["patient"] else []
        return [*(f"record {record}" for record in row["records"]), *patient]

    def faults(self, row: Row, again: bool) -> Iterator[str]:
        """Check form and answers."""
        try:
            yield from check_conversation(row, self.claims)
        except (ValueError, KeyError, TypeError, AttributeError):
            yield "a column of it cannot be read"

    def of_set(self) -> Iterator[Fault]:
        """Say whether too much of what explains is held by no record."""
        total = sum(n for (explains, _), n in self.claims.items() if explains)
        unheld = self.claims[True, "unverifiable"]
        if unheld > MOST_UNVERIFIABLE * total:
            yield Fault(CARD, f"{unheld} of {total} claims of explaining kinds are unverifiable")


def check_conversation(row: Row, claims: Counter[tuple[bool, str]] | None = None) -> Iterator[str]:
    """Say what is wrong with one; count its claims by whether the kind may explain, and verdict."""
    yield from _form(row)
    facts = [_facts(text) for text in row["record_facts"]]
    if len(facts) != len(row["records"]) or not facts:
        yield "it does not hold the facts of each record"
        return
    own, earlier = facts[-1], facts[0] if len(facts) == 2 else None
    texts = assistant_texts(row["messages"])
    explains = row["kind"] in MAY_EXPLAIN
    for text in texts:
        for checked in check_text(text, facts=own, earlier=earlier):
            if claims is not None:
                claims[explains, checked.status] += 1
            if checked.status == "contradicted" or (
                checked.status == "unverifiable" and not explains
            ):
                yield f"{checked.status}: {checked.claim.text!r} ({checked.reason})"
    if (row["kind"] == "refused") != (own.refused is not None):
        yield "a refused tracing is interpreted, or a readable one refused"
    if row["kind"] in ("report", "reasoning"):
        for finding in missing(" ".join(texts), own.findings.values()):
            yield f"it leaves out {finding.label}"
    for name in row["facts"]:
        if not _known(name):
            yield f"fact {name!r} is unknown"
    if row["kind"] == "verify":
        yield from _verified(row, own)
    if row["kind"] == "reasoning":
        yield from _chain(row, own, texts[0] if texts else "")
    elif row["chain"]:
        yield "it has steps although it is no stepwise reading"


def _form(row: Row) -> Iterator[str]:
    """Check that the messages are well-formed."""
    if row["kind"] not in KINDS:
        yield f"kind {row['kind']!r} is unknown"
    roles = [message["role"] for message in row["messages"]]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        yield "user and assistant do not take turns"
        return
    ecgs = []
    for message in row["messages"]:
        for part in message["content"]:
            if part["type"] == "ecg" and part["ecg"] and part["text"] is None:
                ecgs.append(part["ecg"])
            elif part["type"] != "text" or not (part["text"] or "").strip() or part["ecg"]:
                yield "a part is neither an ECG nor a text"
        if not any(part["type"] == "text" for part in message["content"]):
            yield "a message has no text"
    first = [part["ecg"] for part in row["messages"][0]["content"] if part["type"] == "ecg"]
    if ecgs != row["records"] or first != ecgs:
        yield "the ECGs of its first message are not its records"
    if (len(row["records"]) == 2) != (row["kind"] == "comparison") or (
        (row["pair"] is None) == (row["kind"] == "comparison")
    ):
        yield "it has as many ECGs as its kind does not have"
    for name in ("licence", "builder", "seed"):
        if row[name] is None:
            yield f"{name} is missing"


def _known(name: str) -> bool:
    return name in STATEMENTS or name in VALUE_NAMES or name in _OTHER


_OTHER = ("quality", "t_mv", "st_j_mv", "st_j60_mv", "st_j80_mv", "q_mv", "rr_ms")


@lru_cache(maxsize=16)
def _facts(text: str) -> Facts:
    """Read the facts of a record once for all its rows."""
    return facts_of_json(text)


def _verified(row: Row, facts: Facts) -> Iterator[str]:
    """Check that yes stands where the statement is present."""
    if row["answer"] not in (["yes"], ["no"]):
        yield "its answer is neither yes nor no"
        return
    if row["form"].endswith(" in lead"):
        return
    codes = [canonical_code(code) for code in row["facts"]]
    there = any(
        facts.findings[one].status == "present"
        for code in codes
        for one in members(code)
        if one in facts.findings
    )
    if there != (row["answer"] == ["yes"]):
        yield f"it answers {row['answer'][0]} where {', '.join(codes)} says otherwise"


def _chain(row: Row, facts: Facts, text: str) -> Iterator[str]:
    """Check that each step decides something, from facts that the record holds."""
    chain = json.loads(row["chain"] or "[]")
    steps = list(dict.fromkeys(link["step"] for link in chain))
    if steps != list(STEPS):
        yield f"its steps are {', '.join(steps) or 'none'}"
    for step in STEPS[1:-1]:
        links = [link for link in chain if link["step"] == step]
        if not any(link["evidence"] or link["decision"] == "unknown" for link in links):
            yield f"step {step!r} names neither a measured fact nor why there is none"
    for link in chain:
        if link["sentence"] not in text:
            yield f"the text lacks the sentence of {link['finding']}"
        found = facts.findings.get(canonical_code(link["finding"]))
        if link["decision"] == "measured" or found is None:
            held = link["decision"] == "measured" or link["finding"] in VALUE_NAMES
            if not held:
                yield f"{link['finding']} was not judged"
            yield from _measured(link, facts)
            continue
        states = {facts.findings[m].status for m in members(found.code) if m in facts.findings}
        if link["decision"] != ("present" if "present" in states else found.status):
            yield f"{link['finding']} is said to be {link['decision']}"
        held_facts = {
            (item.lead, item.quantity, item.value, item.criterion) for item in found.evidence
        }
        for item in link["evidence"]:
            key = (item["lead"], item["quantity"], item["value"], item["criterion"])
            if key not in held_facts:
                yield f"{item['quantity']} of {link['finding']} is not in its evidence"
            if item["lead"] and item["lead"] not in link["sentence"]:
                yield f"the sentence of {link['finding']} does not name lead {item['lead']}"


def _measured(link: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    """Check a measured value of a step."""
    for item in link["evidence"]:
        if link["finding"] in VALUE_NAMES:
            value = facts.value(link["finding"]).value
            if value is None or abs(value - item["value"]) > 0.051:
                yield f"{item['quantity']} is {item['value']} in a step, measured {value}"
