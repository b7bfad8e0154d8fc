"""Tell of single beats: by number, by moment, and when those of a finding are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ecg_llm.measure import Measurements
from ecg_llm.phrases import listing, measured
from ecg_llm.report import Claim


class Moment(NamedTuple):
    """What part of the tracing a question asks of.

    Attributes
    ----------
    of_beats : bool
        Whether beats are counted, and not seconds.
    first, last : float
        Beats from 1 on, or seconds; the same where it is one.
    """

    of_beats: bool
    first: float
    last: float


_S = r"(?P<last>\d+(?:\.\d+)?) ?(?:s|secs?|seconds?)\b"
_WORDS = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        rf"\b(?:from|between) (?P<first>\d+(?:\.\d+)?) ?(?:s\w*)? ?(?:to|and|-|–) ?{_S}",
        rf"\b(?:at|around|near|about) (?:second )?{_S}",
        r"\b(?P<beat>beats?|complex(?:es)?) (?:no\.? ?|number |#)?(?P<first>\d{1,3})"
        r"(?: ?(?:and|to|-|–) ?(?P<last>\d{1,3}))?\b(?! ?(?:ms|s|of|per|a|/)\b)",
        r"(?<!every )\b(?P<first>\d{1,3})(?:st|nd|rd|th) (?P<beat>beat|complex)\b",
    )
)


def read_moment(question: str) -> Moment | None:
    """Read which beats or seconds a question names.

    Examples
    --------
    >>> read_moment("RR between beat 3 and 4"), read_moment("is the 4th beat normal?").first
    (Moment(of_beats=True, first=3.0, last=4.0), 4.0)
    >>> read_moment("what happens at 3.5 s"), read_moment("QRS 0.12 s?")
    (Moment(of_beats=False, first=3.5, last=3.5), None)
    """
    found = next((m for words in _WORDS if (m := words.search(question))), None)
    if found is None:
        return None
    ends = [float(n) for n in map(found.groupdict().get, ("first", "last")) if n]
    return Moment(bool(found.groupdict().get("beat")), ends[0], ends[-1])


def of_moment(moment: Moment, measurements: Measurements) -> Iterator[Claim]:
    """Tell of the beats at a moment: when, of what class, how long after the one before.

    Yields
    ------
    Claim
        Of a moment between two beats both are told.
    """
    beats = measurements.beats
    times = [beat.r_s for beat in beats]
    if moment.of_beats:
        chosen = [k for k in range(len(beats)) if moment.first <= k + 1 <= moment.last]
    elif moment.first == moment.last:
        after = next((k for k, time in enumerate(times) if time > moment.first), len(times))
        chosen = [k for k in (after - 1, after) if 0 <= k < len(times)]
        chosen = [k for k in chosen if abs(times[k] - moment.first) <= NEAR_S]
    else:
        chosen = [k for k, time in enumerate(times) if moment.first <= time <= moment.last]
    if not chosen:
        shown = f", from {times[0]:.2f} to {times[-1]:.2f} s" if times else ""
        yield Claim.unknown(f"No beat was read there; {len(times)} were{shown}.")
    for k in chosen[:MOST]:
        kind = _KINDS.get(beats[k].kind, beats[k].kind)
        facts = [measured(f"R of beat {k + 1}", times[k], "s")]
        text = f"Beat {k + 1} of {len(times)} at {times[k]:.2f} s: {kind}"
        if k:
            rr_ms = 1000 * (times[k] - times[k - 1])
            facts.append(measured(f"RR before beat {k + 1}", rr_ms, "ms"))
            text += f", {rr_ms:.0f} ms after the one before"
        yield Claim.of(f"{text}.", facts, kind="value")


MOST = 6
"""Beats that are told one by one."""
NEAR_S = 2.0
"""How far a beat may lie from the moment that is asked of."""
_KINDS = {"normal": "of the dominant form", "unknown": "not classified"}
_KINDS |= {"supraventricular": "early, of the usual shape"}
_CLASSES = {
    "PVC": ("ventricular",),
    "PAC": ("supraventricular",),
    "ectopy": ("ventricular", "supraventricular"),
}
"""Findings of single beats, and the classes of these beats."""


def times_of(code: str, measurements: Measurements) -> Iterator[Claim]:
    """Tell when the beats of a finding are.

    Parameters
    ----------
    code : str
        Finding or family; of one that is not of single beats nothing is said.

    Yields
    ------
    Claim
        At most one.
    """
    times = [b.r_s for b in measurements.beats if b.kind in _CLASSES.get(code, ())]
    if len(times) > 1:
        facts = tuple(measured("R", time, "s") for time in times)
        yield Claim.of(
            f"Their R waves are at {listing([f'{time:.2f}' for time in times])} s.",
            facts,
            kind="value",
        )
