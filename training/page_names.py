"""Train the name net on patches of training pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ecg_llm.encoders.name_net import NameNet
from ecg_llm.page.names import PATCH_PX, standardised
from ecg_llm.page.net import LABELS
from ecg_llm.training.page_examples import PageTruth, load_truth

NONE = len(LABELS)
BATCH = 128
"""Patches a step."""
_SPARE = 8
"""Pixels more on each side, from which patches are cut with some shift."""
_CLEAR_PX = 26.0
"""What is farther from every name shows none."""

Patches = npt.NDArray[np.uint8]


def _cut_patches(
    truth: PageTruth, rng: np.random.Generator
) -> tuple[Patches, npt.NDArray[np.int64]]:
    """Cut the patches of a page: every name, and as many places without one.

    Grey, shape (n, 56, 80), uint8, and of each its place in `LABELS`, or `NONE`.
    """
    import cv2

    grey = cv2.cvtColor(truth.image, cv2.COLOR_RGB2GRAY)
    height, width = PATCH_PX[0] + 2 * _SPARE, PATCH_PX[1] + 2 * _SPARE
    dark = np.argwhere(grey < np.quantile(grey, 0.04))[:, ::-1].astype(np.float64)
    drawn = dark[rng.integers(0, len(dark), 12)] if len(dark) else np.empty((0, 2))
    marks = [truth.starts, truth.ends, truth.trace[np.isfinite(truth.trace).all(axis=1)]]
    near = np.concatenate([m[rng.integers(0, len(m), 3)] for m in marks if len(m)] or [drawn])
    anywhere = np.concatenate([drawn, near + rng.normal(0, 12, near.shape)])
    far = np.array([
        not len(truth.labels) or np.abs(truth.labels - p).max(axis=1).min() > _CLEAR_PX
        for p in anywhere
    ], bool)  # fmt: skip
    places = np.concatenate([truth.labels, anywhere[far]])
    names = np.concatenate([truth.label_ids, np.full(int(far.sum()), NONE)])
    size = np.array(grey.shape[::-1])
    inside = ((places > 4) & (places < size - 4)).all(axis=1) & np.isfinite(places).all(axis=1)
    patches = [
        cv2.getRectSubPix(grey, (width, height), (float(x), float(y))) for x, y in places[inside]
    ]
    stacked = np.array(patches, np.uint8).reshape(-1, height, width)
    return stacked, names[inside].astype(np.int64)


def train_names(
    pages: Sequence[Path],
    *,
    epochs: int = 6,
    seed: int = 0,
) -> NameNet:
    """Train the name net.

    Parameters
    ----------
    epochs : int
        Times that every patch is seen.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    cut = [_cut_patches(load_truth(path), rng) for path in pages]
    patches, names = (np.concatenate(part) for part in zip(*cut, strict=True))
    net: NameNet = NameNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    n_steps = epochs * -(-len(patches) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=n_steps)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(patches)), -(-len(patches) // BATCH)):
            x = torch.from_numpy(standardised(_varied(patches[rows], rng)))
            y = torch.from_numpy(names[rows])
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(x.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits.float(), y, label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    net.eval()
    return net


def _varied(patches: Patches, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Cut the patches out with some shift, turn and size."""
    import cv2

    height, width = PATCH_PX
    out = np.empty((len(patches), height, width), np.float32)
    for k, patch in enumerate(patches):
        centre = (patch.shape[1] / 2, patch.shape[0] / 2)
        matrix = cv2.getRotationMatrix2D(
            centre, float(rng.normal(0, 2)), float(np.exp(rng.normal(0, 0.09)))
        )
        matrix[:, 2] += np.array([width, height]) / 2 - centre + rng.normal(0, 1.8, 2)
        out[k] = cv2.warpAffine(
            patch, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return out
