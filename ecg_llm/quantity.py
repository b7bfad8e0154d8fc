"""A measured value that may be unknown, and then says why."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Quantity:
    """One measured quantity, with its unit, or the reason why there is none.

    Attributes
    ----------
    value : float or None
        None where it could not be measured: never 0, never a guess.
    unit : str
        UCUM-like: ``ms``, ``mV``, ``bpm``, ``deg``.
    reason : str or None
        Why there is no value; None where there is one.
    method : str
        How the value was obtained, in one line.
    spread : float or None
        Standard deviation over what was pooled (robust: 1.4826 × median absolute deviation), same
        unit; None of a single value, which has none.
    n : int
        Number of values pooled.
    """

    value: float | None
    unit: str
    reason: str | None = None
    method: str = ""
    spread: float | None = None
    n: int = 0

    def __post_init__(self) -> None:
        """Refuse a value that is neither known nor explained; one value alone has no spread."""
        if self.n == 1:
            object.__setattr__(self, "spread", None)
        if self.value is None:
            if not self.reason:
                raise ValueError(f"a missing value in {self.unit} needs a reason")
        elif not math.isfinite(self.value):
            raise ValueError(f"a value in {self.unit} must be finite, got {self.value}")

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def __format__(self, spec: str) -> str:
        """Give ``162 ms`` or ``unknown (no P wave found)``."""
        if self.value is None:
            return f"unknown ({self.reason})"
        return f"{self.value:{spec or '.0f'}} {self.unit}"

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as plain JSON values.

        Returns
        -------
        dict
            Keys ``value``, ``unit``, ``reason``, ``method``, ``spread``, ``n``.
        """
        return asdict(self)
