"""How numbers, leads and evidence read in a cardiologist's English."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ecg_llm import wording
from ecg_llm.findings.finding import Evidence
from ecg_llm.leads import STANDARD_12

if TYPE_CHECKING:
    from collections.abc import Sequence

MOMENT_S = 4.0
"""A fact of a longer stretch holds for the record: saying when tells nothing."""

_LEAD_MISSING = re.compile(r"lead (\S+) is missing")
_DECIMALS = {"ms": 0, "bpm": 0, "deg": 0, "Hz": 0, "%": 1, "mV": 2, "s": 2}


def number(value: float, unit: str, rule: str = "") -> str:
    """Write a number at the precision its unit is read at.

    Parameters
    ----------
    value : float
        In ``unit``.
    unit : str
        ``ms``, ``mV``, ``deg`` …; empty for counts and ratios.
    rule : str
        A criterion beside it: a value next to its limit gets one more decimal, not to be read as
        the limit itself.

    Returns
    -------
    str

    Examples
    --------
    >>> number(161.6, "ms"), number(-0.134, "mV"), number(12.0, ""), number(-0.2, "ms")
    ('162', '−0.13', '12', '0')
    >>> number(119.6, "ms", "≥ 120 ms")
    '119.6'
    """
    decimals = _DECIMALS.get(unit, 0 if value == round(value) else 2)
    text = _fixed(value, decimals)
    limits = re.findall(r"(?<![\w.])−?\d+(?:\.\d+)?", rule)
    if any(float(text.replace("−", "-")) == float(limit.replace("−", "-")) for limit in limits):
        closer = _fixed(value, decimals + 1)
        text = closer if float(closer.replace("−", "-")) != float(text.replace("−", "-")) else text
    return text


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def amount(value: float, unit: str, rule: str = "") -> str:
    """Write a number with its unit.

    Parameters
    ----------
    value : float
        In ``unit``.
    unit, rule : str
        As in `number`.

    Returns
    -------
    str

    Examples
    --------
    >>> amount(-32.4, "deg"), amount(161.6, "ms")
    ('−32°', '162 ms')
    """
    if unit == "deg":
        return f"{number(value, unit, rule)}°"
    return f"{number(value, unit, rule)} {unit}".rstrip()


def listing(words: Sequence[str], last: str = "and") -> str:
    """Join words as one writes them.

    Parameters
    ----------
    words : sequence of str
        At least one.
    last : str
        Word before the last one.

    Returns
    -------
    str

    Examples
    --------
    >>> listing(["II", "III", "aVF"]), listing(["V1"])
    ('II, III and aVF', 'V1')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop, leaving names as they are.

    Parameters
    ----------
    text : str
        A phrase.

    Returns
    -------
    str

    Examples
    --------
    >>> sentence("no P wave found"), sentence("aVL is flat.")
    ('No P wave found.', 'aVL is flat.')
    """
    text = text.strip()
    if not text.startswith(("aVR", "aVL", "aVF")):
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def brief_reason(reason: str | None) -> str:
    """Say why something was not judged: each part once, missing leads together.

    Parameters
    ----------
    reason : str or None
        Parts joined by semicolons.

    Returns
    -------
    str

    Examples
    --------
    >>> brief_reason("no P wave found; lead V1 is missing; no P wave found; lead V2 is missing")
    'leads V1 and V2 are missing; no P wave found'
    """
    parts = list(dict.fromkeys((reason or "no reason given").rstrip(".").split("; ")))
    leads = [found[1] for part in parts if (found := _LEAD_MISSING.fullmatch(part))]
    others = [part for part in parts if not _LEAD_MISSING.fullmatch(part)]
    return "; ".join([*([missing_leads(leads)] if leads else []), *others])


def missing_leads(leads: Sequence[str]) -> str:
    """Say which leads are missing.

    Parameters
    ----------
    leads : sequence of str
        At least one.

    Returns
    -------
    str

    Examples
    --------
    >>> missing_leads(["V5", "V1"])
    'leads V1 and V5 are missing'
    """
    known = sorted(dict.fromkeys(leads), key=lambda lead: (*STANDARD_12, lead).index(lead))
    return (
        f"lead{'s' * (len(known) > 1)} {listing(known)} {'are' if len(known) > 1 else 'is'} missing"
    )


def evidence_phrase(item: Evidence, *, criterion: bool = True) -> str:
    """Say one measured fact.

    Parameters
    ----------
    item : Evidence
        The fact.
    criterion : bool
        Add the rule in brackets.

    Returns
    -------
    str

    Examples
    --------
    >>> item = measured("R peak time", 54.2, "ms", lead="V1", criterion="> 50 ms")
    >>> evidence_phrase(item)
    'R peak time 54 ms in V1 (> 50 ms)'
    """
    return facts_phrase([item if criterion else replace(item, criterion="")], 1)


def facts_phrase(evidence: Sequence[Evidence], shown: int, *, when: bool = False) -> str:
    """Say measured facts, those of the same quantity together; what was excluded is left out.

    Parameters
    ----------
    evidence : sequence of Evidence
        The facts.
    shown : int
        Quantities to name, the first ones.
    when : bool
        Say when on the tracing, if it is a moment of it.

    Returns
    -------
    str

    Examples
    --------
    >>> def q_wave(lead, ms):
    ...     return measured("Q duration", ms, "ms", lead=lead, criterion="≥ 30 ms")
    >>> facts_phrase([q_wave("II", 41.6), q_wave("aVF", 38.0)], 3)
    'Q duration 42 ms in II and 38 ms in aVF (≥ 30 ms)'
    """
    rules: dict[Evidence, list[str]] = {}
    for item in evidence:
        if not item.criterion.startswith("not "):
            rules.setdefault(replace(item, criterion="", source=""), []).append(item.criterion)
    groups: dict[tuple[str, str], list[str]] = {}
    for item, criteria in rules.items():
        rule = tidy(", ".join(dict.fromkeys(wording.rule(c) for c in criteria if c)))
        groups.setdefault((item.quantity, rule), []).append(reading(item, rule, when=when))
    phrases = [
        f"{wording.said(quantity, listing(readings))}{f' ({rule})' if rule else ''}"
        for (quantity, rule), readings in groups.items()
    ]
    return "; ".join(phrases[:shown])


def reading(item: Evidence, rule: str = "", *, when: bool = False) -> str:
    """Say value, lead and time of one fact.

    Parameters
    ----------
    item : Evidence
        The fact.
    rule : str
        A criterion beside it, as in `number`.
    when : bool
        Say when on the tracing, if it is a moment of it.

    Returns
    -------
    str
    """
    if isinstance(item.value, str):
        words = item.value[:1].lower() + item.value[1:] if " " in item.value else item.value
    else:
        words = "unknown" if item.value is None else amount(item.value, item.unit, rule)
    if item.lead and item.lead not in item.quantity.split():
        words += f" in {item.lead}"
    moment = when and item.unit != "deg"  # an axis belongs to no moment
    if moment and item.from_s is not None and (item.to_s or item.from_s) - item.from_s < MOMENT_S:
        words += f" at {number(item.from_s, 's')} s"
    return words


def tidy(criterion: str) -> str:
    """Write a criterion's negative numbers with a minus sign.

    Parameters
    ----------
    criterion : str
        Such as ``≤ -0.1 mV``.

    Returns
    -------
    str

    Examples
    --------
    >>> tidy("between -45° and -90°")
    'between −45° and −90°'
    """
    return re.sub(r"(?<!\w)-(?=\d)", "−", criterion)


def measured(
    quantity: str,
    value: float | str,
    unit: str = "",
    *,
    lead: str | None = None,
    criterion: str = "",
    source: str = "",
) -> Evidence:
    """Make an evidence item that holds for the whole record.

    Parameters
    ----------
    quantity : str
        In the field's words.
    value : float or str
        What was measured.
    unit : str
        Unit of ``value``.
    lead : str, optional
        None where it was read from all leads together.
    criterion, source : str
        Reference and where it comes from.

    Returns
    -------
    Evidence
    """
    return Evidence(
        lead=lead,
        from_s=None,
        to_s=None,
        quantity=quantity,
        value=value,
        unit=unit,
        criterion=criterion,
        source=source,
    )
