"""The name net: which lead's name stands in a small patch of a page."""

from __future__ import annotations

from torch import Tensor, nn

from ecg_llm.page.net import LABELS


class NameNet(nn.Module):
    """A small classifier of patches: one of `LABELS`, or none."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = 1
        for n_out in (width, 2 * width, 4 * width, 6 * width):
            layers += [
                nn.Conv2d(n_in, n_out, 3, 1, 1, bias=False),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            n_in = n_out
        self.layers = nn.Sequential(*layers)
        # What stands left and right in the patch matters: V1 against 1V.
        self.last = nn.Sequential(
            nn.AdaptiveAvgPool2d((1, 4)), nn.Flatten(), nn.Linear(4 * n_in, len(LABELS) + 1)
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        patches : Tensor, shape (n, 1, 40, 64)
            Grey, each with mean 0 and deviation 1.

        Returns
        -------
        Tensor, shape (n, len(LABELS) + 1)
            Of each name, and of none.
        """
        out: Tensor = self.last(self.layers(patches))
        return out
