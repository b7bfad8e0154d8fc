"""Read the printed names of leads at the places where the page net suspects one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.inference import session
from ecg_llm.page.net import LABELS, Map

WEIGHTS = Path(__file__).parent.parent / "weights" / "page_names.onnx"
PATCH_PX = (40, 64)
"""Height and width of a patch: 10 by 16 mm on A4."""


def standardised(patches: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Bring patches to mean 0 and deviation 1, whatever paper and light.

    Parameters
    ----------
    patches : np.ndarray, shape (n, 40, 64)
        Grey.

    Returns
    -------
    np.ndarray, shape (n, 1, 40, 64)
    """
    flat = patches.reshape(len(patches), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat /= flat.std(axis=1, keepdims=True) + 4.0
    shaped: npt.NDArray[np.float32] = flat.reshape(len(patches), 1, *PATCH_PX)
    return shaped


def read_names(
    image: npt.NDArray[np.uint8], places: npt.NDArray[np.float64], *, weights: Path = WEIGHTS
) -> Map:
    """Say which name stands at each of some places.

    Parameters
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        At the page net's size.
    places : np.ndarray, shape (n, 2), px
        Suspected centres of names.
    weights : Path
        The net, as ONNX.

    Returns
    -------
    np.ndarray, shape (n, len(LABELS) + 1)
        Probability of each name, and of none.
    """
    import cv2

    if len(places) == 0:
        return np.zeros((0, len(LABELS) + 1), np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = (PATCH_PX[1], PATCH_PX[0])
    patches = [cv2.getRectSubPix(grey, size, (float(x), float(y))) for x, y in places]
    (logits,) = session(weights).run(None, {"patches": standardised(np.array(patches))})
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    told: Map = odds / odds.sum(axis=1, keepdims=True)
    return told
