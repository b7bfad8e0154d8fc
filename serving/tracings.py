"""A tracing as numbers, so that a browser can draw it and mark its evidence."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ecg_llm.assistant import Analysis
    from ecg_llm.report import Report


def tracing(
    found: Analysis, report: Report, *, from_s: float, seconds: float, max_fs: float
) -> dict[str, Any]:
    """Give samples, beats and evidence of a stretch.

    Parameters
    ----------
    found : Analysis
        The record and its beats.
    report : Report
        Its evidence.
    from_s, seconds : float, s
        The stretch, clipped to the record.
    max_fs : float, Hz
        Most samples a second; a faster record is averaged over whole numbers of samples.

    Returns
    -------
    dict
        ``origin`` is ``page`` if it was read from the image of one; ``leads`` hold samples in mV,
        null where nothing was recorded; ``marks`` the numbered evidence; ``claims`` the sentences
        of the report with the numbers of their marks.
    """
    from ecg_llm.render.tracing import lead_notes, number_evidence

    record = found.record
    first = min(max(round(from_s * record.fs), 0), max(record.n_samples - 1, 0))
    last = min(first + max(round(seconds * record.fs), 1), record.n_samples)
    step = max(1, math.ceil(record.fs / max_fs))
    samples = _thinner(record.signal[:, first:last], step)
    index = number_evidence(report)
    notes = lead_notes(report)
    beats = found.measurements.beats if found.measurements is not None else ()
    begin, end = first / record.fs, last / record.fs
    return {
        "record": report.record.model_dump(),
        "origin": record.origin,
        "from_s": begin,
        "to_s": end,
        "fs_hz": record.fs / step,
        "unit": "mV",
        "leads": [
            {
                "name": lead,
                "derived": lead in record.derived,
                "note": notes.get(lead),
                "samples": [round(x, 4) if x == x else None for x in row.tolist()],
            }
            for lead, row in zip(record.leads, samples, strict=True)
        ],
        "beats": [
            {"r_s": round(beat.r_s, 4), "class": beat.kind}
            for beat in beats
            if begin <= beat.r_s <= end
        ],
        "marks": [
            {
                "number": mark.label,
                "lead": mark.lead,
                "from_s": mark.from_s,
                "to_s": mark.to_s,
                "role": mark.role,
                "quiet": mark.quiet,
                "text": mark.description,
            }
            for mark in (*index.shown, *index.quiet)
        ],
        "claims": [
            {
                "text": claim.text,
                "status": claim.status,
                "kind": claim.kind,
                "marks": list(index.labels(claim.evidence)),
            }
            for claim in report.claims
        ],
        "provenance": report.provenance.model_dump(),
    }


def _thinner(signal: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
    """Average over groups of samples; a group without any stays unknown."""
    if step == 1:
        return signal
    whole = signal.shape[1] // step * step
    if not whole:
        return signal[:, :1]
    groups = signal[:, :whole].reshape(signal.shape[0], -1, step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        thinned: npt.NDArray[np.float32] = np.nanmean(groups, axis=2)
    return thinned
