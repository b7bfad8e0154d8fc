"""Train the convolutional net on noise: first on simulated noise, then on remarks and questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from ecg_llm.leads import STANDARD_12
from ecg_llm.noise import KINDS, Noise
from ecg_llm.noise_net import N_CHANNELS, NoiseNet, beside_others, scaled_map
from ecg_llm.training.noise_data import PLACES, Rows
from ecg_llm.training.noise_simulate import N_TARGETS

if TYPE_CHECKING:
    from torch import Tensor, nn

FloatArray = npt.NDArray[np.float32]
Chosen = TypeVar("Chosen")
"""What names the rows of a batch."""

N_FRAMES = 50
"""Frames of the maps learnt from: ten seconds."""
_BATCH = 32


@dataclass(frozen=True)
class NetRecipe:
    """How the net is trained."""

    width: int = 48
    """Channels of the convolutions."""
    hidden: int = 64
    """Width of the layers after them."""
    rate: float = 2e-3
    """Learning rate, falling to nothing."""
    simulated_epochs: int = 6
    """Times each simulated map is seen."""
    epochs: int = 14
    """Times each record is seen afterwards."""
    dropped: float = 0.4
    """Share of the hidden layers hidden at each step."""
    dropped_channels: float = 0.15
    """Share of the channels of a map hidden at each step."""
    decay: float = 1e-2
    """Weight decay."""
    clean_share: float = 0.5
    """Share of the clean records seen in each epoch."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Records with maps, and what is known of them.

    Attributes
    ----------
    ecg_id, fold : np.ndarray, shape (n,)
        Which record and fold.
    maps : np.ndarray, shape (n, 12, n_channels, n_frames)
        From `ecg_llm.noise_net.noise_map`.
    there, weight : np.ndarray, shape (n, 13, n_kinds)
        As in `Rows`, by lead, then of the record.
    clean : np.ndarray, shape (n,), bool
        As in `Rows`.
    """

    ecg_id: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    maps: FloatArray
    there: FloatArray
    weight: FloatArray
    clean: npt.NDArray[np.bool_]


def drawn_records(rows: Rows, noise: dict[int, Noise]) -> Drawn:
    """Bring rows about one record together.

    Returns
    -------
    Drawn
        Records of at least ten seconds.
    """
    maps = {
        key: one.drawn[:, :, :N_FRAMES]
        for key, one in noise.items()
        if one.drawn is not None and one.drawn.shape[2] >= N_FRAMES
    }
    keys = np.array(sorted(set(rows.ecg_id.tolist()) & set(maps)))
    kept = np.isin(rows.ecg_id, keys)
    at = np.searchsorted(keys, rows.ecg_id[kept])
    shape = len(keys), len(PLACES), len(KINDS)
    there, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    there[at, rows.place[kept]] = rows.there[kept]
    weight[at, rows.place[kept]] = rows.weight[kept]
    fold, clean = np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
    fold[at], clean[at] = rows.fold[kept], rows.clean[kept]
    stacked = np.stack([maps[int(key)] for key in keys])
    return Drawn(ecg_id=keys, fold=fold, maps=stacked, there=there, weight=weight, clean=clean)


@dataclass(frozen=True, eq=False)
class Started:
    """A net that has seen simulated noise.

    Attributes
    ----------
    state : dict of str to Tensor
        Its weights.
    mean, spread : np.ndarray, shape (n_channels, 1)
        Of the maps.
    """

    state: dict[str, Tensor]
    mean: FloatArray
    spread: FloatArray


def learn_simulated(maps: FloatArray, sizes: FloatArray, recipe: NetRecipe, seed: int) -> Started:
    """Train a net to tell how large the noise is that was added to each lead."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    mean = maps.mean(axis=(0, 1, 3))[:, None]
    spread = maps.std(axis=(0, 1, 3))[:, None] + np.float32(1e-6)
    inputs = _inputs(maps, mean, spread)
    wanted = torch.from_numpy((sizes - sizes.mean(axis=(0, 1))) / sizes.std(axis=(0, 1)))
    torch.manual_seed(seed)
    net = _net(recipe, dropped=0.05, dropped_channels=0.05)
    rng = np.random.default_rng(seed)
    batches = _cut([rng.permutation(len(maps)) for _ in range(recipe.simulated_epochs)])

    def loss(chosen: npt.NDArray[np.int64]) -> Tensor:
        seen = _turned(inputs[chosen].float(), rng)
        return smooth_l1_loss(net(seen, of_sizes=True), wanted[chosen])

    descend(net, loss, batches, len(batches), recipe.rate, decay=1e-3)
    return Started(net.state_dict(), mean, spread)


