"""Answer sets of questions in the form of ECG-QA on records in the layout of PTB-XL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecg_llm.batch import run_tasks
from ecg_llm.errors import ConfigError, ECGError
from ecg_llm.ptbxl import person, read_table, record_file, whole
from ecg_llm.qa.answer import QARecord, answer_qa, to_json
from ecg_llm.record import Sex


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question of a set.

    Attributes
    ----------
    question : str
        In English.
    ecg_ids : tuple of int
        The ECGs it is about, the first one first.
    truth : tuple of str or None
        The answer of the set, if it has one; never looked at while answering.
    """

    question: str
    ecg_ids: tuple[int, ...]
    truth: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ECGFile:
    """Where an ECG of a set is, and whose it is."""

    ecg_id: int
    path: Path
    age_years: float | None = None
    sex: Sex | None = None


def read_items(path: Path) -> list[Item]:
    """Read a set of questions.

    ``path``: JSON, a list of ``{"question", "ecg_id": [...], "answer": [...]}``, or one such a
    line.

    Raises
    ------
    ConfigError
        If it is no such file.
    """
    needed = 'a JSON list of {"question": "...", "ecg_id": [1], "answer": ["yes"]} is needed.'
    try:
        text = path.read_text(encoding="utf-8-sig")
        try:
            rows = json.loads(text)
            rows = [rows] if isinstance(rows, dict) else rows
        except ValueError:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {needed}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a set of questions ({error}); {needed}") from None
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path}: it holds no questions; {needed}")
    items = []
    for k, row in enumerate(rows, start=1):
        try:
            items.append(_item(row))
        except (KeyError, TypeError, ValueError, OverflowError):
            said = json.dumps(row, ensure_ascii=False)[:80]
            raise ConfigError(
                f"{path}: item {k} is no question on an ECG: {said}; {needed}"
            ) from None
    return items


def _item(row: dict[str, Any]) -> Item:
    ids, truth = row["ecg_id"], row.get("answer")
    return Item(
        question=str(row["question"]),
        ecg_ids=tuple(int(one) for one in (ids if isinstance(ids, list) else [ids])),
        truth=None if truth is None else tuple(truth if isinstance(truth, list) else [truth]),
    )


def ptbxl_files(data: Path) -> dict[int, ECGFile]:
    """Find the records of a folder in the layout of PTB-XL, those of 500 Hz where they are there.

    ``data``: with ``ptbxl_database.csv``. Of its columns only identity, age, sex and file names are
    read. By ``ecg_id``.

    Raises
    ------
    ConfigError
        If the table is missing or none.
    """
    out = {}
    for row in read_table(data, ("ecg_id",)):
        ecg_id = whole(row["ecg_id"])
        path = record_file(data, row, 500) or record_file(data, row, 100)
        if ecg_id is not None and path is not None:
            out[ecg_id] = ECGFile(ecg_id, path, *person(row))
    return out


def _load_ecg(file: ECGFile) -> QARecord | str:
    """Read and analyse an ECG of a set, or say what is wrong with it."""
    from ecg_llm.io import read_record

    try:
        record = read_record(file.path)
        return QARecord.read(replace(record, age_years=file.age_years, sex=file.sex))
    except (ECGError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def _died(file: ECGFile) -> str:
    return f"WorkerDied: the process reading ECG {file.ecg_id} died"


def answer_items(
    items: Sequence[Item],
    data: Path,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Answer a set of questions in its order.

    ``items``: the questions. ``data``: folder in the layout of PTB-XL. ``workers``: processes; by
    default one a core. ``progress``: called with ECGs analysed and in all.

    Yields
    ------
    dict
        ``question``, ``ecg_id``, ``answer`` (a list in ECG-QA's vocabulary), ``text`` and
        ``evidence``; or an empty ``answer`` and ``error``.
    """
    files = ptbxl_files(data)
    wanted = list(dict.fromkeys(one for item in items for one in item.ecg_ids if one in files))
    ready: dict[int, QARecord | str] = {}
    results = run_tasks(_load_ecg, [files[one] for one in wanted], on_death=_died, workers=workers)
    for done, (one, made) in enumerate(zip(wanted, results, strict=True), start=1):
        ready[one] = made
        if progress:
            progress(done, len(wanted))
    for item in items:
        line: dict[str, Any] = {"question": item.question, "ecg_id": list(item.ecg_ids)}
        ecgs = [ready.get(one, f"RecordError: {data} has no ECG {one}") for one in item.ecg_ids]
        bad = [one for one in ecgs if isinstance(one, str)]
        if bad:
            yield {**line, "answer": [], "error": "; ".join(bad)}
            continue
        try:
            found = answer_qa(item.question, [one for one in ecgs if isinstance(one, QARecord)])
            yield {**line, **to_json(found)}
        except ECGError as error:
            yield {**line, "answer": [], "error": f"{type(error).__name__}: {error}"}
