"""The loop that trains a delineator's net, and what it keeps between steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.optim import swa_utils

from ecg_llm.encoders.delineator import Delineator, DelineatorConfig

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int]
"""Signal [R, T], lead ids [R], targets [R, 3, T], mask [R, T], leads per record."""


@dataclass(frozen=True)
class NetRecipe:
    """How a net is trained, whatever it is shown."""

    steps: int = 2500
    """Optimiser steps."""
    batch: int = 12
    """Records a step."""
    peak_lr: float = 4e-3
    """Highest learning rate of the one-cycle schedule."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the ones that ship."""
    simulated_share: float = 0.2
    """Share of simulated records in a batch."""
    simulated_records: int = 600
    """How many of them there are."""
    save_every: int = 250
    """Steps between checkpoints."""
    seed: int = 0
    """Of weights, order and augmentation."""
    config: DelineatorConfig = field(default_factory=DelineatorConfig)
    """Size of the net."""


def fit_net(
    draw: Callable[[np.random.Generator], Batch],
    recipe: NetRecipe,
    out: Path | None,
    *,
    more_loss: Callable[[torch.Tensor, Batch], torch.Tensor] | None = None,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Delineator:
    """Train one net and give its averaged weights.

    Parameters
    ----------
    draw : callable
        Gives the batch of a step; called in a thread beside the loop.
    recipe : NetRecipe
        How.
    out : Path or None
        Checkpoint file; if it exists and its recipe is the same, training goes on from it. None
        keeps no checkpoint.
    more_loss : callable, optional
        Of logits and batch; added to the cross-entropy of the samples.
    on_step : callable
        Called with step and loss.

    Returns
    -------
    Delineator
        In evaluation mode.
    """
    torch.manual_seed(recipe.seed)
    net = recipe.config.build()
    average = swa_utils.AveragedModel(
        net,
        multi_avg_fn=swa_utils.get_ema_multi_avg_fn(recipe.ema),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=recipe.peak_lr, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_lr, total_steps=recipe.steps, pct_start=0.15
    )
    parts: dict[str, Any] = {
        "net": net,
        "average": average,
        "optimizer": optimizer,
        "schedule": schedule,
    }
    first = _resume(parts, out, recipe) if out else 0
    ahead = ThreadPoolExecutor(1)

    def ask(step: int) -> Future[Batch]:
        return ahead.submit(draw, np.random.default_rng((recipe.seed, step)))

    coming = ask(first)
    for step in range(first, recipe.steps):
        drawn = coming.result()
        coming = ask(step + 1)
        x, ids, y, mask, n_leads = drawn
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x, ids, n_leads).float()
        loss = functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
        loss = (loss * mask[:, None]).sum() / (3 * mask.sum()).clamp(min=1)
        if more_loss is not None:
            loss = loss + more_loss(logits, drawn)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
        if out and (step + 1) % recipe.save_every == 0:
            _save(parts, out, recipe, step + 1)
        on_step(step, float(loss.detach()))
    ahead.shutdown(cancel_futures=True)
    net.load_state_dict(average.module.state_dict())
    return net.eval()


def _save(parts: dict[str, Any], out: Path, recipe: NetRecipe, step: int) -> None:
    """Write a checkpoint beside the old one, then put it in its place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    new = out.with_suffix(".new")
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"recipe": json.dumps(asdict(recipe)), "step": step, **state}, new)
    new.replace(out)


def _resume(parts: dict[str, Any], out: Path, recipe: NetRecipe) -> int:
    """Load a checkpoint of the same recipe, if there is one, and give its step."""
    if not out.exists():
        return 0
    saved = torch.load(out, weights_only=True)
    if saved["recipe"] != json.dumps(asdict(recipe)):
        return 0
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])
