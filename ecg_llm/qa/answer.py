"""Answer questions in the form of ECG-QA from what was measured, found and seen as noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ecg_llm.analysis import Analysis
from ecg_llm.errors import ConfigError
from ecg_llm.findings.finding import Evidence
from ecg_llm.ground.known import Known, known_of
from ecg_llm.ground.says import finding_says, value_says
from ecg_llm.noise import Noise, measure_noise, noise_model
from ecg_llm.phrases import amount, measured, sentence
from ecg_llm.qa.question import (
    AXES,
    CATEGORIES,
    NOISES,
    PLACES,
    STAGES,
    STATEMENTS,
    QAQuestion,
    is_understood,
    read_qa,
)
from ecg_llm.report import Claim
from ecg_llm.vocabulary import canonical_code, label, members

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

RANGES: dict[str, tuple[str, float, float]] = {
    "rr interval": ("rr_ms", 600.0, 980.0),
    "p duration": ("p_global_ms", 0.0, 114.0),
    "pr interval": ("pr_ms", 120.0, 200.0),
    "qrs duration": ("qrs_global_ms", 85.0, 98.0),
    "qt interval": ("qt_global_ms", 350.0, 415.0),
    "qt corrected": ("qtc_bazett_ms", 350.0, 420.0),
}
"""Value and limits in ms that agree best with ECG-QA's answers on folds 1 to 8: they are ECG-QA's
and not those of the report."""
LEFT_DEG, RIGHT_DEG = -10.0, 88.0
"""Axes beyond which PTB-XL's annotators call the axis deviated, from folds 1 to 8."""
_CODES: dict[str, tuple[str, ...]] = {
    **{term: (code,) for term, code in STATEMENTS.items()},
    "supraventricular extrasystoles": ("PAC",),
    "ventricular extrasystoles": ("PVC",),
    "extrasystoles": ("PVC", "PAC"),
    "conduction disturbance": (
        *("CLBBB", "CRBBB", "ILBBB", "IRBBB", "IVCD", "LAFB", "LPFB"),
        *("1AVB", "2AVB", "3AVB", "WPW"),
    ),
    "hypertrophy": ("LVH", "RVH", "SEHYP", "LAO/LAE", "RAO/RAE"),
    "myocardial infarction": (*members("mi"), *members("injury")),
    "st/t change": ("NDT", "NST_", "DIG", "LNGQT", *members("ISC_"), "ANEUR", "EL"),
}
"""Codes any of which makes a term true."""
_SIGNS = ("INVT", "STE_", "STD_", "QWAVE", "LOWT", "NST_", "NT_", "NDT", "TAB_")
"""Statements that single leads show."""


@dataclass(frozen=True, kw_only=True)
class QAAnswer:
    """An answer with what it rests on.

    Attributes
    ----------
    answer : tuple of str
        In the vocabulary of ECG-QA.
    text : str
        In a sentence or two.
    evidence : tuple of Evidence
        What it rests on.
    probability : float or None
        Of the first answer, where a model gave one.
    """

    answer: tuple[str, ...]
    text: str
    evidence: tuple[Evidence, ...] = ()
    probability: float | None = None


