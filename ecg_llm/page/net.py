"""What the page net sees: tracings, names of leads, pulses and the lie of the paper."""

from __future__ import annotations

from ecg_llm.leads import STANDARD_12

LABELS = (*STANDARD_12, "-aVR")
"""Names that may stand beside a tracing."""
LONG_PX = 1216
"""Long side to which an image is brought: A4 then has about 4 pixels a millimetre."""
USUAL_PX_MM = 4.0
"""Pixels a millimetre against which the net tells the lie of the paper."""
MARK_STEP, LIE_STEP = 4, 16
"""Pixels of the image that a cell of the maps covers."""
OFFSET_PX = 32.0
"""Unit of the distance from a tracing to its baseline."""
START, END, PULSE, OFFSET = range(len(LABELS), len(LABELS) + 4)
"""Channels of the marks after the names: first and last point of a baseline, pulse, distance."""
N_MARKS = len(LABELS) + 4
N_LIE = 5
