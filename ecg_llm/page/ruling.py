"""Hold the map of the paper to the lines of its ruling.

The scale of a ruling tells how large a millimetre is in each part of a page. Summed along a row, an
error of half a percent in it is more than a millimetre at the end, 50 ms. The lines themselves do
not drift: where they stand against the millimetres of the map is a phase, and that tells by how
much the map is off at each place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from ecg_llm.page.net import Map, Sight
from ecg_llm.page.paper import (
    PER_MM,
    PX_MM,
    Paper,
    polynomial,
    robust_fit,
    straight_ruling,
    through_places,
)

Floats = npt.NDArray[np.float64]

_BLOCK_MM, _SMOOTH_BLOCKS = 5, 1.6
"""Phases are taken of blocks of this size, and smoothed over so many of them."""
_CHANCE = 0.3
"""Share of blocks that agree by chance."""
_AGREE, _SURE = 0.5, 0.7
"""Phases that agree less, once a smooth drift is taken off, are no ruling; nor do the latter where
the scale of the ruling was not seen."""
_CLEAR, _SURELY_CLEAR = 0.05, 0.3
"""Likewise the share of the page on which a distance of lines is to be seen."""
_DEGREE = 4
"""Of the smooth drift."""
_STIFF = 1e-6
"""Share of the weights that keeps the drift small where nothing tells it."""
_UNLIKE_MM = 0.06
"""Neighbours whose drift differs by so much more than that count half."""
_ROUNDS = 2
"""The second time, the lines are less blurred by the drift."""


def held_by_ruling(paper: Paper, sight: Sight) -> Paper:
    """Correct a map by where the lines of the ruling stand.

    Parameters
    ----------
    paper : Paper
        A map whose scale is about right.
    sight : Sight
        What the net sees.

    Returns
    -------
    Paper
        The same, if the lines are not to be seen or do not agree.
    """
    for _ in range(_ROUNDS):
        lattice, flat = straight_ruling(paper, sight)
        size = _BLOCK_MM * PX_MM
        rows, columns = (side // size for side in flat.shape)
        if min(rows, columns) < 3:
            return paper
        pixels = lattice[size // 2 :: size, size // 2 :: size][:rows, :columns].astype(np.float64)
        mm = paper.mm(pixels)
        weight = np.full((rows, columns), 0.02)
        seen = []
        for axis, picture in enumerate((flat, flat.T)):
            found = _drift(picture, doubted=not paper.grid_seen)
            seen.append(found is not None)
            if found is not None:
                drift, sure = (part.T if axis else part for part in found)
                mm[..., axis] += drift - np.average(drift, weights=sure)
                weight += sure / sure.mean()
        if not any(seen):
            return paper
        counts = np.minimum(weight, 3).reshape(-1)
        finer = through_places(paper, pixels.reshape(-1, 2), mm.reshape(-1, 2), counts)
        paper = replace(finer, grid_seen=paper.grid_seen or seen[0])
    return paper


def _drift(flat: Map, *, doubted: bool) -> tuple[Floats, Floats] | None:
    """Tell by how many mm lines stand too far right, block by block, and how much each counts."""
    least, clearest = (_SURE, _SURELY_CLEAR) if doubted else (_AGREE, _CLEAR)
    waves = [(per_mm, *_phases(flat, per_mm)) for per_mm in PER_MM]
    if sum(float(clear.sum()) for *_, clear in waves) < 5:
        return None
    rows, columns = waves[0][1].shape
    at = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    shapes = polynomial(np.stack(at, axis=-1), _DEGREE)
    drift = np.zeros((rows, columns))
    for _ in range(3):
        drift = drift + shapes @ _smooth_step(waves, shapes, drift)
    rest, total, agreement = np.zeros_like(drift), np.full_like(drift, 1e-3), 0.0
    for per_mm, wave, clear in waves:
        left = wave / (np.abs(wave) + 1e-9) * np.exp(-2j * np.pi * per_mm * drift)
        middle = (left * clear).sum()
        agree = float(np.abs(middle) / (clear.sum() + 1e-9))
        weight = clear * per_mm * max(agree - _AGREE, 0)
        rest += weight * np.angle(left * np.conj(middle)) / (2 * np.pi * per_mm)
        total += weight
        agreement = max(agreement, agree if clear.mean() > clearest else 0.0)
    return (drift + rest / total, total) if agreement >= least else None


def _phases(flat: Map, per_mm: float) -> tuple[npt.NDArray[np.complex128], Floats]:
    """Give how lines of one distance stand in each block, and how far blocks nearby agree."""
    size = _BLOCK_MM * PX_MM
    rows, columns = (side // size for side in flat.shape)
    bands = flat[: rows * size, : columns * size].reshape(rows, size, -1).mean(axis=1)
    turned = bands * np.exp(-2j * np.pi * per_mm * np.arange(columns * size) / PX_MM)
    blocks = turned.reshape(rows, columns, size).mean(axis=2)
    smooth = [gaussian_filter(part, _SMOOTH_BLOCKS) for part in (blocks.real, blocks.imag)]
    wave = smooth[0] + 1j * smooth[1]
    agree = np.abs(wave) / (gaussian_filter(np.abs(blocks), _SMOOTH_BLOCKS) + 1e-9)
    return wave, np.clip((agree - _CHANCE) / (1 - _CHANCE), 0, 1)


def _smooth_step(waves: list[tuple[float, Any, Floats]], shapes: Floats, drift: Floats) -> Floats:
    """Fit what is left of the drift from block to block, where phases cannot jump by a turn."""
    steps, slopes, weights = [], [], []
    for per_mm, wave, clear in waves:
        left = wave * np.exp(-2j * np.pi * per_mm * drift)
        for after, before in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
            turn = np.angle(left[after] * np.conj(left[before]))
            weight = np.minimum(clear[after], clear[before]) * per_mm
            steps.append((turn / (2 * np.pi * per_mm)).ravel())
            slopes.append((shapes[after] - shapes[before]).reshape(-1, shapes.shape[-1]))
            weights.append(weight.ravel())
    step, slope, weight = (np.concatenate(part) for part in (steps, slopes, weights))
    return robust_fit(slope, step, weight, _STIFF, _UNLIKE_MM)
