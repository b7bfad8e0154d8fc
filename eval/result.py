"""What an evaluation or a benchmark gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
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


def markdown(heads: Sequence[str], rows: Iterable[Sequence[object]], *, names: int = 1) -> str:
    """Write a table in Markdown.

    Parameters
    ----------
    rows : iterable of sequence
        Cells, as text or what is written as such.
    names : int
        Columns on the left that hold names; the others hold figures.

    Examples
    --------
    >>> print(markdown(("kind", "n"), [("all", 3)]))
    | kind | n |
    | --- | ---: |
    | all | 3 |
    """
    rules = ["---"] * names + ["---:"] * (len(heads) - names)
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (heads, rules, *rows))
