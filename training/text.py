"""Align texts with records: statements in many wordings beside the encoder's record vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.eval.encoder import truth_of
from ecg_llm.knowledge import Concept, concepts
from ecg_llm.ptbxl import TRAINING_FOLDS, VALIDATION_FOLD
from ecg_llm.training.text_signs import SIGNS

if TYPE_CHECKING:
    import torch

    from ecg_llm.cases import Cases
    from ecg_llm.encoders.text import TextTowerNet
    from ecg_llm.text import TextTower
    from ecg_llm.training.analysed import Analysed

FloatArray = npt.NDArray[np.float32]

TEMPLATES = (
    *("{}", "{}", "{}", "{}.", "ECG with {}", "the ECG shows {}", "signs of {}"),
    *("{} is present", "findings: {}", "consistent with {}", "an electrocardiogram of {}"),
)
"""What clinicians put around a statement."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class TextRecipe:
    """How texts are aligned with records."""

    steps: int = 1000
    """Steps, each with fresh wordings of every statement."""
    records: int = 512
    """Records of a step."""
    conclusions: int = 32
    """Conclusions of several statements, half of them as a reader wrote them."""
    rate: float = 2e-3
    """Highest learning rate; it falls to zero along a cosine."""
    decay: float = 0.02
    """Weight decay."""
    signs: int = 24
    """Signs of a step."""
    typing_errors: float = 0.3
    """Share of texts that get some."""
    average: float = 0.998
    """Of the weights that are kept, at each step."""
    seed: int = 0
    """Of every random choice."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Records with what is known of them.

    Attributes
    ----------
    vectors : np.ndarray, shape (n_records, D)
        From the signal encoder.
    concepts : np.ndarray, shape (n_records, n_concepts)
        1, 0, or NaN where it is not known; in the order of `ecg_llm.knowledge.concepts`.
    signs : np.ndarray, shape (n_records, n_signs)
        The same for `ecg_llm.training.text_signs.SIGNS`.
    reports : tuple of str
        As a reader wrote them; empty where there is none.
    """

    vectors: FloatArray
    concepts: FloatArray
    signs: FloatArray
    reports: tuple[str, ...]

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Aligned:
        """Keep some records."""
        reports = tuple(text for text, used in zip(self.reports, chosen, strict=True) if used)
        return Aligned(self.vectors[chosen], self.concepts[chosen], self.signs[chosen], reports)


def _train(
    data: Aligned,
    recipe: TextRecipe | None = None,
    *,
    withheld: Sequence[str] = (),
    on_step: Callable[[int, int, float], None] | None = None,
) -> TextTowerNet:
    """Train a text tower, and the way from record vectors to it; gives the average of the weights.

    No text of the training may name a withheld concept, to see what its description alone does.
    """
    import torch

    from ecg_llm.encoders.text import TextTowerConfig

    recipe = recipe or TextRecipe()
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    net = TextTowerConfig(record_width=data.vectors.shape[1]).build()
    net.record_mean.copy_(torch.from_numpy(data.vectors.mean(0)))
    net.record_scale.copy_(torch.from_numpy(data.vectors.std(0) + 1e-3))
    teller = _Teller(data, withheld, recipe, rng)
    vectors = torch.from_numpy(data.vectors)
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    for step in range(recipe.steps):
        rows = rng.choice(len(vectors), min(recipe.records, len(vectors)), replace=False)
        texts, truth = teller.tell(rows)
        loss = _alignment_loss(net(vectors[rows], texts), torch.from_numpy(truth))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        share = min(recipe.average, step / (step + 10))
        for name, value in net.state_dict().items():
            kept[name].lerp_(value, 1 - share) if value.is_floating_point() else None
        if on_step:
            on_step(step + 1, recipe.steps, float(loss.detach()))
    net.load_state_dict(kept)
    return net.eval()


