"""Read what a user wants said or compared."""

from __future__ import annotations

import re

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.ground.known import Known

CLOSED = re.compile(
    r"(is|are|does|do|did|can|could|has|have|any|was|were|would|will)\b", re.IGNORECASE
)
"""How a question begins that yes or no answers."""
_ASSERTS = re.compile(
    r"\b(say|write|confirm|state|admit|agree|tell (me|them)|report|answer|call it|pretend|assume|"
    r"you are wrong|that is wrong|there is no|is normal|change)\b",
    re.IGNORECASE,
)


TAG = re.compile(
    r",?\s*\b(is it not|isn't it|is it|isn't that so|is that (right|correct)|right|correct|yes|no|"
    r"or not|don't you (think|agree)|do you agree|agreed)\s*\?\s*$",
    re.IGNORECASE,
)
"""What asks to confirm."""
COMPARES = re.compile(
    r"\b((what|anything|something)( has|'s)? (changed|new)|any changes?|"
    r"(compared? (it )?(to|with)|since|than|from) (the |his |her |an? )?"
    r"(last|previous|prior|earlier|old(er)?|former) (ecg|ekg|tracing|recording|one|time|year|month|"
    r"week|visit|admission)|"
    r"(better|(?<!which is )worse|improv\w+|worsen\w+|progress(ed|ing)|progression of|unchanged|"
    r"resolved?|compare|"
    r"different (from|than|to|now|since)|(is|was|what's|what is) (\w+ )?different|"
    r"difference|the same as|"
    r"(what|anything) (is |has )?(stay\w* |remain\w* )?the same|"
    r"same as (the |his |her |an? )?(last|previous|prior|earlier|old|before))|"
    r"(previous|prior|earlier|last) (ecg|ekg|tracing|recording)|"
    r"(was|were|had) [\w ]{1,40}\b(last|previous) (year|month|week|visit))\b",
    re.IGNORECASE,
)
"""Words that ask what has changed since an earlier ECG."""


CHANGED = re.compile(
    r"\b(before|earlier|previous\w*|last time|shifted|changed?|longer|shorter|still|again|"
    r"any ?more|(in|de)creased|since|changes|risen|fallen|faster|slower|wider|narrower|up or down|"
    r"go(ne)? (up|down)|same|stable|now|new(ly)?|old|gone|resolved?|"
    r"(go|went) away|disappear\w*|yesterday)\b",
    re.IGNORECASE,
)
"""Words that ask for a change, where an earlier ECG is at hand."""


def pleaded(question: str, known: Known) -> list[CheckedClaim]:
    """Find what a user wants said, or has confirmed, although the record contradicts it.

    Parameters
    ----------
    question : str
        As asked.
    known : Known
        Of the ECG.

    Returns
    -------
    list of CheckedClaim
        The contradicted claims; empty where a question is only asked.
    """
    tag = TAG.search(question)
    if tag is not None and not CLOSED.match(question.strip()):
        question = question[: tag.start()] + "."
    elif question.strip().endswith("?") or not _ASSERTS.search(question):
        return []
    return [one for one in known.check(question) if one.status == "contradicted"]
