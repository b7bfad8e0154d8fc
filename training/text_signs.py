"""Signs that measurements can tell, each with the ways to word it.

They teach the text tower what waves and intervals look like, so that a description made of them
can be read even if no training record bears the statement it describes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ecg_llm.leads import LIMB_LEADS, PRECORDIAL_LEADS, STANDARD_12

INFERIOR, LATERAL = ("II", "III", "aVF"), ("I", "aVL", "V5", "V6")
ANTERIOR, SEPTAL = ("V2", "V3", "V4"), ("V1", "V2", "V3")
_WALLS = {
    "II, III and aVF": INFERIOR,
    "I, aVL, V5 and V6": LATERAL,
    "V2 to V4": ANTERIOR,
    "V1 to V3": SEPTAL,
}


@dataclass(frozen=True, eq=False)
class Facts:
    """What was measured of one record.

    Attributes
    ----------
    values : dict of str to float or None
        Record-level values.
    leads : dict of str to dict
        Values of each lead.
    kinds : tuple of str
        Class of each beat.
    calibrated : bool
        Whether voltages count.
    """

    values: dict[str, float | None]
    leads: dict[str, dict[str, float | None]]
    kinds: tuple[str, ...]
    calibrated: bool

    def mv(self, name: str, lead: str) -> float | None:
        """Give an amplitude; a wave that a readable QRS does not have is 0."""
        summary = self.leads.get(lead, {})
        found = summary.get(name)
        if found is None and summary.get("qrs_max_mv") is not None and name[0] in "qrs":
            return 0.0
        return found


@dataclass(frozen=True, eq=False)
class Sign:
    """Something that shows on the tracing.

    Attributes
    ----------
    texts : tuple of str
        Ways to word it.
    holds : callable
        From facts to whether it shows; None if that is not known.
    """

    texts: tuple[str, ...]
    holds: Callable[[Facts], bool | None]


def _limits(
    name: str, low: float | None = None, high: float | None = None
) -> Callable[[Facts], bool | None]:
    """A record-level value within limits."""

    def holds(facts: Facts) -> bool | None:
        value = facts.values.get(name)
        if value is None:
            return None
        return (low is None or value >= low) and (high is None or value < high)

    return holds


def _count(
    leads: Iterable[str], least: int, lead_holds: Callable[[Facts, str], bool | None]
) -> Callable[[Facts], bool | None]:
    """At least some of the leads show it."""

    def holds(facts: Facts) -> bool | None:
        seen = [lead_holds(facts, lead) for lead in leads]
        known = [found for found in seen if found is not None]
        return sum(known) >= least if len(known) > len(seen) // 2 else None

    return holds


def _amplitude(
    name: str, low: float | None = None, high: float | None = None, *, absolute: bool = True
) -> Callable[[Facts, str], bool | None]:
    """A lead's value within limits; unknown where voltages do not count."""

    def holds(facts: Facts, lead: str) -> bool | None:
        value = facts.mv(name, lead)
        if value is None or (absolute and not facts.calibrated):
            return None
        return (low is None or value >= low) and (high is None or value < high)

    return holds


def _q(facts: Facts, lead: str) -> bool | None:
    """A pathological Q wave or a QS complex."""
    q, r, s = (facts.mv(name, lead) for name in ("q_mv", "r_mv", "s_mv"))
    if q is None or r is None or s is None:
        return None
    qs = r == 0 and (q < 0 or s < 0)
    wide = (facts.mv("q_ms", lead) or 0) >= 35
    return qs or (q < 0 and (wide or -q > 0.25 * r))


def _sum_of(*parts: tuple[str, str], least: float) -> Callable[[Facts], bool | None]:
    """Sokolow-Lyon and its like."""

    def holds(facts: Facts) -> bool | None:
        found = [facts.mv(name, lead) for name, lead in parts]
        if not facts.calibrated or any(value is None for value in found):
            return None
        return sum(abs(value) for value in found if value is not None) >= least

    return holds


def _largest(
    leads: tuple[str, ...], low: float | None, high: float | None
) -> Callable[[Facts], bool | None]:
    """The largest QRS height over some leads within limits."""

    def holds(facts: Facts) -> bool | None:
        if not facts.calibrated:
            return None
        tall = []
        for lead in leads:
            up, down = facts.mv("qrs_max_mv", lead), facts.mv("qrs_min_mv", lead)
            if up is None or down is None:
                return None
            tall.append(up - down)
        return (low is None or max(tall) >= low) and (high is None or max(tall) < high)

    return holds


