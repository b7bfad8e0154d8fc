"""Read what a question is about, and what it wants said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from ecg_llm.answer.moments import Moment, read_moment
from ecg_llm.answer.spoken import plain
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.leads import lead_groups
from ecg_llm.claims.lexicon import Item, scan
from ecg_llm.claims.measured_words import ASIDE_OF, MEASURED
from ecg_llm.claims.states import as_called

End = Literal["largest", "lowest", "deepest"]


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
        ``rhythm``, ``quality``, ``normal``, ``values``, ``report``, ``why``, ``sure`` (how
        probable), ``where``, ``means`` (what something is), ``since`` (how old it is), ``size``,
        ``person`` (age, sex), ``recording`` (its length, its rate), ``urgent``, ``open`` (what was
        not judged), ``courtesy`` (a greeting, thanks), or a part of the report: ``conduction``,
        ``repolarization``, ``chambers``; None if none of these.
    closed : bool
        Whether yes or no would answer it.
    read : bool
        Whether every word of it was read.
    turned : bool
        Whether yes means that what it names is absent: ``Is LBBB excluded?``, and an abnormal ECG
        is none that is normal.
    excludes : bool
        Whether it asks that something be excluded, which no absent finding does.
    proposes : str or None
        The question as a statement, where it asks whether a value is so: ``Is the QTc over 500?``.
    end : {"largest", "lowest", "deepest"} or None
        Of which lead it asks: ``Which lead has the tallest R?``
    rhythm : bool
        Whether the rhythm is asked for beside what is named.
    moment : Moment or None
        Which beats or seconds it names.
    sex : {"female", "male"} or None
        Whose limits it asks for.
    """

    findings: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    about: str | None = None
    closed: bool = False
    read: bool = True
    turned: bool = False
    excludes: bool = False
    proposes: str | None = None
    end: End | None = None
    rhythm: bool = False
    moment: Moment | None = None
    sex: Literal["female", "male"] | None = None

    @property
    def named(self) -> bool:
        """Whether it names something that can be looked up."""
        return bool(self.findings or self.quantities)


