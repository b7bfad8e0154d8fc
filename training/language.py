"""Train the language model: from scratch, its projectors, its adapters. One loop, written out."""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ecg_llm.errors import ConfigError
from ecg_llm.training.language_batches import IGNORED, Batch, Layout, Row, encode, pack
from ecg_llm.training.runs import read_checkpoint, same_run, write_checkpoint
from ecg_llm.training.talks import draw

if TYPE_CHECKING:
    from ecg_llm.data_builders.talk import Talk
    from ecg_llm.training.language_recipe import LanguageRecipe

CHECKPOINT, HISTORY, CURVE = "checkpoint.pt", "history.jsonl", "curve.png"
LEARNT = "learnt.pt"
"""What several processes learnt, gathered."""
SAVE_EVERY_S = 120.0
SAMPLE_EVERY_S = 180.0
JUDGED_BATCHES = 6
MOST_TOO_LONG = 500
"""Conversations one after the other that do not fit into a row: then the recipe is at fault."""


@dataclass(frozen=True)
class Features:
    """What the frozen encoder gave for every record.

    Attributes
    ----------
    tokens : mapping of str to Tensor, shape (n_tokens, width)
        By record name; in half precision, as they are many.
    vector : mapping of str to Tensor, shape (width,)
        By record name.
    """

    tokens: Mapping[str, Tensor]
    vector: Mapping[str, Tensor]

    def inputs(self, records: Sequence[str], device: torch.device) -> dict[str, Tensor]:
        """Give the model's inputs for the slots of a batch."""
        if not records:
            return {}
        return {
            "ecg_tokens": torch.stack([self.tokens[name] for name in records]).to(device).float(),
            "ecg_vector": torch.stack([self.vector[name] for name in records]).to(device),
        }


def batches(
    talks: Mapping[str, Sequence[Talk]],
    laid: Layout,
    recipe: LanguageRecipe,
    seed: int,
) -> Iterator[Batch]:
    """Draw, write as ids and pack, for ever."""
    rng = Random(seed)  # noqa: S311 (drawing, no secret)
    drawn = draw(
        talks, rng, recipe.mixture(), vary=recipe.vary, pages=recipe.pages, weights=recipe.weights
    )
    rows = (encode(laid, prompt, answer, talk) for talk, prompt, answer in drawn)
    return pack(
        _fitting(rows, recipe.length), length=recipe.length, n_rows=recipe.rows, pad=laid.pad
    )


def _fitting(rows: Iterator[Row], length: int) -> Iterator[Row]:
    """Leave out conversations that are too long, unless all are."""
    n_long = 0
    for row in rows:
        if len(row.ids) <= length:
            n_long = 0
            yield row
            continue
        n_long += 1
        if n_long == MOST_TOO_LONG:
            raise ConfigError(
                f"{n_long} conversations in a row have more than {length} tokens, the last one "
                f"{len(row.ids)}; a larger length in the recipe is needed."
            )


def _loss_of(model: nn.Module, batch: Batch, features: Features | None) -> Tensor:
    """Give the mean loss over the assistant's words; no features where no prompt has a slot."""
    core: Any = getattr(model, "base_model", model)
    core = getattr(core, "model", core) if hasattr(model, "peft_config") else model
    device = next(core.parameters()).device
    ids, labels = batch.ids.to(device), batch.labels.to(device)
    ecg: dict[str, Tensor] = {} if features is None else features.inputs(batch.records, device)
    pages = batch.pages.to(device)
    if ecg:
        projected = core.project(ecg["ecg_tokens"], ecg["ecg_vector"], pages)
    else:
        projected = torch.zeros(0, core.config.tokens_per_ecg, 1, device=device)
    embedded = core.splice(ids, projected, pages)
    if processes() > 1:
        # A batch without ECGs or without pages needs no projector. But processes that exchange
        # gradients must have the same ones in the same order, those of the input included.
        unused = [p.sum() for p in _projecting(core) if p.requires_grad]
        embedded = embedded + 0.0 * torch.stack(unused).sum().to(embedded)
    hidden = core.language_model.model(
        inputs_embeds=embedded,
        attention_mask=batch.mask.to(device),
        position_ids=batch.positions.to(device),
        use_cache=False,
    ).last_hidden_state
    wanted = labels[:, 1:]
    learnt = wanted != IGNORED  # logits of the other words are never needed
    logits = core.language_model.lm_head(hidden[:, :-1][learnt])
    return nn.functional.cross_entropy(logits.float(), wanted[learnt])


