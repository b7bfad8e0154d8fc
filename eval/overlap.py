"""Overlap of two texts in words: BLEU, ROUGE-L and a METEOR-like mean. They do not tell truth."""

from __future__ import annotations

import math
import re
from collections import Counter

_WORD = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
ORDERS = 4
"""Longest runs of words that BLEU counts."""
RECALL_WEIGHT = 0.9
"""How much recall counts in the METEOR-like mean."""


def _words(text: str) -> list[str]:
    """Cut a text into words in small letters."""
    return _WORD.findall(text.lower())


def bleu(text: str, reference: str) -> float:
    """Give the geometric mean of the precision of runs of one to four words.

    Returns
    -------
    float
        0 to 1, with one added to the counts of longer runs, and the penalty for short texts.

    References
    ----------
    .. [1] Papineni K et al. ACL 2002:311-318.

    Examples
    --------
    >>> bleu("sinus rhythm with a normal axis", "sinus rhythm with a normal axis")
    1.0
    """
    said, wanted = _words(text), _words(reference)
    if not said or not wanted:
        return 0.0
    total = 0.0
    for n in range(1, ORDERS + 1):
        ours = Counter(tuple(said[k : k + n]) for k in range(len(said) - n + 1))
        theirs = Counter(tuple(wanted[k : k + n]) for k in range(len(wanted) - n + 1))
        hits, all_ = sum((ours & theirs).values()), sum(ours.values())
        if n > 1:
            hits, all_ = hits + 1, all_ + 1
        if not hits:
            return 0.0
        total += math.log(hits / all_) / ORDERS
    short = min(0.0, 1 - len(wanted) / len(said))
    return math.exp(total + short)


def rouge_l(text: str, reference: str) -> float:
    """Give the F1 of the longest common subsequence of words.

    References
    ----------
    .. [1] Lin CY. ACL workshop on text summarization 2004:74-81.
    """
    said, wanted = _words(text), _words(reference)
    if not said or not wanted:
        return 0.0
    row = [0] * (len(wanted) + 1)
    for word in said:
        diagonal = 0
        for k, other in enumerate(wanted, start=1):
            diagonal, row[k] = row[k], diagonal + 1 if word == other else max(row[k], row[k - 1])
    common = row[-1]
    return 2 * common / (len(said) + len(wanted))


def meteor_like(text: str, reference: str) -> float:
    """Give the weighted mean of precision and recall of single words, without stems or synonyms."""
    said, wanted = Counter(_words(text)), Counter(_words(reference))
    hits = sum((said & wanted).values())
    if not hits:
        return 0.0
    precision, recall = hits / said.total(), hits / wanted.total()
    return precision * recall / (RECALL_WEIGHT * precision + (1 - RECALL_WEIGHT) * recall)
