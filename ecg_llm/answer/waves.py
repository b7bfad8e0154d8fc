"""Tell of waves and leads by what was measured in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecg_llm.claims.leads import is_local
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import finding_says, lead_values
from ecg_llm.ground.sentence import evidence_of
from ecg_llm.phrases import brief_reason, leads_text, listing, number, sentence
from ecg_llm.report import Claim
from ecg_llm.statements import finding_claims
from ecg_llm.vocabulary import label

P_WAVES = ("P waves are present.", "P waves are absent.")
SIGNS_OF = {
    "p_amp": ("LAO/LAE", "RAO/RAE"),
    "q_amp": ("QWAVE",),
    "r_amp": ("poor_r_progression",),
    "st": ("STE_", "STD_"),
    "t_amp": ("INVT", "LOWT", "tall_t"),
}
"""What is looked for in a wave, by what a question calls it."""


def of_wave(subject: str, known: Known) -> Iterator[Claim]:
    """Tell of a wave without a lead: what is found in it, and its height in every lead.

    Parameters
    ----------
    subject : str
        A name of `SIGNS_OF`.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
    """
    if subject == "p_amp":
        yield from stated_if_so(P_WAVES, known)
    found = [known.facts.findings[c] for c in SIGNS_OF[subject] if c in known.facts.findings]
    told = list(finding_claims(found))
    denied = [finding for finding in found if finding.status == "absent"]
    if not any(claim.kind == "absent" for claim in told):
        told += [c for f in denied for c in finding_says(f.code, known)]
    yield from told
    yield from row(subject, tuple(known.facts.leads), known)


def row(subject: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Tell a wave's height in several leads in one sentence.

    Parameters
    ----------
    subject : str
        A per-lead name of `ecg_llm.claims.measured_words.MEASURED`.
    leads : sequence of str
        Which leads.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
        At most one.
    """
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


def of_leads(leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Tell all of some leads: whether they can be read, what they show, and their waves.

    Parameters
    ----------
    leads : sequence of str
        Which leads.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
    """
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
        signs = [(lead, claim) for lead in asked for claim in in_leads(code, [lead], known)]
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


def in_leads(code: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say whether named leads show a finding, by their measured waves.

    Parameters
    ----------
    code : str
        Finding or family; of one that does not show in single leads nothing is said.
    leads : sequence of str
        Which leads.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
        At most one.
    """
    if not leads or not is_local(code):
        return
    where, name = listing(list(leads)), label(code)
    for text in (f"{name} in {where}", f"no {name} in {where}"):
        checked = known.check(sentence(text))
        if checked and all(one.status == "supported" for one in checked):
            facts = evidence_of(checked)
            yield Claim(text=sentence(text), status="supported", evidence=facts, kind="present")
            return


def stated_if_so(texts: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say the first of several sentences that the record bears out.

    Parameters
    ----------
    texts : sequence of str
        Sentences.
    known : Known
        Of the ECG.

    Yields
    ------
    Claim
        At most one.
    """
    for text in texts:
        checked = known.check(text)
        if checked and all(one.status == "supported" for one in checked):
            yield Claim(text=text, status="supported", evidence=evidence_of(checked))
            return
