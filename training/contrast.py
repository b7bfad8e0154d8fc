"""Recipe (c): bring records and texts together, as a whole, by the beat and by the token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.encoders.signal import SignalEncoder
from ecg_llm.encoders.text import TextTowerNet
from ecg_llm.scp import COLUMNS
from ecg_llm.training.loop import Batch, Objective

BEAT_TOKENS = 4
"""0.8 s: about a beat."""


class Contrast(Objective):
    """Reports and statements beside the record, its beats and its tokens.

    Parameters
    ----------
    encoder : SignalEncoder
        What is trained.
    text : TextTowerNet
        Trained along.
    reports : sequence of str
        Of every packed record; empty where there is none.
    names : mapping of str to sequence of str
        Wordings of statements, by column of `ecg_llm.scp.COLUMNS`.
    text_width : int
        Features of its vectors.
    levels : tuple of float
        Weights of record, beats and tokens.

    Notes
    -----
    A statement is held against every record by the sigmoid loss. Against beats and tokens it looks
    for the stretch that fits it best: the score is that of the stretches' average, weighted by how
    much each resembles the statement. Whole reports are told apart by the softmax loss, in both
    directions.

    References
    ----------
    .. [1] Liu C et al. ICML 2024 (MERL).
    .. [2] Wang F et al. ICML 2025 (MELP).
    """

    def __init__(
        self,
        encoder: SignalEncoder,
        text: TextTowerNet,
        reports: Sequence[str],
        names: Mapping[str, Sequence[str]],
        text_width: int,
        levels: tuple[float, ...] = (1.0, 0.5, 0.5),
    ) -> None:
        super().__init__()
        self.encoder, self.text = encoder, text
        self.reports, self.names, self.levels = reports, names, levels
        width = encoder.config.width
        self.record = nn.Linear(width, text_width)
        self.local = nn.Linear(width, text_width)
        self.log_scale = nn.Parameter(torch.full((3,), 2.0))
        self.columns = [name for name in COLUMNS if name in names]
        self.column_numbers = [COLUMNS.index(name) for name in self.columns]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the losses of a batch, from `Batches.draw`."""
        tokens, seen = self.encoder.embed(batch["signal"], batch["present"], batch["calibrated"])
        tokens = self.encoder.contextualise(tokens, seen)
        vector, _ = self.encoder.summarise(tokens, seen)
        record = functional.normalize(self.record(vector).float(), dim=1)
        rows = batch["row"].tolist()
        dice = np.random.default_rng(int(torch.randint(0, 2**31, ())))
        said = [str(dice.choice(list(self.names[name]))) for name in self.columns]
        told = [k for k, row in enumerate(rows) if self.reports[row]]
        vectors, priors = self.text.texts(said + [self.reports[rows[k]] for k in told])
        vectors = vectors.float()
        statements, reports = vectors[: len(said)], vectors[len(said) :]
        prior = priors[: len(said)].float()
        truth = batch["labels"][:, self.column_numbers]
        scores = [
            record @ statements.T,
            self._best(tokens, seen, statements, BEAT_TOKENS),
            self._best(tokens, seen, statements, 1),
        ]
        parts = {
            name: _sigmoid(scale.exp() * score + prior, truth)
            for name, scale, score in zip(
                ("record", "beat", "token"), self.log_scale, scores, strict=True
            )
        }
        loss = sum(
            (weight * part for weight, part in zip(self.levels, parts.values(), strict=True)),
            record.new_zeros(()),
        )
        if len(told) > 1:
            odds = self.log_scale[0].exp() * record[told] @ reports.T
            same = torch.arange(len(told), device=odds.device)
            both = functional.cross_entropy(odds, same) + functional.cross_entropy(odds.T, same)
            parts["report"] = both / 2
            loss = loss + 0.2 * parts["report"]
        return {"loss": loss, **parts}

    def _best(self, tokens: Tensor, seen: Tensor, statements: Tensor, span: int) -> Tensor:
        """Score every statement against the stretches that resemble it most."""
        n, t, width = tokens.shape
        used = t // span * span
        there = seen[:, :used].view(n, -1, span).float()
        parts = tokens[:, :used].float().view(n, -1, span, width)
        mean = (parts * there[..., None]).sum(2) / there.sum(2).clamp(min=1)[..., None]
        local = functional.normalize(self.local(mean).float(), dim=-1)  # [B, S, D]
        alike = local @ statements.T  # [B, S, statements]
        empty = there.sum(2) == 0
        share = (alike * 10).masked_fill(empty[..., None], -1e4).softmax(1)
        return (share * alike).sum(1)


def _sigmoid(logits: Tensor, truth: Tensor) -> Tensor:
    """Hold every record against every statement; rare statements count as much as common ones."""
    known = truth >= 0
    target = truth.clamp(min=0)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * known
    count = known.sum(0).clamp(min=1)
    return (each.sum(0) / count).sum() / (known.any(0).sum().clamp(min=1)) * 10
