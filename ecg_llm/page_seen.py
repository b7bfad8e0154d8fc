"""What the criteria say of the tracing that was read from a page: ST, and rhythms that alarm."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecg_llm.findings.case import Case
from ecg_llm.findings.conduction import WIDE_MS, judge_conduction
from ecg_llm.findings.finding import Evidence, Finding, Status
from ecg_llm.findings.repolarization import INJURY_MV, ST_DEPRESSION_MV, judge_repolarization
from ecg_llm.findings.rhythm import EXTREME_FAST_BPM, EXTREME_SLOW_BPM
from ecg_llm.findings.secondary import secondary_changes
from ecg_llm.findings.sources import BRADYCARDIA, OWN, TACHYCARDIA, UDMI, VENTRICULAR
from ecg_llm.findings.st_elevation import ST_ELEVATION_MV, ST_ELEVATION_V2_V3_MV
from ecg_llm.findings.territories import NEIGHBOURS, WALL_LEADS, contiguous
from ecg_llm.measure import Measurements
from ecg_llm.quality import Quality
from ecg_llm.record import ECGRecord
from ecg_llm.traced import Column, columns, trace

RAISED = ("stemi", "STE_")
INJURY = ("INJAS", "INJAL", "INJLA", "INJIN", "INJIL")
ST_CODES = (*RAISED, "STD_", *INJURY)
CHANGES_ST = ("PACE", "CLBBB", "ILBBB", "WPW")
"""What raises or lowers ST by itself; on a page the encoder sees it."""
EXPLAINS_DEPRESSION = "LVH"
LINE_MS = 10.0
"""By which QRS complexes are wider on a page, about: 5 to 13 ms on clean and photographed ones."""
NO_SINUS = ("asystole_or_vf", "wide_qrs_tachycardia")
MIN_P_SHARE, MAX_P_SHARE = 0.15, 0.3
"""Share of the beats with a P wave below which no sinus rhythm is stated of a page, and above which
no tachycardia of wide QRS complexes."""
FAST_ON_PAGE_BPM = 120.0
"""Rate of a wide-QRS tachycardia on a page; 100 on a recording, whose QRS is measured."""
LONGEST_QT_MS = 600.0
"""A longer QT on a page tells of a paper speed that was misread: then the rate is halved, too."""
FLAT_MV, COHERENT = 0.05, 0.7
"""Leads without beats are believed if they hardly move, or if II is like the sum of I and III."""
RHYTHM_FACTS = {
    "asystole_or_vf": (("QRS complexes", "none or hardly any", "none", VENTRICULAR),),
    "wide_qrs_tachycardia": (
        ("QRS complexes", "fast", f"> {FAST_ON_PAGE_BPM:g}/min", OWN),
        ("QRS duration", "long", f"≥ {WIDE_MS:g} ms", TACHYCARDIA),
        ("P waves before the beats", "hardly any", "none", TACHYCARDIA),
    ),
    "extreme_tachycardia": (
        ("QRS complexes", "very fast", f"> {EXTREME_FAST_BPM:g}/min", TACHYCARDIA),
    ),
    "extreme_bradycardia": (
        ("QRS complexes", "very slow", f"< {EXTREME_SLOW_BPM:g}/min", BRADYCARDIA),
    ),
}
"""What is seen of each rhythm that alarms: quantity, word, criterion and its source."""
CODES = (*RHYTHM_FACTS, *ST_CODES)
"""Findings that are looked for on a page."""
_LEAST_S = 5.0
_MIN_RR = 3


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one criterion says of a page.

    Attributes
    ----------
    status : {"present", "absent", "unknown"}
        By the tracing that was read.
    excess_mv : float, mV
        Of ST: by which the best pair of neighbouring leads passes the limit, negative if none does.
        0 for rhythms.
    evidence : tuple of Evidence
        Which leads show it, and where, in words.
    """

    status: Status
    excess_mv: float = 0.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PageSeen:
    """What the criteria say of a page.

    Attributes
    ----------
    by_code : dict of str to Seen
        Of `CODES`, as far as they can be judged.
    sinus : bool or None
        False if the beats cannot be those of a sinus rhythm; None if that cannot be told.
    """

    by_code: dict[str, Seen]
    sinus: bool | None


