"""Fit the kinds of noise to the annotators' remarks in PTB-XL and to ECG-QA's questions on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.noise import KINDS, Noise, NoiseModel, blended, save_noise_model, scaled
from ecg_llm.noise_net import NoiseNet
from ecg_llm.ptbxl import TRAINING_FOLDS, VALIDATION_FOLD, read_table, whole
from ecg_llm.training.noise_data import (
    COLUMNS,
    PLACES,
    Question,
    Rows,
    folds_of,
    known_rows,
    measure_all,
    read_questions,
    records_of,
)
from ecg_llm.training.noise_net import (
    N_FRAMES,
    Drawn,
    NetRecipe,
    Started,
    descend,
    drawn_records,
    fit_noise_net,
    learn_simulated,
)
from ecg_llm.training.noise_simulate import simulated_maps

if TYPE_CHECKING:
    from torch import Tensor

    from ecg_llm.record import ECGRecord

FloatArray = npt.NDArray[np.float32]

GROUPS = ((1, 2), (3, 4), (5, 6), (7, 8))
"""Folds left out together to choose the limit."""
_FOLDS = (*TRAINING_FOLDS, VALIDATION_FOLD)
SHARE_OF_YES = 0.3
"""About the share of ECG-QA's questions on noise that are answered with yes."""


@dataclass(frozen=True)
class NoiseRecipe:
    """How the nets are trained."""

    nets: int = 12
    """Nets whose probabilities are averaged."""
    hidden: int = 32
    """Width of the hidden layer."""
    epochs: int = 25
    """Times each row is seen."""
    batch: int = 256
    """Rows a step."""
    rate: float = 2e-3
    """Learning rate, falling to nothing."""
    decay: float = 1e-2
    """Weight decay."""
    dropped_inputs: float = 0.2
    """Share of the columns hidden at each step."""
    dropped: float = 0.4
    """Share of the hidden layer hidden at each step."""
    clean_share: float = 0.35
    """Share of the clean rows that each net sees."""
    asked_weight: float = 2.0
    """Weight of ECG-QA's questions beside the remarks."""
    simulated: int = 2
    """Times noise is added to each record."""
    net: NetRecipe = field(default_factory=NetRecipe)
    """How the convolutional net is trained."""


