"""ST segments on a page: the criteria, held against the tracing that was read from it.

The encoder learnt from records that hold hardly an acute infarction, and no value of a page is good
enough to be told. Whether ST is raised or lowered can be seen all the same: by the criteria of a
recording. How often a recording meets what its page meets was counted on pages of known origin; it
depends on how far the limit is passed. That probability is told, the heights are not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ecg_llm.errors import ConfigError
from ecg_llm.findings.case import Case
from ecg_llm.findings.conduction import judge_conduction
from ecg_llm.findings.finding import Evidence, Finding, Status
from ecg_llm.findings.repolarization import INJURY_MV, ST_DEPRESSION_MV, judge_repolarization
from ecg_llm.findings.secondary import secondary_changes
from ecg_llm.findings.sources import UDMI
from ecg_llm.findings.st_elevation import ST_ELEVATION_MV, ST_ELEVATION_V2_V3_MV
from ecg_llm.findings.territories import NEIGHBOURS, WALL_LEADS, contiguous
from ecg_llm.measure import Measurements
from ecg_llm.quality import Quality
from ecg_llm.record import ECGRecord
from ecg_llm.traced import trace

MODEL = Path(__file__).parent / "weights" / "page_criteria.json"
RAISED = ("stemi", "STE_")
INJURY = ("INJAS", "INJAL", "INJLA", "INJIN", "INJIL")
CODES = (*RAISED, "STD_", *INJURY)
"""Findings that are looked for on a page."""
CHANGES_ST = ("PACE", "CLBBB", "ILBBB", "WPW")
"""What raises or lowers ST by itself; on a page the encoder sees it."""
EXPLAINS_DEPRESSION = "LVH"
STATED_FROM = 0.5
"""Probability from which a finding is stated; below it stays open, with the doubt."""
NOT_SEEN = "not seen in what was read of the page, which does not exclude it"
LINE_MS = 10.0
"""By which QRS complexes are wider on a page, about: 5 to 13 ms on clean and photographed ones."""
_LEAST_MV, _UNIT_MV = 0.003, 0.05


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How probable it is that a recording meets the criterion that its page meets.

    Attributes
    ----------
    slope : float
        Of the log odds, by the logarithm of how far the limit is passed.
    constant : float
        Log odds at 0.05 mV beyond the limit.
    """

    slope: float
    constant: float

    def probability(self, excess_mv: float) -> float:
        """Give the probability.

        Parameters
        ----------
        excess_mv : float, mV
            By which the limit is passed on the page.

        Returns
        -------
        float
        """
        return 1 / (1 + math.exp(-self.slope * log_excess(excess_mv) - self.constant))


def log_excess(excess_mv: float) -> float:
    """Give the quantity in which `Trust` is linear.

    Parameters
    ----------
    excess_mv : float, mV
        By which the limit is passed on the page.

    Returns
    -------
    float
    """
    return math.log(max(excess_mv, _LEAST_MV) / _UNIT_MV)


@cache
def bundled() -> Mapping[str, Trust]:
    """Give what ships with the program.

    Returns
    -------
    mapping of str to Trust
        For ``raised`` and ``lowered`` ST.

    Raises
    ------
    ConfigError
        If the file is missing or holds something else.
    """
    try:
        stored = json.loads(MODEL.read_text(encoding="utf-8"))
        return {sign: Trust(**stored[sign]) for sign in ("raised", "lowered")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{MODEL}: how far a page can be trusted could not be read ({error}); install the "
            "program again, or fit it with 'ecgllm train page-criteria'."
        ) from None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one criterion says of a page.

    Attributes
    ----------
    status : {"present", "absent", "unknown"}
        By the values of the tracing that was read.
    excess_mv : float, mV
        By which the best pair of neighbouring leads passes the limit, negative if none does.
    evidence : tuple of Evidence
        Which leads are raised or lowered, and where on the tracing.
    """

    status: Status
    excess_mv: float
    evidence: tuple[Evidence, ...]


def see(record: ECGRecord, quality: Quality, stated: frozenset[str]) -> dict[str, Seen]:
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
    dict of str to Seen
        By the codes of `CODES`; empty where ST cannot be judged: no beat was found, the heights are
        unknown, or the QRS changes ST.
    """
    measurements = trace(record, quality)
    if not measurements.beats or not record.calibrated or stated & set(CHANGES_ST):
        return {}
    case = Case(replace(record, origin="recording"), quality, _thinned(measurements))
    conduction = judge_conduction(case, None, has_p=False)
    if conduction.left_block:
        return {}
    secondary = secondary_changes(
        case, right_block=bool(conduction.right_block), wide=bool(conduction.wide)
    )
    strain = "high voltage may explain it" if EXPLAINS_DEPRESSION in stated else None
    judged = judge_repolarization(case, None, False, strain, "QWAVE" in stated, secondary)
    return {finding.code: _seen(case, finding) for finding in judged if finding.code in CODES}