CLOSED = re.compile(
    r"(is|are|does|do|did|can|could|has|have|any|was|were|would|will)\b", re.IGNORECASE
)
"""How a question begins that yes or no answers."""
TAG = re.compile(
    r",?\s*\b(is it not|isn't it|is it|isn't that so|is that (right|correct)|right|correct|yes|no|"
    r"or not|don't you (think|agree)|do you agree|agreed)\s*\?\s*$",
    re.IGNORECASE,
)
"""What asks to confirm."""
_ABOUT = (
    (
        "open",
        r"\b(not|n't|never|un|without being)[ -]?(be(en)? )?"
        r"(judged?|assess\w*|measured?|determined?|evaluated?|interpreted|known|answered|decided?|"
        r"tell)\b|(can't|cannot|can not) (you|u|it) (see|tell|judge)|\b(leave|leaving|left) out\b|"
        r"\b(uncertain|unsure|unclear|doubtful|ambiguous|not sure|in doubt)\b",
    ),
    (
        "courtesy",
        r"^\W*(fine\W+|good\W+|perfect\W+|got it\W+)?"
        r"((many )?thanks|thx|cheers|thank you|ok(ay)?|great|hi|hello|hey|(good)?bye|"
        r"good (morning|afternoon|evening|day))( (you|very much|a lot|so much|there))*\W*$",
    ),
    (
        "sure",
        r"\b(how (sure|certain|confident|likely|probable)|confidence|certainty|probabilit\w+|"
        r"likelihood)\b",
    ),
    (
        "why",
        r"^\W*(really )?sure\W*$|\b(why|how (do you|can you) (know|tell)|what makes you|"
        r"what speaks (for|against)|proofs?|based on|(?<!any )evidence|which criteri(on|a)|"
        r"explain|are (you|u) (sure|certain)|prove|justify|(that|this|it)('s| is) (wrong|"
        r"not (right|true|correct))|you('re| are) (wrong|mistaken)|I (disagree|(do not|"
        r"don't) agree))\b",
    ),
    (
        "self",
        r"\b((who|what) are (you|u)\b|are (you|u) (an? )?(\w+ )?(doctor|physician|cardiologist|"
        r"human|ai|bot|robot|certified|approved|machine|computer|medical device)|what('s|"
        r" is) your name|(what|which) ((ai|language) )?model (is|are|do)\b|medical device|(ce|"
        r"fda)[- ]?(mark\w*|approv\w+|clear\w+|certif\w+)|(my|the|this|patient) data|privacy|gdpr|"
        r"hipaa|how (good|reliable|trustworthy) (are|is) (you|u|your|this|it|the)|how (do|"
        r"does) (you|u|it) work)\b",
    ),
    (
        "method",
        r"\bhow (accurate\w*|precise\w*|exact\w*)|how (do|did|can|would) (you|u) (measure|average|"
        r"calculate|compute|correct|determine)|how (is|was|are|were) (\w+ ){1,2}(measured|"
        r"corrected|calculated|computed|averaged)|(which|what) beats (did|do) (you|u)\b",
    ),
    (
        "recording",
        r"\b(how long is (the|this) (ecg|ekg|recording|tracing|strip)|(duration|length) of "
        r"(the|this) (ecg|ekg|recording|tracing|strip)|sampling (rate|frequency)|sample rate|"
        r"sampled|filter\w*|(25|50|10) ?mm(/| per )?|paper speed|how many (leads|"
        r"channels)(?= (are|were|does|do|has|have|is)\b|\W*$))\b",
    ),
    (
        "quality",
        r"\b(quality|good enough|nois[ey]\w*|artefacts?|artifacts?|readable|interpretable|"
        r"baseline (drift|wander)|missing|trust|leads?( \w+)? (are |is )?(bad|off|"
        r"unusable|usable|ok\w*)|"
        r"electrodes? (ok\w*|right|correct\w*|placed)|(which|what) (\w+ )?swapped|swapped(?=\W*$)|"
        r"recorded (\w+ )?(properly|correctly|well)|(be )?(repeat\w*|re-?recorded))\b",
    ),
    (
        "where",
        r"\b((which|what) (\w+ )?(leads?|walls?|territor\w+|regions?|areas?)|where|"
        r"locali[sz]\w+|location|territory|leads? (with|that|showing|having)|how many leads|"
        r"when (do|does) (they|it|these|those)|(?<!since )when(?=\W*$)|(at )?(what|which) "
        r"(times?|seconds?|moments?))\b",
    ),
    (
        "person",
        r"\b(how old is (he|she|(the|this|my) (patient|man|woman|person))|patient's age|"
        r"is (he|she|(the|this|my) (patient|person)) (a |an )?(male|female|man|woman|boy|girl)|"
        r"(male|man) or (female|woman)|what('s| is)? (the )?(sex|gender|age))\b|"
        r"^\W*(sex|gender|age)\b( (and|of) (\w+ )?\w+){0,2}\W*$",
    ),
    (
        "since",
        r"\b(old or new|new or old|new|newly|when (did|was|were|has)|since when|how (old|recent|"
        r"long (has|have|ago|since))|recent|intermittent|paroxysmal|permanent|persistent|"
        r"transient|long[- ]?standing|right now|at (the|this) moment|currently|(having|"
        r"has) an? (heart attack|infarct\w*)|acute or (old|chronic)|(?<!year )(?<!years )(old|"
        r"fresh|chronic)(?=\W*$))\b",
    ),
    (
        "urgent",
        r"\b(emergen(cy|t)|urgen\w+|dangerous|serious|life[- ]threatening|worr(y|ied|ying|isome)|"
        r"alarming|harmless|benign|innocent|alerts?|acute|critical|bad|(un)?safe|concern(ing|ed)?|"
        r"red flags?|stable|act on|immediate\w*|attention|worst|most (important|worrying))\b",
    ),
    ("conduction", r"\bconduct(ion|ed|ing)\b"),
    ("repolarization", r"\b(repolari[sz]ation|ST[- –/]?T( changes)?)\b"),
    ("chambers", r"\b(?<!single )(?<!dual )chambers?\b"),
    ("rhythm", r"\b(rhythm|arrhythmias?|dysrhythmias?|irregular|regular|beats?)\b"),
    (
        "normal",
        r"\b(normal|healthy|abnormal\w*|wrong|okay|ok|prolonged|shortened|too (long|short|wide|"
        r"fast|slow)|limits?|cut-?offs?|(is|was) (it|that|this) (too |so |very )?(deviated|fast|"
        r"slow|long|short|wide|broad|narrow|high|low|raised|reduced|increased|decreased))\b",
    ),
    ("values", r"\b(measurements?|values|numbers|intervals|vitals)\b"),
    (
        "report",
        r"\b(report|interpret\w*|read|summar\w+|describe|findings?|show|see|conclusion|"
        r"diagnos\w+|impression|tell me|overview|(any|some)thing else|what else|is that all|"
        r"tl;?dr|in (one|two|a few|few) (word|sentence|line)s?|briefly|in short)\b",
    ),
)
JUDGES = ("normal", "why")
"""Of a value this asks whether it lies within its limits: also *why is it so long*."""
_SAID_OF_VALUES = ("high", "low", "narrow", "normal", "abnormal")
_ENDS: dict[End, str] = {
    "lowest": r"\b(smallest|lowest|shortest|(?<!at )least|minim\w+|"
    r"(most|maximal|greatest|deepest|largest) (\w+ )?(negative|inverted|inversion|depress\w+))\b",
    "deepest": r"\bdeepest\b",
    "largest": r"\b(tallest|largest|highest|biggest|greatest|(?<!at )most|worst|longest|"
    r"maxim\w+|widest)\b",
}
_PLACE = re.compile(r"\b(leads?|walls?|territor(y|ies)|regions?|areas?)\b", re.IGNORECASE)
_RHYTHM = re.compile(r"\brh?ythm\b", re.IGNORECASE)
_SIZE = re.compile(r"\bhow (far|deep|tall|high|big|large|long|wide|much|many)\b", re.IGNORECASE)
_EXPLAIN = re.compile(r"\b(explain|teach)\b", re.IGNORECASE)


