"""Turn a delineated record into intervals, amplitudes, axes and rates with their spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import Delineation
from ecg_llm.quantity import Quantity

BeatClass = Literal["normal", "supraventricular", "ventricular", "paced", "unknown"]


@dataclass(frozen=True)
class Beat:
    """One beat of the record.

    Attributes
    ----------
    r_s : float, s
        Time of the QRS centre.
    kind : str
        ``normal`` means: of the dominant morphology.
    """

    r_s: float
    kind: BeatClass


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadMeasurements:
    """What was measured in one lead.

    Attributes
    ----------
    per_beat : dict of str to np.ndarray, shape (n_beats,)
        Times of the fiducials in s (``p_on`` …), amplitudes in mV (``p_mv``, ``q_mv``, ``r_mv``,
        ``s_mv``, ``st_j_mv``, ``st_j60_mv``, ``t_mv`` …) and durations in ms (``q_ms`` …), all with
        their unit in the name; NaN where there is none.
    summary : dict of str to Quantity
        The same amplitudes and durations, as the median over the beats of the dominant
        morphology.
    """

    per_beat: dict[str, npt.NDArray[np.float64]]
    summary: dict[str, Quantity]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurements:
    """All that was measured in one record.

    Attributes
    ----------
    record : str
        Name of the record.
    fs : float, Hz
        Sampling rate of the input.
    from_s, to_s : float, s
        The stretch that was measured.
    values : dict of str to Quantity
        Record-level values by name: ``heart_rate_bpm``, ``rr_ms``, ``pr_ms``, ``qrs_ms`` …
    beats : tuple of Beat
        In order of time.
    leads : dict of str to LeadMeasurements
        By lead name.
    delineation : Delineation
        What the values were taken from.
    """

    record: str
    fs: float
    from_s: float
    to_s: float
    values: dict[str, Quantity]
    beats: tuple[Beat, ...]
    leads: dict[str, LeadMeasurements]
    delineation: Delineation
