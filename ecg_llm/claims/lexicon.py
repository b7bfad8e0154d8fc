"""Cut clinical English into the words and phrases that claims are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ecg_llm.claims.measured_words import ALL_LEADS, MEASURED, TERRITORIES, UNITS
from ecg_llm.leads import STANDARD_12
from ecg_llm.vocabulary import CODES, GROUPS, expand, phrases, read_table

_TOKEN = re.compile(
    r"(?P<num>\d+(?:[.,]\d+)*)|(?P<word>[Vv][1-9]R?(?![^\W_])|[^\W\d_]+n['’]t\b|"
    r"[^\W\d_]+\d*(?:['’′](?!\w))?)|(?P<line>\n\s*)|(?P<mark>[^\w\s]|_)"
)
_DASHES = "-–—−‐‑"


class Item(NamedTuple):
    """A word, number, mark or known phrase of a text.

    Attributes
    ----------
    kind : str
        ``finding``, ``quantity``, ``number``, ``unit``, ``lead``, a kind of `_PHRASES`, a mark such
        as ``,``, ``end`` (of a sentence) or ``word``.
    data : object
        Code, name, value …, by kind.
    start, end : int
        Place in the text.
    raw : str
        As written.
    """

    kind: str
    data: Any
    start: int
    end: int
    raw: str


_BEYOND = Item("end", "", -1, -1, "")


def at(items: Sequence[Item], k: int) -> Item:
    """Give an item of a sentence.

    Returns
    -------
    Item
        An ``end`` without words before the first and behind the last one.
    """
    return items[k] if 0 <= k < len(items) else _BEYOND


Place = tuple[int, str, bool, int]
"""Where a finding stands: item, code, whether the words turn it over, last item."""
REACH = 40
"""Items over which a lead or a quantity may stand from what it belongs to."""


class Number(NamedTuple):
    """A number as written: its value and the worth of one unit of its last digit."""

    value: float
    step: float


EXCEPTING = ("except", "except for", "except in", "apart from", "other than", "sparing", "spare")
"""Behind these stand the leads that a statement does not hold for."""
_PHRASES = read_table(
    f"""\
word: before [the|each|every|a] QRS
neg: [no|not|without|lacks|lacking|neither|nor|never|none|non|denies|cannot] |
    [free of|free from|argues against|negative for|rather than|instead of|as opposed to] |
    [none of|does not have|fails to show|anything but|far from] | [|the ][absence|lack] of |
    no [evidence|sign|indication|suggestion|proof] of | [rules|ruling|ruled] out |
    [excludes|excluding|exclude|excluded] | [speaks|speaking] against | {" | ".join(EXCEPTING)}
neg_post: absent | [is|are|was|were] [absent|excluded|missing|lacking] |
    [|is |are |was |were ]not [present|seen|evident|found|identified|detected|visible|met|
    fulfilled|satisfied|there|demonstrated|noted|shown|observed|confirmed|supported|apparent|
    recorded] |
    [is|are|was|were|can be|has been|have been] [excluded|ruled out] | not [present|seen] |
    [|is |are |was |were ]no longer [present|seen|visible|there|found|detected] |
    cannot be [seen|found|identified|detected|confirmed]
unlikely: [unlikely|improbable|doubtful]
plain: [not only|no doubt|without doubt|no question|whether or not|not without] |
    [no absence of|there is no denying|cannot be denied|no less than] |
    not [absent|unusual|uncommon] | no change [|in|from|since] |
    of [undetermined|indeterminate|unknown|uncertain] age
possible: [possible|possibly|probable|probably|likely|may|might|could|suggest|suggests] |
    [suggesting|suspected|suspect|consider|questionable|perhaps|presumed|query] |
    [suggestive of|suspicious for|suspicion of|consistent with|compatible with] |
    [in keeping with|appears to be] | [concern|concerning] for |
    [cannot|can not|could not|does not|do not] [exclude|rule out] | not [exclude|excluding]
borderline: borderline | [at|near|close to] [the|its] [upper |lower |][limit|limits][| of normal]
possible_post: [cannot|can not|could not] be [excluded|ruled out] | not [excluded|ruled out] |
    [should|must|has to] be considered |
    [is|are|was|were] [possible|likely|probable|suspected|suggested]
