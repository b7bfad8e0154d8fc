"""Train what reads pages, on pages whose truth is known to a fraction of a pixel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import swa_utils

from ecg_llm.encoders.onnx import export
from ecg_llm.encoders.page_net import PageNet, PageNetConfig
from ecg_llm.page.names import PATCH_PX
from ecg_llm.page.net import OFFSET, PULSE
from ecg_llm.ptbxl import TRAINING_FOLDS
from ecg_llm.record import ECGRecord
from ecg_llm.training.page_examples import load_truth, page_truth, records_of, save_truth
from ecg_llm.training.page_names import train_names
from ecg_llm.training.page_speed import SpeedRecipe, train_speed
from ecg_llm.training.page_targets import Targets, crop_targets
from ecg_llm.training.runs import hold_to, read_checkpoint, write_checkpoint

Progress = Callable[[int, int, float], None]
Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class PageRecipe:
    """How the page net is trained."""

    folds: tuple[int, ...] = TRAINING_FOLDS
    """Of PTB-XL; 9 and 10 stay unseen."""
    simulated: int = 400
    """Simulated records beside them."""
    pages: int = 2400
    """Pages drawn once and kept."""
    steps: int = 2400
    """Optimiser steps."""
    batch: int = 4
    """Crops a step."""
    crop_px: int = 512
    """Side of a crop."""
    peak_lr: float = 2e-3
    """Until `decay_from`; then it falls to nothing."""
    warmup: int = 50
    """Steps until the peak."""
    decay_from: float = 0.5
    """Share of the steps."""
    weight_decay: float = 0.01
    """Of AdamW."""
    ema: float = 0.995
    """Decay of the averaged weights, which are the ones that ship."""
    name_epochs: int = 4
    """Times the name net sees every patch."""
    save_every: int = 100
    """Steps between checkpoints."""
    seed: int = 0
    """Of pages, weights, order and variation."""
    config: PageNetConfig = field(default_factory=PageNetConfig)
    """Size of the net."""

    def lr(self, step: int) -> float:
        """Give the learning rate of a step."""
        rise = min((step + 1) / self.warmup, 1.0)
        left = (1 - step / self.steps) / (1 - self.decay_from)
        return self.peak_lr * rise * min(max(left, 0.0), 1.0)


def _draw_pages(
    records: Sequence[ECGRecord],
    out: Path,
    recipe: PageRecipe,
    on_page: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Draw the training pages that are not there yet; gives all of them."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{k:05d}.npz" for k in range(recipe.pages)]
    for k, path in enumerate(paths):
        if not path.exists():
            chosen = int(np.random.default_rng([recipe.seed, k]).integers(len(records)))
            save_truth(page_truth(records[chosen], k), path)
        on_page(k + 1, recipe.pages)
    return paths


def _page_loss(net: PageNet, batch: Batch) -> Tensor:
    """Compare what the net says with what it should say."""
    image, trace, marks, offset, lie = batch
    with torch.autocast("cpu", torch.bfloat16):
        said = net(image.float().contiguous(memory_format=torch.channels_last))
    says_trace, says_marks, says_lie = (x.float() for x in said)
    drawn = torch.sigmoid(says_trace)
    overlap = 2 * (drawn * trace).sum() + 1
    dice = 1 - overlap / (drawn.square().sum() + trace.square().sum() + 1)
    weight = 1 + 4 * trace
    line = (functional.binary_cross_entropy_with_logits(says_trace, trace, weight=weight)) * 10
    spots = _spot_loss(says_marks[:, :PULSE], marks[:, :PULSE])
    pulse = functional.binary_cross_entropy_with_logits(
        says_marks[:, PULSE : PULSE + 1], marks[:, PULSE:], weight=1 + 9 * marks[:, PULSE:]
    )
    far = _where(says_marks[:, OFFSET : OFFSET + 1], offset)
    paper = torch.isfinite(lie)[:, :1].float()
    on_paper = functional.binary_cross_entropy_with_logits(says_lie[:, 4:], paper)
    return dice + line + 0.5 * spots + pulse + far + 10 * _where(says_lie[:, :4], lie) + on_paper


def _spot_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Focal loss for marks of one cell, milder beside them."""
    p = torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
    peak = (target == 1).float()
    hit = -torch.log(p) * (1 - p) ** 2 * peak
    miss = -torch.log(1 - p) * p**2 * (1 - target) ** 4 * (1 - peak)
    return (hit.sum() + miss.sum()) / peak.sum().clamp(min=1)


