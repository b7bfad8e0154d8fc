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
from ecg_llm.answer.overview import alerts, report_of
from ecg_llm.answer.question import ASKS_FOR, CLOSED, TAG, Asked, in_context, read_question
from ecg_llm.answer.several import COMPARES, of_several
from ecg_llm.answer.spoken import plain
from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.compose import refusal
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
ONE_ECG = "Only one ECG was given, so no change can be told; give the earlier one too."
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
    if known.facts.refused is not None:
        yield from _shown([refusal(present.quality)])
        return
    question, beyond = _without_what_is_beyond(history[-1][1])
    question = plain(question)
    own = read_question(question)
    asked = in_context(own, history)
    asked = replace(asked, closed=False) if beyond else asked  # half a question has no yes or no
    told, whole = _without_model(question, beyond, own, asked, known, analyses)
    if asked.sex is not None:  # whose limits are asked for
        facts, record = replace(known.facts, sex=asked.sex), replace(known.record, sex=asked.sex)
        known = replace(known, facts=facts, record=record)
    asked = with_acute(asked, known)
    if not whole and (model is None or _by_record(own, asked, known, model)):
        told, whole = [*told, *measured_answer(asked, known)], True
    yield from _shown(told)
    if model is not None and not whole:
        first = " " if told else ""
        yield from _worded(history, analyses, model, known, asked, max_new_tokens, first)


def _without_model(
    question: str,
    beyond: str,
    own: Asked,
    asked: Asked,
    known: Known,
    analyses: Sequence[Analysis],
) -> tuple[list[Claim], bool]:
    """Tell what no model is asked for, and whether that is the whole answer."""
    told = [_remark(beyond)] if beyond else []
    only_ok = own.findings == ("NORM",) and "normal" not in question
    if beyond and (not own.named or only_ok):  # "is this drug ok with this ECG?"
        return [*told, *alerts(report_of(analyses[-1]))], True
    if own.about == "courtesy":
        return [*told, _remark(GREETING)], True
    if len(analyses) > 1 and (several := of_several(question, asked, analyses)) is not None:
        return [*told, *several], True
    two = len(own.leads) > 1 or len(own.quantities) > 1  # which one ECG compares
    if COMPARES.search(question) and not two:
        told.append(Claim.unknown(ONE_ECG))
        if not own.named:
            return told, True
    if wrong := _pleaded(question, known):
        whole = any(one.claim.subject == "NORM" for one in wrong)
        claims = [] if whole else [c for one in wrong for c in measured_claims(one, known)]
        claims = claims or measured_answer(with_acute(asked, known), known)
        return [*told, _remark("That is not what was measured."), *dict.fromkeys(claims)], True
    return told, False


_ASSERTS = re.compile(
    r"\b(say|write|confirm|state|admit|agree|tell (me|them)|report|answer|call it|pretend|assume|"
    r"you are wrong|that is wrong|there is no|is normal|change)\b",
    re.IGNORECASE,
)


def _pleaded(question: str, known: Known) -> list[CheckedClaim]:
    """Find what a user wants said, or has confirmed, although the record contradicts it."""
    tag = TAG.search(question)
    if tag is not None and not CLOSED.match(question.strip()):
        question = question[: tag.start()] + "."
    elif (
        question.strip().endswith("?")
        or ASKS_FOR.match(question.strip())
        or not _ASSERTS.search(question)
    ):
        return []
    return [one for one in known.check(question) if one.status == "contradicted"]


def _worded(
    history: Sequence[tuple[str, str]],
    analyses: Sequence[Analysis],
    model: TextModel,
    known: Known,
    asked: Asked,
    max_new_tokens: int,
    first: str,
) -> Iterator[Sentence]:
    """Let a model word the answer, and add from the record what it leaves out."""
    expected, judges = expected_word(asked, known), False
    spoken: list[Sentence] = []
    answered: list[Sentence] = []
    try:
        for one in drafted(history, analyses, model, known, asked, expected, max_new_tokens):
            spoken.append(one)
            judges = judges or any(claim.kind == "state" for claim in speaks_of(one, asked))
            yield one if first else replace(one, before="")
            first = " " if one.text else first
        answered = spoken
    except Exception as error:  # whatever fails in a model, a measured answer can be given
        reason = f"{model.name} failed ({type(error).__name__}: {error})"
        text = "The language model failed; this is the measured answer."
        change = Change(action="failed", reason=reason)
        yield Sentence(text=text, kind="description", change=change)
        first = " "
    rest = [] if judges else list(judged(asked, known))
    if (left := left_over(answered, asked, expected)) is not None:
        rest += measured_answer(left, known)
    told = {one.text for one in spoken}  # of what was checked, not all was shown
    yield from _shown([claim for claim in rest if claim.text not in told], first=first)


def _by_record(own: Asked, asked: Asked, known: Known, model: TextModel) -> bool:
    """Whether the record tells it better than the model: reasons, places, alerts, what is open."""
    acute = not set(ACUTE).isdisjoint(set(asked.findings) - set(own.findings))
    whole = own.about in ("open", "urgent", "values") and not own.named
    told = own.about in ("why", "sure", "where", "since", "urgent", "size", "method", "recording")
    if told or asked.proposes or asked.moment or whole or acute:
        return True
    unread = bool(own.findings) and not own.read
    return is_bundled(model) and (unread or not (own.named and _has_learnt(asked, known)))


def _has_learnt(asked: Asked, known: Known) -> bool:
    """Whether the bundled model words this well: one finding that is there, or measured values."""
    odd = asked.leads or asked.turned or asked.rhythm or asked.end or len(asked.findings) > 1
    if odd or asked.about in ("normal", "means"):
        return False
    found = [finding for code in asked.findings for finding in judged_of(code, known)]
    present = [finding for finding in found if finding.status == "present"]
    if asked.findings and (len(present) != 1 or present[0].doubt):
        return False
    values = known.facts.values
    words = [MEASURED[name] for name in asked.quantities]
    named = [values[name] for word in words for name in word.names if name in values]
    whole = bool(values) and all(quantity.known for quantity in named)
    by_formula = any(name.startswith("qtc_") for name in asked.quantities)
    return not words or (whole and not by_formula and not any(word.per_lead for word in words))


def _remark(text: str) -> Claim:
    """Say something that rests on no measurement."""
    return Claim.of(text)


def _without_what_is_beyond(question: str) -> tuple[str, str]:
    """Take out of a question what no ECG tells or no criterion here looks for, and say so."""
    told = []
    if (topic := topic_of(question)) is not None:
        told.append(sentence(f"an ECG does not tell this ({topic.name}): {topic.why}"))
        question = re.sub(topic.words, "this", question, flags=re.IGNORECASE)
    if (sign := NOT_SOUGHT.search(question)) is not None:
        text = f"no criterion here looks for this ({sign[0]}): it is neither found nor excluded"
        told.append(sentence(text))
        question = NOT_SOUGHT.sub("this", question)
    return question, " ".join(told)


def _shown(claims: Iterable[Claim], first: str = "") -> Iterator[Sentence]:
    """Turn measured claims into sentences of an answer."""
    said: set[str] = set()
    for k, claim in enumerate(claims):
        shown = brief(claim, said)
        said.add(shown.text)
        yield Sentence.of(shown, before=" " if k else first)


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
