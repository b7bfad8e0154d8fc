"""The report as one HTML file with its tracing inside; it loads nothing and needs no script."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ecg_llm.phrases import number
from ecg_llm.references import REFERENCES
from ecg_llm.render.evidence import not_yet_said
from ecg_llm.render.html_assets import CSS, SCRIPT
from ecg_llm.render.layout import PageLayout
from ecg_llm.render.page import page_scene
from ecg_llm.render.scene import gain_text, printable
from ecg_llm.render.svg import to_svg
from ecg_llm.render.tracing import (
    EvidenceIndex,
    every_lead_layout,
    lead_notes,
    number_evidence,
    page_layout,
)
from ecg_llm.render.words import (
    about_text,
    lead_rows,
    made_by,
    shown_columns,
    told_changes,
    value_rows,
)

if TYPE_CHECKING:
    from ecg_llm.findings.finding import Evidence
    from ecg_llm.quantity import Quantity
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Claim, Report

FACTS_OPEN = 6
"""More evidence than this is folded away."""

LEAD_ROW_MM = 22
"""Height of a lead where each has the full width."""

LEAD_COLUMNS = {
    "p_mv": "P",
    "q_mv": "Q",
    "q_ms": "Q width",
    "r_mv": "R",
    "s_mv": "S",
    "r2_mv": "R′",
    "s2_mv": "S′",
    "st_j_mv": "ST at J",
    "st_j60_mv": "ST at J+60",
    "t_mv": "T",
}
"""What the table of leads shows of `Report.lead_table`."""


def to_html(report: Report, record: ECGRecord) -> str:
    """Write a report as one self-contained HTML file.

    Parameters
    ----------
    report : Report
        What to write.
    record : ECGRecord
        Its record, for the tracing.

    Returns
    -------
    str
        It refers to no other file or address, and its security policy forbids it to. A small
        script shows a statement's evidence on the tracing; everything can be read without it.
    """
    index = number_evidence(report)
    name = printable(report.record.name) or "unnamed"
    body = [
        f"<h1>ECG report: {_e(name)}</h1>",
        f'<p class="soft">{_e(about_text(report))}</p>',
        *(f'<p class="soft">Note: {_e(note)}</p>' for note in report.record.notes),
        *_alerts(report, index),
        *_impression(report, index),
        *_told(report),
        *_tracing(report, record, index),
        *_measurements(report),
        *_sections(report, index),
        *_quality(report),
        *_provenance(report),
    ]
    policy = (
        f"default-src 'none'; style-src {_hash(CSS)}; script-src {_hash(SCRIPT)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_e(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>ECG report: {_e(name)}</title>",
        f"<style>{CSS}</style>",
    ]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>',
            *head,
            "</head>\n<body>\n<main>",
            *body,
            f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


def _e(text: str) -> str:
    """Make any text safe as content or attribute."""
    return html.escape(printable(text))


def _hash(code: str) -> str:
    """Name a piece of inline code in a security policy."""
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _tags(evidence: Iterable[Evidence], index: EvidenceIndex) -> str:
    """Give the button that shows evidence on the tracing."""
    labels = index.labels(evidence)
    if not labels:
        return ""
    roles = {mark.label: mark.role for mark in (*index.shown, *index.quiet)}
    shown = ", ".join(labels) if len(labels) <= 4 else f"{labels[0]}–{labels[-1]}"
    if len(labels) > 4 and int(labels[-1]) - int(labels[0]) != len(labels) - 1:
        shown = f"{labels[0]} + {len(labels) - 1}"
    return (
        f' <button type="button" class="tag {roles[labels[0]]}" data-marks="{" ".join(labels)}" '
        f'aria-pressed="false" title="Show on the tracing" '
        f'aria-label="Show evidence {_e(", ".join(labels))} on the tracing">{_e(shown)}</button>'
    )


def _facts(evidence: tuple[Evidence, ...], said: str = "", *, folded: bool = False) -> str:
    """List what the evidence adds to a sentence, with its sources; a long list is folded."""
    pairs = [(not_yet_said(item, said), item.source) for item in evidence]
    lines = dict.fromkeys(". ".join(part for part in pair if part) for pair in pairs)
    lines.pop("", None)
    if not lines:
        return ""
    items = "".join(f"<li>{_e(line)}</li>" for line in lines)
    facts = f'<ul class="facts">{items}</ul>'
    if folded or len(lines) > FACTS_OPEN:
        return f"<details><summary>Evidence ({len(lines)})</summary>{facts}</details>"
    return facts


def _alerts(report: Report, index: EvidenceIndex) -> Iterable[str]:
    """Give what somebody must look at soon, first of all."""
    if report.alerts:
        yield '<section class="alerts" aria-labelledby="alerts">'
        yield '<h2 id="alerts">Alerts</h2><ul class="said">'
        for alert in report.alerts:
            yield (
                f'<li><span class="urgency">{_e(alert.urgency)}</span> '
                f"<strong>{_e(alert.text)}</strong>{_tags(alert.evidence, index)}"
                f'<p class="facts">{_e(alert.advice)}</p>'
                f"{_facts(alert.evidence, folded=True)}</li>"
            )
        yield "</ul></section>"


def _impression(report: Report, index: EvidenceIndex) -> Iterable[str]:
    """Give the conclusion."""
    claims = {claim.text: claim for claim in report.claims}
    yield '<section aria-labelledby="impression"><h2 id="impression">Impression</h2>'
    yield '<ol class="said">'
    for text in report.impression:
        evidence = claims[text].evidence if text in claims else ()
        yield f"<li>{_e(text)}{_tags(evidence, index)}</li>"
    yield "</ol></section>"


def _told(report: Report) -> Iterable[str]:
    """Give what the language model wrote, as checked, and what the check changed."""
    if report.provenance.model is None:
        return
    yield '<section aria-labelledby="told"><h2 id="told">In words, each claim checked</h2>'
    for part in report.narrative.split("\n"):
        if part.strip():
            yield f"<p>{_e(part)}</p>"
    lines = "".join(f"<li>{_e(line)}</li>" for line in told_changes(report))
    if lines:
        yield f'<details><summary>What the check changed</summary><ul class="facts">{lines}</ul>'
        yield "</details>"
    yield "</section>"


def _tracing(report: Report, record: ECGRecord, index: EvidenceIndex) -> Iterable[str]:
    """Draw the standard page, and below it every lead over the full time."""
    standard = replace(page_layout(report, record), title="", fields=(), header_mm=0, height_mm=195)
    every = every_lead_layout(record, standard)
    every = replace(every, height_mm=standard.height_mm - 175 + LEAD_ROW_MM * len(every.rows))
    yield '<section aria-labelledby="tracing"><h2 id="tracing">Tracing</h2>'
    yield _figure(report, record, index, standard, "page")
    if index.numbers:
        yield (
            '<p class="facts screen">A number leads from a statement to its evidence: choose it to '
            "see that evidence alone, press Escape to go back. Green evidence is shown only when "
            "chosen. What the page above does not show is on the drawing of every lead.</p>"
        )
    yield '<details class="all-leads screen"><summary>Every lead over the full width</summary>'
    yield _figure(report, record, index, every, "leads")
    yield "</details></section>"


def _figure(
    report: Report, record: ECGRecord, index: EvidenceIndex, layout: PageLayout, prefix: str
) -> str:
    """Draw one page with its marks."""
    scene, hidden = page_scene(
        record,
        layout=layout,
        marks=(*index.shown, *index.quiet),
        lead_notes=lead_notes(report),
    )
    end = min(max(place.to_s for place in scene.plan.places), record.duration_s)
    about = (
        f"{layout.from_s:g} to {end:.1f} s of {record.duration_s:.1f} s, "
        f"{layout.speed_mm_s:g} mm/s, {gain_text(record, layout)}"
    )
    leads = ", ".join(dict.fromkeys(p.lead for p in scene.plan.places if p.recorded))
    svg = to_svg(scene, title=f"ECG, {about}; leads {leads}", prefix=prefix)
    missed = [mark.label for mark in hidden if not mark.quiet]
    if missed:
        about += f". Evidence {', '.join(missed)} lies outside the leads and times of this drawing"
    return (
        f'<figure><div class="paper" tabindex="0" role="group" aria-label="Tracing, scrolls">{svg}'
        f"</div><figcaption>{_e(about)}.</figcaption></figure>"
    )


def _measurements(report: Report) -> Iterable[str]:
    """Tabulate the values, of the record and of each lead."""
    yield '<section aria-labelledby="measurements"><h2 id="measurements">Measurements</h2>'
    if not report.measurements:
        yield "<p>Nothing was measured.</p></section>"
        return
    rows = value_rows(report)
    yield _value_table([row for name, row in rows if name in REFERENCES])
    if further := [row for name, row in rows if name not in REFERENCES]:
        yield "<details><summary>Further measurements</summary>"
        yield _value_table(further) + "</details>"
    yield from _lead_table(report)
    yield "</section>"


def _value_table(rows: Iterable[tuple[str, ...]]) -> str:
    """Tabulate values of the record."""
    parts = ['<div class="scroll"><table><thead><tr>']
    for title in ("Quantity", "Value", "Spread", "Values", "Adult reference", "How, or why not"):
        parts.append(f'<th scope="col">{title}</th>')
    parts.append("</tr></thead><tbody>")
    for name, *short, how in rows:
        parts.append(f'<tr><th scope="row">{_e(name)}</th>')
        parts += [f'<td class="n">{_e(cell)}</td>' for cell in short]
        parts.append(f"<td>{_e(how)}</td></tr>")
    return "".join([*parts, "</tbody></table></div>"])


def _lead_table(report: Report) -> Iterable[str]:
    """Tabulate the waves of each lead."""
    table = report.lead_table
    columns = shown_columns(LEAD_COLUMNS, table)
    if columns:
        yield '<details><summary>Waves of each lead</summary><div class="scroll"><table>'
        yield "<caption>mV, widths in ms; medians over the beats of the dominant form</caption>"
        yield '<thead><tr><th scope="col">Lead</th>'
        yield from (f'<th scope="col">{LEAD_COLUMNS[name]}</th>' for name in columns)
        yield "</tr></thead><tbody>"
        for lead, row in table.items():
            cells = (_bare(row.get(name)) for name in columns)
            yield f'<tr><th scope="row">{_e(lead)}</th>'
            yield "".join(f'<td class="n">{cell}</td>' for cell in cells) + "</tr>"
        yield "</tbody></table></div></details>"


def _sections(report: Report, index: EvidenceIndex) -> Iterable[str]:
    """Give the report in full."""
    yield '<section aria-labelledby="findings"><h2 id="findings">Findings in full</h2>'
    for part in report.sections:
        yield f"<h3>{_e(part.title)}</h3>"
        yield '<ul class="said">'
        yield from (_claim(claim, index) for claim in part.statements)
        yield "</ul>"
    yield "</section>"


def _claim(claim: Claim, index: EvidenceIndex) -> str:
    """Give one statement with its evidence."""
    doubt = " <strong>(contradicted)</strong>" if claim.status == "contradicted" else ""
    kind = ' class="open"' if claim.status == "unverifiable" else ""
    tags = _tags(claim.evidence, index)
    # A sentence says what decides it; the details hold the whole evidence.
    whole = claim.kind != "value"
    facts = _facts(claim.evidence, "" if whole else claim.text, folded=whole)
    return f"<li{kind}>{_e(claim.text)}{doubt}{tags}{facts}</li>"


def _quality(report: Report) -> Iterable[str]:
    """Give the technical quality lead by lead."""
    quality = report.quality
    verdict = {"accept": "Accepted", "limit": "Accepted with limits", "refuse": "Refused"}
    reasons = f": {'; '.join(quality.reasons)}" if quality.reasons else ""
    yield '<section aria-labelledby="quality"><h2 id="quality">Quality of the leads</h2>'
    yield f"<p>{_e(verdict[quality.verdict] + reasons)}.</p>"
    for doubt in quality.suspicions:
        yield f"<p>Suspected {_e(doubt.kind)}: {_e(doubt.explanation)}</p>"
    if quality.pacing_spikes_s:
        times = ", ".join(number(t, "s") for t in quality.pacing_spikes_s)
        yield f"<p>Pacing spikes at {_e(times)} s.</p>"
    clean, rows = lead_rows(report)
    if clean:
        yield f"<p>{_e(', '.join(clean))}: usable, without remarks.</p>"
    if rows:
        yield '<div class="scroll"><table><thead><tr>'
        yield from (f'<th scope="col">{title}</th>' for title in ("Lead", "Usable", "Remarks"))
        yield "</tr></thead><tbody>"
        for name, usable, remarks in rows:
            yield f'<tr><th scope="row">{_e(name)}</th><td>{usable}</td><td>{_e(remarks)}</td></tr>'
        yield "</tbody></table></div>"
    yield "</section>"


def _provenance(report: Report) -> Iterable[str]:
    """Say what made the report, from what, and what it is not."""
    made = report.provenance
    yield '<section aria-labelledby="made"><h2 id="made">Provenance</h2>'
    yield f"<p>{_e(report.record.source)}: {_e(made_by(report))}</p>"
    yield f'<p class="disclaimer">{_e(made.disclaimer)}</p></section>'


def _bare(quantity: Quantity | None) -> str:
    """Give a value without its unit."""
    if quantity is None or quantity.value is None:
        return "–"
    return number(quantity.value, quantity.unit)
