"""Measurements as a row of numbers, for the trained head."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.amplitudes import UNITS
from ecg_llm.leads import STANDARD_12
from ecg_llm.measure import Measurements
from ecg_llm.record import ECGRecord

_VALUES = """
    heart_rate_bpm rr_ms rr_min_ms rr_max_ms rr_cv rmssd_ms atrial_rate_bpm p_ms p_global_ms
    pr_ms pr_global_ms qrs_ms qrs_global_ms qt_ms qt_global_ms qt_dispersion_ms jt_ms
    qtc_fridericia_ms qtc_bazett_ms p_axis_deg qrs_axis_deg t_axis_deg
"""
RECORD_VALUES = tuple(_VALUES.split())
LEAD_VALUES = tuple(UNITS)
COUNTS = ("n_beats", "ventricular_share", "supraventricular_share", "paced_share")
FEATURES = (
    "age_years",
    "female",
    *COUNTS,
    *RECORD_VALUES,
    *(f"{name}:{lead}" for lead in STANDARD_12 for name in LEAD_VALUES),
)
"""What the columns are; a value that is not known is NaN."""
_AGE_OVER_89 = 90.0
_LENGTH_S = 10.0
"""Length of the records that heads are trained on: beats are counted for so long."""


def feature_row(record: ECGRecord, measurements: Measurements | None) -> npt.NDArray[np.float32]:
    """Put what was measured into one row.

    Parameters
    ----------
    record : ECGRecord
        For age and sex, if the file tells them.
    measurements : Measurements or None
        None where nothing could be measured, as on a page image.

    Returns
    -------
    np.ndarray of float32, shape (n_features,)
        In the order of `FEATURES`; NaN where unknown.
    """
    row = dict.fromkeys(FEATURES, float("nan"))
    if record.age_years is not None:
        row["age_years"] = min(record.age_years, _AGE_OVER_89)
    if record.sex is not None:
        row["female"] = float(record.sex == "female")
    if measurements is not None and measurements.beats:
        kinds = [beat.kind for beat in measurements.beats]
        row["n_beats"] = len(kinds) * _LENGTH_S / (measurements.to_s - measurements.from_s)
        for kind in ("ventricular", "supraventricular", "paced"):
            row[f"{kind}_share"] = kinds.count(kind) / len(kinds)
        for name in RECORD_VALUES:
            value = measurements.value(name)
            row[name] = float("nan") if value is None else value
        for lead in STANDARD_12:
            for name in LEAD_VALUES:
                value = measurements.value(name, lead)
                row[f"{name}:{lead}"] = float("nan") if value is None else value
    return np.array([row[name] for name in FEATURES], np.float32)
