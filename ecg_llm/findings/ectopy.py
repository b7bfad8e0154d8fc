"""Extra beats, alone and in patterns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.findings.arrest import SUDDEN, sudden_pauses
from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, fact, judge, left_open, unknown
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.rhythm import Rhythm
from ecg_llm.findings.sources import TEXTBOOK, VENTRICULAR

Mask = npt.NDArray[np.bool_]

CODES = ("PAC", "PVC", "BIGU", "TRIGU", "pvc_couplet", "ventricular_run")
RUN_BEATS = 3


def judge_ectopy(case: Case, rhythm: Rhythm, av_block: bool) -> tuple[Finding, ...]:
    """Judge extra beats.

    ``rhythm``: the basic rhythm: in atrial fibrillation an early narrow beat tells nothing.
    ``av_block``: whether there is second-degree AV block, which makes RR irregular too.
    """
    if case.n_beats < 4:
        return left_open(CODES, f"only {case.n_beats} beats found")
    kinds = np.array(case.kinds)
    ventricular, atrial = kinds == "ventricular", kinds == "supraventricular"
    early_atrial = _marked(case, atrial, "early beats of the usual shape", "≥ 1", TEXTBOOK)
    if rhythm.fibrillation or rhythm.flutter:
        early_atrial = unknown("without P waves early beats cannot be told apart")
    elif rhythm.fibrillation is None and early_atrial.holds:
        early_atrial = unknown("the irregularity of RR leaves early beats open")
    elif av_block and early_atrial.holds:
        early_atrial = unknown("with second-degree AV block RR changes do not show early beats")
    elif not av_block and rhythm.sinus and sudden_pauses(case).holds:
        early_atrial = unknown(SUDDEN)
    extra = ventricular if rhythm.fibrillation or av_block else ventricular | atrial
    mostly = ventricular.mean() > 0.6
    many = "most beats are wide: they are the rhythm, not extra beats"
    single = _marked(case, ventricular, "wide beats of another shape", "≥ 1", VENTRICULAR)
    couplet = _longest(ventricular) == 2
    run = _longest(ventricular) >= RUN_BEATS
    return (
        judge("PAC", early_atrial),
        judge("PVC", unknown(many) if mostly else single),
        judge("BIGU", _pattern(case, extra, 1, 2)),
        judge("TRIGU", _pattern(case, extra, 2, 2)),
        judge("pvc_couplet", _run(case, ventricular, couplet, "two")),
        judge(
            "ventricular_run",
            unknown(many) if mostly else _run(case, ventricular, run, f"at least {RUN_BEATS}"),
        ),
    )


def _marked(case: Case, marked: Mask, what: str, rule: str, source: str) -> Check:
    """Hold if a beat is marked; the evidence shows the first of them."""
    span = _span(case, int(np.argmax(marked))) if marked.any() else (None, None)
    words = f"of {len(marked)} beats"
    return fact(bool(marked.any()), what, float(marked.sum()), words, rule, source, span_s=span)


def _span(case: Case, k: int) -> tuple[float, float]:
    """Give the QRS of one beat."""
    delineation = case.measurements.delineation
    start, stop = delineation.column("qrs_on")[k], delineation.column("qrs_off")[k]
    r = float(delineation.r_s[k])
    start = float(start) if np.isfinite(start) else r - 0.06
    stop = float(stop) if np.isfinite(stop) else r + 0.06
    return round(start, 3), round(stop, 3)


def _pattern(case: Case, extra: Mask, between: int, times: int) -> Check:
    """Look for extra beats with a fixed number of usual beats between, several times in a row."""
    where = np.flatnonzero(extra)
    gaps = np.diff(where) == between + 1
    row = _longest(gaps)
    name = (
        "extra beats with one usual beat between"
        if between == 1
        else (f"extra beats with {between} usual beats between")
    )
    holds = row >= times
    span: tuple[float | None, float | None] = (None, None)
    if holds:
        end = next(k for k in range(times, len(gaps) + 1) if gaps[k - times : k].all())
        span = (_span(case, int(where[end - times]))[0], _span(case, int(where[end]))[1])
    words = f"at least {times + 1} in this order"
    return fact(holds, name, float(row + 1 if row else 0), "in a row", words, TEXTBOOK, span_s=span)


def _run(case: Case, marked: Mask, holds: bool, words: str) -> Check:
    """Report the longest run of marked beats."""
    length = _longest(marked)
    span: tuple[float | None, float | None] = (None, None)
    if holds:
        first = next(k for k in range(len(marked)) if marked[k : k + length].all())
        span = (_span(case, first)[0], _span(case, first + length - 1)[1])
    what = "ventricular beats in a row"
    return fact(holds, what, float(length), "", words, VENTRICULAR, span_s=span)


def _longest(marked: Mask) -> int:
    """Give the length of the longest run of marks."""
    best = run = 0
    for mark in marked.tolist():
        run = run + 1 if mark else 0
        best = max(best, run)
    return best
