"""Answer from the measurements and findings alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ecg_llm.analysis import Analysis
from ecg_llm.answer.question import Asked
from ecg_llm.claims.leads import is_local
from ecg_llm.claims.measured_words import BY_SEX_QTC, MEASURED
from ecg_llm.compose import build_report
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import MOST_TOLD, finding_says, judged_of, lead_values, value_says
from ecg_llm.ground.sentence import evidence_of
from ecg_llm.knowledge import concepts
from ecg_llm.leads import STANDARD_12
from ecg_llm.phrases import (
    absent,
    amount,
    brief_reason,
    leads_text,
    listing,
    measured,
    number,
    sentence,
)
from ecg_llm.references import reference
from ecg_llm.report import Claim, Report
from ecg_llm.statements import (
    concluded,
    denied_claim,
    finding_claims,
    is_grave_doubt,
    located_claims,
    ruled_out,
    said_by_another,
)
from ecg_llm.vocabulary import label, members


def measured_answer(asked: Asked, known: Known, present: Analysis) -> list[Claim]:
    """Answer from the measurements and findings alone.

    Parameters
    ----------
    asked : Asked
        What the question is about.
    known : Known
        Of the ECG.
    present : Analysis
        Of the same ECG.

    Returns
    -------
    list of Claim
        Measured sentences, the most telling first.
    """
    if asked.leads and not known.facts.leads:
        text = "Single leads are not judged on a page image."
        return [Claim(text=text, status="unverifiable", kind="unknown")]
    if asked.leads and not (asked.named and set(asked.leads) & set(known.facts.leads)):
        return list(_of_leads(asked.leads, known))
    out: list[Claim] = [
        Claim(text=f"{lead} is not in this recording.", status="unverifiable", kind="unknown")
        for lead in asked.leads
        if lead not in known.facts.leads
    ]
    word = expected_word(asked, known)
    if word is not None and asked.closed:
        out.append(Claim(text=f"{word}.", status="supported"))
    elif asked.about == "since" and asked.findings:
        out.append(Claim(text=SINCE, status="unverifiable", kind="unknown"))
    elif asked.about == "urgent" and asked.findings:
        out.append(Claim(text=DEPENDS, status="unverifiable", kind="unknown"))
    for code in asked.findings:
        if asked.about == "means" and (concept := concepts().get(code)) is not None:
            text = sentence(f"{label(code)}, in general: {concept.description}")
            out.append(Claim(text=text, status="supported", kind="description"))
        told = list(_says(code, asked, known))
        if code == "NORM" and any(claim.kind == "present" for claim in told):
            continue  # the impression says it
        if word == "No" and asked.closed and code not in ("NORM", "mi"):
            told = [_denied(claim, code, known) for claim in told]
        if in_leads := list(_in_leads(code, asked.leads, known)):
            # Whether it means anything is another question, which may not have been decided.
            told = [*in_leads, *(claim for claim in told if claim.status == OPEN)]
            told += [c for q in VALUE_OF.get(code, ()) for c in _row(q, asked.leads, known)]
        if code in EXCLUDES_NOT and told and all(claim.kind == "absent" for claim in told):
            text = f"That does not exclude {EXCLUDES_NOT[code]}."
            told.append(Claim(text=text, status="supported", kind="description"))
        if not told:
            text = sentence(f"{label(code)} was not judged")
            told = [Claim(text=text, status="unverifiable", kind="unknown")]
        out += told
    for subject in asked.quantities:
        if len(asked.leads) == 1 and MEASURED[subject].per_lead:
            out += lead_values(subject, asked.leads, known)
        elif asked.leads and MEASURED[subject].per_lead:
            out += _row(subject, asked.leads, known)
        elif subject in SIGNS_OF:
            out += _of_wave(subject, known)
        elif subject == "rr_cv":
            out += [*_stated_if_so(REGULAR, known), *_rhythm(_sections(present))]
        elif subject in RESTS_IN:
            out += _evidence_of(RESTS_IN[subject], known)
        else:
            told = [
                _with_limits(c) if asked.about == "normal" else c
                for c in value_says(subject, known)
            ]
            text = sentence(f"the {MEASURED[subject].label} was not measured")
            out += told or [Claim(text=text, status="unverifiable", kind="unknown")]
    out += judged(asked, known)
    if out and asked.findings != ("NORM",):
        return list(dict.fromkeys(out))
    return [*out, *_overview(asked, known, present)]


RESTS_IN = {"atrial_rate": "AFLT", "sokolow": "VCLVH", "cornell": "VCLVH", "rr_max": "pause"}
"""Values that only the evidence of a finding holds."""
VALUE_OF = {
    **dict.fromkeys(("STE_", "STD_", "stemi", "st_changes", "injury"), ("st_j",)),
    **dict.fromkeys(("INVT", "LOWT", "tall_t"), ("t_amp",)),
    "QWAVE": ("q_amp",),
}
"""What is told beside a sign in named leads."""
EXCLUDES_NOT = {
    "stemi": "an acute infarction",
    **dict.fromkeys(members("mi"), "an infarction"),
    "mi": "an infarction",
    **dict.fromkeys(members("ISC_"), "ischaemia"),
    "tall_t": "hyperkalaemia",
    "EL": "an electrolyte disturbance",
    "pericarditis": "pericarditis",
    "brugada_1": "Brugada syndrome",
    **dict.fromkeys(members("PACE"), "pacing with spikes too small to be seen"),
}
"""Diseases that people ask for by name, and that an ECG without their signs leaves possible."""
ACUTE = ("stemi", "sgarbossa", "injury")
"""What an answer on infarction or ischaemia must not leave out."""
OF_ISCHAEMIA = frozenset(("ISC_", *members("ISC_"), "mi", *members("mi")))
DEPENDS = "How dangerous this is depends on the patient, too."
SINCE = "One ECG does not tell since when this is so; an earlier one does."
UNREAD = (
    "The question names nothing that is measured or looked for here (questions are read in "
    "English). In short:"
)
"""Said before the impression where a question was not understood."""
P_WAVES = ("P waves are present.", "P waves are absent.")
REGULAR = ("The rhythm is regular.", "The rhythm is irregular.")


def _stated_if_so(texts: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say the first of several sentences that the record bears out."""
    for text in texts:
        checked = known.check(text)
        if checked and all(one.status == "supported" for one in checked):
            yield Claim(text=text, status="supported", evidence=evidence_of(checked))
            return


