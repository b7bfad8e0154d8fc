"""What an evaluation or a benchmark gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result(ABC):
    """Figures that show themselves, to people as text and to programs as JSON."""

    @abstractmethod
    def render(self) -> str:
        """Give the figures as text."""

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return asdict(self)
