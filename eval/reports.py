"""Judge reports claim by claim: drafts of a model, what ships, and the measured report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.analysis import Analysis, analyse
from ecg_llm.assistant import report_on
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.finding_check import lead_shows
from ecg_llm.claims.report_numbers import unheld
from ecg_llm.claims.stated import stated
from ecg_llm.data_builders.instruct_facts import fulfils
from ecg_llm.errors import ConfigError
from ecg_llm.eval.findings import truth
from ecg_llm.eval.overlap import bleu, meteor_like, rouge_l
from ecg_llm.eval.patients import Groups, limits, numbered
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.eval.result import Result
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.ground.draft import Grounded, ground
from ecg_llm.ground.known import Known, known_of
from ecg_llm.prompt import Prompt, build
from ecg_llm.ptbxl import patient, statements_of
from ecg_llm.scp import INCLUDES
from ecg_llm.vocabulary import canonical_code, label

if TYPE_CHECKING:
    from ecg_llm.lm import TextModel
    from ecg_llm.report import Report

MAX_NEW_TOKENS = 512
JUDGED = tuple(code for code in STATEMENTS if code.isupper() or "/" in code or code[0].isdigit())
"""Our statements that PTB-XL may hold."""
_LOCAL = ("qrs", "st-t")


@dataclass(frozen=True, kw_only=True)
class Row:
    """How the texts of one kind fared over a set of records.

    Attributes
    ----------
    name : str
        Which texts.
    counts : dict of str to float
        ``records``, ``numbers``, ``numbers_right``, ``claims``, ``contradicted``, ``tp``, ``fp``,
        ``fn``, ``leads``, ``leads_right``, ``chains``, ``chains_whole``, and the sums of ``bleu``,
        ``rouge_l``, ``meteor``.
    f1_low, f1_high : float
        95 % limits of `f1`, by patients; NaN if there is none.
    """

    name: str
    counts: dict[str, float]
    f1_low: float = float("nan")
    f1_high: float = float("nan")

    @classmethod
    def of(cls, name: str, each: Iterable[Counter[str]], groups: Groups) -> Row:
        """Add up the counts of the records, each of a patient."""
        known = list(each)
        parts = np.array([[one[name] for name in ("tp", "fp", "fn")] for one in known])

        def f1(rows: npt.NDArray[np.int64]) -> float:
            tp, fp, fn = parts[rows].sum(axis=0).tolist()
            return float(2 * tp / (2 * tp + fp + fn)) if tp + fp + fn else float("nan")

        low, high = limits(f1, groups)
        return cls(name=name, counts=_sum(known), f1_low=low, f1_high=high)

    def share(self, part: str, whole: str) -> float | None:
        """Give the share of one count in another, or None of nothing."""
        return self.counts.get(part, 0) / self.counts[whole] if self.counts.get(whole) else None

    @property
    def f1(self) -> float | None:
        """Micro F1 of the stated findings against PTB-XL's statements."""
        tp, fp, fn = (self.counts.get(name, 0) for name in ("tp", "fp", "fn"))
        return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None

    def cells(self) -> list[str]:
        """Write the row of the table."""

        def percent(value: float | None) -> str:
            return "–" if value is None else f"{100 * value:.1f}"

        n = self.counts.get("records", 0) or 1
        return [
            self.name,
            f"{self.counts.get('numbers', 0):.0f}",
            percent(self.share("numbers_right", "numbers")),
            f"{self.counts.get('contradicted', 0):.0f}",
            "–"
            if self.f1 is None
            else f"{self.f1:.3f}"
            if self.f1_low != self.f1_low
            else f"{self.f1:.3f} ({self.f1_low:.2f}–{self.f1_high:.2f})",
            percent(self.share("leads_right", "leads")),
            percent(self.share("chains_whole", "chains")),
            f"{self.counts.get('bleu', 0) / n:.3f}",
            f"{self.counts.get('rouge_l', 0) / n:.3f}",
            f"{self.counts.get('meteor', 0) / n:.3f}",
        ]


HEAD = (
    *("texts", "numbers", "right %", "contradicted", "F1 (95 % limits)", "leads right %"),
    "chains whole %",
    *("BLEU", "ROUGE-L", "METEOR-like"),
)


