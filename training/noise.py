"""Fit the kinds of noise to the annotators' remarks in PTB-XL and to ECG-QA's questions on them."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError, ECGError
from ecg_llm.leads import STANDARD_12
from ecg_llm.noise import (
    KINDS,
    Forest,
    Noise,
    NoiseModel,
    measure_noise,
    save_noise_model,
)
from ecg_llm.qa_items import ptbxl_files, read_items
from ecg_llm.qa_question import NOISES, read_qa

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

FloatArray = npt.NDArray[np.float32]

COLUMNS = {
    "baseline drift": "baseline_drift",
    "static noise": "static_noise",
    "burst noise": "burst_noise",
    "electrodes problems": "electrodes_problems",
}
GROUPS = ((1, 2, 3, 4), (5, 6, 7, 8))
"""Folds left out together to choose the limit."""
VALIDATION_FOLD = 9
_UPPER = [lead.upper() for lead in STANDARD_12]
_RANGE = re.compile(r"(AV[RLF]|V\d|I{1,3}|\d)(?:-(AV[RLF]|V\d|I{1,3}|\d))?")


@dataclass(frozen=True)
class NoiseRecipe:
    """How the trees are grown."""

    trees: int = 100
    """Trees."""
    smallest_leaf: int = 4
    """Rows a leaf must hold."""
    share: float = 0.15
    """Share of the columns each split may choose from."""
    negatives: float = 1.5
    """Rows without a kind of noise for each row with it."""
    asked_weight: float = 2.0
    """Weight of ECG-QA's questions beside the remarks."""


@dataclass(frozen=True)
class Row:
    """One lead of one record, and whether a kind of noise was remarked there."""

    ecg_id: int
    kind: str
    lead: str | None
    there: bool
    fold: int
    weight: float = 1.0


def remarked_leads(remark: str) -> set[str]:
    """Read the leads of a remark such as ``, I-AVR,``.

    Parameters
    ----------
    remark : str
        A cell of PTB-XL's noise columns.

    Returns
    -------
    set of str
        All leads for ``alles``; empty if it names none.

    Examples
    --------
    >>> sorted(remarked_leads(" , V2,3,  "))
    ['V2', 'V3']
    """
    text = remark.upper().replace(" ", "").replace("?", "")
    if "ALL" in text:
        return set(STANDARD_12)
    out: set[str] = set()
    for part in re.split(r"[,.;/]", text):
        found = _RANGE.match(part)
        if not found:
            continue
        ends = [f"V{end}" if end.isdigit() else end for end in found.groups() if end]
        if all(end in _UPPER for end in ends):
            places = sorted(_UPPER.index(end) for end in ends)
            out |= set(STANDARD_12[places[0] : places[-1] + 1])
    return out


def remark_rows(table: Sequence[dict[str, str]], recipe: NoiseRecipe, seed: int) -> list[Row]:
    """Turn remarks into rows: all leads with noise, and a draw of those without.

    Parameters
    ----------
    table : sequence of dict
        Rows of ``ptbxl_database.csv`` whose remarks are known.
    recipe : NoiseRecipe
        How many without.
    seed : int
        Of the draw.

    Returns
    -------
    list of Row
    """
    rng = np.random.default_rng(seed)
    rows: dict[tuple[str, bool, bool, bool], list[Row]] = {}
    for cells in table:
        key, fold = int(float(cells["ecg_id"])), int(cells["strat_fold"])
        by_kind = {kind: remarked_leads(cells[column]) for kind, column in COLUMNS.items()}
        by_kind["any"] = set().union(*by_kind.values())
        noisy = bool(by_kind["any"])
        for kind in KINDS:
            for lead in (None, *STANDARD_12):
                if (kind == "any" and lead is None) or (kind == "baseline drift" and lead):
                    continue
                there = lead in by_kind[kind] if lead else bool(cells[COLUMNS[kind]].strip(" ,"))
                row = Row(key, kind, lead, there, fold)
                rows.setdefault((kind, lead is None, there, noisy), []).append(row)
    kept: list[Row] = []
    for (kind, whole, there, _), group in rows.items():
        if there:
            kept += group
            continue
        n_there = len(rows.get((kind, whole, True, True), ()))
        chosen = rng.permutation(len(group))[: int(recipe.negatives * n_there)]
        kept += [group[k] for k in chosen]
    return kept


def asked_rows(items: Path, folds: dict[int, int], weight: float) -> list[Row]:
    """Turn ECG-QA's questions on noise into rows, each once.

    Parameters
    ----------
    items : Path
        The set of questions.
    folds : dict of int to int
        Folds of the records at hand.
    weight : float
        Weight of each row.

    Returns
    -------
    list of Row
    """
    rows: dict[tuple[int, str, str | None], Row] = {}
    for item in read_items(items):
        asked = read_qa(item.question, len(item.ecg_ids))
        key = item.ecg_ids[0]
        fits = len(item.ecg_ids) == 1 and asked.form == "verify" and asked.about == "noise"
        if not fits or key not in folds or not item.truth:
            continue
        kind = "any" if len(asked.terms) == len(NOISES) else asked.terms[0]
        there = item.truth == ("yes",)
        rows[key, kind, asked.lead] = Row(key, kind, asked.lead, there, folds[key], weight)
    return list(rows.values())


