"""ST depression and T waves: by wall, and the patterns that name a cause."""

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
    left_open,
    opposite,
    outweighs,
    unknown,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.secondary import NORMAL_QRS, Secondary
from ecg_llm.findings.sources import (
    BRUGADA,
    DE_WINTER,
    ISCHAEMIA,
    OWN,
    POTASSIUM,
    REPOLARIZATION,
    SGARBOSSA,
    SGARBOSSA_SMITH,
    TEXTBOOK,
    UDMI,
)
from ecg_llm.findings.st_elevation import judge_elevation
from ecg_llm.findings.territories import ANTERIOR, WALL_LEADS, leads_where, somewhere, wall
from ecg_llm.leads import PRECORDIAL_LEADS

ST_DEPRESSION_MV, INJURY_MV, T_INVERSION_MV = -0.05, -0.10, -0.10
DEEP_T_MV = -0.50
"""T inversion in V2 to V4 that goes with a tight stenosis of the anterior descending artery."""
UPRIGHT_T_MV = 0.10
EXCESS_SHARE = 0.25
"""Share of S beyond which an ST elevation is more than a left bundle branch block makes it."""
TALL_T_MV, TALL_T_SHARE = 0.50, 0.50
"""Height of T, and its share of R, from which a T wave behind a rising ST counts as tall."""
RATHER_TALL_T_MV = 0.70
"""So high, and half as high as R, was T in three leads of V2 to V5 of 5 of 623 normal ECGs of
PTB-XL's folds 1 to 8, and of 12 of 28 with a simulated hyperkalaemia that passed for normal."""
RATHER_TALL_T = (
    "T waves are tall beside R in V2 to V5, as with much potassium, early in an occlusion, or as a "
    "normal variant"
)
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
BY_DEPRESSION = (*dict.fromkeys(_INJURY.values()), "ISC_", *_ISCHEMIC.values())
"""Conclusions from ST depression and T inversion."""
CODES = (
    "STE_",
    "stemi",
    "de_winter",
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
    case: Case,
    gate: str | None,
    left_block: bool | None,
    explained: str | None,
    q_waves: bool,
    secondary: Secondary = NORMAL_QRS,
) -> tuple[Finding, ...]:
    """Judge ST segments and T waves.

    ``gate``: why primary changes cannot be told from secondary ones in any lead (pacing, left
    bundle branch block …). ``left_block``: whether there is complete left bundle branch block: then
    Sgarbossa's criteria apply. ``explained``: what may explain ST-T changes opposite to the QRS
    (hypertrophy with strain). ``q_waves``: whether there are pathological Q waves. ``secondary``:
    leads in which an abnormal QRS changes ST and T.
    """
    sgarbossa = _sgarbossa(case) if left_block else Check(False)
    if left_block is None:
        sgarbossa = unknown(gate or "the ventricular conduction could not be judged")
    first = (judge("sgarbossa", sgarbossa),)
    if gate:
        return first + left_open(CODES, gate)
    elevation = judge_elevation(case, q_waves, explained is not None, secondary)
    raised = any(f.code == "STE_" and f.status == "present" for f in elevation)
    return (
        *first,
        *elevation,
        *_depression(case, explained, secondary),
        *_patterns(case, secondary),
        judge("de_winter", _de_winter(case, secondary, raised)),
    )


