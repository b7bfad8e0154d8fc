"""Answer what is asked of two or more ECGs: what changed, what the earlier one shows, what each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ecg_llm.analysis import Analysis
from ecg_llm.answer.measured import measured_answer, with_acute
from ecg_llm.answer.overview import report_of
from ecg_llm.answer.question import Asked
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.compare import compare, comparison_claims
from ecg_llm.ground.known import known_of
from ecg_llm.report import Claim
from ecg_llm.vocabulary import members

_ONE = r"(one|ecg|ekg|tracing|recording|electrocardiogram)"
_NAMED = re.compile(
    rf"\b(?P<which>first|1st|second|2nd|third|3rd|"
    rf"earlier|previous|prior|old|older|last) {_ONE}\b|"
    r"\b(in|on|of) the (?P<alone>first|second|third|earlier|previous|last|old)(?=\W*$)",
    re.IGNORECASE,
)
_ALL = re.compile(
    rf"\b(both|each|either|(which|what) (of (the|these|those) )?(two |2 |three |3 )?{_ONE}s?)\b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(than|since|compar\w+|chang\w+|differ\w+|new|better|worse|resolved|gone|still|now|again|"
    r"longer|shorter|faster|slower|same|unchanged|improv\w+|worsen\w+|progress\w*)\b",
    re.IGNORECASE,
)
COMPARES = re.compile(
    r"\b((what|anything|something)( has|'s)? (changed|new)|any changes?|(compared? (it )?(to|"
    r"with)|since|than|from) (the |his |her |an? )?(last|previous|prior|earlier|old(er)?|"
    r"former) (ecg|ekg|tracing|recording|one|time|year|month|week|visit|admission)|(better|"
    r"(?<!which is )worse|improv\w+|worsen\w+|progress(ed|ing)|progression of|unchanged|resolved?|"
    r"compare|different (from|than|to|now|since)|(is|was|what's|what is) (\w+ )?different|"
    r"difference|the same as|(what|anything) (is |has )?(stay\w* |remain\w* )?the same|"
    r"same as (the |his |her |an? )?(last|previous|prior|earlier|old|before))|(previous|prior|"
    r"earlier|last) (ecg|ekg|tracing|recording)|(was|were|had) [\w ]{1,40}\b(last|previous) (year|"
    r"month|week|visit))\b",
    re.IGNORECASE,
)
"""Words that ask what has changed since an earlier ECG."""
_CHANGED = re.compile(
    r"\b(before|earlier|previous\w*|last time|shifted|changed?|longer|shorter|still|again|"
    r"any ?more|(in|de)creased|since|changes|risen|fallen|faster|slower|wider|narrower|up or down|"
    r"go(ne)? (up|down)|same|stable|now|new(ly)?|old|gone|resolved?|"
    r"(go|went) away|disappear\w*|yesterday)\b",
    re.IGNORECASE,
)
"""Words that ask for a change, where an earlier ECG is at hand."""
_PLACE = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2}


def of_several(question: str, asked: Asked, analyses: Sequence[Analysis]) -> list[Claim] | None:
    """Answer what is asked of an earlier ECG, of each, or of what changed.

    Returns
    -------
    list of Claim or None
        None if it asks of the present ECG alone.
    """
    named = _NAMED.search(question)
    if named is not None and not _AGAINST.search(question):
        which = named["which"] or named["alone"]
        place = _PLACE.get(which.lower(), len(analyses) - 2)
        if place < len(analyses) - 1:
            return list(_of(place, asked, analyses))
        return None
    about_one = asked.named or asked.leads or asked.about == "rhythm"
    changes = COMPARES.search(question) or _CHANGED.search(question) or asked.about == "since"
    if changes and not asked.proposes:
        told = _comparison(asked, analyses[-1], analyses[-2])
        if told or not about_one:
            return told
    elif not (about_one and _ALL.search(question)):
        return None
    return [claim for place in range(len(analyses)) for claim in _of(place, asked, analyses)]


def _comparison(asked: Asked, present: Analysis, before: Analysis) -> list[Claim]:
    """Tell what changed since an earlier ECG; of what was asked for alone, if anything was."""
    told = compare(report_of(present), report_of(before))
    if not told.compared or not (asked.named or asked.leads or asked.about == "rhythm"):
        return list(comparison_claims(told))
    names = {name for subject in asked.quantities for name in MEASURED[subject].names}
    codes = {code for named in asked.findings for code in (named, *members(named))}
    values = tuple(value for value in told.values if value.name in names)
    findings = tuple(change for change in told.findings if change.code in codes)
    return list(comparison_claims(replace(told, values=values, findings=findings), whole=False))


def _of(place: int, asked: Asked, analyses: Sequence[Analysis]) -> Iterator[Claim]:
    """Answer of one ECG, behind its name."""
    yield Claim.of(f"{_name(place, len(analyses))}:")
    found = analyses[place]
    if not found.quality.acceptable:
        reasons = "; ".join(found.quality.reasons) or "insufficient technical quality"
        yield Claim.unknown(f"not interpreted: {reasons}")
        return
    asked = replace(asked, about=None) if asked.about == "since" else asked
    known = known_of(found)
    for claim in measured_answer(with_acute(asked, known), known):
        if place == len(analyses) - 1:
            yield claim
            continue
        facts = [  # their times lie on another tracing
            replace(fact, quantity=f"{fact.quantity} in the earlier ECG", from_s=None, to_s=None)
            for fact in claim.evidence
        ]
        yield claim.model_copy(update={"evidence": tuple(facts)})


def _name(place: int, n: int) -> str:
    """Call one of several ECGs."""
    if n == 2:
        return ("Earlier ECG", "Present ECG")[place]
    return f"ECG {place + 1} of {n}"
