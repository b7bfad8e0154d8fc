"""Check what a model answers while it writes, and find what it leaves unanswered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from ecg_llm.analysis import Analysis
from ecg_llm.answer.question import Asked
from ecg_llm.answer.spoken import plain
from ecg_llm.claims.extract import TextClaim, extract_claims
from ecg_llm.claims.measured_words import without_formula
from ecg_llm.ground.check import check_sentence
from ecg_llm.ground.known import Known
from ecg_llm.ground.sentence import Sentence, split
from ecg_llm.lm import TextModel, is_bundled
from ecg_llm.prompt import build
from ecg_llm.vocabulary import members

_CONCLUDES = re.compile(r"(impression|conclusion)\b", re.IGNORECASE)
_WORD = re.compile(r"^(yes|no)\b[\s.,:;–-]*", re.IGNORECASE)


def drafted(
    history: Sequence[tuple[str, str]],
    analyses: Sequence[Analysis],
    model: TextModel,
    known: Known,
    asked: Asked,
    expected: str | None,
    max_new_tokens: int,
) -> Iterator[Sentence]:
    """Check a model's answer while it is written."""
    shown = [] if is_bundled(model) else _remembered(history[:-1])
    prompt = build(plain(history[-1][1]), analyses, history=shown)
    buffer, answered, said = "", False, set[str]()
    if expected and asked.closed:  # whatever the model begins with
        said.add(f"{expected}.")
        yield Sentence(text=f"{expected}.", before=" ", kind="told")
    for piece in chain(model.stream(prompt, max_new_tokens=max_new_tokens), (None,)):
        buffer += piece or ""
        parts = list(split(buffer))
        if parts and _loops(parts[-1][1]):
            return  # a model that repeats itself says nothing more
        if piece is None:
            done, buffer = parts, ""
        elif len(parts) > 1:
            done = parts[:-1]
            buffer = parts[-1][0] + parts[-1][1] + (" " if buffer[-1:].isspace() else "")
        else:
            continue
        for before, text in done:
            word = _WORD.match(text)
            rest = text[word.end() :] if word else text
            if word and not (text[: word.end()].rstrip()[-1:] in ".,:;" or not rest):
                word, rest = None, text  # "No AF." is a denial, not an answer
            if not rest or (asked.named and _CONCLUDES.match(rest)):
                continue
            rest = rest[0].upper() + rest[1:] if word else rest
            for one in check_sentence(rest, known, before=before or " ", strict=False, said=said):
                covers = _covers(one, asked, expected)
                if _there(asked, expected) and speaks_of(one, asked) and not covers:
                    continue  # what is absent is true, but no answer to what is present
                if _of_other_leads(one, asked) or _denies_others(one, asked):
                    continue
                answered = answered or covers
                beside = asked.named and one.text and not speaks_of(one, asked)
                if beside and (not answered or is_bundled(model)):
                    continue  # what else there is may be told behind the answer, not before it
                yield one


MAX_HISTORY = 3_000
"""Letters of what was said before that a model is shown; prompts have an end.

The bundled model is shown none: it is asked nothing that refers back, and longer prompts than it
has learnt from make it stammer.
"""


def _remembered(history: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the last questions with their answers, as far as a model is shown them."""
    texts = [text for _, text in history]
    kept: list[tuple[str, str]] = []
    for pair in reversed(list(zip(texts[::2], texts[1::2], strict=False))):
        if sum(len(text) for one in (*kept, pair) for text in one) > MAX_HISTORY:
            break
        kept.insert(0, pair)
    return kept


LOOP_WORDS, LOOP_TIMES = 4, 3


def _loops(text: str) -> bool:
    """Whether a sentence says the same few words over and over."""
    words = text.split()
    if len(words) < LOOP_WORDS * LOOP_TIMES:
        return False
    runs = Counter(zip(*(words[k:] for k in range(LOOP_WORDS)), strict=False))
    return max(runs.values()) >= LOOP_TIMES


def speaks_of(one: Sentence, asked: Asked) -> list[TextClaim]:
    """Give the claims of a sentence on what was asked."""
    wanted = {code for name in asked.findings for code in (name, *members(name))}
    wanted |= {without_formula(name) for name in asked.quantities}
    told = [claim for claim in _claims_of(one) if without_formula(claim.subject) in wanted]
    if asked.findings and asked.leads:  # what is said of other leads is no answer
        told = [claim for claim in told if set(claim.leads) & set(asked.leads)]
    return told


def _claims_of(one: Sentence) -> Sequence[TextClaim]:
    """Give what a sentence claims."""
    return [claim.claim for claim in one.claims] or extract_claims(one.text)


def _denies_others(one: Sentence, asked: Asked) -> bool:
    """Whether a sentence only denies what was not asked for, or a part of it."""
    named = set(asked.findings)
    if not named - {"NORM"}:
        return False
    claims = _claims_of(one)
    only = all(claim.kind == "finding" and claim.negated for claim in claims)
    return only and bool(claims) and named.isdisjoint(claim.subject for claim in claims)


def _of_other_leads(one: Sentence, asked: Asked) -> bool:
    """Whether a sentence gives the values of other leads than those that were asked for."""
    if not (asked.quantities and asked.leads):
        return False
    leads = {lead for claim in _claims_of(one) if claim.kind == "number" for lead in claim.leads}
    return bool(leads) and leads.isdisjoint(asked.leads)


def _there(asked: Asked, expected: str | None) -> bool:
    """Whether the right word means that what was asked for is present."""
    if expected is None:
        return False
    return not expected.startswith("No") if not asked.turned else not expected.startswith("Yes")


def _covers(one: Sentence, asked: Asked, expected: str | None = None) -> bool:
    """Whether a shipped sentence answers what was asked; where yes is right, by what is present."""
    if not one.text:
        return False
    if not asked.named:
        return bool(one.claims) or one.kind in ("value", "present", "absent", "unknown")
    told = speaks_of(one, asked)
    if _there(asked, expected):
        told = [claim for claim in told if not claim.negated]
    if asked.quantities and not (asked.findings or asked.closed or asked.about == "normal"):
        told = [claim for claim in told if claim.kind == "number" or claim.certainty == "unjudged"]
    kinds = ("present", "absent") if asked.findings else ("value",)
    return bool(told) and (bool(one.claims) or one.kind in kinds)


def left_over(spoken: Sequence[Sentence], asked: Asked, expected: str | None) -> Asked | None:
    """Give what of a question was not answered; None if all of it was."""

    def covered(part: Asked) -> bool:
        return any(_covers(one, part, expected) for one in spoken)

    if len(asked.findings) + len(asked.quantities) < 2:
        return None if covered(asked) else asked
    findings = [
        f for f in asked.findings if not covered(replace(asked, findings=(f,), quantities=()))
    ]
    quantities = [
        q for q in asked.quantities if not covered(replace(asked, findings=(), quantities=(q,)))
    ]
    if not (findings or quantities):
        return None
    whole = len(findings) == len(asked.findings) and len(quantities) == len(asked.quantities)
    closed = asked.closed and whole
    return replace(asked, findings=tuple(findings), quantities=tuple(quantities), closed=closed)