@dataclass(frozen=True, eq=False)
class QARecord:
    """One ECG, ready to be asked about.

    Attributes
    ----------
    known : Known
        What was measured and found.
    noise : Noise
        How noisy its leads are.
    """

    known: Known
    noise: Noise

    @classmethod
    def of(cls, found: Analysis) -> QARecord:
        """Prepare an analysed record."""
        return cls(known=known_of(found), noise=measure_noise(found.record))

    @classmethod
    def read(cls, record: ECGRecord) -> QARecord:
        """Analyse and prepare a record, also one that the quality gate would refuse."""
        from ecg_llm.analysis import analyse

        return cls.of(analyse(record))

    def has(self, term: str) -> bool:
        """Tell whether a statement of the vocabulary is present."""
        if term in AXES:
            return term == self.axis
        if term in STAGES:
            return term == self.stage
        return any(self._present(code) for code in _CODES[term])

    def _present(self, code: str) -> bool:
        exact = self.known.facts.findings.get(canonical_code(code))
        if exact is not None and exact.status == "present":
            return True
        wide = code in ("PVC", "ISC_", "QWAVE", "NT_", "TAB_", "2AVB", "STD_")
        found = (self.known.facts.findings.get(one) for one in members(code)) if wide else ()
        return any(finding is not None and finding.status == "present" for finding in found)

    @cached_property
    def axis(self) -> str | None:
        """Where the axis points, in ECG-QA's words."""
        angle = self.known.facts.value("qrs_axis_deg").value
        if angle is None:
            return None
        if angle < -90 or angle > 180:
            return "extreme axis deviation"
        if angle < LEFT_DEG:
            return "left axis deviation"
        return "right axis deviation" if angle > RIGHT_DEG else "normal heart axis"

    @cached_property
    def stage(self) -> str | None:
        """Stage of an infarction: one tracing tells early ones only, by ST elevation."""
        if self._present("stemi"):
            return STAGES[0]
        return STAGES[3] if any(self._present(code) for code in members("mi")) else None

    def place(self, feature: str) -> str | None:
        """Tell where a value lies: below, within or above ECG-QA's normal range."""
        name, low, high = RANGES[feature]
        value = self.known.facts.value(name).value
        if value is None:
            return None
        return PLACES[0] if value < low else PLACES[2] if value > high else PLACES[1]

    def noisy(self, kind: str, lead: str | None) -> tuple[bool, float]:
        """Tell whether a kind of noise is there, with its probability."""
        model = noise_model()
        if lead is not None and lead not in self.noise.names:
            return False, 0.0
        p = model.probability(self.noise, kind, lead)
        return p >= model.limit(kind), p


def answer_qa(question: str, records: Sequence[QARecord]) -> QAAnswer:
    """Answer a question in the form of ECG-QA.

    ``question``: a template or a paraphrase. ``records``: one ECG, or two: the first and the
    second.

    Raises
    ------
    ConfigError
        For more than two ECGs, or none, or if the question asks for nothing in the vocabulary.
    """
    if not 1 <= len(records) <= 2:
        raise ConfigError(f"a question is about one ECG or two, got {len(records)}: {question!r}")
    if not is_understood(question):
        raise ConfigError(
            f"{question!r} asks for nothing in the vocabulary of ECG-QA; ask it of a record, as "
            "ecgllm ask FILE QUESTION."
        )
    asked = read_qa(question, len(records))
    if len(records) == 2:
        return _changes(asked, records[0], records[1])
    if asked.about == "noise":
        return _noise(asked, records[0])
    if asked.about == "numeric":
        return _numeric(asked, records[0])
    return _statements(asked, records[0])


def _chosen(asked: QAQuestion, kept: Iterable[str]) -> tuple[str, ...]:
    """Give what holds, or whether anything does, in the form that is asked for."""
    found = tuple(kept)
    if asked.form == "verify":
        return ("yes" if found else "no",)
    return found or ("none",)


def _noise(asked: QAQuestion, ecg: QARecord) -> QAAnswer:
    """Answer on noise: in which leads it is, whether there is any, of which kinds."""
    terms = [term for term in asked.terms if term in NOISES] or list(NOISES)
    if asked.leads_wanted:
        kind = "any" if len(terms) == len(NOISES) else terms[0]
        judged = {lead: ecg.noisy(kind, lead) for lead in ecg.noise.names}
        leads = [lead for lead, (there, _) in judged.items() if there]
        facts = [fact for lead in leads for fact in _noise_facts(ecg, kind, lead, judged[lead][1])]
        text = f"{kind} in {', '.join(leads)}" if leads else f"no {kind} in any lead"
        return QAAnswer(
            answer=_chosen(asked, (f"lead {lead}" for lead in leads)),
            text=sentence(text),
            evidence=tuple(facts),
        )
    verify = asked.form == "verify"
    kinds = ["any"] if verify and len(terms) > 1 else terms
    found = {kind: ecg.noisy(kind, asked.lead) for kind in kinds}
    kept = [kind for kind, (there, _) in found.items() if there]
    facts = [f for kind in kinds for f in _noise_facts(ecg, kind, asked.lead, found[kind][1])]
    named = kept or (["no noise"] if kinds == ["any"] or not verify else [f"no {kinds[0]}"])
    told = ", ".join("noise" if kind == "any" else kind for kind in named)
    p = found[kinds[0]][1]
    return QAAnswer(
        answer=_chosen(asked, kept),
        text=sentence(f"{told} in {asked.lead}" if asked.lead else told),
        evidence=tuple(facts),
        probability=(p if kept else 1 - p) if verify else None,
    )


