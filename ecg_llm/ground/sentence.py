"""The sentence that is shipped or withheld, and how a text is cut into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.lexicon import scan
from ecg_llm.findings.finding import Evidence
from ecg_llm.report import Change, Claim


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One sentence as it is shipped, or withheld.

    Attributes
    ----------
    text : str
        What is shipped; empty if it is withheld.
    before : str
        White space that stood before it.
    evidence : tuple of Evidence
        What it rests on.
    claims : tuple of CheckedClaim
        What it claims; of a sentence written from the measurements, none are read.
    kind : str
        As in `ecg_llm.report.Claim`.
    change : Change or None
        What the check did to it.
    """

    text: str
    before: str = " "
    evidence: tuple[Evidence, ...] = ()
    claims: tuple[CheckedClaim, ...] = ()
    kind: str = "told"
    change: Change | None = None

    @classmethod
    def of(cls, claim: Claim, *, before: str = " ", change: Change | None = None) -> Sentence:
        """Ship a sentence that was written from the measurements.

        Parameters
        ----------
        change : Change, optional
            What it takes the place of.
        """
        return cls(
            text=claim.text, before=before, evidence=claim.evidence, kind=claim.kind, change=change
        )

    def as_claim(self) -> Claim:
        """Give the sentence as a claim of a report."""
        open_ = self.kind == "unknown"
        return Claim(
            text=self.text,
            status="unverifiable" if open_ else "supported",
            evidence=self.evidence,
            kind=self.kind,  # type: ignore[arg-type]
        )


def evidence_of(checked: Iterable[CheckedClaim]) -> tuple[Evidence, ...]:
    """Collect what claims were held against.

    Returns
    -------
    tuple of Evidence
        Each once.
    """
    return tuple(dict.fromkeys(item for claim in checked for item in claim.evidence))


def split(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text into sentences.

    Yields
    ------
    tuple of (str, str)
        White space before, and the sentence.

    Examples
    --------
    >>> list(split("PR 162 ms. No AF."))
    [('', 'PR 162 ms.'), (' ', 'No AF.')]
    """
    at = 0
    ends = [i.end for i in scan(text) if i.kind in ("end", "question") and i.raw != ";"]
    for end in (*ends, len(text)):
        part = text[at:end]
        body = part.strip()
        if body and body.strip("*#-–•: "):
            before = part[: len(part) - len(part.lstrip())]
            yield (before if at else ""), body
        at = end


HEADING = re.compile(
    r"^[-*#\d.) ]*(technical quality|quality|technique|rate and rhythm|rhythm( and rate)?|"
    r"conduction( and axis)?|intervals( and (axis|conduction))?|axis|p wave|qrs( morphology)?|"
    r"chambers( and voltages)?|atria and ventricles|coronary signs|qrs and st|st[-–]t|st segments|"
    r"signs of coronary disease|repolari[sz]ation|t waves and qt|conclusion|impression|summary|"
    r"interpretation|findings|measurements|report)[.:*]*$",
    re.IGNORECASE,
)
"""The title of a part of a report, which claims nothing."""


NUMBER = re.compile(r"[-−]?\d+(?:[.,]\d+)?")
"""A number with its sign."""


def shown_value(shown: str) -> tuple[float, int]:
    """Read a number.

    Parameters
    ----------
    shown : str
        As `NUMBER` finds it.

    Returns
    -------
    tuple of (float, int)
        Its value, and how many decimals it shows.

    Examples
    --------
    >>> shown_value("−0,15")
    (-0.15, 2)
    """
    plain = shown.replace("−", "-").replace(",", ".")
    return float(plain), len(plain.partition(".")[2])
