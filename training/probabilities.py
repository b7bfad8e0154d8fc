"""Fit the probabilities of findings, and the thresholds from which they are stated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.inference import sigmoid
from ecg_llm.probabilities import EDGE, CodeModel, ProbabilityModel

if TYPE_CHECKING:
    from ecg_llm.training.analysed import Analysed

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ProbabilityRecipe:
    """How the probabilities are fitted."""

    prior: float = 1.0
    """Strength with which a code's weights are held to those of all codes together."""
    least_positives: int = 10
    """A code with fewer keeps the common threshold."""
    reach: float = 0.35
    """How far a code's threshold may lie from the common one, as a share of it."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What is known of one code over many records.

    Attributes
    ----------
    code : str
        Finding code.
    score : np.ndarray, shape (n,)
        Of the head, from an encoder that had not seen the record.
    status : np.ndarray of str, shape (n,)
        Of the criterion: present, absent or unknown; empty where no criterion exists.
    truth : np.ndarray, shape (n,)
        1 or 0 by PTB-XL; NaN where it does not tell.
    """

    code: str
    score: FloatArray
    status: npt.NDArray[np.str_]
    truth: FloatArray

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Judged:
        """Keep some records."""
        return Judged(self.code, self.score[chosen], self.status[chosen], self.truth[chosen])

    def features(self, *, criterion: bool) -> FloatArray:
        """Give log odds of the head, 1, and whether the criterion is met or unknown."""
        p = np.clip(self.score, EDGE, 1 - EDGE)
        columns = [np.log(p / (1 - p)), np.ones(len(p))]
        if criterion:
            columns += [(self.status == "present") * 1.0, (self.status == "unknown") * 1.0]
        return np.stack(columns, axis=1)


def _fit(
    judged: Sequence[Judged],
    folds: npt.NDArray[np.intp],
    recipe: ProbabilityRecipe | None = None,
    card: dict[str, Any] | None = None,
) -> tuple[ProbabilityModel, dict[str, FloatArray]]:
    """Fit probabilities on all records, and thresholds on probabilities for records left out.

    One `Judged` a code, over the same records; all records of one patient lie in one fold. Gives
    also each record's probability of each code, from a fit without its fold.
    """
    recipe = recipe or ProbabilityRecipe()
    left_out = {item.code: np.full(len(folds), np.nan) for item in judged}
    for fold in np.unique(folds):
        inside = folds != fold
        weights = _weights([item.rows(inside) for item in judged], recipe)
        for item, (both, _) in zip(judged, weights, strict=True):
            rest = item.rows(~inside)
            left_out[item.code][~inside] = _probability(rest, both)
    truth = {item.code: item.truth for item in judged}
    common, goal = _common_threshold(left_out, truth)
    models = {}
    for item, (both, alone) in zip(judged, _weights(judged, recipe), strict=True):
        limit = _code_threshold(left_out[item.code], item.truth, common, goal, recipe)
        models[item.code] = CodeModel(
            slope=both[0],
            constant=both[1],
            present=both[2],
            unknown=both[3],
            alone_slope=alone[0],
            alone_constant=alone[1],
            threshold=limit,
        )
    return ProbabilityModel(codes=models, card=card or {}), left_out


def _weights(
    judged: Sequence[Judged], recipe: ProbabilityRecipe
) -> list[tuple[FloatArray, FloatArray]]:
    """Fit all codes together, then each of them held to what is common."""
    out: list[list[FloatArray]] = [[] for _ in judged]
    for criterion in (True, False):
        rows = [(item.features(criterion=criterion), item.truth) for item in judged]
        start = np.array([1.0, 0.0, 1.0, 0.0] if criterion else [1.0, 0.0])
        shared = _logistic(
            np.concatenate([x for x, _ in rows]), np.concatenate([y for _, y in rows]), start, 1.0
        )
        for weights, (x, y) in zip(out, rows, strict=True):
            weights.append(_logistic(x, y, shared, recipe.prior))
    return [(both, alone) for both, alone in out]


