"""Answers to ECG-QA's questions against its own, beside the answer that is commonest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg_llm.errors import ConfigError
from ecg_llm.eval.patients import Groups, effective, patients_of, wilson
from ecg_llm.eval.result import Result, markdown
from ecg_llm.ptbxl import read_table, whole
from ecg_llm.qa.items import Item, answer_items, ptbxl_files, read_items
from ecg_llm.qa.question import read_qa


@dataclass(frozen=True, kw_only=True)
class QARow:
    """How questions of one kind fared.

    Attributes
    ----------
    name : str
        Kind.
    n : int
        Questions.
    exact, exact_low, exact_high : float
        Share answered exactly, as sets, with 95 % Wilson limits, a patient's questions as one.
    balanced : float or None
        Mean of the shares over the true answers yes and no, of verify questions.
    majority : float
        Share that the commonest true answer would get.
    f1 : float
        Mean over questions of the F1 of the answer as a set.
    """

    name: str
    n: int
    exact: float
    exact_low: float
    exact_high: float
    balanced: float | None
    majority: float
    f1: float


@dataclass(frozen=True, kw_only=True)
class QAResult(Result):
    """The table.

    Attributes
    ----------
    items : str
        Name of the file of questions.
    folds : tuple of int or None
        Folds of the records asked about; None for all.
    failed : int
        Questions without an answer; they count as wrong.
    rows : tuple of QARow
        All first, then by kind.
    """

    items: str
    folds: tuple[int, ...] | None
    failed: int
    rows: tuple[QARow, ...]

    def render(self) -> str:
        """Write the table as text."""
        folds = "all folds" if self.folds is None else f"folds {', '.join(map(str, self.folds))}"
        heads = ("kind", "n", "exact % (95 % limits, by patients)", "balanced")
        rows = [
            (
                *(row.name, row.n),
                f"{100 * row.exact:.1f} ({100 * row.exact_low:.0f}–{100 * row.exact_high:.0f})",
                "–" if row.balanced is None else f"{row.balanced:.3f}",
                *(f"{100 * row.majority:.1f}", f"{row.f1:.3f}"),
            )
            for row in self.rows
        ]
        lines = [
            f"ECG-QA, {self.items}, records of {folds}: {self.rows[0].n} questions, "
            f"{self.failed} without an answer",
            "",
            markdown((*heads, "majority answer, exact %", "set F1"), rows),
        ]
        if any(row.balanced is not None for row in self.rows):
            lines.append("\nThe majority answer has a balanced share of 0.500.")
        return "\n".join(lines)


def evaluate(
    data: Path,
    items: Path,
    *,
    folds: tuple[int, ...] | None = (9,),
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> QAResult:
    """Answer a set of questions and compare.

    Parameters
    ----------
    folds : tuple of int, optional
        Only questions all of whose records are in these folds; None for all that are there.

    Raises
    ------
    ConfigError
        If no question with an answer is about records of these folds that are there.
    """
    files = ptbxl_files(data)
    table = {whole(row["ecg_id"]): row for row in read_table(data, ("ecg_id", "strat_fold"))}
    of_fold = {one: whole(row["strat_fold"]) for one, row in table.items()}
    there = {one for one in files if folds is None or of_fold[one] in folds}
    asked = [
        item
        for item in read_items(items)
        if item.truth is not None and all(one in there for one in item.ecg_ids)
    ]
    if not asked:
        which = "any fold" if folds is None else f"fold {', '.join(map(str, folds))}"
        raise ConfigError(
            f"{items}: no question with an answer is about records of {which} that are in {data}."
        )
    lines = list(answer_items(asked, data, workers=workers, progress=progress))
    answers = [tuple(line.get("answer", ())) for line in lines]
    groups: dict[str, list[int]] = defaultdict(list)
    for k, item in enumerate(asked):
        groups["all"].append(k)
        groups[_kind(item)].append(k)
    # Of two ECGs the later one's patient: mostly that of both.
    groups_of = patients_of([table[item.ecg_ids[-1]] for item in asked])
    order = ["all", *sorted(name for name in groups if name != "all")]
    return QAResult(
        items=items.name,
        folds=folds,
        failed=sum("error" in line for line in lines),
        rows=tuple(
            _row(name, groups[name], asked, answers, groups_of) for name in order if groups[name]
        ),
    )


def _kind(item: Item) -> str:
    """Name the kind of a question."""
    asked = read_qa(item.question, len(item.ecg_ids))
    where = "comparison " if len(item.ecg_ids) > 1 else ""
    kind = asked.terms[0] if asked.about == "noise" and len(asked.terms) == 1 else asked.about
    change = f", {asked.change} {'normal' if asked.normal else 'abnormal'}" if where else ""
    return f"{where}{asked.form} {kind}{change}"


def _row(
    name: str,
    which: Sequence[int],
    asked: Sequence[Item],
    answers: Sequence[tuple[str, ...]],
    groups: Groups,
) -> QARow:
    """Count one kind."""
    truths = [frozenset(asked[k].truth or ()) for k in which]
    said = [frozenset(answers[k]) for k in which]
    right = [truth == one for truth, one in zip(truths, said, strict=True)]
    by_truth: dict[frozenset[str], list[bool]] = defaultdict(list)
    for truth, good in zip(truths, right, strict=True):
        by_truth[truth].append(good)
    closed = set(by_truth) <= {frozenset(("yes",)), frozenset(("no",))} and len(by_truth) == 2
    shares = [sum(goods) / len(goods) for goods in by_truth.values()]
    f1 = [
        2 * len(truth & one) / (len(truth) + len(one)) if truth or one else 1.0
        for truth, one in zip(truths, said, strict=True)
    ]
    share = wilson(sum(right), len(right), effective(groups[np.array(which)]))
    assert share is not None  # there is a question in every group
    return QARow(
        name=name,
        n=len(which),
        exact=share[0],
        exact_low=share[1],
        exact_high=share[2],
        balanced=sum(shares) / len(shares) if closed else None,
        majority=Counter(truths).most_common(1)[0][1] / len(truths),
        f1=sum(f1) / len(f1),
    )
