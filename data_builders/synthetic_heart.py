"""One simulated patient: the forms of P, QRS, ST, T and how the heart lies in the chest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecg_llm.data_builders.synthetic_field import Geometry
from ecg_llm.data_builders.synthetic_morphology import Morphology, normal_beat, normal_p
from ecg_llm.data_builders.synthetic_waves import Loop
from ecg_llm.record import Sex


@dataclass(frozen=True, kw_only=True)
class Heart:
    """What one patient's heart would show in sinus rhythm.

    Attributes
    ----------
    beat : Morphology
        The conducted beat.
    p : Loop
        The sinus P wave.
    p_ms, pr_ms : float, ms
        Visible length of P, and from its onset to that of QRS.
    ta : float
        Recovery of the atria, which lowers the PR segment: its size against P.
    geometry : Geometry
        Position of heart and electrodes.
    spread : float
        How far patients differ from the textbook.
    """

    beat: Morphology
    p: Loop
    p_ms: float
    pr_ms: float
    ta: float
    geometry: Geometry
    spread: float


def draw_heart(rng: np.random.Generator, *, age_years: float, sex: Sex, spread: float) -> Heart:
    """Draw a healthy heart.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the patient's peculiarities.
    age_years : float
        Axis, voltage and PR go with it.
    sex : {"female", "male"}
        Women: smaller chest voltages, shorter QRS, QT longer by about 10 ms.
    spread : float
        How far patients differ; 0 gives the textbook.

    Returns
    -------
    Heart
    """
    female = sex == "female"
    beat = normal_beat(rng, spread)
    years = (age_years - 50) / 30
    geometry = Geometry(
        roll_deg=float(np.clip(spread * 12 * rng.standard_normal() - 8 * years * spread, -45, 40)),
        yaw_deg=float(spread * 14 * rng.standard_normal()),
        gain=float(np.exp(spread * (0.17 * rng.standard_normal() - 0.06 * years))),
        chest_gain=float(
            (0.92 if female else 1.05) * np.exp(0.12 * spread * rng.standard_normal())
        ),
        shift_cm=tuple(
            (float(x), float(y), 0.0) for x, y in 0.8 * spread * rng.standard_normal((6, 2))
        ),
    )
    sexed = Morphology(
        qrs=beat.qrs,
        t=beat.t,
        injuries=beat.injuries,
        u=beat.u,
        qrs_ms=beat.qrs_ms - (4 if female else 0),
        qtc_ms=beat.qtc_ms + (6 if female else -4),
        t_share=beat.t_share,
    )
    return Heart(
        beat=sexed,
        p=normal_p(rng, spread),
        p_ms=float(np.clip(106 + 9 * spread * rng.standard_normal(), 80, 122)),
        pr_ms=float(np.clip(156 + 20 * spread * rng.standard_normal() + 5 * years, 122, 198)),
        ta=0.0,
        geometry=geometry,
        spread=spread,
    )
