"""Exchange the electrodes of real tracings and see which exchanges are suspected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ecg_llm.eval.result import Result
from ecg_llm.ptbxl import VALIDATION_FOLD
from ecg_llm.quality.model import bundled_model
from ecg_llm.quality.reversal import name_exchange
from ecg_llm.training.quality_gate import SWAP_KINDS, exchange, ptbxl_beats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LEAK = 0.03
"""Standard deviation of what a lead between both legs still shows."""


@dataclass(frozen=True, kw_only=True)
class SwapEvaluation(Result):
    """Which exchanges are suspected, and how often without one.

    Attributes
    ----------
    n_records : int
        Records with repeating beats.
    false_alarms : float
        Share of the records as they are that raise a suspicion; some may be justly suspected.
    named : dict of str to float
        By kind, the share of the records exchanged so that are suspected of just that.
    noticed : dict of str to float
        By kind, the share that are suspected of anything.
    """

    n_records: int
    false_alarms: float
    named: dict[str, float]
    noticed: dict[str, float]

    def render(self) -> str:
        """Give the result as text."""
        lines = [
            f"Exchanged electrodes, {self.n_records} PTB-XL records that no fitting saw",
            f"Suspected as they are: {self.false_alarms:.1%}",
            f"{'exchange':20}{'named':>8}{'noticed':>9}",
        ]
        lines += [
            f"{kind:20}{share:>8.1%}{self.noticed[kind]:>9.1%}"
            for kind, share in self.named.items()
        ]
        return "\n".join(lines)


def evaluate(
    data: Path,
    *,
    folds: Iterable[int] = (VALIDATION_FOLD,),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SwapEvaluation:
    """Suspect exchanges that were computed on intact records.

    Parameters
    ----------
    folds : iterable of int
        Folds to judge; the bundled perceptrons were trained on 1 to 8.
    seed : int
        Of what a lead between both legs still shows.
    """
    templates, _ = ptbxl_beats(data, folds, progress)
    net = bundled_model().swaps
    rng = np.random.default_rng(seed)
    named, noticed = {}, {}
    for kind in SWAP_KINDS:
        found = [name_exchange(beat, net) for beat in exchange(templates, kind, LEAK, rng)]
        named[kind] = float(np.mean([one is not None and one[0] == kind for one in found]))
        noticed[kind] = float(np.mean([one is not None for one in found]))
    false_alarms = noticed.pop("none")
    del named["none"]
    return SwapEvaluation(
        n_records=len(templates), false_alarms=false_alarms, named=named, noticed=noticed
    )