def fit(
    model: nn.Module,
    drawn: Iterator[Batch],
    recipe: LanguageRecipe,
    out: Path,
    *,
    about: Mapping[str, Any] | None = None,
    features: Features | None = None,
    judge: Callable[[], dict[str, float]] | None = None,
    sample: Callable[[], str] | None = None,
    tell: Callable[[str], None] = print,
) -> list[dict[str, float]]:
    """Learn for the recipe's time or steps; a stopped run goes on where it was saved.

    Parameters
    ----------
    model : nn.Module
        Its parameters that require a gradient learn.
    out : Path
        Folder for the checkpoint, the history and the curve.
    about : mapping, optional
        What the run learns from; a checkpoint of another one is refused.

    Returns
    -------
    list of dict
        The history: step, seconds, loss and held-out figures.
    """
    out.mkdir(parents=True, exist_ok=True)
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    matrices = [p for p in learning.values() if p.ndim > 1]
    others = [p for p in learning.values() if p.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others},
    ]
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)
    identity = identity_of(recipe, about or {})
    if processes() > 1:
        return _fit_sharded(model, drawn, recipe, out, optimiser, identity, features, tell)
    history, step, spent, losses = _resume(out, learning, optimiser, identity)
    if step:
        tell(f"goes on after step {step}")
    for _ in range(step):
        next(drawn)
    total = recipe.minutes * 60
    saved_at = sampled_at = spent
    model.train()
    while (done := step / recipe.steps if recipe.steps else spent / total) < 1:
        began = time.monotonic()
        rate = recipe.peak_lr * _rate_at(done, recipe.warmup)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = next(drawn)
        with torch.autocast(_device(model).type, torch.bfloat16, enabled=recipe.bf16):
            loss = _loss_of(model, batch, features)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learning.values(), recipe.clip)
        optimiser.step()
        losses.append(float(loss.detach()))
        step += 1
        spent += time.monotonic() - began
        if step % 20 == 0:
            mean = sum(losses[-20:]) / len(losses[-20:])
            history.append({"step": step, "seconds": round(spent, 1), "loss": round(mean, 4)})
            tell(f"step {step}  {spent:.0f} s  loss {mean:.4f}  rate {rate:.1e}")
        if sample is not None and spent - sampled_at > SAMPLE_EVERY_S:
            sampled_at = spent
            model.eval()
            figures = {} if judge is None else judge()
            tell(sample())
            model.train()
            if figures:
                history.append({"step": step, "seconds": round(spent, 1), **figures})
                tell(_judged(history[-1]))
        if spent - saved_at > SAVE_EVERY_S:
            saved_at = spent
            _save(out, learning, optimiser, history, step, spent, losses, identity)
    model.eval()
    judged = bool(history) and history[-1]["step"] == step and "loss" not in history[-1]
    if judge is not None and not judged:  # a run that was done already is not judged again
        history.append({"step": step, "seconds": round(spent, 1), **judge()})
        tell(_judged(history[-1]))
    _save(out, learning, optimiser, history, step, spent, losses, identity)
    _draw_curve(history, out / CURVE)
    return history


def _judged(row: Mapping[str, float]) -> str:
    figures = [f"{k.replace('_', ' ')} {v}" for k, v in row.items() if k not in ("step", "seconds")]
    return f"step {row['step']}  {row['seconds']:.0f} s  {', '.join(figures)}"


def _projecting(core: Any) -> Iterator[Tensor]:
    return itertools.chain(core.ecg_projector.parameters(), core.image_projector.parameters())


class Objective(nn.Module):
    """A model as what is learnt of it, so that all of it is called in one go."""

    def __init__(self, model: nn.Module, features: Features | None) -> None:
        super().__init__()
        self.model = model
        self.features = features
        # accelerate cuts a model at these; without them, each process would hold all of it at once.
        layers = [getattr(part, "_no_split_modules", None) or () for part in model.modules()]
        self._no_split_modules = sorted({name for names in layers for name in names})

    def forward(self, batch: Batch) -> Tensor:
        """Give the loss of a batch."""
        return _loss_of(self.model, batch, self.features)