def _depression(case: Case, explained: str | None, secondary: Secondary) -> tuple[Finding, ...]:
    """ST depression and T inversion, by wall."""
    down = {lead: _st_depression(case, lead, ST_DEPRESSION_MV, UDMI) for lead in WALL_LEADS}
    injury = {lead: _st_depression(case, lead, INJURY_MV, ISCHAEMIA) for lead in WALL_LEADS}
    injury |= _opposite_posterior(case, down)
    inverted = {lead: _t_inversion(case, lead) for lead in WALL_LEADS if lead != "V1"}
    for sign in (down, injury, inverted):
        sign |= {lead: secondary.depression(lead, check) for lead, check in sign.items()}
    depressed, t_inverted = somewhere(down), somewhere(inverted)
    findings = [judge("STD_", depressed), judge("INVT", t_inverted)]

    where_injured = wall(leads_where(injury))
    injured = somewhere(injury)
    ischemic = {lead: any_of(down[lead], inverted[lead]) for lead in inverted}
    where = wall(leads_where(ischemic))
    changed = somewhere(ischemic)
    if explained:
        injured = changed = unknown(explained)
        where = where_injured = None
    codes = dict.fromkeys(_INJURY.values())
    for code in codes:
        here = where_injured is not None and _INJURY[where_injured] == code
        findings.append(judge(code, injured if here or injured.holds is None else _no(injured)))
    findings.append(judge("ISC_", changed))
    deep = somewhere({lead: _deep_t(case, lead) for lead in ANTERIOR})
    for name, code in _ISCHEMIC.items():
        same = where == name or changed.holds is None
        check = changed if same else _no(changed)
        if where == name and deep.holds:
            findings.append(judge(code, deep, "urgent"))
        else:
            findings.append(judge(code, check))
    if secondary.small:
        return (*findings, *left_open(("LOWT", "NDT", "NST_", "DIG"), secondary.reason or ""))
    low, flat = _low_t(case, secondary), _flat_t(case, secondary)
    findings.append(judge("LOWT", low))
    findings.append(judge("NDT", all_of(any_of(low, flat), opposite(t_inverted))))
    minor = _minor_st(case, secondary)
    minor = all_of(minor, opposite(injured) if injured.holds is not None else injured)
    findings.append(judge("NST_", any_of(minor, all_of(depressed, opposite(t_inverted)))))
    findings.append(judge("DIG", _digitalis(case)))
    return tuple(findings)


def _no(check: Check) -> Check:
    """The sign is not on this wall."""
    return Check(False, check.evidence if check.holds is False else ())


def _st_depression(case: Case, lead: str, limit: float, source: str) -> Check:
    """Horizontal or downsloping ST depression in one lead."""
    return all_of(
        at_most(case, "st_j_mv", limit, source, lead),
        at_most(case, "st_j80_mv", limit, source, lead),
    )


def _opposite_posterior(case: Case, down: dict[str, Check]) -> dict[str, Check]:
    """Depression in V1 to V3 before an upright T and not in V5, V6: elevation seen from behind."""
    if any(down[lead].holds for lead in ("V5", "V6")):
        return {}
    signs = {
        lead: all_of(down[lead], at_least(case, "t_mv", UPRIGHT_T_MV, UDMI, lead))
        for lead in ("V1", "V2", "V3")
    }
    return {lead: signs[lead] for lead in leads_where(signs)}


def _deep_t(case: Case, lead: str) -> Check:
    """A T inversion so deep that it is urgent."""
    return at_most(case, "t_mv", DEEP_T_MV, ISCHAEMIA, lead)


def _t_inversion(case: Case, lead: str) -> Check:
    """T inversion against an upright QRS, or in V2 to V4."""
    inverted = at_most(case, "t_mv", T_INVERSION_MV, UDMI, lead)
    if lead in ("V2", "V3", "V4"):
        return inverted
    upright = outweighs(case, "qrs_max_mv", "qrs_min_mv", UDMI, lead)
    return all_of(inverted, upright)


def _low_t(case: Case, secondary: Secondary) -> Check:
    """T below a tenth of R in at least two lateral or inferior leads."""
    return at_least_n(
        2,
        *(
            all_of(
                compare(case, "t_mv", lambda v: 0 <= v < 0.1, "0 to 0.1 mV", REPOLARIZATION, lead),
                at_least(case, "qrs_max_mv", 0.3, REPOLARIZATION, lead),
                outweighs(case, "qrs_max_mv", "t_mv", REPOLARIZATION, lead, factor=10),
            )
            for lead in secondary.judged(("I", "II", "V4", "V5", "V6"))
        ),
    )


def _flat_t(case: Case, secondary: Secondary) -> Check:
    """T flat or slightly inverted in at least two leads that show it upright in health."""
    return at_least_n(
        2,
        *(
            all_of(
                compare(case, "t_mv", lambda v: v < 0.05, "< 0.05 mV", REPOLARIZATION, lead),
                at_least(case, "qrs_max_mv", 0.3, REPOLARIZATION, lead),
            )
            for lead in secondary.judged(("I", "II", "V3", "V4", "V5", "V6"))
        ),
    )


