"""Measured features of the records that a head learns from, computed once."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ECGError
from ecg_llm.head_features import FEATURES, feature_row
from ecg_llm.training.pack import Pack
from ecg_llm.training.sources import Job, Row, list_jobs, read_row, run_jobs

FILE = "features.npz"
_MEASURED = ("ptbxl", "zscored", "built")


def measured_features(
    data: Path,
    folder: Path,
    pack: Pack,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.float32]:
    """Measure the labelled real records of a pack, from the files themselves.

    Parameters
    ----------
    folder : Path
        Folder of the packed data, where the features are kept.

    Returns
    -------
    np.ndarray of float32, shape (n, n_features)
        By record of the pack and `ecg_llm.head_features.FEATURES`; NaN where unknown, and for
        records that were not measured.
    """
    asked = hashlib.sha256(repr((pack.fingerprint, FEATURES)).encode()).hexdigest()
    path = folder / FILE
    if path.is_file():
        with np.load(path) as stored:
            if str(stored["asked"]) == asked:
                kept: npt.NDArray[np.float32] = stored["features"]
                return kept
    place = {
        (source, name): k
        for k, (source, name) in enumerate(
            zip(pack.source.tolist(), pack.name.tolist(), strict=True)
        )
    }
    features = np.full((len(pack), len(FEATURES)), np.nan, np.float32)
    jobs = [job for job in list_jobs(data) if job[0] in _MEASURED]
    for done, made in enumerate(run_jobs(functools.partial(_measure, data), jobs, workers), 1):
        if made is not None and made[:2] in place:
            features[place[made[:2]]] = made[2]
        progress(done, len(jobs))
    new = folder / f".{FILE}"
    np.savez_compressed(new, asked=asked, features=features)
    new.replace(path)
    return features


def _measure(data: Path, job: Job) -> tuple[str, str, npt.NDArray[np.float32]] | None:
    """Measure one record; None if it cannot be read."""
    from ecg_llm.measure import measure

    try:
        row: Row = read_row(data, job)
    except ECGError:
        return None
    found: Any = None
    try:
        found = measure(row.record)
    except ECGError:  # what cannot be measured has age and sex at least
        found = None
    return row.source, row.record.name, feature_row(row.record, found)
