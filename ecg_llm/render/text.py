"""The report as plain text, for terminals and pipes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ecg_llm.render.evidence import Citations
from ecg_llm.render.scene import printable
from ecg_llm.render.words import about_text, made_by, told_changes
from ecg_llm.report import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecg_llm.report import Report

LEAST_WIDTH = 40

_CODES = {"bold": "1", "alert": "1;31", "faint": "2"}


def to_text(report: Report, width: int = 100, color: bool = False) -> str:
    """Write a report as plain text.

    Parameters
    ----------
    report : Report
        What to write.
    width : int
        Columns, at least 40.
    color : bool
        Use the terminal's bold, faint and red.

    Returns
    -------
    str
        In a cardiologist's order; each statement is followed by its evidence: lead, times, value,
        criterion, and the number of its source in the list at the end. It holds no control
        characters but line ends and, if asked for, colours.
    """
    return _Writer(report, max(width, LEAST_WIDTH), color).write()


class _Writer:
    """One report on its way to text."""

    def __init__(self, report: Report, width: int, color: bool) -> None:
        self.report = report
        self.width = width
        self.color = color
        self.cited = Citations()

    def write(self) -> str:
        """Put the parts one below the other."""
        quality, *others = self.report.sections or [None]
        lines = [*self._title(), ""]
        if quality is not None:
            lines += [*self._section(quality.title, quality.statements), ""]
        if self.report.alerts:
            lines += [*self._alerts(), ""]
        for section in others:
            if section is not None:
                lines += [*self._section(section.title, section.statements), ""]
        lines += [*self._impression(), ""]
        if self.report.provenance.model is not None:
            lines += [*self._told(), ""]
        if self.cited.sources:
            lines += [*self._source_list(), ""]
        lines += self._provenance()
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _title(self) -> Iterator[str]:
        record = self.report.record
        title = f"ECG report: {printable(record.name) or 'unnamed'}"
        yield self._paint(title, "bold")
        yield "=" * min(len(title), self.width)
        yield from self._wrap(about_text(self.report), "", "")
        for note in record.notes:
            yield from self._wrap(f"Note: {note}", "", "  ")

    def _alerts(self) -> Iterator[str]:
        yield self._paint("ALERTS", "alert")
        for alert in self.report.alerts:
            head = f"  !! {alert.urgency.upper()}: "
            for line in self._wrap(alert.text, head, "     "):
                yield self._paint(line, "alert")
            told = Claim(
                text=alert.text, status="supported", evidence=alert.evidence, kind="present"
            )
            yield from self._below(self.cited.of(told))
            yield from self._wrap(alert.advice, "     ", "     ")

    def _section(self, title: str, statements: Iterable[Claim]) -> Iterator[str]:
        yield self._paint(printable(title).upper(), "bold")
        for claim in statements:
            yield from self._claim(claim)

    def _claim(self, claim: Claim) -> Iterator[str]:
        """Give a statement, and its evidence beside it if there is room, else below."""
        label, _, rest = claim.text.partition(": ")
        if rest and claim.text in {alert.text for alert in self.report.alerts}:
            yield from self._wrap(f"{label}: see the alert.", "  ", "  ")
            return
        mark = {"supported": "", "contradicted": "[contradicted] ", "unverifiable": "? "}
        text, facts = claim.text, self.cited.of(claim)
        if facts.startswith("["):
            text, facts = f"{text} {facts}", ""
        lines = self._wrap(text, "  " + mark[claim.status], "  ")
        if facts and len(lines[-1]) + len(facts) + 2 <= self.width:
            lines[-1] += "  " + self._paint(facts, "faint")
            facts = ""
        yield from lines
        yield from self._below(facts)

    def _below(self, facts: str) -> Iterator[str]:
        """Give evidence on lines of its own."""
        if facts:
            for line in self._wrap(facts, "      ", "      "):
                yield self._paint(line, "faint")

    def _impression(self) -> Iterator[str]:
        yield self._paint("IMPRESSION, most urgent first", "bold")
        for k, text in enumerate(self.report.impression, start=1):
            yield from self._wrap(text, f"{k:>3}. ", "     ")

    def _told(self) -> Iterator[str]:
        """Give what the language model wrote, as checked, and what the check changed."""
        made = self.report.provenance.model
        name = "" if made is None else printable(made.name)
        yield self._paint(f"IN WORDS, by {name}, each claim checked", "bold")
        for part in self.report.narrative.split("\n"):
            if part.strip():
                yield from self._wrap(part, "  ", "  ")
        for line in told_changes(self.report):
            for shown in self._wrap(line, "  ~ ", "    "):
                yield self._paint(shown, "faint")

    def _source_list(self) -> Iterator[str]:
        yield self._paint("SOURCES", "bold")
        for source, k in self.cited.sources.items():
            yield from self._wrap(source, f"{f'[{k}]':>5} ", "      ")

    def _provenance(self) -> Iterator[str]:
        for line in self._wrap(made_by(self.report), "", ""):
            yield self._paint(line, "faint")
        yield from self._wrap(self.report.provenance.disclaimer, "", "")

    def _wrap(self, text: str, first: str, rest: str) -> list[str]:
        """Break a text into lines; the first may begin with a bullet."""
        return textwrap.wrap(
            printable(text),
            width=self.width,
            initial_indent=first,
            subsequent_indent=rest,
            break_on_hyphens=False,
        ) or [first]

    def _paint(self, line: str, kind: str) -> str:
        """Colour a line, if asked to."""
        return f"\x1b[{_CODES[kind]}m{line}\x1b[0m" if self.color else line
