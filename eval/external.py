"""Zero-shot classification of other sources: the PhysioNet/CinC challenges 2020 and 2021."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.eval.auc import auc, bootstrap, macro
from ecg_llm.eval.result import Result
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.knowledge import concepts
from ecg_llm.record import ECGRecord

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
_AT_ONCE = 256
"""Records that are held in memory."""


@dataclass(frozen=True, kw_only=True)
class ExternalResult(Result):
    """How words fare on another source.

    Attributes
    ----------
    n, n_refused : int
        Records, and those that the quality gate refuses or that cannot be read.
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

    Raises
    ------
    ConfigError
        If no header holds codes, or no record can be judged.
    """
    from ecg_llm.classify import classify
    from ecg_llm.zero_shot import Labels

    by_snomed = _by_snomed()
    found = {path: _concepts_of(path, by_snomed) for path in sorted(data.rglob("*.hea"))}
    coded = {path: held for path, held in found.items() if held is not None}
    keys = sorted({key for held in coded.values() for key in held})
    if not keys:
        raise ConfigError(
            f"{data}: no header with '#Dx:' codes that are known; give a folder of challenge "
            "records."
        )
    labels = Labels.of_texts([concepts()[key].name for key in keys])
    held_by, scored = [], []
    left = iter(coded)
    while part := list(islice(left, _AT_ONCE)):
        read = [(path, record) for path in part if (record := _read(path)) is not None]
        for (path, _), one in zip(read, classify([r for _, r in read], labels), strict=True):
            if one.refused is None:
                held_by.append(coded[path])
                scored.append(list(one.scores.values()))
    if not scored:
        raise ConfigError(f"{data}: all {len(coded)} records are refused or cannot be read.")
    truth = np.array([[float(key in held) for key in keys] for held in held_by])
    scores = np.array(scored)
    each = {key: auc(truth[:, k], scores[:, k]) for k, key in enumerate(keys)}
    mean, _ = macro(auc, truth, scores)
    low, high = bootstrap(auc, truth, scores)
    return ExternalResult(
        n=len(coded),
        n_refused=len(coded) - len(scored),
        n_positive={key: int(truth[:, k].sum()) for k, key in enumerate(keys)},
        aucs={key: value for key, value in each.items() if value is not None},
        mean=mean,
        low=low,
        high=high,
    )


def _read(header: Path) -> ECGRecord | None:
    """Read a record; None if it cannot be."""
    from ecg_llm.io import read_record

    try:
        return read_record(header)
    except RecordError:
        return None


def _by_snomed() -> dict[str, str]:
    """Give our concept of each SNOMED CT code."""
    out: dict[str, str] = {}
    for row in STATEMENTS.values():
        if row.snomed and row.code in concepts():
            out.setdefault(row.snomed, row.code)
    return out | _MORE


def _concepts_of(header: Path, by_snomed: Mapping[str, str]) -> set[str] | None:
    """Read what a header says of its record; None if it says nothing."""
    for line in header.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, codes = line.lstrip("# ").partition(":")
        if name.strip() == "Dx":
            given = (code.strip() for code in codes.split(","))
            return {by_snomed[code] for code in given if code in by_snomed}
    return None
