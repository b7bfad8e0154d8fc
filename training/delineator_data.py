"""What the delineator learns from: marked, simulated and merely read records, cut and varied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ecg_llm.errors import ECGError
from ecg_llm.eval.rhythms import Marks, simulated_marks
from ecg_llm.io import find_records, read_ref
from ecg_llm.leads import STANDARD_12
from ecg_llm.quality import assess
from ecg_llm.record import ECGRecord
from ecg_llm.signal import fill_gaps, resample
from ecg_llm.training.delineator_recipe import NetRecipe
from ecg_llm.waves import HIGHPASS_HZ, NET_FS, WAVES, scale_leads

FloatArray = npt.NDArray[np.float32]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]
"""Signal [R, T], targets [R, 3, T], mask [R, T], leads per record."""

_LOG_STRETCH = (-0.25, 0.45)
"""Logarithm of the change of tempo; wider towards fast rates, of which LUDB has few."""
_LONGEST_S = 10.0


@dataclass(frozen=True, eq=False)
class MarkedRecord:
    """One training record at the net's rate.

    Attributes
    ----------
    signal : np.ndarray, shape (n_leads, n), mV
        Not scaled yet, baseline removed.
    waves_s : list of dict of str to np.ndarray, shape (k, 3), s
        Per lead: onset, peak, offset of every wave.
    marked_s : np.ndarray, shape (n_leads, 2), s
        The stretch in which every wave is marked.
    """

    signal: FloatArray
    waves_s: list[dict[str, npt.NDArray[np.float64]]]
    marked_s: npt.NDArray[np.float64]

    def cut(
        self, rows: npt.NDArray[np.int64], at: npt.NDArray[np.float64]
    ) -> tuple[FloatArray, FloatArray]:
        """Give targets [k, 3, n] and mask [k, n] of leads ``rows`` at samples ``at``."""
        time_s = at / NET_FS
        limits = self.marked_s[rows]
        inside = (time_s >= limits[:, :1]) & (time_s <= limits[:, 1:])
        return np.stack([_targets(self.waves_s[k], time_s) for k in rows]), inside.astype(
            np.float32
        )


@dataclass(frozen=True, eq=False)
class ReadRecord:
    """One record without marks, as other nets read it.

    Attributes
    ----------
    signal : np.ndarray, shape (n_leads, n), mV
        Not scaled yet, baseline removed.
    probability : np.ndarray of float16, shape (n_leads, 3, n)
        Of `WAVES`.
    """

    signal: FloatArray
    probability: npt.NDArray[np.float16]

    def cut(
        self, rows: npt.NDArray[np.int64], at: npt.NDArray[np.float64]
    ) -> tuple[FloatArray, FloatArray]:
        """Give targets [k, 3, n] and mask [k, n] of leads ``rows`` next to samples ``at``."""
        last = self.signal.shape[1] - 1
        nearest = np.clip(np.round(at).astype(np.int64), 0, last)
        inside = np.broadcast_to(at <= last, (len(rows), len(at)))
        y = self.probability[rows[:, None], :, nearest].transpose(0, 2, 1)
        return y.astype(np.float32), inside.astype(np.float32)


def marked_record(record: ECGRecord, waves_s: Marks, *, whole: bool) -> MarkedRecord:
    """Bring a record and its marks to the form that training uses.

    Parameters
    ----------
    waves_s : dict of str to dict of str to np.ndarray, shape (n, 3), s
        By lead and wave: onset, peak, offset.
    whole : bool
        Whether everything is marked; else only what lies between the first and the last mark of
        a lead counts (LUDB leaves the outer beats unmarked).
    """
    rows, spans = [], []
    for lead in record.leads:
        waves = waves_s[lead]
        complete = {w: v[np.isfinite(v).all(axis=1)] for w, v in waves.items()}
        edges = np.concatenate([v[:, [0, 2]].ravel() for v in complete.values()])
        if whole:
            spans.append((0.0, record.duration_s))
        else:
            spans.append((edges.min() - 0.04, edges.max() + 0.04) if len(edges) else (0.0, 0.0))
        rows.append(complete)
    return MarkedRecord(_even(record), rows, np.array(spans))


def simulated_records(n: int, seed: int) -> list[MarkedRecord]:
    """Simulate records of known truth, for what LUDB lacks.

    Parameters
    ----------
    n : int
        How many; those with exchanged electrodes are left out.
    """
    from ecg_llm.data_builders.synthetic import generate

    return [
        marked_record(ecg.record, simulated_marks(ecg), whole=True)
        for ecg in generate(n, seed, rare=0.5)
        if not ecg.truth.electrode_swap
    ]


def unmarked_signals(folder: Path) -> Iterator[FloatArray]:
    """Read the records of a folder that have twelve leads, ten seconds and acceptable quality.

    Parameters
    ----------
    folder : Path
        Any records. Of PTB-XL, known by its table, the folds 1 to 8, at 500 Hz where there.

    Yields
    ------
    np.ndarray, shape (12, n), mV
        At the net's rate, without baseline. Records that cannot be read are passed over.
    """
    for record in _records(folder):
        if record.duration_s < _LONGEST_S - 0.1 or not set(STANDARD_12) <= set(record.leads):
            continue
        chosen = record.select(STANDARD_12)
        if assess(chosen).acceptable:
            yield _even(chosen)[:, : round(_LONGEST_S * NET_FS)]


def _records(folder: Path) -> Iterator[ECGRecord]:
    """Read what can be read of a folder; of PTB-XL what may train."""
    from ecg_llm.data_builders.ptbxl import DATABASE, PTBXL

    if not (folder / DATABASE).is_file():
        for ref in find_records(folder):
            try:
                yield read_ref(ref)
            except ECGError:
                continue
        return
    done = set()
    for fs in (500, 100):
        source = PTBXL(folder, fs)
        listing = source.listing()
        for row in listing.order["train"]:
            item = listing.item(int(row))
            if item.name in done:
                continue
            try:
                record = source.read(item).record
            except ECGError:
                continue
            done.add(item.name)
            yield record


def _even(record: ECGRecord) -> FloatArray:
    """Bring a record to the net's rate and take its baseline off."""
    return resample(fill_gaps(record.signal), record.fs, NET_FS, highpass_hz=HIGHPASS_HZ)


