"""What is true of a simulated record: times, amplitudes, intervals, axes, statements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_course import Course, PSource
from ecg_llm.data_builders.synthetic_events import Ventricles
from ecg_llm.data_builders.synthetic_field import TO_12
from ecg_llm.data_builders.synthetic_waves import GRID, Waves, pieces_at
from ecg_llm.delineate import Delineation
from ecg_llm.measure import Beat

Array = npt.NDArray[np.float64]

DEFLECTION_MV = 0.020
"""A deflection of QRS smaller than this has no name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The truth of a simulated record, before noise.

    A wave begins in a lead where it rises above a small share of its own greatest deflection
    there (`ecg_llm.data_builders.synthetic_waves.Visibility`), each wave seen alone, without what
    overlaps it; overall it lasts from the earliest onset to the latest offset of the twelve leads,
    whatever leads the record has.

    Attributes
    ----------
    delineation : Delineation
        Beats whose R lies in the record, marks inside it; NaN for a wave that is not there, not
        visible in the lead, or beyond the record's ends. Its ``p_waves_s`` are those that can be
        seen: inside the record and not hidden. A beat's P is the one that led to it.
    complete : Delineation
        Every beat and P wave of which any part lies in the record, hidden ones too, with times
        that may lie outside it.
    beats : tuple of Beat
        Of ``delineation``.
    p_source : tuple of str
        Of ``complete.p_waves_s``: ``sinus``, ``ectopic``, ``retrograde``, ``paced``.
    p_conducted, p_hidden : np.ndarray of bool, shape (n_p,)
        Likewise: whether a QRS followed from it; whether it cannot be seen, because at least half
        of it lies under a QRS, or under a T wave three times its size.
    p_leads_s : np.ndarray, shape (n_leads, n_p, 3), s
        Likewise: onset, peak, offset as visible in each lead.
    amplitudes_mv : dict of str to np.ndarray, shape (n_leads, n_beats), mV
        ``p q r s r2 st_j st_j60 t`` of the beats of ``delineation`` against the
        resting level.
        ``q`` is the first negative deflection before any positive one (all of a QS), ``r`` the
        greatest positive one up to the deepest ``s``, ``r2`` the greatest after it.
    values : dict of str to float
        ``heart_rate_bpm rr_ms p_ms pr_ms qrs_ms qt_ms qtc_fridericia_ms p_axis_deg qrs_axis_deg
        t_axis_deg``: medians over the beats of the dominant form (rate and RR over all); NaN where
        there is none. Intervals reach from the earliest to the latest lead; ``p_leads_ms
        pr_leads_ms qrs_leads_ms qt_leads_ms`` are medians over leads and beats of the interval
        within one lead, as the measuring lane reports them.
    labels : tuple of str
        SCP-ECG codes as PTB-XL writes them, project codes in lower case.
    rhythm : str
        Name in `ecg_llm.data_builders.synthetic_rhythm.RHYTHMS`.
    spikes_s : tuple of float, s
        Pacing stimuli inside the record.
    flutter_bpm : float, /min
        Rate of the flutter waves; NaN without.
    electrode_swap : str
        Kind of electrode swap that was made after all this was noted; empty for none. Marks and
        amplitudes are of the leads before the swap.
    lost : tuple of str
        Leads in which noise left nothing to read (`NoiseConfig.lost`); they keep their marks here.
    """

    delineation: Delineation
    complete: Delineation
    beats: tuple[Beat, ...]
    p_source: tuple[PSource, ...]
    p_conducted: npt.NDArray[np.bool_]
    p_hidden: npt.NDArray[np.bool_]
    p_leads_s: Array
    amplitudes_mv: dict[str, Array]
    values: dict[str, float]
    labels: tuple[str, ...]
    rhythm: str
    spikes_s: tuple[float, ...]
    flutter_bpm: float
    electrode_swap: str = ""
    lost: tuple[str, ...] = ()

    def waves_s(self) -> dict[str, dict[str, Array]]:
        """Give every wave that a lead shows, as a reader would mark them all.

        Returns
        -------
        dict of str to dict of str to np.ndarray, shape (n, 3), s
            By lead and wave (``P``, ``QRS``, ``T``): onset, peak, offset of each wave that reaches
            into the record, without hidden P waves, and none in lost leads. Times may lie before
            its start or after its end.
        """
        waves: dict[str, dict[str, Array]] = {}
        for k, lead in enumerate(self.complete.leads):
            beats = self.complete.times_s[k]
            found = {
                "P": self.p_leads_s[k][~self.p_hidden], "QRS": beats[:, 3:6], "T": beats[:, 6:9]
            }  # fmt: skip
            seen = lead not in self.lost
            waves[lead] = {name: rows[~np.isnan(rows[:, 0]) & seen] for name, rows in found.items()}
        return waves


def qrs_amplitudes(form: Array) -> dict[str, Array]:
    """Name the deflections of QRS.

    Parameters
    ----------
    form : np.ndarray, shape (n_beats, 12, n_grid), mV
        QRS of every lead.

    Returns
    -------
    dict of str to np.ndarray, shape (12, n_beats), mV
        ``q r s r2``; 0 where there is no such deflection.
    """
    index = np.arange(form.shape[2])
    positive = form > DEFLECTION_MV
    has_r = positive.any(axis=2)
    first = np.where(has_r, np.argmax(positive, axis=2), form.shape[2])
    q = np.where(index < first[:, :, None], form, 0.0).min(axis=2)
    after = np.where(index >= first[:, :, None], form, 0.0)
    at_s = np.argmin(after, axis=2)
    s = after.min(axis=2)
    deep = s < -DEFLECTION_MV
    split = np.where(deep, at_s, form.shape[2])[:, :, None]
    r = np.where(index < split, after, 0.0).max(axis=2)
    r2 = np.where(index >= split, after, 0.0).max(axis=2)
    named = {"q": q, "r": r, "s": s, "r2": r2}
    return {
        name: np.where(np.abs(value) > DEFLECTION_MV, value, 0.0).T for name, value in named.items()
    }


def st_t_amplitudes(qrs_off: Array, st: tuple[Array, Array], t: Waves) -> dict[str, Array]:
    """Read ST at J and J+60 ms, and T with the ST that it stands on.

    Parameters
    ----------
    qrs_off : np.ndarray, shape (n_beats,), s
        The J point.
    st : tuple of np.ndarray
        Shapes (n_beats, n_pieces, 3) in s and amplitudes (n_beats, 8, n_pieces) in mV.

    Returns
    -------
    dict of str to np.ndarray, shape (12, n_beats), mV
        ``st_j st_j60 t``; ``t`` is NaN in leads that show none.
    """
    at = qrs_off[:, None] + np.array([0.0, 0.060])
    level = st[1] @ pieces_at(at, st[0]) + t.amplitude @ pieces_at(at, t.shape)
    twelve = TO_12 @ level  # [B, 12, 2]
    peak = t.marks[:, :, 1]
    when = np.nan_to_num(peak, nan=0.0)
    own = np.einsum("blc,bcl->bl", TO_12 @ t.amplitude, pieces_at(when, t.shape))
    below = np.einsum("blc,bcl->bl", TO_12 @ st[1], pieces_at(when, st[0]))
    total = np.where(np.isnan(peak), np.nan, own + below)
    return {"st_j": twelve[:, :, 0].T, "st_j60": twelve[:, :, 1].T, "t": total.T}


def _frontal_axis(form: Array) -> Array:
    """Compute the mean frontal axis, deg, of waves, shape (n_waves, 12, n_grid), by I and aVF."""
    area = form.sum(axis=2) * (GRID[1] - GRID[0])
    # aVF is recorded at 1/√3 × 3/2 of the strength of lead I for the same dipole.
    return np.asarray(np.rad2deg(np.arctan2(area[:, 5] * 2 / np.sqrt(3), area[:, 0])))


def note_truth(
    course: Course,
    ventricles: Ventricles,
    p: Waves,
    leads: tuple[str, ...],
    rows: list[int],
    seconds: float,
    rhythm: str,
    labels: tuple[str, ...],
) -> Truth:
    """Write down what is true of the drawn record.

    Parameters
    ----------
    p : Waves
        P waves, in the order of the course's atrial events.
    seconds : float, s
        Length of the record.
    """
    qrs, t = ventricles.qrs, ventricles.t
    n = len(course.ventricles)
    led = np.array([-1 if beat.p is None else beat.p for beat in course.ventricles], dtype=int)
    has_p = (led >= 0)[:, None, None]
    p_marks = np.full((n, 12, 3), np.nan)
    p_overall = np.full((n, 3), np.nan)
    if len(p.marks) and n:
        p_marks = np.where(has_p, p.marks[led], np.nan)
        p_overall = np.where(has_p[:, 0], p.overall[led], np.nan)
    times = np.concatenate([p_marks, qrs.marks, t.marks], axis=2).transpose(1, 0, 2)
    overall = np.concatenate([p_overall, qrs.overall, t.overall], axis=1)
    r = qrs.overall[:, 1]

    reaching = (np.fmax(overall[:, 8], overall[:, 5]) > 0) & (overall[:, 3] < seconds)
    reaching |= (overall[:, 2] > 0) & (overall[:, 0] < seconds)
    p_in = (p.overall[:, 2] > 0) & (p.overall[:, 0] < seconds)
    order = np.flatnonzero(p_in)[np.argsort(p.overall[p_in, 0])]
    hidden = _hidden(p.overall[order], p.form[order], ventricles)
    p_times = p.overall[order]
    complete = Delineation(
        leads=leads,
        r_s=r[reaching],
        times_s=times[rows][:, reaching],
        global_s=overall[reaching],
        p_waves_s=p_times,
        p_confidence=np.ones(len(order)),
    )
    inside = (r >= 0) & (r < seconds)
    seen = ~hidden & (p_times[:, 0] >= 0) & (p_times[:, 2] < seconds)
    delineation = Delineation(
        leads=leads,
        r_s=r[inside],
        times_s=_within(times[rows][:, inside], seconds),
        global_s=_within(overall[inside], seconds),
        p_waves_s=p_times[seen],
        p_confidence=np.ones(int(seen.sum())),
    )
    amplitudes = qrs_amplitudes(qrs.form) | st_t_amplitudes(overall[:, 5], ventricles.st, t)
    p_peak = np.full((12, n), np.nan)
    if len(p.form) and n:
        extreme = np.take_along_axis(p.form, np.abs(p.form).argmax(axis=2)[:, :, None], axis=2)
        shown = ~np.isnan(p_marks[:, :, 1])
        p_peak = np.where(shown, extreme[led, :, 0], np.nan).T
    amplitudes = {"p": p_peak, **amplitudes}
    events = [beat for beat, keep in zip(course.ventricles, inside, strict=True) if keep]
    return Truth(
        delineation=delineation,
        complete=complete,
        beats=tuple(Beat(float(at), beat.kind) for at, beat in zip(r[inside], events, strict=True)),
        p_source=tuple(course.atria[k].source for k in order),
        p_conducted=np.array([course.atria[k].conducted for k in order], dtype=bool),
        p_hidden=hidden,
        p_leads_s=p.marks[order][:, rows].transpose(1, 0, 2),
        amplitudes_mv={k: value[rows][:, inside] for k, value in amplitudes.items()},
        values=_values(ventricles, p, led, times, overall, inside),
        labels=labels,
        rhythm=rhythm,
        spikes_s=tuple(at for at, _ in sorted(course.spikes) if 0 <= at < seconds),
        flutter_bpm=course.flutter_bpm,
    )


def _within(times: Array, seconds: float) -> Array:
    """Blank the times that lie outside the record."""
    return np.where((times >= 0) & (times < seconds), times, np.nan)


def _hidden(p: Array, p_form: Array, ventricles: Ventricles) -> npt.NDArray[np.bool_]:
    """Which P waves lie for half of their length or more under QRS, or under a far larger T."""
    qrs, t = ventricles.qrs, ventricles.t
    if len(p) == 0 or len(qrs.overall) == 0:
        return np.zeros(len(p), dtype=bool)
    half = 0.5 * (p[:, 2] - p[:, 0])[:, None]
    size, t_size = (np.sqrt(np.square(form).sum(axis=1).max(axis=1)) for form in (p_form, t.form))
    small = size[:, None] < t_size[None, :] / 3
    under_qrs, under_t = _shared(p, qrs.overall) >= half, _shared(p, t.overall) >= half
    return np.asarray((under_qrs | (under_t & small)).any(axis=1))


def _shared(some: Array, others: Array) -> Array:
    """Time that each of some waves has in common with each of the others, in s."""
    others = np.nan_to_num(others, nan=-1e6)
    last = np.minimum(some[:, None, 2], others[None, :, 2])
    return np.asarray(last - np.maximum(some[:, None, 0], others[None, :, 0]))


def _values(
    ventricles: Ventricles,
    p: Waves,
    led: npt.NDArray[np.intp],
    times: Array,
    overall: Array,
    inside: npt.NDArray[np.bool_],
) -> dict[str, float]:
    """Medians over the beats of the dominant form."""
    forms = [form for form, keep in zip(ventricles.forms, inside, strict=True) if keep]
    # In bigeminy either form may lead by one beat: the conducted one is the patient's own.
    weight = {form: forms.count(form) + 1.5 * (form == "conducted") for form in sorted(set(forms))}
    dominant = max(weight, key=lambda form: weight[form], default="")
    chosen = inside & np.array([form == dominant for form in ventricles.forms], dtype=bool)
    rr = np.diff(overall[inside, 4]) * 1000
    beats, with_p = overall[chosen], led[chosen][led[chosen] >= 0]

    def median(values: Array) -> float:
        values = values[~np.isnan(values)]
        return float(np.median(values)) if len(values) else float("nan")

    def direction(form: Array) -> float:
        return (
            median(_frontal_axis(form.mean(axis=0, keepdims=True))) if len(form) else float("nan")
        )

    mean_rr = float(rr.mean()) if len(rr) else float("nan")
    qt, single = (beats[:, 8] - beats[:, 3]) * 1000, times[:, chosen]
    return {
        "heart_rate_bpm": 60000 / mean_rr,
        "rr_ms": mean_rr,
        "p_ms": median((beats[:, 2] - beats[:, 0]) * 1000),
        "pr_ms": median((beats[:, 3] - beats[:, 0]) * 1000),
        "qrs_ms": median((beats[:, 5] - beats[:, 3]) * 1000),
        "qt_ms": median(qt),
        "qtc_fridericia_ms": median(qt / np.cbrt(ventricles.rr_s[chosen])),
        **{
            f"{name}_leads_ms": median((single[..., last] - single[..., first]) * 1000)
            for name, first, last in (("p", 0, 2), ("pr", 0, 3), ("qrs", 3, 5), ("qt", 3, 8))
        },
        "p_axis_deg": direction(p.form[with_p]),
        "qrs_axis_deg": direction(ventricles.qrs.form[chosen]),
        "t_axis_deg": direction(ventricles.t.form[chosen]),
    }
