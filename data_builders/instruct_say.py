"""Sentences on the facts of one ECG, each with what it states, drawn from many forms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecg_llm.claims.check import check_text
from ecg_llm.claims.measured_words import BY_SEX_QTC, LIMITS
from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.data_builders.instruct_facts import failing, fulfils, telling, widened
from ecg_llm.data_builders.instruct_words import (
    Voice,
    capital,
    is_plural,
    names,
    with_article,
)
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.phrases import brief_reason, listing, tidy

TRIES = 6
"""Forms tried before a sentence that the check does not bear out is left unsaid."""


@dataclass(frozen=True)
class Point:
    """One sentence with what it states.

    Attributes
    ----------
    code : str
        Finding code, or name of the value.
    decision : {"present", "absent", "unknown", "measured"}
        What is said of it.
    text : str
        The sentence.
    evidence : tuple of Evidence
        The facts that the sentence names.
    """

    code: str
    decision: str
    text: str
    evidence: tuple[Evidence, ...] = ()


VALUE_NAMES = {
    "heart_rate_bpm": ("heart rate", "ventricular rate", "rate"),
    "rr_ms": ("mean RR interval", "RR interval", "mean RR"),
    "pr_ms": ("PR interval", "PR", "PQ interval", "PR duration", "P-R interval"),
    "qrs_ms": ("QRS duration", "QRS", "QRS width", "QRS complex"),
    "qt_ms": ("QT interval", "QT", "uncorrected QT"),
    "qtc_fridericia_ms": (
        "QTc (Fridericia)",
        "QTcF",
        "Fridericia-corrected QT interval",
        "QTc by Fridericia",
        "QTc",
        "corrected QT interval",
    ),
    "qtc_bazett_ms": ("QTc (Bazett)", "QTcB", "Bazett-corrected QT interval", "QTc by Bazett"),
    "qrs_axis_deg": ("QRS axis", "frontal axis", "electrical axis", "mean QRS axis", "axis"),
    "p_axis_deg": ("P axis", "P-wave axis"),
    "t_axis_deg": ("T axis", "T-wave axis"),
    "p_ms": ("P duration", "P-wave duration", "P wave duration", "duration of the P wave"),
}
"""How values are called; the first is the plainest."""
_BASE = {"heart_rate_bpm": "heart_rate", "pr_ms": "pr", "qrs_ms": "qrs", "qrs_axis_deg": "qrs_axis"}
_STATES = {
    ("pr", "high"): ("prolonged", "long", "above the normal range"),
    ("pr", "low"): ("short", "below the normal range"),
    ("qrs", "high"): ("wide", "broad", "prolonged", "above the normal range"),
    ("qtc", "high"): ("prolonged", "long", "above the normal range"),
    ("qtc", "low"): ("short", "below the normal range"),
    ("heart_rate", "high"): ("fast", "high", "above the normal range"),
    ("heart_rate", "low"): ("slow", "low", "below the normal range"),
}
_SINUS = ("SR", "STACH", "SBRAD", "SARRH")
_NORMAL = ("normal", "within normal limits", "within the normal range", "unremarkable")


class Teller:
    """Says the facts of one ECG in one voice; what the check does not bear out is left unsaid.

    Parameters
    ----------
    case : ECGCase
        The record.
    voice : Voice
        The style.
    """

    def __init__(self, case: ECGCase, voice: Voice) -> None:
        self.case = case
        self.voice = voice
        self.unsaid = 0

    def pick(self, *patterns: str, **fields: str) -> str:
        """Draw a form."""
        return self.voice.pick(*patterns, **fields)

    def name(self, code: str) -> str:
        """Draw a name of a finding."""
        return self.voice.rng.choice(names(code))

    def holds(self, text: str) -> bool:
        """Whether all that a text claims is supported."""
        return all(c.status == "supported" for c in check_text(text, facts=self.case.facts))

    def state(self, name: str) -> str | None:
        """Judge a value: normal, high, low; None where no limit is set."""
        value = self.case.value(name)
        base = "qtc" if name.startswith("qtc") else _BASE.get(name, "")
        if value is None or base not in LIMITS:
            return None
        low, high = LIMITS[base]
        if name == "qrs_ms" and high is not None and value <= high and widened(self.case):
            return None
        if base == "qtc":
            high = BY_SEX_QTC.get(self.case.sex or "", max(BY_SEX_QTC.values()))
        if high is not None and value > high:
            return "high"
        return "low" if low is not None and value < low else "normal"

    def judged(self, name: str) -> str:
        """Draw a word for the state of a value; empty where there is none."""
        state = self.state(name)
        if state is None or (name == "qrs_axis_deg" and state != "normal"):
            return ""
        base = "qtc" if name.startswith("qtc") else _BASE[name]
        choices = _NORMAL if state == "normal" else _STATES.get((base, state), ())
        return self.voice.rng.choice(choices) if choices else ""

    def value(self, name: str, *, judge: bool | None = None) -> Point | None:
        """Say one value; None if it is unknown or no form of it passes the check."""
        quantity = self.case.values.get(name)
        if quantity is None or quantity.value is None:
            return None
        for _ in range(TRIES):
            called = self.voice.rng.choice(VALUE_NAMES[name])
            shown = self.voice.amount(quantity.value, quantity.unit)
            say = judge if judge is not None else self.voice.rng.random() < 0.5
            word = self.judged(name) if say else ""
            text = self.pick(*self._value_forms(word), n=called, v=shown, w=word)
            fact = Evidence(
                lead=None,
                from_s=None,
                to_s=None,
                quantity=VALUE_NAMES[name][0],
                value=round(quantity.value, 1),
                unit=quantity.unit,
                criterion="",
                source="",
            )
            if self.holds(text := self._finished(text)):
                return Point(name, "measured", text, (fact,))
        self.unsaid += 1
        return None

    def _value_forms(self, word: str) -> tuple[str, ...]:
        if self.voice.style == "terse":
            return (
                ("{n} {v} ({w})", "{n}: {v}, {w}") if word else ("{n} {v}", "{n}: {v}", "{n} = {v}")
            )
        if word:
            return (
                "The {n} [is|was measured as] {v}, which is {w}",
                "The {n} is {w} at {v}",
                "The {n} is {w} ({v})",
                "At {v}, the {n} is {w}",
                "{n} {v}, {w}",
                "[With|At] {v} the {n} is {w}",
                "The {n} [measures|is] {v} and is {w}",
            )
        return (
            "The {n} [is|measures|was measured as|comes to|averages] {v}",
            "{n} [is|=|of|measures] {v}",
            "[We measure|I measure|One measures] a {n} of {v}",
            "[There is|One finds] a {n} of {v}",
            "A {n} of {v} [was measured|is found]",
            "{n}: {v}",
            "Measured {n}: {v}",
        )

    def _finished(self, text: str) -> str:
        text = capital(articled(text.strip()))
        return text if text[-1] in ".!?" else text + "."

    def unmeasured(self, name: str) -> Point | None:
        """Say that a value is unknown, and why."""
        quantity = self.case.values.get(name)
        if quantity is None or quantity.value is not None:
            return None
        text = self.pick(
            "The {n} [cannot be measured|could not be measured|cannot be given]: {r}",
            "{n} [cannot be measured|not measurable|unknown] ({r})",
            "The {n} was not measured: {r}",
            n=VALUE_NAMES[name][0],
            r=brief_reason(quantity.reason),
        )
        return self._kept(Point(name, "unknown", self._finished(text)))

    def _kept(self, point: Point) -> Point | None:
        """Keep a sentence that the check bears out."""
        if self.holds(point.text):
            return point
        self.unsaid += 1
        return None

    def present(self, finding: Finding, *, facts: int = 2) -> Point | None:
        """Say a present finding with the facts it rests on."""
        for k in range(TRIES):
            chosen = telling(finding, 0 if k > TRIES - 2 else facts)
            name = self.name(finding.code)
            shown = [self.fact(item) for item in chosen]
            if facts and k < TRIES - 2:
                shown = [*self._seen(finding.code), *shown]
            text = self._present_text(name, shown)
            if self.holds(text):
                return Point(finding.code, "present", text, tuple(chosen))
        self.unsaid += 1
        return None

    def _seen(self, code: str) -> list[str]:
        """Say what the eye sees of a rhythm, besides numbers."""
        if code in _SINUS and self.voice.rng.random() < 0.7:
            return [self.pick("P waves before the QRS[| complexes]", "P waves ahead of the QRS")]
        if code == "AFIB":
            return [self.pick("no P waves", "no P waves; irregular rhythm", "no visible P waves")]
        return []

    def _present_text(self, name: str, facts: Sequence[str]) -> str:
        article, verb = with_article(name), "are" if is_plural(name) else "is"
        f = "; ".join(facts)
        forms: tuple[str, ...]
        if self.voice.style == "terse":
            forms = ("{n}: {f}", "{n} ({f})", "{f} - {n}") if facts else ("{n}",)
        elif facts:
            forms = (
                "There {is} {a}: {f}",
                "There {is} {a} ({f})",
                "{n} {is} present ({f})",
                "The [tracing|ECG|recording] shows {a}: {f}",
                "The [tracing|ECG|recording] shows {a} ({f})",
                "{f}: {n}",
                "{f}, so {n} {is} [present|diagnosed]",
                "{f}; this [is|means|amounts to] {n}",
                "{a} {is} [found|seen|noted]: {f}",
                "[I find|We find|One finds] {a} ({f})",
                "{n}, as shown by [the following|this]: {f}",
                "With {f}, {n} {is} present",
            )
        else:
            forms = (
                "There {is} {a}",
                "{n} {is} [present|seen|found|noted]",
                "The [tracing|ECG|recording] shows {a}",
                "{a} [can be seen|{is} there]",
                "[I find|We find|One finds|One sees] {a}",
                "This [tracing|ECG|recording] [shows|has] {a}",
                "{n}",
                "Present: {n}",
            )
        return self._finished(self.pick(*forms, n=name, a=article, f=f, **{"is": verb}))

    def fact(self, item: Evidence, *, met: bool = True) -> str:
        """Say one measured fact with its lead and its rule."""
        if item.unit.startswith("of ") and isinstance(item.value, int | float):
            beats = "beat" if item.value == 1 else "beats"
            return f"{item.quantity}, {item.value:g} {beats} in {item.unit[3:]}"
        rule = tidy(item.criterion).replace("−", self.voice.minus)
        denied = rule.startswith("not ")
        quantity = re.sub(r"\s+", " ", item.quantity)
        shown = (
            item.value
            if isinstance(item.value, str)
            else self.voice.amount(float(item.value or 0.0), item.unit, item.criterion)
        )
        named = item.lead is None or re.search(rf"\b{item.lead}\b", quantity)
        where = "" if named else f" in {item.lead}"
        if denied or not rule or fulfils(item) is None:
            return f"{quantity} {shown}{where}"
        if not met:
            return self.pick(
                "{q} {v}{w} (criterion {r} not met)",
                "{q} {v}{w}, criterion {r} not met",
                "{q} only {v}{w} (criterion {r})",
                "{q} {v}{w} where {r} is required",
                "{q} of {v}{w} (required {r})",
                q=quantity,
                v=str(shown),
                w=where,
                r=rule,
            )
        return self.pick(
            "{q} {v}{w} ({r})",
            "{q}{w} {v} ({r})",
            "{q} of {v}{w} (criterion {r})",
            "{q} {v}{w}, criterion {r}",
            "{q} {v}{w} [with|for] a limit of {r}",
            q=quantity,
            v=str(shown),
            w=where,
            r=rule,
        )

    def absent(self, codes: Sequence[str], *, facts: bool = False) -> Point | None:
        """Deny one or several findings that are absent."""
        kept = [code for code in codes if self.case.holds(code) == "absent"]
        if not kept:
            return None
        finding = self.case.facts.findings.get(kept[0])
        for k in range(TRIES):
            called = [self.name(code) for code in kept]
            chosen = failing(finding) if facts and finding and k < TRIES - 2 else []
            shown = "; ".join(self.fact(item, met=False) for item in chosen)
            text = self._absent_text(called, shown)
            if self.holds(text):
                return Point(kept[0], "absent", text, tuple(chosen))
        self.unsaid += 1
        return None

    def _absent_text(self, called: Sequence[str], shown: str) -> str:
        n, verb = listing(list(called), "or"), "are" if is_plural(called[-1]) else "is"
        forms: tuple[str, ...]
        if shown:
            forms = (
                "{f}: no {n}",
                "{f}, so there {is} no {n}",
                "There {is} no {n}: {f}",
                "No {n} ({f})",
                "The [ECG|tracing] shows no {n}: {f}",
                "{f}; {n} {is} [absent|not present]",
            )
        elif len(called) > 1:
            forms = (
                "No {n}",
                "There is no {n}",
                "The [tracing|ECG] shows no {n}",
                "No [evidence|sign] of {n}",
                "[I find|We find|One sees] no {n}",
            )
        elif self.voice.style == "terse":
            forms = ("No {n}", "No [evidence|sign] of {n}", "{n}: absent", "{n} not present")
        else:
            forms = (
                "There {is} no {n}",
                "No {n}",
                "No {n} {is} [seen|found|present|noted]",
                "{n} {is} [absent|not present|not seen|not found]",
                "The [tracing|ECG|recording] shows no {n}",
                "[I see|I find|We find|One finds] no {n}",
                "There is no [evidence|sign] of {n}",
                "The [tracing|ECG] is free of {n}",
            )
        return self._finished(self.pick(*forms, n=n, f=shown, **{"is": verb}))

    def unknown(self, finding: Finding) -> Point | None:
        """Say that a finding cannot be judged, and why."""
        for _ in range(TRIES):
            name = self.name(finding.code)
            text = self.pick(
                "{n} [cannot be judged|cannot be assessed|could not be judged]: {r}",
                "{n} cannot be [judged|assessed] ({r})",
                "[Not judged|Not assessed]: {n} ({r})",
                "{n}: not [judged|assessable] ({r})",
                n=name,
                r=brief_reason(finding.reason),
            )
            text = self._finished(text)
            if self.holds(text):
                return Point(finding.code, "unknown", text)
        self.unsaid += 1
        return None

    def refusal(self) -> str:
        """Say that the tracing cannot be read, and why."""
        reasons = "; ".join(self.case.reasons) or "the technical quality is too poor"
        return self.pick(
            "[I will not|I cannot] interpret this tracing: {r}. [Please record|Record] it again.",
            "This recording [cannot be interpreted|is not interpretable] ({r}). It should be "
            "[recorded again|repeated] before anything is read from it.",
            "No [statement|answer] can be given: the tracing was refused for its technical quality "
            "({r}). A new recording is needed.",
            "The quality check refuses this tracing: {r}. I therefore [state|report] no "
            "value and no "
            "finding; [please repeat the recording|a new tracing is needed].",
            "Not interpreted. Reason: {r}. [Repeat the recording|A repeat recording is needed].",
            r=reasons,
        )

    def quality(self) -> Point:
        """Say what the tracing is worth."""
        unusable = self.case.facts.unusable
        if not unusable:
            text = self.pick(
                "The [tracing|recording] [can be interpreted|is of good technical quality]; all "
                f"[{len(self.case.facts.leads)} leads|leads] [can be read|are usable]",
                "Technical quality: all leads [usable|readable]",
                "[Good|Sufficient] technical quality, no lead left out",
                "All leads can be read",
                "The quality [allows interpretation|is sufficient]",
            )
        else:
            left = [f"{lead} ({reason})" for lead, reason in unusable.items()]
            text = self.pick(
                "The tracing can be interpreted with limits; not read: {x}",
                "Left out for their quality: {x}; the other leads can be read",
                "Lead{s} {x} cannot be used; the rest is readable",
                x=listing(left),
                s="s" if len(left) > 1 else "",
            )
        fact = Evidence(
            lead=None,
            from_s=None,
            to_s=None,
            quantity="usable leads",
            value=", ".join(unusable) if unusable else "all",
            unit="",
            criterion="leads that may be read",
            source="",
        )
        return Point("quality", "measured", self._finished(text), (fact,))


def articled(text: str) -> str:
    """Put ``an`` where a vowel is heard.

    Examples
    --------
    >>> articled("a axis, a uncorrected QT, a ST-T shape, a QRS")
    'an axis, an uncorrected QT, an ST-T shape, a QRS'
    """
    heard = r"(?!STEMI)(?=[aeioAEIO]|un(?!i)|[FHLMNRSX](?:[A-Z]|-|\b)|8|11|18)"
    return re.sub(rf"\b([Aa]) {heard}", r"\1n ", text)


def joined(points: Iterable[Point | None]) -> list[Point]:
    """Keep the points that could be said."""
    return [point for point in points if point is not None]
