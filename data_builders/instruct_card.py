"""The card of a set of conversations: counts, balance, diversity, and what was left out."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from ecg_llm.claims.lexicon import scan
from ecg_llm.data_builders.card import head_lines, table_lines
from ecg_llm.data_builders.listing import SPLITS
from ecg_llm.data_builders.shards import read_shards

_COUNTED = ("kind", "form", "messages", "answer", "records", "pair", "split", "patient", "licence")
_READ = (*_COUNTED, "rewritten", "tally", "chain")
SENTENCES_READ = 4000
"""Sentences of a kind over which forms are counted."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def instruct_command(build: dict[str, Any]) -> str:
    """Write the command without what changes no byte."""
    command = "ecgllm build instruct SHARDS --out OUT"
    command += f" --seed {build['seed']}" if build["seed"] else ""
    command += f" --limit {build['limit']}" if build.get("limit") is not None else ""
    return command + (" --rewriter URL" if build.get("rewriter") else "")


def count_conversations(out: Path) -> dict[str, Any]:
    """Count kinds, splits, answers, forms and lengths over all shards."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    patients: dict[str, set[str]] = defaultdict(set)
    records: dict[str, set[str]] = defaultdict(set)
    licences: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    tally: Counter[str] = Counter()
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    words: dict[str, Counter[int]] = defaultdict(Counter)
    sentences: Counter[str] = Counter()
    rewritten = 0
    for row in read_shards(out, columns=_READ):
        kind, split = row["kind"], row["split"]
        kinds[kind][split] += 1
        records[split].update(row["records"])
        if row["patient"] is not None:
            patients[split].add(row["patient"])
        licences[row["licence"]] += 1
        if row["pair"]:
            pairs[row["pair"]] += 1
        rewritten += bool(row["rewritten"])
        tally.update(json.loads(row["tally"]) if row["tally"] else {})
        if row["answer"]:
            answers[f"{kind}: {row['form']}"]["; ".join(sorted(row["answer"]))] += 1
        for text in assistant_texts(row["messages"]):
            words[kind][len(text.split())] += 1
            sentences[kind] += len(_sentences(text))
    yes = sum(of["yes"] for name, of in answers.items() if name.startswith("verify"))
    no = sum(of["no"] for name, of in answers.items() if name.startswith("verify"))
    return {
        "kinds": {
            kind: {split: of[split] for split in SPLITS} for kind, of in sorted(kinds.items())
        },
        "splits": {
            split: {"records": len(records[split]), "patients": len(patients[split])}
            for split in SPLITS
            if records[split]
        },
        "licences": dict(sorted(licences.items())),
        "pairs": dict(sorted(pairs.items())),
        "rewritten": rewritten,
        "tally": dict(sorted(tally.items())),
        "verify_answers": {"yes": yes, "no": no},
        "guessing": {
            kind: _guess_rate(answers, kind)
            for kind in ("verify", "choose", "query", "comparison")
            if any(name.startswith(kind) for name in answers)
        },
        "answers": {name: dict(of.most_common(12)) for name, of in sorted(answers.items())},
        "words": {kind: _spread(lengths) for kind, lengths in sorted(words.items())},
        "forms": {kind: _diversity(said) for kind, said in _sample(out, sentences).items()},
    }


def _sentences(text: str) -> list[str]:
    return [part for part in _SENTENCE.split(text) if part.strip()]


def _sample(out: Path, counts: Mapping[str, int]) -> dict[str, list[str]]:
    """Read some sentences of each kind, evenly spread; those of a large set fit in no memory."""
    chosen: dict[str, list[str]] = {kind: [] for kind in sorted(counts)}
    seen: Counter[str] = Counter()
    for row in read_shards(out, columns=("kind", "messages")):
        kind = row["kind"]
        step = max(1, counts[kind] // SENTENCES_READ)
        for sentence in (s for text in assistant_texts(row["messages"]) for s in _sentences(text)):
            if seen[kind] % step == 0 and len(chosen[kind]) < SENTENCES_READ:
                chosen[kind].append(sentence)
            seen[kind] += 1
    return chosen


def assistant_texts(messages: list[dict[str, Any]]) -> list[str]:
    """Give the assistant's turns."""
    return [
        part["text"]
        for message in messages
        if message["role"] == "assistant"
        for part in message["content"]
        if part["type"] == "text"
    ]


