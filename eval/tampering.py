"""Alter true sentences on real records, one thing at a time, and count what still ships."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ecg_llm.eval.reports import Case, cases
from ecg_llm.eval.result import Result, markdown
from ecg_llm.ground.draft import ground
from ecg_llm.leads import STANDARD_12
from ecg_llm.vocabulary import label

VALUES = {
    "heart_rate_bpm": ("The heart rate is {v:.0f} bpm.", 8.0),
    "pr_ms": ("The PR interval is {v:.0f} ms.", 25.0),
    "qrs_ms": ("The QRS duration is {v:.0f} ms.", 25.0),
    "qt_ms": ("The QT interval is {v:.0f} ms.", 35.0),
    "qtc_fridericia_ms": ("The QTc (Fridericia) is {v:.0f} ms.", 35.0),
    "qrs_axis_deg": ("The QRS axis is {v:.0f}°.", 40.0),
}
"""Sentences on values, and the least error that is made in them."""
WORST_FACTOR = 4.0
DENIED = ("AFIB", "CLBBB", "CRBBB", "PVC", "1AVB", "LVH", "STE_", "STD_", "QWAVE", "LNGQT")


@dataclass(frozen=True, kw_only=True)
class TamperingResult(Result):
    """What became of sentences.

    Attributes
    ----------
    records : int
        Records.
    kinds : dict of str to tuple of int
        By kind: altered sentences, those whose alteration shipped, true sentences, those that the
        check changed although they are true.
    """

    records: int
    kinds: dict[str, tuple[int, int, int, int]]

    def render(self) -> str:
        """Write the table as text."""
        heads = ("altered", "sentences", "alteration shipped", "true sentences")
        rows = [(kind, *counts) for kind, counts in self.kinds.items()]
        return f"Sentences on {self.records} records of PTB-XL\n\n" + markdown(
            (*heads, "changed though true"), rows
        )


def evaluate(
    data: Path,
    *,
    folds: tuple[int, ...] = (9,),
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> TamperingResult:
    """Alter numbers, negations and leads of true sentences."""
    found, _ = cases(data, folds, limit=limit, progress=progress)
    counts: dict[str, list[int]] = {}
    for k, case in enumerate(found):
        rng = Random(1000 * seed + k)  # noqa: S311  no secret is drawn
        for kind, true, altered in _sentences(case, rng):
            row = counts.setdefault(kind, [0, 0, 0, 0])
            row[2] += 1
            row[3] += ground(true, case.known, complete=False).text != true
            row[0] += 1
            row[1] += altered in ground(altered, case.known, complete=False).text
    return TamperingResult(
        records=len(found),
        kinds={kind: tuple(row) for kind, row in counts.items()},  # type: ignore[misc]
    )


def _sentences(case: Case, rng: Random) -> Iterator[tuple[str, str, str]]:
    """Give kind, a true sentence, and the same with one thing altered."""
    facts = case.known.facts
    for name, (form, least) in VALUES.items():
        value = facts.value(name).value
        if value is None:
            continue
        wrong = value + rng.choice((-1, 1)) * least * rng.uniform(1, WORST_FACTOR)
        if name.endswith("_deg") or wrong > 0:
            yield "number", form.format(v=value), form.format(v=wrong)
    for code in DENIED:
        finding = facts.findings.get(code)
        if finding is None or finding.status == "unknown" or finding.doubt:
            continue  # neither a plain yes nor a plain no is true of what is in doubt
        yes, no = f"There is {label(code)}.", f"There is no {label(code)}."
        there = finding.status == "present"
        yield "negation", yes if there else no, no if there else yes
    for lead in rng.sample(STANDARD_12, 3):
        value = facts.value("t_mv", lead).value
        if value is None or abs(value) < 0.2:
            continue
        sign = "T-wave inversion" if value < 0 else "upright T waves"
        other = "upright T waves" if value < 0 else "T-wave inversion"
        yield "lead", f"There is {sign} in {lead}.", f"There is {other} in {lead}."
        others = [
            o
            for o in STANDARD_12
            if (v := facts.value("t_mv", o).value) is not None and abs(v - value) > 0.3
        ]
        if others:
            text = f"The T amplitude is {value:.2f} mV in {lead}."
            yield "lead", text, re.sub(rf"in {lead}\.", f"in {rng.choice(others)}.", text)
