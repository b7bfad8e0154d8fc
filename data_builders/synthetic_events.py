"""From the events of a rhythm to placed waves: QRS, ST, T and U of each beat, and P."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_course import Course
from ecg_llm.data_builders.synthetic_field import SITE_NAMES, TO_12, Fields, rotation
from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_morphology import (
    Morphology,
    ectopic_p,
    fused,
    retrograde_p,
    ventricular_beat,
)
from ecg_llm.data_builders.synthetic_waves import (
    P_SEEN,
    QRS_SEEN,
    T_SEEN,
    Loop,
    Waves,
    pieces_at,
    place,
)

Array = npt.NDArray[np.float64]
Drawn = tuple[Array, Array]

MIN_JT_S = 0.13
"""Recovery is never squeezed into less."""


@dataclass(frozen=True, eq=False)
class Ventricles:
    """The ventricular waves of all beats.

    Attributes
    ----------
    qrs, t : Waves
        One a beat.
    st, u : tuple of np.ndarray
        Shapes (n_beats, n_pieces, 3) in s and amplitudes (n_beats, 8, n_pieces) in mV.
    forms : tuple of str
        Name of each beat's form.
    rr_s : np.ndarray, shape (n_beats,), s
        The RR that each beat's QT follows.
    """

    qrs: Waves
    t: Waves
    st: Drawn
    u: Drawn
    forms: tuple[str, ...]
    rr_s: Array

    def drawn(self) -> tuple[Drawn, ...]:
        """Give shape and amplitude of everything that is to be drawn."""
        return (
            (self.qrs.shape, self.qrs.amplitude),
            (self.t.shape, self.t.amplitude),
            self.st,
            self.u,
        )


def _modulation(on_s: Array, rng: np.random.Generator, variability: float) -> Array:
    """Turn and swell the dipole of each beat with breathing, and a little at random."""
    breath = np.sin(2 * np.pi * rng.uniform(0.18, 0.32) * on_s + rng.uniform(0, 2 * np.pi))
    swing = variability * rng.uniform(0.5, 3.0, 2)
    swell = variability * rng.uniform(0.0, 0.05)
    jitter = variability * rng.standard_normal((len(on_s), 3))
    return (
        np.stack(
            [
                (1 + swell * b + 0.012 * j[0])
                * rotation(float(swing[0] * b + 0.5 * j[1]), float(swing[1] * b + 0.5 * j[2]))
                for b, j in zip(breath, jitter, strict=True)
            ]
        )
        if len(on_s)
        else np.zeros((0, 3, 3))
    )


def _morphologies(forms: list[str], heart: Heart, rng: np.random.Generator) -> list[Morphology]:
    """Give each named form its shape."""
    made: dict[str, Morphology] = {"conducted": heart.beat}
    for form in forms:
        match form:
            case "conducted":
                continue
            case "paced":
                made[form] = ventricular_beat(rng, heart.spread, "right apex")
            case "fusion":
                other = ventricular_beat(rng, heart.spread)
                made[form] = fused(heart.beat, other, float(rng.uniform(0.35, 0.65)))
            case _:
                made[form] = ventricular_beat(rng, heart.spread)
    return [made[form] for form in forms]


def _recent_rr(on_s: Array) -> Array:
    """Smooth the preceding RR intervals, as QT follows them over some beats."""
    if len(on_s) < 2:
        return np.full(len(on_s), 1.0)
    rr = np.diff(on_s)
    out = np.empty(len(on_s))
    mean = float(np.mean(rr[:4]))
    out[0] = mean
    for k, value in enumerate(rr):
        mean += 0.3 * (value - mean)
        out[k + 1] = mean
    return out


def _apex(t: Waves, standing: Array) -> Array:
    """Put the peak of T where T and the ST that it stands on are greatest together."""
    time = t.grid_s()[:, None, :]
    turned = np.sign(np.take_along_axis(t.form, np.abs(t.form).argmax(2)[:, :, None], 2))
    within = (time > t.marks[:, :, :1]) & (time < t.marks[:, :, 2:])
    height = np.where(within, turned * (t.form + standing), -np.inf)
    marks = t.marks.copy()
    peak = np.take_along_axis(t.grid_s(), height.argmax(axis=2), axis=1)
    marks[:, :, 1] = np.where(np.isnan(marks[:, :, 0]), np.nan, peak)
    return marks


def lay_out_ventricles(
    course: Course, heart: Heart, fields: Fields, rng: np.random.Generator, variability: float
) -> Ventricles:
    """Place QRS, ST, T and U of every beat.

    ``variability`` scales the change from beat to beat.
    """
    course.ventricles.sort(key=lambda beat: beat.on_s)
    names = tuple(beat.form for beat in course.ventricles)
    forms = sorted(set(names)) or ["conducted"]
    kinds = _morphologies(forms, heart, rng)
    which = np.array([forms.index(name) for name in names], dtype=np.intp)
    on = np.array([beat.on_s for beat in course.ventricles])
    n = len(on)

    def of(name: str) -> Array:
        return np.array([getattr(kind, name) for kind in kinds], dtype=float)[which]

    modulation = _modulation(on, rng, variability)
    lasting = 1 + 0.006 * variability * np.clip(rng.standard_normal(n), -2, 2)
    qrs = place(
        [kind.qrs for kind in kinds], which, fields, modulation, on,
        of("qrs_ms") / 1000 * lasting, QRS_SEEN,
    )  # fmt: skip
    off = on + of("qrs_ms") / 1000 * lasting
    rr = _recent_rr(on)
    room = np.append(np.diff(on), 3.0) - 0.015
    qt = np.minimum(of("qtc_ms") / 1000 * np.cbrt(rr), room)
    jt = np.maximum(qt - (off - on), MIN_JT_S)
    t_off = off + jt
    length = of("t_share") * jt
    t = place([kind.t for kind in kinds], which, fields, modulation, t_off - length, length, T_SEEN)

    nodes = np.zeros((len(kinds), 8, 3))
    for k, kind in enumerate(kinds):
        for item in kind.injuries:
            nodes[k] += fields[SITE_NAMES.index(item.site)] @ np.array(item.nodes).T
    at = np.stack([off, off + np.minimum(0.06, 0.35 * jt)], axis=1)
    at = np.concatenate([at, at[:, 1:] + 0.45 * (t_off[:, None] - at[:, 1:])], axis=1)
    before = np.concatenate(
        [(off - np.minimum(0.04, 0.45 * (off - on)))[:, None], at[:, :2]], axis=1
    )
    after = np.concatenate([at[:, 1:], t_off[:, None]], axis=1)
    st = np.stack([at, at - before, after - at], axis=2), nodes[which]

    standing = TO_12 @ (st[1] @ pieces_at(t.grid_s(), st[0]))  # [B, 12, G]
    t = replace(t, marks=_apex(t, standing))

    u_loops = [kind.u or Loop.of((0.5, 0.5, 0.5, 0.0, 0.0, 0.0, "centre")) for kind in kinds]
    u_shape = np.stack([loop.shape[:1] for loop in u_loops])[which]
    u_size = np.stack([loop.amplitudes(fields)[:1].T for loop in u_loops])[which]
    u_length = np.minimum(0.17, room - (t_off - on))
    u_size = u_size * (u_length > 0.12)[:, None, None]
    u_shape = u_shape * np.maximum(u_length, 0.05)[:, None, None]
    u_shape[:, :, 0] += (t_off - 0.015)[:, None]
    return Ventricles(qrs, t, st, (u_shape, u_size), names, rr)


def atrial_recovery(p: Waves, size: float) -> Drawn:
    """Give the recovery of the atria, which lowers the PR segment and ends within QRS.

    Its ``size`` is that against the P wave. Shapes (n_waves, 1, 3) in s, (n_waves, 8, 1) in mV.
    """
    n = len(p.shape)
    middle = np.nan_to_num(p.overall[:, 2], nan=-1e3) + 0.035
    shape = np.stack([middle, np.full(n, 0.07), np.full(n, 0.20)], axis=1)[:, None, :]
    return shape, -size * p.amplitude.sum(axis=2, keepdims=True) / 2


def lay_out_p(
    course: Course, heart: Heart, fields: Fields, rng: np.random.Generator, variability: float
) -> Waves:
    """Place every P wave; the atrial events stay in their order.

    ``variability`` scales the change from beat to beat.
    """
    sources = ("sinus", "ectopic", "retrograde", "paced")
    loops = [
        heart.p,
        ectopic_p(rng, heart.p),
        retrograde_p(heart.p),
        heart.p.turned(rotation(15.0, 20.0)),
    ]
    which = np.array([sources.index(p.source) for p in course.atria], dtype=np.intp)
    on = np.array([p.on_s for p in course.atria])
    lasting = heart.p_ms / 1000 * (1 + 0.01 * variability * rng.standard_normal(len(on)))
    return place(loops, which, fields, _modulation(on, rng, variability), on, lasting, P_SEEN)