def _with_limits(claim: Claim) -> Claim:
    """Tell the reference limits beside a value."""
    limits = claim.evidence[0].criterion if claim.evidence else ""
    text = f"{claim.text.removesuffix('.')}, {limits}." if limits else claim.text
    return claim.model_copy(update={"text": text})


def _evidence_of(code: str, known: Known) -> Iterator[Claim]:
    """Tell a finding with its values, be it there or not."""
    for finding in judged_of(code, known)[:1]:
        if finding.status == "absent":
            yield denied_claim(finding)
        else:
            yield from finding_says(finding.code, known)


def _says(code: str, asked: Asked, known: Known) -> Iterator[Claim]:
    """Tell a finding: where it shows if that is asked, and what rules it out if why is asked."""
    judged = judged_of(code, known)
    present = {finding.code: finding for finding in judged if finding.status == "present"}
    if asked.about == "where" and present:
        located = located_claims(f for f in present.values() if not said_by_another(f, present))
        if located:
            yield from located
            return
    if asked.about == "why" and all(finding.status == "absent" for finding in judged):
        own = [finding for finding in judged if finding.code == code]
        yield from map(denied_claim, own or judged[:MOST_TOLD])
        return
    if code == "mi" and judged and all(finding.status == "absent" for finding in judged):
        yield Claim(
            text=NO_SCAR, status="supported", evidence=judged[0].evidence[:1], kind="absent"
        )
        return
    yield from finding_says(code, known)


NO_SCAR = "No Q waves or loss of R as after an infarction."
SIGNS_OF = {
    "p_amp": ("LAO/LAE", "RAO/RAE"),
    "q_amp": ("QWAVE",),
    "r_amp": ("poor_r_progression",),
    "st": ("STE_", "STD_"),
    "t_amp": ("INVT", "LOWT", "tall_t"),
}
"""What is looked for in a wave, by what a question calls it."""


