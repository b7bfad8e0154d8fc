"""The report: one versioned document that every output format, program and check reads.

`Report` is built by `ecg_llm.compose.build_report` and rendered by `ecg_llm.render`. Its JSON
Schema is published in ``docs/report.schema.json`` and printed by ``ecgllm schema``. Findings,
evidence, quantities and lead quality are the same dataclasses that the earlier stages use.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field
from pydantic.json_schema import GenerateJsonSchema

from ecg_llm.comparison import Comparison
from ecg_llm.findings.finding import Evidence, Finding, Urgency
from ecg_llm.phrases import sentence
from ecg_llm.quality import LeadQuality, Suspicion, Verdict
from ecg_llm.quantity import Quantity
from ecg_llm.record import Sex

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA_VERSION = "1.3"
"""Major: a key was removed or changed its meaning. Minor: a key was added."""

ClaimStatus = Literal["supported", "contradicted", "unverifiable"]
ClaimKind = Literal["description", "value", "present", "absent", "unknown", "told"]

DISCLAIMER = "Research software, not a medical device. To be confirmed by a physician."


class _Block(BaseModel):
    """A frozen part of the report; keys that a later minor version adds are ignored."""

    model_config = ConfigDict(
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


class RecordInfo(_Block):
    """Which recording was judged, and which stretch of it."""

    name: str
    """File name without extension, or the path relative to the folder that was given."""
    source: str
    """The file as it was given."""
    fs_hz: float
    """Sampling rate of the input."""
    duration_s: float
    """Length of the input."""
    leads: tuple[str, ...]
    """All leads of the record, derived ones included."""
    derived_leads: tuple[str, ...] = ()
    """Leads computed from others by Einthoven's and Goldberger's laws."""
    age_years: float | None = None
    """Age used for age-dependent limits; null if unknown."""
    sex: Sex | None = None
    """Sex used for sex-dependent limits; null if unknown."""
    from_s: float = 0.0
    """Start of the stretch that was judged."""
    to_s: float
    """End of the stretch that was judged."""
    calibrated: bool = True
    """False if the file does not tell its gain: voltages were not judged."""
    notes: tuple[str, ...] = ()
    """What the reader had to say about the file."""


class QualityBlock(_Block):
    """Technical quality of the tracing."""

    acceptable: bool
    """Whether the record was interpreted at all."""
    verdict: Verdict
    """accept, limit (some leads are left out) or refuse."""
    reasons: tuple[str, ...]
    """Why it is limited or refused."""
    score: float
    """Probability that experts would call the record acceptable."""
    leads: dict[str, LeadQuality]
    """Per lead: usable or why not."""
    suspicions: tuple[Suspicion, ...] = ()
    """Suspected electrode reversals and misplaced rows."""
    pacing_spikes_s: tuple[float, ...] = ()
    """Times of pacing spikes."""


class Alert(_Block):
    """Something that somebody must look at soon."""

    code: str
    """Code of the finding it stands for."""
    label: str
    """Its short name."""
    urgency: Urgency
    """critical or urgent."""
    text: str
    """The alert in one sentence: leads, values and the criteria they meet."""
    advice: str = ""
    """What to do, in neutral words."""
    evidence: tuple[Evidence, ...] = ()
    """What it rests on."""


class Claim(_Block):
    """One sentence of the report, with what it rests on."""

    text: str
    """The sentence."""
    status: ClaimStatus
    """supported by the evidence, contradicted by it, or unverifiable (could not be judged)."""
    evidence: tuple[Evidence, ...] = ()
    """The measured facts; every number of the sentence is found here."""
    kind: ClaimKind = "description"
    """What it says: a description, a value, that findings are present, absent or unknown; told: a
    sentence of a language model that was checked."""

    @classmethod
    def of(
        cls, text: str, evidence: Iterable[Evidence] = (), *, kind: ClaimKind = "description"
    ) -> Claim:
        """Say in a sentence what holds."""
        return cls(text=sentence(text), status="supported", evidence=tuple(evidence), kind=kind)

    @classmethod
    def unknown(cls, text: str, evidence: Iterable[Evidence] = ()) -> Claim:
        """Say in a sentence what could not be judged."""
        return cls(
            text=sentence(text), status="unverifiable", evidence=tuple(evidence), kind="unknown"
        )


class Section(_Block):
    """A titled part of the report."""

    title: str
    """Such as Rate and rhythm."""
    statements: tuple[Claim, ...]
    """Its sentences, in reading order."""


class Abstention(_Block):
    """Something that was not judged."""

    what: str
    """The measurement or finding."""
    reason: str
    """Why it was not judged."""
    code: str | None = None
    """Code of the finding; null for a lead or a measurement."""


class Change(_Block):
    """What the check did to a language model's draft."""

    action: Literal["corrected", "withheld", "added", "regenerated", "failed"]
    """corrected, withheld, added (a finding left out), regenerated (the draft was asked for again
    with the evidence shown) or failed (the model gave no draft)."""
    draft: str = ""
    """What the model wrote; empty if something was added."""
    shipped: str = ""
    """What stands in the report instead; empty if it was withheld."""
    reason: str
    """Why."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def repeats(self) -> bool:
        """Whether a sentence that holds was left out as said already: no reader needs to know."""
        return self.reason == SAID_ALREADY


SAID_ALREADY = "said already"
"""Why a sentence that holds is withheld."""


class DraftClaim(_Block):
    """One claim of a language model's draft, and the verdict on it."""

    text: str
    """The words that make it."""
    start: int
    """Where they begin in the draft."""
    kind: str
    """number, finding or state (a quantity called normal, high, low)."""
    subject: str
    """Code of the finding or name of the quantity; empty if it is not clear."""
    value: float | None = None
    """The number, in ``unit``."""
    unit: str = ""
    """Its unit after conversion."""
    leads: tuple[str, ...] = ()
    """The leads it names."""
    negated: bool = False
    """Whether it is denied."""
    certainty: str = "definite"
    """definite, possible, or unjudged (said to be open)."""
    status: ClaimStatus
    """The verdict."""
    reason: str
    """Why, in one line."""
    evidence: tuple[Evidence, ...] = ()
    """What it was held against."""


