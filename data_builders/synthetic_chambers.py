"""Conduction, hypertrophy, enlargement and voltage: what changes P and QRS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_entry import Entry, in_twelve, with_beat
from ecg_llm.data_builders.synthetic_field import Fields, lead_fields, rotation
from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_morphology import (
    Injury,
    discordant,
    fascicular_block,
    left_bundle_block,
    right_bundle_block,
)
from ecg_llm.data_builders.synthetic_waves import Loop

Array = npt.NDArray[np.float64]
Amount = float | None
Rng = np.random.Generator


def _crbbb(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    beat = right_bundle_block(heart.beat, rng, heart.spread)
    return replace(heart, beat=replace(beat, qrs_ms=amount or beat.qrs_ms))


def _irbbb(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    beat = right_bundle_block(heart.beat, rng, heart.spread, complete=False)
    return replace(heart, beat=replace(beat, qrs_ms=amount or beat.qrs_ms))


def _clbbb(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    beat = left_bundle_block(heart.beat, rng, heart.spread)
    return replace(heart, beat=replace(beat, qrs_ms=amount or beat.qrs_ms))


def _ilbbb(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    blocked = left_bundle_block(heart.beat, rng, heart.spread)
    qrs = blocked.qrs.scaled(0.7).plus(heart.beat.qrs.squeezed(0.1, 0.9).scaled(0.3))
    t = blocked.t.scaled(0.25).plus(heart.beat.t.scaled(0.75))
    return with_beat(heart, qrs=qrs, t=t, qrs_ms=amount or float(rng.uniform(108, 118)))


def _ivcd(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    qrs = heart.beat.qrs
    shape = qrs.shape.copy()
    shape[:, 0] = np.clip(shape[:, 0] + 0.08 * rng.standard_normal(len(shape)), 0.15, 0.85)
    slurred = Loop(shape, qrs.moment, qrs.site)
    wide = replace(heart.beat, qrs=slurred, qrs_ms=amount or float(rng.uniform(122, 155)))
    against = discordant(wide, 0.35)
    t = wide.t.scaled(0.5).plus(against.t.scaled(0.5))
    return replace(heart, beat=replace(wide, t=t, qtc_ms=wide.qtc_ms + 18))


def _lafb(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    beat = fascicular_block(heart.beat, rng, heart.spread, anterior=True)
    return pointed(replace(heart, beat=beat), amount or float(rng.uniform(-75, -46)))


def _lpfb(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    beat = fascicular_block(heart.beat, rng, heart.spread, anterior=False)
    return pointed(replace(heart, beat=beat), amount or float(rng.uniform(95, 130)))


def pointed(heart: Heart, axis_deg: float, with_t: float = 0.0) -> Heart:
    """Turn QRS in the frontal plane to a set axis (by areas).

    T makes the share ``with_t`` of the turn too.
    """
    fields = lead_fields(heart.geometry)
    # The areas in I and aVF are a constant, a cosine and a sine of the turn: three turns tell them.
    areas = [
        in_twelve(heart.beat.qrs.turned(rotation(turn, 0.0)), fields).sum(axis=1)[[0, 5]]
        for turn in (0.0, 90.0, 180.0)
    ]
    steady, cosine = (areas[0] + areas[2]) / 2, (areas[0] - areas[2]) / 2
    sine = areas[1] - steady
    turns = np.arange(-180.0, 180.0, 0.1)
    angle = np.deg2rad(turns)
    one, foot = (steady + np.outer(np.cos(angle), cosine) + np.outer(np.sin(angle), sine)).T
    missed = np.rad2deg(np.arctan2(foot * 2 / np.sqrt(3), one)) - axis_deg
    turned = float(turns[np.abs((missed + 180) % 360 - 180).argmin()])
    qrs = heart.beat.qrs.turned(rotation(turned, 0.0))
    return with_beat(heart, qrs=qrs, t=heart.beat.t.turned(rotation(turned * with_t, 0.0)))


def _first_degree(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    return replace(heart, pr_ms=amount or float(rng.uniform(212, 330)))


PATHWAYS = {
    "left lateral": (-0.55, 0.30, -0.75),
    "right free wall": (0.85, -0.15, 0.45),
    "posteroseptal": (0.45, -0.75, -0.45),
}
"""Direction of the delta wave by the place of the accessory pathway."""


def _wpw(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    x, y, z = np.array(PATHWAYS[str(rng.choice(list(PATHWAYS)))]) * rng.uniform(0.35, 0.6)
    delta = Loop.of(
        (0.22, 0.22, 0.30, 0.5 * x, 0.5 * y, 0.5 * z, "centre"),
        (0.44, 0.32, 0.30, x, y, z, "centre"),
    )
    late = heart.beat.qrs.squeezed(0.28, 0.72).scaled(0.6)
    qrs_ms = amount or float(rng.uniform(118, 148))
    wide = replace(heart.beat, qrs=late.plus(delta), qrs_ms=qrs_ms)
    against = discordant(replace(wide, qrs=delta), 1.2)
    wide = replace(wide, t=wide.t.scaled(0.6).plus(against.t), injuries=against.injuries)
    return replace(heart, beat=wide, pr_ms=float(rng.uniform(84, 116)))


def _sokolow(loop: Loop, fields: Fields) -> float:
    """S in V1 plus the taller R of V5 and V6."""
    drawn = in_twelve(loop, fields)
    return float(-drawn[6].min() + drawn[10:].max())


def _lvh(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    fields = lead_fields(heart.geometry)
    qrs = heart.beat.qrs
    bias = np.where(qrs.shape[:, :1] > 0.3, np.array([[1.15, 0.9, 1.0]]), 1.0)
    grown = Loop(qrs.shape, qrs.moment * bias + np.array([0.0, 0.0, 0.06]), qrs.site)
    target = amount or float(rng.uniform(3.8, 5.5))
    grown = grown.scaled(float(np.clip(target / max(_sokolow(grown, fields), 0.1), 0.8, 2.0)))
    # What growth alone does not give (a heart turned away from V5) the free wall adds.
    wall = Loop.of((0.52, 0.26, 0.28, 0.80, 0.10, 0.60, "centre"))
    for _ in range(4):
        missing = target - _sokolow(grown, fields)
        grown = grown.plus(wall.scaled(missing / _sokolow(wall, fields)))
    return with_beat(heart, qrs=grown, qrs_ms=min(heart.beat.qrs_ms + rng.uniform(4, 14), 118))


def _lvh_strain(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    heart = _lvh(heart, rng, amount)
    against = discordant(heart.beat, float(rng.uniform(0.35, 0.6)))
    t = heart.beat.t.scaled(0.3).plus(against.t)
    return with_beat(heart, t=t, injuries=against.injuries, t_share=0.72)


def _rvh(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    qrs = heart.beat.qrs
    left = Loop(qrs.shape, qrs.moment * np.array([0.55, 1.0, 0.55]), qrs.site)
    right = Loop.of(
        (0.46, 0.24, 0.22, -0.25, 0.10, -0.55, "right"),
        (0.64, 0.22, 0.26, -0.60, -0.10, -0.10, "centre"),
    ).scaled(amount or float(rng.uniform(0.8, 1.3)))
    heart = with_beat(heart, qrs=left.plus(right), qrs_ms=min(heart.beat.qrs_ms + 6, 116))
    heart = pointed(heart, float(rng.uniform(98, 135)))
    strain = float(rng.uniform(0.3, 1.0))
    away = Loop.of((0.56, 0.5, 0.42, 0.12 * strain, -0.06 * strain, 0.30 * strain, "centre"))
    sag = (0.03 * strain, -0.02 * strain, 0.07 * strain)
    injury = Injury("centre", (sag, sag, sag))
    return with_beat(heart, t=heart.beat.t.plus(away), injuries=(*heart.beat.injuries, injury))


def _right_atrium(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    p = heart.p
    moment = p.moment.copy()
    moment[0] = np.array([0.02, 0.12, -0.06])
    shape = p.shape.copy()
    shape[0] = (0.44, 0.42, 0.40)
    grown = Loop(shape, moment, p.site)
    peak = in_twelve(grown, lead_fields(heart.geometry))[1].max()
    target = amount or float(rng.uniform(0.26, 0.40))
    return replace(heart, p=grown.scaled(target / peak), p_ms=min(heart.p_ms, 112.0))


def _left_atrium(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    p = heart.p
    shape, moment = p.shape.copy(), p.moment.copy()
    shape[0] = (0.30, 0.30, 0.28)
    shape[1] = (0.68, 0.28, 0.30)
    moment[1] = np.array([0.070, 0.055, 0.11]) * rng.uniform(0.9, 1.5)
    p_ms = amount or float(rng.uniform(124, 146))
    return replace(
        heart, p=Loop(shape, moment, p.site), p_ms=p_ms, pr_ms=max(heart.pr_ms, p_ms + 25)
    )


def _low_voltage(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    drawn = in_twelve(heart.beat.qrs, lead_fields(heart.geometry))
    height = drawn.max(axis=1) - drawn.min(axis=1)
    target = amount or float(rng.uniform(0.28, 0.46))
    factor = min(target / height[:6].max(), 0.95 / height[6:].max())
    geometry = replace(heart.geometry, gain=heart.geometry.gain * factor)
    t = heart.beat.t.scaled(min(1.0, 0.7 / np.sqrt(factor)))
    return replace(with_beat(heart, t=t), geometry=geometry)


def _fragmented(heart: Heart, rng: Rng, _: Amount) -> Heart:
    qrs = heart.beat.qrs
    strength = float(np.linalg.norm(qrs.moment, axis=1).max())
    for _k in range(int(rng.integers(2, 5))):
        x, y, z = strength * rng.uniform(0.12, 0.3) * rng.standard_normal(3)
        centre = float(rng.uniform(0.25, 0.85))
        qrs = qrs.plus(Loop.of((centre, 0.11, 0.11, x, y, z, "centre")))
    return with_beat(heart, qrs=qrs)


def _left_axis(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    return pointed(heart, amount or float(rng.uniform(-44, -31)), with_t=0.2)


def _right_axis(heart: Heart, rng: Rng, amount: Amount) -> Heart:
    return pointed(heart, amount or float(rng.uniform(93, 125)), with_t=0.4)


def entries() -> dict[str, Entry]:
    """List the conditions of P and QRS, in the order in which they are applied."""
    return {
        "left_axis": Entry(_left_axis, ("left_axis_deviation",), "axis in deg"),
        "right_axis": Entry(_right_axis, ("right_axis_deviation",), "axis in deg"),
        "LVH": Entry(_lvh, ("LVH", "VCLVH"), "Sokolow-Lyon voltage in mV"),
        "LVH_strain": Entry(_lvh_strain, ("LVH", "VCLVH", "strain"), "Sokolow-Lyon voltage in mV"),
        "RVH": Entry(_rvh, ("RVH", "right_axis_deviation"), "strength, about 1"),
        "RAO/RAE": Entry(_right_atrium, ("RAO/RAE",), "P in II in mV"),
        "LAO/LAE": Entry(_left_atrium, ("LAO/LAE",), "P in ms"),
        "LAFB": Entry(_lafb, ("LAFB",), "axis in deg"),
        "LPFB": Entry(_lpfb, ("LPFB",), "axis in deg"),
        "IRBBB": Entry(_irbbb, ("IRBBB",), "QRS in ms"),
        "CRBBB": Entry(_crbbb, ("CRBBB",), "QRS in ms"),
        "ILBBB": Entry(_ilbbb, ("ILBBB",), "QRS in ms"),
        "CLBBB": Entry(_clbbb, ("CLBBB",), "QRS in ms"),
        "IVCD": Entry(_ivcd, ("IVCD",), "QRS in ms"),
        "WPW": Entry(_wpw, ("WPW",), "QRS in ms"),
        "1AVB": Entry(_first_degree, ("1AVB",), "PR in ms"),
        "fragmented_qrs": Entry(_fragmented, ("ABQRS", "fragmented_qrs")),
        "LVOLT": Entry(_low_voltage, ("LVOLT",), "greatest QRS of the limb leads in mV"),
    }
