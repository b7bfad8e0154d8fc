"""How the delineator and its teachers are trained."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_llm.encoders.delineator import DelineatorConfig


@dataclass(frozen=True)
class NetRecipe:
    """How one net is trained."""

    config: DelineatorConfig
    """Size of the net."""
    steps: int
    """Optimiser steps."""
    last_steps: int
    """So many at the end without changes of tempo, and with less noise."""
    rows: int
    """Leads a step."""
    together: float
    """Share of steps whose records give several leads; else one each."""
    crop_s: float
    """Length of each training example."""
    peak_lr: float
    """Highest learning rate of the one-cycle schedule."""
    ema: float
    """Decay of the averaged weights, which are the ones that count."""
    simulated_share: float
    """Share of simulated records."""
    read_share: float = 0.0
    """Share of records without marks, as the teachers read them."""
    tempo_share: float = 0.5
    """Share of examples whose tempo is changed."""
    disturbed_share: float = 0.7
    """Share of strongly disturbed examples, of which the last part keeps a third."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    save_every: int = 250
    """Steps between checkpoints."""
    seed: int = 0
    """Of weights, order and augmentation."""


def _single(widths: tuple[int, ...], steps: int, last_steps: int, simulated: float) -> NetRecipe:
    """Give the recipe of a net that reads each lead alone."""
    return NetRecipe(
        config=DelineatorConfig(widths, 7, 4, listening=0),
        steps=steps,
        last_steps=last_steps,
        rows=36,
        together=0.0,
        crop_s=4.096,
        peak_lr=3e-3,
        ema=0.99,
        simulated_share=simulated,
    )


SINGLES = (
    _single((16, 32, 48, 64, 96), 2000, 900, 0.3),
    _single((16, 16, 32, 48, 64), 2000, 900, 0.3),
    _single((16, 32, 32, 48, 64), 2400, 1500, 0.15),
)
"""Teachers that read each lead alone: they tell best where a wave begins and ends."""
LISTENER = NetRecipe(
    config=DelineatorConfig((16, 32, 48, 64, 96), 7, 8, listening=5),
    steps=2500,
    last_steps=0,
    rows=96,
    together=0.9,
    crop_s=5.12,
    peak_lr=4e-3,
    ema=0.995,
    simulated_share=0.2,
    tempo_share=0.7,
)
"""Teacher whose leads hear each other: it tells best which waves there are."""
STUDENT = NetRecipe(
    config=DelineatorConfig(),
    steps=8000,
    last_steps=2500,
    rows=96,
    together=0.3,
    crop_s=5.12,
    peak_lr=4e-3,
    ema=0.997,
    simulated_share=0.15,
    read_share=0.55,
    tempo_share=0.4,
    disturbed_share=0.4,
)
"""The net that ships."""


@dataclass(frozen=True)
class DelineatorRecipe:
    """How the delineator is trained."""

    singles: tuple[NetRecipe, ...] = SINGLES
    """Teachers of where waves begin and end."""
    listener: NetRecipe = LISTENER
    """Teacher of which waves there are."""
    student: NetRecipe = STUDENT
    """Learns from marks, simulated beats, and what the teachers read in records without marks."""
    simulated_records: int = 600
    """How many simulated records there are."""
    simulated_seed: int = 0
    """Of these records."""