def _where(said: Tensor, wanted: Tensor) -> Tensor:
    """Absolute difference where something is wanted."""
    known = torch.isfinite(wanted)
    gap = (said - torch.nan_to_num(wanted)).abs() * known
    return gap.sum() / known.sum().clamp(min=1)


def _draw_batch(paths: Sequence[Path], recipe: PageRecipe, step: int) -> Batch:
    """Cut the crops of one step: image, trace, marks, offset and lie, as in `Targets`."""
    rng = np.random.default_rng((recipe.seed, 1, step))
    crops: list[Targets] = []
    for k in rng.integers(len(paths), size=recipe.batch):
        crops.append(crop_targets(load_truth(paths[int(k)]), recipe.crop_px, rng))
    names = ("image", "trace", "marks", "offset", "lie")
    return tuple(torch.from_numpy(np.stack([getattr(c, n) for c in crops])) for n in names)


def _train_net(
    paths: Sequence[Path],
    recipe: PageRecipe,
    checkpoint: Path | None,
    on_step: Progress = lambda step, steps, loss: None,
) -> PageNet:
    """Train the net and give its averaged weights; goes on from the checkpoint if it is there."""
    torch.manual_seed(recipe.seed)
    net: PageNet = recipe.config.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = swa_utils.AveragedModel(
        net,
        multi_avg_fn=swa_utils.get_ema_multi_avg_fn(recipe.ema),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        net.parameters(), recipe.peak_lr, weight_decay=recipe.weight_decay
    )
    parts: dict[str, Any] = {"net": net, "average": average, "optimizer": optimizer}
    first = 0
    if checkpoint and checkpoint.exists():
        saved = read_checkpoint(checkpoint)
        first = int(saved.pop("step"))
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    ahead = ThreadPoolExecutor(1)
    coming = ahead.submit(_draw_batch, paths, recipe, first)
    for step in range(first, recipe.steps):
        batch = coming.result()
        coming = ahead.submit(_draw_batch, paths, recipe, step + 1)
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr(step)
        loss = _page_loss(net, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(net)
        if checkpoint and ((step + 1) % recipe.save_every == 0 or step + 1 == recipe.steps):
            state = {name: part.state_dict() for name, part in parts.items()}
            write_checkpoint(checkpoint, {"step": step + 1, **state})
        on_step(step, recipe.steps, float(loss.detach()))
    ahead.shutdown(cancel_futures=True)
    net.load_state_dict(average.module.state_dict())
    net.eval()
    return net


def _export_net(net: PageNet, path: Path) -> None:
    """Write the net as ONNX, for images of any size."""
    outputs = ("trace", "marks", "lie")
    axes = {key: {2: "height", 3: "width"} for key in ("image", *outputs)}
    export(net, {"image": torch.zeros(1, 3, 320, 416)}, outputs, axes, path)


def train(
    data: Path,
    out: Path,
    *,
    recipe: PageRecipe | None = None,
    on_page: Callable[[int, int], None] = lambda done, total: None,
    on_step: Progress = lambda step, steps, loss: None,
) -> Path:
    """Draw the pages and train the nets on them; what is there already is taken up again.

    Parameters
    ----------
    out : Path
        Folder for ``page.onnx``, ``page_names.onnx``, ``page_speed.npz``, their card, the
        checkpoint and the pages.
    recipe : PageRecipe, optional
        How; the bundled one's if left out.
    on_page, on_step : callable
        Progress of drawing and of training.

    Raises
    ------
    ConfigError
        If ``out`` holds a run with another recipe or other records.
    """
    chosen = recipe or PageRecipe()
    records = records_of(data, chosen.folds, chosen.simulated, chosen.seed)
    digest = hashlib.sha256("".join(record.sha256 for record in records).encode()).hexdigest()
    hold_to(out, {"recipe": asdict(chosen), "data": digest})
    paths = _draw_pages(records, out / "pages", chosen, on_page)
    net = _train_net(paths, chosen, out / "page.pt", on_step)
    path = out / "page.onnx"
    _export_net(net, path)
    names = train_names(paths, epochs=chosen.name_epochs, seed=chosen.seed)
    export(
        names,
        {"patches": torch.zeros(2, 1, *PATCH_PX)},
        ["logits"],
        {"patches": {0: "n"}, "logits": {0: "n"}},
        out / "page_names.onnx",
    )
    train_speed(records, out / "page_speed.npz", SpeedRecipe(seed=chosen.seed))
    card = {
        "recipe": asdict(chosen),
        "data": "Pages drawn by the project from PTB-XL v1.0.3 (CC BY 4.0), folds "
        f"{', '.join(map(str, chosen.folds))}, and from simulated ECGs",
        "torch": torch.__version__,
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return path