class DraftBlock(_Block):
    """What a language model wrote before the check."""

    text: str
    """Its words."""
    claims: tuple[DraftClaim, ...]
    """Each claim with its verdict."""


class ModelInfo(_Block):
    """A language model that had a part."""

    name: str
    """Its name."""
    hashes: dict[str, str] = {}
    """SHA-256 of its files, by name; empty if it runs on a server."""


def _left_out(value: object) -> bool:
    """Whether a key that only a language model's part fills is left out of the JSON."""
    return not value


class Provenance(_Block):
    """What made the report, from what."""

    software: str
    """Name of the program."""
    version: str
    """Its version."""
    input_sha256: str
    """SHA-256 of the file that was read; empty if the record came from memory."""
    weights: dict[str, str]
    """SHA-256 of every weight file that had a part, by name."""
    criteria_version: str
    """Version of the diagnostic criteria."""
    disclaimer: str = DISCLAIMER
    """What this report is not."""
    model: ModelInfo | None = Field(default=None, exclude_if=_left_out)
    """The language model behind the narrative; not there in a report that is only measured."""


class Report(_Block):
    """One interpreted ECG.

    Every statement carries its evidence; what could not be judged stands in ``abstentions`` with
    its reason. A record that was refused for its quality has no measurements and no findings.
    """

    schema_version: str = SCHEMA_VERSION
    """Version of this document's schema."""
    record: RecordInfo
    """The recording; its name is ``record.name``."""
    quality: QualityBlock
    """Technical quality."""
    measurements: dict[str, Quantity]
    """Record-level values by name with their unit, such as ``pr_ms``."""
    lead_table: dict[str, dict[str, Quantity]]
    """Per lead, the medians over the beats of the dominant morphology."""
    findings: tuple[Finding, ...]
    """Every criterion that was applied: present, absent or unknown."""
    alerts: tuple[Alert, ...]
    """What must be looked at soon, worst first."""
    impression: tuple[str, ...]
    """The conclusion, most urgent first."""
    sections: tuple[Section, ...]
    """The report in full, in reading order."""
    abstentions: tuple[Abstention, ...]
    """What could not be judged and why."""
    narrative: str
    """The report as running text, made of the claims."""
    claims: tuple[Claim, ...]
    """Every sentence of impression and sections."""
    provenance: Provenance
    """What made the report."""
    changes: tuple[Change, ...] = Field(default=(), exclude_if=_left_out)
    """What the check changed in the language model's text; not there if nothing."""
    drafts: tuple[DraftBlock, ...] = Field(default=(), exclude_if=_left_out)
    """The drafts with a verdict on each claim, oldest first; there only if asked for."""
    comparison: Comparison | None = None
    """This ECG beside an earlier one of the same patient; null without one."""

    def to_json(self, indent: int | None = None) -> str:
        """Give the report as JSON text: one line, or ``indent`` spaces a level."""
        return self.model_dump_json(indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read back what `to_json` gave."""
        return cls.model_validate_json(text)


class _PlainSchema(GenerateJsonSchema):
    """JSON Schema whose descriptions are the first paragraph of the docstrings."""

    def generate(self, schema: Any, mode: Any = "validation") -> dict[str, Any]:
        document = super().generate(schema, mode)
        for part in (document, *document.get("$defs", {}).values()):
            if "description" in part:
                part["description"] = " ".join(part["description"].split("\n\n")[0].split())
        return {"$schema": self.schema_dialect, **document}


def report_schema() -> dict[str, Any]:
    """Give the JSON Schema of `Report`.

    Returns
    -------
    dict
        JSON Schema, draft 2020-12.

    Examples
    --------
    >>> sorted(report_schema()["properties"])[:3]
    ['abstentions', 'alerts', 'changes']
    """
    schema = Report.model_json_schema(mode="serialization", schema_generator=_PlainSchema)
    schema["title"] = f"ecg_llm report {SCHEMA_VERSION}"
    return schema


def schema_text() -> str:
    """Give the JSON Schema as the text of ``docs/report.schema.json``.

    Returns
    -------
    str
        Indented, ending in a newline.
    """
    return json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"