@dataclass(frozen=True, kw_only=True)
class ReportsResult(Result):
    """The table.

    Attributes
    ----------
    model : str or None
        Name of the language model.
    folds : tuple of int
        PTB-XL folds.
    records : int
        Records judged.
    refused : int
        Refused for their quality, and left out.
    rows : tuple of Row
        One a kind of text.
    changes : dict of str to int
        What the check did to the drafts.
    """

    model: str | None
    folds: tuple[int, ...]
    records: int
    refused: int
    rows: tuple[Row, ...]
    changes: dict[str, int]

    def render(self) -> str:
        """Write the table, in Markdown that reads as plain text too."""
        folds = ", ".join(str(fold) for fold in self.folds)
        table = [HEAD, *(row.cells() for row in self.rows)]
        widths = [max(len(line[k]) for line in table) for k in range(len(HEAD))]
        lines = [
            "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
            for line in table
        ]
        lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        done = ", ".join(f"{n} {what}" for what, n in self.changes.items()) or "nothing changed"
        head = (
            f"PTB-XL folds {folds}: {self.records} records, {self.refused} refused; "
            f"model {self.model or 'none'}"
        )
        return "\n".join([head, "", *lines, "", f"The check: {done}."])


@dataclass(frozen=True, eq=False)
class Case:
    """One record of PTB-XL with what its annotators stated."""

    found: Analysis
    known: Known
    statements: dict[str, float]
    reference: str
    patient: str = ""


def cases(
    data: Path,
    folds: tuple[int, ...],
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Case], int]:
    """Analyse records of PTB-XL.

    Returns
    -------
    tuple of (list of Case, int)
        Those that may be read, and how many were refused or unreadable.

    Raises
    ------
    ConfigError
        If none may be read.
    """
    rows = ptbxl_rows(data, folds)[:limit]
    out, refused = [], 0
    for row, record in each_record(data, rows, progress=progress):
        found = None if record is None else analyse(record)
        if found is None or found.measurements is None:
            refused += 1
            continue
        statements = statements_of(row)
        named = [label(code) for code in statements]
        out.append(Case(found, known_of(found), statements, ". ".join(named), patient(row)))
    if not out:
        raise ConfigError(f"{data}: all {len(rows)} records are refused or cannot be read.")
    return out, refused


def said_findings(text: str) -> set[str]:
    """Collect the findings that a text states as present.

    Returns
    -------
    set of str
        Codes, with the broader statements that they make true.
    """
    return _with_broader(stated(text))


def _with_broader(codes: Collection[str]) -> set[str]:
    """Add the broader statements that codes make true, as they do where PTB-XL states them."""
    return {
        code
        for code in JUDGED
        if not set(codes).isdisjoint((*INCLUDES.get(code, (code,)), *OWN.get(code, ())))
    }


OWN = {
    "LNGQT": ("very_long_qt",),
    "PVC": ("pvc_couplet", "ventricular_run"),
    "2AVB": ("mobitz_1", "mobitz_2", "av_block_2_1"),
    "PACE": ("atrial_pacing", "ventricular_pacing", "dual_pacing"),
}
"""Codes of this project that say a statement of PTB-XL more precisely."""


def _present_codes(case: Case) -> set[str]:
    """Give the findings that criteria and encoder together call present, with broader ones."""
    return _with_broader({f.code for f in case.found.findings if f.status == "present"})


def count_findings(said: set[str], statements: dict[str, float]) -> Counter[str]:
    """Hold stated findings against PTB-XL's statements.

    Returns
    -------
    Counter
        ``tp``, ``fp``, ``fn``; statements that the record does not judge are left out.
    """
    out: Counter[str] = Counter()
    for code in JUDGED:
        true = truth(statements, code)
        if true is None:
            continue
        if code in said:
            out["tp" if true else "fp"] += 1
        elif true:
            out["fn"] += 1
    return out


def _count_leads(text: str, known: Known) -> Counter[str]:
    """Count the leads that a text names for a sign, and those that show it by measurement."""
    out: Counter[str] = Counter()
    for claim in extract_claims(text):
        if claim.kind != "finding" or claim.negated or not claim.all_leads:
            continue
        if claim.certainty == "unjudged":  # its leads stand in the reason
            continue
        for lead in claim.leads:
            code = canonical_code(claim.subject)
            shows = lead_shows(code, lead, known.facts, exact=False)
            if shows is not None:
                out["leads"] += 1
                out["leads_right"] += shows or _meets_its_rule(code, lead, known)
    return out


def _meets_its_rule(code: str, lead: str, known: Known) -> bool:
    """Whether a value of the lead, measured for the present finding, meets the finding's rule."""
    finding = known.facts.findings.get(code)
    return (
        finding is not None
        and finding.status == "present"
        and any(item.lead == lead and fulfils(item) for item in finding.evidence)
    )


def _judge_text(text: str, case: Case) -> Counter[str]:
    """Judge a draft, as written."""
    return _read_claims(text, case.known) + _whole(text, case)


