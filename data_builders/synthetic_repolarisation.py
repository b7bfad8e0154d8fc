"""Conditions of ST, T, U and QT: channels, electrolytes, drugs, pericardium."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ecg_llm.data_builders.synthetic_entry import Entry, with_beat, with_st, with_t
from ecg_llm.data_builders.synthetic_field import rotation
from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_waves import Loop

Amount = float | None
Rng = np.random.Generator

LATERAL = ("I", "II", "V5", "V6")


def _pericarditis(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    st = amount or float(rng.uniform(0.10, 0.28))
    turn = rotation(heart.geometry.roll_deg, heart.geometry.yaw_deg)
    x, y, z = (0.80, 0.42, -0.25) @ turn  # the whole surface is inflamed, however the heart lies
    heart = with_st(heart, "centre", (x, y, z), LATERAL, st, (1.0, 1.15, 1.4))
    return replace(heart, ta=float(rng.uniform(0.35, 0.7)))


def _early_repolarisation(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    st = amount or float(rng.uniform(0.10, 0.28))
    towards = (0.60, 0.55, -float(rng.uniform(0.2, 0.7)))
    heart = with_st(heart, "centre", towards, ("II", "V4", "V5"), st, (1.0, 0.85, 1.2))
    x, y, z = np.asarray(towards) * st * rng.uniform(0.4, 0.9)
    notch = Loop.of((0.93, 0.10, 0.10, x, y, z, "centre"))  # the J wave
    t = heart.beat.t.scaled(float(rng.uniform(1.2, 1.6)))
    return with_beat(heart, qrs=heart.beat.qrs.plus(notch), t=t)


def _brugada(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    towards = (-0.62, -0.40, -0.68)
    qrs = heart.beat.qrs.squeezed(0.0, 0.86)
    x, y, z = np.asarray(towards) * rng.uniform(0.10, 0.22)
    qrs = qrs.plus(Loop.of((0.84, 0.16, 0.16, x, y, z, "outflow")))
    heart = with_beat(heart, qrs=qrs, qrs_ms=min(heart.beat.qrs_ms + rng.uniform(8, 20), 119))
    heart = with_t(
        heart, "outflow", towards, ("V1", "V2"), -float(rng.uniform(0.12, 0.35)), symmetry=0.8
    )
    st = amount or float(rng.uniform(0.22, 0.45))
    fall = float(rng.uniform(0.55, 0.75))
    return with_st(heart, "outflow", towards, ("V1", "V2"), st, (1.0, fall, 0.0))


def _long_qt(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    share = float(rng.choice([0.45, 0.62, 0.85]))  # late T after a long ST, or a broad one
    beat = replace(heart.beat, qtc_ms=amount or float(rng.uniform(482, 570)), t_share=share, u=None)
    if rng.random() < 0.35:  # notched
        x, y, z = heart.beat.t.moment[0] * rng.uniform(0.3, 0.55)
        late = Loop.of((0.80, 0.20, 0.20, float(x), float(y), float(z), "centre"))
        beat = replace(beat, t=beat.t.plus(late))
    return replace(heart, beat=beat)


def _short_qt(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    return with_beat(
        heart,
        qtc_ms=amount or float(rng.uniform(295, 338)),
        t_share=0.80,
        t=heart.beat.t.scaled(float(rng.uniform(1.1, 1.6))),
        u=None,
    )


def _hyperkalaemia(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    """Peak T first; with more potassium flatten P and widen QRS."""
    severe = amount if amount is not None else float(rng.uniform(0.1, 1.0))
    size = float(rng.uniform(1.9, 2.8)) * (1 - 0.25 * severe)
    moment = heart.beat.t.moment.sum(axis=0) * size
    x, y, z = (float(v) for v in moment)
    t = Loop.of((0.52, 0.46, 0.42, x, y, z, "centre"))
    wide = heart.beat.qrs_ms * (1 + 0.75 * max(severe - 0.4, 0.0))
    return replace(
        with_beat(heart, t=t, t_share=0.50 + 0.15 * severe, qrs_ms=wide, u=None),
        p=heart.p.scaled(1 - 0.85 * severe),
        pr_ms=heart.pr_ms * (1 + 0.25 * severe),
    )


def _hypokalaemia(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    severe = amount if amount is not None else float(rng.uniform(0.4, 1.0))
    u = np.array([0.09, 0.06, -0.13]) * (0.8 + severe)
    heart = with_st(
        heart, "centre", (0.7, 0.5, -0.4), ("V4", "V5"), -0.04 - 0.10 * severe, (1.0, 1.1, 1.0)
    )
    wave = Loop.of((0.48, 0.50, 0.52, float(u[0]), float(u[1]), float(u[2]), "centre"))
    return with_beat(heart, t=heart.beat.t.scaled(0.75 - 0.5 * severe), u=wave)


def _digoxin(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    st = -(amount or float(rng.uniform(0.06, 0.16)))
    heart = with_st(heart, "centre", (0.75, 0.45, -0.25), ("V5", "V6"), st, (1.0, 1.7, 1.9))
    return with_beat(
        heart,
        t=heart.beat.t.scaled(float(rng.uniform(0.3, 0.7))),
        qtc_ms=heart.beat.qtc_ms - float(rng.uniform(25, 50)),
    )


def _low_t(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    return with_beat(heart, t=heart.beat.t.scaled(amount or float(rng.uniform(0.1, 0.28))))


def _inverted_t(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    deep = amount or float(rng.uniform(0.1, 0.4))
    return with_t(heart, "centre", (0.8, 0.35, -0.3), ("I", "V4", "V5", "V6"), -deep)


def _st_depression(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    st = -(amount or float(rng.uniform(0.06, 0.2)))
    course = (1.0, float(rng.uniform(0.5, 1.2)), 0.5)
    return with_st(heart, "centre", (0.75, 0.5, -0.3), LATERAL, st, course)


def entries() -> dict[str, Entry]:
    """List the conditions of recovery."""
    return {
        "LOWT": Entry(_low_t, ("LOWT",), "T against the healthy one"),
        "INVT": Entry(_inverted_t, ("INVT",), "mean depth of T in I, V4 to V6 in mV"),
        "STD_": Entry(_st_depression, ("STD_",), "ST depression at J in mV"),
        "LNGQT": Entry(_long_qt, ("LNGQT",), "QTc in ms"),
        "short_qt": Entry(_short_qt, ("short_qt",), "QTc in ms"),
        "pericarditis": Entry(_pericarditis, ("pericarditis", "STE_"), "ST at J in mV"),
        "early_repolarisation": Entry(
            _early_repolarisation, ("early_repolarisation", "STE_"), "ST at J in mV"
        ),
        "brugada1": Entry(_brugada, ("brugada1",), "ST at J in V1 or V2 in mV"),
        "hyperkalaemia": Entry(_hyperkalaemia, ("EL", "hyperkalaemia"), "severity, 0 to 1"),
        "hypokalaemia": Entry(_hypokalaemia, ("EL", "hypokalaemia"), "severity, 0 to 1"),
        "DIG": Entry(_digoxin, ("DIG",), "ST depression at J in mV"),
    }
