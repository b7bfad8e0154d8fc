"""Comparisons of two ECGs in the forms of ECG-QA."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ecg_llm.claims.check import check_text
from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.data_builders.instruct_draft import Draft, draft
from ecg_llm.data_builders.instruct_report import asked
from ecg_llm.data_builders.instruct_say import VALUE_NAMES
from ecg_llm.data_builders.instruct_terms import CODES, FEATURES, PLACES, TERM_OF, place
from ecg_llm.data_builders.instruct_words import Voice, capital, names, with_article
from ecg_llm.phrases import listing

_CHANGES = ("now normal", "now abnormal", "still abnormal", "new", "gone", "remaining")
_TOLD = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qtc_fridericia_ms", "qrs_axis_deg")


def comparisons(first: ECGCase, second: ECGCase, rng: Random) -> tuple[list[Draft], int]:
    """Compare an ECG with an earlier one, neither refused.

    Gives the conversations, and how many were dropped as the records do not bear them out.
    """
    made = [
        _features(first, second, rng),
        _statements(first, second, rng),
        _verify(first, second, rng),
        _values(first, second, rng),
    ]
    kept = [
        one
        for one in made
        if one is not None
        and all(
            claim.status == "supported"
            for claim in check_text(one.turns[1], facts=second.facts, earlier=first.facts)
        )
    ]
    return kept, sum(one is not None for one in made) - len(kept)


def _features(first: ECGCase, second: ECGCase, rng: Random) -> Draft | None:
    """Which numeric features became normal or abnormal, or still are abnormal."""
    known = {
        term: (one, other)
        for term, name in FEATURES.items()
        if (one := place(first, name)) and (other := place(second, name))
    }
    if not known:
        return None
    change = rng.choice(_CHANGES[:3])
    fits: dict[str, Callable[[str, str], bool]] = {
        "now normal": lambda a, b: a != PLACES[1] and b == PLACES[1],
        "now abnormal": lambda a, b: a == PLACES[1] and b != PLACES[1],
        "still abnormal": lambda a, b: a != PLACES[1] and b != PLACES[1],
    }
    chosen = [term for term, (one, other) in known.items() if fits[change](one, other)]
    voice = Voice.random(rng, "prose")
    parts = []
    for term in chosen:
        name = FEATURES[term]
        parts.append(_pair(voice, first, second, name))
    question = asked(
        rng,
        {
            "now normal": (
                "What numeric features of the second ECG now have become normal as compared to "
                "the first ECG?",
                "Which numerical features of the second ECG are now within the normal range, "
                "unlike in the first?",
            ),
            "now abnormal": (
                "What numeric features of the second ECG are now considered abnormal values as "
                "compared to the first ECG?",
                "Which values have become abnormal from the first ECG to the second?",
            ),
            "still abnormal": (
                "What numeric features of the second ECG are still abnormal as compared to the "
                "first ECG?",
                "Which values remain abnormal in the second ECG?",
            ),
        }[change],
    )
    if not parts:
        text = voice.pick(
            "None.",
            "None of the [features|values].",
            "[Not one|None] of those measured in both.",
        )
    else:
        text = " ".join(parts)
    return draft(
        "comparison",
        f"features {change}",
        question,
        text,
        facts=[FEATURES[term] for term in chosen],
        answer=chosen or ["none"],
    )


def _pair(voice: Voice, first: ECGCase, second: ECGCase, name: str) -> str:
    """Say a value of both ECGs."""
    before, now = first.value(name), second.value(name)
    unit = second.values[name].unit
    return voice.pick(
        "The {n} is {b} now. In the first ECG the {n} was {a}.",
        "{N}: {b} in the second ECG. The first ECG has a {n} of {a}.",
        "In the first ECG the {n} was {a}. In the second ECG the {n} is {b}.",
        n=VALUE_NAMES[name][0],
        N=capital(VALUE_NAMES[name][0]),
        a=voice.amount(before or 0.0, unit),
        b=voice.amount(now or 0.0, unit),
    )


def _changed(first: ECGCase, second: ECGCase) -> dict[str, list[str]]:
    """Sort the statements of both ECGs by what became of them."""
    out: dict[str, list[str]] = {"new": [], "gone": [], "remaining": []}
    for code in CODES.values():
        match first.holds(code), second.holds(code):
            case "absent", "present":
                out["new"].append(code)
            case "present", "absent":
                out["gone"].append(code)
            case "present", "present":
                out["remaining"].append(code)
            case _:
                pass
    return out


def _statements(first: ECGCase, second: ECGCase, rng: Random) -> Draft | None:
    """Which statements are new, gone or still there."""
    change = rng.choice(_CHANGES[3:])
    chosen = _changed(first, second)[change]
    voice = Voice.random(rng, "prose")
    question = asked(
        rng,
        {
            "new": (
                "What [symptoms|findings] are new in the second ECG compared to the first?",
                "What [has appeared|is new] since the first ECG?",
            ),
            "gone": (
                "What [symptoms|findings] of the first ECG have [resolved|gone] in the second?",
                "What was there in the first ECG and is not there any more?",
            ),
            "remaining": (
                "What [symptoms|findings] remain in the second ECG as compared to the first?",
                "What do both ECGs have in common?",
            ),
        }[change],
    )
    called = [with_article(rng.choice(names(code))) for code in chosen]
    if not called:
        text = voice.pick("None.", "None of the statements judged in both.")
    else:
        there, gone = listing(called), listing(called, "or")
        second_shows = f"The second ECG shows {there if change != 'gone' else 'no ' + gone}."
        first_shows = f"The first ECG shows {'no ' + gone if change == 'new' else there}."
        parts = [second_shows, first_shows]
        rng.shuffle(parts)
        text = " ".join(parts)
    return draft(
        "comparison",
        f"statements {change}",
        question,
        text,
        facts=chosen,
        answer=[TERM_OF[code] for code in chosen] or ["none"],
    )


def _verify(first: ECGCase, second: ECGCase, rng: Random) -> Draft | None:
    """Ask whether one statement is new, gone or still there."""
    sorted_ = _changed(first, second)
    change = rng.choice(("new", "gone", "remaining"))
    yes = rng.random() < 0.5
    if yes:
        pool = sorted_[change]
    else:
        every = [code for codes in sorted_.values() for code in codes]
        pool = [code for code in every if code not in sorted_[change]]
    if not pool:
        return None
    code = rng.choice(pool)
    name = rng.choice(names(code))
    question = asked(
        rng,
        {
            "new": (
                "Has {t} appeared in the second ECG as compared to the first?",
                "Is {t} new since the first ECG?",
            ),
            "gone": (
                "Has {t} resolved from the first to the second ECG?",
                "Is {t} of the first ECG gone in the second?",
            ),
            "remaining": (
                "Does {t} still appear in the second ECG as in the first?",
                "Do both ECGs show {t}?",
            ),
        }[change],
        t=name,
    )
    shown = []
    for which, case in (("first", first), ("second", second)):
        there = case.holds(code) == "present"
        shown.append(f"The {which} ECG shows {with_article(name) if there else 'no ' + name}.")
    text = f"{'Yes' if yes else 'No'}. {' '.join(shown)}"
    return draft(
        "comparison",
        f"verify {change}",
        question,
        text,
        facts=[code],
        answer=["yes" if yes else "no"],
    )


def _values(first: ECGCase, second: ECGCase, rng: Random) -> Draft | None:
    """Ask how one value has changed."""
    known = [n for n in _TOLD if first.value(n) is not None and second.value(n) is not None]
    if not known:
        return None
    name = rng.choice(known)
    voice = Voice.random(rng, "prose")
    before, now = first.value(name) or 0.0, second.value(name) or 0.0
    room = {"ms": 10.0, "bpm": 3.0, "deg": 10.0}[second.values[name].unit]
    way = "about the same" if abs(now - before) < room else "higher" if now > before else "lower"
    said = {
        "higher": "It has [risen|increased|gone up].",
        "lower": "It has [fallen|decreased].",
        "about the same": "[That is about the same|No relevant change].",
    }[way]
    if second.values[name].unit == "deg" and way != "about the same":
        said = "[It has shifted|The direction has changed]."
    text = f"{_pair(voice, first, second, name)} {voice.pick(said)}"
    question = asked(
        rng,
        (
            "How has the {n} changed from the first to the second ECG?",
            "Compare the {n} of the two ECGs.",
            "Is the {n} [longer or shorter|higher or lower] in the second ECG?"
            if second.values[name].unit != "deg"
            else "Has the {n} shifted between the two ECGs?",
        ),
        n=VALUE_NAMES[name][0],
    )
    return draft("comparison", "value", question, text, facts=[name], answer=[way])
