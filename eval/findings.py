"""Hold the findings against PTB-XL's statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.eval.patients import Groups, effective, limits, patients_of, wilson
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.eval.result import Result, markdown
from ecg_llm.findings.finding import Finding
from ecg_llm.knowledge import SCP
from ecg_llm.ptbxl import statements_of
from ecg_llm.scp import INCLUDES
from ecg_llm.vocabulary import label

RHYTHM_CODES = ("SR", "STACH", "SBRAD", "SARRH", "AFIB", "AFLT", "SVTAC", "PSVT", "SVARR", "PACE")
"""A PTB-XL record without one of these says nothing of its rhythm and is left out there."""
Judged = tuple[dict[str, float], tuple[Finding, ...]]
"""PTB-XL's statements on a record, and our findings."""
MIN_LIKELIHOOD = 50.0
"""Diagnostic statements of a lower likelihood count neither for nor against."""


@dataclass(frozen=True, kw_only=True)
class StatementResult:
    """How one statement fared.

    Attributes
    ----------
    code : str
        Statement.
    n, n_positive : int
        Records judged by PTB-XL, and those with the statement.
    true_positive, false_positive, true_negative, false_negative : int
        An unknown counts as not present.
    unknown : int
        How many we left unknown.
    effective_positive, effective_negative, effective_stated : float
        Records with the statement, without it, and of which we state it, each patient's taken for
        alike (`ecg_llm.eval.patients.effective`): what the limits are from.
    """

    code: str
    n: int
    n_positive: int
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    unknown: int
    effective_positive: float
    effective_negative: float
    effective_stated: float

    @property
    def sensitivity(self) -> tuple[float, float, float] | None:
        """Sensitivity with its 95 % limits."""
        return wilson(self.true_positive, self.n_positive, self.effective_positive)

    @property
    def specificity(self) -> tuple[float, float, float] | None:
        """Specificity with its 95 % limits."""
        return wilson(self.true_negative, self.n - self.n_positive, self.effective_negative)

    @property
    def ppv(self) -> tuple[float, float, float] | None:
        """Positive predictive value with its 95 % limits."""
        stated = self.true_positive + self.false_positive
        return wilson(self.true_positive, stated, self.effective_stated)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of sensitivity and positive predictive value."""
        total = 2 * self.true_positive + self.false_positive + self.false_negative
        return 2 * self.true_positive / total if total else None

    def to_dict(self) -> dict[str, Any]:
        """Give counts and rates as plain JSON values."""
        rates = {name: getattr(self, name) for name in ("sensitivity", "specificity", "ppv", "f1")}
        return {**asdict(self), **rates}


@dataclass(frozen=True, kw_only=True)
class FindingsResult(Result):
    """The whole table.

    Attributes
    ----------
    fs : int, Hz
        Sampling rate of the records read.
    folds : tuple of int
        PTB-XL folds.
    n_records, n_failed : int
        Records read, and those that gave an error.
    statements : tuple of StatementResult
        Commonest first.
    by : {"criteria", "encoder", "both"}
        Who found.
    micro_f1, micro_f1_low, micro_f1_high : float
        F1 over all of PTB-XL's statements together, with 95 % limits by patients; what is never
        stated counts as missed.
    """

    fs: int
    folds: tuple[int, ...]
    n_records: int
    n_failed: int
    statements: tuple[StatementResult, ...]
    by: str = "criteria"
    micro_f1: float = 0.0
    micro_f1_low: float = 0.0
    micro_f1_high: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return {
            "fs": self.fs,
            "folds": list(self.folds),
            "n_records": self.n_records,
            "n_failed": self.n_failed,
            "by": self.by,
            "micro_f1": self.micro_f1,
            "micro_f1_limits": [self.micro_f1_low, self.micro_f1_high],
            "statements": [row.to_dict() for row in self.statements],
        }

    def render(self) -> str:
        """Write the table as text."""
        folds = ", ".join(str(fold) for fold in self.folds)
        head = f"PTB-XL, folds {folds}, {self.fs} Hz: {self.n_records} records, by {self.by}"
        if self.n_failed:
            head += f" ({self.n_failed} could not be read)"
        lines = [
            head,
            "Rates in % with 95 % Wilson limits, a patient's records taken for alike; unknown "
            "counts as not present.",
            f"All statements together: F1 {self.micro_f1:.3f} "
            f"({self.micro_f1_low:.3f}-{self.micro_f1_high:.3f})",
            "",
            f"{'statement':<10}{'n':>5}  {'sensitivity':<18}{'specificity':<18}"
            f"{'PPV':<18}{'F1':>5}{'unknown':>9}",
        ]
        for row in self.statements:
            f1 = f"{row.f1:.2f}" if row.f1 is not None else "-"
            lines.append(
                f"{row.code:<10}{row.n_positive:>5}  {_percent(row.sensitivity):<18}"
                f"{_percent(row.specificity):<18}{_percent(row.ppv):<18}{f1:>5}"
                f"{100 * row.unknown / max(row.n, 1):>7.1f} %"
            )
        return "\n".join(lines)

    def markdown(self) -> str:
        """Write the table for the documentation."""
        folds = ", ".join(str(fold) for fold in self.folds)
        heads = ("statement", "n", "sensitivity", "specificity", "PPV", "F1", "left open")
        rows = [
            (
                f"{row.code} ({label(row.code)})",
                row.n_positive,
                *(_percent(rate) for rate in (row.sensitivity, row.specificity, row.ppv)),
                f"{row.f1:.2f}" if row.f1 is not None else "-",
                f"{100 * row.unknown / max(row.n, 1):.1f} %",
            )
            for row in self.statements
        ]
        head = f"### Folds {folds}, {self.fs} Hz: {self.n_records} records"
        return f"{head}\n\n{markdown(heads, rows)}"


def truth(statements: dict[str, float], code: str) -> bool | None:
    """Tell what a PTB-XL record says of one of our statements.

    Parameters
    ----------
    statements : dict of str to float
        Its ``scp_codes``: likelihood by statement; 0 stands for form and rhythm statements, and
        where the likelihood is not known.

    Returns
    -------
    bool or None
        None if the record does not judge it: no rhythm statement at all, or a low likelihood.

    Examples
    --------
    >>> truth({"IMI": 100.0, "STACH": 0.0}, "SR"), truth({"IMI": 35.0}, "IMI")
    (True, None)
    """
    if code in RHYTHM_CODES and not set(statements) & set(RHYTHM_CODES):
        return None
    given = [statements[name] for name in INCLUDES.get(code, (code,)) if name in statements]
    if not given:
        return False
    sure = [value for value in given if value == 0 or value >= MIN_LIKELIHOOD]
    return True if sure else None


def tally(judged: Sequence[Judged], groups: Groups | None = None) -> list[StatementResult]:
    """Count hits and misses per statement.

    Parameters
    ----------
    judged : sequence of (dict, tuple of Finding)
        PTB-XL's statements and our findings, record by record.
    groups : np.ndarray of int, shape (n_records,), optional
        Patient of each record; each of another one by default.

    Returns
    -------
    list of StatementResult
        Of the statements that PTB-XL has, commonest first.
    """
    counts: dict[str, dict[str, int]] = {}
    parts: dict[str, dict[str, list[int]]] = {}
    groups = np.arange(len(judged), dtype=np.int64) if groups is None else groups
    keys: tuple[str, ...] = ("n", "n_positive", "true_positive", "false_positive")
    keys += ("true_negative", "false_negative", "unknown")
    for group, (statements, findings) in zip(groups.tolist(), judged, strict=True):
        for finding in findings:
            is_true = truth(statements, finding.code)
            if is_true is None or not finding.code.isupper():
                continue
            row = counts.setdefault(finding.code, dict.fromkeys(keys, 0))
            row["n"] += 1
            row["n_positive"] += is_true
            row["unknown"] += finding.status == "unknown"
            said = finding.status == "present"
            of = parts.setdefault(finding.code, {"positive": [], "negative": [], "stated": []})
            of["positive" if is_true else "negative"].append(group)
            if said:
                of["stated"].append(group)
            name = ("true" if said == is_true else "false") + ("_positive" if said else "_negative")
            row[name] += 1
    sizes = {
        code: {part: effective(np.array(of, np.int64)) for part, of in parts[code].items()}
        for code in counts
    }
    rows = [
        StatementResult(
            code=code,
            **row,
            effective_positive=sizes[code]["positive"],
            effective_negative=sizes[code]["negative"],
            effective_stated=sizes[code]["stated"],
        )
        for code, row in counts.items()
        if row["n_positive"]
    ]
    return sorted(rows, key=lambda row: -row.n_positive)


def micro_f1(judged: Sequence[Judged], groups: Groups | None = None) -> tuple[float, float, float]:
    """Give F1 over all of PTB-XL's statements together.

    Returns
    -------
    f1, low, high : float
        With 95 % limits by patients; a statement that no finding stands for counts as missed.
    """
    counts = np.zeros((len(judged), 2), np.int64)
    for k, (statements, findings) in enumerate(judged):
        said = {finding.code for finding in findings if finding.status == "present"}
        for code in SCP:
            is_true = truth(statements, code)
            if is_true is not None:
                counts[k] += (is_true and code in said, is_true != (code in said))

    def f1(rows: npt.NDArray[np.int64]) -> float:
        hits, misses = counts[rows].sum(axis=0).tolist()
        return float(2 * hits / max(2 * hits + misses, 1))

    every = np.arange(len(judged), dtype=np.int64)
    return f1(every), *limits(f1, every if groups is None else groups)


def evaluate(
    data: Path,
    *,
    folds: tuple[int, ...] = (9,),
    fs: int = 100,
    by: str = "criteria",
    progress: Callable[[int, int], None] | None = None,
) -> FindingsResult:
    """Judge PTB-XL's records and count agreement with its statements.

    Parameters
    ----------
    folds : tuple of int
        Fold 9 by default: thresholds were chosen on folds 1 to 8.
    fs : {100, 500}, Hz
        Which version of the records.
    by : {"criteria", "encoder", "both"}
        Who finds: the criteria, the trained head, or both as in a report.
    """
    from ecg_llm.findings.apply import apply_criteria
    from ecg_llm.measure import measure
    from ecg_llm.quality import assess

    if by != "criteria":
        from ecg_llm.head import head_scores
        from ecg_llm.probabilities import joined
    rows = ptbxl_rows(data, folds, fs)
    judged: list[Judged] = []
    read: list[dict[str, str]] = []
    for row, record in each_record(data, rows, fs, progress):
        if record is None:
            continue
        quality = assess(record)
        measurements = measure(record, quality)
        findings = apply_criteria(record, quality, measurements)
        if by != "criteria" and quality.acceptable:
            scores = head_scores([record], [measurements])[0]
            findings = joined(scores, findings if by == "both" else ())
        judged.append((statements_of(row), findings))
        read.append(row)
    groups = patients_of(read)
    f1, low, high = micro_f1(judged, groups)
    return FindingsResult(
        fs=fs,
        folds=folds,
        n_records=len(judged),
        n_failed=len(rows) - len(read),
        statements=tuple(tally(judged, groups)),
        by=by,
        micro_f1=f1,
        micro_f1_low=low,
        micro_f1_high=high,
    )


def _percent(rate: tuple[float, float, float] | None) -> str:
    """Write a share with its limits in percent."""
    if rate is None:
        return "-"
    share, low, high = (100 * x for x in rate)
    return f"{share:.1f} ({low:.0f}-{high:.0f})"
