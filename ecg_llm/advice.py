"""What an alert asks for, in neutral words: a program does not treat."""

from __future__ import annotations

_COMPARE = "Compare with the symptoms and an earlier ECG"

_DEEP_T = (
    f"{_COMPARE}: a tight stenosis of the anterior descending artery, also without pain, or a "
    "bleeding in the brain may look like this."
)
_ADVICE = {
    **dict.fromkeys(("ISCAS", "ISCAN", "ISCAL"), _DEEP_T),
    "stemi": f"{_COMPARE} at once; repeat the ECG, with right-sided and posterior leads if needed.",
    "de_winter": f"{_COMPARE} at once: an occlusion in the anterior wall may look like this.",
    "INJAS": f"{_COMPARE}; record V7 to V9: an infarction of the posterior wall looks like this.",
    "sgarbossa": f"{_COMPARE} at once; repeat the ECG.",
    "wide_qrs_tachycardia": "Look at the patient at once; taken as ventricular until disproved.",
    "asystole_or_vf": "Look at the patient and the electrodes at once.",
    "3AVB": "Look at the patient and the blood pressure; keep the rhythm monitored.",
    "mobitz_2": "Keep the rhythm monitored; compare with the symptoms and the drugs given.",
    "av_block_2_1": "Keep the rhythm monitored; compare with the symptoms and the drugs given.",
    "long_pause": "Confirm the pause on the tracing; compare with syncope and the drugs given.",
    "very_long_qt": "Measure QT by hand; look at electrolytes and the drugs given.",
    "lead_reversal": "Check the electrodes and record again before reading the ECG.",
    "extreme_tachycardia": f"{_COMPARE}; look at the patient.",
    "extreme_bradycardia": f"{_COMPARE}; look at the patient.",
    "SVTAC": f"{_COMPARE}; look for P waves in a longer strip.",
    "IVCD": f"{_COMPARE}; look at the potassium and the drugs given.",
    "tall_t": f"{_COMPARE} and the potassium; repeat: a beginning occlusion looks like this.",
    "brugada_1": f"Check the height of V1 and V2 on the chest; {_COMPARE.lower()}.",
    "pericarditis": f"{_COMPARE}; exclude coronary occlusion.",
}


def advice(code: str) -> str:
    """Say what to do about an alert.

    Examples
    --------
    >>> advice("extreme_tachycardia")
    'Compare with the symptoms and an earlier ECG; look at the patient.'
    """
    return _ADVICE.get(code, f"{_COMPARE}.")
