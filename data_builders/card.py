"""The data card: what a built set holds, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from ecg_llm.data_builders.listing import Listed, Product, Source
from ecg_llm.data_builders.shards import load_manifest, write_whole
from ecg_llm.errors import ConfigError

CARD, README = "card.json", "README.md"


def write_card(
    out: Path,
    source: Listed,
    product: Product,
    *,
    n_listed: int,
    problems: dict[str, int],
    remarks: dict[str, int],
) -> None:
    """Count what the shards hold and write ``README.md`` and ``card.json`` beside them."""
    manifest = load_manifest(out)
    shards = manifest.shards.values()
    card = {
        "kind": product.kind,
        "source": source.name,
        "command": product.command(manifest.build),
        "builder": product.builder,
        "counts": {
            "listed": n_listed,
            "written": sum(shard.n_items for shard in shards),
            "rows": sum(shard.n_rows for shard in shards),
            "left_out": sum(problems.values()),
            "left_out_by_kind": problems,
            "shards": manifest.n_shards,
        },
        **product.count(out),
        "remarks": remarks,
        "citation": source.citation,
    }
    if product.labelled:
        card["label_names"] = cast(Source, source).vocabulary()
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    write_whole(out / README, product.readme(card).encode())
    write_whole(out / CARD, text.encode())


def load_card(out: Path) -> dict[str, Any]:
    """Read the card of a built set.

    Raises
    ------
    ConfigError
        If there is none: then the build is not complete.
    """
    path = out / CARD
    if not path.is_file():
        raise ConfigError(f"{out}: no {CARD} there; the build was not finished. Run it again.")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise ConfigError(f"{path}: not the card of a built set; build it anew.")
    return card


def options_of(build: dict[str, Any], names: Iterable[str]) -> list[str]:
    """Write options as they are typed, every digit of them.

    Examples
    --------
    >>> options_of({"n": 1234567, "fs": 500.0, "rare": 0.25}, ("n", "fs", "rare", "seed"))
    ['--n 1234567', '--fs 500', '--rare 0.25']
    """
    told = {name: build[name] for name in names if build.get(name) is not None}
    return [
        f"--{name.replace('_', '-')} {int(value) if value == int(value) else value}"
        for name, value in told.items()
    ]


def head_lines(splits: Iterable[str]) -> list[str]:
    """Write the head of ``README.md``, which tells `datasets` which files are which split."""
    files = [
        line for split in splits for line in (f"  - split: {split}", f"    path: {split}-*.parquet")
    ]
    return ["---", "configs:", "- config_name: default", "  data_files:", *files, "---", ""]


def table_lines(header: tuple[str, ...], rows: Any) -> list[str]:
    """Write a table in Markdown."""
    body = [tuple(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    if not body:
        return []
    ruler = "|".join("---" if k == 0 else "---:" for k in range(len(header)))
    cells = ["| " + " | ".join(row) + " |" for row in (header, *body)]
    return [cells[0], f"|{ruler}|", *cells[1:], ""]
