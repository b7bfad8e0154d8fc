"""Say of every lead whether it can be read, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ecg_llm.leads import PRECORDIAL_LEADS
from ecg_llm.quality.bands import WORKING_FS, Bands
from ecg_llm.quality.features import Features
from ecg_llm.signal import median


@dataclass(frozen=True, kw_only=True)
class LeadQuality:
    """Whether one lead can be read, and if not, why not.

    Attributes
    ----------
    usable : bool
        Whether measurements may be taken from this lead.
    reasons : tuple of str
        What was found, worst first: ``flat``, ``saturated``, ``wander``, ``muscle noise``,
        ``mains``, ``disconnected``, ``gaps``, ``other gain``. A usable lead may have (mild)
        ones too.
    metrics : dict of str to float
        The measured values behind the reasons, units in the names.
    """

    usable: bool
    reasons: tuple[str, ...]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Limit:
    """From where a metric is worth a word, and from where the lead cannot be read.

    Attributes
    ----------
    metric : str
        One that `judge_leads` computes.
    reason : str
        What it means.
    mild, bad : float
        The two limits.
    """

    metric: str
    reason: str
    mild: float
    bad: float


# The mild limits lie beyond what 98 to 99.5 % of the leads of PTB-XL and LUDB at hand show.
LIMITS = (
    Limit("gap_share", "gaps", 0.02, 0.2),
    Limit("flat_share", "flat", 0.2, 0.5),
    Limit("saturated_share", "saturated", 0.01, 0.05),
    Limit("disturbed_second_share", "disconnected", 0.25, 0.5),
    Limit("wander_ratio", "wander", 1.0, 3.0),
    Limit("noise_ratio", "muscle noise", 0.08, 0.18),
    Limit("mains_ratio", "mains", 0.1, 1.0),
)
SHOWS_BEATS = 0.9
"""Synchrony from which a lead shows the beats of all leads: then it may rest between them."""
LONGEST_REST_S = 3.0
"""No flat line between beats lasts longer: 20 beats a minute."""
SMALLEST_REL = 0.06
"""A lead whose whole range is less, against twice the median QRS complex, has no wave to read."""
LOW_REL = 0.25
"""QRS amplitude, half that of the median lead, that wander is at least held against: what it does
to ST and T depends on its own height, not on that of the lead's QRS."""
OVERGROWN = 4.0
"""Height of a chest lead's beat over that of both next to it, from which its gain is another one:
at most 2.7 in 1,470 records of PTB-XL's folds 1 to 8, 3.7 in 561 of CinC 2011."""

STUNTED = 6.0
"""The same of both next to V2 to V5 over it: at most 4.7 in the same records of PTB-XL, 5.6 in 340
of CinC 2011, 4.0 in 150 of LUDB; of V4 and V5 over V6 at most 4.8 in 2,523. V1 beside V2 has up
to 14."""


def judge_leads(leads: tuple[str, ...], bands: Bands, features: Features) -> dict[str, LeadQuality]:
    """Judge every lead of a stretch.

    Parameters
    ----------
    leads : tuple of str
        Row names.
    bands : Bands
        The stretch, split by frequency.
    features : Features
        What was measured of it.

    Returns
    -------
    dict of str to LeadQuality
        In the order of ``leads``. ``noise_ratio``, ``wander_ratio`` and ``mains_ratio`` are
        amplitudes over the lead's own QRS amplitude.
    """
    qrs_rel = features.column("qrs_rel")
    mains_mv = np.fmax.reduce(bands.mains_mv, axis=1, initial=0)  # NaN where it cannot be told
    columns = {
        "gap_share": bands.gaps,
        "flat_share": np.where(bands.gaps < 1, features.column("flat_share"), 0),
        "saturated_share": features.column("saturated_share"),
        "disturbed_second_share": features.column("disturbed_second_share"),
        "wander_ratio": features.column("baseline_rel") / (np.maximum(qrs_rel, LOW_REL) + 0.02),
        "noise_ratio": features.column("noise_ratio"),
        "mains_ratio": mains_mv / (features.unit_mv * (qrs_rel + 0.02)),
        "synchrony": features.column("synchrony"),
        "template_correlation": features.column("template_correlation"),
        "qrs_mv": qrs_rel * features.unit_mv,
        "baseline_mv": features.column("baseline_rel") * features.unit_mv,
        "noise_mv": features.column("noise_rel") * features.unit_mv,
        "mains_mv": mains_mv,
    }
    small = features.column("range_rel") < SMALLEST_REL
    lost, at_rest = _lost(features), _at_rest(bands, features)
    table = np.stack(list(columns.values()), axis=1).tolist()
    out = {}
    for i, lead in enumerate(leads):
        values = dict(zip(columns, table[i], strict=True))
        found = [
            (values[limit.metric] / limit.bad, limit.reason)
            for limit in LIMITS
            if values[limit.metric] >= limit.mild and not (limit.reason == "flat" and at_rest[i])
        ]
        if (values["flat_share"] >= 0.5 and not at_rest[i]) or values["gap_share"] == 1:
            # A line is at its own highest and lowest value all the time: that is not clipping.
            found = [(size, reason) for size, reason in found if reason in ("flat", "gaps")]
        elif small[i]:
            found.append((2.0, "flat"))
        elif lost[i]:
            found.append((2.0, "disconnected"))
        found.sort(reverse=True)
        out[lead] = LeadQuality(
            usable=not any(size >= 1 for size, _ in found),
            reasons=tuple(dict.fromkeys(reason for _, reason in found)),
            metrics=values,
        )
    for lead in _of_other_gain(leads, features, out):
        out[lead] = replace(out[lead], usable=False, reasons=("other gain", *out[lead].reasons))
    return out


def _of_other_gain(
    leads: tuple[str, ...], features: Features, judged: dict[str, LeadQuality]
) -> list[str]:
    """Chest leads that are too high or too low beside the next ones to be of the same gain."""
    height = dict(zip(leads, np.ptp(features.templates, axis=1).tolist(), strict=True))
    chest = [lead for lead in PRECORDIAL_LEADS if lead in judged and judged[lead].usable]
    out = []
    for k, lead in enumerate(chest[: len(chest) if len(chest) > 2 else 0]):
        first = min(max(k - 1, 0), len(chest) - 3)
        beside = [height[other] for other in chest[first : first + 3] if other != lead]
        low = k > 0 and 0 < STUNTED * height[lead] < min(beside)
        if low or height[lead] > OVERGROWN * max(beside) > 0:
            out.append(lead)
    return out


def _at_rest(bands: Bands, features: Features) -> npt.NDArray[np.bool_]:
    """Leads that are flat only between slow beats, as those of a clean recording are."""
    ends = (0, *features.beats.tolist(), bands.ecg.shape[1])
    often = max(b - a for a, b in pairwise(ends)) < LONGEST_REST_S * WORKING_FS
    return np.asarray((features.column("synchrony") >= SHOWS_BEATS) & often)


def _lost(features: Features) -> npt.NDArray[np.bool_]:
    """Leads that do not show the beats which most others show."""
    synchrony = features.column("synchrony")
    if len(features.beats) < 3 or median(synchrony) < 0.8:
        return np.zeros(len(synchrony), dtype=np.bool_)
    return (synchrony < 0.3) & (features.column("template_correlation") < 0.4)
