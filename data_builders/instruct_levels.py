"""Explanations for a cardiologist, a generalist and a patient; readings beside the first report."""

from __future__ import annotations

from random import Random

from ecg_llm.claims.extract import extract_claims
from ecg_llm.data_builders.instruct_case import ECGCase
from ecg_llm.data_builders.instruct_draft import Draft, Told, draft
from ecg_llm.data_builders.instruct_report import asked, conclusion
from ecg_llm.data_builders.instruct_say import Point, Teller, joined
from ecg_llm.data_builders.instruct_words import Voice, names
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.vocabulary import canonical_code, label

LEVELS = ("cardiologist", "generalist", "patient")

_PLAIN = {
    "SR": "the beat starts where it should, in the sinus node",
    "STACH": "the heart beats faster than usual, with the beat starting where it should",
    "SBRAD": "the heart beats slowly, with the beat starting where it should",
    "SARRH": "the beat quickens and slows a little, as it often does with breathing",
    "AFIB": "the upper chambers quiver instead of beating, so the pulse is irregular",
    "AFLT": "the upper chambers beat very fast in a circle",
    "PAC": "some beats come early from the upper chambers",
    "PVC": "some beats come early from the lower chambers",
    "1AVB": "the signal takes longer than usual from the upper to the lower chambers",
    "CLBBB": "the signal to the left lower chamber is delayed",
    "CRBBB": "the signal to the right lower chamber is delayed",
    "IRBBB": "the signal to the right lower chamber is slightly delayed",
    "IVCD": "the signal spreads more slowly than usual through the lower chambers",
    "LAFB": "one of the branches that carry the signal to the left lower chamber is delayed",
    "LPFB": "one of the branches that carry the signal to the left lower chamber is delayed",
    "WPW": "there is an extra path between the upper and the lower chambers",
    "left_axis": "the electrical direction of the heart points further left than usual",
    "right_axis": "the electrical direction of the heart points further right than usual",
    "extreme_axis": "the electrical direction of the heart is unusual",
    "LVH": "the signals look as they do when the muscle of the left lower chamber is thickened",
    "VCLVH": "the signals of the left lower chamber are tall, which can go with thicker muscle",
    "RVH": "the signals look as they do when the muscle of the right lower chamber is thickened",
    "LAO/LAE": "the left upper chamber may be enlarged",
    "RAO/RAE": "the right upper chamber may be enlarged",
    "QWAVE": "part of the heart muscle may carry a scar",
    "STE_": "part of the tracing is raised; a doctor has to weigh that together with symptoms",
    "STD_": "part of the tracing is lowered; a doctor has to weigh that together with symptoms",
    "stemi": "the tracing looks as it does when a heart artery is blocked; this is an emergency",
    "INVT": "one of the waves points down where it usually points up",
    "LOWT": "one of the waves is flatter than usual",
    "LNGQT": "the heart takes longer than usual to recharge after a beat",
    "very_long_qt": "the heart takes much longer than usual to recharge; show this to a doctor",
    "LVOLT": "the signals are smaller than usual",
    "PACE": "a pacemaker drives the heart",
}
_MEANING = {
    "SR": "This is the normal rhythm.",
    "STACH": "One looks for a cause such as pain, fever, bleeding or thyroid disease.",
    "SBRAD": "It is common in trained people and with drugs that slow the rate.",
    "AFIB": "One considers the risk of stroke and the control of the rate.",
    "AFLT": "It is managed much like atrial fibrillation; ablation is often an option.",
    "PAC": "They are usually harmless.",
    "PVC": "They are often harmless; frequent ones call for a look at the ventricle.",
    "1AVB": "It is often benign; check drugs that slow conduction.",
    "CLBBB": "It makes ST and T hard to read and suggests looking for structural disease.",
    "CRBBB": "It may be seen in healthy people.",
    "LAFB": "On its own it is usually without consequence.",
    "LVH": "Check the blood pressure; imaging is more accurate than voltage.",
    "VCLVH": "Voltage alone is not specific, above all in the young and the slim.",
    "LAO/LAE": "It is an indirect sign; imaging measures the atrium better.",
    "QWAVE": "Compare with earlier tracings and the history.",
    "STE_": "Symptoms and earlier tracings decide how urgent this is.",
    "STD_": "Symptoms and earlier tracings decide what it means.",
    "stemi": "Treat as an emergency unless it is explained otherwise.",
    "INVT": "Symptoms and earlier tracings decide what it means.",
    "LNGQT": "Review drugs and electrolytes.",
    "very_long_qt": "Review drugs and electrolytes today.",
}
"""General advice, which names no finding of this tracing."""


