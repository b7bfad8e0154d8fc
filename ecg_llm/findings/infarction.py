"""Pathological Q waves by wall, and the loss of R waves in the chest leads."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import (
    Check,
    all_of,
    any_of,
    at_least,
    at_most,
    compare,
    judge,
    left_open,
    opposite,
    outweighs,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import R_PROGRESSION, SELVESTER, UDMI
from ecg_llm.findings.territories import INFERIOR, contiguous, somewhere, wall

BY_WALL = {
    "inferior": "IMI",
    "inferolateral": "ILMI",
    "lateral": "LMI",
    "anterolateral": "ALMI",
    "anterior": "AMI",
    "anteroseptal": "ASMI",
}
_Q_LEADS = ("I", "II", "III", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
QS = "QS complex"
TRACE_MV, LATE_R_MV, QS_MV = 0.05, 0.15, -0.1
"""Height of an R wave that makes no rS of a QS, of an R' behind it in V1 to V4, and of its S."""
CODES = ("QWAVE", *BY_WALL.values(), "PMI", "IPMI", "IPLMI", "poor_r_progression")


def judge_infarction(case: Case, gate: str | None) -> tuple[Finding, ...]:
    """Judge pathological Q waves and poor R progression.

    ``gate``: why Q waves cannot be judged (left bundle branch block, pacing, pre-excitation …).
    """
    if gate:
        return left_open(CODES, gate)
    signs = {lead: _pathological_q(case, lead) for lead in _Q_LEADS}
    with_q = contiguous([lead for lead, check in signs.items() if check.holds])
    lost = {lead: _lost_r(case, lead) for lead in ("V2", "V3")}
    with_loss = {lead: check for lead, check in lost.items() if check.holds}
    shown = tuple(item for lead in with_q for item in signs[lead].evidence)
    shown += tuple(item for check in with_loss.values() for item in check.evidence)
    walls = _walls(with_q, bool(with_loss))
    no_q = _absent(signs)
    elsewhere = Check(False, no_q.evidence) if walls else no_q
    posterior = _posterior(case)
    findings = [judge("QWAVE", Check(True, shown) if with_q else no_q)]
    behind = posterior.holds is True

    def there(name: str) -> Check:
        if name not in walls:
            return elsewhere
        return Check(True, tuple(item for item in shown if item.lead in walls[name]))

    for name, code in BY_WALL.items():
        taken = behind and name in ("inferior", "inferolateral")
        findings.append(judge(code, elsewhere if taken else there(name)))
    both = {"IPMI": "inferior", "IPLMI": "inferolateral"}
    for code, name in both.items():
        findings.append(judge(code, all_of(posterior, there(name))))
    joined = not walls.keys().isdisjoint(both.values())
    alone = all_of(posterior, Check(False) if joined else opposite(elsewhere))
    findings.append(judge("PMI", alone))
    findings.append(judge("poor_r_progression", _poor_progression(case, walls)))
    return tuple(findings)


def _walls(with_q: Sequence[str], lost_r: bool) -> dict[str, tuple[str, ...]]:
    """Name the infarcted walls, each with its leads: one below, and one in front or at the side."""
    below = tuple(lead for lead in with_q if lead in INFERIOR)
    front = tuple(lead for lead in with_q if lead not in INFERIOR)
    if lost_r and not {"V1", "V2", "V3", "V4"} & set(front):
        front += ("V2", "V3")
    if wall(below) and wall(front) == "lateral":
        return {"inferolateral": below + front}
    named = {wall(leads): leads for leads in (below, front)}
    return {name: leads for name, leads in named.items() if name}


def _absent(signs: dict[str, Check]) -> Check:
    """Not found; unknown where leads that could not be judged might make a pair."""
    found = somewhere(signs)
    if found.holds is None:
        return found
    lead = next((lead for lead, check in signs.items() if check.holds is False), None)
    return Check(False, signs[lead].evidence[:1] if lead else ())


def _lost_r(case: Case, lead: str) -> Check:
    """A Q wave or hardly any R where R should grow: V2 or V3.

    A small R in V3 counts only if it is no larger than in V2; else it is poor progression.
    """
    limit = {"V2": 0.05, "V3": 0.2}[lead]
    small = at_most(case, "qrs_max_mv", limit, SELVESTER, lead)
    if lead == "V3":
        before = case.value("qrs_max_mv", "V2") or 0.0
        falls = compare(
            case,
            "qrs_max_mv",
            lambda v: v <= before,
            f"no larger than in V2 ({before:.2f} mV)",
            R_PROGRESSION,
            lead,
        )
        small = all_of(small, falls)
    return any_of(_pathological_q(case, lead), small)


def qs_complex(lead: str, r_mv: float, highest_mv: float, lowest_mv: float) -> bool:
    """Tell whether a QRS goes only down, but for a trace of R, or in V1 to V4 a small R'.

    ``r_mv`` (mV): height of the R wave, 0 if there is none. ``highest_mv``, ``lowest_mv`` (mV): of
    the whole QRS.
    """
    late = LATE_R_MV if lead in ("V1", "V2", "V3", "V4") else TRACE_MV
    return r_mv < TRACE_MV and highest_mv < late and lowest_mv < QS_MV


def _pathological_q(case: Case, lead: str) -> Check:
    """A pathological Q wave or QS complex in one lead."""
    first, lowest = case.value("r_mv", lead), case.value("qrs_min_mv", lead)
    is_qs = compare(
        case,
        "qrs_max_mv",
        lambda v: qs_complex(lead, first or 0.0, v, lowest or 0.0),
        QS if (case.value("qrs_max_mv", lead) or 0.0) < TRACE_MV else f"{QS}, R′ behind it",
        UDMI,
        lead,
    )
    if lead == "V1":
        return is_qs
    if lead in ("V2", "V3"):
        initial = all_of(
            at_least(case, "q_ms", 20, UDMI, lead), at_most(case, "q_mv", -0.05, UDMI, lead)
        )
        return any_of(initial, is_qs)
    deep = outweighs(case, "q_mv", "qrs_max_mv", UDMI, lead, factor=0.2)
    wide = all_of(
        at_least(case, "q_ms", 30, UDMI, lead), at_most(case, "q_mv", -0.1, UDMI, lead), deep
    )
    return any_of(wide, is_qs)


def _posterior(case: Case) -> Check:
    """A tall wide R with an upright T in V1 and V2."""
    leads = ("V1", "V2")
    return all_of(
        *(at_least(case, "r_ms", 40, UDMI, lead) for lead in leads),
        *(
            all_of(
                outweighs(case, "qrs_max_mv", "qrs_min_mv", UDMI, lead),
                at_least(case, "qrs_max_mv", 0.3, UDMI, lead),
            )
            for lead in leads
        ),
        *(at_least(case, "t_mv", 0.05, UDMI, lead) for lead in leads),
        compare(case, "qrs_axis_deg", lambda v: -90 <= v <= 100, "no right axis", UDMI),
    )


def _poor_progression(case: Case, walls: Collection[str]) -> Check:
    """R in V3 of at most 0.3 mV, with no infarction that explains it."""
    small = all_of(
        at_most(case, "qrs_max_mv", 0.3, R_PROGRESSION, "V3"),
        compare(
            case,
            "qrs_max_mv",
            lambda v: v <= 1.0,
            "at most 1 mV",
            R_PROGRESSION,
            "V4",
        ),
    )
    explained = Check(any(name in walls for name in ("anteroseptal", "anterior", "anterolateral")))
    return all_of(small, opposite(explained))
