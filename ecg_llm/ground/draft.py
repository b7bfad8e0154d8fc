"""Make a whole draft hold: each sentence checked, what is left out added, the conclusion drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.stated import missing, stated
from ecg_llm.findings.finding import URGENCIES
from ecg_llm.ground.affirmed import affirmed, less_sure
from ecg_llm.ground.check import brief, check_sentence
from ecg_llm.ground.known import Known
from ecg_llm.ground.sentence import HEADING, Sentence, split
from ecg_llm.ground.unread import unread
from ecg_llm.phrases import amount, measured
from ecg_llm.prompt import SHOWN_VALUES
from ecg_llm.report import Change, Claim
from ecg_llm.statements import (
    conclusion_claim,
    finding_claims,
    open_in_conclusion,
    said_by_another,
    stated_claim,
)
from ecg_llm.vocabulary import RHYTHMS, canonical_code, members


@dataclass(frozen=True, kw_only=True)
class Grounded:
    """A draft after the check.

    Attributes
    ----------
    draft : str
        As the model wrote it.
    verdicts : tuple of CheckedClaim
        On each claim of the draft.
    sentences : tuple of Sentence
        In reading order, the withheld ones too.
    """

    draft: str
    verdicts: tuple[CheckedClaim, ...]
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """What is shipped."""
        return "".join(s.before + s.text for s in self.sentences if s.text).strip()

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the check did."""
        return tuple(s.change for s in self.sentences if s.change is not None)


def ground(draft: str, known: Known, *, complete: bool = True) -> Grounded:
    """Make a draft hold.

    Parameters
    ----------
    draft : str
        What a model wrote.
    known : Known
        Of the ECG.
    complete : bool
        Add the present findings that the draft leaves out.

    Returns
    -------
    Grounded
        Nothing of its text is contradicted, and no number in it is unverifiable.

    Notes
    -----
    A wrong number is replaced in place if the sentence then holds; else the sentence is written
    anew from the measured facts on the same things; else it is withheld. A sentence that says
    what has been said already is withheld too.
    """
    said: set[str] = set()
    parts = list(split(draft))
    body, drawn = _parted(parts) if complete else (parts, [])
    sentences: list[Sentence] = []
    for before, text in body:
        sentences += check_sentence(text, known, before=before, deny=not complete, said=said)
    if complete and known.facts.refused is None:
        shipped = " ".join(s.text for s in sentences)
        sentences += _completing(shipped, known, said)
        last = _concluding(drawn, known)
        leads = bool(drawn) and draft.lstrip().startswith(drawn[0][1])
        sentences = [last, *sentences] if leads else [*sentences, last]
    return Grounded(draft=draft, verdicts=known.check(draft), sentences=tuple(sentences))


_CONCLUDES = re.compile(
    r"^[-*#\d.) ]*(impression|conclusion|summary|interpretation)[*]*[:.]", re.IGNORECASE
)
Part = tuple[str, str]
"""White space, and the sentence behind it."""


def _parted(parts: list[Part]) -> tuple[list[Part], list[Part]]:
    """Set the conclusion of a draft apart: it is drawn anew from what holds."""
    first = next((k for k, (_, text) in enumerate(parts) if _CONCLUDES.match(text)), None)
    if first is None:
        return parts, []
    last = first + 1
    if HEADING.match(parts[first][1]):  # the sentences below a title, up to the next one
        while last < len(parts) and not HEADING.match(parts[last][1]):
            last += 1
    return [*parts[:first], *parts[last:]], parts[first:last]


def _concluding(drawn: Sequence[Part], known: Known) -> Sentence:
    """Draw the conclusion from the findings that stand; a draft's own stays where it says so."""
    claim = conclusion_claim(known.facts.findings.values())
    text = "".join(before + part for before, part in drawn).strip()
    before = drawn[0][0] if drawn else " "
    checked = known.check(text) if text else ()
    holds = bool(checked) and all(one.status == "supported" for one in checked)
    told = [canonical_code(code) for code in affirmed(checked)]
    once = len(set(told)) == len([c for c in checked if c.claim.kind == "finding"])
    fits = _named(claim.text) <= _named(text) and not less_sure(text, checked, known)
    fits = fits and unread(text) is None
    if holds and once and fits:
        return Sentence(text=text, before=before, evidence=claim.evidence, claims=checked)
    wrong = dict.fromkeys(one.reason for one in checked if one.status != "supported")
    reason = "; ".join(wrong) or "it has to name what is present, as sure as it is"
    reason = reason if text else "no conclusion was drawn"
    change = Change(
        action="corrected" if text else "added", draft=text, shipped=claim.text, reason=reason
    )
    return Sentence.of(claim, before=before, change=change)


def _named(text: str) -> set[tuple[str, str, bool]]:
    """Give the findings of a text with how sure they are, and whether they are denied."""
    return {
        (canonical_code(claim.subject), claim.certainty, claim.negated)
        for claim in extract_claims(text)
        if claim.kind == "finding" and claim.role == "measured"
    }


def _completing(shipped: str, known: Known, said: set[str]) -> Iterator[Sentence]:
    """Say the present findings that a text leaves out, and the open ones of the conclusion."""
    findings = known.facts.findings
    present = {code: found for code, found in findings.items() if found.status == "present"}
    told = stated(shipped)
    left_out = list(missing(shipped, findings.values()))
    left_out += [
        found
        for found in present.values()
        if found.urgency == "normal"
        and found.code != "NORM"
        and not told & set(members(found.code))
    ]
    left_out = [found for found in left_out if not said_by_another(found, present)]
    named = {code for code, _, denied in _named(shipped) if not denied}
    left_out += [
        found for found in open_in_conclusion(findings.values()) if found.code not in named
    ]
    if (values := _values(shipped, known)) is not None:
        yield _added(values, "the measured values were left out")
    sinus = findings.get("SR")
    if sinus is not None and sinus.status == "unknown" and present.keys().isdisjoint(RHYTHMS):
        for claim in finding_claims([sinus]):
            yield _added(claim, "no rhythm was told")
    left_out.sort(key=lambda found: (found.section != "rhythm", URGENCIES.index(found.urgency)))
    for finding in left_out:
        claim = brief(stated_claim(finding), said)
        if claim.text not in said:
            said.add(claim.text)
            open_ = "uncertain" if finding.status == "unknown" else "present"
            yield _added(claim, f"{finding.label} is {open_}, and was left out")


def _added(claim: Claim, reason: str) -> Sentence:
    """Ship a sentence that a draft lacks."""
    return Sentence.of(claim, change=Change(action="added", shipped=claim.text, reason=reason))


def _values(shipped: str, known: Known) -> Claim | None:
    """Name the values of the record in one sentence, if the text gives no heart rate."""
    rate = known.facts.values.get("heart_rate_bpm")
    told = any(claim.subject == "heart_rate" for claim in extract_claims(shipped))
    if told or rate is None or rate.value is None:
        return None
    found = [(SHOWN_VALUES[name], known.facts.values.get(name)) for name in VALUES]
    facts = [
        measured(said, quantity.value, quantity.unit)
        for said, quantity in found
        if quantity is not None and quantity.value is not None
    ]
    words = [f"{item.quantity} {amount(float(item.value or 0), item.unit)}" for item in facts]
    return Claim.of(", ".join(words), facts, kind="value")


VALUES = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qtc_fridericia_ms", "qrs_axis_deg")
"""What the sentence on values names, in reading order."""
