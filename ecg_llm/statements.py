"""The sentences of the report: what was measured and found, each with its evidence."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ecg_llm.findings.checks import negated
from ecg_llm.findings.codes import ENCODER_STATEMENTS
from ecg_llm.findings.conduction import BLOCKS, NAMED_WIDE, QRS_ERROR_MS, WIDE_MS
from ecg_llm.findings.families import FAMILIES, KINDS_OF_SINUS, family_names
from ecg_llm.findings.fibrillation import P_BEFORE_QRS
from ecg_llm.findings.finding import BY_ENCODER, URGENCIES
from ecg_llm.findings.infarction import QS
from ecg_llm.phrases import (
    amount,
    brief_reason,
    facts_phrase,
    leads_text,
    listing,
    measured,
    quantity_said,
    reading,
    tidy,
)
from ecg_llm.references import reference
from ecg_llm.report import Claim
from ecg_llm.vocabulary import NOT_DENIED_BESIDE, members

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from ecg_llm.findings.finding import Evidence, Finding
    from ecg_llm.measure import Measurements
    from ecg_llm.quantity import Quantity
    from ecg_llm.record import ECGRecord

SHOWN_FACTS, SHOWN_OF_LEADS = 3, 2
"""Measured quantities a sentence names, and of findings read off leads; its evidence has all."""

SAID_BY = {
    **{
        code: members(code)[1:]
        for code in ("SR", "PVC", "pause", "LPR", "2AVB", "LNGQT", "STD_", "ISC_")
    },
    "QWAVE": members("mi"),
    "VCLVH": ("LVH",),
    "lv_strain": ("LVH",),
    "STE_": ("stemi", "pericarditis", "brugada_1", "early_repolarization"),
    "LOWT": ("NDT",),
    "PACE": ("atrial_pacing", "ventricular_pacing"),
    "left_axis": ("LAFB",),
    "right_axis": ("LPFB",),
}
"""Findings the impression leaves out, as one of these says more; the sections hold them all."""

IMPLIED_BY_SINUS = (
    *("AFIB", "AFLT", "junctional_rhythm", "idioventricular_rhythm", "asystole_or_vf"),
    *("STACH", "SBRAD", "SARRH"),
)
"""Their absence goes without saying in sinus rhythm, whose rate is given."""

_WORTH_DENYING = ("critical", "urgent", "abnormal")
_SELF_EVIDENT = ("extreme_tachycardia", "extreme_bradycardia")
"""Nobody denies them beside the rate itself."""
_WITHOUT_VALUE = ("SR", "junctional_rhythm", "2AVB", "LAFB", "LPFB", "DIG")
"""Families that no single value rules out."""
_LIMIT = re.compile(r"[<>≤≥] −?[\d.]+ ?[^\d\s]*")
_DECIDED_BY_LEADS = ("qrs", "st-t")
"""Sections in which one lead's value decides nothing."""


def value_claim(record: ECGRecord, name: str, quantity: Quantity) -> Claim:
    """State one record-level value, or why there is none.

    Parameters
    ----------
    quantity : Quantity
        The measured value.
    """
    entry = reference(name, record.age_years, record.sex)
    if quantity.value is None:
        return _unmeasured([entry.name], quantity.reason)
    fact = measured(
        entry.name,
        quantity.value,
        quantity.unit,
        criterion=entry.limits and f"reference {entry.limits}",
        source="; ".join(part for part in (quantity.method, entry.source) if part),
    )
    evidence = [fact]
    text = f"{entry.name} {amount(quantity.value, quantity.unit)}"
    if quantity.spread is not None:
        evidence.append(measured(f"{entry.name} spread", quantity.spread, quantity.unit))
        text += f" (spread {amount(quantity.spread, quantity.unit)})"
    return Claim.of(text, evidence, kind="value")


def value_claims(record: ECGRecord, measurements: Measurements, *names: str) -> Iterator[Claim]:
    """State several record-level values, those together that are unknown for the same reason."""
    values = {name: measurements.values[name] for name in names if name in measurements.values}
    unknown: dict[str | None, list[str]] = {}
    for name, quantity in values.items():
        if quantity.value is None:
            unknown.setdefault(quantity.reason, []).append(reference(name, None, None).name)
    for name, quantity in values.items():
        if quantity.value is not None:
            yield value_claim(record, name, quantity)
        elif quantity.reason in unknown:
            yield _unmeasured(unknown.pop(quantity.reason), quantity.reason)