def _of_wave(subject: str, known: Known) -> Iterator[Claim]:
    """Tell of a wave without a lead: what is found in it, and its height in every lead."""
    if subject == "p_amp":
        yield from _stated_if_so(P_WAVES, known)
    found = [known.facts.findings[c] for c in SIGNS_OF[subject] if c in known.facts.findings]
    told = list(finding_claims(found))
    denied = [finding for finding in found if finding.status == "absent"]
    if not any(claim.kind == "absent" for claim in told):
        told += [c for f in denied for c in finding_says(f.code, known)]
    yield from told
    yield from _row(subject, tuple(known.facts.leads), known)


def _row(subject: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Tell a wave's height in several leads in one sentence."""
    values = lead_values(subject, leads, known)
    facts = {item.lead: item for claim in values for item in claim.evidence}
    if subject == "q_amp":  # the downward wave of a QS complex may be marked as S
        facts = {lead: f for lead, f in facts.items() if abs(float(f.value or 0)) >= LEAST_MV}
    shown = ", ".join(f"{lead} {number(float(f.value or 0), f.unit)}" for lead, f in facts.items())
    if shown:
        name = next(iter(facts.values())).quantity
        text = sentence(f"{name} in mV: {shown}")
        yield Claim(text=text, status="supported", evidence=tuple(facts.values()), kind="value")


LEAD_VALUES = ("p_amp", "q_amp", "r_amp", "s_amp", "st_j", "t_amp")
"""What is told of a lead."""
LEAD_SIGNS = ("QWAVE", "STE_", "STD_", "INVT", "LOWT", "tall_t")
"""Findings that are looked for in a lead."""
USUAL_IN = {"aVR": LEAD_SIGNS, "V1": ("INVT", "LOWT")}
"""What is no sign in a lead: aVR looks at the heart from the other side."""
LEAST_MV = 0.005
"""A wave below this is none."""


MOST_LEADS = 3
"""Leads all of whose waves are told."""


def _of_leads(leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Tell all of some leads: whether they can be read, what they show, and their waves."""
    readable = []
    for lead in leads:
        if lead not in known.facts.leads:
            text = f"{lead} is not in this recording."
            yield Claim(text=text, status="unverifiable", kind="unknown")
        elif lead in known.facts.unusable:
            text = sentence(f"{lead} cannot be read: {brief_reason(known.facts.unusable[lead])}")
            yield Claim(text=text, status="supported")
        else:
            readable.append(lead)
    if not readable:
        return
    shown = False
    for code in LEAD_SIGNS:
        asked = [lead for lead in readable if code not in USUAL_IN.get(lead, ())]
        signs = [(lead, claim) for lead in asked for claim in _in_leads(code, [lead], known)]
        there = [(lead, claim) for lead, claim in signs if not claim.text.startswith("No ")]
        if there:
            shown = True
            facts = tuple(item for _, claim in there for item in claim.evidence)
            text = sentence(f"{label(code)} in {leads_text([lead for lead, _ in there])}")
            yield Claim(text=text, status="supported", evidence=facts, kind="present")
    of_heart = [lead for lead in readable if lead != "aVR"]
    if not shown and of_heart:
        text = f"No pathological Q wave, ST deviation or T inversion in {listing(of_heart)}."
        yield Claim(text=text, status="supported", kind="absent")
    for lead in readable if len(readable) <= MOST_LEADS else ():
        waves = [claim for subject in LEAD_VALUES for claim in lead_values(subject, [lead], known)]
        waves = [claim for claim in waves if abs(float(claim.evidence[0].value or 0)) >= LEAST_MV]
        told = ", ".join(claim.text.removesuffix(f" in {lead}.") for claim in waves)
        facts = tuple(item for claim in waves for item in claim.evidence)
        if told:
            yield Claim(text=f"{lead}: {told}.", status="supported", evidence=facts, kind="value")


def _denied(claim: Claim, code: str, known: Known) -> Claim:
    """Put ``No AF.`` behind the word ``No.`` as ``AF is absent``, with what decides it."""
    if claim.kind != "absent":
        return claim
    decides = ruled_out(judged_of(code, known))
    text = absent(label(code))
    return claim.model_copy(update={"text": sentence(f"{text} ({decides})" if decides else text)})


def judged(asked: Asked, known: Known) -> Iterator[Claim]:
    """Say whether the values that a question names lie within their limits, if it asks for that.

    Parameters
    ----------
    asked : Asked
        What the question is about.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
        None for a value that is unknown or has no limits.
    """
    if asked.about == "normal":
        for subject in asked.quantities:
            yield from _judged(subject, known)


def _judged(subject: str, known: Known) -> Iterator[Claim]:
    """Say whether a value lies within its limits, and where sex is not given, within whose."""
    if subject.startswith("qt") and known.facts.sex is None:
        claim, settled = _by_sex(subject, known)
        if claim is not None:
            yield claim
        if not settled:
            return
    name = MEASURED[subject].label
    fits = [
        claim
        for word in ("normal", "not normal")
        for claim in _stated_if_so([f"The {name} is {word}."], known)
    ]
    if len(fits) == 2:  # nearer to a limit than it is measured exactly
        fits = [fits[0].model_copy(update={"text": f"The {name} is at its limit."})]
    yield from fits


def _by_sex(subject: str, known: Known) -> tuple[Claim | None, bool]:
    """Hold a QTc against the limits in men and in women, and say whether they agree."""
    values, age = known.facts.values, known.record.age_years
    for name in (*MEASURED[subject].names, *MEASURED["qtc"].names):
        entry, value = reference(name, age, None), values[name].value if name in values else None
        if value is not None and entry.limits:
            break
    else:
        return None, True
    limits = {"in men": BY_SEX_QTC["male"], "in women": BY_SEX_QTC["female"]}
    reached = [f"{group} ({limit:g} ms)" for group, limit in limits.items() if value >= limit]
    below = [f"{group} ({limit:g} ms)" for group, limit in limits.items() if value < limit]
    shown = f"{entry.name} {amount(value, 'ms', entry.limits)}"
    if reached and below:
        rest = (
            f"reaches the limit {reached[0]} and lies below the limit {below[0]}; "
            "the sex is not given"
        )
    elif reached:
        rest = f"reaches the limits {listing(reached)}"
    else:
        rest = f"lies below the limits {listing(below)}"
    fact = measured(entry.name, value, "ms", criterion=entry.limits, source=entry.source)
    text = sentence(f"{shown} {rest}")
    claim = Claim(text=text, status="supported", evidence=(fact,), kind="value")
    return claim, not (reached and below)


def _sections(present: Analysis) -> dict[str, tuple[Claim, ...]]:
    """Give the statements of a measured report by section."""
    report = build_report(present.record, present.quality, present.measurements, present.findings)
    return {part.title: part.statements for part in report.sections}


def _rhythm(sections: Mapping[str, Sequence[Claim]]) -> list[Claim]:
    """Tell the rhythm, then its rate."""
    told = sections.get("Rate and rhythm", ())
    found = [c for c in told if c.kind == "present" or (c.status == OPEN and "uncertain" in c.text)]
    rate = [c for c in told if c.text.startswith("Heart rate") or " beats were read" in c.text]
    return [*found, *rate]


def _overview(asked: Asked, known: Known, present: Analysis) -> list[Claim]:
    """Answer a question that names nothing: quality, rhythm, reasons, or all in short."""
    report = build_report(present.record, present.quality, present.measurements, present.findings)
    sections = {part.title: part.statements for part in report.sections}
    claims = {claim.text: claim for claim in report.claims}
    impression = [claims[text] for text in report.impression]
    match asked.about:
        case "quality" if "Technical quality" in sections:
            missing = [lead for lead in STANDARD_12 if lead not in present.record.leads]
            text = f"Not in this recording: {listing(missing)}."
            absent = [Claim(text=text, status="supported", kind="description")] if missing else []
            return [*absent, *sections["Technical quality"]]
        case "since":
            return [Claim(text=SINCE, status="unverifiable", kind="unknown"), *impression]
        case "rhythm" if "Rate and rhythm" in sections:
            return _rhythm(sections)
        case "open":
            left = [c for part in report.sections for c in part.statements if c.status == OPEN]
            return left or [
                Claim(text="Everything that was asked could be judged.", status="supported")
            ]
        case "urgent":
            return _alerts(report)
        case "person":
            return [Claim(text=_person(present), status="supported")]
        case "values":
            return [claim for subject in SHOWN_VALUES for claim in value_says(subject, known)]
        case "where":
            located = located_claims(concluded(present.findings))
            return located or [Claim(text=NOWHERE, status="supported"), *impression]
        case "why" if known.facts.values:
            facts = [c for part in report.sections for c in part.statements if c.kind == "present"]
            return facts[:MOST_REASONS] or impression
        case None if not asked.findings:
            return [Claim(text=UNREAD, status="supported", kind="told"), *impression]
        case _:
            return impression


def _person(present: Analysis) -> str:
    """Say what the record says of the patient."""
    sex, age = present.record.sex, present.record.age_years
    words = [*([sex] if sex else []), *([f"{age:.0f} years"] if age is not None else [])]
    return f"The record says: {', '.join(words)}." if words else "The record gives no age or sex."


SHOWN_VALUES = ("heart_rate", "pr", "qrs", "qt", "qtc", "qrs_axis")
NOWHERE = "Nothing that was found is tied to single leads."


def _alerts(report: Report) -> list[Claim]:
    """Say what somebody must look at soon, or that nothing of the kind was found."""
    if not report.alerts:
        text = "Nothing that alerts was found; how urgent it is depends on the patient, too."
        return [Claim(text=text, status="supported")]
    claims = {claim.text: claim for claim in report.claims}
    return [
        claims.get(alert.text)
        or Claim(text=alert.text, status="supported", evidence=alert.evidence, kind="present")
        for alert in report.alerts
    ]


OPEN = "unverifiable"
"""Status of what could not be judged."""
MOST_REASONS = 4
"""Findings whose facts are told when a user asks why."""


def _in_leads(code: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say whether named leads show a finding, by their measured waves."""
    if not leads or not is_local(code):
        return
    where, name = listing(list(leads)), label(code)
    for text in (f"{name} in {where}", f"no {name} in {where}"):
        checked = known.check(sentence(text))
        if checked and all(one.status == "supported" for one in checked):
            facts = evidence_of(checked)
            yield Claim(text=sentence(text), status="supported", evidence=facts, kind="present")
            return


def with_acute(asked: Asked, known: Known) -> Asked:
    """Ask for what is acute, too, where a question names infarction or ischaemia.

    Parameters
    ----------
    asked : Asked
        What a question is about.
    known : Known
        Of the ECG.

    Returns
    -------
    Asked
        The same where nothing acute was seen; of what the question names in general, what is not
        there is left out: "no ischaemic ST-T changes" is no answer beside an occlusion.
    """
    if OF_ISCHAEMIA.isdisjoint(asked.findings):
        return asked
    seen = [
        code
        for code in ACUTE
        if any(f.status == "present" or is_grave_doubt(f) for f in judged_of(code, known))
    ]
    if not seen:
        return asked
    found = known.facts.findings
    there = {code for code, finding in found.items() if finding.status == "present"}
    kept = [
        code
        for code in asked.findings
        if code not in ("ISC_", "mi") or not there.isdisjoint(members(code))
    ]
    return replace(asked, findings=tuple(dict.fromkeys((*seen, *kept))))


def expected_word(asked: Asked, known: Known) -> str | None:
    """Give the right short answer to a question for one finding.

    Parameters
    ----------
    asked : Asked
        What is asked.
    known : Known
        Of the ECG.

    Returns
    -------
    str or None
        ``Yes`` or ``No``; None if the question is another, the finding could not be judged, or
        criterion and encoder disagree.
    """
    if asked.proposes and not asked.findings:
        states = {one.status for one in known.check(asked.proposes) if one.claim.kind == "number"}
        return "No" if "contradicted" in states else "Yes" if states == {"supported"} else None
    if len(asked.findings) != 1 or asked.quantities or asked.leads:
        return None
    judged = judged_of(asked.findings[0], known)
    present = [finding for finding in judged if finding.status == "present"]
    if present:
        asked_for = {asked.findings[0], *members(asked.findings[0])}
        if all(finding.doubt or finding.code not in asked_for for finding in present):
            return None
        return "No" if asked.turned else "Yes"
    if judged and all(finding.status == "absent" for finding in judged):
        if asked.excludes:
            return None
        return "Yes" if asked.turned else "No"
    return None
