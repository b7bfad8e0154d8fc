"""The common rules: from any file's channels to the one `ECGRecord`."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_SOURCE_FS
from ecg_llm.io.rate import common_rate, supported_rate
from ecg_llm.io.raw import Channel, RawECG, ReadOptions, shown, unit_in_mv
from ecg_llm.io.source import Source
from ecg_llm.leads import STANDARD_12, canonical_lead, derive_limb_leads
from ecg_llm.record import (
    MAX_DURATION_S,
    MIN_DURATION_S,
    ECGRecord,
    FloatArray,
)

LARGEST_SWING_MV = 50.0
"""Peak-to-peak of a lead (1st to 99th percentile) that no amplifier of surface ECGs passes on."""
SMALLEST_SWING_MV = 0.001
"""Below a microvolt there is no signal: the unit is wrong."""
LARGEST_VALUE_MV = 10_000.0
"""An electrode's offset stays far below ten volts."""

_UNCALIBRATED_UNITS = {"", "1", "adu", "nu", "counts", "count", "lsb", "digit", "digits", "au"}
# Electrode placements beside the standard ones; monitors and Holters use them.
_OTHER_ECG = re.compile(
    r"(MLI{1,3}|MCL\d|MV\d|C[CMS]\d|V[26789]R|E[CK]G ?\d{0,2}|NEHB ?[DAI]|[EAS]S)",
    re.I,
)


def assemble(raw: RawECG, source: Source, options: ReadOptions, name: str) -> ECGRecord:
    """Bring a file's channels into millivolts, standard names, order and length.

    Parameters
    ----------
    raw : RawECG
        What the reader found.
    source : Source
        The file, for errors and its digest.
    options : ReadOptions
        What the caller stated; a contradiction to the file is an error.
    name : str
        Name of the record.

    Returns
    -------
    ECGRecord

    Raises
    ------
    RecordError
        If sampling rate, unit or leads are unknown, contradictory or implausible, or the stretch
        is too short.

    Notes
    -----
    Rates over 1,000 Hz are reduced behind an anti-aliasing filter, only the first 300 s are kept,
    a lead without a single sample is left out; each leaves a note.
    """
    label, notes = source.label, list(raw.notes)
    channels = _named(raw.channels, options, label)
    leads = _ecg_only(channels, label, notes)
    leads = {lead: _with_stated(channel, options, label) for lead, channel in leads.items()}
    fs = common_rate(leads, label, notes)
    rows, calibrated = _millivolts(leads, label, notes)
    rows = _recorded_only(rows, label, notes)
    rows = _same_length(rows, label)
    rows, fs = supported_rate(rows, fs, label, notes)
    rows = _supported_length(rows, fs, raw.whole_s, label, notes)
    rows = _recorded_only(rows, label, notes)
    if calibrated:
        _check_swing(rows, label)
    # On a page two limb leads are seldom drawn at one time, and what is read is only what is drawn.
    derived = {} if raw.origin == "page" else derive_limb_leads(rows)
    rows |= derived
    order = [lead for lead in STANDARD_12 if lead in rows]
    order += [lead for lead in rows if lead not in STANDARD_12]
    return ECGRecord(
        signal=np.stack([rows[lead] for lead in order]),
        fs=fs,
        leads=tuple(order),
        source=label,
        name=name,
        derived=tuple(derived),
        age_years=raw.age_years,
        sex=raw.sex,
        sha256=source.sha256,
        calibrated=calibrated,
        notes=tuple(notes),
        origin=raw.origin,
    )


