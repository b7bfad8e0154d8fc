"""Objectives by name: how each is made, which records it takes, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ecg_llm.encoders.signal import SignalEncoder
from ecg_llm.errors import ConfigError
from ecg_llm.eval.auc import MIN_POSITIVE, task_aucs
from ecg_llm.eval.encoder import linear_scores
from ecg_llm.ptbxl import VALIDATION_FOLD
from ecg_llm.training.adapt import Adapt
from ecg_llm.training.batches import Batches, Needs
from ecg_llm.training.contrast import Contrast
from ecg_llm.training.latent import Latent, Masked
from ecg_llm.training.loop import Batch, Objective
from ecg_llm.training.pack import Pack
from ecg_llm.training.page_encoder import PageBatches, PageEncoder, judge_pages
from ecg_llm.training.page_reads import DATA_OPTIONS, PageData, held_reads, page_reads
from ecg_llm.training.recipe import Recipe
from ecg_llm.training.runs import hold_to
from ecg_llm.training.store import load_tensors
from ecg_llm.training.supervised import (
    BATCH,
    Supervised,
    held_out,
    judge_supervised,
    positive_weights,
)

Judge = Callable[[nn.Module], dict[str, float]]
Draw = Callable[[np.random.Generator], Batch]


@dataclass(frozen=True)
class Setup:
    """What an objective is made from.

    Attributes
    ----------
    recipe : Recipe
        Settings.
    encoder : SignalEncoder
        To be trained.
    pack : Pack
        All records.
    source : Batches
        Those that train.
    pages : Path
        Folder for pages that were read, or of which images.
    """

    recipe: Recipe
    encoder: SignalEncoder
    pack: Pack
    source: Batches
    pages: Path


@dataclass(frozen=True)
class Made:
    """An objective that is ready to be trained.

    Attributes
    ----------
    objective : Objective
        Net and loss.
    judge : callable
        From the trained objective to figures on held-out records.
    draw : callable
        Makes its batches.
    fingerprint : str
        Of what it learns from beside the packed records.
    """

    objective: Objective
    judge: Judge
    draw: Draw
    fingerprint: str = ""


def make_objective(setup: Setup) -> Made:
    """Build the objective of a recipe.

    Raises
    ------
    ConfigError
        If it has no such option.
    """
    try:
        make, _ = OBJECTIVES[setup.recipe.objective]
        return make(setup)
    except TypeError as error:
        raise ConfigError(f"[options] of objective {setup.recipe.objective!r}: {error}.") from None


def _supervised(setup: Setup) -> Made:
    labels = setup.pack.labels[setup.source.rows]
    objective = Supervised(setup.encoder, positive_weights(labels), **setup.recipe.options)
    _begin_with_head(objective, setup.recipe)
    return Made(objective, _by_statements(setup), setup.source.draw)


def _latent(setup: Setup) -> Made:
    objective = Latent(setup.encoder, **setup.recipe.options)
    return Made(objective, _by_probe(setup), setup.source.draw)


def _masked(setup: Setup) -> Made:
    objective = Masked(setup.encoder, **setup.recipe.options)
    return Made(objective, _by_probe(setup), setup.source.draw)


def _contrast(setup: Setup) -> Made:
    from ecg_llm.encoders.text import TextTowerConfig
    from ecg_llm.knowledge import concepts

    config = TextTowerConfig(record_width=setup.encoder.config.width)
    names = {key: concept.names for key, concept in concepts().items() if concept.names}
    objective = Contrast(
        setup.encoder,
        config.build(),
        setup.pack.report.tolist(),
        names,
        config.width,
        **setup.recipe.options,
    )
    return Made(objective, _by_probe(setup), setup.source.draw)


def _adapt(setup: Setup) -> Made:
    options: dict[str, Any] = dict(setup.recipe.options)
    rows = setup.source.rows
    rows = rows[(setup.pack.labels[rows] >= 0).any(axis=1)]
    n = min(int(options.pop("labelled", 150)), len(rows))
    labelled = np.sort(np.random.default_rng(0).choice(rows, n, replace=False))
    objective = Adapt(setup.encoder, torch.from_numpy(labelled), **options)
    _begin_with_head(objective, setup.recipe)
    return Made(objective, _by_statements(setup), setup.source.draw)


def _page(setup: Setup) -> Made:
    options: dict[str, Any] = dict(setup.recipe.options)
    chosen = PageData(**{k: options.pop(k) for k in DATA_OPTIONS if k in options})
    if not setup.recipe.start:
        raise ConfigError(
            "the page encoder begins with a trained signal encoder: give --start FOLDER or bundled."
        )
    seed = setup.recipe.loop.seed
    # Rows of what was read name records of this pack.
    hold_to(setup.pages, {"data": setup.pack.fingerprint, "seed": seed, "pages": asdict(chosen)})
    train = page_reads(setup.pack, setup.source.rows, chosen, setup.pages, seed)
    held = held_reads(setup.pack, _held(setup), chosen, setup.pages)
    labels = setup.pack.labels[setup.source.rows]
    objective = PageEncoder(setup.encoder, positive_weights(labels), **options)
    _begin_with_head(objective, setup.recipe)
    drawn = PageBatches(setup.source, train, chosen.share)
    return Made(
        objective,
        lambda net: judge_pages(net, setup.pack, held) if held else {},
        drawn.draw,
        train.fingerprint,
    )


def _begin_with_head(objective: Supervised, recipe: Recipe) -> None:
    """Take the linear head that stands beside the encoder to begin with, if there is one."""
    if not recipe.start:
        return
    stored = load_tensors(recipe.start_folder)
    if "head.weight" in stored:
        with torch.no_grad():
            objective.head.weight.copy_(torch.from_numpy(stored["head.weight"]))
            objective.head.bias.copy_(torch.from_numpy(stored["head.bias"]))


def _held(setup: Setup) -> npt.NDArray[np.int64]:
    return held_out(setup.pack, setup.recipe.data.folds)


def _by_statements(setup: Setup) -> Judge:
    rows = _held(setup)
    return lambda net: judge_supervised(net, setup.pack, rows)


def _by_probe(setup: Setup) -> Judge:
    """Judge an encoder without a head by a linear reader of its tokens."""
    pack, test = setup.pack, _held(setup)
    real = pack.calibrated & (pack.fold > 0)
    train = np.flatnonzero(real & (pack.fold < VALIDATION_FOLD))

    def judge(net: nn.Module) -> dict[str, float]:
        encoder = net.get_submodule("encoder")
        assert isinstance(encoder, SignalEncoder)
        if not len(train) or not len(test):
            return {}
        x, z = _pooled_tokens(encoder, pack, train), _pooled_tokens(encoder, pack, test)
        scores = linear_scores(x, (pack.labels[train] == 1).astype(np.float64), z)
        found = task_aucs(pack.labels[test], scores, MIN_POSITIVE)
        told = {task: found[task] for task in ("super", "rhythm", "all")}
        return {f"{task} AUC, probe": value for task, value in told.items() if value == value}

    return judge


@torch.inference_mode()
def _pooled_tokens(
    encoder: SignalEncoder, pack: Pack, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Give mean and peak of the tokens of records, shape (n, 2 D)."""
    device = next(encoder.parameters()).device
    found = []
    for k in range(0, len(rows), BATCH):
        part = rows[k : k + BATCH]
        signal = torch.from_numpy(pack.signals[part].astype(np.float32)).to(device)
        present = signal.isfinite()
        sure = torch.from_numpy(pack.calibrated[part]).to(device)
        tokens, seen = encoder.embed(signal.nan_to_num(), present, sure)
        tokens = encoder.contextualise(tokens, seen)
        weight = seen[..., None].float()
        mean = (tokens * weight).sum(1) / weight.sum(1).clamp(min=1)
        peak = tokens.masked_fill(~seen[..., None], -1e4).amax(1)
        found.append(torch.cat([mean, peak], dim=1).float().cpu().numpy())
    return np.concatenate(found).astype(np.float64)


OBJECTIVES: dict[str, tuple[Callable[[Setup], Made], Needs]] = {
    "supervised": (_supervised, "statements"),
    "latent": (_latent, "nothing"),
    "masked": (_masked, "nothing"),
    "contrast": (_contrast, "words"),
    "adapt": (_adapt, "nothing"),
    "page": (_page, "statements"),
}
"""By the name that a recipe gives: what builds it, and what a record must have to be learnt from.
Another one joins by a line here."""
