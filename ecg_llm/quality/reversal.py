"""Suspect exchanged electrodes and misplaced rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ecg_llm.leads import LIMB_LEADS, PRECORDIAL_LEADS, STANDARD_12
from ecg_llm.quality.features import Features
from ecg_llm.quality.model import SwapNet
from ecg_llm.signal import nanmedian

FloatArray = npt.NDArray[np.float32]

ROW_RESIDUE = 0.25
"""Share of the limb leads' size that Einthoven's and Goldberger's laws may leave over."""
OPPOSED, AGREED = -0.5, 0.2
"""Correlation of a chest lead with both its neighbours, and theirs with each other, from which it
is taken for upside down: none of 745 records of PTB-XL's folds 1 to 8 is; with one row inverted
half (V1, V2) to nine of ten (V5, V6) are."""
_BESIDE = {
    "V1": ("aVR", "V2"),
    "V2": ("V1", "V3"),
    "V3": ("V2", "V4"),
    "V4": ("V3", "V5"),
    "V5": ("V4", "V6"),
    "V6": ("V5", "I"),
}


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """A suspected electrode or row error.

    Attributes
    ----------
    kind : str
        Machine name, such as ``RA-LA reversal`` or ``V1-V2 swapped``.
    leads : tuple of str
        The rows concerned.
    explanation : str
        What was measured and why it speaks for the error, in one sentence.
    score : float
        From 0 (no hint) to 1 (sure).
    """

    kind: str
    leads: tuple[str, ...]
    explanation: str
    score: float


@dataclass(frozen=True)
class _Sign:
    """How a kind of exchange is called and told."""

    name: str
    leads: tuple[str, ...]
    shown: tuple[str, ...]
    why: str


_SIGNS = {
    "RA-LA": _Sign(
        "RA-LA reversal",
        ("I", "II", "III", "aVR", "aVL"),
        ("I", "aVR", "V6"),
        "lead I is upside down and aVR is not, while V1 to V6 progress as usual",
    ),
    "RA-LL": _Sign(
        "RA-LL reversal",
        ("I", "II", "III", "aVR", "aVF"),
        ("II", "aVR", "aVF"),
        "lead II is upside down and aVR looks like aVF should",
    ),
    "LA-LL": _Sign(
        "LA-LL reversal",
        ("I", "II", "III", "aVL", "aVF"),
        ("I", "II", "III"),
        "the P wave is larger in I than in II and III is upside down; this is often normal, so the "
        "confidence is low: compare with an earlier tracing",
    ),
    "RA-RL": _Sign(
        "RA-RL reversal",
        ("I", "II", "III", "aVR", "aVL", "aVF"),
        ("I", "II", "III"),
        "lead II is nearly flat, as if both its electrodes were on the legs",
    ),
    "LA-RL": _Sign(
        "LA-RL reversal",
        ("I", "II", "III", "aVR", "aVL", "aVF"),
        ("I", "II", "III"),
        "lead III is nearly flat, as if both its electrodes were on the legs",
    ),
    "arms-legs": _Sign(
        "arm and leg cables exchanged",
        ("I", "II", "III", "aVR", "aVL", "aVF"),
        ("I", "II", "III"),
        "lead I is nearly flat, as if both its electrodes were on the legs",
    ),
    "V1-V6 reversed": _Sign(
        "V1-V6 in reverse order",
        PRECORDIAL_LEADS,
        ("V1", "V3", "V6"),
        "the R wave falls from V1 to V6 where it should grow",
    ),
    "upside down": _Sign(
        "record upside down",
        STANDARD_12,
        ("I", "II", "aVR", "V1", "V6"),
        "P, QRS and T point the wrong way in all leads together, aVR upright among them",
    ),
}
_FLAT_LEAD = {"RA-RL": "II", "LA-RL": "III", "arms-legs": "I"}
FLAT_KINDS = tuple(_SIGNS[kind].name for kind in _FLAT_LEAD)
"""Exchanges that a flat lead shows, whatever its beats look like."""


