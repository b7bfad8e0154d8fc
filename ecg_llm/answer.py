"""Answer questions on an ECG, sentence by sentence, each checked before it is shown.

`respond` is what chat, server and app call. A language model words the answer where there is one;
without it the answer is measured sentences. Either way nothing that the record contradicts is
yielded, a question that no ECG answers is declined, and a refused tracing is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

from ecg_llm.assistant import Analysis, known_of
from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.lexicon import scan
from ecg_llm.claims.measured_words import MEASURED, without_formula
from ecg_llm.compose import build_report
from ecg_llm.ground import (
    Known,
    Sentence,
    check_sentence,
    finding_says,
    lead_values,
    measured_claims,
    split,
    value_says,
)
from ecg_llm.outside import topic_of
from ecg_llm.phrases import listing, sentence
from ecg_llm.prompt import build
from ecg_llm.report import Change, Claim
from ecg_llm.vocabulary import label, members

if TYPE_CHECKING:
    from ecg_llm.lm import TextModel

MAX_NEW_TOKENS = 256
"""Longest answer a model may draft."""


class Turn(NamedTuple):
    """One message of a conversation; a plain ``(role, text)`` tuple serves too."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a question is about.

    Attributes
    ----------
    findings : tuple of str
        Codes and families it names.
    quantities : tuple of str
        Names of `ecg_llm.claims.measured_words.MEASURED`.
    leads : tuple of str
        Leads it names.
    about : str or None
        ``rhythm``, ``quality``, ``normal``, ``report`` or ``why``; None if none of these.
    closed : bool
        Whether yes or no would answer it.
    """

    findings: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    about: str | None = None
    closed: bool = False

    @property
    def named(self) -> bool:
        """Whether it names something that can be looked up."""
        return bool(self.findings or self.quantities)


_ABOUT = (
    ("why", r"\b(why|how do you know|what makes you|what speaks for|based on|which criterion)\b"),
    (
        "quality",
        r"\b(quality|nois[ey]\w*|artefacts?|artifacts?|readable|baseline (drift|wander))\b",
    ),
    ("rhythm", r"\brhythm\b"),
    ("normal", r"\b(normal|abnormal|wrong|okay|ok)\b"),
    ("report", r"\b(report|interpret|read|summar\w+|describe|findings?|show|see|conclusion)\b"),
)


_WHOLE = re.compile(r"\b(ecgs?|ekg|tracing|electrocardiogram|everything|recording|heart)\b", re.I)
_CLOSED = re.compile(
    r"(is|are|does|do|did|can|could|has|have|any|was|were|would|will)\b", re.IGNORECASE
)
_GOES_ON = re.compile(r"(and|what about|how about)\b", re.IGNORECASE)


def read_question(text: str) -> Asked:
    """Read what a question is about.

    Parameters
    ----------
    text : str
        As asked.

    Returns
    -------
    Asked

    Examples
    --------
    >>> read_question("Is there LBBB, and what is the QTc?")
    Asked(findings=('CLBBB',), quantities=('qtc',), leads=(), about=None, closed=True)
    """
    items = scan(text)
    findings = [item.data for item in items if item.kind == "finding"]
    findings += ["SR" for item in items if item.kind == "nsr"]
    quantities = [item.data for item in items if item.kind == "quantity"]
    for item in items:
        if item.kind == "state":
            quantities.append("heart_rate")
        elif item.kind == "intervals":
            quantities += ["pr", "qrs", "qtc"]
    leads = [lead for item in items if item.kind == "lead" for lead in _leads(item.data)]
    about = next((name for name, words in _ABOUT if re.search(words, text, re.I)), None)
    if not findings and not quantities and about == "normal" and _WHOLE.search(text):
        findings = ["NORM"]
    return Asked(
        findings=tuple(dict.fromkeys(findings)),
        quantities=tuple(dict.fromkeys(quantities)),
        leads=tuple(dict.fromkeys(leads)),
        about=about,
        closed=_CLOSED.match(text.strip()) is not None,
    )


def _leads(data: object) -> tuple[str, ...]:
    """Give the leads of a scanned item."""
    return (data,) if isinstance(data, str) else tuple(data[0]) if isinstance(data, tuple) else ()


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
    asked = _in_context(read_question(question), history)
    topic = topic_of(question)
    if topic is not None:
        text = sentence(f"an ECG does not tell this ({topic.name}): {topic.why}")
        yield Sentence(text=text, before="", kind="description")
        if not read_question(question).named:
            return
    if before is None and _COMPARES.search(question):
        text = "Only one ECG was given, so no change can be told; give the earlier one too."
        yield Sentence(text=text, before="", kind="unknown")
        return
    said: set[str] = set()
    pleaded = _pleaded(question, known)
    if pleaded:
        yield Sentence(text="That is not what was measured.", before="", kind="description")
        claims = [claim for one in pleaded for claim in measured_claims(one, known)]
        yield from _shown(dict.fromkeys(claims), first=" ")
        return
    if model is None:
        yield from _shown(measured_answer(asked, known, present))
        return
    covered, expected = False, expected_word(asked, known)
    try:
        for one in _drafted(history, analyses, model, known, asked, max_new_tokens, said):
            covered = covered or _covers(one, asked, expected)
            yield one
    except Exception as error:  # whatever fails in a model, a measured answer can be given
        reason = f"{model.name} failed ({type(error).__name__}: {error})"
        text = "The language model failed; this is the measured answer."
        yield Sentence(text=text, before=" ", kind="description", change=_failed(reason))
        covered = False
    if not covered:
        rest = [c for c in measured_answer(asked, known, present) if c.text not in said]
        yield from _shown(rest, first=" ")


def _failed(reason: str) -> Change:
    """Say that the model failed."""
    return Change(action="failed", reason=reason)


def _shown(claims: Iterable[Claim], first: str = "") -> Iterator[Sentence]:
    """Turn measured claims into sentences of an answer."""
    for k, claim in enumerate(claims):
        yield Sentence(
            text=claim.text,
            before=first if k == 0 else " ",
            evidence=claim.evidence,
            kind=claim.kind,
        )


def _refusals(present: Analysis) -> list[Claim]:
    """Say that a tracing is not read, and why."""
    reasons = "; ".join(present.quality.reasons) or "insufficient technical quality"
    text = sentence(f"this tracing is not interpreted, it should be recorded again: {reasons}")
    return [Claim(text=text, status="supported")]


def _in_context(asked: Asked, history: Sequence[tuple[str, str]]) -> Asked:
    """Let ``Is that normal?`` and ``Why?`` ask of what was asked before."""
    goes_on = asked.about in ("why", "normal") or _GOES_ON.match(history[-1][1].strip())
    if asked.named or not goes_on:
        return asked
    for role, text in reversed(history[:-1]):
        if role == "user":
            earlier = read_question(text)
            if earlier.named or earlier.about != asked.about:
                return replace(earlier, about=asked.about or earlier.about, closed=False)
    return asked


_ASSERTS = re.compile(
    r"\b(say|write|confirm|state|admit|agree|tell (me|them)|report|answer|call it|pretend|assume|"
    r"you are wrong|that is wrong|there is no|is normal|change)\b",
    re.IGNORECASE,
)


_TAG = re.compile(
    r",?\s*\b(is it not|isn't it|is it|isn't that so|is that (right|correct)|right|correct|yes|no|"
    r"or not|don't you (think|agree)|do you agree|agreed)\s*\?\s*$",
    re.IGNORECASE,
)
_COMPARES = re.compile(
    r"\b((what|anything|something)( has|'s)? (changed|new)|any changes?|"
    r"(compared? (it )?(to|with)|since|than|from) (the |his |her |an? )?"
    r"(last|previous|prior|earlier|old(er)?|former) (ecg|ekg|tracing|recording|one|time)|"
    r"(previous|prior|earlier|last) (ecg|ekg|tracing|recording))\b",
    re.IGNORECASE,
)


def _pleaded(question: str, known: Known) -> list[CheckedClaim]:
    """Find what a user wants said, or has confirmed, although the record contradicts it."""
    tag = _TAG.search(question)
    if tag is not None and not _CLOSED.match(question.strip()):
        question = question[: tag.start()] + "."
    elif question.strip().endswith("?") or not _ASSERTS.search(question):
        return []
    return [one for one in known.check(question) if one.status == "contradicted"]


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
        told = list(_in_leads(code, asked.leads, known)) or list(finding_says(code, known))
        if not told:
            text = sentence(f"{label(code)} was not judged")
            told = [Claim(text=text, status="unverifiable", kind="unknown")]
        out += told
    for subject in asked.quantities:
        if asked.leads and MEASURED[subject].per_lead:
            out += lead_values(subject, asked.leads, known)
        else:
            out += value_says(subject, known)
            if asked.about == "normal":
                out += _judged(subject, known)
    if out and asked.findings != ("NORM",):
        return list(dict.fromkeys(out))
    return [*out, *_overview(asked, present)]


def _judged(subject: str, known: Known) -> Iterator[Claim]:
    """Say whether a value lies within its limits."""
    for text in (
        f"The {MEASURED[subject].label} is normal",
        f"The {MEASURED[subject].label} is not normal",
    ):
        checked = known.check(f"{text}.")
        if checked and all(one.status == "supported" for one in checked):
            facts = tuple(item for one in checked for item in one.evidence)
            yield Claim(text=f"{text}.", status="supported", evidence=facts)
            return


def _overview(asked: Asked, present: Analysis) -> list[Claim]:
    """Answer a question that names nothing: quality, rhythm, reasons, or all in short."""
    report = build_report(present.record, present.quality, present.measurements, present.findings)
    sections = {part.title: part.statements for part in report.sections}
    if asked.about == "quality" and "Technical quality" in sections:
        return list(sections["Technical quality"])
    if asked.about == "rhythm" and "Rate and rhythm" in sections:
        return [c for c in sections["Rate and rhythm"] if c.kind in ("value", "present")]
    if asked.about == "why":
        facts = [c for part in report.sections for c in part.statements if c.kind == "present"]
        if facts:
            return facts[:MOST_REASONS]
    claims = {claim.text: claim for claim in report.claims}
    return [claims[text] for text in report.impression]


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
            facts = tuple(item for one in checked for item in one.evidence)
            yield Claim(text=sentence(text), status="supported", evidence=facts, kind="present")
            return


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
    texts = [text for _, text in history]
    prompt = build(texts[-1], analyses, history=list(zip(texts[:-1:2], texts[1::2], strict=False)))
    buffer, shown = "", False
    expected = expected_word(asked, known)
    for piece in chain(model.stream(prompt, max_new_tokens=max_new_tokens), (None,)):
        buffer += piece or ""
        parts = list(split(buffer))
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
            if word and expected:
                said.add(f"{expected}.")
                yield Sentence(text=f"{expected}.", before=before if shown else "", kind="told")
                shown = True
            if not rest:
                continue
            rest = rest[0].upper() + rest[1:] if word else rest
            for one in check_sentence(rest, known, before=before or " ", strict=False, said=said):
                if (
                    expected == "Yes"
                    and _speaks_of(one, asked)
                    and not _covers(one, asked, expected)
                ):
                    continue  # what is absent is true, but no answer to what is present
                yield one if shown else _first(one)
                shown = shown or bool(one.text)


def _first(one: Sentence) -> Sentence:
    """Begin an answer without white space."""
    return replace(one, before="")


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
        return "Yes"
    return "No" if states == {"absent"} else None


def _speaks_of(one: Sentence, asked: Asked) -> list[CheckedClaim]:
    """Give the claims of a sentence on what was asked."""
    wanted = {code for name in asked.findings for code in (name, *members(name))}
    wanted |= {without_formula(name) for name in asked.quantities}
    return [claim for claim in one.claims if without_formula(claim.claim.subject) in wanted]


def _covers(one: Sentence, asked: Asked, expected: str | None = None) -> bool:
    """Whether a shipped sentence answers what was asked; where yes is right, by what is present."""
    if not one.text:
        return False
    if not asked.named:
        return bool(one.claims) or one.kind in ("value", "present", "absent", "unknown")
    told = _speaks_of(one, asked)
    if expected == "Yes":
        told = [claim for claim in told if not claim.claim.negated]
    kinds = ("present", "absent") if asked.findings else ("value",)
    return bool(told) or (not one.claims and one.kind in kinds)


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
