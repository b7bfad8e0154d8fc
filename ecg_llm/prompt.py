"""The prompt of the language model: one question on one or more ECGs, in training as in use.

What the model is shown is the tracing itself (slots that the encoder's tokens are spliced into)
and, as text, what the measuring lane knows: values, and findings with the fact that decides them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ecg_llm.claims.facts import Facts
from ecg_llm.claims.lexicon import scan
from ecg_llm.compose import MEANINGLESS_IN
from ecg_llm.errors import ConfigError
from ecg_llm.findings.checks import negated
from ecg_llm.findings.fibrillation import P_BEFORE_QRS
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.findings.infarction import QS
from ecg_llm.phrases import amount, brief_reason, facts_phrase, sentence, tidy
from ecg_llm.statements import concluded, doubtful_name, open_in_conclusion, telling_facts
from ecg_llm.vocabulary import GROUPS, canonical_code, label, members

if TYPE_CHECKING:
    from ecg_llm.analysis import Analysis
    from ecg_llm.record import ECGRecord

Part = Literal["tokens", "values", "findings"]
PARTS: tuple[Part, ...] = ("tokens", "values", "findings")
"""What a prompt may show of an ECG: its tokens, its measured values, its findings."""

SYSTEM = "You read 12-lead ECGs. Say what the tracing and its measurements show, no more."
REPORT_QUESTION = "Report this ECG."
SHORT = "Answer in ECG-QA's words."
"""Behind a question: asks for ``yes``, ``no`` or terms of ECG-QA's vocabulary, nothing else."""

