"""Records with the marks of their waves, in the form that training uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.record import ECGRecord
from ecg_llm.signal import fill_gaps, resample
from ecg_llm.waves import HIGHPASS_HZ, NET_FS, WAVES, lead_ids

if TYPE_CHECKING:
    from ecg_llm.data_builders.synthetic import SyntheticECG

FloatArray = npt.NDArray[np.float32]
Marks = dict[str, dict[str, npt.NDArray[np.float64]]]


@dataclass(frozen=True, eq=False)
class MarkedRecord:
    """One training record at the net's rate.

    Attributes
    ----------
    signal : np.ndarray, shape (n_leads, n), mV
        Not scaled yet, baseline removed.
    lead_id : np.ndarray, shape (n_leads,)
        Which leads the rows are.
    waves_s : list of dict of str to np.ndarray, shape (k, 3), s
        Per lead: onset, peak, offset of every wave.
    marked_s : np.ndarray, shape (n_leads, 2), s
        The stretch in which every wave is marked.
    """

    signal: FloatArray
    lead_id: npt.NDArray[np.int64]
    waves_s: list[dict[str, npt.NDArray[np.float64]]]
    marked_s: npt.NDArray[np.float64]


def marked_record(record: ECGRecord, waves_s: Marks, *, whole: bool) -> MarkedRecord:
    """Bring a record and its marks to the form that training uses.

    Parameters
    ----------
    record : ECGRecord
        The signal.
    waves_s : dict of str to dict of str to np.ndarray, shape (n, 3), s
        By lead and wave: onset, peak, offset.
    whole : bool
        Whether everything is marked; else only what lies between the first and the last mark of
        a lead counts (LUDB leaves the outer beats unmarked).

    Returns
    -------
    MarkedRecord
    """
    signal = resample(fill_gaps(record.signal), record.fs, NET_FS, highpass_hz=HIGHPASS_HZ)
    rows, spans = [], []
    for lead in record.leads:
        waves = waves_s[lead]
        complete = {w: v[np.isfinite(v).all(axis=1)] for w, v in waves.items()}
        edges = np.concatenate([v[:, [0, 2]].ravel() for v in complete.values()])
        if whole:
            spans.append((0.0, record.duration_s))
        else:
            spans.append((edges.min() - 0.04, edges.max() + 0.04) if len(edges) else (0.0, 0.0))
        rows.append(complete)
    return MarkedRecord(signal, lead_ids(record.leads), rows, np.array(spans))


def targets(
    waves_s: dict[str, npt.NDArray[np.float64]], time_s: npt.NDArray[np.float64]
) -> FloatArray:
    """Draw the waves of one lead on the net's time grid.

    Parameters
    ----------
    waves_s : dict of str to np.ndarray, shape (n, 3), s
        Onset, peak, offset.
    time_s : np.ndarray, shape (n_samples,), s
        Evenly spaced.

    Returns
    -------
    np.ndarray, shape (3, n_samples)
        The share of each sample's interval that the wave covers, so that a boundary between two
        samples is not rounded.
    """
    out = np.zeros((len(WAVES), len(time_s)), np.float32)
    step = time_s[1] - time_s[0]
    low, high = time_s - step / 2, time_s + step / 2
    for k, wave in enumerate(WAVES):
        for on, _, off in waves_s[wave]:
            first, last = np.searchsorted(high, on), np.searchsorted(low, off)
            part = slice(first, last)
            covered = np.minimum(high[part], off) - np.maximum(low[part], on)
            out[k, part] = np.maximum(out[k, part], covered / step)
    return out


def simulated_marks(ecg: SyntheticECG) -> Marks:
    """Give the true marks of a simulated record, as training uses them.

    Parameters
    ----------
    ecg : SyntheticECG
        With its truth.

    Returns
    -------
    dict of str to dict of str to np.ndarray, shape (n, 3), s
        By lead and wave; P waves hidden under a QRS are left out.
    """
    truth = ecg.truth
    marks = {}
    for k, lead in enumerate(ecg.record.leads):
        marks[lead] = {
            "P": truth.p_leads_s[k][~truth.p_hidden],
            "QRS": truth.complete.times_s[k, :, 3:6],
            "T": truth.complete.times_s[k, :, 6:9],
        }
    return marks
