"""What is known of noise: annotators' remarks in PTB-XL, and ECG-QA's questions on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ECGError
from ecg_llm.leads import STANDARD_12
from ecg_llm.noise import KINDS, Noise, measure_noise
from ecg_llm.ptbxl import read_table, whole
from ecg_llm.qa.items import ptbxl_files, read_items
from ecg_llm.qa.question import NOISES, read_qa
from ecg_llm.record import ECGRecord
from ecg_llm.training.sources import limb_ratios

COLUMNS = {
    "baseline drift": "baseline_drift",
    "static noise": "static_noise",
    "burst noise": "burst_noise",
    "electrodes problems": "electrodes_problems",
}
PLACES: tuple[str | None, ...] = (*STANDARD_12, None)
"""What a row is about: a lead, or the whole record."""
TYPICAL_MV = (0.131, 0.130, 0.097, 0.123, 0.094, 0.095, 0.150, 0.245, 0.237, 0.228, 0.208, 0.174)
"""Median standard deviation of the leads of PTB-XL between 0.5 and 40 Hz."""
_UPPER = [lead.upper() for lead in STANDARD_12]
_RANGE = re.compile(r"(AV[RLF]|V\d|I{1,3}|\d)(?:-(AV[RLF]|V\d|I{1,3}|\d))?")


@dataclass(frozen=True)
class Question:
    """A question of ECG-QA on noise, with its answer."""

    ecg_id: int
    kind: str
    lead: str | None
    there: bool
    fold: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Leads, and whole records, with what is known of their noise.

    Attributes
    ----------
    ecg_id, place, fold : np.ndarray, shape (n,)
        Which record, which of `PLACES`, which fold.
    there : np.ndarray, shape (n, n_kinds), float
        1 where a kind is there, 0 where it is not.
    weight : np.ndarray, shape (n, n_kinds), float
        How much each counts; 0 where nothing is known.
    clean : np.ndarray, shape (n,), bool
        Rows of records without any remark that nothing was asked about.
    """

    ecg_id: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    there: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    clean: npt.NDArray[np.bool_]


def _remarked_leads(remark: str) -> set[str]:
    """Read the leads of a remark such as ``, I-AVR,``: all for ``alles``, none if none is named."""
    text = remark.upper().replace(" ", "").replace("?", "")
    if "ALL" in text:
        return set(STANDARD_12)
    out: set[str] = set()
    for part in re.split(r"[,.;/]", text):
        found = _RANGE.match(part)
        if not found:
            continue
        ends = [f"V{end}" if end.isdigit() else end for end in found.groups() if end]
        if all(end in _UPPER for end in ends):
            places = sorted(_UPPER.index(end) for end in ends)
            out |= set(STANDARD_12[places[0] : places[-1] + 1])
    return out


def folds_of(table: Sequence[Mapping[str, str]]) -> dict[int, int]:
    """Tell the fold of each record."""
    known = ((whole(cells["ecg_id"]), whole(cells["strat_fold"])) for cells in table)
    return {key: fold for key, fold in known if key is not None and fold is not None}


def read_questions(items: Path, folds: Mapping[int, int]) -> list[Question]:
    """Read ECG-QA's questions on noise, each once.

    Parameters
    ----------
    folds : mapping of int to int
        Folds of the records at hand.
    """
    found: dict[tuple[int, str, str | None], Question] = {}
    for item in read_items(items):
        asked = read_qa(item.question, len(item.ecg_ids))
        key = item.ecg_ids[0]
        fits = len(item.ecg_ids) == 1 and asked.form == "verify" and asked.about == "noise"
        if not fits or key not in folds or not item.truth:
            continue
        kind = "any" if len(asked.terms) == len(NOISES) else asked.terms[0]
        there = item.truth == ("yes",)
        found[key, kind, asked.lead] = Question(key, kind, asked.lead, there, folds[key])
    return list(found.values())


@dataclass(frozen=True)
class _Remarks:
    """The remarks on one record: leads by kind, and kinds remarked without a lead."""

    leads: Mapping[str, set[str]]
    kinds: frozenset[str]

    @classmethod
    def of(cls, cells: Mapping[str, str]) -> _Remarks:
        leads = {kind: _remarked_leads(cells[column]) for kind, column in COLUMNS.items()}
        kinds = {kind for kind, column in COLUMNS.items() if cells[column].strip(" ,")}
        leads["any"] = set().union(*leads.values())
        return cls(leads, frozenset(kinds | ({"any"} if kinds else set())))

    def state(self, kind: str, lead: str | None) -> str:
        """Tell whether a kind is there, or how it is not; empty if that is not known."""
        if lead is None:
            there = kind in self.kinds and kind != "any"
            unknown = kind == "any"
        else:
            there = lead in self.leads[kind]
            vague = {one for one in COLUMNS if one in self.kinds and not self.leads[one]}
            unknown = not there and bool(vague if kind == "any" else vague & {kind})
        if unknown or (kind == "baseline drift" and lead is not None):
            return ""
        if there:
            return "there"
        return "elsewhere" if kind in self.kinds else "other" if self.kinds else "clean"


