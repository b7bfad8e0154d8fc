"""Views of records as clinics give them: fewer leads, shorter, noisier, read off paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.encoders.signal_input import FS
from ecg_llm.leads import STANDARD_12

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
_COLUMNS = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11))
_II, _V1, _V5 = (STANDARD_12.index(lead) for lead in ("II", "V1", "V5"))
_SETS = "I/II/V1/I II III aVR aVL aVF/II V1 V5/I II V2 V5/II V5/V1 V2 V3 V4 V5 V6"
LEAD_SETS = tuple(
    tuple(STANDARD_12.index(lead) for lead in leads.split()) for leads in _SETS.split("/")
)


@dataclass(frozen=True)
class ViewConfig:
    """How often a record is shown in which way, and how much it is changed."""

    page: float = 0.10
    """Part of the single views that look like a page that was read: 2.5 s a lead."""
    few_leads: float = 0.15
    """Part with some leads only, one third of them lead I alone."""
    short: float = 0.08
    """Part of 2.5 to 8 s."""
    pairs: float = 0.25
    """Part of a batch that shows a record of the batch again, as a page or with few leads."""
    unknown_gain: float = 0.15
    """Part of all views whose gain is hidden."""
    noise_mv: float = 0.03
    """Largest deviation of added noise."""
    wander_mv: float = 0.05
    """Largest height of an added baseline wander."""
    gain: float = 0.08
    """Deviation of the logarithm of a common gain."""


def light_view(
    x: FloatArray, there: BoolArray, rng: np.random.Generator, config: ViewConfig
) -> tuple[FloatArray, BoolArray]:
    """Change a record as little as another recording of it would.

    Parameters
    ----------
    x : np.ndarray, shape (12, T), mV
        A record; 0 where nothing was recorded.
    there : np.ndarray of bool, shape (12, T)
        What was.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    signal, present : np.ndarray, shape (12, T)
    """
    n = x.shape[1]
    shift = int(rng.integers(-n // 8, n // 8 + 1))
    x, there = np.roll(x, shift, axis=1), np.roll(there, shift, axis=1)
    if shift > 0:  # what was rolled in from the other end is no recording
        there[:, :shift] = False
    elif shift < 0:
        there[:, shift:] = False
    x = x * np.float32(np.exp(config.gain * rng.standard_normal()))
    lead_gain = np.exp(0.02 * rng.standard_normal((12, 1))).astype(np.float32)
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    noise[:, 1:] += noise[:, :-1]
    height = np.float32(config.noise_mv * rng.random() ** 3)
    t = np.arange(n, dtype=np.float32) / FS
    wander = np.sin(2 * np.pi * (rng.uniform(0.1, 0.6) * t + rng.random()))
    share = rng.standard_normal((12, 1)).astype(np.float32)
    wander_mv = np.float32(config.wander_mv * rng.random() ** 2)
    x = x * lead_gain + height * noise + wander_mv * share * wander.astype(np.float32)
    if rng.random() < 0.15:
        there[rng.random(12) < rng.uniform(0, 0.4)] = False
    return x, there


def page_view(
    x: FloatArray, there: BoolArray, rng: np.random.Generator
) -> tuple[FloatArray, BoolArray]:
    """Show a record as if it had been read off a page.

    Returns
    -------
    signal, present : np.ndarray, shape (12, T)
        3 x 4, 6 x 2 or 12 x 1 leads, with or without rhythm strips, smoothed as a line of ink is,
        with small errors of gain and baseline in each stretch and some of it unread.
    """
    n = x.shape[1]
    seen = np.zeros_like(there)
    kind = rng.choice(3, p=(0.75, 0.15, 0.10))
    columns = (_COLUMNS, (tuple(range(6)), tuple(range(6, 12))), (tuple(range(12)),))[kind]
    edges = np.linspace(0, n, len(columns) + 1).astype(int)
    edges[1:-1] += rng.integers(-8, 9, len(edges) - 2)
    for k, leads in enumerate(columns):
        seen[list(leads), edges[k] + int(rng.integers(0, 12)) : edges[k + 1]] = True
    strips = ((), (_II,), (_II, _V1), (_V1, _II, _V5))[rng.choice(4, p=(0.2, 0.55, 0.1, 0.15))]
    seen[list(strips)] = True
    y = x.copy()
    width = float(rng.uniform(0.3, 1.6))
    taps = np.exp(-0.5 * (np.arange(-4, 5) / width) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    padded = np.pad(y, ((0, 0), (4, 4)), mode="edge")
    y = sum((tap * padded[:, k : k + n] for k, tap in enumerate(taps)), np.zeros_like(y))
    y *= np.exp(0.03 * rng.standard_normal() + 0.03 * rng.standard_normal((12, 1))).astype(
        np.float32
    )
    slope = np.linspace(-1, 1, n, dtype=np.float32)
    y += (0.02 * rng.standard_normal((12, 1)) + 0.02 * rng.standard_normal((12, 1)) * slope).astype(
        np.float32
    )
    y += np.float32(0.012 * rng.random()) * rng.standard_normal(y.shape, dtype=np.float32)
    seen &= there
    for _ in range(int(rng.integers(0, 8))):
        lead, first = int(rng.integers(12)), int(rng.integers(n))
        seen[lead, first : first + int(rng.integers(3, 40))] = False
    if rng.random() < 0.15:
        seen[rng.random(12) < 0.15] = False
    return y, seen


def _few_leads(there: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Keep one of the usual sets of leads, lead I alone in a third of the cases, or any leads."""
    seen = there.copy()
    dice = rng.random()
    if dice < 0.33:
        kept = list(LEAD_SETS[0])
    elif dice < 0.85:
        kept = list(LEAD_SETS[int(rng.integers(1, len(LEAD_SETS)))])
    else:
        kept = list(rng.choice(12, int(rng.integers(1, 9)), replace=False))
    if sum(lead in kept for lead in (0, 1, 2)) >= 2:  # as the encoder's input derives them
        kept += range(6)
    seen[[lead for lead in range(12) if lead not in kept]] = False
    return seen


def _shortened(there: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Keep 2.5 to 8 s."""
    length = int(rng.uniform(2.5, 8.0) * FS)
    first = int(rng.integers(0, max(there.shape[1] - length, 0) + 1))
    seen = np.zeros_like(there)
    seen[:, first : first + length] = there[:, first : first + length]
    return seen


def heavy_view(
    x: FloatArray, there: BoolArray, rng: np.random.Generator, config: ViewConfig
) -> tuple[FloatArray, BoolArray]:
    """Show a page or few leads.

    Returns
    -------
    signal, present : np.ndarray, shape (12, T)
    """
    if rng.random() < 0.6:
        return page_view(x, there, rng)
    x, there = light_view(x, there, rng, config)
    return x, _few_leads(there, rng)


def any_view(
    x: FloatArray, there: BoolArray, rng: np.random.Generator, config: ViewConfig
) -> tuple[FloatArray, BoolArray]:
    """Show a record in one of the ways, as often as the config says.

    Returns
    -------
    signal, present : np.ndarray, shape (12, T)
    """
    dice = rng.random()
    if dice < config.page:
        return page_view(x, there, rng)
    x, there = light_view(x, there, rng, config)
    if dice < config.page + config.few_leads:
        there = _few_leads(there, rng)
    elif dice < config.page + config.few_leads + config.short:
        there = _shortened(there, rng)
    return x, there
