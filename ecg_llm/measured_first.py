"""What the measurement decides, whatever an encoder thinks of it.

An encoder has learnt what readers mention. Whether a rate is above its limit is no matter of
opinion: beside the measured value its opinion would contradict the report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ecg_llm.findings.apply import FROM_VENTRICLES, LEFT_BLOCK, PREEXCITED
from ecg_llm.findings.conduction import BLOCKS, NAMED_WIDE, QRS_ERROR_MS, WIDE_MS
from ecg_llm.findings.families import KINDS_OF_SINUS
from ecg_llm.findings.finding import BY_ENCODER, Evidence, Finding
from ecg_llm.findings.pacing import MAYBE_PACED, PACED
from ecg_llm.findings.rhythm import FAST_BPM, NO_BEATS, SLOW_BPM
from ecg_llm.vocabulary import members

SURE_IF_MET = ("STACH", "SBRAD", "1AVB", "LNGQT", "PACE")
"""Values beyond a limit, and spikes that were counted: what is met is stated without a doubt."""
QTC_ERROR_MS = 10.0
"""Twice the mean error of QT: a QTc so near above its limit is left to the encoder."""
IN_SINUS_RHYTHM = ("STACH", "SBRAD", "1AVB")
"""Only while a sinus rhythm is stated."""
STATED_IF_MET = ("AFLT", "SVTAC")
"""Too rare for an encoder to deny: what is met is stated, with the doubt."""
NEVER_UNMET = ("STACH", "SBRAD", "1AVB", "LNGQT", "LPR", "LVOLT", "STE_", "VCLVH")
"""Where the measured value does not reach its limit, an encoder may leave these open, no more."""
WITH = {
    "STE_": ("stemi", "pericarditis", "brugada_1", "early_repolarization", "ANEUR"),
    "VCLVH": ("LVH",),
}
"""Signs that are stated wherever a finding is that rests on them."""
NAMED_FROM_MS = 150.0
"""A QRS as wide as this has to have a name: readers of PTB-XL's folds 7 to 9 named each of them."""
DELAYED_FROM_MS = 130.0
"""Shaped as in left bundle branch block and as wide as this: of nine such records of folds 1 to 8
whose block the encoder denies, readers named a wide QRS in seven, most often a delay."""
ISCHAEMIA_SEEN = "the encoder sees ischaemic ST-T changes and gives injury a"
NO_SURE_SINUS = "the sinus rhythm itself is not sure"
PAROXYSM = "how a tachycardia begins and ends is not seen on this tracing"
TOO_WIDE = "the QRS is as wide as in a complete block"
NOT_NORMAL = "the QRS is too wide to be normal"
LEFT_SHAPED = "the QRS is shaped as in left bundle branch block, which the encoder denies"
_QRS = "QRS duration over all leads"


def measured_first(
    found: Mapping[str, Finding], given: Mapping[str, Finding]
) -> dict[str, Finding]:
    """Let the measured values decide what is theirs to decide.

    Parameters
    ----------
    found : mapping of str to Finding
        By code, joined from criteria and encoder.
    given : mapping of str to Finding
        The same by criteria alone; empty on a page image, where nothing is measured.

    Returns
    -------
    dict of str to Finding
    """
    out = dict(found)
    if not given:
        return out
    silent = given.get("asystole_or_vf")
    if silent is not None and silent.status == "present":
        return {code: _without_beats(finding, given.get(code)) for code, finding in found.items()}
    sinus = found.get("SR")
    other = sinus is not None and sinus.status != "present"
    for code, finding in found.items():
        status = given[code].status if code in given else None
        sure = code in SURE_IF_MET and not (other and code in IN_SINUS_RHYTHM)
        if sure and status == "present" and _beyond(given[code]):
            out[code] = _stated(given[code], finding)
        elif code in STATED_IF_MET and status == "present" and finding.doubt:
            out[code] = replace(finding, status="present", reason=None)
        elif code in NEVER_UNMET and finding.status == "present" and status == "absent":
            out[code] = replace(finding, status="unknown", reason=f"uncertain: {finding.doubt}")
        elif finding.doubt and code in given and _forbidden(given[code]):
            out[code] = _stated(given[code], finding)
    for code, above in WITH.items():
        stated = [out[name] for name in above if name in out and out[name].status == "present"]
        if not stated or code not in given:
            continue
        if given[code].status == "present" and not all(one.doubt for one in stated):
            out[code] = _stated(given[code], found[code])
        elif found[code].status == "present":
            out[code] = found[code]
    _no_sinus_beside((*STATED_IF_MET, "ventricular_pacing"), out, given)
    _rate_of_sinus(out, given)
    _kinds_of_sinus(out)
    _wide_qrs(out, given)
    _paroxysm(out, given)
    _walls(out, given)
    _injury(out, given)
    _strain(out)
    return out


