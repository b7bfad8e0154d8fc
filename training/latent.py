"""Recipes (a) and (b): learn from signals alone, by predicting what was hidden of them."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.encoders.signal import N_LEADS, SignalEncoder
from ecg_llm.encoders.signal_input import SAMPLES_PER_TOKEN
from ecg_llm.training.loop import Batch, Objective


def _hidden_stretches(n_records: int, n_tokens: int, share: float, longest: int) -> Tensor:
    """Choose as many tokens to hide in every record, in stretches: True where hidden, [B, N]."""
    wanted = max(round(share * n_tokens), 1)
    hidden = torch.zeros(n_records, n_tokens, dtype=torch.bool)
    for row in hidden:
        while int(row.sum()) < wanted:
            length = int(torch.randint(1, longest + 1, ()))
            first = int(torch.randint(0, n_tokens - length + 1, ()))
            row[first : first + min(length, wanted - int(row.sum()))] = True
    return hidden


def _per_sample(hidden: Tensor) -> Tensor:
    """Stretch a mask over tokens, [..., N], to one over samples, [..., N * 20]."""
    return hidden.repeat_interleave(SAMPLES_PER_TOKEN, dim=-1)


def _time_code(n_tokens: int, width: int, device: torch.device) -> Tensor:
    """Give each time its own vector of sines and cosines, [N, D]."""
    k = torch.arange(n_tokens, device=device)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(200.0) / width))
    return torch.cat([torch.sin(k * rate), torch.cos(k * rate)], dim=1)


class Latent(Objective):
    """Predict the tokens of hidden stretches, as a slowly following teacher gives them.

    Parameters
    ----------
    encoder : SignalEncoder
        What is trained.
    share : float
        Part of the time that is hidden.
    longest : int
        Tokens of the longest hidden stretch.
    follow : float
        What the teacher keeps of itself at a step; rises to 1 along the run.

    References
    ----------
    .. [1] Assran M et al. CVPR 2023:15619-15629 (the principle, on images).
    .. [2] Kim S. arXiv:2410.13867 (ECG-JEPA).
    """

    def __init__(
        self, encoder: SignalEncoder, share: float = 0.5, longest: int = 8, follow: float = 0.996
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.share, self.longest, self.follow = share, longest, follow
        width = encoder.config.width
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.wanted = nn.Parameter(torch.zeros(width))
        layer = nn.TransformerEncoderLayer(
            width, encoder.config.heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.predictor = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(width, width)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the losses of a batch, from `Batches.draw`."""
        x, there, sure = batch["signal"], batch["present"], batch["calibrated"]
        n, t = x.shape[0], x.shape[2] // SAMPLES_PER_TOKEN
        hidden = _hidden_stretches(n, t, self.share, self.longest).to(x.device)
        with torch.no_grad():
            tokens, seen = self.teacher.embed(x, there, sure)
            target = self.teacher.contextualise(tokens, seen).float()
            target = functional.layer_norm(target, target.shape[-1:])
        shown = there & ~_per_sample(hidden)[:, None]
        tokens, visible = self.encoder.embed(x, shown, sure)
        visible[:, 0] |= ~visible.any(1)  # a record of which all is hidden would attend to nothing
        tokens = self.encoder.contextualise(tokens, visible)
        asked = torch.where(visible[..., None], tokens, self.wanted.to(tokens.dtype))
        asked = asked + _time_code(t, tokens.shape[-1], x.device).to(tokens.dtype)
        guess = self.out(self.predictor(asked)).float()
        judged = hidden & seen
        apart = functional.smooth_l1_loss(guess, target, reduction="none").mean(-1)
        loss = (apart * judged).sum() / judged.sum().clamp(min=1)
        return {"loss": loss, "spread": target.std(dim=(0, 1)).mean()}

    def after_step(self, progress: float) -> None:
        """Let the teacher follow."""
        keep = self.follow + (1 - self.follow) * progress
        with torch.no_grad():
            pupil = self.encoder.state_dict()
            for name, mine in self.teacher.state_dict().items():
                if mine.is_floating_point():
                    mine.lerp_(pupil[name], 1 - keep)
                else:
                    mine.copy_(pupil[name])


class Masked(Objective):
    """Draw hidden pieces of single leads again from the rest.

    Parameters
    ----------
    encoder : SignalEncoder
        What is trained.
    share : float
        Part of the lead pieces (200 ms of one lead) that is hidden.

    References
    ----------
    .. [1] He K et al. CVPR 2022:16000-16009 (the principle, on images).
    """

    def __init__(self, encoder: SignalEncoder, share: float = 0.6) -> None:
        super().__init__()
        self.encoder = encoder
        self.share = share
        width = encoder.config.width
        self.draw = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, N_LEADS * SAMPLES_PER_TOKEN),
        )

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the losses of a batch, from `Batches.draw`."""
        x, there, sure = batch["signal"], batch["present"], batch["calibrated"]
        n, leads, samples = x.shape
        t = samples // SAMPLES_PER_TOKEN
        pieces = torch.rand(n, leads, t) < self.share
        whole = _hidden_stretches(n, t, self.share / 3, 4)
        hidden = _per_sample(pieces | whole[:, None]).to(x.device)
        tokens, seen = self.encoder.embed(x, there & ~hidden, sure)
        seen[:, 0] |= ~seen.any(1)
        tokens = self.encoder.contextualise(tokens, seen)
        drawn = self.draw(tokens).float().view(n, t, leads, SAMPLES_PER_TOKEN)
        drawn = drawn.permute(0, 2, 1, 3).reshape(n, leads, samples)
        judged = hidden & there
        # Each record counts alike, whatever its height.
        count = there.sum((1, 2), keepdim=True).clamp(min=1)
        height = ((x.square() * there).sum((1, 2), keepdim=True) / count).sqrt().clamp(min=1e-3)
        apart = functional.smooth_l1_loss(drawn, x / height, reduction="none")
        return {"loss": (apart * judged).sum() / judged.sum().clamp(min=1)}