def _guess_rate(answers: dict[str, Counter[str]], kind: str) -> dict[str, float]:
    """Tell how often the commonest answer to each form of question is right, without any ECG."""
    chosen = [of for name, of in answers.items() if name.startswith(f"{kind}:")]
    right = sum(max(of.values()) for of in chosen)
    total = sum(of.total() for of in chosen)
    return {"share": round(right / total, 4), "questions": total, "forms": len(chosen)}


def _diversity(read: list[str]) -> dict[str, float]:
    """Count a kind's sentences and forms, and the share of distinct words, pairs and triples."""
    forms = {skeleton(sentence) for sentence in read}
    out: dict[str, float] = {"sentences": len(read), "forms": len(forms)}
    for n in (1, 2, 3):
        grams = [
            gram
            for sentence in read
            for words in [sentence.lower().split()]
            for gram in zip(*(words[k:] for k in range(n)), strict=False)
        ]
        out[f"distinct_{n}"] = round(len(set(grams)) / max(1, len(grams)), 4)
    return out


def skeleton(sentence: str) -> str:
    """Blank what differs from record to record: numbers, leads, findings.

    Examples
    --------
    >>> skeleton("There is LBBB (QRS 142 ms in V1)."), skeleton("There is RBBB (QRS 131 ms in V2).")
    ('there is F ( Q # ms in L ) .', 'there is F ( Q # ms in L ) .')
    """
    blank = {"number": "#", "lead": "L", "finding": "F", "quantity": "Q"}
    return " ".join(blank.get(item.kind, item.raw.lower()) for item in scan(sentence))


def _spread(lengths: Counter[int]) -> dict[str, int]:
    ordered = sorted(lengths)
    up_to = list(accumulate(lengths[length] for length in ordered))
    median = ordered[bisect_right(up_to, up_to[-1] // 2)]
    return {"least": ordered[0], "median": median, "most": ordered[-1]}


def instruct_readme(card: dict[str, Any]) -> str:
    """Write the card as text."""
    counts = card["counts"]
    lines = [
        *head_lines(card["splits"]),
        f"# {card['source']}: grounded conversations on 12-lead ECGs",
        "",
        f"Made by {card['builder']} with `{card['command']}` from a set of records.",
        f"Licence of the source: {', '.join(card['licences'])}. Cite: {card['citation']}",
        "",
        f"{counts['listed']} records listed = {counts['written']} written + {counts['left_out']} "
        f"left out; {counts['rows']} conversations. An `ecg` part of a message names a record of "
        "the set of records, which holds the signal.",
        "",
    ]
    lines += table_lines(
        ("kind", *SPLITS), [(kind, *of.values()) for kind, of in card["kinds"].items()]
    )
    lines += table_lines(
        ("split", "records", "patients"),
        [(name, of["records"], of["patients"]) for name, of in card["splits"].items()],
    )
    lines += table_lines(("compared with", "conversations"), card["pairs"].items())
    lines += [
        "## Against the source's own statements, and what was left out",
        "",
        *table_lines(("what", "number"), card["tally"].items()),
        "## Balance",
        "",
        f"Verify questions: {card['verify_answers']['yes']} yes, "
        f"{card['verify_answers']['no']} no.",
        "Guessing without any ECG the most frequent answer to each form of question is right in:",
        "",
        *table_lines(
            ("kind", "questions", "forms", "right"),
            [
                (kind, of["questions"], of["forms"], f"{of['share']:.3f}")
                for kind, of in card["guessing"].items()
            ],
        ),
        "## Diversity",
        "",
        "Forms: distinct sentences after numbers, leads, findings and quantities were blanked.",
        "",
        *table_lines(
            (
                "kind",
                "sentences",
                "forms",
                "distinct-1",
                "distinct-2",
                "distinct-3",
                "median words",
            ),
            [
                (kind, *of.values(), card["words"][kind]["median"])
                for kind, of in card["forms"].items()
            ],
        ),
        "Every number and finding of an answer was held against the record "
        "(`ecgllm build verify`). The texts describe tracings; they are not a diagnosis.",
        "",
    ]
    return "\n".join(lines)
