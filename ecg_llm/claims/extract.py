"""Read what a text says about an ECG: its numbers, findings and judgements of normality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ecg_llm.claims.leads import lead_groups, leads_of_findings
from ecg_llm.claims.lexicon import Item, scan
from ecg_llm.claims.numbers import read_numbers
from ecg_llm.claims.scope import NAMED, Certainty, Scope, scopes
from ecg_llm.claims.states import read_states

ClaimKind = Literal["number", "finding", "state"]
Role = Literal["measured", "criterion", "context", "general", "earlier", "history"]


@dataclass(frozen=True, kw_only=True)
class TextClaim:
    """One thing that a text says.

    Attributes
    ----------
    kind : {"number", "finding", "state"}
        A value, a finding, or a quantity called normal, high, low …
    text : str
        The words that say it.
    start, end : int
        Their place in the text.
    subject : str
        Finding code or family (`ecg_llm.vocabulary`), or name of a quantity
        (`ecg_llm.claims.measured_words.MEASURED`); empty for a number of something unknown.
    leads : tuple of str
        The leads it names, or those of the wall.
    all_leads : bool
        Whether it is said of each of these leads; of a wall it is said as a whole.
    negated : bool
        Whether it is denied.
    certainty : {"definite", "possible", "unjudged"}
        ``unjudged``: the text says that it cannot be told.
    role : str
        ``measured`` of this ECG; ``criterion``: a published limit; ``context``: age, paper speed,
        a moment, a count of something not measured; ``general``: said of the disease, or asked;
        ``earlier``: of an earlier ECG; ``history``: of the patient.
    value, high : float or None
        The number, and the upper end of a range, in ``unit``.
    step : float
        What one unit of the last digit shown is worth, in ``unit``.
    unit : str
        Unit after conversion: ``ms``, ``mV``, ``bpm``, ``deg`` …; empty if none was given.
    relation : {"=", ">", ">=", "<", "<=", "max", "spread"}
        How the measured value is said to compare with the number; ``spread``: the number is how
        much the value varies.
    approximate : bool
        ``about``, ``roughly``.
    state : str
        For a state: ``normal``, ``high``, ``low``, ``borderline`` …
    """

    kind: ClaimKind
    text: str
    start: int
    end: int
    subject: str
    leads: tuple[str, ...] = ()
    all_leads: bool = True
    negated: bool = False
    certainty: Certainty = "definite"
    role: Role = "measured"
    value: float | None = None
    high: float | None = None
    step: float = 0.0
    unit: str = ""
    relation: str = "="
    approximate: bool = False
    state: str = ""


def extract_claims(text: str) -> tuple[TextClaim, ...]:
    """Read the claims of a text.

    Parameters
    ----------
    text : str
        English prose, a list of phrases, or anything else.

    Returns
    -------
    tuple of TextClaim
        In order of their place in the text.

    Notes
    -----
    Words are looked up in a lexicon; negation and certainty reach to the end of their clause or
    list; a number belongs to the nearest quantity that its unit fits. No model is used: the same
    text always gives the same claims.

    Examples
    --------
    >>> [(c.subject, c.value, c.unit, c.negated) for c in extract_claims("PR 0.21 s, no LBBB.")]
    [('pr', 210.0, 'ms', False), ('CLBBB', None, '', True)]
    """
    claims: list[TextClaim] = []
    before: list[Item] = []
    for sentence in _sentences(scan(text)):
        claims.extend(_read(text, _resolved(sentence, before)))
        before = sentence
    return tuple(sorted(claims, key=lambda claim: (claim.start, claim.end)))


def _resolved(sentence: list[Item], before: list[Item]) -> list[Item]:
    """Read ``it`` as the one quantity of the sentence before: ``PR 182 ms; it was 141 ms``."""
    named = {item.data for item in before if item.kind == "quantity"}
    if len(named) != 1 or any(item.kind in NAMED for item in sentence):
        return sentence
    data = named.pop()
    return [i._replace(kind="quantity", data=data) if i.data == "it" else i for i in sentence]


LONGEST_SENTENCE = 400
"""Items after which a text without full stops is cut, so that time grows with its length only."""


def _sentences(items: list[Item]) -> list[list[Item]]:
    """Cut at full stops, semicolons and line ends."""
    sentences: list[list[Item]] = [[]]
    for item in items:
        sentences[-1].append(item)
        if item.kind in ("end", "question") or len(sentences[-1]) >= LONGEST_SENTENCE:
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


def _read(text: str, items: list[Item]) -> list[TextClaim]:
    """Read the claims of one sentence."""
    if not any(item.kind in _TELLING for item in items):
        return []
    items = lead_groups(items)
    reach = scopes(items)
    states, findings = read_states(items, reach)
    findings.sort()
    claims = [
        _claim(
            text,
            items,
            (place, end),
            reach[place],
            kind="finding",
            subject=code,
            leads=leads,
            all_leads=each,
            negated=reach[place].negated ^ flip ^ turned,
        )
        for n, (place, code, flip, end) in enumerate(findings)
        for leads, each, turned in leads_of_findings(items, findings, n)
    ]
    for place, end, name, state, negated in states:
        told = {"kind": "state", "subject": name, "negated": negated, "state": state}
        claims.append(_claim(text, items, (place, end), reach[place], **told))
    return claims + _numbers(text, items, reach, findings)


def _claim(
    text: str, items: list[Item], places: tuple[int, int], scope: Scope, **told: Any
) -> TextClaim:
    """Make a claim of the words from one place to another, in the scope that they stand in."""
    start, end = items[min(places)].start, items[max(places)].end
    of = {"certainty": scope.certainty, "role": scope.role} | told
    return TextClaim(text=text[start:end], start=start, end=end, **of)


_TELLING = frozenset((">", "number", "regular", "irregular", "normal", "abnormal", *NAMED))


def _numbers(
    text: str,
    items: list[Item],
    reach: list[Scope],
    findings: list[tuple[int, str, bool, int]],
) -> list[TextClaim]:
    """Turn the numbers of one sentence into claims."""
    claims = []
    for found in read_numbers(items, findings):
        scope = reach[found.place]
        claims.append(
            _claim(
                text,
                items,
                (found.place, found.end),
                scope,
                kind="number",
                subject=found.subject,
                leads=found.leads,
                negated=found.negated,
                certainty="definite" if scope.certainty == "unjudged" else scope.certainty,
                role=scope.role if found.role == "measured" else found.role,
                value=found.value,
                high=found.high,
                step=found.step,
                unit=found.unit,
                relation=found.relation,
                approximate=found.approximate,
            )
        )
    return claims
