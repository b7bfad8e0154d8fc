"""What texts on one ECG are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecg_llm.claims.check import CheckedClaim, check_text
from ecg_llm.claims.facts import Facts
from ecg_llm.compose import withheld
from ecg_llm.vocabulary import canonical_code

if TYPE_CHECKING:
    from ecg_llm.analysis import Analysis
    from ecg_llm.findings.finding import Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.record import ECGRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What texts on one ECG are held against, and what corrections are written from.

    Attributes
    ----------
    facts : Facts
        Of the ECG, without the values that a finding makes meaningless.
    record : ECGRecord
        For the limits of age and sex.
    earlier : Facts or None
        Of an earlier ECG of the same patient.
    """

    facts: Facts
    record: ECGRecord
    earlier: Facts | None = None

    @classmethod
    def of(
        cls,
        record: ECGRecord,
        quality: Quality,
        measurements: Measurements | None,
        findings: Sequence[Finding],
        *,
        earlier: Facts | None = None,
    ) -> Known:
        """Collect what is known of an analysed record.

        Parameters
        ----------
        record : ECGRecord
            The ECG.
        quality : Quality
            Its quality.
        measurements : Measurements or None
            None if the quality refuses it.
        findings : sequence of Finding
            Every criterion that was applied.
        earlier : Facts, optional
            Of an earlier ECG.

        Returns
        -------
        Known
            Of a page image without values: none is measured on it.
        """
        if measurements is None or record.origin == "page":
            reasons = "; ".join(quality.reasons) or "its quality is too poor"
            facts = Facts(
                findings={canonical_code(found.code): found for found in findings},
                refused=None if quality.acceptable else f"the tracing was refused: {reasons}",
                sex=record.sex,
                age_years=record.age_years,
            )
        else:
            kept = replace(measurements, values=withheld(measurements.values, findings))
            facts = Facts.from_measurements(
                kept, findings, quality, sex=record.sex, age_years=record.age_years
            )
        return cls(facts=facts, record=record, earlier=earlier)

    def check(self, text: str) -> tuple[CheckedClaim, ...]:
        """Hold a text against what is known.

        Parameters
        ----------
        text : str
            Prose.

        Returns
        -------
        tuple of CheckedClaim
        """
        # What ships is the measured value at the precision shown, not one that lies near it.
        return check_text(text, facts=self.facts, earlier=self.earlier, tolerance_scale=0)


def known_of(found: Analysis, before: Analysis | None = None) -> Known:
    """Give what texts on an analysed record are held against.

    Parameters
    ----------
    found : Analysis
        Of the record.
    before : Analysis, optional
        Of an earlier ECG of the same patient.

    Returns
    -------
    Known
    """
    return Known.of(
        found.record,
        found.quality,
        found.measurements,
        found.findings,
        earlier=None if before is None else known_of(before).facts,
    )