def _alignment_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Hold every record against every text by the sigmoid loss; truth is NaN where not known.

    A text that divides the records evenly does not outweigh a rare one.
    """
    import torch
    from torch.nn import functional

    known = ~torch.isnan(truth)
    target = torch.where(known, truth, torch.zeros_like(truth))
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * known
    n = known.sum(0).clamp(min=1)
    share = target.sum(0) / n
    weight = 1 / (share * (1 - share) + 0.02).sqrt()
    weight = weight * (known.sum(0) > 0)
    return (each.sum(0) / n * weight).sum() / weight.sum().clamp(min=1e-6)


class _Teller:
    """Words what is known of records, anew at each step."""

    def __init__(
        self, data: Aligned, withheld: Sequence[str], recipe: TextRecipe, rng: np.random.Generator
    ) -> None:
        self.data, self.recipe, self.rng = data, recipe, rng
        every = tuple(concepts().values())
        self.used = [k for k, concept in enumerate(every) if concept.key not in withheld]
        self.every = every
        self.with_report = np.flatnonzero([bool(text) for text in data.reports])
        if withheld:  # a reader's own words would name it
            self.with_report = self.with_report[:0]

    def tell(self, rows: npt.NDArray[np.intp]) -> tuple[list[str], FloatArray]:
        """Give texts and what is true of each record."""
        concept_truth, sign_truth = self.data.concepts[rows], self.data.signs[rows]
        texts = [self.word(self.concept_text(self.every[k])) for k in self.used]
        shown = self.rng.permutation(len(SIGNS))[: self.recipe.signs]
        texts += [self.word(self.any_of(SIGNS[k].texts)) for k in shown]
        columns = [concept_truth[:, self.used], sign_truth[:, shown]]
        for number in range(self.recipe.conclusions):
            made = self.conclusion(reader=number % 2 == 0)
            if made is None:
                continue
            text, codes = made
            texts.append(self.word(text))
            columns.append(_all_true(concept_truth[:, codes])[:, None])
        return texts, np.concatenate(columns, axis=1).astype(np.float32)

    def concept_text(self, concept: Concept) -> str:
        """Name a concept, or describe it by its signs or some of them."""
        kind = self.rng.random()
        if kind < 0.6:
            return self.any_of(concept.names)
        signs = list(concept.signs)
        if len(signs) > 2 and self.rng.random() < 0.5:
            n = int(self.rng.integers((len(signs) + 1) // 2, len(signs)))
            signs = [signs[k] for k in sorted(self.rng.permutation(len(signs))[:n])]
        described = "; ".join(signs)
        return described if kind < 0.8 else f"{self.any_of(concept.names)}: {described}"

    def conclusion(self, *, reader: bool) -> tuple[str, list[int]] | None:
        """Join several statements of one record, in our words or in its reader's."""
        pool = self.with_report if reader else np.arange(len(self.data.vectors))
        if not len(pool):
            return None
        row = int(self.rng.choice(pool))
        true = [k for k in self.used if self.data.concepts[row, k] == 1 and self.every[k].codes]
        if not true:
            return None
        if reader:
            stated = [k for k in true if len(self.every[k].codes) == 1]
            return self.data.reports[row], stated or true
        chosen = self.rng.permutation(true)[: int(self.rng.integers(2, 5))]
        return ", ".join(self.any_of(self.every[k].names) for k in chosen), list(chosen)

    def any_of(self, texts: Sequence[str]) -> str:
        """Choose one."""
        return texts[int(self.rng.integers(len(texts)))]

    def word(self, text: str) -> str:
        """Put a template around a text, and mistype some letters at times."""
        text = self.any_of(TEMPLATES).format(text)
        if self.rng.random() < self.recipe.typing_errors:
            text = _mistyped(text, self.rng)
        return text


def _all_true(truth: FloatArray) -> FloatArray:
    """Whether all statements hold: false as soon as one does not, unknown if one is."""
    smallest: FloatArray = np.where(np.isnan(truth), 2, truth).min(1)
    unknown = np.isnan(truth).any(1) & (smallest > 0)
    return np.where(unknown, np.nan, smallest).astype(np.float32)


