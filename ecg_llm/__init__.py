"""ecg_llm: a clinical 12-lead ECG assistant whose every number is measured and checked.

Research software, not a medical device. Heavy parts load where they are used: importing this
package loads numpy only.
"""

from ecg_llm.errors import ConfigError, ECGError, MeasurementError, RecordError
from ecg_llm.leads import STANDARD_12
from ecg_llm.quantity import Quantity
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