def _targets(
    waves_s: dict[str, npt.NDArray[np.float64]], time_s: npt.NDArray[np.float64]
) -> FloatArray:
    """Draw the waves of one lead, shape (n, 3), on the net's evenly spaced time grid.

    Shape (3, n_samples): the share of each sample's interval that the wave covers, so that a
    boundary between two samples is not rounded.
    """
    out = np.zeros((len(WAVES), len(time_s)), np.float32)
    step = time_s[1] - time_s[0]
    low, high = time_s - step / 2, time_s + step / 2
    for k, wave in enumerate(WAVES):
        for on, _, off in waves_s[wave]:
            first, last = np.searchsorted(high, on), np.searchsorted(low, off)
            part = slice(first, last)
            covered = np.minimum(high[part], off) - np.maximum(low[part], on)
            out[k, part] = np.maximum(out[k, part], covered / step)
    return out


def _example(
    record: MarkedRecord | ReadRecord,
    rows: npt.NDArray[np.int64],
    recipe: NetRecipe,
    rng: np.random.Generator,
    *,
    last: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cut and vary one training example: signal [L, T], targets [L, 3, T], mask [L, T].

    In the last part of the training there is no change of tempo, and less noise.
    """
    n = round(recipe.crop_s * NET_FS)
    n_all = record.signal.shape[1]
    tempo = not last and rng.random() < recipe.tempo_share
    stretch = float(np.exp(rng.uniform(*_LOG_STRETCH))) if tempo else 1.0
    start = rng.uniform(0, max(n_all - n * stretch, 0))
    at = (start if tempo else np.floor(start)) + np.arange(n) * stretch
    signal = np.stack([np.interp(at, np.arange(n_all), record.signal[k]) for k in rows])
    if rng.random() < recipe.disturbed_share / (3 if last else 1):
        signal = _disturb(signal.astype(np.float32), rng)
    else:
        signal = _vary(signal, rng)
    return scale_leads(signal.astype(np.float32), NET_FS), *record.cut(rows, at)


def _vary(signal: npt.NDArray[np.floating], rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Change gain, noise and wander a little, as between recordings of one kind."""
    n_leads, n = signal.shape
    varied = signal * np.exp(rng.normal(0, 0.2, (n_leads, 1)))
    height = np.ptp(varied, axis=1, keepdims=True)
    phase = 2 * np.pi * rng.uniform(0.1, 0.5) * np.arange(n) / NET_FS + rng.uniform(0, 6)
    noise = 0.02 * rng.random() * rng.normal(0, 1, varied.shape)
    return np.asarray(varied + height * (noise + 0.2 * rng.random() * np.sin(phase)))


def _disturb(signal: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Add what real tracings have: gain, noise, mains, wander, narrow bands, swapped poles."""
    n_leads, n = signal.shape
    height = np.median(np.ptp(signal, axis=1))
    t = np.arange(n) / NET_FS
    out: npt.NDArray[np.floating] = signal * np.exp(rng.normal(0, 0.15, (n_leads, 1)))
    if rng.random() < 0.05:
        out = -out
    if rng.random() < 0.3:
        narrow = resample(out.astype(np.float32), NET_FS, 100.0, lowpass_hz=40.0)
        out = resample(narrow, 100.0, NET_FS)[:, :n]
        out = np.pad(out, ((0, 0), (0, n - out.shape[1])), mode="edge")
    if rng.random() < 0.5:
        level = height * np.exp(rng.uniform(np.log(0.002), np.log(0.06)))
        white = rng.normal(0, level, (n_leads, n))
        out = out + np.cumsum(white, axis=1) * 0.15 if rng.random() < 0.3 else out + white
    if rng.random() < 0.3:
        phase = rng.uniform(0, 2 * np.pi)
        part = height * rng.uniform(0, 0.06) * rng.random((n_leads, 1))
        out = out + part * np.sin(2 * np.pi * rng.choice([50, 60]) * t + phase)
    if rng.random() < 0.5:
        start = rng.uniform(0, 2 * np.pi, (n_leads, 1))
        drift = height * rng.uniform(0, 0.3) * rng.normal(0, 1, (n_leads, 1))
        out = out + drift * np.sin(2 * np.pi * rng.uniform(0.1, 0.7) * t + start)
    return np.asarray(out, np.float32)


def batch(
    marked: Sequence[MarkedRecord],
    simulated: Sequence[MarkedRecord],
    read: Sequence[ReadRecord],
    recipe: NetRecipe,
    rng: np.random.Generator,
    *,
    last: bool = False,
) -> Batch:
    """Draw one batch; every record of it gives the same number of leads.

    Parameters
    ----------
    marked, simulated, read : sequence of MarkedRecord or ReadRecord
        To draw from, by the recipe's shares; an empty one's share goes to the marked ones.
    last : bool
        Whether the last part of the training has begun: no simulated record, unless the net learns
        from read ones.
    """
    n_leads = 1
    if rng.random() < recipe.together:
        n_leads = 12 if rng.random() < 0.75 else int(rng.integers(2, 12))
    by_read = recipe.read_share if read else 0.0
    by_simulated = recipe.simulated_share if simulated and (by_read or not last) else 0.0
    parts = []
    for _ in range(max(recipe.rows // n_leads, 1)):
        draw = rng.random()
        pool: Sequence[MarkedRecord | ReadRecord] = marked
        if draw < by_read:
            pool = read
        elif draw < by_read + by_simulated:
            pool = simulated
        record = pool[int(rng.integers(len(pool)))]
        rows = rng.permutation(len(record.signal))[:n_leads]
        parts.append(_example(record, rows, recipe, rng, last=last))
    x, y, mask = (torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True))
    return x, y, mask, n_leads
