"""What fine-tuning with few labels makes of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_llm.eval.encoder import SHARES
from ecg_llm.eval.result import Result, markdown

if TYPE_CHECKING:
    from ecg_llm.training.pack import Pack


@dataclass(frozen=True, kw_only=True)
class FineTuned:
    """One share of the labels.

    Attributes
    ----------
    share : float
        Of the labelled training records.
    n_labels : int
        Records whose labels were used.
    figures : dict of str to float
        Macro AUCs on fold 9.
    """

    share: float
    n_labels: int
    figures: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class FineTuneResult(Result):
    """All shares.

    Attributes
    ----------
    start : str
        The encoder that was fine-tuned.
    steps : int
        Of each run.
    rows : tuple of FineTuned
        Fewest labels first.
    """

    start: str
    steps: int
    rows: tuple[FineTuned, ...]

    def render(self) -> str:
        """Write the table, in Markdown."""
        names = sorted({name for row in self.rows for name in row.figures})
        rows = []
        for row in self.rows:
            told = [f"{row.figures[name]:.3f}" if name in row.figures else "–" for name in names]
            rows.append((f"{row.share:.0%} ({row.n_labels})", *told))
        head = f"Fine-tuned from {self.start}, {self.steps} steps, judged on fold 9:"
        return f"{head}\n\n{markdown(('labels', *names), rows, names=0)}"


def evaluate(
    records: Pack,
    out: Path,
    *,
    start: str,
    steps: int,
    shares: Sequence[float] = SHARES,
    progress: Callable[[int, int], None] | None = None,
) -> FineTuneResult:
    """Fine-tune an encoder with some of the labels of folds 1 to 8.

    Parameters
    ----------
    start : str
        ``bundled``, the folder of an encoder, or empty for fresh weights. One that has seen no
        labels shows what its pretraining is worth.
    """
    import numpy as np

    from ecg_llm.training.encoder import train_stage
    from ecg_llm.training.recipe import load_recipe

    recipe = load_recipe("supervised", steps=steps, start=start)
    n_labelled = int((np.isin(records.fold, recipe.data.folds) & records.calibrated).sum())
    rows = []
    for done, share in enumerate(shares, start=1):
        few = 0 if share >= 1 else min(max(10, round(share * n_labelled)), n_labelled)
        shown = replace(recipe.data, few=few, shares={"ptbxl": 1.0})
        loop = replace(recipe.loop, judge_every=steps)
        logs = train_stage(
            replace(recipe, data=shown, loop=loop), records, out / f"share-{share:g}"
        )
        figures = {name: value for name, value in logs.items() if "AUC" in name}
        rows.append(FineTuned(share=share, n_labels=few or n_labelled, figures=figures))
        if progress:
            progress(done, len(shares))
    return FineTuneResult(start=start or "fresh weights", steps=steps, rows=tuple(rows))
