"""Pictures of how far the classifier can be trusted and of what the encoder has learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ecg_llm.eval.encoder import EncoderResult

SHOWN_FEATURES = 12
_SIZE, _DPI = (5.0, 4.0), 80


def draw_trust(result: EncoderResult, folder: Path) -> list[Path]:
    """Draw the reliability diagram and the refusal curve.

    Parameters
    ----------
    result : EncoderResult
        From `ecg_llm.eval.encoder.evaluate`.
    folder : Path
        Where to.

    Returns
    -------
    list of Path
        ``reliability.png`` and ``refusal.png``.
    """
    axes, save = _axes("probability said", "share that came true")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    said, came, count = (np.array(column) for column in zip(*result.reliability, strict=True))
    axes.plot(said, came, marker="o")
    for x, y, n in zip(said, came, count, strict=True):
        axes.annotate(f"{int(n)}", (x, y), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axes.set_title(f"Trained head, 71 statements, expected error {result.ece:.3f}", fontsize=9)
    reliability = save(folder / "reliability.png")
    axes, save = _axes("share of records answered", "likeliest super-class is right")
    share, by_score, by_doubt = zip(*result.refusal, strict=True)
    axes.plot(share, by_score, marker="o", label="least probable answers refused first")
    axes.plot(share, by_doubt, marker="s", label="least sure vectors refused first")
    axes.invert_xaxis()
    axes.legend(fontsize=7)
    return [reliability, save(folder / "refusal.png")]


def draw_map(vectors: npt.NDArray[np.float32], classes: Sequence[str], folder: Path) -> Path:
    """Lay the record vectors out in the plane by UMAP, coloured by super-class.

    Parameters
    ----------
    vectors : np.ndarray, shape (n_records, D)
        From the encoder.
    classes : sequence of str
        One a record.
    folder : Path
        Where to.

    Returns
    -------
    Path
        ``umap.png``.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and UMAP's, about their own future
        from umap import UMAP

        plane: Any = UMAP(random_state=0, n_jobs=1).fit_transform(vectors)
    axes, save = _axes("", "")
    named = np.array(classes)
    for name in sorted(set(classes)):
        chosen = named == name
        axes.scatter(plane[chosen, 0], plane[chosen, 1], s=4, label=f"{name} ({chosen.sum()})")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(fontsize=7, markerscale=3)
    axes.set_title("Record vectors, UMAP", fontsize=9)
    path: Path = save(folder / "umap.png")
    return path


def draw_features(
    features: npt.NDArray[np.float32],
    names: Sequence[str],
    scores: npt.NDArray[np.float64],
    classes: Sequence[str],
    folder: Path,
) -> tuple[Path, dict[str, list[tuple[str, float]]]]:
    """Explain the head's scores by measured features: Shapley values of boosted trees.

    Parameters
    ----------
    features : np.ndarray, shape (n_records, n_features)
        Measured; NaN where unknown.
    names : sequence of str
        Of the features.
    scores : np.ndarray, shape (n_records, n_classes)
        Of the head, which the trees learn to imitate.
    classes : sequence of str
        Of the scores.
    folder : Path
        Where to.

    Returns
    -------
    path : Path
        ``shap.png``.
    ranked : dict of str to list of (str, float)
        The features that move each class most, with the mean size of their Shapley values.
    """
    import matplotlib
    import shap
    from sklearn.ensemble import HistGradientBoostingRegressor

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ranked: dict[str, list[tuple[str, float]]] = {}
    for k, name in enumerate(classes):
        trees = HistGradientBoostingRegressor(max_iter=60, max_depth=4, random_state=0)
        trees.fit(features, scores[:, k])
        values = np.abs(shap.TreeExplainer(trees).shap_values(features)).mean(0)
        best = np.argsort(-values)[:SHOWN_FEATURES]
        ranked[name] = [(names[j], float(values[j])) for j in best]
    figure, axes = pyplot.subplots(1, len(classes), figsize=(3.2 * len(classes), 3.2))
    for axis, (name, rows) in zip(np.atleast_1d(axes), ranked.items(), strict=True):
        axis.barh([feature for feature, _ in rows][::-1], [size for _, size in rows][::-1])
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=6)
    figure.tight_layout()
    path = folder / "shap.png"
    figure.savefig(path, dpi=_DPI)
    pyplot.close(figure)
    return path, ranked


def _axes(x: str, y: str) -> tuple[Any, Any]:
    """Open a picture; give its axes and what saves it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=_SIZE)
    axes.set_xlabel(x)
    axes.set_ylabel(y)

    def save(path: Path) -> Path:
        figure.tight_layout()
        figure.savefig(path, dpi=_DPI)
        pyplot.close(figure)
        return path

    return axes, save