def _named(channels: tuple[Channel, ...], options: ReadOptions, label: str) -> tuple[Channel, ...]:
    """Apply the stated lead names, which must not contradict the file's."""
    if not channels:
        raise RecordError(f"{label}: it holds no signal.")
    if options.leads is None:
        return channels
    if len(options.leads) != len(channels):
        raise RecordError(
            f"{label}: {len(options.leads)} leads were given (--leads) but the file has "
            f"{len(channels)} channels."
        )
    for channel, lead in zip(channels, options.leads, strict=True):
        theirs = canonical_lead(channel.name) or channel.name
        if channel.name and theirs != (canonical_lead(lead) or lead):
            raise RecordError(
                f"{label}: the file names a channel {shown(theirs)} where {shown(lead)} was given "
                "(--leads); leave the option out or correct it."
            )
    pairs = zip(channels, options.leads, strict=True)
    return tuple(replace(channel, name=lead) for channel, lead in pairs)


def _ecg_only(channels: tuple[Channel, ...], label: str, notes: list[str]) -> dict[str, Channel]:
    """Keep the ECG leads by name; tell which channels are none."""
    kept: list[tuple[str, Channel]] = []
    others: list[str] = []
    foreign_unit = ""
    for k, channel in enumerate(channels):
        lead = canonical_lead(channel.name)
        if lead is None and _OTHER_ECG.fullmatch(channel.name.strip()):
            lead = channel.name.strip()
        foreign = channel.unit is not None and not _is_voltage(channel.unit)
        if lead is not None and foreign:
            foreign_unit = channel.unit or ""
        if lead is None or foreign:
            others.append(shown(channel.name) or f"channel {k + 1}")
        else:
            kept.append((lead, channel))
    if not kept and foreign_unit:
        raise RecordError(
            f"{label}: the unit of its leads is {shown(foreign_unit)!r}, which is no voltage; "
            "V, mV, uV or nV is needed. Correct it in the file."
        )
    if not kept:
        raise RecordError(
            f"{label}: no ECG lead among its {len(channels)} channels ({_some(others)}); "
            + ("name them in the file" if any(c.name for c in channels) else "give them (--leads)")
            + " as I, II, III, aVR, aVL, aVF, V1–V6."
        )
    twice = [lead for lead, count in Counter(lead for lead, _ in kept).items() if count > 1]
    if twice:
        raise RecordError(
            f"{label}: lead names stand twice: {', '.join(twice)}; each lead needs one name."
        )
    if others:
        notes.append(f"Not ECG leads, left out: {_some(others)}.")
    return dict(kept)


def _with_stated(channel: Channel, options: ReadOptions, label: str) -> Channel:
    """Fill in rate and unit from the options, which must not contradict the file."""
    if channel.fs is not None:
        _check_rate(channel.fs, label)
    known_unit = channel.unit if channel.unit and unit_in_mv(channel.unit) else None
    mine = ReadOptions(fs=options.fs, unit=options.unit)
    both = mine.merged(ReadOptions(fs=channel.fs, unit=known_unit), f"{label}: the file")
    if both.fs is None:
        raise RecordError(
            f"{label}: the sampling rate is not stated in the file; give it (--fs, in Hz)."
        )
    unit = channel.unit or both.unit
    if unit is None:
        raise RecordError(
            f"{label}: the unit of the samples is not stated in the file; give it "
            "(--unit mV, uV or V)."
        )
    fs = both.fs if channel.fs is None else channel.fs
    _check_rate(fs, label)
    return replace(channel, fs=fs, unit=unit)


def _check_rate(fs: float, label: str) -> None:
    if not (math.isfinite(fs) and 0 < fs <= MAX_SOURCE_FS):
        raise RecordError(f"{label}: a sampling rate of {fs:g} Hz is stated; no ECG has that.")


def _millivolts(
    leads: dict[str, Channel], label: str, notes: list[str]
) -> tuple[dict[str, FloatArray], bool]:
    rows, open_gain = {}, []
    for lead, channel in leads.items():
        scale = unit_in_mv(channel.unit or "")
        if scale is None or not channel.calibrated:
            open_gain.append(lead)
        row = (channel.values * (scale or 1.0)).astype(np.float32)
        _check_range(channel, row, lead, label, bounded=lead not in open_gain)
        rows[lead] = row
    if open_gain:
        notes.append(
            f"The file does not tell the gain of {_some(open_gain)}: shapes and times hold, "
            "voltages do not."
        )
    return rows, not open_gain


