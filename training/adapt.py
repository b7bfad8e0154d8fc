"""Recipe (f): adapt a trained encoder with few labels and many records that have none."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.encoders.signal import SignalEncoder
from ecg_llm.training.loop import Batch
from ecg_llm.training.supervised import Supervised


class LowRank(nn.Module):
    """A fixed linear layer, and a correction of low rank that is learnt.

    Parameters
    ----------
    layer : nn.Linear
        What stays.
    rank : int
        Of the correction.
    absent : float
        How often a step leaves the correction out, so that the layer never leans on it.
    """

    def __init__(self, layer: nn.Linear, rank: int, absent: float) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.absent = absent
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Apply both, to inputs of shape (..., n_in)."""
        out: Tensor = self.layer(x)
        if self.training and float(torch.rand(())) < self.absent:
            return out
        return out + functional.linear(functional.linear(x, self.down), self.up)

    def merged(self) -> nn.Linear:
        """Give one layer that does both."""
        layer = nn.Linear(self.layer.in_features, self.layer.out_features)
        with torch.no_grad():
            layer.weight.copy_(self.layer.weight + self.up @ self.down)
            layer.bias.copy_(self.layer.bias)
        return layer


class Adapt(Supervised):
    """Low-rank corrections, learnt from few labels and from agreement on records without.

    Parameters
    ----------
    encoder : SignalEncoder
        Trained; only corrections, norms and statistics of it change.
    labelled : Tensor of int64
        Records whose labels may be used.
    rank : int
        Of every correction.
    absent : float
        How often a step leaves each correction out.
    pseudo : float
        Weight of the agreement between what a record and a worse view of it are taken for.

    Notes
    -----
    The running statistics of the norms are taken over all records, with and without labels.

    References
    ----------
    .. [1] Zhou R et al. arXiv:2406.14377 (CE-SSL).
    """

    def __init__(
        self,
        encoder: SignalEncoder,
        labelled: Tensor,
        rank: int = 8,
        absent: float = 0.2,
        pseudo: float = 1.0,
    ) -> None:
        super().__init__(encoder.requires_grad_(False))
        self.pseudo = pseudo
        self.register_buffer("labelled", labelled)
        for module in list(encoder.modules()):
            if isinstance(module, nn.BatchNorm1d | nn.LayerNorm):
                module.requires_grad_(True)
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear) and not isinstance(module, LowRank):
                    module.add_module(name, LowRank(child, rank, absent))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the losses of a batch, from `Batches.draw`."""
        known = torch.isin(batch["row"], self.get_buffer("labelled"))
        hidden = torch.full_like(batch["labels"], -1.0)
        losses = super().forward(
            batch | {"labels": torch.where(known[:, None], batch["labels"], hidden)}
        )
        n_pairs = int(batch["n_pairs"])
        out = self.encoder(batch["signal"], batch["present"], batch["calibrated"])
        odds = self.head(out.vector).float()
        taken = odds[:n_pairs].detach().sigmoid()
        sure = (taken < 0.05) | (taken > 0.8)
        each = functional.binary_cross_entropy_with_logits(
            odds[len(odds) - n_pairs :], taken, reduction="none"
        )
        agreement = 10 * (each * sure).sum() / sure.sum().clamp(min=1)
        return losses | {"loss": losses["loss"] + self.pseudo * agreement, "pseudo": agreement}

    def merge(self) -> None:
        """Put every correction into its layer, so that the encoder is a plain one again."""
        for module in list(self.encoder.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, LowRank):
                    module.add_module(name, child.merged())