def _noise_facts(ecg: QARecord, kind: str, lead: str | None, p: float) -> Iterator[Evidence]:
    """Give the probability, and what was measured of the noise."""
    limit = noise_model().limit(kind)
    name = "any noise" if kind == "any" else kind
    rule = f"≥ {limit:.2f}"
    yield measured(f"probability of {name}", round(p, 3), "", lead=lead, criterion=rule)
    heights = ecg.noise.drift_mv if kind == "baseline drift" else ecg.noise.fast_mv
    where = lead if lead in heights else max(heights, key=lambda one: heights[one])
    what = "baseline moves by" if kind == "baseline drift" else "25–45 Hz between beats"
    yield measured(what, round(heights[where], 4), "mV", lead=where)


def _numeric(asked: QAQuestion, ecg: QARecord) -> QAAnswer:
    """Answer on intervals and their ranges."""
    places = {feature: ecg.place(feature) for feature in asked.terms}
    facts = tuple(_feature_facts(ecg, asked.terms))
    single = len(asked.terms) == 1
    if asked.form == "verify" and single:
        wanted = PLACES[1] if asked.normal is not False else None
        place = places[asked.terms[0]]
        yes = place == wanted if wanted else place not in (None, PLACES[1])
        return QAAnswer(answer=("yes" if yes else "no",), text=_told(facts), evidence=facts)
    if single:
        found = places[asked.terms[0]]
        return QAAnswer(answer=(found or "none",), text=_told(facts), evidence=facts)
    meant = (PLACES[1],) if asked.normal in (True, None) else (PLACES[0], PLACES[2])
    kept = [feature for feature, place in places.items() if place in meant]
    return QAAnswer(answer=_chosen(asked, kept), text=_told(facts), evidence=facts)


def _feature_facts(ecg: QARecord, features: Iterable[str], which: str = "") -> Iterator[Evidence]:
    """Give the values that were held against ECG-QA's ranges."""
    for feature in features:
        name, low, high = RANGES[feature]
        value = ecg.known.facts.value(name).value
        if value is not None:
            rule = f"{low:g} to {high:g} ms"
            yield measured(f"{which}{feature}", round(value, 1), "ms", criterion=rule)


def _told(facts: Sequence[Evidence]) -> str:
    """Say measured values in a sentence."""
    said = [f"{i.quantity} {amount(float(i.value or 0), i.unit)}" for i in facts]
    return sentence("; ".join(said)) if said else "The values could not be measured."


def _statements(asked: QAQuestion, ecg: QARecord) -> QAAnswer:
    """Answer on statements, axis, extra beats and stages."""
    if asked.leads_wanted or asked.lead:
        return _in_leads(asked, ecg)
    present = [term for term in asked.terms if ecg.has(term)]
    if asked.about == "extra" and "extrasystoles" in present and len(present) > 1:
        present.remove("extrasystoles")  # the kind says more
    claims = list(_claims(asked, present, ecg))
    text = " ".join(dict.fromkeys(claim.text for claim in claims))
    facts = tuple(dict.fromkeys(item for claim in claims for item in claim.evidence))
    chosen = _chosen(asked, present)
    if asked.about == "stage" and asked.form == "query" and not present:
        chosen = ("none of myocardial infarction",)
    p = _probability(asked, ecg)
    return QAAnswer(
        answer=chosen, text=text or sentence(", ".join(chosen)), evidence=facts, probability=p
    )


def _probability(asked: QAQuestion, ecg: QARecord) -> float | None:
    """Give the probability of the answer to a question for one statement."""
    if asked.form != "verify" or len(asked.terms) != 1 or asked.terms[0] not in STATEMENTS:
        return None
    finding = ecg.known.facts.findings.get(canonical_code(STATEMENTS[asked.terms[0]]))
    p = None if finding is None else finding.probability
    return None if p is None else p if ecg.has(asked.terms[0]) else 1 - p


