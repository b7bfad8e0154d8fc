"""Run the delineator's net: the probability of P, QRS and T at every moment of every lead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.inference import session
from ecg_llm.leads import STANDARD_12
from ecg_llm.signal import fill_gaps, median, nanmedian, resample

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

FloatArray = npt.NDArray[np.float32]

NET_FS = 500.0
"""Rate the net works at."""
NET_MULTIPLE = 128
"""Its input length must be a multiple of this: a stride of four, then five halvings."""
HIGHPASS_HZ = 0.5
WAVES = ("P", "QRS", "T")
BUNDLED = Path(__file__).parent / "weights" / "delineator.onnx"

_SCALE_WINDOW_S = 2.0
_LEAST_SHARE = 0.15


def lead_ids(leads: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Give the net's number of each lead: 0 to 11 for the standard twelve, 12 for any other.

    Parameters
    ----------
    leads : tuple of str
        Lead names.

    Returns
    -------
    np.ndarray, shape (n_leads,)
    """
    return np.array(
        [STANDARD_12.index(lead) if lead in STANDARD_12 else len(STANDARD_12) for lead in leads],
        dtype=np.int64,
    )


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


def wave_probabilities(
    signal: FloatArray, leads: tuple[str, ...], *, weights: Path = BUNDLED
) -> FloatArray:
    """Compute how probable each wave is at every moment of every lead.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n)
        From `net_input`; the leads given are read together.
    leads : tuple of str
        Names of the rows.
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
    (logits,) = session(weights).run(None, {"signal": padded, "lead_id": lead_ids(leads)})
    probability: FloatArray = np.tanh(logits[:, :, :n] / 2) / 2 + np.float32(0.5)  # the sigmoid
    return probability
