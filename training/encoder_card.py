"""What stands in the card of a trained encoder beside its recipe and figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecg_llm.training.pack import Pack
from ecg_llm.training.recipe import DataConfig

SOURCES = {
    "ptbxl": ("PTB-XL v1.0.3, 100 Hz, true mV (Wagner P et al. Sci Data 2020;7:154)", "CC BY 4.0"),
    "ptbxl_zscored": ("PTB-XL v1.0.3, each lead standardised, mV lost", "CC BY 4.0"),
    "challenge2011": (
        "PhysioNet/CinC Challenge 2011, set a, without labels (Silva I et al. CinC 2011)",
        "ODC-By 1.0",
    ),
    "own": ("records of one's own (ecgllm build own)", "see the card of the set"),
    "simulated": ("ECGs simulated by this project", "Apache-2.0"),
}
"""What each source is, and its licence."""
LIMITS = (
    "Research use; not a medical device. Learnt from adults of one German centre and simulated "
    "ECGs; statements with few examples are weak, and pacing, paediatric ECGs, posterior and right "
    "chest leads are hardly or not covered. Probabilities are calibrated for PTB-XL's frequencies."
)


def data_card(pack: Pack, data: DataConfig) -> list[dict[str, Any]]:
    """List what an encoder learnt from.

    Parameters
    ----------
    pack : Pack
        Packed records.
    data : DataConfig
        Which of them train.

    Returns
    -------
    list of dict
        Source, description, licence, number of records and folds.
    """
    trains = np.isin(pack.fold, (0, *data.folds))
    card = []
    for source in sorted(set(pack.source[trains].tolist())):
        if data.shares and source not in data.shares:
            continue
        what, licence = SOURCES.get(source, (source, "see the data set"))
        rows = trains & (pack.source == source)
        folds = sorted({int(fold) for fold in pack.fold[rows]} - {0})
        card.append(
            {
                "source": source,
                "what": what,
                "licence": licence,
                "records": int(rows.sum()),
                "folds": folds,
            }
        )
    return card
