"""Compare the quality gate with experts' marks, every record judged by trees that never saw it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_llm.eval.patients import wilson
from ecg_llm.eval.result import Result
from ecg_llm.quality import ACCEPT_FROM
from ecg_llm.quality.model import bundled_model
from ecg_llm.training.quality_gate import GateConfig, MarkedRecords, fit_gate, measure_marked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDS = 10


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How often the gate says what the experts said.

    Attributes
    ----------
    agreement, agreement_low, agreement_high : float
        Share of records judged alike, with Wilson's 95 % interval.
    sensitivity : float
        Share of the unacceptable records that were refused.
    specificity : float
        Share of the acceptable records that were accepted.
    n_acceptable, n_unacceptable : int
        Records by the experts' mark.
    """

    agreement: float
    agreement_low: float
    agreement_high: float
    sensitivity: float
    specificity: float
    n_acceptable: int
    n_unacceptable: int

    @classmethod
    def of(cls, said: npt.NDArray[np.bool_], experts: npt.NDArray[np.bool_]) -> Agreement:
        """Count over records what the gate and the experts said: whether each is acceptable."""
        low, high = _limits(int(np.sum(said == experts)), len(experts))
        return cls(
            agreement=float(np.mean(said == experts)),
            agreement_low=low,
            agreement_high=high,
            sensitivity=float(np.mean(~said[~experts])) if not experts.all() else float("nan"),
            specificity=float(np.mean(said[experts])) if experts.any() else float("nan"),
            n_acceptable=int(experts.sum()),
            n_unacceptable=int((~experts).sum()),
        )


@dataclass(frozen=True, kw_only=True)
class QualityEvaluation(Result):
    """Agreement of the quality gate with the marks of the PhysioNet/CinC 2011 challenge.

    Attributes
    ----------
    cross_validated : Agreement
        Mean of the repetitions; every record judged by trees fitted without it.
    spread : float
        Standard deviation of the agreement over the repetitions.
    repetitions, folds : int
        How often the records were dealt anew, and into how many parts.
    bundled : Agreement
        The trees that ship with the package. They may have been fitted on these very records:
        where they were, this is no measure of how they do on others.
    disagreements : tuple of (str, str)
        Record and the experts' mark, where most repetitions differ from it.
    """

    cross_validated: Agreement
    spread: float
    repetitions: int
    folds: int
    bundled: Agreement
    disagreements: tuple[tuple[str, str], ...]

    def render(self) -> str:
        """Give the result as text."""
        title = f"cross-validated ({self.repetitions} x {self.folds} folds)"
        lines = [
            "Quality gate against the marks of the PhysioNet/CinC 2011 challenge "
            f"({self.cross_validated.n_acceptable} acceptable, "
            f"{self.cross_validated.n_unacceptable} unacceptable)",
            "",
            f"{'':40}{'agreement':>10}  {'95 % CI':^15}{'refused, of':>14}{'accepted, of':>14}",
            f"{'':40}{'':>10}  {'':^15}{'unacceptable':>14}{'acceptable':>14}",
        ]
        for name, found in ((title, self.cross_validated), ("bundled trees *", self.bundled)):
            interval = f"{found.agreement_low:.1%}-{found.agreement_high:.1%}"
            lines.append(
                f"{name:40}{found.agreement:>10.1%}  {interval:^15}"
                f"{found.sensitivity:>14.1%}{found.specificity:>14.1%}"
            )
        lines += [
            "",
            f"Standard deviation over the repetitions: {self.spread:.2%}.",
            "* Resubstitution where these are the records the trees were fitted on "
            "(challenge set A): not an estimate for other records.",
        ]
        return "\n".join(lines)


def evaluate(
    data: Path,
    *,
    seed: int = 0,
    repetitions: int = 3,
    config: GateConfig = GateConfig(),  # noqa: B008 - frozen
    progress: Callable[[int, int], None] | None = None,
) -> QualityEvaluation:
    """Compare the gate with experts' marks.

    Parameters
    ----------
    data : Path
        Folder with WFDB records and ``quality.csv`` (columns ``record``, ``quality``).
    seed : int
        Of the dealing into folds and of the trees.
    repetitions : int
        How often the records are dealt anew.
    config : GateConfig
        How the trees are grown; the shipped ones are grown with the default.
    progress : callable, optional
        Called with steps done and steps in all: one a record read, one a fit.

    Raises
    ------
    ConfigError
        If the folder holds no marks.

    Notes
    -----
    Trees are fitted on nine tenths of the records and judge the tenth,
    with the limit the product uses (0.5): nothing is chosen on the judged records.
    """
    fits = repetitions * FOLDS

    def reading(done: int, n: int) -> None:
        if progress:
            progress(done, n + fits)

    marked = measure_marked(data, reading)
    n = len(marked.names)
    votes = np.zeros((repetitions, n), dtype=np.bool_)
    for repetition in range(repetitions):
        fold = _deal(marked.acceptable, seed + repetition)
        for k in range(FOLDS):
            held = fold == k
            trees = fit_gate(marked.features[~held], marked.acceptable[~held], seed, config)
            votes[repetition, held] = [
                trees.probability(row) >= ACCEPT_FROM for row in marked.features[held]
            ]
            if progress:
                progress(n + repetition * FOLDS + k + 1, n + fits)
    return _summary(marked, votes)


def _summary(marked: MarkedRecords, votes: npt.NDArray[np.bool_]) -> QualityEvaluation:
    """Pool the repetitions; the interval is that of one judgement a record."""
    experts = marked.acceptable
    each = [Agreement.of(vote, experts) for vote in votes]
    agreement = float(np.mean([one.agreement for one in each]))
    low, high = _limits(round(agreement * len(experts)), len(experts))
    pooled = replace(
        each[0],
        agreement=agreement,
        agreement_low=low,
        agreement_high=high,
        sensitivity=float(np.mean([one.sensitivity for one in each])),
        specificity=float(np.mean([one.specificity for one in each])),
    )
    gate = bundled_model().gate
    shipped = np.array([gate.probability(row) >= ACCEPT_FROM for row in marked.features])
    differs = (votes != experts).mean(axis=0) > 0.5
    return QualityEvaluation(
        cross_validated=pooled,
        spread=float(np.std([one.agreement for one in each])),
        repetitions=len(votes),
        folds=FOLDS,
        bundled=Agreement.of(shipped, experts),
        disagreements=tuple(
            (name, "acceptable" if mark else "unacceptable")
            for name, mark, off in zip(marked.names, experts, differs, strict=True)
            if off
        ),
    )


def _deal(marks: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.intp]:
    """Deal records into folds, 0 to 9, each of the experts' marks spread evenly."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(marks), dtype=np.intp)
    for mark in (False, True):
        at = np.flatnonzero(marks == mark)
        fold[at] = rng.permutation(len(at)) % FOLDS
    return fold


def _limits(hits: int, n: int) -> tuple[float, float]:
    """Give the 95 % limits of a share of at least one record."""
    interval = wilson(hits, n)
    assert interval is not None
    return interval[1:]
