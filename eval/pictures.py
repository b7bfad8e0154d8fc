"""Pictures of how far the classifier can be trusted and of what the encoder has learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.knowledge import SUPER

if TYPE_CHECKING:
    from ecg_llm.eval.encoder import EncoderResult

SHOWN_FEATURES = 12
FOLDS = (7, 8, 9)
"""Of PTB-XL, whose records are shown as vectors and by their features."""


def draw(result: EncoderResult, data: Path, folder: Path) -> list[Path]:
    """Draw ``reliability.png``, ``refusal.png``, ``umap.png`` and ``shap.png``."""
    from ecg_llm.encode import encode
    from ecg_llm.eval.encoder import read_judged
    from ecg_llm.head import head_scores
    from ecg_llm.head_features import feature_row
    from ecg_llm.measure import measure

    paths = [folder / f"{name}.png" for name in ("reliability", "refusal", "umap", "shap")]
    _reliability(result, paths[0])
    _refusal(result, paths[1])
    records, statements, *_ = read_judged(data, FOLDS)
    classes = [
        next((name for name in SUPER if set(SUPER[name]) & set(held)), "none")
        for held in statements
    ]
    _map(encode(records).vector, classes, paths[2])
    features = np.stack([feature_row(record, measure(record)) for record in records])
    scored = head_scores(records)
    scores = np.array([[row[f"super:{name}"] for name in SUPER] for row in scored])
    _features(features, scores, paths[3])
    return paths


def _reliability(result: EncoderResult, path: Path) -> None:
    """Draw what came true beside what was said."""
    said, came, count = (np.array(column) for column in zip(*result.reliability, strict=True))
    with _picture(path) as axes:
        axes.set(xlabel="probability said", ylabel="share that came true")
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axes.plot(said, came, marker="o")
        for x, y, n in zip(said, came, count, strict=True):
            axes.annotate(
                f"{int(n)}", (x, y), textcoords="offset points", xytext=(4, -10), fontsize=7
            )
        axes.set_title(f"Trained head, 71 statements, expected error {result.ece:.3f}", fontsize=9)


def _refusal(result: EncoderResult, path: Path) -> None:
    """Draw how much of what is answered is right."""
    share, by_score, by_doubt = zip(*result.refusal, strict=True)
    with _picture(path) as axes:
        axes.set(xlabel="share of records answered", ylabel="likeliest super-class is right")
        axes.plot(share, by_score, marker="o", label="least probable answers refused first")
        axes.plot(share, by_doubt, marker="s", label="least sure vectors refused first")
        axes.invert_xaxis()
        axes.legend(fontsize=7)


def _map(vectors: npt.NDArray[np.float32], classes: Sequence[str], path: Path) -> None:
    """Lay record vectors, shape (n_records, D), out in the plane by UMAP."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and UMAP's, about their own future
        from umap import UMAP

        plane: Any = UMAP(random_state=0, n_jobs=1).fit_transform(vectors)
    named = np.array(classes)
    with _picture(path) as axes:
        for name in sorted(set(classes)):
            chosen = named == name
            axes.scatter(plane[chosen, 0], plane[chosen, 1], s=4, label=f"{name} ({chosen.sum()})")
        axes.set(xticks=[], yticks=[])
        axes.legend(fontsize=7, markerscale=3)
        axes.set_title("Record vectors, UMAP", fontsize=9)


def _features(
    features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64], path: Path
) -> None:
    """Explain the head's scores by measured features: Shapley values of boosted trees."""
    import shap
    from sklearn.ensemble import HistGradientBoostingRegressor

    from ecg_llm.head_features import FEATURES

    known = np.flatnonzero(np.isfinite(features).any(axis=0))
    features, names = features[:, known], [FEATURES[k] for k in known]
    with _picture(path, len(SUPER), (3.2 * len(SUPER), 3.2)) as axes:
        for axis, name, score in zip(axes, SUPER, scores.T, strict=True):
            trees = HistGradientBoostingRegressor(max_iter=60, max_depth=4, random_state=0)
            trees.fit(features, score)
            size = np.abs(shap.TreeExplainer(trees).shap_values(features)).mean(0)
            best = np.argsort(-size)[:SHOWN_FEATURES][::-1]
            axis.barh([names[k] for k in best], size[best])
            axis.set_title(name, fontsize=9)
            axis.tick_params(labelsize=6)


@contextmanager
def _picture(path: Path, n: int = 1, size: tuple[float, float] = (5.0, 4.0)) -> Iterator[Any]:
    """Give the axes of a picture, n of them side by side, and write it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, n, figsize=size)
    yield axes
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