_TURNED = re.compile(r"\b(abnormal\w*|wrong|not (quite )?(a )?(normal|ok(ay)?))\b", re.IGNORECASE)
_NOTHING = re.compile(r"\b(nothing|no|none)( \w+)? (abnormal\w*|wrong)", re.IGNORECASE)
_WELL = re.compile(r"\b(normal|healthy|abnormal\w*|wrong|ok(ay)?)\b", re.IGNORECASE)
_WHOLE = re.compile(
    r"\b(ecgs?|ekg|tracing|electrocardiogram|everything|recording|heart|"
    r"(old|first|earlier|previous|last|new|other) one)\b",
    re.IGNORECASE,
)
ASKS_FOR = re.compile(
    r"((at|in|on|to|for) (what|which)|(total )?number of|what|which|where|why|how|when|who|"
    r"explain|describe|tell|compare|show|list|give|name|enumerate|summari[sz]e)\b",
    re.IGNORECASE,
)
_LISTS = re.compile(r"\b(abnormalit(y|ies)|everything)\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(and|or|what about|how about|which|what (kind|type|degree)|(in|for) (a )?(wo)?m[ae]n|"
    r"(limits?|deepest|tallest|largest|smallest)\b|by how much|single|(atrial|"
    r"left) or (ventricular|right)|dual|(broad|wid|long|short|fast|slow|tall|deep|high|low|larg|"
    r"small)er|more|less|over|under|above|below|(in|on) the (first|second|earlier|previous|prior|"
    r"old(er)?|other))\b",
    re.IGNORECASE,
)
_OF_SEX: tuple[tuple[Literal["female", "male"], re.Pattern[str]], ...] = (
    ("female", re.compile(r"\b(in|for|of) (a )?(women|woman|females?|girls?)\b", re.IGNORECASE)),
    ("male", re.compile(r"\b(in|for|of) (a )?(men|man|males?|boys?)\b", re.IGNORECASE)),
)
_OTHER_LEAD = re.compile(r"\bV(?:[7-9]|[1-9]R)\b", re.IGNORECASE)


def read_question(text: str) -> Asked:
    """Read what a question is about.

    Examples
    --------
    >>> asked = read_question("Is there LBBB, and what is the QTc?")
    >>> asked.findings, asked.quantities, asked.closed
    (('CLBBB',), ('qtc',), False)
    >>> read_question("Is LBBB absent?").turned
    True
    """
    items = lead_groups(scan(text))
    findings, quantities = _named(items)
    called = {k for n, i in enumerate(items) if i.kind == "finding" for k in _called(items, n)}
    about = _about(text, items, named=bool(findings or quantities), values=bool(quantities))
    if about == "recording":  # "sampling rate"
        findings, quantities = [], []
    if "qt" in quantities and about in JUDGES:  # what is long or short is it for its rate
        quantities[quantities.index("qt")] = "qtc"
    places = [item.data for item in items if item.kind == "lead"]
    if not (findings or quantities or _PLACE.search(text)):  # "chest pain" names no lead
        places = [data for data in places if data[1]]
    leads = [lead for data in places for lead in data[0]]
    leads += [name.upper() for name in _OTHER_LEAD.findall(text)]
    if not (findings or quantities or leads) and about == "normal" and _WHOLE.search(text):
        findings = ["NORM"]
    if not quantities and _EITHER.search(text) and re.search(r"\baxis\b", text, re.IGNORECASE):
        quantities.append("qrs_axis")  # left, right or normal: the value tells
    if findings and (_asks_what_it_is(items) or _IN_GENERAL.search(text)):
        about = "means"
    more = _asks_more(items, called)
    end = next((end for end, words in _ENDS.items() if re.search(words, text, re.I)), None)
    turned = _denies(text, findings)
    closed = about not in _OPEN and end is None
    aside = [name for code in findings for name in ASIDE_OF.get(code, ())]
    return Asked(
        findings=tuple(dict.fromkeys(findings)),
        quantities=tuple(dict.fromkeys(quantities)),
        leads=tuple(dict.fromkeys(leads)),
        about=about,
        closed=closed
        and _is_closed(text.strip(), findings, quantities, about)
        and not (findings and more),
        read=not more,
        proposes=_proposed(text, [*quantities, *aside]),
        end=end,
        rhythm=_RHYTHM.search(text) is not None,
        moment=read_moment(text),
        sex=next((sex for sex, words in _OF_SEX if words.search(text)), None),
        turned=turned,
        excludes=turned and _EXCLUDES.search(text) is not None,
    )


