"""Train the head: what measurements add to the encoder, joined and calibrated on other records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.errors import ConfigError
from ecg_llm.eval.auc import MIN_POSITIVE, calibration, task_aucs
from ecg_llm.head import Head
from ecg_llm.head_features import FEATURES
from ecg_llm.ptbxl import VALIDATION_FOLD
from ecg_llm.scp import COLUMNS
from ecg_llm.training.pack import Pack
from ecg_llm.training.store import check_blind, load_encoder, load_tensors
from ecg_llm.training.supervised import held_out, vectors_of

Array = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_LIMITS = (
    "Research use; not a medical device. Learnt from adults of one German centre, 1984 to 2001: "
    "statements with few examples are weak, and probabilities are calibrated for its frequencies."
)


@dataclass(frozen=True)
class HeadRecipe:
    """How the head is fitted."""

    members: int = 4
    """Perceptrons of the committee that reads measurements."""
    hidden: int = 128
    """Width of each."""
    steps: int = 800
    """Steps of each."""
    rate: float = 2e-3
    """Learning rate at the start."""
    weight_decay: float = 0.3
    """Of AdamW."""
    dropout: float = 0.4
    """Of the hidden features."""
    hide: float = 0.15
    """Part of the measurements that is hidden in training."""
    join_folds: tuple[int, ...] = (7, 8)
    """Folds of PTB-XL that the join is fitted on, with readers that have not seen them."""
    shrink: float = 20.0
    """How strongly a statement's join is drawn to that of all."""
    seed: int = 0
    """Of weights and batches."""


def train_head(
    pack: Pack,
    features: Array,
    encoder: Path,
    out: Path,
    *,
    blind: Path | None = None,
    recipe: HeadRecipe | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, float]:
    """Fit the head of an encoder.

    Parameters
    ----------
    features : np.ndarray, shape (n, n_features)
        Their measurements, from `ecg_llm.training.measured.measured_features`.
    encoder : Path
        Folder of the encoder that the head is for, with its linear reader.
    out : Path
        Folder for ``signal_head.npz``, its card, and ``blind_head.npz``: the same without the
        folds of the join, for what is fitted on them.
    blind : Path, optional
        Folder of an encoder trained alike, but without ``recipe.join_folds``: how much each reader
        is to be trusted is judged by it. The encoder itself if left out, which then must not have
        seen them.

    Returns
    -------
    dict of str to float
        Macro AUCs on fold 9: encoder alone, measurements alone, joined.

    Raises
    ------
    ConfigError
        If the encoder for the join has seen the join's folds, or the encoder has seen fold 9, which
        judges; or there are no records to learn from.
    """
    chosen = recipe or HeadRecipe()
    judge_by = blind or encoder
    check_blind(judge_by, chosen.join_folds)
    check_blind(encoder, (VALIDATION_FOLD,))
    real = (pack.labels >= 0).all(axis=1) & (pack.fold > 0)
    train = np.flatnonzero(real & (pack.fold < 9))
    join = np.isin(pack.fold, chosen.join_folds)
    fitted, others = np.flatnonzero(real & join), np.flatnonzero(real & ~join & (pack.fold < 9))
    if not len(fitted) or not len(others):
        raise ConfigError(
            f"{len(fitted)} packed records of PTB-XL's folds "
            f"{', '.join(map(str, chosen.join_folds))} and {len(others)} of its other folds up to "
            "8 have all statements; the head learns from both."
        )
    progress("committee without the folds of the join")
    part = _fit_committee(features[others], pack.labels[others], chosen)
    empty = _without_join(part, judge_by)
    seen_odds = empty.encoder_logits(vectors_of(load_encoder(judge_by), pack, fitted))
    read_odds = empty.measured_logits(features[fitted])
    joined, alone = _fit_join(
        seen_odds, read_odds, pack.labels[fitted], pack.calibrated[fitted], chosen.shrink
    )
    out.mkdir(parents=True, exist_ok=True)
    _without_join(part, judge_by, joined, alone).save(out / "blind_head.npz")
    progress("committee of all folds")
    whole = _fit_committee(features[train], pack.labels[train], chosen)
    head = _without_join(whole, encoder, joined, alone)
    head.save(out / "signal_head.npz")
    progress("fold 9")
    figures = _judge_head(head, encoder, pack, features)
    document = {
        "what": "Probabilities of PTB-XL's statements from encoder vectors and measurements",
        "command": "ecgllm train head --data DIR --encoder DIR --blind DIR --out DIR",
        "licence": "Apache-2.0; trained on PTB-XL v1.0.3 (CC BY 4.0), folds 1 to 8",
        "limits": _LIMITS,
        "recipe": asdict(chosen),
        "data": pack.fingerprint,
        "encoder": json.loads((encoder / "signal_encoder.json").read_text(encoding="utf-8"))[
            "data"
        ],
        "figures": figures,
    }
    text = json.dumps(document, indent=1) + "\n"
    (out / "signal_head.json").write_text(text, encoding="utf-8")
    return figures