def processes() -> int:
    """Tell how many processes accelerate launched."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _fit_sharded(
    model: nn.Module,
    drawn: Iterator[Batch],
    recipe: LanguageRecipe,
    out: Path,
    optimiser: torch.optim.Optimizer,
    identity: dict[str, Any],
    features: Features | None,
    tell: Callable[[str], None],
) -> list[dict[str, float]]:
    """Learn on many devices (DDP or FSDP, as accelerate was told); by steps, not by time."""
    from accelerate import (
        Accelerator,
        DistributedType,
        FullyShardedDataParallelPlugin,
        PartialState,
    )

    if not recipe.steps:
        raise ConfigError(
            "several processes need a number of steps, as their clocks differ: --steps."
        )
    cpu = _device(model).type == "cpu"
    accelerator = Accelerator(mixed_precision="bf16" if recipe.bf16 else "no", cpu=cpu)
    if cpu and os.environ.get("ACCELERATE_USE_FSDP") == "true":
        # accelerate does not cut a model over CPUs, but a rehearsal without GPUs has to.
        for state_ in (PartialState(), accelerator.state):
            state_.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
    net, optimiser = accelerator.prepare(Objective(model, features), optimiser)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    state = out / "state"
    history: list[dict[str, float]] = []
    if state.is_dir():
        kept = json.loads((state / HISTORY).read_text(encoding="utf-8"))
        same_run(state, kept["identity"], identity)
        accelerator.load_state(str(state))
        history = kept["history"]
    began = time.monotonic() - (history[-1]["seconds"] if history else 0.0)
    first = int(history[-1]["step"]) if history else 0
    for step in range(recipe.steps):
        batch = next(drawn)
        if step < first:
            continue
        for group in optimiser.param_groups:
            group["lr"] = recipe.peak_lr * _rate_at(step / recipe.steps, recipe.warmup)
        with accelerator.autocast():
            loss = net(batch)
        optimiser.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(net.parameters(), recipe.clip)
        optimiser.step()
        if (step + 1) % 20 == 0 or step + 1 == recipe.steps:
            mean = accelerator.reduce(loss.detach(), "mean")
            spent = round(time.monotonic() - began, 1)
            history.append({"step": step + 1, "seconds": spent, "loss": round(float(mean), 4)})
            if accelerator.is_main_process:
                tell(f"step {step + 1}/{recipe.steps}  loss {float(mean):.4f}")
        if (step + 1) % 200 == 0 or step + 1 == recipe.steps:
            accelerator.save_state(str(state))
            if accelerator.is_main_process:
                text = json.dumps({"identity": identity, "history": history})
                (state / HISTORY).write_text(text, encoding="utf-8")
    whole = accelerator.get_state_dict(net)
    if accelerator.is_main_process:
        kept = {name: whole[f"model.{name}"] for name in names}
        torch.save({"weights": kept, "recipe": asdict(recipe)}, out / LEARNT)
        _draw_curve(history, out / CURVE)
    accelerator.wait_for_everyone()
    return history


def _rate_at(done: float, warmup: float) -> float:
    """Give the learning rate as a part of its peak, from the part of the stage that is over."""
    if done < warmup:
        return max(done / warmup, 0.02)
    fallen = min((done - warmup) / (1 - warmup), 1.0)
    return 0.5 * (1 + math.cos(math.pi * fallen))


def held_out(
    model: nn.Module, judged: Sequence[Batch], features: Features | None
) -> dict[str, float]:
    """Give the mean loss on fixed batches of records that nothing was learnt from."""
    with torch.inference_mode():
        losses = [float(_loss_of(model, batch, features)) for batch in judged]
    return {"held_out_loss": round(sum(losses) / len(losses), 4)}


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _save(
    out: Path,
    learning: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    history: list[dict[str, float]],
    step: int,
    spent: float,
    losses: list[float],
    identity: dict[str, Any],
) -> None:
    """Write the checkpoint and the history."""
    parts = {
        "weights": {name: p.detach() for name, p in learning.items()},
        "optimiser": optimiser.state_dict(),
        "history": history,
        "step": step,
        "spent": spent,
        "losses": losses[-20:],
        "identity": identity,
    }
    write_checkpoint(out / CHECKPOINT, parts)
    lines = "".join(json.dumps(row) + "\n" for row in history)
    (out / HISTORY).write_text(lines, encoding="utf-8")


def identity_of(recipe: LanguageRecipe, about: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a run is: its settings, but for how long it goes, and what it learns from."""
    settings = {k: v for k, v in asdict(recipe).items() if k not in ("minutes", "steps")}
    return {**settings, **about}


def _resume(
    out: Path,
    learning: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> tuple[list[dict[str, float]], int, float, list[float]]:
    """Take up a checkpoint, if there is one: history, step, seconds and the last losses."""
    if not (out / CHECKPOINT).is_file():
        return [], 0, 0.0, []
    parts = read_checkpoint(out / CHECKPOINT)
    same_run(out / CHECKPOINT, parts.get("identity", {}), identity)
    with torch.no_grad():
        for name, weight in learning.items():
            weight.copy_(parts["weights"][name])
    optimiser.load_state_dict(parts["optimiser"])
    losses = list(parts.get("losses", ()))
    return list(parts["history"]), int(parts["step"]), float(parts["spent"]), losses


def _draw_curve(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw the losses over the steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name in ("loss", "held_out_loss"):
        rows = [row for row in history if name in row]
        axes.plot([row["step"] for row in rows], [row[name] for row in rows], label=name)
    axes.set(xlabel="step", ylabel="loss of the assistant's words", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120)
