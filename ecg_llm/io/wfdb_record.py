"""WFDB records: one or many signal files, one or many segments, `.dat`, FLAC or CinC's `.mat`."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_HEADER_BYTES, MAX_SAMPLES
from ecg_llm.io.patient import parse_age, parse_sex
from ecg_llm.io.raw import Channel, RawECG, ReadOptions, shown
from ecg_llm.io.source import Source
from ecg_llm.io.wfdb_header import Header, SignalLine, looks_like_header, parse_header
from ecg_llm.io.wfdb_samples import decode, invalid_value
from ecg_llm.record import MAX_DURATION_S, Sex

NAME = "wfdb"
EXTENSIONS: tuple[str, ...] = (".hea",)

DEFAULT_GAIN = 200.0
"""What header(5) prescribes where the gain is left open; it calibrates nothing."""


def sniff(head: bytes, filename: str) -> bool:
    """Tell whether a file is a WFDB header."""
    return b"\0" not in head and looks_like_header(head.decode("latin-1"))


def read(source: Source, options: ReadOptions) -> RawECG:
    """Read the record that a header describes.

    Parameters
    ----------
    source : Source
        The ``.hea`` file.
    options : ReadOptions
        Not needed beyond the common rules: a header states everything.

    Returns
    -------
    RawECG

    Raises
    ------
    RecordError
        If the header is malformed or refers outside its folder, or a signal file is missing, cut
        off or does not match its checksum.

    Notes
    -----
    Missing samples become NaN, gaps between segments too. Of a multi-segment record only the
    segments are opened that the first 300 s need.
    """
    header = parse_header(_text(source.require_size(MAX_HEADER_BYTES)), source.label)
    notes: list[str] = []
    comments = header.comments
    n_frames = header.n_frames
    if header.segments:
        channels, more = _segments(header, source, notes)
        comments += more
        n_frames = sum(length for _, length in header.segments)
    else:
        channels = _channels(header, source, source.label, notes)
    age, sex = _patient(comments)
    return RawECG(
        channels=tuple(channels),
        age_years=age,
        sex=sex,
        notes=tuple(dict.fromkeys(notes)),
        whole_s=n_frames / header.fs if header.fs and n_frames else None,
    )


def _text(data: bytes) -> str:
    return data.decode("latin-1").removeprefix("ï»¿")  # UTF-8's byte order mark


def _channels(header: Header, source: Source, label: str, notes: list[str]) -> list[Channel]:
    """Read the signal files of a single segment."""
    by_file: dict[str, list[SignalLine]] = {}
    for line in header.signals:
        by_file.setdefault(line.file, []).append(line)
    if "~" in by_file:
        raise RecordError(f"{label}: its signals are marked as not stored (~).")
    digital: dict[int, npt.NDArray[np.signedinteger]] = {}
    for name, lines in by_file.items():
        where = f"{label}: signal file {name}"
        rows = decode(source.neighbour(name), lines, header.n_frames, where)
        digital |= {id(line): row for line, row in zip(lines, rows, strict=True)}
        _verify(lines, rows, header, where, notes)
    if len({digital[id(line)].size // line.per_frame for line in header.signals}) > 1:
        raise RecordError(f"{label}: its signal files hold different numbers of samples.")
    return [_physical(line, digital[id(line)], header.fs, label, notes) for line in header.signals]


def _verify(
    lines: list[SignalLine],
    rows: list[npt.NDArray[np.signedinteger]],
    header: Header,
    where: str,
    notes: list[str],
) -> None:
    """Compare the checksums; zeros throughout were never computed."""
    none_stated = header.n_frames is None or not any(line.checksum for line in header.signals)
    for line, row in zip(lines, rows, strict=True):
        # A skewed signal's checksum covers samples beyond its end in this file.
        if line.skew:
            continue
        found = int(row.sum(dtype=np.int64)) % 65536
        if line.checksum is not None and found == line.checksum % 65536:
            continue
        if none_stated or line.checksum is None:
            notes.append("The header states no checksums; damage would go unnoticed.")
            return
        raise RecordError(
            f"{where}: the samples of {shown(line.name) or 'a signal'} sum to {found}, the header "
            f"says {line.checksum % 65536} (modulo 65536); the file is damaged or belongs to "
            "another header."
        )


def _physical(
    line: SignalLine,
    row: npt.NDArray[np.signedinteger],
    fs: float | None,
    label: str,
    notes: list[str],
) -> Channel:
    if fs is not None:
        row = row[: _enough(fs) * line.per_frame]
    values = row.astype(np.float64)
    missing = invalid_value(line.fmt)
    if missing is not None:
        values[row == missing] = np.nan
    values = (values - line.baseline) / (line.gain or DEFAULT_GAIN)
    if line.skew:
        if abs(line.skew) * line.per_frame >= values.size or line.skew < 0:
            raise RecordError(f"{label}: a signal is skewed by {line.skew} frames, beyond its end.")
        lag = line.skew * line.per_frame
        values = np.concatenate([values[lag:], np.full(lag, np.nan)])
        notes.append("Signals stored with a skew were brought back into step.")
    if line.gain is None:
        notes.append("No gain in the header: WFDB's 200 units per mV stand in, uncalibrated.")
    elif line.unit is None:
        notes.append("No unit in the header: mV, as WFDB prescribes.")
    return Channel(
        name=line.name,
        values=values,
        fs=None if fs is None else fs * line.per_frame,
        unit=line.unit or "mV",
        calibrated=line.gain is not None,
    )


def _segments(
    header: Header, source: Source, notes: list[str]
) -> tuple[list[Channel], tuple[str, ...]]:
    """Join segments by channel name; what no segment recorded stays NaN."""
    label = source.label
    if header.fs is None:
        raise RecordError(f"{label}: a multi-segment header needs the sampling rate.")
    enough = _enough(header.fs)
    total = sum(length for _, length in header.segments)
    if header.n_frames is not None and header.n_frames != total:
        raise RecordError(
            f"{label}: its segments add up to {total} samples, the header says {header.n_frames}."
        )
    joined: dict[str, Channel] = {}
    comments: tuple[str, ...] = ()
    start = 0
    for k, (name, length) in enumerate(header.segments):
        if start >= enough:
            break
        # Only the first segment may be empty: it then lists the channels of all others.
        if name == "~" or (length == 0 and k):
            start += length
            continue
        if re.search(r"/\d+$", name):
            raise RecordError(f"{label}: segment {shown(name)} is itself a record of segments.")
        text = _text(source.neighbour(f"{name}.hea", MAX_HEADER_BYTES))
        part = parse_header(text, f"{label}: segment {shown(name)}")
        part = replace(part, fs=header.fs if part.fs is None else part.fs)
        comments += part.comments
        if part.segments:
            raise RecordError(f"{label}: segment {shown(name)} is itself a record of segments.")
        if length:
            _place(part, header, name, start, length, min(total, enough), source, joined, notes)
        start += length
    if not joined:
        raise RecordError(f"{label}: none of its segments holds a signal.")
    return list(joined.values()), comments


def _place(
    part: Header,
    header: Header,
    name: str,
    start: int,
    length: int,
    total: int,
    source: Source,
    joined: dict[str, Channel],
    notes: list[str],
) -> None:
    """Read one segment and write it into the joined channels."""
    label = f"{source.label}: segment {shown(name)}"
    if part.fs is not None and header.fs is not None and abs(part.fs - header.fs) > 1e-6:
        raise RecordError(f"{label} is sampled at {part.fs:g} Hz, the record at {header.fs:g} Hz.")
    folder = name.rpartition("/")[0]
    if folder:
        raise RecordError(f"{label} lies in another folder; segments are read beside their header.")
    if part.n_frames not in (None, length):
        raise RecordError(
            f"{label} holds {part.n_frames} samples, the record's header says {length}."
        )
    channels = _channels(replace(part, n_frames=length), source, label, notes)
    if len({channel.name for channel in channels}) < len(channels):
        raise RecordError(f"{label}: its signals are not told apart by name.")
    for line, channel in zip(part.signals, channels, strict=True):
        per_frame = line.per_frame
        whole = joined.get(channel.name)
        if whole is None:
            if (len(joined) + 1) * total * per_frame > MAX_SAMPLES:
                raise RecordError(f"{label}: more than {MAX_SAMPLES} samples are announced.")
            whole = Channel(
                name=channel.name,
                values=np.full(total * per_frame, np.nan),
                fs=channel.fs,
                unit=channel.unit,
                calibrated=channel.calibrated,
            )
            joined[channel.name] = whole
        if (whole.unit, whole.fs, whole.calibrated) != (
            channel.unit,
            channel.fs,
            channel.calibrated,
        ):
            raise RecordError(
                f"{label}: {shown(channel.name)} has another unit or rate than before."
            )
        first = start * per_frame
        room = whole.values[first : first + channel.values.size]
        room[:] = channel.values[: room.size]


def _enough(fs: float) -> int:
    """Frames that the judged beginning of a long recording needs."""
    return int((MAX_DURATION_S + 1) * fs) + 1


def _patient(comments: tuple[str, ...]) -> tuple[float | None, Sex | None]:
    """Find ``Age: 74``, ``<age>: 51``, ``# sex: female`` among the comments."""
    said: dict[str, str] = {}
    pattern = re.compile(r"<?\b(age|sex|gender)\b>?\s*[:=]\s*([^\s<>#,;]+)", re.I)
    for comment in comments:
        for key, value in pattern.findall(comment):
            said.setdefault("age" if key.lower() == "age" else "sex", value)
    return parse_age(said.get("age")), parse_sex(said.get("sex"))
