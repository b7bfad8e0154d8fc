"""PTB-XL's records analysed once: what the measurements and the criteria say of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.eval.ptbxl_rows import each_record, ptbxl_rows
from ecg_llm.head_features import feature_row
from ecg_llm.measure import Measurements
from ecg_llm.ptbxl import patient, statements_of, whole
from ecg_llm.record import ECGRecord
from ecg_llm.training.text_signs import SIGNS, Facts

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysed:
    """One record with its statements.

    Attributes
    ----------
    record : ECGRecord
        As it was read.
    scp : dict of str to float
        PTB-XL's statements with their likelihood.
    report : str
        As its reader wrote it.
    fold : int
        Stratified fold.
    patient : str
        All records of one belong together.
    status : dict of str to str
        By code what the criteria alone say: present, absent or unknown.
    features : np.ndarray, shape (n_features,)
        From `ecg_llm.head_features.feature_row`.
    signs : np.ndarray, shape (n_signs,)
        Of `SIGNS`: 1 shows, 0 does not, NaN where it is not known.
    """

    record: ECGRecord
    scp: dict[str, float]
    report: str
    fold: int
    patient: str
    status: dict[str, str]
    features: FloatArray
    signs: FloatArray


def analyse_ptbxl(
    data: Path, folds: Sequence[int], progress: Callable[[int, int], None] | None = None
) -> list[Analysed]:
    """Read and analyse PTB-XL's records.

    Returns
    -------
    list of Analysed
        Those that can be read and that the quality gate does not refuse.
    """
    from ecg_llm.findings.apply import apply_criteria
    from ecg_llm.measure import measure
    from ecg_llm.quality import assess

    rows = ptbxl_rows(data, tuple(folds), columns=("report", "patient_id"))
    out: list[Analysed] = []
    for row, record in each_record(data, rows, progress=progress):
        if record is None or not (quality := assess(record)).acceptable:
            continue
        measured = measure(record, quality)
        found = apply_criteria(record, quality, measured)
        out.append(
            Analysed(
                record=record,
                scp=statements_of(row),
                report=row["report"],
                fold=whole(row["strat_fold"]) or 0,
                patient=patient(row),
                status={finding.code: finding.status for finding in found},
                features=feature_row(record, measured),
                signs=_signs(measured, record.calibrated),
            )
        )
    return out


def _signs(measured: Measurements, calibrated: bool) -> FloatArray:
    """Say which signs show."""
    facts = Facts(
        values={name: quantity.value for name, quantity in measured.values.items()},
        leads={
            lead: {name: quantity.value for name, quantity in of.summary.items()}
            for lead, of in measured.leads.items()
        },
        kinds=tuple(beat.kind for beat in measured.beats),
        calibrated=calibrated,
    )
    shows = [sign.holds(facts) for sign in SIGNS]
    return np.array([np.nan if one is None else one for one in shows], np.float32)
