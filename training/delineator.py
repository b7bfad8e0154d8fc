"""Train the delineator on cardiologists' marks, on simulated beats and on records without marks.

``ecgllm train delineator --data LUDB_DIR --out DIR`` trains four teachers, lets them read the
records without marks, trains the net that ships on all of it, and writes it as ONNX; for folds,
everything once for each. Checkpoints resume to the same numbers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torch.optim import swa_utils

from ecg_llm.encoders.delineator import Delineator, FlatDelineator
from ecg_llm.encoders.onnx import export
from ecg_llm.eval.ludb import ludb_records, read_ludb
from ecg_llm.training.delineator_data import (
    Batch,
    MarkedRecord,
    ReadRecord,
    batch,
    marked_record,
    simulated_records,
    unmarked_signals,
)
from ecg_llm.training.delineator_recipe import DelineatorRecipe, NetRecipe
from ecg_llm.training.runs import read_checkpoint, same_run, write_checkpoint
from ecg_llm.waves import EXIST_LEVEL, NET_FS, NET_MULTIPLE, FloatArray, scale_leads

_NEAR_S = 0.06
"""How far around a wave that the leads show together single leads are asked for its limits."""

_FIGURES = (
    "None on records that it was not trained on: it saw all there are. Nets of three folds, each "
    "judged on the records it did not see: 'ecgllm eval delineation --folds', docs/delineation.md."
)
_LIMITS = (
    "Research use; not a medical device. Learnt from marks of resting ECGs of adults from "
    "one laboratory, simulated beats, and records without marks that nets of the same marks read. "
    "Rhythms that none of these holds may be read wrongly; from about 140 beats a minute on P "
    "waves that lie on the T wave before them are missed or begin too late."
)


def _train_one(
    marked: Sequence[MarkedRecord],
    recipe: NetRecipe,
    out: Path | None,
    *,
    simulated: Sequence[MarkedRecord] = (),
    read: Sequence[ReadRecord] = (),
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Delineator:
    """Train one net and give its averaged weights; goes on from the checkpoint ``out``.

    Simulated and read records are mixed in by the recipe's shares. A checkpoint of another recipe
    or of other records is refused.
    """
    torch.manual_seed(recipe.seed)
    net = recipe.config.build()
    average = swa_utils.AveragedModel(
        net,
        multi_avg_fn=swa_utils.get_ema_multi_avg_fn(recipe.ema),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=recipe.peak_lr, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_lr, total_steps=recipe.steps, pct_start=0.1, anneal_strategy="linear"
    )
    parts: dict[str, Any] = {
        "net": net,
        "average": average,
        "optimizer": optimizer,
        "schedule": schedule,
    }
    identity = {"recipe": asdict(recipe), "records": _fingerprint([*marked, *simulated, *read])}
    first = 0
    if out and out.is_file():
        saved = read_checkpoint(out)
        same_run(out, saved.get("identity", {}), identity)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        first = int(saved["step"])

    def draw(step: int) -> Batch:
        rng = np.random.default_rng((recipe.seed, step))
        last = step >= recipe.steps - recipe.last_steps
        return batch(marked, simulated, read, recipe, rng, last=last)

    ahead = ThreadPoolExecutor(1)
    coming = ahead.submit(draw, first)
    for step in range(first, recipe.steps):
        x, y, mask, n_leads = coming.result()
        coming = ahead.submit(draw, step + 1)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x, n_leads)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), y, reduction="none")
        loss = (loss * mask[:, None]).sum() / (3 * mask.sum()).clamp(min=1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
        if out and ((step + 1) % recipe.save_every == 0 or step + 1 == recipe.steps):
            out.parent.mkdir(parents=True, exist_ok=True)
            state = {name: part.state_dict() for name, part in parts.items()}
            write_checkpoint(out, {"identity": identity, "step": step + 1, **state})
        on_step(step, float(loss.detach()))
    ahead.shutdown(cancel_futures=True)
    net.load_state_dict(average.module.state_dict())
    return net.eval()


def train(
    data: Path,
    out: Path,
    *,
    unmarked: Sequence[Path] = (),
    recipe: DelineatorRecipe | None = None,
    folds: int = 0,
    on_step: Callable[[str, int, int, float], None] = lambda name, step, steps, loss: None,
) -> list[Path]:
    """Train the delineator on a LUDB folder.

    Parameters
    ----------
    out : Path
        Folder for ``delineator.onnx`` (or ``fold0.onnx`` …), its card as JSON and checkpoints.
    unmarked : sequence of Path
        Folders of records without marks, which the teachers read; see `unmarked_signals`.
    recipe : DelineatorRecipe, optional
        How; the bundled one's if left out.
    folds : int
        0 trains one net on all records; k trains k nets, net i and its teachers without the records
        whose number leaves the rest i when divided by k.
    """
    chosen = recipe or DelineatorRecipe()
    names, records = [], []
    for stem in ludb_records(data):
        record, marks = read_ludb(stem)
        names.append(stem.name)
        records.append(marked_record(record, marks.waves_s, whole=False))
    simulated = simulated_records(chosen.simulated_records, chosen.simulated_seed)
    signals = [signal for folder in unmarked for signal in unmarked_signals(folder)]
    written = []
    for fold in range(max(folds, 1)):
        name = f"fold{fold}" if folds else "delineator"
        kept = [k for k, number in enumerate(names) if not folds or int(number) % folds != fold]

        def one(
            part: str,
            how: NetRecipe,
            read: Sequence[ReadRecord] = (),
            of: str = name,
            marked: Sequence[MarkedRecord] = [records[k] for k in kept],
        ) -> Delineator:
            return _train_one(
                marked,
                how,
                out / f"{of}_{part}.pt",
                simulated=simulated,
                read=read,
                on_step=lambda step, loss: on_step(f"{of} {part}", step, how.steps, loss),
            )

        read: list[ReadRecord] = []
        if signals:
            singles = [one(f"single{k}", how) for k, how in enumerate(chosen.singles)]
            listener = one("listener", chosen.listener)
            for k, signal in enumerate(signals):
                read.append(ReadRecord(signal, _read_together(signal, singles, listener)))
                on_step(f"{name} reads", k, len(signals), float("nan"))
        net = one("student", chosen.student, read)
        path = out / f"{name}.onnx"
        _export(net, path)
        card = {
            "recipe": asdict(chosen),
            "data": "LUDB v1.0.1 (ODC-By 1.0), cardiologists' marks; simulated ECGs of the project",
            "command": " ".join(
                [f"ecgllm train delineator --data {data.name}/ --out {out.name}/"]
                + [f"--unmarked {folder.name}/" for folder in unmarked]
                + ([f"--folds {folds}"] if folds else [])
            ),
            "figures": _FIGURES,
            "limits": _LIMITS,
            "unmarked": {"folders": [folder.name for folder in unmarked], "records": len(signals)},
            "records": [names[k] for k in kept],
            "torch": torch.__version__,
        }
        path.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


@torch.no_grad()
def _read_together(
    signal: FloatArray, singles: Sequence[Delineator], listener: Delineator
) -> npt.NDArray[np.float16]:
    """Let the teachers read a record, shape (n_leads, n), mV: [n_leads, 3, n].

    Near a wave that the listener finds in the leads together the mean of all nets; elsewhere what
    the listener says, as a lead alone takes noise for P waves.
    """
    from scipy.ndimage import maximum_filter1d

    n = signal.shape[1]
    scaled = scale_leads(signal, NET_FS)
    x = torch.from_numpy(np.pad(scaled, ((0, 0), (0, -n % NET_MULTIPLE)), mode="edge"))
    heard, *alone = (torch.sigmoid(net(x))[:, :, :n].numpy() for net in (listener, *singles))
    there = heard.mean(axis=0) > np.array(EXIST_LEVEL)[:, None]
    near = maximum_filter1d(there.astype(np.uint8), 2 * round(_NEAR_S * NET_FS) + 1, axis=1)
    mean = (heard + sum(alone)) / (1 + len(alone))
    return np.where(near.astype(bool), mean, heard).astype(np.float16)


def _fingerprint(records: Sequence[MarkedRecord | ReadRecord]) -> int:
    """Give a number that other records, or the same in another order, do not have."""
    code = 0
    for record in records:
        code = zlib.crc32(record.signal.tobytes(), code)
    return code


def _export(net: Delineator, path: Path) -> None:
    """Write the net as ONNX, for any number of leads and any length."""
    export(
        FlatDelineator(net.eval()),
        {"signal": torch.zeros(12, 10 * NET_MULTIPLE)},
        ["probability"],
        {"signal": {0: "leads", 1: "time"}},
        path,
    )
