"""Measured facts in the words of a report: values and rules as one says them aloud."""

from __future__ import annotations

import re

_SAID = {
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


def said(quantity: str, values: str) -> str:
    """Say a quantity with its value as a report does.

    Parameters
    ----------
    quantity : str
        As in an evidence item.
    values : str
        Value, unit and lead; several joined.

    Returns
    -------
    str

    Examples
    --------
    >>> said("P wave before the QRS", "11 of 11"), said("QRS axis", "42°")
    ('P wave before 11 of 11 beats', 'QRS axis 42°')
    >>> said("wide beats of another shape", "3 of 12 beats at 1.76 s")
    '3 of 12 beats early and wide, of another shape, the first at 1.76 s'
    """
    if quantity in _FIRST and " at " in values:
        count, _, moment = values.partition(" at ")
        first = "" if count.startswith("1 ") else "the first "
        return f"{_SAID[quantity].format(count)}, {first}at {moment}"
    if quantity in _SAID:
        return _SAID[quantity].format(values)
    return f"{_NAMES.get(quantity, quantity)} {values}"


def rule(criterion: str) -> str:
    """Say a criterion as a report does.

    Parameters
    ----------
    criterion : str
        As in an evidence item.

    Returns
    -------
    str

    Examples
    --------
    >>> rule("> 2 × tallest upward QRS deflection (0.50 mV)"), rule("> 100/min")
    ('more than 2 × R: 0.50 mV', '> 100/min')
    >>> rule("> 10 × T amplitude (0.67 mV)")
    'more than 10 × T: 0.67 mV'
    """
    found = _OTHER_WAVE.fullmatch(criterion)
    if found is None:
        return criterion
    wave = _NAMES.get(found["name"], found["name"])
    times = f"{found['times']} × " if found["times"] else ""
    return f"more than {times}{wave}: {found['limit']} mV"


def without_limit(told: str) -> str:
    """Leave out what another wave measures in one lead, where the rule is told of several.

    Parameters
    ----------
    told : str
        From `rule`.

    Returns
    -------
    str

    Examples
    --------
    >>> without_limit("≥ 0.3 mV, more than 10 × T: 0.67 mV")
    '≥ 0.3 mV, more than 10 × T'
    """
    return _LIMIT_OF_A_LEAD.sub(r"\1", told)


def before(quantity: str) -> str:
    """Give the words that stand before the value of a quantity in a sentence.

    Parameters
    ----------
    quantity : str
        As in an evidence item.

    Returns
    -------
    str

    Examples
    --------
    >>> before("atrial waves between the beats"), before("QRS axis")
    ('atrial waves at', 'QRS axis')
    """
    return said(quantity, "\0").partition("\0")[0].strip()
