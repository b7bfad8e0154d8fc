"""The ECG as everything downstream sees it: named leads, millivolts, a sampling rate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError

FloatArray = npt.NDArray[np.float32]
Sex = Literal["female", "male"]
Origin = Literal["recording", "page"]

MIN_DURATION_S = 5.0
"""A shorter stretch holds too few beats for a rhythm."""
MAX_DURATION_S = 300.0
"""What is judged of a longer recording; the report says so."""
MIN_FS, MAX_FS = 100.0, 1000.0
"""Sampling rates at which the intervals were checked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ECGRecord:
    """One resting ECG in physical units.

    Attributes
    ----------
    signal : np.ndarray, shape (n_leads, n_samples), float32, mV
        NaN marks a sample the device did not record.
    fs : float, Hz
        Sampling rate, never guessed.
    leads : tuple of str
        Row names of ``signal``, in order: `ecg_llm.leads.STANDARD_12` names first, then extra
        leads under their own names.
    source : str
        Named in every error and report.
    name : str
        Record name: the file name without extension, or relative to the folder that was given.
    derived : tuple of str
        Leads that were computed from others, not recorded.
    age_years : float or None
        From the file, if it says so.
    sex : {"female", "male"} or None
        From the file, if it says so.
    sha256 : str
        Of the bytes that were read.
    calibrated : bool
        False if the file does not tell its gain: shapes and times hold, voltages do not.
    notes : tuple of str
        What the reader had to do or could not use, in plain words.
    origin : {"recording", "page"}
        ``page``: digitised from an image of paper, so good for patterns but not for measuring.
    """

    signal: FloatArray = field(repr=False)
    fs: float
    leads: tuple[str, ...]
    source: str = "<memory>"
    name: str = ""
    derived: tuple[str, ...] = ()
    age_years: float | None = None
    sex: Sex | None = None
    sha256: str = ""
    calibrated: bool = True
    notes: tuple[str, ...] = ()
    origin: Origin = "recording"

    def __post_init__(self) -> None:
        """Hold the invariants that every later step relies on."""
        if not isinstance(self.signal, np.ndarray):
            raise RecordError(
                f"{self.source}: the signal is a {type(self.signal).__name__}, an array is needed; "
                "ecg_llm.io.from_array takes anything numpy does."
            )
        if self.signal.ndim != 2 or self.signal.shape[0] != len(self.leads):
            raise RecordError(
                f"{self.source}: the signal has shape {self.signal.shape} but {len(self.leads)} "
                "leads are named; give an array (n_leads, n_samples) and one name a row."
            )
        if len(set(self.leads)) != len(self.leads):
            twice = sorted({lead for lead in self.leads if self.leads.count(lead) > 1})
            raise RecordError(
                f"{self.source}: lead names stand twice: {', '.join(twice)}; each needs its own."
            )
        if not (np.isfinite(self.fs) and self.fs > 0):
            raise RecordError(
                f"{self.source}: sampling rate {self.fs} Hz; a positive one is needed."
            )
        if self.signal.dtype != np.float32:
            object.__setattr__(self, "signal", self.signal.astype(np.float32))

    @property
    def n_samples(self) -> int:
        """Samples per lead."""
        return int(self.signal.shape[1])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.fs

    def __contains__(self, lead: object) -> bool:
        """Whether a lead of this name is there."""
        return lead in self.leads

    def row(self, lead: str) -> FloatArray:
        """Give one lead's samples.

        Parameters
        ----------
        lead : str
            Standard name.

        Returns
        -------
        np.ndarray, shape (n_samples,), mV

        Raises
        ------
        RecordError
            If the record has no such lead.
        """
        if lead not in self.leads:
            raise RecordError(
                f"{self.source}: no lead {lead!r}; the record has {', '.join(self.leads)}."
            )
        row: FloatArray = self.signal[self.leads.index(lead)]
        return row

    def select(self, leads: tuple[str, ...]) -> ECGRecord:
        """Keep some leads, in the order given.

        Parameters
        ----------
        leads : tuple of str
            Names that the record has.

        Returns
        -------
        ECGRecord
        """
        rows = np.stack([self.row(lead) for lead in leads])
        derived = tuple(lead for lead in self.derived if lead in leads)
        return replace(self, signal=rows, leads=leads, derived=derived)

    def segment(self, from_s: float, to_s: float) -> ECGRecord:
        """Cut out a stretch.

        Parameters
        ----------
        from_s, to_s : float, s
            Limits, clipped to the record.

        Returns
        -------
        ECGRecord
            Its time starts at 0 again. The same one, if the stretch is all of it.
        """
        first, last = self._limits(from_s, to_s)
        if (first, last) == (0, self.n_samples):
            return self
        return replace(self, signal=self.signal[:, first:last])

    def only(self, from_s: float, to_s: float) -> ECGRecord:
        """Keep a stretch where it lies in time: nothing counts as recorded before and after it.

        Parameters
        ----------
        from_s, to_s : float, s
            Limits, clipped to the record.

        Returns
        -------
        ECGRecord
            The same one, if the stretch is all of it.
        """
        first, last = self._limits(from_s, to_s)
        if (first, last) == (0, self.n_samples):
            return self
        signal = self.signal[:, :last].copy()
        signal[:, :first] = np.nan
        return replace(self, signal=signal)

    def _limits(self, from_s: float, to_s: float) -> tuple[int, int]:
        """Give the samples of a stretch, the second no longer in it."""
        first, last = (min(max(round(t * self.fs), 0), self.n_samples) for t in (from_s, to_s))
        return first, last
