"""The text tower as it is trained: the same layers as `ecg_llm.text.TextTower`, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.text import BUCKETS, FloatArray, TextTower, grams

_grams = lru_cache(20_000)(grams)  # most wordings come again and again


@dataclass(frozen=True)
class TextTowerConfig:
    """Size of the text tower."""

    record_width: int = 256
    """Features of the signal encoder's record vector."""
    table: int = 96
    """Features of a hashed word or letter group."""
    hidden: int = 256
    """Width of the layer above."""
    width: int = 128
    """D: features of the shared space."""
    dropout: float = 0.3
    """Of record features and hidden layers, in training."""

    def build(self) -> TextTowerNet:
        """Make the net with fresh weights."""
        return TextTowerNet(self)


class TextTowerNet(nn.Module):
    """Texts and record vectors, side by side."""

    record_mean: Tensor
    record_scale: Tensor

    def __init__(self, config: TextTowerConfig) -> None:
        super().__init__()
        self.config = config
        self.table = nn.EmbeddingBag(BUCKETS, config.table, mode="mean")
        self.hidden = nn.Linear(config.table, config.hidden)
        self.out = nn.Linear(config.hidden, config.width)
        self.prior = nn.Linear(config.hidden, 1)
        self.record_hidden = nn.Linear(config.record_width, config.hidden)
        self.record_out = nn.Linear(config.hidden, config.width)
        self.log_scale = nn.Parameter(torch.tensor(3.0))
        self.register_buffer("record_mean", torch.zeros(config.record_width))
        self.register_buffer("record_scale", torch.ones(config.record_width))
        self.drop = nn.Dropout(config.dropout)
        nn.init.normal_(self.table.weight, std=0.3)
        nn.init.constant_(self.prior.bias, -3.0)

    def texts(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Embed texts.

        Parameters
        ----------
        texts : sequence of str
            Any.

        Returns
        -------
        vectors : Tensor, shape (n_texts, D)
            Of length 1.
        priors : Tensor, shape (n_texts,)
        """
        found = [_grams(text) for text in texts]
        starts = np.cumsum([0, *(len(rows) for rows in found[:-1])])
        bags = self.table(torch.from_numpy(np.concatenate(found)), torch.from_numpy(starts))
        hidden = self.drop(functional.relu(self.hidden(bags)))
        return functional.normalize(self.out(hidden), dim=1), self.prior(hidden)[:, 0]

    def records(self, vectors: Tensor) -> Tensor:
        """Bring record vectors into the space of the texts.

        Parameters
        ----------
        vectors : Tensor, shape (n_records, D_encoder)
            From the signal encoder.

        Returns
        -------
        Tensor, shape (n_records, D)
            Of length 1.
        """
        x = self.drop((vectors - self.record_mean) / self.record_scale)
        hidden = self.drop(functional.relu(self.record_hidden(x)))
        return functional.normalize(self.record_out(hidden), dim=1)

    def forward(self, vectors: Tensor, texts: Sequence[str]) -> Tensor:
        """Score every record against every text.

        Parameters
        ----------
        vectors : Tensor, shape (n_records, D_encoder)
            From the signal encoder.
        texts : sequence of str
            Statements.

        Returns
        -------
        Tensor, shape (n_records, n_texts)
            Log odds.
        """
        said, priors = self.texts(texts)
        return self.log_scale.exp() * (self.records(vectors) @ said.T) + priors

    def tower(self, card: dict[str, object]) -> TextTower:
        """Give what runs without torch."""

        def array(x: Tensor) -> FloatArray:
            out: FloatArray = x.detach().float().numpy()
            return out

        return TextTower(
            {
                "table": array(self.table.weight),
                "w1": array(self.hidden.weight.T),
                "b1": array(self.hidden.bias),
                "w2": array(self.out.weight.T),
                "b2": array(self.out.bias),
                "prior_w": array(self.prior.weight.T),
                "prior_b": array(self.prior.bias),
                "record_mean": array(self.record_mean),
                "record_scale": array(self.record_scale),
                "r1": array(self.record_hidden.weight.T),
                "c1": array(self.record_hidden.bias),
                "r2": array(self.record_out.weight.T),
                "c2": array(self.record_out.bias),
                "scale": array(self.log_scale.exp()),
            },
            card,
        )
