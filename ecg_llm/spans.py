"""Runs of samples laid end to end, so that all of them are reduced at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Spans:
    """Some runs of samples of one long row; they may be empty, overlap and differ in length.

    Attributes
    ----------
    first : np.ndarray of int, any shape
        Where each begins in the row.
    count : np.ndarray of int, the same shape
        How many samples it has.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    >>> spans = Spans(np.array([0, 2, 3]), np.array([2, 0, 2]))
    >>> spans.place.tolist(), spans.sum(row[spans.place]).tolist()
    ([0, 1, 3, 4], [4.0, nan, 6.0])
    """

    first: Index
    count: Index

    @cached_property
    def place(self) -> Index:
        """Where in the row each sample lies, one span after the other, shape (n,)."""
        count = self.count.ravel()
        end = np.cumsum(count)
        n = int(end[-1]) if len(end) else 0
        return np.asarray(np.arange(n) + np.repeat(self.first.ravel() - (end - count), count))

    @cached_property
    def _filled(self) -> tuple[Mask, Index]:
        """Which spans hold samples, and at which of all the samples those begin."""
        filled = self.count > 0
        count = self.count[filled]
        return filled, np.cumsum(count) - count

    def repeat(self, values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Give every sample the value of its span.

        Parameters
        ----------
        values : np.ndarray, the shape of `first`
            One a span.

        Returns
        -------
        np.ndarray, shape (n,)
        """
        return np.repeat(values.ravel(), self.count.ravel())

    def sum(self, samples: npt.NDArray[np.generic]) -> Array:
        """Add up the samples of each span.

        Parameters
        ----------
        samples : np.ndarray, shape (n,)
            One for each of `place`.

        Returns
        -------
        np.ndarray, the shape of `first`
            NaN for an empty span.
        """
        return self._reduced(np.add, samples)

    def max(self, samples: npt.NDArray[np.generic]) -> Array:
        """Take the largest sample of each span.

        Parameters
        ----------
        samples : np.ndarray, shape (n,)
            One for each of `place`; NaN spreads.

        Returns
        -------
        np.ndarray, the shape of `first`
            NaN for an empty span.
        """
        return self._reduced(np.maximum, samples)

    def min(self, samples: npt.NDArray[np.generic]) -> Array:
        """Take the least sample of each span.

        Parameters
        ----------
        samples : np.ndarray, shape (n,)
            One for each of `place`; NaN spreads.

        Returns
        -------
        np.ndarray, the shape of `first`
            NaN for an empty span.
        """
        return self._reduced(np.minimum, samples)

    def _reduced(self, how: np.ufunc, samples: npt.NDArray[np.generic]) -> Array:
        """Reduce span by span."""
        filled, begin = self._filled
        out = np.full(self.count.shape, np.nan)
        out[filled] = how.reduceat(samples, begin, dtype=np.float64)
        return out
