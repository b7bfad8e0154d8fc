"""Apply all criteria to one measured record, in the order in which each gates the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ecg_llm.findings.arrest import SUDDEN
from ecg_llm.findings.av_block import judge_av_block
from ecg_llm.findings.case import Case
from ecg_llm.findings.chambers import judge_chambers
from ecg_llm.findings.checks import Check, fact, judge, unknown
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.findings.conduction import WIDE_MS, Conduction, judge_conduction
from ecg_llm.findings.ectopy import judge_ectopy
from ecg_llm.findings.fibrillation import T_MEETS_P_BPM
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.infarction import judge_infarction
from ecg_llm.findings.pacing import Pacing, judge_pacing
from ecg_llm.findings.qt import judge_qt
from ecg_llm.findings.repolarization import BY_DEPRESSION, RATHER_TALL_T, judge_repolarization
from ecg_llm.findings.rhythm import NO_BEATS, Rhythm, judge_rhythm
from ecg_llm.findings.secondary import secondary_changes
from ecg_llm.findings.sources import TEXTBOOK
from ecg_llm.findings.technical import judge_technical
from ecg_llm.leads import lacking_leads
from ecg_llm.measure import Measurements
from ecg_llm.quality import Quality
from ecg_llm.record import ECGRecord

HARMLESS = ("SR", "SARRH", "NORM", "SBRAD", "early_repolarization", "short_pr", "LPR", "PAC")
"""Statements that a normal ECG may carry; a PR just above its limit (``LPR``) among them."""
FROM_VENTRICLES = "the beats may come from the ventricles"
LEFT_BLOCK = "a QRS shaped as in left bundle branch block changes Q waves, voltage, ST and T"
PREEXCITED = "a QRS shaped as in pre-excitation changes Q waves, voltage, ST and T"
FLUTTER_MV = 0.35
"""Flutter waves are hardly ever as high."""
FEIGNED = "an atrial flutter, which is not excluded, may feign it"
_MUST_BE_JUDGED = ("SR", "CLBBB", "CRBBB", "LVH", "QWAVE", "STE_", "STD_", "INVT", "LPR", "LNGQT")


def apply_criteria(
    record: ECGRecord, quality: Quality, measurements: Measurements
) -> tuple[Finding, ...]:
    """Judge every statement of `STATEMENTS` once.

    Parameters
    ----------
    record : ECGRecord
        The signal, with age and sex if they are known.
    quality : Quality
        Its technical quality.
    measurements : Measurements
        What was measured in it.

    Returns
    -------
    tuple of Finding
        In the order of `STATEMENTS`: present, absent or unknown with the reason.
    """
    case = Case(record, quality, measurements)
    if not quality.acceptable:
        reason = "the recording is too poor to be read: " + "; ".join(quality.reasons)
        technical = judge_technical(case)
        judged = {finding.code: finding for finding in technical}
        refused = unknown(reason.rstrip(": "))
        return tuple(judged.get(code) or judge(code, refused) for code in STATEMENTS)

    pacing = judge_pacing(case)
    rhythm = judge_rhythm(case, pacing)
    av_block = judge_av_block(case, rhythm.p_gate, pacing.gate)
    second = any(f.code == "2AVB" and f.status == "present" for f in av_block)
    third = any(f.code == "3AVB" and f.status == "present" for f in av_block)
    if third and (case.value("qrs_global_ms") or 0.0) >= WIDE_MS:  # a ventricular escape rhythm
        rhythm = replace(rhythm, ventricular=True)
    # Why the conduction below the AV node cannot be judged.
    origin = pacing.gate or (FROM_VENTRICLES if rhythm.ventricular else None)
    maybe_paced = pacing.ventricular.holds is None
    conduction = judge_conduction(case, origin, not rhythm.p_gate, maybe_paced)
    findings = [
        *judge_technical(case, NO_BEATS if _silent(rhythm) else origin),
        *pacing.findings,
        *rhythm.findings,
        *conduction.findings,
    ]
    if second or third:
        findings = [_of_the_block(f) if f.code in ("SBRAD", "SARRH") else f for f in findings]
    findings += av_block
    findings += judge_ectopy(case, rhythm, second)
    findings += judge_qt(case, conduction.wide)
    findings += _morphology(case, rhythm, conduction, pacing)
    findings = _ordered(findings)
    return (*findings, _normal(case, findings))


def _of_the_block(found: Finding) -> Finding:
    """Take few and uneven beats for what they are: dropped by a block, not by the sinus node."""
    dropped = found.status == "present"
    return judge(found.code, Check(False, found.evidence[-1:])) if dropped else found


def _silent(rhythm: Rhythm) -> bool:
    """Whether there are no beats whose shape would show exchanged electrodes."""
    return any(f.code == "asystole_or_vf" and f.status == "present" for f in rhythm.findings)


def alerts(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Choose what somebody must look at soon.

    Parameters
    ----------
    findings : iterable of Finding
        From `apply_criteria`.

    Returns
    -------
    tuple of Finding
        The present ones that are critical or urgent, critical ones first.
    """
    chosen = [
        finding
        for finding in findings
        if finding.status == "present" and finding.urgency in ("critical", "urgent")
    ]
    return tuple(sorted(chosen, key=lambda finding: finding.urgency != "critical"))


