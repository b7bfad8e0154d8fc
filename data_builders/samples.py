"""Samples as 16-bit steps: a third of the size, and what most devices recorded anyway."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.record import FloatArray

Steps = npt.NDArray[np.int16]

STEPS_PER_MV = 1000.0
"""A step of 1 µV: a multiple of the resolution of PTB-XL (1 µV) and MIMIC-IV-ECG (5 µV), whose
samples are therefore kept exactly."""
LARGEST = 32767
GAP = -32768
"""Stands for a sample that was not recorded."""


def to_steps(signal: FloatArray) -> tuple[Steps, npt.NDArray[np.float32]]:
    """Round a signal to 16-bit steps.

    Parameters
    ----------
    signal : np.ndarray, shape (n_leads, n_samples), mV
        NaN where nothing was recorded.

    Returns
    -------
    steps : np.ndarray of int16, shape (n_leads, n_samples)
        `GAP` where nothing was recorded.
    gain : np.ndarray of float32, shape (n_leads,), 1/mV
        `STEPS_PER_MV`, halved as often as a lead needs to fit.

    Notes
    -----
    The error of a sample is at most half a step, ``0.5 / gain``: 0.5 µV, or more in a lead that
    leaves ±32.767 mV. What was already a multiple of a step comes back to the bit.

    Examples
    --------
    >>> steps, gain = to_steps(np.float32([[0.001, np.nan], [100.0, -1.0]]))
    >>> steps.tolist(), gain.tolist()
    ([[1, -32768], [25000, -250]], [1000.0, 250.0])
    """
    height = np.nanmax(np.abs(signal), axis=1, initial=0.0, where=~np.isnan(signal))
    halvings = np.ceil(np.log2(np.maximum(height * STEPS_PER_MV / LARGEST, 1.0)))
    gain = (STEPS_PER_MV / 2.0**halvings).astype(np.float32)
    steps = np.rint(signal.astype(np.float64) * gain[:, None])
    return np.where(np.isnan(signal), GAP, steps).astype(np.int16), gain


def to_mv(steps: Steps, gain: npt.NDArray[np.float32]) -> FloatArray:
    """Give the signal in millivolts.

    Parameters
    ----------
    steps, gain
        From `to_steps`.

    Returns
    -------
    np.ndarray of float32, shape (n_leads, n_samples), mV
    """
    mv = (steps / gain[:, None].astype(np.float64)).astype(np.float32)
    mv[steps == GAP] = np.nan
    return mv