def _check_range(
    channel: Channel, row: FloatArray, lead: str, label: str, *, bounded: bool
) -> None:
    """Refuse what a gain turned into infinities, kilovolts or nothing."""
    largest = _largest(row)
    vanished = largest == 0 and _largest(channel.values) > 0
    if vanished or np.isinf(row).any() or (bounded and largest > LARGEST_VALUE_MV):
        found = "no voltage that can be told from 0" if vanished else "samples beyond 10 V"
        raise RecordError(
            f"{label}: lead {lead} has {found}; the unit ({shown(channel.unit or '')}) or "
            "gain in the file is wrong."
        )


def _recorded_only(
    rows: dict[str, FloatArray], label: str, notes: list[str]
) -> dict[str, FloatArray]:
    """Leave out leads that hold no sample at all."""
    if not any(row.size for row in rows.values()):
        raise RecordError(f"{label}: it holds no sample.")
    empty = [lead for lead, row in rows.items() if np.isnan(row).all()]
    if len(empty) == len(rows):
        raise RecordError(
            f"{label}: all samples of all leads ({_some(list(rows))}) are missing (NaN)."
        )
    if empty:
        notes.append(f"Without a single sample, left out: {', '.join(empty)}.")
    return {lead: row for lead, row in rows.items() if lead not in empty}


def _same_length(rows: dict[str, FloatArray], label: str) -> dict[str, FloatArray]:
    lengths = {lead: row.size for lead, row in rows.items()}
    if len(set(lengths.values())) > 1:
        short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise RecordError(
            f"{label}: lead {short} has {lengths[short]} samples but {long} has {lengths[long]}; "
            "the file is cut off or mixes recordings."
        )
    return rows


def _supported_length(
    rows: dict[str, FloatArray], fs: float, whole_s: float | None, label: str, notes: list[str]
) -> dict[str, FloatArray]:
    n = next(iter(rows.values())).size
    if n / fs < MIN_DURATION_S:
        raise RecordError(
            f"{label}: {n / fs:.2f} s long ({n} samples at {fs:g} Hz); at least "
            f"{MIN_DURATION_S:g} s are needed."
        )
    if n / fs > MAX_DURATION_S:
        notes.append(
            f"{whole_s or n / fs:.0f} s long; only the first {MAX_DURATION_S:.0f} s are judged."
        )
        rows = {lead: row[: round(MAX_DURATION_S * fs)] for lead, row in rows.items()}
    return rows


def _check_swing(rows: dict[str, FloatArray], label: str) -> None:
    """Refuse voltages that only a wrong unit explains; a flat lead says nothing about it."""
    swings = [swing for row in rows.values() if (swing := _swing(row)) > 0]
    if not swings:
        return
    swing = float(np.median(swings))
    if not SMALLEST_SWING_MV <= swing <= LARGEST_SWING_MV:
        raise RecordError(
            f"{label}: the leads swing by {swing:.3g} mV (median), where an ECG has 0.1 to 10 mV; "
            "the unit or the gain stated for the file is wrong."
        )


def _swing(row: FloatArray) -> float:
    """Give the range between the 1st and the 99th percentile."""
    there = row[~np.isnan(row)]
    low, high = there.size // 100, there.size - 1 - there.size // 100
    ordered = np.partition(there, (low, high))
    return float(ordered[high] - ordered[low])


def _largest(row: npt.NDArray[np.floating]) -> float:
    there = np.abs(row[~np.isnan(row)])
    return float(there.max()) if there.size else 0.0


def _is_voltage(unit: str) -> bool:
    return unit_in_mv(unit) is not None or unit.strip().lower() in _UNCALIBRATED_UNITS


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"
