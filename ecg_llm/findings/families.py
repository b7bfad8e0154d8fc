"""Statements that are read together: one family, one phrase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ecg_llm.findings.finding import Finding


@dataclass(frozen=True)
class Family:
    """Statements that are judged and read together.

    Attributes
    ----------
    name : str
        What all of them are, in the field's words.
    kinds : str
        The members in short; empty if the name says it.
    codes : tuple of str
        Keys of `STATEMENTS`; the first decides the value shown beside the name.
    """

    name: str
    kinds: str
    codes: tuple[str, ...]


FAMILIES = tuple(
    Family(name, kinds, tuple(codes.split()))
    for name, kinds, codes in (
        ("sinus rhythm", "normal, fast, slow, irregular", "SR STACH SBRAD SARRH"),
        ("atrial fibrillation or flutter", "", "AFIB AFLT"),
        ("wide-QRS or supraventricular tachycardia", "", "wide_qrs_tachycardia SVTAC"),
        ("junctional or idioventricular rhythm", "", "junctional_rhythm idioventricular_rhythm"),
        ("extreme ventricular rate", "", "extreme_tachycardia extreme_bradycardia"),
        ("pause", "", "pause long_pause"),
        ("pacing", "", "PACE atrial_pacing ventricular_pacing"),
        (
            "ventricular extra beats",
            "single, paired, runs, bigeminy, trigeminy",
            "PVC pvc_couplet ventricular_run BIGU TRIGU",
        ),
        (
            "AV block",
            "first, second, third degree",
            "1AVB 2AVB mobitz_1 mobitz_2 av_block_2_1 3AVB",
        ),
        ("abnormal PR interval", "long, short", "LPR short_pr"),
        (
            "bundle branch block or conduction delay",
            "left, right, complete, incomplete, nonspecific",
            "CLBBB CRBBB ILBBB IRBBB IVCD",
        ),
        ("fascicular block", "left anterior, left posterior", "LAFB LPFB"),
        ("axis deviation", "left, right, extreme", "left_axis right_axis extreme_axis"),
        ("atrial enlargement", "left, right", "LAO/LAE RAO/RAE"),
        ("ventricular hypertrophy", "left, right", "LVH VCLVH RVH lv_strain"),
        (
            "pathological Q waves or infarction",
            "all walls",
            "QWAVE IMI ILMI IPMI IPLMI PMI LMI ASMI AMI ALMI",
        ),
        (
            "ST elevation",
            "acute occlusion, pericarditis, aneurysm, Brugada, early repolarization",
            "STE_ stemi pericarditis ANEUR brugada_1 early_repolarization",
        ),
        ("ST depression", "all walls", "STD_ INJAS INJAL INJLA INJIN INJIL de_winter"),
        (
            "ischaemic ST-T changes",
            "all walls",
            "ISC_ ISCAS ISCAN ISCAL ISCLA ISCIN ISCIL",
        ),
        (
            "T-wave and minor ST changes",
            "inverted, low, tall T; nonspecific; digitalis",
            "INVT LOWT NDT NST_ tall_t DIG",
        ),
        ("abnormal QT interval", "long, short", "LNGQT very_long_qt short_qt"),
    )
)
"""In the order of the report."""

KINDS_OF_SINUS = ("STACH", "SBRAD", "SARRH")
"""Each says that there is a sinus rhythm, and what is special of it."""
_PARENTS = {"2AVB": ("mobitz_1", "mobitz_2", "av_block_2_1")}


def family_names(findings: Sequence[Finding], *, kinds: bool = False) -> dict[str, list[Finding]]:
    """Name findings of one status in as few words as are true.

    ``findings`` share the status, and the reason if they are unknown; ``kinds`` says in brackets
    what a family comprises. Gives names and the findings they stand for, in the same order: a
    family where all its members are there, else labels, those that differ only in the wall joined.
    """
    by_code = {finding.code: finding for finding in findings}
    names: dict[str, list[Finding]] = {}
    for finding in findings:
        family = next((f for f in FAMILIES if finding.code in f.codes), None)
        if family is not None and set(family.codes) <= by_code.keys():
            name = f"{family.name} ({family.kinds})" if kinds and family.kinds else family.name
            names.setdefault(name, [by_code[code] for code in family.codes])
        elif not _said_by_parent(finding.code, by_code):
            names.setdefault(_base(finding.label), []).append(finding)
    return {_with_qualifiers(name, members): members for name, members in names.items()}


def _said_by_parent(code: str, codes: Iterable[str]) -> bool:
    return any(code in children and parent in codes for parent, children in _PARENTS.items())


def _base(label: str) -> str:
    return label.split(", ")[0]


def _with_qualifiers(name: str, members: Sequence[Finding]) -> str:
    """Add what stands behind the comma of the labels, if all of them have it."""
    behind = [finding.label.partition(", ")[2] for finding in members]
    same_base = all(_base(finding.label) == name for finding in members)
    told = [word for word in behind if word and word != "age undetermined"]
    if not same_base or len(told) < len(members):
        return name
    return f"{name} ({', '.join(dict.fromkeys(told))})"
