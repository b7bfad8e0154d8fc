"""neurokit2, the named peer, brought to the types of this project."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import Delineation
from ecg_llm.eval.ludb import LudbMarks
from ecg_llm.record import ECGRecord

_KEYS = {
    "P": ("ECG_P_Onsets", "ECG_P_Peaks", "ECG_P_Offsets"),
    "QRS": ("ECG_R_Onsets", "ECG_R_Peaks", "ECG_R_Offsets"),
    "T": ("ECG_T_Onsets", "ECG_T_Peaks", "ECG_T_Offsets"),
}


def delineate_with_neurokit(record: ECGRecord) -> Delineation:
    """Clean, find R peaks and delineate every lead with neurokit2's wavelet method."""
    rows = zip(record.leads, record.signal, strict=True)
    waves = {lead: _lead(row.astype(float), round(record.fs)) for lead, row in rows}
    return LudbMarks(waves).delineation()


def _lead(row: npt.NDArray[np.float64], fs: int) -> dict[str, npt.NDArray[np.float64]]:
    """Delineate one lead; a lead that neurokit2 gives up on has no waves."""
    import neurokit2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clean = neurokit2.ecg_clean(row, sampling_rate=fs)
            _, peaks = neurokit2.ecg_peaks(clean, sampling_rate=fs)
            r = peaks["ECG_R_Peaks"]
            _, found = neurokit2.ecg_delineate(clean, r, sampling_rate=fs, method="dwt")
        except (ValueError, IndexError, ZeroDivisionError, KeyError):
            return {wave: np.zeros((0, 3)) for wave in _KEYS}
    out = {}
    for wave, keys in _KEYS.items():
        columns = [r if key == "ECG_R_Peaks" else found[key] for key in keys]
        rows = np.array(columns, float).T / fs
        out[wave] = rows[np.isfinite(rows).any(axis=1)]
    return out
