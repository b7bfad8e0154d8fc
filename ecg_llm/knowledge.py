"""What an ECG statement looks like on the tracing: the texts behind classification by words.

Every entry is written in this project's own words from the criteria it applies
(`ecg_llm.findings`): the waves and intervals, the leads, the sub-types. A description is a list of
signs joined by semicolons, so that a sign can be learnt by itself and carry over to statements
that no training record bears.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from ecg_llm.knowledge_texts import NAMES, SIGNS
from ecg_llm.scp import CODES, STATEMENTS, SUPER_CLASSES
from ecg_llm.scp import TASKS as SCP_TASKS
from ecg_llm.vocabulary import phrases


@dataclass(frozen=True)
class Concept:
    """Something a tracing can be asked for.

    Attributes
    ----------
    key : str
        An SCP-ECG code as PTB-XL writes it, a project code in lower case, or a class of several
        codes after a prefix: ``super:MI``, ``sub:AMI``.
    names : tuple of str
        How clinicians write it, the plainest first.
    description : str
        Its signs on the tracing, joined by semicolons.
    codes : tuple of str
        SCP-ECG codes any of which makes it true in PTB-XL; empty if PTB-XL cannot tell.
    """

    key: str
    names: tuple[str, ...]
    description: str
    codes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The plainest name."""
        return self.names[0]

    @property
    def signs(self) -> tuple[str, ...]:
        """The description, sign by sign."""
        return tuple(sign.strip() for sign in self.description.split(";"))


def _members(of: str) -> dict[str, tuple[str, ...]]:
    """Gather the statements of each class."""
    found: dict[str, tuple[str, ...]] = {}
    for statement in STATEMENTS:
        name = getattr(statement, of)
        if name:
            found[name] = (*found.get(name, ()), statement.code)
    return found


SUPER = {name: _members("super_class")[name] for name in SUPER_CLASSES}
"""PTB-XL's diagnostic super-classes and the statements in each."""
SUB = _members("sub_class")
"""PTB-XL's diagnostic sub-classes and the statements in each."""
RHYTHM = SCP_TASKS["rhythm"]
"""PTB-XL's 12 rhythm statements."""
SCP = CODES
"""PTB-XL's 71 statements."""

CPSC = {
    "NORM": "NORM",
    "AFIB": "AFIB",
    "1AVB": "1AVB",
    "CLBBB": "CLBBB",
    "CRBBB": "CRBBB",
    "PAC": "PAC",
    "VPC": "PVC",
    "STD": "STD_",
    "STE": "STE_",
}
"""CPSC2018's nine classes and the concept of each."""

CSN = {
    "SR": "SR", "ST": "STACH", "SA": "SARRH", "AFIB": "AFIB", "AF": "aberrant_rhythm",
    "AT": "atrial_tachycardia", "SVT": "SVTAC", "APB": "PAC", "VPB": "PVC", "VB": "BIGU",
    "VEB": "ventricular_escape_beat", "JEB": "junctional_escape_beat", "1AVB": "1AVB",
    "2AVB": "2AVB", "2AVB1": "mobitz_1", "AVB": "sub:_AVB", "PRIE": "LPR", "LBBB": "CLBBB",
    "RBBB": "CRBBB", "WPW": "WPW", "ALS": "left_axis", "ARS": "right_axis",
    "CCR": "counterclockwise_rotation", "CR": "clockwise_rotation", "LVH": "LVH", "RVH": "RVH",
    "PWC": "p_wave_change", "AQW": "QWAVE", "MI": "super:MI", "STDD": "STD_", "STE": "STE_",
    "STTC": "st_t_changes", "STTU": "st_tilt_up", "TWC": "TAB_", "TWO": "INVT",
    "ERV": "early_repolarization", "QTIE": "LNGQT", "UW": "u_wave",
}  # fmt: skip
"""The 38 classes of Chapman-Shaoxing-Ningbo in MERL's protocol, and the concept of each."""


def _class_key(prefix: str, name: str, codes: tuple[str, ...]) -> str:
    """A class of one statement is that statement."""
    return name if codes == (name,) else f"{prefix}:{name}"


TASKS: dict[str, dict[str, str]] = {
    "ptbxl-super": {name: _class_key("super", name, codes) for name, codes in SUPER.items()},
    "ptbxl-sub": {name: _class_key("sub", name, codes) for name, codes in SUB.items()},
    "ptbxl-form": {code: code for code in SCP_TASKS["form"]},
    "ptbxl-rhythm": {code: code for code in RHYTHM},
    "ptbxl-diagnostic": {code: code for code in SCP_TASKS["diagnostic"]},
    "ptbxl-all": {code: code for code in SCP},
    "cpsc2018": CPSC,
    "csn": CSN,
}
"""Classes of each task, as its data set names them, and the concept of each."""

PTBXL_KEYS = tuple(
    dict.fromkeys((*SCP, *TASKS["ptbxl-super"].values(), *TASKS["ptbxl-sub"].values()))
)
"""Concepts that PTB-XL's statements decide: what a trained head can know."""

_ALSO = {
    "st_t_changes": (*SUPER["STTC"], "STD_", "STE_", "INVT", "LOWT", "NT_", "TAB_"),
    "aberrant_rhythm": ("AFIB", "AFLT"),
}
"""Statements of PTB-XL behind concepts of other data sets."""


def _codes_of(key: str) -> tuple[str, ...]:
    kind, _, name = key.partition(":")
    if kind == "super":
        return SUPER[name]
    if kind == "sub":
        return SUB[name]
    return (key,) if key in SCP else _ALSO.get(key, ())


@cache
def concepts() -> dict[str, Concept]:
    """Give everything that has a description.

    Returns
    -------
    dict of str to Concept
        By key.

    Examples
    --------
    >>> len(set(TASKS["ptbxl-all"].values()) - set(concepts()))
    0
    >>> concepts()["CLBBB"].signs[0]
    'QRS duration of 120 ms or more'
    """
    made = {}
    for key, description in SIGNS.items():
        names = tuple(dict.fromkeys((*NAMES.get(key, ()), *phrases(key))))
        made[key] = Concept(key, names, description, _codes_of(key))
    return made


@cache
def _by_name() -> dict[str, str]:
    """Find a concept's key by any of its names, its key or the codes of data sets."""
    found: dict[str, str] = {}
    for key, concept in concepts().items():
        for name in (key, key.partition(":")[2] or key, *concept.names):
            found.setdefault(plain(name), key)
    return found


def find(text: str) -> Concept | None:
    """Find the concept that a text names exactly.

    Parameters
    ----------
    text : str
        A name, an abbreviation or a code; case and hyphens do not matter.

    Returns
    -------
    Concept or None
        None for wording of another kind: it is then read as it stands.

    Examples
    --------
    >>> find("left bundle-branch block").key, find("LBBB").key, find("left-sided delay")
    ('CLBBB', 'CLBBB', None)
    """
    key = _by_name().get(plain(text))
    return None if key is None else concepts()[key]


def plain(text: str) -> str:
    """Write a text in lower case without punctuation, in one spelling.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    str

    Examples
    --------
    >>> plain("Left bundle-branch block (LBBB)")
    'left bundle branch block lbbb'
    """
    text = text.lower().replace("ischaem", "ischem").replace("kalaem", "kalem")
    return " ".join(re.findall(r"[a-z0-9]+", text))
