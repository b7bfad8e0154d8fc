"""The training loop of the encoders: CPU, one GPU or many, the same numbers after a stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ecg_llm.training.runs import read_checkpoint, same_run, write_checkpoint

if TYPE_CHECKING:
    from accelerate import PartialState

Batch = dict[str, Tensor]
History = list[dict[str, float]]
CHECKPOINT, CURVE = "checkpoint.pt", "curve.png"


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to learn."""

    steps: int = 5000
    """Steps of the optimiser."""
    batch: int = 64
    """Records a step and process."""
    peak_lr: float = 1e-3
    """Highest learning rate, reached after the warm-up, then lowered along a cosine to zero."""
    warmup: float = 0.1
    """Part of the steps."""
    weight_decay: float = 0.05
    """Of AdamW; weights with two dimensions or more only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.998
    """Share of the running average that a step keeps; the average is what is saved."""
    bf16: bool = True
    """Whether to multiply in 16-bit brain floats."""
    save_every: int = 500
    """Steps between checkpoints."""
    judge_every: int = 1000
    """Steps between evaluations."""
    seed: int = 0
    """Of weights, batches and dropout."""


class Objective(nn.Module):
    """What a recipe optimises: `forward` gives the loss of a batch and what else to log.

    A subclass may do more after each step, as teachers that follow their pupil do.
    """

    def after_step(self, progress: float) -> None:
        """Follow the weights."""


def this_process() -> PartialState:
    """Give this process among those that accelerate launched."""
    from accelerate import PartialState

    # Others wait for the one that packs the data or reads the pages.
    return PartialState(cpu=not torch.accelerator.is_available(), timeout=timedelta(days=1))


def _rate_at(step: int, config: LoopConfig) -> float:
    """Give the learning rate of a step, from 0 on."""
    warm = max(config.warmup * config.steps, 1)
    if step < warm:
        return config.peak_lr * (step + 1) / warm
    done = (step - warm) / max(config.steps - warm, 1)
    return float(config.peak_lr * 0.5 * (1 + np.cos(np.pi * done)))


def fit(
    objective: Objective,
    draw: Callable[[np.random.Generator], Batch],
    config: LoopConfig,
    out: Path,
    *,
    identity: dict[str, Any],
    judge: Callable[[nn.Module], dict[str, float]] | None = None,
    on_step: Callable[[int, dict[str, float]], None] = lambda step, logs: None,
    stop_at: int | None = None,
) -> tuple[nn.Module, History, float]:
    """Train an objective and give the running average of its weights.

    Parameters
    ----------
    objective : Objective
        Net and loss; ``forward(batch)`` gives ``{"loss": …}``, all scalars.
    draw : callable
        Makes a batch from a source of chance, which alone decides what is in it.
    identity : dict
        Resolved recipe, fingerprint of the data and version of the code: kept in the checkpoint,
        and a resumed run must have the same.
    judge : callable, optional
        Figures of the averaged net on held-out records.
    stop_at : int, optional
        Stop after so many steps, with a checkpoint.

    Returns
    -------
    trained : nn.Module
        An `Objective` of averaged weights, in evaluation mode.
    history : list of dict of str to float
        ``step``, losses, and the figures of some steps; those before a stop too.
    seconds : float, s
        What the steps took, those before a stop too.

    Raises
    ------
    ConfigError
        If ``out`` holds the checkpoint of another run.

    Notes
    -----
    With a checkpoint in ``out`` the run goes on from there. The chance of a step comes from seed,
    step and process alone, so a run that was stopped gives the numbers of one that was not.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs

    out.mkdir(parents=True, exist_ok=True)
    this_process()
    accelerator = Accelerator(
        mixed_precision="bf16" if config.bf16 else "no",
        # What an objective has no use for, such as the record's vector, gets no gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    average = torch.optim.swa_utils.AveragedModel(
        objective,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema),  # type: ignore[no-untyped-call]
        use_buffers=True,
    ).to(accelerator.device)
    learned = [p for p in objective.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.peak_lr)
    net, optimizer = accelerator.prepare(objective, optimizer)
    plain: Objective = accelerator.unwrap_model(net)
    parts: dict[str, Any] = {"net": plain, "average": average, "optimizer": optimizer}
    history: History = []
    began = time.monotonic()
    if (out / CHECKPOINT).is_file():
        saved = read_checkpoint(out / CHECKPOINT)
        same_run(out / CHECKPOINT, saved.get("identity", {}), identity)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        history.extend(saved["history"])
        began -= saved.get("seconds", 0.0)  # which an earlier version did not keep
    first = len(history)
    last = min(config.steps, stop_at or config.steps)

    def ahead(step: int) -> Batch:
        return draw(np.random.default_rng((config.seed, step, accelerator.process_index)))

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(ahead, first)
        for step in range(first, last):
            batch = {key: x.to(accelerator.device) for key, x in coming.result().items()}
            coming = pool.submit(ahead, step + 1)
            # Dropout after a stop must be what it would have been without one.
            torch.manual_seed(config.seed * 1_000_003 + step)
            for group in optimizer.param_groups:
                group["lr"] = _rate_at(step, config)
            net.train()
            with accelerator.autocast():
                losses = net(batch)
            optimizer.zero_grad()
            accelerator.backward(losses["loss"])
            accelerator.clip_grad_norm_(learned, config.clip)
            optimizer.step()
            plain.after_step((step + 1) / config.steps)
            # Early weights are far off; the average keeps less of them.
            keep = min(config.ema, (1 + step) / (10 + step))
            average.multi_avg_fn = torch.optim.swa_utils.get_ema_multi_avg_fn(keep)  # type: ignore[no-untyped-call]
            average.update_parameters(plain)
            logs = {"step": float(step + 1)} | {k: float(v.detach()) for k, v in losses.items()}
            if judge and ((step + 1) % config.judge_every == 0 or step + 1 == config.steps):
                logs |= judge(average.module.eval())
            history.append(logs)
            if accelerator.is_main_process and (
                (step + 1) % config.save_every == 0 or step + 1 == last
            ):
                state = {name: part.state_dict() for name, part in parts.items()}
                spent = time.monotonic() - began
                kept = {"identity": identity, "history": history, "seconds": spent, **state}
                write_checkpoint(out / CHECKPOINT, kept)
            on_step(step + 1, logs)
        coming.cancel()
    if accelerator.is_main_process:
        _draw_curve(history, out / CURVE)
    averaged: nn.Module = average.module
    return averaged.eval(), history, time.monotonic() - began


def _draw_curve(history: History, path: Path) -> None:
    """Draw losses and held-out figures over the steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not history:
        return
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    steps = np.array([row["step"] for row in history])
    for name in [key for key in history[0] if key != "step"]:
        values = np.array([row.get(name, np.nan) for row in history])
        width = max(len(values) // 100, 1)
        smooth = np.convolve(values, np.ones(width) / width, "valid")
        left.plot(steps[width - 1 :], smooth, label=name)
    judged = [row for row in history if len(row) > len(history[0])] or history[-1:]
    for name in [key for key in judged[-1] if key not in history[0]]:
        right.plot([row["step"] for row in judged], [row[name] for row in judged], "o-", label=name)
    for axes, title in ((left, "loss"), (right, "held out")):
        axes.set(xlabel="step", title=title)
        if axes.lines:
            axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
