"""Hold the delineator against simulated records of known truth, one kind of ECG after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import delineate
from ecg_llm.eval.delineation import INTERVALS, MethodScore, Tally, record_intervals_ms
from ecg_llm.eval.ludb import LudbMarks
from ecg_llm.eval.result import Result, markdown
from ecg_llm.signal import nanmedian
from ecg_llm.waves import BUNDLED, WAVES

if TYPE_CHECKING:
    from ecg_llm.data_builders.synthetic import SyntheticECG

Marks = dict[str, dict[str, npt.NDArray[np.float64]]]

KINDS: dict[str, dict[str, Any]] = {
    "sinus rhythm": {},
    "atrial fibrillation": {"rhythm": "af"},
    "left bundle branch block": {"conditions": ("CLBBB",)},
    "right bundle branch block": {"conditions": ("CRBBB",)},
    "ventricular pacing": {"rhythm": "paced_ventricular", "bpm": None},
    "dual-chamber pacing": {"rhythm": "paced_dual", "bpm": None},
    "ventricular extra beats": {"conditions": ("PVC",)},
    "third-degree AV block": {"rhythm": "av_block3", "bpm": None},
    "sinus tachycardia, 150 bpm": {"bpm": 150.0},
    "100 Hz": {"fs": 100.0},
    "250 Hz": {"fs": 250.0},
    "1000 Hz": {"fs": 1000.0},
    "II, V1, V5 alone": {"leads": ("II", "V1", "V5")},
    "I alone": {"leads": ("I",)},
}
"""How each kind differs from sinus rhythm in twelve leads at 500 Hz."""
_FIRST_SEED = 90_000
_EDGE_S = 0.5


@dataclass(frozen=True)
class KindScore:
    """How the waves of one kind were found.

    Attributes
    ----------
    score : MethodScore
        Of its boundaries.
    bias_ms : dict of str to float, ms
        Median over records of our interval minus the true one; NaN without that interval.
    extra_p : int
        P waves found, over leads and beats, that are none.
    """

    score: MethodScore
    bias_ms: dict[str, float]
    extra_p: int


@dataclass(frozen=True)
class RhythmsResult(Result):
    """The table that ``ecgllm eval rhythms`` prints.

    Attributes
    ----------
    per_kind : int
        Records of each kind.
    kinds : dict of str to KindScore
        By name.
    """

    per_kind: int
    kinds: dict[str, KindScore]

    def render(self) -> str:
        """Give the table as Markdown."""
        rows = []
        for kind, row in self.kinds.items():
            bias = ", ".join("–" if v != v else f"{v:+.1f}" for v in row.bias_ms.values())
            rows.append((kind, *(_pair(row, wave) for wave in WAVES), bias))
        return (
            f"{self.per_kind} simulated records with noise of each kind; onsets, Se/PPV in %; "
            "median error of the record's interval.\n\n"
            + markdown(("kind", *WAVES, "PR, QRS, QT, ms"), rows)
        )


def _pair(row: KindScore, wave: str) -> str:
    """Give sensitivity and precision, or what was found where there is nothing."""
    score = row.score.boundaries[f"{wave} on"]
    if not score.n:
        return f"none; {row.extra_p} found"
    return f"{100 * score.sensitivity:.1f}/{100 * score.precision:.1f}"


def simulated_marks(ecg: SyntheticECG) -> Marks:
    """Give the true marks of a simulated record.

    Returns
    -------
    dict of str to dict of str to np.ndarray, shape (n, 3), s
        By lead and wave; P waves hidden under a QRS are left out.
    """
    truth = ecg.truth
    marks = {}
    for k, lead in enumerate(ecg.record.leads):
        marks[lead] = {
            "P": truth.p_leads_s[k][~truth.p_hidden],
            "QRS": truth.complete.times_s[k, :, 3:6],
            "T": truth.complete.times_s[k, :, 6:9],
        }
    return marks


def evaluate(
    per_kind: int = 8,
    *,
    weights: Path = BUNDLED,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RhythmsResult:
    """Measure the delineator on simulated records, which its training drew otherwise."""
    from ecg_llm.data_builders.synthetic import synthetic_ecg
    from ecg_llm.data_builders.synthetic_noise import draw_noise

    kinds = {}
    for done, (kind, changes) in enumerate(KINDS.items()):
        tally, errors = Tally(), []
        for k in range(per_kind):
            rng = np.random.default_rng((k, done))
            wanted: dict[str, Any] = {"bpm": float(rng.uniform(50, 110)), "noise": draw_noise(rng)}
            wanted |= changes
            ecg = synthetic_ecg(seed=_FIRST_SEED + k, **wanted)
            last_s = ecg.record.duration_s - _EDGE_S
            inner = {
                lead: {w: v[(v[:, 0] > _EDGE_S) & (v[:, 2] < last_s)] for w, v in waves.items()}
                for lead, waves in simulated_marks(ecg).items()
            }
            marks, read = LudbMarks(inner), delineate(ecg.record, weights=weights)
            tally.add(marks, read)
            ours = record_intervals_ms(read.times_s)
            truth = record_intervals_ms(marks.delineation().times_s)
            errors.append([ours[name] - truth[name] for name in INTERVALS])
        bias = nanmedian(np.array(errors), axis=0)
        kinds[kind] = KindScore(
            score=tally.score(),
            bias_ms=dict(zip(INTERVALS, bias.tolist(), strict=True)),
            extra_p=tally.extra["P on"],
        )
        progress(done + 1, len(KINDS))
    return RhythmsResult(per_kind, kinds)
