"""The delineator's net: a 1-D U-Net over each lead, whose leads listen to each other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

N_WAVES = 3


@dataclass(frozen=True)
class DelineatorConfig:
    """Size of the net."""

    widths: tuple[int, ...] = (16, 16, 32, 48, 64)
    """Channels of each level; each level but the first halves the rate."""
    kernel: int = 7
    """Taps of every convolution."""
    stem_stride: int = 4
    """Input samples per position of the first level."""
    listening: int = 1
    """After so many of the levels, the coarsest ones, every lead hears the mean of all leads."""

    def build(self) -> Delineator:
        """Make the net with fresh weights."""
        return Delineator(self)


class _Block(nn.Module):
    """Two convolutions with a short cut; the first may halve the rate."""

    def __init__(self, n_in: int, n_out: int, stride: int, kernel: int) -> None:
        super().__init__()
        pad = kernel // 2
        self.first = nn.Conv1d(n_in, n_out, kernel, stride, pad, bias=False)
        self.first_norm = nn.BatchNorm1d(n_out)
        self.second = nn.Conv1d(n_out, n_out, kernel, 1, pad, bias=False)
        self.second_norm = nn.BatchNorm1d(n_out)
        same = n_in == n_out and stride == 1
        self.short = nn.Identity() if same else nn.Conv1d(n_in, n_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(h)) + self.short(x))


class Delineator(nn.Module):
    """Probability of P, QRS and T at every sample of every lead.

    Notes
    -----
    A mean over the leads takes any number of them, in any order.
    """

    def __init__(self, config: DelineatorConfig) -> None:
        super().__init__()
        widths, kernel = config.widths, config.kernel
        self.stride = config.stem_stride
        self.stem = nn.Conv1d(1, widths[0], 4 * self.stride + 1, self.stride, 2 * self.stride)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(
            [_Block(widths[0], widths[0], 1, kernel)] + [_Block(a, b, 2, kernel) for a, b in pairs]
        )
        self.alone = max(len(widths) - config.listening, 0)  # levels before the first that listens
        self.listen = nn.ModuleList([nn.Conv1d(w, w, 1) for w in widths[self.alone :]])
        self.narrow = nn.ModuleList([nn.Conv1d(b, a, 1) for a, b in pairs])
        self.up = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv1d(a, a, kernel, 1, kernel // 2, bias=False),
                    nn.BatchNorm1d(a),
                    nn.ReLU(),
                )
                for a, _ in pairs
            ]
        )
        self.head = nn.Conv1d(widths[0], self.stride * N_WAVES, kernel, 1, kernel // 2)

    def forward(self, signal: Tensor, n_leads: int | None = None) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        signal : Tensor, shape (n_rows, n_samples)
            Scaled leads at the net's rate, one record after the other.
        n_leads : int, optional
            Rows per record; all rows are one record if left out.

        Returns
        -------
        Tensor, shape (n_rows, 3, n_samples)
            Logits of P, QRS, T.
        """
        h = self.stem(signal[:, None])  # [R, C, T/stride]
        skips = []
        for level, block in enumerate(self.down):
            h = block(h)
            if level >= self.alone:
                h = h + _over_leads(self.listen[level - self.alone], h, n_leads)
            skips.append(h)
        for level in reversed(range(len(self.up))):
            h = torch.repeat_interleave(self.narrow[level](h), 2, dim=-1) + skips[level]
            h = self.up[level](h)
        return _fine(self.head(h), self.stride)  # from [R, 3 * stride, T/stride]


def _fine(out: Tensor, stride: int) -> Tensor:
    """Lay the samples that each position holds side by side."""
    rows, _, positions = out.shape
    fine = out.view(rows, N_WAVES, stride, positions).transpose(2, 3)
    return fine.reshape(rows, N_WAVES, stride * positions)