def _minor_st(case: Case, secondary: Secondary) -> Check:
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
            for lead in secondary.judged(("I", "II", "V3", "V4", "V5", "V6"))
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


def _patterns(case: Case, secondary: Secondary) -> tuple[Finding, ...]:
    """Brugada type 1 and tall T waves."""
    coved = [
        secondary.elevation(
            lead,
            all_of(
                at_least(case, "st_j_mv", 0.2, BRUGADA, lead),
                compare(case, "st_slope_mv_s", lambda v: v < 0, "falling", BRUGADA, lead),
                at_most(case, "t_mv", -0.05, BRUGADA, lead),
            ),
        )
        for lead in ("V1", "V2")
    ]
    tall = at_least_n(
        3,
        *(_tall_t(case, lead, 1.0, 0.75, POTASSIUM) for lead in PRECORDIAL_LEADS),
        *(at_least(case, "t_mv", 0.8, POTASSIUM, lead) for lead in ("I", "II", "III", "aVF")),
    )
    rather = at_least_n(
        3,
        *(
            _tall_t(case, lead, RATHER_TALL_T_MV, TALL_T_SHARE, OWN)
            for lead in PRECORDIAL_LEADS[1:5]
        ),
    )
    if tall.holds is False and rather.holds:
        tall = unknown(RATHER_TALL_T)
    return judge("brugada_1", any_of(*coved)), judge("tall_t", tall)


def _de_winter(case: Case, secondary: Secondary, raised: bool) -> Check:
    """ST of two chest leads that rises from below into tall T waves, and is raised nowhere."""
    found = somewhere({lead: _rising_to_tall_t(case, lead) for lead in PRECORDIAL_LEADS})
    if found.holds and secondary.reason:
        return unknown(secondary.reason)
    return all_of(found, Check(not raised))


def _rising_to_tall_t(case: Case, lead: str) -> Check:
    """ST depressed at J that rises into a tall T wave."""
    return all_of(
        at_most(case, "st_j_mv", INJURY_MV, DE_WINTER, lead),
        compare(case, "st_slope_mv_s", lambda v: v > 0, "rising", DE_WINTER, lead),
        _tall_t(case, lead, TALL_T_MV, TALL_T_SHARE, OWN),
    )


def _tall_t(case: Case, lead: str, mv: float, share_of_r: float, source: str) -> Check:
    """T of some height, and higher than some share of R."""
    return all_of(
        at_least(case, "t_mv", mv, source, lead),
        outweighs(case, "t_mv", "qrs_max_mv", source, lead, factor=share_of_r),
    )


def _sgarbossa(case: Case) -> Check:
    """Three points or more, the third criterion as a share of S: elevation in two neighbours.

    Concordant elevation is worth 5 points, concordant depression in V1 to V3 3.
    """
    concordant = [
        all_of(at_least(case, "st_j_mv", 0.1, SGARBOSSA, lead), *_mainly(case, lead, up=True))
        for lead in WALL_LEADS
    ]
    depressed = [
        all_of(at_most(case, "st_j_mv", -0.1, SGARBOSSA, lead), *_mainly(case, lead, up=False))
        for lead in ("V1", "V2", "V3")
    ]
    excessive = {
        lead: all_of(_over_s(case, lead), *_mainly(case, lead, up=False)) for lead in WALL_LEADS
    }
    return any_of(*concordant, *depressed, somewhere(excessive))


def _over_s(case: Case, lead: str) -> Check:
    """An elevation of 0.1 mV and more, and of a quarter of S."""
    limit = EXCESS_SHARE * abs(case.value("qrs_min_mv", lead) or 0.0)
    return at_least(case, "st_j_mv", max(limit, 0.1), SGARBOSSA_SMITH, lead)


def _mainly(case: Case, lead: str, *, up: bool) -> tuple[Check, Check]:
    """A QRS that points one way by its area and by its height: in between ST may go either way."""
    larger, smaller = ("qrs_max_mv", "qrs_min_mv") if up else ("qrs_min_mv", "qrs_max_mv")
    words = "QRS mainly upward" if up else "QRS mainly down"
    area = compare(case, "qrs_area_mv_ms", lambda v: v > 0 if up else v < 0, words, SGARBOSSA, lead)
    return area, outweighs(case, larger, smaller, SGARBOSSA, lead)