unjudged: [cannot|could not|can not] be
    [judged|assessed|determined|measured|evaluated|read|interpreted|made out|given|told] |
    [|is |are |was |were ]not [judged|assessed|assessable|measured|measurable|evaluable|
    determined|available|known] |
    [is |was |][unmeasurable|indeterminate|unknown|undetermined] |
    [unable|impossible] to [judge|assess|determine|measure|evaluate] |
    [cannot|could not] [judge|assess|determine|measure|evaluate]
general: [if|normally|typically] |
    [means when|refers to|is diagnosed when|is said to be|is called when|for example] |
    [in general|criteria for] | is defined [as|by] | are defined [as|by] |
    would [be|have|show|require|need|suggest] |
    [|the ][original|written|first] report [says|states|gives|reads|names|mentions]
earlier: [|the ][previous|prior|earlier|last|old|first]
    [ECG|EKG|tracing|recording|electrocardiogram] | [previously|formerly] |
    [|the ][previous|prior|earlier] [one|QTc|QT|PR|QRS|rate|heart rate|axis|value|measurement|
    record]
history: known | [history of|by history] | [family|past|medical] history
stop: [but|however|although|though|while|whereas|with|because|since|therefore|so|yet] |
    [despite|otherwise|then|hence|which|plus|thus] |
    [in spite of|due to|as well as|accompanied by|associated with|there is|there are] |
    in the presence of | apart from [that|this|these|those]
and: [and|&]
or: [or|and/or]
verb: [is|are|was|were|has|have|had|shows|show|shown|measures|measuring|remains|lies|seems] |
    [appears|demonstrates|reveals|exhibits|equals|averages|reads|runs] | [stands at|comes to]
seen: [is |are |was |were |][seen|present|noted|evident|found|identified] |
    [is |are |was |were |][detected|visible|observed]
>: [above|over|exceeds|exceeding|exceed|beyond|overtakes] | in excess of |
    [more|greater|longer|higher|larger|wider|broader|faster|taller|deeper|later] than
>=: [at least|no less than|not less than|a minimum of]
<: [below|under] | short of | [less|shorter|lower|smaller|slower|narrower|briefer|earlier] than
<=: [at most|no more than|not more than|a maximum of]
max: max | up to | as [much|high|deep|long] as | maximum[| of] | maximal[|ly]
or_more: or [more|longer|greater|above|higher|wider|over|faster] | and [above|over|more]
or_less: and below | or [less|shorter|below|lower|under|fewer|slower]
about: [about|approximately|around|roughly|circa|approx|nearly|almost|ca]
criterion: [threshold|limit|cut-off|cutoff|required|requires|needs|needed] |
    [by definition|defined as] | criteri[on|a] | [upper|lower] limit[| of normal] |
    reference[| range| value] | normal [range|limits|value|values]
rhythm: [basic|underlying|dominant] rhythm
spread: [spread|SD|scatter|±] | standard deviation
formula: [Bazett|Bazett's|Fridericia|Fridericia's]
high: [prolonged|long|lengthened|prolongation|wide|widened|broad|widening|broadened|fast] |
    [rapid|increased|high|delayed]
low: [short|shortened|slow|low|reduced|shortening]
narrow: [narrow|slender]
normal: [normal|unremarkable|WNL|physiological] | [in the normal range|within normal bounds] |
    within[| the] normal [limits|range]
abnormal: abnormal | outside [the |]normal [limits|range]
shape: [elevated|depressed|isoelectric|inverted|negative|upright|positive|flat|flattened] |
    [peaked|tall|tented|leftward|rightward] | [|deviated |shifted ]to the left |
    [|deviated |shifted ]to the right
regular: [regular|regularly|constant]
irregular: [irregular|irregularly] | irregularly irregular
tachycardia: [tachycardia|tachycardic|RVR]
bradycardia: [bradycardia|bradycardic]
nsr: NSR | normal sinus rhythm
abnormal_ecg: abnormality | abnormal [ECG|EKG|electrocardiogram|tracing]
good_r: [normal|good|regular|preserved] [R-wave|R|precordial R-wave] progression |
    R-wave progression [is |][normal|preserved|good]
