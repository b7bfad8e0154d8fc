"""The WFDB header, checked field by field before any other file is touched."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_CHANNELS, MAX_SAMPLES, MAX_SEGMENTS, MAX_SOURCE_FS

FORMATS = ("8", "16", "24", "32", "61", "80", "160", "212", "310", "311", "508", "516", "524")
MAX_SAMPLES_PER_FRAME = 64

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_RECORD = re.compile(
    rf"(?P<name>[^\s/]+)(?:/(?P<n_seg>\d{{1,9}}))?\s+(?P<n_sig>\d{{1,9}})"
    rf"(?:\s+(?P<fs>{_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?(?:\s+(?P<n>\d{{1,18}})(?:\s.*)?)?)?\s*"
)
_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,4}))?(?::(-?\d{1,9}))?(?:\+(\d{1,12}))?")
_GAIN = re.compile(rf"({_NUMBER})(?:\((-?\d{{1,12}})\))?(?:/(\S+))?")


@dataclass(frozen=True, kw_only=True)
class SignalLine:
    """One signal of a header.

    Attributes
    ----------
    file : str
        Signal file, as written; ``~`` if none is stored.
    fmt : str
        One of `FORMATS`.
    per_frame : int
        Samples per frame.
    skew : int
        Frames by which the signal lags in the file.
    offset : int
        Bytes before the first sample.
    gain : float or None
        Units of the converter per physical unit; None if uncalibrated.
    baseline : int
        Converter value at 0.
    unit : str or None
        As written.
    adc_bits, adc_zero, first : int
        Resolution, zero and first value of the converter.
    checksum : int or None
        Sum of all samples modulo 65,536, if stated.
    name : str
        Description field; empty if there is none.
    """

    file: str
    fmt: str
    per_frame: int
    skew: int
    offset: int
    gain: float | None
    baseline: int
    unit: str | None
    adc_bits: int
    adc_zero: int
    first: int
    checksum: int | None
    name: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """A WFDB header.

    Attributes
    ----------
    fs : float or None, Hz
        Frames per second; None if not stated.
    n_frames : int or None
        Length; None if not stated.
    signals : tuple of SignalLine
        Empty in the master header of a multi-segment record.
    segments : tuple of (str, int)
        Record name (``~`` for a gap) and frames of each segment.
    comments : tuple of str
        Without the ``#``.
    """

    fs: float | None
    n_frames: int | None
    signals: tuple[SignalLine, ...]
    segments: tuple[tuple[str, int], ...]
    comments: tuple[str, ...]


def looks_like_header(text: str) -> bool:
    """Tell whether a text begins as a WFDB header does.

    Parameters
    ----------
    text : str
        Beginning of a file.

    Returns
    -------
    bool
    """
    lines = [line for line in text.splitlines()[:200] if line.strip() and not line.startswith("#")]
    if not lines or (record := _RECORD.fullmatch(lines[0])) is None:
        return False
    if len(lines) == 1:
        return record["fs"] is not None and record["n"] is not None
    fields = lines[1].split()
    if record["n_seg"]:
        return len(fields) == 2 and fields[1].isdigit()
    match = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    return match is not None and match[1] in FORMATS


def referred_names(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List what a header refers to, without judging it.

    Parameters
    ----------
    text : str
        The header.

    Returns
    -------
    tuple
        Names of signal files, and of the records that are its segments.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    names = tuple(dict.fromkeys(line.split()[0] for line in lines[1:]))
    is_master = bool(lines) and re.match(r"\S+/\d+\s", lines[0]) is not None
    return ((), names) if is_master else (names, ())


def parse_header(text: str, label: str) -> Header:
    """Read a header.

    Parameters
    ----------
    text : str
        The whole ``.hea`` file.
    label : str
        Named in errors.

    Returns
    -------
    Header

    Raises
    ------
    RecordError
        If a field is missing, malformed or out of bounds.

    References
    ----------
    .. [1] Moody GB. WFDB Applications Guide, header(5), signal(5). PhysioNet.
    """
    lines = text.splitlines()
    comments = tuple(line.lstrip("#").strip() for line in lines if line.startswith("#"))
    body = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not body:
        raise RecordError(f"{label}: the header is empty; a record line is needed.")
    record = _RECORD.fullmatch(body[0])
    if record is None:
        raise RecordError(
            f"{label}: the first line is no WFDB record line; 'name signals rate samples' is "
            "needed."
        )
    fs = float(record["fs"]) if record["fs"] else None
    if fs is not None and not 0 < fs <= MAX_SOURCE_FS:
        raise RecordError(f"{label}: a sampling rate of {fs:g} Hz is stated; no ECG has that.")
    n_sig = int(record["n_sig"])
    n_frames = int(record["n"]) if record["n"] and int(record["n"]) else None
    n_lines = int(record["n_seg"]) if record["n_seg"] else n_sig
    if n_sig > MAX_CHANNELS or n_lines > MAX_SEGMENTS:
        raise RecordError(f"{label}: {n_sig} signals in {n_lines} lines are announced; too many.")
    if n_sig * (n_frames or 0) > MAX_SAMPLES:
        raise RecordError(
            f"{label}: {n_sig} signals of {n_frames} samples are announced, more than the "
            f"{MAX_SAMPLES} samples read of one record; cut out the stretch to be judged."
        )
    if len(body) - 1 < n_lines:
        raise RecordError(
            f"{label}: {n_lines} lines are announced but {len(body) - 1} follow; the header is cut "
            "off."
        )
    body = body[1 : n_lines + 1]
    many = record["n_seg"] is not None
    return Header(
        fs=fs,
        n_frames=n_frames,
        signals=() if many else tuple(_signal_line(line, k, label) for k, line in enumerate(body)),
        segments=tuple(_segment_line(line, k, label) for k, line in enumerate(body))
        if many
        else (),
        comments=comments,
    )


def _signal_line(line: str, k: int, label: str) -> SignalLine:
    fields = line.split(maxsplit=8)
    where = f"{label}: signal {k + 1}"
    fmt = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if fmt is None:
        raise RecordError(f"{where}: 'file format gain …' is needed in its line.")
    if fmt[1] not in FORMATS and not (fmt[1] == "0" and fields[0] == "~"):
        raise RecordError(
            f"{where}: storage format {fmt[1]} is unknown; {', '.join(FORMATS)} are read."
        )
    per_frame, skew, offset = int(fmt[2] or 1), int(fmt[3] or 0), int(fmt[4] or 0)
    if not 1 <= per_frame <= MAX_SAMPLES_PER_FRAME:
        raise RecordError(f"{where}: {per_frame} samples per frame; 1 to 64 are read.")
    gain, baseline, unit = _gain(fields[2] if len(fields) > 2 else "", where)
    numbers = [_integer(text, where) for text in fields[3:8]]
    stated = dict(zip(("bits", "zero", "first", "checksum"), numbers, strict=False))
    adc_zero = stated.get("zero", 0)
    return SignalLine(
        file=fields[0],
        fmt=fmt[1],
        per_frame=per_frame,
        skew=skew,
        offset=offset,
        gain=gain,
        baseline=adc_zero if baseline is None else baseline,
        unit=unit,
        adc_bits=stated.get("bits", 0),
        adc_zero=adc_zero,
        first=stated.get("first", adc_zero),
        checksum=stated.get("checksum"),
        name=fields[8].strip() if len(fields) > 8 else "",
    )


def _gain(text: str, where: str) -> tuple[float | None, int | None, str | None]:
    """Read ``1000.0(0)/mV``; a gain of 0 or none means uncalibrated."""
    if not text:
        return None, None, None
    match = _GAIN.fullmatch(text)
    if match is None:
        raise RecordError(f"{where}: the gain field is malformed; 'gain(baseline)/unit' is needed.")
    gain = float(match[1])
    baseline = int(match[2]) if match[2] else None
    return gain if gain and abs(gain) != float("inf") else None, baseline, match[3]


def _integer(text: str, where: str) -> int:
    if re.fullmatch(r"[-+]?\d{1,12}", text) is None:
        raise RecordError(f"{where}: a whole number is needed after the gain.")
    return int(text)


def _segment_line(line: str, k: int, label: str) -> tuple[str, int]:
    fields = line.split()
    if len(fields) != 2 or re.fullmatch(r"\d{1,12}", fields[1]) is None:
        raise RecordError(f"{label}: segment {k + 1}: 'record length' is needed in its line.")
    return fields[0], int(fields[1])
