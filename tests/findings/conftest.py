"""Hand-made measured records for the criteria."""

import numpy as np
import pytest

from ecg_llm.amplitudes import UNITS
from ecg_llm.delineate import FIDUCIALS, Delineation
from ecg_llm.findings.case import Case
from ecg_llm.leads import STANDARD_12
from ecg_llm.measure import Beat, LeadMeasurements, Measurements
from ecg_llm.quality import LeadQuality, Quality
from ecg_llm.quantity import Quantity
from ecg_llm.record import ECGRecord

NORMAL = {
    "heart_rate_bpm": (70.0, "bpm"),
    "rr_ms": (857.0, "ms"),
    "p_ms": (100.0, "ms"),
    "p_global_ms": (105.0, "ms"),
    "pr_ms": (160.0, "ms"),
    "qrs_ms": (85.0, "ms"),
    "qrs_global_ms": (92.0, "ms"),
    "qt_ms": (390.0, "ms"),
    "qtc_fridericia_ms": (410.0, "ms"),
    "qtc_bazett_ms": (420.0, "ms"),
    "p_axis_deg": (50.0, "deg"),
    "qrs_axis_deg": (45.0, "deg"),
    "t_axis_deg": (40.0, "deg"),
}
LEAD = {
    "p_mv": 0.1,
    "p_pos_mv": 0.1,
    "p_neg_mv": 0.0,
    "p_terminal_mv_ms": 0.0,
    "r_mv": 0.9,
    "r_ms": 45.0,
    "s_mv": -0.2,
    "s_ms": 25.0,
    "qrs_max_mv": 0.9,
    "qrs_min_mv": -0.2,
    "qrs_area_mv_ms": 15.0,
    "r_peak_ms": 38.0,
    "notches": 0.0,
    "slur": 0.3,
    "st_j_mv": 0.01,
    "st_j60_mv": 0.01,
    "st_j80_mv": 0.02,
    "st_slope_mv_s": 0.1,
    "t_mv": 0.3,
    "t_pos_mv": 0.3,
    "t_neg_mv": 0.0,
}
V1 = {"r_mv": 0.2, "r_ms": 20.0, "qrs_max_mv": 0.2, "s_mv": -0.9, "qrs_min_mv": -0.9, "t_mv": 0.05}


def _delineation(r_s, leads, pr_s):
    shape = np.array([-pr_s, -pr_s + 0.05, -pr_s + 0.1, 0.0, 0.04, 0.09, 0.2, 0.3, 0.39])
    onset = r_s - 0.04
    times = onset[None, :, None] + np.broadcast_to(shape, (len(leads), len(r_s), len(FIDUCIALS)))
    p_waves = times[0][:, :3] if len(leads) else np.zeros((0, 3))
    return Delineation(
        leads=leads,
        r_s=r_s,
        times_s=times.copy(),
        global_s=times[0].copy(),
        p_waves_s=p_waves.copy(),
        p_confidence=np.ones(len(p_waves)),
    )


@pytest.fixture
def make_case():
    """Give a normal measured ECG with some values changed; None makes a value unknown."""

    def make(
        values=None,
        leads=None,
        *,
        age=50.0,
        sex="male",
        kinds=None,
        r_s=None,
        missing=(),
        **quality,
    ):
        r_s = np.arange(10) * 0.857 + 0.6 if r_s is None else np.asarray(r_s)
        kinds = kinds or ["normal"] * len(r_s)
        names = tuple(lead for lead in STANDARD_12 if lead not in missing)
        all_values = NORMAL | {
            name: (value, NORMAL.get(name, (0, "ms"))[1]) for name, value in (values or {}).items()
        }
        summaries = {}
        for lead in names:
            row = LEAD | (V1 if lead == "V1" else {}) | (leads or {}).get(lead, {})
            row = {name: row.get(name) for name in UNITS}
            summaries[lead] = LeadMeasurements(
                per_beat={},
                summary={
                    name: Quantity(x, UNITS[name], reason=None if x is not None else "not there")
                    for name, x in row.items()
                },
            )
        measurements = Measurements(
            record="made",
            fs=500.0,
            from_s=0.0,
            to_s=10.0,
            values={
                name: Quantity(x, unit, reason=None if x is not None else "not measured")
                for name, (x, unit) in all_values.items()
            },
            beats=tuple(Beat(float(t), kind) for t, kind in zip(r_s, kinds, strict=True)),
            leads=summaries,
            delineation=_delineation(r_s, names, 0.16),
        )
        record = ECGRecord(
            signal=np.zeros((12, 5000), np.float32),
            fs=500.0,
            leads=STANDARD_12,
            age_years=age,
            sex=sex,
        )
        judged = {
            lead: LeadQuality(usable=lead in names, reasons=("flat",), metrics={})
            for lead in STANDARD_12
        }
        settings = {
            "record": "made",
            "verdict": "accept",
            "reasons": (),
            "score": 1.0,
            "leads": judged,
            "suspicions": (),
            "pacing_spikes_s": (),
            "from_s": 0.0,
            "to_s": 10.0,
        }
        return Case(record, Quality(**(settings | quality)), measurements)

    return make
