"""Find the beats and the onset, peak and offset of P, QRS and T in every lead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FIDUCIALS = (
    "p_on",
    "p_peak",
    "p_off",
    "qrs_on",
    "qrs_peak",
    "qrs_off",
    "t_on",
    "t_peak",
    "t_off",
)
"""Columns of `Delineation.times_s`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Delineation:
    """Where every wave begins, peaks and ends.

    Attributes
    ----------
    leads : tuple of str
        The leads that were read (the usable ones), in the record's order.
    r_s : np.ndarray, shape (n_beats,), s
        One time a beat: the QRS centre over all leads.
    times_s : np.ndarray, shape (n_leads, n_beats, 9), s
        Per lead and beat the columns of `FIDUCIALS`; NaN where the wave was not found.
    global_s : np.ndarray, shape (n_beats, 9), s
        The same read from all leads together.
    p_waves_s : np.ndarray, shape (n_p, 3), s
        Onset, peak, offset of every P wave found in the leads together, conducted or not.
    p_confidence : np.ndarray, shape (n_p,)
        Mean probability of those P waves, 0 to 1.
    """

    leads: tuple[str, ...]
    r_s: npt.NDArray[np.float64]
    times_s: npt.NDArray[np.float64]
    global_s: npt.NDArray[np.float64]
    p_waves_s: npt.NDArray[np.float64]
    p_confidence: npt.NDArray[np.float64]

    @property
    def n_beats(self) -> int:
        """Number of beats found."""
        return len(self.r_s)

    def column(self, fiducial: str, lead: str | None = None) -> npt.NDArray[np.float64]:
        """Give one fiducial of every beat.

        Parameters
        ----------
        fiducial : str
            One of `FIDUCIALS`.
        lead : str, optional
            Lead name; without it, the reading of all leads together.

        Returns
        -------
        np.ndarray, shape (n_beats,), s
        """
        k = FIDUCIALS.index(fiducial)
        return self.global_s[:, k] if lead is None else self.times_s[self.leads.index(lead), :, k]
