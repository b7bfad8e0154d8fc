"""How numbers, leads and evidence read in a cardiologist's English."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ecg_llm.findings.finding import Evidence
from ecg_llm.leads import STANDARD_12

if TYPE_CHECKING:
    from collections.abc import Sequence

MOMENT_S = 4.0
"""A fact of a longer stretch holds for the record: saying when tells nothing."""

_OF_A_LEAD = re.compile(r"lead (\S+) (is missing|cannot be read(?: \([^()]*\))?)")
_DECIMALS = {"ms": 0, "bpm": 0, "/min": 0, "deg": 0, "Hz": 0, "%": 1, "mV": 2, "s": 2}
_DECIMALS |= {"mV·ms": 1, "mV/s": 1}
RANGE_FROM = 3
"""Leads of one quantity from which their range is told in place of each value."""
_SAID_AS = {
    "P wave before the QRS": "P wave before {} beats",
    "change from one RR to the next": "RR changes by {} from beat to beat",
    "atrial waves between the beats": "atrial waves at {} between the beats",
    "rate of the P waves": "P waves at {}",
    "beats right after a spike": "{} beats right after a spike",
    "beats with a spike 80 to 320 ms before": "{} beats with a spike 80 to 320 ms before the QRS",
    "early beats of the usual shape": "{} early, of the usual shape",
    "wide beats of another shape": "{} early and wide, of another shape",
    "P waves without QRS": "{} P waves without QRS",
    "ventricular beats in a row": "{} ventricular beats in a row",
    "QRS duration over all leads": "QRS {}",
    "QRS duration": "QRS {}",
    "PR interval": "PR {}",
    "Romhilt-Estes score": "Romhilt-Estes {}",
}
_FIRST = ("early beats of the usual shape", "wide beats of another shape")
"""Of several beats the evidence shows the first."""
_NAMES = {
    "tallest upward QRS deflection": "R",
    "deepest downward QRS deflection": "S",
    "QTc (Fridericia)": "QTc",
    "P amplitude, upward part": "P height",
    "P amplitude, downward part": "P depth",
    "T amplitude, downward part": "T depth",
    "T amplitude": "T",
}
_OTHER_WAVE = re.compile(
    r"> (?:(?P<times>[\d.]+) × )?(?P<name>[A-Za-z][\w', ]*?) \((?P<limit>[\d.]+) mV\)"
)
_LIMIT_OF_A_LEAD = re.compile(r"(more than [^:;,()]+): [\d.]+ mV")


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

    Examples
    --------
    >>> amount(-32.4, "deg"), amount(161.6, "ms"), amount(278.32, "/min")
    ('−32°', '162 ms', '278/min')
    """
    if unit == "deg":
        return f"{number(value, unit, rule)}°"
    if unit.startswith("/"):
        return f"{number(value, unit, rule)}{unit}"
    return f"{number(value, unit, rule)} {unit}".rstrip()


def listing(words: Sequence[str], last: str = "and") -> str:
    """Join words as one writes them.

    Parameters
    ----------
    words : sequence of str
        At least one.
    last : str
        Word before the last one.

    Examples
    --------
    >>> listing(["II", "III", "aVF"]), listing(["V1"])
    ('II, III and aVF', 'V1')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def said_to_be(name: str, what: str) -> str:
    """Say something of a finding, in the number of its name.

    Parameters
    ----------
    what : str
        What it is.

    Examples
    --------
    >>> said_to_be("pathological Q waves", "new")
    'pathological Q waves are new'
    """
    head = re.split(r",| (?:in|of|as|for|over) ", name)[0]
    plural = head.endswith(("waves", "complexes", "changes", "voltages", "criteria"))
    return f"{name} {'are' if plural else 'is'} {what}"


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop, leaving names as they are.

    Examples
    --------
    >>> sentence("no P wave found"), sentence("aVL is flat.")
    ('No P wave found.', 'aVL is flat.')
    """
    text = text.strip()
    if not text.startswith(("aVR", "aVL", "aVF")):
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", ":")) else text + "."


