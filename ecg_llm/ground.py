"""Make what a language model wrote hold: correct, withhold or add, sentence by sentence.

`ecg_llm.claims.check` gives verdicts; this module acts on them. No model is needed here: what is
corrected is written anew from what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ecg_llm.claims.check import CheckedClaim, check_text
from ecg_llm.claims.extract import TextClaim, extract_claims
from ecg_llm.claims.facts import Facts
from ecg_llm.claims.lexicon import scan
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.claims.number_check import check_number
from ecg_llm.claims.stated import missing, stated
from ecg_llm.compose import withheld
from ecg_llm.findings.finding import URGENCIES, Evidence
from ecg_llm.outside import says_what_no_ecg_tells
from ecg_llm.phrases import amount, brief_reason, measured, sentence
from ecg_llm.references import REFERENCES
from ecg_llm.report import Change, Claim
from ecg_llm.statements import (
    conclusion_claim,
    finding_claims,
    open_in_conclusion,
    said_by_another,
    stated_claim,
    value_claim,
)
from ecg_llm.vocabulary import canonical_code, label, members

if TYPE_CHECKING:
    from ecg_llm.findings.finding import Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quality import Quality
    from ecg_llm.record import ECGRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What texts on one ECG are held against, and what corrections are written from.

    Attributes
    ----------
    facts : Facts
        Of the ECG, without the values that a finding makes meaningless.
    record : ECGRecord
        For the limits of age and sex.
    earlier : Facts or None
        Of an earlier ECG of the same patient.
    """

    facts: Facts
    record: ECGRecord
    earlier: Facts | None = None

    @classmethod
    def of(
        cls,
        record: ECGRecord,
        quality: Quality,
        measurements: Measurements | None,
        findings: Sequence[Finding],
        *,
        earlier: Facts | None = None,
    ) -> Known:
        """Collect what is known of an analysed record.

        Parameters
        ----------
        record : ECGRecord
            The ECG.
        quality : Quality
            Its quality.
        measurements : Measurements or None
            None if the quality refuses it.
        findings : sequence of Finding
            Every criterion that was applied.
        earlier : Facts, optional
            Of an earlier ECG.

        Returns
        -------
        Known
            Of a page image without values: none is measured on it.
        """
        if measurements is None or record.origin == "page":
            reasons = "; ".join(quality.reasons) or "its quality is too poor"
            facts = Facts(
                findings={canonical_code(found.code): found for found in findings},
                refused=None if quality.acceptable else f"the tracing was refused: {reasons}",
                sex=record.sex,
                age_years=record.age_years,
            )
        else:
            kept = replace(measurements, values=withheld(measurements.values, findings))
            facts = Facts.from_measurements(
                kept, findings, quality, sex=record.sex, age_years=record.age_years
            )
        return cls(facts=facts, record=record, earlier=earlier)

    def check(self, text: str) -> tuple[CheckedClaim, ...]:
        """Hold a text against what is known.

        Parameters
        ----------
        text : str
            Prose.

        Returns
        -------
        tuple of CheckedClaim
        """
        # What ships is the measured value at the precision shown, not one that lies near it.
        return check_text(text, facts=self.facts, earlier=self.earlier, tolerance_scale=0)


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

    def as_claim(self) -> Claim:
        """Give the sentence as a claim of a report."""
        open_ = self.kind == "unknown"
        return Claim(
            text=self.text,
            status="unverifiable" if open_ else "supported",
            evidence=self.evidence,
            kind=self.kind,  # type: ignore[arg-type]
        )


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