def _named(items: Sequence[Item]) -> tuple[list[str], list[str]]:
    """Give the findings and the quantities that a question names."""
    findings = [as_called(items, k)[0] for k, i in enumerate(items) if i.kind == "finding"]
    quantities = [item.data for item in items if item.kind == "quantity"]
    for item in items:
        match item.kind:
            case "nsr":
                findings.append("SR")
            case "good_r":
                findings.append("poor_r_progression")
            case "tachycardia" | "bradycardia":
                quantities.append("heart_rate")
            case "intervals":
                quantities += ["pr", "qrs", "qtc"]
            case "regular" | "irregular":
                quantities.append("rr_cv")
            case "formula":
                by = "bazett" if item.raw.lower().startswith("bazett") else "fridericia"
                quantities.append(f"qtc_{by}")
            case _:
                pass
    return findings, quantities


def _about(text: str, items: Sequence[Item], *, named: bool, values: bool) -> str | None:
    """Tell what is asked, by the first words of `_ABOUT` in the question and what it names."""
    about = next((name for name, words in _ABOUT if re.search(words, text, re.I)), None)
    rhythm = _RHYTHM.search(text) is not None
    match about:
        case "normal" if _LISTS.search(text) and ASKS_FOR.match(text.strip()):
            return "report"
        case "why" if not named and _EXPLAIN.search(text) and not rhythm:
            return "report"
        case "why" | "sure" if not named and rhythm:
            return "rhythm"
        case "urgent" if values and any(re.search(words, text, re.I) for words in _ENDS.values()):
            return None  # "the worst" of a wave
        case "conduction" | "repolarization" | "chambers" if named:
            return None
        case None if values and any(item.kind in _SAID_OF_VALUES for item in items):
            return "normal"
        case None if _SIZE.search(text):
            return "size"
        case _:
            return about


_IN_GENERAL = re.compile(
    r"\bcriteria (for|of)\b|\bdefinition of\b|^\W*(does|do|would) .* mean\b|\bhow is .* defined\b",
    re.IGNORECASE,
)
_MEANING = {"what", "whats", "s", "mean", "define", "definition", "meaning", "of", "a", "an", "the"}


def _asks_what_it_is(items: Sequence[Item]) -> bool:
    """Whether a question has a finding explained: ``What is LBBB?``, ``define LVH``."""
    kinds = [item.kind for item in items]
    others = [i.raw.lower() for i in items if i.kind in ("word", "general")]
    only = set(kinds) <= {"finding", "word", "verb", "question", "end", "general", "'"}
    asks = {"what", "whats", "define", "mean", "meaning", "definition"} & set(others)
    return (
        only
        and kinds.count("finding") == 1
        and bool(asks)
        and set(others) <= _MEANING | {"do", "doe", "does", "'"}
    )


def _proposed(text: str, quantities: Sequence[str]) -> str | None:
    """Give a question as a statement if it holds a number of a quantity that it names."""
    statement = text.replace("?", ".")
    numbers = [claim for claim in extract_claims(statement) if claim.kind == "number"]
    named = any(claim.subject in quantities and claim.role == "measured" for claim in numbers)
    return statement if named else None


_EITHER = re.compile(r"(?<!yes) or (?!not\b|no\b|anything|something)", re.IGNORECASE)
_OPEN = ("since", "urgent", "why", "sure", "where", "means")
"""What yes or no to a finding would not answer."""