def see(record: ECGRecord, quality: Quality, stated: frozenset[str]) -> PageSeen:
    """Hold the criteria against the tracing of a page.

    Parameters
    ----------
    record : ECGRecord
        Read from a page.
    quality : Quality
        Its technical quality.
    stated : frozenset of str
        Codes of what the encoder states.

    Returns
    -------
    PageSeen
    """
    shown = columns(record)
    measurements = trace(record, quality, shown)
    case = Case(replace(record, origin="recording"), quality, _thinned(measurements))
    rhythm = _rhythm(case, shown, stated)
    other = any(rhythm[code].status == "present" for code in NO_SINUS if code in rhythm)
    return PageSeen(
        by_code=rhythm | _st(case, stated),
        sinus=not (other or _p_share(case) < MIN_P_SHARE) if rhythm else None,
    )


def _p_share(case: Case) -> float:
    """Give the share of the beats with a P wave before them."""
    p_s = case.measurements.delineation.column("p_on")
    return float(np.isfinite(p_s).mean()) if len(p_s) else 0.0


def _thinned(measurements: Measurements) -> Measurements:
    """Take from the duration of QRS what the width of the line adds."""
    qrs = measurements.values["qrs_global_ms"]
    if qrs.value is None:
        return measurements
    thinner = replace(qrs, value=qrs.value - LINE_MS)
    return replace(measurements, values={**measurements.values, "qrs_global_ms": thinner})


class _Beats(NamedTuple):
    """How many beats the columns of a page show, and how fast."""

    n_rr: int
    """Pairs within one column: without any, beats that its edges cut off may be missing."""
    few: bool
    """Less than one in four seconds."""
    counted_bpm: float
    timed_bpm: float


def _beats(r_s: npt.NDArray[np.float64], shown: tuple[Column, ...], covered_s: float) -> _Beats:
    """Count the beats of all columns, and time them within each."""
    by_column = [r_s[(r_s >= of.from_s) & (r_s <= of.to_s)] for of in shown]
    rr_s = np.concatenate([np.diff(beats) for beats in by_column])
    counted = 60 * len(r_s) / covered_s
    return _Beats(
        n_rr=len(rr_s),
        few=len(r_s) < max(3.0, covered_s / 4),
        counted_bpm=counted,
        timed_bpm=60 / float(np.median(rr_s)) if len(rr_s) else counted,
    )


def _rhythm(case: Case, shown: tuple[Column, ...], stated: frozenset[str]) -> dict[str, Seen]:
    """Look for rhythms that alarm; nothing where too little is drawn."""
    covered_s = sum(column.to_s - column.from_s for column in shown)
    if covered_s < _LEAST_S:
        return {}
    beats = _beats(case.measurements.delineation.r_s, shown, covered_s)
    many = beats.n_rr >= _MIN_RR
    slowest = max(beats.timed_bpm, beats.counted_bpm)
    slow = not beats.few and beats.n_rr > 0 and slowest < EXTREME_SLOW_BPM
    qrs_ms = case.value("qrs_global_ms")
    wide = qrs_ms is not None and qrs_ms >= WIDE_MS
    other = bool(stated & {"AFIB", "PACE"}) or _p_share(case) > MAX_P_SHARE
    holds = {
        "asystole_or_vf": beats.few and _is_read_well(case.record),
        "wide_qrs_tachycardia": many and beats.timed_bpm > FAST_ON_PAGE_BPM and wide and not other,
        "extreme_tachycardia": many and beats.timed_bpm > EXTREME_FAST_BPM,
        "extreme_bradycardia": slow and (case.value("qt_ms") or 0.0) < LONGEST_QT_MS,
    }
    lead = max(case.record.leads, key=lambda name: np.isfinite(case.record.row(name)).sum())
    span = round(shown[0].from_s, 3), round(shown[-1].to_s, 3)
    return {
        code: Seen(status="present", evidence=_rhythm_facts(code, lead, span))
        if met
        else Seen(status="absent")
        for code, met in holds.items()
    }


