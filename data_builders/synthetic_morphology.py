"""The shapes of beats: healthy, blocked, ectopic and paced, as loops of the heart's dipole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_field import rotation
from ecg_llm.data_builders.synthetic_waves import Loop, Piece

Array = npt.NDArray[np.float64]
Node = tuple[float, float, float]


@dataclass(frozen=True)
class Injury:
    """A source of ST shift: the dipole at J, J+60 ms and midway to the end of T.

    Attributes
    ----------
    site : str
        Where it sits in the heart.
    nodes : tuple of three (x, y, z), mV
        The dipole at those times; smooth joins between them, nothing before QRS and after T.
    """

    site: str
    nodes: tuple[Node, Node, Node]


@dataclass(frozen=True)
class Morphology:
    """One form of ventricular beat.

    Attributes
    ----------
    qrs, t : Loop
        Activation and recovery, in shares of their visible length.
    injuries : tuple of Injury
        ST shift.
    u : Loop or None
        U wave, in shares of its length; it begins at the end of T.
    qrs_ms : float, ms
        Visible length of QRS.
    qtc_ms : float, ms
        QT at a rate of 60/min (Fridericia).
    t_share : float
        Part of the interval from J to the end of T that T itself takes.
    """

    qrs: Loop
    t: Loop
    injuries: tuple[Injury, ...] = ()
    u: Loop | None = None
    qrs_ms: float = 90.0
    qtc_ms: float = 410.0
    t_share: float = 0.64


def _loop(rng: np.random.Generator, spread: float, *pieces: Piece) -> Loop:
    """Build a loop that differs from patient to patient."""
    loop = Loop.of(*pieces)
    size = np.linalg.norm(loop.moment, axis=1, keepdims=True)
    moment = loop.moment * np.exp(spread * 0.26 * rng.standard_normal((len(size), 1)))
    moment += spread * 0.17 * size * rng.standard_normal(loop.moment.shape)
    shape = loop.shape.copy()
    shape[:, 0] += 0.03 * spread * rng.standard_normal(len(shape))
    shape[:, 1:] *= np.exp(0.16 * spread * rng.standard_normal((len(shape), 2)))
    return Loop(shape, moment, loop.site)


def normal_p(rng: np.random.Generator, spread: float) -> Loop:
    """Draw a sinus P wave: right atrium forward and down, then left atrium left and back.

    Parameters
    ----------
    spread : float
        How far patients differ; 0 gives the textbook.
    """
    gap = abs(spread) * rng.uniform(-0.4, 0.5)  # a late left atrium notches the P wave
    return _loop(
        rng,
        spread,
        (0.42 - 0.1 * gap, 0.44, 0.34 - 0.1 * gap, 0.034, 0.052, -0.024, "atria"),
        (0.66 + 0.1 * gap, 0.40 - 0.1 * gap, 0.31, 0.088, 0.030, 0.046, "atria"),
    )


def ectopic_p(rng: np.random.Generator, sinus: Loop) -> Loop:
    """Draw the P wave of another atrial focus, of about the size of the sinus P wave."""
    turned = sinus.turned(rotation(float(rng.uniform(50, 250)), float(rng.uniform(-60, 60))))
    return turned.scaled(float(rng.uniform(0.7, 1.2)))


def retrograde_p(sinus: Loop) -> Loop:
    """Give the P wave of atria that are activated from the AV node upwards."""
    upwards = sinus.moment * np.array([0.2, -1.0, -0.5]) + np.array([0.0, -0.02, 0.0])
    return Loop(sinus.shape, upwards, sinus.site)


def normal_beat(rng: np.random.Generator, spread: float) -> Morphology:
    """Draw a normally conducted beat.

    Septum to the right and forward, apex forward and left, free wall left, down and back, base
    up and back; T follows QRS in the limb leads and points forward.

    Parameters
    ----------
    spread : float
        How far patients differ; 0 gives the textbook.
    """
    qrs = _loop(
        rng,
        spread,
        (0.29, 0.27, 0.16, -0.11, 0.03, -0.13, "centre"),
        (0.46, 0.20, 0.18, 0.74, 0.48, -0.36, "centre"),
        (0.56, 0.20, 0.20, 0.82, 0.40, 0.72, "centre"),
        (0.70, 0.20, 0.22, -0.09, -0.08, 0.54, "centre"),
        (0.82, 0.18, 0.24, -0.02, -0.03, 0.08, "centre"),
    )
    if rng.random() < 0.25 * spread:  # a small late or early notch, harmless
        centre = rng.uniform(0.3, 0.85)
        x, y, z = 0.12 * rng.standard_normal(3)
        qrs = qrs.plus(Loop.of((centre, 0.12, 0.12, x, y, z, "centre")))
    skew = rng.uniform(-0.05, 0.06) * spread
    t = _loop(
        rng,
        spread * 0.7,
        (0.59 + skew, 0.40 + skew, 0.40 - skew, 0.25, 0.09, -0.145, "centre"),
        (0.48 + skew, 0.48, 0.40, 0.09, 0.025, -0.055, "centre"),
    )
    t = t.scaled(float(0.93 * np.exp(0.24 * spread * rng.standard_normal())))
    lift = 0.014 * spread * rng.standard_normal(3) + np.array([0.016, 0.012, -0.072])
    lift *= np.exp(0.4 * spread * rng.standard_normal())
    first, late = tuple(lift * 0.8), tuple(lift * 1.3 + t.moment.sum(axis=0) * 0.16)
    beat = Morphology(
        qrs=qrs,
        t=t,
        injuries=(Injury("centre", (first, tuple(lift), late)),),
        qrs_ms=float(np.clip(91 + 9 * spread * rng.standard_normal(), 70, 112)),
        qtc_ms=float(np.clip(411 + 22 * spread * rng.standard_normal(), 355, 455)),
        t_share=float(np.clip(0.645 + 0.06 * spread * rng.standard_normal(), 0.48, 0.8)),
    )
    if rng.random() < 0.45 * spread:
        size = rng.uniform(0.1, 0.6)
        u = Loop.of((0.5, 0.5, 0.5, 0.05 * size, 0.04 * size, -0.10 * size, "centre"))
        beat = replace(beat, u=u)
    return beat


def discordant(beat: Morphology, share: float) -> Morphology:
    """Turn ST and T against QRS, as abnormal activation makes recovery do.

    The share is that of T in the mean force of QRS; secondary ST shift is a third of it.
    """
    lengths = beat.qrs.shape[:, 1:].sum(axis=1) / 2
    area = (beat.qrs.moment * lengths[:, None]).sum(axis=0)
    x, y, z = -area * share
    t = Loop.of((0.58, 0.56, 0.40, x, y, z, "centre"))
    st = np.array([x, y, z])
    nodes = tuple(tuple(st * k) for k in (0.22, 0.30, 0.42))
    return replace(beat, t=t, injuries=(Injury("centre", nodes),))  # type: ignore[arg-type]


def right_bundle_block(
    beat: Morphology, rng: np.random.Generator, spread: float, *, complete: bool = True
) -> Morphology:
    """Let the right ventricle come late: forces to the right and forward after the left ones."""
    if complete:
        qrs_ms = float(rng.uniform(124, 124 + 36 * max(spread, 0.2)))
        late = (0.74, 0.24, 0.26, -0.50, -0.06, -0.50, "centre")
        tail = (0.60, 0.18, 0.22, -0.18, 0.02, -0.20, "centre")
        left = 0.66
    else:
        qrs_ms = float(rng.uniform(106, 117))
        late = (0.80, 0.18, 0.20, -0.28, -0.06, -0.34, "centre")
        tail = (0.66, 0.14, 0.18, -0.05, 0.0, -0.08, "centre")
        left = 0.80
    first = beat.qrs.squeezed(0.0, left)
    damped = first.moment.copy()
    damped[-1] *= 0.35  # the base is hidden by the right ventricle
    qrs = Loop(first.shape, damped, first.site).plus(_loop(rng, 0.5 * spread, tail, late))
    size = 1.0 if complete else 0.3
    away = Loop.of((0.56, 0.5, 0.4, 0.10 * size, 0.0, 0.26 * size, "centre"))
    sag = (0.03 * size, 0.0, 0.05 * size)
    injuries = (*beat.injuries, Injury("centre", (sag, sag, (0.05 * size, 0.0, 0.09 * size))))
    return replace(beat, qrs=qrs, t=beat.t.plus(away), injuries=injuries, qrs_ms=qrs_ms)


def left_bundle_block(beat: Morphology, rng: np.random.Generator, spread: float) -> Morphology:
    """Let the left ventricle be activated slowly through the septum, from right to left."""
    r_wave = rng.uniform(0.0, 0.16)
    qrs = _loop(
        rng,
        0.5 * spread,
        (0.14, 0.13, 0.16, 0.16, 0.04, -r_wave, "centre"),
        (0.34, 0.26, 0.22, 0.70, 0.18, 0.35, "centre"),
        (0.52, 0.22, 0.22, 0.50, 0.10, 0.75, "centre"),
        (0.68, 0.22, 0.30, 0.75, 0.05, 0.45, "centre"),
    )
    qrs = qrs.turned(rotation(float(rng.normal(0, 18 * spread)), 0.0))
    qrs_ms = float(rng.uniform(126, 126 + 40 * max(spread, 0.2)))
    wide = replace(beat, qrs=qrs, qrs_ms=qrs_ms, qtc_ms=beat.qtc_ms + 35, u=None)
    return discordant(wide, float(rng.uniform(0.5, 0.8)))


def fascicular_block(
    beat: Morphology, rng: np.random.Generator, spread: float, *, anterior: bool
) -> Morphology:
    """Let one half of the left ventricle come late: the loop turns up (anterior) or down."""
    if anterior:
        pieces: tuple[Piece, ...] = (
            (0.18, 0.17, 0.18, -0.10, 0.22, -0.14, "centre"),
            (0.40, 0.22, 0.22, 0.55, -0.10, -0.30, "centre"),
            (0.58, 0.22, 0.22, 0.52, -0.62, 0.30, "centre"),
            (0.76, 0.20, 0.24, 0.05, -0.40, 0.34, "centre"),
        )
    else:
        pieces = (
            (0.18, 0.17, 0.18, 0.16, -0.22, -0.16, "centre"),
            (0.40, 0.22, 0.22, 0.20, 0.60, -0.36, "centre"),
            (0.58, 0.22, 0.22, -0.02, 0.80, 0.30, "centre"),
            (0.76, 0.20, 0.24, -0.28, 0.30, 0.34, "centre"),
        )
    qrs_ms = float(min(beat.qrs_ms + rng.uniform(6, 16), 116))
    return replace(beat, qrs=_loop(rng, 0.6 * spread, *pieces), qrs_ms=qrs_ms)


FOCI: dict[str, tuple[Piece, ...]] = {
    "right outflow tract": (
        (0.24, 0.24, 0.24, 0.10, 0.40, -0.05, "centre"),
        (0.50, 0.30, 0.30, 0.45, 1.15, 0.80, "centre"),
        (0.74, 0.26, 0.26, 0.10, 0.30, 0.35, "centre"),
    ),
    "right apex": (
        (0.22, 0.22, 0.24, 0.35, -0.30, 0.05, "centre"),
        (0.48, 0.30, 0.28, 0.75, -0.85, 0.80, "centre"),
        (0.74, 0.26, 0.26, 0.35, -0.45, 0.40, "centre"),
    ),
    "left lateral wall": (
        (0.24, 0.24, 0.24, -0.30, 0.10, -0.35, "centre"),
        (0.50, 0.30, 0.28, -0.90, 0.35, -0.75, "centre"),
        (0.76, 0.24, 0.24, -0.30, 0.40, -0.10, "centre"),
    ),
    "left inferior wall": (
        (0.24, 0.24, 0.24, 0.05, -0.35, -0.40, "centre"),
        (0.50, 0.30, 0.28, -0.25, -1.00, -0.80, "centre"),
        (0.76, 0.24, 0.24, 0.10, -0.35, -0.10, "centre"),
    ),
    "left septum": (
        (0.22, 0.22, 0.22, -0.20, -0.05, -0.40, "centre"),
        (0.48, 0.28, 0.28, -0.30, -0.65, -0.60, "centre"),
        (0.74, 0.24, 0.24, -0.45, -0.45, 0.05, "centre"),
    ),
}
"""Where ventricular beats may start, and how the ventricles then depolarise."""


def ventricular_beat(rng: np.random.Generator, spread: float, focus: str = "") -> Morphology:
    """Draw a beat that starts in a ventricle: wide, tall, with ST and T against QRS."""
    name = focus or str(rng.choice(list(FOCI)))
    qrs = _loop(rng, 0.5 * spread, *FOCI[name]).scaled(float(rng.uniform(0.85, 1.35)))
    qrs = qrs.turned(rotation(*(15 * spread * rng.standard_normal(2))))
    wide = Morphology(
        qrs=qrs,
        t=qrs,
        qrs_ms=float(rng.uniform(132, 132 + 42 * max(spread, 0.2))),
        qtc_ms=float(rng.uniform(440, 490)),
        t_share=0.7,
    )
    return discordant(wide, float(rng.uniform(0.45, 0.8)))


def fused(first: Morphology, second: Morphology, share: float) -> Morphology:
    """Let two activation fronts share the ventricles."""
    rest = 1.0 - share
    return Morphology(
        qrs=first.qrs.scaled(rest).plus(second.qrs.scaled(share)),
        t=first.t.scaled(rest).plus(second.t.scaled(share)),
        injuries=(*_faded(first.injuries, rest), *_faded(second.injuries, share)),
        qrs_ms=rest * first.qrs_ms + share * second.qrs_ms,
        qtc_ms=rest * first.qtc_ms + share * second.qtc_ms,
        t_share=rest * first.t_share + share * second.t_share,
    )


def _faded(injuries: tuple[Injury, ...], factor: float) -> tuple[Injury, ...]:
    """Scale sources of ST shift."""
    return tuple(
        Injury(item.site, tuple((x * factor, y * factor, z * factor) for x, y, z in item.nodes))  # type: ignore[arg-type]
        for item in injuries
    )
