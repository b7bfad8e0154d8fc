"""Draw what the encoder has learnt: a map of its vectors, and the measured features behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecg_llm.eval.encoder import read_judged
from ecg_llm.knowledge import SUPER


def draw(data: Path, folder: Path, folds: tuple[int, ...] = (7, 8, 9)) -> list[Path]:
    """Draw ``umap.png`` and ``shap.png``.

    Parameters
    ----------
    data : Path
        PTB-XL folder.
    folder : Path
        Where to.
    folds : tuple of int
        Records that are drawn.

    Returns
    -------
    list of Path
    """
    from ecg_llm.encode import encode
    from ecg_llm.eval.pictures import draw_features, draw_map
    from ecg_llm.head import head_scores
    from ecg_llm.head_features import FEATURES, feature_row
    from ecg_llm.measure import measure

    records, statements, *_ = read_judged(data, folds)
    classes = [
        next((name for name in SUPER if set(SUPER[name]) & set(held)), "none")
        for held in statements
    ]
    mapped = draw_map(encode(records).vector, classes, folder)
    features = np.stack([feature_row(record, measure(record)) for record in records])
    scored = head_scores(records)
    columns = [f"super:{name}" for name in SUPER]
    scores = np.array([[row[name] for name in columns] for row in scored])
    shown, _ = draw_features(features, FEATURES, scores, tuple(SUPER), folder)
    return [mapped, shown]
