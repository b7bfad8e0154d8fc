"""Train the delineator on cardiologists' marks and on simulated beats of known truth.

``ecgllm train delineator --data LUDB_DIR --out DIR`` packs the records, trains two nets per fold
(or two on everything), one that reads whole leads and one that reads the averaged beat, and writes
ONNX. Checkpoints resume to the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from ecg_llm.encoders.delineator import Delineator, FlatDelineator
from ecg_llm.eval.ludb import ludb_records, read_ludb
from ecg_llm.training.beat_net import BeatRecipe, MarkedBeats, marked_beats, train_beats
from ecg_llm.training.marked_records import MarkedRecord, marked_record, simulated_marks
from ecg_llm.training.net_loop import NetRecipe
from ecg_llm.training.strip_net import StripRecipe, train_strips


@dataclass(frozen=True)
class DelineatorRecipe:
    """How the two nets of the delineator are trained."""

    strips: StripRecipe = field(default_factory=StripRecipe)
    """The net that reads whole leads."""
    beats: BeatRecipe = field(default_factory=BeatRecipe)
    """The net that reads the averaged beat."""


@dataclass(frozen=True, eq=False)
class _Packed:
    """One record in the forms in which the two nets are shown it."""

    name: str
    strip: MarkedRecord
    beats: MarkedBeats | None


def train(
    data: Path,
    out: Path,
    *,
    recipe: DelineatorRecipe | None = None,
    folds: int = 0,
    on_step: Callable[[str, int, int, float], None] = lambda name, step, steps, loss: None,
) -> list[Path]:
    """Train the delineator on a LUDB folder.

    Parameters
    ----------
    data : Path
        Folder with ``ludb.csv`` and ``data/``.
    out : Path
        Folder for ``delineator.onnx`` and ``delineator_beat.onnx`` (or ``fold0.onnx`` …), their
        cards as JSON and checkpoints.
    recipe : DelineatorRecipe, optional
        How; the bundled one's if left out.
    folds : int
        0 trains on all records; k trains k pairs of nets, pair i without the records whose number
        leaves the rest i when divided by k.
    on_step : callable
        Called with the net's name, step, steps and loss.

    Returns
    -------
    list of Path
        The ONNX files.
    """
    chosen = recipe or DelineatorRecipe()
    records = []
    for stem in ludb_records(data):
        record, marks = read_ludb(stem)
        strip = marked_record(record, marks.waves_s, whole=False)
        beats = marked_beats(strip, marks.delineation().r_s)
        records.append(_Packed(stem.name, strip, beats))
    simulated = _simulated(chosen)
    written = []
    for fold in range(max(folds, 1)):
        name = f"fold{fold}" if folds else "delineator"
        kept = [one for one in records if not folds or int(one.name) % folds != fold]

        def reporter(net: str, steps: int) -> Callable[[int, float], None]:
            return lambda step, loss: on_step(net, step, steps, loss)

        strip_net = train_strips(
            [one.strip for one in kept],
            chosen.strips,
            out / f"{name}.pt",
            simulated=[one.strip for one in simulated[: chosen.strips.simulated_records]],
            on_step=reporter(name, chosen.strips.steps),
        )
        beat_net = train_beats(
            [one.beats for one in kept if one.beats is not None],
            chosen.beats,
            out / f"{name}_beat.pt",
            simulated=[
                one.beats
                for one in simulated[: chosen.beats.simulated_records]
                if one.beats is not None
            ],
            on_step=reporter(f"{name}_beat", chosen.beats.steps),
        )
        names = [one.name for one in kept]
        written.append(_write(strip_net, chosen.strips, names, out / f"{name}.onnx"))
        written.append(_write(beat_net, chosen.beats, names, out / f"{name}_beat.onnx"))
    return written


def _simulated(recipe: DelineatorRecipe) -> list[_Packed]:
    """Simulate records of known truth, for what LUDB lacks."""
    from ecg_llm.data_builders.synthetic import generate

    n = max(recipe.strips.simulated_records, recipe.beats.simulated_records)
    packed = []
    for k, ecg in enumerate(generate(n, recipe.strips.seed, rare=0.5)):
        if not ecg.truth.electrode_swap:
            strip = marked_record(ecg.record, simulated_marks(ecg), whole=True)
            beats = marked_beats(strip, ecg.truth.delineation.r_s)
            packed.append(_Packed(f"simulated {k}", strip, beats))
    return packed


def _write(net: Delineator, recipe: NetRecipe, records: list[str], path: Path) -> Path:
    """Write a net and its card."""
    export(net, path)
    card = {
        "recipe": asdict(recipe),
        "data": "LUDB v1.0.1 (ODC-By 1.0), cardiologists' marks; simulated ECGs of the project",
        "records": records,
        "torch": torch.__version__,
    }
    path.with_suffix(".json").write_text(json.dumps(card) + "\n", encoding="utf-8")
    return path


def export(net: Delineator, path: Path) -> None:
    """Write the net as ONNX, for any number of leads and any length.

    Parameters
    ----------
    net : Delineator
        Trained.
    path : Path
        File to write.
    """
    import warnings

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The exporter that keeps both axes free announces its successor, which does not yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            FlatDelineator(net.eval()).eval(),
            (torch.zeros(12, 10 * net.stride * 32), torch.arange(12)),
            str(path),
            input_names=["signal", "lead_id"],
            output_names=["logits"],
            dynamic_axes={"signal": {0: "leads", 1: "time"}, "lead_id": {0: "leads"}},
            dynamo=False,
        )
