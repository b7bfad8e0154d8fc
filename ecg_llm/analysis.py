"""All that is known of a record before anything is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecg_llm.stages import stage

if TYPE_CHECKING:
    from ecg_llm.findings.finding import Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.record import ECGRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """All that is known of a record before anything is said about it.

    Attributes
    ----------
    record : ECGRecord
        What was read.
    quality : Quality
        Its technical quality.
    measurements : Measurements or None
        None if the quality refuses the record.
    findings : tuple of Finding
        Every criterion that was applied, and what the encoder sees, with probabilities if its
        weights are there; empty if the quality refuses the record.
    """

    record: ECGRecord
    quality: Quality
    measurements: Measurements | None
    findings: tuple[Finding, ...]

    @property
    def readable(self) -> ECGRecord:
        """The stretch of the record that can be read, its time counted from its own beginning."""
        return self.record.segment(self.quality.from_s, self.quality.to_s)


def analyse(record: ECGRecord, *, encoder: bool = True) -> Analysis:
    """Judge, delineate and measure a record, apply the criteria, and let the encoder look.

    Parameters
    ----------
    record : ECGRecord
        What was read.
    encoder : bool
        False for findings by criteria alone, as sets of data hold them: what an encoder says of
        records that it has learnt is no evidence.

    Returns
    -------
    Analysis
    """
    from ecg_llm.findings.apply import apply_criteria
    from ecg_llm.findings.technical import doubt_exchanged
    from ecg_llm.measure import measure
    from ecg_llm.page_criteria import judge_page
    from ecg_llm.probabilities import with_probabilities
    from ecg_llm.quality import assess

    with stage("measure"):
        quality = assess(record)
        if not quality.acceptable:
            return Analysis(record=record, quality=quality, measurements=None, findings=())
        seen = record.only(quality.from_s, quality.to_s)
        measurements = measure(seen, quality)
        # Criteria need measured values; a page's tracing answers only some, after the encoder.
        of_page = record.origin == "page"
        findings = () if of_page else apply_criteria(seen, quality, measurements)
    if encoder:
        with stage("encode"):
            part = record.segment(quality.from_s, quality.to_s)
            findings = with_probabilities(part, None if of_page else measurements, findings)
            if of_page:
                findings = judge_page(part, quality, findings)
    findings = doubt_exchanged(findings, quality)
    return Analysis(record=record, quality=quality, measurements=measurements, findings=findings)
