"""Run the delineator's net: the probability of P, QRS and T at every moment of every lead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.inference import session
from ecg_llm.signal import fill_gaps, median, nanmedian, resample

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

FloatArray = npt.NDArray[np.float32]

NET_FS = 500.0
"""Rate the net works at."""
NET_MULTIPLE = 128
"""Its input length must be a multiple of this: a stride of up to eight, then four halvings."""
HIGHPASS_HZ = 0.5
WAVES = ("P", "QRS", "T")
EXIST_LEVEL = (0.3, 0.5, 0.3)
"""Mean probability over the leads at which P, QRS, T exist: not every lead shows every wave."""
BUNDLED = Path(__file__).parent / "weights" / "delineator.onnx"

_SCALE_WINDOW_S = 2.0
_LEAST_SHARE = 0.15


def scale_leads(signal: FloatArray, fs: float) -> FloatArray:
    """Bring every lead to a height of about one, whatever its gain.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n_samples)
        Without baseline.
    fs : float, Hz
        Its rate.

    Returns
    -------
    np.ndarray, shape (n_leads, n_samples)
        Each lead over its typical peak-to-peak height in windows of two seconds; a lead that is
        much lower than the others is raised by a bounded factor, so that noise stays noise.
    """
    n = signal.shape[1]
    n_windows = max(n // int(_SCALE_WINDOW_S * fs), 1)
    starts = -(-n * np.arange(n_windows) // n_windows)
    top = np.maximum.reduceat(signal, starts, axis=1)
    height = nanmedian(top - np.minimum.reduceat(signal, starts, axis=1), axis=1)
    least = max(_LEAST_SHARE * median(height), 1e-6)
    scaled: FloatArray = signal / np.maximum(height, least)[:, None].astype(np.float32)
    return scaled


def net_input(record: ECGRecord) -> FloatArray:
    """Prepare a record for the net.

    Parameters
    ----------
    record : ECGRecord
        Any leads, rate and gain.

    Returns
    -------
    np.ndarray, shape (n_leads, n)
        At `NET_FS`, without baseline, scaled; ``n`` is the record's own length at that rate.
    """
    even = resample(fill_gaps(record.signal), record.fs, NET_FS, highpass_hz=HIGHPASS_HZ)
    return scale_leads(even, NET_FS)


def wave_probabilities(signal: FloatArray, *, weights: Path = BUNDLED) -> FloatArray:
    """Compute how probable each wave is at every moment of every lead.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n)
        From `net_input`; the leads given are read together.
    weights : Path
        The net, as ONNX.

    Returns
    -------
    np.ndarray, shape (n_leads, 3, n)
        For `WAVES`, at `NET_FS`.
    """
    n_leads, n = signal.shape
    padded = np.empty((n_leads, n + -n % NET_MULTIPLE), np.float32)
    padded[:, :n], padded[:, n:] = signal, signal[:, -1:]
    (probability,) = session(weights).run(None, {"signal": padded})
    return np.asarray(probability[:, :, :n])
