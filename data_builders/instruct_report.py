"""Full reports in several styles, and readings step by step."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ecg_llm.claims.stated import missing
from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.data_builders.instruct_draft import STEPS, Told, draft, link
from ecg_llm.data_builders.instruct_say import Point, Teller, articled, joined
from ecg_llm.data_builders.instruct_words import Voice, capital, draw, names, with_article
from ecg_llm.findings.finding import Finding
from ecg_llm.phrases import listing

_INFARCTION = ("QWAVE", "IMI", "ILMI", "IPMI", "IPLMI", "PMI", "LMI", "ASMI", "AMI", "ALMI")
_ISCHAEMIA = (
    *("stemi", "sgarbossa", "STE_", "STD_", "ANEUR", "ISC_", "ISCAS", "ISCAN", "ISCAL", "ISCLA"),
    *("ISCIN", "ISCIL", "INJAS", "INJAL", "INJLA", "INJIN", "INJIL", "poor_r_progression"),
)
_STEP_OF_SECTION = {
    "technical": STEPS[0],
    "rhythm": STEPS[1],
    "ectopy": STEPS[1],
    "conduction": STEPS[2],
    "axis": STEPS[2],
    "p wave": STEPS[3],
    "chambers": STEPS[3],
    "qrs": STEPS[3],
    "st-t": STEPS[5],
    "qt": STEPS[5],
}
VALUES_OF_STEP = {
    STEPS[1]: ("heart_rate_bpm",),
    STEPS[2]: ("pr_ms", "qrs_ms", "qrs_axis_deg"),
    STEPS[5]: ("qt_ms", "qtc_fridericia_ms"),
}
DENIED_IN_STEP = {
    STEPS[0]: (("lead_reversal",),),
    STEPS[1]: (("AFIB", "AFLT"), ("PVC", "PAC"), ("SVTAC",)),
    STEPS[2]: (("CLBBB", "CRBBB"), ("1AVB",), ("LAFB",), ("WPW",), ("left_axis",), ("right_axis",)),
    STEPS[3]: (("VCLVH",), ("LVH", "RVH"), ("LAO/LAE",), ("RAO/RAE",), ("LVOLT",)),
    STEPS[4]: (("QWAVE",), ("STE_",), ("STD_",), ("stemi",)),
    STEPS[5]: (("INVT",), ("LNGQT",), ("LOWT",), ("brugada_1",)),
}
"""Absent findings worth denying, in groups that one sentence denies together."""


def _step_of(finding: Finding) -> str:
    """Tell the step of a stepwise reading in which a finding is judged."""
    if finding.code in _INFARCTION or finding.code in _ISCHAEMIA:
        return STEPS[4]
    return _STEP_OF_SECTION[finding.section]


def step_points(teller: Teller, step: str, *, denials: int, facts: bool) -> list[Point]:
    """Say what belongs to one step, and deny some groups of absent findings.

    With ``facts`` the measured facts of what is denied are named.
    """
    case, rng = teller.case, teller.voice.rng
    said: list[Point | None] = [teller.quality()] if step == STEPS[0] else []
    values = [name for name in VALUES_OF_STEP.get(step, ()) if case.values]
    said += [teller.value(name) or teller.unmeasured(name) for name in values]
    notable = case.notable()
    present = [f for f in notable if _step_of(f) == step]
    present = [f for f in present if f.code != "NORM"]
    said += [teller.present(finding) for finding in present]
    groups = list(DENIED_IN_STEP.get(step, ()))
    rng.shuffle(groups)
    denied = 0
    for group in groups:
        if denied >= denials and (not facts or any(p and p.evidence for p in said)):
            break
        codes = group[:1] if facts else group
        point = teller.absent(codes, facts=facts)
        denied += point is not None
        said.append(point)
    bare = facts and not any(point and point.evidence for point in said)
    if bare or rng.random() < 0.4:
        unknown = [
            finding
            for group in DENIED_IN_STEP.get(step, ())
            for code in group
            if (finding := case.facts.findings.get(code)) and finding.status == "unknown"
        ]
        said += [teller.unknown(finding) for finding in unknown[:1]]
    return joined(said)


def conclusion(teller: Teller) -> Point:
    """Name the present findings, the most urgent first."""
    case = teller.case
    notable = [f for f in case.notable() if f.urgency != "normal"]
    rhythm = [f for f in case.notable() if f.section == "rhythm" and f.urgency == "normal"]
    for _ in range(6):
        if case.status("NORM") == "present":
            text = teller.pick(
                "{n}",
                "This is a {n}",
                "[Overall|In summary|Taken together] a {n}",
                "{n}: no abnormality by the criteria applied",
                n=teller.name("NORM"),
            )
        elif notable:
            grave = [f for f in notable if f.urgency in ("critical", "urgent")]
            order = (*notable, *rhythm[:1]) if grave else (*rhythm[:1], *notable)
            called = [with_article(_in_list(teller, f.code)) for f in order]
            text = teller.pick(
                "{x}",
                "[In summary|Overall|Taken together]: {x}",
                "The [ECG|tracing] shows {x}",
                "Findings: {x}",
                x=listing(called) if teller.voice.rng.random() < 0.6 else "; ".join(called),
            )
        else:
            text = teller.pick(
                "None of the criteria applied is fulfilled",
                "Nothing abnormal by the criteria applied; some could not be judged",
                "No abnormality by the criteria applied",
            )
        text = capital(articled(text.rstrip("."))) + "."
        if teller.holds(text):
            break
    else:
        text = "See the findings above."
    if notable:
        return Point(notable[0].code, "present", text)
    return Point("NORM", case.status("NORM"), text)


def _in_list(teller: Teller, code: str) -> str:
    """Draw a name that a list can hold: without a comma, if there is one."""
    return teller.voice.rng.choice([n for n in names(code) if ", " not in n] or list(names(code)))


_ASK_REPORT = (
    "[Please report|Report|Write a full report of|Give me a structured report of|Interpret] "
    "[this|the] [12-lead |]ECG.",
    "[What do you see on this ECG|How do you read this ECG|What does this ECG show]?",
    "[Read|Describe|Summarise] this [ECG|electrocardiogram|tracing][, please|].",
    "[Can|Could] you [report|interpret|read] this [ECG|tracing] [for me|]?",
)
_HEADS = {
    STEPS[0]: ("Technical quality", "Quality", "Technique"),
    STEPS[1]: ("Rate and rhythm", "Rhythm", "Rhythm and rate"),
    STEPS[2]: ("Conduction and axis", "Intervals and axis", "Conduction"),
    STEPS[3]: ("Chambers", "Chambers and voltages", "Atria and ventricles"),
    STEPS[4]: ("Coronary signs", "QRS and ST", "ST segments", "Signs of coronary disease"),
    STEPS[5]: ("Repolarisation", "T waves and QT", "Repolarization"),
    STEPS[6]: ("Conclusion", "Impression", "Summary", "Interpretation"),
}


def full_report(case: ECGCase, rng: Random) -> Told:
    """Write a full report."""
    teller = Teller(case, Voice.random(rng))
    by_step = {
        step: step_points(teller, step, denials=rng.choice((0, 1, 1, 2)), facts=rng.random() < 0.3)
        for step in STEPS[:-1]
    }
    by_step[STEPS[6]] = [conclusion(teller)]
    said = " ".join(point.text for points in by_step.values() for point in points)
    for finding in missing(said, case.facts.findings.values()):
        point = teller.present(finding)  # nothing above the normal may be left out
        if point is None:
            return None, teller.unsaid
        by_step[_step_of(finding)].append(point)
    points = [point for said_there in by_step.values() for point in said_there]
    text = _laid_out(teller, by_step)
    question = asked(rng, _ASK_REPORT)
    return draft("report", teller.voice.style, question, text, points=points), teller.unsaid


def asked(rng: Random, forms: Sequence[str], **fields: str) -> str:
    """Draw a question of a user, who may write it carelessly."""
    text = capital(articled(draw(rng, *forms, **fields)))
    return text.lower().rstrip("?. ") if rng.random() < 0.08 and not fields else text


def _laid_out(teller: Teller, by_step: dict[str, list[Point]]) -> str:
    """Set sentences under headings, as paragraphs or as lines."""
    rng, style = teller.voice.rng, teller.voice.style
    order = list(STEPS)
    if rng.random() < 0.35:  # the conclusion first, as many reports have it
        order = [STEPS[6], *STEPS[:6]]
    parts = [(step, " ".join(p.text for p in by_step[step])) for step in order if by_step[step]]
    if style == "headed":
        mark = rng.choice(("{h}: {t}", "**{h}.** {t}", "{h}\n{t}", "- {h}: {t}"))
        return "\n".join(mark.format(h=rng.choice(_HEADS[step]), t=text) for step, text in parts)
    if style == "terse":
        lines = [point.text for step, _ in parts for point in by_step[step]]
        # An exclamation of capitals is what carts print; names of leads must stay as they are.
        return ("\n" if rng.random() < 0.6 else " ").join(lines)
    return ("\n\n" if rng.random() < 0.3 else " ").join(text for _, text in parts)


_ASK_STEPS = (
    "[Read|Work through|Go through] this ECG step by step[ and show your reasoning|].",
    "[Interpret|Analyse] [this|the] ECG systematically: quality, rhythm, conduction, chambers, "
    "ischaemia, repolarisation, conclusion.",
    "[Explain|Show me] how you [reach|come to] your reading of this ECG[, with the values|].",
    "Reason [through|about] this tracing [stepwise|one step after the other][ before you "
    "conclude|].",
)


def reasoning(case: ECGCase, rng: Random) -> Told:
    """Read a record step by step, each decision with criterion, lead, wave and value."""
    teller = Teller(case, Voice.random(rng, "prose"))
    mark = rng.choice(("{k}. {h}. {t}", "Step {k}, {h}: {t}", "**{h}**: {t}", "{h}: {t}"))
    lines, chain, points = [], [], []
    for k, step in enumerate(STEPS[:-1], 1):
        said = step_points(teller, step, denials=2, facts=True)
        if not any(point.evidence or point.decision == "unknown" for point in said):
            return None, teller.unsaid
        points += said
        chain += [link(step, point) for point in said]
        head = rng.choice(_HEADS[step])
        head = head if head[1].isupper() or "{k}, " not in mark else head[0].lower() + head[1:]
        lines.append(mark.format(k=k, h=head, t=" ".join(point.text for point in said)))
    last = conclusion(teller)
    chain.append(link(STEPS[6], last))
    lines.append(mark.format(k=7, h=capital(STEPS[6]), t=last.text))
    text = "\n".join(lines)
    for finding in missing(text, case.facts.findings.values()):
        point = teller.present(finding)
        if point is None:
            return None, teller.unsaid
        chain.append(link(STEPS[6], point))
        points.append(point)
        text += f" {point.text}"
    question = asked(rng, _ASK_STEPS)
    points = [*points, last]
    return draft("reasoning", "steps", question, text, points=points, chain=chain), teller.unsaid
