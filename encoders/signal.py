"""The signal encoder: ECG to tokens with a time each, one record vector, and its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.encoders.signal_input import FS, SAMPLES_PER_TOKEN
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12

N_LEADS = len(STANDARD_12)
TYPICAL_MV = 0.16
"""Root mean square of an adult's high-passed ECG: what a record of unknown gain is scaled to."""
LARGEST_MV = 8.0
"""Beyond it lies no heart but an artefact; clipped."""
_LOG_VAR_RANGE = (-8.0, 8.0)
_SIZES = {
    # widths at 50 and 25 Hz, blocks of each, token width, attention layers, heads
    "mini": ((48, 128), (1, 2), 256, 3, 4),
    "small": ((96, 192), (2, 3), 384, 6, 6),
    "base": ((128, 256), (2, 3), 512, 10, 8),
    "large": ((192, 384), (3, 4), 768, 16, 12),
}


class EncoderOutput(NamedTuple):
    """What the encoder gives.

    Attributes
    ----------
    tokens : Tensor, shape (B, N, D)
        One each 200 ms.
    times_s : Tensor, shape (N,), s
        Middle of each token, from the first sample on.
    vector : Tensor, shape (B, D)
        The record.
    log_var : Tensor, shape (B, D)
        Log-variance of ``vector``: large where the input leaves open what the record is.
    """

    tokens: Tensor
    times_s: Tensor
    vector: Tensor
    log_var: Tensor


@dataclass(frozen=True)
class SignalEncoderConfig:
    """Size of the encoder."""

    widths: tuple[int, int] = (48, 128)
    """Channels at 50 Hz and at 25 Hz."""
    blocks: tuple[int, int] = (1, 2)
    """Residual blocks at each."""
    width: int = 256
    """D: features of a token and of the record."""
    depth: int = 3
    """Attention layers over the tokens."""
    heads: int = 4
    """Attention heads."""
    kernel: int = 7
    """Taps of every convolution."""
    dropout: float = 0.1
    """Of the attention layers."""

    @classmethod
    def of_size(cls, size: str) -> SignalEncoderConfig:
        """Derive all from the one dial.

        Parameters
        ----------
        size : {"mini", "small", "base", "large"}
            About 2.6, 10, 27 and 91 million weights.

        Returns
        -------
        SignalEncoderConfig

        Raises
        ------
        ConfigError
            If there is no such size.
        """
        if size not in _SIZES:
            raise ConfigError(f"size {size!r}: there are {', '.join(_SIZES)}.")
        widths, blocks, width, depth, heads = _SIZES[size]
        return cls(widths=widths, blocks=blocks, width=width, depth=depth, heads=heads)

    def build(self) -> SignalEncoder:
        """Make the net with fresh weights."""
        return SignalEncoder(self)


class _Block(nn.Module):
    """Two convolutions with a short cut."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, kernel, 1, kernel // 2, bias=False)
        self.first_norm = nn.BatchNorm1d(width)
        self.second = nn.Conv1d(width, width, kernel, 1, kernel // 2, bias=False)
        self.second_norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(h)) + x)


class _Down(nn.Sequential):
    """A convolution that lowers the rate."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.Conv1d(n_in, n_out, kernel, stride, (kernel - stride + 1) // 2, bias=False),
            nn.BatchNorm1d(n_out),
            nn.ReLU(),
        )


