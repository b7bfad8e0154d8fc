"""Whether a pacemaker drives the atria or the ventricles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, any_of, fact, judge, unknown
from ecg_llm.findings.conduction import WIDE_MS
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import PACING
from ecg_llm.signal import nanmedian

Mask = npt.NDArray[np.bool_]

MIN_FS = 250.0
"""Below, a missing spike does not exclude pacing of a wide QRS."""
FASTEST_BPM = 100.0
"""Above, a QRS shaped as from the apex is rather that of a ventricular tachycardia."""
PACED = "the ventricles are paced"
MAYBE_PACED = (
    "the QRS is shaped as in pacing from the apex, no P wave goes before it, and the spikes of "
    "some pacemakers are too small to be seen"
)


@dataclass(frozen=True)
class Pacing:
    """What is paced.

    Attributes
    ----------
    findings : tuple of Finding
        The statements on pacing.
    atrial, ventricular : Check
        Whether the atria and the ventricles are paced.
    gate : str or None
        Why nothing can be judged that pacing changes.
    """

    findings: tuple[Finding, ...]
    atrial: Check
    ventricular: Check
    gate: str | None = None


def judge_pacing(case: Case) -> Pacing:
    """Judge pacing from the spikes that were found before P waves and QRS complexes."""
    spikes = np.array(case.quality.pacing_spikes_s)
    if not case.n_beats:
        nothing = unknown("no beats found")
        return Pacing(_findings(nothing, nothing), nothing, nothing)
    delineation = case.measurements.delineation
    onset = delineation.column("qrs_on")
    onset = np.where(np.isfinite(onset), onset, delineation.r_s - 0.05)
    ahead = onset[:, None] - spikes[None, :]
    conducted = np.isfinite(delineation.column("p_on")).mean() >= 0.5
    wide = (case.value("qrs_ms") or 0.0) >= WIDE_MS
    from_apex = wide and _paced_shape(case)
    if not len(spikes) and from_apex and not conducted:
        hidden = unknown(MAYBE_PACED)
        return Pacing(_findings(hidden, hidden), hidden, hidden, MAYBE_PACED)
    if not len(spikes) and case.record.fs < MIN_FS and wide and (not conducted or from_apex):
        hidden = unknown(f"at {case.record.fs:g} Hz pacing spikes need not be visible")
        return Pacing(_findings(hidden, hidden), hidden, hidden)
    driven = np.array([kind == "paced" for kind in case.kinds])
    before_p = ((ahead > 0.080) & (ahead < 0.320)).any(axis=1)
    ventricular = _share(driven, "beats right after a spike", spikes)
    if ventricular.holds and driven.mean() < 0.5:
        width_ms = 1000 * nanmedian((delineation.column("qrs_off") - onset)[None, driven], axis=1)
        if width_ms[0] < WIDE_MS:
            n = f"{driven.sum()} of {len(driven)}"
            ventricular = unknown(f"only {n} beats come right after a spike, and they are narrow")
    atrial = _share(before_p, "beats with a spike 80 to 320 ms before", spikes)
    gate = PACED if ventricular.holds else None
    return Pacing(_findings(atrial, ventricular), atrial, ventricular, gate)


def _paced_shape(case: Case) -> bool:
    """A wide QRS from the right ventricular apex: down in II, III, aVF and from V1 to V6."""

    def down(lead: str) -> bool:
        up, deep = case.value("qrs_max_mv", lead), case.value("qrs_min_mv", lead)
        return up is not None and deep is not None and -deep > 2 * up

    width = case.value("qrs_global_ms") or 0.0
    slow = (case.value("heart_rate_bpm") or 0.0) <= FASTEST_BPM
    return (
        slow and width >= 140 and all(map(down, ("II", "III", "aVF"))) and down("V1") and down("V6")
    )


def _share(marked: Mask, quantity: str, spikes_s: npt.NDArray[np.float64]) -> Check:
    """Hold if at least two beats and a fifth of them are marked."""
    n = int(marked.sum())
    span = (round(float(spikes_s[0]), 3), round(float(spikes_s[-1]), 3)) if n else (None, None)
    return fact(
        n >= max(2, 0.2 * len(marked)),
        quantity,
        float(n),
        f"of {len(marked)}",
        "≥ 2 and ≥ one in five",
        PACING,
        span_s=span,
    )


def _findings(atrial: Check, ventricular: Check) -> tuple[Finding, ...]:
    """Give the statements."""
    return (
        judge("PACE", any_of(ventricular, atrial)),
        judge("atrial_pacing", atrial),
        judge("ventricular_pacing", ventricular),
    )
