"""The known cases and prototypes that a record is most like, and the stretch that makes it so.

Two records are alike if their vectors point the same way in the space that the text tower shares
with them. What made them alike is found by looking away: the second, or the lead, without which the
likeness falls most.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_llm.errors import ConfigError, ECGError
from ecg_llm.findings.finding import Evidence
from ecg_llm.ptbxl import FILE_COLUMNS, read_table, statements_of

if TYPE_CHECKING:
    from ecg_llm.io import RecordRef
    from ecg_llm.record import ECGRecord
    from ecg_llm.text import FloatArray

PROTOTYPES = Path(__file__).parent / "weights" / "cases.npz"
"""Three real training records of each of PTB-XL's statements, as vectors."""
CACHE, TABLE = ".ecgllm_cases.npz", "statements.csv"
STRETCH_S = 1.0
"""What is hidden at a time to see where the likeness comes from."""
SOURCE = "nearest case by the signal encoder"
_BATCH = 32
_SAME = 0.999
"""Likeness of a record to itself, but for the half precision of an index."""


@dataclass(frozen=True, eq=False)
class Cases:
    """Known records as vectors.

    Attributes
    ----------
    names : tuple of str
        Of the records.
    statements : tuple of tuple of str
        What is known of each; empty if nothing is.
    prototype_of : tuple of str
        The statement that each stands for; empty for a plain case.
    vectors : np.ndarray, shape (n, D)
        Of length 1, in the space of the text tower.
    made_from : str
        Hash of the records and weights behind them.
    """

    names: tuple[str, ...]
    statements: tuple[tuple[str, ...], ...]
    prototype_of: tuple[str, ...]
    vectors: FloatArray
    made_from: str = ""

    def save(self, path: Path) -> None:
        """Write the cases, vectors in half precision.

        Parameters
        ----------
        path : Path
            Ends in ``.npz``.
        """
        told: dict[str, Any] = {
            "names": np.array(self.names),
            "statements": np.array([" ".join(codes) for codes in self.statements]),
            "prototype_of": np.array(self.prototype_of),
            "vectors": self.vectors.astype(np.float16),
            "made_from": np.array(self.made_from),
        }
        np.savez_compressed(path, **told)

    @classmethod
    def load(cls, path: Path) -> Cases:
        """Read cases.

        Parameters
        ----------
        path : Path
            Written by `save`.

        Returns
        -------
        Cases

        Raises
        ------
        ConfigError
            If the file is missing or something else.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(
                    names=tuple(str(name) for name in file["names"]),
                    statements=tuple(tuple(str(codes).split()) for codes in file["statements"]),
                    prototype_of=tuple(str(code) for code in file["prototype_of"]),
                    vectors=file["vectors"].astype(np.float32),
                    made_from=str(file["made_from"]),
                )
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(f"{path}: no index of cases could be read ({error}).") from None


@dataclass(frozen=True, kw_only=True)
class Similar:
    """One known case that is like the record.

    Attributes
    ----------
    name : str
        Of the case.
    statements : tuple of str
        What is known of it.
    prototype_of : str
        The statement it stands for; empty for a plain case.
    likeness : float
        Cosine of the vectors, -1 to 1.
    from_s, to_s : float, s
        The stretch of the record without which the likeness falls most.
    lead : str
        The precordial lead without which it falls most; empty if that are the limb leads.
    """

    name: str
    statements: tuple[str, ...]
    prototype_of: str
    likeness: float
    from_s: float
    to_s: float
    lead: str

    def evidence(self) -> Evidence:
        """Give it as evidence of a report.

        Returns
        -------
        Evidence
        """
        what = f"prototype of {self.prototype_of}" if self.prototype_of else "known case"
        known = f": {', '.join(self.statements)}" if self.statements else ""
        return Evidence(
            lead=self.lead or None,
            from_s=self.from_s,
            to_s=self.to_s,
            quantity=f"likeness to {what} {self.name}{known}",
            value=self.likeness,
            unit="",
            criterion="nearest of all known cases",
            source=SOURCE,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values.

        Returns
        -------
        dict
        """
        return {
            "case": self.name,
            "statements": list(self.statements),
            "prototype_of": self.prototype_of or None,
            "likeness": self.likeness,
            "from_s": self.from_s,
            "to_s": self.to_s,
            "leads": self.lead or "limb",
        }


