"""Tell of waves and leads by what was measured in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from ecg_llm.answer.question import End
from ecg_llm.claims.finding_check import lead_shows
from ecg_llm.claims.leads import is_local
from ecg_llm.findings.finding import Evidence
from ecg_llm.ground.known import Known
from ecg_llm.ground.says import finding_says, lead_values
from ecg_llm.ground.sentence import evidence_of
from ecg_llm.phrases import amount, brief_reason, leads_text, listing, measured, number, sentence
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
    """Tell of a wave without a lead: what is found in it, and its height in every lead."""
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
        yield Claim.of(f"{name} in mV: {shown}", facts.values(), kind="value")


def extreme(subject: str, end: End, known: Known) -> Iterator[Claim]:
    """Tell in which lead a wave is largest or lowest, and its height in every lead.

    Parameters
    ----------
    end : {"largest", "lowest", "deepest"}
        Which; waves that point down by their size.
    """
    seen = tuple(known.facts.leads)
    leads = seen if subject in ("r_amp", "s_amp") else tuple(x for x in seen if x != "aVR")
    down = subject in ("q_amp", "s_amp")
    if end == "deepest":
        end = "largest" if down else "lowest"
    facts = [e for claim in lead_values(subject, leads, known) for e in claim.evidence]
    if facts:
        heights = [float(e.value or 0) for e in facts]
        sizes = [abs(height) for height in heights] if down else heights
        at = sizes.index(max(sizes) if end == "largest" else min(sizes))
        shown = amount(heights[at], facts[at].unit)
        yield Claim.of(
            f"{facts[at].quantity} is {end} in {facts[at].lead}: {shown}",
            (facts[at],),
            kind="value",
        )
    yield from row(subject, seen, known)


def lead_by_lead(
    code: str,
    known: Known,
    *,
    end: End | None = None,
    but: str = "",
) -> Iterator[Claim]:
    """Tell which leads show a sign, each by itself, with its height.

    Parameters
    ----------
    code : str
        Finding or family; of one that rests on no single wave nothing is said.
    end : {"largest", "lowest", "deepest"}, optional
        Tell the lead that shows most of it, and the heights in all.
    but : str
        What is to be said of these leads, too.
    """
    if code not in VALUE_OF:
        return
    if end is not None:
        yield from extreme(VALUE_OF[code], "lowest" if code in _DOWNWARD else "largest", known)
        return
    leads = [lead for lead in known.facts.leads if code not in USUAL_IN.get(lead, ())]
    there = [lead for lead in leads if lead_shows(code, lead, known.facts)]
    if not there:
        return
    facts = [e for c in lead_values(VALUE_OF[code], there, known) for e in c.evidence]
    heights = {e.lead: amount(float(e.value or 0), e.unit) for e in facts if _is_wave(e)}
    shown = ", ".join(f"{lead} {heights.get(lead, '')}".strip() for lead in there)
    yield Claim.of(f"single leads with {short(code)}{but}: {shown}", facts, kind="value")


def short(code: str) -> str:
    """Give the name of a finding without what it is a sign of.

    Examples
    --------
    >>> short("tall_t")
    'tall peaked T waves'
    """
    return label(code).partition(", as ")[0]


def _is_wave(fact: Evidence) -> bool:
    """Whether a height is one of a wave that is there."""
    return isinstance(fact.value, int | float) and abs(fact.value) >= LEAST_MV


VALUE_OF = {
    **dict.fromkeys(("STE_", "STD_", "stemi", "st_changes", "injury"), "st_j"),
    **dict.fromkeys(("INVT", "LOWT", "tall_t"), "t_amp"),
    "QWAVE": "q_amp",
}
"""What is told beside a sign in named leads."""
_DOWNWARD = ("STD_", "INVT", "LOWT")
NEIGHBOURS = ("STE_", "STD_", "INVT")
"""Signs that need two neighbouring leads: one that is not stated may show in a single lead."""
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
    """Tell all of some leads: whether they can be read, what they show, and their waves."""
    readable = []
    for lead in leads:
        if lead not in known.facts.leads:
            yield Claim.unknown(f"{lead} is not in this recording.")
        elif lead in known.facts.unusable:
            yield Claim.of(f"{lead} cannot be read: {brief_reason(known.facts.unusable[lead])}")
        else:
            readable.append(lead)
    if not readable:
        return
    found, told = known.facts.findings, []
    for code in LEAD_SIGNS:
        asked = [lead for lead in readable if code not in USUAL_IN.get(lead, ())]
        there = [lead for lead in asked if lead_shows(code, lead, known.facts)]
        if there:
            told.append(code)
            facts = tuple(e for x in there for c in in_leads(code, [x], known) for e in c.evidence)
            yield Claim.of(f"{short(code)} in {leads_text(there)}", facts, kind="present")
    open_ = [f for code in told if (f := found.get(code)) and f.status == "unknown" and not f.doubt]
    yield from finding_claims(open_)  # what the leads show need not mean anything
    of_heart = [lead for lead in readable if lead != "aVR"]
    if not told and of_heart:
        yield Claim.of(
            f"No pathological Q wave, ST deviation or T inversion in {listing(of_heart)}.",
            kind="absent",
        )
    for lead in readable if len(readable) <= MOST_LEADS else ():
        waves = [claim for subject in LEAD_VALUES for claim in lead_values(subject, [lead], known)]
        waves = [claim for claim in waves if abs(float(claim.evidence[0].value or 0)) >= LEAST_MV]
        said = ", ".join(claim.text.removesuffix(f" in {lead}.") for claim in waves)
        facts = tuple(item for claim in waves for item in claim.evidence)
        if said:
            yield Claim.of(f"{lead}: {said}.", facts, kind="value")


def in_leads(code: str, leads: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say which of some leads show a finding, by their measured waves, and which do not.

    Parameters
    ----------
    code : str
        Finding or family; of one that does not show in single leads nothing is said.
    """
    if not leads or not is_local(code):
        return
    decided = {lead: lead_shows(code, lead, known.facts) for lead in leads}
    for there, words in ((True, short(code)), (False, f"no {short(code)}")):
        if alike := [lead for lead in leads if decided[lead] is there]:
            text = sentence(f"{words} in {listing(alike)}")
            facts = evidence_of(known.check(text))
            kind: Literal["present", "absent"] = "present" if there else "absent"
            yield Claim.of(text, facts, kind=kind)
    for lead in (lead for lead in leads if decided[lead] is None):
        if code == "INVT" and (both := _both_ways(lead, known)):
            shown = listing([amount(float(fact.value or 0), "mV") for fact in both])
            yield Claim.of(f"The T wave in {lead} goes both ways: {shown}.", both, kind="value")
        else:
            name = label(code)
            texts = [sentence(f"{words} in {lead}") for words in (name, f"no {name}")]
            yield from stated_if_so(texts, known)


def _both_ways(lead: str, known: Known) -> tuple[Evidence, ...]:
    """Give the two parts of a T wave; nothing where they were not measured."""
    parts = {
        f"T amplitude, {way} part": known.facts.value(name, lead)
        for way, name in (("upward", "t_pos_mv"), ("downward", "t_neg_mv"))
    }
    if any(part.value is None for part in parts.values()):
        return ()
    return tuple(measured(name, part.value or 0.0, "mV", lead=lead) for name, part in parts.items())


def stated_if_so(texts: Sequence[str], known: Known) -> Iterator[Claim]:
    """Say the first of several sentences that the record bears out.

    Yields
    ------
    Claim
        At most one.
    """
    for text in texts:
        checked = known.check(text)
        if checked and all(one.status == "supported" for one in checked):
            yield Claim.of(text, evidence_of(checked))
            return
