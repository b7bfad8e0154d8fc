"""What a table or an array states about itself: comment lines and the JSON beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_HEADER_BYTES
from ecg_llm.io.raw import NO_OPTIONS, ReadOptions
from ecg_llm.io.source import Source

_KEYS = {
    "fs": "fs", "sampling_rate": "fs", "sample_rate": "fs", "sampling_frequency": "fs",
    "frequency": "fs", "unit": "unit", "units": "unit", "leads": "leads", "lead_names": "leads",
    "age": "age", "age_years": "age", "sex": "sex", "gender": "sex",
}  # fmt: skip


def canonical_key(text: str) -> str | None:
    """Map the name of a statement to ``fs``, ``unit``, ``leads``, ``age`` or ``sex``.

    Parameters
    ----------
    text : str
        As written, in any spelling of spaces and case, with or without a unit in brackets.

    Returns
    -------
    str or None
        None for anything else.

    Examples
    --------
    >>> canonical_key("Sampling rate (Hz)"), canonical_key("device")
    ('fs', None)
    """
    bare = re.sub(r"[\[(].*?[\])]", "", text).strip().lower()
    return _KEYS.get(re.sub(r"[\s-]+", "_", bare))


def sidecar(source: Source) -> dict[str, object]:
    """Read the JSON object of the same name beside a file, if there is one.

    Parameters
    ----------
    source : Source
        The table or array.

    Returns
    -------
    dict
        Only the keys that `canonical_key` knows.

    Raises
    ------
    RecordError
        If the JSON is malformed.
    """
    name = f"{source.stem}.json"
    if not source.has(name):
        return {}
    try:
        content = json.loads(source.neighbour(name, MAX_HEADER_BYTES))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RecordError(
            f"{source.label}: {name} beside it is no JSON object; one with fs, unit and leads is "
            "needed."
        )
    said = {canonical_key(key): value for key, value in content.items()}
    return {key: value for key, value in said.items() if key is not None and value is not None}


def to_options(said: Mapping[str, object], where: str) -> ReadOptions:
    """Check statements and give them as options.

    Parameters
    ----------
    said : mapping of str to object
        By canonical key.
    where : str
        Where they stand, for the error.

    Returns
    -------
    ReadOptions

    Raises
    ------
    RecordError
        If a value is not what its key needs.
    """
    if not {"fs", "unit", "leads"} & set(said):
        return NO_OPTIONS
    fs, unit, leads = said.get("fs"), said.get("unit"), said.get("leads")
    if fs is not None:
        match = re.fullmatch(r"\s*([\d.]+(?:[eE][-+]?\d{1,2})?)\s*(?:hz)?\s*", str(fs), re.I)
        try:
            fs = float(match[1]) if match and not isinstance(fs, bool) else None
        except ValueError:
            fs = None
        if fs is None:
            raise RecordError(f"{where}: the sampling rate stated there is not a number of Hz.")
    if isinstance(leads, str):
        leads = [name for name in re.split(r"[,;\s]+", leads) if name]
    if leads is not None and not (
        isinstance(leads, list) and all(isinstance(name, str) for name in leads)
    ):
        raise RecordError(f"{where}: the leads stated there are not a list of names.")
    if unit is not None and not isinstance(unit, str):
        raise RecordError(f"{where}: the unit stated there is not a text such as mV.")
    try:
        return ReadOptions(fs=fs, unit=unit, leads=None if leads is None else tuple(leads))
    except RecordError as error:
        raise RecordError(f"{where}: {error}") from None