def _judge_head(head: Head, encoder: Path, pack: Pack, features: Array) -> dict[str, float]:
    """Judge a head on fold 9 of PTB-XL, true mV: AUCs by reader and task, calibration error."""
    rows = held_out(pack)
    if not len(rows):
        return {}
    vectors = vectors_of(load_encoder(encoder), pack, rows)
    measured = np.asarray(np.isfinite(features[rows]).any(axis=1), bool)
    joined = head.probabilities(vectors, features[rows], measured)
    scores = {
        "encoder": head.probabilities(vectors, features[rows], np.zeros_like(measured)),
        "measurements": head.measured_logits(features[rows]),
        "joined": joined,
    }
    labels = pack.labels[rows]
    figures = {
        f"{task} AUC, {name}": value
        for name, score in scores.items()
        for task, value in task_aucs(labels, score, MIN_POSITIVE).items()
        if value == value  # none of the task's classes has positives enough in a small set
    }
    figures["calibration error, joined"] = calibration((labels == 1).ravel(), joined.ravel())[0]
    return figures


def _without_join(
    committee: dict[str, Array],
    encoder: Path,
    joined: Array | None = None,
    alone: Array | None = None,
) -> Head:
    """Put readers together; without a join each counts as it is."""
    linear = load_tensors(encoder)
    n = len(COLUMNS)
    plain = np.stack([np.ones(n), np.ones(n), np.zeros(n)]).astype(np.float32)
    return Head(
        columns=np.array(COLUMNS),
        features=np.array(FEATURES),
        vector_weight=linear["head.weight"],
        vector_bias=linear["head.bias"],
        joined=plain if joined is None else joined,
        alone=plain[1:] if alone is None else alone,
        **committee,
    )


def _fit_committee(
    features: Array, labels: npt.NDArray[np.int8], recipe: HeadRecipe
) -> dict[str, Array]:
    """Train perceptrons that read measurements, shape (n, n_features), NaN where unknown.

    Labels, shape (n, n_columns), are 0 and 1. Gives the committee's fields of `Head`.
    """
    some = np.isfinite(features).sum(axis=0) > 20
    kept = np.where(some[None], features, 0.0)
    low, high = np.nanpercentile(kept, [0.5, 99.5], axis=0)
    clipped = np.clip(kept, low, high)
    mean, deviation = np.nanmean(clipped, axis=0), np.nanstd(clipped, axis=0) + 1e-3
    known = np.isfinite(features) & some
    value = np.where(known, (np.nan_to_num(clipped) - mean) / deviation, 0.0)
    x = torch.from_numpy(np.concatenate([value, known], axis=1).astype(np.float32))
    y = torch.from_numpy(labels.astype(np.float32))
    n_features = features.shape[1]
    members = []
    for member in range(recipe.members):
        torch.manual_seed(recipe.seed * 100 + member)
        net = nn.Sequential(
            nn.Linear(2 * n_features, recipe.hidden),
            nn.ReLU(),
            nn.Dropout(recipe.dropout),
            nn.Linear(recipe.hidden, labels.shape[1]),
        )
        with torch.no_grad():
            dict(net.named_parameters())["3.bias"].fill_(-3.0)
        optimizer = torch.optim.AdamW(
            net.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
        for _ in range(recipe.steps):
            rows = torch.randint(0, len(x), (256,))
            part = x[rows]
            shown = (torch.rand(len(rows), n_features) >= recipe.hide).float()
            loss = functional.binary_cross_entropy_with_logits(
                net(part * torch.cat([shown, shown], dim=1)), y[rows]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        members.append({name: p.detach().numpy() for name, p in net.named_parameters()})
    return {
        "low": low.astype(np.float32),
        "high": high.astype(np.float32),
        "mean": mean.astype(np.float32),
        "deviation": deviation.astype(np.float32),
        "w1": np.stack([m["0.weight"].T for m in members]),
        "b1": np.stack([m["0.bias"] for m in members]),
        "w2": np.stack([m["3.weight"].T for m in members]),
        "b2": np.stack([m["3.bias"] for m in members]),
    }


def _fit_join(
    seen: Array,
    measured: Array,
    labels: npt.NDArray[np.int8],
    calibrated: npt.NDArray[np.bool_],
    shrink: float,
) -> tuple[Array, Array]:
    """Fit how much each reader counts, column by column around a common value.

    From the log odds of both readers on records that neither has seen, shape (n, n_columns). Of
    records without true mV only a part was measured, so that they teach the encoder alone.
    ``shrink`` weighs the squared distances from the common values. Gives factors and offset, shape
    (3, n_columns), and the same for the encoder alone, shape (2, n_columns).
    """
    y = torch.from_numpy((labels == 1).astype(np.float32))
    both = torch.from_numpy(np.stack([seen, measured, np.ones_like(seen)]))
    sure = torch.from_numpy(calibrated)
    joined = _fit(both[:, sure], y[sure], shrink, torch.tensor([0.5, 0.5, 0.0]))
    alone = _fit(both[[0, 2]], y, shrink, torch.tensor([0.9, 0.0]))
    return joined, alone


def _fit(x: Tensor, y: Tensor, shrink: float, start: Tensor) -> Array:
    """Minimise the log loss with every column's factors drawn to common ones."""
    common = start.clone().requires_grad_()
    own = torch.zeros(x.shape[0], x.shape[2], requires_grad=True)
    optimizer = torch.optim.LBFGS([common, own], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        odds = ((common[:, None] + own)[:, None] * x).sum(0)
        loss = functional.binary_cross_entropy_with_logits(odds, y, reduction="sum")
        loss = loss + shrink * own[:-1].square().sum() + 0.05 * shrink * own[-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    factors: Any = (common[:, None] + own).detach()
    factors[:-1] = factors[:-1].clamp(min=0)
    return np.asarray(factors.numpy(), np.float32)