def train(
    data: Path,
    items: Path,
    out: Path,
    *,
    zscored: Path | None = None,
    recipe: NoiseRecipe | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Fit the model on folds 1 to 8 and write it.

    Parameters
    ----------
    out : Path
        An ``.npz``; a card is written beside it.
    zscored : Path, optional
        Folder of further PTB-XL records, each lead scaled to a standard deviation of one.
    tell : callable, optional
        Called with a line for each part of the folds that is done.

    Returns
    -------
    dict
        The card: agreement on questions of the folds left out in turn, and of fold 9.

    Raises
    ------
    ConfigError
        If no question is about a record at hand.

    Notes
    -----
    The limit is one for all kinds, chosen on the questions of folds 1 to 8 on records in mV, so
    that exact agreement, at the usual share of yes, and balanced agreement both are high. Each
    question is judged by nets that saw nothing of its folds but the signals, under simulated noise.
    """
    recipe = recipe or NoiseRecipe()
    needed = ("ecg_id", "strat_fold", *COLUMNS.values())
    table = read_table(data, needed)
    in_mv = {whole(cells["ecg_id"]) for cells in table}
    table += [] if zscored is None else read_table(zscored, needed)
    table = [cells for cells in table if whole(cells["strat_fold"]) in _FOLDS]
    folds = folds_of(table)
    questions = read_questions(items, folds)
    rows = known_rows(
        table, questions, asked_weight=recipe.asked_weight, sampled_folds=TRAINING_FOLDS
    )
    wanted = set(rows.ecg_id.tolist())
    count = None if progress is None else (lambda done: progress(done, len(wanted)))
    noise = measure_all(records_of(data, zscored, wanted), count)
    drawn = drawn_records(rows, noise)
    learnable = set(drawn.ecg_id.tolist())
    questions = [one for one in questions if one.ecg_id in learnable]
    if not questions:
        raise ConfigError(f"{items}: no question on noise is about a record of {data}.")
    rows = _only(rows, np.array([key in noise for key in rows.ecg_id.tolist()]))
    learnt = set(drawn.ecg_id[drawn.fold != VALIDATION_FOLD].tolist())
    started = _started(lambda: records_of(data, zscored, learnt), recipe, seed, tell)
    p, model, net = _left_out_in_turn(questions, rows, noise, drawn, started, recipe, seed, tell)
    truth = np.array([one.there for one in questions])
    mv = np.array([one.ecg_id in in_mv for one in questions])
    tuned = np.array([one.fold != VALIDATION_FOLD for one in questions])
    chosen = tuned & mv
    limit = max(np.arange(0.2, 0.6, 0.01), key=lambda c: _worth(truth[chosen], p[chosen] >= c))
    limits = np.full(len(KINDS), limit, np.float32)
    save_noise_model(NoiseModel(**{**vars(model), "limits": limits, "net": net}), out)
    card = {
        "what": "kinds of noise by lead: averaged nets of one hidden layer over measured columns, "
        "and a convolutional net over time that first learnt to see simulated noise",
        "data": "PTB-XL 1.0.3 remarks (CC BY 4.0) and ECG-QA (CC BY 4.0), folds 1 to 8"
        + ("" if zscored is None else "; some of the records with leads of unit variance"),
        "command": "ecgllm train noise --data PTBXL_DIR --items ITEMS "
        + ("" if zscored is None else "--zscored DIR ")
        + f"--out signal_noise.npz --seed {seed}",
        "limits": "annotators' remarks are coarse ranges of leads; hum is gone at 100 Hz",
        "recipe": asdict(recipe),
        "rows": int((rows.fold != VALIDATION_FOLD).sum()),
        "records": len(noise),
        "seed": seed,
        "limit": round(float(limit), 2),
    }
    for name, which in (
        ("questions, folds 1 to 8 left out in turn", chosen),
        ("the same, records of unit variance", tuned & ~mv),
        ("questions, fold 9", ~tuned & mv),
    ):
        card[name] = _agreement(truth[which], p[which], limit)
    out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def _started(
    records: Callable[[], Iterable[tuple[int, ECGRecord]]],
    recipe: NoiseRecipe,
    seed: int,
    tell: Callable[[str], None] | None,
) -> Started:
    """Let a net see simulated noise, drawn anew each time the records are."""
    parts = [
        simulated_maps((record for _, record in records()), N_FRAMES, seed + k)
        for k in range(recipe.simulated)
    ]
    maps, sizes = (np.concatenate(part) for part in zip(*parts, strict=True))
    started = learn_simulated(maps, sizes, recipe.net, seed)
    if tell:
        tell(f"{len(maps)} records with simulated noise seen")
    return started


def _left_out_in_turn(
    questions: Sequence[Question],
    rows: Rows,
    noise: Mapping[int, Noise],
    drawn: Drawn,
    started: Started,
    recipe: NoiseRecipe,
    seed: int,
    tell: Callable[[str], None] | None,
) -> tuple[npt.NDArray[np.float64], NoiseModel, NoiseNet]:
    """Judge each question by nets that saw neither its fold nor fold 9; the last saw all others."""
    x = np.stack(
        [noise[k].row(PLACES[p]) for k, p in zip(rows.ecg_id, rows.place, strict=True)]
    ).astype(np.float32)
    at = {key: k for k, key in enumerate(zip(rows.ecg_id, rows.place, strict=True))}
    where = np.array([at[one.ecg_id, PLACES.index(one.lead)] for one in questions])
    kind = np.array([KINDS.index(one.kind) for one in questions])
    fold = np.array([one.fold for one in questions])
    p = np.zeros(len(questions))
    for group in (*GROUPS, (VALIDATION_FOLD,)):
        model = _fit_nets(x, rows, (*group, VALIDATION_FOLD), recipe, seed)
        net = fit_noise_net(drawn, started, (*group, VALIDATION_FOLD), recipe.net, seed)
        held = np.flatnonzero(np.isin(fold, group))
        own = model.probabilities(x[where[held]])[np.arange(len(held)), kind[held]]
        logits = [
            net.logits(drawn.maps[np.searchsorted(drawn.ecg_id, questions[n].ecg_id)])[
                rows.place[where[n]], kind[n]
            ]
            for n in held.tolist()
        ]
        p[held] = blended(own, np.array(logits))
        if tell:
            tell(f"folds {group[0]} to {group[-1]} left out")
    return p, model, net


def _fit_nets(
    x: FloatArray, rows: Rows, left_out: Sequence[int], recipe: NoiseRecipe, seed: int
) -> NoiseModel:
    """Train the nets on rows of `Noise.row`, shape (n_rows, n_columns), of all folds but some.

    The limits stay at a half.
    """
    seen = np.flatnonzero(~np.isin(rows.fold, left_out))
    mean = np.nanmean(x[seen], axis=0)
    spread = np.nanstd(x[seen], axis=0) + 1e-6
    inputs = scaled(x[seen], mean, spread)
    there, weight, clean = rows.there[seen], rows.weight[seen], rows.clean[seen]
    nets = []
    for k in range(recipe.nets):
        rng = np.random.default_rng((seed, k))
        kept = ~clean | (rng.random(len(clean)) < recipe.clean_share)
        scale = np.where(clean, 1 / recipe.clean_share, 1).astype(np.float32)[:, None]
        nets.append(
            _fit_net(inputs[kept], there[kept], (weight * scale)[kept], recipe, 1000 * seed + k)
        )
    hidden, hidden_bias, out, out_bias = (np.stack(part) for part in zip(*nets, strict=True))
    return NoiseModel(
        mean=mean.astype(np.float32),
        spread=spread.astype(np.float32),
        hidden=hidden,
        hidden_bias=hidden_bias,
        out=out,
        out_bias=out_bias,
        limits=np.full(len(KINDS), 0.5, np.float32),
    )


def _fit_net(
    x: FloatArray, there: FloatArray, weight: FloatArray, recipe: NoiseRecipe, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Train one net; give its weights, inputs first."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(x.shape[1], recipe.hidden),
        nn.ReLU(),
        nn.Dropout(recipe.dropped),
        nn.Linear(recipe.hidden, len(KINDS)),
    )
    loss_of = nn.BCEWithLogitsLoss(reduction="none")
    tensors = [torch.from_numpy(part) for part in (x, there, weight)]
    usual = float(weight.sum()) / len(x)  # so that the size of a step does not depend on weights
    per_epoch = max(1, len(x) // recipe.batch)

    def batches() -> Iterator[Tensor]:
        for _ in range(recipe.epochs):
            order = torch.randperm(len(x))
            for k in range(per_epoch):
                yield order[k * recipe.batch : (k + 1) * recipe.batch]

    def loss(chosen: Tensor) -> Tensor:
        batch, wanted, counts = (part[chosen] for part in tensors)
        shown = (torch.rand(x.shape[1]) >= recipe.dropped_inputs) / (1 - recipe.dropped_inputs)
        each: Tensor = loss_of(net(batch * shown), wanted) * counts
        return each.sum() / (usual * len(chosen))

    steps = recipe.epochs * per_epoch
    descend(net, loss, batches(), steps, recipe.rate, recipe.decay, warm_up=50)
    state = [part.detach().numpy() for part in net.parameters()]
    return state[0].T.copy(), state[1], state[2].T.copy(), state[3]


def _only(rows: Rows, kept: npt.NDArray[np.bool_]) -> Rows:
    """Keep some of the rows."""
    return Rows(**{name: part[kept] for name, part in vars(rows).items()})


def _worth(truth: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    """Value exact agreement at the usual share of yes, and balanced agreement, by their aims."""
    found, kept = said[truth].mean(), (~said[~truth]).mean()
    exact = SHARE_OF_YES * found + (1 - SHARE_OF_YES) * kept
    return float(min(exact / 0.80, (found + kept) / 2 / 0.72))


def _balanced(truth: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    if truth.all() or not truth.any():
        return float("nan")
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def _agreement(
    truth: npt.NDArray[np.bool_], p: npt.NDArray[np.float64], limit: float
) -> dict[str, Any]:
    if not len(truth):
        return {"n": 0}
    said = p >= limit
    return {
        "n": len(truth),
        "exact": round(float((truth == said).mean()), 4),
        "balanced": round(_balanced(truth, said), 4),
        "majority": round(float(max(truth.mean(), 1 - truth.mean())), 4),
    }