def known_rows(
    table: Sequence[Mapping[str, str]],
    questions: Sequence[Question],
    *,
    asked_weight: float,
    sampled_folds: Sequence[int],
) -> Rows:
    """Join remarks and questions.

    Parameters
    ----------
    asked_weight : float
        Weight of a question; a remark that a kind is there has 1.
    sampled_folds : sequence of int
        Folds whose questions tell how ECG-QA chooses its records.

    Notes
    -----
    ECG-QA asks about a lead mostly in records with such noise in that or another lead. Of the
    remarks, leads without the noise are weighted by their kind of record (noise of the kind
    elsewhere, other noise, clean) so that they are as frequent as among its questions.
    """
    folds = folds_of(table)
    remarks = {
        key: _Remarks.of(cells)
        for cells in table
        if (key := whole(cells["ecg_id"])) in folds
        and cells.get("row_source", "official") == "official"
    }
    asked: Counter[tuple[str, bool, str]] = Counter()
    for one in questions:
        if one.ecg_id in remarks and one.fold in sampled_folds:
            state = remarks[one.ecg_id].state(one.kind, one.lead)
            asked[one.kind, one.lead is None, state] += 1
    seen: Counter[tuple[str, bool, str]] = Counter()
    for key, known in remarks.items():
        if folds[key] in sampled_folds:
            seen.update((k, p is None, known.state(k, p)) for k in KINDS for p in PLACES)
    truth: dict[tuple[int, int], npt.NDArray[np.float32]] = {}
    for key, known in remarks.items():
        for at, place in enumerate(PLACES):
            rows = np.zeros((2, len(KINDS)), np.float32)
            for k, kind in enumerate(KINDS):
                state = known.state(kind, place)
                group = kind, place is None
                if state and asked[*group, "there"]:
                    share = asked[*group, state] / asked[*group, "there"]
                    rows[0, k] = state == "there"
                    rows[1, k] = share * seen[*group, "there"] / max(1, seen[*group, state])
            if rows[1].any():
                truth[key, at] = rows
    of_asked = {one.ecg_id for one in questions}
    for one in questions:
        at, k = PLACES.index(one.lead), KINDS.index(one.kind)
        rows = truth.setdefault((one.ecg_id, at), np.zeros((2, len(KINDS)), np.float32))
        rows[0, k] = one.there
        rows[1, k] += asked_weight
    keys = np.array(list(truth), dtype=np.int64)
    values = np.stack(list(truth.values()))
    clean = [key in remarks and not remarks[key].kinds and key not in of_asked for key, _ in truth]
    return Rows(
        ecg_id=keys[:, 0],
        place=keys[:, 1],
        fold=np.array([folds[key] for key, _ in truth]),
        there=values[:, 0],
        weight=values[:, 1],
        clean=np.array(clean),
    )


def records_of(
    data: Path, zscored: Path | None, wanted: set[int]
) -> Iterator[tuple[int, ECGRecord]]:
    """Read records that have the twelve leads.

    Yields
    ------
    int, ECGRecord
        ``ecg_id`` and the record; those that cannot be read are left out.
    """
    from ecg_llm.io import read_record

    for key, file in ptbxl_files(data).items():
        if key not in wanted:
            continue
        try:
            record = read_record(file.path)
        except ECGError:
            continue
        if set(STANDARD_12) <= set(record.leads):
            yield key, record
    if zscored is not None:
        yield from _zscored_records(zscored, wanted)


def measure_all(
    records: Iterable[tuple[int, ECGRecord]], progress: Callable[[int], None] | None = None
) -> dict[int, Noise]:
    """Measure the noise of records."""
    out = {}
    for key, record in records:
        try:
            out[key] = measure_noise(record)
        except ECGError:
            continue
        if progress:
            progress(len(out))
    return out


def _zscored_records(folder: Path, wanted: set[int]) -> Iterator[tuple[int, ECGRecord]]:
    """Read records whose leads were brought to a standard deviation of one, at 100 Hz, in about mV.

    The folder has ``ptbxl_database.csv`` and, in its order, ``signals_*.npy``: int16, (n, 12,
    n_samples), in thousandths of the standard deviation. The six limb leads have two degrees of
    freedom, so their scales follow from each other; that of all of them, and of each chest lead, is
    from `TYPICAL_MV`.
    """
    keys = [whole(cells["ecg_id"]) for cells in read_table(folder, ("ecg_id",))]
    signals = (row for path in sorted(folder.glob("signals_*.npy")) for row in np.load(path))
    for key, row in zip(keys, signals, strict=True):
        if key is not None and key in wanted:
            signal = row.astype(np.float32) / 1000
            signal *= _lead_scales(signal)[:, None]
            yield key, ECGRecord(signal=signal, fs=100.0, leads=STANDARD_12, name=str(key))


def _lead_scales(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Find by what each of twelve z-scored leads has to be multiplied."""
    smallest = np.abs(limb_ratios(signal[:6])) + 1e-6
    typical = np.array(TYPICAL_MV)
    limb = smallest * np.exp(np.mean(np.log(typical[:6]) - np.log(smallest)))
    return np.concatenate([limb, typical[6:]]).astype(np.float32)