@cache
def prototypes() -> Cases:
    """Give the prototypes that ship with the program.

    Returns
    -------
    Cases
    """
    return Cases.load(PROTOTYPES)


def vectors_of(records: Sequence[ECGRecord]) -> FloatArray:
    """Bring records into the space in which they are compared.

    Parameters
    ----------
    records : sequence of ECGRecord
        Any leads, rate and length.

    Returns
    -------
    np.ndarray, shape (n_records, D)
        Of length 1.
    """
    from ecg_llm.encode import encode
    from ecg_llm.text import bundled

    return bundled().records(encode(records).vector)


def similar(record: ECGRecord, cases: Cases, *, n: int = 5) -> list[Similar]:
    """Find the known cases that a record is most like.

    Parameters
    ----------
    record : ECGRecord
        What was read.
    cases : Cases
        What is known; the record itself is passed over.
    n : int
        How many.

    Returns
    -------
    list of Similar
        The nearest first.
    """
    whole, hidden, stretches, leads = _looked_away(record)
    likeness = cases.vectors @ whole
    order = [
        k for k in np.argsort(-likeness) if not _is_itself(record.name, cases.names[k], likeness[k])
    ]
    found = []
    for k in order[:n]:
        fall = likeness[k] - hidden @ cases.vectors[k]
        start, stop = stretches[int(np.argmax(fall[: len(stretches)]))]
        lead = leads[int(np.argmax(fall[len(stretches) :]))] if leads else ""
        found.append(
            Similar(
                name=cases.names[k],
                statements=cases.statements[k],
                prototype_of=cases.prototype_of[k],
                likeness=round(float(likeness[k]), 3),
                from_s=round(start, 2),
                to_s=round(stop, 2),
                lead=lead,
            )
        )
    return found


def _is_itself(name: str, case: str, likeness: float) -> bool:
    """Tell whether a case is the record: an index names it by its place below the folder."""
    alike = likeness > _SAME and PurePath(name).name == PurePath(case).name
    return bool(name) and (name == case or alike)


def _looked_away(
    record: ECGRecord,
) -> tuple[FloatArray, FloatArray, list[tuple[float, float]], list[str]]:
    """Encode a record whole, without each second, and without the limb or a precordial lead."""
    n = max(1, round(record.duration_s / STRETCH_S))
    edges = np.linspace(0, record.n_samples, n + 1).round().astype(int)
    variants, stretches, leads = [record], [], []
    if n > 3:
        for a, b in pairwise(edges):
            signal = record.signal.copy()
            signal[:, a:b] = np.nan
            variants.append(replace(record, signal=signal))
            stretches.append((a / record.fs, b / record.fs))
    else:
        stretches = [(0.0, record.duration_s)]
        variants.append(record)
    # Two limb leads give all others back, so these are hidden together.
    groups = {"": [lead for lead in record.leads if not lead.startswith("V")]}
    groups |= {lead: [lead] for lead in record.leads if lead.startswith("V")}
    if len(groups) > 1 and groups[""]:
        for lead, hidden in groups.items():
            signal = record.signal.copy()
            signal[[record.leads.index(name) for name in hidden]] = np.nan
            variants.append(replace(record, signal=signal))
            leads.append(lead)
    vectors = vectors_of(variants)
    return vectors[0], vectors[1:], stretches, leads


