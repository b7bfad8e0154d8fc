"""DICOM waveforms: 12-lead, general and ambulatory ECG."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_CHANNELS, MAX_SAMPLES, MAX_TEXT_BYTES
from ecg_llm.io.patient import age_between, parse_age, parse_sex
from ecg_llm.io.raw import Channel, RawECG, ReadOptions, shown
from ecg_llm.io.source import Source
from ecg_llm.leads import STANDARD_12, canonical_lead

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NAME = "dicom"
EXTENSIONS: tuple[str, ...] = (".dcm", ".dicom")

_DEFLATED = "1.2.840.10008.1.2.1.99"
_TYPES = {
    (8, "SB"): "i1", (8, "UB"): "u1", (16, "SS"): "i2", (16, "US"): "u2",
    (32, "SL"): "i4", (32, "UL"): "u4",
}  # fmt: skip
# Numbering shared by SCP-ECG (5.6.3-9-x) and 11073 (2:x) for the electrodes of each lead.
_LEAD_NUMBERS = {1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF"}
_LEAD_NUMBERS |= {k + 2: f"V{k}" for k in range(1, 8)}
_LEAD_NUMBERS |= {11: "V3R", 12: "V4R", 13: "V5R", 16: "X", 17: "Y", 18: "Z", 66: "V8", 67: "V9"}


def sniff(head: bytes, filename: str) -> bool:
    """Tell whether a file is DICOM."""
    return head[128:132] == b"DICM"


def read(source: Source, options: ReadOptions) -> RawECG:
    """Read the resting rhythm of a DICOM waveform object.

    Parameters
    ----------
    source : Source
        The file.
    options : ReadOptions
        Not needed beyond the common rules: the object states everything.

    Returns
    -------
    RawECG
        Of the multiplex group with most standard leads, the longest of these; others, such as
        median beats, are named in a note.

    Raises
    ------
    RecordError
        If the file is damaged or holds no readable waveform.

    References
    ----------
    .. [1] DICOM PS3.3, C.10.9 Waveform Module; PS3.16, CID 3001 ECG Leads.
    """
    data = source.require_size(MAX_TEXT_BYTES)
    if not sniff(data[:132], source.filename):
        raise RecordError(f"{source.label}: not a DICOM file (no DICM after the preamble).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(data, source.label)
    except RecordError:
        raise
    # pydicom converts elements when they are first looked at, each failing in its own way.
    except Exception as error:
        raise RecordError(
            f"{source.label}: the DICOM file is cut off or damaged ({type(error).__name__} while "
            "its elements were read); export it again."
        ) from error


def _read(data: bytes, label: str) -> RawECG:
    import pydicom

    _refuse_deflated(data, label)
    dataset = pydicom.dcmread(io.BytesIO(data))
    groups = dataset.get("WaveformSequence")
    if not groups:
        kind = str(getattr(dataset.get("SOPClassUID"), "name", ""))
        raise RecordError(
            f"{label}: a DICOM file without a waveform ({shown(kind) or 'of unknown kind'}); an "
            "ECG waveform object is needed."
        )
    names = [
        shown(str(group.get("MultiplexGroupLabel") or f"group {k + 1}"))
        for k, group in enumerate(groups)
    ]
    best = max(range(len(groups)), key=lambda k: _rank(groups[k], label))
    if _rank(groups[best], label)[0] < 0:
        raise RecordError(f"{label}: it holds only computed beats ({', '.join(names)}), no rhythm.")
    notes: list[str] = []
    channels = _channels(groups[best], f"{label}: waveform {names[best]}")
    if len(groups) > 1:
        others = ", ".join([name for k, name in enumerate(names) if k != best][:12])
        notes.append(f"Read the waveform {names[best]!r}; not read: {others}.")
    recorded = dataset.get("AcquisitionDateTime") or dataset.get("StudyDate")
    age = parse_age(str(dataset.get("PatientAge") or ""))
    if age is None:
        age = age_between(str(dataset.get("PatientBirthDate") or ""), str(recorded or ""))
    return RawECG(
        channels=tuple(channels),
        age_years=age,
        sex=parse_sex(str(dataset.get("PatientSex") or "")),
        notes=tuple(notes),
    )


def _refuse_deflated(data: bytes, label: str) -> None:
    """A deflated object would be unpacked whole, however large it becomes."""
    from pydicom.filereader import read_dataset

    meta = read_dataset(
        io.BytesIO(data[132:]), False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2
    )
    if str(meta.get("TransferSyntaxUID")) == _DEFLATED:
        raise RecordError(f"{label}: a deflated DICOM file; store it uncompressed.")


def _rank(group: Dataset, label: str) -> tuple[int, float]:
    """Prefer recorded over computed, then more standard leads, then longer."""
    derived = str(group.get("WaveformOriginality") or "").upper() == "DERIVED"
    title = str(group.get("MultiplexGroupLabel") or "").upper()
    beat = any(word in title for word in ("MEDIAN", "AVERAGE", "REPRESENTATIVE"))
    leads = {_lead(channel, label) for channel in group.get("ChannelDefinitionSequence") or ()}
    n_leads = sum(lead in STANDARD_12 for lead in leads)
    seconds = float(group.get("NumberOfWaveformSamples") or 0) / float(
        group.get("SamplingFrequency") or 1
    )
    return (-1 if beat or (derived and seconds < 2) else n_leads, seconds)


def _channels(group: Dataset, label: str) -> list[Channel]:
    definitions = list(group.get("ChannelDefinitionSequence") or ())
    n_channels, n = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    if len(definitions) != n_channels or not 1 <= n_channels <= MAX_CHANNELS:
        raise RecordError(f"{label}: {n_channels} channels but {len(definitions)} definitions.")
    if n_channels * n > MAX_SAMPLES:
        raise RecordError(f"{label}: more than {MAX_SAMPLES} samples are announced.")
    kind = (int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation))
    if kind not in _TYPES:
        raise RecordError(
            f"{label}: samples of type {shown(kind[1], 8)}, {kind[0]} bit, are not read."
        )
    # The samples follow the byte order of the transfer syntax.
    order = "<" if group.original_encoding[1] is not False else ">"
    dtype = np.dtype(order + _TYPES[kind])
    stored = bytes(group.WaveformData)
    announced = n * n_channels * dtype.itemsize
    if len(stored) < announced:
        raise RecordError(
            f"{label}: {len(stored) // (n_channels * dtype.itemsize)} of {n} samples are there; "
            "the file is cut off."
        )
    # One byte more pads an odd number of bytes.
    if len(stored) > announced + announced % 2:
        raise RecordError(
            f"{label}: {len(stored)} bytes of samples where {n} samples of {n_channels} channels "
            f"with {kind[0]} bits, {announced} bytes, are announced; one of these is wrong. Export "
            "it again."
        )
    rows = np.frombuffer(stored, dtype, n * n_channels).reshape(n, n_channels).T
    padding = group.get("WaveformPaddingValue")
    missing = None if padding is None else _padding(padding, dtype)
    fs = float(group.SamplingFrequency) if group.get("SamplingFrequency") else None
    pairs = zip(definitions, rows, strict=True)
    return [_channel(one, row, missing, fs, label) for one, row in pairs]


def _channel(
    definition: Dataset,
    row: npt.NDArray[np.integer],
    missing: int | None,
    fs: float | None,
    label: str,
) -> Channel:
    values = row.astype(np.float64)
    if missing is not None:
        values[row == missing] = np.nan
    sensitivity = definition.get("ChannelSensitivity")
    units = definition.get("ChannelSensitivityUnitsSequence")
    channel = Channel(
        name=_lead(definition, label), values=values, fs=fs, unit="adu", calibrated=False
    )
    if sensitivity is None or not float(sensitivity):
        return channel
    factor = definition.get("ChannelSensitivityCorrectionFactor")
    baseline = definition.get("ChannelBaseline")
    values = values * float(sensitivity) * (1.0 if factor is None else float(factor))
    values += 0.0 if baseline is None else float(baseline)
    unit = str(units[0].get("CodeValue") or "") if units else None
    return replace(channel, values=values, unit=unit, calibrated=True)


def _padding(value: Any, dtype: np.dtype[Any]) -> int:
    """The padding value is stored as raw bytes of the sample type."""
    if isinstance(value, bytes):
        return int(np.frombuffer(value[: dtype.itemsize], dtype)[0])
    return int(value)


def _lead(definition: Dataset, label: str) -> str:
    """Name a channel by the code of its source, or else by the code's meaning."""
    sources = definition.get("ChannelSourceSequence")
    own_name = str(definition.get("ChannelLabel") or "")
    if not sources:
        return own_name
    code, meaning = str(sources[0].get("CodeValue") or ""), str(sources[0].get("CodeMeaning") or "")
    for prefix in ("5.6.3-9-", "2:"):
        if code.startswith(prefix) and code[len(prefix) :].isdigit():
            lead = _LEAD_NUMBERS.get(int(code[len(prefix) :]))
            said = canonical_lead(meaning)
            if lead and said and lead != said:
                raise RecordError(
                    f"{label}: a channel is coded {shown(code)} (lead {lead}) but called {said}."
                )
            if lead:
                return lead
    return next(
        (text for text in (meaning, own_name, code) if canonical_lead(text)), meaning or own_name
    )
