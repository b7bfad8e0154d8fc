"""The data card of a set of images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ecg_llm.data_builders.build_images import image_rows
from ecg_llm.data_builders.card import head_lines, options_of, table_lines
from ecg_llm.data_builders.image_rows import BUILDER, PACKED, image_schema
from ecg_llm.data_builders.listing import SPLITS, Product
from ecg_llm.data_builders.shards import read_shards

_COUNTED = {
    "kind": "kinds",
    "layout": "layouts",
    "paper": "papers",
    "speed_mm_s": "speeds_mm_s",
    "gain_mm_mv": "gains_mm_mv",
    "dataset": "datasets",
    "licence": "licences",
}
_TITLES = {
    "kinds": "kind of image",
    "layouts": "layout",
    "papers": "paper",
    "speeds_mm_s": "paper speed in mm/s",
    "gains_mm_mv": "gain in mm/mV",
    "datasets": "source of the record",
    "licences": "licence",
}


def count_images(out: Path) -> dict[str, Any]:
    """Count splits, kinds, layouts and papers over all shards."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
    images: Counter[str] = Counter()
    records: dict[str, set[str]] = {split: set() for split in SPLITS}
    for row in read_shards(out, columns=("split", "record", *_COUNTED)):
        images[row["split"]] += 1
        records[row["split"]].add(row["record"])
        for name in _COUNTED:
            value = row[name]
            told = f"{value:g}" if isinstance(value, float) else value
            counts[name]["unknown" if told is None else told] += 1
    return {
        "splits": {
            split: {"images": images[split], "records": len(records[split])}
            for split in SPLITS
            if images[split]
        },
        **{
            title: {key: counts[name][key] for key in sorted(counts[name])}
            for name, title in _COUNTED.items()
        },
    }


def _command(build: dict[str, Any]) -> str:
    """Write the command without what changes no byte."""
    options = ("n", "per_record", "photographed", "seed", "size")
    return " ".join(["ecgllm build images SRC --out OUT", *options_of(build, options)])


def _readme(card: dict[str, Any]) -> str:
    """Write the card as text."""
    counts = card["counts"]
    lines = [
        *head_lines(card["splits"]),
        "# Images of ECG pages with the place of every lead, sample and grid line",
        "",
        f"Made by {card['builder']} with `{card['command']}`. The tracings are those of the "
        "records, and so are age, sex and measured values where they are printed; names, dates and "
        f"places are made up, and so are notes and stamps. Cite: {card['citation']}",
        "",
        f"{counts['listed']} records listed = {counts['written']} shown + {counts['left_out']} "
        f"left out; {counts['rows']} images. `problems.jsonl` names each record left out, with "
        "the reason.",
        "",
    ]
    rows = [(name, of["images"], of["records"]) for name, of in card["splits"].items()]
    lines += table_lines(("split", "images", "records"), rows)
    for key, title in _TITLES.items():
        lines += table_lines((title, "images"), card[key].items())
    if card["remarks"]:
        lines += table_lines(("also noticed", "number"), card["remarks"].items())
    lines += [
        "A whole number in a place names the centre of a pixel. What is off the image has no "
        "place. A lead of the list `traces` may carry another name on the page (`label`): then the "
        "page is mislabelled on purpose. Columns and their meaning are in the schema of the files "
        "(`ecg_llm.data_builders.image_rows`, where `geometry_of` reads a row's geometry).",
        "",
    ]
    return "\n".join(lines)


IMAGES = Product(
    kind="images",
    schema=image_schema,
    rows=image_rows,
    packed=PACKED,
    builder=BUILDER,
    command=_command,
    count=count_images,
    readme=_readme,
)
"""Images of the pages of a record."""