def _without_beats(found: Finding, given: Finding | None) -> Finding:
    """Leave to the criteria what a tracing without beats shows: an encoder has learnt none."""
    if given is not None:
        return given
    return replace(found, status="unknown", reason=NO_BEATS, doubt=None, evidence=())


def _beyond(given: Finding) -> bool:
    """Whether a value lies further beyond its limit than it may be measured wrongly."""
    if given.code != "LNGQT":
        return True
    limits = [re.fullmatch(r"≥ ([\d.]+) ms", item.criterion) for item in given.evidence]
    return any(
        limit and float(item.value or 0) >= float(limit[1]) + QTC_ERROR_MS
        for item, limit in zip(given.evidence, limits, strict=True)
    )


def _forbidden(given: Finding) -> bool:
    """Whether the QRS is of a kind that nobody can read this off, an encoder neither."""
    if given.reason in (PACED, MAYBE_PACED):
        return given.section != "rhythm"
    return given.reason in (LEFT_BLOCK, PREEXCITED, FROM_VENTRICLES) and given.section == "qrs"


def _stated(given: Finding, found: Finding) -> Finding:
    """Keep what the criterion says, with the probability."""
    return replace(given, probability=found.probability)


def _no_sinus_beside(
    codes: tuple[str, ...], out: dict[str, Finding], given: Mapping[str, Finding]
) -> None:
    """State no sinus rhythm by the encoder alone beside what is stated as its criterion is met."""
    met = [code for code in codes if code in given and given[code].status == "present"]
    if not met or ("SR" in given and given["SR"].status == "present"):
        return
    paced = met[0] == "ventricular_pacing"
    reason = PACED if paced else f"the criterion of {given[met[0]].label} is met"
    for code in ("SR", *KINDS_OF_SINUS):
        if code in out and out[code].status == "present":
            out[code] = replace(out[code], status="unknown", reason=reason, doubt=None, evidence=())


def _rate_of_sinus(out: dict[str, Finding], given: Mapping[str, Finding]) -> None:
    """Call a sinus rhythm fast or slow by its rate, as sure as it is a sinus rhythm."""
    sinus, rate = out.get("SR"), _value(given.get("extreme_tachycardia"), "heart rate")
    if any(code in given and given[code].status == "present" for code in ("2AVB", "3AVB")):
        return  # then the ventricles are slow, not the sinus node
    for code, limit, too in (("STACH", FAST_BPM, ">"), ("SBRAD", SLOW_BPM, "<")):
        if code not in out or sinus is None or rate is None or not isinstance(rate.value, float):
            continue
        fits = rate.value > limit if too == ">" else rate.value < limit
        if sinus.status == "present" and sinus.doubt and fits:
            fact = replace(rate, criterion=f"{too} {limit:g}/min")
            out[code] = replace(
                out[code],
                status="present",
                reason=None,
                doubt=sinus.doubt,
                evidence=(fact, *sinus.evidence),
            )


def _kinds_of_sinus(out: dict[str, Finding]) -> None:
    """State no kind of a sinus rhythm that is itself left open."""
    sinus = out.get("SR")
    if sinus is None or sinus.status == "present":
        return
    for code in KINDS_OF_SINUS:
        kind = out.get(code)
        if kind is not None and kind.status == "present":
            why = kind.doubt or NO_SURE_SINUS
            out[code] = replace(kind, status="unknown", reason=f"uncertain: {why}", doubt=why)