def _rhythm_facts(code: str, lead: str, span: tuple[float, float]) -> tuple[Evidence, ...]:
    """Say in words what is seen all along the longest tracing."""
    return tuple(
        Evidence(
            lead=lead,
            from_s=span[0],
            to_s=span[1],
            quantity=quantity,
            value=word,
            unit="",
            criterion=criterion,
            source=source,
        )
        for quantity, word, criterion, source in RHYTHM_FACTS[code]
    )


def _is_read_well(record: ECGRecord) -> bool:
    """Tell a page without beats from one whose beats were lost in reading."""
    drawn = [row[np.isfinite(row)] for row in record.signal if np.isfinite(row).any()]
    if float(np.median([row.std() for row in drawn])) < FLAT_MV:
        return True
    if not {"I", "II", "III"} <= set(record.leads):
        return False
    one, two, three = (record.row(lead).astype(np.float64) for lead in ("I", "II", "III"))
    both = np.isfinite(one + two + three)
    if both.sum() < record.fs or not (two[both].std() and (one + three)[both].std()):
        return False
    return float(np.corrcoef(two[both], (one + three)[both])[0, 1]) >= COHERENT


def _st(case: Case, stated: frozenset[str]) -> dict[str, Seen]:
    """Look at ST; nothing where no beat was found, heights are unknown, or the QRS changes ST."""
    if not case.n_beats or not case.record.calibrated or stated & set(CHANGES_ST):
        return {}
    conduction = judge_conduction(case, None, has_p=False)
    if conduction.left_block:
        return {}
    secondary = secondary_changes(
        case, right_block=bool(conduction.right_block), wide=bool(conduction.wide)
    )
    strain = "high voltage may explain it" if EXPLAINS_DEPRESSION in stated else None
    judged = judge_repolarization(case, None, False, strain, "QWAVE" in stated, secondary)
    return {finding.code: _st_seen(case, finding) for finding in judged if finding.code in ST_CODES}


def _st_seen(case: Case, finding: Finding) -> Seen:
    """Tell by how much a criterion is met on the page, and where."""
    limits = _limits_mv(case, finding.code)
    later = "st_j60_mv" if finding.code in RAISED else "st_j80_mv"
    beyond = {}
    for lead, limit in limits.items():
        levels = [case.value(name, lead) for name in ("st_j_mv", later)]
        known = [level for level in levels if level is not None]
        if len(known) == len(levels):
            beyond[lead] = min(math.copysign(1.0, limit) * (level - limit) for level in known)
    pairs = [min(beyond[a], beyond[b]) for a, b in NEIGHBOURS if a in beyond and b in beyond]
    leads = contiguous([lead for lead, excess in beyond.items() if excess >= 0])
    return Seen(
        status=finding.status,
        excess_mv=max(pairs, default=-math.inf),
        evidence=tuple(_fact(case, lead, finding.code) for lead in WALL_LEADS if lead in leads),
    )


def _limits_mv(case: Case, code: str) -> dict[str, float]:
    """Give the limit of each lead; where sex and age decide and are unknown, the stricter one."""
    if code not in RAISED:
        return dict.fromkeys(WALL_LEADS, INJURY_MV if code in INJURY else ST_DEPRESSION_MV)
    middle = case.limits(ST_ELEVATION_V2_V3_MV)[1]
    return {lead: middle if lead in ("V2", "V3") else ST_ELEVATION_MV for lead in WALL_LEADS}


def _fact(case: Case, lead: str, code: str) -> Evidence:
    """Say in words what a lead shows: a number beside it would be taken for its height."""
    from_s, to_s = case.span("st_j_mv", lead)
    up, injury = code in RAISED, code in INJURY
    return Evidence(
        lead=lead,
        from_s=from_s,
        to_s=to_s,
        quantity="ST segment",
        value="raised" if up else "down",
        unit="",
        criterion="beyond the limits of "
        + ("ST elevation" if up else "injury" if injury else "ST depression"),
        source=UDMI,
    )
