"""How well pages are read: digitisation against the record drawn, and what it costs in AUC."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.photograph import print_page
from ecg_llm.errors import RecordError
from ecg_llm.eval.auc import auc, macro
from ecg_llm.eval.patients import limits, patients_of
from ecg_llm.eval.ptbxl_rows import ptbxl_rows, spread
from ecg_llm.eval.result import Result
from ecg_llm.io import read_bytes, read_record
from ecg_llm.ptbxl import statements_of
from ecg_llm.record import ECGRecord
from ecg_llm.render.page import save_page
from ecg_llm.scp import task_columns, with_classes

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

_FINE_S = np.arange(-0.2, 0.2001, 0.002)
_GOOD_CORRELATION = 0.9
_CLEARLY = 0.1
"""By so much must leads correlate better if columns are taken to show the same stretch."""
_ROUNDS = 500


@dataclass(frozen=True, kw_only=True)
class LeadError:
    """How one lead was digitised.

    Attributes
    ----------
    correlation : float
        With the record.
    snr_db : float
        Power of the record's own signal over that of the difference.
    shift_ms : float
        Against the other leads of the page.
    gain : float
        Height over the record's.
    """

    correlation: float
    snr_db: float
    shift_ms: float
    gain: float


@dataclass(frozen=True, kw_only=True)
class PagesResult(Result):
    """How the pages of a set of records were read.

    Attributes
    ----------
    pages : str
        ``clean``, ``photographed`` or ``standard``.
    n, n_read : int
        Pages, and those that were read.
    refusals : dict of str to int
        Why the others were not, shortened.
    leads_drawn, leads_read, leads_right : int
        Leads on the pages that were read; those found; those that correlate by 0.9 with the lead of
        that name.
    correlation, snr_db, shift_ms, gain_error : float
        Medians over the leads found; of the size of shift and of the gain's distance from one.
    snr_low_db : float
        A tenth of the leads has less.
    seconds : float
        Median time to read a page.
    auc_records, auc_pages : float or None
        Macro AUC over super-classes, from the records themselves and from their pages; a page that
        was not read gets the mean score.
    auc_gap : tuple of float or None
        95 % limits of the difference, by drawing patients again.
    """

    pages: str
    n: int
    n_read: int
    refusals: dict[str, int]
    leads_drawn: int
    leads_read: int
    leads_right: int
    correlation: float
    snr_db: float
    snr_low_db: float
    shift_ms: float
    gain_error: float
    seconds: float
    auc_records: float | None
    auc_pages: float | None
    auc_gap: tuple[float, float] | None

    def render(self) -> str:
        """Give the result as text."""
        lines = [
            f"{self.n} {self.pages} pages: {self.n_read} read, median {self.seconds:.2f} s",
            f"leads: {self.leads_drawn} drawn, {self.leads_read} found, {self.leads_right} right "
            f"(correlation ≥ {_GOOD_CORRELATION})",
            f"correlation {self.correlation:.3f}, SNR {self.snr_db:.1f} dB (a tenth below "
            f"{self.snr_low_db:.1f}), timing ±{self.shift_ms:.0f} ms, gain ±{self.gain_error:.1%}",
        ]
        if self.auc_records is not None and self.auc_pages is not None and self.auc_gap:
            low, high = self.auc_gap
            lines.append(
                f"super-class macro AUC: records {self.auc_records:.3f}, pages "
                f"{self.auc_pages:.3f}, difference {self.auc_records - self.auc_pages:.3f} "
                f"({low:.3f} to {high:.3f})"
            )
        lines += [f"not read: {count} × {why}" for why, count in self.refusals.items()]
        return "\n".join(lines)


def evaluate(
    data: Path,
    *,
    folds: tuple[int, ...] = (9,),
    photographs: bool = False,
    standard: bool = False,
    limit: int | None = None,
    size_px: int = 1400,
    seed: int = 0,
    progress: Progress | None = None,
) -> PagesResult:
    """Print records as pages, read the pages, and compare.

    Parameters
    ----------
    folds : tuple of int
        Folds of it; training used 1 to 8.
    photographs : bool
        Photograph, scan or fax the pages first.
    standard : bool
        Draw them as ``ecgllm show`` does instead, on standard paper.
    limit : int, optional
        Use so many records only, spread over the folds.
    size_px : int, px
        Long side of the pages, about.
    progress : callable, optional
        Called with how many are done and how many there are.
    """
    rows = spread(ptbxl_rows(data, folds), limit)
    records = [read_record(data / f"{row['filename_lr']}.hea") for row in rows]
    pages: list[ECGRecord | None] = []
    errors: list[dict[str, LeadError]] = []
    refusals: dict[str, int] = {}
    seconds, drawn = [], 0
    shown: tuple[str, ...]
    for k, (row, record) in enumerate(zip(rows, records, strict=True)):
        if standard:
            packed, shown = _standard_page(record), record.leads
        else:
            chance = seed + 100_003 * int(float(row["ecg_id"]))
            packed, example, _ = print_page(
                record, chance, photographed=photographs, size_px=size_px
            )
            shown = tuple({t.lead for t in example.geometry.traces if t.shown})
        begun = time.perf_counter()
        try:
            page = read_bytes(packed, f"{record.name}.png")
        except RecordError as error:
            why = str(error).split(": ", 1)[-1].split(";")[0].lstrip("0123456789 ")
            why = why[:66].rstrip(", ")
            refusals[why] = refusals.get(why, 0) + 1
            pages.append(None)
        else:
            seconds.append(time.perf_counter() - begun)
            pages.append(page)
            drawn += len(shown)
            errors.append(compare(record, page))
        if progress:
            progress(k + 1, len(rows))
    all_errors = [error for of_page in errors for error in of_page.values()]

    def middle(values: Sequence[float], part: float = 0.5) -> float:
        return float(np.quantile(values, part)) if values else float("nan")

    aucs = _aucs(rows, records, pages)
    return PagesResult(
        pages="standard" if standard else "photographed" if photographs else "clean",
        n=len(rows),
        n_read=sum(page is not None for page in pages),
        refusals=refusals,
        leads_drawn=drawn,
        leads_read=len(all_errors),
        leads_right=sum(e.correlation >= _GOOD_CORRELATION for e in all_errors),
        correlation=middle([e.correlation for e in all_errors]),
        snr_db=middle([e.snr_db for e in all_errors]),
        snr_low_db=middle([e.snr_db for e in all_errors], 0.1),
        shift_ms=middle([abs(e.shift_ms) for e in all_errors]),
        gain_error=middle([abs(e.gain - 1) for e in all_errors]),
        seconds=middle(seconds),
        auc_records=aucs[0] if aucs else None,
        auc_pages=aucs[1] if aucs else None,
        auc_gap=aucs[2] if aucs else None,
    )


def _standard_page(record: ECGRecord) -> bytes:
    """Draw a record as ``ecgllm show`` does."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "page.png"
        save_page(record, path)
        return path.read_bytes()


