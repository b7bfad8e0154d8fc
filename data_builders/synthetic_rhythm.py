"""When the atria and the ventricles are activated: trains of events with their cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ecg_llm.beats import BeatClass
from ecg_llm.data_builders.synthetic_course import (
    MARGIN_S,
    AtrialEvent,
    Course,
    PSource,
    RhythmPlan,
    VentricularEvent,
)
from ecg_llm.errors import ConfigError


def _sinus_intervals(
    plan: RhythmPlan, rng: np.random.Generator, arrhythmia: float
) -> Callable[[float], float]:
    """Give the function from a time to the PP interval that starts there."""
    mean = 60.0 / plan.bpm
    # Respiratory and low-frequency shares shrink as vagal tone does at high rates.
    vagal = plan.variability * float(np.clip((mean - 0.35) / 0.6, 0.1, 1.3))
    respiratory = (0.02 * rng.uniform(0.4, 1.6) * vagal + arrhythmia) * mean
    slow = 0.012 * rng.uniform(0.3, 1.5) * vagal * mean
    breath_hz, slow_hz = rng.uniform(0.18, 0.32), rng.uniform(0.06, 0.12)
    breath_phase, slow_phase = rng.uniform(0, 2 * np.pi, 2)
    noise = 0.004 * plan.variability * mean

    def interval(at_s: float) -> float:
        wave = respiratory * np.sin(2 * np.pi * breath_hz * at_s + breath_phase)
        wave += slow * np.sin(2 * np.pi * slow_hz * at_s + slow_phase)
        return float(mean + wave + noise * rng.standard_normal())

    return interval


def _start(rng: np.random.Generator, interval_s: float) -> float:
    """First event before the record, at a random phase."""
    return -MARGIN_S - interval_s * float(rng.random())


def _sinus(
    plan: RhythmPlan,
    rng: np.random.Generator,
    *,
    arrhythmia: float = 0.0,
    source: PSource = "sinus",
) -> Course:
    """Make sinus rhythm, or that of another atrial focus, with the planned premature beats.

    ``arrhythmia`` is a respiratory swing of the PP interval, as a share of it.
    """
    course, pr_s = Course(), plan.pr_ms / 1000
    interval = _sinus_intervals(plan, rng, arrhythmia)
    now, since = _start(rng, 60 / plan.bpm), int(rng.integers(0, 3))
    end, latest = plan.seconds + MARGIN_S, plan.seconds * float(rng.uniform(0.2, 0.6))
    done = False  # one premature beat must fall into the record
    while now < end:
        course.beat(now, pr_s, source)
        pp = interval(now)
        since += 1
        due = {
            "none": False,
            "bigeminy": True,
            "trigeminy": since >= 2,
        }.get(plan.ectopy, bool(rng.random() < plan.ectopy_share) and since >= 2)
        due = due or (plan.ectopy != "none" and not done and now > latest)
        if not due:
            now += pp
            continue
        since, done = 0, done or 0 < now < plan.seconds - 1.2 * pp
        if plan.ectopy == "fusion":  # so late that the sinus impulse shares the ventricles
            course.beat(now + pp, pr_s - 0.02)
            course.ventricles[-1].form, course.ventricles[-1].kind = "fusion", "ventricular"
            now += pp + interval(now)
            continue
        early = max(pp * rng.uniform(0.52, 0.72), min(plan.qt_s - 0.02, 0.85 * pp))
        if plan.ectopy in ("pac", "blocked_pac"):
            p_on = now + early
            if plan.ectopy == "blocked_pac":
                p_on = now + pr_s + plan.qt_s * rng.uniform(0.6, 0.85)  # on the T wave
                course.atria.append(AtrialEvent(p_on, "ectopic", conducted=False))
            else:
                slower = pr_s + rng.uniform(0.0, 0.04)
                course.beat(p_on, slower, "ectopic", "supraventricular")
            now = p_on + pp * rng.uniform(1.0, 1.15)  # the sinus node is reset
            continue
        _premature(course, now + pr_s + early, plan, rng)
        # The sinus node goes on; the P waves that meet refractory tissue are not conducted.
        last, following = course.ventricles[-1].on_s, now + pp
        while following + pr_s < last + max(0.62 * pp, plan.qt_s):
            course.atria.append(AtrialEvent(following, conducted=False))
            following += pp
        now = following
    return course


def _atrial_fibrillation(plan: RhythmPlan, rng: np.random.Generator) -> Course:
    """Make an irregular ventricular response without P waves.

    RR intervals are independent draws from a gamma distribution above a refractory floor, with a
    coefficient of variation of about 0.2: the AV node keeps no memory of the atria.
    """
    course = Course(drive="af")
    mean = 60.0 / plan.bpm
    floor = max(0.24, 0.5 * mean)
    spread = mean * rng.uniform(0.16, 0.26)
    shape = ((mean - floor) / spread) ** 2
    now, done = _start(rng, mean), False
    latest = plan.seconds * float(rng.uniform(0.2, 0.6))
    while now < plan.seconds + MARGIN_S:
        course.ventricles.append(VentricularEvent(now))
        rr = floor + float(rng.gamma(shape, (mean - floor) / shape))
        early = plan.ectopy != "none" and not done and now > latest
        if plan.ectopy != "none" and (early or rng.random() < plan.ectopy_share):
            done = done or 0 < now < plan.seconds - 1.5
            _premature(course, now + plan.qt_s + float(rng.uniform(0.02, 0.10)), plan, rng)
            rr = course.ventricles[-1].on_s - now + max(rr, 1.1 * mean)
        now += rr
    return course


def _premature(course: Course, first_s: float, plan: RhythmPlan, rng: np.random.Generator) -> None:
    """Add a ventricular premature beat, or two in a row."""
    form = f"ventricular {int(rng.integers(0, 3)) if plan.ectopy == 'multiform' else 0}"
    course.ventricles.append(VentricularEvent(first_s, form, "ventricular"))
    if plan.ectopy == "couplet":
        gap = max(plan.qt_s, 0.42 * 60 / plan.bpm) + 0.04
        course.ventricles.append(VentricularEvent(first_s + gap, form, "ventricular"))


def _flutter(plan: RhythmPlan, rng: np.random.Generator) -> Course:
    """Make atrial flutter of 240 to 340/min, ``ratio`` waves to a QRS; 0 mixes 2, 3 and 4."""
    ratio = plan.ratio or 3
    rate = float(np.clip(plan.bpm * ratio, 240, 340))
    period = 60.0 / rate
    course = Course(drive="flutter", flutter_bpm=rate)
    now = _start(rng, period)
    while now < plan.seconds + MARGIN_S:
        course.ventricles.append(VentricularEvent(now))
        step = plan.ratio or int(rng.choice([2, 3, 4], p=[0.45, 0.1, 0.45]))
        now += step * period + 0.004 * plan.variability * rng.standard_normal()
    return course


def _second_degree(plan: RhythmPlan, rng: np.random.Generator, *, wenckebach: bool) -> Course:
    """Make second-degree AV block, ``ratio`` P waves to one dropped QRS (0 draws 3 to 5).

    Before the drop PR grows by shrinking steps (Wenckebach, Mobitz I), or is constant (Mobitz II).
    """
    course = Course()
    interval = _sinus_intervals(plan, rng, 0.0)
    now = _start(rng, 60 / plan.bpm)
    cycle = plan.ratio or int(rng.integers(3, 6))
    place = int(rng.integers(0, cycle))
    step = rng.uniform(0.05, 0.11)
    while now < plan.seconds + MARGIN_S:
        if place == cycle - 1:
            course.atria.append(AtrialEvent(now, conducted=False))
        else:
            longer = step * sum(0.6**k for k in range(place)) if wenckebach else 0.0
            course.beat(now, plan.pr_ms / 1000 + longer)
        place = (place + 1) % cycle
        now += interval(now)
    return course


def _third_degree(
    plan: RhythmPlan, rng: np.random.Generator, *, form: str, kind: BeatClass
) -> Course:
    """Make complete AV block: atria and ventricles (``escape_bpm``) keep their own time."""
    course = Course()
    interval = _sinus_intervals(plan, rng, 0.0)
    now = _start(rng, 60 / plan.bpm)
    while now < plan.seconds + MARGIN_S:
        course.atria.append(AtrialEvent(now, conducted=False))
        now += interval(now)
    _regular(course, plan.escape_bpm, plan, rng, form, kind)
    return course


def _regular(
    course: Course,
    bpm: float,
    plan: RhythmPlan,
    rng: np.random.Generator,
    form: str,
    kind: BeatClass,
) -> None:
    """Add a nearly regular ventricular train."""
    period = 60.0 / bpm
    now = _start(rng, period)
    while now < plan.seconds + MARGIN_S:
        course.ventricles.append(VentricularEvent(now, form, kind))
        now += period * (1 + 0.006 * plan.variability * float(rng.standard_normal()))


def _nodal(plan: RhythmPlan, rng: np.random.Generator, *, rp_ms: float = 110.0) -> Course:
    """Make a rhythm of the AV node; retrograde P waves begin ``rp_ms`` after the QRS begins."""
    course = Course()
    _regular(course, plan.bpm, plan, rng, "conducted", "normal")
    if plan.retrograde:
        for beat in course.ventricles:
            course.atria.append(
                AtrialEvent(beat.on_s + rp_ms / 1000, "retrograde", conducted=False)
            )
    return course


def _ventricular_tachycardia(plan: RhythmPlan, rng: np.random.Generator) -> Course:
    """Make a regular wide tachycardia with the atria dissociated from it."""
    atria = RhythmPlan(
        bpm=float(rng.uniform(65, 95)), seconds=plan.seconds, variability=plan.variability,
        escape_bpm=plan.bpm,
    )  # fmt: skip
    return _third_degree(atria, rng, form="ventricular 0", kind="ventricular")


def _paced(plan: RhythmPlan, rng: np.random.Generator, *, chambers: str) -> Course:
    """Pace A, V, AV (PR is the AV delay), or VF, the ventricle over atrial fibrillation."""
    course = Course(drive="af" if chambers == "VF" else "")
    period, now = 60.0 / plan.bpm, _start(rng, 60.0 / plan.bpm)
    end = plan.seconds + MARGIN_S
    if chambers == "V":  # the atria go their own way
        interval = _sinus_intervals(replace(plan, bpm=plan.escape_bpm + 30), rng, 0.0)
        at = _start(rng, period)
        while at < end:
            course.atria.append(AtrialEvent(at, conducted=False))
            at += interval(at)
    while now < end:
        delay = plan.pr_ms / 1000 if "A" in chambers else 0.0
        if "A" in chambers:
            course.spikes.append((now - 0.008, "atrium"))
            course.atria.append(AtrialEvent(now, "paced"))
        p = len(course.atria) - 1 if "A" in chambers else None
        if "V" in chambers:
            course.spikes.append((now + delay - 0.004, "ventricle"))
            course.ventricles.append(VentricularEvent(now + delay, "paced", "paced", p))
        else:
            course.ventricles.append(VentricularEvent(now + delay, p=p))
        now += period
    return course


def _pause(plan: RhythmPlan, rng: np.random.Generator) -> Course:
    """Make sinus rhythm with one arrest of the sinus node of 2.2 to 4 s."""
    course = _sinus(plan, rng)
    start = plan.seconds * rng.uniform(0.25, 0.45)
    length = max(rng.uniform(2.2, 4.0), 120 / plan.bpm + 0.3)
    later = length - 60 / plan.bpm
    after = [k for k, p in enumerate(course.atria) if p.on_s > start]
    for k in after:
        course.atria[k].on_s += later
    for beat in course.ventricles:
        if beat.p in after:
            beat.on_s += later
    return course


def make_course(name: str, plan: RhythmPlan, rng: np.random.Generator) -> Course:
    """Make the events of a rhythm of `RHYTHMS`."""
    match name:
        case "sinus":
            course = _sinus(plan, rng)
        case "sinus_arrhythmia":
            course = _sinus(plan, rng, arrhythmia=float(rng.uniform(0.10, 0.18)))
        case "af":
            course = _atrial_fibrillation(plan, rng)
        case "flutter":
            course = _flutter(plan, rng)
        case "atrial_tachycardia":
            course = _sinus(
                replace(plan, variability=0.2 * plan.variability), rng, source="ectopic"
            )
        case "av_block_2to1":
            course = _second_degree(replace(plan, ratio=2), rng, wenckebach=False)
        case "mobitz1":
            course = _second_degree(plan, rng, wenckebach=True)
        case "mobitz2":
            course = _second_degree(plan, rng, wenckebach=False)
        case "av_block3":
            course = _third_degree(plan, rng, form="escape", kind="ventricular")
        case "av_block3_junctional":
            course = _third_degree(plan, rng, form="conducted", kind="normal")
        case "junctional":
            course = _nodal(plan, rng)
        case "svt":
            course = _nodal(plan, rng, rp_ms=float(rng.uniform(60, 100)))
        case "vt":
            course = _ventricular_tachycardia(plan, rng)
        case "vf":
            course = Course(drive="vf")
        case "asystole":
            course = Course()
        case "pause":
            course = _pause(plan, rng)
        case "paced_atrial":
            course = _paced(plan, rng, chambers="A")
        case "paced_ventricular":
            course = _paced(plan, rng, chambers="V")
        case "paced_dual":
            course = _paced(plan, rng, chambers="AV")
        case "paced_af":
            course = _paced(plan, rng, chambers="VF")
        case _:
            raise ConfigError(f"No rhythm {name!r}; there are {', '.join(RHYTHMS)}.")
    return course


RHYTHMS: dict[str, float] = {
    "sinus": 70, "sinus_arrhythmia": 65, "af": 85, "flutter": 100, "mobitz1": 75, "mobitz2": 80,
    "av_block3": 80, "av_block3_junctional": 80, "junctional": 52, "svt": 175,
    "atrial_tachycardia": 160, "av_block_2to1": 84, "vt": 165, "vf": 0,
    "asystole": 0, "pause": 62, "paced_atrial": 70, "paced_ventricular": 70, "paced_dual": 70,
    "paced_af": 70,
}  # fmt: skip
"""The rhythms, each with the rate it has unless another is asked for."""

NOT_CONDUCTED = (
    "vt", "vf", "asystole", "av_block3", "paced_ventricular", "paced_dual", "paced_af",
)  # fmt: skip
"""Rhythms that never show the conducted beat, so that conditions of its form would not be seen."""

ONE_TO_ONE = ("sinus", "sinus_arrhythmia", "pause", "paced_atrial")
"""Rhythms in which every P wave of the sinus node or the atrial electrode leads to a QRS."""

ECTOPIC = {
    "sinus": (
        "pac", "blocked_pac", "pvc", "multiform", "bigeminy", "trigeminy", "couplet", "fusion",
    ),
    "sinus_arrhythmia": ("pac", "pvc", "multiform", "bigeminy", "trigeminy", "couplet"),
    "af": ("pvc", "multiform", "couplet"),
}  # fmt: skip
"""Rhythms that can have premature beats, and which."""