def ground(draft: str, known: Known, *, complete: bool = True, strict: bool = True) -> Grounded:
    """Make a draft hold.

    Parameters
    ----------
    draft : str
        What a model wrote.
    known : Known
        Of the ECG.
    complete : bool
        Add the present findings that the draft leaves out.
    strict : bool
        Leave out what claims nothing that can be held against the record; False lets general
        statements and refusals pass, as answers need them.

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
    body, drawn = _parted(list(split(draft))) if complete else (list(split(draft)), [])
    sentences: list[Sentence] = []
    for before, text in body:
        sentences += check_sentence(
            text, known, before=before, strict=strict, deny=not complete, said=said
        )
    if complete and known.facts.refused is None:
        shipped = " ".join(s.text for s in sentences)
        sentences += completing(shipped, known, said)
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
    if _HEADING.match(parts[first][1]):  # the sentences below a title, up to the next one
        while last < len(parts) and not _HEADING.match(parts[last][1]):
            last += 1
    return [*parts[:first], *parts[last:]], parts[first:last]


def _concluding(drawn: Sequence[Part], known: Known) -> Sentence:
    """Draw the conclusion from the findings that stand; a draft's own stays where it says so."""
    claim = conclusion_claim(known.facts.findings.values())
    text = "".join(before + part for before, part in drawn).strip()
    before = drawn[0][0] if drawn else " "
    checked = known.check(text) if text else ()
    holds = bool(checked) and all(one.status == "supported" for one in checked)
    if holds and _named(claim.text) <= _named(text) and not _less_sure(text, checked, known):
        return Sentence(text=text, before=before, evidence=claim.evidence, claims=checked)
    wrong = dict.fromkeys(one.reason for one in checked if one.status != "supported")
    reason = "; ".join(wrong) or "it has to name what is present, as sure as it is"
    reason = reason if text else "no conclusion was drawn"
    change = Change(
        action="corrected" if text else "added", draft=text, shipped=claim.text, reason=reason
    )
    return Sentence(
        text=claim.text, before=before, evidence=claim.evidence, kind="present", change=change
    )


def _named(text: str) -> set[tuple[str, str, bool]]:
    """Give the findings of a text with how sure they are, and whether they are denied."""
    return {
        (canonical_code(claim.subject), claim.certainty, claim.negated)
        for claim in extract_claims(text)
        if claim.kind == "finding" and claim.role == "measured"
    }


def completing(shipped: str, known: Known, said: set[str]) -> Iterator[Sentence]:
    """Say the present findings that a text leaves out, and the open ones that the conclusion names.

    Parameters
    ----------
    shipped : str
        The text so far.
    known : Known
        Of the ECG.
    said : set of str
        Sentences shipped so far; grows.

    Yields
    ------
    Sentence
    """
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
        reason = "the measured values were left out"
        change = Change(action="added", shipped=values.text, reason=reason)
        yield Sentence(text=values.text, evidence=values.evidence, kind="value", change=change)
    sinus = findings.get("SR")
    if sinus is not None and sinus.status == "unknown" and present.keys().isdisjoint(RHYTHMS):
        for claim in finding_claims([sinus]):
            change = Change(action="added", shipped=claim.text, reason="no rhythm was told")
            yield Sentence(text=claim.text, evidence=claim.evidence, kind=claim.kind, change=change)
    left_out.sort(key=lambda found: (found.section != "rhythm", URGENCIES.index(found.urgency)))
    for finding in left_out:
        claim = _brief(stated_claim(finding), said)
        if claim.text not in said:
            said.add(claim.text)
            open_ = "uncertain" if finding.status == "unknown" else "present"
            change = Change(
                action="added",
                shipped=claim.text,
                reason=f"{finding.label} is {open_}, and was left out",
            )
            yield Sentence(text=claim.text, evidence=claim.evidence, kind=claim.kind, change=change)


RHYTHMS = (
    *("SR", "STACH", "SBRAD", "SARRH", "AFIB", "AFLT", "SVTAC", "PSVT", "PACE"),
    *("atrial_pacing", "ventricular_pacing", "junctional_rhythm", "idioventricular_rhythm"),
    *("wide_qrs_tachycardia", "asystole_or_vf"),
)
"""Without one of these, a report says why no rhythm can be told."""


def _values(shipped: str, known: Known) -> Claim | None:
    """Name the values of the record in one sentence, if the text gives no heart rate."""
    rate = known.facts.values.get("heart_rate_bpm")
    told = any(claim.subject == "heart_rate" for claim in extract_claims(shipped))
    if told or rate is None or rate.value is None:
        return None
    found = [(said, known.facts.values.get(name)) for name, said in VALUES.items()]
    facts = [
        measured(said, quantity.value, quantity.unit)
        for said, quantity in found
        if quantity is not None and quantity.value is not None
    ]
    words = [f"{item.quantity} {amount(float(item.value or 0), item.unit)}" for item in facts]
    text = sentence(", ".join(words))
    return Claim(text=text, status="supported", evidence=tuple(facts), kind="value")