class _Attention(nn.Module):
    """A transformer layer; a convolution over neighbours tells it which token stands where."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.near = nn.Conv1d(width, width, 5, 1, 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        x = x + self.near((x * seen[..., None]).transpose(1, 2)).transpose(1, 2)
        b, n, d = x.shape
        qkv = self.qkv(self.norm(x)).view(b, n, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each [B, heads, N, d]
        h = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        x = x + self.drop(self.out(h.transpose(1, 2).reshape(b, n, d)))
        done: Tensor = x + self.drop(self.mlp(self.mlp_norm(x)))
        return done


class SignalEncoder(nn.Module):
    """Encode any subset of leads, with any gaps in time.

    Notes
    -----
    ``present`` goes in beside the signal, sample by sample, and what it marks as missing is never
    looked at: a missing lead differs from a flat one. Where the gain is unknown, the record is
    scaled to a typical height and a further channel says so.
    """

    def __init__(self, config: SignalEncoderConfig) -> None:
        super().__init__()
        self.config = config
        narrow, wide = config.widths
        d, kernel = config.width, config.kernel
        self.stem = _Down(2 * N_LEADS + 1, narrow, 2 * kernel, 2)
        self.fine = nn.Sequential(*[_Block(narrow, kernel) for _ in range(config.blocks[0])])
        self.middle = _Down(narrow, wide, kernel + 1, 2)
        self.coarse = nn.Sequential(*[_Block(wide, kernel) for _ in range(config.blocks[1])])
        stride = SAMPLES_PER_TOKEN // 4
        self.patch = nn.Conv1d(wide, d, stride, stride)
        self.layers = nn.ModuleList(
            [_Attention(d, config.heads, config.dropout) for _ in range(config.depth)]
        )
        self.norm = nn.LayerNorm(d)
        self.pool = nn.Linear(d, config.heads)
        self.vector = nn.Linear(2 * d, d)
        self.log_var = nn.Sequential(nn.Linear(2 * d, d), nn.GELU(), nn.Linear(d, d))

    def embed(self, signal: Tensor, present: Tensor, calibrated: Tensor) -> tuple[Tensor, Tensor]:
        """Turn samples into tokens that have not yet looked at each other.

        Parameters
        ----------
        signal, present, calibrated : Tensor
            As in `forward`.

        Returns
        -------
        tokens : Tensor, shape (B, N, D)
        seen : Tensor of bool, shape (B, N)
            Which tokens hold any recorded sample.
        """
        known = present.to(signal.dtype)
        x = torch.where(present, signal, torch.zeros_like(signal)).clamp(-LARGEST_MV, LARGEST_MV)
        n_known = known.sum((1, 2), keepdim=True).clamp(min=1)
        height = (x.square().sum((1, 2), keepdim=True) / n_known).sqrt().clamp(min=1e-6)
        sure = calibrated[:, None, None]
        x = torch.where(sure, x, x * (TYPICAL_MV / height))
        flag = sure.to(x.dtype).expand(-1, 1, x.shape[2])
        h = self.stem(torch.cat([x, known, flag], dim=1))  # [B, C, T/2]
        h = self.coarse(self.middle(self.fine(h)))  # [B, C, T/4]
        per_token = known.sum(1).view(known.shape[0], -1, SAMPLES_PER_TOKEN)
        return self.patch(h).transpose(1, 2), per_token.sum(2) > 0

    def contextualise(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Let the tokens look at each other.

        Parameters
        ----------
        tokens : Tensor, shape (B, N, D)
            From `embed`.
        seen : Tensor of bool, shape (B, N)
            Which of them may be looked at.

        Returns
        -------
        Tensor, shape (B, N, D)
        """
        for layer in self.layers:
            tokens = layer(tokens, seen)
        normed: Tensor = self.norm(tokens)
        return normed

    def summarise(self, tokens: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Pool the tokens into the record.

        Parameters
        ----------
        tokens : Tensor, shape (B, N, D)
            From `contextualise`.
        seen : Tensor of bool, shape (B, N)
            Which of them count.

        Returns
        -------
        vector, log_var : Tensor, shape (B, D)
            The vector's gradient does not come from ``log_var``: telling how sure it is must not
            change what it says.
        """
        b, n, d = tokens.shape
        score = self.pool(tokens).masked_fill(~seen[..., None], -1e4)
        share = score.softmax(1)  # [B, N, heads]
        parts = tokens.view(b, n, self.config.heads, -1)
        mean = (share[..., None] * parts).sum(1).reshape(b, d)
        peak = tokens.masked_fill(~seen[..., None], -1e4).amax(1)
        both = torch.cat([mean, peak], dim=1)
        low, high = _LOG_VAR_RANGE
        return self.vector(both), self.log_var(both.detach()).clamp(low, high)

    def forward(self, signal: Tensor, present: Tensor, calibrated: Tensor) -> EncoderOutput:
        """Encode a batch.

        Parameters
        ----------
        signal : Tensor, shape (B, 12, T), mV at 100 Hz
            Leads in the order of `ecg_llm.leads.STANDARD_12`; T a multiple of 20. What
            ``present`` marks as missing may hold anything finite.
        present : Tensor of bool, shape (B, 12, T)
            Which samples were recorded.
        calibrated : Tensor of bool, shape (B,)
            Whether the gain is known.

        Returns
        -------
        EncoderOutput
        """
        tokens, seen = self.embed(signal, present, calibrated)
        tokens = self.contextualise(tokens, seen)
        vector, log_var = self.summarise(tokens, seen)
        k = torch.arange(tokens.shape[1], device=tokens.device)
        return EncoderOutput(tokens, (k + 0.5) * (SAMPLES_PER_TOKEN / FS), vector, log_var)