def index_folder(
    folder: Path, *, progress: Callable[[int, int], None] | None = None
) -> tuple[Cases, list[str]]:
    """Encode the records of a folder, or read what an earlier call kept beside them.

    Parameters
    ----------
    folder : Path
        Searched through all its folders. Statements come from PTB-XL's table, or from
        ``statements.csv`` with the columns ``record`` and ``statements`` (codes, a blank between).
    progress : callable, optional
        Called with records done and in all.

    Returns
    -------
    cases : Cases
    problems : list of str
        Records that could not be encoded, and why.

    Raises
    ------
    ConfigError
        If the folder holds no record.
    """
    from ecg_llm.io import as_written, find_records

    refs = find_records(folder)
    if not refs:
        raise ConfigError(f"--index {folder}: no ECG was found in it.")
    made_from = _made_from(refs, folder)
    kept = folder / CACHE
    if kept.is_file():
        cases = Cases.load(kept)
        if cases.made_from == made_from:
            return cases, []
    find = as_written([ref.name for ref in refs])
    named = known_statements(folder)
    known = {find(record): codes for record, codes in named.items()}
    names: list[str] = []
    parts: list[FloatArray] = []
    problems: list[str] = []
    own, lost = folder / TABLE, [record for record in named if not find(record)]
    if lost and own.is_file():  # of PTB-XL's table a folder may hold a part
        more = f" and {len(lost) - 1} more" if lost[1:] else ""
        problems.append(f"{own}: no record {lost[0]}{more} in the folder")
    for start in range(0, len(refs), _BATCH):
        records = []
        for ref in refs[start : start + _BATCH]:
            try:
                records.append(_readable(ref))
            except (ECGError, OSError) as error:
                problems.append(str(error))
        if records:
            names += [record.name for record in records]
            parts.append(vectors_of(records))
        if progress:
            progress(min(start + _BATCH, len(refs)), len(refs))
    if not names:
        raise ConfigError(f"--index {folder}: none of {len(refs)} records can be used.")
    cases = Cases(
        names=tuple(names),
        statements=tuple(known.get(name, ()) for name in names),
        prototype_of=("",) * len(names),
        vectors=np.concatenate(parts),
        made_from=made_from,
    )
    try:
        cases.save(kept)
    except OSError as error:  # a folder that cannot be written is encoded anew each time
        problems.append(f"{kept}: not kept ({error.strerror})")
    return cases, problems


def _readable(ref: RecordRef) -> ECGRecord:
    """Read a record that is good enough to be compared with."""
    from ecg_llm.classify import readable
    from ecg_llm.io import read_ref

    record, why = readable(read_ref(ref))
    if why is not None:
        raise ConfigError(f"{ref.name}: {why}")
    return record


def _made_from(refs: Sequence[RecordRef], folder: Path) -> str:
    """Hash what the vectors depend on: files by size and time, weights by content."""
    from ecg_llm.encode import WEIGHTS as ENCODER
    from ecg_llm.text import WEIGHTS as TOWER

    digest = hashlib.sha256()
    for ref in refs:
        status = ref.path.stat()
        digest.update(f"{ref.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    for path in (ENCODER, TOWER):
        digest.update(path.read_bytes())
    for path in (folder / TABLE, folder / "ptbxl_database.csv"):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def known_statements(folder: Path) -> dict[str, tuple[str, ...]]:
    """Read what is known of a folder's records.

    Parameters
    ----------
    folder : Path
        With ``statements.csv`` or PTB-XL's table, or neither.

    Returns
    -------
    dict of str to tuple of str
        Codes by record, as the table writes it.
    """
    own, ptbxl = folder / TABLE, folder / "ptbxl_database.csv"
    if own.is_file():
        with own.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if not {"record", "statements"} <= set(table.fieldnames or ()):
                raise ConfigError(f"{own}: the columns record and statements are needed.")
            return {
                row["record"]: tuple((row["statements"] or "").split())
                for row in table
                if row["record"]
            }
    if not ptbxl.is_file():
        return {}
    return {
        row[column]: tuple(statements_of(row))
        for row in read_table(folder, ("scp_codes",))
        for column in FILE_COLUMNS.values()
        if row.get(column)
    }