def wave_features(templates: FloatArray) -> FloatArray:
    """Describe the P, QRS and T waves of the standard twelve leads by sign and relative size.

    Parameters
    ----------
    templates : np.ndarray, shape (n_records, 12, n_template), mV
        Median beats from `ecg_llm.quality.features`, in the order of `STANDARD_12`.

    Returns
    -------
    np.ndarray, shape (n_records, 96)
        Each kind of wave relative to its size over all leads: no gain matters.
    """
    beats = templates - nanmedian(templates[:, :, 19:23], axis=2)[..., None]
    p, qrs, t = beats[:, :, 6:21], beats[:, :, 23:40], beats[:, :, 42:76]
    high, low = p.max(axis=2), p.min(axis=2)
    parts = (qrs, qrs[:, :, 2:7], qrs[:, :, 8:14])
    groups = (
        (p.mean(axis=2), np.where(high >= -low, high, low)),
        (qrs.max(axis=2), -qrs.min(axis=2), *(part.mean(axis=2) for part in parts)),
        (t.mean(axis=2),),
    )
    overall = 1e-3 * np.sqrt(np.square(qrs).mean(axis=(1, 2))) + 1e-6
    scaled = []
    for group in groups:
        waves = np.concatenate(group, axis=1)
        size = np.sqrt(np.square(waves).mean(axis=1)) + overall
        scaled.append(waves / size[:, None])
    return np.concatenate(scaled, axis=1).astype(np.float32)


def lacking_for_exchanges(leads: Collection[str], usable: Collection[str]) -> tuple[str, ...]:
    """Name the leads without which no exchange of electrodes can be seen.

    Parameters
    ----------
    leads : collection of str
        Of the record.
    usable : collection of str
        Leads that can be read. A flat limb lead is itself a sign, so three of them are enough.

    Returns
    -------
    tuple of str
        Empty if exchanges can be looked for.
    """
    lacking = [name for name in STANDARD_12 if name not in leads]
    lacking += [name for name in PRECORDIAL_LEADS if name in leads and name not in usable]
    limb = [name for name in LIMB_LEADS if name in leads and name not in usable]
    return (*(limb if len(limb) > len(LIMB_LEADS) - 3 else ()), *lacking)


def suspect_electrodes(
    leads: tuple[str, ...], features: Features, net: SwapNet, usable: tuple[str, ...]
) -> tuple[Suspicion, ...]:
    """Suspect exchanged electrodes from the shape of the median beat.

    Parameters
    ----------
    leads : tuple of str
        Row names.
    features : Features
        Of the stretch.
    net : SwapNet
        Knows what exchanges look like.
    usable : tuple of str
        Leads that can be read. A flat limb lead is itself a sign and may be missing.

    Returns
    -------
    tuple of Suspicion
        At most one; none where the beats do not repeat or one of the standard leads is missing.
    """
    if lacking_for_exchanges(leads, usable) or features.regularity < 0.7:
        return ()
    templates = features.templates[[leads.index(name) for name in STANDARD_12]]
    if not templates.any():
        return ()
    named = name_exchange(templates, net)
    return (_explain(*named, wave_features(templates[None])[0]),) if named else ()


def name_exchange(templates: FloatArray, net: SwapNet) -> tuple[str, float] | None:
    """Name the exchange that a median beat shows.

    Parameters
    ----------
    templates : np.ndarray, shape (12, n_template), mV
        In the order of `STANDARD_12`.
    net : SwapNet
        Knows what exchanges look like.

    Returns
    -------
    tuple of str and float, or None
        Kind and probability; None where nothing is suspected.
    """
    waves = wave_features(templates[None])
    share = net.probabilities(waves)[0]
    best = int(share.argmax())
    kind = str(net.kinds[best])
    if kind == "none" or share[best] < net.limits[best] or not _plausible(kind, waves[0]):
        return None
    return kind, float(share[best])


def _plausible(kind: str, waves: FloatArray) -> bool:
    """Hold the net to what its explanation claims."""
    _, _, r, s, area, _, _, _ = waves.reshape(8, 12)
    lead = dict(zip(STANDARD_12, range(12), strict=True))
    if kind == "RA-LA":
        return bool(area[lead["I"]] < 0)
    if kind == "RA-LL":
        return bool(area[lead["II"]] < 0)
    if kind in _FLAT_LEAD:
        size = np.maximum(r, s)
        return bool(size[lead[_FLAT_LEAD[kind]]] < 0.3 * size[:3].max())
    return True