VALUES = {
    "heart_rate_bpm": "heart rate",
    "pr_ms": "PR",
    "qrs_ms": "QRS",
    "qtc_fridericia_ms": "QTc",
    "qrs_axis_deg": "QRS axis",
}
"""What the sentence on values names, in reading order."""


def split(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text into sentences.

    Parameters
    ----------
    text : str
        Prose.

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


def check_sentence(
    text: str,
    known: Known,
    *,
    before: str = " ",
    strict: bool = True,
    deny: bool = True,
    said: set[str] | None = None,
) -> list[Sentence]:
    """Check one sentence of a draft, and correct it if need be.

    Parameters
    ----------
    text : str
        The sentence.
    known : Known
        Of the ECG.
    before : str
        White space before it.
    strict : bool
        As for `ground`.
    deny : bool
        Say of what is contradicted that it is absent; a report tells what is present instead.
    said : set of str, optional
        Sentences shipped so far; grows.

    Returns
    -------
    list of Sentence
        What takes its place: itself, corrected ones, or one that is withheld.
    """
    said = set() if said is None else said
    text = _A_MINUTE.sub(lambda rate: f"{float(rate[1]):.0f}/min", text)

    def no(reason: str, *, evidence: tuple[Evidence, ...] = ()) -> list[Sentence]:
        change = Change(action="withheld", draft=text, reason=reason)
        return [Sentence(text="", before=before, evidence=evidence, change=change)]

    if (quality := _on_quality(text, known)) is not None:
        return _once(quality, text, before, said) or no("said already")
    if outside := says_what_no_ecg_tells(text):
        return no(outside)
    checked = known.check(text)
    if reason := _left_open(text) or stray_number(text, known):
        # A wrong count beside a finding: the finding is told anew with its own facts.
        anew = [claim for one in checked for claim in measured_claims(one, known)]
        anew = [claim for claim in anew if deny or claim.kind != "absent"]
        return _once(anew, text, before, said, reason) or no(reason)
    bad = [claim for claim in checked if claim.status != "supported"]
    if not bad:
        if not checked and (reason := _empty(text, strict)):
            return no(reason)
        if strict and _adds_nothing(text, checked, said, numbers=deny):
            return no("said already")
        if reason := _less_sure(text, checked, known) or _without_facts(text, checked, known):
            anew = [claim for code in _affirmed(checked) for claim in finding_says(code, known)]
            return _once(anew, text, before, said, reason) or no(reason)
        if checked and text in said:
            return no("said already")
        said.add(text)
        evidence = tuple(dict.fromkeys(item for claim in checked for item in claim.evidence))
        return [Sentence(text=text, before=before, evidence=evidence, claims=checked)]
    reason = "; ".join(dict.fromkeys(claim.reason for claim in bad))
    fixed = _with_numbers(text, bad, known)
    if fixed is not None:
        checked = known.check(fixed)
        evidence = tuple(dict.fromkeys(item for claim in checked for item in claim.evidence))
        change = Change(action="corrected", draft=text, shipped=fixed, reason=reason)
        new = (
            []
            if fixed in said
            else [
                Sentence(
                    text=fixed, before=before, evidence=evidence, claims=checked, change=change
                )
            ]
        )
        said.add(fixed)
        return new or no(reason)
    right = [one for one in checked if one.status == "supported"]
    written = [claim for code in _affirmed(right) for claim in finding_says(code, known)]
    if _affirmed(checked):  # numbers beside a finding are told with it, or not at all
        bad = [one for one in bad if one.claim.kind != "number"]
    if not deny:
        bad = [one for one in bad if one.claim.certainty != "possible" or _is_doubted(one, known)]
    written += [claim for one in bad for claim in measured_claims(one, known)]
    written = [claim for claim in written if deny or claim.kind != "absent"]
    return _once(written, text, before, said, reason) or no(reason)


def _without_facts(text: str, checked: Sequence[CheckedClaim], known: Known) -> str | None:
    """Say that a sentence gives no fact where it sets out to: ``LVH: R in V5 of the shape``."""
    head, _, facts = text.partition(": ")
    if not facts or re.search(r"\d(?!\d*[\w])", _LEAD_NAMES.sub("", facts)):
        return None
    found = [known.facts.findings.get(canonical_code(code)) for code in _affirmed(checked)]
    if len(found) == 1 and found[0] is not None and found[0].status == "present":
        return f"no fact stands behind {head!r}"
    return None


_LEAD_NAMES = re.compile(r"\b(V[1-9]R?|I{1,3}|aV[RLF])\b")


_A_MINUTE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) ?/min\b")
"""Rates are told in whole numbers."""


