"""The page net: a small 2-D U-Net that marks tracings, names, pulses and the lie of the paper."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecg_llm.page.net import N_LIE, N_MARKS, OFFSET


@dataclass(frozen=True)
class PageNetConfig:
    """Size of the net."""

    widths: tuple[int, ...] = (16, 32, 64, 96, 128)
    """Channels of each level; the first works at half the image's resolution, each next at half."""
    blocks: tuple[int, ...] = (1, 1, 1, 2, 3)
    """Residual blocks of each level."""

    def build(self) -> PageNet:
        """Make the net with fresh weights."""
        return PageNet(self)


class _Block(nn.Module):
    """Two convolutions with a short cut; the first may halve the resolution."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, dilation, dilation, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        same = n_in == n_out and stride == 1
        self.short = nn.Identity() if same else nn.Conv2d(n_in, n_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(h)) + self.short(x))


def _smooth(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


class PageNet(nn.Module):
    """Maps of what lies where on the image of a page."""

    def __init__(self, config: PageNetConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stem = nn.Conv2d(3, widths[0], 5, 2, 2)
        pairs = list(itertools.pairwise(widths))
        down = []
        for level, (width, n_blocks) in enumerate(zip(widths, config.blocks, strict=True)):
            first = _Block(widths[level - 1], width, 2) if level else _Block(width, width)
            # The last level looks far along the rows without another halving.
            more = [_Block(width, width, 1, 1 + (level == len(widths) - 1) * k)
                    for k in range(1, n_blocks)]  # fmt: skip
            down.append(nn.Sequential(first, *more))
        self.down = nn.ModuleList(down)
        self.narrow = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in pairs])
        self.up = nn.ModuleList([_smooth(a) for a, _ in pairs])
        self.trace = nn.Conv2d(widths[0], 4, 3, 1, 1)
        self.marks = nn.Sequential(_smooth(widths[1]), nn.Conv2d(widths[1], N_MARKS, 1))
        self.lie = nn.Sequential(_smooth(widths[3]), nn.Conv2d(widths[3], N_LIE, 1))
        # Most of a page is neither tracing nor mark: say so from the start.
        rare = self.marks[-1].bias
        assert self.trace.bias is not None and isinstance(rare, nn.Parameter)
        with torch.no_grad():
            self.trace.bias.fill_(-3.0)
            rare[:OFFSET] = -4.0

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the maps.

        Parameters
        ----------
        image : Tensor, shape (b, 3, height, width)
            Red, green, blue, 0 to 255; sides are multiples of 32.

        Returns
        -------
        trace : Tensor, shape (b, 1, height, width)
            Logits of lying on a tracing.
        marks : Tensor, shape (b, N_MARKS, height / 4, width / 4)
            As `ecg_llm.page.net.Sight` names them, logits but for the last.
        lie : Tensor, shape (b, N_LIE, height / 16, width / 16)
            Steps of a millimetre in pixels against the usual ones, and a logit of being paper.
        """
        h = self.stem((image - 128.0) / 64.0)  # [B, C, H/2, W/2]
        skips = []
        for block in self.down:
            h = block(h)
            skips.append(h)
        for level in reversed(range(len(self.up))):
            wide = functional.interpolate(self.narrow[level](h), scale_factor=2.0)
            h = skips[level] = self.up[level](wide + skips[level])
        trace = functional.pixel_shuffle(self.trace(h), 2)
        return trace, self.marks(skips[1]), self.lie(skips[3])