def _judge_grounded(told: Grounded, case: Case) -> Counter[str]:
    """Judge what ships of a draft; sentences written from measurements by their evidence."""
    out = _whole(told.text, case)
    for one in told.sentences:
        if one.kind == "told":
            out += _read_claims(one.text, case.known)
        elif one.text:
            out += _measured_sentence(one.text, one.evidence, one.kind, case.known)
    return out


def _judge_measured(report: Report, case: Case) -> Counter[str]:
    """Judge the measured report by the evidence of its sentences."""
    out = _whole(" ".join(report.impression), case)
    for claim in report.claims:
        out += _measured_sentence(claim.text, claim.evidence, claim.kind, case.known)
    return out


def _read_claims(text: str, known: Known) -> Counter[str]:
    """Count what the check reads in a text, and what holds of it."""
    out: Counter[str] = Counter()
    for one in known.check(text):
        out["claims"] += 1
        out["contradicted"] += one.status == "contradicted"
        if one.claim.kind == "number":
            out["numbers"] += 1
            out["numbers_right"] += one.status == "supported"
        if one.claim.kind == "finding" and not one.claim.negated:
            out += _chain(one.evidence, one.claim.subject)
    return out


def _whole(text: str, case: Case) -> Counter[str]:
    """Judge a text as a whole: its findings, its leads, and its words beside the reference."""
    out = Counter(records=1) + count_findings(said_findings(text), case.statements)
    out += _count_leads(text, case.known)
    _overlap(out, text, case.reference)
    return out


_DIGITS = re.compile(r"(?<![\w.])−?\d+(?:\.\d+)?")


def _measured_sentence(text: str, evidence: Sequence[Any], kind: str, known: Known) -> Counter[str]:
    """Count a sentence that was written from the measurements."""
    words = [item.quantity for item in evidence]
    words += [f.label for f in known.facts.findings.values()]
    words += [f.reason or "" for f in known.facts.findings.values()]
    names = sorted({word for word in words if _DIGITS.search(word)}, key=len, reverse=True)
    wrong = list(unheld(text, evidence, names))
    out: Counter[str] = Counter(claims=1)
    if kind in ("value", "present"):
        out["numbers"] = len(_DIGITS.findall(text))
        out["numbers_right"] = out["numbers"] - len(wrong)
    if kind == "present":
        for code in sorted(stated(text)):
            finding = known.facts.findings.get(code)
            own = finding is not None and finding.status == "present"
            out += _chain(finding.evidence if finding and own else evidence, code)
    return out


def _chain(evidence: Sequence[Any], code: str) -> Counter[str]:
    """Tell whether a stated finding has its whole chain: criterion, wave, lead, value, decision."""
    whole = [
        item
        for item in evidence
        if item.criterion
        and item.quantity
        and item.value is not None
        and (item.lead or not _is_local(code))
    ]
    return Counter(chains=1, chains_whole=int(bool(whole)))


def _is_local(code: str) -> bool:
    """Whether a finding is read off single leads."""
    statement = STATEMENTS.get(canonical_code(code))
    return statement is not None and statement.section in _LOCAL


def _overlap(out: Counter[str], text: str, reference: str) -> None:
    """Add the overlap in words; a Counter holds fractions as well."""
    for name, measure in (("bleu", bleu), ("rouge_l", rouge_l), ("meteor", meteor_like)):
        out[name] += measure(text, reference)  # type: ignore[assignment]


def _prompts(cases_: Sequence[Case], variant: str) -> Iterator[Prompt]:
    """Make the prompts of one of `VARIANTS`; ConfigError where there is no other patient."""
    for k, case in enumerate(cases_):
        match variant:
            case "text only":
                yield build(None, [case.found], parts=("values", "findings"))
            case "tokens only":
                yield build(None, [case.found], parts=("tokens",))
            case "tokens of another patient":
                n, half = len(cases_), len(cases_) // 2
                others = (cases_[(k + half + step) % n] for step in range(n))
                other = next((one for one in others if one.patient != case.patient), None)
                if other is None:
                    raise ConfigError(
                        f"all {n} records are of one patient; to show the tracing of another one, "
                        "give more records."
                    )
                own = build(None, [case.found], parts=("tokens",))
                yield replace(own, records=(other.found.record,))
            case "tokens of a flat line":
                # The encoder takes no lead that never changes: 1 µV of noise stands for none.
                rng = np.random.default_rng(0)
                flat = rng.normal(0, 0.001, case.found.record.signal.shape).astype(np.float32)
                own = build(None, [case.found], parts=("tokens",))
                yield replace(own, records=(replace(case.found.record, signal=flat),))
            case _:
                yield build(None, [case.found])


VARIANTS = (
    *("all", "text only", "tokens only", "tokens of another patient", "tokens of a flat line"),
)
"""What the model is shown: everything; values and findings in words; the tracing alone, its own,
another's, or none."""


