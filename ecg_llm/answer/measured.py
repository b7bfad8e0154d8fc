"""Answer from the measurements and findings alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecg_llm.analysis import Analysis
from ecg_llm.answer.question import Asked
from ecg_llm.claims.measured_words import BY_SEX_QTC, MEASURED
from ecg_llm.compose import build_report
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import finding_says, lead_values, value_says
from ecg_llm.ground.sentence import evidence_of
from ecg_llm.phrases import absent, amount, listing, measured, sentence
from ecg_llm.references import reference
from ecg_llm.report import Claim, Report
from ecg_llm.vocabulary import label, members


def measured_answer(asked: Asked, known: Known, present: Analysis) -> list[Claim]:
    """Answer from the measurements and findings alone.

    Parameters
    ----------
    asked : Asked
        What the question is about.
    known : Known
        Of the ECG.
    present : Analysis
        Of the same ECG.

    Returns
    -------
    list of Claim
        Measured sentences, the most telling first.
    """
    out: list[Claim] = []
    word = expected_word(asked, known)
    if word is not None and asked.closed:
        out.append(Claim(text=f"{word}.", status="supported"))
    for code in asked.findings:
        told = list(finding_says(code, known))
        if word == "No" and asked.closed and code != "NORM":
            told = [_denied(claim, code) for claim in told]
        if in_leads := list(_in_leads(code, asked.leads, known)):
            # Whether it means anything is another question, which may not have been decided.
            told = [*in_leads, *(claim for claim in told if claim.status == OPEN)]
        if not told:
            text = sentence(f"{label(code)} was not judged")
            told = [Claim(text=text, status="unverifiable", kind="unknown")]
        out += told
    for subject in asked.quantities:
        if asked.leads and MEASURED[subject].per_lead:
            out += lead_values(subject, asked.leads, known)
        else:
            out += value_says(subject, known)
    out += judged(asked, known)
    if out and asked.findings != ("NORM",):
        return list(dict.fromkeys(out))
    return [*out, *_overview(asked, present)]


def _denied(claim: Claim, code: str) -> Claim:
    """Put ``No AF.`` behind the word ``No.`` as ``AF is absent.``"""
    if claim.kind != "absent":
        return claim
    return claim.model_copy(update={"text": sentence(absent(label(code)))})


def judged(asked: Asked, known: Known) -> Iterator[Claim]:
    """Say whether the values that a question names lie within their limits, if it asks for that.

    Parameters
    ----------
    asked : Asked
        What the question is about.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
        None for a value that is unknown or has no limits.
    """
    if asked.about == "normal":
        for subject in asked.quantities:
            yield from _judged(subject, known)


def _judged(subject: str, known: Known) -> Iterator[Claim]:
    """Say whether a value lies within its limits, and where sex is not given, within whose."""
    if subject.startswith("qt") and known.facts.sex is None:
        claim, settled = _by_sex(subject, known)
        if claim is not None:
            yield claim
        if not settled:
            return
    for text in (
        f"The {MEASURED[subject].label} is normal",
        f"The {MEASURED[subject].label} is not normal",
    ):
        checked = known.check(f"{text}.")
        if checked and all(one.status == "supported" for one in checked):
            yield Claim(text=f"{text}.", status="supported", evidence=evidence_of(checked))
            return


def _by_sex(subject: str, known: Known) -> tuple[Claim | None, bool]:
    """Hold a QTc against the limits in men and in women, and say whether they agree."""
    values, age = known.facts.values, known.record.age_years
    for name in (*MEASURED[subject].names, *MEASURED["qtc"].names):
        entry, value = reference(name, age, None), values[name].value if name in values else None
        if value is not None and entry.limits:
            break
    else:
        return None, True
    limits = {"in men": BY_SEX_QTC["male"], "in women": BY_SEX_QTC["female"]}
    reached = [f"{group} ({limit:g} ms)" for group, limit in limits.items() if value >= limit]
    below = [f"{group} ({limit:g} ms)" for group, limit in limits.items() if value < limit]
    shown = f"{entry.name} {amount(value, 'ms', entry.limits)}"
    if reached and below:
        rest = (
            f"reaches the limit {reached[0]} and lies below the limit {below[0]}; "
            "the sex is not given"
        )
    elif reached:
        rest = f"reaches the limits {listing(reached)}"
    else:
        rest = f"lies below the limits {listing(below)}"
    fact = measured(entry.name, value, "ms", criterion=entry.limits, source=entry.source)
    text = sentence(f"{shown} {rest}")
    claim = Claim(text=text, status="supported", evidence=(fact,), kind="value")
    return claim, not (reached and below)


def _overview(asked: Asked, present: Analysis) -> list[Claim]:
    """Answer a question that names nothing: quality, rhythm, reasons, or all in short."""
    report = build_report(present.record, present.quality, present.measurements, present.findings)
    sections = {part.title: part.statements for part in report.sections}
    if asked.about == "quality" and "Technical quality" in sections:
        return list(sections["Technical quality"])
    if asked.about == "rhythm" and "Rate and rhythm" in sections:
        return [c for c in sections["Rate and rhythm"] if c.kind in ("value", "present")]
    if asked.about == "open":
        left = [c for part in report.sections for c in part.statements if c.status == OPEN]
        return left or [
            Claim(text="Everything that was asked could be judged.", status="supported")
        ]
    if asked.about == "urgent":
        return _alerts(report)
    if asked.about == "why":
        facts = [c for part in report.sections for c in part.statements if c.kind == "present"]
        if facts:
            return facts[:MOST_REASONS]
    claims = {claim.text: claim for claim in report.claims}
    return [claims[text] for text in report.impression]


def _alerts(report: Report) -> list[Claim]:
    """Say what somebody must look at soon, or that nothing of the kind was found."""
    if not report.alerts:
        text = "Nothing that alerts was found; how urgent it is depends on the patient, too."
        return [Claim(text=text, status="supported")]
    claims = {claim.text: claim for claim in report.claims}
    return [
        claims.get(alert.text)
        or Claim(text=alert.text, status="supported", evidence=alert.evidence, kind="present")
        for alert in report.alerts
    ]


OPEN = "unverifiable"
"""Status of what could not be judged."""
MOST_REASONS = 4
"""Findings whose facts are told when a user asks why."""


def _in_leads(code: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say whether named leads show a finding, by their measured waves."""
    if not leads:
        return
    where, name = listing(list(leads)), label(code)
    for text in (f"{name} in {where}", f"no {name} in {where}"):
        checked = known.check(sentence(text))
        if checked and all(one.status == "supported" for one in checked):
            facts = evidence_of(checked)
            yield Claim(text=sentence(text), status="supported", evidence=facts, kind="present")
            return


def expected_word(asked: Asked, known: Known) -> str | None:
    """Give the right short answer to a question for one finding.

    Parameters
    ----------
    asked : Asked
        What is asked.
    known : Known
        Of the ECG.

    Returns
    -------
    str or None
        ``Yes`` or ``No``; None if the question is another, or the finding could not be judged.
    """
    if len(asked.findings) != 1 or asked.quantities or asked.leads:
        return None
    judged = [
        known.facts.findings[code]
        for code in members(asked.findings[0])
        if code in known.facts.findings
    ]
    states = {finding.status for finding in judged}
    if "present" in states:
        return "No" if asked.turned else "Yes"
    if states == {"absent"}:
        if asked.excludes:
            return None
        return "Yes" if asked.turned else "No"
    return None
