"""Judge leads that were read from the image of a page, each seen for a few seconds only."""

from __future__ import annotations

import numpy as np

from ecg_llm.quality.leads import LeadQuality
from ecg_llm.record import ECGRecord, FloatArray

LEAST_SEEN_S = 1.5
"""Less of a lead shows hardly a beat."""
LEAST_SWING_MV = 0.04
"""A tracing that rises less is a line."""
LARGEST_SWING_MV = 12.0
"""No lead of a heart swings more; lines of the ruling or letters were followed."""
LEAST_LEADS = 2


def judge_page(record: ECGRecord) -> tuple[dict[str, LeadQuality], tuple[str, ...]]:
    """Judge the leads of a page, and whether there are enough of them.

    Parameters
    ----------
    record : ECGRecord
        Read from a page.

    Returns
    -------
    leads : dict of str to LeadQuality
        In the record's order.
    refusals : tuple of str
        Why the page cannot be read; empty if it can.
    """
    leads = {lead: _judged(record.row(lead), record) for lead in record.leads}
    usable = [lead for lead, quality in leads.items() if quality.usable]
    if len(usable) >= LEAST_LEADS:
        return leads, ()
    return leads, (
        f"{len(usable)} of the page's leads can be read; at least {LEAST_LEADS} are needed",
    )


def _judged(row: FloatArray, record: ECGRecord) -> LeadQuality:
    seen = row[np.isfinite(row)]
    seen_s = len(seen) / record.fs
    swing = float(np.ptp(np.percentile(seen, [0.5, 99.5]))) if len(seen) else 0.0
    reasons = []
    if seen_s < LEAST_SEEN_S:
        reasons.append("gaps")
    elif record.calibrated and swing < LEAST_SWING_MV:
        reasons.append("flat")
    elif record.calibrated and swing > LARGEST_SWING_MV:
        reasons.append("saturated")
    metrics = {"seen_s": round(seen_s, 2), "swing_mv": round(swing, 3)}
    return LeadQuality(usable=not reasons, reasons=tuple(reasons), metrics=metrics)
