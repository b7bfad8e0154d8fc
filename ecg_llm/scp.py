"""PTB-XL's 71 statements and its six tasks: which statement belongs to which classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_TABLE = """
NDT df STTC STTC
NST_ df STTC NST_
DIG df STTC STTC
LNGQT df STTC STTC
NORM d NORM NORM
IMI d MI IMI
ASMI d MI AMI
LVH d HYP LVH
LAFB d CD LAFB/LPFB
ISC_ d STTC ISC_
IRBBB d CD IRBBB
1AVB d CD _AVB
IVCD d CD IVCD
ISCAL d STTC ISCA
CRBBB d CD CRBBB
CLBBB d CD CLBBB
ILMI d MI IMI
LAO/LAE d HYP LAO/LAE
AMI d MI AMI
ALMI d MI AMI
ISCIN d STTC ISCI
INJAS d MI AMI
LMI d MI LMI
ISCIL d STTC ISCI
LPFB d CD LAFB/LPFB
ISCAS d STTC ISCA
INJAL d MI AMI
ISCLA d STTC ISCA
RVH d HYP RVH
ANEUR d STTC STTC
RAO/RAE d HYP RAO/RAE
EL d STTC STTC
WPW d CD WPW
ILBBB d CD ILBBB
IPLMI d MI IMI
ISCAN d STTC ISCA
IPMI d MI IMI
SEHYP d HYP SEHYP
INJIN d MI IMI
INJLA d MI AMI
PMI d MI PMI
3AVB d CD _AVB
INJIL d MI IMI
2AVB d CD _AVB
ABQRS f
PVC f
STD_ f
VCLVH f
QWAVE f
LOWT f
NT_ f
PAC f
LPR f
INVT f
LVOLT f
HVOLT f
TAB_ f
STE_ f
PRC(S) f
SR r
AFIB r
STACH r
SARRH r
SBRAD r
PACE r
SVARR r
BIGU r
AFLT r
SVTAC r
PSVT r
TRIGU r
"""
"""Code, kinds (d diagnostic, f form, r rhythm), super-class, sub-class; the order of PTB-XL's own
table."""


@dataclass(frozen=True)
class Statement:
    """One of PTB-XL's statements.

    Attributes
    ----------
    code : str
        SCP-ECG code as PTB-XL writes it.
    kinds : str
        Of ``d`` (diagnostic), ``f`` (form) and ``r`` (rhythm), those it is.
    super_class, sub_class : str
        Diagnostic classes; empty unless diagnostic.
    """

    code: str
    kinds: str
    super_class: str = ""
    sub_class: str = ""


STATEMENTS = tuple(Statement(*line.split()) for line in _TABLE.split("\n") if line)
CODES = tuple(statement.code for statement in STATEMENTS)
SUPER_CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
SUB_CLASSES = tuple(dict.fromkeys(s.sub_class for s in STATEMENTS if s.sub_class))
TASKS: dict[str, tuple[str, ...]] = {
    "all": CODES,
    "diagnostic": tuple(s.code for s in STATEMENTS if "d" in s.kinds),
    "sub": SUB_CLASSES,
    "super": SUPER_CLASSES,
    "form": tuple(s.code for s in STATEMENTS if "f" in s.kinds),
    "rhythm": tuple(s.code for s in STATEMENTS if "r" in s.kinds),
}
"""Classes of each task of the benchmark. Codes and sub-classes share names (``LVH``), so a column
is named by task and class: `COLUMNS`."""
COLUMNS = (
    *CODES,
    *(f"super:{name}" for name in SUPER_CLASSES),
    *(f"sub:{name}" for name in SUB_CLASSES),
)
"""What nets and heads predict, in order: 71 statements, 5 super-classes, 23 sub-classes."""
INCLUDES: dict[str, tuple[str, ...]] = {
    "SR": ("SR", "STACH", "SBRAD", "SARRH"),
    "1AVB": ("1AVB", "LPR"),
    "VCLVH": ("VCLVH", "LVH"),
    "STD_": ("STD_", "INJAS", "INJAL", "INJLA", "INJIN", "INJIL"),
    "NDT": ("NDT", "NT_", "TAB_", "LOWT", "INVT"),
    "ISC_": ("ISC_", "ISCAS", "ISCAN", "ISCAL", "ISCLA", "ISCIN", "ISCIL"),
    "QWAVE": ("QWAVE", "IMI", "ILMI", "IPMI", "IPLMI", "LMI", "ALMI", "AMI", "ASMI"),
}
"""Statements that say one of ours too: a sinus tachycardia is a sinus rhythm."""


def task_columns(task: str) -> tuple[str, ...]:
    """Name the columns of a task.

    Parameters
    ----------
    task : str
        Key of `TASKS`.

    Returns
    -------
    tuple of str
        Of `COLUMNS`.

    Examples
    --------
    >>> task_columns("super")[0], len(task_columns("sub")), task_columns("rhythm")[:2]
    ('super:NORM', 23, ('SR', 'AFIB'))
    """
    prefix = f"{task}:" if task in ("super", "sub") else ""
    return tuple(prefix + name for name in TASKS[task])


def with_classes(codes: Iterable[str]) -> frozenset[str]:
    """Add the classes that statements imply.

    Parameters
    ----------
    codes : iterable of str
        Statements of a record, whatever their likelihood, as the benchmark counts them; what is
        not one of the 71 is left out.

    Returns
    -------
    frozenset of str
        Of `COLUMNS`.

    Examples
    --------
    >>> sorted(with_classes(["IMI", "SR"]))
    ['IMI', 'SR', 'sub:IMI', 'super:MI']
    """
    known = {s.code: s for s in STATEMENTS}
    held = [known[code] for code in codes if code in known]
    classes = [(f"super:{s.super_class}", f"sub:{s.sub_class}") for s in held if s.super_class]
    return frozenset([*(s.code for s in held), *(name for pair in classes for name in pair)])
