"""Records as the signal encoder takes them: twelve rows at 100 Hz, and what of them is real."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.leads import STANDARD_12, derive_limb_leads
from ecg_llm.record import ECGRecord, FloatArray
from ecg_llm.signal import fill_gaps, resample

FS = 100
"""Sampling rate of the encoder, Hz."""
SAMPLES_PER_TOKEN = 20
WINDOW = 10 * FS
"""Samples that the encoder looks at in one go."""
MIN_S = 2.5
"""A shorter stretch holds too few beats."""
HIGHPASS_HZ, LOWPASS_HZ = 0.5, 40.0
"""Band of the input; that of most printed ECGs."""
FLAT_MV = 1e-4
"""A lead that never moves by more is not connected."""
_SHORTEST_ROW_S = 1.0

BoolArray = npt.NDArray[np.bool_]


def encoder_input(record: ECGRecord) -> tuple[FloatArray, BoolArray, bool]:
    """Bring a record into the encoder's form.

    Parameters
    ----------
    record : ECGRecord
        Any of the standard leads, in any order, at any rate; NaN where nothing was recorded.

    Returns
    -------
    signal : np.ndarray, shape (12, T), mV at 100 Hz
        0.5 to 40 Hz, zero phase; rows in the order of `ecg_llm.leads.STANDARD_12`.
    present : np.ndarray of bool, shape (12, T)
        Which samples are real. Leads that the record lacks, that are flat, or that hold less than
        a second are not; limb leads that two others determine are.
    calibrated : bool
        Whether the gain is known.

    Raises
    ------
    RecordError
        If no standard lead holds a signal, or the record is shorter than 2.5 s.

    Examples
    --------
    >>> import numpy as np
    >>> wave = np.sin(np.arange(5000) / 40).astype(np.float32)
    >>> record = ECGRecord(signal=wave[None], fs=500.0, leads=("I",))
    >>> signal, present, calibrated = encoder_input(record)
    >>> signal.shape, present.any(axis=1).tolist().count(True), calibrated
    ((12, 1000), 1, True)
    """
    if record.duration_s < MIN_S:
        raise RecordError(
            f"{record.source}: {record.duration_s:.1f} s are too short to encode; "
            f"{MIN_S} s or more are needed."
        )
    rows = {}
    for lead in STANDARD_12:
        if lead in record:
            row = record.row(lead)
            real = row[np.isfinite(row)]
            if len(real) >= _SHORTEST_ROW_S * record.fs and np.ptp(real) > FLAT_MV:
                rows[lead] = row
    if not rows:
        raise RecordError(
            f"{record.source}: none of the standard twelve leads holds a signal that changes; "
            "at least one is needed."
        )
    derived = derive_limb_leads(rows)  # of leads that a page never shows at one time: nothing
    rows |= {lead: row for lead, row in derived.items() if np.isfinite(row).any()}
    raw = np.stack(list(rows.values()))
    real = np.isfinite(raw)
    middle = np.nanmedian(raw, axis=1, keepdims=True)
    clean = resample(
        fill_gaps(raw - middle), record.fs, FS, highpass_hz=HIGHPASS_HZ, lowpass_hz=LOWPASS_HZ
    )
    nearest = np.minimum(
        np.rint(np.arange(clean.shape[1]) * (record.fs / FS)).astype(int), raw.shape[1] - 1
    )
    signal = np.zeros((len(STANDARD_12), clean.shape[1]), np.float32)
    present = np.zeros(signal.shape, bool)
    order = [STANDARD_12.index(lead) for lead in rows]
    present[order] = real[:, nearest]
    signal[order] = clean
    signal[~present] = 0.0
    return signal, present, record.calibrated


def windows(signal: FloatArray, present: BoolArray) -> list[tuple[int, FloatArray, BoolArray]]:
    """Cut an input into windows of ten seconds that cover it.

    Parameters
    ----------
    signal, present : np.ndarray, shape (12, T)
        From `encoder_input`.

    Returns
    -------
    list of tuple of int, np.ndarray, np.ndarray
        First sample, signal and presence of each window, shape (12, 1000). A shorter input is
        filled with samples that are marked as missing. The last window ends with the record and
        so may overlap the one before.

    Examples
    --------
    >>> import numpy as np
    >>> x, there = np.zeros((12, 2300), np.float32), np.ones((12, 2300), bool)
    >>> [first for first, _, _ in windows(x, there)]
    [0, 1000, 1300]
    """
    n = signal.shape[1]
    if n < WINDOW:
        pad = ((0, 0), (0, WINDOW - n))
        return [(0, np.pad(signal, pad), np.pad(present, pad))]
    last = (n - WINDOW) // SAMPLES_PER_TOKEN * SAMPLES_PER_TOKEN
    firsts = [*range(0, last, WINDOW), last]
    cuts = [(k, slice(k, k + WINDOW)) for k in firsts]
    found = [(k, signal[:, cut], present[:, cut]) for k, cut in cuts]
    return [window for window in found if window[2].any()]


def stack_inputs(
    inputs: Sequence[tuple[FloatArray, BoolArray, bool]],
) -> tuple[FloatArray, BoolArray, BoolArray, list[tuple[int, int]]]:
    """Cut many inputs into windows and put them into one batch.

    Parameters
    ----------
    inputs : sequence of tuple
        From `encoder_input`.

    Returns
    -------
    signal : np.ndarray, shape (W, 12, 1000)
    present : np.ndarray of bool, shape (W, 12, 1000)
    calibrated : np.ndarray of bool, shape (W,)
    origin : list of tuple of int
        Which input and which of its samples each window begins at.
    """
    signal, present, calibrated, origin = [], [], [], []
    for k, (x, there, sure) in enumerate(inputs):
        for first, part, part_there in windows(x, there):
            signal.append(part)
            present.append(part_there)
            calibrated.append(sure)
            origin.append((k, first))
    return np.stack(signal), np.stack(present), np.array(calibrated), origin
