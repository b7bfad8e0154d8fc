"""What the paper and the ink look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecg_llm.errors import ConfigError

MarkRole = Literal["critical", "abnormal", "information"]


def rgb(colour: str, name: str = "colour") -> tuple[int, int, int]:
    """Read a colour.

    Parameters
    ----------
    colour : str
        ``#rrggbb``.
    name : str
        What an error calls it.

    Returns
    -------
    tuple of int
        Red, green, blue, 0 to 255.

    Raises
    ------
    ConfigError
        If it is not of that form.

    Examples
    --------
    >>> rgb("#ff8000")
    (255, 128, 0)
    """
    try:
        if len(colour) != 7 or colour[0] != "#":
            raise ValueError
        value = int(colour[1:], 16)
    except ValueError:
        raise ConfigError(f"{name} is {colour!r}; a colour like '#rrggbb' is needed.") from None
    return value >> 16, value >> 8 & 255, value & 255


@dataclass(frozen=True, kw_only=True)
class PaperStyle:
    """Colours as ``#rrggbb`` and line widths in mm."""

    paper: str = "#ffffff"
    """Outside and under the grid."""
    small_line: str = "#fadcd8"
    """One line a millimetre."""
    large_line: str = "#eea59c"
    """One line every five millimetres."""
    ink: str = "#101014"
    """Tracing, calibration pulse and lead labels."""
    faint_ink: str = "#7d7880"
    """Tracing of a lead that cannot be relied on."""
    text: str = "#1f1f24"
    """Header and footer."""
    small_mm: float = 0.12
    """Width of the small lines; 0 leaves them out."""
    large_mm: float = 0.2
    """Width of the large lines; 0 leaves them out."""
    trace_mm: float = 0.28
    """Width of the tracing."""
    # By the name of a MarkRole. Vermilion, blue and bluish green stay apart for every common kind
    # of colour blindness, and each mark carries a number besides.
    critical: str = "#b8340a"
    """Evidence of a finding that needs somebody now."""
    abnormal: str = "#0063a6"
    """Evidence of any other abnormal finding."""
    information: str = "#00755a"
    """Evidence of a measured value or a normal finding."""

    def __post_init__(self) -> None:
        """Refuse a colour that no backend could draw."""
        for name, value in vars(self).items():
            if isinstance(value, str):
                rgb(value, name)
            elif not 0 <= value <= 5:
                raise ConfigError(f"PaperStyle.{name} is {value} mm; 0 to 5 mm is possible.")


PINK = PaperStyle()
"""The standard paper."""