def _over_leads(listen: nn.Module, h: Tensor, n_leads: int | None) -> Tensor:
    """Tell every lead the mean over the leads of its record."""
    if n_leads is None:
        return listen(h.mean(dim=0, keepdim=True))  # type: ignore[no-any-return]
    rows, width, length = h.shape
    mean = h.view(rows // n_leads, n_leads, width, length).mean(dim=1)
    return listen(mean).repeat_interleave(n_leads, dim=0)  # type: ignore[no-any-return]


class FlatDelineator(nn.Module):
    """The same function in the form that ONNX Runtime runs fastest.

    Notes
    -----
    ONNX Runtime has blocked kernels for two-dimensional convolutions only, and for channels in
    sixteens: every convolution becomes a row of height one, normalisation is folded into it, and
    channels are filled up with zeros.
    """

    def __init__(self, net: Delineator) -> None:
        super().__init__()
        self.stride, self.alone = net.stride, net.alone
        self.stem = _flat(net.stem)
        blocks = [block for block in net.down if isinstance(block, _Block)]
        self.first = nn.ModuleList([_flat(b.first, b.first_norm) for b in blocks])
        self.second = nn.ModuleList([_flat(b.second, b.second_norm) for b in blocks])
        self.short = nn.ModuleList(
            [_flat(b.short) if isinstance(b.short, nn.Conv1d) else nn.Identity() for b in blocks]
        )
        self.listen = nn.ModuleList([_flat(conv) for conv in net.listen])
        self.narrow = nn.ModuleList([_flat(conv) for conv in net.narrow])
        self.up = nn.ModuleList([_flat(*list(up.children())[:2]) for up in net.up])
        self.head = _flat(net.head)

    def forward(self, signal: Tensor) -> Tensor:
        """Compute the probabilities of one record.

        Parameters
        ----------
        signal : Tensor, shape (n_leads, n_samples)
            Scaled leads at the net's rate.

        Returns
        -------
        Tensor, shape (n_leads, 3, n_samples)
            Of P, QRS, T.
        """
        h = self.stem(signal[:, None, None])  # [L, C, 1, N]
        skips = []
        for level, (first, second, short) in enumerate(
            zip(self.first, self.second, self.short, strict=True)
        ):
            h = functional.relu(second(functional.relu(first(h))) + short(h))
            if level >= self.alone:
                h = h + self.listen[level - self.alone](h.mean(dim=0, keepdim=True))
            skips.append(h)
        for level in reversed(range(len(self.up))):
            wide = functional.interpolate(self.narrow[level](h), scale_factor=(1.0, 2.0))
            h = functional.relu(self.up[level](wide + skips[level]))
        return torch.sigmoid(_fine(self.head(h)[:, : N_WAVES * self.stride, 0], self.stride))


_BLOCK = 16
"""Channels of one block of ONNX Runtime's kernels (AVX-512)."""


def _flat(conv: nn.Module, norm: nn.Module | None = None) -> nn.Conv2d:
    """Give a 1-D convolution, and the normalisation after it, as a 2-D one of height one."""
    assert isinstance(conv, nn.Conv1d)
    weight = conv.weight.detach()
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
    if isinstance(norm, nn.BatchNorm1d):
        assert norm.running_var is not None and norm.running_mean is not None
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        weight = weight * scale[:, None, None]
        bias = (bias - norm.running_mean) * scale + norm.bias.detach()
    n_out, n_in, taps = weight.shape
    more_out, more_in = -n_out % _BLOCK, -n_in % _BLOCK if n_in > 1 else 0
    flat = nn.Conv2d(
        n_in + more_in,
        n_out + more_out,
        (1, taps),
        (1, conv.stride[0]),
        (0, int(conv.padding[0])),
    )
    flat.weight = nn.Parameter(functional.pad(weight, (0, 0, 0, more_in, 0, more_out))[:, :, None])
    flat.bias = nn.Parameter(functional.pad(bias, (0, more_out)))
    return flat
