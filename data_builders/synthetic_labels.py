"""Which statements a rhythm makes true."""

from __future__ import annotations

from collections.abc import Sequence

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
    patterns : sequence of str
        Patterns of premature beats.
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
