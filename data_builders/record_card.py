"""The data card of a set of records."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from ecg_llm.data_builders.card import head_lines, options_of, table_lines
from ecg_llm.data_builders.listing import SPLITS
from ecg_llm.data_builders.shards import read_shards

_COUNTED = ("split", "sex", "fs", "quality_verdict", "report_language", "licence")
_NULL = {"report_language": "no report"}
_COLUMNS = (*_COUNTED, "patient", "labels", "findings")


def count_rows(out: Path) -> dict[str, Any]:
    """Count splits, patients, labels, findings and quality over all shards."""
    patients: dict[str, set[str]] = defaultdict(set)
    nameless: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    findings: dict[str, Counter[str]] = defaultdict(Counter)
    for row in read_shards(out, columns=_COLUMNS):
        split = row["split"]
        if row["patient"] is None:
            nameless[split] += 1
        else:
            patients[split].add(row["patient"])
        for name in _COUNTED:
            value = row[name]
            told = f"{value:g}" if isinstance(value, float) else value
            counts[name][_NULL.get(name, "unknown") if told is None else told] += 1
        for label in row["labels"]:
            labels[label["code"]][split] += 1
        for finding in row["findings"]:
            findings[finding["code"]][finding["status"]] += 1
    return {
        "splits": {
            split: {
                "records": counts["split"][split],
                "patients": len(patients[split]),
                "records_without_patient": nameless[split],
            }
            for split in SPLITS
            if counts["split"][split]
        },
        "licences": _sorted(counts["licence"]),
        "sex": _sorted(counts["sex"]),
        "sampling_rates_hz": _sorted(counts["fs"]),
        "quality": _sorted(counts["quality_verdict"]),
        "report_languages": _sorted(counts["report_language"]),
        "labels": {
            code: {split: labels[code][split] for split in SPLITS}
            for code in sorted(labels, key=lambda code: (-labels[code].total(), code))
        },
        "findings": {
            code: {status: findings[code][status] for status in ("present", "absent", "unknown")}
            for code in sorted(findings)
        },
    }


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return {name: counter[name] for name in sorted(counter)}


def record_command(build: dict[str, Any]) -> str:
    """Write the command without what changes no byte: folders, engine and workers."""
    options = ("n", "seed", "fs", "seconds", "rare")
    words = [f"ecgllm build {build['source']}"]
    if build["source"] != "synthetic":
        words.append("DIR")
    words.append("--out OUT")
    words += options_of(build, options)
    if "licence" in build:
        words.append(f"--licence {shlex.quote(build['licence'])}")
    if build.get("limit") is not None:
        words.append(f"--limit {build['limit']}")
    return " ".join(words)


def record_readme(card: dict[str, Any]) -> str:
    """Write the card as text."""
    counts = card["counts"]
    licences = ", ".join(card["licences"])
    lines = [
        *head_lines(card["splits"]),
        f"# {card['source']}: 12-lead ECGs with measurements and findings",
        "",
        f"Made by {card['builder']} with `{card['command']}`.",
        f"Licence of the source: {licences}. Cite: {card['citation']}",
        "",
        f"{counts['listed']} records listed = {counts['written']} written + {counts['left_out']} "
        "left out. `problems.jsonl` names each record left out, with the reason.",
        "",
    ]
    if counts["left_out_by_kind"]:
        lines += table_lines(("left out because of", "records"), counts["left_out_by_kind"].items())
    lines += table_lines(
        ("split", "records", "patients", "records of no known patient"),
        [(name, *of.values()) for name, of in card["splits"].items()],
    )
    lines += table_lines(("technical quality", "records"), card["quality"].items())
    lines += table_lines(("sex", "records"), card["sex"].items())
    lines += table_lines(("sampling rate in Hz", "records"), card["sampling_rates_hz"].items())
    lines += table_lines(("language of the report", "records"), card["report_languages"].items())
    if card["remarks"]:
        lines += table_lines(("also noticed", "number"), card["remarks"].items())
    if card["labels"]:
        lines += ["## Labels of the source", ""]
        rows = [
            (code, card["label_names"].get(code, ""), *by_split.values())
            for code, by_split in card["labels"].items()
        ]
        lines += table_lines(("code", "statement", *SPLITS), rows)
    lines += ["## Findings of the criteria", ""]
    rows = [(code, *of.values()) for code, of in card["findings"].items()]
    lines += table_lines(("code", "present", "absent", "unknown"), rows)
    lines += [
        "Findings come from measurements and published criteria, not from the source's labels; "
        "the two may disagree. They are not a diagnosis.",
        "",
        "Columns and their meaning are in the schema of the files "
        "(`ecg_llm.data_builders.schema`). Millivolts = `signal` / `gain`; -32768 stands for a "
        "sample that was not recorded.",
        "",
    ]
    return "\n".join(lines)
