"""ecg_llm: a clinical 12-lead ECG assistant whose every number is measured and checked.

Research software, not a medical device. Heavy parts load where they are used: importing this
package loads no other, numpy comes with the first `ECGRecord`.
"""

from typing import TYPE_CHECKING, Any

from ecg_llm.errors import ConfigError, ECGError, MeasurementError, RecordError
from ecg_llm.leads import STANDARD_12
from ecg_llm.quantity import Quantity

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

__version__ = "0.1.0"

__all__ = [
    "STANDARD_12",
    "ConfigError",
    "ECGError",
    "ECGRecord",
    "MeasurementError",
    "Quantity",
    "RecordError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load what needs numpy when it is asked for."""
    if name == "ECGRecord":
        from ecg_llm.record import ECGRecord

        return ECGRecord
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