def _is_doubted(checked: CheckedClaim, known: Known) -> bool:
    """Whether criterion and encoder disagree on a finding."""
    finding = known.facts.findings.get(canonical_code(checked.claim.subject))
    return finding is not None and finding.doubt is not None


def _adds_nothing(
    text: str, checked: Sequence[CheckedClaim], said: Iterable[str], *, numbers: bool
) -> bool:
    """Whether a sentence tells findings that were told before; with the same numbers, if asked."""
    told = " ".join(said)
    codes = {canonical_code(code) for code in _affirmed(checked)}
    states = any(one.claim.kind == "state" for one in checked)
    known = not numbers or all(number in told for number in _SHOWN.findall(text))
    return bool(codes) and not states and known and codes <= stated(told)


def _affirmed(checked: Sequence[CheckedClaim]) -> dict[str, None]:
    """Give the findings that claims affirm of this ECG."""
    return {
        one.claim.subject: None
        for one in checked
        if one.claim.kind == "finding" and one.claim.role == "measured" and not one.claim.negated
    }


def _less_sure(text: str, checked: Sequence[CheckedClaim], known: Known) -> str | None:
    """Say why a sentence is surer, or less sure, of a finding than criterion and encoder are."""
    sure = stated(text)
    definite = {
        canonical_code(one.claim.subject) for one in checked if one.claim.certainty == "definite"
    }
    for code in _affirmed(checked):
        finding = known.facts.findings.get(canonical_code(code))
        if finding is None or finding.status != "present":
            continue
        code = canonical_code(code)
        if finding.doubt and (code in definite or code not in sure):
            return f"{finding.label} is uncertain: {finding.doubt}"
        if not finding.doubt and code not in sure:
            return f"{finding.label} is present"
    return None


def _once(
    claims: Iterable[Claim], draft: str, before: str, said: set[str], reason: str = ""
) -> list[Sentence]:
    """Ship measured sentences in the place of a drafted one, each once."""
    heads = {text.partition(": ")[0] for text in said if ": " in text}
    claims = [c for c in claims if c.kind != "present" or c.text.partition(": ")[0] not in heads]
    new = [_brief(claim, said) for claim in claims if claim.text not in said]
    new = list({claim.text: claim for claim in new if claim.text not in said}.values())
    said.update(claim.text for claim in new)
    if not new:
        return []
    shipped = " ".join(claim.text for claim in new)
    change = None
    if shipped != draft:
        change = Change(action="corrected", draft=draft, shipped=shipped, reason=reason)
    return [
        Sentence(
            text=claim.text,
            before=before if k == 0 else " ",
            evidence=claim.evidence,
            kind=claim.kind,
            change=change if k == 0 else None,
        )
        for k, claim in enumerate(new)
    ]


def _brief(claim: Claim, said: set[str]) -> Claim:
    """Leave out facts that a sentence before has told of another finding."""
    head, _, facts = claim.text.partition(": ")
    if claim.kind in ("present", "unknown") and facts and any(facts in text for text in said):
        return claim.model_copy(update={"text": sentence(head)})
    return claim


_SHOWN = re.compile(r"[-−]?\d+(?:[.,]\d+)?")


_NOT_IN_PLACE = ("atrial_rate", "rr_cv")
"""Quantities whose usual value means something else in a rhythm without P waves."""


