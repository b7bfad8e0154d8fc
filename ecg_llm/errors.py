"""The errors of the project: one root, few kinds.

A message says where, what was found, what was needed and what to do. It never holds patient data
beyond the name of the file.
"""


class ECGError(Exception):
    """Root of every error the project raises for bad input or bad use."""


class RecordError(ECGError):
    """A file or an array is not an ECG that can be read as it stands."""


class MeasurementError(ECGError):
    """A quantity was asked of values that cannot give it."""


class ConfigError(ECGError):
    """A setting, recipe, option or model folder is wrong."""
