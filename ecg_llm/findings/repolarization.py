"""ST segment and T wave: deviations, walls, and the patterns that name a cause."""

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
    outweighs,
    unknown,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import (
    BRUGADA,
    EARLY_REPOLARIZATION,
    PERICARDITIS,
    POTASSIUM,
    REPOLARIZATION,
    SGARBOSSA,
    ST_OVER_T,
    TEXTBOOK,
    UDMI,
)
from ecg_llm.findings.territories import contiguous, wall
from ecg_llm.leads import PRECORDIAL_LEADS, STANDARD_12

ST_ELEVATION_V2_V3_MV = {
    ("male", False): 0.20,
    ("male", True): 0.25,
    ("female", False): 0.15,
    ("female", True): 0.15,
}
"""By sex and whether younger than 40."""
ST_ELEVATION_MV, ST_DEPRESSION_MV, INJURY_MV, T_INVERSION_MV = 0.10, -0.05, -0.10, -0.10
_WALL_LEADS = tuple(lead for lead in STANDARD_12 if lead != "aVR")
_ISCHEMIC = {
    "anteroseptal": "ISCAS",
    "anterior": "ISCAN",
    "anterolateral": "ISCAL",
    "lateral": "ISCLA",
    "inferior": "ISCIN",
    "inferolateral": "ISCIL",
}
_INJURY = {
    "anteroseptal": "INJAS",
    "anterior": "INJAS",
    "anterolateral": "INJAL",
    "lateral": "INJLA",
    "inferior": "INJIN",
    "inferolateral": "INJIL",
}
CODES = (
    "STE_",
    "stemi",
    "STD_",
    *dict.fromkeys(_INJURY.values()),
    "ISC_",
    *_ISCHEMIC.values(),
    "INVT",
    "LOWT",
    "NDT",
    "NST_",
    "ANEUR",
    "early_repolarization",
    "pericarditis",
    "brugada_1",
    "tall_t",
    "DIG",
)


def judge_repolarization(
    case: Case, gate: str | None, left_block: bool | None, secondary: str | None, q_waves: bool
) -> tuple[Finding, ...]:
    """Judge ST segments and T waves.

    Parameters
    ----------
    case : Case
        The measured record.
    gate : str or None
        Why primary changes cannot be told from secondary ones (pacing, bundle branch block …).
    left_block : bool or None
        Whether there is complete left bundle branch block: then Sgarbossa's criteria apply.
    secondary : str or None
        What explains ST-T changes opposite to the QRS (hypertrophy with strain).
    q_waves : bool
        Whether there are pathological Q waves.

    Returns
    -------
    tuple of Finding
    """
    sgarbossa = _sgarbossa(case) if left_block else Check(False)
    if left_block is None:
        sgarbossa = unknown(gate or "the ventricular conduction could not be judged")
    first = (judge("sgarbossa", sgarbossa),)
    if gate:
        return first + tuple(judge(code, unknown(gate)) for code in CODES)
    return first + _elevation(case, q_waves) + _depression(case, secondary) + _patterns(case)


