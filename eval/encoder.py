"""How good the encoder is: trained head, words, linear reader; whole records and fewer leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.eval.auc import auc, auprc, bootstrap, calibration, macro
from ecg_llm.eval.patients import Groups, patients_of
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.eval.result import Result, markdown
from ecg_llm.knowledge import RHYTHM, TASKS, concepts
from ecg_llm.leads import STANDARD_12
from ecg_llm.ptbxl import TRAINING_FOLDS, read_table, record_file, statements_of, whole
from ecg_llm.record import ECGRecord

Array = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

PTBXL_TASKS = tuple(task for task in TASKS if task.startswith("ptbxl"))
LEAD_SETS: dict[str, tuple[str, ...]] = {
    "12": STANDARD_12,
    "6 limb": STANDARD_12[:6],
    "I": ("I",),
    "II, V1, V5": ("II", "V1", "V5"),
}
"""Which leads the encoder may look at."""
SHARES = (0.01, 0.10, 1.00)
"""Of the labels that a linear reader learns from."""
LEAST_POSITIVES = 5
"""Classes with fewer are counted apart: a handful of records judges nothing."""
STRENGTH = 30.0


@dataclass(frozen=True, kw_only=True)
class EncoderRow:
    """One figure with its uncertainty.

    Attributes
    ----------
    task : str
        Key of `ecg_llm.knowledge.TASKS`.
    how : str
        ``head``, ``zero-shot``, ``linear 10 %`` and so on.
    leads : str
        Key of `LEAD_SETS`.
    auc, auc_low, auc_high : float
        Macro average over classes with a positive, and its 95 % limits, by patients.
    auc_stated : float
        The same on the records with at least one statement of the task, as the PTB-XL benchmark and
        MERL choose them.
    auc_5 : float
        The same over classes with at least five positives.
    auprc : float
        Macro average precision.
    n_classes, n_classes_5 : int
        How many classes each average is over.
    n_stated : int
        Records with at least one statement of the task.
    """

    task: str
    how: str
    leads: str
    auc: float
    auc_low: float
    auc_high: float
    auc_stated: float
    auc_5: float
    auprc: float
    n_classes: int
    n_classes_5: int
    n_stated: int


@dataclass(frozen=True, kw_only=True)
class EncoderResult(Result):
    """All figures.

    Attributes
    ----------
    folds : tuple of int
        That judge.
    n_train, n_test, n_refused : int
        Records of the linear reader, judged ones, and those the quality gate refuses.
    rows : tuple of EncoderRow
        Figures.
    ece : float
        Expected calibration error of the head over all statements.
    reliability : tuple of (float, float, int)
        Mean probability, share that came true and count of each tenth.
    refusal : tuple of (float, float, float)
        Share of the records that are answered; share of these whose likeliest super-class is
        right, the least probable answers refused first, and the least sure vectors refused first.
    """

    folds: tuple[int, ...]
    n_train: int
    n_test: int
    n_refused: int
    rows: tuple[EncoderRow, ...]
    ece: float
    reliability: tuple[tuple[float, float, int], ...]
    refusal: tuple[tuple[float, float, float], ...]

    def render(self) -> str:
        """Write the figures as text."""
        folds = ", ".join(map(str, self.folds))
        lines = [
            f"PTB-XL, fold {folds}, 100 Hz: {self.n_test} records judged, {self.n_refused} refused",
            f"Linear readers learn from {self.n_train} records of the other folds up to 8."
            if self.n_train
            else "No linear readers: no record of folds 1 to 8 is there.",
            "Macro AUC with 95 % bootstrap limits over patients; >=5: classes with five positives;",
            "stated: on the records with a statement of the task, as the benchmark takes them.",
            "",
            f"{'task':<17}{'how':<14}{'leads':<12}{'AUC':<22}{'>=5':<8}{'stated':<14}{'AUPRC':<8}"
            "classes",
        ]
        for row in self.rows:
            limits = f"{row.auc:.3f} ({row.auc_low:.3f}-{row.auc_high:.3f})"
            stated = f"{row.auc_stated:.3f} ({row.n_stated})"
            lines.append(
                f"{row.task:<17}{row.how:<14}{row.leads:<12}{limits:<22}{row.auc_5:<8.3f}"
                f"{stated:<14}{row.auprc:<8.3f}{row.n_classes} ({row.n_classes_5})"
            )
        if not self.refusal:
            lines += ["", "No head is there (ecgllm train head makes one)."]
            return "\n".join(lines)
        lines += ["", f"Calibration of the head: expected error {self.ece:.4f}"]
        lines += [
            f"  said {said:.2f}, came true {came:.2f} ({count})"
            for said, came, count in self.reliability
        ]
        lines += ["", "Likeliest super-class right, by share of records answered:"]
        lines += [
            f"  {share:.0%}: {by_score:.3f} by probability, {by_doubt:.3f} by the encoder's doubt"
            for share, by_score, by_doubt in self.refusal
        ]
        return "\n".join(lines)

    def markdown(self) -> str:
        """Write the figures for the documentation."""
        heads = ("task", "how", "leads", "macro AUC (95 %)", "≥ 5 positives", "stated", "AUPRC")
        rows = [
            (
                *(row.task, row.how, row.leads),
                f"{row.auc:.3f} ({row.auc_low:.3f}–{row.auc_high:.3f})",
                *(f"{value:.3f}" for value in (row.auc_5, row.auc_stated, row.auprc)),
                f"{row.n_classes} ({row.n_classes_5})",
            )
            for row in self.rows
        ]
        return markdown((*heads, "classes (≥ 5)"), rows, names=3)


def evaluate(
    data: Path,
    *,
    folds: Sequence[int] = (9,),
    lead_sets: Sequence[str] = tuple(LEAD_SETS),
    rounds: int = 200,
    trained: Path | None = None,
    progress: Progress | None = None,
) -> EncoderResult:
    """Judge an encoder on PTB-XL.

    Parameters
    ----------
    folds : sequence of int
        That judge: 9, which chose between nets, or 10, which nothing here has seen.
    trained : Path, optional
        Folder of another encoder than the bundled one: its head is judged if it is there, words
        are not, as the text tower reads the bundled one.

    Raises
    ------
    ConfigError
        If there is no encoder, or it has learnt from the records that judge.

    Notes
    -----
    The encoder has learnt the statements of folds 1 to 8, so a linear reader of a hundredth of
    the labels shows how easily its vector is read, not how it would do without those labels.
    """
    from ecg_llm.encode import WEIGHTS, encode
    from ecg_llm.head import WEIGHTS as HEAD
    from ecg_llm.head import head_scores
    from ecg_llm.zero_shot import Labels, zero_shot_scores

    weights = None if trained is None else trained / WEIGHTS.name
    has_head = trained is None or (trained / HEAD.name).is_file()
    if trained is not None:
        from ecg_llm.training.store import check_blind

        check_blind(trained, folds)
    steps = len(lead_sets) + 2
    test, statements, n_refused, groups = read_judged(data, folds)
    others = [fold for fold in TRAINING_FOLDS if fold not in folds]
    # They stay empty in a folder of kept-back folds alone.
    train: list[ECGRecord] = []
    train_statements: list[dict[str, float]] = []
    if any(
        whole(r["strat_fold"]) in others and record_file(data, r, 100) for r in read_table(data)
    ):
        train, train_statements, *_ = read_judged(data, others)
    rows: list[EncoderRow] = []
    reliability: tuple[float, list[tuple[float, float, int]]] = (float("nan"), [])
    encoded = encode(test, weights=weights)
    vectors = encoded.vector
    refusal: list[tuple[float, float, float]] = []
    for done, leads in enumerate(lead_sets):
        chosen = [_only(record, LEAD_SETS[leads]) for record in test]
        vectors_of = vectors if leads == "12" else encode(chosen, weights=weights).vector
        scored = head_scores(chosen, vectors=vectors_of, trained=trained) if has_head else []
        for task in PTBXL_TASKS:
            labels = Labels.of_task(task)
            truth = truth_of(statements, labels.keys)
            if has_head:
                head = np.array([[row[str(key)] for key in labels.keys] for row in scored])
                rows.append(_row(task, "head", leads, truth, head, groups, rounds))
                if leads == "12" and task == "ptbxl-super":
                    refusal = _refusal_curve(truth, head, encoded.uncertainty)
                if leads == "12" and task == "ptbxl-all":
                    reliability = calibration(truth.ravel(), head.ravel())
            if trained is None:
                words = zero_shot_scores(vectors_of, labels).astype(np.float64)
                rows.append(_row(task, "zero-shot", leads, truth, words, groups, rounds))
        if progress:
            progress(done + 1, steps)
    if train:
        seen = encode(train, weights=weights).vector.astype(np.float64)
        order = np.random.default_rng(0).permutation(len(seen))
        for share in SHARES:
            few = order[: max(5, round(share * len(seen)))]
            for task in PTBXL_TASKS:
                keys = tuple(TASKS[task].values())
                learnt = truth_of([train_statements[k] for k in few], keys)
                scores = linear_scores(seen[few], learnt, vectors.astype(np.float64))
                truth = truth_of(statements, keys)
                how = f"linear {share:.0%}"
                rows.append(_row(task, how, "12", truth, scores, groups, rounds))
    if progress:
        progress(steps, steps)
    return EncoderResult(
        folds=tuple(folds),
        n_train=len(train),
        n_test=len(test),
        n_refused=n_refused,
        rows=tuple(rows),
        ece=reliability[0],
        reliability=tuple(reliability[1]),
        refusal=tuple(refusal),
    )


def _refusal_curve(
    truth: Array, scores: Array, doubt: npt.NDArray[np.float32]
) -> list[tuple[float, float, float]]:
    """Tell how often the likeliest class is right if the least sure records are refused.

    By share answered: right with refusal by score, and by the encoder's doubt, shape (n_records,).
    Records without any true class are left out.
    """
    has = truth.sum(1) > 0
    truth, scores, doubt = truth[has], scores[has], doubt[has]
    right = truth[np.arange(len(truth)), scores.argmax(1)]
    orders = (np.argsort(-scores.max(1)), np.argsort(doubt))
    out = []
    for share in np.linspace(1.0, 0.2, 9):
        n = max(1, round(share * len(right)))
        by_score, by_doubt = (float(right[order[:n]].mean()) for order in orders)
        out.append((float(share), by_score, by_doubt))
    return out


def read_judged(
    data: Path, folds: Sequence[int]
) -> tuple[list[ECGRecord], list[dict[str, float]], int, Groups]:
    """Read records that can be read and that the quality gate lets through.

    Returns
    -------
    records : list of ECGRecord
    statements : list of dict
        ``scp_codes`` of each.
    n_refused : int
    groups : np.ndarray of int, shape (n_records,)
        Patient of each.

    Raises
    ------
    ConfigError
        If there is none.
    """
    from ecg_llm.classify import readable

    records, statements, kept = [], [], []
    rows = ptbxl_rows(data, tuple(folds))
    for row, record in each_record(data, rows):
        part, why = (None, "") if record is None else readable(record)
        if part is not None and why is None:
            records.append(part)
            statements.append(statements_of(row))
            kept.append(row)
    if not kept:
        raise ConfigError(f"{data}: all {len(rows)} records are refused or cannot be read.")
    return records, statements, len(rows) - len(kept), patients_of(kept)


def _only(record: ECGRecord, leads: tuple[str, ...]) -> ECGRecord:
    return record if leads == STANDARD_12 else replace(record.select(leads), derived=())


def truth_of(statements: Sequence[dict[str, float]], keys: Sequence[str | None]) -> Array:
    """Say which concepts hold by PTB-XL's statements, whatever their likelihood.

    Returns
    -------
    np.ndarray, shape (n_records, n_keys)
        1 or 0; NaN for rhythms of a record without any rhythm statement.
    """
    out = np.zeros((len(statements), len(keys)))
    for k, held in enumerate(statements):
        silent = not set(held) & set(RHYTHM)
        for j, key in enumerate(keys):
            concept = concepts()[str(key)]
            out[k, j] = bool(set(concept.codes) & set(held))
            if silent and concept.key in RHYTHM:
                out[k, j] = np.nan
    return out


def linear_scores(x: Array, truth: Array, z: Array) -> Array:
    """Fit ridge regressions to statements and score other records.

    Parameters
    ----------
    x : np.ndarray, shape (n, D)
        Vectors to learn from.
    truth : np.ndarray, shape (n, c)
        NaN counts as the mean.
    z : np.ndarray, shape (m, D)
        Vectors to score.

    Returns
    -------
    np.ndarray, shape (m, c)
    """
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    x, z = (x - mean) / deviation, (z - mean) / deviation
    n_known = np.isfinite(truth).sum(axis=0)
    centre = np.nansum(truth, axis=0) / np.maximum(n_known, 1)
    y = np.where(np.isnan(truth), 0.0, truth - centre)
    weights = np.linalg.solve(x.T @ x + STRENGTH * np.eye(x.shape[1]), x.T @ y)
    return np.asarray(z @ weights + centre)


def _row(
    task: str, how: str, leads: str, truth: Array, scores: Array, groups: Groups, rounds: int
) -> EncoderRow:
    value, n = macro(auc, truth, scores)
    low, high = bootstrap(auc, truth, scores, groups=groups, rounds=rounds)
    stated = np.nansum(truth, axis=1) > 0
    value_5, n_5 = macro(auc, truth, scores, least_positives=LEAST_POSITIVES)
    return EncoderRow(
        task=task,
        how=how,
        leads=leads,
        auc=value,
        auc_low=low,
        auc_high=high,
        auc_stated=macro(auc, truth[stated], scores[stated])[0],
        auc_5=value_5,
        auprc=macro(auprc, truth, scores)[0],
        n_classes=n,
        n_classes_5=n_5,
        n_stated=int(stated.sum()),
    )
