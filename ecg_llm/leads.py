"""Lead names and the laws that bind the limb leads."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    import numpy.typing as npt

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
PRECORDIAL_LEADS = ("V1", "V2", "V3", "V4", "V5", "V6")
STANDARD_12 = LIMB_LEADS + PRECORDIAL_LEADS
EXTRA_LEADS = ("V3R", "V4R", "V5R", "V7", "V8", "V9", "X", "Y", "Z")

_KNOWN = {name.upper(): name for name in STANDARD_12 + EXTRA_LEADS}
_KNOWN |= {"VX": "X", "VY": "Y", "VZ": "Z", "D1": "I", "D2": "II", "D3": "III"}
_KNOWN |= {"DI": "I", "DII": "II", "DIII": "III", "L1": "I", "L2": "II", "L3": "III"}
_KNOWN |= {"LI": "I", "LII": "II", "LIII": "III"}
_KNOWN |= {"VR": "aVR", "VL": "aVL", "VF": "aVF"}
_KNOWN |= {f"C{k}": f"V{k}" for k in range(1, 10)}
# "Lead" in the languages that vendors write, and what stands around it.
_WORD = (
    r"(MDC_ECG_LEAD_|MDC_ECG_ELEC_POTL_|(E[CK]G|LEAD|ABLEITUNG|ABL\.|D[EÉ]RIVATION|DERIVACI[OÓ]N"
    r"|DERIVAZIONE|DERIVAÇÃO|AFLEIDING|ОТВЕДЕНИЕ|导联|導聯|誘導)[ _:.-]*)"
)
_WORDS = re.compile(rf"^{_WORD}+|[ _-]?{_WORD}$")
_LOOK_ALIKE = str.maketrans("аАсСІ", "aAcCI")  # Cyrillic letters that stand for Latin ones


def canonical_lead(name: str) -> str | None:
    """Map a device's lead name to the standard one.

    Parameters
    ----------
    name : str
        As written in the file, in any of the dialects: ``avr``, ``Lead II``, ``MDC_ECG_LEAD_V1``,
        ``ECG I``, ``D2``, ``Ableitung I``; ``-aVR`` is *not* aVR and is not mapped.

    Returns
    -------
    str or None
        One of `STANDARD_12` or `EXTRA_LEADS`; None if the name is none of them.

    Examples
    --------
    >>> canonical_lead("MDC_ECG_LEAD_AVF"), canonical_lead("Lead v3"), canonical_lead("SpO2")
    ('aVF', 'V3', None)
    """
    text = unicodedata.normalize("NFKC", name).translate(_LOOK_ALIKE).strip().upper()
    text = _WORDS.sub("", re.sub(r"\s*\((EINTHOVEN|GOLDBERGER|WILSON)\)$", "", text))
    # A bare number may count columns, so it names a lead only after the word.
    if text in ("1", "2", "3") and re.match(r"LEAD", name.strip().upper()):
        text = "D" + text
    return _KNOWN.get(re.sub(r"(?<=[VCDL])[ _.-](?=[1-9])|\s", "", text))


# Every limb lead is a sum of I and II (Einthoven, Goldberger).
_OF_I_AND_II = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}


def limb_sources(leads: Collection[str]) -> tuple[str, ...]:
    """Choose the two limb leads from which the others are computed.

    Parameters
    ----------
    leads : collection of str
        Recorded leads.

    Returns
    -------
    tuple of str
        Two of them, or none if fewer were recorded: any two determine the other four.

    Examples
    --------
    >>> limb_sources(["V1", "aVF", "I"]), limb_sources(["II", "V1"])
    (('I', 'aVF'), ())
    """
    there = tuple(name for name in LIMB_LEADS if name in leads)
    return there[:2] if len(there) > 1 else ()


def lacking_leads(leads: Collection[str]) -> tuple[str, ...]:
    """Name the standard leads whose view of the heart is missing.

    Parameters
    ----------
    leads : collection of str
        Leads that can be read.

    Returns
    -------
    tuple of str
        No limb lead where two others are there, which tell what it would.

    Examples
    --------
    >>> lacking_leads(["I", "II", "V1", "V2", "V3", "V4", "V5"]), lacking_leads(["II"])[:3]
    (('V6',), ('I', 'III', 'aVR'))
    """
    known = {*leads, *(LIMB_LEADS if limb_sources(leads) else ())}
    return tuple(lead for lead in STANDARD_12 if lead not in known)


def derive_limb_leads(
    rows: Mapping[str, npt.NDArray[np.float32]],
) -> dict[str, npt.NDArray[np.float32]]:
    """Compute the limb leads that the given ones determine.

    Any two limb leads give the other four (Einthoven's and Goldberger's laws). Nothing is derived
    from fewer, and a recorded lead is never replaced.

    Parameters
    ----------
    rows : mapping of str to np.ndarray, mV
        Recorded leads by standard name, equally long.

    Returns
    -------
    dict of str to np.ndarray, mV
        Only the derived leads, in standard order.

    References
    ----------
    .. [1] Kligfield P et al. Circulation 2007;115:1306-1324 (recommendations, part I).

    Examples
    --------
    >>> import numpy as np
    >>> out = derive_limb_leads({"I": np.float32([1.0]), "II": np.float32([1.5])})
    >>> {k: float(v[0]) for k, v in out.items()}
    {'III': 0.5, 'aVR': -1.25, 'aVL': 0.25, 'aVF': 1.0}
    """
    sources = limb_sources(rows)
    if not sources:
        return {}
    (a, b), (c, d) = (_OF_I_AND_II[name] for name in sources)
    first, second = (rows[name] for name in sources)
    size = a * d - b * c
    one, two = (d * first - b * second) / size, (a * second - c * first) / size
    return {
        name: (of_one * one + of_two * two).astype(first.dtype)
        for name, (of_one, of_two) in _OF_I_AND_II.items()
        if name not in rows
    }