def _is_closed(
    text: str, findings: Sequence[str], quantities: Sequence[str], about: str | None
) -> bool:
    """Whether yes or no would answer: also ``LBBB?``, and ``He has AF, right?``."""
    if _EITHER.search(text):
        return False
    if CLOSED.match(text) or TAG.search(text):
        return True
    said = bool(findings or _proposed(text, quantities)) or about == "normal"
    return said and not ASKS_FOR.match(text)


_WORDS = (
    "' ’ s t m a an the any some this that these those there here it its one he she his her him "
    "they them i you we us me my patient doctor dr cardiologist man woman lady guy person ecg ekg "
    "tracing trace recording record strip electrocardiogram picture image page photo in on at of "
    "from for by to as and or also too either well still now today again so then just only really "
    "actually definitely clearly maybe perhaps please pls pl sir be been being do does did is are "
    "can could have has had get got see find show showed look looks like think "
    "say mean call report conclude confirm detect sign signs evidence criteria pattern type kind "
    "form anything something everything nothing else wrong ok okay right correct true sure not no "
    "yes heart cardiac whole all every both"
)
_BESIDE = frozenset(_WORDS.split())
"""Words that change nothing about what is asked of a finding."""


def _called(items: Sequence[Item], k: int) -> range:
    """Give the places of what belongs to a finding behind it: ``LBBB is incomplete``."""
    return range(k + 1, as_called(items, k)[2] + 1)


def _asks_more(items: Sequence[Item], called: set[int]) -> bool:
    """Whether words are left that are not read: ``Is he pacemaker dependent?``, ``LBBB cause?``."""
    words = [i.raw.lower() for k, i in enumerate(items) if i.kind == "word" and k not in called]
    return any(
        word not in _BESIDE and not get_close_matches(word, _BESIDE, 1, 0.88) for word in words
    )


_EXCLUDES = re.compile(r"\b(exclud\w+|rul(e|es|ed|ing) \w* ?out|against)\b", re.IGNORECASE)


def _denies(text: str, findings: Sequence[str]) -> bool:
    """Whether a question asks if its one finding is absent: ``Can STEMI be ruled out?``."""
    if len(set(findings)) != 1:
        return False
    if findings[0] == "NORM" and _TURNED.search(text):
        return _NOTHING.search(text) is None
    # A question denies nothing; the same words as a statement do.
    claims = extract_claims(text.replace("?", "."))
    denied = any(claim.negated for claim in claims if claim.kind == "finding")
    return denied or _EXCLUDES.search(text) is not None


def in_context(asked: Asked, history: Sequence[tuple[str, str]]) -> Asked:
    """Let ``Is that normal?``, ``Why?`` and ``And in V2?`` ask of what was asked before."""
    question = history[-1][1].strip()
    goes_on = asked.about in CARRIED or asked.leads or _GOES_ON.match(question)
    if asked.named or not goes_on or asked.about == "quality":
        return asked
    whole, judges = asked, asked.about == "normal"
    if asked.about == "normal" and not asked.leads and _WELL.search(question):
        # Only a value can be normal: beside a finding, or alone, "it" is the ECG.
        turned = _denies(question, ["NORM"])
        whole = replace(asked, findings=("NORM",), turned=turned)
    about, leads = asked.about, asked.leads
    for role, text in reversed(history[:-1]):
        if role != "user":
            continue
        earlier = read_question(plain(text))
        unread = not (earlier.named or earlier.about or earlier.leads)
        if asked.about == "normal" and not earlier.quantities and not unread:
            return whole
        about, leads = about or earlier.about, leads or earlier.leads
        carried = earlier.about in CARRIED or earlier.leads or _GOES_ON.match(text.strip())
        if earlier.named or not (earlier.about == asked.about or carried or unread):
            asked = replace(
                asked,
                about=about,
                leads=leads,
                findings=earlier.findings,
                quantities=earlier.quantities,
            )
            asked = replace(asked, closed=False, turned=False)
            return asked if judges else _with_number(asked, question)
    return whole


def _with_number(earlier: Asked, question: str) -> Asked:
    """Hold the value that was asked for before against the number of ``And over 160?``."""
    aside = [name for code in earlier.findings for name in ASIDE_OF.get(code, ())]
    names = earlier.quantities or aside
    if len(names) != 1 or not re.search(r"\d", question):
        return earlier
    rest = re.sub(r"^\W*and\b", "", question, flags=re.IGNORECASE)
    proposes = _proposed(f"{MEASURED[names[0]].label} {rest}", names)
    if proposes is None:
        return earlier
    about = replace(earlier, findings=(), quantities=tuple(names), about=None)
    return replace(about, closed=True, proposes=proposes)


CARRIED = ("why", "sure", "normal", "where", "since", "size", "method")
"""What is asked of something; of what was asked before, where nothing is named."""