def brief_reason(reason: str | None) -> str:
    """Say why something was not judged: each part once, missing leads together.

    Parameters
    ----------
    reason : str or None
        Parts joined by semicolons.

    Examples
    --------
    >>> brief_reason("no P wave found; lead V1 is missing; no P wave found; lead V2 is missing")
    'leads V1 and V2 are missing; no P wave found'
    """
    parts = list(dict.fromkeys((reason or "no reason given").rstrip(".").split("; ")))
    leads: dict[str, list[str]] = {}
    others = []
    for part in parts:
        if found := _OF_A_LEAD.fullmatch(part):
            leads.setdefault(found[2], []).append(found[1])
        else:
            others.append(part)
    return "; ".join([*(_of_leads(names, what) for what, names in leads.items()), *others])


def _of_leads(leads: Sequence[str], what: str) -> str:
    """Say of leads together what is said of one, such as ``is missing``."""
    known = sorted(dict.fromkeys(leads), key=lambda lead: (*STANDARD_12, lead).index(lead))
    if len(known) == 1:
        return f"lead {known[0]} {what}"
    return f"leads {listing(known)} {re.sub(r'^is', 'are', what)}"


def quantity_said(quantity: str, values: str) -> str:
    """Say a quantity with its value as a report does.

    Parameters
    ----------
    quantity : str
        As in an evidence item.
    values : str
        Value, unit and lead; several joined.

    Examples
    --------
    >>> quantity_said("P wave before the QRS", "11 of 11"), quantity_said("QRS axis", "42°")
    ('P wave before 11 of 11 beats', 'QRS axis 42°')
    >>> quantity_said("wide beats of another shape", "3 of 12 beats at 1.76 s")
    '3 of 12 beats early and wide, of another shape, the first at 1.76 s'
    """
    if quantity in _FIRST and " at " in values:
        count, _, moment = values.partition(" at ")
        first = "" if count.startswith("1 ") else "the first "
        return f"{_SAID_AS[quantity].format(count)}, {first}at {moment}"
    if quantity in _SAID_AS:
        return _SAID_AS[quantity].format(values)
    return f"{_NAMES.get(quantity, quantity)} {values}"


def rule_said(criterion: str, *, limit: bool = True) -> str:
    """Say a criterion as a report does.

    Parameters
    ----------
    criterion : str
        As in an evidence item.
    limit : bool
        Tell what another wave measures; not where the rule is told of several leads.

    Examples
    --------
    >>> rule_said("> 2 × tallest upward QRS deflection (0.50 mV)"), rule_said("> 100/min")
    ('more than 2 × R: 0.50 mV', '> 100/min')
    >>> rule_said("≥ 0.3 mV, more than 10 × T: 0.67 mV", limit=False)
    '≥ 0.3 mV, more than 10 × T'
    """
    told = criterion
    if found := _OTHER_WAVE.fullmatch(criterion):
        wave = _NAMES.get(found["name"], found["name"])
        times = f"{found['times']} × " if found["times"] else ""
        told = f"more than {times}{wave}: {found['limit']} mV"
    return told if limit else _LIMIT_OF_A_LEAD.sub(r"\1", told)


def before(quantity: str) -> str:
    """Give the words that stand before the value of a quantity in a sentence.

    Parameters
    ----------
    quantity : str
        As in an evidence item.

    Examples
    --------
    >>> before("atrial waves between the beats"), before("QRS axis")
    ('atrial waves at', 'QRS axis')
    """
    return quantity_said(quantity, "\0").partition("\0")[0].strip()


def facts_phrase(evidence: Sequence[Evidence], shown: int, *, when: bool = False) -> str:
    """Say measured facts, those of the same quantity together; what was excluded is left out.

    Parameters
    ----------
    shown : int
        Quantities to name, the first ones.
    when : bool
        Say when on the tracing, if it is a moment of it.

    Examples
    --------
    >>> def q_wave(lead, ms):
    ...     return measured("Q duration", ms, "ms", lead=lead, criterion="≥ 30 ms")
    >>> facts_phrase([q_wave("II", 41.6), q_wave("aVF", 38.0)], 3)
    'Q duration 42 ms in II and 38 ms in aVF (≥ 30 ms)'
    >>> facts_phrase([q_wave("II", 41.6), q_wave("III", 52.3), q_wave("aVF", 38.0)], 3)
    'Q duration 38 to 52 ms in II, III and aVF (≥ 30 ms)'
    >>> facts_phrase([q_wave("II", 41.6), q_wave("III", 42.3)], 3)
    'Q duration 42 ms in II and III (≥ 30 ms)'
    """
    return "; ".join(phrase for _, phrase in fact_groups(evidence, when=when)[:shown])


