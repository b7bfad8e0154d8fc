"""From an encoder's features to tokens of the language model."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """Bring the tokens and the vector of an ECG into the language model's space.

    Parameters
    ----------
    width_in : int
        Features of the encoder.
    width_out : int
        Features of the language model.
    hidden : int
        Features between the two linear maps.
    pooled_tokens : int
        Tokens that the encoder's are averaged to, in order of time; 0 keeps each.
    vector_tokens : int
        Tokens made of the vector.
    """

    def __init__(
        self, width_in: int, width_out: int, hidden: int, pooled_tokens: int, vector_tokens: int
    ) -> None:
        super().__init__()
        self.pooled_tokens = pooled_tokens
        self.vector_tokens = vector_tokens
        self.width_out = width_out
        self.token_norm = nn.LayerNorm(width_in)
        self.token_in = nn.Linear(width_in, hidden)
        self.token_out = nn.Linear(hidden, width_out)
        if vector_tokens:
            self.vector_norm = nn.LayerNorm(width_in)
            self.vector_in = nn.Linear(width_in, hidden)
            self.vector_out = nn.Linear(hidden, vector_tokens * width_out)

    def forward(self, tokens: Tensor, vector: Tensor) -> Tensor:
        """Project the features of ECGs.

        Parameters
        ----------
        tokens : Tensor, shape (n_ecgs, n_tokens, width_in)
            In order of time.
        vector : Tensor, shape (n_ecgs, width_in)
            Of the whole records.

        Returns
        -------
        Tensor, shape (n_ecgs, pooled_tokens + vector_tokens, width_out)
            The vector's tokens first.
        """
        if self.pooled_tokens:
            weights = pooling(tokens.shape[1], self.pooled_tokens).to(tokens)
            tokens = weights @ tokens  # [n, pooled_tokens, width_in]
        out = self.token_out(nn.functional.gelu(self.token_in(self.token_norm(tokens))))
        if not self.vector_tokens:
            return out  # type: ignore[no-any-return]
        whole = self.vector_out(nn.functional.gelu(self.vector_in(self.vector_norm(vector))))
        return torch.cat([whole.unflatten(1, (self.vector_tokens, self.width_out)), out], dim=1)


def pooling(n_in: int, n_out: int) -> Tensor:
    """Give the weights that average a row of tokens to fewer, each over its stretch.

    Parameters
    ----------
    n_in, n_out : int
        Tokens before and after.

    Returns
    -------
    Tensor, shape (n_out, n_in)
        Each row sums to 1; more tokens than there were repeat their neighbours.

    Examples
    --------
    >>> pooling(4, 2).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    place = torch.arange(n_in)
    first = torch.arange(n_out) * n_in // n_out
    last = -((-(torch.arange(n_out) + 1) * n_in) // n_out)
    inside = (place >= first[:, None]) & (place < last[:, None])
    return inside / inside.sum(1, keepdim=True)
