"""Whether a pacemaker drives the atria or the ventricles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, any_of, fact, judge, unknown
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import PACING

Mask = npt.NDArray[np.bool_]

MIN_FS = 250.0
"""Below, a missing spike does not exclude pacing of a wide QRS."""


@dataclass(frozen=True)
class Pacing:
    """What is paced.

    Attributes
    ----------
    findings : tuple of Finding
        The statements on pacing.
    atrial, ventricular : Check
        Whether the atria and the ventricles are paced.
    """

    findings: tuple[Finding, ...]
    atrial: Check
    ventricular: Check


def judge_pacing(case: Case) -> Pacing:
    """Judge pacing from the spikes that were found before P waves and QRS complexes.

    Parameters
    ----------
    case : Case
        The measured record.

    Returns
    -------
    Pacing
    """
    spikes = np.array(case.quality.pacing_spikes_s)
    if not case.n_beats:
        nothing = unknown("no beats found")
        return Pacing(_findings(nothing, nothing), nothing, nothing)
    delineation = case.measurements.delineation
    onset = delineation.column("qrs_on")
    onset = np.where(np.isfinite(onset), onset, delineation.r_s - 0.05)
    ahead = onset[:, None] - spikes[None, :]
    conducted = np.isfinite(delineation.column("p_on")).mean() >= 0.5
    wide = (case.value("qrs_ms") or 0.0) >= 120
    suspect = wide and (not conducted or _paced_shape(case))
    if not len(spikes) and case.record.fs < MIN_FS and suspect:
        hidden = unknown(f"at {case.record.fs:g} Hz pacing spikes need not be visible")
        return Pacing(_findings(hidden, hidden), hidden, hidden)
    driven = np.array([kind == "paced" for kind in case.kinds])
    before_p = ((ahead > 0.080) & (ahead < 0.320)).any(axis=1)
    ventricular = _share(driven, "beats right after a spike", spikes)
    atrial = _share(before_p, "beats with a spike 80 to 320 ms before", spikes)
    return Pacing(_findings(atrial, ventricular), atrial, ventricular)


def _paced_shape(case: Case) -> bool:
    """A wide QRS from the right ventricular apex: down in II, III, aVF and from V1 to V6."""

    def down(lead: str) -> bool:
        up, deep = case.value("qrs_max_mv", lead), case.value("qrs_min_mv", lead)
        return up is not None and deep is not None and -deep > 2 * up

    width = case.value("qrs_global_ms") or 0.0
    return width >= 140 and all(map(down, ("II", "III", "aVF"))) and down("V1") and down("V6")


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