def _morphology(
    case: Case, rhythm: Rhythm, conduction: Conduction, pacing: Pacing
) -> list[Finding]:
    """Chambers, infarction and repolarization, each with what forbids to judge it."""
    gate = None
    if case.n_beats == 0:
        gate = "no beat found"
    elif pacing.gate:
        gate = pacing.gate
    elif not case.usual.any():
        gate = "no beat of the usual conduction found"
    elif rhythm.ventricular:
        gate = FROM_VENTRICLES
    elif conduction.left_block:
        gate = LEFT_BLOCK
    elif conduction.preexcited:
        gate = PREEXCITED
    p_gate = rhythm.p_gate or (None if rhythm.sinus else "P waves are not those of the sinus node")
    right_block = bool(conduction.right_block)
    chambers = judge_chambers(case, gate, p_gate, right_block=right_block)
    infarction = judge_infarction(case, gate)
    strain = any(f.code == "lv_strain" and f.status == "present" for f in chambers)
    explained = "high voltage with a strain pattern may explain ST-T changes" if strain else None
    q_waves = any(f.code == "QWAVE" and f.status == "present" for f in infarction)
    secondary = secondary_changes(case, right_block=right_block, wide=bool(conduction.wide))
    repolarization = judge_repolarization(
        case, gate, conduction.left_block, explained, q_waves, secondary
    )
    out = [*chambers, *infarction, *repolarization]
    if rhythm.flutter:
        of_st = [f.code for f in out if f.section == "st-t" or f.code == "lv_strain"]
        return _opened(out, of_st, "fast atrial waves lie over ST and T")
    svt = next((f for f in rhythm.findings if f.code == "SVTAC"), None)
    fast = (case.value("heart_rate_bpm") or 0.0) > T_MEETS_P_BPM
    if svt is not None and (svt.status == "present" or (svt.status == "unknown" and fast)):
        out = _opened(
            out, (*BY_DEPRESSION, "lv_strain"), "a supraventricular tachycardia lowers ST by itself"
        )
    if rhythm.flutter is None and case.n_beats:
        out = [_may_be_waves(finding) for finding in out]
    return out


def _may_be_waves(found: Finding) -> Finding:
    """Doubt an ST that alerts and is no higher than flutter waves under it; it could be true."""
    alerting = found.status == "present" and found.urgency in ("critical", "urgent")
    if not alerting or found.section != "st-t":
        return found
    sizes = [abs(item.value) for item in found.evidence if isinstance(item.value, float)]
    return replace(found, doubt=FEIGNED) if max(sizes, default=0.0) < FLUTTER_MV else found


def _opened(findings: list[Finding], codes: Sequence[str], reason: str) -> list[Finding]:
    """Leave open what the rhythm may feign."""
    return [
        replace(finding, status="unknown", reason=reason, evidence=())
        if finding.code in codes and finding.status != "absent"
        else finding
        for finding in findings
    ]


def _ordered(findings: list[Finding]) -> list[Finding]:
    """Put the findings into the order of the statements."""
    judged = {finding.code: finding for finding in findings}
    assert len(judged) == len(findings), "a statement was judged twice"
    return [judged[code] for code in STATEMENTS if code != "NORM"]


def _normal(case: Case, findings: list[Finding]) -> Finding:
    """A normal ECG: all that is needed was judged in all leads, and nothing is abnormal."""
    abnormal = [f for f in findings if f.status == "present" and f.code not in HARMLESS]
    if abnormal:
        evidence = tuple(item for finding in abnormal for item in finding.evidence[:1])
        return judge("NORM", Check(False, evidence))
    status = {finding.code: finding for finding in findings}
    open_ = [status[code] for code in _MUST_BE_JUDGED if status[code].status == "unknown"]
    if open_:
        return judge("NORM", unknown(f"not judged: {open_[0].label} ({open_[0].reason})"))
    if status["SR"].status != "present":
        return judge("NORM", Check(False))
    for code, reason in (("PAC", SUDDEN), ("tall_t", RATHER_TALL_T)):
        if status[code].reason == reason:
            return judge("NORM", unknown(reason))
    if lacking := lacking_leads(case.measurements.leads):
        reasons = (case.reason("qrs_max_mv", lead) for lead in lacking)
        return judge("NORM", unknown("; ".join(reasons)))
    needed = ", ".join(status[code].label for code in _MUST_BE_JUDGED)
    n = len(_MUST_BE_JUDGED)
    words = f"all judged, nothing abnormal present: {needed}"
    return judge(
        "NORM", fact(True, "required statements judged", float(n), f"of {n}", words, TEXTBOOK)
    )