def fact_groups(
    evidence: Sequence[Evidence], *, when: bool = False
) -> list[tuple[tuple[Evidence, ...], str]]:
    """Put the facts of one quantity and rule together, each group in words.

    Parameters
    ----------
    when : bool
        As for `facts_phrase`.
    """
    rules: dict[Evidence, list[Evidence]] = {}
    for item in evidence:
        if not item.criterion.startswith("not "):
            rules.setdefault(replace(item, criterion="", source=""), []).append(item)
    groups: dict[tuple[str, str], list[tuple[Evidence, list[str]]]] = {}
    told: dict[tuple[str, str], list[Evidence]] = {}
    for item, given in rules.items():
        criteria = list(dict.fromkeys(rule_said(one.criterion) for one in given))
        key = item.quantity, rule_said(criteria[0], limit=False)
        groups.setdefault(key, []).append((item, [rule for rule in criteria if rule]))
        told.setdefault(key, []).extend(given)
    out = []
    for key, members in groups.items():
        rule = _common_rule([criteria for _, criteria in members])
        values = _range([item for item, _ in members], rule) if not when else None
        values = values or listing([reading(item, rule, when=when) for item, _ in members])
        phrase = f"{quantity_said(key[0], values)}{f' ({rule})' if rule else ''}"
        out.append((tuple(told[key]), phrase))
    return out


def _common_rule(criteria: Sequence[list[str]]) -> str:
    """Join the rules that all facts of a group were held against; limits of one lead drop out."""
    if len(criteria) == 1:
        return tidy(", ".join(criteria[0]))
    general = [[rule_said(rule, limit=False) for rule in rules] for rules in criteria]
    shared = [rule for rule in general[0] if all(rule in rules for rules in general)]
    return tidy(", ".join(shared))


def _range(items: Sequence[Evidence], rule: str) -> str | None:
    """Say a value or word of several leads once, or their range; None where each has to be told."""
    leads = [item.lead for item in items if item.lead and item.lead not in item.quantity.split()]
    words = {item.value for item in items if isinstance(item.value, str)}
    if len(words) == 1 and len(set(leads)) == len(items) and not items[0].unit:
        return f"{words.pop()} in {leads_text(leads)}" if len(items) > 1 else None
    values = [item.value for item in items if isinstance(item.value, int | float)]
    if len(items) < 2 or len(set(leads)) != len(items) or len(values) != len(items):
        return None
    low, high = sorted((min(values), max(values)), key=abs)
    unit = items[0].unit
    alike = number(low, unit, rule) == number(high, unit, rule)
    if not alike and len(items) < RANGE_FROM:
        return None
    shown = "" if alike else f"{number(low, unit, rule)} to "
    return f"{shown}{amount(high, unit, rule)} in {leads_text(leads)}"


def leads_text(leads: Sequence[str]) -> str:
    """Name leads in their usual order, neighbours in the chest as a stretch.

    Parameters
    ----------
    leads : sequence of str
        At least one.

    Examples
    --------
    >>> leads_text(["V4", "V5", "V6", "II"]), leads_text(["V2", "V1"])
    ('II and V4–V6', 'V1 and V2')
    """
    order = (*STANDARD_12, *leads)
    known = sorted(dict.fromkeys(leads), key=order.index)
    runs: list[list[str]] = []
    for lead in known:
        before = runs[-1][-1] if runs else ""
        follows = lead in STANDARD_12 and before in STANDARD_12
        follows = follows and STANDARD_12.index(lead) == STANDARD_12.index(before) + 1
        if follows and before.startswith("V"):
            runs[-1].append(lead)
        else:
            runs.append([lead])
    words = [[f"{run[0]}–{run[-1]}"] if len(run) >= RANGE_FROM else run for run in runs]
    return listing([word for run in words for word in run])


def reading(item: Evidence, rule: str = "", *, when: bool = False) -> str:
    """Say value, lead and time of one fact.

    Parameters
    ----------
    rule : str
        A criterion beside it, as in `number`.
    when : bool
        Say when on the tracing, if it is a moment of it.
    """
    if isinstance(item.value, str):
        # A sentence that begins with a symbol keeps it: "P, QRS and T", "I + III = II".
        begins = " " in item.value and item.value[1:2].islower()
        words = item.value[:1].lower() + item.value[1:] if begins else item.value
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
