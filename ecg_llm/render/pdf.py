"""The report as PDF: the tracing at true size, then the findings."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ecg_llm.references import REFERENCES
from ecg_llm.render.evidence import Citations
from ecg_llm.render.page import page_scene
from ecg_llm.render.pdf_page import BOLD, FONT, POINTS_PER_MM, draw_scene, register_fonts
from ecg_llm.render.scene import clip, printable
from ecg_llm.render.style import PINK
from ecg_llm.render.tracing import (
    EvidenceIndex,
    every_lead_layout,
    lead_notes,
    number_evidence,
    page_layout,
)
from ecg_llm.render.words import about_text, lead_rows, made_by, told_changes, value_rows
from ecg_llm.report import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable

    from ecg_llm.findings.finding import Evidence
    from ecg_llm.record import ECGRecord
    from ecg_llm.render.marks import EvidenceMark
    from ecg_llm.report import Report

A4_MM = (210.0, 297.0)
MARGIN_MM = 16.0
ONE_LINE = 95
"""Characters of statement and evidence that stand on one line."""
TABLE_LEAST_MM = 35.0
"""Less room than this below it, and a table begins on the next page."""
SOFT, RULE, ALERT = "#54565e", "#c9ccd3", "#a32b05"


def to_pdf(report: Report, record: ECGRecord) -> bytes:
    """Write a report as PDF.

    Parameters
    ----------
    report : Report
        What to write.
    record : ECGRecord
        Its record, for the tracing.

    Returns
    -------
    bytes
        Page 1, A4 across: the tracing at 25 mm/s and 10 mm/mV on paper printed without scaling,
        with the evidence of present findings marked. If some of it lies in a lead at a time that
        this page does not show, a page with every lead over the full width follows. Then, A4
        upright, the report. The same input gives the same bytes.
    """
    from reportlab.platypus import BaseDocTemplate, Frame, NextPageTemplate, PageBreak, PageTemplate

    register_fonts()
    index = number_evidence(report)
    layout = page_layout(report, record)
    notes = lead_notes(report)
    first, rest = page_scene(record, layout=layout, marks=index.shown, lead_notes=notes)
    scenes, hidden = [first], rest
    if rest:
        every = every_lead_layout(record, layout)
        second, hidden = page_scene(record, layout=every, marks=rest, lead_notes=notes)
        if len(hidden) < len(rest):
            scenes.append(second)
    name = clip(printable(report.record.name) or "unnamed", 60)
    across = (layout.width_mm * POINTS_PER_MM, layout.height_mm * POINTS_PER_MM)
    upright = (A4_MM[0] * POINTS_PER_MM, A4_MM[1] * POINTS_PER_MM)
    margin = MARGIN_MM * POINTS_PER_MM

    def tracing(canvas: Canvas, document: Any) -> None:
        draw_scene(canvas, scenes[document.page - 1])

    out = BytesIO()
    document = BaseDocTemplate(
        out,
        pagesize=upright,
        invariant=1,
        title=f"ECG report: {name}",
        author=report.provenance.software,
        subject=report.provenance.disclaimer,
        creator=f"{report.provenance.software} {report.provenance.version}",
    )
    whole = Frame(0, 0, *across, id="whole")
    column = Frame(
        margin,
        margin,
        upright[0] - 2 * margin,
        upright[1] - 2 * margin,
        leftPadding=0,
        rightPadding=0,
        id="column",
    )
    document.addPageTemplates(
        [
            PageTemplate(id="tracing", frames=[whole], onPage=tracing, pagesize=across),
            PageTemplate(
                id="report",
                frames=[column],
                onPage=partial(_foot, text=f"{name} · {report.provenance.disclaimer}"),
                pagesize=upright,
            ),
        ]
    )
    turn = [*[PageBreak() for _ in scenes[1:]], NextPageTemplate("report"), PageBreak()]
    document.build([*turn, *_Story(report, index, hidden).flowables()])
    return out.getvalue()


def _foot(canvas: Canvas, document: Any, text: str) -> None:
    """Write the foot of a page of the report."""
    canvas.saveState()
    canvas.setFont(FONT, 7.5)
    canvas.setFillColor(SOFT)
    y = 9 * POINTS_PER_MM
    canvas.drawString(MARGIN_MM * POINTS_PER_MM, y, text)
    right = (A4_MM[0] - MARGIN_MM) * POINTS_PER_MM
    canvas.drawRightString(right, y, f"page {document.page}")
    canvas.restoreState()


class _Story:
    """The text of one report, part by part."""

    def __init__(
        self, report: Report, index: EvidenceIndex, hidden: tuple[EvidenceMark, ...]
    ) -> None:
        self.report = report
        self.index = index
        self.hidden = hidden
        self.cited = Citations()
        self.colours = {mark.label: getattr(PINK, mark.role) for mark in index.shown}

    def flowables(self) -> Iterator[Flowable]:
        """Give the parts in reading order."""
        yield from self._title()
        yield from self._alerts()
        yield self._head("Impression")
        for k, text in enumerate(self.report.impression, start=1):
            evidence = next((c.evidence for c in self.report.claims if c.text == text), ())
            yield self._line(f"{k}. {_e(text)}{self._tags(evidence)}", indent=14)
        yield from self._told()
        yield from self._measurements()
        for section in self.report.sections:
            yield self._head(section.title)
            for claim in section.statements:
                label, _, rest = claim.text.partition(": ")
                if rest and claim.text in {alert.text for alert in self.report.alerts}:
                    yield self._line(_e(f"{label}: see the alert.") + self._tags(claim.evidence))
                    continue
                doubt = "<b>[contradicted]</b> " if claim.status == "contradicted" else ""
                text = _e(claim.text)
                if claim.status == "unverifiable":
                    text = f'<font color="{SOFT}">{text}</font>'
                text = doubt + text + self._tags(claim.evidence)
                facts = self.cited.of(claim)
                if facts and (facts[0] == "[" or len(claim.text) + len(facts) < ONE_LINE):
                    text += f' &nbsp;<font size="7.5" color="{SOFT}">{_e(facts)}</font>'
                    facts = ""
                yield self._line(text)
                yield from self._facts(facts)
        yield from self._quality()
        yield from self._made()

    def _title(self) -> Iterator[Flowable]:
        record = self.report.record
        yield self._line(_e(f"ECG report: {record.name or 'unnamed'}"), size=15, bold=True, after=3)
        yield self._line(_e(about_text(self.report)), colour=SOFT)
        for note in record.notes:
            yield self._line(_e(f"Note: {note}"), colour=SOFT)
        if self.hidden:
            labels = ", ".join(mark.label for mark in self.hidden)
            text = f"Not drawn, because its lead or time is not on the pages: evidence {labels}."
            yield self._line(_e(text), colour=SOFT)

    def _alerts(self) -> Iterator[Flowable]:
        if not self.report.alerts:
            return
        yield self._head("Alerts", colour=ALERT)
        for alert in self.report.alerts:
            label = f"<b>{_e(alert.urgency.upper())}: {_e(alert.text)}</b>"
            yield self._line(label + self._tags(alert.evidence), colour=ALERT)
            told = Claim(
                text=alert.text, status="supported", evidence=alert.evidence, kind="present"
            )
            yield from self._facts(self.cited.of(told))
            if alert.advice:
                yield self._line(_e(alert.advice), left=10)

    def _told(self) -> Iterator[Flowable]:
        """Give what the language model wrote, as checked, and what the check changed."""
        if self.report.provenance.model is None:
            return
        yield self._head("In words, each claim checked")
        for part in self.report.narrative.split("\n"):
            if part.strip():
                yield self._line(_e(part))
        for line in told_changes(self.report):
            yield from self._facts(line)

    def _measurements(self) -> Iterator[Flowable]:
        rows = value_rows(self.report)
        if rows:
            head = ("Quantity", "Value", "Spread", "Values", "Adult reference", "How, or why not")
            main = [row for name, row in rows if name in REFERENCES]
            further = [row for name, row in rows if name not in REFERENCES]
            widths = (40, 20, 18, 14, 36, 50)
            yield from self._table("Measurements", [head, *main], widths)
            if further:
                yield from self._table("Further measurements", [head, *further], widths)
        else:
            yield self._head("Measurements")
            yield self._line("Nothing was measured.")

    def _quality(self) -> Iterator[Flowable]:
        title = "Quality of the leads"
        clean, rows = lead_rows(self.report)
        if clean:
            yield self._head(title)
            yield self._line(_e(f"{', '.join(clean)}: usable, without remarks."))
        if rows:
            head = ("Lead", "Usable", "Remarks")
            yield from self._table("" if clean else title, [head, *rows], (22, 22, 134))

    def _made(self) -> Iterator[Flowable]:
        if self.cited.sources:
            yield self._head("Sources")
            for source, k in self.cited.sources.items():
                yield self._line(_e(f"[{k}] {source}"), size=7.5, colour=SOFT, indent=18)
        yield self._head("Provenance")
        yield self._line(_e(made_by(self.report)), size=7.5, colour=SOFT)
        yield self._line(f"<b>{_e(self.report.provenance.disclaimer)}</b>")

    def _facts(self, facts: str) -> Iterator[Flowable]:
        """Set evidence, or a change, below its statement."""
        if facts:
            yield self._line(_e(facts), size=7.5, colour=SOFT, left=10)

    def _tags(self, evidence: Iterable[Evidence]) -> str:
        """Name the marks on the tracing, in their colours."""
        labels = [label for label in self.index.labels(evidence) if label in self.colours]
        tags = (f'<font color="{self.colours[k]}"><b>({k})</b></font>' for k in labels)
        return "".join(f" {tag}" for tag in tags)

    def _head(self, text: str, colour: str = "#000000", with_next: bool = True) -> Flowable:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        style = ParagraphStyle(
            "head",
            fontName=BOLD,
            fontSize=10.5,
            leading=14,
            spaceBefore=9,
            spaceAfter=2,
            textColor=HexColor(colour),
            keepWithNext=with_next,
        )
        return Paragraph(_e(text), style)

    def _line(
        self,
        markup: str,
        *,
        size: float = 9,
        bold: bool = False,
        colour: str = "#000000",
        left: float = 0,
        indent: float = 0,
        after: float = 1.5,
    ) -> Flowable:
        """Set one paragraph; ``indent`` hangs all lines but the first."""
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        style = ParagraphStyle(
            "line",
            fontName=BOLD if bold else FONT,
            fontSize=size,
            leading=size * 1.32,
            textColor=HexColor(colour),
            leftIndent=left + indent,
            firstLineIndent=-indent,
            spaceAfter=after,
            splitLongWords=1,
        )
        return Paragraph(markup, style)

    def _table(
        self, title: str, rows: list[tuple[str, ...]], widths_mm: tuple[float, ...]
    ) -> Iterator[Flowable]:
        """Set a table under its title; it may run on over the page."""
        from reportlab.lib.colors import HexColor
        from reportlab.platypus import CondPageBreak, Table, TableStyle

        cells = [
            [self._line(_e(cell), size=8, bold=k == 0 or c == 0, after=0) for c, cell in of]
            for k, of in enumerate(enumerate(row) for row in rows)
        ]
        table = Table(
            cells, colWidths=[w * POINTS_PER_MM for w in widths_mm], repeatRows=1, hAlign="LEFT"
        )
        everywhere = ((0, 0), (-1, -1))
        style = TableStyle()
        style.add("LINEBELOW", *everywhere, 0.4, HexColor(RULE))
        style.add("VALIGN", *everywhere, "TOP")
        style.add("LEFTPADDING", *everywhere, 0)
        style.add("TOPPADDING", *everywhere, 1.5)
        style.add("BOTTOMPADDING", *everywhere, 1.5)
        table.setStyle(style)
        yield CondPageBreak(TABLE_LEAST_MM * POINTS_PER_MM)
        if title:
            yield self._head(title, with_next=False)
        yield table


def _e(text: str) -> str:
    """Make any text safe inside reportlab's markup."""
    return escape(printable(text))
