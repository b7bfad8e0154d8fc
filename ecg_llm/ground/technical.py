"""Sentences on the technical quality, written from the quality."""

from __future__ import annotations

import re

from ecg_llm.ground.known import Known
from ecg_llm.phrases import brief_reason, measured, sentence
from ecg_llm.report import Claim

_QUALITY = re.compile(
    r"technical quality|signal quality|\bleads? (can(not)? be|are|is) (read|use)|no lead left out|"
    r"all (12 )?leads|left out for|can be interpreted|quality (allows|is sufficient)|"
    r"leads? .{0,60}cannot be used|not read:",
    re.IGNORECASE,
)
_GOOD = re.compile(
    r"\b(all|usable|readable|good|sufficient|can be (read|interpreted)|no lead left out)\b", re.I
)
_POOR = re.compile(r"\b(not|cannot|limits|poor|noisy|left out for)\b")


def on_quality(text: str, known: Known) -> list[Claim] | None:
    """Write a sentence on the technical quality from the quality.

    Parameters
    ----------
    text : str
        A sentence.
    known : Known
        Of the ECG.

    Returns
    -------
    list of Claim or None
        None if the sentence is about something else.
    """
    if not _QUALITY.search(text) or known.check(text):
        return None
    facts = known.facts
    if facts.refused is not None:
        return [Claim(text=sentence(facts.refused), status="supported", kind="unknown")]
    if not facts.unusable:
        if _GOOD.search(text) and not _POOR.search(text):
            return [Claim(text=text, status="supported", kind="told")]
        return [Claim(text="All leads can be read.", status="supported")]
    left = "; ".join(f"{lead} ({brief_reason(why)})" for lead, why in facts.unusable.items())
    fact = measured("leads that cannot be read", ", ".join(facts.unusable))
    return [Claim(text=sentence(f"not read: {left}"), status="supported", evidence=(fact,))]