def train(
    data: Path,
    items: Path,
    out: Path,
    *,
    recipe: NoiseRecipe | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Fit the model on folds 1 to 8 and write it.

    Parameters
    ----------
    data : Path
        PTB-XL folder.
    items : Path
        ECG-QA's single-verify questions.
    out : Path
        An ``.npz``; a card is written beside it.
    recipe : NoiseRecipe, optional
        How.
    seed : int
        Of every random choice.
    progress : callable, optional
        Called with records read and in all.

    Returns
    -------
    dict
        The card: agreement on questions of the folds left out in turn, and of fold 9.

    Notes
    -----
    The limit is one for all kinds, chosen on the questions of folds 1 to 8, each judged by trees
    that did not see its folds, so that accuracy and balanced accuracy both are high.
    """
    import json

    recipe = recipe or NoiseRecipe()
    with (data / "ptbxl_database.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    folds = {int(float(cells["ecg_id"])): int(cells["strat_fold"]) for cells in table}
    known = [cells for cells in table if cells.get("row_source", "official") == "official"]
    asked = asked_rows(items, folds, recipe.asked_weight)
    rows = [*remark_rows(known, recipe, seed), *asked]
    noise = _measured(data, {row.ecg_id for row in rows}, progress)
    rows = [row for row in rows if row.ecg_id in noise]
    asked = [row for row in asked if row.ecg_id in noise]
    if not asked:
        raise ConfigError(f"{items}: no question on noise is about a record of {data}.")
    x, x_asked = _inputs(rows, noise), _inputs(asked, noise)
    y = np.array([row.there for row in rows])
    fold = np.array([row.fold for row in rows])
    weight = np.array([row.weight for row in rows])
    truth = np.array([row.there for row in asked])
    fold_asked = np.array([row.fold for row in asked])
    p = np.zeros(len(asked))
    for group in (*GROUPS, (VALIDATION_FOLD,)):
        seen = ~np.isin(fold, (*group, VALIDATION_FOLD))
        model = _grown(x[seen], y[seen], weight[seen], recipe, seed)
        held = np.isin(fold_asked, group)
        if held.any():
            p[held] = model.predict_proba(x_asked[held])[:, 1]
    tuned = fold_asked != VALIDATION_FOLD
    limit = max(np.arange(0.2, 0.6, 0.02), key=lambda c: _worth(truth[tuned], p[tuned] >= c))
    final = noise_forest(model)  # the last group left out fold 9 alone
    save_noise_model(NoiseModel(forest=final, limits=dict.fromkeys(KINDS, float(limit))), out)
    card = {
        "what": "kinds of noise by lead, a forest of random trees",
        "data": "PTB-XL 1.0.3 remarks (CC BY 4.0) and ECG-QA (CC BY 4.0), folds 1 to 8",
        "command": "ecgllm train noise --data PTBXL_DIR --items ITEMS --out signal_noise.npz",
        "limits": "annotators' remarks are coarse ranges of leads; hum is gone at 100 Hz",
        "rows": len(rows),
        "seed": seed,
        "limit": round(float(limit), 2),
        "questions, folds 1 to 8 left out in turn": _agreement(truth[tuned], p[tuned] >= limit),
        "questions, fold 9": _agreement(truth[~tuned], p[~tuned] >= limit),
    }
    out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def _worth(truth: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    """Value exact and balanced agreement, each against its aim."""
    return min(float((truth == said).mean()) / 0.80, _balanced(truth, said) / 0.72)


def _balanced(truth: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def _agreement(truth: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "n": len(truth),
        "exact": round(float((truth == said).mean()), 4),
        "balanced": round(_balanced(truth, said), 4),
        "majority": round(float(max(truth.mean(), 1 - truth.mean())), 4),
    }


def _measured(
    data: Path, wanted: set[int], progress: Callable[[int, int], None] | None
) -> dict[int, Noise]:
    """Measure the noise of records."""
    from ecg_llm.io import read_record

    files = {key: file for key, file in ptbxl_files(data).items() if key in wanted}
    out = {}
    for done, (key, file) in enumerate(files.items(), start=1):
        try:
            out[key] = measure_noise(read_record(file.path))
        except ECGError:
            continue
        if progress:
            progress(done, len(files))
    return out


def _inputs(rows: Sequence[Row], noise: dict[int, Noise]) -> FloatArray:
    return np.stack([noise[row.ecg_id].row(row.kind, row.lead) for row in rows])


def _grown(
    x: FloatArray,
    y: npt.NDArray[np.bool_],
    weight: npt.NDArray[np.float64],
    recipe: NoiseRecipe,
    seed: int,
) -> ExtraTreesClassifier:
    """Grow the trees."""
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(
        recipe.trees,
        min_samples_leaf=recipe.smallest_leaf,
        max_features=recipe.share,
        random_state=seed,
        n_jobs=1,
    )
    return model.fit(x, y, sample_weight=weight)


def noise_forest(model: ExtraTreesClassifier) -> Forest:
    """Read the trees out of a fitted model as plain arrays.

    Parameters
    ----------
    model : ExtraTreesClassifier
        Fitted, for two classes.

    Returns
    -------
    Forest
    """
    grown = [one.tree_ for one in model.estimators_]
    sizes = [tree.node_count for tree in grown]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    feature, threshold, left, right, value = [], [], [], [], []
    for root, tree in zip(roots, grown, strict=True):
        leaf = tree.children_left < 0
        own = np.arange(tree.node_count)
        feature.append(np.where(leaf, 0, tree.feature).astype(np.int16))
        threshold.append(np.where(leaf, np.inf, tree.threshold).astype(np.float32))
        left.append((root + np.where(leaf, own, tree.children_left)).astype(np.int32))
        right.append((root + np.where(leaf, own, tree.children_right)).astype(np.int32))
        counts = tree.value[:, 0, :]
        value.append((counts[:, 1] / counts.sum(axis=1)).astype(np.float16))
    return Forest(
        feature=np.concatenate(feature),
        threshold=np.concatenate(threshold),
        left=np.concatenate(left),
        right=np.concatenate(right),
        value=np.concatenate(value),
        roots=roots,
        depth=max(tree.max_depth for tree in grown),
    )
