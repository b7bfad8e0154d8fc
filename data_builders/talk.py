"""Short canonical answers on a record, every number of which its prompt shows.

The built conversations vary their words; what the small bundled model is to say stands here in one
wording, so that its few weights go into reading the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from ecg_llm.claims.facts import Facts
from ecg_llm.findings.codes import ENCODER_STATEMENTS, STATEMENTS
from ecg_llm.findings.finding import Finding, Status
from ecg_llm.phrases import amount, said_to_be, sentence
from ecg_llm.probabilities import EXCLUSIVE
from ecg_llm.prompt import (
    SHOWN_VALUES,
    SHOWN_WAVES,
    Part,
    finding_words,
    shown_findings,
    status_words,
    value_words,
)
from ecg_llm.quantity import Quantity
from ecg_llm.references import reference
from ecg_llm.statements import conclusion_claim
from ecg_llm.vocabulary import CODES as STATED
from ecg_llm.vocabulary import canonical_code, label, members

REPORT_VALUES = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qtc_fridericia_ms", "qrs_axis_deg")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NAME = re.compile(
    r"\bV[1-6]\b|\b12[- ]leads?|J ?\+ ?\d+ ms|\b[Tt]ype \d|^(?:Step )?\d[.,] ", re.MULTILINE
)
"""What holds a figure and is no number: leads, points of time, patterns, steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Talk:
    """One conversation to learn from.

    Attributes
    ----------
    kind : str
        What it is about.
    turns : tuple of str
        Question and answer in turn; what stands for an answer that depends on the
        prompt (a code, the name of a value) is turned into it when the prompt is built.
    records : tuple of str
        Names of its ECGs.
    facts : tuple of Facts
        Of its ECGs.
    labels : tuple of str
        Statements that people made on the last of them, as codes.
    """

    kind: str
    turns: tuple[str, ...]
    records: tuple[str, ...]
    facts: tuple[Facts, ...]
    labels: tuple[str, ...] = ()


def report_answer(facts: Facts, parts: Sequence[Part], labels: Sequence[str]) -> str:
    """Write the report that a prompt with these parts bears out.

    From tokens alone: the codes that people stated.
    """
    if facts.refused is not None:
        return "This tracing cannot be interpreted."
    shown = shown_findings(facts) if "findings" in parts else []
    said = [sentence(finding_words(found)) for found in shown if found.section == "rhythm"]
    if "values" in parts:
        known = [word for word in value_words(facts) if " unknown" not in word]
        wanted = tuple(SHOWN_VALUES[name] for name in REPORT_VALUES)
        values = [word for word in known if word.rsplit(" ", 2)[0] in wanted or _axis(word)]
        said += [sentence(", ".join(values))] if values else []
    said += [sentence(finding_words(found)) for found in shown if found.section != "rhythm"]
    if "findings" in parts:
        said.append(conclusion_claim(shown or facts.findings.values()).text)
    elif "tokens" in parts:
        said += [sentence(label(code)) for code in stated(labels)]
    return " ".join(said)


def _axis(words: str) -> bool:
    return words.startswith("QRS axis")


def stated(labels: Iterable[str]) -> list[str]:
    """Order the codes that people stated: rhythm first, then by urgency; only those with words."""
    known = {code: k for k, code in enumerate(STATED)}
    return sorted({c for c in map(canonical_code, labels) if c in known}, key=known.__getitem__)


def verify_answer(code: str, facts: Facts) -> str:
    """Answer whether a finding is present, with what decides it."""
    told = status_words(code, facts)
    name = label(code)
    rest = told[len(name) :].strip()
    state, _, fact = rest.partition(": ")
    if state.startswith(("present", "probable")):
        sure = state.split(" ")[0]
        said = name if sure == "present" else f"probable {name}"
        return f"Yes. {sentence(f'{said}: {fact}' if fact else said + rest.removeprefix(sure))}"
    if state.startswith("absent"):
        text = said_to_be(name, "absent")
        return f"No. {sentence(f'{text}: {fact}' if fact else text)}"
    return sentence(f"{name} cannot be judged")


def value_answer(name: str, facts: Facts) -> str:
    """Give a value of `ecg_llm.prompt.SHOWN_VALUES` with the limits for age and sex.

    Or say that it was not measured, and why.
    """
    said = SHOWN_VALUES[name]
    shown = next((word for word in value_words(facts) if word.startswith(f"{said} ")), None)
    if shown is None:
        return sentence(f"{said} was not measured")
    if " unknown " in shown:
        return sentence(shown.replace(" unknown (", " could not be measured (", 1))
    sex = facts.sex if facts.sex in ("female", "male") else None
    limits = reference(name, facts.age_years, sex).limits  # type: ignore[arg-type]
    return sentence(f"{shown} (reference {limits})" if limits else shown)


