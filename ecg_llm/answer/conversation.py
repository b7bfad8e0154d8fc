"""Hold a conversation on an ECG.

`respond` is what chat, server and app call. A language model words the answer where there is one;
without it the answer is measured sentences. Either way nothing that the record contradicts is
yielded, a question that no ECG answers is declined, and a refused tracing is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from ecg_llm.analysis import Analysis
from ecg_llm.answer.drafted import drafted, left_over, speaks_of
from ecg_llm.answer.limits import judged
from ecg_llm.answer.measured import expected_word, measured_answer, with_acute
from ecg_llm.answer.pleas import COMPARES, pleaded
from ecg_llm.answer.question import Asked, in_context, read_question
from ecg_llm.answer.several import of_several
from ecg_llm.answer.spoken import plain
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.ground.check import brief
from ecg_llm.ground.known import Known, known_of
from ecg_llm.ground.says import judged_of, measured_claims
from ecg_llm.ground.sentence import Sentence
from ecg_llm.lm import is_bundled
from ecg_llm.outside import NOT_SOUGHT, topic_of
from ecg_llm.phrases import sentence
from ecg_llm.report import Change, Claim
from ecg_llm.vocabulary import ACUTE

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
    asked = in_context(own, history)
    lead = " " if beyond else ""
    if beyond:
        yield Sentence(text=" ".join(beyond), before="", kind="description")
        only_ok = own.findings == ("NORM",) and "normal" not in question
        if not own.named or only_ok:  # "is this drug ok with this ECG?"
            return
    if own.about == "courtesy":
        yield Sentence(text=GREETING, before="", kind="description")
        return
    several = None if before is None else of_several(question, asked, analyses)
    if several is not None:
        yield from _shown(several, first=lead)
        return
    asked = with_acute(asked, known)
    if COMPARES.search(question) and len(own.leads) < 2:  # two leads are compared in one ECG
        text = "Only one ECG was given, so no change can be told; give the earlier one too."
        yield Sentence(text=text, before=lead, kind="unknown")
        if not own.named:
            return
        lead = " "
    said: set[str] = set()
    if wrong := pleaded(question, known):
        yield Sentence(text="That is not what was measured.", before=lead, kind="description")
        whole = any(one.claim.subject == "NORM" for one in wrong)
        claims = [] if whole else [c for one in wrong for c in measured_claims(one, known)]
        claims = claims or measured_answer(asked, known, present)
        yield from _shown(dict.fromkeys(claims), first=" ")
        return
    if model is None or _by_record(own, asked, known, model):
        yield from _shown(measured_answer(asked, known, present), first=lead)
        return
    expected, judges = expected_word(asked, known), False
    spoken: list[Sentence] = []
    first, failed = lead, False
    try:
        for one in drafted(history, analyses, model, known, asked, max_new_tokens, said):
            spoken.append(one)
            judges = judges or any(claim.kind == "state" for claim in speaks_of(one, asked))
            yield one if first else replace(one, before="")
            first = " " if one.text else first
    except Exception as error:  # whatever fails in a model, a measured answer can be given
        reason = f"{model.name} failed ({type(error).__name__}: {error})"
        text = "The language model failed; this is the measured answer."
        change = Change(action="failed", reason=reason)
        yield Sentence(text=text, kind="description", change=change)
        first = " "
        failed = True
    rest = [] if judges else list(judged(asked, known))
    if (left := left_over([] if failed else spoken, asked, expected)) is not None:
        rest += measured_answer(left, known, present)
    told = {one.text for one in spoken}  # of what was checked, not all was shown
    yield from _shown([claim for claim in rest if claim.text not in told], first=first)


def _by_record(own: Asked, asked: Asked, known: Known, model: TextModel) -> bool:
    """Whether the record tells it better than the model: reasons, places, alerts, what is open.

    The bundled model has learnt to word named findings and values, and nothing else.
    """
    told = own.about in ("why", "sure", "where", "since") or asked.proposes is not None
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
        not known.facts.values
        or (name in known.facts.values and known.facts.values[name].value is None)
        for name in named
    )
    told = told or not own.named or asked.leads != () or waves or len(asked.findings) > 1
    return told or unknown or absent or doubted or asked.turned or asked.rhythm or bool(asked.end)


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