SHOWN_VALUES = {
    "heart_rate_bpm": "heart rate",
    "pr_ms": "PR",
    "qrs_ms": "QRS",
    "qt_ms": "QT",
    "qtc_fridericia_ms": "QTc",
    "qrs_axis_deg": "QRS axis",
    "p_axis_deg": "P axis",
    "t_axis_deg": "T axis",
}
"""Record-level values in the prompt, in reading order, by the words that name them."""
ORDINALS = ("First", "Second", "Third", "Fourth")
"""Names of the ECGs of a prompt with several."""
SHOWN_WAVES = {
    "p_mv": "P wave",
    "q_mv": "Q amplitude",
    "r_mv": "R wave",
    "s_mv": "S wave",
    "st_j60_mv": "ST at J+60 ms",
    "t_mv": "T wave",
}
"""Values of a lead that is asked for."""
MOST_FINDINGS = 10
"""Findings a prompt shows, the most urgent first."""
MOST_LEADS = 2
"""Leads that the fact beside a finding names."""
MOST_ASKED = 3
"""Findings and leads of a question that are looked up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompt:
    """What a language model is asked.

    Attributes
    ----------
    messages : tuple of dict
        Chat messages ``{"role", "content"}``; content is a list of parts ``{"type": "text",
        "text"}``, ``{"type": "ecg"}`` and ``{"type": "image"}``; the last message is the user's.
    records : tuple of ECGRecord
        One for each ecg or image part, in their order.
    """

    messages: tuple[dict[str, Any], ...]
    records: tuple[ECGRecord, ...] = ()

    def text(self) -> str:
        """Give the words of the prompt, each slot as ``<ecg>`` or ``<image>``."""
        return "\n".join(_flat(message["content"]) for message in self.messages)

    def without_tokens(self) -> Prompt:
        """Give the prompt without its slots, for a model that takes text only."""
        messages = tuple(
            {**m, "content": [part for part in m["content"] if part["type"] == "text"]}
            for m in self.messages
        )
        return Prompt(messages=messages)


def build(
    question: str | None,
    analyses: Sequence[Analysis],
    *,
    history: Sequence[tuple[str, str]] = (),
    parts: Sequence[Part] = PARTS,
) -> Prompt:
    """Put a question on one or more analysed ECGs.

    Parameters
    ----------
    question : str or None
        None asks for a report.
    analyses : sequence of Analysis
        Of the ECGs, an earlier one first; none for a question on no ECG.
    history : sequence of tuple of str
        Questions and answers that went before.
    parts : sequence of {"tokens", "values", "findings"}
        What is shown of each ECG.

    Returns
    -------
    Prompt

    Raises
    ------
    ConfigError
        For a part that there is not.
    """
    return build_from_facts(
        question,
        [facts_of(analysis) for analysis in analyses],
        [analysis.readable for analysis in analyses],
        history=history,
        parts=parts,
    )


def build_from_facts(
    question: str | None,
    facts: Sequence[Facts],
    records: Sequence[ECGRecord],
    *,
    history: Sequence[tuple[str, str]] = (),
    parts: Sequence[Part] = PARTS,
) -> Prompt:
    """Put a question on ECGs whose facts are at hand: training reads them from built sets.

    Parameters
    ----------
    question : str or None
        None asks for a report.
    records : sequence of ECGRecord
        The same ECGs; unused without the part ``tokens``.
    history : sequence of tuple of str
        Questions and answers that went before.
    parts : sequence of {"tokens", "values", "findings"}
        What is shown of each ECG.
    """
    if unknown := set(parts) - set(PARTS):
        raise ConfigError(
            f"a prompt has no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}."
        )
    questions = [asked for asked, _ in history] + [question or REPORT_QUESTION]
    first: list[dict[str, str]] = []
    for n, known in enumerate(facts):
        name = f"{ORDINALS[n]} ECG: " if 1 < len(facts) < 5 else ""
        slot = []
        if "tokens" in parts:
            slot = [{"type": "image" if records[n].origin == "page" else "ecg"}]
        text = describe(known, parts=parts)
        first += ([_text(name)] if name else []) + slot + ([_text(f"{text}\n")] if text else [])
    messages: list[dict[str, Any]] = [{"role": "system", "content": [_text(SYSTEM)]}]
    for n, asked in enumerate(questions):
        told = asked_of(asked, facts) if "findings" in parts else ""
        lead = first if n == 0 else []
        content = [*lead, _text(f"{told}\n{asked}" if told else asked)]
        messages.append({"role": "user", "content": _joined(content)})
        if n < len(history):
            messages.append({"role": "assistant", "content": [_text(history[n][1])]})
    return Prompt(
        messages=tuple(messages), records=tuple(records) if "tokens" in parts and facts else ()
    )


def facts_of(analysis: Analysis) -> Facts:
    """Give what texts on an analysed record are held against.

    Returns
    -------
    Facts
        Without values for a page image: none is measured on it.
    """
    record = analysis.record
    return Facts.from_measurements(
        None if record.origin == "page" else analysis.measurements,
        analysis.findings,
        analysis.quality,
        sex=record.sex,
        age_years=record.age_years,
    )


def describe(facts: Facts, *, parts: Sequence[Part] = PARTS) -> str:
    """Say in few words what is known of an ECG.

    Parameters
    ----------
    parts : sequence of str
        ``values`` and ``findings`` in any combination.

    Returns
    -------
    str
        Empty if nothing is to be said.

    Examples
    --------
    >>> from ecg_llm.quantity import Quantity
    >>> facts = Facts(values={"qrs_ms": Quantity(93.2, "ms")}, sex="male")
    >>> print(describe(facts, parts=["values"]))
    Male.
    Values: QRS 93 ms.
    """
    if facts.refused is not None:
        return sentence(f"Not to be interpreted: {facts.refused.removeprefix('the tracing was ')}")
    lines = []
    if "values" in parts:
        age = None if facts.age_years is None else f"{facts.age_years:.0f} years"
        if who := ", ".join(word for word in ((facts.sex or "").capitalize(), age) if word):
            lines.append(f"{who}.")
        values = ", ".join(value_words(facts))
        lines.append(f"Values: {values}." if values else "No measured values.")
    if "findings" in parts:
        lines += [f"- {finding_words(found)}" for found in shown_findings(facts)]
    return "\n".join(lines)


def value_words(facts: Facts) -> list[str]:
    """Name the record-level values, those that could not be measured with their reason."""
    present = {code for code, found in facts.findings.items() if found.status == "present"}
    senseless = tuple(
        prefix for code, all_ in MEANINGLESS_IN.items() if code in present for prefix in all_
    )
    words = []
    for name, said in SHOWN_VALUES.items():
        quantity = facts.values.get(name)
        if quantity is None or (senseless and name.startswith(senseless)):
            continue
        if quantity.value is not None:
            words.append(f"{said} {amount(quantity.value, quantity.unit)}")
        elif not name.endswith("_deg"):
            words.append(f"{said} unknown ({brief_reason(quantity.reason)})")
    return words


def shown_findings(facts: Facts) -> list[Finding]:
    """Choose the findings that are shown, as a conclusion does: rhythm first, then by urgency.

    Returns
    -------
    list of Finding
        The present ones that no other says more precisely, and what is open and would be grave.
    """
    found = facts.findings.values()
    named = {finding.code: finding for finding in (*concluded(found), *open_in_conclusion(found))}
    kept = list(named.values())[:MOST_FINDINGS]
    return sorted(kept, key=lambda finding: finding.section != "rhythm")


def finding_words(finding: Finding) -> str:
    """Say a finding, as sure as it is, with the first fact it rests on.

    Parameters
    ----------
    finding : Finding
        Present, or open with a doubt.

    Returns
    -------
    str
        The name alone where no measured fact stands behind it.
    """
    name = doubtful_name(finding)
    fact = _fact(finding) if finding.code != "NORM" else ""
    return f"{name}: {fact}" if fact else name


def _fact(finding: Finding) -> str:
    """Say the first measured fact of a finding, with its rule if that is a plain limit."""
    if finding.section == "technical":
        return ""
    told = [
        item
        for item in telling_facts(finding)
        if item.value is not None and not item.criterion.startswith("not ")
    ]
    told = [item for item in told if not item.quantity.startswith(_SAYS_LITTLE)] or told
    first = [item for item in told if item.quantity == told[0].quantity][:MOST_LEADS]
    shown = [
        replace(item, criterion=_rule(item) if finding.urgency != "normal" else "")
        for item in first
        if item.quantity != P_BEFORE_QRS
    ] or [replace(item, criterion="") for item in first]
    return _waves_named(facts_phrase(shown, 1)) if shown else ""


_UNITS = ("ms", "mV", "mV·ms", "bpm", "deg", "s", "%")
_SAYS_LITTLE = ("repetition of the stretch",)
_PLAIN_RULE = re.compile(
    r"[<>≤≥] [-−]?[\d.]+ ?[^\d\s,]*|between [-−]?[\d.]+\D{1,4} and [-−]?[\d.]+\D{1,4}"
)


def _rule(item: Evidence) -> str:
    """Keep a plain limit or range, drop counts and longer rules: the report has them."""
    if item.unit not in _UNITS:
        return ""
    plain = item.criterion.removesuffix(", ± 5°")
    return plain if _PLAIN_RULE.fullmatch(plain) or plain.startswith(QS) else ""


def _waves_named(words: str) -> str:
    """Write ``R 0.30 mV`` and ``R in V5 0.30 mV`` so that the wave is read back without doubt."""
    words = re.sub(r"^([PQRST]) in (\w+) (−?\d+\.\d+ mV)", r"\1 wave \3 in \2", words)
    return re.sub(r"(?<![\w+] )\b([PQRST]) (?=−?\d+\.\d+ mV)", r"\1 wave ", words)


def asked_of(question: str, facts: Sequence[Facts]) -> str:
    """Say what is known of the findings and leads that a question names.

    Returns
    -------
    str
        One line; empty if the question names none.

    Notes
    -----
    A prompt lists present findings only. One that is asked about is shown with its status and the
    value that decides it, so that the answer need not be a guess.
    """
    items = scan(question)
    codes = list(dict.fromkeys(item.data for item in items if item.kind == "finding"))[:MOST_ASKED]
    leads = [lead for item in items if item.kind == "lead" for lead in item.data[0]]
    measured = any(item.kind == "quantity" for item in items)
    leads = list(dict.fromkeys(leads))[:MOST_ASKED] if measured else []
    told = []
    for n, known in enumerate(facts):
        if known.refused is not None:
            continue
        words = [status_words(code, known) for code in codes if isinstance(code, str)]
        words += [text for lead in leads if (text := _waves(lead, known))]
        if words:
            which = f"{ORDINALS[n]}: " if 1 < len(facts) < 5 else ""
            told.append(f"{which}{'; '.join(words)}")
    return f"Asked: {'. '.join(told)}." if told else ""


def status_words(code: str, facts: Facts) -> str:
    """Say whether a finding or family is present, and what decides it.

    Examples
    --------
    >>> status_words("CLBBB", Facts())
    'complete left bundle branch block not judged'
    """
    own = [facts.findings[one] for one in members(code) if one in facts.findings]
    present = [found for found in own if found.status == "present"]
    if present:
        sure = "present" if present[0].doubt is None else "probable"
        said = finding_words(replace(present[0], doubt=None))
        name = label(code)
        rest = said[len(name) :] if said.startswith(name) else f" ({said})"
        return f"{name} {sure}{rest}"
    known = facts.findings.get(canonical_code(code))
    states = {found.status for found in own}
    if (known is None or code in GROUPS) and states != {"absent"}:
        return f"{label(code)} not judged"
    if known is not None and known.status == "unknown":
        probability = known.probability
        likely = "" if probability is None else f", probability {100 * probability:.0f} %"
        return f"{label(code)} not judged{likely}"
    if code in GROUPS:
        return f"{label(code)} absent"
    for item in (item for found in own for item in found.evidence):
        rule = tidy(negated(item.criterion))
        # What one lead shows decides nothing where another may show the finding.
        local = item.lead is not None and own[0].section in ("qrs", "st-t", "chambers")
        number = isinstance(item.value, int | float) and item.value
        if number and not local and _PLAIN_RULE.fullmatch(rule):
            fact = _waves_named(facts_phrase([replace(item, criterion=rule)], 1))
            return f"{label(code)} absent: {fact}"
    return f"{label(code)} absent"


def _waves(lead: str, facts: Facts) -> str:
    """Name the deflections of one lead."""
    words = []
    for name, said in SHOWN_WAVES.items():
        quantity = facts.leads.get(lead, {}).get(name)
        if quantity is not None and quantity.value is not None:
            words.append(f"{said} {amount(quantity.value, quantity.unit)}")
    return f"in {lead} {', '.join(words)}" if words else ""


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _joined(parts: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Join text parts that follow each other."""
    out: list[dict[str, str]] = []
    for part in parts:
        if out and part["type"] == out[-1]["type"] == "text":
            out[-1] = _text(out[-1]["text"] + part["text"])
        else:
            out.append(part)
    return out


def _flat(parts: Sequence[dict[str, str]]) -> str:
    return "".join(
        part["text"] if part["type"] == "text" else f"<{part['type']}>" for part in parts
    )