def _mistyped(text: str, rng: np.random.Generator) -> str:
    """Drop, double, swap or replace a letter about once in twelve."""
    letters = list(text)
    for _ in range(max(1, len(letters) // 12)):
        if len(letters) < 4:
            break
        k = int(rng.integers(1, len(letters) - 1))
        match int(rng.integers(4)):
            case 0:
                del letters[k]
            case 1:
                letters.insert(k, letters[k])
            case 2:
                letters[k], letters[k + 1] = letters[k + 1], letters[k]
            case _:
                letters[k] = _LETTERS[int(rng.integers(26))]
    return "".join(letters)


def _aligned(items: Sequence[Analysed], vectors: FloatArray) -> Aligned:
    """Put analysed records beside their vectors, shape (n_records, D)."""
    return Aligned(
        vectors=vectors,
        concepts=_concept_truth(items),
        signs=np.stack([item.signs for item in items]),
        reports=tuple(item.report for item in items),
    )


def _concept_truth(items: Sequence[Analysed]) -> FloatArray:
    """Say which concepts hold: by PTB-XL's statements, or by a criterion where it has none."""
    out = truth_of([item.scp for item in items], list(concepts())).astype(np.float32)
    by_status = {"present": 1.0, "absent": 0.0}
    for j, concept in enumerate(concepts().values()):
        if not concept.codes:
            status = [item.status.get(concept.key, "") for item in items]
            out[:, j] = [by_status.get(one, np.nan) for one in status]
    return out


def _nearest_cases(tower: TextTower, data: Aligned, names: Sequence[str], each: int = 3) -> Cases:
    """Choose real records that stand for the statements of PTB-XL.

    The records that bear a statement and lie nearest to the centres of such records, the centres
    found by k-means on the sphere.
    """
    from ecg_llm.cases import Cases
    from ecg_llm.knowledge import SCP

    keys = list(concepts())
    space = tower.records(data.vectors)
    single = [keys.index(code) for code in SCP]
    stated = data.concepts[:, single] == 1
    chosen: list[tuple[int, str]] = []
    for column, code in enumerate(SCP):
        rows = np.flatnonzero(stated[:, column])
        for row in _centres(space[rows], min(each, len(rows))):
            chosen.append((int(rows[row]), code))
    rows = np.array([row for row, _ in chosen])
    return Cases(
        names=tuple(names[int(row)] for row in rows),
        statements=tuple(
            tuple(code for code, held in zip(SCP, stated[row], strict=True) if held) for row in rows
        ),
        prototype_of=tuple(code for _, code in chosen),
        vectors=space[rows],
        made_from="PTB-XL folds 1 to 8",
    )


def _centres(points: FloatArray, k: int) -> list[int]:
    """Find the points nearest to the centres of k groups, each point once."""
    if k == 0:
        return []
    centres = points[np.linspace(0, len(points) - 1, k).astype(int)]
    for _ in range(20):
        group = (points @ centres.T).argmax(1)
        means = [points[group == j].mean(0) if (group == j).any() else centres[j] for j in range(k)]
        centres = np.stack([mean / max(float(np.linalg.norm(mean)), 1e-6) for mean in means])
    taken: list[int] = []
    for centre in centres:
        order = np.argsort(-(points @ centre))
        taken.append(next(int(row) for row in order if int(row) not in taken))
    return taken


def train_text(
    data: Path,
    out: Path,
    *,
    recipe: TextRecipe | None = None,
    withheld: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> dict[str, float]:
    """Train the text tower on PTB-XL's folds 1 to 8, choose prototypes, judge on fold 9.

    Parameters
    ----------
    out : Path
        Folder for ``text.npz``, its card and ``cases.npz``.
    withheld : sequence of str
        Concepts that no text of the training may name; nothing is written for shipping then.
    progress, on_step : callable, optional
        Called with records, and with steps and the loss.

    Returns
    -------
    dict of str to float
        Macro AUC of fold 9 by task; of withheld concepts, the AUC of each.

    Raises
    ------
    ConfigError
        If a withheld concept is not known, or there are no records to learn from or to judge on.
    """
    from ecg_llm.cases import PROTOTYPES
    from ecg_llm.encode import WEIGHTS as ENCODER
    from ecg_llm.encode import encode
    from ecg_llm.eval.auc import auc, macro
    from ecg_llm.training.analysed import analyse_ptbxl
    from ecg_llm.zero_shot import Labels, zero_shot_scores

    recipe = recipe or TextRecipe()
    if unknown := [key for key in withheld if key not in concepts()]:
        raise ConfigError(
            f"no statement is called {', '.join(unknown)}; there are {', '.join(concepts())}."
        )
    items = analyse_ptbxl(data, (*TRAINING_FOLDS, VALIDATION_FOLD), progress)
    train_rows = np.array([item.fold != VALIDATION_FOLD for item in items])
    if train_rows.all() or not train_rows.any():
        raise ConfigError(f"{data}: folds 1 to 8 train and 9 judges; records of both are needed.")
    whole = _aligned(items, encode([item.record for item in items]).vector)
    train_data = whole.rows(train_rows)
    net = _train(train_data, recipe, withheld=withheld, on_step=on_step)
    card = {
        "name": "text tower",
        "data": "PTB-XL v1.0.3 (CC BY 4.0), folds 1 to 8, with signs from this project's "
        "measurements; descriptions written for this project",
        "command": "ecgllm train text",
        "recipe": asdict(recipe),
        "n_records": int(train_rows.sum()),
        "n_concepts": len(concepts()),
        "encoder_sha256": hashlib.sha256(ENCODER.read_bytes()).hexdigest(),
        "limits": "English, and the German of PTB-XL's reports; statements as PTB-XL makes them.",
    }
    tower = net.tower(card)
    test = whole.rows(~train_rows)
    keys = list(concepts())
    figures: dict[str, float] = {}
    for task in ("ptbxl-super", "ptbxl-sub", "ptbxl-form", "ptbxl-rhythm", "ptbxl-all"):
        labels = Labels.of_task(task)
        scores = zero_shot_scores(test.vectors, labels, tower=tower)
        truth = test.concepts[:, [keys.index(str(key)) for key in labels.keys]]
        figures[task] = macro(auc, truth.astype(np.float64), scores.astype(np.float64))[0]
    for key in withheld:
        scores = zero_shot_scores(
            test.vectors, Labels.of_texts([concepts()[key].name]), tower=tower
        )
        value = auc(test.concepts[:, keys.index(key)], scores[:, 0])
        figures[f"withheld {key}"] = float("nan") if value is None else value
    if not withheld:
        card["figures"] = {
            f"zero-shot macro AUC, fold 9, {k}": round(v, 4) for k, v in figures.items()
        }
        out.mkdir(parents=True, exist_ok=True)
        tower.save(out / "text.npz")
        names = [item.record.name for item, used in zip(items, train_rows, strict=True) if used]
        _nearest_cases(tower, train_data, names).save(out / PROTOTYPES.name)
    return figures
