"""A sheet of simulated ECGs to look at: one row a case, one column a lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ecg_llm.data_builders.synthetic_rhythm import RHYTHMS
from ecg_llm.data_builders.synthetic_simulate import synthetic_ecg
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord

SHOWN = (
    "sinus", "CRBBB", "IRBBB", "CLBBB", "LAFB", "LPFB", "IVCD", "WPW", "LVH_strain", "RVH",
    "RAO/RAE", "LAO/LAE", "mi_anterior_hyperacute", "mi_anterior_acute", "mi_anterior_evolving",
    "AMI", "mi_inferior_acute", "IMI", "mi_lateral_acute", "mi_posterior_acute", "INJAL", "ISCAL",
    "pericarditis", "early_repolarisation", "brugada1", "LNGQT", "short_qt", "hyperkalaemia",
    "hypokalaemia", "DIG", "LVOLT", "af", "flutter", "svt", "vt", "paced_ventricular",
)  # fmt: skip
"""Rows of the sheet: conditions in sinus rhythm, and rhythms."""


def sheet(path: str | Path, *, names: Sequence[str] = SHOWN, seed: int = 0) -> None:
    """Draw simulated conditions and rhythms, each of another patient, to be looked at.

    Parameters
    ----------
    path : str or Path
        Where to write the picture; its ending chooses the format.
    names : sequence of str
        Rows: conditions of the catalogue, or rhythms.
    seed : int
        Of the first patient.
    """
    cases = {}
    for k, name in enumerate(names):
        if name in RHYTHMS:
            cases[name] = synthetic_ecg(rhythm=name, seed=seed + k).record
        else:
            cases[name] = synthetic_ecg(conditions=[name], seed=seed + k).record
    draw_sheet(cases, path, seconds=1.2)


def draw_sheet(
    cases: Mapping[str, ECGRecord],
    path: str | Path,
    *,
    leads: Sequence[str] = STANDARD_12,
    from_s: float = 2.0,
    seconds: float = 2.5,
) -> None:
    """Draw records as rows of short strips at 25 mm/s and 10 mm/mV.

    Parameters
    ----------
    cases : mapping of str to ECGRecord
        Name of each row, and what to show in it.
    path : str or Path
        Where to write the picture; its ending chooses the format.
    leads : sequence of str
        Columns.
    from_s, seconds : float, s
        The stretch that every strip shows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wide_mm, high_mm = seconds * 25, 27.0
    size = ((len(leads) * wide_mm + 4) / 25.4, (len(cases) * high_mm + 4) / 25.4)
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    for row, (name, record) in enumerate(cases.items()):
        first = round(from_s * record.fs)
        part = slice(first, first + round(seconds * record.fs))
        level = -(row + 0.5) * high_mm
        for column, lead in enumerate(leads):
            if lead not in record:
                continue
            values = record.row(lead)[part]
            x = column * wide_mm + np.arange(len(values)) / record.fs * 25
            axes.plot(x, level + 10 * (values - np.nanmedian(values)), color="black", linewidth=0.7)
            axes.text(column * wide_mm + 1, level + high_mm * 0.36, lead, fontsize=6, color="navy")
        axes.text(1, level - high_mm * 0.44, name, fontsize=8, color="darkred")
    axes.set_xlim(-2, len(leads) * wide_mm + 2)
    axes.set_ylim(-len(cases) * high_mm - 2, 2)
    for step, shade in ((1, 0.25), (5, 0.7)):
        for vertical in range(0, int(len(leads) * wide_mm) + 1, step):
            axes.axvline(vertical, color="#f0b0b0", linewidth=shade, zorder=0)
        for level_mm in range(0, -int(len(cases) * high_mm) - 1, -step):
            axes.axhline(level_mm, color="#f0b0b0", linewidth=shade, zorder=0)
    axes.axis("off")
    figure.savefig(path, dpi=110)
