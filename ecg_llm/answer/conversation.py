"""Hold a conversation on an ECG.

`respond` is what chat, server and app call. A language model words the answer where there is one;
without it the answer is measured sentences. Either way nothing that the record contradicts is
yielded, a question that no ECG answers is declined, and a refused tracing is not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

from ecg_llm.analysis import Analysis
from ecg_llm.answer.measured import ACUTE, expected_word, judged, measured_answer, with_acute
from ecg_llm.answer.question import CHANGED, COMPARES, Asked, in_context, pleaded, read_question
from ecg_llm.answer.spoken import plain
from ecg_llm.assistant import known_of
from ecg_llm.claims.extract import TextClaim, extract_claims
from ecg_llm.claims.measured_words import MEASURED, without_formula
from ecg_llm.compare import with_comparison
from ecg_llm.compose import build_report
from ecg_llm.ground.check import brief, check_sentence
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import judged_of, measured_claims
from ecg_llm.ground.sentence import Sentence, split
from ecg_llm.lm import is_bundled
from ecg_llm.outside import NOT_SOUGHT, topic_of
from ecg_llm.phrases import sentence
from ecg_llm.prompt import build
from ecg_llm.report import Change, Claim
from ecg_llm.vocabulary import members

if TYPE_CHECKING:
    from ecg_llm.lm import TextModel

GREETING = "Ask about the rhythm, an interval, a lead or a finding of this ECG."
"""What a greeting or thanks are answered with."""
MAX_NEW_TOKENS = 256
"""Longest answer a model may draft."""


class Turn(NamedTuple):
    """One message of a conversation; a plain ``(role, text)`` tuple serves too."""

    role: Literal["user", "assistant"]
    text: str


def respond(
    history: Sequence[tuple[str, str]],
    found: Analysis | Sequence[Analysis],
    *,
    model: TextModel | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> Iterator[Sentence]:
    """Answer the last message of a conversation, one checked sentence after the other.

    Parameters
    ----------
    history : sequence of (role, text)
        ``"user"`` and ``"assistant"`` by turns (`Turn`); the last is the user's.
    found : Analysis or sequence of Analysis
        From `ecg_llm.assistant.analyse`: of the ECG, or of an earlier ECG and the present one.
    model : TextModel, optional
        Words the answer; without it the answer is measured sentences.
    max_new_tokens : int
        Longest draft.

    Yields
    ------
    Sentence
        Show ``before + text``; a sentence that was withheld has an empty text. ``evidence`` is what
        it rests on, ``change`` what the check did to what the model wrote. They come while the
        model still writes.

    Notes
    -----
    What the user or a file says is never taken as measured: a message that asserts what the record
    contradicts is answered with the measurement. Instructions in the conversation cannot turn the
    check off, as it reads only what is about to be shown.

    Examples
    --------
    >>> from ecg_llm.assistant import analyse
    >>> from ecg_llm.io import read_record
    >>> found = analyse(read_record("examples/00001_hr.hea"))  # doctest: +SKIP
    >>> "".join(s.before + s.text for s in respond([("user", "QRS?")], found))  # doctest: +SKIP
    'QRS duration 91 ms (spread 4 ms).'
    """
    analyses = [found] if isinstance(found, Analysis) else list(found)
    present, before = analyses[-1], analyses[-2] if len(analyses) > 1 else None
    known = known_of(present, before)
    question = history[-1][1]
    if known.facts.refused is not None:
        yield from _shown(_refusals(present))
        return
    question, beyond = _without_what_is_beyond(question)
    question = plain(question)
    own = read_question(question)
    asked = with_acute(in_context(own, history), known)
    lead = " " if beyond else ""
    if beyond:
        yield Sentence(text=" ".join(beyond), before="", kind="description")
        if not own.named:
            return
    if own.about == "courtesy":
        yield Sentence(text=GREETING, before="", kind="description")
        return
    if before is not None and (COMPARES.search(question) or CHANGED.search(question)):
        yield from _shown(_comparison(asked, present, before), first=lead)
        return
    if COMPARES.search(question):
        text = "Only one ECG was given, so no change can be told; give the earlier one too."
        yield Sentence(text=text, before=lead, kind="unknown")
        if not own.named:
            return
        lead = " "
    said: set[str] = set()
    if wrong := pleaded(question, known):
        yield Sentence(text="That is not what was measured.", before=lead, kind="description")
        claims = [claim for one in wrong for claim in measured_claims(one, known)]
        yield from _shown(dict.fromkeys(claims), first=" ")
        return
    if model is None or _by_record(own, asked, known, model):
        yield from _shown(measured_answer(asked, known, present), first=lead)
        return
    expected, judges = expected_word(asked, known), False
    spoken: list[Sentence] = []
    first = lead
    try:
        for one in _drafted(history, analyses, model, known, asked, max_new_tokens, said):
            spoken.append(one)
            judges = judges or any(claim.kind == "state" for claim in _speaks_of(one, asked))
            yield one if first else replace(one, before="")
            first = " " if one.text else first
    except Exception as error:  # whatever fails in a model, a measured answer can be given
        reason = f"{model.name} failed ({type(error).__name__}: {error})"
        text = "The language model failed; this is the measured answer."
        change = Change(action="failed", reason=reason)
        yield Sentence(text=text, kind="description", change=change)
        spoken, first = [], " "
    rest = [] if judges else list(judged(asked, known))
    if (left := _left(spoken, asked, expected)) is not None:
        rest += measured_answer(left, known, present)
    yield from _shown([claim for claim in rest if claim.text not in said], first=first)


def _left(spoken: Sequence[Sentence], asked: Asked, expected: str | None) -> Asked | None:
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


def _by_record(own: Asked, asked: Asked, known: Known, model: TextModel) -> bool:
    """Whether the record tells it better than the model: reasons, places, alerts, what is open.

    The bundled model has learnt to word named findings and values, and nothing else.
    """
    told = own.about in ("why", "where", "since") or asked.proposes is not None
    told = told or (own.about in ("open", "urgent", "values") and not own.named)
    told = told or bool(set(ACUTE) & (set(asked.findings) - set(own.findings)))
    if not is_bundled(model):
        return told
    told = (
        told
        or asked.about in ("normal", "means")
        or any(q.startswith("qtc_") for q in asked.quantities)
    )
    waves = any(MEASURED[name].per_lead for name in asked.quantities)
    judged = [f for code in asked.findings for f in judged_of(code, known)]
    absent = bool(asked.findings) and all(finding.status != "present" for finding in judged)
    doubted = any(finding.status == "present" and finding.doubt for finding in judged)
    named = [q for name in asked.quantities for q in MEASURED[name].names]
    unknown = any(
        name in known.facts.values and known.facts.values[name].value is None for name in named
    )
    told = told or not asked.named or asked.leads != () or waves
    return told or unknown or absent or doubted


def _without_what_is_beyond(question: str) -> tuple[str, list[str]]:
    """Take out of a question what no ECG tells or no criterion here looks for, and say so."""
    told = []
    if (topic := topic_of(question)) is not None:
        told.append(sentence(f"an ECG does not tell this ({topic.name}): {topic.why}"))
        question = re.sub(topic.words, "this", question, flags=re.IGNORECASE)
    if (sign := NOT_SOUGHT.search(question)) is not None:
        text = f"no criterion here looks for this ({sign[0]}): it is neither found nor excluded"
        told.append(sentence(text))
        question = NOT_SOUGHT.sub("this", question)
    return question, told


def _comparison(asked: Asked, present: Analysis, before: Analysis) -> list[Claim]:
    """Tell what changed since an earlier ECG, in what was asked for."""
    now, then = (
        build_report(one.record, one.quality, one.measurements, one.findings)
        for one in (present, before)
    )
    told = list(with_comparison(now, then).sections[-1].statements)
    wanted = _wanted(asked)
    return [
        claim
        for claim in told
        if not wanted
        or any(without_formula(one.subject) in wanted for one in extract_claims(claim.text))
    ] or told


def _wanted(asked: Asked) -> set[str]:
    """Give the subjects of claims that speak of what was asked."""
    wanted = {code for name in asked.findings for code in (name, *members(name))}
    return wanted | {without_formula(name) for name in asked.quantities}


def _shown(claims: Iterable[Claim], first: str = "") -> Iterator[Sentence]:
    """Turn measured claims into sentences of an answer."""
    said: set[str] = set()
    for k, claim in enumerate(claims):
        shown = brief(claim, said)
        said.add(shown.text)
        yield Sentence.of(shown, before=" " if k else first)


def _refusals(present: Analysis) -> list[Claim]:
    """Say that a tracing is not read, and why."""
    reasons = "; ".join(present.quality.reasons) or "insufficient technical quality"
    text = sentence(f"this tracing is not interpreted, it should be recorded again: {reasons}")
    return [Claim(text=text, status="supported")]


_CONCLUDES = re.compile(r"(impression|conclusion)\b", re.IGNORECASE)
_WORD = re.compile(r"^(yes|no)\b[\s.,:;–-]*", re.IGNORECASE)


def _drafted(
    history: Sequence[tuple[str, str]],
    analyses: Sequence[Analysis],
    model: TextModel,
    known: Known,
    asked: Asked,
    max_new_tokens: int,
    said: set[str],
) -> Iterator[Sentence]:
    """Check a model's answer while it is written."""
    texts = [*(text for _, text in history[:-1]), plain(history[-1][1])]
    prompt = build(texts[-1], analyses, history=list(zip(texts[:-1:2], texts[1::2], strict=False)))
    buffer, answered = "", False
    expected = expected_word(asked, known)
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
            if word and expected and asked.closed:
                said.add(f"{expected}.")
                yield Sentence(text=f"{expected}.", before=before or " ", kind="told")
            if not rest or (asked.named and _CONCLUDES.match(rest)):
                continue
            rest = rest[0].upper() + rest[1:] if word else rest
            for one in check_sentence(rest, known, before=before or " ", strict=False, said=said):
                covers = _covers(one, asked, expected)
                if _there(asked, expected) and _speaks_of(one, asked) and not covers:
                    continue  # what is absent is true, but no answer to what is present
                if _of_other_leads(one, asked) or _denies_others(one, asked):
                    continue
                answered = answered or covers
                beside = asked.named and one.text and not _speaks_of(one, asked)
                if beside and (not answered or is_bundled(model)):
                    continue  # what else there is may be told behind the answer, not before it
                yield one


