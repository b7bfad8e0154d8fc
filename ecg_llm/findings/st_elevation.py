"""ST elevation: whether it is there, whether it looks like an occlusion, and what else explains it.

The elevation is asked for at J and still 60 ms later: a shoulder between S and ST that has fallen
away by then is no elevated segment. Only an elevation with support is called that of an occlusion
(a critical alert): depression in the opposite leads, or sheer size. Without, the ST elevation is
reported and the occlusion is left open, with what is missing.
"""

from __future__ import annotations

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import (
    Check,
    all_of,
    any_of,
    at_least,
    at_least_n,
    at_most,
    below,
    compare,
    judge,
    opposite,
    unknown,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.secondary import NORMAL_QRS, ST_SHARE_OF_S, Secondary, exceeds_s
from ecg_llm.findings.sources import (
    ANTERIOR_FORMULA,
    EARLY_REPOLARIZATION,
    OWN,
    PERICARDITIS,
    ST_OVER_QRS,
    ST_OVER_T,
    ST_WITHOUT_INFARCTION,
    STEMI_GUIDELINE,
    UDMI,
)
from ecg_llm.findings.territories import INFERIOR, WALL_LEADS, leads_where, somewhere

ST_ELEVATION_V2_V3_MV = {
    ("male", False): 0.20,
    ("male", True): 0.25,
    ("female", False): 0.15,
    ("female", True): 0.15,
}
"""By sex and whether younger than 40."""
ST_ELEVATION_MV, ST_DEPRESSION_MV = 0.10, -0.05
LARGE_MV, LARGE_V2_V3_MV = 0.20, 0.30
"""Elevation in two neighbours that needs no other support."""
MOST_IN_PERICARDITIS_MV = 0.50
"""Pericarditis seldom raises ST by more in any lead."""
DEEP_S_MV = 2.0
"""S waves from which ST in V1 to V3 may be raised without a coronary cause."""
ANTERIOR_SCORE = 23.4
_CHEST = ("V1", "V2", "V3", "V4")
_HIGH_LATERAL = ("I", "aVL")


def judge_elevation(
    case: Case, q_waves: bool, strain: bool = False, secondary: Secondary = NORMAL_QRS
) -> tuple[Finding, ...]:
    """Judge ST elevation and what it looks like.

    The record is without left bundle branch block or pacing. ``q_waves``: whether there are
    pathological ones. ``strain``: whether hypertrophy with strain explains ST opposite to the QRS.
    ``secondary``: leads in which an abnormal QRS changes ST.
    """
    signs = {lead: secondary.elevation(lead, _st_elevation(case, lead)) for lead in WALL_LEADS}
    raised = somewhere(signs)
    leads = set(leads_where(signs))
    reciprocal = _reciprocal(case, leads, secondary)
    pericarditis = all_of(raised, _pericarditis(case), opposite(reciprocal), Check(not q_waves))
    early = all_of(
        raised,
        Check(not leads <= {"V1", "V2", "V3"}),
        _concave(case, leads),
        opposite(reciprocal),
        _low_st_over_t(case, leads),
    )
    if raised.holds is None:  # nor are the leads known in which the others would be sought
        pericarditis = early = raised
    if pericarditis.holds:
        early = Check(False, pericarditis.evidence)
    if secondary.reason and early.holds:
        early = unknown(secondary.reason)
    in_chest = Check(bool(leads & {"V2", "V3", "V4"}))
    aneurysm = raised if raised.holds is None else all_of(Check(q_waves), raised, in_chest)
    explained = _explained(case, leads, reciprocal, strain, secondary)
    occlusion = _occlusion(case, raised, leads, reciprocal, explained)
    if raised.holds and (early.holds or pericarditis.holds):
        occlusion = Check(False, (early if early.holds else pericarditis).evidence)
    return (
        judge("STE_", raised),
        judge("stemi", occlusion),
        judge("ANEUR", aneurysm),
        judge("early_repolarization", early),
        judge("pericarditis", pericarditis),
    )


def _st_elevation(case: Case, lead: str) -> Check:
    """ST elevation by the limits of sex and age, at J and still at J+60 ms."""
    if lead not in ("V2", "V3"):
        return _raised(case, lead, ST_ELEVATION_MV)
    low, high = case.limits(ST_ELEVATION_V2_V3_MV)
    certain, possible = _raised(case, lead, high), _raised(case, lead, low)
    if possible.holds and certain.holds is False:
        height = case.value("st_j_mv", lead) or 0.0
        return unknown(f"ST in {lead} {height:.2f} mV: the limit depends on sex and age, not given")
    return certain


def _raised(case: Case, lead: str, limit: float) -> Check:
    """Elevated at J and at J+60 ms."""
    return all_of(
        at_least(case, "st_j_mv", limit, UDMI, lead),
        at_least(case, "st_j60_mv", limit, UDMI, lead),
    )


def _occlusion(
    case: Case, raised: Check, leads: set[str], reciprocal: Check, explained: str | None
) -> Check:
    """ST elevation of an occlusion: with support, and nothing that explains it otherwise."""
    if raised.holds is not True:
        return raised
    if explained is not None:
        return unknown(explained)
    large = _large(case, leads)
    support = any_of(reciprocal, large)
    if support.holds and (case.adult or large.holds):
        return all_of(raised, support)
    if not case.adult:
        return unknown("ST is elevated, but the limits are those of adults")
    shown = ", ".join(lead for lead in WALL_LEADS if lead in leads)
    return unknown(
        f"ST is elevated in {shown}, but below {LARGE_MV:g} mV ({LARGE_V2_V3_MV:g} mV in V2 and "
        "V3) and without depression in the opposite leads: early repolarization, pericarditis or "
        "a normal variant may look the same; repeat the ECG if there is pain"
    )


def _large(case: Case, leads: set[str]) -> Check:
    """An elevation in two neighbours so large that it needs no other support."""
    signs = {
        lead: at_least(
            case,
            "st_j60_mv",
            LARGE_V2_V3_MV if lead in ("V2", "V3") else LARGE_MV,
            OWN,
            lead,
        )
        for lead in WALL_LEADS
        if lead in leads
    }
    return somewhere(signs) if signs else Check(False)


def _reciprocal(case: Case, leads: set[str], secondary: Secondary) -> Check:
    """ST depression opposite to the elevation."""
    opposed: tuple[str, ...] = ()
    if leads & set(INFERIOR):
        opposed += (*_HIGH_LATERAL, "V1", "V2", "V3")
    if leads & {"I", "aVL", "V2", "V3", "V4", "V5", "V6"}:
        opposed += INFERIOR
    if leads & {"I", "aVL", "V5", "V6"}:
        opposed += ("V1",)
    elif leads & {"V1", "V2"}:
        opposed += ("V5", "V6")
    checks = [
        all_of(
            at_most(case, "st_j_mv", ST_DEPRESSION_MV, STEMI_GUIDELINE, lead),
            at_most(case, "st_j60_mv", ST_DEPRESSION_MV, STEMI_GUIDELINE, lead),
        )
        for lead in secondary.judged(dict.fromkeys(opposed))
        if lead not in leads and case.value("st_j60_mv", lead) is not None
    ]
    return any_of(*checks) if checks else Check(False)


def _explained(
    case: Case, leads: set[str], reciprocal: Check, strain: bool, secondary: Secondary
) -> str | None:
    """Say what speaks against an occlusion, if something does."""
    deep = [
        lead
        for lead in ("V1", "V2", "V3")
        if lead in leads and (strain or -(case.value("qrs_min_mv", lead) or 0.0) >= DEEP_S_MV)
    ]
    if leads <= {"V1", "V2", "V3"} and any(not exceeds_s(case, lead).holds for lead in deep):
        raised = " to ".join(dict.fromkeys((min(leads), max(leads))))
        return (
            f"the ST elevation in {raised} may be secondary to the deep S waves: it is less than "
            f"{100 * ST_SHARE_OF_S:g} % of them ({ST_OVER_QRS})"
        )
    chest_only = leads <= {*_CHEST, "V5", "V6"} and bool(leads & {"V2", "V3", "V4"})
    chest_only = chest_only and secondary.reason is None  # the score was derived without block
    if chest_only and not reciprocal.holds and _concave(case, leads).holds:
        score = anterior_score(case)
        if score is not None and score <= ANTERIOR_SCORE:
            return (
                f"the anterior ST elevation looks like early repolarization: score {score:.1f}, "
                f"an occlusion has more than {ANTERIOR_SCORE:g} ({ANTERIOR_FORMULA})"
            )
    return None


def anterior_score(case: Case) -> float | None:
    """Score an anterior ST elevation: occlusion against early repolarization.

    Above 23.4 for an occlusion; None if a part could not be measured, or if ST is so high, or T so
    low, that early repolarization was not in question where the score was derived.

    References
    ----------
    .. [1] Smith SW et al. Ann Emerg Med 2012;60:45-56.
    """
    st, qtc = case.value("st_j60_mv", "V3"), case.value("qtc_bazett_ms")
    r = case.value("qrs_max_mv", "V4")
    if st is None or qtc is None or r is None or st >= 0.5:
        return None
    return 1.196 * 10 * st + 0.059 * qtc - 0.326 * 10 * r


def _concave(case: Case, leads: set[str]) -> Check:
    """ST rises towards a tall upright T in the raised leads."""
    chosen = sorted(leads) or ["V5"]
    return at_least_n(
        max(len(chosen) - 1, 1),
        *(
            all_of(
                at_least(case, "st_slope_mv_s", 0.0, EARLY_REPOLARIZATION, lead),
                at_least(case, "t_mv", 0.2, EARLY_REPOLARIZATION, lead),
            )
            for lead in chosen
        ),
    )


def _low_st_over_t(case: Case, leads: set[str]) -> Check:
    """ST is below a quarter of T in one of V4 to V6, and in all raised leads but V1 to V3."""
    ratios = {
        lead: below(case, "st_j_mv", 0.25 * height, ST_OVER_T, lead)
        for lead in WALL_LEADS
        if (height := case.value("t_mv", lead)) is not None and height > 0.1
    }
    lateral = [ratios[lead] for lead in ("V6", "V5", "V4") if lead in ratios]
    if not lateral:
        return unknown("no upright T in V4 to V6")
    beyond = leads - {"V1", "V2", "V3"}
    return all_of(any_of(*lateral), *(ratios.get(lead, Check(False)) for lead in sorted(beyond)))


def _pericarditis(case: Case) -> Check:
    """ST elevation in most leads, never large; depression in aVR; ST a quarter of T in V6."""
    raised = at_least_n(
        6,
        *(
            at_least(case, "st_j60_mv", 0.05, PERICARDITIS, lead)
            for lead in ("I", "II", "aVF", "V2", "V3", "V4", "V5", "V6")
        ),
    )
    t_height = case.value("t_mv", "V6") or 0.0
    ratio = compare(
        case, "st_j_mv", lambda v: v >= 0.25 * t_height, "≥ a quarter of T", ST_OVER_T, "V6"
    )
    moderate = [
        below(case, "st_j60_mv", MOST_IN_PERICARDITIS_MV, ST_WITHOUT_INFARCTION, lead)
        for lead in WALL_LEADS
        if case.value("st_j60_mv", lead) is not None
    ]
    lowered = at_most(case, "st_j60_mv", -0.03, PERICARDITIS, "aVR")
    return all_of(raised, ratio, lowered, *moderate)