def _with_numbers(text: str, bad: Sequence[CheckedClaim], known: Known) -> str | None:
    """Put the measured numbers in place of wrong ones; None if the sentence still does not hold."""
    for one in sorted(bad, key=lambda checked: -checked.claim.start):
        claim = one.claim
        shown = _SHOWN.findall(claim.text)
        value = _measured_value(one, known)
        if (
            claim.kind != "number"
            or claim.subject in _NOT_IN_PLACE
            or one.status != "contradicted"
            or (claim.relation, claim.high, claim.role) != ("=", None, "measured")
            or len({item.lead for item in one.evidence}) != 1
            or len(shown) != 1
            or claim.text == shown[0]  # without its unit, something else may be meant
            or not claim.value
            or value is None
        ):
            return None
        written = float(shown[0].replace("−", "-").replace(",", "."))
        factor = abs(claim.value / written) if written else 0.0
        if not factor:
            return None
        if MEASURED[claim.subject].sign in ("size", "down"):
            value = abs(value)
        decimals = len(re.split("[.,]", shown[0])[-1]) if re.search("[.,]", shown[0]) else 0
        new = f"{value / factor:.{decimals}f}".replace("-", "−")
        text = text[: claim.start] + claim.text.replace(shown[0], new) + text[claim.end :]
    held = known.check(text)
    if not held or any(claim.status != "supported" for claim in held):
        return None
    numbers = [one.claim for one in held if one.claim.kind == "number"]
    told = {(claim.subject, claim.leads, claim.value) for claim in numbers}
    return text if len(told) == len(numbers) and not _less_sure(text, held, known) else None


def _measured_value(checked: CheckedClaim, known: Known) -> float | None:
    """Give the value that a number should have been: the usual one of its quantity."""
    word = MEASURED.get(checked.claim.subject)
    lead = checked.claim.leads[0] if checked.claim.leads else None
    usual = None if word is None else known.facts.value(word.names[0], lead).value
    if usual is not None:
        return float(usual)
    return next((i.value for i in checked.evidence if isinstance(i.value, int | float)), None)


def measured_claims(checked: CheckedClaim, known: Known) -> Iterator[Claim]:
    """Say what was measured and found on the subject of a claim.

    Parameters
    ----------
    checked : CheckedClaim
        That does not hold.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
    """
    claim = checked.claim
    if claim.role == "earlier" or known.facts.refused is not None:
        return
    if claim.kind == "finding":
        yield from finding_says(claim.subject, known)
        return
    subject = claim.subject
    if subject not in MEASURED:
        return
    if claim.leads and MEASURED[subject].per_lead:
        yield from lead_values(subject, claim.leads, known)
    else:
        yield from value_says(subject, known)


def value_says(subject: str, known: Known) -> Iterator[Claim]:
    """Say a record-level value, or why there is none.

    Parameters
    ----------
    subject : str
        A name of `MEASURED`.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
        At most one.
    """
    if subject == "p_wave":
        yield from finding_says("AFIB", known)
        return
    for name in (*MEASURED[subject].names, *_ELSE.get(subject, ())):
        if name in REFERENCES and name in known.facts.values:
            yield value_claim(known.record, name, known.facts.values[name])
            return
    if not known.facts.values and subject in MEASURED and not MEASURED[subject].per_lead:
        text = f"{MEASURED[subject].label} is not measured on a page image"
        yield Claim(text=sentence(text), status="unverifiable", kind="unknown")


_ELSE = {"rr_cv": ("heart_rate_bpm",), "qtc": ("qtc_fridericia_ms", "qtc_bazett_ms")}