def fit_noise_net(
    records: Drawn, started: Started, left_out: Sequence[int], recipe: NetRecipe, seed: int
) -> NoiseNet:
    """Train a net further on remarks and questions."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    seen = np.flatnonzero(~np.isin(records.fold, left_out))
    inputs = _inputs(records.maps, started.mean, started.spread)
    more = np.where(records.clean, 1 / recipe.clean_share, 1).astype(np.float32)
    weight = torch.from_numpy(records.weight * more[:, None, None])
    usual = weight[seen].mean()
    there = torch.from_numpy(records.there)
    torch.manual_seed(seed)
    net = _net(recipe, dropped=recipe.dropped, dropped_channels=recipe.dropped_channels)
    net.load_state_dict(
        {
            **net.state_dict(),
            **{name: w for name, w in started.state.items() if not name.startswith("at_")},
        }
    )
    rng = np.random.default_rng(seed)
    clean = records.clean[seen]
    batches = _cut(
        [
            rng.permutation(seen[~clean | (rng.random(len(seen)) < recipe.clean_share)])
            for _ in range(recipe.epochs)
        ]
    )

    def loss(chosen: npt.NDArray[np.int64]) -> Tensor:
        said = net(_turned(inputs[chosen].float(), rng))
        each = binary_cross_entropy_with_logits(said, there[chosen], reduction="none")
        return (each * weight[chosen]).mean() / usual

    descend(net, loss, batches, len(batches), recipe.rate, recipe.decay)
    arrays = {
        f"{layer}{'' if part == 'weight' else '_bias'}": w.detach().numpy().copy()
        for layer, part, w in (
            (*name.split("."), w) for name, w in net.state_dict().items() if "size" not in name
        )
    }
    return NoiseNet(mean=started.mean, spread=started.spread, **arrays)


def _inputs(maps: FloatArray, mean: FloatArray, spread: FloatArray) -> Tensor:
    """Scale maps and put the other leads beside each, in half precision to save memory."""
    import torch

    out = np.empty((*maps.shape[:2], 3 * N_CHANNELS, maps.shape[3]), np.float16)
    for k in range(0, len(maps), 256):
        out[k : k + 256] = beside_others(scaled_map(maps[k : k + 256], mean, spread))
    return torch.from_numpy(out)


def _turned(maps: Tensor, rng: np.random.Generator) -> Tensor:
    """Begin the maps somewhere else, and run half of the batches backwards."""
    if rng.random() < 0.5:
        maps = maps.flip(3)
    return maps.roll(int(rng.integers(0, maps.shape[3])), 3)


def descend(
    net: nn.Module,
    loss_of: Callable[[Chosen], Tensor],
    batches: Iterable[Chosen],
    n_batches: int,
    rate: float,
    decay: float,
    warm_up: int = 30,
) -> None:
    """Take a step for each batch, the rate falling to nothing.

    Parameters
    ----------
    loss_of : callable
        Gives the loss of a batch.
    rate, decay : float
        Highest learning rate, and weight decay.
    warm_up : int
        Steps until the rate is reached.
    """
    import torch

    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    net.train()
    for step, chosen in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / warm_up) * (1 - step / n_batches)
        loss = loss_of(chosen)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    net.eval()


def _cut(orders: Sequence[npt.NDArray[np.int64]]) -> list[npt.NDArray[np.int64]]:
    """Cut each order into whole batches."""
    return [
        order[k : k + _BATCH]
        for order in orders
        for k in range(0, max(1, len(order) - _BATCH + 1), _BATCH)
    ]


def _net(recipe: NetRecipe, dropped: float, dropped_channels: float) -> nn.Module:
    """Build the net that `NoiseNet` runs, with a further output for sizes."""
    import torch
    from torch import nn

    wide, hidden, n_leads = recipe.width, recipe.hidden, len(STANDARD_12)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(3 * N_CHANNELS, wide, 5, padding=2)
            self.second = nn.Conv1d(wide, wide, 5, stride=2, padding=2)
            self.third = nn.Conv1d(wide, wide, 3, padding=1)
            self.lead = nn.Linear(2 * wide + n_leads, hidden)
            self.among = nn.Linear(5 * hidden, hidden)
            self.record = nn.Linear(2 * hidden, hidden)
            self.at_lead = nn.Linear(hidden, len(KINDS))
            self.at_record = nn.Linear(hidden, len(KINDS))
            self.at_size = nn.Linear(hidden, N_TARGETS)
            self.hide = nn.Dropout(dropped)

        def around(self, x: Tensor) -> tuple[Tensor, Tensor]:
            n = len(x)
            if self.training:
                kept = torch.rand(n, 1, N_CHANNELS, 1) >= dropped_channels
                x = x * (kept / (1 - dropped_channels)).repeat(1, 1, 3, 1)
            x = x.flatten(0, 1)
            x = self.first(x).relu()
            x = self.second(x).relu()
            x = self.third(x).relu() + x
            pooled = torch.cat([x.mean(2), x.amax(2)], 1).reshape(n, n_leads, -1)
            place = torch.eye(n_leads).expand(n, -1, -1)
            h = self.hide(self.lead(torch.cat([pooled, place], 2)).relu())
            none = torch.zeros_like(h[:, :1])
            overall = torch.cat([h.mean(1), h.amax(1)], 1)
            before, after = torch.cat([none, h[:, :-1]], 1), torch.cat([h[:, 1:], none], 1)
            spread = overall[:, None].expand(-1, n_leads, -1)
            return self.among(torch.cat([h, before, after, spread], 2)).relu(), overall

        def forward(self, x: Tensor, of_sizes: bool = False) -> Tensor:
            leads, overall = self.around(x)
            if of_sizes:
                sizes: Tensor = self.at_size(leads)
                return sizes
            record = self.hide(self.record(overall).relu())
            said = self.at_record(record)[:, None]
            return torch.cat([self.at_lead(self.hide(leads)), said], 1)

    return Net()