intervals: intervals
axes: [P-QRS-T|P/QRS/T|P, QRS and T|P, QRS, and T|P QRS T] axes
both: [both|all|every]
between: between
age: [year|years|yo|y/o|yr] | [year old|year of age|years old|yr old]
other_unit: [mm/s|mm/sec|mm/mV|Hz|hertz|kg|cm|mmHg|channel|mg|point|points|hour|hours|day|days] |
    [week|month|minute|minutes|boxes|mmol/l] |
    [mm per second|mm per mV|small squares|small boxes|large squares]
counted: [beat|beats|complex|complexes|cycle] | QRS complexes
territory_word: [leads|lead|wall|region|derivations]
"""
)
"""Phrases by kind. Behind *before*: a place on the tracing, and a number there is no QRS width."""

_SPELLING = (
    ("ischaem", "ischem"),
    ("kalaem", "kalem"),
    ("repolaris", "repolariz"),
    ("fibre", "fiber"),
    ("millimetre", "millimeter"),
)
_IRREGULAR = {
    "axes": "axis",
    "criteria": "criterion",
    "stimuli": "stimulus",
    "atria": "atria",
    "ms": "ms",
    "t's": "t",
    "is": "is",
    "was": "was",
    "has": "has",
    "this": "this",
    "lacks": "lacks",
}


@lru_cache(maxsize=20_000)
def _norm(raw: str) -> str:
    """Bring a word to the form in which it is looked up: small letters, singular, one spelling."""
    word = raw.lower().replace("’", "'").replace("′", "'")
    if word.endswith("n't"):
        return "cannot" if word == "can't" else "not"
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for british, american in _SPELLING:
        if british in word:
            word = word.replace(british, american)
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        if word.endswith("ies"):
            return word[:-3] + "y"
        return word[:-2] if word.endswith("xes") else word[:-1]
    return word


class _Token(NamedTuple):
    """A word, number or mark, before phrases are recognized."""

    norm: str
    raw: str
    start: int
    end: int
    kind: str


def _tokens(text: str) -> list[_Token]:
    """Cut a text into words, numbers and marks; hyphens within compounds are left out."""
    found = [
        _Token(
            _norm(match[0]) if match.lastgroup == "word" else match[0],
            match[0],
            match.start(),
            match.end(),
            str(match.lastgroup),
        )
        for match in _TOKEN.finditer(text)
    ]
    kept: list[_Token] = []
    for k, token in enumerate(found):
        if token.raw in _DASHES and 0 < k < len(found) - 1:
            before, after = found[k - 1], found[k + 1]
            touches = before.end == token.start and token.end == after.start
            words = before.kind in ("word", "num") and after.kind == "word"
            both_leads = _lead(before) is not None and _lead(after) is not None
            if touches and words and not both_leads:
                continue
        kept.append(token)
    return kept


_LEADS = {name.lower(): name for name in STANDARD_12 if name != "I"}


def _lead(token: _Token) -> str | None:
    """Give the lead that a token surely or (``I``) perhaps names."""
    if token.raw == "I":
        return "I"
    found = _LEADS.get(token.norm)
    return None if found in ("II", "III") and token.raw.islower() else found


Trie = dict[str, Any]


@lru_cache(maxsize=1)
def _lexicon() -> Trie:
    """Put all phrases into one tree of words."""
    tree: Trie = {}

    def add(pattern: str, kind: str, data: object) -> None:
        for phrase in expand(pattern):
            node = tree
            for token in _tokens(phrase):
                node = node.setdefault(token.norm, {})
            node.setdefault("", (kind, data))

    for code in (*CODES, *GROUPS):
        for phrase in phrases(code, talk=True):
            add(phrase, "finding", code)
    for name, measured in MEASURED.items():
        for phrase in measured.phrases:
            add(phrase, "quantity", name)
    for unit in UNITS:
        add(unit, "unit", unit)
    for territory, leads in TERRITORIES.items():
        for ending in ("", "ly") if territory.isalpha() and not territory.endswith("ly") else ("",):
            add(territory + ending, "lead", (leads, territory in ALL_LEADS))
    for kind, row in _PHRASES.items():
        for phrase in expand(row.words):
            add(phrase, kind, " ".join(phrase.lower().split()))
    return tree


_MARKS = {
    ",": ",",
    ";": "end",
    "!": "end",
    "?": "question",
    "(": "(",
    "[": "(",
    "{": "(",
    ")": ")",
    "]": ")",
    "}": ")",
    "/": "/",
    ":": ":",
    "=": "verb",
    "≈": "about",
    "~": "about",
    ">": ">",
    "<": "<",
    "≥": ">=",
    "≤": "<=",
    "+": "+",
    "&": "and",
    "°": "unit",
    "%": "unit",
    "•": "end",
    "*": "end",
    "|": "end",
}
_ABBREVIATED = frozenset(("approx", "vs", "e", "g", "i", "cf", "fig", "ca", "resp", "Dr"))
_GOES_ON = frozenset(
    ("and", "or", "nor", "of", "no", "not", "the", "a", "an", "in", "with", "to", "is")
)


def scan(text: str) -> list[Item]:
    """Read a text as a list of known phrases, numbers, marks and other words.

    Returns
    -------
    list of Item
        In order, not overlapping. The longest phrase wins.

    Examples
    --------
    >>> [(item.kind, item.data) for item in scan("No LBBB; QRS 98 ms")][:3]
    [('neg', 'no'), ('finding', 'CLBBB'), ('end', ';')]
    """
    tokens = _tokens(text)
    tree = _lexicon()
    items: list[Item] = []
    k = 0
    while k < len(tokens):
        token = tokens[k]
        if (spelt := _spelt_out(tokens, k, tree)) is not None:
            number, k = spelt
            end = tokens[k - 1].end
            items.append(Item("number", number, token.start, end, text[token.start : end]))
            continue
        stop, found = _longest(tokens, k, tree)
        letter = stop == k + 1 and token.raw in ("I", "S")  # a lead, a wave: S is no second
        if found is not None and not letter:
            kind, data = found
            end = tokens[stop - 1].end
            items.append(Item(kind, data, token.start, end, text[token.start : end]))
            k = stop
            continue
        if not (token.raw in _DASHES and k + 1 < len(tokens) and _is_sign(tokens, k + 1)):
            items.append(_single(tokens, k))
        k += 1
    return items


def _longest(tokens: list[_Token], k: int, tree: Trie) -> tuple[int, tuple[str, Any] | None]:
    """Find the longest phrase that begins at a token."""
    found, stop, node = None, k, tree
    for j in range(k, len(tokens)):
        step = node.get(tokens[j].norm)
        if step is None:
            break
        node = step
        if "" in node:
            found, stop = node[""], j + 1
    return stop, found


_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_TENS = "thirty forty fifty sixty seventy eighty ninety hundred"
_WORTH = {
    **{word: n for n, word in enumerate(_NUMBER_WORDS.split())},
    **{word: 10 * n for n, word in enumerate(_TENS.split(), 3)},
}
_COUNTS_UP_TO = 12
"""Words for small numbers count things; only before a unit they tell what was measured."""


def _spelt_out(tokens: list[_Token], k: int, tree: Trie) -> tuple[Number, int] | None:
    """Read ``minus one hundred and twenty``; None where no such number begins."""
    negative = tokens[k].norm == "minus"
    j, value = k + negative, 0
    while j < len(tokens):
        word = tokens[j].norm
        if tokens[j].raw.endswith("ies"):  # "in the sixties" is no value
            return None
        if word == "hundred":
            value = max(value, 1) * 100
        elif word in _WORTH:
            value += _WORTH[word]
        elif not (word == "and" and tokens[j - 1].norm == "hundred"):
            break
        j += 1
    if j == k + negative:
        return None
    _, after = _longest(tokens, j, tree)
    measures = after is not None and after[0] in ("unit", "other_unit", "age")
    if not measures and value <= _COUNTS_UP_TO:
        return None
    return Number(float(-value if negative else value), 1.0), j


def _single(tokens: list[_Token], k: int) -> Item:
    """Read a token that begins no phrase."""
    token = tokens[k]
    kind: str
    data: Any
    start, raw = token.start, token.raw
    if token.kind == "num":
        negative = _is_sign(tokens, k)
        kind, data = "number", _number(token.raw, negative)
        if negative:
            start = tokens[k - 1].start
    elif token.kind == "line":
        kind, data = ("word", "\n") if _wraps(tokens, k) else ("end", "\n")
    elif token.kind == "mark":
        kind, data = _mark(tokens, k)
    else:
        lead = _lead(token)
        if lead == "I" and not _beside_lead(tokens, k):
            lead = None
        kind, data = ("lead", ((lead,), True)) if lead else ("word", token.norm)
    return Item(kind, data, start, token.end, raw)


def _mark(tokens: list[_Token], k: int) -> tuple[str, Any]:
    """Read a punctuation mark."""
    token = tokens[k]
    if token.raw == ".":
        before = tokens[k - 1] if k else None
        short = before is not None and before.raw in _ABBREVIATED and before.end == token.start
        ends = k + 1 == len(tokens) or tokens[k + 1].start > token.end
        return ("end", ".") if ends and not short else ("word", ".")
    if token.raw in _DASHES:
        spaced = k > 0 and tokens[k - 1].end < token.start
        spaced = spaced and k + 1 < len(tokens) and token.end < tokens[k + 1].start
        return ("dash", "spaced" if spaced else "")
    return _MARKS.get(token.raw, "word"), token.raw


def _is_sign(tokens: list[_Token], k: int) -> bool:
    """Whether a dash before a number, or the word minus, makes it negative."""
    if k == 0 or tokens[k].kind != "num":
        return False
    before = tokens[k - 1]
    if before.norm in ("minus", "negative"):
        return True
    if before.raw not in _DASHES or before.end != tokens[k].start:
        return False
    if k == 1:
        return True
    prior = tokens[k - 2]
    return prior.end < before.start or prior.raw in "([{/:=,<>≥≤≈~"


def _number(raw: str, negative: bool) -> Number:
    """Read a number; a comma stands for thousands (1,200) or for the decimal point (0,16)."""
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", raw):
        raw = raw.replace(",", "")
    parts = raw.replace(",", ".").split(".")
    text = parts[0] + ("." + parts[1] if len(parts) > 1 else "")
    step = 10.0 ** -(len(parts[1]) if len(parts) > 1 else 0)
    value = float(text) if len(text) < 30 else float("inf")
    return Number(-value if negative else value, step)


def _wraps(tokens: list[_Token], k: int) -> bool:
    """Whether a line break only wraps a sentence."""
    if tokens[k].raw.count("\n") > 1 or k + 1 == len(tokens) or k == 0:
        return False
    return (
        tokens[k + 1].raw[:1].islower()
        or tokens[k - 1].norm in _GOES_ON
        or tokens[k - 1].raw == ","
    )


_NOT_LEAD_BEFORE = frozenset(
    ("type", "mobitz", "class", "grade", "phase", "part", "stage", "degree")
)
_JOINS = frozenset((",", "/", "and", "or", "&", "-", "–", "to", "through"))


def _beside_lead(tokens: list[_Token], k: int) -> bool:
    """Whether a capital I is the lead and not the pronoun or a numeral."""
    before = tokens[k - 1] if k else None
    after = tokens[k + 1] if k + 1 < len(tokens) else None
    if before is not None and before.norm in _NOT_LEAD_BEFORE:
        return False
    if before is not None and before.norm in ("lead", "in"):
        return True
    far_after = tokens[k + 2] if k + 2 < len(tokens) else None
    far_before = tokens[k - 2] if k > 1 else None
    if after is not None and after.norm in _JOINS and far_after is not None:
        if _lead(far_after) not in (None, "I"):
            return True
        if far_after.norm in _JOINS and k + 3 < len(tokens):
            return _lead(tokens[k + 3]) not in (None, "I")
    joined = before is not None and before.norm in _JOINS and far_before is not None
    if joined and far_before is not None and _lead(far_before) is not None:
        return after is None or after.kind != "word" or after.norm in _JOINS
    single = before is not None and before.raw in ("R", "S", "Q", "T", "P")
    return single or after is None or (after.kind == "mark" and after.raw in ":=")
