"""HL7 annotated ECG (aECG)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import MAX_CHANNELS
from ecg_llm.io.patient import age_between, parse_age, parse_sex
from ecg_llm.io.raw import Channel, RawECG, ReadOptions, shown
from ecg_llm.io.source import Source
from ecg_llm.io.xml_tree import number, parse, root_name
from ecg_llm.leads import STANDARD_12, canonical_lead

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAME = "aecg"
EXTENSIONS: tuple[str, ...] = (".xml",)

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


def sniff(head: bytes, filename: str) -> bool:
    """Tell whether a file is an aECG."""
    return root_name(head) == "AnnotatedECG"


def read(source: Source, options: ReadOptions) -> RawECG:
    """Read the recorded rhythm of an aECG.

    Parameters
    ----------
    source : Source
        The file.
    options : ReadOptions
        Not needed beyond the common rules: the file states everything.

    Returns
    -------
    RawECG
        Of all recorded series, the set of simultaneous leads with most standard leads, the
        longest of these. Derived series (representative beats) are never read.

    Raises
    ------
    RecordError
        If the file is not such an XML or its samples are incomplete.

    References
    ----------
    .. [1] Brown BD, Badilini F. HL7 aECG Implementation Guide, 2005.
    """
    root, label = parse(source), source.label
    if root.tag != "AnnotatedECG":
        raise RecordError(
            f"{label}: XML with the root <{shown(str(root.tag))}> is no ECG that is read; HL7 aECG "
            "(<AnnotatedECG>) and GE MUSE (<RestingECG>) are."
        )
    # Only direct children: representative beats sit deeper, under derivation/derivedSeries.
    sets = root.findall("./component/series/component/sequenceSet")
    if not sets:
        raise RecordError(f"{label}: it holds no recorded series with samples.")
    read_sets = [_channels(one, label) for one in sets]
    channels = max(read_sets, key=_rank)
    notes: tuple[str, ...] = ()
    if len(sets) > 1:
        notes = (f"{len(sets)} stretches in the file; the one with most leads was read.",)
    person = root.find(".//subjectDemographicPerson")
    birth, gender = None, None
    if person is not None:
        birth, gender = (
            _attribute(person, "birthTime", "value"),
            _attribute(person, "administrativeGenderCode", "code"),
        )
    return RawECG(
        channels=tuple(channels), age_years=_age(root, birth), sex=parse_sex(gender), notes=notes
    )


def _channels(sequence_set: Element, label: str) -> list[Channel]:
    fs: float | None = None
    channels = []
    for sequence in sequence_set.findall("./component/sequence"):
        name, value = _attribute(sequence, "code", "code") or "", sequence.find("value")
        if value is None:
            continue
        increment, digits = value.find("increment"), value.find("digits")
        if increment is not None:
            fs = _rate(increment, label)
        elif digits is not None:
            channels.append(_channel(name, value, digits, label))
    if len(channels) > MAX_CHANNELS:
        raise RecordError(f"{label}: {len(channels)} channels; too many.")
    if fs is None and channels:
        raise RecordError(f"{label}: the time step of the samples (increment) is not stated.")
    return [Channel(name=c.name, values=c.values, fs=fs, unit=c.unit) for c in channels]


def _channel(name: str, value: Element, digits: Element, label: str) -> Channel:
    """Scale one list of digits: origin + scale × digit."""
    try:
        raw = np.array((digits.text or "").split(), dtype=np.float64)
    except ValueError:
        raise RecordError(
            f"{label}: the samples of {canonical_lead(name) or 'a channel'} are not all numbers."
        ) from None
    origin, scale = value.find("origin"), value.find("scale")
    if scale is None:
        raise RecordError(f"{label}: the scale of {shown(name)} is not stated.")
    unit = scale.get("unit")
    factor = number(scale.get("value"), f"the scale of {shown(name)}", label)
    if not factor:
        raise RecordError(f"{label}: the scale of {shown(name)} is 0, which no recording has.")
    offset = 0.0
    if origin is not None:
        offset = number(origin.get("value"), f"the origin of {shown(name)}", label)
        if offset and origin.get("unit") != unit:
            raise RecordError(f"{label}: origin and scale of {shown(name)} have different units.")
    return Channel(name=name, values=raw * factor + offset, fs=None, unit=unit)


def _rate(increment: Element, label: str) -> float:
    step = number(increment.get("value"), "the time step (increment)", label)
    scale = _SECONDS.get(increment.get("unit") or "")
    if scale is None or step * scale <= 0:
        raise RecordError(f"{label}: the time step (increment) needs a positive value in s or ms.")
    # 1 / 0.002 is exact only after rounding away the decimal step's own error.
    return round(1 / (step * scale), 6)


def _rank(channels: list[Channel]) -> tuple[int, int]:
    n_standard = sum(canonical_lead(channel.name) in STANDARD_12 for channel in channels)
    return n_standard, max((channel.values.size for channel in channels), default=0)


def _age(root: Element, birth: str | None) -> float | None:
    """Take the reported age (LOINC 21612-7, 30525-0, 29553-5), else compute it."""
    for observation in root.iter("relatedObservation"):
        value = observation.find("value")
        coded = _attribute(observation, "code", "code") in ("21612-7", "30525-0", "29553-5")
        if value is not None and coded:
            return parse_age(value.get("value"), value.get("unit") or "a")
    when = root.find("./effectiveTime")
    times = [] if when is None else [child.get("value") for child in when]
    return age_between(birth, times[0] if times else None)


def _attribute(element: Element, child: str, name: str) -> str | None:
    found = element.find(child)
    return None if found is None else found.get(name)