def explanations(case: ECGCase, rng: Random) -> Told:
    """Explain a record to one or two kinds of readers."""
    teller = Teller(case, Voice.random(rng, "prose"))
    chosen = rng.sample(LEVELS, 2)
    makers = {"cardiologist": _cardiologist, "generalist": _generalist, "patient": _patient}
    made = [makers[level](teller) for level in LEVELS if level in chosen]
    return [one for one in made if one is not None], teller.unsaid


def _cardiologist(teller: Teller) -> Draft | None:
    points = joined(
        [
            *(teller.value(name) for name in ("heart_rate_bpm", "qrs_axis_deg", "pr_ms")),
            *(teller.value(name) for name in ("qrs_ms", "qtc_fridericia_ms")),
            *(teller.present(finding, facts=3) for finding in teller.case.notable()),
        ]
    )
    last = conclusion(teller)
    question = asked(
        teller.voice.rng,
        (
            "[I am a cardiologist|For a cardiologist]: [what matters here|details, please]?",
            "[Explain|Present] this ECG [to a cardiologist|at specialist level].",
            "Give me the specialist's version[, with measurements|].",
        ),
    )
    points.append(last)
    text = " ".join(point.text for point in points)
    return draft("explanation", "cardiologist", question, text, points=points)


def _generalist(teller: Teller) -> Draft | None:
    notable = teller.case.notable()[:4]
    parts, points = [], []
    for finding in notable:
        point = teller.present(finding, facts=0 if finding.section == "rhythm" else 1)
        if point is None:
            continue
        meaning = _MEANING.get(finding.code, "")
        points.append(point)
        parts.append(f"{point.text} {meaning}".strip())
    if not parts:
        points = [conclusion(teller)]
        parts = [points[0].text]
    question = asked(
        teller.voice.rng,
        (
            "I am a [GP|family doctor|generalist|ward doctor]. What does this ECG mean[ for me|]?",
            "[Explain|Summarise] this ECG for a [GP|general practitioner|resident].",
            "What should a non-cardiologist take from this ECG?",
        ),
    )
    return draft("explanation", "generalist", question, " ".join(parts), points=points)


def _patient(teller: Teller) -> Draft | None:
    case, rng = teller.case, teller.voice.rng
    rate = case.value("heart_rate_bpm")
    if rate is None:
        return None
    found = [finding for finding in case.notable() if finding.code in _PLAIN]
    parts = [
        teller.pick(
            "Your heart beats about {r} times a minute.",
            "Your [heart rate|pulse on this recording] is about {r} beats a minute.",
            "The recording shows about {r} heartbeats a minute.",
            r=f"{rate:.0f}",
        )
    ]
    for finding in found:
        name = rng.choice(names(finding.code)[:3])
        parts.append(
            teller.pick(
                "{p} (doctors call it {n}).",
                "{p}. The medical word is {n}.",
                "The ECG shows {n}: {q}.",
                p=_PLAIN[finding.code][0].upper() + _PLAIN[finding.code][1:],
                q=_PLAIN[finding.code],
                n=name,
            )
        )
    if any(f.code not in _PLAIN and f.urgency != "normal" for f in case.notable()):
        parts.append(
            teller.pick(
                "There are [further|other] details on the tracing that your doctor [will|can] "
                "explain.",
                "[Some|A few] more technical points are for your doctor to judge.",
            )
        )
    if case.status("NORM") == "present":
        parts.append(
            teller.pick(
                "Taken as a whole this is a normal ECG.",
                "[Overall|All in all] it is a normal ECG.",
            )
        )
    elif any(f.urgency in ("critical", "urgent") for f in case.of("present")):
        parts.append(
            teller.pick(
                "Please [show this to a doctor at once|have a doctor look at this now].",
                "[This needs a doctor's eyes today|A doctor should see this without delay].",
            )
        )
    parts.append(
        teller.pick(
            "[Your doctor will put this together with|Only your doctor can weigh this with] how "
            "you feel and other tests.",
            "An ECG is one part of the picture; [please talk it over with|ask] your doctor.",
            "If you have [pain in the chest, faint or are short of breath|new complaints], "
            "[call for help|seek help] whatever an ECG says.",
        )
    )
    text = " ".join(parts)
    if not teller.holds(text):
        teller.unsaid += 1
        return None
    question = asked(
        rng,
        (
            "[I am the patient|I am no doctor]. What does my ECG show?",
            "[Explain my ECG|Tell me what my ECG means] in plain words[, please|].",
            "Can you explain this ECG [so that I understand it|to a patient|to my mother]?",
        ),
    )
    codes = ["heart_rate_bpm", *(finding.code for finding in found)]
    return draft("explanation", "patient", question, text, facts=codes)


