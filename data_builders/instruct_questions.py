"""Questions in the forms of ECG-QA: verify, choose, query, of one ECG."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from ecg_llm.claims.check import check_text
from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.data_builders.instruct_draft import Draft, Told, draft
from ecg_llm.data_builders.instruct_report import asked
from ecg_llm.data_builders.instruct_say import VALUE_NAMES, Point, Teller, joined
from ecg_llm.data_builders.instruct_terms import (
    AXES,
    CODES,
    DIAGNOSES,
    FEATURES,
    FORMS,
    NOISES,
    RHYTHMS,
    asked_of,
    place,
)
from ecg_llm.data_builders.instruct_words import Voice
from ecg_llm.leads import STANDARD_12
from ecg_llm.phrases import listing

Counts = Mapping[str, tuple[int, int]]
"""By code, of how many records of the set it is present and absent."""

_VERIFY = (
    "Does this ECG [show|reveal|have] {t}?",
    "Is there [any |]{t} [on|in] this [ECG|tracing|recording]?",
    "Is {t} [present|seen|visible] [on|in] this ECG?",
    "[Can you see|Do you find|Do you see] {t} [here|on this ECG|in this tracing]?",
    "[Check|Verify]: {t}?",
    "[Are there|Do you see any] signs of {t} [here|in this ECG]?",
)
_LEAD_SIGNS = {
    "INVT": ("inverted t-waves", "T-wave inversion"),
    "STE_": ("non-specific st elevation", "ST elevation"),
    "STD_": ("non-specific st depression", "ST depression"),
    "QWAVE": ("q waves present", "pathological Q waves"),
}


def verify_questions(case: ECGCase, rng: Random, counts: Counts) -> Told:
    """Ask whether something is there; over the set as often with yes as with no, term by term."""
    teller = Teller(case, Voice.random(rng, rng.choice(("prose", "terse"))))
    out = []
    for term, code in {**CODES, **AXES}.items():
        present, absent = counts.get(code, (0, 0))
        status = case.holds(code)
        share = {"present": (absent, present), "absent": (present, absent)}.get(status)
        if share is None or not share[1] or rng.random() >= min(1.0, share[0] / share[1]):
            continue
        question = asked(rng, _VERIFY, t=rng.choice((term, teller.name(code))))
        if status == "present":
            finding = case.specific(code)
            point = teller.present(finding) if finding else None
        else:
            point = teller.absent([code], facts=rng.random() < 0.5)
        if point is not None:
            said = _yes(teller, status == "present", point.text)
            answer = "yes" if status == "present" else "no"
            out.append(draft("verify", term, question, said, points=[point], answer=[answer]))
    out += _lead_questions(teller)
    return out, teller.unsaid


def _yes(teller: Teller, yes: bool, text: str) -> str:
    """Put yes or no before an answer."""
    forms = ("Yes. {t}", "Yes. {t}", "{t}", "Yes: {t}") if yes else ("No. {t}", "No. {t}", "{t}")
    return teller.pick(*forms, t=text)


def lead_shows(case: ECGCase, sign: str, lead: str) -> bool | None:
    """Tell whether a lead shows a sign such as ``ST elevation``; None near the limit."""
    yes = check_text(f"{sign} in {lead}.", facts=case.facts)
    no = check_text(f"No {sign} in {lead}.", facts=case.facts)
    states = {claim.status for claim in yes}, {claim.status for claim in no}
    if states == ({"supported"}, {"contradicted"}):
        return True
    return False if states == ({"contradicted"}, {"supported"}) else None


def _shown(case: ECGCase, sign: str) -> dict[str, bool | None]:
    """Tell which of the leads that were read show a sign."""
    leads = [lead for lead in STANDARD_12 if lead != "aVR" and lead in case.facts.leads]
    return {lead: lead_shows(case, sign, lead) for lead in leads}


_SIGN_VALUES = {
    "INVT": ("t_mv",),
    "STE_": ("st_j_mv",),
    "STD_": ("st_j_mv", "st_j60_mv", "st_j80_mv"),
    "QWAVE": ("q_mv",),
}
_SIGN_WORDS = {
    "t_mv": "T amplitude",
    "st_j_mv": "ST at J",
    "st_j60_mv": "ST at J+60 ms",
    "st_j80_mv": "ST at J+80 ms",
    "q_mv": "Q amplitude",
}


def _sign_value(case: ECGCase, code: str, lead: str) -> tuple[str, float | None]:
    """Name the value of a lead that decides a sign, the lowest of several, and give it in mV."""
    found = [(name, case.facts.value(name, lead).value) for name in _SIGN_VALUES[code]]
    known = [(value, name) for name, value in found if value is not None]
    return (min(known)[1], min(known)[0]) if known else (_SIGN_VALUES[code][0], None)


def _lead_questions(teller: Teller) -> list[Draft]:
    """Ask of one lead with a sign, and of one without it."""
    case, rng = teller.case, teller.voice.rng
    out = []
    for code, (term, sign) in _LEAD_SIGNS.items():
        shown = _shown(case, sign)
        having = [lead for lead, shows in shown.items() if shows]
        lacking = [lead for lead, shows in shown.items() if shows is False]
        if not having or not lacking:
            continue
        for lead, yes in ((rng.choice(having), True), (rng.choice(lacking), False)):
            question = asked(
                rng,
                (
                    "Does [this ECG show|one see|the tracing have] {s} in lead {l}?",
                    "Is there {s} in [lead |]{l}?",
                    "Lead {l}: {s}?",
                    "[Do you see|Can you find] {s} in [lead |]{l}?",
                ),
                s=sign,
                l=lead,
            )
            name, value = _sign_value(case, code, lead)
            text = teller.pick(
                "There is {no}{s} in {l}: {q} {v}.",
                "{l} shows {no}{s} ({q} {v}).",
                "Lead {l} shows {no}{s}, with {q} at {v}.",
                "{q} in {l} [is|measures] {v}, so there is {no}{s} in {l}.",
                no="" if yes else "no ",
                s=sign,
                l=lead,
                q=_SIGN_WORDS[name],
                v=teller.voice.amount(value or 0.0, "mV"),
            )
            if value is not None and teller.holds(text):
                said = _yes(teller, yes, text)
                out.append(
                    draft(
                        "verify",
                        f"{term} in lead",
                        question,
                        said,
                        facts=[code, name],
                        answer=["yes" if yes else "no"],
                    )
                )
            else:
                teller.unsaid += 1
    return out


_KINDS_OF = (
    ("diagnostic symptoms", DIAGNOSES),
    ("form-related symptoms", FORMS),
    ("rhythm-related symptoms", RHYTHMS),
)


def choose_questions(case: ECGCase, rng: Random) -> Told:
    """Ask which of two statements holds: one, both or none."""
    teller = Teller(case, Voice.random(rng, "prose"))
    out = []
    for words, terms in _KINDS_OF:
        present = asked_of(case, terms)
        absent = [t for t, code in terms.items() if case.holds(code) == "absent"]
        want = rng.choice((0, 1, 1, 2))
        if len(present) < want or len(absent) < 2 - want:
            continue
        pair = rng.sample(present, want) + rng.sample(absent, 2 - want)
        rng.shuffle(pair)
        question = asked(
            rng,
            (
                "Which {k} does this ECG show, {a} or {b}?",
                "[Which of the two|Which] is [seen|present] [here|on this ECG]: {a} or {b}?",
                "{a} or {b}: which does this [ECG|tracing] show?",
                "Choose between {a} and {b}.",
            ),
            k=words,
            a=pair[0],
            b=pair[1],
        )
        points = joined(_one(teller, terms[term]) for term in pair)
        if len(points) == 2:
            chosen = [term for term in pair if term in present]
            lead = {0: "Neither. ", 1: "", 2: "Both. "}[want]
            text = lead + " ".join(point.text for point in points)
            out.append(
                draft("choose", words, question, text, points=points, answer=chosen or ["none"])
            )
    name = rng.choice(("pr_ms", "qrs_ms", "qtc_fridericia_ms"))
    if (where := place(case, name)) and (point := teller.value(name, judge=True)):
        question = asked(
            rng,
            (
                "Is the {n} below, within or above the normal range?",
                "[Where does the {n} lie|How is the {n}]: below, within or above the normal range?",
            ),
            n=VALUE_NAMES[name][0],
        )
        out.append(
            draft("choose", "numeric feature", question, point.text, points=[point], answer=[where])
        )
    return out, teller.unsaid


def _one(teller: Teller, code: str) -> Point | None:
    """Say whether one statement holds."""
    if teller.case.holds(code) == "present":
        finding = teller.case.specific(code)
        return teller.present(finding, facts=1) if finding else None
    return teller.absent([code])


def query_questions(case: ECGCase, rng: Random) -> Told:
    """Ask what there is: symptoms, leads, axis, beats, noise, values."""
    teller = Teller(case, Voice.random(rng, rng.choice(("prose", "prose", "terse"))))
    makers = [_what, _axis, _value_query, _where, _extra_beats, _noise, _infarction_stage]
    rng.shuffle(makers)
    made = [maker(teller) for maker in makers]
    return [one for one in made if one is not None][:3], teller.unsaid


def _what(teller: Teller) -> Draft | None:
    words, terms = teller.voice.rng.choice(_KINDS_OF)
    present = asked_of(teller.case, terms)
    question = asked(
        teller.voice.rng,
        (
            "What {k} does this ECG show?",
            "[Which|What] {k} are [present|seen] [here|on this ECG]?",
            "[List|Name] the {k} [of this ECG|on this tracing].",
        ),
        k=words,
    )
    if present:
        points = joined(_one(teller, terms[term]) for term in present)
        if len(points) < len(present):
            return None
    else:
        denied = [code for code in terms.values() if teller.case.holds(code) == "absent"]
        points = joined([teller.absent(teller.voice.rng.sample(denied, min(3, len(denied))))])
        if not points:
            return None
    lead = "" if present else teller.pick("None[ of them|]. ", "None. ")
    text = f"{lead} {' '.join(point.text for point in points)}".strip()
    return draft("query", words, question, text, points=points, answer=present or ["none"])


def _axis(teller: Teller) -> Draft | None:
    case = teller.case
    if case.value("qrs_axis_deg") is None:
        return None
    turned = [term for term, code in AXES.items() if case.status(code) == "present"]
    point = teller.value("qrs_axis_deg", judge=not turned)
    more = teller.present(case.facts.findings[AXES[turned[0]]], facts=0) if turned else None
    if point is None or (turned and more is None):
        return None
    question = asked(
        teller.voice.rng,
        (
            "[What direction is this ECG deviated to|Which way does the heart axis point]?",
            "What is the [heart|electrical|QRS] axis[ of this ECG|]?",
            "[Is the axis normal or deviated|Axis]?",
        ),
    )
    points = joined([point, more])
    text = " ".join(part.text for part in points)
    return draft(
        "query", "heart axis", question, text, points=points, answer=turned or ["normal heart axis"]
    )


def _value_query(teller: Teller) -> Draft | None:
    rng = teller.voice.rng
    term, name = rng.choice(sorted(FEATURES.items()))
    point = teller.value(name)
    if point is None:
        return None
    question = asked(
        rng,
        (
            "[What is|How long is|Give me|Tell me] the {n}[ of this ECG|]?",
            "{n}[ in this tracing| here|]?",
            "[Measure|Read off] the {n}.",
        ),
        n=rng.choice((term, VALUE_NAMES[name][0])),
    )
    where = place(teller.case, name)
    return draft(
        "query",
        "numeric feature",
        question,
        point.text,
        points=[point],
        answer=[where] if where else [],
    )


def _where(teller: Teller) -> Draft | None:
    """Ask in which leads a sign shows."""
    case, rng = teller.case, teller.voice.rng
    code, (_, sign) = rng.choice(sorted(_LEAD_SIGNS.items()))
    shown = _shown(case, sign)
    having = [lead for lead, shows in shown.items() if shows]
    if not having or None in shown.values():
        return None
    told = {lead: _sign_value(case, code, lead) for lead in having}
    read = [
        f"{_SIGN_WORDS[name]} {teller.voice.amount(value or 0.0, 'mV')} in {lead}"
        for lead, (name, value) in told.items()
    ]
    text = teller.pick(
        "{S} in {l}.",
        "In {l} there is {s}.",
        "{S} shows in {l}: {v}.",
        s=sign,
        S=sign,
        l=listing(having),
        v=", ".join(read),
    )
    if not teller.holds(text):
        teller.unsaid += 1
        return None
    question = (
        asked(
            rng,
            (
                "[Which|In which] leads [show|have] {s}?",
                "Where is there {s}?",
                "[Name|List] the leads with {s}.",
            ),
            s=sign,
        )
        .replace("In which leads show", "Which leads show")
        .replace("In which leads have", "Which have")
    )
    return draft(
        "query",
        "leads of a sign",
        question,
        text,
        facts=[code, *dict.fromkeys(name for name, _ in told.values())],
        answer=[f"lead {lead}" for lead in having],
    )


def _extra_beats(teller: Teller) -> Draft | None:
    case = teller.case
    kinds = {"PAC": "supraventricular extrasystoles", "PVC": "ventricular extrasystoles"}
    states = {code: case.holds(code) for code in kinds}
    if "unknown" in states.values():
        return None
    points = joined(_one(teller, code) for code in kinds)
    if len(points) < 2:
        return None
    question = asked(
        teller.voice.rng,
        (
            "[What|Which] kinds of extra systoles does this ECG show?",
            "[Any|Are there] [extrasystoles|extra beats|premature beats][ here|]?",
            "Extra beats, and [of which|what] kind?",
        ),
    )
    answer = [kinds[code] for code, status in states.items() if status == "present"]
    return draft(
        "query",
        "extra systole",
        question,
        " ".join(p.text for p in points),
        points=points,
        answer=answer or ["none"],
    )


def _noise(teller: Teller) -> Draft | None:
    case, rng = teller.case, teller.voice.rng
    noisy = {
        lead: [NOISES[part] for part in reason.split(", ") if part in NOISES]
        for lead, reason in case.facts.unusable.items()
    }
    if not any(noisy.values()) and rng.random() < 0.8:
        return None
    point = teller.quality()
    question = asked(
        rng,
        (
            "What kind of noise does this ECG show?",
            "Is the tracing noisy?",
            "[How is the signal quality|Which leads are too noisy to read]?",
        ),
    )
    found = list(dict.fromkeys(term for terms in noisy.values() for term in terms))
    answer = found if noisy else ["none"]  # what ails a lead may have no term in ECG-QA
    return draft("query", "noise", question, point.text, points=[point], answer=answer)


def _infarction_stage(teller: Teller) -> Draft | None:
    case = teller.case
    walls = [f for f in case.notable() if f.code.endswith("MI") and f.code != "stemi"]
    if not walls or case.status("stemi") == "present":
        return None
    point = teller.present(walls[0])
    if point is None:
        return None
    question = asked(
        teller.voice.rng,
        (
            "What stage of myocardial infarction does this ECG show?",
            "[How old is the infarction|Is the infarction old or new]?",
        ),
    )
    text = point.text + teller.pick(
        " Its age cannot be told from this tracing alone.",
        " From one tracing the stage stays open; an earlier recording would help.",
    )
    return draft(
        "query",
        "stage of infarction",
        question,
        text,
        points=[point],
        answer=["unknown stage of myocardial infarction"],
    )
