"""Tables for people: drawn in a terminal, plainly aligned in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from ecg_llm.phrases import amount, number
from ecg_llm.references import REFERENCES, reference
from ecg_llm.render.scene import printable
from ecg_llm.render.words import shown_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.quantity import Quantity

LEAD_COLUMNS = {
    "p_mv": "p",
    "q_mv": "q",
    "r_mv": "r",
    "s_mv": "s",
    "r2_mv": "r′",
    "s2_mv": "s′",
    "st_j_mv": "ST J",
    "st_j60_mv": "ST J60",
    "t_mv": "t",
}
"""Of `LeadMeasurements.summary`, with their headings."""


def show_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    title = printable(title)
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, highlight=False)
        for header in headers:
            table.add_column(header)
        for row in rows:
            table.add_row(*row)
        Console(markup=False).print(table)
        return
    widths = [max(len(row[k]) for row in (headers, *rows)) for k in range(len(headers))]
    typer.echo(title)
    for row in (headers, *rows):
        typer.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def show_measurements(measurements: Measurements) -> None:
    """Print a record's values, then those of its leads."""
    rows = [
        (reference(name, None, None).name, *_cells(quantity))
        for name, quantity in measurements.values.items()
        if name in REFERENCES
    ]
    further = [
        (reference(name, None, None).name, *_cells(quantity))
        for name, quantity in measurements.values.items()
        if name not in REFERENCES
    ]
    title = (
        f"{measurements.record}: {len(measurements.beats)} beats in "
        f"{measurements.to_s - measurements.from_s:.1f} s at {measurements.fs:g} Hz"
    )
    headers = ("quantity", "value", "spread", "n", "how, or why not")
    show_table(title, headers, rows)
    typer.echo()
    show_table("Further measurements", headers, further)
    table = {lead: of.summary for lead, of in measurements.leads.items()}
    columns = shown_columns(LEAD_COLUMNS, table)
    if columns:
        rows_by_lead = [
            (lead, *(_short(row.get(name)) for name in columns)) for lead, row in table.items()
        ]
        typer.echo()
        names = [LEAD_COLUMNS[name] for name in columns]
        show_table("Amplitudes in mV, median beat", ("lead", *names), rows_by_lead)


def _cells(quantity: Quantity) -> tuple[str, str, str, str]:
    if quantity.value is None:
        return "–", "", "", quantity.reason or ""
    spread = "" if quantity.spread is None else amount(quantity.spread, quantity.unit)
    shown = amount(quantity.value, quantity.unit)
    return shown, spread, str(quantity.n or ""), quantity.method


def _short(quantity: Quantity | None) -> str:
    if quantity is None or quantity.value is None:
        return "–"
    return number(quantity.value, quantity.unit)


def show_quality(quality: Quality) -> None:
    """Print the judgement on a record's technical quality."""
    answer = {"accept": "acceptable", "limit": "acceptable with limits", "refuse": "not acceptable"}
    title = f"{quality.record}: {answer[quality.verdict]} (score {quality.score:.2f})"
    rows = [
        (name, "yes" if lead.usable else "no", ", ".join(lead.reasons))
        for name, lead in quality.leads.items()
    ]
    show_table(title, ("lead", "usable", "found"), rows)
    for reason in quality.reasons:
        typer.echo(f"- {reason}")
    for suspicion in quality.suspicions:
        typer.echo(f"- suspected {suspicion.kind}: {suspicion.explanation}")
    if quality.pacing_spikes_s:
        times = ", ".join(f"{t:.2f}" for t in quality.pacing_spikes_s)
        typer.echo(f"- pacing spikes at {times} s")