def second_reading(case: ECGCase, rng: Random) -> tuple[Draft | None, dict[str, int], int]:
    """Hold the source's own report against what was measured, statement by statement.

    Gives the conversation, if anything that the source states was judged; how many statements
    agreed, conflicted or were left out; how many sentences were left unsaid.
    """
    teller = Teller(case, Voice.random(rng, "prose"))
    tally = {"agreed": 0, "conflict": 0, "left_out": 0}
    points: list[Point] = []
    parts: list[str] = []
    for code, denied in stated(case):
        status = case.holds(code)
        if status == "unknown":
            tally["left_out"] += 1
            continue
        fits = (status == "present") != denied
        point = _borne_out(teller, code, status)
        if point is None:
            tally["left_out"] += 1
            continue
        tally["agreed" if fits else "conflict"] += 1
        points.append(point)
        parts.append(_beside(teller, code, denied, fits, point))
    if not points:
        return None, tally, teller.unsaid
    quoted = "; ".join(f"{'no ' if no else ''}{label(code)}" for code, no in stated(case))
    if case.report and len(case.report) < 600:
        # The codes are not always those of the text: what is contradicted must have been shown.
        coded = f" (coded as {quoted})" if case.labels and tally["conflict"] else ""
        quoted = f"{case.report.strip()}{coded}"
    question = asked(
        rng,
        (
            "The original report [reads|says]: {q}\n[Does the tracing bear this out|Do you "
            "agree|Check it against the ECG]?",
            "[Compare|Check] this report [with|against] the ECG: {q}",
            "Report on file: {q}\n[Is that right|What do you say|Confirm or correct it].",
        ),
        q=quoted,
    )
    form = "conflict" if tally["conflict"] else "agreed"
    text = " ".join(parts)
    made = draft("second_reading", form, question, text, points=points)
    return made, tally, teller.unsaid


def _borne_out(teller: Teller, code: str, status: str) -> Point | None:
    """Say what the criteria found of a statement."""
    if code == "NORM":
        told = conclusion(teller)
        return told if told.decision == "present" else None
    if status == "absent":
        return teller.absent([code], facts=True)
    finding = teller.case.specific(code)
    return teller.present(finding, facts=2) if finding else None


def _beside(teller: Teller, code: str, denied: bool, fits: bool, point: Point) -> str:
    """Put the report's statement beside the measured one."""
    name = f"{'no ' if denied else ''}{label(code)}"
    if fits:
        return teller.pick(
            "{t}",
            "As [the report says|reported]: {t}",
            "[Borne out|Agreed]: {t}",
            "The tracing agrees: {t}",
            t=point.text,
        )
    return teller.pick(
        "The original report says {n}; [measured|by the criteria]: {t}",
        "The original report states {n}. The [measurements|criteria] do not bear that out. {t}",
        "[Here we differ|Conflict]. The original report gives {n}; measured: {t}",
        n=name,
        t=point.text,
    )


def stated(case: ECGCase) -> list[tuple[str, bool]]:
    """List what the source states, and whether it denies it.

    From its codes; if it has none, from its English report. What it thinks likely or possible is no
    statement.
    """
    if case.labels:  # of rhythm and form the likelihood is 0 for unknown
        sure = [canonical_code(code) for code, likely in case.labels if likely in (None, 0, 100)]
        return [(code, False) for code in dict.fromkeys(sure) if code in STATEMENTS]
    if not case.report or case.language != "en":
        return []
    found = {
        canonical_code(claim.subject): claim.negated
        for claim in extract_claims(case.report)
        if claim.kind == "finding" and claim.role == "measured" and claim.certainty == "definite"
    }
    return [(code, denied) for code, denied in found.items() if code in STATEMENTS]