def _no_p(facts: Facts) -> bool | None:
    return facts.values.get("pr_ms") is None if facts.values.get("rr_ms") is not None else None


def _r_over_s(facts: Facts, lead: str) -> bool | None:
    r, s = facts.mv("r_mv", lead), facts.mv("s_mv", lead)
    return None if r is None or s is None else r > -s


def _signs() -> tuple[Sign, ...]:
    out = [
        Sign(("heart rate above 100 beats per minute", "fast heart rate", "rate over 100"),
             _limits("heart_rate_bpm", 100)),
        Sign(("heart rate above 120 beats per minute", "very fast heart rate"),
             _limits("heart_rate_bpm", 120)),
        Sign(("heart rate below 60 beats per minute", "slow heart rate", "rate under 60"),
             _limits("heart_rate_bpm", None, 60)),
        Sign(("regular rhythm of 60 to 100 beats per minute", "normal heart rate"),
             _limits("heart_rate_bpm", 60, 100)),
        Sign(("PR interval above 200 ms", "long PR interval", "late QRS after the P wave"),
             _limits("pr_ms", 200)),
        Sign(("short PR interval below 120 ms", "PR interval under 120 ms"),
             _limits("pr_ms", None, 120)),
        Sign(("normal PR interval", "constant PR interval"), _limits("pr_ms", 120, 200)),
        Sign(("QRS duration of 120 ms or more", "wide QRS complex", "broad QRS"),
             _limits("qrs_ms", 120)),
        Sign(("QRS duration of 110 to 119 ms", "slightly widened QRS"),
             _limits("qrs_ms", 110, 120)),
        Sign(("narrow QRS complexes", "QRS narrower than 110 ms", "narrow QRS complex"),
             _limits("qrs_ms", None, 110)),
        Sign(("QT interval long for the heart rate", "corrected QT above 460 ms"),
             _limits("qtc_fridericia_ms", 460)),
        Sign(("short QT interval",), _limits("qtc_fridericia_ms", None, 370)),
        Sign(("irregular RR intervals", "irregular rhythm", "irregular RR intervals without a "
              "pattern"), _limits("rr_cv", 0.10)),
        Sign(("regular RR intervals", "regular rhythm"), _limits("rr_cv", None, 0.04)),
        Sign(("RR intervals varying by more than 120 ms", "varying RR intervals"),
             lambda f: None if f.values.get("rr_max_ms") is None or f.values.get("rr_min_ms")
             is None else (f.values["rr_max_ms"] or 0) - (f.values["rr_min_ms"] or 0) > 120),
        Sign(("no P waves", "P waves absent", "no P wave before the QRS"), _no_p),
        Sign(("P wave before every QRS complex", "normal P waves"),
             lambda f: None if _no_p(f) is None else not _no_p(f)),
        Sign(("left axis deviation", "QRS axis left of minus 30 degrees", "leftward axis"),
             _limits("qrs_axis_deg", None, -30)),
        Sign(("left axis deviation beyond minus 45 degrees", "marked left axis deviation"),
             _limits("qrs_axis_deg", None, -45)),
        Sign(("right axis deviation", "QRS axis right of plus 90 degrees", "rightward axis"),
             _limits("qrs_axis_deg", 90)),
        Sign(("normal axis", "QRS axis between minus 30 and plus 90 degrees"),
             _limits("qrs_axis_deg", -30, 90)),
        Sign(("P wave of 120 ms or more", "broad P wave"), _limits("p_global_ms", 125)),
        Sign(("deep terminal negative P in V1", "negative P in V1"),
             _count(("V1",), 1, _amplitude("p_terminal_mv_ms", None, -4.0))),
        Sign(("tall peaked P wave above 0.25 mV in II, III and aVF", "tall P wave"),
             _count(("II",), 1, _amplitude("p_mv", 0.2))),
        Sign(("deep S waves in V1 with tall R waves in V5 or V6, together above 3.5 mV",
              "high voltage in the chest leads", "Sokolow-Lyon voltage"),
             _sum_of(("s_mv", "V1"), ("r_mv", "V5"), least=3.5)),
        Sign(("tall R wave in aVL", "high R in aVL"), _count(("aVL",), 1, _amplitude("r_mv", 1.0))),
        Sign(("tall R waves in V5 and V6", "high R waves in the lateral chest leads"),
             _count(("V5", "V6"), 1, _amplitude("r_mv", 2.0))),
        Sign(("deep S waves in V1", "deep S in V1 and V2"),
             _count(("V1", "V2"), 1, _amplitude("s_mv", None, -1.8))),
        Sign(("large R and S amplitudes in the chest leads", "tall QRS complexes",
              "high QRS voltage"), _largest(PRECORDIAL_LEADS, 3.5, None)),
        Sign(("QRS amplitude below 0.5 mV in every limb lead", "small complexes in the limb leads",
              "low voltage"), _largest(LIMB_LEADS, None, 0.55)),
        Sign(("QRS amplitude below 1 mV in every chest lead", "small complexes in the chest leads"),
             _largest(PRECORDIAL_LEADS, None, 1.1)),
        Sign(("tall R wave in V1", "R larger than S in V1"), _count(("V1",), 1, _r_over_s)),
        Sign(("R larger than S already in V1 or V2", "early transition"),
             _count(("V2",), 1, _r_over_s)),
        Sign(("S larger than R as far as V5", "late transition"),
             lambda f: None if (r := _r_over_s(f, "V5")) is None else not r),
        Sign(("rsR' in V1 or V2", "rsR' in V1", "second R wave in V1"),
             _count(("V1", "V2"), 1, _amplitude("r2_mv", 0.05, absolute=False))),
        Sign(("broad S waves in I and V6", "terminal S waves in I and V6"),
             _count(("I", "V6"), 2, _amplitude("s_ms", 40, absolute=False))),
        Sign(("broad notched R waves in I, aVL, V5 and V6 without Q",
              "slurred R waves in V5 and V6 without Q"),
             _count(("I", "V5", "V6"), 2, lambda f, lead: None if (r := f.mv("r_ms", lead)) is None
                    else r >= 90 and f.mv("q_mv", lead) == 0)),
        Sign(("deep S waves or QS complexes in V1 to V3", "QS complexes in V1"),
             _count(SEPTAL, 2, lambda f, lead: None if (r := f.mv("r_mv", lead)) is None
                    or (down := f.mv("qrs_min_mv", lead)) is None else r < -0.1 * down)),
        Sign(("loss of R waves in the anterior leads", "loss of R waves in V1 to V3"),
             _count(SEPTAL, 2, _amplitude("r_mv", None, 0.1))),
        Sign(("poor R wave progression", "small R waves in V3"),
             _count(("V3",), 1, _amplitude("r_mv", None, 0.3))),
        Sign(("early broad QRS complex without a preceding P wave", "broad premature beat",
              "odd shape of single beats"), lambda f: "ventricular" in f.kinds),
        Sign(("early narrow QRS complex after an early P wave of another shape",
              "narrow premature beat"), lambda f: "supraventricular" in f.kinds),
        Sign(("flat T waves", "low T waves", "T amplitude below a tenth of the R wave"),
             _count(("I", "II", "V4", "V5", "V6"), 3,
                    lambda f, lead: None if (t := f.mv("t_mv", lead)) is None
                    or (r := f.mv("qrs_max_mv", lead)) is None else abs(t) < 0.1 * r)),
        Sign(("upright T waves", "normal T waves"),
             _count(("I", "II", "V4", "V5", "V6"), 5,
                    lambda f, lead: None if (t := f.mv("t_mv", lead)) is None
                    or (r := f.mv("qrs_max_mv", lead)) is None else t > 0.1 * r)),
        Sign(("ST segments on the baseline", "no ST deviation"),
             _count(STANDARD_12, 12, _amplitude("st_j60_mv", -0.05, 0.1))),
    ]  # fmt: skip
    for words, leads in _WALLS.items():
        out += [
            Sign((f"pathological Q waves or QS complexes in {words}", f"Q waves in {words}",
                  f"QS complexes in {words}"), _count(leads, 2, _q)),
            Sign((f"ST depression in {words}", f"ST segment below the baseline in {words}",
                  f"falling ST depression in {words}"),
                 _count(leads, 2, _amplitude("st_j60_mv", None, -0.05))),
            Sign((f"ST elevation in {words}", f"ST segment above the baseline in {words}"),
                 _count(leads, 2, _amplitude("st_j60_mv", 0.1))),
            Sign((f"inverted T waves in {words}", f"negative T waves in {words}"),
                 _count(leads, 2, _amplitude("t_mv", None, -0.05))),
        ]  # fmt: skip
    return tuple(out)


SIGNS = _signs()
"""Everything that is told to the text tower from measurements."""