def _unmeasured(names: Sequence[str], reason: str | None) -> Claim:
    """Say why values are unknown."""
    why = (reason or "").removesuffix(": not measured")
    return Claim.unknown(f"{listing(names)} could not be measured: {why}")


def finding_claims(findings: Iterable[Finding]) -> Iterator[Claim]:
    """State findings: the present one by one, the absent and the unknown by families."""
    present: dict[tuple[Evidence, ...] | str, list[Finding]] = {}
    absent: list[Finding] = []
    doubted: list[Finding] = []
    unknown: dict[str, list[Finding]] = {}
    for finding in findings:
        match finding.status:
            case "present" if finding.doubt:
                doubted.append(finding)
            case "present":
                present.setdefault(finding.evidence or finding.code, []).append(finding)
            case "absent":
                absent.append(finding)
            case "unknown" if finding.doubt:
                doubted.append(finding)
            case "unknown":
                unknown.setdefault(brief_reason(finding.reason), []).append(finding)
    for alike in present.values():
        yield stated_claim(*alike)
    known = {finding.code: finding for alike in present.values() for finding in alike}
    open_: dict[str, list[Finding]] = {}
    for finding in doubted:
        if finding.status == "unknown" and said_by_another(finding, known):
            continue
        met = finding.status == "unknown" and finding.has_facts
        open_.setdefault(_facts(finding) if met else finding.code, []).append(finding)
    for alike in open_.values():
        yield stated_claim(*alike)
    settled = [*(finding for alike in present.values() for finding in alike), *doubted]
    yield from _absent_claims(absent, {finding.code for finding in settled})
    for reason, group in unknown.items():
        names = family_names(group, kinds=True)
        yield Claim.unknown(f"not judged ({reason}): {'; '.join(names)}")


def _absent_claims(absent: list[Finding], present: Container[str]) -> Iterator[Claim]:
    """Deny what would matter and is not settled, in one sentence with the values that decide it."""
    denied = []
    evidence: list[Evidence] = []
    for name, family in family_names(absent).items():
        if _is_worth_denying(family, present):
            item, _ = _decisive(family)
            value = ruled_out(family)
            denied.append(f"no {name} ({value})" if value else f"no {name}")
            # One fact each: the findings of the report hold them all.
            evidence += [item] if item else [i for f in family for i in f.evidence[:1]][:1]
    if denied:
        yield Claim.of("; ".join(denied), dict.fromkeys(evidence), kind="absent")


def denied_claim(finding: Finding) -> Claim:
    """Deny a finding with what was measured against it."""
    facts = [
        replace(item, criterion=tidy(negated(item.criterion)))
        for item in finding.evidence
        if item.quantity != BY_ENCODER and isinstance(item.value, int | float)
    ]
    shown = facts_phrase(facts, SHOWN_OF_LEADS)
    return Claim.of(
        f"no {finding.label}: {shown}" if shown else f"no {finding.label}",
        finding.evidence,
        kind="absent",
    )


def _is_worth_denying(members: list[Finding], present: Container[str]) -> bool:
    """Whether a reader would ask for it: not what a present finding settles."""
    code = members[0].code
    if code == "sgarbossa" and not members[0].evidence:
        return False
    if code in ENCODER_STATEMENTS:  # a low probability of what nobody asked for
        return False
    if any(other in present for f in members for other in NOT_DENIED_BESIDE.get(f.code, ())):
        return False
    kinds = {"2AVB", *SAID_BY["2AVB"]}
    if any(kind in present for kind in kinds) and kinds.issuperset(f.code for f in members):
        return False  # what is told to be of one kind is not of another
    implied = {*_SELF_EVIDENT, *(IMPLIED_BY_SINUS if "SR" in present else ())}
    if any(rhythm in present for rhythm in ("AFIB", "AFLT", "PACE")):
        implied |= {"SR", *IMPLIED_BY_SINUS} - {"AFIB", "AFLT"}
    if implied.issuperset(f.code for f in members):
        return False
    family = next((family.codes for family in FAMILIES if code in family.codes), ())
    settled = any(other in present for other in family)
    least = _WORTH_DENYING[:2] if settled else _WORTH_DENYING
    return any(finding.urgency in least for finding in members)


