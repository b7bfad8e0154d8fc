"""What the documents say of the record and its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecg_llm.amplitudes import LATE_R_MV
from ecg_llm.phrases import amount, sentence
from ecg_llm.references import REFERENCES, reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecg_llm.quantity import Quantity
    from ecg_llm.report import Change, Report


def patient_text(report: Report) -> str:
    """Write sex and age, as far as they are known.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    str
        Such as ``Male, 56 years``; empty if neither is known.
    """
    age = report.record.age_years
    parts = [report.record.sex or "", f"{age:g} years" if age is not None else ""]
    text = ", ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def about_text(report: Report) -> str:
    """Say whom and what the report is about.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    str
        Patient, leads, rate and length; and what was judged, if that is not all of it.
    """
    record, n = report.record, len(report.record.leads)
    facts = [patient_text(report), f"{n} lead{'s' * (n != 1)}", f"{record.fs_hz:g} Hz"]
    facts.append(f"{record.duration_s:.1f} s")
    if record.to_s - record.from_s < record.duration_s - 0.05:
        facts.append(f"judged {record.from_s:.1f}–{record.to_s:.1f} s")
    return " · ".join(fact for fact in facts if fact)


def value_rows(report: Report) -> list[tuple[str, tuple[str, str, str, str, str, str]]]:
    """Tabulate the values of the whole record.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    list of (str, tuple of str)
        Its key in `Report.measurements`; and its name, value, spread, number of values pooled,
        adult reference, and how the value was obtained or why there is none; in reading order.
    """
    values, patient = report.measurements, report.record
    known = [name for name in REFERENCES if name in values]
    rows = []
    for name in dict.fromkeys((*known, *values)):
        quantity = values[name]
        entry = reference(name, patient.age_years, patient.sex)
        unit = "" if quantity.unit == "ratio" else quantity.unit
        value = "–" if quantity.value is None else amount(quantity.value, unit)
        spread = quantity.spread
        apart = "" if spread is None else f"± {amount(spread, unit)}"
        how = quantity.method if quantity.value is not None else quantity.reason or ""
        count = str(quantity.n) if quantity.n else ""
        rows.append((name, (capital(entry.name), value, apart, count, entry.limits, how)))
    return rows


RARE_WAVES = ("r2_mv", "s2_mv")
"""Shown only where a lead has one of `LATE_R_MV`: most have none, or a ripple."""


def shown_columns(names: Iterable[str], table: Mapping[str, Mapping[str, Quantity]]) -> list[str]:
    """Choose which waves of the leads are worth a column.

    Parameters
    ----------
    names : iterable of str
        Candidates, in order.
    table : mapping of str to mapping of str to Quantity
        Values by lead and name.

    Returns
    -------
    list of str
        Those that a lead has; R′ and S′ from 0.1 mV on.
    """
    largest = {
        name: max(
            (abs(row[name].value or 0.0) for row in table.values() if name in row), default=-1
        )
        for name in names
    }
    return [
        name for name, most in largest.items() if most >= (LATE_R_MV if name in RARE_WAVES else 0.0)
    ]


def capital(text: str) -> str:
    """Begin with a capital, but leave names of leads as they are.

    Parameters
    ----------
    text : str
        A name.

    Returns
    -------
    str

    Examples
    --------
    >>> capital("aVL"), capital("left axis deviation")
    ('aVL', 'Left axis deviation')
    """
    return sentence(text).removesuffix(".")


def told_changes(report: Report) -> list[str]:
    """Say what the check changed in a language model's text.

    Parameters
    ----------
    report : Report
        With a narrative by a model.

    Returns
    -------
    list of str
        One line a change; none for a sentence that was left out because another says the same.
    """
    return [_change_line(change) for change in report.changes if not change.repeats]


def _change_line(change: Change) -> str:
    drafted = _shortened(change.draft)
    match change.action:
        case "corrected":
            return f"corrected: “{drafted}” ({change.reason})"
        case "withheld":
            return f"withheld: “{drafted}” ({change.reason})"
        case "added":
            return f"added: “{_shortened(change.shipped)}” ({change.reason})"
        case "regenerated":
            return f"asked for again, with the evidence: {change.reason}"
        case _:
            return change.reason


def made_by(report: Report) -> str:
    """Say in one line what made the report.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    str
        Software, criteria and language model, and where the hashes are.
    """
    made = report.provenance
    parts = [f"{made.software} {made.version}"]
    if made.criteria_version:
        parts.append(f"criteria {made.criteria_version}")
    if made.model is not None:
        parts.append(f"words by {made.model.name}")
    return f"{', '.join(parts)}. Hashes of file and weights: the JSON's provenance."


def lead_rows(report: Report) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Part the leads into those without remarks and a table of the others.

    Parameters
    ----------
    report : Report
        Any.

    Returns
    -------
    tuple of (list of str, list of tuple of str)
        Names of usable leads without remarks; name, usable or not, and remarks of the others.
    """
    clean, rows = [], []
    for name, lead in report.quality.leads.items():
        remarks = list(lead.reasons)
        if name in report.record.derived_leads:
            remarks.append("derived, not recorded")
        if lead.usable and not remarks:
            clean.append(name)
        else:
            rows.append((name, "yes" if lead.usable else "no", ", ".join(remarks)))
    return clean, rows


LONGEST_QUOTE = 160
"""Characters of a drafted sentence that are shown."""


def _shortened(text: str) -> str:
    """Give a text in one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"
