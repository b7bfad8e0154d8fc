"""Simulated records as a data set."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.listing import SPLITS, Entry, Item, ItemError, Listing, Split, split_of
from ecg_llm.data_builders.synthetic import random_ecg
from ecg_llm.data_builders.synthetic_conditions import CATALOGUE, ECTOPY
from ecg_llm.data_builders.synthetic_labels import rhythm_labels
from ecg_llm.data_builders.synthetic_rhythm import RHYTHMS
from ecg_llm.data_builders.synthetic_truth import Truth
from ecg_llm.delineate import FIDUCIALS, Delineation
from ecg_llm.errors import ConfigError
from ecg_llm.findings.codes import STATEMENTS


@dataclass(frozen=True)
class Synthetic:
    """Records of the simulator.

    Attributes
    ----------
    n : int
        How many.
    seed : int
        Of the whole set; record k does not depend on ``n``.
    fs : float, Hz
        Sampling rate.
    seconds : float, s
        Length.
    rare : float
        Part of the records in which every rhythm and condition is as likely as any other.
    """

    n: int
    seed: int = 0
    fs: float = 500.0
    seconds: float = 10.0
    rare: float = 0.0

    name = "synthetic"
    licence = "Apache-2.0"
    citation = "Simulated by ecg_llm; no patient."

    def __post_init__(self) -> None:
        """Refuse impossible figures."""
        if self.n < 1 or self.seed < 0 or not 0 <= self.rare <= 1:
            raise ConfigError(
                f"n {self.n}, seed {self.seed}, rare {self.rare}: n must be at least 1, seed at "
                "least 0 and rare from 0 to 1."
            )

    def identity(self) -> dict[str, Any]:
        """Give what determines the content."""
        return {
            "source": self.name,
            "n": self.n,
            "seed": self.seed,
            "fs": self.fs,
            "seconds": self.seconds,
            "rare": self.rare,
        }

    def vocabulary(self) -> dict[str, str]:
        """Give the statements that the simulator can make true."""
        return _vocabulary()

    def listing(self) -> Listing:
        """List the records to be simulated; each is its own patient."""
        order: dict[Split, list[int]] = {split: [] for split in SPLITS}
        for k in range(self.n):
            order[self._split(k)].append(k)
        return Listing(
            order=order,
            item=functools.partial(_item, self),
        )

    def read(self, item: Item) -> Entry:
        """Simulate one record.

        Raises
        ------
        ItemError
            If the simulator states what it has no name for.
        """
        k = int(item.cells["k"])
        # 64 bits: with 32, two of a hundred thousand records would likely be twins.
        own = int(np.random.SeedSequence([self.seed, k]).generate_state(1, np.uint64)[0])
        ecg = random_ecg(own, fs=self.fs, seconds=self.seconds, rare=self.rare)
        digest = hashlib.sha256(np.ascontiguousarray(ecg.record.signal).tobytes()).hexdigest()
        names = self.vocabulary()
        unknown = [code for code in ecg.truth.labels if code not in names]
        if unknown:
            raise ItemError("label", f"the simulator made {unknown[0]!r} true, which it must not")
        return Entry(
            record=replace(ecg.record, name=item.name, sha256=digest),
            source_file="",
            patient=item.name,
            labels=tuple((code, 100.0) for code in ecg.truth.labels),
            statements=tuple(names[code] for code in ecg.truth.labels),
            truth=truth_json(ecg.truth),
        )

    def _split(self, k: int) -> Split:
        return split_of(f"synthetic:{self.seed}:{k}")


def truth_json(truth: Truth) -> str:
    """Write what is true of a simulated record.

    Returns
    -------
    str
        JSON: ``rhythm``, ``labels``, ``values``, ``beats``, ``fiducials``, ``leads``, ``times_s``
        (lead, beat, fiducial), ``global_s``, ``p_waves_s``, ``amplitudes_mv`` (name, lead, beat),
        ``spikes_s``, ``electrode_swap``; null where there is none.
    """
    marks: Delineation = truth.delineation
    document = {
        "rhythm": truth.rhythm,
        "labels": truth.labels,
        "values": {name: _number(value, 3) for name, value in truth.values.items()},
        "beats": [{"r_s": _number(beat.r_s), "class": beat.kind} for beat in truth.beats],
        "fiducials": FIDUCIALS,
        "leads": marks.leads,
        "times_s": _numbers(marks.times_s),
        "global_s": _numbers(marks.global_s),
        "p_waves_s": _numbers(marks.p_waves_s),
        "amplitudes_mv": {name: _numbers(rows) for name, rows in truth.amplitudes_mv.items()},
        "spikes_s": [_number(at) for at in truth.spikes_s],
        "flutter_bpm": _number(truth.flutter_bpm, 2),
        "electrode_swap": truth.electrode_swap,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@functools.cache
def _vocabulary() -> dict[str, str]:
    """Ask the simulator for every statement it can make."""
    codes: dict[str, None] = {"NORM": None}
    for rhythm in RHYTHMS:
        for bpm in (50, 75, 120):
            for ratio in (0, 2):
                codes.update(dict.fromkeys(rhythm_labels(rhythm, bpm, tuple(ECTOPY), ratio)))
    for entry in CATALOGUE.values():
        codes.update(dict.fromkeys(entry.labels))
    return {
        code: STATEMENTS[code].label if code in STATEMENTS else code.replace("_", " ")
        for code in codes
    }


def _item(source: Synthetic, k: int) -> Item:
    return Item(f"synthetic-{source.seed}-{k:07d}", source._split(k), {"k": int(k)})


def _number(value: float, digits: int = 4) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def _numbers(values: npt.NDArray[np.float64]) -> Any:
    """Turn an array into nested lists, NaN into None."""
    return _plain(values.tolist())


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, list) else _number(value)
