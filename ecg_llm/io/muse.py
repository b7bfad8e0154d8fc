"""GE MUSE XML (resting ECG)."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_CHANNELS
from ecg_llm.io.patient import parse_age, parse_sex
from ecg_llm.io.raw import Channel, RawECG, ReadOptions, shown
from ecg_llm.io.source import Source
from ecg_llm.io.xml_tree import number, parse, root_name
from ecg_llm.leads import STANDARD_12, canonical_lead

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAME = "muse"
EXTENSIONS: tuple[str, ...] = (".xml",)


def sniff(head: bytes, filename: str) -> bool:
    """Tell whether a file is a MUSE export."""
    return root_name(head) == "RestingECG"


def read(source: Source, options: ReadOptions) -> RawECG:
    """Read the rhythm waveform of a MUSE export.

    Parameters
    ----------
    source : Source
        The file.
    options : ReadOptions
        Not needed beyond the common rules: the file states everything.

    Returns
    -------
    RawECG
        Usually eight leads; the other four follow from them. Median beats are never read.

    Raises
    ------
    RecordError
        If the file is not such an XML or its samples are incomplete.
    """
    root, label = parse(source), source.label
    if root.tag != "RestingECG":
        raise RecordError(f"{label}: the root is <{shown(str(root.tag))}>, not <RestingECG>.")
    waveforms = root.findall("./Waveform")
    rhythms = [wave for wave in waveforms if _said(wave, "WaveformType").lower() == "rhythm"]
    if not rhythms:
        found = ", ".join(shown(_said(wave, "WaveformType")) for wave in waveforms[:5]) or "none"
        raise RecordError(f"{label}: no rhythm waveform (waveforms: {found}).")
    notes: list[str] = []
    channels = max((_channels(wave, label, notes) for wave in rhythms), key=_rank)
    if len(rhythms) > 1:
        notes.append(f"{len(rhythms)} rhythm waveforms; the one with most leads was read.")
    person = root.find("./PatientDemographics")
    age = sex = None
    if person is not None:
        age = parse_age(_said(person, "PatientAge"), _said(person, "AgeUnits") or "years")
        sex = parse_sex(_said(person, "Gender"))
    return RawECG(channels=tuple(channels), age_years=age, sex=sex, notes=tuple(notes))


def _channels(waveform: Element, label: str, notes: list[str]) -> list[Channel]:
    base = number(_said(waveform, "SampleBase"), "the sampling rate (SampleBase)", label)
    exponent = number(_said(waveform, "SampleExponent") or "0", "SampleExponent", label)
    if not -6 <= exponent <= 6:
        raise RecordError(f"{label}: SampleExponent {exponent:g} is out of range.")
    leads = waveform.findall("./LeadData")
    if len(leads) > MAX_CHANNELS:
        raise RecordError(f"{label}: {len(leads)} leads; too many.")
    off = [
        shown(_said(lead, "LeadID")) for lead in leads if _said(lead, "LeadOff").upper() == "TRUE"
    ]
    if off:
        notes.append(f"The device marked as off: {', '.join(off)}.")
    return [_channel(lead, base * 10**exponent, label) for lead in leads]


def _channel(lead: Element, fs: float, label: str) -> Channel:
    """Unpack one lead: base64 of 16-bit integers, least significant byte first."""
    name = shown(_said(lead, "LeadID"))
    where = f"{label}: lead {name or 'without LeadID'}"
    if _said(lead, "LeadSampleSize") not in ("", "2"):
        raise RecordError(
            f"{where}: samples of {shown(_said(lead, 'LeadSampleSize'))} bytes; 2 are read."
        )
    try:
        data = base64.b64decode("".join(_said(lead, "WaveFormData").split()), validate=True)
    except (binascii.Error, ValueError):
        raise RecordError(f"{where}: its samples are not valid base64; they are damaged.") from None
    stated = _said(lead, "LeadSampleCountTotal")
    n = number(stated, "LeadSampleCountTotal", where) if stated else len(data) // 2
    if len(data) != 2 * n:
        raise RecordError(
            f"{where}: {len(data) / 2:g} samples where {n:g} are announced; the file is cut off or "
            "damaged."
        )
    _check_crc(data, _said(lead, "LeadDataCRC32"), where)
    step = _said(lead, "LeadAmplitudeUnitsPerBit")
    values = np.frombuffer(data, "<i2").astype(np.float64)
    if step:
        factor = number(step, "LeadAmplitudeUnitsPerBit", where)
        if not factor:
            raise RecordError(f"{where}: LeadAmplitudeUnitsPerBit is 0, which no recording has.")
        values *= factor
    return Channel(
        name=name,
        values=values,
        fs=fs,
        unit=(_said(lead, "LeadAmplitudeUnits") or None) if step else "adu",
        calibrated=bool(step),
    )


def _check_crc(data: bytes, stated: str, where: str) -> None:
    """Compare the CRC-32 of the samples where one is stated; 0 stands for none."""
    if re.fullmatch(r"\d{1,12}", stated) and int(stated) not in (0, zlib.crc32(data)):
        raise RecordError(
            f"{where}: the samples do not match their checksum (LeadDataCRC32); they are damaged."
        )


def _rank(channels: list[Channel]) -> tuple[int, int]:
    n_standard = sum(canonical_lead(channel.name) in STANDARD_12 for channel in channels)
    return n_standard, max((channel.values.size for channel in channels), default=0)


def _said(element: Element, child: str) -> str:
    return (element.findtext(child) or "").strip()