def ruled_out(members: Sequence[Finding]) -> str:
    """Give the value that rules a family out, with the limit that it keeps to.

    Returns
    -------
    str
        Empty if no single value does.
    """
    item, rule = _decisive(members)
    return f"{quantity_said(item.quantity, reading(item, rule))}, {rule}" if item else ""


def _decisive(members: Sequence[Finding]) -> tuple[Evidence | None, str]:
    """Find the value that rules a family out, and the limit that it keeps to."""
    for finding in members:
        if finding.code in _WITHOUT_VALUE:
            break
        for item in finding.evidence:
            rule = tidy(negated(item.criterion))
            local = item.lead is not None and finding.section in _DECIDED_BY_LEADS
            if isinstance(item.value, int | float) and _LIMIT.fullmatch(rule) and not local:
                return (item, rule) if item.value else (None, "")
    return None, ""


def stated_claim(*findings: Finding) -> Claim:
    """State findings with the facts they rest on, and their doubt if there is one.

    Parameters
    ----------
    *findings : Finding
        Present, or unknown with a doubt; several only if the same facts are told of them.

    Returns
    -------
    Claim
        Supported if they are present, unverifiable if they stay open.
    """
    finding = findings[0]
    evidence = dict.fromkeys(item for other in findings for item in other.evidence)
    text = "; ".join([doubtful_name(finding), *(other.label for other in findings[1:])])
    doubt = finding.doubt
    if doubt and len(findings) > 1:
        by_encoder = {float(f.value or 0) for f in evidence if f.quantity == BY_ENCODER}
        shown = listing([f"{p:.2f}" for p in sorted(by_encoder)])
        gives = "probabilities" if len(by_encoder) > 1 else "a probability"
        doubt = f"the criteria are met, the encoder gives {gives} of {shown}"
    text += f", uncertain ({doubt})" if doubt else ""
    facts = _facts(finding)
    return _as_sure(finding, f"{text}: {facts}" if facts else text, evidence)


def _as_sure(finding: Finding, text: str, evidence: Iterable[Evidence]) -> Claim:
    """Say of a finding that it is present, or that it stays open."""
    if finding.status == "present":
        return Claim.of(text, evidence, kind="present")
    return Claim.unknown(text, evidence)


def doubtful_name(finding: Finding) -> str:
    """Name a finding as sure as it is: probable, or possible, where there is a doubt.

    Parameters
    ----------
    finding : Finding
        Present, or unknown with a doubt.
    """
    if finding.doubt is None:
        return finding.label
    return f"{'probable' if finding.status == 'present' else 'possible'} {finding.label}"


def _facts(finding: Finding) -> str:
    """Say the measured facts of a finding, the telling ones."""
    if finding.section == "technical":  # what looks wrong; the explanation stands beside it
        return "; ".join(item.quantity for item in finding.evidence)
    shown = telling_facts(finding)
    if finding.urgency == "normal":  # the rules of what is normal are told beside it
        shown = [
            item if "not " in item.criterion else replace(item, criterion="") for item in shown
        ]
    count = SHOWN_OF_LEADS if finding.section in ("qrs", "st-t") else SHOWN_FACTS
    return facts_phrase(shown, count, when=finding.section in ("rhythm", "ectopy"))


def telling_facts(finding: Finding) -> list[Evidence]:
    """Choose the measured facts of a finding that tell something, the most telling first."""
    facts = [item for item in finding.evidence if item.quantity != BY_ENCODER]
    facts = [item for item in facts if not _goes_without_saying(item, finding)]
    facts = [item for item in facts if item.value is not None] or facts
    if (
        finding.code in KINDS_OF_SINUS
    ):  # that it is a sinus rhythm comes after what is special of it
        facts.sort(key=lambda item: item.quantity in _SINUS_FACTS)
    return facts


_SINUS_FACTS = (
    P_BEFORE_QRS,
    "repetition of the stretch before the QRS",
    "P axis",
    "change from one RR to the next",
)


def _goes_without_saying(item: Evidence, finding: Finding) -> bool:
    """Whether a fact adds nothing to the P waves that were counted."""
    counted = any(other.quantity == P_BEFORE_QRS for other in finding.evidence)
    return counted and item.quantity == "repetition of the stretch before the QRS"


