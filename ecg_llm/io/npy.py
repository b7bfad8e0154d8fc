"""NumPy arrays whose rate, unit and leads are told beside them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_FILE_BYTES, MAX_SAMPLES
from ecg_llm.io.patient import parse_age, parse_sex
from ecg_llm.io.raw import Channel, RawECG, ReadOptions
from ecg_llm.io.source import Source
from ecg_llm.io.stated import sidecar, to_options

NAME = "npy"
EXTENSIONS: tuple[str, ...] = (".npy",)

_MAGIC = b"\x93NUMPY"


def sniff(head: bytes, filename: str) -> bool:
    """Tell whether a file is a NumPy array."""
    return head.startswith(_MAGIC)


def read(source: Source, options: ReadOptions) -> RawECG:
    """Read a two-dimensional array of samples.

    Parameters
    ----------
    source : Source
        The file; a JSON object ``NAME.json`` beside it may state fs, unit and leads.
    options : ReadOptions
        What the caller states.

    Returns
    -------
    RawECG
        Which axis holds the leads is decided by their stated number alone.

    Raises
    ------
    RecordError
        If the array holds anything but numbers, or its leads, rate or unit are not stated.
    """
    data, label = source.require_size(MAX_FILE_BYTES), source.label
    said = sidecar(source)
    options = options.merged(to_options(said, f"{label}: the JSON beside it"), f"{label}: its JSON")
    array = _array(data, label)
    if options.leads is None:
        raise RecordError(
            f"{label}: an array names no leads; give them in order (--leads I,II,…), or as "
            '"leads" in a JSON file of the same name.'
        )
    return RawECG(
        channels=channels_of(array, options.leads, options, label),
        age_years=parse_age(str(said.get("age", ""))),
        sex=parse_sex(str(said.get("sex", ""))),
    )


def channels_of(
    array: npt.NDArray[Any], leads: Sequence[str], options: ReadOptions, label: str
) -> tuple[Channel, ...]:
    """Tell which axis of an array holds the leads, by their number alone.

    Parameters
    ----------
    array : np.ndarray, shape (n_leads, n_samples) or (n_samples, n_leads)
        Integers or floats; of one lead also of one axis.
    leads : sequence of str
        Names, in order.
    options : ReadOptions
        Rate and unit.
    label : str
        Named in errors.

    Returns
    -------
    tuple of Channel

    Raises
    ------
    RecordError
        If the array does not fit the leads, or holds infinite values.
    """
    n = len(leads)
    if array.ndim == 1:
        array = array[np.newaxis]
    if array.ndim != 2 or list(array.shape).count(n) != 1:
        raise RecordError(
            f"{label}: an array of shape {array.shape} does not fit {n} leads; exactly one of two "
            f"axes must have length {n}."
        )
    rows = array if array.shape[0] == n else array.T
    if np.isinf(rows).any():
        raise RecordError(f"{label}: it holds infinite values; NaN marks a missing sample.")
    return tuple(
        Channel(name=lead, values=row, fs=options.fs, unit=options.unit)
        for lead, row in zip(leads, rows.astype(np.float64), strict=True)
    )


def _array(data: bytes, label: str) -> np.ndarray:
    """Unpack the array; its header is checked against the bytes that are there."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, by_columns, dtype = header(file)
    # numpy evaluates the header as a Python literal, which fails in many ways.
    except Exception as error:
        raise RecordError(f"{label}: a damaged NumPy file (its header is not valid).") from error
    if dtype.hasobject or dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise RecordError(
            f"{label}: an array of {dtype.name[:40]}; integers or floats are needed, and pickled "
            "objects are never opened."
        )
    count = math.prod(shape)
    if not all(0 <= length <= MAX_SAMPLES for length in shape) or count > MAX_SAMPLES:
        raise RecordError(f"{label}: an array of shape {shape} is too large for one record.")
    there = (len(data) - file.tell()) // dtype.itemsize
    if there < count:
        raise RecordError(f"{label}: {there} of {count} values are there; the file is cut off.")
    flat = np.frombuffer(data, dtype, count, file.tell())
    return flat.reshape(shape, order="F" if by_columns else "C")
