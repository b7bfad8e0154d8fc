"""From the bytes of a WFDB signal file to converter values.

The byte-aligned formats are plain numbers; numpy reads them from memory, as soundfile does the
FLAC ones. All others go through the ``wfdb`` package, which sees only a private folder with a
header written here, so nothing that stands in a foreign header can lead it anywhere.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_SAMPLES
from ecg_llm.io.wfdb_header import SignalLine

_PLAIN = {"16": "<i2", "61": ">i2", "32": "<i4", "80": "u1", "160": "<u2"}
_SHIFT = {"80": 128, "160": 32768}
_BYTES = {
    **{fmt: Fraction(np.dtype(dtype).itemsize) for fmt, dtype in _PLAIN.items()},
    "8": Fraction(1), "24": Fraction(3), "212": Fraction(3, 2),
    "310": Fraction(4, 3), "311": Fraction(4, 3),
}  # fmt: skip
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
    if fmt not in _PLAIN:
        return _by_package(data, lines, n_frames, label)
    assert n_frames is not None
    flat = np.frombuffer(data, _PLAIN[fmt], n_frames * width, offset)
    frames = flat.reshape(n_frames, width)
    if fmt in _SHIFT:
        frames = frames.astype(np.int32) - _SHIFT[fmt]
    ends = np.cumsum([line.per_frame for line in lines])
    starts = ends - [line.per_frame for line in lines]
    return [frames[:, a:b].reshape(-1) for a, b in zip(starts, ends, strict=True)]


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


def _by_package(
    data: bytes, lines: list[SignalLine], n_frames: int | None, label: str
) -> list[npt.NDArray[np.signedinteger]]:
    import wfdb

    header = [f"record {len(lines)} 250" + (f" {n_frames}" if n_frames else "")]
    header += [
        f"signals.dat {line.fmt}x{line.per_frame}+{line.offset} 200 {line.adc_bits} "
        f"{line.adc_zero} {line.first} 0 0 channel {k}"
        for k, line in enumerate(lines)
    ]
    try:
        with tempfile.TemporaryDirectory(prefix="ecgllm-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (Path(folder) / "signals.dat").write_bytes(data)
            (Path(folder) / "record.hea").write_text("\n".join(header) + "\n")
            name = str(Path(folder) / "record")
            read = wfdb.rdrecord(name, physical=False, smooth_frames=False)
    except Exception as error:
        raise RecordError(
            f"{label}: it cannot be unpacked as format {lines[0].fmt}; the file is cut off or "
            "damaged."
        ) from error
    rows = [np.asarray(row) for row in read.e_d_signal]
    frames = {row.size / line.per_frame for row, line in zip(rows, lines, strict=True)}
    if len(frames) != 1 or (n_frames and frames != {n_frames}) or frames == {0}:
        raise RecordError(f"{label}: fewer samples than the {n_frames} announced; it is cut off.")
    return rows
