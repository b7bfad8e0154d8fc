"""Put a question as it is typed into the words that reports use."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache, lru_cache

from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.vocabulary import CODES, GROUPS, phrases

_SPOKEN = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), meant)
    for words, meant in (
        (r"^\W*(is|are|was|were|does|do|did|has|have|could|can|would)n['’]?t", r"\1"),
        (r"(answer |reply |just |only |in |with )*(yes or no|yes/no)( only| please)?[:,.]?", ""),
        (
            r"I (do not|don['’]?t|can['’]?t|cannot) (think|believe|see)( that)?"
            r"( there is| it is| it['’]s| this is)?( an?| any)?",
            "there is no",
        ),
        (r"^\W*no,? (?=(it|this|that|there|he|she)(['’]s| is)\b)", ""),
        (r"sinus(?=\W*($|[,;?]|or\b|and\b|before\b|now\b))", "sinus rhythm"),
        (r"(what|that|there|who|where|how)s", r"\1's"),
        (r"r[hyt]{3,5}m", "rhythm"),
        (r"([PQRST])\1?s(?= (in|of|from)\b)", r"\1 waves"),
        (r"(PR|QRS|QTc?)(i|d)", r"\1"),
        (r"R prog\w*", "R-wave progression"),
        (r"romhilt([- ]estes)?( score| points)?", "LVH"),
        (r"(funny |strange )?(wide|broad|early|odd|abnormal) (looking )?beats", "ectopic beats"),
        (r"R/S( ratio)?", "R wave and S wave"),
        (r"(rsr|rr)['’]s?( in V[12])?", "right bundle branch block"),
        (r"(1st|first|2nd|second|3rd|third)[- ]deg", r"\1-degree"),
        (r"inf(?=\W*$|,? (mi|stemi|wall|or|st|infarct\w*|isch\w*|leads?)\b)", "inferior"),
        (r"(?<=or )inf|(?<=and )inf", "inferior"),
        (r"ant(?=\W*$|,? (mi|stemi|wall|or|st|infarct\w*|isch\w*|leads?)\b)", "anterior"),
        (r"brady", "bradycardia"),
        (r"tachy", "tachycardia"),
        (r"irreg", "irregular"),
        (r"reg", "regular"),
        (r"shockable", "asystole or ventricular fibrillation, ventricular tachycardia"),
        (r"(narrow|wide|broad)[- ]complex(?! tachy)", "QRS duration"),
        (r"how (fast|slow)", "what heart rate"),
        (r"how (wide|long|broad) is (the )?P", "what P duration"),
        (r"(which|what) formula", "which QTc"),
        (r"(?<!['’])([PQRST]) in (?=(lead )?(V\d|I|aV))", r"\1 wave in "),
        (r"(deepest|tallest|highest|largest|biggest|smallest) ([PQRST])(?! wave)", r"\1 \2 wave"),
        (
            r"(?<!poor )(?<!normal )(?<!good )(?<!of )R[- ]wave progression(?! (is )?normal)",
            "poor R-wave progression",
        ),
        (r"(?<!nal )(?<!lar )escape( rhythm)?", "junctional or idioventricular rhythm"),
        (r"^\W*bpm(?=\W*$)", "heart rate"),
        (
            r"conduction (problem|abnormalit(y|ie)|disturbance|defect|disease|issue)s?",
            "AV block or bundle branch block",
        ),
        (r"lft|lt(?= (bundle|axis|atri))", "left"),
        (r"rt(?= (bundle|axis|atri))", "right"),
        (r"blo?c?k(?<!block)", "block"),
        (
            r"(any |what |which )?(kind|type|sort)s? of (a )?block(?=\W*$)|any blocks?(?=\W*$)",
            "AV block or bundle branch block",
        ),
        (r"(which|what) fascicles?", "which fascicular block"),
        (r"myocardial injury|injury current", "ST elevation or ST depression of injury"),
        (r"dextrocardia", "lead reversal"),
        (r"NSTEMI|ACS|acute coronary syndrome", "ischaemia or ST elevation"),
        (r"isch(a)?emic(?=\W*$)", "ischaemia"),
        (r"(is the )?axis (so |too )?(extreme|left|right)(ward)?", r"\3 axis deviation"),
        (r"PM", "pacemaker"),
        (r"(bi|tri)fascicular block", "RBBB, fascicular block"),
    )
)  # fmt: skip
"""What is said for what, in the order in which it is put right."""

_CLOSE = 0.86
"""Likeness from which a word is taken for one of the vocabulary."""
_SHORTEST = 5
_WORD = re.compile(r"[A-Za-z]{5,}")
_MORE = (
    "abnormal acute artery changed correct compare compared dangerous electrodes emergency explain "
    "false interpret leads measured missing normal patient previous quality regular report rhythm "
    "serious summary territory urgent where which would should could there their these about "
    "heart atria ventricle ventricles medication bifascicular trifascicular"
)


def plain(question: str) -> str:
    """Put a question as it is typed into the words that reports use.

    Returns
    -------
    str
        With what is said for what written out, and misspelt words of the vocabulary put right.

    Examples
    --------
    >>> plain("irreg? conduction defect?"), plain("is there atrail fibrilation")
    ('irregular? AV block or bundle branch block?', 'is there atrial fibrillation')
    """
    text = _WORD.sub(lambda match: _spelt(match[0]), question)
    for words, meant in _SPOKEN:
        text = words.sub(meant, text)
    return text


@cache
def _vocabulary() -> tuple[frozenset[str], dict[str, list[str]]]:
    """Give all words of findings and quantities, and those of some length by first letter."""
    texts = [text for code in (*CODES, *GROUPS) for text in phrases(code, talk=True)]
    texts += [text for word in MEASURED.values() for text in (word.label, *word.phrases)]
    known = {word.lower() for text in (*texts, _MORE) for word in re.findall(r"[A-Za-z]+", text)}
    by_letter: dict[str, list[str]] = {}
    for word in sorted(known):
        if len(word) >= _SHORTEST:
            by_letter.setdefault(word[0], []).append(word)
    return frozenset(known), by_letter


@lru_cache(maxsize=4096)
def _spelt(word: str) -> str:
    """Give the word of the vocabulary that a word nearly is; itself if it is none or is one."""
    known, by_letter = _vocabulary()
    low = word.lower()
    if low in known or low.removesuffix("s") in known:
        return word
    words = by_letter.get(low[0], ())
    swapped = [other for other in words if sorted(other) == sorted(low)]
    close = swapped or get_close_matches(low, words, n=1, cutoff=_CLOSE)
    return close[0] if close else word