def concluded(findings: Iterable[Finding]) -> list[Finding]:
    """Choose what a conclusion names, most urgent first.

    Returns
    -------
    list of Finding
        The present ones that no other says more precisely and as surely, and what would be grave
        and whose criterion is met, though the encoder denies it; so also of a QRS that is too wide
        to be normal and has no other name.
    """
    findings = tuple(findings)
    present = {finding.code: finding for finding in findings if finding.status == "present"}
    nameless = present.keys().isdisjoint((*NAMED_WIDE, "IRBBB", "ILBBB"))
    chosen = [
        finding
        for finding in findings
        if (finding.code in present and not said_by_another(finding, present))
        or is_grave_doubt(finding)
        or (nameless and _is_too_wide(finding))
    ]
    return sorted(chosen, key=lambda finding: URGENCIES.index(finding.urgency))


def said_by_another(finding: Finding, present: Mapping[str, Finding]) -> bool:
    """Tell whether another present finding says one more precisely, and as surely.

    Parameters
    ----------
    finding : Finding
        Present.
    present : mapping of str to Finding
        All present ones by code.
    """
    others = (present[code] for code in SAID_BY.get(finding.code, ()) if code in present)
    return any(other.doubt is None or finding.doubt is not None for other in others)


def nothing_found(findings: Iterable[Finding]) -> str:
    """Say that no abnormality was found, and how much that means.

    Parameters
    ----------
    findings : iterable of Finding
        All of a record; none of them an abnormality that is present.

    Returns
    -------
    str
        Where no criterion could be judged, as on a page image, nothing is excluded.
    """
    judged = {finding.status for finding in findings}
    if "unknown" not in judged:
        return "no abnormality by the criteria applied"
    if "absent" not in judged:
        return "no abnormality is probable enough to be stated, and none is excluded"
    return "no abnormality by the criteria applied; some could not be judged"


def conclusion_claim(findings: Iterable[Finding]) -> Claim:
    """Name what is concluded in one sentence, most urgent first."""
    findings = tuple(findings)
    present = [finding for finding in concluded(findings) if finding.status == "present"]
    open_ = open_in_conclusion(findings)
    graver = any(finding.urgency != "normal" for finding in present)
    normal = any(finding.code == "NORM" for finding in present)
    named = concluded(findings)
    grave = [finding for finding in open_ if finding in named]
    named += [finding for finding in open_ if finding not in named]
    words = [
        f"otherwise {doubtful_name(finding)}"
        if finding.code == "NORM" and (graver or grave)
        else doubtful_name(finding)
        for finding in named
    ]
    if not (graver or normal or open_):
        words.append(nothing_found(findings).partition(";")[0])
    facts = tuple(dict.fromkeys(item for finding in named for item in finding.evidence))
    return Claim.of(f"Impression: {'; '.join(words)}", facts, kind="present")


def open_in_conclusion(findings: Iterable[Finding]) -> list[Finding]:
    """Choose the uncertain findings that a conclusion names: grave ones, or where it has no other.

    Returns
    -------
    list of Finding
        Whose criterion is met and which the encoder denies; those of `concluded` first.
    """
    findings = tuple(findings)
    named = concluded(findings)
    open_ = [finding for finding in named if finding.status == "unknown"]
    if open_ or any(finding.urgency != "normal" or finding.code == "NORM" for finding in named):
        return open_
    met = [finding for finding in findings if is_met(finding)]
    by_code = {finding.code: finding for finding in met}
    met = [finding for finding in met if not said_by_another(finding, by_code)]
    return [finding for finding in met if finding.urgency != "normal"][:MOST_OPEN]


def is_grave_doubt(finding: Finding) -> bool:
    """Tell whether a finding would be urgent, its criterion is met, and the encoder denies it.

    Returns
    -------
    bool
        Then it stays open, but somebody must look at it.
    """
    return is_met(finding) and finding.urgency in ALERTING


def is_met(finding: Finding) -> bool:
    """Tell whether a finding stays open though its criterion is met, as the encoder denies it."""
    return finding.status == "unknown" and finding.doubt is not None and finding.has_facts


