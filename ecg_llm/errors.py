"""The errors of the project: one root, few kinds.

A message says where, what was found, what was needed and what to do. It never holds patient data
beyond the name of the file.
"""


class ECGError(Exception):
    """Root of every error the project raises for bad input or bad use."""

    def __init__(self, *said: str) -> None:
        """Keep a message that can be written anywhere, whatever bytes a file's name holds."""
        super().__init__(*map(as_text, said))


def as_text(name: str) -> str:
    """Write bytes of a file's name that are no UTF-8 as escapes.

    Parameters
    ----------
    name : str
        As the operating system gives it.

    Returns
    -------
    str

    Examples
    --------
    >>> as_text("caf\\udce9.hea"), as_text("café.hea")
    ('caf\\\\udce9.hea', 'café.hea')
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


class RecordError(ECGError):
    """A file or an array is not an ECG that can be read as it stands."""


class MeasurementError(ECGError):
    """A quantity was asked of values that cannot give it."""


class ConfigError(ECGError):
    """A setting, recipe, option or model folder is wrong."""
