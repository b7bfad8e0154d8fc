"""Lead names and the laws that bind the limb leads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
PRECORDIAL_LEADS = ("V1", "V2", "V3", "V4", "V5", "V6")
STANDARD_12 = LIMB_LEADS + PRECORDIAL_LEADS
EXTRA_LEADS = ("V3R", "V4R", "V5R", "V7", "V8", "V9", "X", "Y", "Z")

_KNOWN = {name.upper(): name for name in STANDARD_12 + EXTRA_LEADS}
_KNOWN |= {"VX": "X", "VY": "Y", "VZ": "Z", "D1": "I", "D2": "II", "D3": "III"}
_KNOWN |= {"DI": "I", "DII": "II", "DIII": "III", "L1": "I", "L2": "II", "L3": "III"}
_KNOWN |= {"VR": "aVR", "VL": "aVL", "VF": "aVF"}
_KNOWN |= {f"C{k}": f"V{k}" for k in range(1, 10)}


def canonical_lead(name: str) -> str | None:
    """Map a device's lead name to the standard one.

    Parameters
    ----------
    name : str
        As written in the file, in any of the dialects: ``avr``, ``Lead II``, ``MDC_ECG_LEAD_V1``,
        ``ECG I``, ``D2``, ``-aVR`` is *not* aVR and is not mapped.

    Returns
    -------
    str or None
        One of `STANDARD_12` or `EXTRA_LEADS`; None if the name is none of them.

    Examples
    --------
    >>> canonical_lead("MDC_ECG_LEAD_AVF"), canonical_lead("Lead v3"), canonical_lead("SpO2")
    ('aVF', 'V3', None)
    """
    text = name.strip().upper()
    text = re.sub(r"^(MDC_ECG_LEAD_|MDC_ECG_ELEC_POTL_|ECG[ _:.-]*|LEAD[ _:.-]*)+", "", text)
    text = re.sub(r"\s*\((EINTHOVEN|GOLDBERGER|WILSON)\)$", "", text)
    # A bare number may count columns, so it names a lead only after the word.
    if re.match(r"LEAD[ _:.-]*[123]$", name.strip().upper()):
        text = "D" + text
    return _KNOWN.get(text.replace(" ", ""))


def derive_limb_leads(
    rows: Mapping[str, npt.NDArray[np.float32]],
) -> dict[str, npt.NDArray[np.float32]]:
    """Compute the limb leads that the given ones determine.

    Any two of I, II and III give the third and the augmented leads (Einthoven's and Goldberger's
    laws). Nothing is derived from fewer, and a recorded lead is never replaced.

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
    if "I" in rows and "II" in rows:
        one, two = rows["I"], rows["II"]
    elif "I" in rows and "III" in rows:
        one, two = rows["I"], rows["I"] + rows["III"]
    elif "II" in rows and "III" in rows:
        one, two = rows["II"] - rows["III"], rows["II"]
    else:
        return {}
    laws = {
        "I": one,
        "II": two,
        "III": two - one,
        "aVR": -(one + two) / 2,
        "aVL": one - two / 2,
        "aVF": two - one / 2,
    }
    return {name: row for name, row in laws.items() if name not in rows}
