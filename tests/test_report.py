"""The published schema."""

from __future__ import annotations

from pathlib import Path

from ecg_llm.report import SCHEMA_VERSION, report_schema, schema_text

ROOT = Path(__file__).parent.parent


def test_the_published_schema_is_current():
    published = (ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "run: ecgllm schema > docs/report.schema.json"


def test_the_schema_names_its_version_and_describes_every_block():
    schema = report_schema()
    assert schema["title"].endswith(SCHEMA_VERSION)
    for name, part in schema["$defs"].items():
        assert part["description"], name
