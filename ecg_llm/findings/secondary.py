"""What the course of the QRS itself does to ST and T, and in which leads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, at_least, unknown
from ecg_llm.findings.sources import ST_OVER_QRS
from ecg_llm.findings.territories import WALL_LEADS

ST_SHARE_OF_S = 0.25
"""Over deep S waves ST rises without a coronary cause, but by less than this share of S."""
LATE_S_MS = 40.0
"""An S wave as wide as the criteria of right bundle branch block ask for."""
RIGHT_BLOCK = "a QRS shaped as in right bundle branch block changes ST and T by itself"
WIDE = "a wide QRS changes ST and T by itself"


@dataclass(frozen=True)
class Secondary:
    """Changes of ST and T that follow from an abnormal QRS and prove nothing of their own.

    They point away from the QRS, in right bundle branch block from its late part: depressed in V1
    to V3, not where S is wide. Other deviations are primary, and none at all is none.

    Attributes
    ----------
    reason : str or None
        What changes ST and T; None with a normal QRS.
    lowered, raised : frozenset of str
        Leads in which ST depression or T inversion, and in which ST elevation, may be secondary.
    small : bool
        Whether small changes prove nothing in any lead.

    References
    ----------
    .. [1] Rautaharju PM et al. Circulation 2009;119:e241 (secondary repolarization abnormality).
    .. [2] Thygesen K et al. Circulation 2018;138:e618 (right bundle branch block: ST and T are
       changed in V1 to V3; a new ST elevation still counts).
    """

    reason: str | None = None
    lowered: frozenset[str] = frozenset()
    raised: frozenset[str] = frozenset()
    small: bool = False

    def depression(self, lead: str, check: Check) -> Check:
        """Leave a depression or inversion open where it may be secondary."""
        return self._unless(lead in self.lowered, check)

    def elevation(self, lead: str, check: Check) -> Check:
        """Leave an elevation open where it may be secondary."""
        return self._unless(lead in self.raised, check)

    def judged(self, leads: Collection[str]) -> tuple[str, ...]:
        """Keep the leads whose ST and T show more than the QRS."""
        return tuple(lead for lead in leads if lead not in self.lowered)

    def _unless(self, may_be: bool, check: Check) -> Check:
        return unknown(self.reason or "") if may_be and check.holds else check


NORMAL_QRS = Secondary()
"""A QRS that changes nothing."""


def secondary_changes(case: Case, *, right_block: bool, wide: bool) -> Secondary:
    """Tell what the QRS of a record does to its ST and T.

    Its QRS complexes are neither paced, pre-excited nor of left bundle branch block, in which
    nothing of ST and T is judged. ``right_block``: whether they are shaped as in right bundle
    branch block. ``wide``: whether they last 120 ms or more.
    """
    if not (right_block or wide):
        return NORMAL_QRS
    area = {lead: case.value("qrs_area_mv_ms", lead) or 0.0 for lead in WALL_LEADS}
    up = frozenset(lead for lead, value in area.items() if value >= 0)
    raised = frozenset(
        lead for lead, value in area.items() if value <= 0 and not exceeds_s(case, lead).holds
    )
    if right_block:
        late_s = {lead for lead in up if (case.value("s_ms", lead) or 0.0) >= LATE_S_MS}
        return Secondary(RIGHT_BLOCK, lowered=(up - late_s) | {"V1", "V2", "V3"}, raised=raised)
    return Secondary(WIDE, lowered=up, raised=raised, small=True)


def exceeds_s(case: Case, lead: str) -> Check:
    """Check for an ST elevation of a quarter of S or more: below, it may follow from a deep S.

    References
    ----------
    .. [1] Armstrong EJ et al. Am J Cardiol 2012;110:977-983.
    """
    limit = ST_SHARE_OF_S * abs(case.value("qrs_min_mv", lead) or 0.0)
    return at_least(case, "st_j_mv", limit, ST_OVER_QRS, lead)
