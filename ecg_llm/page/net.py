"""What the page net sees: tracings, names of leads, pulses and the lie of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.inference import session, sigmoid
from ecg_llm.leads import STANDARD_12
from ecg_llm.page.decode import Image

Map = npt.NDArray[np.float32]

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
WEIGHTS = Path(__file__).parent.parent / "weights" / "page.onnx"

_MULTIPLE = 32
"""Sides of the net's input are multiples of this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """What the net sees of an image, all in pixels of the image brought to the net's size.

    Attributes
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        The image at that size.
    trace : np.ndarray, shape (height, width)
        Probability of lying on a tracing.
    spots : np.ndarray, shape (PULSE + 1, height / 4, width / 4)
        Probability of each name, of first and last points, and of lying in a pulse.
    offset_px : np.ndarray, shape (height / 4, width / 4), px
        From a tracing down to its baseline.
    across, down : np.ndarray, shape (height / 16, width / 16, 2), px
        Where a millimetre along and down the paper leads.
    paper : np.ndarray, shape (height / 16, width / 16)
        Probability of being ECG paper.
    """

    image: Image
    trace: Map
    spots: Map
    offset_px: Map
    across: Map
    down: Map
    paper: Map

    @cached_property
    def dark(self) -> Map:
        """By how much it is darker than its surroundings, shape (height, width)."""
        import cv2

        grey = self.image.min(axis=2).astype(np.float32)
        return np.asarray(np.clip(cv2.blur(grey, (31, 31)) - grey, 0, None), np.float32)

    @cached_property
    def ruling(self) -> Map:
        """What is darker than its surroundings and no tracing, shape (height, width)."""
        return np.asarray(np.minimum(self.dark, 80) * (1 - self.trace), np.float32)


def look(image: Image, *, long_px: int = LONG_PX, weights: Path = WEIGHTS) -> Sight:
    """Run the net over an image.

    Parameters
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Red, green, blue.
    long_px : int
        Long side to which it is brought.
    weights : Path
        The net, as ONNX.

    Returns
    -------
    Sight

    Raises
    ------
    ConfigError
        If the net is not there.
    """
    import cv2

    factor = long_px / max(image.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    height, width = (max(round(side * factor), _MULTIPLE) for side in image.shape[:2])
    sized = np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)
    filled = np.full((height + -height % _MULTIPLE, width + -width % _MULTIPLE, 3), 128, np.uint8)
    filled[:height, :width] = sized
    batch = filled.transpose(2, 0, 1)[None].astype(np.float32)
    trace, marks, lie = session(weights).run(None, {"image": batch})
    lie = lie[0].transpose(1, 2, 0)
    return Sight(
        image=filled,
        trace=sigmoid(trace[0, 0]),
        spots=sigmoid(marks[0, : PULSE + 1]),
        offset_px=marks[0, OFFSET] * OFFSET_PX,
        across=(lie[:, :, :2] + np.array([1, 0], np.float32)) * USUAL_PX_MM,
        down=(lie[:, :, 2:4] + np.array([0, 1], np.float32)) * USUAL_PX_MM,
        paper=sigmoid(lie[:, :, 4]),
    )