LOOP_WORDS, LOOP_TIMES = 4, 3


def _loops(text: str) -> bool:
    """Whether a sentence says the same few words over and over."""
    words = text.split()
    if len(words) < LOOP_WORDS * LOOP_TIMES:
        return False
    runs = Counter(zip(*(words[k:] for k in range(LOOP_WORDS)), strict=False))
    return max(runs.values()) >= LOOP_TIMES


def _speaks_of(one: Sentence, asked: Asked) -> list[TextClaim]:
    """Give the claims of a sentence on what was asked."""
    wanted = _wanted(asked)
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
    told = _speaks_of(one, asked)
    if _there(asked, expected):
        told = [claim for claim in told if not claim.negated]
    if asked.quantities and not (asked.findings or asked.closed or asked.about == "normal"):
        told = [claim for claim in told if claim.kind == "number" or claim.certainty == "unjudged"]
    kinds = ("present", "absent") if asked.findings else ("value",)
    return bool(told) and (bool(one.claims) or one.kind in kinds)


@dataclass
class Conversation:
    """A conversation on one ECG, or on an earlier one and the present one.

    Attributes
    ----------
    found : sequence of Analysis
        Of the ECGs, the earlier one first.
    model : TextModel or None
        Words the answers.
    history : list of Turn
        What was said.

    Examples
    --------
    >>> from ecg_llm.assistant import analyse
    >>> from ecg_llm.data_builders.synthetic import synthetic_ecg  # doctest: +SKIP
    >>> talk = Conversation([analyse(synthetic_ecg().record)])  # doctest: +SKIP
    >>> for sentence in talk.ask("What is the heart rate?"):  # doctest: +SKIP
    ...     print(sentence.before + sentence.text, end="")
    """

    found: Sequence[Analysis]
    model: TextModel | None = None
    history: list[Turn] = field(default_factory=list)

    def ask(self, question: str) -> Iterator[Sentence]:
        """Answer a question; what was shown becomes part of the history.

        Parameters
        ----------
        question : str
            Of the user.

        Yields
        ------
        Sentence
        """
        self.history.append(Turn("user", question))
        shown: list[str] = []
        for one in respond(self.history, list(self.found), model=self.model):
            if one.text:
                shown.append(one.before + one.text)
            yield one
        self.history.append(Turn("assistant", "".join(shown).strip()))