def _logistic(x: FloatArray, y: FloatArray, start: FloatArray, prior: float) -> FloatArray:
    """Fit a logistic model whose weights are held to a start; Newton's method."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    w = start.copy()
    for _ in range(30):
        p = sigmoid(x @ w)
        gradient = x.T @ (p - y) + prior * (w - start)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + prior * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        w = w - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    w[0] = max(w[0], 0.05)  # a higher score never lowers a probability
    return w


def _probability(item: Judged, weights: FloatArray) -> FloatArray:
    return sigmoid(item.features(criterion=len(weights) > 2) @ weights)


def _common_threshold(
    probability: dict[str, FloatArray], truth: dict[str, FloatArray]
) -> tuple[float, float]:
    """Find the threshold at which all codes together have the best F1; gives both."""
    p = np.concatenate([probability[code] for code in truth])
    y = np.concatenate(list(truth.values()))
    known = np.isfinite(y)
    p, y = p[known], y[known]
    grid = np.arange(0.10, 0.71, 0.01)
    f1 = [2 * y[p >= t].sum() / (y.sum() + (p >= t).sum()) for t in grid]
    best = int(np.argmax(f1))
    return float(grid[best]), float(f1[best])


def _code_threshold(
    probability: FloatArray,
    truth: FloatArray,
    common: float,
    goal: float,
    recipe: ProbabilityRecipe,
) -> float:
    """Move the common threshold for one code, if that raises the F1 of all.

    F1 over all codes rises with a code's true positives less half of the F1 reached for each time
    it is stated, so that each code can be decided by itself.
    """
    known = np.isfinite(truth)
    p, y = probability[known], truth[known]
    if y.sum() < recipe.least_positives:
        return round(common, 2)
    low, high = common * (1 - recipe.reach), common * (1 + recipe.reach)
    grid = np.array([common, *np.arange(low, high, 0.01)])
    gain = [y[p >= t].sum() - goal / 2 * (p >= t).sum() for t in grid]
    return round(float(grid[int(np.argmax(gain))]), 2)


def _judged_codes(items: Sequence[Analysed], scores: Sequence[Mapping[str, float]]) -> list[Judged]:
    """Put head, criterion and truth of every code that the head knows beside each other."""
    from ecg_llm.eval.findings import truth
    from ecg_llm.findings.codes import ENCODER_STATEMENTS, STATEMENTS
    from ecg_llm.probabilities import head_score

    out = []
    for code in (*STATEMENTS, *ENCODER_STATEMENTS):
        score = [head_score(code, row) for row in scores]
        if not score or score[0] is None:
            continue
        known = [truth(item.scp, code) for item in items]
        out.append(
            Judged(
                code,
                np.array(score, np.float64),
                np.array([item.status.get(code, "") for item in items]),
                np.array([np.nan if value is None else float(value) for value in known]),
            )
        )
    return out


def _check_head(folder: Path, folds: Sequence[int]) -> None:
    """Refuse a head whose committee has learnt from the folds of the fit."""
    card = folder / "signal_head.json"
    try:
        blind = json.loads(card.read_text(encoding="utf-8"))["recipe"]["join_folds"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{card}: no card of a trained head ({error}).") from error
    if seen := sorted(set(folds) - set(blind)):
        raise ConfigError(
            f"{folder}: blind_head.npz there has learnt from folds {seen}; it is blind to {blind}."
        )


def train_probabilities(
    data: Path,
    out: Path,
    *,
    blind: Path,
    head: Path,
    folds: Sequence[int] = (7, 8),
    recipe: ProbabilityRecipe | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Fit the probabilities of findings on records that the encoder has not seen.

    Parameters
    ----------
    blind : Path
        Folder of an encoder that was trained as the bundled one is, but without ``folds``.
    head : Path
        Folder that `train head` wrote with that encoder as the blind one: it holds
        ``blind_head.npz``.
    folds : sequence of int
        Stratified folds that the fit uses.

    Returns
    -------
    dict of str to float
        Figures for records left out of the fit.

    Raises
    ------
    ConfigError
        If encoder or head have learnt from ``folds``.

    Notes
    -----
    A head has learnt its training folds nearly by heart, so its scores there say nothing of how far
    it can be trusted. Each record's probability, and from these the thresholds, come from fits
    without the record's patient; but how the head joins its two readers was fitted on all of them.
    """
    from ecg_llm.encode import encode
    from ecg_llm.eval.auc import calibration
    from ecg_llm.head import Head
    from ecg_llm.training.analysed import analyse_ptbxl
    from ecg_llm.training.store import check_blind

    recipe = recipe or ProbabilityRecipe()
    check_blind(blind, folds)
    _check_head(head, folds)
    items = analyse_ptbxl(data, folds, progress)
    records = [item.record for item in items]
    vectors = encode(records, weights=blind / "signal_encoder.onnx").vector
    reader = Head.load(head / "blind_head.npz")
    rows = np.stack([item.features for item in items])
    table = reader.probabilities(vectors, rows, np.ones(len(items), bool))
    names = reader.columns.tolist()
    scores = [dict(zip(names, map(float, row), strict=True)) for row in table]
    judged = _judged_codes(items, scores)
    patients = {patient: k % 5 for k, patient in enumerate(sorted({i.patient for i in items}))}
    groups = np.array([patients[item.patient] for item in items])
    model, left_out = _fit(judged, groups, recipe)
    truth = np.stack([item.truth for item in judged], axis=1)
    p = np.stack([left_out[item.code] for item in judged], axis=1)
    limits = np.array([model.codes[item.code].threshold for item in judged])
    status = np.stack([item.status for item in judged], axis=1)
    figures = {
        "ECE": calibration(truth.ravel(), p.ravel())[0],
        "micro-F1, head and criterion": _micro_f1(truth, p >= limits),
        "micro-F1, criterion alone": _micro_f1(truth, status == "present"),
        "common threshold": _common_threshold(left_out, {i.code: i.truth for i in judged})[0],
    }
    card = {
        "name": "probabilities of findings",
        "data": f"PTB-XL v1.0.3 (CC BY 4.0), folds {', '.join(map(str, folds))}",
        "command": "ecgllm train probabilities",
        "recipe": asdict(recipe),
        "n_records": len(items),
        "figures": {name: round(value, 4) for name, value in figures.items()},
        "judged": "scores by an encoder and a committee that had not seen these folds, joined as "
        "was fitted on them; figures for records left out of this fit, by patient, five-fold; "
        "thresholds chosen on the same",
        "licence": "Apache-2.0; fitted on PTB-XL v1.0.3 (CC BY 4.0)",
        "limits": "Research use; not a medical device. Calibrated for the frequencies of one "
        "German centre, 1984 to 2001; statements of fewer than ten records share one threshold.",
    }
    out.mkdir(parents=True, exist_ok=True)
    ProbabilityModel(codes=model.codes, card=card).save(out / "probabilities.json")
    return figures


def _micro_f1(truth: FloatArray, said: npt.NDArray[np.bool_]) -> float:
    """Give F1 over all codes together, shape (n_records, n_codes); truth is NaN where not known."""
    known = np.isfinite(truth)
    true = truth[known] > 0.5
    stated = said[known]
    return float(2 * (true & stated).sum() / max(true.sum() + stated.sum(), 1))
