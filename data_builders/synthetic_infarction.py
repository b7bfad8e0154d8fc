"""Infarction and ischaemia by territory and age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ecg_llm.data_builders.synthetic_entry import Entry, with_beat, with_st, with_t
from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_waves import Loop


@dataclass(frozen=True)
class Territory:
    """A part of the left ventricle and the leads that look at it.

    Attributes
    ----------
    code : str
        SCP-ECG statement of its infarction.
    site : str
        Where it lies.
    towards : tuple of float
        Direction from the centre of the heart to it: x left, y foot, z back.
    leads : tuple of str
        Leads that face it. For the posterior wall they are the ones opposite, where all is
        mirrored.
    """

    code: str
    site: str
    towards: tuple[float, float, float]
    leads: tuple[str, ...]


TERRITORIES = {
    "anteroseptal": Territory("ASMI", "septum", (-0.30, 0.00, -0.95), ("V1", "V2", "V3")),
    "anterior": Territory("AMI", "anterior", (0.42, 0.05, -0.90), ("V2", "V3", "V4")),
    "anterolateral": Territory(
        "ALMI", "apex", (0.80, -0.25, -0.55), ("I", "aVL", "V3", "V4", "V5", "V6")
    ),
    "lateral": Territory("LMI", "lateral", (0.90, -0.40, 0.15), ("I", "aVL", "V5", "V6")),
    "inferior": Territory("IMI", "inferior", (-0.10, 0.97, 0.20), ("II", "III", "aVF")),
    "inferolateral": Territory(
        "ILMI", "inferior", (0.50, 0.80, 0.35), ("II", "III", "aVF", "V5", "V6")
    ),
    "posterior": Territory("PMI", "posterior", (0.10, 0.05, 0.99), ("V1", "V2", "V3")),
    "inferoposterior": Territory("IPMI", "inferior", (0.00, 0.70, 0.70), ("II", "III", "aVF")),
    "inferoposterolateral": Territory(
        "IPLMI", "inferior", (0.45, 0.65, 0.60), ("II", "III", "aVF", "V6")
    ),
}
"""Walls of the left ventricle (Thygesen K et al. Circulation 2018;138:e618-e651)."""


def dead_zone(heart: Heart, place: Territory, size: float) -> Heart:
    """Silence a wall: the forces towards it are lost, first the early ones, and Q appears.

    The size goes from 0 (nothing) to 1 (transmural: QS or deep Q).
    """
    qrs = heart.beat.qrs
    towards = np.asarray(place.towards) / np.linalg.norm(place.towards)
    along = np.clip(qrs.moment @ towards, 0.0, None)
    early = np.clip(1.25 - 0.9 * qrs.shape[:, 0], 0.35, 1.0)
    lost = (size * early * along)[:, None] * towards
    strength = float(np.linalg.norm(qrs.moment, axis=1).max())
    x, y, z = -towards * size * (0.06 + 0.32 * strength)
    q = Loop.of((0.32, 0.30, 0.36, x, y, z, place.site))
    return with_beat(heart, qrs=Loop(qrs.shape, qrs.moment - lost, qrs.site).plus(q))


def _mirrored(place: Territory) -> float:
    """-1 where the facing leads see the opposite wall."""
    return -1.0 if place.code == "PMI" else 1.0


def _look(place: Territory) -> tuple[float, float, float]:
    """Direction that its leads call upwards."""
    sign = _mirrored(place)
    x, y, z = place.towards
    return sign * x, sign * y, sign * z


def _hyperacute(place: Territory) -> Callable[..., Heart]:
    def change(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
        tall = _mirrored(place) * (amount or float(rng.uniform(0.8, 1.3)))
        st = _mirrored(place) * float(rng.uniform(0.05, 0.15))
        heart = with_t(heart, place.site, _look(place), place.leads, tall, symmetry=0.8)
        heart = with_st(heart, place.site, _look(place), place.leads, st, (1.0, 1.3, 1.6))
        return with_beat(heart, t_share=0.8)

    return change


def _acute(place: Territory) -> Callable[..., Heart]:
    def change(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
        sign = _mirrored(place)
        st = amount or float(rng.uniform(0.18, 0.55))
        convex = float(rng.uniform(0.9, 1.3))
        heart = dead_zone(heart, place, float(rng.uniform(0.1, 0.5)))
        t = float(rng.uniform(0.15, 0.6))  # upright on both sides: opposite the posterior wall too
        heart = with_t(heart, place.site, _look(place), place.leads, t, symmetry=0.6)
        course = (1.0, (1 + convex) / 2, convex)
        heart = with_st(heart, place.site, _look(place), place.leads, sign * st, course)
        return with_beat(heart, t_share=min(heart.beat.t_share, 0.66))

    return change


def _evolving(place: Territory) -> Callable[..., Heart]:
    def change(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
        sign = _mirrored(place)
        deep = amount or float(rng.uniform(0.2, 0.55))
        heart = dead_zone(heart, place, float(rng.uniform(0.55, 1.0)))
        heart = with_t(heart, place.site, _look(place), place.leads, -sign * deep, symmetry=1.0)
        st = sign * float(rng.uniform(0.04, 0.14))
        return with_st(heart, place.site, _look(place), place.leads, st, (1.0, 0.9, 0.3))

    return change


def _old(place: Territory) -> Callable[..., Heart]:
    def change(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
        heart = dead_zone(heart, place, amount or float(rng.uniform(0.65, 1.0)))
        t = _mirrored(place) * float(rng.uniform(-0.2, 0.15))
        return with_t(heart, place.site, _look(place), place.leads, t, symmetry=0.5)

    return change


def _aneurysm(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
    place = TERRITORIES["anterior"]
    heart = _old(place)(heart, rng, 1.0)
    st = amount or float(rng.uniform(0.12, 0.25))
    return with_st(heart, place.site, place.towards, place.leads, st, (1.0, 1.1, 0.6))


def _injury(place: Territory) -> Callable[..., Heart]:
    def change(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
        st = -(amount or float(rng.uniform(0.10, 0.30)))
        slope = float(rng.uniform(0.8, 1.25))  # upsloping is harmless: level or down
        t = float(rng.uniform(-0.15, 0.15))
        heart = with_t(heart, "centre", place.towards, place.leads, t)
        course = (1.0, (1 + slope) / 2, slope * 0.8)
        return with_st(heart, "centre", place.towards, place.leads, st, course)

    return change


def _ischaemia(place: Territory) -> Callable[..., Heart]:
    def change(heart: Heart, rng: np.random.Generator, amount: float | None) -> Heart:
        deep = amount or float(rng.uniform(0.15, 0.6))
        heart = with_t(
            heart, "centre", place.towards, place.leads, -deep, symmetry=float(rng.uniform(0.3, 1))
        )
        st = float(rng.uniform(-0.08, 0.02))
        return with_st(heart, "centre", place.towards, place.leads, st, (1.0, 1.0, 0.4))

    return change


def entries() -> dict[str, Entry]:
    """List the conditions of infarction and ischaemia.

    Returns
    -------
    dict of str to Entry
        ``mi_<territory>_<age>``; the SCP-ECG codes of infarctions mean the old ones; ``INJ…``
        is subendocardial injury (ST depression) and ``ISC…`` T inversion by territory.
    """
    table: dict[str, Entry] = {}
    for name, place in TERRITORIES.items():
        table[f"mi_{name}_hyperacute"] = Entry(
            _hyperacute(place), ("hyperacute_t",), "mean T in the facing leads in mV"
        )
        table[f"mi_{name}_acute"] = Entry(
            _acute(place), (place.code, "mi_acute", f"stemi_{name}"), "ST at J in mV"
        )
        table[f"mi_{name}_evolving"] = Entry(
            _evolving(place), (place.code, "mi_evolving"), "depth of T in mV"
        )
        for key in (f"mi_{name}_old", place.code):
            table[key] = Entry(_old(place), (place.code, "mi_old"), "size of the scar, 0 to 1")
    table["ANEUR"] = Entry(_aneurysm, ("AMI", "mi_old", "ANEUR"), "ST at J in mV")
    short = {
        "AS": "anteroseptal", "AN": "anterior", "AL": "anterolateral", "LA": "lateral",
        "IN": "inferior", "IL": "inferolateral",
    }  # fmt: skip
    for letters, name in short.items():
        place = TERRITORIES[name]
        if letters != "AN":
            table[f"INJ{letters}"] = Entry(
                _injury(place), (f"INJ{letters}",), "ST depression at J in mV"
            )
        table[f"ISC{letters}"] = Entry(_ischaemia(place), (f"ISC{letters}",), "depth of T in mV")
    return table