def lead_values(subject: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say a value in each lead that was named.

    Parameters
    ----------
    subject : str
        A per-lead name of `MEASURED`.
    leads : sequence of str
        Lead names.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
    """
    word = MEASURED[subject]
    for lead in leads:
        quantity = known.facts.value(word.names[0], lead)
        if quantity.value is not None:
            name = _ST_AT.get(word.names[0], word.label)
            fact = measured(name, quantity.value, quantity.unit, lead=lead)
            shown = amount(quantity.value, quantity.unit)
            text = sentence(f"{name} {shown} in {lead}")
            yield Claim(text=text, status="supported", evidence=(fact,), kind="value")


_ST_AT = {"st_j_mv": "ST at J", "st_j60_mv": "ST at J+60 ms", "st_j80_mv": "ST at J+80 ms"}


def finding_says(code: str, known: Known) -> Iterator[Claim]:
    """Say whether a finding, or one of a family, is present, absent or unknown.

    Parameters
    ----------
    code : str
        Finding code or family.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
        Nothing if it was not judged at all.
    """
    judged = [known.facts.findings[c] for c in members(code) if c in known.facts.findings]
    present = [finding for finding in judged if finding.status == "present"]
    if present:
        yield stated_claim(present[0])
        return
    unknown = [finding for finding in judged if finding.status == "unknown"]
    own = known.facts.findings.get(canonical_code(code))
    if own is not None and own.status == "absent":
        unknown = []
    if unknown and code == "NORM":
        why = brief_reason(unknown[0].reason).removeprefix("uncertain: ")
        text = sentence(f"whether this is a normal ECG could not be judged: {why}")
        yield Claim(text=text, status="unverifiable", kind="unknown")
    elif unknown:
        yield from finding_claims(unknown[:1])
    elif judged:
        facts = tuple(item for finding in judged for item in finding.evidence[:1])[:2]
        name = "a normal ECG" if code == "NORM" else label(code)
        text = sentence(f"not {name}" if code == "NORM" else f"no {name}")
        yield Claim(text=text, status="supported", evidence=facts, kind="absent")


_HEADING = re.compile(
    r"^[-*#\d.) ]*(technical quality|quality|technique|rate and rhythm|rhythm( and rate)?|"
    r"conduction( and axis)?|intervals( and (axis|conduction))?|axis|p wave|qrs( morphology)?|"
    r"chambers( and voltages)?|atria and ventricles|coronary signs|qrs and st|st[-–]t|st segments|"
    r"signs of coronary disease|repolari[sz]ation|t waves and qt|conclusion|impression|summary|"
    r"interpretation|findings|measurements|report)[.:*]*$",
    re.IGNORECASE,
)
_DECLINES = re.compile(
    r"\b(cannot|can't|can not|not (be )?(answer|tell|guess|diagnos|hold|show|foretell|read)\w*|"
    r"does not|do not|no (laboratory|outcome|value)|goes beyond|decline|will not|other tests|"
    r"not in the signal|would not|ignore|keep to|stay with|stands|report what was measured|"
    r"has to follow|look it up|blood sample|echocardiography|sorry|tracing says otherwise)\b",
    re.IGNORECASE,
)
_SHORT = re.compile(r"^(yes|no|neither|both|none( of them)?)[.:,!]?$", re.IGNORECASE)


def _empty(text: str, strict: bool) -> str | None:
    """Say why a sentence that claims nothing is left out; None if it may stay."""
    if _HEADING.match(text.strip()):
        return None
    if not strict and (_DECLINES.search(text) or _SHORT.match(text.strip())):
        return None
    if not strict and any(claim.role == "general" for claim in extract_claims(text)):
        return None
    return "it says nothing that can be held against the record"


def _left_open(text: str) -> str | None:
    """Say that a sentence breaks off in a bracket."""
    return "a bracket is left open" if text.count("(") > text.count(")") else None


_ORDINAL = re.compile(r"^[-*#\s]*(step |stage )?$", re.IGNORECASE)
_PAPER = {("mm/s", 25.0), ("mm/s", 50.0), ("mm/mV", 10.0), ("mm/mV", 5.0), ("mm/mV", 20.0)}


_OF_SEX = re.compile(r"\bin (men|women)\b", re.IGNORECASE)
_GROUP = {"male": {"men"}, "female": {"women"}}


def stray_number(text: str, known: Known) -> str | None:
    """Find a number that measures nothing of this heart and that nothing bears out.

    Parameters
    ----------
    text : str
        A sentence.
    known : Known
        Of the ECG.

    Returns
    -------
    str or None
        What is wrong; None if every number in passing is the patient's age, the paper's speed or
        gain, a place in a list, or stands in the evidence of a finding, and no limit of the other
        sex is quoted.
    """
    named = {word.lower() for word in _OF_SEX.findall(text)}
    if len(named) == 1 and named != _GROUP.get(known.record.sex or ""):
        return f"the limit in {named.pop()} need not be this patient's"
    for part, whole in _SHARE.findall(text):
        if not _is_share(float(part), whole, known):
            return f"nothing that was measured bears out '{part} of {whole}'"
    for claim in extract_claims(text):
        if claim.kind != "number" or claim.role not in ("context", "general"):
            continue
        if _ORDINAL.match(text[: claim.start]) or claim.value is None:
            continue
        unit = claim.text.lstrip("0123456789.,-− ")
        if unit.startswith("lead") or (unit, claim.value) in _PAPER:
            continue
        age = known.record.age_years
        if unit.lstrip("-").startswith("year") and age is not None and abs(age - claim.value) <= 1:
            continue
        if _counted(claim.text, known) or (claim.role == "general" and _is_limit(claim, known)):
            continue
        return f"nothing that was measured bears out {claim.text!r}"
    return None


_SHARE = re.compile(r"\b(\d+) of (?:the )?(\d+)\b")


def _is_share(part: float, whole: str, known: Known) -> bool:
    """Whether so many of so many were counted for a present finding."""
    return any(
        item.value == part and item.unit.split()[:2] == ["of", whole]
        for finding in known.facts.findings.values()
        if finding.status == "present"
        for item in finding.evidence
    )


def _counted(shown: str, known: Known) -> bool:
    """Whether a number stands in the evidence of a present finding, as a value or a time."""
    digits = _SHOWN.findall(shown)
    for finding in known.facts.findings.values():
        if finding.status != "present":
            continue
        for item in finding.evidence:
            told = [t for t in (item.from_s, item.to_s) if t is not None]
            told += [float(n) for n in _SHOWN.findall(item.unit)]
            if isinstance(item.value, int | float):
                told += [float(item.value), 100 * float(item.value)]  # a share may be in percent
            if digits and all(any(_rounds_to(value, n) for value in told) for n in digits):
                return True
    return False


def _rounds_to(value: float, shown: str) -> bool:
    """Whether a value is what a number shows, at its precision."""
    decimals = len(shown.replace(",", ".").partition(".")[2])
    wanted = float(shown.replace("−", "-").replace(",", "."))
    return abs(value - wanted) <= 0.5 * 10.0**-decimals + 1e-9


def _is_limit(claim: TextClaim, known: Known) -> bool:
    """Whether a number of a general statement is a limit that the criteria use."""
    return check_number(replace(claim, role="criterion"), known.facts, 1.0).verdict == "supported"


_QUALITY = re.compile(
    r"technical quality|signal quality|\bleads? (can(not)? be|are|is) (read|use)|no lead left out|"
    r"all (12 )?leads|left out for|can be interpreted|quality (allows|is sufficient)|"
    r"leads? .{0,60}cannot be used|not read:",
    re.IGNORECASE,
)


def _on_quality(text: str, known: Known) -> list[Claim] | None:
    """Write a sentence on the technical quality from the quality; None if it is about else."""
    if not _QUALITY.search(text) or known.check(text):
        return None
    facts = known.facts
    if facts.refused is not None:
        return [Claim(text=sentence(facts.refused), status="supported", kind="unknown")]
    if not facts.unusable:
        good = re.search(
            r"\b(all|usable|readable|good|sufficient|can be (read|interpreted)|no lead "
            r"left out)\b",
            text,
            re.IGNORECASE,
        )
        if good and not re.search(r"\b(not|cannot|limits|poor|noisy|left out for)\b", text):
            return [Claim(text=text, status="supported", kind="told")]
        return [Claim(text="All leads can be read.", status="supported")]
    left = "; ".join(f"{lead} ({brief_reason(why)})" for lead, why in facts.unusable.items())
    fact = measured("leads that cannot be read", ", ".join(facts.unusable))
    return [Claim(text=sentence(f"not read: {left}"), status="supported", evidence=(fact,))]
