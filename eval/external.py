"""Zero-shot classification of other sources: the PhysioNet/CinC challenges 2020 and 2021."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg_llm.errors import ConfigError
from ecg_llm.eval.auc import auc, bootstrap, macro
from ecg_llm.eval.result import Result
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.knowledge import concepts

_MORE = {
    "59118001": "CRBBB",
    "164909002": "CLBBB",
    "164934002": "TAB_",
    "428750005": "st_t_changes",
    "164865005": "super:MI",
    "164867002": "super:MI",
    "233917008": "sub:_AVB",
    "164889003": "AFIB",
}
"""SNOMED CT concepts of the challenges that the criteria have no or several statements for."""


@dataclass(frozen=True, kw_only=True)
class ExternalResult(Result):
    """How words fare on another source.

    Attributes
    ----------
    n, n_refused : int
        Records, and those that the quality gate refuses.
    n_positive : dict of str to int
        By concept, those that can be judged.
    aucs : dict of str to float
        By concept.
    mean, low, high : float
        Macro AUC and its 95 % limits.
    """

    n: int
    n_refused: int
    n_positive: dict[str, int]
    aucs: dict[str, float]
    mean: float
    low: float
    high: float

    def render(self) -> str:
        """Write the figures as text."""
        lines = [
            f"{self.n} records ({self.n_refused} refused), zero-shot: macro AUC {self.mean:.3f} "
            f"({self.low:.3f}-{self.high:.3f}) over {len(self.aucs)} statements"
        ]
        lines += [
            f"  {concepts()[key].name}: {value:.3f} ({self.n_positive[key]} records)"
            for key, value in self.aucs.items()
        ]
        return "\n".join(lines)


def evaluate(data: Path) -> ExternalResult:
    """Classify the challenge records of a folder by words.

    Parameters
    ----------
    data : Path
        Headers with SNOMED CT codes behind ``#Dx:``.

    Returns
    -------
    ExternalResult

    Raises
    ------
    ConfigError
        If no header holds codes.
    """
    from ecg_llm.classify import classify
    from ecg_llm.io import read_record
    from ecg_llm.zero_shot import Labels

    found = {path: _concepts_of(path) for path in sorted(data.rglob("*.hea"))}
    coded = {path: held for path, held in found.items() if held is not None}
    if not coded:
        raise ConfigError(
            f"{data}: no header with '#Dx:' codes; give a folder of challenge records."
        )
    keys = sorted({key for held in coded.values() for key in held})
    labels = Labels.of_texts([concepts()[key].name for key in keys])
    results = classify([read_record(path) for path in coded], labels)
    kept = [k for k, result in enumerate(results) if result.refused is None]
    held_by = list(coded.values())
    truth = np.array([[float(key in held_by[k]) for key in keys] for k in kept])
    scores = np.array([list(results[k].scores.values()) for k in kept])
    each = {key: auc(truth[:, k], scores[:, k]) for k, key in enumerate(keys)}
    mean, _ = macro(auc, truth, scores)
    low, high = bootstrap(auc, truth, scores)
    return ExternalResult(
        n=len(coded),
        n_refused=len(coded) - len(kept),
        n_positive={key: int(truth[:, k].sum()) for k, key in enumerate(keys)},
        aucs={key: value for key, value in each.items() if value is not None},
        mean=mean,
        low=low,
        high=high,
    )


def _concepts_of(header: Path) -> set[str] | None:
    """Read what a header says of its record; None if it says nothing."""
    by_snomed: dict[str, str] = {}
    for row in STATEMENTS.values():
        if row.snomed and row.code in concepts():
            by_snomed.setdefault(row.snomed, row.code)
    by_snomed |= _MORE
    for line in header.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, codes = line.lstrip("# ").partition(":")
        if name.strip() == "Dx":
            given = (code.strip() for code in codes.split(","))
            return {by_snomed[code] for code in given if code in by_snomed}
    return None
