"""What a row of a record set tells of one ECG, in the form conversations are made from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ecg_llm.claims.facts import Facts
from ecg_llm.compose import MEANINGLESS_IN
from ecg_llm.findings.finding import URGENCIES, Finding
from ecg_llm.quantity import Quantity
from ecg_llm.statements import SAID_BY
from ecg_llm.vocabulary import canonical_code, members

COLUMNS = (
    *("record", "dataset", "patient", "split", "recorded_at", "age_years", "sex", "licence"),
    *("sha256", "quality_verdict", "quality_reasons", "quality", "measurements", "findings_json"),
    *("labels", "statements", "report", "report_language", "calibrated"),
)
"""Columns of a record set that are read; the signal is not."""

_SAID_TOO = {
    "SR": ("STACH", "SBRAD"),
    "ISC_": ("ISCAS", "ISCAN", "ISCAL", "ISCLA", "ISCIN", "ISCIL"),
    "STD_": ("INJAS", "INJAL", "INJLA", "INJIN", "INJIL"),
    "STE_": ("ANEUR",),
}
"""What the more precise findings beside it say as well."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ECGCase:
    """One ECG of a record set.

    Attributes
    ----------
    record, dataset, split, licence, sha256 : str
        As in the set.
    patient, recorded_at, report, language : str or None
        As in the set.
    labels : tuple of tuple of str and float or None
        Statements of the source with their likelihood in percent.
    verdict : str
        Of the quality gate.
    reasons : tuple of str
        Why it is limited or refused.
    facts : Facts
        What texts are held against.
    values : mapping of str to Quantity
        Record-level values; unknown where a finding makes them meaningless.
    beats : mapping of str to int
        Beats by class.
    sex, age_years
        Of the patient; None if unknown.
    """

    record: str
    dataset: str
    split: str
    licence: str
    sha256: str
    patient: str | None
    recorded_at: str | None
    report: str | None
    language: str | None
    labels: tuple[tuple[str, float | None], ...]
    verdict: str
    reasons: tuple[str, ...]
    facts: Facts
    values: Mapping[str, Quantity] = field(default_factory=dict)
    beats: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether the tracing may not be interpreted."""
        return self.verdict == "refuse"

    @property
    def sex(self) -> str | None:
        """Sex of the patient."""
        return self.facts.sex

    @cached_property
    def statuses(self) -> dict[str, str]:
        """Status of each finding."""
        return {code: found.status for code, found in self.facts.findings.items()}

    def status(self, code: str) -> str:
        """Give the status of a finding: present, absent or unknown."""
        return self.statuses.get(canonical_code(code), "unknown")

    def holds(self, code: str) -> str:
        """Give the status of a statement: present if it or a more specific one is."""
        return holds(self.statuses, code)

    def specific(self, code: str) -> Finding | None:
        """Give the present finding that makes a statement true."""
        found = (self.facts.findings[one] for one in members(code) if one in self.facts.findings)
        return next((finding for finding in found if finding.status == "present"), None)

    def of(self, status: str, *sections: str) -> list[Finding]:
        """Give the findings of a status, most urgent first, of some sections or of all."""
        found = [
            finding
            for finding in self.facts.findings.values()
            if finding.status == status and (not sections or finding.section in sections)
        ]
        return sorted(found, key=lambda finding: URGENCIES.index(finding.urgency))

    def notable(self) -> list[Finding]:
        """Give the present findings that no other present finding says more precisely."""
        present = self.of("present")
        codes = {finding.code for finding in present}
        return [
            finding
            for finding in present
            if codes.isdisjoint((*SAID_BY.get(finding.code, ()), *_SAID_TOO.get(finding.code, ())))
            and finding.code != "NORM"
        ]

    def value(self, name: str) -> float | None:
        """Give a record-level value, or None if it is unknown."""
        quantity = self.values.get(name)
        return None if quantity is None else quantity.value


def holds(statuses: Mapping[str, str], code: str) -> str:
    """Give the status of a statement: present if it or a more specific one is."""
    if any(statuses.get(one) == "present" for one in members(code)):
        return "present"
    return statuses.get(canonical_code(code), "unknown")


def case_of(row: Mapping[str, Any]) -> ECGCase:
    """Read a row of a record set."""
    facts = facts_of_json(facts_json(row))
    present = {code for code, found in facts.findings.items() if found.status == "present"}
    taken = dict(facts.values)
    for code, prefixes in MEANINGLESS_IN.items():
        if code in present:
            reason = f"it has no meaning in {facts.findings[code].label}"
            for name, quantity in facts.values.items():
                if name.startswith(prefixes):
                    taken[name] = Quantity(None, quantity.unit, reason=reason)
    measured = json.loads(row["measurements"]) if row["measurements"] else {}
    return ECGCase(
        record=row["record"],
        dataset=row["dataset"],
        split=row["split"],
        licence=row["licence"],
        sha256=row["sha256"],
        patient=row["patient"],
        recorded_at=row["recorded_at"],
        report=row["report"],
        language=row["report_language"],
        labels=tuple((label["code"], label["likelihood"]) for label in row["labels"]),
        verdict=row["quality_verdict"],
        reasons=tuple(row["quality_reasons"]),
        facts=facts,
        values=taken,
        beats=dict(Counter(beat["class"] for beat in measured.get("beats", ()))),
    )


_OF_QUANTITY = ("value", "unit", "reason")
_OF_EVIDENCE = ("lead", "quantity", "value", "unit", "criterion")
_OF_FINDING = ("code", "label", "section", "urgency", "status", "reason")


def facts_json(row: Mapping[str, Any]) -> str:
    """Write what texts on a record are held against."""
    measured = json.loads(row["measurements"]) if row["measurements"] else {}
    quality = json.loads(row["quality"])
    document = {
        "values": {
            name: _part(of, _OF_QUANTITY) for name, of in measured.get("values", {}).items()
        },
        "leads": {
            lead: {name: _part(of, _OF_QUANTITY) for name, of in values.items()}
            for lead, values in measured.get("leads", {}).items()
        },
        "findings": [
            _part(finding, _OF_FINDING)
            | {"evidence": [_part(item, _OF_EVIDENCE) for item in finding["evidence"]]}
            for finding in json.loads(row["findings_json"])
        ],
        "quality": {
            "verdict": quality["verdict"],
            "reasons": quality["reasons"],
            "leads": {
                name: {"usable": lead["usable"], "reasons": lead["reasons"]}
                for name, lead in quality["leads"].items()
            },
        },
        "sex": row["sex"],
        "age_years": row["age_years"],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def facts_of_json(text: str) -> Facts:
    """Read what texts on a record are held against."""
    document = json.loads(text)
    leads = {lead: {"summary": values} for lead, values in document["leads"].items()}
    return Facts.from_json(
        {**document["values"], "leads": leads},
        document["findings"],
        document["quality"],
        sex=document["sex"],
        age_years=document["age_years"],
    )


def _part(of: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Keep some fields, without those that say nothing."""
    return {name: of[name] for name in names if of.get(name) is not None or name == "value"} | (
        {} if "criterion" not in names else {"criterion": of.get("criterion") or ""}
    )
