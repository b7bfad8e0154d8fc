"""Recipe (e): an encoder for pages, taught by the signal encoder that sees the whole record."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.encoders.signal import SignalEncoder
from ecg_llm.encoders.signal_input import FS, SAMPLES_PER_TOKEN
from ecg_llm.eval.auc import task_aucs
from ecg_llm.training.batches import Batches
from ecg_llm.training.loop import Batch
from ecg_llm.training.pack import Pack
from ecg_llm.training.page_reads import PageReads
from ecg_llm.training.supervised import Supervised, logits_of
from ecg_llm.training.views import page_view

_TEMPERATURE = 0.1
_ON_TIME_S = 0.05
"""A page that begins so near to a token of the record has tokens at the record's times."""


class PageEncoder(Supervised):
    """Statements, and what the teacher makes of the whole record, from what a page shows of it.

    Parameters
    ----------
    encoder : SignalEncoder
        Trained; a copy stays as the teacher. Attention layers are kept, so that both encoders share
        them on disk: what stands before and after them learns.
    positive_weight : np.ndarray, shape (99,)
        As for `Supervised`.
    logits, vector, contrast, tokens : float
        Weights of the distances to the teacher: class probabilities, vector, telling the own
        record's vector from those of the batch, and tokens where the times are the record's.
    """

    def __init__(
        self,
        encoder: SignalEncoder,
        positive_weight: npt.NDArray[np.float32] | None = None,
        logits: float = 1.0,
        vector: float = 1.0,
        contrast: float = 0.2,
        tokens: float = 0.5,
    ) -> None:
        super().__init__(encoder, positive_weight)
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.weights = (logits, vector, contrast, tokens)
        # The head that ships reads both encoders' vectors.
        self.head.requires_grad_(False)
        for layer in encoder.layers:
            for part in layer.modules():
                if isinstance(part, nn.Linear):
                    part.requires_grad_(False)

    def train(self, mode: bool = True) -> PageEncoder:
        """Switch to training or evaluation; the teacher always evaluates."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the losses of a batch, from `PageBatches.draw`."""
        out = self.encoder(batch["signal"], batch["present"], batch["calibrated"])
        with torch.no_grad():
            whole = batch["whole_present"]
            taught = self.teacher(batch["whole"], whole, batch["whole_calibrated"])
        vector, target = out.vector.float(), taught.vector.float()
        log_var, labels = out.log_var.float(), batch["labels"]
        odds = self.head(self.drop(vector)).float()
        statements = self._loss(odds, labels)
        wanted = self.head(target).float().sigmoid()
        logits = 10 * functional.binary_cross_entropy_with_logits(odds, wanted)
        apart = (vector - target).square().mean() / target.var(dim=0).mean().clamp(min=1e-3)
        likeness = functional.normalize(vector, dim=1) @ functional.normalize(target, dim=1).T
        # Pages of one record are no strangers to each other.
        same = (batch["row"][:, None] == batch["row"]) & ~torch.eye(len(vector)).bool().to(
            vector.device
        )
        contrast = functional.cross_entropy(
            (likeness / _TEMPERATURE).masked_fill(same, -1e4),
            torch.arange(len(vector), device=vector.device),
        )
        per_token = (-1, out.tokens.shape[1], SAMPLES_PER_TOKEN)
        both = [there.any(1).view(per_token).any(2) for there in (batch["present"], whole)]
        on_time = (both[0] & both[1] & batch["on_time"][:, None]).float()
        unlike = 1 - functional.cosine_similarity(out.tokens.float(), taught.tokens.float(), dim=2)
        tokens = (unlike * on_time).sum() / on_time.sum().clamp(min=1)
        weight = self.head.weight.float()
        spread = log_var.exp() @ weight.square().T
        fixed = self.head(vector.detach()).float()
        doubt = self._loss(fixed / (1 + math.pi / 8 * spread).sqrt(), labels)
        missed = (vector.detach() - target).square()
        likelihood = 0.5 * (missed * (-log_var).exp() + log_var).mean()
        parts = (logits, apart, contrast, tokens)
        loss = statements + doubt + 0.1 * likelihood
        loss = loss + sum(w * part for w, part in zip(self.weights, parts, strict=True))
        return {
            "loss": loss,
            "statements": statements,
            "logits": logits,
            "vector": apart,
            "contrast": contrast,
            "tokens": tokens,
        }