def evaluate(
    data: Path,
    model: TextModel | None,
    *,
    folds: tuple[int, ...] = (9,),
    limit: int | None = None,
    variants: Sequence[str] = ("all", "text only"),
    progress: Callable[[int, int], None] | None = None,
    on_report: Callable[[Case, Report], None] | None = None,
    full: int = 10,
) -> ReportsResult:
    """Judge reports on PTB-XL.

    Parameters
    ----------
    model : TextModel or None
        None judges the measured report alone.
    on_report : callable, optional
        Called with the first ``full`` records and their shipped reports.
    """
    found, refused = cases(data, folds, limit, progress)
    groups = numbered([case.patient for case in found])
    rows = [
        Row.of("measured report", _measured_rows(found), groups),
        Row.of("findings present", _findings_rows(found, map(_present_codes, found)), groups),
    ]
    rows += [Row.of(name, each, groups) for name, each in _probabilities(found)]
    changes: Counter[str] = Counter()
    if model is not None:
        for variant in variants:
            drafts = _drafts(model, found, variant, progress)
            judged = (_judge_text(d, c) for d, c in zip(drafts, found, strict=True))
            rows.append(Row.of(f"draft, {variant}", judged, groups))
            if variant in ("all", "text only"):
                told = [ground(d, c.known) for d, c in zip(drafts, found, strict=True)]
                shipped = (_judge_grounded(t, c) for t, c in zip(told, found, strict=True))
                rows.append(Row.of(f"shipped, {variant}", shipped, groups))
                if variant == "all":
                    changes = Counter(change.action for one in told for change in one.changes)
    if on_report is not None:
        for case in found[:full]:
            on_report(case, report_on(case.found, model="none" if model is None else model))
    return ReportsResult(
        model=None if model is None else model.name,
        folds=folds,
        records=len(found),
        refused=refused,
        rows=tuple(rows),
        changes=dict(changes),
    )


def _measured_rows(found: Sequence[Case]) -> Iterator[Counter[str]]:
    for case in found:
        yield _judge_measured(report_on(case.found, model="none"), case)


def _probabilities(found: Sequence[Case]) -> Iterator[tuple[str, Iterator[Counter[str]]]]:
    """Judge probabilities at their thresholds: the classifier's own, and with the criteria."""
    from ecg_llm.head import head_scores
    from ecg_llm.probabilities import available, bundled, head_score

    if not available():
        return
    models = bundled().codes
    scores = head_scores([c.found.record for c in found], [c.found.measurements for c in found])
    alone = [
        {c: m.alone(p) for c, m in models.items() if (p := head_score(c, of)) is not None}
        for of in scores
    ]
    joined = [
        {f.code: f.probability or 0.0 for f in case.found.findings if f.code in models}
        for case in found
    ]
    for name, every in (("classifier", alone), ("with criteria", joined)):
        said = (
            _with_broader({code for code, p in of.items() if p >= models[code].threshold})
            for of in every
        )
        yield f"{name}, thresholded", _findings_rows(found, said)


def _findings_rows(found: Sequence[Case], said: Iterable[set[str]]) -> Iterator[Counter[str]]:
    """Hold the findings of every record against PTB-XL's statements."""
    for case, codes in zip(found, said, strict=True):
        yield Counter(records=1) + count_findings(codes, case.statements)


def _sum(counters: Any) -> dict[str, float]:
    total: Counter[str] = Counter()
    for one in counters:
        total.update(one)
    return dict(total)


BATCH = 8
"""Prompts that a model is given at once."""


def _drafts(
    model: TextModel,
    found: Sequence[Case],
    variant: str,
    progress: Callable[[int, int], None] | None,
) -> list[str]:
    """Let the model write one draft a record."""
    asked = list(_prompts(found, variant))
    out: list[str] = []
    for k in range(0, len(asked), BATCH):
        out += model.generate(asked[k : k + BATCH], max_new_tokens=MAX_NEW_TOKENS)
        if progress:
            progress(len(out), len(asked))
    return out


def in_full(case: Case, report: Report) -> str:
    """Print one report for the documentation.

    Returns
    -------
    str
        Markdown: what PTB-XL states, the narrative, and what the check changed.
    """
    stated = ", ".join(f"{code} {value:g}" for code, value in case.statements.items())
    lines = [f"### {report.record.name}", "", f"PTB-XL: {stated}.", "", report.narrative, ""]
    lines += [
        f"- {change.action}: “{change.draft or change.shipped}” ({change.reason})"
        for change in report.changes
    ]
    return "\n".join(lines).rstrip() + "\n"
