"""Train the signal encoder by a recipe."""

from __future__ import annotations

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
from ecg_llm.training.batches import Batches, batches
from ecg_llm.training.loop import fit, this_process
from ecg_llm.training.objectives import OBJECTIVES, Setup, make_objective
from ecg_llm.training.pack import PROBLEMS, Pack, pack
from ecg_llm.training.page_encoder import PageEncoder
from ecg_llm.training.recipe import Recipe, load_recipe
from ecg_llm.training.store import load_encoder, save_encoder, save_page_encoder

Report = Callable[[str, int, int, dict[str, float]], None]

SOURCES = {
    "ptbxl": ("PTB-XL v1.0.3, 100 Hz, true mV (Wagner P et al. Sci Data 2020;7:154)", "CC BY 4.0"),
    "ptbxl_zscored": ("PTB-XL v1.0.3, each lead standardised, mV lost", "CC BY 4.0"),
    "challenge2011": (
        "PhysioNet/CinC Challenge 2011, set a, without labels (Silva I et al. CinC 2011)",
        "ODC-By 1.0",
    ),
    "own": ("records of one's own (ecgllm build own)", "see the card of the set"),
    "simulated": ("ECGs simulated by this project", "Apache-2.0"),
}
"""What each source is, and its licence."""
_LIMITS = (
    "Research use; not a medical device. Learnt from adults of one German centre and simulated "
    "ECGs; statements with few examples are weak, and pacing, paediatric ECGs, posterior and right "
    "chest leads are hardly or not covered. Probabilities are calibrated for PTB-XL's frequencies."
)


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
    data : Path
        Folder of the data sets, as `ecg_llm.training.pack.pack` takes it.
    out : Path
        Folder for weights, graph, card, checkpoints and curves; a stopped run goes on there.
    packed : Path, optional
        Folder of the packed data; ``packed`` in ``out`` if left out.
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
    with this_process().main_process_first():
        records = pack(
            data,
            packed,
            n_simulated=recipe.data.simulated,
            workers=workers,
            progress=pack_progress,
        )
    if bad := (packed / PROBLEMS).read_text(encoding="utf-8").splitlines():
        tell(f"{len(bad)} records could not be packed; see {packed / PROBLEMS}")
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
    """Train one stage on packed records; of several processes the first one writes.

    Parameters
    ----------
    records : Pack
        All of them; the recipe chooses.

    Returns
    -------
    dict of str to float
        Figures of the last step.
    """
    if recipe.objective not in OBJECTIVES:
        raise ConfigError(f"objective {recipe.objective!r}: there are {', '.join(OBJECTIVES)}.")
    process = this_process()
    torch.manual_seed(recipe.loop.seed)
    encoder = _starting_encoder(recipe, out)
    _, needs = OBJECTIVES[recipe.objective]
    source = batches(records, recipe.data, recipe.views, recipe.loop.batch, needs=needs)
    tell(f"{recipe.objective}: {source}")
    with process.main_process_first():
        made = make_objective(Setup(recipe, encoder, records, source, out / "pages"))
    identity: dict[str, Any] = {
        "recipe": asdict(recipe),
        "data": records.fingerprint,
        "code": ecg_llm.__version__,
    }
    if made.fingerprint:
        identity["pages"] = made.fingerprint
    trained, history, seconds = fit(
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
    if isinstance(trained, Adapt):
        trained.merge()
    names = dict(trained.named_parameters())
    extra: dict[str, Tensor] = {k: names[k] for k in ("head.weight", "head.bias") if k in names}
    best = trained.get_submodule("encoder")
    assert isinstance(best, SignalEncoder)
    card = {
        **_plain(identity),
        "sources": data_card(source),
        "figures": {key: value for key, value in logs.items() if "AUC" in key},
        "seconds": round(seconds),
        "limits": _LIMITS,
        "torch": torch.__version__,
    }
    if process.is_main_process and isinstance(trained, PageEncoder):
        save_page_encoder(best, out, card, recipe.start_folder)
    elif process.is_main_process:
        save_encoder(best, out, card, extra)
    process.wait_for_everyone()
    return logs


def data_card(source: Batches) -> list[dict[str, Any]]:
    """List what an encoder learns from.

    Returns
    -------
    list of dict
        Source, description, licence, number of records and folds.
    """
    card = []
    for name, rows in zip(source.names, source.groups, strict=True):
        what, licence = SOURCES.get(name, (name, "see the data set"))
        folds = sorted(set(source.pack.fold[rows].tolist()) - {0})
        card.append(
            {
                "source": name,
                "what": what,
                "licence": licence,
                "records": len(rows),
                "folds": folds,
            }
        )
    return card


def _starting_encoder(recipe: Recipe, out: Path) -> SignalEncoder:
    """Give the encoder a recipe begins with."""
    if not recipe.start:
        return SignalEncoderConfig.of_size(recipe.size).build()
    folder = recipe.start_folder
    # Its card would name itself as what it began with, and what that had seen would be lost.
    if folder is not None and folder.resolve() == out.resolve() and recipe.objective != "page":
        raise ConfigError(
            f"{out}: the encoder to begin with would be overwritten; give another --out."
        )
    return load_encoder(folder).train()


def _plain(value: Any) -> Any:
    """Bring settings to what JSON gives back."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
