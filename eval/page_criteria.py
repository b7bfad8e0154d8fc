"""What alarms on pages: what the criteria say of a recording and of a page that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ecg_llm.analysis import analyse
from ecg_llm.data_builders.build_images import page_seed
from ecg_llm.data_builders.photograph import print_page
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.data_builders.synthetic_conditions import CATALOGUE
from ecg_llm.data_builders.synthetic_noise import draw_noise
from ecg_llm.errors import RecordError
from ecg_llm.eval.ptbxl_rows import ptbxl_rows, spread
from ecg_llm.eval.result import Result, markdown
from ecg_llm.io import read_bytes, read_record
from ecg_llm.page_criteria import STATED_FROM, bundled, sign_of
from ecg_llm.page_seen import CODES, INJURY, see
from ecg_llm.probabilities import with_probabilities
from ecg_llm.quality import assess
from ecg_llm.record import ECGRecord

Progress = Callable[[int, int], None]

ACUTE = tuple(code for code in CATALOGUE if code.startswith("mi_") and code.endswith("acute"))
LIKE_IT = (
    "ANEUR", "pericarditis", "early_repolarisation", "brugada1", "hyperkalaemia", "LVH",
    "LVH_strain", "CRBBB", "CLBBB", "IVCD", "LVOLT", "DIG", "INVT", "STD_", "INJAS", "INJAL",
    "INJLA", "INJIN", "INJIL", "ISCAN", "ISCAL", "ISCIN",
)  # fmt: skip
"""Conditions that change ST and T too, or the QRS."""
SIMULATED = "simulated"
FIRST_HELD = 500_000
"""Simulated patients from this number on are for evaluation."""
RHYTHMS = (
    "vt", "vt", "vf", "asystole", "svt", "av_block3", "junctional", "paced_ventricular", "flutter",
    "af", "sinus", "sinus",
)  # fmt: skip
"""Rhythms of the patients simulated for them; sinus rhythm then is very slow or very fast."""
GROUPS = {
    "asystole or VF": ("asystole_or_vf",),
    "wide-QRS tachycardia": ("wide_qrs_tachycardia",),
    "above 150/min": ("extreme_tachycardia",),
    "below 40/min": ("extreme_bradycardia",),
    "sinus rhythm": ("SR",),
    "ST elevation": ("STE_",),
    "of an occlusion": ("stemi",),
    "ST depression": ("STD_",),
    "of injury": INJURY,
}


@dataclass(frozen=True, kw_only=True)
class PagePair:
    """One page and the recording it shows.

    Attributes
    ----------
    record : str
        Name of the recording.
    photographed : bool
        Whether the page was photographed, scanned or faxed.
    recording : dict of str to str
        By the codes of `CODES` and ``SR``: status by the recording's criteria.
    page : dict of str to tuple of str and float, or None
        By code: status on the page, and by how much the limit of ST is passed, mV; without what
        could not be judged, None if the page could not be read.
    """

    record: str
    photographed: bool
    recording: dict[str, str]
    page: dict[str, tuple[str, float]] | None

    def of_recording(self, codes: Sequence[str]) -> str:
        """Give the status of a group of findings on the recording: that of any of them."""
        return _any([self.recording[code] for code in codes])

    def of_page(self, codes: Sequence[str]) -> tuple[str, float]:
        """Give the status of a group of findings on the page, and the excess of what is met."""
        unseen = ("unknown", -np.inf)
        seen = [(self.page or {}).get(code, unseen) for code in codes]
        status = _any([status for status, _ in seen])
        return status, max(excess for of, excess in seen if of == status)


def _any(statuses: Sequence[str]) -> str:
    return next(s for s in ("present", "unknown", "absent") if s in statuses)


def _simulated_patient(number: int) -> ECGRecord:
    """Simulate a patient: an acute infarction, what looks like one, or a rhythm that alarms.

    The number is all there is to know; from `FIRST_HELD` on patients are for evaluation.
    """
    rng = np.random.default_rng((number, 7))
    kind = rng.random()
    if kind < 0.3:
        rhythm = str(rng.choice(RHYTHMS))
        extreme = rng.uniform(28, 40) if rng.random() < 0.5 else rng.uniform(140, 180)
        bpm = float(extreme) if rhythm == "sinus" else None
        noise = draw_noise(rng)
        return synthetic_ecg(seed=number, rhythm=rhythm, bpm=bpm, noise=noise).record
    condition = str(rng.choice(ACUTE if kind < 0.7 else LIKE_IT))
    bpm = float(rng.uniform(50, 115))
    noise = draw_noise(rng)
    return synthetic_ecg(seed=number, bpm=bpm, conditions=(condition,), noise=noise).record


def recordings(
    data: Path, folds: tuple[int, ...], simulated: range, limit: int | None = None
) -> list[tuple[str, Callable[[], ECGRecord]]]:
    """List recordings of PTB-XL and simulated ones.

    Parameters
    ----------
    limit : int, optional
        Take so many of PTB-XL's records only, spread over the folds.

    Returns
    -------
    list of tuple of str and callable
        Name, and what reads or simulates it.
    """
    rows = spread(ptbxl_rows(data, folds), limit)
    real = [
        (str(row["ecg_id"]), partial(read_record, data / f"{row['filename_lr']}.hea"))
        for row in rows
    ]
    return [*real, *((f"{SIMULATED} {k}", partial(_simulated_patient, k)) for k in simulated)]


def page_pair(name: str, record: ECGRecord, photographed: bool, seed: int) -> PagePair | None:
    """Print a recording, read the page, and judge ST on both.

    Parameters
    ----------
    photographed : bool
        Whether to photograph, scan or fax the page first.

    Returns
    -------
    PagePair or None
        None if the recording cannot be judged itself.
    """
    of_record = {finding.code: finding for finding in analyse(record, encoder=False).findings}
    if not of_record:
        return None
    packed, _, _ = print_page(record, seed, photographed=photographed)
    try:
        page = read_bytes(packed, f"{name}.png")
    except RecordError:
        seen: dict[str, tuple[str, float]] | None = None
    else:
        encoded = with_probabilities(page, None, ())
        stated = frozenset(finding.code for finding in encoded if finding.status == "present")
        on_page = see(page, assess(page), stated)
        seen = {
            code: (one.status, round(one.excess_mv, 4))
            for code, one in on_page.by_code.items()
            if np.isfinite(one.excess_mv)
        }
        sinus = "SR" in stated and on_page.sinus is not False
        seen["SR"] = ("present" if sinus else "absent", 0.0)
    return PagePair(
        record=name,
        photographed=photographed,
        recording={code: of_record[code].status for code in (*CODES, "SR")},
        page=seen,
    )


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """How one statement on ST was found on the pages of one kind.

    Attributes
    ----------
    pages : int
        Pages, those that could not be read included.
    met : int
        Recordings that meet the criterion.
    found : int
        Of these, pages on which it is stated.
    not_met, false : int
        Recordings that do not meet it, and pages of these on which it is stated.
    probability : float or None
        Mean of what was told where it was stated and the recording decides; None without.
    """

    pages: int
    met: int
    found: int
    not_met: int
    false: int
    probability: float | None


@dataclass(frozen=True, kw_only=True)
class PageCriteriaResult(Result):
    """The table that ``ecgllm eval page-criteria`` prints.

    Attributes
    ----------
    scores : dict of str to dict of str to GroupScore
        By kind of page and statement.
    """

    scores: dict[str, dict[str, GroupScore]]

    def render(self) -> str:
        """Give the table as Markdown."""
        heads = (
            *("pages", "statement", "met on the recording", "found on the page"),
            *("stated falsely", "of what is stated true", "probability told"),
        )
        rows = []
        for kind, groups in self.scores.items():
            for group, score in groups.items():
                stated = score.found + score.false
                right = f"{score.found / stated:.2f}" if stated else "–"
                told = "–" if score.probability is None else f"{score.probability:.2f}"
                falsely = f"{score.false} of {score.not_met}"
                pages = f"{score.pages} {kind}"
                rows.append((pages, group, score.met, score.found, falsely, right, told))
        return markdown(heads, rows, names=2)


def _score(pairs: Sequence[PagePair], codes: Sequence[str]) -> GroupScore:
    """Count how one statement, made by any of some findings, was found on pages of one kind."""
    trust = bundled().get(sign_of(codes[0]))
    truth = [pair.of_recording(codes) for pair in pairs]
    told = []
    for status, excess in (pair.of_page(codes) for pair in pairs):
        p = 1.0 if trust is None else trust.probability(excess)
        told.append(p if status == "present" else 0.0)
    stated = [p for p, of in zip(told, truth, strict=True) if p >= STATED_FROM and of != "unknown"]
    both = list(zip(told, truth, strict=True))
    return GroupScore(
        pages=len(pairs),
        met=truth.count("present"),
        found=sum(p >= STATED_FROM and of == "present" for p, of in both),
        not_met=truth.count("absent"),
        false=sum(p >= STATED_FROM and of == "absent" for p, of in both),
        probability=float(np.mean(stated)) if stated and trust else None,
    )


def evaluate(
    data: Path,
    *,
    folds: tuple[int, ...] = (9,),
    simulated: int = 300,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> PageCriteriaResult:
    """Hold what is said of ST on pages against what is said of the recordings.

    Parameters
    ----------
    folds : tuple of int
        Folds of it; training used 1 to 8.
    simulated : int
        Simulated patients beside them, about half with an acute infarction.
    limit : int, optional
        Use so many of PTB-XL's records only.
    """
    chosen = recordings(data, folds, range(FIRST_HELD, FIRST_HELD + simulated), limit)
    kinds: dict[str, list[PagePair]] = {}
    for k, (name, read) in enumerate(chosen):
        record = read()
        origin = "simulated" if name.startswith(SIMULATED) else "PTB-XL"
        for photographed in (False, True):
            pair = page_pair(name, record, photographed, page_seed(seed, name, photographed))
            if pair is not None:
                how = "photographed" if photographed else "clean"
                kinds.setdefault(f"{origin}, {how}", []).append(pair)
        progress(k + 1, len(chosen))
    return PageCriteriaResult(
        scores={
            kind: {group: _score(pairs, codes) for group, codes in GROUPS.items()}
            for kind, pairs in sorted(kinds.items())
        }
    )