def _explain(kind: str, score: float, waves: FloatArray) -> Suspicion:
    """Put an exchange into words, with the signs it was read from."""
    r = waves.reshape(8, 12)[2]
    area = waves.reshape(8, 12)[4]
    t = waves.reshape(8, 12)[7]
    p = waves.reshape(8, 12)[0]
    if kind in _SIGNS:
        sign = _SIGNS[kind]
    else:
        pair = tuple(kind.split("-"))
        why = f"R and S fit their neighbours better with {pair[0]} and {pair[1]} exchanged"
        shown = pair if "V4" in pair else (*pair, "V4")
        sign = _Sign(f"{kind} swapped", pair, shown, why)
    name, why = sign.name, sign.why
    at = STANDARD_12.index
    if kind == "RA-LA" and r[at("V6")] < 0.5 * max(r[at("V1")], r[at("V2")]):
        name = "RA-LA reversal or dextrocardia"
        why = "lead I is upside down and the R wave falls towards V6, as in dextrocardia"
    if kind == "LA-LL":
        score = min(score, 0.5)
    measured = "; ".join(
        f"{lead}: P {_word(p[at(lead)])}, QRS {_word(area[at(lead)])}, T {_word(t[at(lead)])}"
        for lead in sign.shown
    )
    return Suspicion(
        kind=name,
        leads=sign.leads,
        explanation=f"{why[0].upper()}{why[1:]} ({measured}).",
        score=round(score, 3),
    )


def _word(value: float) -> str:
    """Direction of a wave, relative to its usual size in the record."""
    if abs(value) < 0.15:
        return "near zero"
    return "upright" if value > 0 else "inverted"


def suspect_rows(
    leads: tuple[str, ...], derived: tuple[str, ...], rows: FloatArray, usable: tuple[str, ...]
) -> tuple[Suspicion, ...]:
    """Suspect misplaced, inverted and doubled rows from the laws that bind them.

    Parameters
    ----------
    leads, derived : tuple of str
        Row names, and which of them were computed.
    rows : np.ndarray, shape (n_leads, n)
        0.7 to 40 Hz.
    usable : tuple of str
        Leads that can be read; others are left out.

    Returns
    -------
    tuple of Suspicion

    Notes
    -----
    I + III = II and Goldberger's laws hold even with exchanged electrodes, so a residue means
    mislabelled rows. Where one exchange of two rows, or one change of sign, makes the laws hold,
    that is what is named. No such law binds the chest leads, but one lies between its neighbours.
    """
    recorded = {
        name: rows[i]
        for i, name in enumerate(leads)
        if name in LIMB_LEADS and name not in derived and name in usable
    }
    found = [*_doubled(leads, rows, usable, derived), *_upside_down(leads, rows, usable)]
    if not {"I", "II"} <= set(recorded) or len(recorded) < 3:
        return tuple(found)
    residue = _residue(recorded)
    if residue < ROW_RESIDUE:
        return tuple(found)
    guess = _repair(recorded)
    score = min(1.0, residue)
    if guess is not None:
        concerned, kind, left = guess
        why = f"{kind} would leave {left:.0%}"
    elif _residue(_rescaled(recorded)) < ROW_RESIDUE / 2:
        concerned, kind, score = tuple(recorded), "limb row gains differ", 0.3
        why = (
            "with a gain of its own for every row they hold, so no row is misplaced, but the "
            "voltages of the limb leads cannot be compared and the axis is in doubt"
        )
    else:
        concerned, kind = tuple(recorded), "limb rows inconsistent"
        why = "no single exchange or change of sign explains it"
    explanation = (
        f"I + III = II and the laws of aVR, aVL and aVF leave {residue:.0%} of the limb leads "
        f"unexplained, where an intact tracing leaves almost nothing; {why}."
    )
    found.append(
        Suspicion(kind=kind, leads=concerned, explanation=explanation, score=round(score, 3))
    )
    return tuple(found)


