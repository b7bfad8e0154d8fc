"""What texts on one ECG are held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecg_llm.claims.check import CheckedClaim, check_text
from ecg_llm.claims.facts import Facts
from ecg_llm.compose import withheld
from ecg_llm.prompt import facts_of

if TYPE_CHECKING:
    from ecg_llm.analysis import Analysis
    from ecg_llm.record import ECGRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What texts on one ECG are held against, and what corrections are written from.

    Attributes
    ----------
    facts : Facts
        Of the ECG, without the values that a finding makes meaningless.
    found : Analysis
        Of the ECG.
    record : ECGRecord
        For the limits of age and sex.
    earlier : Facts or None
        Of an earlier ECG of the same patient.
    """

    facts: Facts
    found: Analysis
    record: ECGRecord
    earlier: Facts | None = None

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
    read, measurements = found, found.measurements
    if measurements is not None:
        values = withheld(measurements.values, found.findings)
        read = replace(found, measurements=replace(measurements, values=values))
    earlier = None if before is None else known_of(before).facts
    return Known(facts=facts_of(read), found=found, record=found.record, earlier=earlier)