def compare(record: ECGRecord, page: ECGRecord) -> dict[str, LeadError]:
    """Hold what was read from a page against the record that was printed, by lead that both have.

    Where in the record the page begins, and whether its columns all show the same stretch, is found
    from all leads together.
    """
    times = np.arange(page.n_samples) / page.fs
    grid = np.arange(record.n_samples) / record.fs
    pairs = {}
    for lead in page.leads:
        seen = np.isfinite(page.row(lead))
        if lead in record and seen.any():
            truth = np.nan_to_num(record.row(lead).astype(np.float64))
            pairs[lead] = (times[seen], page.row(lead)[seen].astype(np.float64), truth)
    if not pairs:
        return {}
    begin, fit = _begin(record, pairs, grid)
    # Columns follow each other in time, but for pages on which all show the same stretch.
    beside = {lead: (at - at[0], v, y) for lead, (at, v, y) in pairs.items()}
    begin_beside, fit_beside = _begin(record, beside, grid)
    if fit_beside > fit + _CLEARLY:
        begin, pairs = begin_beside, beside
    errors = {}
    for lead, (at, values, truth) in pairs.items():
        best = max(
            _FINE_S, key=lambda d: _correlation(values, np.interp(at + begin + d, grid, truth))
        )
        wanted = np.interp(at + begin + best, grid, truth)
        wanted = wanted - wanted.mean()
        gap = values - values.mean() - wanted
        power = max(float((wanted**2).mean()), 1e-9)
        errors[lead] = LeadError(
            correlation=_correlation(values, wanted),
            snr_db=float(10 * np.log10(power / max(float((gap**2).mean()), 1e-9))),
            shift_ms=float(best * 1000),
            gain=float((values - values.mean()) @ wanted / max(float(wanted @ wanted), 1e-9)),
        )
    return errors


def _begin(
    record: ECGRecord, pairs: Mapping[str, tuple[Floats, Floats, Floats]], grid: Floats
) -> tuple[float, float]:
    """Find where in the record the page begins, and how well all leads then correlate."""

    def correlations(shift: float) -> float:
        return float(np.mean([_correlation(v, np.interp(t + shift, grid, y))
                              for t, v, y in pairs.values()]))  # fmt: skip

    longest = max(float(t[-1]) for t, _, _ in pairs.values())
    spare = max(record.duration_s - longest, 0.0) + 0.4
    shifts = np.arange(-0.4, spare + 0.001, 0.01)
    return max(((float(s), correlations(s)) for s in shifts), key=lambda one: one[1])


def _correlation(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _aucs(
    rows: Sequence[Mapping[str, Any]],
    records: Sequence[ECGRecord],
    pages: Sequence[ECGRecord | None],
) -> tuple[float, float, tuple[float, float]] | None:
    """Give the head's macro AUC on records and pages, and the limits of the difference."""
    from ecg_llm.encode import WEIGHTS

    if not WEIGHTS.is_file() or not any(pages):
        return None
    from ecg_llm.head import head_scores

    columns = task_columns("super")
    held = [with_classes(statements_of(row)) for row in rows]
    truth = np.array([[column in of for column in columns] for of in held], np.float64)
    scores = _table(head_scores(list(records)), columns)
    read = np.array([page is not None for page in pages])
    of_pages = np.empty_like(scores)
    of_pages[read] = _table(head_scores([page for page in pages if page is not None]), columns)
    of_pages[~read] = of_pages[read].mean(axis=0)

    def gap(drawn: npt.NDArray[np.int64]) -> float:
        both = [macro(auc, truth[drawn], table[drawn])[0] for table in (scores, of_pages)]
        return both[0] - both[1]

    return (
        macro(auc, truth, scores)[0],
        macro(auc, truth, of_pages)[0],
        limits(gap, patients_of(rows), _ROUNDS),
    )


def _table(scores: Sequence[Mapping[str, float]], columns: Sequence[str]) -> Floats:
    return np.array([[row[column] for column in columns] for row in scores], np.float64)
