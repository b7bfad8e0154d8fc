"""PTB-XL's records analysed once: what the encoder, the measurements and the criteria say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.analysis import Analysis
from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.knowledge import RHYTHM, concepts
from ecg_llm.measure import Measurements
from ecg_llm.ptbxl import patient, statements_of, whole
from ecg_llm.record import ECGRecord
from ecg_llm.training.text_signs import SIGNS, Facts


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysed:
    """One record with its statements.

    Attributes
    ----------
    analysis : Analysis
        Quality, measurements, and findings by criteria alone.
    scp : dict of str to float
        PTB-XL's statements with their likelihood.
    report : str
        As its reader wrote it.
    fold : int
        Stratified fold.
    patient : str
        All records of one belong together.
    """

    analysis: Analysis
    scp: dict[str, float]
    report: str
    fold: int
    patient: str

    @property
    def record(self) -> ECGRecord:
        """The recording."""
        return self.analysis.record

    @property
    def measurements(self) -> Measurements:
        """What was measured; records of refused quality are not among the analysed ones."""
        assert self.analysis.measurements is not None
        return self.analysis.measurements


def analyse_ptbxl(
    data: Path, folds: Sequence[int], progress: Callable[[int, int], None] | None = None
) -> tuple[list[Analysed], int]:
    """Read and analyse PTB-XL's records.

    Parameters
    ----------
    data : Path
        PTB-XL folder.
    folds : sequence of int
        Stratified folds.
    progress : callable, optional
        Called with records done and in all.

    Returns
    -------
    analysed : list of Analysed
    n_refused : int
        Records that cannot be read, or that the quality gate refuses.
    """
    from ecg_llm.findings.apply import apply_criteria
    from ecg_llm.measure import measure
    from ecg_llm.quality import assess

    rows = ptbxl_rows(data, tuple(folds), columns=("report", "patient_id"))
    out: list[Analysed] = []
    for row, record in each_record(data, rows, progress=progress):
        if record is None:
            continue
        quality = assess(record)
        if quality.acceptable:
            measurements = measure(record, quality)
            found = Analysis(
                record=record,
                quality=quality,
                measurements=measurements,
                findings=apply_criteria(record, quality, measurements),
            )
            out.append(
                Analysed(
                    analysis=found,
                    scp=statements_of(row),
                    report=row["report"],
                    fold=whole(row["strat_fold"]) or 0,
                    patient=patient(row),
                )
            )
    return out, len(rows) - len(out)


def _facts(item: Analysed) -> Facts:
    """Gather a record's measurements as signs ask for them."""
    measured = item.measurements
    return Facts(
        values={name: quantity.value for name, quantity in measured.values.items()},
        leads={
            lead: {name: quantity.value for name, quantity in of.summary.items()}
            for lead, of in measured.leads.items()
        },
        kinds=tuple(beat.kind for beat in measured.beats),
        calibrated=item.record.calibrated,
    )


def sign_truth(items: Sequence[Analysed]) -> npt.NDArray[np.float32]:
    """Say which signs show.

    Parameters
    ----------
    items : sequence of Analysed
        Records.

    Returns
    -------
    np.ndarray, shape (n_records, n_signs)
        1, 0, or NaN where it is not known.
    """
    out = np.full((len(items), len(SIGNS)), np.nan, np.float32)
    for k, item in enumerate(items):
        known = _facts(item)
        for j, sign in enumerate(SIGNS):
            shows = sign.holds(known)
            if shows is not None:
                out[k, j] = shows
    return out


def concept_truth(items: Sequence[Analysed]) -> npt.NDArray[np.float32]:
    """Say which concepts hold: by PTB-XL's statements, or by a criterion where it has none.

    Parameters
    ----------
    items : sequence of Analysed
        Records.

    Returns
    -------
    np.ndarray, shape (n_records, n_concepts)
        1, 0, or NaN where it is not known; in the order of `ecg_llm.knowledge.concepts`.
    """
    every = tuple(concepts().values())
    out = np.full((len(items), len(every)), np.nan, np.float32)
    by_status = {"present": 1.0, "absent": 0.0}
    for k, item in enumerate(items):
        has_rhythm = bool(set(item.scp) & set(RHYTHM))
        status = {finding.code: finding.status for finding in item.analysis.findings}
        for j, concept in enumerate(every):
            if not concept.codes:
                out[k, j] = by_status.get(status.get(concept.key, ""), np.nan)
            elif has_rhythm or concept.key not in RHYTHM:
                out[k, j] = bool(set(concept.codes) & set(item.scp))
    return out
