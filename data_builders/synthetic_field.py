"""How a current dipole in the heart appears in the twelve leads.

Axes are Frank's: x to the left, y to the foot, z to the back. A dipole at the electrical centre
gives the leads of Dower's matrix. Away from the centre the leads change by the difference of the
fields that the dipole has in a homogeneous conductor, so that a source under an electrode is seen
larger by it: what an infarct of the anterior wall or the right ventricular outflow tract needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ecg_llm.leads import STANDARD_12

Array = npt.NDArray[np.float64]
Fields = npt.NDArray[np.float64]
"""Lead vectors, shape (n_sites, 8, 3): at `SITES_CM`, the leads of `MEASURED_8` from x, y, z."""

MEASURED_8 = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The leads that are independent; the laws of Einthoven and Goldberger give the others."""

DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""Leads of `MEASURED_8` from Frank's x, y, z (Dower GE, Machado HB, Osborne JA. On deriving the
electrocardiogram from vectorcardiographic leads. Clin Cardiol 1980;3:87-95)."""

_FROM_8 = {
    "I": {"I": 1.0},
    "II": {"II": 1.0},
    "III": {"II": 1.0, "I": -1.0},
    "aVR": {"I": -0.5, "II": -0.5},
    "aVL": {"I": 1.0, "II": -0.5},
    "aVF": {"II": 1.0, "I": -0.5},
}
TO_12 = np.array(
    [[_FROM_8.get(lead, {lead: 1.0}).get(k, 0.0) for k in MEASURED_8] for lead in STANDARD_12]
)
"""The twelve leads from `MEASURED_8`, shape (12, 8)."""

_ELECTRODES_CM = np.array(
    [
        [-20.0, -26.0, 0.0],  # RA
        [16.0, -26.0, 0.0],  # LA
        [5.0, 45.0, 0.0],  # LL
        [-5.0, -1.0, -7.0],  # V1, fourth intercostal space, right of the sternum
        [-0.5, -1.0, -8.0],
        [3.5, 1.0, -8.0],
        [7.0, 3.0, -6.5],
        [10.0, 3.0, -2.5],
        [11.5, 3.0, 2.0],  # V6, mid-axillary line
    ]
)
"""Electrodes seen from the electrical centre of the heart, in cm, for an adult chest."""

SITES_CM = MappingProxyType(
    {
        "centre": (0.0, 0.0, 0.0),
        "septum": (-0.5, 0.0, -1.5),
        "anterior": (1.0, 0.0, -2.2),
        "apex": (2.5, 1.5, -1.8),
        "lateral": (2.6, 0.0, 0.8),
        "inferior": (0.5, 2.4, 0.6),
        "posterior": (0.8, 0.2, 2.4),
        "right": (-2.0, 0.6, -1.8),
        "outflow": (-1.6, -1.6, -2.6),
        "atria": (-2.4, -4.5, 3.0),
    }
)
"""Where sources sit in the heart."""
SITE_NAMES = tuple(SITES_CM)

_EXTENT = 0.5
"""Share of the point source's near field that an extended source of some centimetres keeps."""


@dataclass(frozen=True)
class Geometry:
    """How one patient's heart lies, and where the chest electrodes stick.

    Attributes
    ----------
    roll_deg : float, deg
        Turn in the frontal plane; positive turns the electrical axis to the right.
    yaw_deg : float, deg
        Turn around the long axis of the body; positive is clockwise seen from below, so that the
        transition in the chest leads comes later.
    gain : float
        Of all leads: build, lungs, fat.
    chest_gain : float
        Of the chest leads besides.
    shift_cm : tuple of tuple of float, cm
        Misplacement of V1 to V6, each x, y, z; empty for none.
    """

    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    gain: float = 1.0
    chest_gain: float = 1.0
    shift_cm: tuple[tuple[float, float, float], ...] = ()


def _homogeneous(site_cm: Array, electrodes_cm: Array) -> Array:
    """Lead vectors (8, 3) of a unit dipole in an unbounded conductor, before scaling."""
    away = electrodes_cm - site_cm
    potential = away / np.linalg.norm(away, axis=1, keepdims=True) ** 3
    wilson = potential[:3].mean(axis=0)
    limbs = np.stack([potential[1] - potential[0], potential[2] - potential[0]])
    return np.vstack([limbs, potential[3:] - wilson])


@lru_cache(maxsize=1)
def _chest_scale() -> float:
    """Least-squares factor from the homogeneous conductor to Dower's chest leads."""
    free = _homogeneous(np.zeros(3), _ELECTRODES_CM)[2:]
    return float((free * DOWER[2:]).sum() / (free**2).sum())


def lead_fields(geometry: Geometry) -> Fields:
    """Compute the lead vectors of every site in the heart.

    Parameters
    ----------
    geometry : Geometry
        The patient.

    Returns
    -------
    np.ndarray, shape (n_sites, 8, 3)
        For the sites of `SITES_CM` in order: leads of `MEASURED_8` from x, y, z.

    References
    ----------
    .. [1] Dower GE, Machado HB, Osborne JA. Clin Cardiol 1980;3:87-95.
    .. [2] Malmivuo J, Plonsey R. Bioelectromagnetism. Oxford University Press 1995, chapter 11.

    Examples
    --------
    >>> fields = lead_fields(Geometry())
    >>> bool(np.allclose(fields[0], DOWER))
    True
    """
    electrodes = _ELECTRODES_CM.copy()
    if geometry.shift_cm:
        electrodes[3:] += np.asarray(geometry.shift_cm)
    scale = _chest_scale()
    centre = _homogeneous(np.zeros(3), _ELECTRODES_CM)
    fields = np.empty((len(SITE_NAMES), 8, 3))
    for k, site in enumerate(SITES_CM.values()):
        change = _homogeneous(np.asarray(site) * _EXTENT, electrodes) - centre
        fields[k] = DOWER + scale * change
    fields[:, :2] = DOWER[:2]  # a shift within the heart is small against the length of the limbs
    fields[:, 2:] *= geometry.chest_gain
    return np.asarray(geometry.gain * fields @ rotation(geometry.roll_deg, geometry.yaw_deg))


def rotation(roll_deg: float, yaw_deg: float) -> Array:
    """Give the matrix that turns a dipole as the heart turns.

    Parameters
    ----------
    roll_deg : float, deg
        In the frontal plane, from left (x) towards the foot (y).
    yaw_deg : float, deg
        In the transverse plane, from left (x) towards the back (z).

    Returns
    -------
    np.ndarray, shape (3, 3)
    """
    roll, yaw = np.deg2rad(roll_deg), np.deg2rad(yaw_deg)
    cr, sr, cy, sy = np.cos(roll), np.sin(roll), np.cos(yaw), np.sin(yaw)
    frontal = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
    transverse = np.array([[cy, 0.0, -sy], [0.0, 1.0, 0.0], [sy, 0.0, cy]])
    return np.asarray(frontal @ transverse)
