"""From the bytes of a WFDB signal file to converter values.

All of them are read from memory: a server's readers may write no file. The FLAC ones are
soundfile's; the ``wfdb`` package, with which the tests compare, reads from files only.
"""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_SAMPLES
from ecg_llm.io.wfdb_header import SignalLine

_PLAIN = {"8": "i1", "16": "<i2", "61": ">i2", "32": "<i4", "80": "u1", "160": "<u2"}
_GROUPS = {"24": (3, 1), "212": (3, 2), "310": (4, 3), "311": (4, 3)}
"""Bytes that hold so many samples together."""
_SHIFT = {"80": 128, "160": 32768}
_BYTES = {
    **{fmt: Fraction(np.dtype(dtype).itemsize) for fmt, dtype in _PLAIN.items()},
    **{fmt: Fraction(*group) for fmt, group in _GROUPS.items()},
}
_FLAC = ("508", "516", "524")
_FLAC_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}
_FLAC_BLOCK = 2**18
_BITS = {"80": 8, "508": 8, "310": 10, "311": 10, "212": 12, "24": 24, "524": 24, "32": 32}


def invalid_value(fmt: str) -> int | None:
    """Give the converter value that stands for a missing sample.

    Parameters
    ----------
    fmt : str
        Storage format.

    Returns
    -------
    int or None
        None in format 8, which stores differences.
    """
    return None if fmt == "8" else -(2 ** (_BITS.get(fmt, 16) - 1))


def decode(
    data: bytes, lines: list[SignalLine], n_frames: int | None, label: str
) -> list[npt.NDArray[np.signedinteger]]:
    """Unpack one signal file.

    Parameters
    ----------
    data : bytes
        The file.
    lines : list of SignalLine
        The signals it holds, in order.
    n_frames : int or None
        Frames to read; None for all that are there.
    label : str
        Named in errors.

    Returns
    -------
    list of np.ndarray, shape (n_frames * per_frame,)
        One a signal.

    Raises
    ------
    RecordError
        If the file is cut off or damaged.
    """
    fmt, offset = lines[0].fmt, lines[0].offset
    if any(line.fmt != fmt or line.offset != offset for line in lines):
        raise RecordError(f"{label}: its signals are given different formats or offsets.")
    width = sum(line.per_frame for line in lines)
    if (n_frames or 0) * width > MAX_SAMPLES:
        raise RecordError(f"{label}: more than {MAX_SAMPLES} samples are announced.")
    if fmt in _BYTES:
        there = int(max(len(data) - offset, 0) / (_BYTES[fmt] * width))
        if n_frames is None:
            n_frames = there
        if there < n_frames or not n_frames:
            raise RecordError(
                f"{label}: it holds {there} samples per signal where the header announces "
                f"{n_frames}; the file is cut off or damaged."
            )
    if fmt in _FLAC:
        return _from_flac(data, lines, n_frames, label)
    assert n_frames is not None
    flat: npt.NDArray[np.signedinteger]
    if fmt in _PLAIN:
        flat = np.frombuffer(data, _PLAIN[fmt], n_frames * width, offset)
    else:
        flat = _from_bits(data[offset:], fmt, n_frames * width)
    frames = flat.reshape(n_frames, width)
    if fmt in _SHIFT:
        frames = frames.astype(np.int32) - _SHIFT[fmt]
    ends = np.cumsum([line.per_frame for line in lines])
    starts = ends - [line.per_frame for line in lines]
    rows = [frames[:, a:b].reshape(-1) for a, b in zip(starts, ends, strict=True)]
    if fmt == "8":  # differences, from the first value on
        pairs = zip(lines, rows, strict=True)
        rows = [line.first + row.cumsum(dtype=np.int32) for line, row in pairs]
    return rows


def _from_flac(
    data: bytes, lines: list[SignalLine], n_frames: int | None, label: str
) -> list[npt.NDArray[np.signedinteger]]:
    import soundfile

    per_frame, offset = lines[0].per_frame, lines[0].offset
    if any(line.per_frame != per_frame for line in lines):
        raise RecordError(f"{label}: its signals differ in samples per frame, as FLAC cannot.")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            bits = _FLAC_BITS.get(file.subtype)
            if file.format != "FLAC" or bits is None or bits > int(lines[0].fmt) - 500:
                raise RecordError(f"{label}: not a FLAC file of at most the stated resolution.")
            if file.channels != len(lines):
                raise RecordError(
                    f"{label}: {file.channels} channels where the header names {len(lines)}."
                )
            there = max(file.frames - offset, 0)
            n = there if n_frames is None else n_frames * per_frame
            if n * len(lines) > MAX_SAMPLES:
                raise RecordError(f"{label}: more than {MAX_SAMPLES} samples; cut out a stretch.")
            file.seek(min(offset, file.frames))
            # Blocks, because libsndfile fails on very large reads.
            sizes = [_FLAC_BLOCK] * (n // _FLAC_BLOCK) + [n % _FLAC_BLOCK]
            dtype = "int16" if bits == 16 else "int32"
            blocks = [file.read(size, dtype=dtype, always_2d=True) for size in sizes]
    except soundfile.SoundFileError as error:
        raise RecordError(
            f"{label}: it cannot be unpacked as FLAC; the file is cut off or damaged."
        ) from error
    samples = np.concatenate(blocks)
    if samples.shape[0] < n or not n:
        raise RecordError(
            f"{label}: it holds {samples.shape[0]} samples per signal where the header announces "
            f"{n}; the file is cut off or damaged."
        )
    # soundfile aligns narrower samples to the top of 32 bits.
    samples = samples if bits == 16 else samples >> (32 - bits)
    return [samples[:, k] for k in range(len(lines))]


def _from_bits(data: bytes, fmt: str, n: int) -> npt.NDArray[np.signedinteger]:
    """Unpack so many samples that do not fill whole bytes, or fill three."""
    size, per_group = _GROUPS[fmt]
    n_groups = -(-n // per_group)
    # The last group may be cut where its samples end.
    padded = np.zeros(n_groups * size, np.uint8)
    there = np.frombuffer(data, np.uint8, min(len(data), padded.size))
    padded[: there.size] = there
    b = padded.reshape(-1, size).T.astype(np.int32 if fmt == "24" else np.int16)
    match fmt:
        case "24":
            parts = [b[0] | b[1] << 8 | b[2] << 16]
        case "212":
            parts = [b[0] | (b[1] & 0x0F) << 8, b[2] | (b[1] & 0xF0) << 4]
        case "310":
            parts = [b[0] >> 1 | (b[1] & 7) << 7, b[2] >> 1 | (b[3] & 7) << 7]
            parts.append(b[1] >> 3 | b[3] >> 3 << 5)
        case _:
            parts = [b[0] | (b[1] & 3) << 8, b[1] >> 2 | (b[2] & 15) << 6]
            parts.append(b[2] >> 4 | (b[3] & 63) << 4)
    flat: npt.NDArray[np.signedinteger] = np.stack(parts, axis=1).reshape(-1)[:n]
    flat -= flat >> (_BITS[fmt] - 1) << _BITS[fmt]  # two's complement
    return flat
