"""Answer from the measurements and findings alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ecg_llm.analysis import Analysis
from ecg_llm.answer.limits import judged, with_limits
from ecg_llm.answer.overview import OPEN, SINCE, overview, report_of, rhythm_of, sections_of
from ecg_llm.answer.question import Asked
from ecg_llm.answer.waves import SIGNS_OF, in_leads, of_leads, of_wave, row, stated_if_so
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import MOST_TOLD, finding_says, judged_of, lead_values, value_says
from ecg_llm.knowledge import concepts
from ecg_llm.phrases import absent, sentence
from ecg_llm.report import Claim
from ecg_llm.statements import (
    denied_claim,
    is_grave_doubt,
    located_claims,
    ruled_out,
    said_by_another,
)
from ecg_llm.vocabulary import ACUTE, label, members


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
        return list(of_leads(asked.leads, known))
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
    told = [_of_finding(code, word, asked, known) for code in asked.findings]
    told.sort(key=lambda claims: all(claim.kind in _DENYING for claim in claims))
    out += [claim for claims in told for claim in claims]
    for subject in asked.quantities:
        out += _of_quantity(subject, asked, known, present)
    out += judged(asked, known)
    if out and asked.findings != ("NORM",):
        return list(dict.fromkeys(out))
    return [*out, *overview(asked, known, present)]


_DENYING = ("absent", "description")


def _of_finding(code: str, word: str | None, asked: Asked, known: Known) -> list[Claim]:
    """Answer for one finding or family that is asked for."""
    told = list(_says(code, asked, known))
    if code == "NORM" and any(claim.kind == "present" for claim in told):
        return []  # the impression says it
    if word == "No" and asked.closed and code not in ("NORM", "mi"):
        told = [_denied(claim, code, known) for claim in told]
    if shown := list(in_leads(code, asked.leads, known)):
        # Whether it means anything is another question, which may not have been decided.
        told = [*shown, *(claim for claim in told if claim.status == OPEN)]
        told += [c for q in VALUE_OF.get(code, ()) for c in row(q, asked.leads, known)]
    if code in EXCLUDES_NOT and told and all(claim.kind == "absent" for claim in told):
        text = f"That does not exclude {EXCLUDES_NOT[code]}."
        told.append(Claim(text=text, status="supported", kind="description"))
    if not told:
        text = sentence(f"{label(code)} was not judged")
        told = [Claim(text=text, status="unverifiable", kind="unknown")]
    if asked.about == "means" and (concept := concepts().get(code)) is not None:
        text = sentence(f"{label(code)}, in general: {concept.description}")
        told.insert(0, Claim(text=text, status="supported", kind="description"))
    return told


def _of_quantity(subject: str, asked: Asked, known: Known, present: Analysis) -> list[Claim]:
    """Answer for one value, wave or regularity that is asked for."""
    if len(asked.leads) == 1 and MEASURED[subject].per_lead:
        return list(lead_values(subject, asked.leads, known))
    if asked.leads and MEASURED[subject].per_lead:
        return list(row(subject, asked.leads, known))
    if subject in SIGNS_OF:
        return list(of_wave(subject, known))
    if subject == "rr_cv":
        return [*stated_if_so(REGULAR, known), *rhythm_of(sections_of(report_of(present)))]
    if subject in RESTS_IN:
        return list(_evidence_of(RESTS_IN[subject], known))
    told = [with_limits(c) if asked.about == "normal" else c for c in value_says(subject, known)]
    text = sentence(f"the {MEASURED[subject].label} was not measured")
    return told or [Claim(text=text, status="unverifiable", kind="unknown")]


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
    "lead_reversal": "swapped electrodes",
    **dict.fromkeys(members("PACE"), "pacing with spikes too small to be seen"),
}
"""Diseases that people ask for by name, and that an ECG without their signs leaves possible."""
OF_ISCHAEMIA = frozenset(("ISC_", *members("ISC_"), "mi", *members("mi")))
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


def _denied(claim: Claim, code: str, known: Known) -> Claim:
    """Put ``No AF.`` behind the word ``No.`` as ``AF is absent``, with what decides it."""
    if claim.kind != "absent":
        return claim
    decides = ruled_out(judged_of(code, known))
    text = absent(label(code))
    return claim.model_copy(update={"text": sentence(f"{text} ({decides})" if decides else text)})


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