def _residue(rows: dict[str, FloatArray]) -> float:
    """Size of what the limb laws leave over, against the size of the leads."""
    one, two = rows["I"], rows["II"]
    laws = {
        "III": two - one,
        "aVR": -(one + two) / 2,
        "aVL": one - two / 2,
        "aVF": two - one / 2,
    }
    left = sum(float(np.square(rows[n] - law).sum()) for n, law in laws.items() if n in rows)
    return float(np.sqrt(left / (sum(float(np.square(r).sum()) for r in rows.values()) + 1e-9)))


def _rescaled(rows: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Give every row the positive gain with which the limb laws hold best."""
    if "III" not in rows:
        return rows
    three = np.stack([rows[name] for name in ("I", "II", "III")])
    size = np.sqrt(np.square(three).mean(axis=1, keepdims=True)) + 1e-9
    gains = np.linalg.svd(three / size, full_matrices=False)[0][:, 2] / size[:, 0]
    gains = gains * np.sign(gains[0])
    if gains[1] >= 0 or gains[2] <= 0:  # I + III - II: the signs must be + - +
        return rows
    one, two = gains[0] * rows["I"], -gains[1] * rows["II"]
    out = {"I": one, "II": two, "III": gains[2] * rows["III"]}
    laws = {"aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    for name, law in laws.items():
        if name in rows:
            gain = max(0.0, float(rows[name] @ law) / (float(rows[name] @ rows[name]) + 1e-9))
            out[name] = np.float32(gain) * rows[name]
    return out


def _repair(rows: dict[str, FloatArray]) -> tuple[tuple[str, ...], str, float] | None:
    """Find the one exchange or change of sign after which the limb laws hold."""
    tried: list[tuple[float, tuple[str, ...], str]] = []
    for a, b in combinations(rows, 2):
        left = _residue({**rows, a: rows[b], b: rows[a]})
        tried.append((left, (a, b), f"rows {a} and {b} exchanged"))
    for name in rows:
        tried.append((_residue({**rows, name: -rows[name]}), (name,), f"row {name} inverted"))
    left, concerned, kind = min(tried)
    return (concerned, kind, left) if left < 0.4 * ROW_RESIDUE else None


def _upside_down(
    leads: tuple[str, ...], rows: FloatArray, usable: tuple[str, ...]
) -> list[Suspicion]:
    """Chest leads that go against both their neighbours, which go with each other."""
    out = []
    readable = [lead for lead in leads if lead in usable]
    like = np.atleast_2d(np.corrcoef(rows[[leads.index(lead) for lead in readable]]))
    for name, pair in _BESIDE.items():
        if not {name, *pair} <= set(readable):
            continue
        at, before, after = (readable.index(lead) for lead in (name, *pair))
        first, second, both = like[at, before], like[at, after], like[before, after]
        if max(first, second) < OPPOSED and both > AGREED:
            why = (
                f"{name} goes against {pair[0]} and {pair[1]} (correlations {first:.2f} and "
                f"{second:.2f}), which go with each other ({both:.2f})."
            )
            score = round(-float(max(first, second)), 3)
            kind = f"row {name} inverted"
            out.append(Suspicion(kind=kind, leads=(name,), explanation=why, score=score))
    return out


def _doubled(
    leads: tuple[str, ...], rows: FloatArray, usable: tuple[str, ...], derived: tuple[str, ...]
) -> list[Suspicion]:
    """Rows that hold the same samples, each group of them once."""
    chosen = [i for i, name in enumerate(leads) if name in usable and name not in derived]
    limb_flat = any(name in leads and name not in usable for name in ("I", "II", "III"))
    if limb_flat:  # a flat limb lead makes others equal by Goldberger's laws
        chosen = [i for i in chosen if leads[i] not in LIMB_LEADS]
    some = rows[chosen]
    power = np.square(some).sum(axis=1)
    apart = power[:, None] + power[None] - 2 * some @ some.T
    same = apart < 1e-4 * np.minimum(power[:, None], power[None])
    out: list[Suspicion] = []
    told: set[str] = set()
    for row in same:
        alike = tuple(leads[chosen[k]] for k in np.flatnonzero(row))
        if len(alike) > 1 and told.isdisjoint(alike):
            told |= set(alike)
            why = f"{', '.join(alike[:-1])} and {alike[-1]} hold the same samples."
            out.append(Suspicion(kind="doubled row", leads=alike, explanation=why, score=1.0))
    return out
