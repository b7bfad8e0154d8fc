"""How numbers, leads and evidence read in a cardiologist's English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecg_llm.findings.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECIMALS = {"ms": 0, "bpm": 0, "deg": 0, "Hz": 0, "%": 0, "mV": 2, "s": 2}


def number(value: float, unit: str) -> str:
    """Write a number at the precision its unit is read at.

    Parameters
    ----------
    value : float
        In ``unit``.
    unit : str
        ``ms``, ``mV``, ``deg`` …; empty for counts and ratios.

    Returns
    -------
    str

    Examples
    --------
    >>> number(161.6, "ms"), number(-0.134, "mV"), number(12.0, ""), number(-0.2, "ms")
    ('162', '−0.13', '12', '0')
    """
    decimals = _DECIMALS.get(unit, 0 if value == round(value) else 2)
    text = f"{value:.{decimals}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def amount(value: float, unit: str) -> str:
    """Write a number with its unit.

    Parameters
    ----------
    value : float
        In ``unit``.
    unit : str
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
        return f"{number(value, unit)}°"
    return f"{number(value, unit)} {unit}".rstrip()


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
    >>> item = Evidence(lead="V1", from_s=None, to_s=None, quantity="R peak time", value=54.2,
    ...     unit="ms", criterion="> 50 ms", source="Surawicz 2009")
    >>> evidence_phrase(item)
    'R peak time in V1 54 ms (> 50 ms)'
    """
    words = [item.quantity]
    if item.lead and item.lead not in item.quantity.split():
        words.append(f"in {item.lead}")
    if isinstance(item.value, str):
        words.append(item.value)
    elif item.value is not None:
        words.append(amount(item.value, item.unit))
    else:
        words.append("unknown")
    if item.from_s is not None:
        words.append(f"at {number(item.from_s, 's')} s")
    if criterion and item.criterion:
        words.append(f"({item.criterion})")
    return " ".join(words)


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