MOST_TOLD = 4
"""Statements that the text of an answer tells."""


def _claims(asked: QAQuestion, present: Sequence[str], ecg: QARecord) -> Iterator[Claim]:
    """Say what was found on what was asked."""
    if asked.about == "axis":
        yield from value_says("qrs_axis", ecg.known)
        return
    for term in (*present, *(t for t in asked.terms if t not in present))[:MOST_TOLD]:
        if term in STATEMENTS:
            yield from finding_says(STATEMENTS[term], ecg.known)
        elif term in CATEGORIES:
            found = ecg.known.facts.findings
            there = [c for c in _CODES[term] if c in found and found[c].status == "present"]
            yield from finding_says((there or _CODES[term])[0], ecg.known)
        elif asked.about == "extra":
            yield from finding_says("PVC" if term.startswith("ventricular") else "PAC", ecg.known)
        elif asked.about == "stage":
            yield from finding_says("mi", ecg.known)


def _in_leads(asked: QAQuestion, ecg: QARecord) -> QAAnswer:
    """Answer on what single leads show, by their measured waves."""
    leads = [asked.lead] if asked.lead else list(ecg.noise.names)
    shown: dict[str, list[str]] = {}
    facts: list[Evidence] = []
    for term in asked.terms:
        code = STATEMENTS.get(term, "")
        if code not in _SIGNS or not ecg.has(term):
            continue
        for lead in leads:
            checked = ecg.known.check(f"{label(code)} in {lead}.")
            if checked and all(one.status == "supported" for one in checked):
                shown.setdefault(term, []).append(lead)
                facts += [item for one in checked for item in one.evidence]
    found = dict.fromkeys(lead for there in shown.values() for lead in there)
    chosen = _chosen(asked, [f"lead {lead}" for lead in found] if asked.leads_wanted else shown)
    text = "; ".join(f"{term} in {', '.join(there)}" for term, there in shown.items())
    return QAAnswer(answer=chosen, text=sentence(text or "in no lead"), evidence=tuple(facts))


def _changes(asked: QAQuestion, first: QARecord, second: QARecord) -> QAAnswer:
    """Answer on what is new, gone or still there in the second ECG."""
    if asked.about == "numeric":
        return _numeric_changes(asked, first, second)
    wanted = {"new": (False, True), "gone": (True, False), "still": (True, True)}
    before_after = wanted[asked.change or "new"]
    kept = [t for t in asked.terms if (_there(first, t), _there(second, t)) == before_after]
    claims = [
        c
        for ecg in (first, second)
        for t in kept[:MOST_TOLD]
        if t in STATEMENTS
        for c in finding_says(STATEMENTS[t], ecg.known)
    ]
    facts = tuple(dict.fromkeys(item for claim in claims for item in claim.evidence))
    text = sentence(f"{asked.change}: {', '.join(kept) or 'none of these'}")
    return QAAnswer(answer=_chosen(asked, kept), text=text, evidence=facts)


def _there(ecg: QARecord, term: str) -> bool:
    """Whether a term of any kind holds for an ECG."""
    return ecg.noisy(term, None)[0] if term in NOISES else ecg.has(term)


def _numeric_changes(asked: QAQuestion, first: QARecord, second: QARecord) -> QAAnswer:
    """Answer on features that became, or still are, normal or abnormal."""
    want = asked.normal is True
    kept = []
    for feature in asked.terms:
        places = first.place(feature), second.place(feature)
        if None in places:
            continue
        was, is_ = (place == PLACES[1] for place in places)
        if is_ == want and (was == want) == (asked.change == "still"):
            kept.append(feature)
    facts = (
        *_feature_facts(first, kept or asked.terms, "first "),
        *_feature_facts(second, kept or asked.terms, "second "),
    )
    return QAAnswer(answer=_chosen(asked, kept), text=_told(facts), evidence=facts)


def to_json(answer: QAAnswer) -> dict[str, Any]:
    """Give an answer as plain JSON values."""
    from dataclasses import asdict

    out: dict[str, Any] = {"answer": list(answer.answer), "text": answer.text}
    if answer.probability is not None:
        out["probability"] = round(answer.probability, 4)
    out["evidence"] = [asdict(item) for item in answer.evidence]
    return out