def _wide_qrs(out: dict[str, Finding], given: Mapping[str, Finding]) -> None:
    """Give a wide QRS a name; where readers would call a block incomplete, say that it is wide."""
    met = [code for code in BLOCKS if code in given and given[code].status == "present"]
    width = _value(given[met[0]], _QRS) if met else None
    if width is None or not isinstance(width.value, float):
        return
    if width.value < WIDE_MS + QRS_ERROR_MS or _any_stated(out, NAMED_WIDE):
        return
    code, partial = met[0], out.get("IRBBB")
    if code == "CRBBB" and partial is not None and partial.status == "present":
        out["IRBBB"] = replace(partial, doubt=f"{partial.doubt}: {TOO_WIDE}")
    elif code in out and width.value >= NAMED_FROM_MS:
        doubt = None if code == "IVCD" else out[code].doubt
        out[code] = replace(out[code], status="present", reason=None, doubt=doubt)
    elif code == "CLBBB" and width.value >= DELAYED_FROM_MS and "IVCD" in out:
        facts = given[code].evidence
        out["IVCD"] = replace(
            out["IVCD"], status="present", reason=None, doubt=LEFT_SHAPED, evidence=facts
        )
    elif code in out and out[code].doubt:
        out[code] = replace(out[code], doubt=f"{out[code].doubt}; {NOT_NORMAL}")


def _paroxysm(out: dict[str, Finding], given: Mapping[str, Finding]) -> None:
    """State a supraventricular tachycardia once, however it began."""
    regular, paroxysmal, said = given.get("SVTAC"), out.get("PSVT"), out.get("SVTAC")
    if regular is None or paroxysmal is None or said is None:
        return
    stated = paroxysmal.status == "present"
    if regular.status == "present":
        out["SVTAC"] = _stated(regular, said) if stated else said
    elif regular.status == "unknown" and stated:
        p = next((i.value for i in paroxysmal.evidence if i.quantity == BY_ENCODER), None)
        doubt = f"by the encoder, probability {p}; the criterion was not judged: {regular.reason}"
        named = replace(paroxysmal, code=said.code, label=said.label, snomed=said.snomed)
        out["SVTAC"] = replace(named, doubt=doubt)
    else:
        return
    out["PSVT"] = replace(paroxysmal, status="unknown", reason=PAROXYSM, doubt=None, evidence=())


def _walls(out: dict[str, Finding], given: Mapping[str, Finding]) -> None:
    """Where the encoder names an infarction by another wall than the Q waves, show both."""
    for walls in (("ASMI", "AMI", "ALMI"), ("IMI", "ILMI", "IPMI", "IPLMI")):
        met = [given[code] for code in walls if code in given and given[code].status == "present"]
        for code in walls:
            named = out.get(code)
            if not met or named is None or met[0].code == code or not named.doubt:
                continue
            if named.status == "present":
                wall = met[0].label.split()[0]
                doubt = named.doubt.partition(";")[0] + f"; {wall} by the leads with Q waves"
                out[code] = replace(
                    named, doubt=doubt, evidence=(*met[0].evidence, *named.evidence)
                )


def _injury(out: dict[str, Finding], given: Mapping[str, Finding]) -> None:
    """Where the encoder sees ischaemia, it denies no more of an injury than its name."""
    ischaemia = out.get("ISC_")
    if ischaemia is None or ischaemia.status != "present" or ischaemia.doubt:
        return
    for code, finding in out.items():
        met = code in given and given[code].status == "present"
        if code in members("injury") and met and finding.doubt:
            doubt = finding.doubt.replace("the encoder gives a", ISCHAEMIA_SEEN, 1)
            out[code] = replace(finding, doubt=doubt)


def _strain(out: dict[str, Finding]) -> None:
    """Be no surer of a strain pattern than of the hypertrophy that would make it one.

    Of 18 such patterns of PTB-XL's folds 1 to 8 whose hypertrophy the encoder denies, readers call
    one so, and ten ischaemic.
    """
    strain, hypertrophy = out.get("lv_strain"), out.get("LVH")
    if strain is None or strain.status != "present" or hypertrophy is None or not hypertrophy.doubt:
        return
    doubt = hypertrophy.doubt
    said = tuple(item for item in hypertrophy.evidence if item.quantity == BY_ENCODER)
    strain = replace(strain, doubt=doubt, evidence=strain.evidence + said)
    if hypertrophy.status != "present":
        strain = replace(strain, status="unknown", reason=f"uncertain: {doubt}")
    out["lv_strain"] = strain


def _any_stated(out: Mapping[str, Finding], codes: tuple[str, ...]) -> bool:
    return any(code in out and out[code].status == "present" for code in codes)


def _value(finding: Finding | None, quantity: str) -> Evidence | None:
    """Find a measured value among the facts of a finding."""
    facts = finding.evidence if finding is not None else ()
    return next((item for item in facts if item.quantity == quantity), None)
