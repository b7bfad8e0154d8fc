"""Which statements a rhythm makes true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.synthetic_rhythm import NOT_CONDUCTED, ONE_TO_ONE
from ecg_llm.leads import STANDARD_12

_OF_RHYTHM: dict[str, tuple[str, ...]] = {
    "sinus_arrhythmia": ("SARRH",),
    "af": ("AFIB",),
    "flutter": ("AFLT",),
    "mobitz1": ("2AVB", "mobitz1"),
    "mobitz2": ("2AVB", "mobitz2"),
    "av_block3": ("3AVB", "ventricular_escape"),
    "av_block3_junctional": ("3AVB", "junctional_escape"),
    "junctional": ("junctional_rhythm",),
    "svt": ("PSVT",),
    "atrial_tachycardia": ("SVTAC", "atrial_tachycardia"),
    "av_block_2to1": ("2AVB", "av_block_2to1"),
    "vt": ("ventricular_tachycardia",),
    "vf": ("ventricular_fibrillation",),
    "asystole": ("asystole",),
    "pause": ("SR", "sinus_pause"),
    "paced_atrial": ("PACE", "paced_atrial"),
    "paced_ventricular": ("PACE", "paced_ventricular"),
    "paced_dual": ("PACE", "paced_dual"),
    "paced_af": ("PACE", "AFIB", "paced_ventricular"),
}

_OF_PATTERN: dict[str, tuple[str, ...]] = {
    "PAC": ("PAC",),
    "blocked_pac": ("PAC", "blocked_pac"),
    "PVC": ("PVC",),
    "BIGU": ("PVC", "BIGU"),
    "TRIGU": ("PVC", "TRIGU"),
    "couplets": ("PVC", "couplets"),
    "multiform_pvc": ("PVC", "multiform_pvc"),
    "fusion_pvc": ("PVC", "fusion_beats"),
}


def rhythm_labels(
    rhythm: str, heart_rate_bpm: float, patterns: Sequence[str], ratio: int
) -> tuple[str, ...]:
    """Name the rhythm in statements.

    Parameters
    ----------
    rhythm : str
        Key of `ecg_llm.data_builders.synthetic_rhythm.RHYTHMS`.
    heart_rate_bpm : float, /min
        As it came out.
    ratio : int
        P waves to a QRS in second-degree block, where it is fixed.

    Returns
    -------
    tuple of str
        SCP-ECG codes first, project codes in lower case after them.
    """
    labels = list(_OF_RHYTHM.get(rhythm, ()))
    if rhythm == "sinus":
        labels.append("STACH" if heart_rate_bpm > 100 else "SBRAD" if heart_rate_bpm < 60 else "SR")
    if rhythm.startswith("mobitz") and ratio == 2:
        labels = ["2AVB", "av_block_2to1"]
    for pattern in patterns:
        labels.extend(label for label in _OF_PATTERN[pattern] if label not in labels)
    return tuple(labels)


def measured_labels(rhythm: str, values: Mapping[str, float]) -> tuple[str, ...]:
    """Name what the conducted beat's own figures make true, set or drawn.

    Parameters
    ----------
    rhythm : str
        Key of `ecg_llm.data_builders.synthetic_rhythm.RHYTHMS`.

    References
    ----------
    .. [1] Surawicz B et al. Circulation 2009;119:e235-e240.
    .. [2] Rautaharju PM et al. Circulation 2009;119:e241-e250.
    """
    if rhythm in NOT_CONDUCTED:
        return ()
    rules = {
        "1AVB": rhythm in ONE_TO_ONE and values["pr_ms"] > 200.5,
        "LNGQT": values["qtc_fridericia_ms"] >= 480 and values["qrs_ms"] < 120,
        "short_qt": values["qtc_fridericia_ms"] <= 340,
        "left_axis_deviation": values["qrs_axis_deg"] < -30,
        "right_axis_deviation": values["qrs_axis_deg"] > 90,
    }
    return tuple(label for label, holds in rules.items() if holds)


def undone_labels(values: Mapping[str, float]) -> tuple[str, ...]:
    """Name what one condition makes true and another may undo: it is not so by the figures."""
    unseen_p = values["p_ms"] != values["p_ms"]
    rules = {
        "left_axis_deviation": not values["qrs_axis_deg"] < -30,
        "right_axis_deviation": not values["qrs_axis_deg"] > 90,
        "IRBBB": values["qrs_ms"] >= 120,
        "ILBBB": values["qrs_ms"] >= 120,
        "1AVB": unseen_p,
        "LAO/LAE": unseen_p,
        "RAO/RAE": unseen_p,
    }
    return tuple(label for label, holds in rules.items() if holds)


def looks_normal(
    labels: Sequence[str],
    qrs: npt.NDArray[np.float64],
    t: npt.NDArray[np.float64],
    values: Mapping[str, float],
) -> bool:
    """Tell whether a drawn heart, though healthy, also looks so.

    Parameters
    ----------
    qrs, t : np.ndarray, shape (n_beats, 12, n_grid), mV
        The waves.

    Returns
    -------
    bool
        Sinus rhythm of 50 to 100/min without any condition, all intervals and the axis within
        the limits of adults, T upright in I, II, V4 to V6, R growing from V1 to V4.

    References
    ----------
    .. [1] Surawicz B et al. Circulation 2009;119:e235-e240.
    .. [2] Rautaharju PM et al. Circulation 2009;119:e241-e250.
    """
    if tuple(labels) not in (("SR",), ("SARRH",)) or not len(qrs):
        return False
    upright = [STANDARD_12.index(lead) for lead in ("I", "II", "V4", "V5", "V6")]
    middle = t[len(t) // 2]
    r = qrs[len(qrs) // 2].max(axis=1)
    return bool(
        (middle[upright].max(axis=1) > -1.5 * middle[upright].min(axis=1)).all()
        and (middle[upright].max(axis=1) > 0.05).all()
        and r[9] > max(0.3, r[6])
        and 120 <= values["pr_ms"] <= 200
        and values["qrs_ms"] < 115
        and 350 <= values["qtc_fridericia_ms"] <= 455
        and -30 <= values["qrs_axis_deg"] <= 90
        and 50 <= values["heart_rate_bpm"] <= 100
    )