def wave_answer(name: str, lead: str, facts: Facts) -> str:
    """Give the height of a wave of `ecg_llm.prompt.SHOWN_WAVES` in one lead."""
    quantity = facts.leads.get(lead, {}).get(name)
    if quantity is None or quantity.value is None:
        return f"{SHOWN_WAVES[name]} not measured in {lead}."
    return f"{SHOWN_WAVES[name]} {amount(quantity.value, quantity.unit)} in {lead}."


def held(answer: str, prompt: str) -> bool:
    """Tell whether a prompt shows every number of an answer."""
    told, shown = (_NUMBER.findall(_NAME.sub("", text)) for text in (answer, prompt))
    return set(told) <= set(shown)


SPREAD = 0.15
"""Deviation of the logarithm, to the base of two, by which values are changed."""


def varied(facts: Facts, rng: Random) -> Facts:
    """Change every value a little, so that numbers must be read and cannot be remembered."""

    def moved(quantity: Quantity) -> Quantity:
        if quantity.value is None or quantity.unit not in ("ms", "mV", "bpm", "deg"):
            return quantity  # counts and ratios have their own bounds
        if quantity.unit == "deg":
            return replace(quantity, value=(quantity.value + rng.gauss(0, 25) + 180) % 360 - 180)
        return replace(quantity, value=quantity.value * 2.0 ** rng.gauss(0, SPREAD))

    def told(finding: Finding) -> Finding:
        evidence = tuple(
            replace(item, value=moved(Quantity(float(item.value), item.unit)).value)
            if isinstance(item.value, float)
            else item
            for item in finding.evidence
        )
        return replace(finding, evidence=evidence)

    leads = {
        lead: {name: moved(value) for name, value in values.items() if name in SHOWN_WAVES}
        for lead, values in facts.leads.items()
    }
    return replace(
        facts,
        values={name: moved(value) for name, value in facts.values.items()},
        leads=leads,
        findings={code: told(found) for code, found in facts.findings.items()},
    )


def mixed(facts: Facts, pool: Mapping[str, Sequence[Finding]], rng: Random) -> Facts:
    """Put findings of other records in the place of those present, rare ones as often as common.

    It is nobody's ECG then: to learn reading the prompt from, not cardiology.
    """
    kept = {code: found for code, found in facts.findings.items() if found.status != "present"}
    rhythms = [code for code in pool if pool[code][0].section == "rhythm"]
    codes = [rng.choice(rhythms)] if rhythms and rng.random() < 0.8 else []
    codes += rng.sample(sorted(pool), min(rng.randrange(5), len(pool)))
    return replace(facts, findings=kept | {code: rng.choice(pool[code]) for code in codes})


def unmeasured(facts: Facts, labels: Sequence[str], rng: Random) -> Facts:
    """Give what is known of a page image: no value, and findings by the encoder alone."""
    bare = Facts(sex=facts.sex, age_years=facts.age_years, refused=facts.refused)
    return doubted(bare, labels, rng)


DOUBTED = 0.35
"""Share of the findings that the encoder is made to deny."""
LEFT_OPEN = 0.3
"""Share of these that stay open."""


def doubted(facts: Facts, labels: Sequence[str], rng: Random) -> Facts:
    """Let an encoder disagree, as in use: it denies findings and adds some, seen or not."""
    findings = dict(facts.findings)
    for code, found in facts.findings.items():
        if found.status == "present" and rng.random() < DOUBTED:
            status: Status = "unknown" if rng.random() < LEFT_OPEN else "present"
            findings[code] = replace(found, status=status, doubt="the encoder denies it")
    present = {code for code, found in findings.items() if found.status == "present"}
    codes = [code for code in stated(labels) if rng.random() < 0.8]
    codes += [rng.choice(STATED) for _ in range(3) if rng.random() < 0.2]
    for code in codes:
        statement = STATEMENTS.get(code) or ENCODER_STATEMENTS.get(code)
        instead = {*members(code), *(EXCLUSIVE if code in EXCLUSIVE else ())}
        if statement is not None and code != "NORM" and present.isdisjoint(instead):
            findings[code] = Finding(
                code=code,
                label=statement.label,
                snomed=statement.snomed,
                section=statement.section,
                urgency=statement.urgency,
                status="present",
                doubt="by the encoder alone",
            )
            present.add(code)
    return replace(facts, findings=findings)