def _is_too_wide(finding: Finding) -> bool:
    """Whether an open block rests on a QRS beyond its limit by more than it is measured wrongly.

    So does pre-excitation, whose QRS is rarely as wide: for it ST and T were not judged.
    """
    widths = [float(item.value or 0) for item in finding.evidence if item.quantity == _QRS]
    wide = finding.code in BLOCKS and max(widths, default=0.0) >= WIDE_MS + QRS_ERROR_MS
    return is_met(finding) and (wide or finding.code == "WPW")


_QRS = "QRS duration over all leads"
MOST_OPEN = 2
"""Open findings that a conclusion names where it has nothing else."""


ALERTING = ("critical", "urgent")
"""Urgencies of findings that become alerts."""


def impression_claim(finding: Finding, *, otherwise: bool = False) -> Claim:
    """State one present finding in a line of the impression.

    Parameters
    ----------
    otherwise : bool
        Whether lines of graver findings stand before it.
    """
    name = doubtful_name(finding)
    if finding.code == "NORM" and otherwise:
        name = f"otherwise {name}"
    if finding.doubt:
        text = f"{name}, uncertain ({finding.doubt})"
        return _as_sure(finding, text, dict.fromkeys(finding.evidence))
    facts = [item for item in finding.evidence if _is_telling(item, finding)]
    brackets = ""
    if facts and finding.code != "NORM":
        brackets = quantity_said(facts[0].quantity, reading(facts[0], facts[0].criterion))
    if finding.section == "technical":
        brackets = ", ".join(item.quantity for item in finding.evidence)
    if finding.section in _DECIDED_BY_LEADS:
        brackets = _signs(facts) or brackets
    text = f"{name} ({brackets})" if brackets else name
    return Claim.of(text, finding.evidence, kind="present")


def located_claims(findings: Iterable[Finding]) -> list[Claim]:
    """Say in which leads findings show, those together that show in the same ones.

    Parameters
    ----------
    findings : iterable of Finding
        Present, or unknown with a doubt.

    Returns
    -------
    list of Claim
        Of those that rest on single leads.
    """
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        signs = _signs(finding.evidence) if finding.section in _DECIDED_BY_LEADS else ""
        if signs:
            alike.setdefault(signs, []).append(finding)
    return [
        Claim.of(
            f"{'; '.join(map(doubtful_name, those))}: {signs}",
            dict.fromkeys(item for one in those for item in one.evidence),
            kind="present",
        )
        for signs, those in alike.items()
    ]


def _signs(facts: Sequence[Evidence]) -> str:
    """Say which leads show which sign: ``Q in II and aVF, small R in V3``; empty without leads."""
    signs = [(sign, item.lead) for item in facts if item.lead and (sign := _sign(item))]
    whole = {lead for sign, lead in signs if sign == "QS"}
    leads: dict[str, dict[str, None]] = {}
    for sign, lead in signs:
        if sign == "QS" or lead not in whole:
            leads.setdefault(sign, {})[lead] = None
    if "ST raised" in leads:
        leads.pop("ST down", None)  # in the leads opposite to the elevation
    return ", ".join(f"{sign} in {leads_text(list(named))}" for sign, named in leads.items())


def _sign(item: Evidence) -> str | None:
    """Name the deviation that a measured wave of one lead shows."""
    value = float(item.value) if isinstance(item.value, int | float) else 0.0
    match item.quantity.split()[0]:
        case "Q":
            return "Q"
        case "tallest" if item.criterion.startswith(QS):
            return "QS"
        case "tallest" if item.criterion.startswith("≤"):
            return "small R"
        case "ST" if isinstance(item.value, str):  # of a page
            return f"ST {item.value}"
        case "ST" if not item.criterion.startswith(">"):  # not what only excludes another finding
            return "ST raised" if value > 0 else "ST down"
        case "T" if not item.criterion.startswith(">"):
            return "T negative" if value < 0 else "T low" if value < TALL_T_MV else "T tall"
    return None


TALL_T_MV = 0.5
"""Between low and tall T waves, far from both."""


def _is_telling(item: Evidence, finding: Finding) -> bool:
    """Whether a fact belongs beside its finding: of a rhythm, only rates and times do."""
    if not isinstance(item.value, int | float) or item.criterion.startswith("not "):
        return False
    return finding.section not in ("rhythm", "ectopy") or item.unit in ("bpm", "ms", "s")
