"""Train the signal encoder by a recipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ecg_llm
from ecg_llm.encoders.signal import SignalEncoder, SignalEncoderConfig
from ecg_llm.errors import ConfigError
from ecg_llm.training.adapt import Adapt
from ecg_llm.training.batches import batches
from ecg_llm.training.encoder_card import LIMITS, data_card
from ecg_llm.training.loop import fit
from ecg_llm.training.objectives import OBJECTIVES, Setup, make_objective
from ecg_llm.training.pack import PROBLEMS, Pack, count_problems, pack
from ecg_llm.training.page_encoder import PageEncoder
from ecg_llm.training.recipe import Recipe, load_recipe, starting_folder
from ecg_llm.training.store import load_encoder, save_encoder, save_page_encoder

Report = Callable[[str, int, int, dict[str, float]], None]


def train_encoder(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    packed: Path | None = None,
    workers: int = 1,
    report: Report = lambda stage, step, steps, logs: None,
    pack_progress: Callable[[int, int], None] = lambda done, total: None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, float]:
    """Pack the data if that was not done, then train by a recipe or a sequence of them.

    Parameters
    ----------
    recipe : Recipe
        From `load_recipe`.
    data : Path
        Folder of the data sets, as `ecg_llm.training.pack.pack` takes it.
    out : Path
        Folder for weights, graph, card, checkpoints and curves; a stopped run goes on there.
    packed : Path, optional
        Folder of the packed data; ``packed`` in ``out`` if left out.
    workers : int
        Processes that pack.
    report : callable
        Called with the stage, step, steps and figures.
    pack_progress : callable
        Called with packed and total records.
    tell : callable
        Called with lines on the records that are learnt from, and those left out.

    Returns
    -------
    dict of str to float
        Figures of the last step.

    Raises
    ------
    ConfigError
        If an objective does not exist, or the data do not fit.
    """
    packed = packed or out / "packed"
    records = pack(
        data,
        packed,
        n_simulated=recipe.data.simulated,
        workers=workers,
        progress=pack_progress,
    )
    if n_bad := count_problems(packed):
        tell(f"{n_bad} records could not be packed; see {packed / PROBLEMS}")
    if recipe.objective != "sequence":
        return train_stage(recipe, records, out, report=report, tell=tell)
    logs: dict[str, float] = {}
    start = recipe.start
    for number, name in enumerate(recipe.stages, 1):
        stage = load_recipe(name, **{**recipe.given, "size": recipe.size, "start": start})
        last = number == len(recipe.stages)
        folder = out if last else out / f"{number}-{stage.objective}"
        logs = train_stage(stage, records, folder, report=report, tell=tell)
        start = str(folder)
    return logs


def train_stage(
    recipe: Recipe,
    records: Pack,
    out: Path,
    *,
    report: Report = lambda stage, step, steps, logs: None,
    tell: Callable[[str], None] = lambda line: None,
    stop_at: int | None = None,
) -> dict[str, float]:
    """Train one stage on packed records.

    Parameters
    ----------
    recipe : Recipe
        Not a sequence.
    records : Pack
        All of them; the recipe chooses.
    out : Path
        Folder for weights, graph, card, checkpoint and curve; a stopped run goes on there.
    report : callable
        Called with the stage, step, steps and figures.
    tell : callable
        Called with a line on the records that are learnt from.
    stop_at : int, optional
        Stop after so many steps.

    Returns
    -------
    dict of str to float
        Figures of the last step.
    """
    if recipe.objective not in OBJECTIVES:
        raise ConfigError(f"objective {recipe.objective!r}: there are {', '.join(OBJECTIVES)}.")
    began = time.monotonic()
    torch.manual_seed(recipe.loop.seed)
    encoder = _starting_encoder(recipe)
    source = batches(
        records,
        recipe.data,
        recipe.views,
        recipe.loop.batch,
        needs=OBJECTIVES[recipe.objective].needs,
    )
    tell(f"{recipe.objective}: {source}")
    made = make_objective(Setup(recipe, encoder, records, source, out / "pages"))
    identity: dict[str, Any] = {
        "recipe": asdict(recipe),
        "data": records.fingerprint,
        "code": ecg_llm.__version__,
    }
    if made.fingerprint:
        identity["pages"] = made.fingerprint
    trained, history = fit(
        made.objective,
        made.draw,
        recipe.loop,
        out,
        identity=_plain(identity),
        judge=made.judge,
        on_step=lambda step, now: report(recipe.objective, step, recipe.loop.steps, now),
        stop_at=stop_at,
    )
    # Figures are of some steps only: the latest of each.
    logs = {key: value for row in history for key, value in row.items()}
    figures = {key: value for key, value in logs.items() if "AUC" in key}
    if isinstance(trained, Adapt):
        trained.merge()
    names = dict(trained.named_parameters())
    extra: dict[str, Tensor] = {k: names[k] for k in ("head.weight", "head.bias") if k in names}
    best = trained.get_submodule("encoder")
    assert isinstance(best, SignalEncoder)
    card = {
        **_plain(identity),
        "sources": data_card(records, recipe.data),
        "figures": figures,
        "seconds": round(time.monotonic() - began),
        "limits": LIMITS,
        "torch": torch.__version__,
    }
    if isinstance(trained, PageEncoder):
        save_page_encoder(best, out, card, starting_folder(recipe))
    else:
        save_encoder(best, out, card, extra)
    return logs


def _starting_encoder(recipe: Recipe) -> SignalEncoder:
    """Give the encoder a recipe begins with."""
    if not recipe.start:
        return SignalEncoderConfig.of_size(recipe.size).build()
    return load_encoder(starting_folder(recipe)).train()


def _plain(value: Any) -> Any:
    """Bring settings to what JSON gives back."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