@dataclass(frozen=True, eq=False)
class PageBatches:
    """Batches of pages, each beside the record it shows.

    Attributes
    ----------
    source : Batches
        Records that train.
    reads : PageReads
        Pages of them that were read.
    share : float
        Part of a batch that was read from images; the others are drawn from the records.
    """

    source: Batches
    reads: PageReads
    share: float

    def draw(self, rng: np.random.Generator) -> Batch:
        """Draw a batch.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of chance.

        Returns
        -------
        dict of str to Tensor
            ``signal``, ``present`` and ``calibrated`` of the pages; the same of the records under
            ``whole``, ``whole_present`` and ``whole_calibrated``; ``labels``, ``row``, and
            ``on_time``: whether tokens of both have the same times.
        """
        pack, size = self.source.pack, self.source.size
        n_read = round(size * self.share)
        signal = np.zeros((size, 12, pack.signals.shape[2]), np.float32)
        present = np.zeros(signal.shape, bool)
        whole, whole_present = signal.copy(), present.copy()
        calibrated, on_time = np.zeros(size, bool), np.zeros(size, bool)
        rows = np.zeros(size, np.int64)
        for k in range(size):
            if k < n_read:
                page = int(rng.integers(len(self.reads)))
                row = int(self.reads.row[page])
                y = self.reads.signals[page].astype(np.float32)
                seen = np.isfinite(y)
                y, seen = _varied(np.nan_to_num(y), seen, rng)
                sure = bool(self.reads.calibrated[page])
                shift = float(self.reads.from_s[page])
                x, there = self.source.source(row, rng)
            else:
                group = int(rng.choice(len(self.source.groups), p=self.source.shares))
                row, shift = int(rng.choice(self.source.groups[group])), 0.0
                x, there = self.source.source(row, rng)
                y, seen = page_view(x, there.copy(), rng)
                sure = bool(pack.calibrated[row])
            if not seen.any():
                y, seen = x, there
            if rng.random() < self.source.views.unknown_gain:
                y, sure = y * np.float32(np.exp(rng.standard_normal())), False
            signal[k], present[k] = np.where(seen, y, np.float32(0)), seen
            step = SAMPLES_PER_TOKEN / FS
            on_time[k] = abs(shift - step * np.rint(shift / step)) < _ON_TIME_S  # NaN: no
            first = round(float(np.rint(shift / step)) * SAMPLES_PER_TOKEN) if on_time[k] else 0
            n = x.shape[1] - first
            whole[k, :, :n], whole_present[k, :, :n] = x[:, first:], there[:, first:]
            calibrated[k], rows[k] = sure, row
        arrays = {
            "signal": signal, "present": present, "calibrated": calibrated, "whole": whole,
            "whole_present": whole_present, "whole_calibrated": pack.calibrated[rows],
            "labels": pack.labels[rows].astype(np.float32), "row": rows, "on_time": on_time,
        }  # fmt: skip
        return {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}


def _varied(
    y: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_], rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Read a page a little differently: heights, noise, leads and stretches that are lost."""
    gains = 0.06 * rng.standard_normal() + 0.04 * rng.standard_normal((12, 1))
    y = y * np.exp(gains).astype(np.float32)
    y = y + np.float32(0.015 * rng.random()) * rng.standard_normal(y.shape, dtype=np.float32)
    seen = seen.copy()
    if rng.random() < 0.25:
        seen[rng.random(12) < rng.uniform(0, 0.3)] = False
    for _ in range(int(rng.integers(0, 4))):
        lead, first = int(rng.integers(12)), int(rng.integers(y.shape[1]))
        seen[lead, first : first + int(rng.integers(5, 60))] = False
    return y, seen


def judge_pages(net: nn.Module, pack: Pack, reads: PageReads) -> dict[str, float]:
    """Judge on pages of held-out records.

    Parameters
    ----------
    reads : PageReads
        Pages of records that do not train.

    Returns
    -------
    dict of str to float
        Macro AUC over super-classes of clean and of photographed pages.
    """
    assert isinstance(net, PageEncoder)
    found = {}
    for name, chosen in (("clean", ~reads.photographed), ("photographed", reads.photographed)):
        if not chosen.any():
            continue
        signal = reads.signals[chosen].astype(np.float32)
        seen = np.isfinite(signal)
        odds = logits_of(net, np.nan_to_num(signal), seen, reads.calibrated[chosen])
        area = task_aucs(pack.labels[reads.row[chosen]], odds)["super"]
        if area == area:  # NaN: no class has pages with and without it
            found[f"super AUC, {name} pages"] = area
    return found
