"""What a row of the catalogue of conditions is, and tools to reach a set voltage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_field import SITE_NAMES, TO_12, Fields, lead_fields
from ecg_llm.data_builders.synthetic_heart import Heart
from ecg_llm.data_builders.synthetic_morphology import Injury
from ecg_llm.data_builders.synthetic_waves import GRID, Loop, pieces_at
from ecg_llm.leads import STANDARD_12

Array = npt.NDArray[np.float64]
Change = Callable[[Heart, np.random.Generator, float | None], Heart]


@dataclass(frozen=True)
class Condition:
    """A condition to simulate.

    Attributes
    ----------
    code : str
        Key of `ecg_llm.data_builders.synthetic_conditions.CATALOGUE` or ``ECTOPY``.
    amount : float or None
        Its size in the unit that the catalogue states; None draws one.
    """

    code: str
    amount: float | None = None


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue.

    Attributes
    ----------
    change : callable
        Gives the changed heart.
    labels : tuple of str
        Statements that become true: SCP-ECG codes, project codes in lower case.
    amount : str
        What ``amount`` means, with its unit; empty if it has none.
    """

    change: Change
    labels: tuple[str, ...]
    amount: str = ""


def with_beat(heart: Heart, **changes: object) -> Heart:
    """Change fields of the conducted beat."""
    return replace(heart, beat=replace(heart.beat, **changes))  # type: ignore[arg-type]


def in_twelve(loop: Loop, fields: Fields) -> Array:
    """Draw a wave in the twelve leads, shape (12, len(GRID)), mV."""
    return np.asarray(TO_12 @ (loop.amplitudes(fields).T @ pieces_at(GRID, loop.shape)))


def _response(heart: Heart, site: str, direction: Sequence[float]) -> Array:
    """Tell what a dipole of 1 mV at a site, x, y, z, gives in the twelve leads, shape (12,)."""
    fields = lead_fields(heart.geometry)
    return np.asarray(TO_12 @ fields[SITE_NAMES.index(site)] @ np.asarray(direction))


def _rows(leads: Sequence[str]) -> list[int]:
    """Give the places of leads among the standard twelve."""
    return [STANDARD_12.index(lead) for lead in leads]


def with_st(
    heart: Heart,
    site: str,
    direction: Sequence[float],
    leads: Sequence[str],
    st_mv: float,
    course: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Heart:
    """Set the ST shift: at J, the lead of those named that shows it most has exactly this much.

    Parameters
    ----------
    heart : Heart
        Before; its own small ST lift is replaced.
    direction : sequence of float
        Of the injury current, towards the injured wall.
    st_mv : float, mV
        Elevation at J; negative for depression.
    course : tuple of three float
        Level at J, at J+60 ms and midway to the end of T, in shares of ``st_mv``.
    """
    unit = _response(heart, site, direction)[_rows(leads)].max()
    dipole = np.asarray(direction) * st_mv / unit
    nodes = tuple((float(x), float(y), float(z)) for x, y, z in np.outer(course, dipole))
    return with_beat(heart, injuries=(Injury(site, nodes),))  # type: ignore[arg-type]


def with_t(
    heart: Heart,
    site: str,
    direction: Sequence[float],
    leads: Sequence[str],
    t_mv: float,
    symmetry: float = 0.0,
) -> Heart:
    """Turn T so that it has a set mean amplitude in some leads.

    Parameters
    ----------
    direction : sequence of float
        Along which T is moved, towards the wall that the leads look at.
    t_mv : float, mV
        Mean over them of the greatest deflection; negative inverts.
    symmetry : float
        0 keeps the slow rise and fast fall of T; 1 makes both sides alike.
    """
    fields = lead_fields(heart.geometry)
    t = heart.beat.t
    peak = int(np.abs(in_twelve(t, fields)).sum(axis=0).argmax())
    chosen = _rows(leads)
    now = in_twelve(t, fields)[chosen, peak].mean()
    unit = _response(heart, site, direction)[chosen].mean()
    x, y, z = np.asarray(direction) * (t_mv - now) / unit
    left = 0.52 - 0.08 * symmetry
    right = 0.38 + 0.06 * symmetry
    change = Loop.of((float(GRID[peak]), left, right, float(x), float(y), float(z), site))
    return with_beat(heart, t=t.plus(change))
