"""Answer from the measurements and findings alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ecg_llm.answer.limits import holds, judged
from ecg_llm.answer.moments import of_moment, times_of
from ecg_llm.answer.overview import OPEN, SINCE, overview, rhythm_of
from ecg_llm.answer.question import JUDGES, Asked
from ecg_llm.answer.waves import (
    LEAST_MV,
    NEIGHBOURS,
    P_WAVES,
    SIGNS_OF,
    VALUE_OF,
    extreme,
    in_leads,
    lead_by_lead,
    of_leads,
    of_wave,
    row,
    stated_if_so,
)
from ecg_llm.claims.measured_words import MEASURED, SHOWS_AS
from ecg_llm.findings.av_block import PR_ERROR_MS
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import MOST_TOLD, finding_says, judged_of, lead_values, value_says
from ecg_llm.knowledge import concepts
from ecg_llm.phrases import amount, measured, said_to_be, sentence
from ecg_llm.report import Claim
from ecg_llm.statements import (
    denied_claim,
    is_grave_doubt,
    located_claims,
    ruled_out,
    said_by_another,
    value_claim,
)
from ecg_llm.vocabulary import ACUTE, EXCLUDES_NOT, label, members


def measured_answer(asked: Asked, known: Known) -> list[Claim]:
    """Answer from the measurements and findings alone.

    Returns
    -------
    list of Claim
        Measured sentences, the most telling first.
    """
    if asked.about == "since" and asked.findings and EVENTS.issuperset(asked.findings):
        asked = replace(asked, about="where")  # "when was the pause?"
    if asked.moment is not None and known.found.measurements is not None:
        return list(of_moment(asked.moment, known.found.measurements))
    if asked.leads and not known.facts.leads:
        return [Claim.unknown(NO_LEADS)]
    if asked.about == "quality" and not asked.named:
        return overview(asked, known)
    if asked.leads and not (asked.named and set(asked.leads) & set(known.facts.leads)):
        return list(of_leads(asked.leads, known))
    out: list[Claim] = [
        Claim.unknown(f"{lead} is not in this recording.")
        for lead in asked.leads
        if lead not in known.facts.leads
    ]

    def there(code: str) -> bool:
        return any(finding.status != "absent" for finding in judged_of(code, known))

    word = expected_word(asked, known)
    if word is not None and asked.closed:
        out.append(Claim.of(f"{word}."))
    elif asked.about == "since" and asked.findings and any(map(there, asked.findings)):
        out.append(Claim.unknown(SINCE))
    elif asked.about == "urgent" and any(map(there, asked.findings)):
        out.append(Claim.unknown(DEPENDS))
    told = [_of_finding(code, word, asked, known) for code in asked.findings]
    told.sort(key=lambda claims: all(claim.kind in _DENYING for claim in claims))
    beside = asked.rhythm and asked.named and "rr_cv" not in asked.quantities
    if beside and not any(_tells_rhythm(code, known) for code in asked.findings):
        told.insert(0, rhythm_of(known.found))
    out += [claim for claims in told for claim in claims]
    for subject in asked.quantities:
        out += _of_quantity(subject, asked, known)
    out += judged(asked, known)
    if asked.about == "quality":
        out += overview(asked, known)
    if out and asked.findings != ("NORM",):
        return list(dict.fromkeys(out))
    return [*out, *overview(asked, known)]


_DENYING = ("absent", "description")
NO_LEADS = "Single leads are not judged on a page image."


def _tells_rhythm(code: str, known: Known) -> bool:
    """Whether a finding or family is one of the rhythm."""
    found = known.facts.findings
    return any(found[one].section in ("rhythm", "ectopy") for one in members(code) if one in found)


def _of_finding(code: str, word: str | None, asked: Asked, known: Known) -> list[Claim]:
    """Answer for one finding or family that is asked for."""
    told = list(_says(code, asked, known))
    if code == "NORM" and any(claim.kind == "present" for claim in told):
        return []  # the impression says it
    if code not in ("NORM", "mi"):
        behind_no = word == "No" and asked.closed
        told = [_denied(claim, code, known, behind_no=behind_no) for claim in told]
    signs = SHOWS_AS.get(code, (code,))
    if shown := [claim for sign in signs for claim in in_leads(sign, asked.leads, known)]:
        # Whether it means anything is another question, which may not have been decided.
        told = [*shown, *(claim for claim in told if claim.status == OPEN or code in SHOWS_AS)]
        for sign in (sign for sign in signs if sign in VALUE_OF):
            told += row(VALUE_OF[sign], asked.leads, known)
    elif known.facts.leads and not asked.leads and (asked.about == "where" or asked.end):
        told = [*lead_by_lead(code, known, end=asked.end), *told]
    elif code in NEIGHBOURS and known.facts.leads and told and word == "No":
        told += list(lead_by_lead(code, known, but=", which do not meet its criterion"))
    if asked.about == "sure":
        told += list(_probability(code, known))
    if asked.about in ("where", "size") and known.found.measurements is not None:
        told += list(times_of(code, known.found.measurements))
    if code in EXCLUDES_NOT and told and all(claim.kind == "absent" for claim in told):
        told.append(Claim.of(f"That does not exclude {EXCLUDES_NOT[code]}."))
    elif code == "tall_t" and any(claim.kind == "present" for claim in told):
        told.append(Claim.of(f"That does not prove {EXCLUDES_NOT[code]}."))
    if not told:
        told = [Claim.unknown(f"{label(code)} was not judged")]
    if asked.about == "means" and (concept := concepts().get(code)) is not None:
        told.insert(0, Claim.of(f"{label(code)}, in general: {concept.description}"))
    return told


def _of_quantity(subject: str, asked: Asked, known: Known) -> list[Claim]:
    """Answer for one value, wave or regularity that is asked for."""
    if len(asked.leads) == 1 and MEASURED[subject].per_lead:
        told = [_without_wave(c, subject) for c in lead_values(subject, asked.leads, known)]
        told = told or list(stated_if_so(P_WAVES, known) if subject == "p_amp" else ())
        return told or [
            Claim.unknown(f"{MEASURED[subject].label} in {asked.leads[0]} was not measured")
        ]
    if MEASURED[subject].per_lead and not known.facts.leads:
        found = of_wave(subject, known) if subject in SIGNS_OF else ()
        return [claim for claim in found if claim.kind == "present"] or [Claim.unknown(NO_LEADS)]
    if asked.leads and MEASURED[subject].per_lead:
        return list(row(subject, asked.leads, known))
    if subject == "p_terminal":  # its limit is one of V1
        return list(lead_values(subject, ["V1"], known))
    if asked.end and MEASURED[subject].per_lead:
        return list(extreme(subject, asked.end, known))
    if subject in SIGNS_OF:
        return list(of_wave(subject, known))
    if MEASURED[subject].per_lead:
        return list(row(subject, tuple(known.facts.leads), known))
    if subject == "rr_cv":
        return [*stated_if_so(REGULAR, known), *rhythm_of(known.found)]
    if subject in RESTS_IN:
        return list(_evidence_of(RESTS_IN[subject], known))
    if subject in _SUMS:
        return list(_sum_says(subject, known))
    told = [_with_limits(c) if asked.about in JUDGES else c for c in value_says(subject, known)]
    if subject == "qrs" and asked.proposes and (q := known.facts.value("qrs_global_ms")).known:
        told.append(value_claim(known.record, "qrs_global_ms", q))
    if asked.about == "method":
        told += list(_method_of(subject, known))
    told += list(of_leads(asked.leads, known)) if subject == "qrs" and asked.leads else []
    return told or [Claim.unknown(f"the {MEASURED[subject].label} was not measured")]


def _probability(code: str, known: Known) -> Iterator[Claim]:
    """Say how probable a finding is, by encoder and criteria; on a page by the encoder."""
    judges = "encoder and criteria together" if known.facts.values else "the encoder"
    own = [finding for finding in judged_of(code, known) if finding.probability is not None]
    present = [finding for finding in own if finding.status == "present"]
    for finding in (present or own)[:1]:
        assert finding.probability is not None
        name = f"probability of {finding.label} by {judges}"
        fact = measured(name, finding.probability)
        yield Claim.of(f"{name}: {finding.probability:.2f}", (fact,), kind="value")


def _without_wave(claim: Claim, subject: str) -> Claim:
    """Say of a height of nothing that there is no wave."""
    fact = claim.evidence[0]
    if subject not in ("q_amp", "r_amp", "s_amp") or abs(float(fact.value or 0)) >= LEAST_MV:
        return claim
    return claim.model_copy(update={"text": f"No {subject[0].upper()} wave in {fact.lead}."})


def _with_limits(claim: Claim) -> Claim:
    """Tell the reference limits beside a value."""
    limits = claim.evidence[0].criterion if claim.evidence else ""
    text = f"{claim.text.removesuffix('.')}, {limits}." if limits else claim.text
    return claim.model_copy(update={"text": text})


def _method_of(subject: str, known: Known) -> Iterator[Claim]:
    """Say how a value was measured."""
    names = [name for name in MEASURED[subject].names if name in known.facts.values]
    for name in names[:1]:
        if method := known.facts.values[name].method:
            text = f"{MEASURED[subject].label}: {method}; early and odd beats are left out"
            if subject in ("pr", "qrs", "qt"):
                text += f"; it may be off by some {PR_ERROR_MS:g} ms (docs/delineation.md)"
            yield Claim.of(text)


def _sum_says(subject: str, known: Known) -> Iterator[Claim]:
    """Tell a voltage sum with its limit."""
    word, value = MEASURED[subject], known.facts.value(MEASURED[subject].names[0])
    if value.value is not None:
        fact = measured(word.label, value.value, "mV", criterion=_SUMS[subject])
        yield Claim.of(
            f"{word.label} {amount(value.value, 'mV')} ({_SUMS[subject]}).", (fact,), kind="value"
        )


_SUMS = {
    "sokolow": "S in V1 + R in V5 or V6, hypertrophy from 3.5 mV on",
    "cornell": "R in aVL + S in V3, hypertrophy from 2.8 mV on in men, 2 mV in women",
}
RESTS_IN = {"atrial_rate": "AFLT", "rr_max": "pause"}
"""Values that only the evidence of a finding holds."""
PAUSES = frozenset(members("pause"))
EVENTS = PAUSES | {"ectopy", *members("ectopy")}
"""What has its moments within a recording."""
OF_ISCHAEMIA = frozenset(("stemi", "ISC_", *members("ISC_"), "mi", *members("mi")))
DEPENDS = "How dangerous this is depends on the patient, too."
REGULAR = ("The rhythm is regular.", "The rhythm is irregular.")


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
    decisive = asked.about == "why" or asked.end or asked.proposes
    if decisive and all(finding.status == "absent" for finding in judged):
        own = [finding for finding in judged if finding.code == code]
        yield from map(denied_claim, own or judged[:MOST_TOLD])
        return
    if code == "mi" and judged and all(finding.status == "absent" for finding in judged):
        yield Claim.of(NO_SCAR, judged[0].evidence[:1], kind="absent")
        return
    yield from finding_says(code, known)


NO_SCAR = "No Q waves or loss of R as after an infarction."


def _denied(claim: Claim, code: str, known: Known, *, behind_no: bool) -> Claim:
    """Tell what decides beside ``No AF``; behind the word ``No.`` it is ``AF is absent``."""
    if claim.kind != "absent" or ": " in claim.text:
        return claim
    decides = ruled_out(judged_of(code, known))
    if not behind_no:
        text = claim.text.removesuffix(".")
        return claim.model_copy(update={"text": f"{text}: {decides}."}) if decides else claim
    text = said_to_be(label(code), "absent")
    return claim.model_copy(update={"text": sentence(f"{text} ({decides})" if decides else text)})


def with_acute(asked: Asked, known: Known) -> Asked:
    """Ask for what is acute, too, where a question names infarction or ischaemia.

    Returns
    -------
    Asked
        The same where nothing acute was seen, and either an occlusion was excluded or something
        that was asked for is there. Of what the question names in general, what is not there is
        left out beside what is: "no ischaemic ST-T changes" is no answer beside an occlusion.
    """
    if OF_ISCHAEMIA.isdisjoint(asked.findings):
        return asked
    seen = [
        code
        for code in ACUTE
        if any(f.status == "present" or is_grave_doubt(f) for f in judged_of(code, known))
    ]
    found = known.facts.findings
    there = {code for code, finding in found.items() if finding.status == "present"}
    if not seen:
        if "stemi" in asked.findings and not there.isdisjoint(members("mi")):  # of unknown age
            asked = replace(asked, findings=tuple(dict.fromkeys((*asked.findings, "mi"))))
        stemi = found.get("stemi")
        said = any(not there.isdisjoint(members(code)) for code in asked.findings)
        fresh = asked.about in ("urgent", "since")  # "and is it acute?"
        if not fresh and (said or stemi is None or stemi.status != "unknown"):
            return asked
        return replace(asked, findings=tuple(dict.fromkeys((*asked.findings, "stemi"))))
    kept = [
        code
        for code in asked.findings
        if code not in ("ISC_", "mi") or not there.isdisjoint(members(code))
    ]
    return replace(asked, findings=tuple(dict.fromkeys((*seen, *kept))))


def expected_word(asked: Asked, known: Known) -> str | None:
    """Give the right short answer to a question for one finding.

    Returns
    -------
    str or None
        ``Yes`` or ``No``; None if the question is another, the finding could not be judged, or
        criterion and encoder disagree.
    """
    if asked.proposes and asked.about not in ("normal", "method"):  # it may be right, not normal
        fits = holds(asked.proposes, known)
        if all(code in VALUE_OF for code in asked.findings):
            return None if fits is None else "Yes" if fits else "No"
        # Of a finding told with a number either may be wrong, and a pause has a limit of its own.
        if not fits or not PAUSES.isdisjoint(asked.findings):
            return None
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