def _leads_where(checks: dict[str, Check]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the contiguous leads in which a sign holds, and those in which it is unknown."""
    holding = contiguous([lead for lead, check in checks.items() if check.holds])
    return holding, tuple(lead for lead, check in checks.items() if check.holds is None)


def _somewhere(checks: dict[str, Check]) -> Check:
    """Hold if the sign is in two contiguous leads."""
    holding, open_ = _leads_where(checks)
    if holding:
        return Check(True, tuple(item for lead in holding for item in checks[lead].evidence))
    possible = contiguous([*open_, *(lead for lead, check in checks.items() if check.holds)])
    if possible:
        reason = next(checks[lead].reason for lead in possible if checks[lead].holds is None)
        return unknown(reason or "too few leads could be read")
    first = next(iter(checks.values()))
    return Check(False, first.evidence)


def _st_elevation(case: Case, lead: str) -> Check:
    """ST elevation at J by the limits of sex and age."""
    if lead not in ("V2", "V3"):
        return at_least(case, "st_j_mv", ST_ELEVATION_MV, UDMI, lead)
    low, high = case.limits(ST_ELEVATION_V2_V3_MV)
    height = case.value("st_j_mv", lead)
    if height is not None and low <= height < high:
        return unknown(f"ST in {lead} {height:.2f} mV: the limit depends on sex and age, not given")
    return at_least(case, "st_j_mv", high, UDMI, lead)


def _elevation(case: Case, q_waves: bool) -> tuple[Finding, ...]:
    """ST elevation, and what it looks like."""
    signs = {lead: _st_elevation(case, lead) for lead in _WALL_LEADS}
    raised = _somewhere(signs)
    leads = set(_leads_where(signs)[0])
    depressed = any_of(
        *(
            at_most(case, "st_j60_mv", ST_DEPRESSION_MV, UDMI, lead)
            for lead in ("I", "aVL", "III", "aVF", "V1", "V2")
            if lead not in leads
        )
    )
    concave = _concave(case, leads)
    early = all_of(raised, concave, opposite(depressed), _low_st_over_t(case, leads))
    pericarditis = _pericarditis(case)
    if pericarditis.holds:
        early = Check(False, pericarditis.evidence)
    # ST elevation over a deep S in V1-V3 is secondary to the depolarization.
    deep_s = leads <= {"V1", "V2", "V3"} and any(
        abs(case.value("qrs_min_mv", lead) or 0.0) >= 2.0 for lead in leads
    )
    stemi = all_of(raised, opposite(early), opposite(pericarditis))
    if deep_s and stemi.holds:
        stemi = unknown("the ST elevation in V1 to V3 may be secondary to the deep S waves")
    aneurysm = all_of(Check(q_waves), raised, Check(bool(leads & {"V2", "V3", "V4"})))
    return (
        judge("STE_", raised),
        judge("stemi", stemi),
        judge("ANEUR", aneurysm),
        judge("early_repolarization", early),
        judge("pericarditis", pericarditis),
    )


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
    """The ratio of ST to T is small in V6, or V5."""
    ratios = []
    for lead in ("V6", "V5", "V4"):
        t_height = case.value("t_mv", lead)
        if t_height is not None and t_height > 0.1:
            ratios.append(below(case, "st_j_mv", 0.25 * t_height, ST_OVER_T, lead))
    return any_of(*ratios) if ratios else unknown("no upright T in V4 to V6")


def _pericarditis(case: Case) -> Check:
    """ST elevation in most leads, depression in aVR, ST a quarter of T or more in V6."""
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
    return all_of(raised, ratio, at_most(case, "st_j60_mv", -0.03, PERICARDITIS, "aVR"))


def _depression(case: Case, secondary: str | None) -> tuple[Finding, ...]:
    """ST depression and T inversion, by wall."""
    down = {lead: _st_depression(case, lead, ST_DEPRESSION_MV) for lead in _WALL_LEADS}
    injury = {lead: _st_depression(case, lead, INJURY_MV) for lead in _WALL_LEADS}
    inverted = {lead: _t_inversion(case, lead) for lead in _WALL_LEADS if lead != "V1"}
    depressed, t_inverted = _somewhere(down), _somewhere(inverted)
    findings = [judge("STD_", depressed), judge("INVT", t_inverted)]

    where_injured = wall(_leads_where(injury)[0])
    injured = _somewhere(injury)
    ischemic = {lead: any_of(down[lead], inverted[lead]) for lead in inverted}
    where = wall(_leads_where(ischemic)[0])
    changed = _somewhere(ischemic)
    if secondary:
        injured = changed = unknown(secondary)
        where = where_injured = None
    codes = dict.fromkeys(_INJURY.values())
    for code in codes:
        here = where_injured is not None and _INJURY[where_injured] == code
        findings.append(judge(code, injured if here or injured.holds is None else _no(injured)))
    findings.append(judge("ISC_", changed))
    for name, code in _ISCHEMIC.items():
        same = where == name or changed.holds is None
        findings.append(judge(code, changed if same else _no(changed)))
    low = _low_t(case)
    flat = _flat_t(case)
    findings.append(judge("LOWT", low))
    findings.append(judge("NDT", all_of(any_of(low, flat), opposite(t_inverted))))
    minor = all_of(_minor_st(case), opposite(injured) if injured.holds is not None else injured)
    findings.append(judge("NST_", any_of(minor, all_of(depressed, opposite(t_inverted)))))
    findings.append(judge("DIG", _digitalis(case)))
    return tuple(findings)


def _no(check: Check) -> Check:
    """The sign is not on this wall."""
    return Check(False, check.evidence if check.holds is False else ())


def _st_depression(case: Case, lead: str, limit: float) -> Check:
    """Horizontal or downsloping ST depression in one lead."""
    return all_of(
        at_most(case, "st_j_mv", limit, UDMI, lead),
        at_most(case, "st_j80_mv", limit, UDMI, lead),
    )


def _t_inversion(case: Case, lead: str) -> Check:
    """T inversion against an upright QRS, or in V2 to V4."""
    inverted = at_most(case, "t_mv", T_INVERSION_MV, UDMI, lead)
    if lead in ("V2", "V3", "V4"):
        return inverted
    upright = outweighs(case, "qrs_max_mv", "qrs_min_mv", UDMI, lead)
    return all_of(inverted, upright)


def _low_t(case: Case) -> Check:
    """T below a tenth of R in at least two lateral or inferior leads."""
    return at_least_n(
        2,
        *(
            all_of(
                compare(case, "t_mv", lambda v: 0 <= v < 0.1, "0 to 0.1 mV", REPOLARIZATION, lead),
                at_least(case, "qrs_max_mv", 0.3, REPOLARIZATION, lead),
                outweighs(case, "qrs_max_mv", "t_mv", REPOLARIZATION, lead, factor=10),
            )
            for lead in ("I", "II", "V4", "V5", "V6")
        ),
    )


def _flat_t(case: Case) -> Check:
    """T flat or slightly inverted in at least two leads that show it upright in health."""
    return at_least_n(
        2,
        *(
            all_of(
                compare(case, "t_mv", lambda v: v < 0.05, "< 0.05 mV", REPOLARIZATION, lead),
                at_least(case, "qrs_max_mv", 0.3, REPOLARIZATION, lead),
            )
            for lead in ("I", "II", "V3", "V4", "V5", "V6")
        ),
    )


def _minor_st(case: Case) -> Check:
    """Slight ST depression, short of the limit for ischaemia."""
    return at_least_n(
        2,
        *(
            compare(
                case,
                "st_j80_mv",
                lambda v: -0.05 < v <= -0.03,
                "between -0.03 and -0.05 mV",
                REPOLARIZATION,
                lead,
            )
            for lead in ("I", "II", "V3", "V4", "V5", "V6")
        ),
    )


def _digitalis(case: Case) -> Check:
    """A sagging ST with a short QT and a low T over tall R waves."""
    return all_of(
        at_least_n(
            2,
            *(
                all_of(
                    at_most(case, "st_j80_mv", -0.05, TEXTBOOK, lead),
                    compare(
                        case,
                        "t_pos_mv",
                        lambda v: v < 0.25,
                        "< 0.25 mV",
                        TEXTBOOK,
                        lead,
                    ),
                    at_least(case, "qrs_max_mv", 0.5, TEXTBOOK, lead),
                )
                for lead in ("I", "II", "V4", "V5", "V6")
            ),
        ),
        below(case, "qtc_fridericia_ms", 410, TEXTBOOK),
    )


def _patterns(case: Case) -> tuple[Finding, ...]:
    """Brugada type 1 and tall T waves."""
    coved = [
        all_of(
            at_least(case, "st_j_mv", 0.2, BRUGADA, lead),
            compare(case, "st_slope_mv_s", lambda v: v < 0, "falling", BRUGADA, lead),
            at_most(case, "t_neg_mv", -0.05, BRUGADA, lead),
        )
        for lead in ("V1", "V2")
    ]
    tall = at_least_n(
        3,
        *(
            all_of(
                at_least(case, "t_mv", 1.0, POTASSIUM, lead),
                outweighs(case, "t_mv", "qrs_max_mv", POTASSIUM, lead, factor=0.75),
            )
            for lead in PRECORDIAL_LEADS
        ),
        *(at_least(case, "t_mv", 0.8, POTASSIUM, lead) for lead in ("I", "II", "III", "aVF")),
    )
    return judge("brugada_1", any_of(*coved)), judge("tall_t", tall)


def _sgarbossa(case: Case) -> Check:
    """Three points or more: concordant elevation 5, concordant depression in V1 to V3 3."""
    concordant = [
        all_of(
            at_least(case, "st_j_mv", 0.1, SGARBOSSA, lead),
            compare(
                case,
                "qrs_area_mv_ms",
                lambda v: v > 0,
                "QRS mainly upward",
                SGARBOSSA,
                lead,
            ),
        )
        for lead in _WALL_LEADS
    ]
    depressed = [
        all_of(
            at_most(case, "st_j_mv", -0.1, SGARBOSSA, lead),
            compare(case, "qrs_area_mv_ms", lambda v: v < 0, "QRS mainly down", SGARBOSSA, lead),
        )
        for lead in ("V1", "V2", "V3")
    ]
    return any_of(*concordant, *depressed)
