"""What a linear reader gets out of tokens: how encoders without a head are judged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from ecg_llm.encoders.signal import SignalEncoder
from ecg_llm.eval.auc import MIN_POSITIVE, task_aucs
from ecg_llm.eval.encoder import linear_scores
from ecg_llm.training.pack import Pack
from ecg_llm.training.supervised import BATCH

Array = npt.NDArray[np.float64]


@torch.inference_mode()
def _pooled_tokens(encoder: SignalEncoder, pack: Pack, rows: npt.NDArray[np.int64]) -> Array:
    """Give mean and peak of the tokens of records, shape (n, 2 D)."""
    device = next(encoder.parameters()).device
    found = []
    for k in range(0, len(rows), BATCH):
        part = rows[k : k + BATCH]
        signal = torch.from_numpy(pack.signals[part].astype(np.float32)).to(device)
        present = signal.isfinite()
        sure = torch.from_numpy(pack.calibrated[part]).to(device)
        tokens, seen = encoder.embed(signal.nan_to_num(), present, sure)
        tokens = encoder.contextualise(tokens, seen)
        weight = seen[..., None].float()
        mean = (tokens * weight).sum(1) / weight.sum(1).clamp(min=1)
        peak = tokens.masked_fill(~seen[..., None], -1e4).amax(1)
        found.append(torch.cat([mean, peak], dim=1).float().cpu().numpy())
    return np.concatenate(found).astype(np.float64)


def probe(encoder: SignalEncoder, pack: Pack, test: npt.NDArray[np.int64]) -> dict[str, float]:
    """Judge an encoder by a linear reader.

    Parameters
    ----------
    encoder : SignalEncoder
        In evaluation mode.
    pack : Pack
        Records; the reader learns from those of true mV of folds 1 to 8.
    test : np.ndarray of int
        Those that judge.

    Returns
    -------
    dict of str to float
        Macro AUC by task.
    """
    real = pack.calibrated & (pack.fold > 0)
    train = np.flatnonzero(real & (pack.fold < 9))
    if not len(train) or not len(test):
        return {}
    x, z = _pooled_tokens(encoder, pack, train), _pooled_tokens(encoder, pack, test)
    scores = linear_scores(x, (pack.labels[train] == 1).astype(np.float64), z)
    found = task_aucs(pack.labels[test], scores, MIN_POSITIVE)
    return {
        f"{task} AUC, probe": found[task]
        for task in ("super", "rhythm", "all")
        if found[task] == found[task]
    }
