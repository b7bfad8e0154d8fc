"""Check one sentence of a draft: let it pass, write it anew, or withhold it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.claims.stated import stated
from ecg_llm.ground.affirmed import (
    affirmed,
    breaks_rule,
    denied_without_facts,
    less_sure,
    unfit,
)
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import finding_says, measured_claims
from ecg_llm.ground.sentence import HEADING, NUMBER, Sentence, evidence_of, shown_value
from ecg_llm.ground.stray import stray
from ecg_llm.ground.unread import unread
from ecg_llm.outside import DECLINES, goes_beyond
from ecg_llm.phrases import sentence
from ecg_llm.report import SAID_ALREADY, Change, Claim
from ecg_llm.vocabulary import ECG, canonical_code


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
        Leave out what claims nothing that can be held against the record; False lets general
        statements and refusals pass, as answers need them.
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

    def no(reason: str) -> list[Sentence]:
        change = Change(action="withheld", draft=text, reason=reason)
        return [Sentence(text="", before=before, change=change)]

    def anew(claims: Iterable[Claim], reason: str) -> list[Sentence]:
        told = [claim for claim in claims if deny or claim.kind != "absent"]
        return _once(told, text, before, said, reason) or no(reason)

    def yes(
        fit: str, claims: tuple[CheckedClaim, ...], change: Change | None = None
    ) -> list[Sentence]:
        said.add(fit)
        evidence = evidence_of(claims)
        return [Sentence(text=fit, before=before, evidence=evidence, claims=claims, change=change)]

    if outside := goes_beyond(text):
        return no(outside)
    checked = known.check(text)
    if reason := stray(text, checked, known):
        # A wrong count beside a finding: the finding is told anew with its own facts.
        return anew(_measured(checked, known), reason)
    bad = [claim for claim in checked if claim.status != "supported"]
    if not bad:
        if not checked and (reason := _empty(text, strict)):
            return no(reason)
        if _adds_nothing(text, checked, said, numbers=deny):
            return no(SAID_ALREADY)
        if reason := unfit(text, checked, known):
            return anew(_findings(checked, known), reason)
        affirms = any(c.claim.role == "measured" and not c.claim.negated for c in checked)
        if affirms and (reason := unread(text)):
            return anew(_measured(checked, known), reason)
        if (head := denied_without_facts(text, checked)) is not None:
            reason = f"no fact stands behind {head!r}"
            change = Change(action="corrected", draft=text, shipped=head, reason=reason)
            return no(reason) if head in said else yes(head, known.check(head), change)
        if checked and text in said:
            return no(SAID_ALREADY)
        return yes(text, checked)
    reason = "; ".join(dict.fromkeys(claim.reason for claim in bad))
    fixed = _with_numbers(text, bad, known)
    if fixed is not None and not breaks_rule(fixed):
        change = Change(action="corrected", draft=text, shipped=fixed, reason=reason)
        return no(reason) if fixed in said else yes(fixed, known.check(fixed), change)
    claims = _findings([one for one in checked if one.status == "supported"], known)
    if affirmed(checked):  # numbers beside a finding are told with it, or not at all
        bad = [one for one in bad if one.claim.kind != "number"]
    if not deny:
        bad = [one for one in bad if one.claim.certainty != "possible" or _is_doubted(one, known)]
    return anew([*claims, *_measured(bad, known)], reason)


def _adds_nothing(
    text: str, checked: Sequence[CheckedClaim], said: Iterable[str], *, numbers: bool
) -> bool:
    """Whether a sentence tells only findings that were told before."""
    told = " ".join(said)
    codes = {canonical_code(code) for code in affirmed(checked)}
    states = any(one.claim.kind == "state" for one in checked)
    known = not numbers or all(number in told for number in NUMBER.findall(text))
    return bool(codes) and not states and known and codes <= stated(told)


def _measured(checked: Sequence[CheckedClaim], known: Known) -> list[Claim]:
    """Say what was measured and found on the subjects of claims."""
    return [claim for one in checked for claim in measured_claims(one, known)]


def _findings(checked: Sequence[CheckedClaim], known: Known) -> list[Claim]:
    """Tell the findings that claims affirm."""
    return [claim for code in affirmed(checked) for claim in finding_says(code, known)]


def _is_doubted(checked: CheckedClaim, known: Known) -> bool:
    """Whether criterion and encoder disagree on a finding."""
    finding = known.facts.findings.get(canonical_code(checked.claim.subject))
    return finding is not None and finding.doubt is not None


def _once(
    claims: Iterable[Claim], draft: str, before: str, said: set[str], reason: str
) -> list[Sentence]:
    """Ship measured sentences in the place of a drafted one, each once."""
    heads = {text.partition(": ")[0] for text in said if ": " in text}
    claims = [c for c in claims if c.kind != "present" or c.text.partition(": ")[0] not in heads]
    new = [brief(claim, said) for claim in claims if claim.text not in said]
    new = list({claim.text: claim for claim in new if claim.text not in said}.values())
    said.update(claim.text for claim in new)
    shipped = " ".join(claim.text for claim in new)
    change = None
    if shipped != draft:
        change = Change(action="corrected", draft=draft, shipped=shipped, reason=reason)
    return [
        Sentence.of(claim, before=" " if k else before, change=None if k else change)
        for k, claim in enumerate(new)
    ]


def brief(claim: Claim, said: set[str]) -> Claim:
    """Leave out facts that a sentence before has told of another finding.

    Parameters
    ----------
    said : set of str
        Sentences shipped so far.

    Returns
    -------
    Claim
        The name of the finding alone, or the claim as it is.
    """
    head, _, facts = claim.text.partition(": ")
    named = claim.text.startswith("Not judged")  # what stands behind the colon is no fact
    told = facts and not named and any(facts in text for text in said)
    if claim.kind in ("present", "unknown") and told:
        return claim.model_copy(update={"text": sentence(head)})
    return claim


_NOT_IN_PLACE = ("atrial_rate", "rr_cv")
"""Quantities whose usual value means something else in a rhythm without P waves."""


def _with_numbers(text: str, bad: Sequence[CheckedClaim], known: Known) -> str | None:
    """Put measured numbers in place of wrong ones; None if the sentence still does not hold."""
    for one in sorted(bad, key=lambda checked: -checked.claim.start):
        claim = one.claim
        shown = NUMBER.findall(claim.text)
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
        written, decimals = shown_value(shown[0])
        factor = abs(claim.value / written) if written else 0.0
        if not factor:
            return None
        if MEASURED[claim.subject].sign in ("size", "down"):
            value = abs(value)
        new = f"{value / factor:.{decimals}f}".replace("-", "−")
        text = text[: claim.start] + claim.text.replace(shown[0], new) + text[claim.end :]
    held = known.check(text)
    if not held or any(claim.status != "supported" for claim in held):
        return None
    numbers = [one.claim for one in held if one.claim.kind == "number"]
    told = {(claim.subject, claim.leads, claim.value) for claim in numbers}
    return text if len(told) == len(numbers) and not less_sure(text, held, known) else None


def _measured_value(checked: CheckedClaim, known: Known) -> float | None:
    """Give the value that a number should have been: the usual one of its quantity."""
    word = MEASURED.get(checked.claim.subject)
    lead = checked.claim.leads[0] if checked.claim.leads else None
    usual = None if word is None else known.facts.value(word.names[0], lead).value
    if usual is not None:
        return float(usual)
    return next((i.value for i in checked.evidence if isinstance(i.value, int | float)), None)


_HERE = re.compile(rf"\b(here|(this|the) (patient|{ECG}))\b", re.IGNORECASE)
"""What is said of one ECG is no general statement."""
_SHORT = re.compile(r"^(yes|no|neither|both|none( of them)?)[.:,!]?$", re.IGNORECASE)


def _empty(text: str, strict: bool) -> str | None:
    """Say why a sentence that claims nothing is left out; None if it may stay."""
    if HEADING.match(text.strip()):
        return None
    if _SELF.match(text.strip()):
        return "nobody asked for the model"
    if strict:
        return "it says nothing that can be held against the record"
    if DECLINES.search(text) or _SHORT.match(text.strip()):
        return None
    if not _HERE.search(text) and any(one.role == "general" for one in extract_claims(text)):
        return None
    return "it says nothing that can be held against the record"


_SELF = re.compile(r"^I (cannot|can't|could not) be\b")
"""Of lead I nobody says so; a small model means itself, or nothing."""