def _thinned(measurements: Measurements) -> Measurements:
    """Take from the duration of QRS what the width of the line adds."""
    qrs = measurements.values["qrs_global_ms"]
    if qrs.value is None:
        return measurements
    thinner = replace(qrs, value=qrs.value - LINE_MS)
    return replace(measurements, values={**measurements.values, "qrs_global_ms": thinner})


def _seen(case: Case, finding: Finding) -> Seen:
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
        evidence=tuple(_fact(case, lead, limits[lead]) for lead in WALL_LEADS if lead in leads),
    )


def _limits_mv(case: Case, code: str) -> dict[str, float]:
    """Give the limit of each lead; where sex and age decide and are unknown, the stricter one."""
    if code not in RAISED:
        return dict.fromkeys(WALL_LEADS, INJURY_MV if code in INJURY else ST_DEPRESSION_MV)
    middle = case.limits(ST_ELEVATION_V2_V3_MV)[1]
    return {lead: middle if lead in ("V2", "V3") else ST_ELEVATION_MV for lead in WALL_LEADS}


def _fact(case: Case, lead: str, limit_mv: float) -> Evidence:
    """Say in words what a lead shows."""
    from_s, to_s = case.span("st_j_mv", lead)
    return Evidence(
        lead=lead,
        from_s=from_s,
        to_s=to_s,
        quantity="ST segment",
        value="raised" if limit_mv > 0 else "lowered",
        unit="",
        criterion=f"{'≥' if limit_mv > 0 else '≤'} {limit_mv:g} mV",
        source=UDMI,
    )


def judge_page(
    record: ECGRecord, quality: Quality, findings: Iterable[Finding]
) -> tuple[Finding, ...]:
    """Add what the criteria say of ST on a page to what the encoder sees.

    Parameters
    ----------
    record : ECGRecord
        Read from a page.
    quality : Quality
        Its technical quality.
    findings : iterable of Finding
        By the encoder.

    Returns
    -------
    tuple of Finding
        The same, those of `CODES` present or open, with a probability and the leads, where the page
        meets their criterion. None is ever absent: a page excludes nothing.
    """
    findings = tuple(findings)
    stated = frozenset(finding.code for finding in findings if finding.status == "present")
    seen = see(record, quality, stated)
    return tuple(
        _joined(finding, seen[finding.code]) if finding.code in seen else finding
        for finding in findings
    )


def _joined(finding: Finding, seen: Seen) -> Finding:
    """Decide one finding by the encoder and by the page's tracing."""
    if seen.status != "present":
        unseen = finding.status == "unknown" and finding.probability is None
        return replace(finding, reason=NOT_SEEN) if unseen else finding
    trust = bundled()["raised" if finding.code in RAISED else "lowered"]
    probability = min(max(round(trust.probability(seen.excess_mv), 2), 0.01), 0.99)
    sure = probability >= STATED_FROM
    doubt = f"seen on the page; probability {probability:.2f} that a recording meets the criterion"
    return replace(
        finding,
        status="present" if sure else "unknown",
        probability=probability,
        reason=None if sure else f"uncertain: {doubt}",
        doubt=doubt,
        evidence=seen.evidence,
    )
