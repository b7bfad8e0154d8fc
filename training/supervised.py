"""Recipe (d): statements and classes of PTB-XL, and how sure the record leaves one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.encoders.signal import SignalEncoder
from ecg_llm.eval.auc import MIN_POSITIVE, task_aucs
from ecg_llm.ptbxl import VALIDATION_FOLD
from ecg_llm.scp import COLUMNS
from ecg_llm.training.loop import Batch, Objective
from ecg_llm.training.pack import Pack
from ecg_llm.training.views import page_view

BATCH = 64
"""Records that are encoded at a time."""


class Supervised(Objective):
    """Multi-label classification, agreement of two views, and an honest variance.

    Parameters
    ----------
    encoder : SignalEncoder
        What is trained.
    positive_weight : np.ndarray, shape (99,)
        Weight of a positive label of each column.
    agreement : float
        Weight of the distance between a record's vector and that of a worse view of it.

    Notes
    -----
    The variance is learnt from two losses that do not touch the vector: the likelihood of the
    whole record's vector given the worse view's, and the classification loss with the logits'
    variance marginalised out, by which doubt pays where the label is missed [1]_.

    References
    ----------
    .. [1] MacKay DJC. Neural Comput 1992;4:720-736.
    """

    def __init__(
        self,
        encoder: SignalEncoder,
        positive_weight: npt.NDArray[np.float32] | None = None,
        agreement: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.width
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(width, len(COLUMNS))
        weight = np.ones(len(COLUMNS), np.float32) if positive_weight is None else positive_weight
        self.register_buffer("positive_weight", torch.from_numpy(weight))
        self.agreement = agreement
        nn.init.constant_(self.head.bias, -3.0)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the losses of a batch, from `Batches.draw`."""
        out = self.encoder(batch["signal"], batch["present"], batch["calibrated"])
        vector, log_var = out.vector.float(), out.log_var.float()
        labels = batch["labels"]
        statements = self._loss(self.head(self.drop(vector)).float(), labels)
        n_pairs = int(batch["n_pairs"])
        first, again = vector[:n_pairs].detach(), vector[len(vector) - n_pairs :]
        apart = 1 - functional.cosine_similarity(again, first)
        agreement = apart.sum() / max(n_pairs, 1)
        fixed = vector.detach()
        weight = self.head.weight.detach().float()
        logits = functional.linear(fixed, weight, self.head.bias.detach())
        spread = log_var.exp() @ weight.square().T
        doubt = self._loss(logits / (1 + math.pi / 8 * spread).sqrt(), labels)
        missed, unsure = (first - again.detach()).square(), log_var[len(vector) - n_pairs :]
        near = 0.5 * (missed * (-unsure).exp() + unsure)
        likelihood = near.mean(1).sum() / max(n_pairs, 1)
        loss = statements + self.agreement * agreement + doubt + 0.1 * likelihood
        return {"loss": loss, "statements": statements, "agreement": agreement, "doubt": doubt}

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Take the mean over what is known, ten columns' worth."""
        known = labels >= 0
        weight: Tensor = self.positive_weight  # type: ignore[assignment]
        each = functional.binary_cross_entropy_with_logits(
            logits, labels.clamp(min=0), pos_weight=weight, reduction="none"
        )
        return 10 * (each * known).sum() / known.sum().clamp(min=1)


def positive_weights(labels: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """Weigh the positives of rare columns up.

    Parameters
    ----------
    labels : np.ndarray of int8, shape (n, 99)
        Of the training records.

    Returns
    -------
    np.ndarray of float32, shape (99,)
        1 to 8.
    """
    positive = np.maximum((labels == 1).sum(axis=0), 1)
    negative = np.maximum((labels == 0).sum(axis=0), 1)
    return np.asarray(np.clip((negative / positive) ** 0.3, 1, 8), np.float32)


@torch.inference_mode()
def logits_of(
    objective: Supervised,
    signal: npt.NDArray[np.float32],
    present: npt.NDArray[np.bool_],
    calibrated: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float32]:
    """Run a trained objective.

    Parameters
    ----------
    signal, present : np.ndarray, shape (n, 12, T)
        Inputs.
    calibrated : np.ndarray of bool, shape (n,)
        Whether the gain is known.

    Returns
    -------
    np.ndarray, shape (n, 99)
        Log odds.
    """
    device = next(objective.parameters()).device
    logits = []
    for k in range(0, len(signal), BATCH):
        part = slice(k, k + BATCH)
        out = objective.encoder(
            torch.from_numpy(signal[part]).to(device),
            torch.from_numpy(present[part]).to(device),
            torch.from_numpy(calibrated[part]).to(device),
        )
        logits.append(objective.head(out.vector).float().cpu().numpy())
    return np.concatenate(logits)


def held_out(pack: Pack, learnt: Sequence[int] = ()) -> npt.NDArray[np.int64]:
    """Give the records that judge: true mV, of fold 9.

    Parameters
    ----------
    learnt : sequence of int
        Folds that train; where 9 is one of them, nothing judges.
    """
    judges = VALIDATION_FOLD not in learnt
    return np.flatnonzero((pack.fold == VALIDATION_FOLD) & pack.calibrated & judges)


def judge_supervised(
    objective: nn.Module, pack: Pack, rows: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Judge on held-out records: whole, lead I alone, and as pages."""
    assert isinstance(objective, Supervised)
    if not len(rows):
        return {}
    signal = pack.signals[rows].astype(np.float32)
    present = np.isfinite(signal)
    signal[~present] = 0
    calibrated = pack.calibrated[rows]
    labels = pack.labels[rows]
    whole = logits_of(objective, signal, present, calibrated)
    result = {
        f"{t} AUC": v
        for t, v in task_aucs(labels, whole, MIN_POSITIVE).items()
        if t in ("super", "sub", "form", "rhythm", "all")
    }

    def super_auc(x: npt.NDArray[np.float32], there: npt.NDArray[np.bool_]) -> float:
        logits = logits_of(objective, x, there, calibrated)
        return task_aucs(labels, logits, MIN_POSITIVE)["super"]

    one = present.copy()
    one[:, 1:] = False
    result["super AUC, lead I"] = super_auc(signal * one, one)
    pages = [
        page_view(x, there, np.random.default_rng(k))
        for k, (x, there) in enumerate(zip(signal, present, strict=True))
    ]
    seen = np.stack([there for _, there in pages])
    paper = np.where(seen, np.stack([x for x, _ in pages]), np.float32(0))
    result["super AUC, page"] = super_auc(paper, seen)
    return {name: value for name, value in result.items() if value == value}


@torch.inference_mode()
def vectors_of(
    encoder: SignalEncoder, pack: Pack, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Encode packed records.

    Returns
    -------
    np.ndarray, shape (n, D)
    """
    found = []
    for k in range(0, len(rows), BATCH):
        part = rows[k : k + BATCH]
        signal = torch.from_numpy(pack.signals[part].astype(np.float32))
        sure = torch.from_numpy(pack.calibrated[part])
        found.append(encoder(signal.nan_to_num(), signal.isfinite(), sure).vector.numpy())
    return np.concatenate(found)
