"""Simulate one ECG as asked, and note what is true of it.

A heart (`synthetic_heart`, changed by `synthetic_conditions`) is driven by a rhythm
(`synthetic_rhythm`); its dipoles (`synthetic_morphology`, `synthetic_waves`) are seen through the
leads of a chest (`synthetic_field`); what is true is noted (`synthetic_truth`) before noise is
added (`synthetic_noise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_chambers import pointed
from ecg_llm.data_builders.synthetic_conditions import ECTOPY, apply, check_together
from ecg_llm.data_builders.synthetic_course import Course, RhythmPlan
from ecg_llm.data_builders.synthetic_drive import (
    add_spikes,
    fibrillatory_waves,
    flutter_waves,
    ventricular_fibrillation,
)
from ecg_llm.data_builders.synthetic_entry import Condition
from ecg_llm.data_builders.synthetic_events import (
    Ventricles,
    atrial_recovery,
    lay_out_p,
    lay_out_ventricles,
)
from ecg_llm.data_builders.synthetic_field import TO_12, Fields, lead_fields
from ecg_llm.data_builders.synthetic_heart import Heart, draw_heart
from ecg_llm.data_builders.synthetic_labels import (
    looks_normal,
    measured_labels,
    rhythm_labels,
    undone_labels,
)
from ecg_llm.data_builders.synthetic_noise import NoiseConfig, device_faults, electrode_noise
from ecg_llm.data_builders.synthetic_rhythm import RHYTHMS, make_course
from ecg_llm.data_builders.synthetic_truth import Truth, note_truth
from ecg_llm.data_builders.synthetic_waves import Waves, add_waves
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12
from ecg_llm.quality.electrodes import swap_electrodes
from ecg_llm.record import ECGRecord, Sex

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SyntheticECG:
    """A record as a device would give it, and what is true of it as it was made so."""

    record: ECGRecord
    truth: Truth


def synthetic_ecg(
    *,
    rhythm: str = "sinus",
    bpm: float | None = None,
    conditions: Sequence[str | Condition] = (),
    seconds: float = 10.0,
    fs: float = 500.0,
    leads: Sequence[str] = STANDARD_12,
    noise: NoiseConfig | None = None,
    age_years: float | None = None,
    sex: Sex | None = None,
    seed: int = 0,
    pr_ms: float | None = None,
    qrs_ms: float | None = None,
    qtc_ms: float | None = None,
    qrs_axis_deg: float | None = None,
    electrode_swap: str = "",
    ratio: int = 0,
    escape_bpm: float | None = None,
    spread: float = 1.0,
    variability: float = 1.0,
) -> SyntheticECG:
    """Simulate one ECG.

    Parameters
    ----------
    rhythm : str
        Key of `ecg_llm.data_builders.synthetic_rhythm.RHYTHMS`.
    bpm : float, /min, optional
        Mean ventricular rate; in AV block that of the atria; in flutter it sets the flutter rate
        (kept within 240 to 340). Without it, the usual rate of the rhythm.
    conditions : sequence of str or Condition
        Keys of `ecg_llm.data_builders.synthetic_conditions.CATALOGUE` or ``ECTOPY``.
    seconds : float, s
        Length.
    fs : float, Hz
        Sampling rate.
    leads : sequence of str
        Any of the standard twelve.
    noise : NoiseConfig, optional
        What to add; nothing if not given.
    age_years, sex : optional
        Of the patient; drawn if not given.
    seed : int
        The same seed and arguments give the same bits.
    pr_ms, qrs_ms, qtc_ms : float, ms, optional
        Set intervals of the conducted beat (QTc: Fridericia).
    qrs_axis_deg : float, deg, optional
        Set axis of the conducted beat.
    electrode_swap : str
        One of `ecg_llm.quality.electrodes.SWAPS`; empty for none.
    ratio : int
        Atrial events to a ventricular one in flutter and second-degree block; 0 lets them vary.
    escape_bpm : float, /min, optional
        Of the escape rhythm.
    spread : float
        How far the patient may differ from the textbook; 0 not at all.
    variability : float
        Beat-to-beat change of rate and form; 0 makes all beats alike.

    Returns
    -------
    SyntheticECG

    Raises
    ------
    ConfigError
        If a name is unknown or a figure impossible.

    Examples
    --------
    >>> ecg = synthetic_ecg(rhythm="sinus", bpm=60, pr_ms=180, seed=1)
    >>> ecg.record.signal.shape, round(ecg.truth.values["pr_ms"])
    ((12, 5000), 180)
    """
    wanted = tuple(Condition(item) if isinstance(item, str) else item for item in conditions)
    _check(rhythm, bpm, seconds, fs, leads)
    patterns = check_together(rhythm, wanted)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(6)]
    patient, changes, events, beats, drive, disturb = streams
    chosen_sex: Sex = sex or ("female" if patient.random() < 0.5 else "male")
    drawn_age = float(np.clip(patient.normal(60, 16), 18, 95))
    age = drawn_age if age_years is None else age_years
    heart = draw_heart(patient, age_years=age, sex=chosen_sex, spread=spread)
    formal = tuple(item for item in wanted if item.code not in ECTOPY)
    heart, labels = apply(heart, formal, changes)
    heart = _set(heart, pr_ms, qrs_ms, qtc_ms)
    if qrs_axis_deg is not None:
        heart = pointed(heart, qrs_axis_deg, with_t=0.5)
    fields = lead_fields(heart.geometry)

    rate = RHYTHMS[rhythm] if bpm is None else bpm
    plan = RhythmPlan(
        bpm=max(rate, 1.0),
        pr_ms=heart.pr_ms,
        seconds=seconds,
        escape_bpm=escape_bpm or float(events.uniform(30, 42)),
        ratio=ratio,
        ectopy=ECTOPY[patterns[0]] if patterns else "none",
        ectopy_share=float(events.uniform(0.1, 0.3)),
        qt_s=heart.beat.qtc_ms / 1000 * (60 / max(rate, 20.0)) ** (1 / 3),
        variability=variability,
        retrograde=bool(events.random() < 0.5),
    )
    course = make_course(rhythm, plan, events)
    ventricles = lay_out_ventricles(course, heart, fields, beats, variability)
    p = lay_out_p(course, heart, fields, beats, variability)

    eight = _electrodes(course, heart, ventricles, p, fields, round(seconds * fs), fs, drive)
    rows = [STANDARD_12.index(lead) for lead in leads]
    truth = note_truth(course, ventricles, p, tuple(leads), rows, seconds, rhythm, labels)
    extra = rhythm_labels(rhythm, truth.values["heart_rate_bpm"], patterns, ratio)
    extra += measured_labels(rhythm, truth.values)
    told = (*extra, *undone_labels(truth.values))
    named = (*extra, *(label for label in labels if label not in told))
    if looks_normal(named, ventricles.qrs.form, ventricles.t.form, truth.values):
        named = ("NORM", *named)
    truth = replace(truth, labels=named)
    if noise is not None:
        eight += electrode_noise(eight.shape[1], fs, noise, disturb)
        truth = replace(truth, lost=tuple(lead for lead in noise.lost if lead in leads))
    signal = _swapped(TO_12 @ eight, electrode_swap)[rows]
    truth = replace(truth, electrode_swap=electrode_swap)
    if noise is not None:
        signal = device_faults(signal, tuple(leads), fs, noise, disturb)
    record = ECGRecord(
        signal=signal.astype(np.float32),
        fs=float(fs),
        leads=tuple(leads),
        source="<synthetic>",
        name=f"synthetic-{seed}",
        age_years=age,
        sex=chosen_sex,
    )
    return SyntheticECG(record, truth)


def _electrodes(
    course: Course,
    heart: Heart,
    ventricles: Ventricles,
    p: Waves,
    fields: Fields,
    n: int,
    fs: float,
    rng: np.random.Generator,
) -> Array:
    """Draw every wave of the heart at the eight independent electrodes, [8, n]."""
    eight = np.zeros((8, n))
    for shape, amplitude in (*ventricles.drawn(), (p.shape, p.amplitude)):
        add_waves(eight, fs, shape, amplitude)
    if heart.ta:
        add_waves(eight, fs, *atrial_recovery(p, heart.ta))
    match course.drive:
        case "af":
            eight += fibrillatory_waves(n, fs, fields, rng)
        case "flutter":
            eight += flutter_waves(n, fs, course.flutter_bpm, fields, rng)
        case "vf":
            eight += ventricular_fibrillation(n, fs, fields, rng)
    add_spikes(eight, fs, course.spikes, fields, rng)
    return eight


def _swapped(twelve: Array, electrode_swap: str) -> Array:
    """Show the leads as they are when electrodes change places."""
    if not electrode_swap:
        return twelve
    rows = zip(STANDARD_12, twelve.astype(np.float32), strict=True)
    swapped = swap_electrodes(dict(rows), electrode_swap)
    return np.stack([swapped[lead] for lead in STANDARD_12]).astype(float)


def _check(rhythm: str, bpm: float | None, seconds: float, fs: float, leads: Sequence[str]) -> None:
    """Refuse names and figures that cannot be simulated."""
    if rhythm not in RHYTHMS:
        raise ConfigError(f"No rhythm {rhythm!r} to simulate; there are {', '.join(RHYTHMS)}.")
    if bpm is not None and not 15 <= bpm <= 320:
        raise ConfigError(f"A rate of {bpm}/min; 15 to 320 can be simulated.")
    if not (seconds > 0 and fs > 0):
        raise ConfigError(f"{seconds} s at {fs} Hz; both must be positive.")
    unknown = [lead for lead in leads if lead not in STANDARD_12]
    if unknown or len(set(leads)) != len(leads) or not leads:
        raise ConfigError(
            f"Leads {', '.join(leads) or '(none)'}; "
            f"give different ones of {', '.join(STANDARD_12)}."
        )


def _set(heart: Heart, pr_ms: float | None, qrs_ms: float | None, qtc_ms: float | None) -> Heart:
    """Put in the intervals that were asked for."""
    beat = replace(
        heart.beat,
        qrs_ms=heart.beat.qrs_ms if qrs_ms is None else qrs_ms,
        qtc_ms=heart.beat.qtc_ms if qtc_ms is None else qtc_ms,
    )
    pr = heart.pr_ms if pr_ms is None else pr_ms
    return replace(heart, beat=beat, pr_ms=pr, p_ms=min(heart.p_ms, pr - 3))
